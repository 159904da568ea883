//! ggml's block formats `q8_0` and `q4_K` (ggml-quants.c): the same bytes, so that packed files can be mapped and read
//! in place.

use bytemuck::{Pod, Zeroable};
use half::f16;
use rayon::prelude::*;

/// Weights in one [`BlockQ8_0`].
pub const Q8_0_BLOCK: usize = 32;
/// Weights in one [`BlockQ4K`].
pub const Q4K_BLOCK: usize = 256;

/// 32 weights `d * qs[i]`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct BlockQ8_0 {
    pub d: f16,
    pub qs: [i8; Q8_0_BLOCK],
}

/// 256 weights in eight groups of 32: `d * scale[group] * q - dmin * min[group]`, `q` of four bits, scales and minima
/// of six.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct BlockQ4K {
    pub d: f16,
    pub dmin: f16,
    /// Eight scales and eight minima, packed (see [`BlockQ4K::group`]).
    pub scales: [u8; 12],
    /// 32 bytes for each pair of groups: the even group in the low bits, the odd one in the high bits.
    pub qs: [u8; Q4K_BLOCK / 2],
}

// SAFETY: plain numbers in C layout, 34 bytes of alignment 2, so without padding; every bit pattern is a value.
unsafe impl Zeroable for BlockQ8_0 {}
// SAFETY: as above.
unsafe impl Pod for BlockQ8_0 {}
// SAFETY: plain numbers in C layout, 144 bytes of alignment 2, so without padding; every bit pattern is a value.
unsafe impl Zeroable for BlockQ4K {}
// SAFETY: as above.
unsafe impl Pod for BlockQ4K {}

impl BlockQ4K {
    /// The six-bit scale and minimum of group `j`.
    #[inline(always)]
    pub fn group(&self, j: usize) -> (u8, u8) {
        let s = &self.scales;
        if j < 4 {
            (s[j] & 63, s[j + 4] & 63)
        } else {
            ((s[j + 4] & 15) | ((s[j - 4] >> 6) << 4), (s[j + 4] >> 4) | ((s[j] >> 6) << 4))
        }
    }

    fn set_group(&mut self, j: usize, scale: u8, min: u8) {
        if j < 4 {
            self.scales[j] |= scale;
            self.scales[j + 4] |= min;
        } else {
            self.scales[j + 4] = (scale & 15) | ((min & 15) << 4);
            self.scales[j - 4] |= (scale >> 4) << 6;
            self.scales[j] |= (min >> 4) << 6;
        }
    }

    fn quant(&self, i: usize) -> u8 {
        let byte = self.qs[i / 64 * 32 + i % 32];
        if i % 64 < 32 { byte & 15 } else { byte >> 4 }
    }
}

/// 1.5 * 2^23: adding it drops the fraction.
const SHIFT: f32 = 12_582_912.0;

/// The nearest integer, for |x| < 2²²; ties to even, as ggml's (the library's rounding is a call on x86-64).
#[inline(always)]
pub(super) fn nearest(x: f32) -> f32 {
    (x + SHIFT) - SHIFT
}

/// [`nearest`] as a byte in two's complement, for |x| < 128: the last bits of the sum in which the fraction is dropped.
#[inline(always)]
pub(super) fn nearest_byte(x: f32) -> u8 {
    (x + SHIFT).to_bits() as u8
}

/// `x` as `scale * q`: the scale, and integers of at most 127. The scale is NaN if an element is not finite, which
/// integers would hide.
#[inline(always)]
pub(super) fn quantise<const N: usize>(x: &[f32; N]) -> (f32, [i8; N]) {
    // As integers, the bits of magnitudes are in the order of the numbers, with infinity and NaN above them all: one
    // maximum, in any order, sees both.
    let top = x.iter().map(|x| x.abs().to_bits()).fold(0, u32::max);
    let top = f32::from_bits(top);
    let inverse = if top > 0.0 { 127.0 / top } else { 0.0 };
    let mut integers = [0; N];
    for (integer, x) in integers.iter_mut().zip(x) {
        *integer = nearest_byte(x * inverse) as i8;
    }
    let scale = if top.is_finite() { top / 127.0 } else { f32::NAN };
    (scale, integers)
}

/// NaN if one of `weights` is not finite, else 0.
fn poison(weights: &[f32]) -> f32 {
    weights.iter().map(|weight| 0.0 * weight).sum()
}

/// Quantises rows of a multiple of 32 weights to the nearest of `q8_0`. A block with a weight that is not finite is NaN.
pub fn quantize_q8_0(weights: &[f32]) -> Vec<BlockQ8_0> {
    assert!(weights.len().is_multiple_of(Q8_0_BLOCK), "q8_0 needs a multiple of {Q8_0_BLOCK} weights");
    weights.par_chunks_exact(Q8_0_BLOCK).map(q8_0_block).collect()
}

fn q8_0_block(weights: &[f32]) -> BlockQ8_0 {
    let scale = weights.iter().fold(0f32, |max, w| max.max(w.abs())) / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let qs = std::array::from_fn(|i| nearest(weights[i] * inverse) as i8);
    BlockQ8_0 { d: f16::from_f32(scale + poison(weights)), qs }
}

/// Quantises rows of a multiple of 256 weights to `q4_K`, choosing each group's scale and minimum by least squares. A
/// block with a weight that is not finite is NaN.
pub fn quantize_q4k(weights: &[f32]) -> Vec<BlockQ4K> {
    assert!(weights.len().is_multiple_of(Q4K_BLOCK), "q4_K needs a multiple of {Q4K_BLOCK} weights");
    weights.par_chunks_exact(Q4K_BLOCK).map(q4k_block).collect()
}

fn q4k_block(weights: &[f32]) -> BlockQ4K {
    let fits: [(f32, f32); 8] = std::array::from_fn(|j| fit_group(&weights[j * 32..][..32]));
    let largest = |of: fn(&(f32, f32)) -> f32| fits.iter().map(of).fold(0f32, f32::max) / 63.0;
    let (d, dmin) = (f16::from_f32(largest(|fit| fit.0)), f16::from_f32(largest(|fit| fit.1)));
    let six_bits =
        |x: f32, unit: f16| if unit > f16::ZERO { nearest(x / unit.to_f32()).clamp(0.0, 63.0) as u8 } else { 0 };
    let mut block = BlockQ4K { d, dmin, ..Zeroable::zeroed() };
    for (j, (scale, min)) in fits.into_iter().enumerate() {
        block.set_group(j, six_bits(scale, d), six_bits(min, dmin));
        let (scale, min) = block.group(j);
        let (scale, min) = (d.to_f32() * f32::from(scale), dmin.to_f32() * f32::from(min));
        for (i, &w) in weights[j * 32..][..32].iter().enumerate() {
            let q = if scale > 0.0 { nearest((w + min) / scale).clamp(0.0, 15.0) as u8 } else { 0 };
            block.qs[j / 2 * 32 + i] |= q << (4 * (j % 2));
        }
    }
    block.d = f16::from_f32(d.to_f32() + poison(weights));
    block
}

/// The scale and (negated) minimum that fit `w ≈ scale * q - min`, `q` in 0..=15, best among some roundings of the
/// range; the search is ggml's `make_qkx2_quants`.
fn fit_group(w: &[f32]) -> (f32, f32) {
    let low = w.iter().fold(0f32, |a, &b| a.min(b));
    let range = w.iter().fold(0f32, |a, &b| a.max(b)) - low;
    if range <= 0.0 {
        return (0.0, -low);
    }
    let mut best = (range / 15.0, -low);
    let mut least = group_error(w, best);
    for step in 0..=20 {
        let levels = 14.0 + 0.1 * step as f32;
        let fit = least_squares(w, levels / range, low);
        let error = fit.map_or(f32::INFINITY, |fit| group_error(w, fit));
        if let (Some(fit), true) = (fit, error < least) {
            (best, least) = (fit, error);
        }
    }
    best
}

fn least_squares(w: &[f32], inverse: f32, low: f32) -> Option<(f32, f32)> {
    let (mut q1, mut q2, mut w1, mut wq) = (0f32, 0f32, 0f32, 0f32);
    for &w in w {
        let q = nearest(inverse * (w - low)).clamp(0.0, 15.0);
        (q1, q2, w1, wq) = (q1 + q, q2 + q * q, w1 + w, wq + w * q);
    }
    let n = w.len() as f32;
    let determinant = n * q2 - q1 * q1;
    let scale = (n * wq - w1 * q1) / determinant;
    let min = (q1 * wq - q2 * w1) / determinant;
    let fit = if min >= 0.0 { (scale, min) } else { (wq / q2, 0.0) };
    (determinant > 0.0 && fit.0 > 0.0).then_some(fit)
}

fn group_error(w: &[f32], (scale, min): (f32, f32)) -> f32 {
    let error = |w: f32| w - (scale * nearest((w + min) / scale).clamp(0.0, 15.0) - min);
    w.iter().map(|&w| error(w) * error(w)).sum()
}

/// The weights that `blocks` stand for.
pub fn dequantize_q8_0(blocks: &[BlockQ8_0]) -> Vec<f32> {
    let mut weights = Vec::with_capacity(blocks.len() * Q8_0_BLOCK);
    for block in blocks {
        let d = block.d.to_f32();
        weights.extend(block.qs.iter().map(|&q| d * f32::from(q)));
    }
    weights
}

/// The weights that `blocks` stand for.
pub fn dequantize_q4k(blocks: &[BlockQ4K]) -> Vec<f32> {
    let weight = |block: &BlockQ4K, i: usize| {
        let (scale, min) = block.group(i / 32);
        let scale = block.d.to_f32() * f32::from(scale);
        scale * f32::from(block.quant(i)) - block.dmin.to_f32() * f32::from(min)
    };
    blocks.iter().flat_map(|block| (0..Q4K_BLOCK).map(move |i| weight(block, i))).collect()
}
