//! Where a training stands after an epoch, in one file: the weights, the optimiser's moments, the best weights so far and
//! the history. It replaces the one of the epoch before when it is complete, so that a kill costs the epoch under way.

use super::trainer::Epoch;
use crate::checkpoint::file::{self, safetensors_metadata, write_safetensors_header};
use crate::error::Kind;
use crate::net::quantizer::{Optimizer, Parameters};
use crate::net::weights::Tensors;
use crate::output;
use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device};
use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

/// Where the header keeps the history.
const KEY: &str = "barkclone_training";
/// What the tensors of one name are.
const PARTS: [&str; 4] = ["weights", "first", "second", "best"];

/// What a training goes on from.
pub struct State {
    pub parameters: Parameters,
    pub optimizer: Optimizer,
    pub best: Parameters,
    pub history: Vec<Epoch>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    /// Tells trainings apart.
    key: String,
    step: u64,
    history: Vec<Epoch>,
}

impl State {
    /// Writes the training `key` to `path`.
    pub fn write(&self, key: &str, path: &Path) -> Result<()> {
        let header = Header { key: key.into(), step: self.optimizer.step, history: self.history.clone() };
        let said = HashMap::from([(KEY.to_owned(), serde_json::to_string(&header)?)]);
        let tensors: Vec<_> = (0..self.parameters.tensors.len()).flat_map(|index| self.tensors(index)).collect();
        let infos =
            tensors.iter().map(|(name, shape, values)| (name.clone(), Dtype::F32, shape.to_vec(), 4 * values.len()));
        output::replace(path, |sink| {
            write_safetensors_header(said, infos, sink)?;
            tensors.iter().try_for_each(|(.., values)| Ok(sink.write_all(bytemuck::cast_slice(values))?))
        })
    }

    fn tensors(&self, index: usize) -> [(String, &[usize], &[f32]); 4] {
        let (tensor, best) = (&self.parameters.tensors[index], &self.best.tensors[index]);
        let [first, second] = self.optimizer.moments.each_ref().map(|moments| &moments[index][..]);
        let values = [&tensor.values[..], first, second, &best.values[..]];
        std::array::from_fn(|part| (format!("{}.{}", PARTS[part], tensor.name), &tensor.shape[..], values[part]))
    }

    /// Reads what [`State::write`] wrote, over a state of the same sizes.
    ///
    /// # Errors
    /// Kind [`Kind::Usage`]: of another training; [`Kind::Input`]: damaged.
    pub fn read(&mut self, key: &str, path: &Path) -> Result<()> {
        let damaged = || Kind::Input.error(format!("{}: damaged; --restart begins anew", path.display()));
        let said = safetensors_metadata(path)?.and_then(|said| said.get(KEY).cloned()).with_context(damaged)?;
        let header: Header = serde_json::from_str(&said).with_context(damaged)?;
        let other = "holds a training of other data or settings that was stopped; give those again, or --restart";
        ensure!(header.key == key, Kind::Usage.error(format!("{}: {other}", path.display())));
        let tensors = file::open(path)?.tensors()?;
        self.fill(&*tensors).with_context(damaged)?;
        (self.optimizer.step, self.history) = (header.step, header.history);
        Ok(())
    }

    fn fill(&mut self, tensors: &dyn Tensors) -> Result<()> {
        for index in 0..self.parameters.tensors.len() {
            let name = self.parameters.tensors[index].name.clone();
            let [first, second] = &mut self.optimizer.moments;
            let (tensor, best) = (&mut self.parameters.tensors[index], &mut self.best.tensors[index]);
            let places = [&mut tensor.values, &mut first[index], &mut second[index], &mut best.values];
            for (part, place) in PARTS.iter().zip(places) {
                let array = tensors.array(&format!("{part}.{name}"))?.context("a tensor is missing")?;
                let values: Vec<f32> = array.tensor(DType::F32, &Device::Cpu)?.flatten_all()?.to_vec1()?;
                ensure!(values.len() == place.len(), "a tensor is of another size");
                *place = values;
            }
        }
        Ok(())
    }
}
