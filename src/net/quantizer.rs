//! HuBERT features to Bark's semantic tokens: gitmylo's quantizer (bark-voice-cloning-HuBERT-quantizer,
//! `customtokenizer.py`), an LSTM over the whole clip and one linear (version 0) or two (version 1).

mod config;
mod training;

pub use config::QuantizerConfig;
pub use training::{Batch, Engine, Learner, Optimizer, Parameter, Parameters, Slopes, Told};

use crate::net::layers::{Argmax, Linear};
use crate::net::lstm::{Lstm, State};
use crate::net::weights::Weights;
use anyhow::Result;
use candle_core::Tensor;

const LSTM_LAYERS: usize = 2;
/// Width of version 1's intermediate linear, fixed upstream.
const INTERMEDIATE: usize = 4096;

/// The net; `lstm.`, `intermediate.` and `fc.` are its keys.
pub struct Quantizer {
    lstm: Lstm,
    /// Version 1 alone; no activation follows it.
    intermediate: Option<Linear>,
    fc: Argmax,
    output_size: usize,
}

impl Quantizer {
    /// Refuses unknown versions, and tensors that are missing or of other shapes than `config` says.
    pub fn new(config: &QuantizerConfig, weights: &Weights) -> Result<Self> {
        config.check()?;
        let hidden = config.hidden_size;
        let lstm = Lstm::new(&weights.pp("lstm"), config.input_size, hidden, LSTM_LAYERS)?;
        let two = config.version == 1;
        let intermediate =
            two.then(|| Linear::new(&weights.pp("intermediate"), hidden, INTERMEDIATE, true)).transpose()?;
        let width = if two { INTERMEDIATE } else { hidden };
        let fc = Argmax::new(Linear::new(&weights.pp("fc"), width, config.output_size, true)?);
        weights.finish()?;
        Ok(Self { lstm, intermediate, fc, output_size: config.output_size })
    }

    /// Tokens are below this.
    pub fn vocab(&self) -> usize {
        self.output_size
    }

    /// `features` `[B, N, input_size]`, 50 Hz -> `[B, N, output_size]`
    pub fn logits(&self, features: &Tensor) -> Result<Tensor> {
        self.fc.forward(&self.between(self.lstm.forward(features)?)?)
    }

    /// `features` `[1, N, input_size]`, 50 Hz -> the likeliest token of each frame, `[N]`
    pub fn tokens(&self, features: &Tensor) -> Result<Vec<u32>> {
        self.tokens_from(features, &mut self.start()?)
    }

    /// Where a clip begins.
    pub fn start(&self) -> Result<State> {
        self.lstm.start(1)
    }

    /// [`Quantizer::tokens`] of the next part of a clip: on from `state`, which is left at its end.
    pub fn tokens_from(&self, features: &Tensor, state: &mut State) -> Result<Vec<u32>> {
        let hidden = self.lstm.forward_from(features, state)?;
        self.fc.largest(&self.between(hidden)?.squeeze(0)?)
    }

    /// `[B, N, hidden_size]` -> what the last linear takes.
    fn between(&self, hidden: Tensor) -> Result<Tensor> {
        match &self.intermediate {
            Some(intermediate) => intermediate.forward(&hidden),
            None => Ok(hidden),
        }
    }
}
