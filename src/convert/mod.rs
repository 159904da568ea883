//! A recording to the same words in another voice: its semantic tokens, which HuBERT and the quantizer hear, go through Bark's
//! coarse and fine stages as if Bark had thought of them, after the voice.
//!
//! All of it takes recordings of any length: coarse windows and fine passes slide as upstream's do, so that one long sequence
//! of tokens has no seams; the ends of the pipe, [`Listener`] and [`Decoder`], work in parts.

mod decoder;
mod listen;

pub use decoder::Decoder;
pub use listen::{Hearing, Listener, MARGIN, WINDOW};

use crate::progress::Progress;
use crate::speak::{Content, Request, Settings, Speaker};
use crate::tokens::{Fine, Semantic};
use crate::voice::Voice;
use anyhow::Result;
use std::sync::Arc;

/// The codes of `semantic` said by `voice`, exactly those that upstream's `generate_coarse` and `generate_fine` draw.
pub fn codes(
    speaker: &mut Speaker,
    semantic: Semantic,
    voice: &Arc<Voice>,
    settings: Settings,
    progress: &dyn Progress,
) -> Result<Fine> {
    let content = Content::Semantic(semantic);
    let request = Request { content, voice: Some(voice.clone()), settings, sound: false };
    Ok(speaker.speak(&request, progress)?.fine)
}
