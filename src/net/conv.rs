//! One-dimensional convolutions over `[B, C, T]`, weight norm, reflect padding, ELU: the codec's and HuBERT's hot ops.

use super::cpu::{self, map2, map3};
use crate::error::Kind;
use crate::kernels;
use crate::weights::Weights;
use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};

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

/// `x` `[B, in, T]`, `weight` `[out, in / groups, K]`, `bias` `[out]` -> `[B, out, T']`, where
/// `T' = (T + 2 padding - dilation (K - 1) - 1) / stride + 1`.
pub fn conv1d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, g: Geometry) -> Result<Tensor> {
    let (len, kernel) = (x.dim(2)?, weight.dim(2)?);
    let span = g.dilation * (kernel - 1) + 1;
    ensure!(len + 2 * g.padding >= span, Kind::Input.error(format!("{len} steps are too few for a kernel of {span}")));
    if !cpu::runs_on(x.device()) {
        return add_bias(x.conv1d(weight, g.padding, g.stride, g.dilation, g.groups)?, bias);
    }
    convolve(x, weight, bias, g, kernels::Pad { left: g.padding, right: g.padding, mirrored: false })
}

/// [`conv1d`] of an `x` that is mirrored about its ends as [`pad_reflect`] does.
pub fn conv1d_reflect(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    g: Geometry,
    [left, right]: [usize; 2],
) -> Result<Tensor> {
    if !cpu::runs_on(x.device()) || x.dim(2)? <= left.max(right) {
        return conv1d(&pad_reflect(x, left, right)?, weight, bias, g);
    }
    convolve(x, weight, bias, g, kernels::Pad { left, right, mirrored: true })
}

/// By the CPU's kernel, with `pad` in place of the geometry's zeros. The padded input is no shorter than the kernel.
fn convolve(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, g: Geometry, pad: kernels::Pad) -> Result<Tensor> {
    let ((batch, c_in, len), (c_out, _, kernel)) = (x.dims3()?, weight.dims3()?);
    let Geometry { stride, dilation, groups, .. } = g;
    let t = (pad.left + len + pad.right - dilation * (kernel - 1) - 1) / stride + 1;
    each_row(x, weight, bias, (batch, c_out, t), |x, w, bias, out| {
        kernels::conv1d(x, kernels::Conv { w, bias, c_in, c_out, kernel, stride, dilation, groups, pad }, out)
    })
}

/// `x` `[B, in, T]`, `weight` `[in, out, K]`, `bias` `[out]` -> `[B, out, (T - 1) stride + K]`.
pub fn conv_transpose1d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, stride: usize) -> Result<Tensor> {
    if !cpu::runs_on(x.device()) {
        return add_bias(x.conv_transpose1d(weight, 0, 0, stride, 1, 1)?, bias);
    }
    let ((batch, c_in, len), (_, c_out, kernel)) = (x.dims3()?, weight.dims3()?);
    each_row(x, weight, bias, (batch, c_out, (len - 1) * stride + kernel), |x, w, bias, out| {
        kernels::conv_transpose1d(x, kernels::ConvTranspose { w, bias, c_in, c_out, kernel, stride }, out)
    })
}

/// A kernel of input, weight and bias over each row of a batch.
fn each_row(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    shape: (usize, usize, usize),
    kernel: impl Fn(&[f32], &[f32], Option<&[f32]>, &mut [f32]),
) -> Result<Tensor> {
    let (x, weight, batch) = (x.contiguous()?, weight.contiguous()?, shape.0);
    let rows = |x: &[f32], w: &[f32], bias: Option<&[f32]>, out: &mut [f32]| {
        let (x_row, out_row) = (x.len() / batch, out.len() / batch);
        x.chunks_exact(x_row).zip(out.chunks_exact_mut(out_row)).for_each(|(x, out)| kernel(x, w, bias, out));
    };
    match bias {
        Some(bias) => map3([&x, &weight, bias], shape, |v, out| rows(v[0].flat(), v[1].flat(), Some(v[2].flat()), out)),
        None => map2(&x, &weight, shape, |v, out| rows(v[0].flat(), v[1].flat(), None, out)),
    }
}

fn add_bias(y: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(bias) => Ok(y.broadcast_add(&bias.reshape((1, (), 1))?)?),
        None => Ok(y),
    }
}

/// `x` where positive, `exp(x) - 1` elsewhere; in the memory of `x`, which must be nobody else's.
pub fn elu(x: Tensor) -> Result<Tensor> {
    if cpu::runs_on(x.device()) { cpu::change(x, kernels::elu) } else { Ok(x.elu(1.0)?) }
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

/// The weight that `weight_g` and `weight_v` `[a, b, c]` stand for: `v * (g / |v|)`, the norm taken over all
/// dimensions but `dim` (`torch.nn.utils.weight_norm`). Folded in double precision, once, at load.
pub fn weight_norm(weights: &Weights, shape: (usize, usize, usize), dim: usize) -> Result<Tensor> {
    let dims = <[usize; 3]>::from(shape);
    let mut magnitude = [1; 3];
    magnitude[dim] = dims[dim];
    let g: Vec<f32> =
        weights.array(&magnitude[..], "weight_g")?.tensor(DType::F32, &Device::Cpu)?.flatten_all()?.to_vec1()?;
    let v = weights.array(shape, "weight_v")?.tensor(DType::F32, &Device::Cpu)?;
    let inner = dims[dim + 1..].iter().product();
    let weight = cpu::change(v, |v| fold_norm(v, &g, inner))?;
    Ok(weight.to_dtype(weights.dtype())?.to_device(weights.device())?)
}

/// `v` `[.., g.len(), inner]` scaled so that the norm over all dimensions but `g`'s is `g`.
fn fold_norm(v: &mut [f32], g: &[f32], inner: usize) {
    let mut squares = vec![0f64; g.len()];
    for rows in v.chunks_exact(g.len() * inner) {
        for (sum, row) in squares.iter_mut().zip(rows.chunks_exact(inner)) {
            *sum += row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        }
    }
    let scales: Vec<f64> = squares.iter().zip(g).map(|(sum, &g)| f64::from(g) / sum.sqrt()).collect();
    for rows in v.chunks_exact_mut(g.len() * inner) {
        for (scale, row) in scales.iter().zip(rows.chunks_exact_mut(inner)) {
            row.iter_mut().for_each(|x| *x = (f64::from(*x) * scale) as f32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn an_input_shorter_than_the_kernel_is_an_error() {
        let weight = Tensor::ones((1, 1, 3), DType::F32, &Device::Cpu).unwrap();
        assert!(conv1d(&row(&[1., 2.]), &weight, None, Geometry::default()).is_err());
        let sum = conv1d(&row(&[1., 2., 3.]), &weight, None, Geometry::default()).unwrap();
        assert_eq!(values(&sum), [6.]);
    }

    #[test]
    fn a_transposed_convolution_overlaps_and_adds() {
        let weight = row(&[1., 10., 100., 1000.]);
        let bias = Tensor::new(&[0.5f32], &Device::Cpu).unwrap();
        let y = conv_transpose1d(&row(&[1., 2.]), &weight, Some(&bias), 2).unwrap();
        assert_eq!(values(&y), [1.5, 10.5, 102.5, 1020.5, 200.5, 2000.5]);
    }

    #[test]
    fn every_row_of_a_batch_is_transposed_alike() {
        let x = Tensor::from_slice(&[1f32, 2., 3., 4., 1., 2., 3., 4.], (2, 2, 2), &Device::Cpu).unwrap();
        let weight = Tensor::from_slice(&[1f32, 10., 100., 1000.], (2, 1, 2), &Device::Cpu).unwrap();
        let y = conv_transpose1d(&x, &weight, None, 2).unwrap();
        assert_eq!(values(&y), [301., 3010., 402., 4020., 301., 3010., 402., 4020.]);
    }
}
