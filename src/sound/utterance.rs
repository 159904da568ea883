//! Listening to what was spoken: whether an utterance is worth keeping, and where its speech ends.
//!
//! Bark draws at random, and now and then it says nothing, rushes, rambles on until its limit, or ends in babble and
//! noise. The criteria, by the numbers of [`super::thresholds`]:
//!
//! - silent: no loudness, or next to none;
//! - clipped: peaks are cut off flat, as what goes beyond full scale is in a file;
//! - too fast, too slow: more or fewer letters a second of speech than people say;
//! - ran out: the semantic stage was stopped by a limit and did not end by itself;
//! - garbled tail: sound after the last speech, or noise-like sound or a burst at the end of it.

use super::clipping::clipping;
use super::finding::{Finding, Level, What};
use super::level::{SILENCE, loudness, mean_power};
use super::spectra::{Spectra, percentile};
use super::thresholds::*;
use super::vad::{FRAME_SECONDS, Frames};
use crate::audio::Pcm;
use anyhow::Result;
use std::ops::Range;

/// Letters that an ideograph, a kana or a Hangul syllable stands for: each is about a syllable.
const SYLLABLE_LETTERS: f64 = 2.5;
/// The band in which flatness is judged, Hz: where both voices and noise are.
const BAND: Range<f64> = 200.0..8000.0;
/// What is kept after the speech, and over how much of it the sound fades, seconds.
const KEPT: f64 = 0.2;
const FADE: f64 = 0.1;

/// How bad these findings of an utterance are together, to choose the best of several: what [`trim_tail`] mends is the
/// least.
pub fn badness(findings: &[Finding]) -> u32 {
    findings.iter().map(|finding| weight(finding.what)).sum()
}

/// How bad one of them is.
pub fn weight(what: What) -> u32 {
    match what {
        What::Silent => 100,
        What::TooFast => 20,
        What::RanOut | What::TooSlow => 10,
        What::GarbledTail => 3,
        _ => 5,
    }
}

/// Whether nothing is heard.
pub fn is_silent(pcm: &Pcm) -> Result<bool> {
    Ok(loudness(pcm)?.is_none_or(|loudness| loudness < SILENT))
}

/// What is wrong with `pcm`, which was to say `text`; nothing: keep it. The worst comes first. Without a text its pace
/// is not judged. `ended`: the semantic stage ended by itself and not by a limit.
pub fn listen(pcm: &Pcm, text: Option<&str>, ended: bool) -> Result<Vec<Finding>> {
    if is_silent(pcm)? {
        return Ok(vec![found(What::Silent, "nothing is heard")]);
    }
    let heard = Heard::new(pcm)?;
    let ran_out = (!ended).then(|| found(What::RanOut, "it was stopped before it ended"));
    let pace = text.and_then(|text| pace(&heard, text));
    let findings = [ran_out, pace, tail(&heard), clipped(pcm, &heard)];
    let mut findings: Vec<_> = findings.into_iter().flatten().collect();
    findings.sort_by_key(|finding| finding.what);
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

/// A finding, with what can be done about it.
fn found(what: What, message: impl Into<String>) -> Finding {
    let (level, advice) = match what {
        What::Silent => (Level::Bad, "take another seed"),
        What::GarbledTail => (Level::Warning, "cut it off with --trim-tail, or take another seed"),
        What::RanOut => (Level::Warning, "take another seed, or a shorter text"),
        _ => (Level::Warning, "take another seed"),
    };
    Finding::new(what, level, message, advice)
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
        let level = level.unwrap_or(SILENCE);
        Ok(Self { seconds: pcm.seconds(), flatness: flatness(pcm)?, speech, level, frames })
    }

    fn speech_seconds(&self) -> f64 {
        // Rust's sum of nothing is -0.
        0.0 + self.speech.iter().map(|span| span.end - span.start).sum::<f64>()
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

    /// Where the speech ends, seconds: with its last stretch, or before, where noise takes over. None where all is
    /// noise.
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
        return Some(found(What::TooFast, message("fast, words are missing")));
    }
    (seconds > letters / SLOWEST + GRACE).then(|| found(What::TooSlow, message("slow, it says something else")))
}

fn tail(heard: &Heard) -> Option<Finding> {
    let speech = heard.speech.last()?;
    let after =
        ((speech.end / FRAME_SECONDS) as usize..heard.frames.decibels.len()).filter(|&f| heard.audible(f)).count();
    let garbled = |message: String, start: f64| Some(found(What::GarbledTail, message).at([start..heard.seconds]));
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
    let levels = frames.filter(|&frame| heard.audible(frame)).map(|frame| heard.frames.decibels[frame]);
    mean_power(levels).unwrap_or(SILENCE)
}

/// Judged as a file holds it: cut off at full scale.
fn clipped(pcm: &Pcm, heard: &Heard) -> Option<Finding> {
    let samples = pcm.samples.iter().map(|sample| sample.clamp(-1.0, 1.0)).collect();
    let clipping = clipping(&Pcm { samples, rate: pcm.rate });
    let rate = clipping.tops as f64 / heard.speech_seconds().max(LEAST_SPEECH);
    let message = || format!("{rate:.0} peaks a second of speech are cut off");
    (rate >= CLIPPED).then(|| found(What::Clipping, message()).at(clipping.at))
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
}
