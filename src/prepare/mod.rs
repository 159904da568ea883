//! What is done to a recording before the models hear it: where its speech is, which stretch of it makes a good voice.

pub mod speech;

pub use speech::{Frames, speech};
