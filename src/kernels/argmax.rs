//! The largest output of each row of a linear layer of many outputs, without most of its exact products.
//!
//! The weight is rounded to eight bits once. A product with it, and the bound of how far it is from the exact one, leave
//! few outputs that may be the largest of some row. Those alone are multiplied exactly, by [`linear_then`]: an output's
//! sum does not depend on which outputs are computed beside it, so what wins here wins there, ties included.

use super::isa::{Isa, Task};
use super::linear::{Epilogue, Linear, MOST_STREAMED, Sums, linear_rounded, linear_then};
use super::quant::{BlockQ8_0, Q8_0_BLOCK, quantise};
use super::simd::{MOST_LANES, Simd};
use super::source::Matrix;
use bytemuck::Zeroable;
use half::f16;
use rayon::prelude::*;

/// The error of the nearest f32 and of a step of a sum, as a share of what is rounded.
const UNIT: f32 = f32::EPSILON / 2.0;
/// Below this numbers count as zero here and there: AMX drops what is smaller.
const LEAST: f32 = f32::MIN_POSITIVE;
/// What sums of such a size could reach is a number still.
const LARGEST: f32 = 1e37;

/// A weight `[n, k]` in eight bits, and how far it is from what it stands for.
pub struct Rounded {
    w: Vec<BlockQ8_0>,
    k: usize,
    /// Of each row.
    norms: Vec<f32>,
    /// Of each row, the norm of what rounding changed.
    errors: Vec<f32>,
    isa: Isa,
}

impl Rounded {
    /// Rows of `x` whose exact products cost as much as to round the weight.
    pub const PAYING_ROWS: usize = 128;

    /// `None` where eight bits do not pay (plain loops), or rows are not whole blocks.
    pub fn new(w: &[f32], k: usize) -> Option<Self> {
        let isa = Isa::current();
        if isa == Isa::Scalar || k == 0 || !k.is_multiple_of(Q8_0_BLOCK) {
            return None;
        }
        let (n, blocks) = (w.len() / k, k / Q8_0_BLOCK);
        let mut rounded = vec![BlockQ8_0::zeroed(); n * blocks];
        let rows = rounded.par_chunks_exact_mut(blocks).zip(w.par_chunks_exact(k)).with_min_len(16);
        let sizes = rows.map(|(out, row)| isa.run(Round { row, blocks: Some(out), in_bf16: isa == Isa::Amx }));
        let (norms, errors) = sizes.unzip();
        Some(Self { w: rounded, k, norms, errors, isa })
    }

    /// The index of the largest output of each row of `x` `[m, k]` by the f32 weight that this was made of and `bias`, the
    /// first one of equals, as [`linear_then`] computes outputs in [`Sums::Blocked`].
    ///
    /// `None` where that has to be asked itself: of few rows, which are streamed; where numbers are not finite or sums
    /// could overflow; and where too many outputs may be the largest.
    pub fn argmax(&self, x: &[f32], w: &[f32], bias: Option<&[f32]>) -> Option<Vec<u32>> {
        let (k, n) = (self.k, self.norms.len());
        assert!(w.len() == n * k && x.len().is_multiple_of(k), "the weight is another one");
        let m = x.len() / k;
        if m <= MOST_STREAMED || self.isa != Isa::current() {
            return None;
        }
        let columns = self.candidates(x, m, bias)?;
        let taken: Vec<f32> = columns.par_iter().flat_map_iter(|&j| w[j * k..][..k].iter().copied()).collect();
        let bias: Option<Vec<f32>> = bias.map(|bias| columns.iter().map(|&j| bias[j]).collect());
        let mut out = vec![0.0; m * columns.len()];
        let (w, n) = (Matrix::F32(&taken), columns.len());
        let layer = Linear { w, n, k, bias: bias.as_deref(), sums: Sums::Blocked };
        linear_then(x, m, layer, Epilogue::None, &mut out);
        Some(out.chunks_exact(n).map(|row| columns[first_largest(row)] as u32).collect())
    }

    /// In rising order the outputs that may be the largest of a row, of all rows together; `None` as above.
    fn candidates(&self, x: &[f32], m: usize, bias: Option<&[f32]>) -> Option<Vec<usize>> {
        let (k, n) = (self.k, self.norms.len());
        let bounds = self.bounds(x, bias)?;
        let mut out = vec![0.0; m * n];
        let layer = Linear { w: Matrix::Q8_0(&self.w), n, k, bias, sums: Sums::Blocked };
        linear_rounded(x, m, layer, Epilogue::None, &mut out);
        let rows = out.par_chunks_exact(n).zip(&bounds);
        let of_rows: Vec<Vec<usize>> = rows.map(|(row, bound)| self.isa.run(Scan { of: self, row, bound })).collect();
        let mut is_candidate = vec![false; n];
        of_rows.iter().flatten().for_each(|&j| is_candidate[j] = true);
        let candidates: Vec<usize> = (0..n).filter(|&j| is_candidate[j]).collect();
        (2 * candidates.len() <= n).then_some(candidates)
    }

    /// How far the outputs of each row of `x` may be from the exact ones; `None` unless that is known of all.
    ///
    /// Rounding changes `x` by `d` and a weight's row `w` by `e`, so their product by `d·w + (x + d)·e`, which is at most
    /// `|d| |w| + |x + d| |e|` (Cauchy–Schwarz). Sums are taken in f32 on both sides: what each of `s` steps rounds is at
    /// most [`UNIT`] of `Σ |x w|`, so at most `s` [`UNIT`] `|x| |w|`. Of the exact product `s` is `6 k` at most (AMX adds
    /// six products of terms and leaves out less than two steps' rounding), of the other one `k`; the eighth `k` and 64
    /// more are for the bias, for what AMX leaves out and for the squares of these errors.
    fn bounds(&self, x: &[f32], bias: Option<&[f32]>) -> Option<Vec<Bound>> {
        let steps = (8 * self.k + 64) as f32 * UNIT;
        // Comparisons are false of NaN.
        let is_small = |all: &[f32]| all.iter().all(|x| x.abs() < LARGEST);
        let is_known = is_small(&self.norms) && is_small(&self.errors) && bias.is_none_or(is_small);
        let top = self.norms.iter().fold(0f32, |top, norm| top.max(*norm));
        let bound = |row: &[f32]| {
            let (norm, error) = self.isa.run(Round { row, blocks: None, in_bf16: self.isa == Isa::Amx });
            let least = 16.0 * self.k as f32 * LEAST * (1.0 + norm) * (1.0 + top);
            let bound = Bound { by_norm: error + steps * norm, by_error: (norm + error) * (1.0 + steps), least };
            (is_known && (1.0 + norm) * (1.0 + top) < LARGEST).then_some(bound)
        };
        x.par_chunks_exact(self.k).map(bound).collect()
    }
}

/// The first of the largest.
fn first_largest(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, j| if row[j] > row[best] { j } else { best })
}

/// An output is off by at most `by_norm` times its weights' norm, `by_error` times the norm of their error, `least`, and
/// [`Bound::OF_OUTPUT`] of itself.
struct Bound {
    by_norm: f32,
    by_error: f32,
    least: f32,
}

impl Bound {
    /// The bias is added and rounded on both sides; as much again for the arithmetic of the bound.
    const OF_OUTPUT: f32 = 8.0 * UNIT;

    /// Of outputs whose weights have these norms and errors.
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, output: S::V, norms: S::V, errors: S::V) -> S::V {
        let least = s.fma(s.abs(output), s.splat(Self::OF_OUTPUT), s.splat(self.least));
        s.fma(s.splat(self.by_norm), norms, s.fma(s.splat(self.by_error), errors, least))
    }
}

/// What eight bits make of a row, and its sizes: its norm, and that of what rounding changes.
struct Round<'a> {
    row: &'a [f32],
    /// Of a weight its blocks; without them the row is one of `x`, as [`linear_rounded`] rounds it.
    blocks: Option<&'a mut [BlockQ8_0]>,
    /// Whether what is multiplied is of bf16.
    in_bf16: bool,
}

/// Lanes of sums: a vector or some.
const LANES: usize = 16;
/// Norms are given a little larger than they are, since they are rounded themselves.
const MARGIN: f64 = 1.001;

impl Task for Round<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    fn run<S: Simd>(mut self, _: S) -> (f32, f32) {
        let (mut norm, mut error) = (0.0, 0.0);
        for (i, x) in self.row.as_chunks::<Q8_0_BLOCK>().0.iter().enumerate() {
            let rounded = self.block(i, x);
            let (mut squares, mut changes) = ([0f32; LANES], [0f32; LANES]);
            for (i, (x, rounded)) in x.iter().zip(rounded).enumerate() {
                squares[i % LANES] += x * x;
                changes[i % LANES] += (x - rounded) * (x - rounded);
            }
            norm += f64::from(squares.iter().sum::<f32>());
            error += f64::from(changes.iter().sum::<f32>());
        }
        // Squares below `LEAST` may have counted as zero.
        let size = |squares: f64| ((squares + f64::from(LEAST) * self.row.len() as f64).sqrt() * MARGIN) as f32;
        (size(norm), size(error))
    }
}

impl Round<'_> {
    /// What is multiplied in the place of block `index`, `x`.
    #[inline(always)]
    fn block(&mut self, index: usize, x: &[f32; Q8_0_BLOCK]) -> [f32; Q8_0_BLOCK] {
        let mut rounded = *x;
        if self.blocks.is_some() || !self.in_bf16 {
            let (mut scale, qs) = quantise(x);
            if let Some(blocks) = &mut self.blocks {
                let d = f16::from_f32(scale);
                (blocks[index], scale) = (BlockQ8_0 { d, qs }, d.to_f32());
            }
            for (rounded, q) in rounded.iter_mut().zip(qs) {
                *rounded = scale * f32::from(q);
            }
        }
        if self.in_bf16 {
            for rounded in &mut rounded {
                *rounded = nearest_bf16(*rounded);
            }
        }
        rounded
    }
}

/// The nearest bf16 of a finite number, ties to even.
#[inline(always)]
fn nearest_bf16(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
}

/// The outputs of a row that may be the largest: what is as large, at most, as the largest is at least.
struct Scan<'a> {
    of: &'a Rounded,
    row: &'a [f32],
    bound: &'a Bound,
}

impl Task for Scan<'_> {
    type Output = Vec<usize>;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Vec<usize> {
        let mut least = s.splat(f32::NEG_INFINITY);
        for at in (0..self.row.len()).step_by(S::LANES) {
            let (outputs, bounds, left) = self.at(s, at);
            let mut lower = [f32::NEG_INFINITY; MOST_LANES];
            // SAFETY: a vector of any set, of which so many lanes are outputs.
            least = unsafe {
                s.store_up_to(lower.as_mut_ptr(), s.sub(outputs, bounds), left);
                s.max(least, s.load(lower.as_ptr()))
            };
        }
        let least = s.largest(least);
        let mut found = Vec::new();
        for at in (0..self.row.len()).step_by(S::LANES) {
            let (outputs, bounds, left) = self.at(s, at);
            let upper = s.add(outputs, bounds);
            if s.largest(upper) < least {
                continue;
            }
            let mut lanes = [0f32; MOST_LANES];
            // SAFETY: a vector of any set.
            unsafe { s.store(lanes.as_mut_ptr(), upper) };
            for (lane, upper) in lanes[..left].iter().enumerate() {
                if *upper >= least {
                    found.push(at + lane);
                }
            }
        }
        found
    }
}

impl Scan<'_> {
    /// A vector of outputs from `at` on, their bounds, and how many there are.
    #[inline(always)]
    fn at<S: Simd>(&self, s: S, at: usize) -> (S::V, S::V, usize) {
        let left = S::LANES.min(self.row.len() - at);
        // SAFETY: so many are left of the row, and of the norms and errors, one for each output.
        unsafe {
            let outputs = s.load_up_to(self.row[at..].as_ptr(), left);
            let norms = s.load_up_to(self.of.norms[at..].as_ptr(), left);
            let errors = s.load_up_to(self.of.errors[at..].as_ptr(), left);
            (outputs, self.bound.of(s, outputs, norms, errors), left)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::selftest::noise;
    use crate::kernels::tests::on_each_isa;

    fn full(x: &[f32], w: &[f32], k: usize, bias: Option<&[f32]>) -> Vec<f32> {
        let (m, n) = (x.len() / k, w.len() / k);
        let mut out = vec![0.0; m * n];
        linear_then(x, m, Linear { w: Matrix::F32(w), n, k, bias, sums: Sums::Blocked }, Epilogue::None, &mut out);
        out
    }

    /// Rows that each look like one of ten rows of the weight.
    fn alike(w: &[f32], k: usize, m: usize) -> Vec<f32> {
        let noise = noise(3, m * k);
        (0..m * k).map(|at| w[at / k % 10 * 7 * k + at % k] + 0.2 * noise[at]).collect()
    }

    #[test]
    #[cfg_attr(miri, ignore = "too long to interpret")]
    fn the_largest_is_that_of_the_whole_product() {
        const K: usize = 96;
        let (n, m) = (301, 61);
        let w = noise(1, n * K);
        let bias = noise(2, n);
        let x = alike(&w, K, m);
        // Rows that are equal, and that differ in the last bit of a number.
        let mut ties = w.clone();
        for j in 0..n - 1 {
            if j % 7 == 0 {
                ties.copy_within(j * K..(j + 1) * K, (j + 1) * K);
                ties[(j + 1) * K + j % K] *= 1.0 + f32::EPSILON * (j % 3) as f32;
            }
        }
        let scaled = |values: &[f32], by: f32| -> Vec<f32> {
            values.iter().enumerate().map(|(at, v)| v * by.powi((at / K % 10) as i32 - 5)).collect()
        };
        let zeros: Vec<f32> =
            x.iter().enumerate().map(|(at, x)| if (at / K).is_multiple_of(4) { 0.0 } else { *x }).collect();
        let last = [vec![0.0; (n - 1) * K], vec![1.0; K]].concat();
        on_each_isa(|| {
            let mut found = 0;
            for (x, w) in
                [(&x, &w), (&x, &ties), (&scaled(&x, 10.0), &ties), (&x, &scaled(&w, 1.5)), (&zeros, &w), (&x, &last)]
            {
                for bias in [None, Some(&bias[..])] {
                    for m in [m, MOST_STREAMED + 1] {
                        let x = &x[..m * K];
                        let got = Rounded::new(w, K).and_then(|rounded| rounded.argmax(x, w, bias));
                        let want = full(x, w, K, bias);
                        let want = want.chunks(n).map(|row| first_largest(row) as u32).collect::<Vec<_>>();
                        found += usize::from(got.is_some());
                        assert!(got.is_none_or(|got| got == want), "{:?}", Isa::current());
                    }
                }
            }
            assert!(found >= 16 || Isa::current() == Isa::Scalar, "{found} of 24 on {:?}", Isa::current());
        });
    }

    /// By how much each output is off, in f64, and its bound.
    fn errors(x: &[f32], w: &[f32], k: usize) -> Vec<(f64, f64)> {
        let (m, n) = (x.len() / k, w.len() / k);
        let rounded = Rounded::new(w, k).unwrap();
        let bounds = rounded.bounds(x, None).unwrap();
        let mut out = vec![0.0; m * n];
        let layer = Linear { w: Matrix::Q8_0(&rounded.w), n, k, bias: None, sums: Sums::Blocked };
        linear_rounded(x, m, layer, Epilogue::None, &mut out);
        let exact = full(x, w, k, None);
        let error = |at: usize| {
            let (i, j) = (at / n, at % n);
            let products = x[i * k..][..k].iter().zip(&w[j * k..][..k]);
            let sum: f64 = products.map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
            let Bound { by_norm, by_error, least } = bounds[i];
            let bound = by_norm * rounded.norms[j] + by_error * rounded.errors[j] + least;
            let error = (f64::from(out[at]) - sum).abs().max(f64::from((out[at] - exact[at]).abs()));
            (error, f64::from(bound + Bound::OF_OUTPUT * out[at].abs()))
        };
        (0..m * n).map(error).collect()
    }

    #[test]
    #[cfg_attr(miri, ignore = "too long to interpret")]
    fn no_output_is_further_off_than_its_bound_and_some_are_off_by_more_than_half_of_it() {
        const K: usize = 64;
        // Integers hold 127 and its neighbours' nothing; bf16 holds 1 and drops what is beyond eight bits.
        let mixed: Vec<f32> = (0..20 * K).map(|at| if at % 32 == 0 { 127.0 } else { 0.499 }).collect();
        let whole = vec![127.0; 20 * K];
        let beyond = vec![1.0 + 0.99 / 256.0; 20 * K];
        on_each_isa(|| {
            if Isa::current() == Isa::Scalar {
                return assert!(Rounded::new(&whole, K).is_none());
            }
            let dropped = if Isa::current() == Isa::Amx { &beyond } else { &mixed };
            for (x, w) in [(dropped, &whole), (&whole, &mixed)] {
                for (error, bound) in errors(x, w, K) {
                    assert!(error <= bound && error > bound / 2.0, "{error} of {bound} on {:?}", Isa::current());
                }
            }
            for scale in [1e-20, 1e-3, 1.0, 1e9] {
                let x: Vec<f32> = noise(4, 20 * 512).iter().map(|x| x * scale).collect();
                let all = errors(&x, &noise(5, 50 * 512), 512);
                assert!(all.iter().all(|(error, bound)| error <= bound), "{scale} on {:?}", Isa::current());
            }
        });
    }

    #[test]
    #[cfg_attr(miri, ignore = "too long to interpret")]
    fn what_is_not_finite_or_too_large_or_too_even_is_left_to_the_whole_product() {
        const K: usize = 32;
        let w = noise(1, 100 * K);
        let x = alike(&w, K, 20);
        let with = |values: &[f32], value: f32| [&[value], &values[1..]].concat();
        on_each_isa(|| {
            let largest = |x: &[f32], w: &[f32], bias: &[f32]| Rounded::new(w, K)?.argmax(x, w, Some(bias));
            let zeros = [0.0; 100];
            assert_eq!(largest(&x, &w, &zeros).is_some(), Isa::current() != Isa::Scalar);
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38] {
                assert!(largest(&with(&x, bad), &w, &zeros).is_none(), "{bad} in x");
                assert!(largest(&x, &with(&w, bad), &zeros).is_none(), "{bad} in the weight");
                assert!(largest(&x, &w, &with(&zeros, bad)).is_none(), "{bad} in the bias");
            }
            assert!(largest(&vec![0.0; 20 * K], &w, &zeros).is_none(), "all are the largest");
            assert!(largest(&x[..MOST_STREAMED * K], &w, &zeros).is_none() && largest(&[], &w, &zeros).is_none());
        });
    }
}
