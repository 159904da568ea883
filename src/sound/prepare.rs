//! From recordings to the few seconds that become a voice: found, cut, denoised if asked to, and levelled.
//!
//! A recording is gone through twice, a block at a time: once to hear where the speech is, once to keep what was chosen. So
//! an hour takes no more memory than a minute.

use super::denoise;
use super::finding::{Finding, Level, What};
use super::level::SILENCE;
use super::normalize::{self, Levelled};
use super::reference::{Report, check};
use super::stretch::{Stretch, choose};
use super::thresholds::{LENGTHS, LOUDNESS_TARGET, SHORTEST};
use super::vad::{Frames, SpeechDetector};
use crate::audio::{Clip, Input, Pcm, Recording};
use crate::error::Kind;
use crate::progress::Progress;
use anyhow::{Result, ensure};
use std::ops::Range;
use std::path::Path;

/// What the models are to hear.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The recording that it comes from.
    pub input: Input,
    /// Where it lies in that, seconds.
    pub seconds: Range<f64>,
    pub pcm: Pcm,
    /// What is wrong with it, but for what was mended; at seconds of the recording.
    pub findings: Vec<Finding>,
}

/// How the best stretch is sought, and what is done to it.
#[derive(Clone, Debug)]
pub struct Preparation {
    /// The part of the recordings that is looked at, seconds.
    pub within: Range<f64>,
    /// Whether steady noise is taken out.
    pub denoise: bool,
}

/// One recording that was heard, and its best stretch.
struct Found<'a> {
    input: &'a Input,
    stretch: Stretch,
}

/// The recording `input` as it is, the part `within` these seconds; of that the last `longest` seconds.
pub fn raw(input: &Input, within: Range<f64>, longest: f64, progress: &dyn Progress) -> Result<Reference> {
    let (recording, path) = (Recording::open(input.clone())?, input.path());
    let (rate, channels) = (recording.rate(), recording.channels());
    let clip = recording.read(within.clone(), longest)?;
    progress.note(&heard(path, clip.total_seconds, rate, channels));
    warn_of_file(path, &clip.notes, progress);
    if clip.was_cut() {
        let kept = clip.pcm.seconds();
        progress.note(&format!("only the last {kept:.0} s of {:.0} s are used", clip.total_seconds));
    }
    check_length(path, clip.pcm.seconds())?;
    let start = within.start + clip.start;
    let is_mended = |what| matches!(what, What::Short | What::Long);
    let findings = warn(path, &check(&whole(&clip))?, start, is_mended, progress);
    Ok(Reference::new(input, start, clip.pcm, findings))
}

impl Preparation {
    /// The best stretch of all these recordings. One that cannot be used is an error if it is the only one, else a note.
    pub fn best(&self, inputs: &[Input], progress: &dyn Progress) -> Result<Reference> {
        let mut best: Option<Found> = None;
        for input in inputs {
            match self.find(input, progress) {
                Ok(found) if best.as_ref().is_none_or(|b| found.stretch.score > b.stretch.score) => best = Some(found),
                Ok(_) => {}
                Err(error) if inputs.len() == 1 => return Err(error),
                Err(error) => progress.note(&format!("warning: left out: {error:#}")),
            }
        }
        let none = || Kind::Input.error(format!("none of these {} recordings can be used", inputs.len()));
        self.cut(&best.ok_or_else(none)?, progress)
    }

    /// The best stretch of the recording `input`.
    fn find<'a>(&self, input: &'a Input, progress: &dyn Progress) -> Result<Found<'a>> {
        let path = input.path();
        let mut recording = Recording::open(input.clone())?;
        let (rate, channels) = (recording.rate(), recording.channels());
        let mut detector = SpeechDetector::new(rate);
        let samples = self.play(&mut recording, progress, &mut |block| detector.hear(block))?;
        let (frames, seconds) = (detector.finish()?, samples as f64 / f64::from(rate));
        progress.note(&format!("{}; {}", heard(path, seconds, rate, channels), share_of_speech(&frames, seconds)));
        warn_of_file(path, &recording.notes(), progress);
        check_length(path, seconds)?;
        let silent = || Kind::Input.error(format!("{}: {}", path.display(), silence(&frames)));
        Ok(Found { input, stretch: choose(&frames, seconds).ok_or_else(silent)? })
    }

    /// Plays what lies within, telling how far it is; returns how many samples that were.
    fn play(
        &self,
        recording: &mut Recording,
        progress: &dyn Progress,
        sink: &mut dyn FnMut(&[f32]) -> Result<()>,
    ) -> Result<usize> {
        let rate = recording.rate() as usize;
        let end = recording.seconds().map_or(0.0, |seconds| seconds.min(self.within.end));
        progress.start("scanning", (end - self.within.start).max(0.0) as u64, "second");
        let mut samples = 0;
        let played = recording.play(self.within.clone(), &mut |block| {
            let before = samples / rate;
            samples += block.len();
            progress.advance((samples / rate - before) as u64);
            sink(block)
        });
        progress.finish();
        played.map(|()| samples)
    }

    /// Cuts out what was found, and makes it ready.
    fn cut(&self, found: &Found, progress: &dyn Progress) -> Result<Reference> {
        let Found { input, stretch } = found;
        let seconds = match stretch.whole {
            true => self.within.clone(),
            false => self.within.start + stretch.seconds.start..self.within.start + stretch.seconds.end,
        };
        let path = input.path();
        let clip = Recording::open((*input).clone())?.read(seconds.clone(), f64::INFINITY)?;
        check_length(path, clip.pcm.seconds())?;
        let report = check(&whole(&clip))?;
        tell(path, stretch, self.within.start, &report, progress);
        let findings = warn(path, &report, seconds.start, |what| self.mends(what), progress);
        let mut pcm = clip.pcm;
        if self.denoise {
            pcm = denoise(&pcm)?;
            progress.note("denoised");
        }
        let levelled = normalize::level(&mut pcm)?;
        levelled.tell(progress);
        Ok(Reference::new(input, seconds.start, pcm, findings))
    }

    /// What is chosen or changed here, so that nobody needs to be told of it.
    fn mends(&self, what: What) -> bool {
        match what {
            What::Short | What::Long | What::Quiet => true,
            What::SilenceStart | What::SilenceInside | What::SilenceEnd => true,
            What::Noise => self.denoise,
            _ => false,
        }
    }
}

impl Reference {
    fn new(input: &Input, start: f64, pcm: Pcm, findings: Vec<Finding>) -> Self {
        Self { input: input.clone(), seconds: start..start + pcm.seconds(), pcm, findings }
    }
}

impl Levelled {
    fn tell(&self, progress: &dyn Progress) {
        let Some(before) = self.before.filter(|_| self.gain != 0.0) else { return };
        let (verb, by) = (if self.gain > 0.0 { "raised" } else { "lowered" }, self.gain.abs());
        let short = (LOUDNESS_TARGET - before - self.gain).abs() > 0.05;
        let why = if short { ": more would clip its peaks" } else { "" };
        progress.note(&format!("{verb} by {by:.1} dB, from {before:.1} to {:.1} LUFS{why}", before + self.gain));
    }
}

fn check_length(path: &Path, seconds: f64) -> Result<()> {
    let (path, best) = (path.display(), format!("{:.0} to {:.0} s work best", LENGTHS.start, LENGTHS.end));
    ensure!(
        seconds >= SHORTEST,
        Kind::Input.error(format!("{path}: {seconds:.2} s is too short: at least 1 s is needed, {best}"))
    );
    Ok(())
}

/// Says what was assumed of a recording that contradicts itself.
fn warn_of_file(path: &Path, notes: &[String], progress: &dyn Progress) {
    notes.iter().for_each(|note| progress.note(&format!("warning: {}: {note}", path.display())));
}

fn heard(path: &Path, seconds: f64, rate: u32, channels: u16) -> String {
    format!("{}: {seconds:.1} s at {rate} Hz, {channels} channel(s)", path.display())
}

fn share_of_speech(frames: &Frames, seconds: f64) -> String {
    // Rust's sum of nothing is -0.
    let spoken = 0.0 + frames.speech().iter().map(|speech| speech.end - speech.start).sum::<f64>();
    format!("{:.0} % of it speech", 100.0 * (spoken / seconds).min(1.0))
}

fn silence(frames: &Frames) -> &'static str {
    match frames.decibels.iter().all(|&level| f64::from(level) <= SILENCE) {
        true => "it is silent",
        false => "no speech was found in it; --raw takes it as it is",
    }
}

/// What was cut out, as a recording of its own.
fn whole(clip: &Clip) -> Clip {
    Clip { start: 0.0, total_seconds: clip.pcm.seconds(), ..clip.clone() }
}

/// Says what was chosen.
fn tell(path: &Path, stretch: &Stretch, start: f64, report: &Report, progress: &dyn Progress) {
    let Range { start: from, end: to } = start + stretch.seconds.start..start + stretch.seconds.end;
    let which = match stretch.whole {
        true => "all of it".to_owned(),
        false => format!("{from:.1} to {to:.1} s of {} ({:.1} s)", path.display(), to - from),
    };
    let speech = format!("{:.1} s of speech", report.measures.speech_seconds);
    let noise = report.measures.snr.map_or(String::new(), |snr| format!(", {snr:.1} dB over its noise"));
    let pause = stretch.pause.map_or(String::new(), |pause| format!(", then a pause of {pause:.1} s"));
    progress.note(&format!("taken: {which}: {speech}{noise}{pause}"));
}

/// Says what is wrong with what begins `start` seconds into a recording, but for what is mended.
fn warn(
    path: &Path,
    report: &Report,
    start: f64,
    is_mended: impl Fn(What) -> bool,
    progress: &dyn Progress,
) -> Vec<Finding> {
    let told = report.findings.iter().filter(|finding| finding.level >= Level::Warning && !is_mended(finding.what));
    let placed = |finding: &Finding| {
        let at = finding.at.iter().map(|at| start + at.start..start + at.end).collect::<Vec<_>>();
        finding.clone().at(at)
    };
    let told: Vec<_> = told.map(placed).collect();
    told.iter().for_each(|finding| progress.note(&format!("warning: {}: {finding}", path.display())));
    told
}
