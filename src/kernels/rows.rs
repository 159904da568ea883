//! Matrix products of few rows (decode): the weight is streamed once, as it is stored, at the memory's speed. Many
//! rows, of large batches, go block by block of rows over a chunk of the weight that stays in the second cache.
//!
//! Each output is one vector accumulator over `k`, then the sum of its lanes: the same operations in the same order
//! whatever the thread, the number of rows of `x` or the row's place among them.

use super::amx;
use super::int4;
use super::isa::{Isa, Task};
use super::linear::{Epilogue, Product};
use super::math;
use super::par::{Shared, parallel};
use super::simd::Simd;
use super::source::{Brain, Full, Half, Matrix, Q8, Source};

/// Rows of `x` that pass over a chunk of the weight together: the second cache holds them beside it.
pub(super) const BLOCK_ROWS: usize = 16;

/// Rows of `x` that are multiplied at a time, by the weight rows of the set.
const TILE_ROWS: usize = 4;
/// Where there are registers and rows enough, so that a weight is decoded once for them: by half as many weight rows.
const MANY_ROWS: usize = 8;

/// Bytes of weight that a thread takes at a time: small enough to share evenly, large enough to stream.
pub(super) const CHUNK_BYTES: usize = 1 << 17;

pub(super) fn product(isa: Isa, p: &Product, out: Shared) {
    match p.w {
        Matrix::F32(w) => stream::<Full>(isa, p, w, out),
        Matrix::F16(w) => stream::<Half>(isa, p, w, out),
        Matrix::Bf16(w) => stream::<Brain>(isa, p, w, out),
        Matrix::Q8_0(w) if isa == Isa::Amx && p.n >= amx::SIDE && p.k > 0 => amx::few_rows(p, w, out),
        Matrix::Q8_0(w) => stream::<Q8>(isa, p, w, out),
        Matrix::Q4K(w) => int4::product(isa, p, w, out),
    }
}

fn stream<W: Source<Stored: Sync>>(isa: Isa, p: &Product, w: &[W::Stored], out: Shared) {
    let rows = (CHUNK_BYTES / p.w.row_bytes(p.k).max(1)).next_multiple_of(8).max(8);
    parallel(p.n.div_ceil(rows), |chunk| {
        let first = chunk * rows;
        isa.run(Rows::<W> { p, w, first, last: p.n.min(first + rows), out });
    });
}

/// Outputs `first..last` of every row of `x`.
struct Rows<'a, W: Source> {
    p: &'a Product<'a>,
    w: &'a [W::Stored],
    first: usize,
    last: usize,
    out: Shared<'a>,
}

impl<W: Source> Task for Rows<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for first in (0..self.p.m).step_by(BLOCK_ROWS) {
            self.block(s, (first, self.p.m.min(first + BLOCK_ROWS)));
        }
    }
}

/// Stored items of a row of `k` weights.
fn row_items<W: Source>(k: usize) -> usize {
    if k.is_multiple_of(W::BLOCK) { k / W::BLOCK * W::STORED } else { k }
}

impl<W: Source> Rows<'_, W> {
    /// Rows `rows.0..rows.1` of `x`.
    #[inline(always)]
    fn block<S: Simd>(&self, s: S, rows: (usize, usize)) {
        let mut j = self.first;
        while j < self.last {
            let (left, w) = (self.last - j, &self.w[j * row_items::<W>(self.p.k)..]);
            // SAFETY: `j + NT <= last <= n` weight rows, and this task alone writes outputs `first..last`.
            j += unsafe {
                if self.p.m == 1 && left >= 8 {
                    self.tile::<S, 1, 8>(s, 0, j, w.as_ptr());
                    8
                } else if S::WEIGHT_ROWS == 4 && rows.1 - rows.0 < MANY_ROWS && left >= 4 {
                    self.tiles::<S, 4>(s, rows, j, w.as_ptr());
                    4
                } else if left >= 2 {
                    self.tiles::<S, 2>(s, rows, j, w.as_ptr());
                    2
                } else {
                    self.tiles::<S, 1>(s, rows, j, w.as_ptr());
                    1
                }
            };
        }
    }

    /// Rows `rows.0..rows.1` of `x` by the `NT` rows at `w`, which stay in the first cache meanwhile.
    ///
    /// # Safety
    /// `x` has these rows, `w` points at rows `j..j + NT` of the weight, and this task alone writes their outputs.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const NT: usize>(&self, s: S, rows: (usize, usize), j: usize, w: *const W::Stored) {
        let mut i = rows.0;
        while i < rows.1 {
            // SAFETY: `i + MT <= rows.1` rows; the rest is the caller's promise.
            i += unsafe {
                match rows.1 - i {
                    1 => {
                        self.tile::<S, 1, NT>(s, i, j, w);
                        1
                    }
                    2 | 3 => {
                        self.tile::<S, 2, NT>(s, i, j, w);
                        2
                    }
                    MANY_ROWS.. if S::WEIGHT_ROWS == 4 && NT <= 2 => {
                        self.tile::<S, MANY_ROWS, NT>(s, i, j, w);
                        MANY_ROWS
                    }
                    _ => {
                        self.tile::<S, TILE_ROWS, NT>(s, i, j, w);
                        TILE_ROWS
                    }
                }
            };
        }
    }

    /// One output of `MT` rows of `x` from `i` on by `NT` weight rows.
    ///
    /// # Safety
    /// As for [`Rows::tiles`], of rows `i..i + MT`.
    #[inline(always)]
    unsafe fn tile<S: Simd, const MT: usize, const NT: usize>(&self, s: S, i: usize, j: usize, w: *const W::Stored) {
        // SAFETY: the caller's promise: rows `i..i + MT` of `x` and `NT` rows at `w` exist.
        let sums = unsafe { dots::<S, W, MT, NT>(s, self.p.x.as_ptr().add(i * self.p.k), w, self.p.k) };
        for (r, sums) in sums.iter().enumerate() {
            let at = (i + r) * self.p.n + j;
            // SAFETY: inside row `i + r` of the output, and within this task's part of it.
            let row = unsafe { self.out.slice(at, NT) };
            for (c, (o, sum)) in row.iter_mut().zip(sums).enumerate() {
                *o = sum + self.p.bias.map_or(0.0, |bias| bias[j + c]);
            }
            self.p.then.apply(s, row, at);
        }
    }
}

/// The products of `MT` rows at `x` and `NT` rows at `w`, of `k` elements each.
///
/// # Safety
/// All of these rows can be read.
#[inline(always)]
unsafe fn dots<S: Simd, W: Source, const MT: usize, const NT: usize>(
    s: S,
    x: *const f32,
    w: *const W::Stored,
    k: usize,
) -> [[f32; NT]; MT] {
    let row_items = row_items::<W>(k);
    let mut acc = [[s.splat(0.0); NT]; MT];
    // SAFETY: the rows are as long as the caller says.
    unsafe {
        // The same place one group further on (rows are pages apart, which the hardware does not follow), into the
        // second cache: rows 4 KiB apart share one set of the first.
        let ahead = NT * row_items;
        for block in 0..k / W::BLOCK {
            let mut open = [W::CLOSED; NT];
            for (c, open) in open.iter_mut().enumerate() {
                let p = w.add(c * row_items + block * W::STORED);
                for line in (0..W::STORED * size_of::<W::Stored>()).step_by(64) {
                    s.prefetch(p.wrapping_add(ahead).cast::<u8>().wrapping_add(line));
                }
                *open = W::open(s, p);
            }
            for group in 0..W::BLOCK / W::GROUP {
                let x = x.add(block * W::BLOCK + group * W::GROUP);
                for at in (0..W::GROUP).step_by(S::LANES) {
                    let mut xs = [s.splat(0.0); MT];
                    for (r, xs) in xs.iter_mut().enumerate() {
                        *xs = s.load(x.add(r * k + at));
                    }
                    for (c, open) in open.iter().enumerate() {
                        let v = W::vector(s, open, group, at);
                        for r in 0..MT {
                            acc[r][c] = s.fma(v, xs[r], acc[r][c]);
                        }
                    }
                }
            }
        }
        tails::<S, W, MT, NT>(s, (x, w), k, &mut acc);
    }
    // Loops and no closures, which would be compiled without the set's instructions.
    let mut sums = [[0.0; NT]; MT];
    for (sums, acc) in sums.iter_mut().zip(acc) {
        for (sum, acc) in sums.iter_mut().zip(acc) {
            *sum = s.sum(acc);
        }
    }
    sums
}

/// Adds the products of what is left of `k` after whole blocks: of the float types alone, where one item is one weight.
///
/// # Safety
/// As for [`dots`].
#[inline(always)]
unsafe fn tails<S: Simd, W: Source, const MT: usize, const NT: usize>(
    s: S,
    (x, w): (*const f32, *const W::Stored),
    k: usize,
    acc: &mut [[S::V; NT]; MT],
) {
    let row_items = row_items::<W>(k);
    let mut at = k / W::BLOCK * W::BLOCK;
    while at < k {
        let count = S::LANES.min(k - at);
        for (r, acc) in acc.iter_mut().enumerate() {
            for (c, acc) in acc.iter_mut().enumerate() {
                // SAFETY: `count` items are left in each row; a whole vector is read only where LANES are left.
                unsafe {
                    let (x, w) = (x.add(r * k + at), w.add(c * row_items + at));
                    let (a, b) = if count == S::LANES {
                        (s.load(x), W::vector(s, &W::open(s, w), 0, 0))
                    } else {
                        (s.load_first(x, count), W::first(s, w, count))
                    };
                    *acc = s.fma(b, a, *acc);
                }
            }
        }
        at += count;
    }
}

impl Epilogue<'_> {
    /// Applies itself to finished outputs from `at` on.
    #[inline(always)]
    pub(super) fn apply<S: Simd>(&self, s: S, row: &mut [f32], at: usize) {
        match self {
            Epilogue::None => {}
            Epilogue::Gelu => math::map(s, row, math::Gelu()),
            Epilogue::Add(residual) => {
                for (o, r) in row.iter_mut().zip(&residual[at..]) {
                    *o += r;
                }
            }
        }
    }
}
