//! From a path, a file or a folder in any published layout, to what a net is built from: sizes and named weights. Which layout it
//! is follows from what lies there.

mod bark;
mod codec;
pub mod demo;
mod files;
mod hubert;
mod packed;
mod quantizer;
mod shapes;

pub use bark::{Bark, bark};
pub use codec::codec;
pub use hubert::hubert;
pub use packed::pack;
pub use quantizer::quantizer;

use crate::weights::names::{Name, canonical};
use crate::weights::{Checkpoint, Weights};
use anyhow::Result;
use candle_core::{DType, Device};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bark's three GPTs.
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

/// A net's sizes and where its weights lie; nothing is read before a net asks for it, so that a copy costs nothing.
#[derive(Clone)]
pub struct Model<C> {
    pub config: C,
    checkpoint: Arc<dyn Checkpoint>,
    /// canonical name -> stored name
    names: BTreeMap<String, String>,
}

impl<C> Model<C> {
    fn new(config: C, checkpoint: Arc<dyn Checkpoint>, rule: fn(&str) -> Name) -> Result<Self> {
        let names = canonical(checkpoint.names(), rule)?;
        Ok(Self { config, checkpoint, names })
    }

    /// The weights, handed out as `dtype` on `device`. Each call keeps its own account of what was used.
    pub fn weights(&self, dtype: DType, device: &Device) -> Weights {
        Weights::new(self.checkpoint.clone(), self.names.clone(), dtype, device)
    }
}
