//! Sizes of Bark's GPTs.

use crate::error::Kind;
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// Sizes beyond any model; below it, products of three cannot overflow.
const MAX_SIZE: usize = 1 << 20;

/// Architecture of one Bark GPT (suno-ai/bark `model.py`, `model_fine.py`; in JSON, transformers' `BarkSubModelConfig`,
/// whose defaults stand in for fields that are not there).
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
    /// Refuses sizes that no net can have.
    pub fn check(&self) -> Result<()> {
        let sizes = [self.block_size, self.input_vocab, self.output_vocab, self.layers, self.heads, self.width];
        let codebooks = [self.codebooks_total, self.codebooks_given];
        ensure!(
            sizes.iter().all(|n| (1..=MAX_SIZE).contains(n)) && codebooks.iter().all(|&n| n <= MAX_SIZE),
            Kind::Model.error(format!("a size is zero or absurd: {self:?}"))
        );
        ensure!(
            self.width.is_multiple_of(self.heads),
            Kind::Model.error(format!("a width of {} cannot be split among {} heads", self.width, self.heads))
        );
        ensure!(
            self.codebooks_given <= self.codebooks_total,
            Kind::Model.error(format!("{} of {} codebooks given", self.codebooks_given, self.codebooks_total))
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
