//! Whisper: Hugging Face's folder, or its file of weights with the others beside it.

use super::file;
use super::{Checkpoint, folder, names};
use crate::error::Kind;
use crate::net::whisper::WhisperConfig;
use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;
use tokenizers::Tokenizer;

/// A recogniser: the net, its tokens, and which of them are never written.
pub struct Recogniser {
    pub net: Checkpoint<WhisperConfig>,
    pub tokenizer: Tokenizer,
    pub generation: Generation,
}

/// What is read of `generation_config.json`, or where that lacks, of `config.json`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Generation {
    /// Ids that are never written.
    #[serde(default)]
    pub suppress_tokens: Vec<u32>,
    /// Ids that nothing begins with.
    #[serde(default)]
    pub begin_suppress_tokens: Vec<u32>,
    /// Whether it is told the language; without a word on it, the vocabulary tells.
    #[serde(default)]
    pub is_multilingual: Option<bool>,
}

/// Opens the Whisper at `path`: a folder with `config.json`, `tokenizer.json` and the weights, or the file of weights
/// among them.
///
/// # Errors
/// Kind [`Kind::Model`], naming the file: none there, damaged, or of another kind.
pub fn whisper(path: &Path) -> Result<Recogniser> {
    let weights = folder::weights(path)?;
    let beside = |name: &str| {
        let missing = || Kind::Model.error(format!("{}: there is no {name} beside it", weights.display()));
        folder::beside(&weights, name).with_context(missing)
    };
    let json = beside("config.json")?;
    let config: WhisperConfig = parsed(&json)?;
    let generation = parsed(&folder::beside(&weights, "generation_config.json").unwrap_or(json))?;
    let json = beside("tokenizer.json")?;
    let tokenizer = Tokenizer::from_bytes(folder::text(&json)?)
        .map_err(|e| Kind::Model.error(format!("{}: not a Hugging Face tokenizer.json: {e}", json.display())))?;
    let net = Checkpoint::new(config, file::open(&weights)?.tensors()?, names::whisper)?;
    Ok(Recogniser { net, tokenizer, generation })
}

/// Part of a configuration; what is null counts as left out.
fn parsed<T: for<'a> Deserialize<'a>>(json: &Path) -> Result<T> {
    let mut value: Value = folder::config(json, &["whisper"])?;
    if let Some(entries) = value.as_object_mut() {
        entries.retain(|_, value| !value.is_null());
    }
    let malformed = || Kind::Model.error(format!("{}: it is no configuration of Whisper", json.display()));
    serde_json::from_value(value).with_context(malformed)
}
