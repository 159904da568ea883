//! Attention of many queries (prefill, fine passes, HuBERT): blocks of queries by blocks of keys, both products on the
//! register tile.

use super::super::isa::Task;
use super::super::math;
use super::super::pack;
use super::super::par::Shared;
use super::super::simd::Simd;
use super::super::source::{Full, Source};
use super::super::tile::{Operands, accumulate, load_pair, store_pair, tile_rows, with_tile_rows};
use super::{Attention, KeyValue, Rows};
use std::cell::Cell;

/// Keys at a time. Part of the results' definition.
const KEYS: usize = 512;
/// Two vectors of the widest set.
const MOST_WIDTH: usize = 32;
pub(super) const MOST_ROWS: usize = 12;
/// Rows ahead of which values are asked for: they are pages apart, which the hardware does not follow.
const AHEAD: usize = 8;

/// Elements of scratch memory that a task of so many queries needs for heads of `dim`.
pub(super) fn scratch_len(dim: usize, queries: usize) -> usize {
    let padded = dim.next_multiple_of(MOST_WIDTH);
    queries * (dim + padded + 2) + KEYS * (dim + padded + MOST_ROWS)
}

/// Queries `first..first + count` of one head.
pub(super) struct Block<'a, W: Source> {
    pub a: &'a Attention<'a, W::Stored>,
    pub head: usize,
    pub first: usize,
    pub count: usize,
    pub buffer: &'a mut [f32],
    pub out: Shared<'a>,
}

/// The task's parts of the scratch memory.
struct Parts<'a> {
    /// Queries times the scale, in panels `[dim][height]`.
    q: &'a mut [f32],
    /// Keys in panels `[dim][width]`.
    k: &'a mut [f32],
    /// Values `[KEYS][padded]`.
    v: &'a mut [f32],
    /// Scores, then their exponentials, of one panel of queries: `[height][KEYS]`.
    p: &'a mut [f32],
    /// Weighted values so far, `[queries][padded]`.
    sums: &'a mut [f32],
    /// Largest score and sum of exponentials so far.
    tops: &'a mut [f32],
    totals: &'a mut [f32],
}

impl<'a> Parts<'a> {
    #[inline(always)]
    fn new(buffer: &'a mut [f32], queries: usize, dim: usize, padded: usize) -> Self {
        let (q, rest) = buffer.split_at_mut(queries * dim);
        let (k, rest) = rest.split_at_mut(KEYS * dim);
        let (v, rest) = rest.split_at_mut(KEYS * padded);
        let (p, rest) = rest.split_at_mut(KEYS * MOST_ROWS);
        let (sums, rest) = rest.split_at_mut(queries * padded);
        let (tops, rest) = rest.split_at_mut(queries);
        let totals = &mut rest[..queries];
        sums.fill(0.0);
        tops.fill(f32::NEG_INFINITY);
        totals.fill(0.0);
        Parts { q, k, v, p, sums, tops, totals }
    }
}

/// One panel of queries over one block of keys.
struct Panel {
    /// First query, counted from the task's first.
    row: usize,
    /// First key, and how many any query of the panel sees from there.
    from: usize,
    keys: usize,
}

impl<W: Source<Stored: KeyValue>> Task for Block<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let dim = self.a.dim;
        let padded = dim.next_multiple_of(2 * S::LANES);
        let count = self.count;
        let mut parts = Parts::new(std::mem::take(&mut self.buffer), count, dim, padded);
        self.pack_queries(s, count, parts.q);
        for from in (0..self.a.seen(self.first + count - 1)).step_by(KEYS) {
            let keys = KEYS.min(self.a.len - from);
            self.pack_keys(s, from, keys, parts.k);
            self.copy_values(s, from, keys, padded, parts.v);
            let mut row = 0;
            while row < count {
                let height = tile_rows::<S>(count - row);
                let seen = self.a.seen(self.first + row + height - 1);
                if seen > from {
                    let panel = Panel { row, from, keys: keys.min(seen - from) };
                    with_tile_rows!(S, height, MR => self.panel::<S, MR>(s, &panel, padded, &mut parts));
                }
                row += height;
            }
        }
        self.finish(s, count, padded, parts.sums, parts.totals);
    }
}

impl<W: Source<Stored: KeyValue>> Block<'_, W> {
    #[inline(always)]
    fn pack_queries<S: Simd>(&self, s: S, count: usize, q: &mut [f32]) {
        let mut row = 0;
        while row < count {
            let height = tile_rows::<S>(count - row);
            self.pack::<S, Full>(s, &self.a.q, self.first + row, (height, height), &mut q[row * self.a.dim..]);
            row += height;
        }
        math::map(s, &mut q[..count * self.a.dim], math::Times(self.a.scale()));
    }

    #[inline(always)]
    fn pack_keys<S: Simd>(&self, s: S, from: usize, keys: usize, k: &mut [f32]) {
        let width = 2 * S::LANES;
        for j in (0..keys).step_by(width) {
            self.pack::<S, W>(s, &self.a.k, from + j, (width.min(keys - j), width), &mut k[j * self.a.dim..]);
        }
    }

    /// Packs this head's rows `first..first + count` side by side, `[dim][width]`: as a matrix whose rows are
    /// `row_stride` long, and as many of its columns at a time as packing takes.
    #[inline(always)]
    fn pack<S: Simd, T: Source>(
        &self,
        s: S,
        rows: &Rows<T::Stored>,
        first: usize,
        (count, width): (usize, usize),
        to: &mut [f32],
    ) {
        let (w, k, dim) = (&rows.data[self.head * rows.head_stride..], rows.row_stride, self.a.dim);
        for from in (0..dim).step_by(pack::STEPS) {
            let part = pack::Rows::<T> { w, k, from, steps: pack::STEPS.min(dim - from) };
            part.pack(s, first, count, width, &mut to[from * width..]);
        }
    }

    #[inline(always)]
    fn copy_values<S: Simd>(&self, s: S, from: usize, keys: usize, padded: usize, v: &mut [f32]) {
        let Attention { v: values, dim, .. } = *self.a;
        for (j, row) in v.chunks_exact_mut(padded).enumerate().take(keys) {
            let value = values.slice(self.head, from + j, dim);
            let ahead = value.as_ptr().wrapping_add(AHEAD * values.row_stride);
            for at in (0..dim).step_by(S::LANES) {
                let count = S::LANES.min(dim - at);
                s.prefetch(ahead.wrapping_add(at).cast());
                // SAFETY: `count` elements are left of the value, and a row is at least as long.
                unsafe {
                    let p = value.as_ptr().add(at);
                    let value = match count == S::LANES {
                        true => W::vector(s, &W::open(s, p), 0, 0),
                        false => W::first(s, p, count),
                    };
                    s.store_up_to(row.as_mut_ptr().add(at), value, count);
                }
            }
            row[dim..].fill(0.0);
        }
    }

    #[inline(always)]
    fn panel<S: Simd, const MR: usize>(&self, s: S, panel: &Panel, padded: usize, parts: &mut Parts) {
        let (dim, width) = (self.a.dim, 2 * S::LANES);
        let q = &parts.q[panel.row * dim..][..MR * dim];
        for j in (0..panel.keys).step_by(width) {
            let k = &parts.k[j * dim..][..width * dim];
            // SAFETY: the panels hold `dim` steps of MR and of `width`; `p` holds MR rows of KEYS, a multiple of
            // `width`.
            unsafe {
                let (q, k) = (q.as_ptr(), k.as_ptr());
                let operands =
                    Operands { steps: dim, a: |step, row| q.add(step * MR + row), b: |step| k.add(step * width) };
                let scores = accumulate(s, &operands, [[s.splat(0.0); 2]; MR]);
                for (row, scores) in scores.into_iter().enumerate() {
                    store_pair(s, parts.p[row * KEYS + j..][..width].as_mut_ptr(), scores, width);
                }
            }
        }
        for row in 0..MR {
            self.softmax(s, panel, row, padded, parts);
        }
        for d in (0..padded).step_by(width) {
            let sums = &mut parts.sums[panel.row * padded..][..MR * padded];
            // SAFETY: `p` holds MR rows of KEYS, `v` `keys` rows of `padded`, `sums` MR rows of it.
            unsafe {
                let (p, v) = (parts.p[..MR * KEYS].as_ptr(), parts.v[..panel.keys * padded].as_ptr().add(d));
                let a = |step, row| p.add(row * KEYS + step);
                // A pointer of its own: an offset in the register of `step` makes the compiler load all of `a` first,
                // and run out of registers.
                let next = Cell::new(v);
                let operands = Operands { steps: panel.keys, a, b: |_| next.replace(next.get().wrapping_add(padded)) };
                let mut acc = [[s.splat(0.0); 2]; MR];
                for (row, acc) in acc.iter_mut().enumerate() {
                    *acc = load_pair(s, sums.as_ptr().add(row * padded + d), width);
                }
                for (row, acc) in accumulate(s, &operands, acc).into_iter().enumerate() {
                    store_pair(s, sums.as_mut_ptr().add(row * padded + d), acc, width);
                }
            }
        }
    }

    /// Turns a row's scores into exponentials against its new maximum, and shrinks what it has summed to that.
    #[inline(always)]
    fn softmax<S: Simd>(&self, s: S, panel: &Panel, row: usize, padded: usize, parts: &mut Parts) {
        let at = panel.row + row;
        let visible = self.a.seen(self.first + at).saturating_sub(panel.from).min(panel.keys);
        let (scores, hidden) = parts.p[row * KEYS..][..panel.keys].split_at_mut(visible);
        hidden.fill(0.0);
        if scores.is_empty() {
            return;
        }
        let top = parts.tops[at].max(math::largest(s, scores));
        let shrink = math::exp_of(s, parts.tops[at] - top);
        parts.totals[at] = parts.totals[at] * shrink + math::exp_and_sum(s, scores, top);
        if parts.tops[at] < top {
            parts.tops[at] = top;
            math::map(s, &mut parts.sums[at * padded..][..padded], math::Times(shrink));
        }
    }

    #[inline(always)]
    fn finish<S: Simd>(&self, s: S, count: usize, padded: usize, sums: &mut [f32], totals: &[f32]) {
        let Attention { heads, dim, .. } = *self.a;
        for (i, (row, total)) in sums.chunks_exact_mut(padded).zip(totals).enumerate().take(count) {
            let row = &mut row[..dim];
            math::map(s, row, math::Times(1.0 / total));
            // SAFETY: this task alone writes this head's part of these rows.
            let out = unsafe { self.out.slice(((self.first + i) * heads + self.head) * dim, dim) };
            out.copy_from_slice(row);
        }
    }
}
