//! Finding a model's files, and reading its JSON.

use crate::error::Kind;
use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The names under which Hugging Face keeps weights, in the order of preference.
const HF_WEIGHTS: [&str; 4] =
    ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];
/// Endings of other files of weights.
const ENDINGS: [&str; 5] = ["pt", "pth", "th", "bin", "safetensors"];
/// Configurations are a few KB.
const LONGEST_JSON: u64 = 1 << 24;

/// Refuses a path where there is nothing.
pub fn exists(path: &Path) -> Result<()> {
    let found = path.try_exists().with_context(|| Kind::Model.error(format!("{}: cannot be read", path.display())))?;
    ensure!(found, Kind::Model.error(format!("{}: there is no such file or folder", path.display())));
    Ok(())
}

/// The file of weights with a Hugging Face name in the folder `path`, if any; a file is itself.
pub fn hf_weights(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return HF_WEIGHTS.iter().map(|name| path.join(name)).find(|file| file.is_file());
    }
    Some(path.to_path_buf())
}

/// The file of weights at `path`: itself, or in a folder the one with a Hugging Face name, or the only one there is.
pub fn weights(path: &Path) -> Result<PathBuf> {
    exists(path)?;
    if let Some(file) = hf_weights(path) {
        return Ok(file);
    }
    let entries = path.read_dir().with_context(|| Kind::Model.error(format!("{}: cannot be read", path.display())))?;
    let mut files: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|file| is_weights(file)).collect();
    files.sort();
    match files.as_slice() {
        [file] => Ok(file.clone()),
        [] => bail!(Kind::Model.error(format!(
            "{}: no weights in this folder: {} or a .pt, .pth or .th file was expected",
            path.display(),
            HF_WEIGHTS.join(", ")
        ))),
        [a, b, ..] => bail!(Kind::Model.error(format!(
            "{}: which of the weights in this folder is meant ({}, {}, ...)? Give the file itself",
            path.display(),
            a.display(),
            b.display()
        ))),
    }
}

fn is_weights(file: &Path) -> bool {
    file.is_file() && file.extension().is_some_and(|end| ENDINGS.iter().any(|known| end == *known))
}

/// `name` beside the file `weights`, if it is there.
pub fn beside(weights: &Path, name: &str) -> Option<PathBuf> {
    Some(weights.with_file_name(name)).filter(|file| file.is_file())
}

/// The bytes of a small text file.
pub fn text(path: &Path) -> Result<Vec<u8>> {
    let unreadable = || Kind::Model.error(format!("{}: cannot be read", path.display()));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).with_context(unreadable)?;
    file.take(LONGEST_JSON).read_to_end(&mut bytes).with_context(unreadable)?;
    Ok(bytes)
}

/// A `config.json` of the Hugging Face layout; refused if it describes another kind of model than one of `kinds`.
pub fn config<C: DeserializeOwned>(path: &Path, kinds: &[&str]) -> Result<C> {
    #[derive(serde::Deserialize)]
    struct Typed {
        model_type: Option<String>,
    }
    let malformed = || Kind::Model.error(format!("{}: it is no configuration of a {} model", path.display(), kinds[0]));
    let bytes = text(path)?;
    let typed: Typed = serde_json::from_slice(&bytes).with_context(malformed)?;
    let kind = typed.model_type.as_deref().unwrap_or(kinds[0]);
    ensure!(
        kinds.contains(&kind),
        Kind::Model.error(format!("{}: it describes a `{kind}` model, `{}` was expected", path.display(), kinds[0]))
    );
    serde_json::from_slice(&bytes).with_context(malformed)
}
