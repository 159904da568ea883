//! Scaled dot-product attention, `softmax(q kᵀ / √dim) v` for each head, without a `t x len` buffer.
//!
//! Softmax is taken online over fixed blocks of keys (FlashAttention, Dao et al. 2022): each row keeps its maximum, the
//! sum of its exponentials and its weighted values so far.

mod blocks;
mod few;

use super::isa::Isa;
use super::par::{Shared, parallel, scratch};
use super::source::{Full, Half, Source};
use half::f16;

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

/// What keys and values may be held as: f32 or f16.
pub trait KeyValue: Copy + Send + Sync {
    #[doc(hidden)]
    fn attend(a: Attention<Self>, out: &mut [f32]);
    #[doc(hidden)]
    fn attend_each(rows: &[Attention<Self>], out: &mut [f32]);
}

macro_rules! key_value {
    ($number:ty, $source:ty) => {
        impl KeyValue for $number {
            fn attend(a: Attention<$number>, out: &mut [f32]) {
                attend::<$source>(a, out);
            }
            fn attend_each(rows: &[Attention<$number>], out: &mut [f32]) {
                attend_each::<$source>(rows, out);
            }
        }
    };
}

key_value!(f32, Full);
key_value!(f16, Half);

/// Writes the attention of each query, `out` `[t, heads * dim]`.
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

fn attend<W: Source<Stored: KeyValue>>(a: Attention<W::Stored>, out: &mut [f32]) {
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
    if a.t <= FEW_QUERIES {
        parallel(a.heads, |head| {
            scratch(1, a.t * a.dim, |values| isa.run(few::Head::<W> { a: &a, head, values, row: 0, out }))
        });
    } else {
        let queries = blocks::queries_of_a_task(&a);
        let parts = a.t.div_ceil(queries);
        parallel(a.heads * parts, |task| {
            let (head, first) = (task / parts, task % parts * queries);
            let count = queries.min(a.t - first);
            scratch(1, blocks::scratch_len(a.dim, count), |buffer| {
                isa.run(blocks::Block::<W> { a: &a, head, first, count, buffer, out })
            });
        });
    }
}

impl<T> Rows<'_, T> {
    fn check<H>(&self, a: &Attention<H>, rows: usize, name: &str) {
        let last = (rows - 1).checked_mul(self.row_stride).zip((a.heads - 1).checked_mul(self.head_stride));
        let end = last.and_then(|(row, head)| row.checked_add(head)?.checked_add(a.dim));
        assert!(end.is_some_and(|end| end <= self.data.len()), "{name} holds fewer than {rows} rows of each head");
    }

    /// The first `dim` elements of a row.
    #[inline(always)]
    fn slice(&self, head: usize, row: usize, dim: usize) -> &[T] {
        &self.data[row * self.row_stride + head * self.head_stride..][..dim]
    }
}

impl<T> Attention<'_, T> {
    /// Panics unless all that is attended is there.
    fn check(&self) {
        assert!(self.dim > 0, "a head of nothing");
        assert!(self.len > 0 && (!self.causal || self.t <= self.len), "{} queries of {} positions", self.t, self.len);
        self.q.check(self, self.t, "q");
        self.k.check(self, self.len, "k");
        self.v.check(self, self.len, "v");
    }

    fn scale(&self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }

    /// How many keys query `i` sees.
    #[inline(always)]
    fn seen(&self, i: usize) -> usize {
        if self.causal { self.len - self.t + i + 1 } else { self.len }
    }
}
