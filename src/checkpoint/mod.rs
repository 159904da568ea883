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
mod identify;
mod lora;
pub mod names;
mod packed;
mod quantizer;
mod shapes;
mod speaker;
mod whisper;

pub use bark::{Bark, bark};
pub use codec::codec;
pub use hubert::hubert;
pub use identify::identify;
pub use lora::{Lora, lora};
pub use packed::{pack, packed_tokenizer};
pub use quantizer::{TrainingRecord, quantizer, training_record, training_sounds, write_quantizer};
pub use speaker::{SpeakerConfig, speaker};
pub use whisper::{Generation, Recogniser, whisper};

use crate::net::codec::CodecConfig;
use crate::net::hubert::HubertConfig;
use crate::net::quantizer::{Parameters, QuantizerConfig};
use crate::net::weights::{Tensors, Weights};
use crate::output::hex;
use crate::tokens::FINE_CODEBOOKS;
use anyhow::Result;
use candle_core::{DType, Device};
use half::slice::HalfFloatSliceExt;
use names::{Name, canonical};
use sha2::{Digest, Sha256};
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

    /// Where the weights lie, for messages.
    pub fn origin(&self) -> String {
        self.tensors.origin()
    }

    /// SHA-256, in hexadecimal, of the tensors whose canonical names `take` holds: their names and their values in f16,
    /// so that the same weights have the same one whatever file and type they are stored in.
    fn sha256(&self, take: impl Fn(&str) -> bool) -> Result<String> {
        let mut sha = Sha256::new();
        for (name, stored) in self.names.iter().filter(|(name, _)| take(name)) {
            let Some(array) = self.tensors.array(stored)? else { continue };
            let values = array.tensor(DType::F16, &Device::Cpu)?.flatten_all()?.to_vec1::<half::f16>()?;
            sha.update(name);
            values
                .chunks(1 << 16)
                .for_each(|part| sha.update(bytemuck::cast_slice::<u16, u8>(part.reinterpret_cast())));
        }
        Ok(hex(&sha.finalize()))
    }

    /// The weights, handed out as `dtype` on `device`. Each call keeps its own account of what was used.
    pub fn weights(&self, dtype: DType, device: &Device) -> Weights {
        Weights::new(self.tensors.clone(), self.names.clone(), dtype, device)
    }
}

impl Checkpoint<QuantizerConfig> {
    /// Tells quantizers apart: the hash of all its weights.
    pub fn identity(&self) -> Result<String> {
        self.sha256(|_| true)
    }

    /// Its tensors, to be trained on.
    pub fn parameters(&self) -> Result<Parameters> {
        let weights = self.weights(DType::F32, &Device::Cpu);
        let read = |name: &str, shape: &[usize]| Ok(weights.get(shape, name)?.flatten_all()?.to_vec1()?);
        let parameters = Parameters::new(self.config.clone(), read)?;
        weights.finish()?;
        Ok(parameters)
    }
}

impl Checkpoint<HubertConfig> {
    /// Tells HuBERTs apart: the hash of all its weights.
    pub fn identity(&self) -> Result<String> {
        self.sha256(|_| true)
    }
}

impl Checkpoint<CodecConfig> {
    /// Tells codecs apart whose codes mean other sounds: the hash of the codebooks that voices use.
    pub fn identity(&self) -> Result<String> {
        let used: Vec<_> = (0..FINE_CODEBOOKS).map(|k| format!("quantizer.layers.{k}.")).collect();
        self.sha256(|name| used.iter().any(|layer| name.starts_with(layer)))
    }
}
