//! Matrix products of few rows (decode): the weight is streamed once, as it is stored, at the memory's speed.
//!
//! Each output is one vector accumulator over `k`, then the sum of its lanes: the same operations in the same order
//! whatever the thread, the number of rows of `x` or the row's place among them.

use super::isa::{Isa, Task};
use super::linear::{Epilogue, Product};
use super::math;
use super::par::{Shared, parallel};
use super::simd::Simd;
use super::source::{Brain, Full, Half, Matrix, Q4, Q8, Source};

/// Most rows of `x` that come here: with more of them, packing the weight pays.
pub(super) const MOST_ROWS: usize = 16;

/// Bytes of weight that a thread takes at a time: small enough to share evenly, large enough to stream.
const CHUNK_BYTES: usize = 1 << 17;

pub(super) fn product(isa: Isa, p: &Product, out: Shared) {
    match p.w {
        Matrix::F32(w) => stream::<Full>(isa, p, w, out),
        Matrix::F16(w) => stream::<Half>(isa, p, w, out),
        Matrix::Bf16(w) => stream::<Brain>(isa, p, w, out),
        Matrix::Q8_0(w) => stream::<Q8>(isa, p, w, out),
        Matrix::Q4K(w) => stream::<Q4>(isa, p, w, out),
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
        let mut j = self.first;
        while j < self.last {
            let left = self.last - j;
            // SAFETY: `j + NT <= last <= n` weight rows, and this task alone writes outputs `first..last`.
            j += unsafe {
                if self.p.m == 1 && left >= 8 {
                    self.tile::<S, 1, 8>(s, 0, j);
                    8
                } else if S::WEIGHT_ROWS == 4 && left >= 4 {
                    self.group::<S, 4>(s, j);
                    4
                } else if left >= 2 {
                    self.group::<S, 2>(s, j);
                    2
                } else {
                    self.group::<S, 1>(s, j);
                    1
                }
            };
        }
    }
}

impl<W: Source> Rows<'_, W> {
    /// All rows of `x` by `NT` weight rows, which stay in the first cache meanwhile.
    #[inline(always)]
    unsafe fn group<S: Simd, const NT: usize>(&self, s: S, j: usize) {
        let mut i = 0;
        while i < self.p.m {
            // SAFETY: `i + MT <= m` rows; the weight rows are the caller's promise.
            i += unsafe {
                match self.p.m - i {
                    1 => {
                        self.tile::<S, 1, NT>(s, i, j);
                        1
                    }
                    2 | 3 => {
                        self.tile::<S, 2, NT>(s, i, j);
                        2
                    }
                    _ => {
                        self.tile::<S, 4, NT>(s, i, j);
                        4
                    }
                }
            };
        }
    }

    #[inline(always)]
    unsafe fn tile<S: Simd, const MT: usize, const NT: usize>(&self, s: S, i: usize, j: usize) {
        // SAFETY: the caller's promise: rows `i..i + MT` of `x` and `j..j + NT` of the weight exist.
        let sums = unsafe { self.dots::<S, MT, NT>(s, i, j) };
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

    /// The products of `MT` rows of `x` and `NT` rows of the weight.
    #[inline(always)]
    unsafe fn dots<S: Simd, const MT: usize, const NT: usize>(&self, s: S, i: usize, j: usize) -> [[f32; NT]; MT] {
        let k = self.p.k;
        let blocks = k / W::BLOCK;
        let row_items = if k.is_multiple_of(W::BLOCK) { blocks * W::STORED } else { k };
        let mut acc = [[s.splat(0.0); NT]; MT];
        // SAFETY: `x` is [m, k] and `w` holds n rows of `row_items`, checked by `Product`; `i`, `j` are the caller's promise.
        unsafe {
            let x = self.p.x.as_ptr().add(i * k);
            let w = self.w.as_ptr().add(j * row_items);
            // The same place one group further on (rows are pages apart, which the hardware does not follow), into the
            // second cache: rows 4 KiB apart share one set of the first.
            let ahead = NT * row_items;
            for block in 0..blocks {
                let mut open = [W::CLOSED; NT];
                for (c, open) in open.iter_mut().enumerate() {
                    let p = w.add(c * row_items + block * W::STORED);
                    s.prefetch(p.wrapping_add(ahead).cast());
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
            self.tails(s, (x, w), row_items, &mut acc);
        }
        let mut sums = [[0.0; NT]; MT];
        for (sums, acc) in sums.iter_mut().zip(acc) {
            for (sum, acc) in sums.iter_mut().zip(acc) {
                *sum = s.sum(acc);
            }
        }
        sums
    }

    /// What is left of `k` after whole blocks: of the float types alone, where one item is one weight.
    #[inline(always)]
    unsafe fn tails<S: Simd, const MT: usize, const NT: usize>(
        &self,
        s: S,
        (x, w): (*const f32, *const W::Stored),
        row_items: usize,
        acc: &mut [[S::V; NT]; MT],
    ) {
        let k = self.p.k;
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
