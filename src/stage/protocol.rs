//! The numbers of Bark's protocol: special tokens, windows, rates and the settings that generation starts from. The
//! Hugging Face layout states them in `generation_config.json` (transformers `BarkGenerationConfig`).

use crate::error::Kind;
use crate::net::gpt::GptConfig;
use crate::tokens;
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::RangeInclusive;

/// Coarse codes of the past that a window may be given, and those together with the ones that it generates (upstream's
/// assertions in `generate_coarse`).
pub const COARSE_HISTORIES: RangeInclusive<usize> = 60..=tokens::COARSE_HISTORY;
pub const COARSE_CONTEXT: usize = 768;

/// Constants of suno-ai/bark `generation.py`, under transformers' `generation_config.json`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
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
            text_length: tokens::SEMANTIC_HISTORY,
            max_semantic_steps: 768,
            coarse_semantic_pad: 12_048,
            coarse_infer: 12_050,
            coarse_semantic_length: 256,
            codebook_size: tokens::CODEBOOK_SIZE,
            coarse_history: tokens::COARSE_HISTORY,
            coarse_window: 60,
            fine_history: tokens::FINE_HISTORY,
            fine_window: tokens::FINE_WINDOW,
            semantic_hz: tokens::SEMANTIC_HZ,
            codes_hz: tokens::CODES_HZ,
            text_temperature: 0.7,
            coarse_temperature: 0.7,
            fine_temperature: 0.5,
            min_eos_p: 0.2,
        }
    }
}

/// `generation_config.json` (transformers `BarkGenerationConfig`), as far as it matters here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Generation {
    semantic_config: SemanticGeneration,
    coarse_acoustics_config: CoarseGeneration,
    fine_acoustics_config: FineGeneration,
    sample_rate: Option<u64>,
    codebook_size: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SemanticGeneration {
    do_sample: bool,
    temperature: Option<f64>,
    min_eos_p: Option<f64>,
    /// A number, or a list of one.
    eos_token_id: Value,
    text_encoding_offset: Option<u32>,
    text_pad_token: Option<u32>,
    semantic_infer_token: Option<u32>,
    semantic_vocab_size: Option<u32>,
    max_input_semantic_length: Option<usize>,
    max_new_tokens: Option<usize>,
    semantic_rate_hz: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CoarseGeneration {
    do_sample: bool,
    temperature: Option<f64>,
    coarse_semantic_pad_token: Option<u32>,
    coarse_infer_token: Option<u32>,
    coarse_rate_hz: Option<f64>,
    n_coarse_codebooks: Option<u64>,
    max_coarse_input_length: Option<usize>,
    max_coarse_history: Option<usize>,
    sliding_window_len: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FineGeneration {
    temperature: Option<f64>,
    max_fine_history_length: Option<usize>,
    max_fine_input_length: Option<usize>,
    n_fine_codebooks: Option<u64>,
}

fn set<T>(field: &mut T, stated: Option<T>) {
    if let Some(value) = stated {
        *field = value;
    }
}

impl Protocol {
    /// Takes what the text of a `generation_config.json` states.
    ///
    /// # Errors
    /// Text of another form; numbers of codebooks or a sample rate that voice files and audio are not made for.
    pub fn apply_generation(&mut self, json: &[u8]) -> Result<()> {
        let stated: Generation = serde_json::from_slice(json)?;
        let fixed = [
            ("sample_rate", stated.sample_rate, u64::from(tokens::SAMPLE_RATE)),
            ("n_coarse_codebooks", stated.coarse_acoustics_config.n_coarse_codebooks, tokens::COARSE_CODEBOOKS as u64),
            ("n_fine_codebooks", stated.fine_acoustics_config.n_fine_codebooks, tokens::FINE_CODEBOOKS as u64),
        ];
        for (field, stated, supported) in fixed {
            let stated = stated.unwrap_or(supported);
            ensure!(stated == supported, unfit(format!("`{field}` is {stated}, only {supported} is supported")));
        }
        set(&mut self.codebook_size, stated.codebook_size);
        self.apply_semantic(stated.semantic_config);
        self.apply_coarse(stated.coarse_acoustics_config);
        self.apply_fine(stated.fine_acoustics_config);
        self.check()
    }

    fn apply_semantic(&mut self, stated: SemanticGeneration) {
        let eos = stated.eos_token_id.as_array().and_then(|list| list.first()).unwrap_or(&stated.eos_token_id);
        let eos = eos.as_u64().and_then(|id| u32::try_from(id).ok());
        // As in transformers, padding is the end of speech whatever `semantic_pad_token` says.
        set(&mut self.semantic_pad, eos);
        set(&mut self.semantic_eos, eos);
        // Without `do_sample` the temperature is the class's default and states nothing.
        set(&mut self.text_temperature, stated.temperature.filter(|_| stated.do_sample));
        set(&mut self.min_eos_p, stated.min_eos_p);
        set(&mut self.text_offset, stated.text_encoding_offset);
        set(&mut self.text_pad, stated.text_pad_token);
        set(&mut self.semantic_infer, stated.semantic_infer_token);
        set(&mut self.semantic_vocab, stated.semantic_vocab_size);
        set(&mut self.text_length, stated.max_input_semantic_length);
        set(&mut self.max_semantic_steps, stated.max_new_tokens);
        set(&mut self.semantic_hz, stated.semantic_rate_hz);
    }

    fn apply_coarse(&mut self, stated: CoarseGeneration) {
        set(&mut self.coarse_temperature, stated.temperature.filter(|_| stated.do_sample));
        set(&mut self.coarse_semantic_pad, stated.coarse_semantic_pad_token);
        set(&mut self.coarse_infer, stated.coarse_infer_token);
        set(&mut self.codes_hz, stated.coarse_rate_hz);
        set(&mut self.coarse_semantic_length, stated.max_coarse_input_length);
        set(&mut self.coarse_history, stated.max_coarse_history);
        set(&mut self.coarse_window, stated.sliding_window_len);
    }

    fn apply_fine(&mut self, stated: FineGeneration) {
        // 1.0 is the class's default, which transformers reads as "no temperature".
        set(&mut self.fine_temperature, stated.temperature.filter(|&t| t != 1.0));
        set(&mut self.fine_history, stated.max_fine_history_length);
        set(&mut self.fine_window, stated.max_fine_input_length);
    }

    /// Refuses numbers that contradict each other, by the names of `generation_config.json`.
    fn check(&self) -> Result<()> {
        let (semantic, coarse) = (self.semantic_hz, self.codes_hz);
        ensure!(
            [semantic, coarse].iter().all(|hz| (1.0..=1e6).contains(hz))
                && (0.1..=100.0).contains(&self.coarse_ratio()),
            unfit(format!(
                "`semantic_rate_hz` is {semantic}, `coarse_rate_hz` {coarse}; published models have 49.9 and 75"
            ))
        );
        for (field, value) in [
            ("semantic_config.temperature", self.text_temperature),
            ("coarse_acoustics_config.temperature", self.coarse_temperature),
            ("fine_acoustics_config.temperature", self.fine_temperature),
            ("min_eos_p", self.min_eos_p),
        ] {
            ensure!((0.0..=1e6).contains(&value), unfit(format!("`{field}` is {value}, expected 0 or more")));
        }
        self.check_windows()
    }

    fn check_windows(&self) -> Result<()> {
        for (field, value) in [
            ("max_input_semantic_length", self.text_length),
            ("max_new_tokens", self.max_semantic_steps),
            ("max_coarse_input_length", self.coarse_semantic_length),
            ("max_fine_history_length", self.fine_history),
            ("max_fine_input_length", self.fine_window),
        ] {
            let bounds = 1..1 << 20;
            ensure!(bounds.contains(&value), unfit(format!("`{field}` is {value}, expected 1..{}", bounds.end)));
        }
        let (history, window) = (self.coarse_history, self.coarse_window);
        ensure!(
            COARSE_HISTORIES.contains(&history) && (1..=COARSE_CONTEXT - history).contains(&window),
            unfit(format!(
                "`max_coarse_history` is {history} and `sliding_window_len` {window}: expected {COARSE_HISTORIES:?} and at \
                 most {COARSE_CONTEXT} together"
            ))
        );
        let frame = tokens::COARSE_CODEBOOKS;
        ensure!(
            window.is_multiple_of(frame) && history.is_multiple_of(frame),
            unfit("`max_coarse_history` and `sliding_window_len` must be even: whole frames of two codes")
        );
        ensure!(
            self.fine_history < self.fine_window,
            unfit("`max_fine_history_length` must be less than `max_fine_input_length`")
        );
        Ok(())
    }

    /// Refuses a semantic stage that does not know the protocol's tokens, or is too short for its windows.
    pub fn check_semantic(&self, gpt: &GptConfig) -> Result<()> {
        let inputs = [self.text_pad, self.semantic_pad, self.semantic_infer, self.text_offset];
        within("semantic", "input", &inputs, gpt.input_vocab)?;
        within("semantic", "output", &[self.semantic_eos, self.semantic_vocab.saturating_sub(1)], gpt.output_vocab)?;
        // The infer token comes on top, but the last token drawn is never fed back.
        fits("semantic", self.text_length + self.max_semantic_steps, gpt)
    }

    /// Refuses a coarse stage, likewise.
    pub fn check_coarse(&self, gpt: &GptConfig) -> Result<()> {
        let codes = self.codebook_size.checked_mul(tokens::COARSE_CODEBOOKS as u32);
        let end = codes.and_then(|codes| codes.checked_add(self.semantic_vocab));
        let last = end.ok_or_else(|| unfit("the codebooks are absurdly large"))?.saturating_sub(1);
        within("coarse", "input", &[self.coarse_semantic_pad, self.coarse_infer, last], gpt.input_vocab)?;
        within("coarse", "output", &[last], gpt.output_vocab)?;
        fits("coarse", self.coarse_semantic_length + self.coarse_history + self.coarse_window, gpt)
    }

    /// Refuses a fine stage, likewise.
    pub fn check_fine(&self, gpt: &GptConfig) -> Result<()> {
        within("fine", "input", &[self.codebook_size], gpt.input_vocab)?;
        within("fine", "output", &[self.codebook_size.saturating_sub(1)], gpt.output_vocab)?;
        let (total, given) = (gpt.codebooks_total, gpt.codebooks_given);
        ensure!(
            total == tokens::FINE_CODEBOOKS && (1..=tokens::COARSE_CODEBOOKS).contains(&given),
            unfit(format!("a fine stage that makes {total} codebooks of {given}, 8 of 1 are needed"))
        );
        fits("fine", self.fine_window, gpt)
    }
}

fn unfit(message: impl Into<String>) -> crate::error::Error {
    Kind::Model.error(message)
}

fn within(stage: &str, side: &str, tokens: &[u32], vocab: usize) -> Result<()> {
    match tokens.iter().find(|&&token| token as usize >= vocab) {
        None => Ok(()),
        Some(token) => {
            Err(unfit(format!("the {stage} stage's {side} vocabulary of {vocab} does not hold token {token}")).into())
        }
    }
}

fn fits(stage: &str, length: usize, gpt: &GptConfig) -> Result<()> {
    ensure!(
        length <= gpt.block_size,
        unfit(format!("the {stage} stage needs {length} positions and has {}", gpt.block_size))
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_numbers_are_consistent() -> Result<()> {
        let protocol = Protocol::default();
        protocol.check()?;
        protocol.check_semantic(&GptConfig { input_vocab: 129_600, ..Default::default() })?;
        protocol.check_coarse(&GptConfig { input_vocab: 12_096, output_vocab: 12_096, ..Default::default() })?;
        let vocab = GptConfig { input_vocab: 1056, output_vocab: 1056, ..Default::default() };
        protocol.check_fine(&GptConfig { codebooks_total: 8, codebooks_given: 1, ..vocab })
    }

    #[test]
    fn a_generation_config_overrides_what_it_states() -> Result<()> {
        let json = br#"{"codebook_size": 512, "model_type": "bark",
            "semantic_config": {"eos_token_id": [77], "temperature": 0.6, "do_sample": true, "min_eos_p": null,
                                "semantic_rate_hz": 50, "max_new_tokens": 100},
            "coarse_acoustics_config": {"temperature": 1.0, "do_sample": false, "sliding_window_len": 40},
            "fine_acoustics_config": {"temperature": 1.0, "max_fine_history_length": 256}}"#;
        let mut protocol = Protocol::default();
        protocol.apply_generation(json)?;
        let expected = Protocol {
            codebook_size: 512,
            semantic_pad: 77,
            semantic_eos: 77,
            text_temperature: 0.6,
            semantic_hz: 50.0,
            max_semantic_steps: 100,
            coarse_window: 40,
            fine_history: 256,
            ..Protocol::default()
        };
        assert_eq!(protocol, expected);
        Ok(())
    }

    #[test]
    fn numbers_that_the_tool_is_not_made_for_are_refused() {
        for json in [
            r#"{"sample_rate": 48000}"#,
            r#"{"fine_acoustics_config": {"n_fine_codebooks": 4}}"#,
            r#"{"coarse_acoustics_config": {"sliding_window_len": 61}}"#,
            r#"{"coarse_acoustics_config": {"coarse_rate_hz": -1}}"#,
            r#"{"coarse_acoustics_config": {"coarse_rate_hz": 1e6}}"#,
            r#"{"semantic_config": {"max_new_tokens": 99999999999}}"#,
            "3",
        ] {
            assert!(Protocol::default().apply_generation(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn tokens_outside_of_a_vocabulary_are_refused() {
        let error = Protocol::default().check_semantic(&GptConfig::default()).unwrap_err().to_string();
        assert!(error.contains("does not hold token 129595"), "{error}");
        let narrow = GptConfig { input_vocab: 129_600, block_size: 512, ..Default::default() };
        assert!(Protocol::default().check_semantic(&narrow).unwrap_err().to_string().contains("has 512"));
    }
}
