//! `--models DIR`: a folder with models in any layout; which is which follows from what the files hold.

use anyhow::{Context, Result, bail, ensure};
use barkclone::checkpoint;
use barkclone::error::Kind;
use barkclone::models::ModelKind;
use barkclone::stage::text::Text;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders within folders that are looked into: Hugging Face's cache has its files in the fourth.
const DEEPEST: usize = 5;
/// Most files and folders that are looked at.
const MOST: usize = 10_000;
/// Endings of files that may be models.
const ENDINGS: [&str; 8] = ["pt", "pth", "th", "bin", "ckpt", "safetensors", "json", "txt"];

/// The model of that kind below `folder`; `None`: there is none, and none is `needed`.
///
/// # Errors
/// Kind [`Kind::Model`]: none that is needed, or several.
pub fn find(kind: ModelKind, folder: &Path, needed: bool) -> Result<Option<String>> {
    let shown = folder.display();
    ensure!(folder.is_dir(), Kind::Usage.error(format!("--models {shown}: there is no such folder")));
    let mut found = Vec::new();
    look(kind, folder, DEEPEST, &mut MOST.clone(), &mut found)?;
    let mut seen = BTreeSet::new();
    found.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    // The codec within Bark's own checkpoint is taken only where there is no other.
    let (within, alone): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|path| kind == ModelKind::Codec && opens(ModelKind::Bark, path));
    let found = if alone.is_empty() && needed { within } else { alone };
    match &found[..] {
        [path] => {
            Ok(Some(path.to_str().with_context(|| format!("{}: its name is not UTF-8", path.display()))?.to_owned()))
        }
        [] if !needed => Ok(None),
        [] => bail!(Kind::Model.error(format!("--models {shown}: no {kind} is in it; name one with --{kind}"))),
        several => {
            let several: Vec<_> = several.iter().map(|path| path.display().to_string()).collect();
            let told =
                format!("--models {shown}: which {kind} is meant? Name one with --{kind}: {}", several.join(", "));
            bail!(Kind::Model.error(told))
        }
    }
}

/// Collects the folders that are such a model, and in others the files.
fn look(kind: ModelKind, folder: &Path, deep: usize, most: &mut usize, found: &mut Vec<PathBuf>) -> Result<()> {
    // Only Bark's layout, and Hugging Face's, are of a folder; other folders are opened where one file lies in them.
    let described = kind == ModelKind::Bark || folder.join("config.json").is_file();
    let whole = kind != ModelKind::Tokenizer && described && opens(kind, folder);
    if whole {
        found.push(folder.to_owned());
    }
    let unreadable = || Kind::Model.error(format!("{}: cannot be read", folder.display()));
    let entries = fs::read_dir(folder).with_context(unreadable)?.collect::<std::io::Result<Vec<_>>>();
    let mut paths: Vec<_> = entries.with_context(unreadable)?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    *most = most.checked_sub(paths.len()).with_context(|| {
        Kind::Usage
            .error(format!("{}: more than {MOST} files are below --models; name a smaller folder", folder.display()))
    })?;
    for path in paths {
        match path.is_dir() {
            true if deep > 0 => look(kind, &path, deep - 1, most, found)?,
            false if !whole && may_be(kind, &path) && opens(kind, &path) => found.push(path),
            _ => (),
        }
    }
    Ok(())
}

/// Whether it is worth opening.
fn may_be(kind: ModelKind, path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let tokenizer = ending == "json" || path.file_name().is_some_and(|name| name == "vocab.txt");
    path.is_file() && ENDINGS.contains(&ending) && (tokenizer || kind != ModelKind::Tokenizer)
}

/// Whether it is a model of that kind: weights are not read.
fn opens(kind: ModelKind, path: &Path) -> bool {
    match kind {
        ModelKind::Bark => checkpoint::bark(path).is_ok(),
        ModelKind::Codec => checkpoint::codec(path).is_ok(),
        ModelKind::Hubert => checkpoint::hubert(path).is_ok(),
        ModelKind::Quantizer => checkpoint::quantizer(path).is_ok(),
        ModelKind::Tokenizer => Text::open(path).is_ok(),
        ModelKind::Speaker => checkpoint::speaker(path).is_ok(),
        ModelKind::Recogniser => checkpoint::whisper(path).is_ok(),
        ModelKind::Voices => false,
    }
}
