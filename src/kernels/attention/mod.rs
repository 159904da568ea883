//! Scaled dot-product attention, `softmax(q kᵀ / √dim) v` for each head, without a `t x len` buffer.
//!
//! Softmax is taken online over fixed blocks of keys (FlashAttention, Dao et al. 2022): each row keeps its maximum, the
//! sum of its exponentials and its weighted values so far.

mod blocks;
mod few;

use super::amx;
use super::isa::Isa;
use super::par::{Shared, parallel, scratch};
use super::source::{Full, Half, Source};
use half::f16;
use half::slice::HalfFloatSliceExt;

/// Where the rows of each head are: row `r` of head `h` is `dim` elements of `data` from `r * row_stride + h *
/// head_stride`. Covers caches `[heads, capacity, dim]` and the parts of a fused `[t, 3 * heads * dim]` alike.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T = f32> {
    pub data: &'a [T],
    pub row_stride: usize,
    pub head_stride: usize,
}

/// `t` queries over `len` keys and values, which are held as `T`, of `heads` heads of `dim`.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a, T = f32> {
    pub q: Rows<'a>,
    pub k: Rows<'a, T>,
    pub v: Rows<'a, T>,
    pub heads: usize,
    pub dim: usize,
    pub t: usize,
    pub len: usize,
    /// The queries are the last `t` of `len` positions, and each sees itself and what came before.
    pub causal: bool,
}

/// Up to as many queries are done one by one, each with the bits that it has alone.
pub const FEW_QUERIES: usize = 8;
/// Fewest queries of one task, so that packing the keys again for each such part stays cheap, and most of them.
const QUERIES: (usize, usize) = (240, 1536);

/// What keys and values may be held as: f32 or f16.
pub trait KeyValue: Copy + Send + Sync {
    #[doc(hidden)]
    fn attend(a: Attention<Self>, out: &mut [f32]);
    #[doc(hidden)]
    fn attend_each(rows: &[Attention<Self>], out: &mut [f32]);
}

macro_rules! key_value {
    ($number:ty, $source:ty, $arithmetic:ty) => {
        impl KeyValue for $number {
            fn attend(a: Attention<$number>, out: &mut [f32]) {
                attend::<$source>(a, out, |a, isa, out| match isa {
                    Isa::Amx => amx::attention::<$arithmetic, _>(a, out),
                    _ => in_blocks::<$source>(a, isa, out),
                });
            }
            fn attend_each(rows: &[Attention<$number>], out: &mut [f32]) {
                attend_each::<$source>(rows, out);
            }
        }
    };
}

key_value!(f32, Full, amx::Exact);
key_value!(f16, Half, amx::Rounded);

/// Writes the attention of each query, `out` `[t, heads * dim]`.
///
/// Over keys and values in f16, which stand beside weights of blocks, AMX rounds as [`linear_rounded`] does there: values
/// and what they are weighted by to bf16, keys and queries to two of them.
///
/// [`linear_rounded`]: super::linear_rounded
pub fn attention<T: KeyValue>(a: Attention<T>, out: &mut [f32]) {
    T::attend(a, out);
}

/// Writes the attention of each row's one query, over keys and values of its own: `out` `[rows, heads * dim]`. Each has
/// the bits that it has alone, and the threads share all of them at once.
pub fn attention_each<T: KeyValue>(rows: &[Attention<T>], out: &mut [f32]) {
    T::attend_each(rows, out);
}

fn attend_each<W: Source<Stored: KeyValue>>(rows: &[Attention<W::Stored>], out: &mut [f32]) {
    let Some(first) = rows.first() else { return };
    let (heads, width) = (first.heads, first.heads * first.dim);
    assert_eq!(out.len(), rows.len() * width, "out is not [rows, heads * dim]");
    for a in rows {
        assert!((a.t, a.heads, a.dim) == (1, heads, first.dim), "rows of different sizes");
        a.check();
    }
    let (isa, out) = (Isa::current(), Shared::new(out));
    parallel(rows.len() * heads, |task| {
        let (row, head) = (task / heads, task % heads);
        scratch(1, first.dim, |values| isa.run(few::Head::<W> { a: &rows[row], head, values, row, out }));
    });
}

/// `many` does more queries than a few.
fn attend<W: Source<Stored: KeyValue>>(
    a: Attention<W::Stored>,
    out: &mut [f32],
    many: impl FnOnce(&Attention<W::Stored>, Isa, Shared),
) {
    assert_eq!(
        Some(out.len()),
        a.t.checked_mul(a.heads).and_then(|n| n.checked_mul(a.dim)),
        "out is not [t, heads * dim]"
    );
    if out.is_empty() {
        return;
    }
    a.check();
    let (isa, out) = (Isa::current(), Shared::new(out));
    if a.t > FEW_QUERIES {
        return many(&a, isa, out);
    }
    parallel(a.heads, |head| {
        scratch(1, a.t * a.dim, |values| isa.run(few::Head::<W> { a: &a, head, values, row: 0, out }))
    });
}

fn in_blocks<W: Source<Stored: KeyValue>>(a: &Attention<W::Stored>, isa: Isa, out: Shared) {
    let scratch_len = |count| blocks::scratch_len(a.dim, count);
    a.in_parts(blocks::MOST_ROWS, scratch_len, |head, first, count, buffer| {
        isa.run(blocks::Block::<W> { a, head, first, count, buffer, out })
    });
}

/// Rounds `[heads, t, d]` to f16, contiguous.
pub fn round(x: Rows, [t, d]: [usize; 2], out: &mut [f16]) {
    let head = |head: usize, out: &mut [f16]| {
        for (row, out) in out.chunks_exact_mut(d).enumerate() {
            out.convert_from_f32_slice(x.slice(head, row, d));
        }
    };
    if t <= FEW_QUERIES {
        return out.chunks_exact_mut(t * d).enumerate().for_each(|(i, out)| head(i, out));
    }
    let (heads, out) = (out.len() / (t * d), Shared::new(out));
    // SAFETY: heads are disjoint.
    parallel(heads, |i| head(i, unsafe { out.slice(i * t * d, t * d) }));
}

impl<T> Rows<'_, T> {
    fn check<H>(&self, a: &Attention<H>, rows: usize, name: &str) {
        let last = (rows - 1).checked_mul(self.row_stride).zip((a.heads - 1).checked_mul(self.head_stride));
        let end = last.and_then(|(row, head)| row.checked_add(head)?.checked_add(a.dim));
        assert!(end.is_some_and(|end| end <= self.data.len()), "{name} holds fewer than {rows} rows of each head");
    }

    /// The first `dim` elements of a row.
    #[inline(always)]
    pub(super) fn slice(&self, head: usize, row: usize, dim: usize) -> &[T] {
        &self.data[row * self.row_stride + head * self.head_stride..][..dim]
    }
}

impl<T: Sync> Attention<'_, T> {
    /// Panics unless all that is attended is there.
    fn check(&self) {
        assert!(self.dim > 0, "a head of nothing");
        assert!(self.len > 0 && (!self.causal || self.t <= self.len), "{} queries of {} positions", self.t, self.len);
        self.q.check(self, self.t, "q");
        self.k.check(self, self.len, "k");
        self.v.check(self, self.len, "v");
    }

    /// Calls `work` with each head and some of its queries, the first and how many, and scratch memory for so many: all
    /// of a head where there are heads enough for the threads, in whole panels of `height`.
    pub(super) fn in_parts(
        &self,
        height: usize,
        scratch_len: impl Fn(usize) -> usize + Sync,
        work: impl Fn(usize, usize, usize, &mut [f32]) + Sync,
    ) {
        let parts = (4 * rayon::current_num_threads()).div_ceil(self.heads).max(self.t.div_ceil(QUERIES.1));
        let queries = self.t.div_ceil(parts).max(QUERIES.0).next_multiple_of(height);
        let parts = self.t.div_ceil(queries);
        parallel(self.heads * parts, |task| {
            let (head, first) = (task / parts, task % parts * queries);
            let count = queries.min(self.t - first);
            scratch(1, scratch_len(count), |buffer| work(head, first, count, buffer));
        });
    }

    pub(super) fn scale(&self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }

    /// How many keys query `i` sees.
    #[inline(always)]
    pub(super) fn seen(&self, i: usize) -> usize {
        if self.causal { self.len - self.t + i + 1 } else { self.len }
    }
}
