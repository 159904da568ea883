//! The quantizer from HuBERT features to semantic tokens: gitmylo's `.pth` with its `.info`, or any state dict of that
//! form.

use super::file::{self, Opened, TorchWriter, write_tensor, write_text};
use super::shapes::Shapes;
use super::{Checkpoint, folder, names};
use crate::error::Kind;
use crate::net::quantizer::{Parameters, QuantizerConfig};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::{Seek, Write};
use std::path::Path;

/// What gitmylo's trainer adds to a file, and every reader looks for.
const INFO: &str = ".info";
/// What this program's trainer adds besides; other readers pass it over.
const RECORD: &str = ".training";
/// The marks of the sounds that it learned from, one after the other.
const SOUNDS: &str = ".sounds";

/// Opens the quantizer at `path`, a file or its folder. Sizes are the tensors'; an `.info` in the file must agree.
///
/// # Errors
/// Kind [`crate::error::Kind::Model`], naming the file: none there, damaged, or of another kind.
pub fn quantizer(path: &Path) -> Result<Checkpoint<QuantizerConfig>> {
    of(&file::open(&folder::weights(path)?)?)
}

/// The quantizer that an opened file holds.
pub(super) fn of(opened: &Opened) -> Result<Checkpoint<QuantizerConfig>> {
    let tensors = opened.tensors()?;
    let shapes = Shapes::new(&*tensors, names::quantizer)?;
    let config = infer(&shapes)?;
    shapes.explain(config.check())?;
    if let Opened::Torch(torch) = opened
        && let Some(info) = torch.note(INFO).with_context(|| shapes.unfit("its `.info` cannot be read"))?
    {
        let info: Info =
            serde_json::from_str(&info).with_context(|| shapes.unfit("its `.info` is not the quantizers' JSON"))?;
        info.check(&config).with_context(|| shapes.unfit("its `.info` contradicts its tensors: a damaged file"))?;
    }
    Checkpoint::new(config, tensors.clone(), names::quantizer)
}

/// What a quantizer was trained on and how, as [`write_quantizer`] keeps it in the file. Every part may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingRecord {
    /// The program that trained it, with its version.
    pub tool: String,
    /// The day it was trained, UTC, as `2026-11-22`.
    pub date: Option<String>,
    /// Of the speakers, as `pt`.
    pub language: Option<String>,
    /// The folder of pairs, and what was in it.
    pub data: String,
    pub clips: usize,
    pub seconds: f64,
    /// How copies of the sounds were changed that were learned from besides.
    pub augment: Option<String>,
    /// The epoch that these weights are of, and how many there were; 0: not known, as earlier versions left it out.
    pub epoch: usize,
    pub epochs: usize,
    /// The share of held-out tokens that it gets right, and their mean loss.
    pub accuracy: Option<f64>,
    pub loss: Option<f64>,
    /// The quantizer that training began with.
    pub init: Option<String>,
    /// The HuBERT whose features it was trained on.
    pub hubert: String,
    pub licence: Option<String>,
    pub consent: Option<String>,
}

/// What the quantizer at `path` says of its training; other trainers' say nothing.
///
/// # Errors
/// Kind [`Kind::Model`], naming the file: damaged.
pub fn training_record(path: &Path) -> Result<Option<TrainingRecord>> {
    let Opened::Torch(torch) = file::open(&folder::weights(path)?)? else { return Ok(None) };
    let damaged = || Kind::Model.error(format!("{}: its record of training cannot be read", path.display()));
    let Some(text) = torch.note(RECORD).with_context(damaged)? else { return Ok(None) };
    serde_json::from_str(&text).with_context(damaged).map(Some)
}

/// The marks of the sounds that the quantizer at `path` learned from, each of `digits` digits; none where it does not say.
///
/// # Errors
/// Kind [`Kind::Model`], naming the file: damaged.
pub fn training_sounds(path: &Path, digits: usize) -> Result<BTreeSet<String>> {
    let Opened::Torch(torch) = file::open(&folder::weights(path)?)? else { return Ok(BTreeSet::new()) };
    let damaged = || Kind::Model.error(format!("{}: its list of sounds cannot be read", path.display()));
    let marks = torch.note(SOUNDS).with_context(damaged)?.unwrap_or_default();
    let mark = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(marks.as_bytes().chunks_exact(digits).map(mark).collect())
}

/// Writes a quantizer as gitmylo's trainer does (`customtokenizer.py`, `CustomTokenizer.save`), and what is known of its
/// training beside the sizes: the record, and the marks of the sounds. The entries lie in the folder `name` of the archive.
pub fn write_quantizer(
    parameters: &Parameters,
    (record, sounds): (&TrainingRecord, &BTreeSet<String>),
    name: &str,
    sink: &mut (impl Write + Seek),
) -> Result<()> {
    let mut pickle = b"\x80\x02ccollections\nOrderedDict\n)R(".to_vec();
    for (tensor, storage) in parameters.tensors.iter().zip(0..) {
        write_text(&mut pickle, &tensor.name)?;
        write_tensor(&mut pickle, &tensor.shape, storage, "FloatStorage")?;
    }
    pickle.extend(b"u.");
    let mut writer = TorchWriter::new(sink, name, &pickle)?;
    for (index, tensor) in parameters.tensors.iter().enumerate() {
        writer.entry(&format!("data/{index}"), bytemuck::cast_slice(&tensor.values))?;
    }
    writer.entry(INFO, &serde_json::to_vec(&parameters.config)?)?;
    writer.entry(RECORD, &serde_json::to_vec(record)?)?;
    writer.entry(SOUNDS, sounds.iter().map(String::as_str).collect::<String>().as_bytes())?;
    writer.finish()
}

/// The sizes that the trainer notes in the file.
#[derive(Deserialize)]
struct Info {
    input_size: Option<usize>,
    hidden_size: Option<usize>,
    output_size: Option<usize>,
    version: Option<u32>,
}

impl Info {
    /// Refuses a configuration that differs from what is noted.
    fn check(&self, config: &QuantizerConfig) -> Result<()> {
        let stated = QuantizerConfig {
            input_size: self.input_size.unwrap_or(config.input_size),
            hidden_size: self.hidden_size.unwrap_or(config.hidden_size),
            output_size: self.output_size.unwrap_or(config.output_size),
            version: self.version.unwrap_or(config.version),
        };
        ensure!(stated == *config, "{stated:?} is noted, the tensors are of {config:?}");
        Ok(())
    }
}

/// Version 1 has a linear between the LSTM and the output, version 0 none.
fn infer(shapes: &Shapes) -> Result<QuantizerConfig> {
    let [gates, input_size] = shapes.get("lstm.weight_ih_l0")?;
    let [output_size, _] = shapes.get("fc.weight")?;
    let version = u32::from(shapes.has("intermediate.weight"));
    Ok(QuantizerConfig { input_size, hidden_size: gates / 4, output_size, version })
}
