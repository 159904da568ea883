//! Where speech is: the level of a recording, and how likely it is speech, in each 16 ms.
//!
//! The detector is earshot's small network, which comes with the crate. What is made of its scores follows
//! `get_speech_timestamps` of snakers4/silero-vad: speech starts where the score reaches 0.5 and lasts until it falls below
//! 0.35 for 100 ms; what is shorter than 250 ms is none.

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
/// The level that digital silence is given, dB re full scale.
pub const SILENCE: f32 = -120.0;

/// Scores at which speech starts, and under which it ends.
const START: f32 = 0.5;
const END: f32 = 0.35;
/// Shortest pause, and shortest speech, in frames: 100 and 250 ms.
const SHORTEST_PAUSE: usize = (0.1 / FRAME_SECONDS) as usize;
const SHORTEST_SPEECH: usize = (0.25 / FRAME_SECONDS) as usize;

/// What is heard in each 16 ms of a recording, `[F]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frames {
    /// Of speech, 0 to 1.
    pub probabilities: Vec<f32>,
    /// RMS level, dB re full scale: a full-scale sine is at -3, digital silence at [`SILENCE`].
    pub decibels: Vec<f32>,
}

/// The stretches of `pcm` that are speech, seconds: in order, apart from each other.
pub fn speech(pcm: &Pcm) -> Result<Vec<Range<f64>>> {
    Ok(Frames::of(pcm)?.speech())
}

impl Frames {
    /// `pcm` at any rate; the last frame is filled up with silence.
    pub fn of(pcm: &Pcm) -> Result<Self> {
        let pcm = resample(pcm, RATE, Recipe::Functional)?;
        let (mut detector, mut frames) = (Detector::default_boxed(), Self::default());
        for chunk in pcm.samples.chunks(FRAME) {
            let mut frame = [0.0; FRAME];
            frame[..chunk.len()].copy_from_slice(chunk);
            frames.decibels.push(level(chunk));
            // The detector wants no more than full scale, which resampling may overshoot.
            frames.probabilities.push(detector.predict_f32(&frame.map(|x| x.clamp(-1.0, 1.0))));
        }
        Ok(frames)
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

    /// Level of what is no speech, dB: its mean power.
    pub fn noise_floor(&self) -> Option<f64> {
        let mut spoken = vec![false; self.decibels.len()];
        self.spoken().into_iter().for_each(|frames| spoken[frames].fill(true));
        mean_power(self.decibels.iter().zip(spoken).filter(|(_, spoken)| !spoken).map(|(&level, _)| level))
    }

    /// Runs of frames that are speech.
    pub(super) fn spoken(&self) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        let mut speaking = false;
        for (frame, &score) in self.probabilities.iter().enumerate() {
            speaking = score >= if speaking { END } else { START };
            match runs.last_mut() {
                Some(run) if speaking && frame - run.end < SHORTEST_PAUSE => run.end = frame + 1,
                _ if speaking => runs.push(frame..frame + 1),
                _ => {}
            }
        }
        runs.retain(|run| run.len() >= SHORTEST_SPEECH);
        runs
    }
}

/// RMS of `samples`, dB re full scale.
fn level(samples: &[f32]) -> f32 {
    let power = samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len().max(1) as f64;
    (10.0 * power.log10()).max(f64::from(SILENCE)) as f32
}

fn mean_power(decibels: impl Iterator<Item = f32>) -> Option<f64> {
    let (sum, count) =
        decibels.fold((0.0, 0), |(sum, count), level| (sum + 10f64.powf(f64::from(level) / 10.0), count + 1));
    (count > 0).then(|| 10.0 * (sum / f64::from(count)).log10())
}
