//! From a path, a file or a folder in any published layout, to what a net is built from: its configuration and its
//! weights. Which layout it is follows from what lies there.
//!
//! [`file`] reads one file of named tensors, whatever its format; `names` translates what each publisher calls them;
//! the other modules know one model's layouts each.

mod bark;
pub mod builtin;
mod codec;
pub mod file;
mod folder;
mod hubert;
pub mod names;
mod packed;
mod quantizer;
mod shapes;
mod speaker;

pub use bark::{Bark, bark};
pub use codec::codec;
pub use hubert::hubert;
pub use packed::pack;
pub use quantizer::quantizer;
pub use speaker::speaker;

use crate::net::weights::{Tensors, Weights};
use anyhow::Result;
use candle_core::{DType, Device};
use names::{Name, canonical};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A net's configuration and where its weights lie; nothing is read before a net asks for it, so that a copy costs
/// nothing.
#[derive(Clone)]
pub struct Checkpoint<C> {
    pub config: C,
    tensors: Arc<dyn Tensors>,
    /// canonical name -> stored name
    names: BTreeMap<String, String>,
}

impl<C> Checkpoint<C> {
    /// `tensors`, whose names `rule` translates, under the sizes of `config`.
    ///
    /// # Errors
    /// Two stored tensors of one name.
    pub fn new(config: C, tensors: Arc<dyn Tensors>, rule: fn(&str) -> Name) -> Result<Self> {
        let names = canonical(tensors.names(), rule)?;
        Ok(Self { config, tensors, names })
    }

    /// The weights, handed out as `dtype` on `device`. Each call keeps its own account of what was used.
    pub fn weights(&self, dtype: DType, device: &Device) -> Weights {
        Weights::new(self.tensors.clone(), self.names.clone(), dtype, device)
    }
}
