//! Attention of a few queries (decode): keys and values are streamed once, at the memory's speed.

use super::super::isa::Task;
use super::super::math;
use super::super::par::Shared;
use super::super::simd::Simd;
use super::{Attention, FEW_QUERIES, MOST_DIM};

/// Keys at a time. Part of the results' definition.
const KEYS: usize = 64;
/// Vectors of a head's values that are accumulated in registers together.
const TOGETHER: usize = 4;

/// All queries of one head.
pub(super) struct Head<'a> {
    pub a: &'a Attention<'a>,
    pub head: usize,
    pub out: Shared<'a>,
}

/// A query in progress: its weighted values, largest score and sum of exponentials.
#[derive(Clone, Copy)]
struct Row {
    values: [f32; MOST_DIM],
    top: f32,
    sum: f32,
}

impl Task for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Attention { t, dim, heads, .. } = *self.a;
        let mut rows = [Row { values: [0.0; MOST_DIM], top: f32::NEG_INFINITY, sum: 0.0 }; FEW_QUERIES];
        for from in (0..self.a.seen(t - 1)).step_by(KEYS) {
            for (i, row) in rows.iter_mut().enumerate().take(t) {
                let seen = self.a.seen(i);
                if from < seen {
                    self.block(s, i, (from, seen.min(from + KEYS)), row);
                }
            }
        }
        for (i, row) in rows.iter_mut().enumerate().take(t) {
            math::map(s, &mut row.values[..dim], math::Times(1.0 / row.sum));
            // SAFETY: this task alone writes this head's part of the rows.
            let out = unsafe { self.out.slice((i * heads + self.head) * dim, dim) };
            out.copy_from_slice(&row.values[..dim]);
        }
    }
}

impl Head<'_> {
    /// Takes keys and values `keys.0..keys.1`, at most [`KEYS`], into a row.
    #[inline(always)]
    fn block<S: Simd>(&self, s: S, i: usize, keys: (usize, usize), row: &mut Row) {
        let mut scores = [0f32; KEYS];
        let scores = &mut scores[..keys.1 - keys.0];
        self.scores(s, i, keys.0, scores);
        let top = row.top.max(math::largest(s, scores));
        let shrink = math::exp_of(s, row.top - top);
        row.sum = row.sum * shrink + math::exp_and_sum(s, scores, top);
        row.top = top;
        let mut at = 0;
        while at < self.a.dim {
            self.values(s, keys.0, scores, (at, shrink), &mut row.values);
            at += TOGETHER * S::LANES;
        }
    }

    #[inline(always)]
    fn scores<S: Simd>(&self, s: S, i: usize, first: usize, scores: &mut [f32]) {
        let (dim, scale) = (self.a.dim, self.a.scale());
        let q = self.a.q.slice(self.head, i, dim).as_ptr();
        for (j, score) in scores.iter_mut().enumerate() {
            let k = self.a.k.slice(self.head, first + j, dim).as_ptr();
            let mut acc = s.splat(0.0);
            for at in (0..dim).step_by(S::LANES) {
                let count = S::LANES.min(dim - at);
                // SAFETY: a row has `dim` elements, as checked.
                acc = unsafe { s.fma(s.load_up_to(q.add(at), count), s.load_up_to(k.add(at), count), acc) };
            }
            *score = s.sum(acc) * scale;
        }
    }

    /// `values[at..] = values[at..] * shrink + Σ weights[j] v[j][at..]`, a few vectors of it.
    #[inline(always)]
    fn values<S: Simd>(
        &self,
        s: S,
        first: usize,
        weights: &[f32],
        (at, shrink): (usize, f32),
        values: &mut [f32; MOST_DIM],
    ) {
        let left = self.a.dim - at;
        let count = |vector: usize| left.saturating_sub(vector * S::LANES).min(S::LANES);
        let mut acc = [s.splat(0.0); TOGETHER];
        // SAFETY: a row has `dim` elements, as checked, and `count` ends each vector there; `values` is longer.
        unsafe {
            for (vector, acc) in acc.iter_mut().enumerate() {
                let old = values.as_ptr().wrapping_add(at + vector * S::LANES);
                *acc = s.mul(s.load_up_to(old, count(vector)), s.splat(shrink));
            }
            for (j, &weight) in weights.iter().enumerate() {
                let v = self.a.v.slice(self.head, first + j, self.a.dim).as_ptr().add(at);
                let weight = s.splat(weight);
                for (vector, acc) in acc.iter_mut().enumerate() {
                    let v = s.load_up_to(v.wrapping_add(vector * S::LANES), count(vector));
                    *acc = s.fma(weight, v, *acc);
                }
            }
            for (vector, acc) in acc.into_iter().enumerate() {
                s.store_up_to(values.as_mut_ptr().wrapping_add(at + vector * S::LANES), acc, count(vector));
            }
        }
    }
}
