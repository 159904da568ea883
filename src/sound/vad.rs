//! Where speech is: the level of a recording, and how likely it is speech, in each 16 ms.
//!
//! The detector is earshot's small network, which comes with the crate. What is made of its scores follows
//! `get_speech_timestamps` of snakers4/silero-vad: speech starts where the score reaches 0.5 and lasts until it falls below
//! 0.35 for 100 ms; what is shorter than 250 ms is none. As the score falls slowly (some 150 ms after the last sound), what is
//! more than 30 dB under the loud parts is taken off: the range of speech's levels (ANSI S3.5, "Speech Intelligibility
//! Index"). The detector knows hiss and most tones from speech; a loud tone at 440 Hz it takes for speech.

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
/// Range of the levels of speech, dB.
const DYNAMICS: f32 = 30.0;

/// What is heard in each 16 ms of a recording, `[F]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frames {
    /// Of speech, 0 to 1.
    pub probabilities: Vec<f32>,
    /// RMS level, dB re full scale: a full-scale sine is at -3, digital silence at [`SILENCE`].
    pub decibels: Vec<f32>,
    /// Highest sample, 1 being full scale.
    pub peaks: Vec<f32>,
}

/// Hears a recording of any length, a block at a time.
pub struct Listener {
    detector: Box<Detector>,
    frames: Frames,
    /// What is not yet heard: less than a stretch of [`STRETCH`] seconds.
    pending: Pcm,
}

/// The stretches of `pcm` that are speech, seconds: in order, apart from each other.
pub fn speech(pcm: &Pcm) -> Result<Vec<Range<f64>>> {
    Ok(Frames::of(pcm)?.speech())
}

impl Listener {
    /// For samples at `rate` Hz.
    pub fn new(rate: u32) -> Self {
        let pending = Pcm { samples: Vec::new(), rate };
        Self { detector: Detector::default_boxed(), frames: Frames::default(), pending }
    }

    /// Takes the samples that follow.
    pub fn hear(&mut self, samples: &[f32]) -> Result<()> {
        let stretch = STRETCH * self.pending.rate as usize;
        for part in samples.chunks(stretch.max(1)) {
            self.pending.samples.extend_from_slice(part);
            if self.pending.samples.len() >= stretch {
                let rest = self.pending.samples.split_off(stretch);
                self.listen()?;
                self.pending.samples = rest;
            }
        }
        Ok(())
    }

    /// What was heard; the last frame is filled up with silence.
    pub fn finish(mut self) -> Result<Frames> {
        self.listen()?;
        Ok(self.frames)
    }

    fn listen(&mut self) -> Result<()> {
        let pcm = resample(&self.pending, RATE, Recipe::Functional)?;
        for chunk in pcm.samples.chunks(FRAME) {
            let mut frame = [0.0; FRAME];
            frame[..chunk.len()].copy_from_slice(chunk);
            self.frames.decibels.push(level(chunk));
            self.frames.peaks.push(chunk.iter().fold(0.0, |peak, sample| peak.max(sample.abs())));
            // The detector wants no more than full scale, which resampling may overshoot.
            self.frames.probabilities.push(self.detector.predict_f32(&frame.map(|x| x.clamp(-1.0, 1.0))));
        }
        Ok(())
    }
}

impl Frames {
    /// `pcm` at any rate; the last frame is filled up with silence.
    pub fn of(pcm: &Pcm) -> Result<Self> {
        let mut listener = Listener::new(pcm.rate);
        listener.hear(&pcm.samples)?;
        listener.finish()
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

    /// Level of what is no speech, dB: its median, so that breaths and clicks do not count.
    pub fn noise_floor(&self) -> Option<f64> {
        let mut spoken = vec![false; self.decibels.len()];
        self.spoken().into_iter().for_each(|frames| spoken[frames].fill(true));
        let levels = self.decibels.iter().zip(spoken).filter(|(_, spoken)| !spoken);
        let mut levels: Vec<f32> = levels.map(|(&level, _)| level).collect();
        levels.sort_unstable_by(f32::total_cmp);
        levels.get(levels.len() / 2).map(|&level| f64::from(level))
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
        let least = sorted[sorted.len() * 9 / 10] - DYNAMICS;
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

/// RMS of `samples`, dB re full scale.
fn level(samples: &[f32]) -> f32 {
    let power = samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len().max(1) as f64;
    (10.0 * power.log10()).max(f64::from(SILENCE)) as f32
}

/// Mean power of these levels, dB.
pub(super) fn mean_power(decibels: impl Iterator<Item = f32>) -> Option<f64> {
    let (sum, count) =
        decibels.fold((0.0, 0), |(sum, count), level| (sum + 10f64.powf(f64::from(level) / 10.0), count + 1));
    (count > 0).then(|| 10.0 * (sum / f64::from(count)).log10())
}

#[cfg(test)]
mod tests;
