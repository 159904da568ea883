//! Sound in and out: WAV files of any kind -> mono samples, resampled as torchaudio does; samples -> WAV.

mod join;
mod parts;
mod read;
mod resample;
mod riff;
mod write;

pub use join::{WavJoiner, join_wav};
pub use parts::Parts;
pub use read::{Clip, MAX_RATE, MIN_RATE, read_wav};
pub use resample::{Recipe, Stream, resample};
pub use riff::read_info;
pub use write::{Encoding, Info, WavStream, write_wav};

/// Mono sound: `samples` `[L]` f32, nominally in [-1, 1], at `rate` Hz.
#[derive(Clone, Debug, PartialEq)]
pub struct Pcm {
    pub samples: Vec<f32>,
    pub rate: u32,
}

impl Pcm {
    /// Duration, seconds.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate)
    }
}
