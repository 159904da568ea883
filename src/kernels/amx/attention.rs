//! Attention of many queries: both products in tiles. Sums are f32, and no query's bits depend on its neighbours.

use super::super::attention::{Attention, KeyValue};
use super::super::par::Shared;
use super::super::simd::Simd;
use super::super::source::{Full, Half, Source};
use super::super::tile::load_pair;
use super::super::x86::Avx512;
use super::terms::{store_columns, store_row, store_steps};
use super::unit::{ByThree, One, Operands, Place, Sums, Terms, Tiles, Two};
use super::{DEPTH, ROWS, SIDE, WORDS};
use std::arch::x86_64::*;
use std::f32::consts::{LN_2, LOG2_E};
use std::marker::PhantomData;

/// Keys at a time, for all queries of a task. Part of the results' definition.
const KEYS: usize = 512;
/// Numbers from one query's scores to the next one's, which would all fall on the same sets of the cache as `KEYS`.
const APART: usize = KEYS + SIDE;
/// Into how many parts the scores of a panel are divided, and the rows of its weights.
const TURNS: usize = KEYS / ROWS;
/// A tile's words for each [`DEPTH`] of a block's keys.
const BLOCK: usize = KEYS / DEPTH * WORDS;

/// What is rounded on the way.
pub(in super::super) trait Arithmetic: Send + Sync {
    /// What keys and values are held as.
    type Held: Source<Stored: KeyValue>;
    /// Of query and key.
    type Scores: Terms;
    /// Of weight and value.
    type Values: Terms;
    /// Two to the power of a number from -1/2 to 1/2, the highest power first: of the least largest error, and 1 at 0.
    const EXP2: &[f32];
}

/// As exact as f32.
pub(in super::super) struct Exact;

impl Arithmetic for Exact {
    type Held = Full;
    type Scores = ByThree;
    type Values = ByThree;
    const EXP2: &[f32] = &[1.535_336_2e-4, 1.339_887_5e-3, 9.618_437e-3, 5.550_332_5e-2, 0.240_226_48, LN_2, 1.0];
}

/// For keys and values in f16. Scores are products of two terms each, which an f16 is exactly; values and their weights
/// are rounded to bf16. The polynomial is within 3e-6.
pub(in super::super) struct Rounded;

impl Arithmetic for Rounded {
    type Held = Half;
    type Scores = Two;
    type Values = One;
    const EXP2: &[f32] = &[0.009_582_85, 0.055_906_43, 0.240_240_99, 0.693_124_2, 1.0];
}

/// `a` is checked, `out` `[t, heads * dim]`.
pub(in super::super) fn attention<A: Arithmetic<Held: Source<Stored = T>>, T: KeyValue>(a: &Attention<T>, out: Shared) {
    let padded = a.dim.next_multiple_of(DEPTH);
    let scratch_len = |queries| Parts::<A>::lengths(padded, queries).iter().sum();
    a.in_parts(ROWS, scratch_len, |head, first, count, buffer| {
        let block = Block::<A> { a, head, first, count, padded, out };
        // SAFETY: the caller found the unit, and with it these instructions.
        unsafe { block.run(buffer) }
    });
}

/// Queries `first..first + count` of one head.
struct Block<'a, A: Arithmetic> {
    a: &'a Attention<'a, <A::Held as Source>::Stored>,
    head: usize,
    first: usize,
    count: usize,
    /// `a.dim` and zeros.
    padded: usize,
    out: Shared<'a>,
}

/// The task's parts of the scratch memory.
struct Parts<'a, A> {
    /// Queries by the scale: tiles `[16 queries][32 of dim][term]`.
    q: &'a mut [f32],
    /// Keys: tiles `[16 keys][32 of dim][term]`.
    k: &'a mut [f32],
    /// Values: tiles `[16 of dim][32 keys][term]`.
    v: &'a mut [f32],
    /// 16 keys, `[16][padded]`.
    rows: &'a mut [f32],
    /// The scores of a panel's queries, `[ROWS][APART]`, and of the next one's.
    scores: [&'a mut [f32]; 2],
    /// Exponentials of the first: tiles `[16 queries][32 keys][term]`.
    weights: &'a mut [f32],
    /// Weighted values so far, `[queries][padded]`.
    sums: &'a mut [f32],
    /// Largest score and sum of exponentials so far.
    tops: &'a mut [f32],
    totals: &'a mut [f32],
    arithmetic: PhantomData<A>,
}

impl<'a, A: Arithmetic> Parts<'a, A> {
    fn lengths(padded: usize, queries: usize) -> [usize; 10] {
        let all = queries.next_multiple_of(ROWS);
        // Two terms take the room of a number.
        let split = |rows: usize, steps: usize, terms: usize| rows * steps / 2 * terms;
        let (q, k) = (split(all, padded, A::Scores::X), split(KEYS, padded, A::Scores::W));
        let (v, weights) = (split(KEYS, padded, A::Values::W), split(ROWS, KEYS, A::Values::X));
        [q, k, v, SIDE * padded, ROWS * APART, ROWS * APART, weights, all * padded, queries, queries]
    }

    fn new(mut buffer: &'a mut [f32], padded: usize, queries: usize) -> Self {
        let [q, k, v, rows, scores, next, weights, sums, tops, totals] = Self::lengths(padded, queries).map(|len| {
            let (part, rest) = std::mem::take(&mut buffer).split_at_mut(len);
            buffer = rest;
            part
        });
        sums.fill(0.0);
        tops.fill(f32::NEG_INFINITY);
        totals.fill(0.0);
        Parts { q, k, v, rows, scores: [scores, next], weights, sums, tops, totals, arithmetic: PhantomData }
    }
}

/// Some queries over one block of keys.
struct Panel {
    /// First query, counted from the task's first, and how many.
    row: usize,
    rows: usize,
    /// First key, and how many any query of the panel sees from there.
    from: usize,
    keys: usize,
}

impl<A: Arithmetic> Block<'_, A> {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
    fn run(&self, buffer: &mut [f32]) {
        // SAFETY: this function is compiled with the features that the token stands for; the caller found the unit.
        let (s, tiles) = unsafe { (Avx512::new(), Tiles::new()) };
        let mut parts = Parts::new(buffer, self.padded, self.count);
        self.pack_queries(s, parts.q);
        for from in (0..self.a.seen(self.first + self.count - 1)).step_by(KEYS) {
            let keys = KEYS.min(self.a.len - from);
            self.pack_keys(s, from, keys, &mut parts);
            self.pack_values(s, from, keys, parts.v);
            // While the unit multiplies for one panel, the one before is turned into weights.
            let mut scored = None;
            for next in self.panels(from, keys).map(Some).chain([None]) {
                let shrinks = self.scores_and_weights(&tiles, next.as_ref(), scored.as_ref(), &mut parts);
                if let Some(panel) = &scored {
                    self.weigh(&tiles, panel, shrinks, &mut parts);
                }
                parts.scores.swap(0, 1);
                scored = next;
            }
        }
        self.finish(&parts);
    }

    /// By the scale and in powers of two, so that a score's exponential is two to its power.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
    fn pack_queries(&self, s: Avx512, q: &mut [f32]) {
        let scale = s.splat(self.a.scale() * LOG2_E);
        for row in 0..self.count.next_multiple_of(ROWS) {
            for (block, from) in (0..self.padded).step_by(DEPTH).enumerate() {
                let mut halves = [s.splat(0.0); 2];
                if row < self.count {
                    let query = &self.a.q.slice(self.head, self.first + row, self.a.dim)[from..];
                    // SAFETY: no more is read than is left of the query.
                    halves = unsafe { load_pair(s, query.as_ptr(), query.len().min(DEPTH)) }.map(|x| s.mul(x, scale));
                }
                let tile = (row / SIDE * (self.padded / DEPTH) + block) * A::Scores::X * WORDS + row % SIDE * SIDE;
                let words = &mut q[tile..][..(A::Scores::X - 1) * WORDS + SIDE];
                // SAFETY: a row of words in each tile, in aligned memory.
                unsafe { store_row::<A::Scores>(halves, words.as_mut_ptr()) };
            }
        }
    }

    /// Keys `from..from + keys`, and zeros up to a whole pair of panels.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
    fn pack_keys(&self, s: Avx512, from: usize, keys: usize, parts: &mut Parts<A>) {
        let panels = parts.k.chunks_exact_mut(SIDE * self.padded / 2 * A::Scores::W);
        for (first, panel) in (0..keys.next_multiple_of(ROWS)).step_by(SIDE).zip(panels) {
            for (r, row) in parts.rows.chunks_exact_mut(self.padded).enumerate() {
                let key = if first + r < keys { self.a.k.slice(self.head, from + first + r, self.a.dim) } else { &[] };
                for (at, part) in row.chunks_exact_mut(SIDE).enumerate() {
                    // SAFETY: a vector.
                    unsafe { s.store(part.as_mut_ptr(), part_of::<A>(s, key, at * SIDE)) };
                }
            }
            store_columns::<A::Scores>(parts.rows, self.padded, self.padded / DEPTH, panel);
        }
    }

    /// Values `from..from + keys`, and zeros up to a whole tile.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
    fn pack_values(&self, s: Avx512, from: usize, keys: usize, v: &mut [f32]) {
        for key in (0..keys.next_multiple_of(DEPTH)).step_by(2) {
            let value = |key| if key < keys { self.a.v.slice(self.head, from + key, self.a.dim) } else { &[] };
            let (even, odd) = (value(key), value(key + 1));
            for at in (0..self.padded).step_by(SIDE) {
                let tile = at / SIDE * BLOCK + key / DEPTH * WORDS;
                let words = &mut v[tile * A::Values::W + key % DEPTH / 2 * SIDE..][..(A::Values::W - 1) * WORDS + SIDE];
                let both = [part_of::<A>(s, even, at), part_of::<A>(s, odd, at)];
                // SAFETY: a row of words in each tile.
                unsafe { store_steps::<A::Values>(both, words.as_mut_ptr()) };
            }
        }
    }

    /// The panels of queries that see any of these keys.
    fn panels(&self, from: usize, keys: usize) -> impl Iterator<Item = Panel> {
        (0..self.count).step_by(ROWS).filter_map(move |row| {
            let rows = ROWS.min(self.count - row);
            let seen = self.a.seen(self.first + row + rows - 1);
            (seen > from).then(|| Panel { row, rows, from, keys: keys.min(seen - from) })
        })
    }

    /// The scores of panel `next`, and by turns with them the weights of panel `scored`: by how much is to shrink what
    /// was summed before.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
    fn scores_and_weights(
        &self,
        tiles: &Tiles,
        next: Option<&Panel>,
        scored: Option<&Panel>,
        parts: &mut Parts<A>,
    ) -> [f32; ROWS] {
        let mut shrinks = [0.0; ROWS];
        for (turn, shrinks) in shrinks.chunks_exact_mut(ROWS / TURNS).enumerate() {
            let key = turn * ROWS;
            if let Some(panel) = next.filter(|panel| key < panel.keys) {
                self.scores(tiles, panel, key, parts);
            }
            if let Some(panel) = scored {
                for (i, shrink) in shrinks.iter_mut().enumerate() {
                    *shrink = self.weights(panel, turn * (ROWS / TURNS) + i, parts);
                }
            }
        }
        for part in shrinks.as_chunks_mut::<SIDE>().0 {
            // SAFETY: a vector.
            unsafe { _mm512_storeu_ps(part.as_mut_ptr(), exp2::<A>(_mm512_loadu_ps(part.as_ptr()))) };
        }
        shrinks
    }

    /// The scores of a panel's queries and `ROWS` keys from `key` on.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
    fn scores(&self, tiles: &Tiles, panel: &Panel, key: usize, parts: &mut Parts<A>) {
        let words = SIDE * self.padded / 2;
        let x = two_of(parts.q, panel.row / SIDE, words * A::Scores::X);
        let w = two_of(parts.k, key / SIDE, words * A::Scores::W);
        let operands = Operands { x, w, blocks: self.padded / DEPTH };
        let start = parts.scores[1][key..][..(ROWS - 1) * APART + ROWS].as_mut_ptr();
        // SAFETY: two panels of blocks each; `ROWS` rows of as many scores.
        unsafe { A::Scores::multiply(tiles, operands, Place { start, apart: APART }) };
    }

    /// Turns the scores of a panel's row into weights, exponentials against its new maximum: what was summed before is to
    /// shrink by two to this power.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
    fn weights(&self, panel: &Panel, r: usize, parts: &mut Parts<A>) -> f32 {
        let at = panel.row + r;
        let seen = if r < panel.rows { self.a.seen(self.first + at).saturating_sub(panel.from) } else { 0 };
        let seen = seen.min(panel.keys);
        let scores = &parts.scores[0][r * APART..][..KEYS];
        let weights = &mut parts.weights[r / SIDE * BLOCK * A::Values::X + r % SIDE * SIDE..];
        if seen == 0 {
            exponentials::<A>(scores, (0, panel.keys), 0.0, weights);
            return 0.0;
        }
        let top = largest(scores, seen).max(parts.tops[at]);
        let shrink = parts.tops[at] - top;
        let total = exponentials::<A>(scores, (seen, panel.keys), top, weights);
        let shrunk = parts.totals[at] * _mm512_cvtss_f32(exp2::<A>(_mm512_set1_ps(shrink)));
        (parts.tops[at], parts.totals[at]) = (top, shrunk + total);
        shrink
    }

    /// Adds the values by the weights of a panel's queries.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
    fn weigh(&self, tiles: &Tiles, panel: &Panel, shrinks: [f32; ROWS], parts: &mut Parts<A>) {
        let mut sums = Sums::new();
        for column in (0..self.padded).step_by(2 * SIDE) {
            let x = two_of(parts.weights, 0, BLOCK * A::Values::X);
            let w = two_of(parts.v, column / SIDE, BLOCK * A::Values::W);
            // SAFETY: two panels of blocks each.
            unsafe { A::Values::multiply(tiles, Operands { x, w, blocks: panel.keys.div_ceil(DEPTH) }, sums.place()) };
            for (r, (sums, shrink)) in sums.0.iter().zip(shrinks).enumerate().take(panel.rows) {
                let so_far = &mut parts.sums[(panel.row + r) * self.padded + column..][..2 * SIDE];
                for (so_far, sum) in so_far.iter_mut().zip(sums) {
                    *so_far = so_far.mul_add(shrink, *sum);
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
    fn finish(&self, parts: &Parts<A>) {
        let Attention { heads, dim, .. } = *self.a;
        for (i, (sums, total)) in parts.sums.chunks_exact(self.padded).zip(&*parts.totals).enumerate() {
            // SAFETY: this task alone writes this head's part of these rows.
            let out = unsafe { self.out.slice(((self.first + i) * heads + self.head) * dim, dim) };
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum / total);
        }
    }
}

/// Where panels `first` and the next one begin, of so many words each.
#[inline]
fn two_of(panels: &[f32], first: usize, words: usize) -> [*const u32; 2] {
    let (upper, lower) = panels[first * words..][..2 * words].split_at(words);
    [upper.as_ptr().cast(), lower.as_ptr().cast()]
}

/// 16 numbers of a key or a value from `at` on, zeros where there are none.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
fn part_of<A: Arithmetic>(s: Avx512, row: &[<A::Held as Source>::Stored], at: usize) -> __m512 {
    let rest = &row[at.min(row.len())..];
    // SAFETY: no more is read than is left; a block of a float type is where it starts.
    unsafe {
        match rest.len() {
            0 => s.splat(0.0),
            SIDE.. => A::Held::vector(s, &A::Held::open(s, rest.as_ptr()), 0, 0),
            left => A::Held::first(s, rest.as_ptr(), left),
        }
    }
}

/// 32 scores, and which of each half are among the first `count`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
fn pair(scores: &[f32], count: usize) -> ([__m512; 2], [u16; 2]) {
    let mask = u32::MAX.unbounded_shr(DEPTH.saturating_sub(count) as u32);
    let scores = &scores[..DEPTH];
    // SAFETY: two vectors.
    let halves = unsafe { [_mm512_loadu_ps(scores.as_ptr()), _mm512_loadu_ps(scores[SIDE..].as_ptr())] };
    (halves, [mask as u16, (mask >> SIDE) as u16])
}

/// The largest of the first `count` scores, at least one.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
fn largest(scores: &[f32], count: usize) -> f32 {
    let least = _mm512_set1_ps(f32::NEG_INFINITY);
    let mut tops = [least; 2];
    for at in (0..count).step_by(DEPTH) {
        let ([low, high], seen) = pair(&scores[at..], count - at);
        tops =
            [_mm512_mask_max_ps(tops[0], seen[0], low, tops[0]), _mm512_mask_max_ps(tops[1], seen[1], high, tops[1])];
    }
    _mm512_reduce_max_ps(_mm512_max_ps(tops[0], tops[1]))
}

/// Two to the power of how far each of the first `seen` scores is from `top`, and zeros up to `count`, as a row of tiles
/// of weights; their sum.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
fn exponentials<A: Arithmetic>(scores: &[f32], (seen, count): (usize, usize), top: f32, weights: &mut [f32]) -> f32 {
    let (top, mut totals) = (_mm512_set1_ps(top), [_mm512_setzero_ps(); 2]);
    for (block, at) in (0..count).step_by(DEPTH).enumerate() {
        let ([low, high], seen) = pair(&scores[at..], seen.saturating_sub(at));
        let both = [
            _mm512_maskz_mov_ps(seen[0], exp2::<A>(_mm512_sub_ps(low, top))),
            _mm512_maskz_mov_ps(seen[1], exp2::<A>(_mm512_sub_ps(high, top))),
        ];
        totals = [_mm512_add_ps(totals[0], both[0]), _mm512_add_ps(totals[1], both[1])];
        let words = &mut weights[block * A::Values::X * WORDS..][..(A::Values::X - 1) * WORDS + SIDE];
        // SAFETY: a row of words in each tile, in aligned memory.
        unsafe { store_row::<A::Values>(both, words.as_mut_ptr()) };
    }
    _mm512_reduce_add_ps(_mm512_add_ps(totals[0], totals[1]))
}

/// Two to the power of `x`, at most 0.
#[inline]
#[target_feature(enable = "avx512f")]
fn exp2<A: Arithmetic>(x: __m512) -> __m512 {
    const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    let whole = _mm512_roundscale_ps::<NEAREST>(x);
    let rest = _mm512_sub_ps(x, whole);
    let mut power = _mm512_set1_ps(A::EXP2[0]);
    for &coefficient in &A::EXP2[1..] {
        power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(coefficient));
    }
    _mm512_scalef_ps(power, whole)
}
