//! Residual vector quantization (Zeghidour et al. 2021, algorithm 1; facebook `encodec.quantization.core_vq`): each
//! codebook names the nearest entry to what the ones before it left over.

use crate::net::weights::Weights;
use anyhow::Result;
use candle_core::{D, DType, Tensor};

/// The codebooks; `layers.K.codebook.embed` are its keys.
pub struct ResidualQuantizer {
    layers: Vec<Codebook>,
}

impl ResidualQuantizer {
    /// Reads the first `codebooks` codebooks, each `[size, width]`.
    pub fn new(weights: &Weights, codebooks: usize, size: usize, width: usize) -> Result<Self> {
        let layers = weights.pp("layers");
        let read = |k| Codebook::new(&layers.pp(k).pp("codebook"), size, width);
        Ok(Self { layers: (0..codebooks).map(read).collect::<Result<_>>()? })
    }

    /// How many codebooks there are.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Latent frames `x` `[B, T, width]` -> codes `[B, K, T]` u32
    pub fn encode(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, frames, width) = x.dims3()?;
        let mut residual = x.reshape((batch * frames, width))?;
        let mut codes = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let nearest = layer.nearest(&residual)?; // [B T]
            residual = (residual - layer.entries(&nearest)?)?;
            codes.push(nearest.reshape((batch, frames))?);
        }
        Ok(Tensor::stack(&codes, 1)?)
    }

    /// Codes `[B, K, T]` u32, each within its codebook -> latent frames `[B, width, T]`
    pub fn decode(&self, codes: &Tensor) -> Result<Tensor> {
        let (batch, _, frames) = codes.dims3()?;
        let mut sum: Option<Tensor> = None;
        for (k, layer) in self.layers.iter().enumerate() {
            let entries = layer.entries(&codes.narrow(1, k, 1)?.flatten_all()?)?;
            sum = Some(match sum {
                Some(sum) => (sum + entries)?,
                None => entries,
            });
        }
        let sum = sum.ok_or_else(|| anyhow::anyhow!("a codec needs at least one codebook"))?;
        Ok(sum.reshape((batch, frames, ()))?.transpose(1, 2)?.contiguous()?)
    }
}

struct Codebook {
    /// `[size, width]`
    embed: Tensor,
    /// `|e|^2` of every entry, `[size]`
    squares: Tensor,
}

impl Codebook {
    fn new(weights: &Weights, size: usize, width: usize) -> Result<Self> {
        let embed = weights.get((size, width), "embed")?;
        let squares = embed.sqr()?.sum(1)?;
        Ok(Self { embed, squares })
    }

    /// The nearest entry of each row of `x` `[rows, width]`, by `(|x|^2 - 2 x e) + |e|^2` in upstream's order, the
    /// first of equals -> `[rows]` u32
    fn nearest(&self, x: &Tensor) -> Result<Tensor> {
        let cross = crate::net::layers::matmul_t(&(x * 2.0)?, &self.embed)?;
        let distance = x.sqr()?.sum_keepdim(1)?.broadcast_sub(&cross)?.broadcast_add(&self.squares)?;
        Ok(distance.argmin(D::Minus1)?.to_dtype(DType::U32)?)
    }

    fn entries(&self, codes: &Tensor) -> Result<Tensor> {
        Ok(self.embed.index_select(codes, 0)?)
    }
}
