//! What is done to each element, or to each row, between the products.

use super::isa::{Isa, Task};
use super::math;
use super::par::{Shared, parallel};
use super::simd::Simd;

/// Elements that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// The exact gelu, `x / 2 (1 + erf(x / √2))`, in place.
pub fn gelu(x: &mut [f32]) {
    let (isa, len, x) = (Isa::current(), x.len(), Shared::new(x));
    parallel(len.div_ceil(CHUNK), |chunk| {
        let start = chunk * CHUNK;
        // SAFETY: chunks are disjoint and end with `x`.
        isa.run(Gelu(unsafe { x.slice(start, CHUNK.min(len - start)) }));
    });
}

struct Gelu<'a>(&'a mut [f32]);

impl Task for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        math::map(s, self.0, math::Gelu());
    }
}

/// `x += y`.
pub fn add(x: &mut [f32], y: &[f32]) {
    assert_eq!(x.len(), y.len(), "the summands differ in length");
    let (len, x) = (x.len(), Shared::new(x));
    parallel(len.div_ceil(CHUNK), |chunk| {
        let start = chunk * CHUNK;
        // SAFETY: chunks are disjoint and end with `x`.
        let part = unsafe { x.slice(start, CHUNK.min(len - start)) };
        part.iter_mut().zip(&y[start..]).for_each(|(x, y)| *x += y);
    });
}

/// Calls `work` with each row and its index, in parallel.
pub(super) fn for_rows(x: &mut [f32], width: usize, work: impl Fn(Isa, usize, &mut [f32]) + Send + Sync) {
    assert!(if width == 0 { x.is_empty() } else { x.len().is_multiple_of(width) }, "x is not rows of {width}");
    let (isa, rows, x) = (Isa::current(), x.len().checked_div(width).unwrap_or(0), Shared::new(x));
    let together = (CHUNK / 4 / width.max(1)).max(1);
    parallel(rows.div_ceil(together), |block| {
        for row in block * together..rows.min((block + 1) * together) {
            // SAFETY: rows are disjoint and end with `x`.
            work(isa, row, unsafe { x.slice(row * width, width) });
        }
    });
}

/// The scale and shift after a normalisation, and what keeps its divisor from 0.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    pub weight: &'a [f32],
    pub bias: Option<&'a [f32]>,
    pub eps: f32,
}

/// Layer norm: each row of `x` `[rows, width]` to mean 0 and variance 1, then `weight` and `bias` `[width]`.
pub fn layer_norm(x: &[f32], width: usize, norm: Norm, out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "out is not as long as x");
    assert_eq!(norm.weight.len(), width, "the weight is not [{width}]");
    assert!(norm.bias.is_none_or(|bias| bias.len() == width), "the bias is not [{width}]");
    for_rows(out, width, |isa, row, out| isa.run(LayerNorm { x: &x[row * width..][..width], norm, out }));
}

struct LayerNorm<'a> {
    x: &'a [f32],
    norm: Norm<'a>,
    out: &'a mut [f32],
}

impl Task for LayerNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Norm { weight, bias, eps } = self.norm;
        let (mean, scale) = math::moments(s, self.x, eps);
        let (mean, scale) = (s.splat(mean), s.splat(scale));
        for at in (0..self.x.len()).step_by(S::LANES) {
            let count = S::LANES.min(self.x.len() - at);
            // SAFETY: `count` elements are left of each of the slices, which are equally long.
            unsafe {
                let x = s.load_up_to(self.x.as_ptr().add(at), count);
                let weight = s.load_up_to(weight.as_ptr().add(at), count);
                let shift = match bias {
                    Some(bias) => s.load_up_to(bias.as_ptr().add(at), count),
                    None => s.splat(0.0),
                };
                let y = s.fma(s.mul(s.sub(x, mean), scale), weight, shift);
                s.store_up_to(self.out.as_mut_ptr().add(at), y, count);
            }
        }
    }
}

/// Group norm with a group for each channel, in place: each row of `x` `[channels, t]` to mean 0 and variance 1 over
/// time, then the channel's `weight` and `bias` (HuBERT's first convolution).
pub fn channel_norm(x: &mut [f32], t: usize, norm: Norm) {
    let channels = x.len().checked_div(t).unwrap_or(norm.weight.len());
    assert_eq!(norm.weight.len(), channels, "the weight is not [{channels}]");
    assert!(norm.bias.is_none_or(|bias| bias.len() == channels), "the bias is not [{channels}]");
    for_rows(x, t, |isa, channel, row| {
        let shift = norm.bias.map_or(0.0, |bias| bias[channel]);
        isa.run(ChannelNorm { row, weight: norm.weight[channel], shift, eps: norm.eps });
    });
}

struct ChannelNorm<'a> {
    row: &'a mut [f32],
    weight: f32,
    shift: f32,
    eps: f32,
}

impl Task for ChannelNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (mean, scale) = math::moments(s, self.row, self.eps);
        math::map(s, self.row, math::Normal(mean, scale * self.weight, self.shift));
    }
}
