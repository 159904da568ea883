//! A recording as the measures take it: without offset, at no more than 48 kHz, and with its speech found.

use super::spectra::{decibels, percentile, power};
use super::vad::{FRAME_SECONDS, Frames};
use crate::audio::{Pcm, Recipe, resample};
use anyhow::Result;
use std::ops::Range;

/// Highest rate that is looked at, Hz: the models hear no more than 24 kHz of it.
const MAX_RATE: u32 = 48_000;
/// Frames beside speech that are neither speech nor pause: what fades in and out.
const GUARD: usize = 4;
/// Fewest frames from which a pause's level is taken: about 0.2 s.
const ENOUGH: usize = 12;

/// A recording, and what is speech in it.
pub struct Analysis {
    pub pcm: Pcm,
    /// Level and likelihood of speech of each 16 ms.
    pub frames: Frames,
    /// Seconds that are speech, in order.
    pub speech: Vec<Range<f64>>,
    /// For each frame, whether it is well inside a pause.
    pause: Vec<bool>,
}

impl Analysis {
    pub fn new(raw: &Pcm) -> Result<Self> {
        let mean = mean(&raw.samples);
        let centred = Pcm { samples: raw.samples.iter().map(|&x| x - mean as f32).collect(), rate: raw.rate };
        let pcm = if raw.rate > MAX_RATE { resample(&centred, MAX_RATE, Recipe::Functional)? } else { centred };
        let frames = Frames::of(&pcm)?;
        let speech = frames.speech();
        let pause = pauses(&speech, frames.decibels.len());
        Ok(Self { pcm, frames, speech, pause })
    }

    pub fn seconds(&self) -> f64 {
        self.pcm.seconds()
    }

    /// Seconds of speech.
    pub fn speech_seconds(&self) -> f64 {
        self.speech_within(&(0.0..f64::INFINITY))
    }

    /// Seconds of speech within `span`.
    pub fn speech_within(&self, span: &Range<f64>) -> f64 {
        self.speech.iter().map(|s| (s.end.min(span.end) - s.start.max(span.start)).max(0.0)).sum()
    }

    /// Level of the speech, dB re full scale: its mean power.
    pub fn speech_level(&self) -> Option<f64> {
        self.frames.speech_level()
    }

    /// Level of what lies under the speech, dB re full scale: the median of the pauses' frames, so that a breath or a click
    /// does not count; without enough pauses, what the quietest twentieth of all frames keeps under.
    pub fn floor(&self) -> Option<f64> {
        let levels = self.frames.decibels.iter().map(|&level| f64::from(level));
        let mut quiet: Vec<f64> =
            levels.clone().zip(&self.pause).filter(|(_, pause)| **pause).map(|(l, _)| l).collect();
        match quiet.len() >= ENOUGH {
            true => percentile(&mut quiet, 0.5),
            false => percentile(&mut levels.collect::<Vec<_>>(), 0.05),
        }
    }

    /// Level of the frames in `span`, dB re full scale: their mean power.
    pub fn level(&self, span: Range<f64>) -> f64 {
        let frame = |second: f64| ((second / FRAME_SECONDS).round().max(0.0) as usize).min(self.frames.decibels.len());
        let levels = &self.frames.decibels[frame(span.start)..frame(span.end).max(frame(span.start))];
        decibels(levels.iter().map(|&level| power(f64::from(level))).sum::<f64>() / levels.len().max(1) as f64)
    }
}

/// The mean of all samples: the offset.
pub fn mean(samples: &[f32]) -> f64 {
    samples.iter().map(|&x| f64::from(x)).sum::<f64>() / samples.len().max(1) as f64
}

fn pauses(speech: &[Range<f64>], frames: usize) -> Vec<bool> {
    let mut pause = vec![true; frames];
    for span in speech {
        let first = ((span.start / FRAME_SECONDS).round() as usize).saturating_sub(GUARD);
        let end = ((span.end / FRAME_SECONDS).round() as usize + GUARD).min(frames);
        pause[first.min(end)..end].fill(false);
    }
    pause
}
