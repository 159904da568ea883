//! Attention of a few queries (decode): keys and values are streamed once, at the memory's speed.

use super::super::isa::Task;
use super::super::math;
use super::super::par::Shared;
use super::super::simd::{MOST_LANES, Simd};
use super::super::source::Source;
use super::{Attention, FEW_QUERIES, KeyValue, Rows};

/// Keys at a time. Part of the results' definition.
const KEYS: usize = 64;
/// Vectors of a head's values that are accumulated in registers together.
const TOGETHER: usize = 4;

/// All queries of one head.
pub(super) struct Head<'a, W: Source> {
    pub a: &'a Attention<'a, W::Stored>,
    pub head: usize,
    /// Room for the weighted values of each query, `[t, dim]`.
    pub values: &'a mut [f32],
    /// The output's row of the first query.
    pub row: usize,
    pub out: Shared<'a>,
}

/// A query in progress: its largest score and sum of exponentials so far.
#[derive(Clone, Copy)]
struct Row {
    top: f32,
    sum: f32,
}

impl<W: Source<Stored: KeyValue>> Task for Head<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let Attention { t, dim, heads, .. } = *self.a;
        let all = std::mem::take(&mut self.values);
        all.fill(0.0);
        let mut rows = [Row { top: f32::NEG_INFINITY, sum: 0.0 }; FEW_QUERIES];
        for from in (0..self.a.seen(t - 1)).step_by(KEYS) {
            for (i, (row, values)) in rows.iter_mut().zip(all.chunks_exact_mut(dim)).enumerate() {
                let seen = self.a.seen(i);
                if from < seen {
                    self.block(s, i, (from, seen.min(from + KEYS)), row, values);
                }
            }
        }
        for (i, (row, values)) in rows.iter().zip(all.chunks_exact_mut(dim)).enumerate() {
            math::map(s, values, math::Times(1.0 / row.sum));
            // SAFETY: this task alone writes this head's part of the rows.
            let out = unsafe { self.out.slice(((self.row + i) * heads + self.head) * dim, dim) };
            out.copy_from_slice(values);
        }
    }
}

impl<W: Source<Stored: KeyValue>> Head<'_, W> {
    /// Takes keys and values `keys.0..keys.1`, at most [`KEYS`], into a row.
    #[inline(always)]
    fn block<S: Simd>(&self, s: S, i: usize, keys: (usize, usize), row: &mut Row, values: &mut [f32]) {
        let mut scores = [0f32; KEYS];
        let scores = &mut scores[..keys.1 - keys.0];
        self.scores(s, i, keys.0, scores);
        let top = row.top.max(math::largest(s, scores));
        let shrink = math::exp_of(s, row.top - top);
        row.sum = row.sum * shrink + math::exp_and_sum(s, scores, top);
        row.top = top;
        let (dim, lanes) = (self.a.dim, S::LANES);
        let whole = dim / lanes * lanes;
        let fours = whole / (TOGETHER * lanes) * TOGETHER * lanes;
        for at in (0..fours).step_by(TOGETHER * lanes) {
            self.values::<S, TOGETHER>(s, (i, keys.0), scores, (at, lanes), shrink, values);
        }
        for at in (fours..dim).step_by(lanes) {
            self.values::<S, 1>(s, (i, keys.0), scores, (at, lanes.min(dim - at)), shrink, values);
        }
    }

    /// The scores of keys from `first` on: as many at a time as a vector has lanes, whose sums are then taken together.
    #[inline(always)]
    fn scores<S: Simd>(&self, s: S, i: usize, first: usize, scores: &mut [f32]) {
        let scale = s.splat(self.a.scale());
        for (group, scores) in scores.chunks_mut(S::LANES).enumerate() {
            let (first, count) = (first + group * S::LANES, scores.len());
            // Two copies of the loop, of which one has no count to look at.
            let sums = match count == S::LANES {
                true => self.products::<S>(s, i, first, S::LANES),
                false => self.products::<S>(s, i, first, count),
            };
            // SAFETY: `count` scores, at most LANES.
            unsafe { s.store_up_to(scores.as_mut_ptr(), s.mul(sums, scale), count) };
        }
    }

    /// Asks for row `row` of the keys or values that are read after those up to `row`: [`KEYS`] further on, or as many
    /// from the beginning of the next head, which this thread most likely takes next. Rows are pages apart or soon are,
    /// which the hardware does not follow far enough. The first query `i` asks for all of them.
    #[inline(always)]
    fn ask_ahead<S: Simd>(&self, s: S, i: usize, rows: &Rows<W::Stored>, row: usize) {
        if i > 0 {
            return;
        }
        let (head, ahead) = if row + KEYS < self.a.len { (self.head, row + KEYS) } else { (self.head + 1, row % KEYS) };
        let p = rows.data.as_ptr().wrapping_add(ahead * rows.row_stride + head * rows.head_stride).cast::<u8>();
        for line in (0..self.a.dim * size_of::<W::Stored>()).step_by(64) {
            s.prefetch(p.wrapping_add(line));
        }
    }

    /// The products of query `i` and of `count` keys, at most LANES, a lane each.
    #[inline(always)]
    fn products<S: Simd>(&self, s: S, i: usize, first: usize, count: usize) -> S::V {
        let (dim, keys) = (self.a.dim, self.a.k);
        let q = self.a.q.slice(self.head, i, dim).as_ptr();
        let k = keys.data[first * keys.row_stride + self.head * keys.head_stride..].as_ptr();
        let mut products = [s.splat(0.0); MOST_LANES];
        // SAFETY: a row has `dim` elements, and there are `count` rows of keys, as checked.
        unsafe {
            for (j, product) in products.iter_mut().enumerate().take(count) {
                self.ask_ahead(s, i, &keys, first + j);
                *product = self::product::<S, W>(s, q, k.add(j * keys.row_stride), dim);
            }
        }
        s.sums(&products)
    }

    /// `values[at..] = values[at..] * shrink + Σ weights[j] v[j][at..]`: `N` vectors of it, or `count` elements of one.
    #[inline(always)]
    fn values<S: Simd, const N: usize>(
        &self,
        s: S,
        (i, first): (usize, usize),
        weights: &[f32],
        (at, count): (usize, usize),
        shrink: f32,
        values: &mut [f32],
    ) {
        let rows = self.a.v;
        let v = rows.data[first * rows.row_stride + self.head * rows.head_stride + at..].as_ptr();
        let values = values[at..].as_mut_ptr();
        let mut acc = [s.splat(0.0); N];
        // SAFETY: a row has `dim` elements, as checked, of which `N` vectors or `count` elements are left, and as many
        // of `values`.
        unsafe {
            for (n, acc) in acc.iter_mut().enumerate() {
                *acc = s.mul(s.load_up_to(values.add(n * S::LANES), count), s.splat(shrink));
            }
            if count == S::LANES {
                for (j, &weight) in weights.iter().enumerate() {
                    self.ask_ahead(s, i, &rows, first + j);
                    let (v, weight) = (v.add(j * rows.row_stride), s.splat(weight));
                    for (n, acc) in acc.iter_mut().enumerate() {
                        *acc = s.fma(weight, load::<S, W>(s, v.add(n * S::LANES)), *acc);
                    }
                }
            } else {
                for (j, &weight) in weights.iter().enumerate() {
                    acc[0] = s.fma(s.splat(weight), W::first(s, v.add(j * rows.row_stride), count), acc[0]);
                }
            }
            for (n, acc) in acc.into_iter().enumerate() {
                s.store_up_to(values.add(n * S::LANES), acc, count);
            }
        }
    }
}

/// The product, lane by lane, of `dim` elements at `q` and at `k`.
///
/// # Safety
/// There are as many.
#[inline(always)]
unsafe fn product<S: Simd, W: Source>(s: S, q: *const f32, k: *const W::Stored, dim: usize) -> S::V {
    let mut acc = s.splat(0.0);
    let whole = dim / S::LANES * S::LANES;
    // SAFETY: the caller's promise.
    unsafe {
        for at in (0..whole).step_by(S::LANES) {
            acc = s.fma(s.load(q.add(at)), load::<S, W>(s, k.add(at)), acc);
        }
        if whole < dim {
            let left = dim - whole;
            acc = s.fma(s.load_first(q.add(whole), left), W::first(s, k.add(whole), left), acc);
        }
    }
    acc
}

/// `LANES` elements of a float type.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn load<S: Simd, W: Source>(s: S, p: *const W::Stored) -> S::V {
    // SAFETY: the caller's promise; a block of a float type is where it starts.
    unsafe { W::vector(s, &W::open(s, p), 0, 0) }
}
