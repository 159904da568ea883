//! Bark packed into one memory-mapped file: Hugging Face's tensors in a weight type of choice, with what `config.json`
//! and `generation_config.json` say in the header. It is a safetensors file; a tensor in blocks is stored as bytes
//! `[rows, row bytes]`, its type as an ending of its name.

use super::bark::{BarkJson, HF_PARTS};
use super::{Bark, Checkpoint};
use crate::error::Kind;
use crate::net::codec::CodecConfig;
use crate::net::gpt::GptConfig;
use crate::net::repr::Repr;
use crate::net::stored;
use crate::net::weights::{Array, Tensors};
use crate::output;
use crate::progress::Progress;
use crate::stage::Stage;
use crate::stage::protocol::Protocol;
use anyhow::{Context, Result, bail};
use candle_core::DType;
use safetensors::{Dtype, View};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Where the header keeps its description; its presence makes a file a packed one.
const KEY: &str = "barkclone";

/// The header's description.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Header {
    pub config: BarkJson,
    pub protocol: Protocol,
}

/// The description of the packed file `path`; `None` if it is another kind of file.
pub(super) fn header(path: &Path) -> Result<Option<Header>> {
    let Some(metadata) = super::file::safetensors_metadata(path)? else { return Ok(None) };
    let Some(json) = metadata.get(KEY) else { return Ok(None) };
    let unfit = || Kind::Model.error(format!("{}: packed by another version: pack it again", path.display()));
    serde_json::from_str(json).with_context(unfit).map(Some)
}

/// Writes `bark`, and the codec if it is to come along, to `path`: matrices as `repr`, of which tables and heads keep
/// at least 8 bits; everything else, which is little, as f32.
///
/// `path` appears when it is complete, and replaces what was there.
pub fn pack(
    bark: &Bark,
    codec: Option<&Checkpoint<CodecConfig>>,
    repr: Repr,
    path: &Path,
    progress: &dyn Progress,
) -> Result<()> {
    let [semantic, coarse, fine] = Stage::ALL.map(|stage| bark.open(stage));
    let stages = [semantic?, coarse?, fine?];
    let config = |i: usize| stages[i].config.clone();
    let header = Header {
        config: BarkJson {
            semantic_config: config(0),
            coarse_acoustics_config: config(1),
            fine_acoustics_config: config(2),
            codec_config: codec.map(|codec| codec.config.clone()),
        },
        protocol: bark.protocol.clone(),
    };
    let job = Job { progress, failure: Mutex::default() };
    let mut entries = Vec::new();
    for (model, part) in stages.iter().zip(HF_PARTS) {
        entries.extend(stage_entries(model, part, repr, &job)?);
    }
    for (codec, (name, stored)) in codec.iter().flat_map(|codec| codec.names.iter().map(move |named| (codec, named))) {
        let full = format!("{}{name}", HF_PARTS[3]);
        entries.push(Entry::new(&codec.tensors, stored.clone(), full, DType::F32.into(), &job)?);
    }
    let total = entries.iter().map(|(_, entry)| entry.bytes as u64).sum();
    progress.start("packing", total, "B");
    output::write_by_path(path, |aside| write(entries, &header, aside, &job))?;
    progress.finish();
    Ok(())
}

/// Writes the file; fails if a tensor could not be read.
fn write(entries: Vec<(String, Entry)>, header: &Header, path: &Path, job: &Job) -> Result<()> {
    let metadata = HashMap::from([(KEY.to_string(), serde_json::to_string(header)?)]);
    let written = safetensors::serialize_to_file(entries, Some(metadata), path);
    match job.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(error) => Err(error),
        None => written.with_context(|| Kind::Output.error(format!("{}: cannot be written", path.display()))),
    }
}

fn stage_entries<'a>(
    model: &Checkpoint<GptConfig>,
    part: &str,
    repr: Repr,
    job: &'a Job,
) -> Result<Vec<(String, Entry<'a>)>> {
    // Of two names of one tensor, as the fine stage's heads and tables, one is enough.
    let mut stored_once = std::collections::BTreeSet::new();
    let names = model.names.iter().filter(|(_, stored)| stored_once.insert(stored.as_str()));
    let entry = |(name, stored): (&String, &String)| {
        let full = format!("{part}{name}");
        Entry::new(&model.tensors, stored.clone(), full, chosen(name, repr), job)
    };
    names.map(entry).collect()
}

/// The type of one tensor: blocks and halves for the matrices alone.
fn chosen(name: &str, repr: Repr) -> Repr {
    let matrix = [".att_proj.weight", ".out_proj.weight", ".in_proj.weight"].iter().any(|end| name.ends_with(end));
    let table = name.starts_with("lm_head") || name.starts_with("input_embeds_layer");
    match repr {
        _ if matrix => repr,
        Repr::Q4K if table => Repr::Q8_0,
        _ if table => repr,
        _ => DType::F32.into(),
    }
}

/// One tensor to write, computed when its turn comes.
struct Entry<'a> {
    tensors: Arc<dyn Tensors>,
    stored: String,
    repr: Repr,
    shape: Vec<usize>,
    bytes: usize,
    job: &'a Job<'a>,
}

/// What all tensors of one file share.
struct Job<'a> {
    progress: &'a dyn Progress,
    /// What went wrong while writing, as [`View::data`] cannot say it.
    failure: Mutex<Option<anyhow::Error>>,
}

impl<'a> Entry<'a> {
    fn new(
        tensors: &Arc<dyn Tensors>,
        stored: String,
        name: String,
        repr: Repr,
        job: &'a Job,
    ) -> Result<(String, Self)> {
        let array = tensors.array(&stored)?.with_context(|| format!("tensor `{stored}` has gone"))?;
        let width = array.shape.last().copied().unwrap_or(1);
        let row = repr
            .row_bytes(width)
            .with_context(|| Kind::Usage.error(format!("`{stored}` cannot be packed as {repr}: take another type")))?;
        let rows = array.shape.iter().rev().skip(1).product::<usize>();
        let (name, shape) = match repr {
            Repr::Plain(_) => (name, array.shape),
            _ => (format!("{name}{}", ending(repr)), vec![rows, row]),
        };
        Ok((name, Self { tensors: tensors.clone(), stored, repr, shape, bytes: rows * row, job }))
    }

    fn read(&self) -> Result<Vec<u8>> {
        let array = self.tensors.array(&self.stored)?;
        stored::packed(&array.with_context(|| format!("tensor `{}` has gone", self.stored))?, self.repr)
    }
}

fn ending(repr: Repr) -> String {
    format!(".{repr}")
}

impl View for Entry<'_> {
    fn dtype(&self) -> Dtype {
        match self.repr {
            Repr::Plain(DType::F32) => Dtype::F32,
            Repr::Plain(DType::F16) => Dtype::F16,
            Repr::Plain(DType::BF16) => Dtype::BF16,
            _ => Dtype::U8,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = self.read().unwrap_or_else(|error| {
            self.job.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            vec![0; self.bytes]
        });
        self.job.progress.advance(bytes.len() as u64);
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes
    }
}

/// A packed file's tensors under their plain names and in their true types.
pub(super) struct Packed(pub Arc<dyn Tensors>);

impl Tensors for Packed {
    fn origin(&self) -> String {
        self.0.origin()
    }

    fn names(&self) -> Vec<String> {
        let plain = |name: String| match [Repr::Q8_0, Repr::Q4K].iter().find_map(|r| name.strip_suffix(&ending(*r))) {
            Some(plain) => plain.to_string(),
            None => name,
        };
        self.0.names().into_iter().map(plain).collect()
    }

    fn array(&self, name: &str) -> Result<Option<Array>> {
        for repr in [Repr::Q8_0, Repr::Q4K] {
            if let Some(array) = self.0.array(&format!("{name}{}", ending(repr)))? {
                return blocks(array, repr).map(Some);
            }
        }
        self.0.array(name)
    }
}

fn blocks(array: Array, repr: Repr) -> Result<Array> {
    let (numbers, bytes) = repr.block();
    match array.shape[..] {
        [rows, row] if row.is_multiple_of(bytes) => {
            Ok(Array { repr, shape: vec![rows, row / bytes * numbers], ..array })
        }
        _ => bail!("a {repr} tensor of shape {:?}", array.shape),
    }
}
