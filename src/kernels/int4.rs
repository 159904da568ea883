//! Matrix products of few rows (decode) with `q4_K` weights, in integers: `x` is quantised to eight bits for each 256
//! of a row, as ggml's `q8_K` is, which is far finer than the weights.
//!
//! Approximate, and at the memory's speed where unpacking four bits to floats is at half of it. The sums within a
//! block of 256 are exact; each output adds its blocks up in order, whatever the thread, the number of rows or the
//! row's place among them.

use super::isa::{Isa, Task};
use super::linear::Product;
use super::par::{Shared, parallel, scratch};
use super::quant::{BlockQ4K, Q4K_BLOCK, quantise};
use super::rows::BLOCK_ROWS;
use super::simd::Simd;
use super::source::{Matrix, unpack_groups};
use bytemuck::{Pod, Zeroable};

/// Bytes of weight that a thread takes at a time.
const CHUNK_BYTES: usize = 1 << 16;

/// 256 elements `scale * qs[i]` of a row of `x`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Quantised {
    qs: [i8; Q4K_BLOCK],
    /// The integers' sum over each 32.
    sums: [i16; 8],
    scale: f32,
}

// SAFETY: plain numbers in C layout, 276 bytes of alignment 4, so without padding; every bit pattern is a value.
unsafe impl Zeroable for Quantised {}
// SAFETY: as above.
unsafe impl Pod for Quantised {}

/// `out[m, n] = x[m, k] w[n, k]ᵀ + bias[n]`, then what follows; the arguments are checked.
pub(super) fn product(isa: Isa, p: &Product, w: &[BlockQ4K], out: Shared) {
    let words = p.x.len() / Q4K_BLOCK * (size_of::<Quantised>() / size_of::<f32>());
    scratch(0, words, |room| {
        let x: &mut [Quantised] = bytemuck::cast_slice_mut(room);
        isa.run(Quantise { from: p.x, to: x });
        let rows = (CHUNK_BYTES / Matrix::Q4K(w).row_bytes(p.k).max(1)).max(1);
        parallel(p.n.div_ceil(rows), |chunk| {
            let first = chunk * rows;
            isa.run(Rows { p, x, w, first, last: p.n.min(first + rows), out })
        });
    });
}

struct Quantise<'a> {
    from: &'a [f32],
    to: &'a mut [Quantised],
}

impl Task for Quantise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (x, to) in self.from.as_chunks::<Q4K_BLOCK>().0.iter().zip(self.to) {
            (to.scale, to.qs) = quantise(x);
            for (sum, qs) in to.sums.iter_mut().zip(to.qs.as_chunks::<32>().0) {
                *sum = qs.iter().map(|&q| i16::from(q)).sum();
            }
        }
    }
}

/// Outputs `first..last` of every row of `x`.
struct Rows<'a> {
    p: &'a Product<'a>,
    x: &'a [Quantised],
    w: &'a [BlockQ4K],
    first: usize,
    last: usize,
    out: Shared<'a>,
}

impl Task for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for first in (0..self.p.m).step_by(BLOCK_ROWS) {
            let last = self.p.m.min(first + BLOCK_ROWS);
            for j in self.first..self.last {
                let mut i = first;
                while i < last {
                    i += match last - i {
                        1 => self.outputs::<S, 1>(s, i, j),
                        2 | 3 => self.outputs::<S, 2>(s, i, j),
                        _ => self.outputs::<S, 4>(s, i, j),
                    };
                }
            }
        }
    }
}

impl Rows<'_> {
    /// Output `j` of the `M` rows from `i` on; how many they are.
    #[inline(always)]
    fn outputs<S: Simd, const M: usize>(&self, s: S, i: usize, j: usize) -> usize {
        let blocks = self.p.k / Q4K_BLOCK;
        let w = &self.w[j * blocks..][..blocks];
        let x = &self.x[i * blocks..][..M * blocks];
        let mut acc = [s.splat(0.0); M];
        for (b, w) in w.iter().enumerate() {
            let (scales, minima) = unpack_groups(w.scales);
            let all = &raw const *w;
            // SAFETY: all of the block can be read.
            let (d, dmin) = unsafe { (s.f16(&raw const (*all).d), s.f16(&raw const (*all).dmin)) };
            for (r, acc) in acc.iter_mut().enumerate() {
                let x = &x[r * blocks + b];
                let (product, lowered) = (s.dot_q4(scales, &w.qs, &x.qs), s.dot_minima(minima, &x.sums));
                *acc = s.fma(s.to_f32(product), s.splat(d * x.scale), *acc);
                *acc = s.fma(s.to_f32(lowered), s.splat(-dmin * x.scale), *acc);
            }
        }
        for (r, acc) in acc.into_iter().enumerate() {
            let at = (i + r) * self.p.n + j;
            // SAFETY: this task alone writes its outputs of each row.
            let out = unsafe { self.out.slice(at, 1) };
            out[0] = s.sum(acc) + self.p.bias.map_or(0.0, |bias| bias[j]);
            self.p.then.apply(s, out, at);
        }
        M
    }
}
