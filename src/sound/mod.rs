//! What a sound is like, in numbers, and what these say of it.
//!
//! One set of measures (spectra, level, clipping, speech, noise, hum, pitch, ...) stands under three users:
//!
//! - [`check`] judges a recording that is to become a voice ([`reference`]);
//! - [`prepare`] takes the seconds of a recording that make the best voice, and makes them ready;
//! - [`listen`] judges an utterance that was made ([`utterance`]).
//!
//! All their thresholds are in [`thresholds`].

mod analysis;
mod band;
mod clipping;
mod denoise;
mod edges;
mod finding;
mod hum;
mod level;
mod measures;
mod music;
pub mod normalize;
pub mod page;
mod pitch;
pub mod prepare;
pub mod reference;
mod speakers;
mod spectra;
pub mod stretch;
pub mod thresholds;
mod tracks;
pub mod utterance;
pub mod vad;

pub use clipping::{Clipping, clipping};
pub use denoise::denoise;
pub use edges::Edges;
pub use finding::{Finding, Level, RecordedFinding, What};
pub use hum::Hum;
pub use level::loudness;
pub use measures::Measures;
pub use normalize::{Loudness, to_loudness};
pub use pitch::median_pitch;
pub use prepare::{Preparation, Reference, raw};
pub use reference::{Report, Row, Stages, check};
pub use speakers::Registers;
pub use stretch::{Stretch, choose};
pub use thresholds::{LONGEST_CHECKED, LONGEST_REFERENCE};
pub use tracks::with_speech;
pub use utterance::{badness, is_silent, listen, trim_tail, weight};
pub use vad::{FRAME_SECONDS, Frames, SpeechDetector, speech};
