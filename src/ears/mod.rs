//! Ears: how alike two voices are, and how good a take of an utterance is.
//!
//! - [`voice`]: whose voice a sound is, in numbers that can be compared;
//! - `agreement`: whether a sound says the semantic tokens that it was made from;
//! - [`words`]: what a sound says, and how many letters of a text that gets wrong;
//! - [`score`]: one number of all that is heard of a take.

mod agreement;
mod mel;
pub mod score;
pub mod voice;
pub mod words;

pub use score::{Asked, Judge, Parts, Score};
pub use voice::{VoiceEar, VoicePrint};
pub use words::{WordEar, Words};

#[cfg(test)]
mod tests {
    use crate::noise::rule::uniform;

    /// 2.6 s at 16 kHz of two gliding tones in noise: the sound of `tests/golden/ears.py`.
    pub fn sound() -> Vec<f32> {
        let sine = |hz: f64, glide: f64, at: f64| (std::f64::consts::TAU * (hz + glide * at) * at).sin();
        let tones = |at: f64| (0.2 * sine(150.0, 40.0, at) + 0.1 * sine(900.0, 300.0, at)) as f32;
        let noise = uniform("sound", 41_600, 1);
        noise.iter().enumerate().map(|(i, noise)| tones(i as f64 / 16e3) + 0.02 * noise).collect()
    }
}
