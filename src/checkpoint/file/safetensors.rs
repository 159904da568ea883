//! `.safetensors` files, memory-mapped: a JSON header of names, types, shapes and places, then the numbers.

use crate::net::weights::{Array, Bytes, Tensors};
use anyhow::{Context, Result, bail};
use candle_core::DType;
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The header's length comes first.
const LENGTH_BYTES: usize = 8;

/// An opened `.safetensors` file.
pub struct SafetensorsFile {
    path: PathBuf,
    map: Bytes,
    tensors: BTreeMap<String, TensorInfo>,
    /// Where the numbers begin.
    start: usize,
}

impl SafetensorsFile {
    pub(super) fn open(path: &Path, map: Bytes) -> Result<Self> {
        let (header, metadata) = SafeTensors::read_metadata(&map)
            .context("the safetensors header does not fit the file: it is damaged or cut short, fetch it again")?;
        let tensors = metadata.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
        Ok(Self { path: path.into(), map, tensors, start: LENGTH_BYTES + header })
    }

    /// Whether `data` begins as such a file does.
    pub(super) fn recognise(data: &[u8]) -> bool {
        let Some((length, rest)) = data.split_first_chunk::<LENGTH_BYTES>() else { return false };
        rest.first() == Some(&b'{') && u64::from_le_bytes(*length) <= 1 << 27
    }
}

/// What the header of the safetensors file `path` says besides the tensors; `None` if it says nothing, or is no such
/// file.
pub fn safetensors_metadata(path: &Path) -> Result<Option<HashMap<String, String>>> {
    if !path.is_file() {
        return Ok(None);
    }
    let map = super::map::map(path)?;
    if !SafetensorsFile::recognise(&map) {
        return Ok(None);
    }
    Ok(SafeTensors::read_metadata(&map).ok().and_then(|(_, metadata)| metadata.metadata().clone()))
}

/// Writes what a safetensors file begins with, up to the numbers: `description` and the tensors, which follow each other
/// without gaps. Its own writer fills a file beside ours, which a kill would leave.
pub fn write_safetensors_header(
    description: HashMap<String, String>,
    tensors: impl IntoIterator<Item = (String, Dtype, Vec<usize>, usize)>,
    sink: &mut impl Write,
) -> Result<()> {
    let mut end = 0;
    let info = |(name, dtype, shape, bytes): (String, Dtype, Vec<usize>, usize)| {
        let start = end;
        end += bytes;
        (name, TensorInfo { dtype, shape, data_offsets: (start, end) })
    };
    let metadata = Metadata::new(Some(description), tensors.into_iter().map(info).collect())?;
    let mut json = serde_json::to_vec(&metadata)?;
    json.resize(json.len().next_multiple_of(LENGTH_BYTES), b' ');
    sink.write_all(&(json.len() as u64).to_le_bytes())?;
    Ok(sink.write_all(&json)?)
}

impl Tensors for SafetensorsFile {
    fn origin(&self) -> String {
        self.path.display().to_string()
    }

    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn array(&self, name: &str) -> Result<Option<Array>> {
        let Some(info) = self.tensors.get(name) else { return Ok(None) };
        let place = |offset: usize| self.start.checked_add(offset).context("it lies outside of the file");
        let range = place(info.data_offsets.0)?..place(info.data_offsets.1)?;
        let bytes = self.map.part(range)?;
        Ok(Some(Array { repr: dtype(info.dtype)?.into(), shape: info.shape.clone(), bytes }))
    }
}

fn dtype(stored: Dtype) -> Result<DType> {
    Ok(match stored {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::F64 => DType::F64,
        Dtype::I64 => DType::I64,
        Dtype::I32 => DType::I32,
        Dtype::I16 => DType::I16,
        Dtype::U32 => DType::U32,
        Dtype::U8 | Dtype::BOOL => DType::U8,
        other => bail!("tensors of type {other:?} are not read"),
    })
}
