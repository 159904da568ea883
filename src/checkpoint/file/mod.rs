//! Opens a file of weights by what it holds, never by its name; if it holds none, the error says what it is instead.

mod map;
mod pickle;
mod safetensors;
mod torch;

pub use pickle::Value;
pub use safetensors::{safetensors_metadata, write_safetensors_header};
pub use torch::{TorchFile, TorchWriter, write_tensor, write_text};

use crate::error::Kind;
use crate::net::weights::{Array, Bytes, Tensors};
use anyhow::{Context, Result, bail, ensure};
use map::map;
use safetensors::SafetensorsFile;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file of weights.
pub enum Opened {
    /// What `torch.save` wrote: tensors within some structure.
    Torch(Box<TorchFile>),
    /// Named tensors and nothing else: safetensors, or several files with an index.
    Tensors(Arc<dyn Tensors>),
}

impl Opened {
    /// The tensors at the top of the file.
    pub fn tensors(&self) -> Result<Arc<dyn Tensors>> {
        match self {
            Opened::Torch(file) => file.tensors(file.root()),
            Opened::Tensors(tensors) => Ok(tensors.clone()),
        }
    }
}

/// Opens a torch file (zip or legacy), a safetensors file, or the `*.index.json` of several.
///
/// # Errors
/// Kind [`Kind::Model`], naming the file, what it is instead, and what to do.
pub fn open(path: &Path) -> Result<Opened> {
    open_bytes(path, map(path)?)
}

/// Opens `bytes` as [`open`] does a file; `path` is what messages call them, and where an index finds its files.
pub(super) fn open_bytes(path: &Path, bytes: Bytes) -> Result<Opened> {
    let opened = match () {
        _ if bytes.starts_with(b"PK\x03\x04") => {
            TorchFile::open_zip(path, bytes).map(|file| Opened::Torch(Box::new(file)))
        }
        _ if TorchFile::is_legacy(&bytes) => {
            TorchFile::open_legacy(path, bytes).map(|file| Opened::Torch(Box::new(file)))
        }
        _ if SafetensorsFile::recognise(&bytes) => {
            SafetensorsFile::open(path, bytes).map(|file| Opened::Tensors(Arc::new(file)))
        }
        _ if bytes.trim_ascii_start().starts_with(b"{") => {
            Sharded::open(path, &bytes).map(|s| Opened::Tensors(Arc::new(s)))
        }
        _ => Err(anyhow::anyhow!(Kind::Model.error(what_else(&bytes)))),
    };
    opened.map_err(|error| Kind::Model.error(format!("{}: {error:#}", path.display())).into())
}

/// What a file that holds no weights seems to be, and what to do about it.
fn what_else(data: &[u8]) -> String {
    let head = data[..data.len().min(256)].trim_ascii_start();
    let expected = "a torch (.pt, .pth, .bin, .th) or safetensors file was expected";
    let found = match head {
        _ if head.starts_with(b"version https://git-lfs") => {
            "it is a Git-LFS pointer, not the file that it stands for: run `git lfs pull`, or fetch it again"
        }
        _ if head.starts_with(b"<") => "it is a web page, not a model: the download went wrong, fetch it again",
        _ if head.starts_with(b"GGUF") => "it is a GGUF file, which is not read: use the original checkpoint",
        _ if data.starts_with(b"\x80") => "it is a pickle, but not one that torch.save wrote",
        _ if b"PK\x03\x04".starts_with(data) => "it is cut short: fetch it again",
        _ if head.is_empty() => "it is blank: fetch it again",
        _ => "its format is unknown",
    };
    format!("{found} ({expected})")
}

/// Several files under one index, as Hugging Face splits large models.
struct Sharded {
    path: PathBuf,
    shards: Vec<Arc<dyn Tensors>>,
    /// tensor -> index of its shard
    places: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
struct Index {
    /// tensor -> file beside the index
    weight_map: BTreeMap<String, String>,
}

impl Sharded {
    fn open(path: &Path, json: &[u8]) -> Result<Self> {
        let index: Index = serde_json::from_slice(json)
            .context("it is JSON, but no index of weights: give the weights' file or the folder that holds it")?;
        let files: BTreeSet<&String> = index.weight_map.values().collect();
        ensure!(!files.is_empty(), "its index names no weights");
        let shards = files.iter().map(|file| open_shard(path, file)).collect::<Result<Vec<_>>>()?;
        let number: BTreeMap<_, _> = files.iter().enumerate().map(|(i, file)| (*file, i)).collect();
        let places = index.weight_map.iter().map(|(name, file)| (name.clone(), number[file])).collect();
        let sharded = Self { path: path.into(), shards, places };
        sharded.check()?;
        Ok(sharded)
    }

    /// Every tensor lies where the index says, and no shard holds others.
    fn check(&self) -> Result<()> {
        let held: BTreeSet<_> =
            self.shards.iter().enumerate().flat_map(|(i, s)| s.names().into_iter().map(move |n| (n, i))).collect();
        let said: BTreeSet<_> = self.places.iter().map(|(name, &i)| (name.clone(), i)).collect();
        match held.symmetric_difference(&said).next() {
            None => Ok(()),
            Some((name, i)) => {
                bail!("the index and {} disagree on `{name}`: fetch both again", self.shards[*i].origin())
            }
        }
    }
}

fn open_shard(index: &Path, file: &str) -> Result<Arc<dyn Tensors>> {
    let plain = Path::new(file).file_name().is_some_and(|name| name == file) && !file.ends_with(".json");
    ensure!(plain, "its index names `{file}`, which is no file beside it");
    open(&index.with_file_name(file))?.tensors()
}

impl Tensors for Sharded {
    fn origin(&self) -> String {
        self.path.display().to_string()
    }

    fn names(&self) -> Vec<String> {
        self.places.keys().cloned().collect()
    }

    fn array(&self, name: &str) -> Result<Option<Array>> {
        self.places.get(name).map_or(Ok(None), |&shard| self.shards[shard].array(name))
    }
}
