//! Matrix products of many rows (prefill, fine passes, HuBERT): blocked and packed, at the speed of multiply-add.
//!
//! `x` is packed once, in panels as high as the register tile; each task packs a block of the weight, whatever its
//! type, into panels of two vectors' width that stay in the second cache, and passes all of `x` over them. Each output
//! is the sum over blocks of [`STEPS`] products added up in order, whatever the thread and the number of rows.

use super::amx;
use super::isa::{Isa, Task};
use super::linear::Product;
use super::pack::{Rows, STEPS};
use super::par::{Shared, parallel, scratch};
use super::simd::Simd;
use super::source::{Brain, Full, Half, Matrix, Q4, Q8, Source};
use super::tile::{Operands, accumulate, load_pair, store_pair, tile_rows, with_tile_rows};

/// Weight rows in one task: four panels of AVX-512, 128 KiB packed.
const COLUMNS: usize = 128;
/// Rows of `x` that one task packs.
const PACKED_ROWS: usize = 48;
/// Fewest rows of `x` in one task, so that packing the weight again for each such block stays cheap.
const LEAST_ROWS: usize = 240;

pub(super) fn product(isa: Isa, p: &Product, out: Shared) {
    if isa == Isa::Amx {
        return amx::product(p, out);
    }
    match p.w {
        Matrix::F32(w) => blocked::<Full>(isa, p, w, out),
        Matrix::F16(w) => blocked::<Half>(isa, p, w, out),
        Matrix::Bf16(w) => blocked::<Brain>(isa, p, w, out),
        Matrix::Q8_0(w) => blocked::<Q8>(isa, p, w, out),
        Matrix::Q4K(w) => blocked::<Q4>(isa, p, w, out),
    }
}

fn blocked<W: Source<Stored: Sync>>(isa: Isa, p: &Product, w: &[W::Stored], out: Shared) {
    scratch(0, p.m * p.k, |packed| {
        let panels = Shared::new(packed);
        parallel(p.m.div_ceil(PACKED_ROWS), |block| isa.run(PackX { p, first: block * PACKED_ROWS, panels }));
        let columns = p.n.div_ceil(COLUMNS);
        let rows = rows_of_a_task(p.m, columns);
        parallel(columns * p.m.div_ceil(rows), |task| {
            let (row, column) = (task / columns * rows, task % columns * COLUMNS);
            let (rows, columns) = ((row, p.m.min(row + rows)), (column, p.n.min(column + COLUMNS)));
            // Outside the task: a closure inside would be compiled without the set's instructions.
            scratch(1, COLUMNS * STEPS, |panels| isa.run(Block::<W> { p, w, packed, rows, columns, panels, out }));
        });
    });
}

/// Splits the rows too where the weight's blocks are too few to keep the threads evenly busy.
fn rows_of_a_task(m: usize, columns: usize) -> usize {
    let wanted = (4 * rayon::current_num_threads()).div_ceil(columns);
    m.div_ceil(wanted).max(LEAST_ROWS).next_multiple_of(PACKED_ROWS)
}

/// Packs rows of `x` from `first` on: block by block of steps, then panel by panel.
struct PackX<'a> {
    p: &'a Product<'a>,
    first: usize,
    panels: Shared<'a>,
}

impl Task for PackX<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Product { x, m, k, .. } = *self.p;
        let last = m.min(self.first + PACKED_ROWS);
        for from in (0..k).step_by(STEPS) {
            let steps = STEPS.min(k - from);
            let rows = Rows::<Full> { w: x, k, from, steps };
            let mut i = self.first;
            while i < last {
                let height = tile_rows::<S>(last - i);
                // SAFETY: blocks of steps, and panels in them, are disjoint ranges of the m * k packed elements.
                let panel = unsafe { self.panels.slice(m * from + i * steps, height * steps) };
                rows.pack(s, i, height, height, panel);
                i += height;
            }
        }
    }
}

/// One block of outputs, `rows.0..rows.1` by `columns.0..columns.1`.
struct Block<'a, W: Source> {
    p: &'a Product<'a>,
    w: &'a [W::Stored],
    packed: &'a [f32],
    rows: (usize, usize),
    columns: (usize, usize),
    /// Room for the packed weight.
    panels: &'a mut [f32],
    out: Shared<'a>,
}

impl<W: Source> Task for Block<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let width = 2 * S::LANES;
        let (k, columns) = (self.p.k, self.columns);
        let panels = std::mem::take(&mut self.panels);
        for from in (0..k).step_by(STEPS) {
            let steps = STEPS.min(k - from);
            let rows = Rows::<W> { w: self.w, k, from, steps };
            for (j, panel) in (columns.0..columns.1).step_by(width).zip(panels.chunks_mut(width * STEPS)) {
                rows.pack(s, j, width.min(columns.1 - j), width, panel);
            }
            self.pass(s, from, steps, panels);
        }
    }
}

impl<W: Source> Block<'_, W> {
    /// All rows over the packed panels.
    #[inline(always)]
    fn pass<S: Simd>(&self, s: S, from: usize, steps: usize, panels: &[f32]) {
        let width = 2 * S::LANES;
        let mut i = self.rows.0;
        while i < self.rows.1 {
            // As `PackX` split them: its blocks are multiples of the tile's height but for the last.
            let block_end = ((i / PACKED_ROWS + 1) * PACKED_ROWS).min(self.p.m);
            let height = tile_rows::<S>(block_end - i);
            let a = &self.packed[self.p.m * from + i * steps..][..height * steps];
            for (j, b) in (self.columns.0..self.columns.1).step_by(width).zip(panels.chunks(width * STEPS)) {
                let corner = Corner { i, j, more: from > 0, last: from + steps == self.p.k };
                with_tile_rows!(S, height, MR => self.tile::<S, MR>(s, &corner, a, b));
            }
            i += height;
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const MR: usize>(&self, s: S, corner: &Corner, a: &[f32], b: &[f32]) {
        let width = 2 * S::LANES;
        let count = width.min(self.columns.1 - corner.j);
        let steps = a.len() / MR;
        assert!(b.len() >= steps * width);
        let mut acc = [[s.splat(0.0); 2]; MR];
        // SAFETY: the panels hold `steps` of MR and of `width` elements, as asserted; the outputs are this task's own.
        unsafe {
            let part = |from: usize, steps: usize| {
                let (a, b) = (a.as_ptr().add(from * MR), b.as_ptr().add(from * width));
                Operands { steps, a: move |step, row| a.add(step * MR + row), b: move |step| b.add(step * width) }
            };
            acc = accumulate(s, &part(0, steps / 2), acc);
            // The outputs lie pages apart and were last touched a block of steps ago: asked for while there is time.
            for r in 0..MR {
                let out = self.out.at((corner.i + r) * self.p.n + corner.j, count).cast::<u8>();
                s.prefetch(out);
                s.prefetch(out.wrapping_add(S::LANES * size_of::<f32>()));
            }
            acc = accumulate(s, &part(steps / 2, steps - steps / 2), acc);
            for (r, sums) in acc.into_iter().enumerate() {
                self.p.add(s, sums, count, &Corner { i: corner.i + r, ..*corner }, self.out);
            }
        }
    }
}

impl Product<'_> {
    /// Adds a block's sums to `count` outputs of a row, of two vectors at most; then what follows the last block.
    ///
    /// # Safety
    /// This task alone writes these outputs.
    #[inline(always)]
    pub(super) unsafe fn add<S: Simd>(&self, s: S, mut sums: [S::V; 2], count: usize, corner: &Corner, out: Shared) {
        let at = corner.i * self.n + corner.j;
        // SAFETY: the caller's promise; the bias is as long as a row.
        unsafe {
            let row = out.at(at, count);
            if corner.more {
                let [low, high] = load_pair(s, row, count);
                sums = [s.add(sums[0], low), s.add(sums[1], high)];
            }
            if corner.last
                && let Some(bias) = self.bias
            {
                let [low, high] = load_pair(s, bias.as_ptr().add(corner.j), count);
                sums = [s.add(sums[0], low), s.add(sums[1], high)];
            }
            store_pair(s, row, sums, count);
            if corner.last {
                self.then.apply(s, out.slice(at, count), at);
            }
        }
    }
}

/// Where outputs are: their first row and column, and which blocks of steps went before or come after.
pub(super) struct Corner {
    pub i: usize,
    pub j: usize,
    pub more: bool,
    pub last: bool,
}
