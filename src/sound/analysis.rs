//! A recording as the measures take it: without offset, at no more than 48 kHz, and with its speech found.

use super::level::{SILENCE, mean, mean_power};
use super::vad::{FRAME_SECONDS, Frames};
use crate::audio::{Pcm, Recipe, resample};
use anyhow::Result;
use std::ops::Range;

/// Highest rate that is looked at, Hz: the models hear no more than 24 kHz of it.
const MAX_RATE: u32 = 48_000;

/// A recording, and what is speech in it.
pub struct Analysis {
    pub pcm: Pcm,
    /// Level and likelihood of speech of each 16 ms.
    pub frames: Frames,
    /// Seconds that are speech, in order.
    pub speech: Vec<Range<f64>>,
    pauses: Vec<bool>,
}

impl Analysis {
    pub fn new(raw: &Pcm) -> Result<Self> {
        let mean = mean(&raw.samples);
        let centred = Pcm { samples: raw.samples.iter().map(|&x| x - mean as f32).collect(), rate: raw.rate };
        let pcm = if raw.rate > MAX_RATE { resample(&centred, MAX_RATE, Recipe::Functional)? } else { centred };
        let frames = Frames::of(&pcm)?;
        let speech = frames.speech();
        let pauses = frames.pauses();
        Ok(Self { pcm, frames, speech, pauses })
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
        let within = self.speech.iter().map(|s| (s.end.min(span.end) - s.start.max(span.start)).max(0.0));
        // The sum of nothing is -0.
        within.fold(0.0, |sum, seconds| sum + seconds)
    }

    /// Level of the speech, dB re full scale: its mean power.
    pub fn speech_level(&self) -> Option<f64> {
        self.frames.speech_level()
    }

    /// Level of what lies under the speech, dB re full scale.
    pub fn floor(&self) -> Option<f64> {
        self.frames.floor(0..self.frames.decibels.len(), &self.pauses)
    }

    /// Level of the frames in `span`, dB re full scale: their mean power.
    pub fn level(&self, span: Range<f64>) -> f64 {
        let frame = |second: f64| ((second / FRAME_SECONDS).round().max(0.0) as usize).min(self.frames.decibels.len());
        let levels = &self.frames.decibels[frame(span.start)..frame(span.end).max(frame(span.start))];
        mean_power(levels.iter().copied()).unwrap_or(SILENCE)
    }
}
