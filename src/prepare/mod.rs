//! What is done to a recording before the models hear it: where its speech is, which stretch of it makes a good voice,
//! how noisy that is and how loud.

mod denoise;
pub mod loudness;
pub mod reference;
pub mod speech;
pub mod stretch;

pub use denoise::denoise;
pub use reference::{Preparation, Reference, raw};
pub use speech::{FRAME_SECONDS, Frames, Listener, speech};
pub use stretch::{Stretch, choose};
