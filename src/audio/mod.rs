//! Sound in and out: recordings of any kind -> mono samples, resampled as torchaudio does; samples -> a sound file.

mod aac;
mod caf;
mod container;
mod ffmpeg;
mod format;
mod gsm;
mod helper;
mod input;
mod join;
mod kind;
mod opus;
mod packed;
mod quiet;
mod recording;
mod resample;
mod source;
mod timeline;
mod wav;
mod window;
mod write;

pub use format::{ENDINGS, Format, SoundWriter, encode, refuse_unwritten, unwritten, write_sound};
pub use helper::end_helpers;
pub use input::Input;
pub use join::{WavJoiner, join_wav, stored_samples};
pub use recording::{Clip, LONGEST, Recording, Sink, read, read as read_wav};
pub use resample::{Recipe, Stream, resample};
pub use write::{Encoding, Info, WavStream, write_wav};

use anyhow::{Result, ensure};

/// Lowest and highest sample rates that are read, Hz.
pub const MIN_RATE: u32 = 8_000;
pub const MAX_RATE: u32 = 192_000;
/// Float samples beyond this are no sound in [-1, 1] but integers, or damage.
const MAX_LEVEL: f32 = 64.0;

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

fn check_rate(rate: u32) -> Result<()> {
    let bounds = format!("{} to {} kHz", MIN_RATE / 1000, MAX_RATE / 1000);
    ensure!((MIN_RATE..=MAX_RATE).contains(&rate), "a sample rate of {rate} Hz; {bounds} can be used");
    Ok(())
}
