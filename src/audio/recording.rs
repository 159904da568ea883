//! A recording of any kind, by what it holds and not by its name: WAV is read here (see [`super::wav`]), everything else through
//! symphonia (see [`super::container`]). Sound comes a block at a time, so that an hour costs no more memory than what is kept of it.

use super::caf::CafOpus;
use super::container::{ADVICE, Final, Track};
use super::ffmpeg::Ffmpeg;
use super::kind;
use super::source::{Mix, Source, mix_of};
use super::wav::{self, Wave};
use super::{Input, Pcm};
use crate::error::Kind;
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

/// Longest stretch that is ever listened to, seconds: bounds the work on an absurdly long file.
pub const LONGEST: f64 = 4.0 * 3600.0;

/// Takes mono samples, block after block.
pub type Sink<'a> = dyn FnMut(&[f32]) -> Result<()> + 'a;

/// A part of a recording.
#[derive(Clone, Debug)]
pub struct Clip {
    /// Mono, at the file's own rate.
    pub pcm: Pcm,
    /// Where it begins in what was asked for, seconds.
    pub start: f64,
    /// Duration of what was asked for, seconds: without a range, of the whole file.
    pub total_seconds: f64,
    /// Channels that were averaged.
    pub channels: u16,
    /// What was assumed where the file contradicts itself.
    pub notes: Vec<String>,
}

impl Clip {
    /// Whether there is more before the kept part.
    pub fn was_cut(&self) -> bool {
        self.start > 1e-3
    }
}

/// The last `limit_seconds` of the recording `input`. Memory is bounded by the limit, time by [`LONGEST`]; of WAV only the
/// kept part is decoded.
pub fn read(input: impl Into<Input>, limit_seconds: f64) -> Result<Clip> {
    Recording::open(input)?.read(0.0..f64::INFINITY, limit_seconds)
}

/// An opened file.
pub struct Recording {
    input: Input,
    source: Box<dyn Source>,
    mix: Mix,
}

impl Recording {
    /// Finds the sound in the file `input`.
    pub fn open(input: impl Into<Input>) -> Result<Self> {
        let input = input.into();
        let (source, mix) = opened(&input).with_context(|| unusable(input.path()))?;
        Ok(Self { input, source, mix })
    }

    /// Sample rate, Hz.
    pub fn rate(&self) -> u32 {
        self.source.rate()
    }

    /// Channels, which are averaged.
    pub fn channels(&self) -> u16 {
        self.source.channels()
    }

    /// How many audio tracks the file has, of which one is read.
    pub fn tracks(&self) -> usize {
        self.source.tracks()
    }

    /// Duration as far as the file tells it, seconds; of compressed ones it may be a guess.
    pub fn seconds(&self) -> Option<f64> {
        self.source.seconds()
    }

    /// What was assumed where the file contradicts itself, in a line each. After it was played there may be more.
    pub fn notes(&self) -> Vec<String> {
        let inverted = "its two channels are inverted against each other, and together silence: the first is taken";
        let mix = (self.mix == Mix::First).then(|| inverted.to_owned());
        self.source.notes().iter().cloned().chain(mix).collect()
    }

    /// Hands the mono samples between these `seconds` to `sink`, in order.
    pub fn play(&mut self, seconds: Range<f64>, sink: &mut Sink) -> Result<()> {
        self.play_last(seconds, f64::INFINITY, sink)
    }

    /// The last `keep` seconds of what lies between these `seconds`.
    pub fn read(mut self, seconds: Range<f64>, keep: f64) -> Result<Clip> {
        let (rate, channels) = (self.rate(), self.channels());
        let all = self.source.frames().map(|frames| frames as f64 / f64::from(rate));
        let known = all.map(|all| (all.min(seconds.end) - seconds.start).max(0.0));
        let longest = (keep * f64::from(rate)).ceil() as usize;
        let (mut samples, mut total) = (Vec::new(), 0);
        self.play_last(seconds, keep, &mut |block| {
            total += block.len();
            samples.extend_from_slice(block);
            if samples.len() > longest.saturating_mul(2) {
                samples.drain(..samples.len() - longest);
            }
            Ok(())
        })?;
        samples.drain(..samples.len().saturating_sub(longest));
        let pcm = Pcm { samples, rate };
        let total_seconds = known.unwrap_or(total as f64 / f64::from(rate));
        let start = (total_seconds - pcm.seconds()).max(0.0);
        Ok(Clip { start, pcm, total_seconds, channels, notes: self.notes() })
    }

    /// As [`Recording::play`]; where it costs nothing, of only the last `keep` seconds.
    fn play_last(&mut self, seconds: Range<f64>, keep: f64, sink: &mut Sink) -> Result<()> {
        let heard = self.played(&seconds, keep, sink).with_context(|| unusable(self.input.path()))?;
        let length = self.seconds().map_or(String::new(), |length| format!(": it is {length:.2} s long"));
        let silent =
            || format!("{}: there is no sound from {:.2} s on{length}", self.input.path().display(), seconds.start);
        ensure!(heard, Kind::Input.error(silent()));
        Ok(())
    }

    /// Whether there was anything.
    fn played(&mut self, seconds: &Range<f64>, keep: f64, sink: &mut Sink) -> Result<bool> {
        let rate = f64::from(self.rate());
        let frame = |seconds: f64| (seconds * rate).round() as u64;
        let (mut start, mut end) = (frame(seconds.start), frame(seconds.end));
        if let Some(frames) = self.source.frames() {
            end = end.min(frames);
            start = start.max(end.saturating_sub((keep * rate).ceil() as u64));
            ensure!(end.saturating_sub(start) <= frame(LONGEST), too_long());
        }
        let first = self.source.seek(start.min(end))?;
        let (mut next, mut heard) = (first, false);
        let (mut interleaved, mut mono) = (Vec::new(), Vec::new());
        while next < end {
            let channels = self.source.block(&mut interleaved)?;
            if channels == 0 {
                break;
            }
            let frames = (interleaved.len() / channels) as u64;
            let within = |at: u64| at.clamp(next, next + frames) - next;
            let (from, to) = (within(start), within(end.max(start)));
            mono.clear();
            let wanted = &interleaved[from as usize * channels..to as usize * channels];
            self.mix.add(wanted, channels, next + from, &mut mono)?;
            next += frames;
            ensure!(next.min(end) - first <= frame(LONGEST), too_long());
            heard |= !mono.is_empty();
            sink(&mono)?;
        }
        Ok(heard)
    }
}

/// The file's sound, and how its channels become one.
fn opened(input: &Input) -> Result<(Box<dyn Source>, Mix)> {
    let source = source(input)?;
    if source.channels() != 2 {
        return Ok((source, Mix::Average));
    }
    // What is damaged is told when it is played.
    let mix = mix_of(source).unwrap_or(Mix::Average);
    Ok((self::source(input)?, mix))
}

/// The sound of `input`: read here, or else through `ffmpeg`, if that is there and may be used.
fn source(input: &Input) -> Result<Box<dyn Source>> {
    let file = input.file()?;
    let len = file.metadata()?.len();
    ensure!(len > 0, "it is empty");
    let why = match native(input, file, len) {
        Err(error) if input.may_use_ffmpeg() && is_binary(input)? && !error.is::<Final>() => error,
        read => return read,
    };
    let track = input.track().unwrap_or(1) - 1;
    match Ffmpeg::open(input, track) {
        Ok(Some(ffmpeg)) => Ok(Box::new(ffmpeg)),
        Ok(None) => Err(why),
        Err(error) => Err(why.context(format!("{error:#}"))),
    }
}

fn native(input: &Input, file: File, len: u64) -> Result<Box<dyn Source>> {
    let track = input.track();
    let source: Box<dyn Source> = match wav::open(file, 0)? {
        Some(Wave::Samples(wav)) => Box::new(wav),
        Some(Wave::Packed(packed)) => Box::new(packed),
        Some(Wave::Stream(file, bytes, tag)) => Box::new(Track::in_wav(file, bytes, tag)?),
        None => match CafOpus::open(input.file()?)? {
            Some(caf) => Box::new(caf),
            None => Box::new(track_of(input.file()?, len, track)?),
        },
    };
    let tracks = source.tracks();
    match track.filter(|track| *track > tracks) {
        Some(track) => Err(Final::no_track(track, tracks).into()),
        None => Ok(source),
    }
}

/// What is of a kind that is known not to be read is not tried: symphonia finds frames of AAC in the packets of an MPEG-TS.
fn track_of(file: File, len: u64, track: Option<usize>) -> Result<Track> {
    if let Some(kind) = kind::named(&file)? {
        bail!("it is {kind}, which is not read here: {ADVICE}");
    }
    Track::open(file.try_clone()?, 0..len, track).map_err(|error| match kind::codecs(&file) {
        Ok(codecs) if !codecs.is_empty() && !error.is::<Final>() => error.context(format!("it holds {codecs}")),
        _ => error,
    })
}

/// Whether a file is more than text. Play lists are text: they would have `ffmpeg` open what they name.
fn is_binary(input: &Input) -> Result<bool> {
    let mut start = Vec::new();
    input.file()?.take(1 << 12).read_to_end(&mut start)?;
    Ok(start.contains(&0) || std::str::from_utf8(&start).is_err_and(|error| error.error_len().is_some()))
}

fn unusable(path: &Path) -> crate::error::Error {
    Kind::Input.error(format!("{}: cannot be used as a recording", path.display()))
}

/// What is said of a recording that nobody wants to wait for.
fn too_long() -> String {
    format!("longer than {} hours: name a part of it with --start and --end", LONGEST / 3600.0)
}
