//! The matrix unit of Intel's server processors (AMX, since Sapphire Rapids): products of many rows in tiles of bf16,
//! and in [`few`] those of few rows in tiles of bytes.
//!
//! One instruction multiplies 16 rows of 32 bf16 by 16 columns of them and adds the products in f32, at 16 times the
//! rate of AVX-512's multiply-add. An f32 is exactly the sum of three bf16, its [terms](Terms): six of the nine products
//! of terms are a product in f32 (the other three are below its last bit). So products of f32 take six instructions and are
//! as exact as multiply-adds, those of bf16 weights three; where `x` and the weight may be rounded to eight bits, one.

mod attention;
mod few;
mod terms;
mod unit;

use super::gemm::Corner;
use super::linear::Product;
use super::pack::Rows;
use super::par::{Shared, parallel, scratch};
use super::simd::Simd;
use super::source::{Brain, Full, Half, Matrix, Q4, Q8, Source};
use super::tile::load_pair;
use super::x86::Avx512;
pub(super) use attention::{Exact, Rounded, attention};
pub(super) use few::product as few_rows;
use std::marker::PhantomData;
use terms::{store_columns, store_row};
pub(super) use unit::is_available;
use unit::{ByOne, ByThree, ByTwo, One, Operands, Sums, Terms, Tiles};

/// Rows of a tile of outputs, and its columns.
pub(super) const SIDE: usize = 16;
/// Steps of the sum in a tile of operands.
const DEPTH: usize = 32;
/// Words of four bytes in a tile.
const WORDS: usize = SIDE * SIDE;
/// Weight rows in one task: their packed panels stay in the second cache.
const fn columns(terms: usize) -> usize {
    if terms == 1 { 256 } else { 128 }
}
/// Rows of `x` that are multiplied together: two tiles.
const ROWS: usize = 2 * SIDE;
/// Steps that are summed in tiles before the sums are added to the outputs. A multiple of every weight type's block.
const STEPS: usize = 1024;

/// Words of a panel of the weight, for each term.
const PANEL: usize = STEPS / DEPTH * WORDS;

/// Fewest rows of `x` in one task, so that packing the weight again for each such block stays cheap.
const LEAST_ROWS: usize = 256;

/// As exact as in f32. `p.k` is not zero.
pub(super) fn product(p: &Product, out: Shared) {
    match p.w {
        Matrix::F32(w) => blocked::<Full, ByThree>(p, w, out),
        Matrix::F16(w) => blocked::<Half, ByTwo>(p, w, out),
        Matrix::Bf16(w) => blocked::<Brain, ByOne>(p, w, out),
        Matrix::Q8_0(w) => blocked::<Q8, ByThree>(p, w, out),
        Matrix::Q4K(w) => blocked::<Q4, ByThree>(p, w, out),
    }
}

/// `x` and a weight of blocks rounded to bf16.
pub(super) fn rounded_product(p: &Product, out: Shared) {
    match p.w {
        Matrix::Q8_0(w) => blocked::<Q8, One>(p, w, out),
        Matrix::Q4K(w) => blocked::<Q4, One>(p, w, out),
        _ => product(p, out),
    }
}

fn blocked<W: Source<Stored: Sync>, T: Terms>(p: &Product, w: &[W::Stored], out: Shared) {
    let blocks = p.k.div_ceil(DEPTH);
    let tiles = p.m.div_ceil(ROWS) * 2;
    scratch(0, tiles * blocks * T::X * WORDS, |packed| {
        let panels = Shared::new(packed);
        parallel(p.m.div_ceil(ROWS), |pair| {
            // SAFETY: the caller found the unit, and with it these instructions.
            unsafe { pack_x::<T>(p, pair * ROWS, panels) }
        });
        let width = columns(T::W);
        let columns = p.n.div_ceil(width);
        let rows = rows_of_a_task(p.m, columns);
        parallel(columns * p.m.div_ceil(rows), |task| {
            let (row, column) = (task / columns * rows, task % columns * width);
            let (rows, columns) = ((row, p.m.min(row + rows)), (column, p.n.min(column + width)));
            scratch(1, width / SIDE * PANEL * T::W + SIDE * STEPS, |panels| {
                let block = Block::<W, T> { p, w, packed, rows, columns, out, terms: PhantomData };
                // SAFETY: as above.
                unsafe { block.run(panels) }
            });
        });
    });
}

/// Splits the rows too where the weight's blocks are too few to keep the threads evenly busy.
fn rows_of_a_task(m: usize, columns: usize) -> usize {
    let wanted = (4 * rayon::current_num_threads()).div_ceil(columns);
    m.div_ceil(wanted).max(LEAST_ROWS).next_multiple_of(ROWS)
}

/// Splits rows `first..first + ROWS` of `x` into tiles, `[tile][block][term]`: zeros below the last row and after the last
/// step.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
fn pack_x<T: Terms>(p: &Product, first: usize, panels: Shared) {
    let Product { x, m, k, .. } = *p;
    // SAFETY: this function is compiled with the features that the token stands for.
    let s = unsafe { Avx512::new() };
    let row_words = k.div_ceil(DEPTH) * T::X * SIDE;
    for row in first..first + ROWS {
        let tile = row / SIDE * SIDE * row_words + row % SIDE * SIDE;
        for (block, from) in (0..k).step_by(DEPTH).enumerate() {
            let steps = DEPTH.min(k - from);
            // SAFETY: the row's numbers end within `x`; one task alone writes these words of the panels.
            unsafe {
                let [low, high] =
                    if row < m { load_pair(s, x.as_ptr().add(row * k + from), steps) } else { [s.splat(0.0); 2] };
                let tile = panels.at(tile + block * T::X * WORDS, (T::X - 1) * WORDS + SIDE);
                store_row::<T>([low, high], tile);
            }
        }
    }
}

/// One block of outputs, `rows.0..rows.1` by `columns.0..columns.1`.
struct Block<'a, W: Source, T> {
    p: &'a Product<'a>,
    w: &'a [W::Stored],
    packed: &'a [f32],
    rows: (usize, usize),
    columns: (usize, usize),
    out: Shared<'a>,
    terms: PhantomData<T>,
}

impl<W: Source, T: Terms> Block<'_, W, T> {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
    fn run(&self, scratch: &mut [f32]) {
        // SAFETY: this function is compiled with the features that the token stands for; the caller found the unit.
        let (s, tiles) = unsafe { (Avx512::new(), Tiles::new()) };
        let (decoded, panels) = scratch.split_at_mut(SIDE * STEPS);
        let mut sums = Sums::new();
        for from in (0..self.p.k).step_by(STEPS) {
            let steps = STEPS.min(self.p.k - from);
            for (j, panel) in (self.columns.0..self.columns.1).step_by(SIDE).zip(panels.chunks_mut(PANEL * T::W)) {
                self.pack(s, j, from, steps, decoded, panel);
            }
            for i in (self.rows.0..self.rows.1).step_by(ROWS) {
                for j in (self.columns.0..self.columns.1).step_by(2 * SIDE) {
                    let operands = self.operands((i, j), from, steps, panels);
                    // SAFETY: both panels hold these blocks.
                    unsafe { T::multiply(&tiles, operands, sums.place()) };
                    self.add(s, (i, j), (from > 0, from + steps == self.p.k), &sums);
                }
            }
        }
    }

    /// Two by two tiles from row `i` and column `j` on.
    #[inline]
    fn operands(&self, (i, j): (usize, usize), from: usize, steps: usize, panels: &[f32]) -> Operands {
        let x_tile = self.p.k.div_ceil(DEPTH) * T::X * WORDS;
        let x = self.packed[i / SIDE * x_tile + from / DEPTH * T::X * WORDS..].as_ptr();
        let w = panels[(j - self.columns.0) / SIDE * PANEL * T::W..].as_ptr();
        let both = |first: *const f32, apart: usize| [first.cast(), first.wrapping_add(apart).cast()];
        Operands { x: both(x, x_tile), w: both(w, PANEL * T::W), blocks: steps.div_ceil(DEPTH) }
    }

    /// Adds the sums of two by two tiles to the outputs from `(i, j)` on.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
    fn add(&self, s: Avx512, (i, j): (usize, usize), (more, last): (bool, bool), sums: &Sums) {
        for r in 0..ROWS.min(self.rows.1 - i) {
            let count = (2 * SIDE).min(self.columns.1 - j);
            let corner = Corner { i: i + r, j, more, last };
            // SAFETY: this task alone writes these outputs; a tile's row is a vector.
            unsafe {
                let sums = load_pair(s, sums.0[r].as_ptr(), 2 * SIDE);
                self.p.add(s, sums, count, &corner, self.out);
            }
        }
    }

    /// Splits 16 weight rows from `column` on into tiles, `[block][term]`, each step's columns side by side; zeros where
    /// there are none.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
    fn pack(&self, s: Avx512, column: usize, from: usize, steps: usize, decoded: &mut [f32], panel: &mut [f32]) {
        let rows = Rows::<W> { w: self.w, k: self.p.k, from, steps };
        for (r, row) in decoded.chunks_exact_mut(STEPS).enumerate() {
            if column + r < self.columns.1 {
                // SAFETY: the weight holds the row.
                unsafe { rows.decode(s, column + r, row) };
                row[steps..].fill(0.0);
            } else {
                row.fill(0.0);
            }
        }
        store_columns::<T>(decoded, STEPS, steps.div_ceil(DEPTH), panel);
    }
}
