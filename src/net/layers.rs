//! The layers that the nets are made of, each written once for every device.

use crate::weights::{Array, Weights};
use anyhow::{Result, ensure};
use candle_core::{D, DType, Device, Tensor};
use std::ops::Range;

/// `y = x Wᵀ + b` (torch.nn.Linear).
pub struct Linear {
    /// `[out, inner]`
    pub weight: Tensor,
    /// `[out]`
    pub bias: Option<Tensor>,
}

impl Linear {
    /// `weight` `[out, inner]` and, if `bias`, `bias` `[out]`.
    pub fn new(weights: &Weights, inner: usize, out: usize, bias: bool) -> Result<Self> {
        let weight = weights.get((out, inner), "weight")?;
        let bias = bias.then(|| weights.get(out, "bias")).transpose()?;
        Ok(Self { weight, bias })
    }

    /// `x` `[.., inner]` -> `[.., out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.project(x, &self.weight, self.bias.as_ref())
    }

    /// Only the outputs `wanted`: `x` `[.., inner]` -> `[.., wanted]`.
    pub fn forward_slice(&self, x: &Tensor, wanted: Range<usize>) -> Result<Tensor> {
        let slice = |t: &Tensor| t.narrow(0, wanted.start, wanted.len());
        let bias = self.bias.as_ref().map(slice).transpose()?;
        self.project(x, &slice(&self.weight)?, bias.as_ref())
    }

    fn project(&self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let (rows, inner) = (x.elem_count() / x.dim(D::Minus1)?, x.dim(D::Minus1)?);
        let mut shape = x.dims().to_vec();
        let y = x.reshape((rows, inner))?.matmul(&weight.t()?)?;
        let y = match bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        };
        *shape.last_mut().unwrap_or(&mut 0) = weight.dim(0)?;
        Ok(y.reshape(shape)?)
    }
}

/// `x` `[rows, in]` times the transpose of `weight` `[out, in]` -> `[rows, out]`
pub fn matmul_t(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    Ok(x.matmul(&weight.t()?)?)
}

/// Layer normalisation over the last dimension (torch.nn.LayerNorm).
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f32,
}

impl LayerNorm {
    /// `weight` `[width]` and, if `bias`, `bias` `[width]`.
    pub fn new(weights: &Weights, width: usize, eps: f64, bias: bool) -> Result<Self> {
        let weight = weights.get(width, "weight")?;
        let bias = if bias { weights.get(width, "bias")? } else { weight.zeros_like()? };
        Ok(Self { weight, bias, eps: eps as f32 })
    }

    /// `x` `[.., width]` -> the same shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(candle_nn::ops::layer_norm(&x.contiguous()?, &self.weight, &self.bias, self.eps)?)
    }
}

/// Normalises every channel of `[B, C, T]` over time (a GroupNorm of as many groups as channels).
pub struct ChannelNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl ChannelNorm {
    /// Reads `weight` and `bias`, both `[channels]`.
    pub fn new(weights: &Weights, channels: usize, eps: f64) -> Result<Self> {
        let read = |name| -> Result<Tensor> { Ok(weights.get(channels, name)?.reshape((1, channels, 1))?) };
        Ok(Self { weight: read("weight")?, bias: read("bias")?, eps })
    }

    /// `[B, C, T]` -> the same shape
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let centered = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centered.sqr()?.mean_keepdim(D::Minus1)?;
        let normed = centered.broadcast_div(&(variance + self.eps)?.sqrt()?)?;
        Ok(normed.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)?)
    }
}

/// Rows of a table, looked up on the host: only the rows asked for ever leave the file.
pub struct Embedding {
    table: Array,
    dtype: DType,
    device: Device,
}

impl Embedding {
    /// `weight` `[count, width]`.
    pub fn new(weights: &Weights, count: usize, width: usize) -> Result<Self> {
        let table = weights.array((count, width), "weight")?;
        Ok(Self { table, dtype: weights.dtype(), device: weights.device().clone() })
    }

    /// `ids` `[n]` -> `[n, width]`.
    pub fn forward(&self, ids: &[u32]) -> Result<Tensor> {
        let (count, width) = (self.table.shape[0], self.table.shape[1]);
        let row = width * self.table.dtype.size_in_bytes();
        let mut bytes = Vec::with_capacity(ids.len() * row);
        for &id in ids {
            ensure!((id as usize) < count, "id {id} is out of range 0..{count}: does the tokenizer fit the model?");
            bytes.extend_from_slice(&self.table.bytes[id as usize * row..][..row]);
        }
        let rows = Tensor::from_raw_buffer(&bytes, self.table.dtype, &[ids.len(), width], &Device::Cpu)?;
        Ok(rows.to_dtype(self.dtype)?.to_device(&self.device)?)
    }
}

/// GELU with the error function (torch.nn.GELU).
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    Ok(x.gelu_erf()?)
}

/// Softmax attention of `heads` heads: `q` `[h, t, d]`, `k` and `v` `[h, n, d]` -> `[t, h * d]`.
/// `mask` `[t, n]` is added to the scores.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let (heads, t, d) = q.dims3()?;
    let scores = (q.contiguous()?.matmul(&k.t()?)? * (1.0 / (d as f64).sqrt()))?;
    let scores = match mask {
        Some(mask) => scores.broadcast_add(mask)?,
        None => scores,
    };
    let mixed = candle_nn::ops::softmax_last_dim(&scores)?.matmul(&v.contiguous()?)?;
    Ok(mixed.transpose(0, 1)?.reshape((t, heads * d))?)
}

/// Attention of every query to every key: `softmax(q k^T / sqrt(width)) v`, all `[B, heads, T, width]`.
pub fn attend_all(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
    let scale = 1.0 / (q.dim(D::Minus1)? as f64).sqrt();
    let scores = (q.contiguous()?.matmul(&k.transpose(2, 3)?.contiguous()?)? * scale)?;
    Ok(candle_nn::ops::softmax_last_dim(&scores)?.matmul(&v.contiguous()?)?)
}

/// `[t, past + t]`: 0 where position `past + i` may look at position `j`, minus infinity where `j` is later.
pub fn causal_mask(t: usize, past: usize, dtype: DType, device: &Device) -> Result<Tensor> {
    let values: Vec<f32> =
        (0..t).flat_map(|i| (0..past + t).map(move |j| if j > past + i { f32::NEG_INFINITY } else { 0.0 })).collect();
    Ok(Tensor::from_vec(values, (t, past + t), device)?.to_dtype(dtype)?)
}

/// `[t, heads * d]` -> `[heads, t, d]`.
pub fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (t, width) = x.dims2()?;
    Ok(x.reshape((t, heads, width / heads))?.transpose(0, 1)?.contiguous()?)
}
