//! What is measured of sounds, and judged by it.

pub mod reference;
mod utterance;
