//! Listening to what was spoken: whether an utterance is worth keeping, and where its speech ends.
//!
//! Bark draws at random, and now and then it says nothing, rushes, rambles on until its limit, or ends in babble and noise. The
//! criteria, each with its constant below:
//!
//! - silent: no loudness, or under [`SILENT`];
//! - clipped: more than [`CLIPPED`] of the samples are beyond full scale, or peaks are cut flat;
//! - too fast, too slow: letters a second of speech outside of [`FASTEST`] and [`SLOWEST`];
//! - ran out: the semantic stage was stopped by a limit and did not end by itself;
//! - garbled tail: more than [`TAIL`] seconds of sound after the last speech, or noise-like sound or a burst at the end of it.

use super::spectra::{self, Spectra, decibels, percentile};
use super::vad::{FRAME_SECONDS, Frames};
use super::{clipping, loudness};
use crate::audio::Pcm;
use crate::stage::protocol::Protocol;
use crate::stage::semantic::Stop;
use crate::tokens::Semantic;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Loudness under which nothing was said, LUFS: Bark speaks at -30 to -15.
const SILENT: f64 = -50.0;
/// Samples beyond full scale, as a share of all, and flat tops a second.
const CLIPPED: f64 = 1e-3;
const FLAT_TOPS: f64 = 15.0;
/// Letters a second of speech. Languages are spoken at 5 to 8 syllables a second (Pellegrino, Coupé and Marsico, "A
/// cross-language perspective on speech information rate", 2011), which is 10 to 20 letters; these are half and nearly twice of it.
const SLOWEST: f64 = 5.0;
const FASTEST: f64 = 35.0;
/// Seconds that any text may take on top, for a sigh or a laugh.
const GRACE: f64 = 2.0;
/// Texts of fewer letters are not too fast: `Oi.` takes no time.
const FEW_LETTERS: f64 = 20.0;
/// Letters that an ideograph, a kana or a Hangul syllable stands for: each is about a syllable.
const SYLLABLE_LETTERS: f64 = 2.5;
/// Seconds of sound after the speech, or of noise at its end, that make a tail.
const TAIL: f64 = 0.5;
/// Sound: no further under the speech than this, dB.
const AUDIBLE: f64 = 30.0;
/// Spectral flatness of noise, 0 to 1: a vowel has under 0.1, white noise 0.56 in one frame.
const NOISE_LIKE: f64 = 0.35;
/// The band in which flatness is judged, Hz: where both voices and noise are.
const BAND: Range<f64> = 200.0..8000.0;
/// The last second is a burst if it is louder than the speech before it by this, dB.
const BURST: f64 = 9.0;
const BURST_SECONDS: f64 = 1.0;
/// What is kept after the speech, and over how much of it the sound fades, seconds.
const KEPT: f64 = 0.2;
const FADE: f64 = 0.1;

/// What the sound itself does not tell of an utterance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The semantic stage ended by itself, not by a limit.
    pub ended: bool,
}

impl Facts {
    /// Of `semantic` as it was generated under these limits.
    pub fn of(semantic: &Semantic, protocol: &Protocol, stop: &Stop) -> Self {
        let timely = stop.max_seconds.is_none_or(|most| semantic.seconds() <= most);
        Self { ended: timely && semantic.len() < protocol.max_semantic_steps }
    }
}

/// What is wrong with an utterance, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    Silent,
    TooFast,
    RanOut,
    TooSlow,
    GarbledTail,
    Clipped,
}

impl Fault {
    /// How bad it is, to choose the best of several tries by the least sum: what [`trim_tail`] mends is the least.
    pub fn weight(self) -> u32 {
        match self {
            Fault::Silent => 100,
            Fault::TooFast => 20,
            Fault::RanOut | Fault::TooSlow => 10,
            Fault::Clipped => 5,
            Fault::GarbledTail => 3,
        }
    }
}

/// One fault that was heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub fault: Fault,
    /// In a few words, with the number that told.
    pub message: String,
    /// Where, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Range<f64>>,
}

/// The faults of `pcm`, which was to say `text`; none: keep it. The worst first. Without a text its pace is not judged.
pub fn listen(pcm: &Pcm, text: Option<&str>, facts: Facts) -> Result<Vec<Finding>> {
    let loudness = loudness(pcm)?;
    if loudness.is_none_or(|loudness| loudness < SILENT) {
        return Ok(vec![finding(Fault::Silent, "nothing is heard".into(), None)]);
    }
    let heard = Heard::new(pcm)?;
    let ran_out = (!facts.ended).then(|| finding(Fault::RanOut, "it was stopped before it ended".into(), None));
    let pace = text.and_then(|text| pace(&heard, text));
    let found = [ran_out, pace, tail(&heard), clipped(pcm)];
    let mut findings: Vec<_> = found.into_iter().flatten().collect();
    findings.sort_by_key(|finding| finding.fault);
    Ok(findings)
}

/// `pcm` up to a fifth of a second after its speech, faded out. Where there is no speech, or nothing to cut, all of it.
pub fn trim_tail(pcm: &Pcm) -> Result<Pcm> {
    let heard = Heard::new(pcm)?;
    let Some(end) = heard.end() else { return Ok(pcm.clone()) };
    let sample = |seconds: f64| (seconds * f64::from(pcm.rate)).round() as usize;
    let kept = sample(end + KEPT);
    if kept >= pcm.samples.len() {
        return Ok(pcm.clone());
    }
    let fade = sample(FADE).clamp(1, kept.max(1)).min(kept);
    let mut samples = pcm.samples[..kept].to_vec();
    for (i, x) in samples[kept - fade..].iter_mut().enumerate() {
        *x *= 0.5 + 0.5 * (std::f32::consts::PI * (i + 1) as f32 / fade as f32).cos();
    }
    Ok(Pcm { samples, rate: pcm.rate })
}

fn finding(fault: Fault, message: String, at: Option<Range<f64>>) -> Finding {
    Finding { fault, message, at }
}

/// An utterance with its speech found.
struct Heard {
    seconds: f64,
    frames: Frames,
    /// Spectral flatness of each frame, 0 to 1.
    flatness: Vec<f64>,
    speech: Vec<Range<f64>>,
    /// Level of the speech, dB: the median of its frames, which a burst does not move.
    level: f64,
}

impl Heard {
    fn new(pcm: &Pcm) -> Result<Self> {
        let frames = Frames::of(pcm)?;
        let speech = frames.speech();
        let inside = |frame: usize| speech.iter().any(|s| s.contains(&((frame as f64 + 0.5) * FRAME_SECONDS)));
        let levels = frames.decibels.iter().enumerate().filter(|(frame, _)| inside(*frame));
        let level = percentile(&mut levels.map(|(_, &level)| f64::from(level)).collect::<Vec<_>>(), 0.5);
        let level = level.unwrap_or(spectra::SILENCE);
        Ok(Self { seconds: pcm.seconds(), flatness: flatness(pcm)?, speech, level, frames })
    }

    fn speech_seconds(&self) -> f64 {
        self.speech.iter().map(|span| span.end - span.start).sum()
    }

    fn audible(&self, frame: usize) -> bool {
        self.frames.decibels.get(frame).is_some_and(|&level| f64::from(level) >= self.level - AUDIBLE)
    }

    /// Where noise begins that lasts to the end of all sound.
    fn noise(&self) -> Option<f64> {
        let last = (0..self.frames.decibels.len()).rev().find(|&frame| self.audible(frame))?;
        let noise_like = |frame: &usize| self.flatness.get(*frame).is_none_or(|&flat| flat >= NOISE_LIKE);
        let length = (0..=last).rev().take_while(noise_like).count();
        let seconds = length as f64 * FRAME_SECONDS;
        (seconds > TAIL).then_some((last + 1) as f64 * FRAME_SECONDS - seconds)
    }

    /// Where the speech ends, seconds: with its last stretch, or before, where noise takes over. None where all is noise.
    fn end(&self) -> Option<f64> {
        let (first, last) = (self.speech.first()?.start, self.speech.last()?.end);
        let end = self.noise().map_or(last, |noise| noise.min(last));
        (end > first).then_some(end)
    }
}

/// Geometric over arithmetic mean of the power in each frame's band.
fn flatness(pcm: &Pcm) -> Result<Vec<f64>> {
    let rate = f64::from(pcm.rate);
    let hop = (FRAME_SECONDS * rate).round().max(1.0) as usize;
    let length = 2 * hop;
    let bin = |hz: f64| ((hz * length as f64 / rate) as usize).clamp(1, length / 2);
    let band = bin(BAND.start)..bin(BAND.end.min(0.45 * rate)) + 1;
    let mut flatness = Vec::new();
    Spectra::new(length, hop).each(&pcm.samples, |_, power| {
        let power = power[band.clone()].iter().map(|&p| f64::from(p) + 1e-15);
        let count = power.len() as f64;
        let (logs, sum) = power.fold((0.0, 0.0), |(logs, sum), p| (logs + p.ln(), sum + p));
        flatness.push((logs / count).exp() / (sum / count));
    })?;
    Ok(flatness)
}

/// Letters, as far as the time matters that they take; what stands in brackets is a sound, not a word.
fn letters(text: &str) -> f64 {
    let mut depth = 0u32;
    let mut sum = 0.0;
    for c in text.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' if depth == 0 => {
                sum += SYLLABLE_LETTERS
            }
            c if depth == 0 && c.is_alphanumeric() => sum += 1.0,
            _ => {}
        }
    }
    sum
}

fn pace(heard: &Heard, text: &str) -> Option<Finding> {
    let (letters, seconds) = (letters(text), heard.speech_seconds());
    let message = |word: &str| format!("{seconds:.1} s of speech for {letters:.0} letters: too {word}");
    if letters >= FEW_LETTERS && seconds < letters / FASTEST {
        return Some(finding(Fault::TooFast, message("fast, words are missing"), None));
    }
    (seconds > letters / SLOWEST + GRACE)
        .then(|| finding(Fault::TooSlow, message("slow, it says something else"), None))
}

fn tail(heard: &Heard) -> Option<Finding> {
    let speech = heard.speech.last()?;
    let after =
        ((speech.end / FRAME_SECONDS) as usize..heard.frames.decibels.len()).filter(|&f| heard.audible(f)).count();
    let garbled = |message: String, start: f64| Some(finding(Fault::GarbledTail, message, Some(start..heard.seconds)));
    let sound = after as f64 * FRAME_SECONDS;
    if sound > TAIL {
        return garbled(format!("{sound:.1} s of sound after the speech"), speech.end);
    }
    if let Some(noise) = heard.noise() {
        return garbled(format!("noise in the last {:.1} s", heard.seconds - noise), noise);
    }
    let last = heard.seconds - BURST_SECONDS;
    let burst = mean_level(heard, last..heard.seconds) - mean_level(heard, 0.0..last);
    if last > BURST_SECONDS && burst > BURST {
        garbled(format!("the last second is {burst:.0} dB louder"), last)
    } else {
        None
    }
}

/// Mean power of the audible frames, dB.
fn mean_level(heard: &Heard, span: Range<f64>) -> f64 {
    let frames = (span.start / FRAME_SECONDS) as usize..(span.end / FRAME_SECONDS) as usize;
    let levels: Vec<_> = frames.filter(|&f| heard.audible(f)).map(|f| f64::from(heard.frames.decibels[f])).collect();
    decibels(levels.iter().map(|&level| spectra::power(level)).sum::<f64>() / levels.len().max(1) as f64)
}

fn clipped(pcm: &Pcm) -> Option<Finding> {
    let beyond = pcm.samples.iter().filter(|x| x.abs() > 1.0).count() as f64 / pcm.samples.len().max(1) as f64;
    let flat = clipping(pcm).tops as f64 / pcm.seconds();
    if beyond > CLIPPED {
        return Some(finding(Fault::Clipped, format!("{:.1} % of it is beyond full scale", 100.0 * beyond), None));
    }
    (flat > FLAT_TOPS).then(|| finding(Fault::Clipped, format!("{flat:.0} peaks a second are cut off"), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_what_is_spoken() {
        assert_eq!(letters("Olá, mundo!"), 8.0);
        assert_eq!(letters("Ha [laughs loudly] ha."), 4.0);
        assert_eq!(letters("こんにちは"), 12.5);
        assert_eq!(letters("]♪ [la"), 0.0);
    }

    #[test]
    fn a_limit_that_was_reached_is_no_end() -> Result<()> {
        let protocol = Protocol::default();
        let semantic = |len| Semantic::new(vec![0; len], 1);
        let free = Stop { min_eos_p: None, max_seconds: None };
        let brief = Stop { max_seconds: Some(2.0), ..free };
        assert!(Facts::of(&semantic(767)?, &protocol, &free).ended);
        assert!(!Facts::of(&semantic(768)?, &protocol, &free).ended);
        assert!(Facts::of(&semantic(99)?, &protocol, &brief).ended);
        assert!(!Facts::of(&semantic(100)?, &protocol, &brief).ended);
        Ok(())
    }
}
