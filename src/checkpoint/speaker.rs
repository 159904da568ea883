//! Speaker encoders: GE2E as Real-Time-Voice-Cloning's and Resemblyzer's `.pt`, whose state dict lies under
//! `model_state` beside its optimizer's, and ECAPA-TDNN as speechbrain's `embedding_model.ckpt`, a plain state dict.

use super::file::{self, Opened};
use super::shapes::Shapes;
use super::{Checkpoint, folder, names};
use crate::net::ecapa::{BANDS, EcapaConfig};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

/// The net of weights in speechbrain's folders, beside others that classify and normalise.
const SPEECHBRAIN: &str = "embedding_model.ckpt";

/// Which net a file holds; GE2E's sizes are fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpeakerConfig {
    Ge2e,
    Ecapa(EcapaConfig),
}

/// Opens the speaker encoder at `path`, a file or its folder.
///
/// # Errors
/// Kind [`crate::error::Kind::Model`], naming the file: none there, damaged, or of another kind.
pub fn speaker(path: &Path) -> Result<Checkpoint<SpeakerConfig>> {
    let opened = file::open(&weights(path)?)?;
    let tensors = match &opened {
        Opened::Torch(torch) => match torch.root().get("model_state") {
            Some(state) => torch.tensors(state)?,
            None => opened.tensors()?,
        },
        Opened::Tensors(tensors) => tensors.clone(),
    };
    let shapes = Shapes::new(&*tensors, names::speaker)?;
    let config = if shapes.has("asp_bn.norm.weight") { ecapa(&shapes) } else { ge2e(&shapes) }?;
    Checkpoint::new(config, tensors, names::speaker)
}

fn weights(path: &Path) -> Result<PathBuf> {
    let speechbrain = path.join(SPEECHBRAIN);
    if speechbrain.is_file() { Ok(speechbrain) } else { folder::weights(path) }
}

fn ge2e(shapes: &Shapes) -> Result<SpeakerConfig> {
    let ends = (shapes.get("lstm.weight_ih_l0")?, shapes.get("linear.weight")?);
    ensure!(ends == ([1024, 40], [256, 256]), shapes.unfit("no speaker encoder of GE2E: its sizes are others"));
    Ok(SpeakerConfig::Ge2e)
}

fn ecapa(shapes: &Shapes) -> Result<SpeakerConfig> {
    let [channels, bands, _] = shapes.get("blocks.0.conv.conv.weight")?;
    let [pooled, _, _] = shapes.get("mfa.conv.conv.weight")?;
    let [attention, _, _] = shapes.get("asp.tdnn.conv.conv.weight")?;
    let [squeeze, _, _] = shapes.get("blocks.1.se_block.conv1.conv.weight")?;
    let [embedding, _, _] = shapes.get("fc.conv.weight")?;
    ensure!(
        bands == BANDS,
        shapes.unfit(&format!("ECAPA-TDNN of other features: it hears {bands} bands, not {BANDS}"))
    );
    Ok(SpeakerConfig::Ecapa(EcapaConfig { channels, pooled, attention, squeeze, embedding }))
}
