//! Attention with a linear each for queries, keys, values and what they give, as transformers' HuBERT and Whisper have it.

use super::layers::{Linear, Mask, Then, attention};
use super::weights::Weights;
use crate::kernels::Sums;
use anyhow::Result;
use candle_core::Tensor;

/// Fields are the keys of the Hugging Face layout.
pub struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    pub heads: usize,
}

impl Attention {
    /// `key_bias`: whether the linear of keys has one, too.
    pub fn new(weights: &Weights, width: usize, heads: usize, key_bias: bool) -> Result<Self> {
        let linear = |name, bias| Linear::new(&weights.pp(name), width, width, bias);
        Ok(Self {
            q_proj: linear("q_proj", true)?,
            k_proj: linear("k_proj", key_bias)?,
            v_proj: linear("v_proj", true)?,
            out_proj: linear("out_proj", true)?,
            heads,
        })
    }

    /// Of `x` `[n, width]`, the same shape each.
    pub fn keys_and_values(&self, x: &Tensor) -> Result<[Tensor; 2]> {
        Ok([self.k_proj.forward(x)?, self.v_proj.forward(x)?])
    }

    /// `x` `[t, width]` looks at `k` and `v`; `residual` is added.
    pub fn mix(&self, x: &Tensor, [k, v]: [&Tensor; 2], mask: &Mask, residual: &Tensor) -> Result<Tensor> {
        let mixed = attention([&self.q_proj.forward(x)?, k, v], self.heads, mask)?;
        self.out_proj.forward_then(&mixed, Then::Add(residual), Sums::Blocked)
    }

    /// `x` `[t, width]` looks at itself; `residual` is added.
    pub fn mix_itself(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let [k, v] = self.keys_and_values(x)?;
        self.mix(x, [&k, &v], &Mask::None, residual)
    }
}
