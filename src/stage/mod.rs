//! Tokens in, tokens out: Bark's protocol, random numbers and stopping rules; no files and no audio.

pub mod coarse;
pub mod decode;
pub mod fine;
pub mod sample;
pub mod semantic;
pub mod text;
