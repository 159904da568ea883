//! The quantizer from HuBERT features to semantic tokens: gitmylo's `.pth` with its `.info`, or any state dict of that
//! form.

use super::file::{self, Opened};
use super::shapes::Shapes;
use super::{Checkpoint, folder, names};
use crate::net::quantizer::QuantizerConfig;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::path::Path;

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
        && let Some(info) = torch.info().with_context(|| shapes.unfit("its `.info` cannot be read"))?
    {
        let info: Info =
            serde_json::from_str(&info).with_context(|| shapes.unfit("its `.info` is not the quantizers' JSON"))?;
        info.check(&config).with_context(|| shapes.unfit("its `.info` contradicts its tensors: a damaged file"))?;
    }
    Checkpoint::new(config, tensors.clone(), names::quantizer)
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
