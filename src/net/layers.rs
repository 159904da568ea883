//! The layers that the nets are made of, each written once: on the CPU by our kernels, elsewhere by candle's.

mod argmax;

pub use argmax::Argmax;

use super::cpu::{self, map1, map2, map3};
use super::stored::{self, StoredMatrix};
use crate::kernels::{self, Epilogue, Norm, Sums};
use crate::net::repr::Repr;
use crate::net::weights::{Array, Weights};
use anyhow::{Result, ensure};
use candle_core::{D, DType, Device, Tensor};
use std::ops::Range;

/// `y = x Wᵀ + b` (torch.nn.Linear).
pub struct Linear {
    weight: Weight,
    bias: Option<Tensor>,
}

enum Weight {
    /// As it lies in the file, for the CPU's kernels.
    Host(StoredMatrix),
    /// `[out, inner]` on a device.
    Device(Tensor),
}

/// What follows a linear or a convolution in the same pass.
#[derive(Clone, Copy)]
pub enum Then<'a> {
    Nothing,
    /// GELU with the error function (torch.nn.GELU).
    Gelu,
    /// Adds a tensor of the output's shape.
    Add(&'a Tensor),
}

impl Then<'_> {
    /// In candle's operations, for other devices.
    pub fn apply(self, y: Tensor) -> Result<Tensor> {
        match self {
            Then::Nothing => Ok(y),
            Then::Gelu => Ok(y.gelu_erf()?),
            Then::Add(residual) => Ok((y + residual)?),
        }
    }
}

impl Linear {
    /// `weight` `[out, inner]` and, if `bias`, `bias` `[out]`.
    pub fn new(weights: &Weights, inner: usize, out: usize, bias: bool) -> Result<Self> {
        let bias = bias.then(|| weights.get(out, "bias")).transpose()?;
        Self::named(weights, "weight", inner, out, bias)
    }

    /// The weight `name` `[out, inner]` with a bias `[out]` that is at hand.
    pub fn named(weights: &Weights, name: &str, inner: usize, out: usize, bias: Option<Tensor>) -> Result<Self> {
        let weight = match cpu::runs_on(weights.device()) {
            true => Weight::Host(StoredMatrix::new(weights.array((out, inner), name)?)?),
            false => Weight::Device(weights.get((out, inner), name)?),
        };
        Ok(Self { weight, bias })
    }

    /// The bytes that a product reads of a weight on the host; 0 on a device.
    pub fn host_bytes(&self) -> usize {
        match &self.weight {
            Weight::Host(matrix) => matrix.bytes(),
            Weight::Device(_) => 0,
        }
    }

    /// The same layer with the weight in `q8_0` (see [`StoredMatrix::quantized`]); on a device the same.
    pub fn quantized(&self) -> Result<Self> {
        let weight = match &self.weight {
            Weight::Host(matrix) => Weight::Host(matrix.quantized()?),
            Weight::Device(weight) => Weight::Device(weight.clone()),
        };
        Ok(Self { weight, bias: self.bias.clone() })
    }

    /// How the weight's numbers are stored.
    pub fn repr(&self) -> Repr {
        match &self.weight {
            Weight::Host(matrix) => matrix.repr(),
            Weight::Device(weight) => weight.dtype().into(),
        }
    }

    fn outputs(&self) -> usize {
        match &self.weight {
            Weight::Host(matrix) => matrix.rows(),
            Weight::Device(weight) => weight.dims()[0],
        }
    }

    /// `x` `[.., inner]` -> `[.., out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_then(x, Then::Nothing, Sums::Blocked)
    }

    /// [`Linear::forward`], then `then`.
    pub fn forward_then(&self, x: &Tensor, then: Then, sums: Sums) -> Result<Tensor> {
        self.run(x, 0..self.outputs(), then, sums)
    }

    /// Only the outputs `wanted`: `x` `[.., inner]` -> `[.., wanted]`.
    pub fn forward_slice(&self, x: &Tensor, wanted: Range<usize>, sums: Sums) -> Result<Tensor> {
        self.run(x, wanted, Then::Nothing, sums)
    }

    fn run(&self, x: &Tensor, wanted: Range<usize>, then: Then, sums: Sums) -> Result<Tensor> {
        let mut shape = x.dims().to_vec();
        let inner = shape.pop().unwrap_or_default();
        shape.push(wanted.len());
        match &self.weight {
            Weight::Host(matrix) => self.run_host(matrix, &x.contiguous()?, wanted, (then, sums), shape),
            Weight::Device(weight) => {
                let y = x.reshape(((), inner))?.matmul(&weight.narrow(0, wanted.start, wanted.len())?.t()?)?;
                let y = match &self.bias {
                    Some(bias) => y.broadcast_add(&bias.narrow(0, wanted.start, wanted.len())?)?,
                    None => y,
                };
                then.apply(y.reshape(shape)?)
            }
        }
    }

    fn run_host(
        &self,
        weight: &StoredMatrix,
        x: &Tensor,
        wanted: Range<usize>,
        (then, sums): (Then, Sums),
        shape: Vec<usize>,
    ) -> Result<Tensor> {
        let (n, k) = (wanted.len(), weight.inner());
        ensure!(x.dim(D::Minus1)? == k, "a linear of {k} inputs was given {:?}", x.dims());
        let m = x.elem_count() / k;
        let w = weight.matrix(wanted.clone())?;
        let bias = self.bias.as_ref().map(|b| b.narrow(0, wanted.start, n)?.to_vec1::<f32>()).transpose()?;
        let layer = kernels::Linear { w, n, k, bias: bias.as_deref(), sums };
        match then {
            Then::Nothing => map1(x, shape, |v, out| product(v[0].flat(), m, layer, Epilogue::None, out)),
            Then::Gelu => map1(x, shape, |v, out| product(v[0].flat(), m, layer, Epilogue::Gelu, out)),
            Then::Add(residual) => map2(x, &residual.contiguous()?, shape, |v, out| {
                product(v[0].flat(), m, layer, Epilogue::Add(v[1].flat()), out)
            }),
        }
    }
}

/// `out[m, n] = x[m, k] wᵀ + bias`, then `then`. Where many rows may be summed in blocks, which computes rather than
/// reads, `x` is rounded to eight bits for weights of eight and four bits, as ggml does.
fn product(x: &[f32], m: usize, layer: kernels::Linear, then: Epilogue, out: &mut [f32]) {
    let blocked = layer.sums == Sums::Blocked && m > kernels::MOST_STREAMED;
    if blocked && matches!(layer.w, kernels::Matrix::Q8_0(_) | kernels::Matrix::Q4K(_)) {
        kernels::linear_rounded(x, m, layer, then, out);
    } else {
        kernels::linear_then(x, m, layer, then, out);
    }
}

/// `x` `[rows, in]` times the transpose of `weight` `[out, in]` -> `[rows, out]`.
pub fn matmul_t(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    if !cpu::runs_on(x.device()) {
        return Ok(x.matmul(&weight.t()?)?);
    }
    let ((m, k), n) = (x.dims2()?, weight.dim(0)?);
    map2(&x.contiguous()?, &weight.contiguous()?, (m, n), |v, out| {
        kernels::linear(v[0].flat(), m, kernels::Matrix::F32(v[1].flat()), n, k, None, out)
    })
}

/// Layer normalisation over the last dimension (torch.nn.LayerNorm).
#[derive(Clone)]
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
        let x = x.contiguous()?;
        if !cpu::runs_on(x.device()) {
            return Ok(candle_nn::ops::layer_norm(&x, &self.weight, &self.bias, self.eps)?);
        }
        let width = self.weight.dim(0)?;
        map3([&x, &self.weight, &self.bias], x.shape(), |v, out| {
            let norm = Norm { weight: v[1].flat(), bias: Some(v[2].flat()), eps: self.eps };
            kernels::layer_norm(v[0].flat(), width, norm, out)
        })
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

    /// `[B, C, T]` -> the same shape, normalised, then GELU with the error function (torch.nn.GELU).
    pub fn forward_gelu(&self, x: &Tensor) -> Result<Tensor> {
        if cpu::runs_on(x.device()) {
            let t = x.dim(2)?;
            let (weight, bias) = (self.weight.flatten_all()?.to_vec1()?, self.bias.flatten_all()?.to_vec1()?);
            let norm = Norm { weight: &weight, bias: Some(&bias), eps: self.eps as f32 };
            return cpu::map_copy(x, |x| {
                x.chunks_exact_mut(weight.len() * t).for_each(|row| kernels::channel_norm(row, t, norm));
                kernels::gelu(x);
            });
        }
        let centered = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centered.sqr()?.mean_keepdim(D::Minus1)?;
        let normed = centered.broadcast_div(&(variance + self.eps)?.sqrt()?)?;
        Ok(normed.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)?.gelu_erf()?)
    }
}

/// Rows of a table.
#[derive(Clone)]
pub enum Embedding {
    /// Looked up on the host: only the rows asked for ever leave the file.
    Host(Array),
    /// `[count, width]` on a device.
    Device(Tensor),
}

impl Embedding {
    /// `weight` `[count, width]`.
    pub fn new(weights: &Weights, count: usize, width: usize) -> Result<Self> {
        match cpu::runs_on(weights.device()) {
            true => Ok(Self::Host(weights.array((count, width), "weight")?)),
            false => Ok(Self::Device(weights.get((count, width), "weight")?)),
        }
    }

    /// `ids` `[n]` -> `[n, width]`.
    pub fn forward(&self, ids: &[u32]) -> Result<Tensor> {
        match self {
            Self::Host(table) => {
                Ok(Tensor::from_vec(stored::rows(table, ids)?, (ids.len(), table.shape[1]), &Device::Cpu)?)
            }
            Self::Device(table) => {
                stored::check_ids(ids, table.dim(0)?)?;
                Ok(table.index_select(&Tensor::new(ids, table.device())?, 0)?)
            }
        }
    }
}

/// Softmax attention of `heads` heads, `softmax(q kᵀ / sqrt(d)) v`: `q` `[t, heads * d]`, `k` and `v` `[n, heads * d]`
/// or `[heads, n, d]`, in any strides over rows and heads -> `[t, heads * d]`.
///
/// On a CPU keys and values may be f16. With `mask` the queries are the last `t` of `n` positions and see what came
/// before; see [`causal_mask`].
pub fn attention([q, k, v]: [&Tensor; 3], heads: usize, mask: &Mask) -> Result<Tensor> {
    let (t, width) = q.dims2()?;
    if cpu::runs_on(q.device()) {
        return cpu::attention([q, k, v], heads, !matches!(mask, Mask::None));
    }
    let [q, k, v] = [split_heads(q, heads)?, split_heads(k, heads)?, split_heads(v, heads)?];
    Ok(mixed_values([&q, &k, &v], mask)?.transpose(0, 1)?.reshape((t, width))?)
}

/// `softmax(q kᵀ / sqrt(d) + mask) v` in candle's operations: `q` `[.., heads, t, d]`, `k` and `v` `[.., heads, n, d]`
/// -> `[.., heads, t, d]`. Keys and values may be part of a longer cache: products read them where they lie.
pub fn mixed_values([q, k, v]: [&Tensor; 3], mask: &Mask) -> Result<Tensor> {
    let scores = (q * (1.0 / (q.dim(D::Minus1)? as f64).sqrt()))?.matmul(&k.t()?)?;
    let scores = match mask {
        Mask::Scores(mask) => scores.broadcast_add(mask)?,
        Mask::None | Mask::Causal => scores,
    };
    Ok(candle_nn::ops::softmax_last_dim(&scores)?.matmul(v)?)
}

/// [`attention`] of each row of `q` `[rows, heads * d]`, one query, over keys and values of its own, `[heads, n, d]` each:
/// `[rows, heads * d]`. Each row has what it has alone.
pub fn attention_each(q: &Tensor, held: &[[Tensor; 2]], heads: usize) -> Result<Tensor> {
    if cpu::runs_on(q.device()) {
        return cpu::attention_each(q, held, heads);
    }
    let row = |(i, [k, v]): (usize, &[Tensor; 2])| attention([&q.narrow(0, i, 1)?, k, v], heads, &Mask::Causal);
    Ok(Tensor::cat(&held.iter().enumerate().map(row).collect::<Result<Vec<_>>>()?, 0)?)
}

/// What attention may look at.
pub enum Mask {
    /// Everything.
    None,
    /// What came before, where the kernel knows how, or where there is one query, which comes last.
    Causal,
    /// `[.., t, n]`, added to the scores.
    Scores(Tensor),
}

/// `t` queries after `past` positions see what came before.
pub fn causal_mask(t: usize, past: usize, dtype: DType, device: &Device) -> Result<Mask> {
    if cpu::runs_on(device) || t == 1 {
        return Ok(Mask::Causal);
    }
    let seen = |i: usize, j: usize| if j > past + i { f32::NEG_INFINITY } else { 0.0 };
    let values: Vec<f32> = (0..t).flat_map(|i| (0..past + t).map(move |j| seen(i, j))).collect();
    Ok(Mask::Scores(Tensor::from_vec(values, (t, past + t), device)?.to_dtype(dtype)?))
}

/// `[t, heads * d]` -> `[heads, t, d]`, contiguous; what is `[heads, t, d]` already stays as it is.
pub fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    match x.dims() {
        [t, width] => Ok(x.reshape((*t, heads, width / heads))?.transpose(0, 1)?.contiguous()?),
        _ => Ok(x.clone()),
    }
}
