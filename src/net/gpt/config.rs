//! Sizes of Bark's GPTs.

use crate::net::sizes::{MAX_SIZE, check_sizes, unsupported};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// Bounds beyond any published model.
const MAX_LAYERS: usize = 1 << 10;
const MAX_VOCAB: usize = 1 << 20;
/// Keys, or values, of one row in all layers: 85 times as many as the large model's, 8 GiB in f32.
const MAX_CACHED: usize = 1 << 31;

/// Architecture of one Bark GPT (suno-ai/bark `model.py`, `model_fine.py`; in JSON, transformers'
/// `BarkSubModelConfig`, whose defaults stand in for fields that are not there).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct GptConfig {
    /// Longest sequence, tokens.
    #[serde(alias = "window_size")]
    pub block_size: usize,
    #[serde(rename = "input_vocab_size", alias = "vocab_size")]
    pub input_vocab: usize,
    #[serde(rename = "output_vocab_size")]
    pub output_vocab: usize,
    #[serde(rename = "num_layers", alias = "num_hidden_layers")]
    pub layers: usize,
    #[serde(rename = "num_heads", alias = "num_attention_heads")]
    pub heads: usize,
    /// Embedding width.
    #[serde(rename = "hidden_size")]
    pub width: usize,
    /// Whether linears and (causal) layer norms have biases.
    pub bias: bool,
    /// Fine stage: codebooks in all (8) and given (1); 0 elsewhere.
    #[serde(rename = "n_codes_total")]
    pub codebooks_total: usize,
    #[serde(rename = "n_codes_given")]
    pub codebooks_given: usize,
}

impl Default for GptConfig {
    fn default() -> Self {
        Self {
            block_size: 1024,
            input_vocab: 10_048,
            output_vocab: 10_048,
            layers: 12,
            heads: 12,
            width: 768,
            bias: true,
            codebooks_total: 0,
            codebooks_given: 0,
        }
    }
}

impl GptConfig {
    /// Refuses sizes that no net can have, or that would take memory without bound.
    pub fn check(&self) -> Result<()> {
        let (width, heads) = (self.width, self.heads);
        check_sizes("bark", [("num_layers", self.layers)], MAX_LAYERS)?;
        check_sizes("bark", [("hidden_size", width), ("num_heads", heads)], MAX_SIZE)?;
        let positions_and_vocabularies = [
            ("block_size", self.block_size),
            ("input_vocab_size", self.input_vocab),
            ("output_vocab_size", self.output_vocab),
        ];
        check_sizes("bark", positions_and_vocabularies, MAX_VOCAB)?;
        ensure!(width.is_multiple_of(heads), unsupported("bark", "num_heads", &heads, "a divisor of `hidden_size`"));
        ensure!(
            self.layers * width * self.block_size <= MAX_CACHED,
            unsupported(
                "bark",
                "block_size",
                &self.block_size,
                "less: layers of this width and number cannot be cached"
            )
        );
        ensure!(
            self.codebooks_total <= MAX_LAYERS,
            unsupported("bark", "n_codes_total", &self.codebooks_total, "8, or 0 in the causal stages")
        );
        ensure!(
            self.codebooks_given <= self.codebooks_total,
            unsupported("bark", "n_codes_given", &self.codebooks_given, "at most `n_codes_total`")
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hugging_face_field_names_are_read() -> Result<()> {
        let json = r#"{"num_layers": 2, "num_attention_heads": 4, "hidden_size": 64, "vocab_size": 99, "bias": false}"#;
        let config: GptConfig = serde_json::from_str(json)?;
        assert_eq!((config.layers, config.heads, config.width, config.input_vocab), (2, 4, 64, 99));
        assert!(!config.bias);
        config.check()
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        for config in [
            GptConfig { heads: 5, ..Default::default() },
            GptConfig { width: 0, ..Default::default() },
            GptConfig { layers: usize::MAX, ..Default::default() },
            GptConfig { codebooks_total: 1, codebooks_given: 2, ..Default::default() },
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
    }
}
