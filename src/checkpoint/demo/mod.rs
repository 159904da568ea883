//! Models made by rule, of any size and without a file: every value is a function of the seed and the tensor's name
//! ([`crate::checkpoint::demo::rule`]). They say nothing but noise, and exercise every part of the pipeline.

pub mod rule;
mod shapes;
#[cfg(test)]
mod tests;

pub use shapes::{codec_shapes, gpt_shapes, hubert_shapes, quantizer_shapes};

use super::{Bark, Checkpoint, names};
use crate::net::codec::CodecConfig;
use crate::net::gpt::GptConfig;
use crate::net::hubert::HubertConfig;
use crate::net::quantizer::QuantizerConfig;
use crate::net::weights::Tensors;
use crate::stage::Stage;
use anyhow::Result;
use rule::RuleTensors;
use std::sync::Arc;

/// Codebooks of the published codec; the last 24 serve bandwidths that Bark does not use.
const CODEBOOKS: usize = 32;

/// How large a rule-made model is: `Small` and `Large` are Suno's published sizes, `Tiny` keeps every vocabulary and
/// window and shrinks the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Tiny,
    Small,
    Large,
}

/// Bark by rule.
pub fn demo_bark(size: Size, seed: u64) -> Bark {
    demo_bark_of(Stage::ALL.map(|stage| gpt_config(stage, size)), seed)
}

/// Bark by rule, its stages of any size, in [`Stage::ALL`]'s order.
pub fn demo_bark_of(configs: [GptConfig; 3], seed: u64) -> Bark {
    Bark::by_rule(configs, seed)
}

/// EnCodec 24 kHz by rule; it has one size.
pub fn demo_codec(seed: u64) -> Result<Checkpoint<CodecConfig>> {
    let config = CodecConfig::default();
    let tensors = RuleTensors::new("codec", codec_shapes(&config, CODEBOOKS), seed);
    Checkpoint::new(config, Arc::new(tensors), names::codec)
}

/// HuBERT by rule; `Small` and `Large` are HuBERT base.
pub fn demo_hubert(size: Size, seed: u64) -> Result<Checkpoint<HubertConfig>> {
    let config = hubert_config(size);
    let tensors = RuleTensors::new("hubert", hubert_shapes(&config), seed);
    Checkpoint::new(config, Arc::new(tensors), names::hubert)
}

/// The quantizer by rule, version 0 or 1; `Small` and `Large` are the published size.
pub fn demo_quantizer(size: Size, version: u32, seed: u64) -> Result<Checkpoint<QuantizerConfig>> {
    let config = quantizer_config(size, version);
    let tensors = RuleTensors::new("quantizer", quantizer_shapes(&config), seed);
    Checkpoint::new(config, Arc::new(tensors), names::quantizer)
}

/// One GPT by rule. Its heads are the embeddings', so the fine stage's lie under the latter's names alone.
pub(super) fn gpt(stage: Stage, config: &GptConfig, seed: u64) -> (GptConfig, Arc<dyn Tensors>) {
    let prefix = ["text", "coarse", "fine"][stage as usize];
    let tensors = RuleTensors::new(prefix, gpt_shapes(config), seed);
    (config.clone(), Arc::new(tensors))
}

/// Sizes of a stage, as Suno publishes them.
pub fn gpt_config(stage: Stage, size: Size) -> GptConfig {
    let (layers, heads, width) = match size {
        Size::Tiny => (2, 2, 32),
        Size::Small => (12, 12, 768),
        Size::Large => (24, 16, 1024),
    };
    let (input_vocab, output_vocab) = match stage {
        Stage::Semantic => (129_600, 10_048),
        Stage::Coarse => (12_096, 12_096),
        Stage::Fine => (1056, 1056),
    };
    let (codebooks_total, codebooks_given) = if stage == Stage::Fine { (8, 1) } else { (0, 0) };
    GptConfig {
        block_size: 1024,
        input_vocab,
        output_vocab,
        layers,
        heads,
        width,
        bias: false,
        codebooks_total,
        codebooks_given,
    }
}

pub fn hubert_config(size: Size) -> HubertConfig {
    match size {
        Size::Tiny => HubertConfig {
            hidden_size: 32,
            num_hidden_layers: 10,
            num_attention_heads: 2,
            intermediate_size: 64,
            conv_dim: vec![32; 7],
            ..HubertConfig::default()
        },
        Size::Small | Size::Large => HubertConfig::default(),
    }
}

pub fn quantizer_config(size: Size, version: u32) -> QuantizerConfig {
    match size {
        Size::Tiny => QuantizerConfig { input_size: 32, hidden_size: 48, version, ..QuantizerConfig::default() },
        Size::Small | Size::Large => QuantizerConfig { version, ..QuantizerConfig::default() },
    }
}
