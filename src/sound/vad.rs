//! Where speech is: the level of a recording, and how likely it is speech, in each 16 ms.
//!
//! The detector is earshot's small network, which comes with the crate. What is made of its scores follows
//! `get_speech_timestamps` of snakers4/silero-vad: speech starts where the score reaches 0.5 and lasts until it falls
//! below 0.35 for 100 ms; what is shorter than 250 ms is none. As the score falls slowly (some 150 ms after the last
//! sound), what is more than 30 dB under the loud parts is taken off: the range of speech's levels (ANSI S3.5, "Speech
//! Intelligibility Index"). The detector knows hiss and most tones from speech; a loud tone at 440 Hz it takes for
//! speech.

use super::clipping::ClippedFrames;
use super::level::{self, mean_power};
use super::spectra::percentile;
use super::thresholds::AUDIBLE;
use crate::audio::{Pcm, Recipe, resample};
use anyhow::Result;
use earshot::Detector;
use std::ops::Range;

/// Rate that the detector hears, Hz.
const RATE: u32 = 16_000;
/// Samples of one frame at that rate.
const FRAME: usize = 256;
/// Duration of one frame.
pub const FRAME_SECONDS: f64 = FRAME as f64 / RATE as f64;
/// Seconds that are resampled at once: a whole number of frames at every rate.
const STRETCH: usize = 10;

/// Scores at which speech starts, and under which it ends.
const START: f32 = 0.5;
const END: f32 = 0.35;
/// Shortest pause, shortest speech, and longest silence within a word (of a long stop), in frames: 100, 250 and 150 ms.
const SHORTEST_PAUSE: usize = (0.1 / FRAME_SECONDS) as usize;
const SHORTEST_SPEECH: usize = (0.25 / FRAME_SECONDS) as usize;
const LONGEST_CLOSURE: usize = (0.15 / FRAME_SECONDS) as usize;
/// Frames by which the detector, which looks back over three, is late.
const LATE: usize = 2;
/// Frames beside speech that are neither speech nor pause: what fades in and out.
const GUARD: usize = 4;
/// Fewest frames from which a pause's level is taken: about 0.2 s.
const ENOUGH: usize = 12;

/// What is heard in each 16 ms of a recording, `[F]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frames {
    /// Of speech, 0 to 1.
    pub probabilities: Vec<f32>,
    /// RMS level, dB re full scale: a full-scale sine is at -3, digital silence at [`level::SILENCE`].
    pub decibels: Vec<f32>,
    /// Whether it holds a peak that was cut off.
    pub clipped: Vec<bool>,
}

/// Finds the speech of a recording of any length, a block at a time.
pub struct SpeechDetector {
    detector: Box<Detector>,
    frames: Frames,
    clipped: ClippedFrames,
    /// What is not yet heard: less than a stretch of [`STRETCH`] seconds.
    pending: Pcm,
}

/// The stretches of `pcm` that are speech, seconds: in order, apart from each other.
pub fn speech(pcm: &Pcm) -> Result<Vec<Range<f64>>> {
    Ok(Frames::of(pcm)?.speech())
}

impl SpeechDetector {
    /// For samples at `rate` Hz.
    pub fn new(rate: u32) -> Self {
        let pending = Pcm { samples: Vec::new(), rate };
        let (frames, clipped) = (Frames::default(), ClippedFrames::default());
        Self { detector: Detector::default_boxed(), frames, clipped, pending }
    }

    /// Takes the samples that follow.
    pub fn hear(&mut self, samples: &[f32]) -> Result<()> {
        let stretch = STRETCH * self.pending.rate as usize;
        for part in samples.chunks(stretch.max(1)) {
            self.pending.samples.extend_from_slice(part);
            if self.pending.samples.len() >= stretch {
                let rest = self.pending.samples.split_off(stretch);
                self.detect()?;
                self.pending.samples = rest;
            }
        }
        Ok(())
    }

    /// What was heard; the last frame is filled up with silence.
    pub fn finish(mut self) -> Result<Frames> {
        self.detect()?;
        let clipped = self.clipped.finish(self.frames.decibels.len());
        Ok(Frames { clipped, ..self.frames })
    }

    fn detect(&mut self) -> Result<()> {
        self.clipped.hear(&self.pending.samples, self.pending.rate, self.frames.decibels.len());
        let pcm = resample(&self.pending, RATE, Recipe::Functional)?;
        for chunk in pcm.samples.chunks(FRAME) {
            let mut frame = [0.0; FRAME];
            frame[..chunk.len()].copy_from_slice(chunk);
            self.frames.decibels.push(level::rms(chunk) as f32);
            // The detector wants no more than full scale, which resampling may overshoot.
            self.frames.probabilities.push(self.detector.predict_f32(&frame.map(|x| x.clamp(-1.0, 1.0))));
        }
        Ok(())
    }
}

impl Frames {
    /// `pcm` at any rate; the last frame is filled up with silence.
    pub fn of(pcm: &Pcm) -> Result<Self> {
        let mut detector = SpeechDetector::new(pcm.rate);
        detector.hear(&pcm.samples)?;
        detector.finish()
    }

    /// Seconds that are speech, in order, apart from each other.
    pub fn speech(&self) -> Vec<Range<f64>> {
        let seconds = |frames: Range<usize>| frames.start as f64 * FRAME_SECONDS..frames.end as f64 * FRAME_SECONDS;
        self.spoken().into_iter().map(seconds).collect()
    }

    /// Level of what is speech, dB: its mean power.
    pub fn speech_level(&self) -> Option<f64> {
        mean_power(self.spoken().into_iter().flatten().map(|frame| self.decibels[frame]))
    }

    /// For each frame, whether it is well inside a pause.
    pub(super) fn pauses(&self) -> Vec<bool> {
        let mut pauses = vec![true; self.decibels.len()];
        for run in self.spoken() {
            pauses[run.start.saturating_sub(GUARD)..(run.end + GUARD).min(self.decibels.len())].fill(false);
        }
        pauses
    }

    /// Level of what lies under the speech of these frames, dB: the median of their `pauses`, so that a breath or a
    /// click does not count; without enough of them, what the quietest twentieth of all frames keeps under.
    pub(super) fn floor(&self, within: Range<usize>, pauses: &[bool]) -> Option<f64> {
        let levels = self.decibels[within.clone()].iter().map(|&level| f64::from(level));
        let quiet = levels.clone().zip(&pauses[within]).filter(|(_, pause)| **pause);
        let mut quiet: Vec<f64> = quiet.map(|(level, _)| level).collect();
        match quiet.len() >= ENOUGH {
            true => percentile(&mut quiet, 0.5),
            false => percentile(&mut levels.collect::<Vec<_>>(), 0.05),
        }
    }

    /// Runs of frames that are speech.
    pub(super) fn spoken(&self) -> Vec<Range<usize>> {
        self.voiced().into_iter().flat_map(|run| self.loud(run)).collect()
    }

    /// Runs of frames in which the detector hears speech.
    fn voiced(&self) -> Vec<Range<usize>> {
        let mut speaking = false;
        let voiced = self.probabilities.iter().map(|&score| {
            speaking = score >= if speaking { END } else { START };
            speaking
        });
        let mut runs = runs(voiced, SHORTEST_PAUSE);
        runs.retain(|run| run.len() >= SHORTEST_SPEECH);
        runs.iter_mut().for_each(|run| run.start = run.start.saturating_sub(LATE));
        runs
    }

    /// The parts of a run that are loud enough to be speech: the detector takes long to notice that it is over.
    fn loud(&self, run: Range<usize>) -> Vec<Range<usize>> {
        let levels = &self.decibels[run.clone()];
        let mut sorted = levels.to_vec();
        sorted.sort_unstable_by(f32::total_cmp);
        let least = sorted[sorted.len() * 9 / 10] - AUDIBLE as f32;
        let parts = runs(levels.iter().map(|&level| level >= least), LONGEST_CLOSURE);
        parts.into_iter().map(|part| run.start + part.start..run.start + part.end).collect()
    }
}

/// Runs of `true`, where fewer than `gap` others do not count.
fn runs(frames: impl Iterator<Item = bool>, gap: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (frame, _) in frames.enumerate().filter(|&(_, inside)| inside) {
        match runs.last_mut() {
            Some(run) if frame - run.end < gap => run.end = frame + 1,
            _ => runs.push(frame..frame + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests;
