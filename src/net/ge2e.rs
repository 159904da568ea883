//! A voice as 256 numbers: the speaker encoder of "Generalized End-to-End Loss for Speaker Verification" (Wan et al.
//! 2018) as CorentinJ's Real-Time-Voice-Cloning and Resemblyzer have it, three LSTM layers and a linear.

use crate::net::layers::Linear;
use crate::net::lstm::Lstm;
use crate::net::weights::Weights;
use anyhow::Result;
use candle_core::Tensor;

/// Mel bands that it hears, and the numbers that it makes of them.
pub const BANDS: usize = 40;
pub const EMBEDDING: usize = 256;
const HIDDEN: usize = 256;
const LAYERS: usize = 3;

/// The net; `lstm.` and `linear.` are its keys.
pub struct Ge2e {
    lstm: Lstm,
    linear: Linear,
}

impl Ge2e {
    /// Refuses tensors that are missing or of other shapes than the published ones.
    pub fn new(weights: &Weights) -> Result<Self> {
        let lstm = Lstm::new(&weights.pp("lstm"), BANDS, HIDDEN, LAYERS)?;
        let linear = Linear::new(&weights.pp("linear"), HIDDEN, EMBEDDING, true)?;
        weights.finish()?;
        Ok(Self { lstm, linear })
    }

    /// `mels` `[B, T, 40]`, mel power at 100 Hz -> `[B, 256]`, none below 0; their length is not 1 yet.
    pub fn forward(&self, mels: &Tensor) -> Result<Tensor> {
        let hidden = self.lstm.forward(mels)?; // [B, T, 256]
        let last = hidden.narrow(1, hidden.dim(1)? - 1, 1)?.squeeze(1)?; // [B, 256]
        Ok(self.linear.forward(&last)?.relu()?)
    }
}
