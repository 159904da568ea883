//! Tokens in, tokens out: Bark's protocol, random numbers and stopping rules; no files and no audio.

pub mod coarse;
pub mod decode;
pub mod fine;
pub mod protocol;
pub mod sample;
pub mod semantic;
pub mod text;

/// Bark's three stages, a GPT each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Text to semantic tokens.
    Semantic,
    /// Semantic tokens to the first two codebooks.
    Coarse,
    /// The first two codebooks to all eight.
    Fine,
}

impl Stage {
    pub const ALL: [Stage; 3] = [Stage::Semantic, Stage::Coarse, Stage::Fine];
}
