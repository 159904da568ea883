//! Scaled dot-product attention, `softmax(q kᵀ / √dim) v` for each head, without a `t x len` buffer.
//!
//! Softmax is taken online over fixed blocks of keys (FlashAttention, Dao et al. 2022): each row keeps its maximum, the
//! sum of its exponentials and its weighted values so far.

mod blocks;
mod few;

use super::isa::Isa;
use super::par::{Shared, parallel, scratch};

/// Where the rows of each head are: row `r` of head `h` is `dim` elements of `data` from `r * row_stride + h *
/// head_stride`. Covers caches `[heads, capacity, dim]` and the parts of a fused `[t, 3 * heads * dim]` alike.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    pub data: &'a [f32],
    pub row_stride: usize,
    pub head_stride: usize,
}

/// `t` queries over `len` keys and values of `heads` heads of `dim`.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    pub q: Rows<'a>,
    pub k: Rows<'a>,
    pub v: Rows<'a>,
    pub heads: usize,
    pub dim: usize,
    pub t: usize,
    pub len: usize,
    /// The queries are the last `t` of `len` positions, and each sees itself and what came before.
    pub causal: bool,
}

/// Up to as many queries are done one by one, each with the bits that it has alone.
pub const FEW_QUERIES: usize = 8;

/// Writes the attention of each query, `out` `[t, heads * dim]`.
pub fn attention(a: Attention, out: &mut [f32]) {
    assert!(a.dim > 0, "a head of nothing");
    assert_eq!(
        Some(out.len()),
        a.t.checked_mul(a.heads).and_then(|n| n.checked_mul(a.dim)),
        "out is not [t, heads * dim]"
    );
    if out.is_empty() {
        return;
    }
    assert!(a.len > 0 && (!a.causal || a.t <= a.len), "{} queries of {} positions", a.t, a.len);
    a.q.check(&a, a.t, "q");
    a.k.check(&a, a.len, "k");
    a.v.check(&a, a.len, "v");
    let (isa, out) = (Isa::current(), Shared::new(out));
    if a.t <= FEW_QUERIES {
        parallel(a.heads, |head| scratch(1, a.t * a.dim, |values| isa.run(few::Head { a: &a, head, values, out })));
    } else {
        let queries = blocks::queries_of_a_task(&a);
        let parts = a.t.div_ceil(queries);
        parallel(a.heads * parts, |task| {
            let (head, first) = (task / parts, task % parts * queries);
            let count = queries.min(a.t - first);
            scratch(1, blocks::scratch_len(a.dim, count), |buffer| {
                isa.run(blocks::Block { a: &a, head, first, count, buffer, out })
            });
        });
    }
}

impl Rows<'_> {
    fn check(&self, a: &Attention, rows: usize, name: &str) {
        let last = (rows - 1).checked_mul(self.row_stride).zip((a.heads - 1).checked_mul(self.head_stride));
        let end = last.and_then(|(row, head)| row.checked_add(head)?.checked_add(a.dim));
        assert!(end.is_some_and(|end| end <= self.data.len()), "{name} holds fewer than {rows} rows of each head");
    }

    /// The first `dim` elements of a row.
    #[inline(always)]
    fn slice(&self, head: usize, row: usize, dim: usize) -> &[f32] {
        &self.data[row * self.row_stride + head * self.head_stride..][..dim]
    }
}

impl Attention<'_> {
    fn scale(&self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }

    /// How many keys query `i` sees.
    #[inline(always)]
    fn seen(&self, i: usize) -> usize {
        if self.causal { self.len - self.t + i + 1 } else { self.len }
    }
}
