//! Files of `torch.save`: a pickle that describes, and raw storages that hold the numbers. Both containers are read,
//! the zip archive of today and the stream of torch before 1.6, memory-mapped: what no tensor asks for (the moments of
//! an optimizer, two thirds of some published files) is never touched.

mod legacy;
mod tensor;
mod write;
mod zip;

use super::pickle::{Pickle, Value};
use crate::error::Kind;
use crate::net::weights::{Array, Bytes, Tensors};
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tensor::TensorRef;
pub use write::{TorchWriter, write_tensor, write_text};

/// Where the storages lie in the file.
enum Storages {
    Zip(zip::Archive),
    Legacy(HashMap<String, Range<usize>>),
}

impl Storages {
    fn find(&self, key: &str) -> Result<Range<usize>> {
        match self {
            Storages::Zip(archive) => archive.storage(key),
            Storages::Legacy(ranges) => ranges.get(key).cloned().with_context(|| format!("storage {key} is missing")),
        }
    }
}

/// An opened torch file.
pub struct TorchFile {
    path: PathBuf,
    map: Bytes,
    pickle: Pickle,
    storages: Storages,
}

impl TorchFile {
    /// Reads the description in a torch zip archive.
    pub(super) fn open_zip(path: &Path, map: Bytes) -> Result<Self> {
        let archive = zip::Archive::open(map.clone())?;
        let pickle = Pickle::read(&map[archive.description()?])?;
        Ok(Self { path: path.into(), map, pickle, storages: Storages::Zip(archive) })
    }

    /// Reads the description in a legacy stream.
    pub(super) fn open_legacy(path: &Path, map: Bytes) -> Result<Self> {
        let (pickle, ranges) = legacy::read(&map)?;
        Ok(Self { path: path.into(), map, pickle, storages: Storages::Legacy(ranges) })
    }

    /// Whether `data` begins as a legacy stream does.
    pub(super) fn is_legacy(data: &[u8]) -> bool {
        legacy::recognise(data)
    }

    /// What was saved.
    pub fn root(&self) -> Value<'_> {
        self.pickle.root()
    }

    /// The text of the entry `name`, such as `.info`, in any folder of the archive, as the quantizers' trainers add.
    pub fn note(&self, name: &str) -> Result<Option<String>> {
        match &self.storages {
            Storages::Zip(archive) => archive.note(name),
            Storages::Legacy(_) => Ok(None),
        }
    }

    /// The tensors in the dictionary `dict` of this file, by key; entries that are no tensors are left out.
    ///
    /// # Errors
    /// A dictionary without tensors; a tensor that reaches outside of its storage or of the file.
    pub fn tensors(&self, dict: Value) -> Result<Arc<dyn Tensors>> {
        let mut tensors = BTreeMap::new();
        for (key, value) in dict.pairs() {
            let Some(name) = key.str() else { continue };
            let tensor = TensorRef::new(value, &self.storages, &self.map).with_context(|| {
                Kind::Model.error(format!("{}: tensor `{name}` is damaged: fetch the file again", self.path.display()))
            })?;
            tensors.extend(tensor.map(|tensor| (name.to_owned(), tensor)));
        }
        ensure!(
            !tensors.is_empty(),
            Kind::Model.error(format!(
                "{}: it holds no tensors where a state dict was expected: another kind of file?",
                self.path.display()
            ))
        );
        Ok(Arc::new(TorchTensors { path: self.path.clone(), map: self.map.clone(), tensors }))
    }
}

struct TorchTensors {
    path: PathBuf,
    map: Bytes,
    tensors: BTreeMap<String, TensorRef>,
}

impl Tensors for TorchTensors {
    fn origin(&self) -> String {
        self.path.display().to_string()
    }

    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn array(&self, name: &str) -> Result<Option<Array>> {
        self.tensors.get(name).map(|tensor| tensor.array(&self.map)).transpose()
    }
}
