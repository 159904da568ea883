//! The demo set, within the program: small models that were trained on synthetic speech (examples/demo tells how). They
//! speak offline and at once; their voices are narrow and robotic.

use super::bark::{BarkJson, hf_stage};
use super::file::{self, Opened};
use super::{Bark, Checkpoint, names};
use crate::net::codec::CodecConfig;
use crate::net::hubert::HubertConfig;
use crate::net::quantizer::QuantizerConfig;
use crate::net::weights::Bytes;
use crate::stage::Stage;
use crate::stage::text::Text;
use anyhow::{Context, Result};
use std::path::Path;

/// Kernels read weights where they lie, if they lie aligned.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

static BARK: &Aligned<[u8]> = &Aligned(*include_bytes!("../../examples/demo/model/bark/model.safetensors"));
const BARK_CONFIG: &[u8] = include_bytes!("../../examples/demo/model/bark/config.json");
const BARK_GENERATION: &[u8] = include_bytes!("../../examples/demo/model/bark/generation_config.json");
const TOKENIZER: &[u8] = include_bytes!("../../examples/demo/model/bark/tokenizer.json");
static HUBERT: &Aligned<[u8]> = &Aligned(*include_bytes!("../../examples/demo/model/hubert/model.safetensors"));
const HUBERT_CONFIG: &[u8] = include_bytes!("../../examples/demo/model/hubert/config.json");
static QUANTIZER: &Aligned<[u8]> = &Aligned(*include_bytes!("../../examples/demo/model/quantizer.pth"));

fn opened(name: &str, file: &'static Aligned<[u8]>) -> Result<Opened> {
    file::open_bytes(Path::new(name), Bytes::new(&file.0))
}

/// The built-in Bark, its codec included.
pub fn bark() -> Result<Bark> {
    let mut config: BarkJson = serde_json::from_slice(BARK_CONFIG)?;
    let mut protocol = config.completed()?;
    protocol.apply_generation(BARK_GENERATION)?;
    let tensors = opened("the built-in Bark", BARK)?.tensors()?;
    let [semantic, coarse, fine] = Stage::ALL.map(|stage| hf_stage(tensors.clone(), &config, stage));
    let codec = config.codec_config.as_ref().map(|codec| super::codec::in_bark(tensors, codec)).transpose()?;
    Bark::new(protocol, [semantic?, coarse?, fine?], codec)
}

/// The codec of the built-in Bark.
pub fn codec() -> Result<Checkpoint<CodecConfig>> {
    bark()?.codec()?.context("the built-in Bark has no codec")
}

/// The built-in HuBERT.
pub fn hubert() -> Result<Checkpoint<HubertConfig>> {
    let config: HubertConfig = serde_json::from_slice(HUBERT_CONFIG)?;
    Checkpoint::new(config, opened("the built-in HuBERT", HUBERT)?.tensors()?, names::hubert)
}

/// The built-in quantizer.
pub fn quantizer() -> Result<Checkpoint<QuantizerConfig>> {
    super::quantizer::of(&opened("the built-in quantizer", QUANTIZER)?)
}

/// The tokenizer of the built-in Bark.
pub fn tokenizer() -> Result<Text> {
    Text::parse(TOKENIZER, "the built-in tokenizer".into())
}
