//! What is measured of sounds, and judged by it.

mod reference;
mod utterance;
