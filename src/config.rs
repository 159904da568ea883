//! What the checkpoints' own files say about them: architecture sizes and the constants of Bark's protocol.
//! Published values are the defaults; `config.json`, `generation_config.json` and `model_args` override them.

use crate::tokens;

/// Architecture of one Bark GPT (suno-ai/bark `model.py`, `model_fine.py`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GptConfig {
    /// Longest sequence, tokens.
    pub block_size: usize,
    pub input_vocab: usize,
    pub output_vocab: usize,
    pub layers: usize,
    pub heads: usize,
    /// Embedding width.
    pub width: usize,
    /// Whether linears and (causal) layer norms have biases.
    pub bias: bool,
    /// Fine stage: codebooks in all (8) and given (1); 0 elsewhere.
    pub codebooks_total: usize,
    pub codebooks_given: usize,
}

/// Constants of suno-ai/bark `generation.py`, under transformers' `generation_config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Protocol {
    /// Semantic tokens are `0..semantic_vocab`.
    pub semantic_vocab: u32,
    /// Added to the tokenizer's ids.
    pub text_offset: u32,
    pub text_pad: u32,
    /// Pads the semantic history.
    pub semantic_pad: u32,
    /// End of speech.
    pub semantic_eos: u32,
    pub semantic_infer: u32,
    /// Text tokens, and semantic history tokens, of the semantic prompt.
    pub text_length: usize,
    /// Most semantic tokens of one utterance.
    pub max_semantic_steps: usize,
    pub coarse_semantic_pad: u32,
    pub coarse_infer: u32,
    /// Semantic tokens of a coarse window's prompt.
    pub coarse_semantic_length: usize,
    pub codebook_size: u32,
    /// Coarse tokens that a window sees of the past, and that it generates.
    pub coarse_history: usize,
    pub coarse_window: usize,
    /// Frames of a voice that the fine stage sees; also its stride.
    pub fine_history: usize,
    /// Frames of one fine pass.
    pub fine_window: usize,
    /// Rates, Hz.
    pub semantic_hz: f64,
    pub codes_hz: f64,
    /// Default temperatures and stopping rule.
    pub text_temperature: f64,
    pub coarse_temperature: f64,
    pub fine_temperature: f64,
    pub min_eos_p: f64,
}

impl Protocol {
    /// Flattened coarse tokens for each semantic token: 75 / 49.9 * 2.
    pub fn coarse_ratio(&self) -> f64 {
        self.codes_hz / self.semantic_hz * tokens::COARSE_CODEBOOKS as f64
    }
}

impl Default for Protocol {
    fn default() -> Self {
        Self {
            semantic_vocab: tokens::SEMANTIC_VOCAB,
            text_offset: 10_048,
            text_pad: 129_595,
            semantic_pad: 10_000,
            semantic_eos: 10_000,
            semantic_infer: 129_599,
            text_length: 256,
            max_semantic_steps: 768,
            coarse_semantic_pad: 12_048,
            coarse_infer: 12_050,
            coarse_semantic_length: 256,
            codebook_size: tokens::CODEBOOK_SIZE,
            coarse_history: 630,
            coarse_window: 60,
            fine_history: 512,
            fine_window: 1024,
            semantic_hz: tokens::SEMANTIC_HZ,
            codes_hz: tokens::CODES_HZ,
            text_temperature: 0.7,
            coarse_temperature: 0.7,
            fine_temperature: 0.5,
            min_eos_p: 0.2,
        }
    }
}
