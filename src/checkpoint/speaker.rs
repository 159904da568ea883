//! Speaker encoders: Real-Time-Voice-Cloning's and Resemblyzer's `.pt`, whose state dict lies under `model_state`
//! beside its optimizer's.

use super::file::{self, Opened};
use super::shapes::Shapes;
use super::{Checkpoint, folder, names};
use anyhow::{Result, ensure};
use std::path::Path;

/// Opens the speaker encoder at `path`, a file or its folder. Its sizes are fixed.
///
/// # Errors
/// Kind [`crate::error::Kind::Model`], naming the file: none there, damaged, or of another kind.
pub fn speaker(path: &Path) -> Result<Checkpoint<()>> {
    let opened = file::open(&folder::weights(path)?)?;
    let tensors = match &opened {
        Opened::Torch(torch) => match torch.root().get("model_state") {
            Some(state) => torch.tensors(state)?,
            None => opened.tensors()?,
        },
        Opened::Tensors(tensors) => tensors.clone(),
    };
    let shapes = Shapes::new(&*tensors, names::ge2e)?;
    let ends = (shapes.get("lstm.weight_ih_l0")?, shapes.get("linear.weight")?);
    ensure!(ends == ([1024, 40], [256, 256]), shapes.unfit("no speaker encoder of GE2E: its sizes are others"));
    Checkpoint::new((), tensors, names::ge2e)
}
