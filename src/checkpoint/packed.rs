//! Bark packed into one memory-mapped file: Hugging Face's tensors in a weight type of choice, with what `config.json`
//! and `generation_config.json` say in the header. It is a safetensors file; a tensor in blocks is stored as bytes
//! `[rows, row bytes]`, its type as an ending of its name.

use super::bark::{BarkJson, HF_PARTS};
use super::file::write_safetensors_header;
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
use crate::stage::text::Text;
use anyhow::{Context, Result, bail};
use candle_core::DType;
use safetensors::Dtype;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Where the header keeps its description; its presence makes a file a packed one.
const KEY: &str = "barkclone";

/// The header's description.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Header {
    pub config: BarkJson,
    pub protocol: Protocol,
    /// The tokenizer.json that comes with it, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokenizer: Option<String>,
}

/// The description of the packed file `path`; `None` if it is another kind of file.
pub(super) fn header(path: &Path) -> Result<Option<Header>> {
    let Some(metadata) = super::file::safetensors_metadata(path)? else { return Ok(None) };
    let Some(json) = metadata.get(KEY) else { return Ok(None) };
    let unfit = || Kind::Model.error(format!("{}: packed by another version: pack it again", path.display()));
    serde_json::from_str(json).with_context(unfit).map(Some)
}

/// The tokenizer that was packed into `path`, if it is such a file.
pub fn packed_tokenizer(path: &Path) -> Result<Option<Text>> {
    let json = header(path)?.and_then(|header| header.tokenizer);
    json.map(|json| Text::parse(json.as_bytes(), path.display().to_string())).transpose()
}

/// Writes `bark`, and the codec and the tokenizer if they are to come along, to `path`: matrices as `repr`, of which
/// tables and heads keep at least 8 bits; everything else, which is little, as f32.
///
/// `path` appears when it is complete, and replaces what was there.
pub fn pack(
    bark: &Bark,
    (codec, tokenizer): (Option<&Checkpoint<CodecConfig>>, Option<&Text>),
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
        tokenizer: tokenizer.map(Text::json).transpose()?,
    };
    let mut entries = Vec::new();
    for (model, part) in stages.iter().zip(HF_PARTS) {
        entries.extend(stage_entries(model, part, repr)?);
    }
    for (codec, (name, stored)) in codec.iter().flat_map(|codec| codec.names.iter().map(move |named| (codec, named))) {
        let full = format!("{}{name}", HF_PARTS[3]);
        entries.push(Entry::new(&codec.tensors, stored.clone(), full, DType::F32.into())?);
    }
    let total = entries.iter().map(|(_, entry)| entry.bytes as u64).sum();
    progress.start("packing", total, "B");
    output::replace(path, |sink| write(entries, &header, progress, sink))?;
    progress.finish();
    Ok(())
}

/// Writes the file as safetensors lays it out.
fn write(
    mut entries: Vec<(String, Entry)>,
    header: &Header,
    progress: &dyn Progress,
    sink: &mut output::Sink,
) -> Result<()> {
    // The widest types first, so that each tensor begins at a multiple of its type.
    entries.sort_by(|(one, left), (other, right)| right.dtype().cmp(&left.dtype()).then(one.cmp(other)));
    let description = HashMap::from([(KEY.to_string(), serde_json::to_string(header)?)]);
    let info = |(name, entry): &(String, Entry)| (name.clone(), entry.dtype(), entry.shape.clone(), entry.bytes);
    write_safetensors_header(description, entries.iter().map(info), sink)?;
    for (_, entry) in &entries {
        let bytes = entry.read()?;
        sink.write_all(&bytes)?;
        progress.advance(bytes.len() as u64);
    }
    Ok(())
}

fn stage_entries(model: &Checkpoint<GptConfig>, part: &str, repr: Repr) -> Result<Vec<(String, Entry)>> {
    // Of two names of one tensor, as the fine stage's heads and tables, one is enough.
    let mut stored_once = std::collections::BTreeSet::new();
    let names = model.names.iter().filter(|(_, stored)| stored_once.insert(stored.as_str()));
    let entry = |(name, stored): (&String, &String)| {
        let full = format!("{part}{name}");
        Entry::new(&model.tensors, stored.clone(), full, chosen(name, repr))
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
struct Entry {
    tensors: Arc<dyn Tensors>,
    stored: String,
    repr: Repr,
    shape: Vec<usize>,
    bytes: usize,
}

impl Entry {
    fn new(tensors: &Arc<dyn Tensors>, stored: String, name: String, repr: Repr) -> Result<(String, Self)> {
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
        Ok((name, Self { tensors: tensors.clone(), stored, repr, shape, bytes: rows * row }))
    }

    fn dtype(&self) -> Dtype {
        match self.repr {
            Repr::Plain(DType::F32) => Dtype::F32,
            Repr::Plain(DType::F16) => Dtype::F16,
            Repr::Plain(DType::BF16) => Dtype::BF16,
            _ => Dtype::U8,
        }
    }

    fn read(&self) -> Result<Vec<u8>> {
        let array = self.tensors.array(&self.stored)?;
        stored::packed(&array.with_context(|| format!("tensor `{}` has gone", self.stored))?, self.repr)
    }
}

fn ending(repr: Repr) -> String {
    format!(".{repr}")
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
