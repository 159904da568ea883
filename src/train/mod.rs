//! Quantizers of one's own: pairs of speech and the semantic tokens that it was made from, the training on them, and how
//! well a quantizer does.
//!
//! The net and its way back are `net::quantizer`'s; here is what it is given ([`pairs`], [`Clips`]), in which order
//! ([`train`]), and what is told of it ([`Score`], [`page`]).

mod augment;
mod clips;
pub mod page;
pub mod pairs;
mod score;
mod state;
mod trainer;

pub use augment::{Augment, Change};
pub use clips::{Align, Cache, Clip, Clips, MARK};
pub use score::{ClipScore, Score, Spread, evaluate};
pub use trainer::{Epoch, Settings, Watch, forget, hold, random, train};
