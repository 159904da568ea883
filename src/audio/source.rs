//! What a recording is read from, whatever its format: blocks of interleaved samples, one after another.

use super::MAX_LEVEL;
use anyhow::{Result, ensure};

/// An opened file whose samples come in order.
pub(super) trait Source {
    /// Sample rate, Hz.
    fn rate(&self) -> u32;

    /// Channels of the first block.
    fn channels(&self) -> u16;

    /// Duration as far as the file tells it, seconds.
    fn seconds(&self) -> Option<f64>;

    /// How many frames there are, where that is certain and [`Source::seek`] is free.
    fn frames(&self) -> Option<u64> {
        None
    }

    /// Goes to this frame, if that costs less than decoding what comes before; returns the frame that comes next.
    fn seek(&mut self, _frame: u64) -> Result<u64> {
        Ok(0)
    }

    /// Puts the next samples into `interleaved`; returns how many channels they have, 0 at the end.
    fn block(&mut self, interleaved: &mut Vec<f32>) -> Result<usize>;

    /// How many audio tracks the file has.
    fn tracks(&self) -> usize {
        1
    }

    /// What was assumed where the file contradicts itself, so far.
    fn notes(&self) -> &[String];
}

/// How the channels of a frame become one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mix {
    Average,
    /// The first channel alone: the second is the first, inverted.
    First,
}

impl Mix {
    /// Adds the frames of `interleaved` to `mono`; `first` is the number of the first of them.
    pub fn add(self, interleaved: &[f32], channels: usize, first: u64, mono: &mut Vec<f32>) -> Result<()> {
        for (frame, samples) in (first..).zip(interleaved.chunks_exact(channels)) {
            let mut sum = 0.0;
            for &sample in samples {
                sum += sound(sample, frame)?;
            }
            mono.push(match self {
                Mix::First if channels == 2 => samples[0],
                _ => sum / channels as f32,
            });
        }
        Ok(())
    }
}

/// The sample, if it can be one.
fn sound(sample: f32, frame: u64) -> Result<f32> {
    ensure!(sample.is_finite(), "sample {frame} is not a number: damaged");
    ensure!(sample.abs() <= MAX_LEVEL, "sample {frame} is {sample}; float samples must lie in [-1, 1]");
    Ok(sample)
}

/// Seconds of sound, and at most of anything, by which two channels are known to be inverted against each other.
const SOUND_HEARD: f64 = 5.0;
const HEARD: f64 = 60.0;
/// Mean square under which a block is silence: -60 dB re full scale.
const SILENCE: f64 = 1e-6;
/// Where the mean of two channels has less than this share of their power (-10 dB), it is not what was recorded.
const CANCELLED: f64 = 0.1;

/// How the channels of `source` are to be mixed: its beginning is listened to. Sound over a balanced cable into a stereo input is
/// inverted on one side, and the mean of both sides is silence.
pub(super) fn mix_of(mut source: Box<dyn Source>) -> Result<Mix> {
    if source.channels() != 2 {
        return Ok(Mix::Average);
    }
    let rate = f64::from(source.rate());
    let (mut block, mut single, mut mean) = (Vec::new(), 0.0, 0.0);
    let (mut heard, mut sounding) = (0.0, 0.0);
    while heard < HEARD && sounding < SOUND_HEARD {
        if source.block(&mut block)? != 2 {
            break;
        }
        let (mut alone, mut mixed) = (0.0, 0.0);
        for pair in block.chunks_exact(2) {
            let (left, right) = (f64::from(pair[0]), f64::from(pair[1]));
            alone += (left * left + right * right) / 2.0;
            mixed += ((left + right) / 2.0).powi(2);
        }
        let frames = (block.len() / 2) as f64;
        heard += frames / rate;
        if alone > SILENCE * frames {
            sounding += frames / rate;
            single += alone;
            mean += mixed;
        }
    }
    Ok(if sounding > 0.0 && mean < CANCELLED * single { Mix::First } else { Mix::Average })
}
