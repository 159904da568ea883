//! Models made by rule, of any size and without a file: every value is a function of the seed and the tensor's name
//! ([`rule`]). What they say is noise; they exercise every part of the pipeline. Tests and measurements alone know
//! them.

pub mod rule;
mod shapes;

pub use shapes::{Shapes, codec_shapes, gpt_shapes};
use shapes::{hubert_shapes, quantizer_shapes, whisper_shapes};

use anyhow::Result;
use barkclone::checkpoint::{Bark, Checkpoint, names};
use barkclone::net::codec::CodecConfig;
use barkclone::net::cpu;
use barkclone::net::gpt::GptConfig;
use barkclone::net::hubert::HubertConfig;
use barkclone::net::quantizer::QuantizerConfig;
use barkclone::net::whisper::WhisperConfig;
use barkclone::stage::Stage;
use barkclone::stage::protocol::Protocol;
use candle_core::Device;
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

/// The device called `name` as `--device` calls it; `candle` is the CPU without our kernels, for all of the process: it
/// runs what a GPU would.
pub fn device(name: &str) -> Result<Device> {
    if name == "candle" {
        cpu::leave_to_candle();
        return Ok(Device::Cpu);
    }
    barkclone::device::open(name)
}

/// Bark by rule.
pub fn bark(size: Size, seed: u64) -> Bark {
    bark_of(Stage::ALL.map(|stage| gpt_config(stage, size)), seed)
}

/// Bark by rule, its stages of any size, in [`Stage::ALL`]'s order, and a codec.
pub fn bark_of(configs: [GptConfig; 3], seed: u64) -> Bark {
    let [semantic, coarse, fine] = configs;
    let stages = [gpt("text", semantic, seed), gpt("coarse", coarse, seed), gpt("fine", fine, seed)];
    Bark::new(Protocol::default(), stages, Some(codec(seed))).expect("sizes that fit Bark")
}

/// One GPT by rule. Its heads are the embeddings', so the fine stage's lie under the latter's names alone.
fn gpt(prefix: &str, config: GptConfig, seed: u64) -> Checkpoint<GptConfig> {
    let tensors = RuleTensors::new(prefix, gpt_shapes(&config), seed);
    checkpoint(config, tensors, names::gpt)
}

/// EnCodec 24 kHz by rule; it has one size.
pub fn codec(seed: u64) -> Checkpoint<CodecConfig> {
    CodecConfig::of(Size::Tiny).by_rule(seed)
}

/// A net beside Bark's GPTs that can be made by rule.
pub trait ByRule: Sized {
    /// The sizes of such a net; those of `Small` and `Large` are the published ones.
    fn of(size: Size) -> Self;
    /// Names and shapes of its tensors.
    fn shapes(&self) -> Shapes;
    /// The net with the weights of `seed`.
    fn by_rule(self, seed: u64) -> Checkpoint<Self>;
}

impl ByRule for CodecConfig {
    fn of(_: Size) -> Self {
        Self::default()
    }

    fn shapes(&self) -> Shapes {
        codec_shapes(self, CODEBOOKS)
    }

    fn by_rule(self, seed: u64) -> Checkpoint<Self> {
        let tensors = RuleTensors::new("codec", self.shapes(), seed);
        checkpoint(self, tensors, names::codec)
    }
}

impl ByRule for HubertConfig {
    fn of(size: Size) -> Self {
        match size {
            Size::Tiny => Self {
                hidden_size: 32,
                num_hidden_layers: 10,
                num_attention_heads: 2,
                intermediate_size: 64,
                conv_dim: vec![32; 7],
                ..Self::default()
            },
            Size::Small | Size::Large => Self::default(),
        }
    }

    fn shapes(&self) -> Shapes {
        hubert_shapes(self)
    }

    fn by_rule(self, seed: u64) -> Checkpoint<Self> {
        let tensors = RuleTensors::new("hubert", self.shapes(), seed);
        checkpoint(self, tensors, names::hubert)
    }
}

/// Of version 1, unless it is changed.
impl ByRule for QuantizerConfig {
    fn of(size: Size) -> Self {
        match size {
            Size::Tiny => Self { input_size: 32, hidden_size: 48, ..Self::default() },
            Size::Small | Size::Large => Self::default(),
        }
    }

    fn shapes(&self) -> Shapes {
        quantizer_shapes(self)
    }

    fn by_rule(self, seed: u64) -> Checkpoint<Self> {
        let tensors = RuleTensors::new("quantizer", self.shapes(), seed);
        checkpoint(self, tensors, names::quantizer)
    }
}

/// `Tiny` is that of `tests/golden/whisper.py`, the others are whisper-base.
impl ByRule for WhisperConfig {
    fn of(size: Size) -> Self {
        let (source, target, vocab_size) = if size == Size::Tiny { (50, 24, 88) } else { (1500, 448, 51_865) };
        let (d_model, heads, layers) = if size == Size::Tiny { (32, 2, 2) } else { (512, 8, 6) };
        Self {
            num_mel_bins: 80,
            max_source_positions: source,
            d_model,
            encoder_attention_heads: heads,
            encoder_layers: layers,
            vocab_size,
            max_target_positions: target,
            decoder_attention_heads: heads,
            decoder_layers: layers,
            suppress_tokens: Vec::new(),
        }
    }

    fn shapes(&self) -> Shapes {
        whisper_shapes(self)
    }

    fn by_rule(self, seed: u64) -> Checkpoint<Self> {
        let tensors = RuleTensors::new("whisper", self.shapes(), seed);
        checkpoint(self, tensors, names::whisper)
    }
}

fn checkpoint<C>(config: C, tensors: RuleTensors, rule: fn(&str) -> names::Name) -> Checkpoint<C> {
    Checkpoint::new(config, Arc::new(tensors), rule).expect("each name once")
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
