//! Ears: how alike two voices are, and how good a take of an utterance is.
//!
//! - [`voice`]: whose voice a sound is, in numbers that can be compared;
//! - [`score`]: one number of all that is heard of a take.

mod mel;
pub mod score;
pub mod voice;

pub use score::{Judge, Score};
pub use voice::{VoiceEar, VoicePrint};
