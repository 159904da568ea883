//! One-dimensional convolutions over `[B, C, T]`, weight norm, reflect padding, ELU: the codec's and HuBERT's hot ops.

use super::cpu::{self, View, map2, map3};
use super::layers::Then;
use crate::error::Kind;
use crate::kernels::{self, Epilogue};
use crate::net::weights::Weights;
use anyhow::{Result, ensure};
use candle_core::{Device, Tensor};
use rayon::prelude::*;

/// How a convolution moves over time.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    pub stride: usize,
    /// Zeros on both sides.
    pub padding: usize,
    pub dilation: usize,
    pub groups: usize,
}

impl Default for Geometry {
    fn default() -> Self {
        Self { stride: 1, padding: 0, dilation: 1, groups: 1 }
    }
}

/// A convolution: `weight` `[out, in / groups, K]`, `bias` `[out]`.
pub struct Conv1d {
    pub weight: Tensor,
    pub bias: Option<Tensor>,
    pub geometry: Geometry,
    /// Whether the input goes through ELU first: `x` where positive, `exp(x) - 1` elsewhere.
    pub elu: bool,
}

impl Conv1d {
    /// `x` `[B, in, T]` -> `[B, out, T']`, where `T' = (T + 2 padding - dilation (K - 1) - 1) / stride + 1`; `then` in
    /// the same pass, over `[B, out, T']`.
    pub fn forward(&self, x: &Tensor, then: Then) -> Result<Tensor> {
        let Geometry { stride, padding, dilation, groups } = self.geometry;
        let (len, kernel) = (x.dim(2)?, self.weight.dim(2)?);
        let span = dilation * (kernel - 1) + 1;
        ensure!(
            len + 2 * padding >= span,
            Kind::Input.error(format!("{len} steps are too few for a kernel of {span}"))
        );
        if cpu::runs_on(x.device()) {
            return self.run(x, kernels::Pad { left: padding, right: padding, mirrored: false }, then);
        }
        let x = if self.elu { &x.elu(1.0)? } else { x };
        then.apply(add_bias(x.conv1d(&self.weight, padding, stride, dilation, groups)?, self.bias.as_ref())?)
    }

    /// [`Conv1d::forward`] of an `x` that is mirrored about its ends as [`pad_reflect`] does.
    pub fn forward_reflect(&self, x: &Tensor, [left, right]: [usize; 2], then: Then) -> Result<Tensor> {
        if !cpu::runs_on(x.device()) || x.dim(2)? <= left.max(right) {
            return self.forward(&pad_reflect(x, left, right)?, then);
        }
        self.run(x, kernels::Pad { left, right, mirrored: true }, then)
    }

    /// By the CPU's kernel, with `pad` in place of the geometry's zeros. The padded input is no shorter than the
    /// kernel.
    fn run(&self, x: &Tensor, pad: kernels::Pad, then: Then) -> Result<Tensor> {
        let ((batch, c_in, len), (c_out, _, kernel)) = (x.dims3()?, self.weight.dims3()?);
        let Geometry { stride, dilation, groups, .. } = self.geometry;
        let t = (pad.left + len + pad.right - dilation * (kernel - 1) - 1) / stride + 1;
        let (elu, bias) = (self.elu, host(self.bias.as_ref())?);
        let row = |x: &[f32], w: &[f32], then: Epilogue, out: &mut [f32]| {
            let bias = bias.as_deref();
            let conv = kernels::Conv { w, bias, c_in, c_out, kernel, stride, dilation, groups, pad, elu, then };
            kernels::conv1d(x, conv, out);
        };
        let (x, w, shape) = (&x.contiguous()?, &self.weight.contiguous()?, (batch, c_out, t));
        let all = |v: &[View], then: Epilogue, out: &mut [f32]| {
            let rows = rows(v[0].flat(), batch).zip(out.chunks_exact_mut(c_out * t));
            rows.for_each(|(x, out)| row(x, v[1].flat(), then, out));
        };
        match then {
            Then::Nothing => map2(x, w, shape, |v, out| all(v, Epilogue::None, out)),
            Then::Gelu => map2(x, w, shape, |v, out| all(v, Epilogue::Gelu, out)),
            Then::Add(residual) => map3([x, w, &residual.contiguous()?], shape, |v, out| {
                let residuals = rows(v[2].flat(), batch);
                for ((x, out), residual) in rows(v[0].flat(), batch).zip(out.chunks_exact_mut(c_out * t)).zip(residuals)
                {
                    row(x, v[1].flat(), Epilogue::Add(residual), out);
                }
            }),
        }
    }
}

/// A transposed convolution: `weight` `[in, out, K]`, `bias` `[out]`.
pub struct ConvTranspose1d {
    pub weight: Tensor,
    pub bias: Option<Tensor>,
    pub stride: usize,
    /// Whether the input goes through ELU first.
    pub elu: bool,
}

impl ConvTranspose1d {
    /// `x` `[B, in, T]` -> the first `T stride` outputs of `(T - 1) stride + K`, `[B, out, T stride]`; `K` is `stride`
    /// at least.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let ((batch, c_in, len), (_, c_out, kernel)) = (x.dims3()?, self.weight.dims3()?);
        let (stride, elu, t) = (self.stride, self.elu, len * self.stride);
        if !cpu::runs_on(x.device()) {
            let x = if elu { &x.elu(1.0)? } else { x };
            // Of a batch, candle 0.11.1 makes the first row alone right on a CPU.
            let row = |i| Ok(x.narrow(0, i, 1)?.conv_transpose1d(&self.weight, 0, 0, stride, 1, 1)?);
            let y = Tensor::cat(&(0..batch).map(row).collect::<Result<Vec<_>>>()?, 0)?;
            return Ok(add_bias(y, self.bias.as_ref())?.narrow(2, 0, t)?.contiguous()?);
        }
        let (bias, trim) = (host(self.bias.as_ref())?, kernel - stride);
        map2(&x.contiguous()?, &self.weight.contiguous()?, (batch, c_out, t), |v, out| {
            let (w, bias) = (v[1].flat(), bias.as_deref());
            let conv = kernels::ConvTranspose { w, bias, c_in, c_out, kernel, stride, trim, elu };
            let rows = rows(v[0].flat(), batch).zip(out.chunks_exact_mut(c_out * t));
            rows.for_each(|(x, out)| kernels::conv_transpose1d(x, conv, out));
        })
    }
}

/// The rows of a batch.
fn rows(x: &[f32], batch: usize) -> std::slice::ChunksExact<'_, f32> {
    x.chunks_exact(x.len() / batch)
}

/// A bias as the kernels take it.
fn host(bias: Option<&Tensor>) -> Result<Option<Vec<f32>>> {
    Ok(bias.map(|bias| bias.to_vec1()).transpose()?)
}

fn add_bias(y: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(bias) => Ok(y.broadcast_add(&bias.reshape((1, (), 1))?)?),
        None => Ok(y),
    }
}

/// Mirrors `x` `[B, C, T]` about its ends, the end samples not repeated: `[B, C, left + T + right]`.
/// An `x` that is too short to mirror gets zeros on its right first, whose surplus is cut off again (as facebook's
/// `encodec.modules.conv.pad1d`).
pub fn pad_reflect(x: &Tensor, left: usize, right: usize) -> Result<Tensor> {
    let len = x.dim(2)?;
    ensure!(len > 0, Kind::Input.error("there is no audio to convolve"));
    let missing = (left.max(right) + 1).saturating_sub(len);
    let x = if missing > 0 { &x.pad_with_zeros(2, 0, missing)? } else { x };
    let end = x.dim(2)?;
    let mut parts = Vec::with_capacity(3);
    if left > 0 {
        parts.push(x.narrow(2, 1, left)?.contiguous()?.flip(&[2])?);
    }
    parts.push(x.clone());
    if right > 0 {
        parts.push(x.narrow(2, end - 1 - right, right)?.contiguous()?.flip(&[2])?);
    }
    Ok(Tensor::cat(&parts, 2)?.narrow(2, 0, left + len + right)?.contiguous()?)
}

/// The weight that `weight_g` and `weight_v` `[a, b, c]` stand for: `v * (g / |v|)`, the norm taken over all dimensions
/// but `dim`, the first or the last (`torch.nn.utils.weight_norm`). Folded in double precision, once, at load.
pub fn weight_norm(weights: &Weights, shape: (usize, usize, usize), dim: usize) -> Result<Tensor> {
    let mut magnitude = [1; 3];
    magnitude[dim] = <[usize; 3]>::from(shape)[dim];
    let g = weights.array(&magnitude[..], "weight_g")?.values()?;
    let mut v = weights.array(shape, "weight_v")?.values()?;
    if dim == 0 {
        fold_rows(&mut v, &g)
    } else {
        fold_columns(&mut v, &g)
    }
    Ok(Tensor::from_vec(v, shape, &Device::Cpu)?.to_dtype(weights.dtype())?.to_device(weights.device())?)
}

/// Rows `[g.len(), ..]` scaled so that the norm of each is its `g`.
fn fold_rows(v: &mut [f32], g: &[f32]) {
    v.par_chunks_exact_mut(v.len() / g.len()).zip(g).for_each(|(row, &g)| {
        let square: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let scale = f64::from(g) / square.sqrt();
        row.iter_mut().for_each(|x| *x = (f64::from(*x) * scale) as f32);
    });
}

/// Columns `[.., g.len()]`, likewise.
fn fold_columns(v: &mut [f32], g: &[f32]) {
    let mut scales = vec![0f64; g.len()];
    for row in v.chunks_exact(g.len()) {
        scales.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x) * f64::from(x));
    }
    scales.iter_mut().zip(g).for_each(|(sum, &g)| *sum = f64::from(g) / sum.sqrt());
    v.par_chunks_exact_mut(g.len()).with_min_len(1 << 10).for_each(|row| {
        row.iter_mut().zip(&scales).for_each(|(x, scale)| *x = (f64::from(*x) * scale) as f32);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

    fn row(values: &[f32]) -> Tensor {
        Tensor::from_slice(values, (1, 1, values.len()), &Device::Cpu).unwrap()
    }

    fn values(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn reflect_padding_mirrors_without_repeating_the_end() {
        let x = row(&[1., 2., 3., 4.]);
        assert_eq!(values(&pad_reflect(&x, 2, 1).unwrap()), [3., 2., 1., 2., 3., 4., 3.]);
        assert_eq!(values(&pad_reflect(&x, 3, 0).unwrap()), [4., 3., 2., 1., 2., 3., 4.]);
        assert_eq!(values(&pad_reflect(&x, 0, 0).unwrap()), [1., 2., 3., 4.]);
        let two_channels = x.reshape((1, 2, 2)).unwrap();
        assert_eq!(values(&pad_reflect(&two_channels, 1, 1).unwrap()), [2., 1., 2., 1., 4., 3., 4., 3.]);
    }

    #[test]
    fn a_short_input_is_lengthened_by_zeros_before_it_is_mirrored() {
        assert_eq!(values(&pad_reflect(&row(&[5.]), 3, 0).unwrap()), [0., 0., 0., 5.]);
        assert_eq!(values(&pad_reflect(&row(&[5., 6.]), 3, 1).unwrap()), [0., 0., 6., 5., 6., 0.]);
    }

    fn conv(weight: Tensor, geometry: Geometry) -> Conv1d {
        Conv1d { weight, bias: None, geometry, elu: false }
    }

    #[test]
    fn an_input_shorter_than_the_kernel_is_an_error() {
        let conv = conv(Tensor::ones((1, 1, 3), DType::F32, &Device::Cpu).unwrap(), Geometry::default());
        assert!(conv.forward(&row(&[1., 2.]), Then::Nothing).is_err());
        assert_eq!(values(&conv.forward(&row(&[1., 2., 3.]), Then::Nothing).unwrap()), [6.]);
    }

    #[test]
    fn a_convolution_adds_to_every_row_of_a_batch_its_own() {
        let x = Tensor::from_slice(&[1f32, 2., 3., 4.], (2, 1, 2), &Device::Cpu).unwrap();
        let residual = (&x * 10.).unwrap();
        let y = conv(row(&[2.]), Geometry::default()).forward(&x, Then::Add(&residual)).unwrap();
        assert_eq!(values(&y), [12., 24., 36., 48.]);
    }

    #[test]
    fn a_transposed_convolution_overlaps_and_adds() {
        let bias = Some(Tensor::new(&[0.5f32], &Device::Cpu).unwrap());
        let conv = ConvTranspose1d { weight: row(&[1., 10., 100., 1000.]), bias, stride: 2, elu: false };
        assert_eq!(values(&conv.forward(&row(&[1., 2.])).unwrap()), [1.5, 10.5, 102.5, 1020.5]);
    }

    #[test]
    fn every_row_of_a_batch_is_transposed_alike() {
        let x = Tensor::from_slice(&[1f32, 2., 3., 4., 1., 2., 3., 4.], (2, 2, 2), &Device::Cpu).unwrap();
        let weight = Tensor::from_slice(&[1f32, 10., 100., 1000.], (2, 1, 2), &Device::Cpu).unwrap();
        let y = ConvTranspose1d { weight, bias: None, stride: 2, elu: false }.forward(&x).unwrap();
        assert_eq!(values(&y), [301., 3010., 402., 4020., 301., 3010., 402., 4020.]);
    }
}
