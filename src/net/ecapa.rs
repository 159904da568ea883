//! A voice as 192 numbers: ECAPA-TDNN (Desplanques et al. 2020, arXiv 2005.07143) as speechbrain's
//! `lobes/models/ECAPA_TDNN.py` has it. Convolutions over time, each with ReLU and batch norm after it; blocks of
//! them whose channels see ever more time; a mean and a standard deviation over time, weighted by attention.

use crate::net::conv::{Conv1d, Geometry};
use crate::net::layers::Then;
use crate::net::weights::Weights;
use anyhow::Result;
use candle_core::{D, DType, Tensor};

/// Mel bands that the published net hears.
pub const BANDS: usize = 80;
/// Groups of a block's channels, each of which hears the one before it too.
const SCALE: usize = 8;
/// What batch norm adds to a variance (torch's default).
const EPSILON: f64 = 1e-5;
/// Least variance over time.
const LEAST_VARIANCE: f64 = 1e-12;
/// Kernel and dilation of the first convolution, and of the blocks'.
const FIRST: [usize; 2] = [5, 1];
const BLOCKS: [[usize; 2]; 3] = [[3, 2], [3, 3], [3, 4]];

/// The sizes that differ between its trainings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcapaConfig {
    pub channels: usize,
    /// Channels of what is pooled over time, and of the attention that weighs it.
    pub pooled: usize,
    pub attention: usize,
    /// Channels of the gates.
    pub squeeze: usize,
    pub embedding: usize,
}

/// The net; the tensors' names are speechbrain's.
pub struct Ecapa {
    first: Tdnn,
    blocks: Vec<Block>,
    joined: Tdnn,
    attention: (Tdnn, Conv1d),
    norm: BatchNorm,
    last: Conv1d,
}

impl Ecapa {
    /// Refuses tensors that are missing or of other shapes.
    pub fn new(config: &EcapaConfig, weights: &Weights) -> Result<Self> {
        let EcapaConfig { channels, pooled, attention, embedding, .. } = *config;
        let block =
            |(i, form): (usize, &[usize; 2])| Block::new(&weights.pp(format!("blocks.{}", i + 1)), config, *form);
        let net = Self {
            first: Tdnn::new(&weights.pp("blocks.0"), [BANDS, channels], FIRST)?,
            blocks: BLOCKS.iter().enumerate().map(block).collect::<Result<_>>()?,
            joined: Tdnn::new(&weights.pp("mfa"), [BLOCKS.len() * channels, pooled], [1, 1])?,
            attention: (
                Tdnn::new(&weights.pp("asp.tdnn"), [3 * pooled, attention], [1, 1])?,
                conv(&weights.pp("asp.conv"), [attention, pooled], [1, 1])?,
            ),
            norm: BatchNorm::new(&weights.pp("asp_bn"), 2 * pooled)?,
            last: conv(&weights.pp("fc"), [2 * pooled, embedding], [1, 1])?,
        };
        weights.finish()?;
        Ok(net)
    }

    /// `mels` `[B, T, 80]`, dB less each band's mean, 100 Hz, at least one frame -> `[B, embedding]`, of any length.
    pub fn forward(&self, mels: &Tensor) -> Result<Tensor> {
        let mut x = self.first.forward(&mels.transpose(1, 2)?.contiguous()?)?; // [B, C, T]
        let mut heard = Vec::new();
        for block in &self.blocks {
            x = block.forward(&x)?;
            heard.push(x.clone());
        }
        let x = self.joined.forward(&Tensor::cat(&heard, 1)?)?; // [B, P, T]
        let pooled = self.norm.forward(&self.pool(&x)?)?; // [B, 2P, 1]
        Ok(self.last.forward(&pooled, Then::Nothing)?.squeeze(2)?)
    }

    /// `x` `[B, P, T]` -> its weighted means and deviations over time, `[B, 2P, 1]`.
    fn pool(&self, x: &Tensor) -> Result<Tensor> {
        let even = (x.ones_like()? / x.dim(2)? as f64)?;
        let whole = moments(x, &even)?.map(|moment| moment.broadcast_as(x.shape()));
        let [mean, deviation] = whole;
        let context = Tensor::cat(&[x, &mean?, &deviation?], 1)?; // [B, 3P, T]
        let hidden = self.attention.0.forward(&context)?.tanh()?;
        let scores = self.attention.1.forward(&hidden, Then::Nothing)?;
        let [mean, deviation] = moments(x, &candle_nn::ops::softmax_last_dim(&scores)?)?;
        Ok(Tensor::cat(&[mean, deviation], 1)?)
    }
}

/// Mean and standard deviation over time, `[B, P, 1]` each, of `x` `[B, P, T]` under `weights` of that shape.
fn moments(x: &Tensor, weights: &Tensor) -> Result<[Tensor; 2]> {
    let mean = (x * weights)?.sum_keepdim(D::Minus1)?;
    let variance = (x.broadcast_sub(&mean)?.sqr()? * weights)?.sum_keepdim(D::Minus1)?;
    Ok([mean, variance.maximum(LEAST_VARIANCE)?.sqrt()?])
}

/// Convolution, ReLU, batch norm.
struct Tdnn {
    conv: Conv1d,
    norm: BatchNorm,
}

impl Tdnn {
    /// From and to so many channels; kernel and dilation.
    fn new(weights: &Weights, channels: [usize; 2], form: [usize; 2]) -> Result<Self> {
        Ok(Self {
            conv: conv(&weights.pp("conv"), channels, form)?,
            norm: BatchNorm::new(&weights.pp("norm"), channels[1])?,
        })
    }

    /// `x` `[B, in, T]` -> `[B, out, T]`: its ends are mirrored.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let side = self.conv.geometry.dilation * (self.conv.weight.dim(2)? - 1) / 2;
        self.norm.forward(&self.conv.forward_reflect(x, [side, side], Then::Nothing)?.relu()?)
    }
}

fn conv(weights: &Weights, [from, to]: [usize; 2], [kernel, dilation]: [usize; 2]) -> Result<Conv1d> {
    Ok(Conv1d {
        weight: weights.get((to, from, kernel), "conv.weight")?,
        bias: Some(weights.get(to, "conv.bias")?),
        geometry: Geometry { dilation, ..Geometry::default() },
        elu: false,
    })
}

/// A batch norm as it is after training: `x * scale + shift`, both `[1, C, 1]`.
struct BatchNorm {
    scale: Tensor,
    shift: Tensor,
}

impl BatchNorm {
    fn new(weights: &Weights, channels: usize) -> Result<Self> {
        let [weight, bias, mean, variance] = ["weight", "bias", "running_mean", "running_var"]
            .map(|name| weights.get(channels, &format!("norm.{name}")));
        let variance = (variance?.to_dtype(DType::F64)? + EPSILON)?;
        let scale = weight?.div(&variance.sqrt()?.to_dtype(weights.dtype())?)?;
        let shift = (bias? - (mean? * &scale)?)?;
        Ok(Self { scale: scale.reshape((1, channels, 1))?, shift: shift.reshape((1, channels, 1))? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.broadcast_mul(&self.scale)?.broadcast_add(&self.shift)?)
    }
}

/// A block: its channels in groups, each after the one before it, and a gate for each channel, beside its input.
struct Block {
    into: Tdnn,
    groups: Vec<Tdnn>,
    out: Tdnn,
    gate: [Conv1d; 2],
}

impl Block {
    fn new(weights: &Weights, config: &EcapaConfig, form: [usize; 2]) -> Result<Self> {
        let (channels, squeeze) = (config.channels, config.squeeze);
        let group = |i| Tdnn::new(&weights.pp(format!("res2net_block.blocks.{i}")), [channels / SCALE; 2], form);
        Ok(Self {
            into: Tdnn::new(&weights.pp("tdnn1"), [channels; 2], [1, 1])?,
            groups: (0..SCALE - 1).map(group).collect::<Result<_>>()?,
            out: Tdnn::new(&weights.pp("tdnn2"), [channels; 2], [1, 1])?,
            gate: [
                conv(&weights.pp("se_block.conv1"), [channels, squeeze], [1, 1])?,
                conv(&weights.pp("se_block.conv2"), [squeeze, channels], [1, 1])?,
            ],
        })
    }

    /// `x` `[B, C, T]` -> the same shape.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let inner = self.out.forward(&self.grouped(&self.into.forward(x)?)?)?;
        let mean = inner.mean_keepdim(2)?; // [B, C, 1]
        let squeezed = self.gate[0].forward(&mean, Then::Nothing)?.relu()?;
        let gate = candle_nn::ops::sigmoid(&self.gate[1].forward(&squeezed, Then::Nothing)?)?;
        Ok((inner.broadcast_mul(&gate)? + x)?)
    }

    /// The first group as it is; each other one together with what became of the one before it.
    fn grouped(&self, x: &Tensor) -> Result<Tensor> {
        let groups = x.chunk(SCALE, 1)?;
        let mut heard = vec![groups[0].clone()];
        for (i, (group, net)) in groups[1..].iter().zip(&self.groups).enumerate() {
            let group = if i == 0 { group.clone() } else { (group + &heard[i])? };
            heard.push(net.forward(&group.contiguous()?)?);
        }
        Ok(Tensor::cat(&heard, 1)?)
    }
}
