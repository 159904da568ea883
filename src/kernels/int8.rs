//! Matrix products in integers: `q8_0` weights by activations that are quantised to eight bits for each 32, too.
//! Groups of `q4_K` weights become such blocks of 32 first, which rounds them a little further.
//!
//! Approximate, and two to three times as fast as f32 where the processor multiplies bytes (VNNI). The sums within a
//! block of 32 are exact; each output adds its blocks up in order, whatever the thread and the number of rows.

use super::isa::{Isa, Task};
use super::linear::Product;
use super::pack::transpose4;
use super::par::{Shared, parallel, scratch};
use super::quant::{BlockQ4K, Q8_0_BLOCK, nearest_byte, quantise};
use super::simd::Simd;
use super::source::Matrix;
use super::tile::{Tile, load_pair, store_pair, with_tile_rows};
use std::hint::black_box;

/// Words of four bytes in a block.
const WORDS: usize = Q8_0_BLOCK / 4;
/// Weight rows in one task.
const COLUMNS: usize = 64;
/// Rows of `x` that are quantised together: a multiple of every tile height.
const PACKED_ROWS: usize = 48;
/// Most blocks of a panel that are multiplied at a time: they fit the first cache.
const MOST_DEPTH: usize = 24;
/// Two vectors of the widest set.
const MOST_WIDTH: usize = 32;

/// `x` rounded to eight bits for each 32 of a row, by a weight of blocks. Without what follows the product.
pub(super) fn product(isa: Isa, p: &Product, out: Shared) {
    let &Product { x, m, w, n, k, bias, .. } = p;
    let blocks = k / Q8_0_BLOCK;
    scratch(0, m * blocks * (WORDS + 1), |packed| {
        let panels = Shared::new(packed);
        parallel(m.div_ceil(PACKED_ROWS), |block| {
            isa.run(Quantise { x, m, blocks, first: block * PACKED_ROWS, panels })
        });
        let packed = bytemuck::cast_slice(packed);
        parallel(n.div_ceil(COLUMNS), |task| {
            let columns = (task * COLUMNS, n.min(task * COLUMNS + COLUMNS));
            scratch(1, COLUMNS * blocks * (WORDS + 2), |panels| {
                isa.run(Block { packed, m, w, n, blocks, bias, columns, panels, out })
            });
        });
    });
}

/// The height of the next tile: half of the f32 tile's, since each output has an integer sum as well.
#[inline(always)]
fn tile_rows<S: Simd>(left: usize) -> usize {
    [6, 4, 2].into_iter().find(|&rows| 2 * rows <= S::TILE_ROWS && rows <= left).unwrap_or(1)
}

/// Quantises rows of `x` from `first` on, in panels; for each block, the words `[WORDS][height]` of bytes with
/// [`Simd::ADDED`] added, then the scales `[height]`.
struct Quantise<'a> {
    x: &'a [f32],
    m: usize,
    blocks: usize,
    first: usize,
    panels: Shared<'a>,
}

impl Task for Quantise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (last, row_words) = (self.m.min(self.first + PACKED_ROWS), self.blocks * (WORDS + 1));
        let mut row = self.first;
        while row < last {
            let height = tile_rows::<S>(last - row);
            // SAFETY: panels are disjoint parts of memory for `m` rows.
            let panel = unsafe { self.panels.slice(row * row_words, height * row_words) };
            let panel: &mut [i32] = bytemuck::cast_slice_mut(panel);
            for r in 0..height {
                let x = &self.x[(row + r) * self.blocks * Q8_0_BLOCK..][..self.blocks * Q8_0_BLOCK];
                let x = x.as_chunks::<Q8_0_BLOCK>().0;
                for (x, panel) in x.iter().zip(panel.chunks_exact_mut(height * (WORDS + 1))) {
                    let (scale, integers) = quantise(x);
                    let bytes = integers.map(|q| (q as u8).wrapping_add(S::ADDED));
                    for (word, bytes) in bytes.as_chunks::<4>().0.iter().enumerate() {
                        panel[word * height + r] = i32::from_le_bytes(*bytes);
                    }
                    panel[WORDS * height + r] = scale.to_bits() as i32;
                }
            }
            row += height;
        }
    }
}

/// Four weights in the bits of each f32.
#[inline(always)]
fn words_of(qs: [i8; Q8_0_BLOCK]) -> [f32; WORDS] {
    bytemuck::cast::<_, [u32; WORDS]>(qs).map(|word| f32::from_bits(u32::from_le(word)))
}

/// A group of four-bit weights as a scale and eight-bit integers.
#[inline(always)]
fn eight_bits<S: Simd>(s: S, block: &BlockQ4K, group: usize) -> (f32, [i8; Q8_0_BLOCK]) {
    let (scale, min) = block.group(group);
    let all = &raw const *block;
    // SAFETY: all of the block can be read.
    let (d, dmin) = unsafe { (s.f16(&raw const (*all).d), s.f16(&raw const (*all).dmin)) };
    let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
    let top = (15.0 * scale - min).abs().max(min.abs());
    let inverse = if top > 0.0 { 127.0 / top } else { 0.0 };
    let mut integers = [0; Q8_0_BLOCK];
    for (integer, byte) in integers.iter_mut().zip(&block.qs[group / 2 * 32..]) {
        let q = (byte >> (group % 2 * 4)) & 15;
        *integer = nearest_byte((scale * f32::from(q) - min) * inverse) as i8;
    }
    // A maximum passes over NaN, which is not to be hidden.
    (top / 127.0 + 0.0 * (scale + min), integers)
}

/// All rows of `x` by weight rows `columns.0..columns.1`.
struct Block<'a> {
    packed: &'a [i32],
    m: usize,
    w: Matrix<'a>,
    n: usize,
    blocks: usize,
    bias: Option<&'a [f32]>,
    columns: (usize, usize),
    /// Room for the packed weight.
    panels: &'a mut [f32],
    out: Shared<'a>,
}

impl Task for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let width = 2 * S::LANES;
        let panels = std::mem::take(&mut self.panels);
        let panel_words = width * self.blocks * (WORDS + 2);
        let columns = (self.columns.0..self.columns.1).step_by(width).enumerate();
        for (i, column) in columns.clone() {
            self.pack(s, column, &mut panels[i * panel_words..][..panel_words]);
        }
        // Passes of one depth, for each reads and writes all of the output again. Once even without blocks: the bias
        // is written all the same.
        let depth = self.blocks.div_ceil(self.blocks.div_ceil(MOST_DEPTH).max(1)).max(1);
        for from in (0..self.blocks.max(1)).step_by(depth) {
            for (i, column) in columns.clone() {
                let panel = &panels[i * panel_words..][..panel_words][from * width * (WORDS + 2)..];
                let panel = bytemuck::cast_slice(&panel[..panel.len().min(depth * width * (WORDS + 2))]);
                self.pass(s, column, from, panel);
            }
        }
    }
}

impl Block<'_> {
    /// The scale and the integers of one block of a weight row.
    #[inline(always)]
    fn block<S: Simd>(&self, s: S, row: usize, block: usize) -> (f32, [i8; Q8_0_BLOCK]) {
        let at = row * self.blocks + block;
        match self.w {
            Matrix::Q8_0(w) => {
                let block = &raw const w[at];
                // SAFETY: all of the block can be read.
                (unsafe { s.f16(&raw const (*block).d) }, w[at].qs)
            }
            Matrix::Q4K(w) => eight_bits(s, &w[at / 8], at % 8),
            _ => (0.0, [0; Q8_0_BLOCK]), // refused
        }
    }

    /// Packs weight rows from `column` on; for each block, the words `[WORDS][width]`, the scales `[width]`, and
    /// `[width]` sums times what was added to each byte of `x`, negative, which take it back.
    #[inline(always)]
    fn pack<S: Simd>(&self, s: S, column: usize, panel: &mut [f32]) {
        let width = 2 * S::LANES;
        let count = width.min(self.columns.1 - column);
        for (block, panel) in panel.chunks_exact_mut(width * (WORDS + 2)).enumerate() {
            let (words, rest) = panel.split_at_mut(width * WORDS);
            let (scales, sums) = rest.split_at_mut(width);
            for c in (0..width).step_by(4) {
                let mut rows = [[0f32; WORDS]; 4];
                for (r, row) in rows.iter_mut().enumerate() {
                    scales[c + r] = 0.0;
                    if c + r < count {
                        let qs;
                        (scales[c + r], qs) = self.block(s, column + c + r, block);
                        *row = words_of(qs);
                    }
                }
                transpose4(rows.each_ref().map(|row| &row[..]), width, &mut words[c..]);
            }
            for at in [0, S::LANES] {
                let mut sum = s.zero_i32();
                for word in words.chunks_exact(width) {
                    // SAFETY: two vectors are in each row of words, and in the sums.
                    sum = s.dot4(sum, i32::from_ne_bytes([S::ADDED; 4]), unsafe {
                        s.load_i32(word[at..].as_ptr().cast())
                    });
                }
                // SAFETY: as above.
                unsafe { s.store_i32(sums[at..].as_mut_ptr().cast(), s.sub_i32(s.zero_i32(), sum)) };
            }
        }
    }

    /// All rows of `x` by one panel's blocks from `from` on, which stay in the first cache.
    #[inline(always)]
    fn pass<S: Simd>(&self, s: S, column: usize, from: usize, panel: &[i32]) {
        let mut row = 0;
        while row < self.m {
            let block_end = ((row / PACKED_ROWS + 1) * PACKED_ROWS).min(self.m);
            let height = tile_rows::<S>(block_end - row);
            with_tile_rows!(S, height, MR => self.tile::<S, MR>(s, (row, column), from, panel));
            row += height;
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const MR: usize>(&self, s: S, (row, column): (usize, usize), from: usize, panel: &[i32]) {
        let width = 2 * S::LANES;
        let (a_words, b_words) = (MR * (WORDS + 1), width * (WORDS + 2));
        let a = &self.packed[row * self.blocks * (WORDS + 1)..][..self.blocks * a_words][from * a_words..];
        let count = width.min(self.columns.1 - column);
        let mut acc = [[s.splat(0.0); 2]; MR];
        if from > 0 {
            for (r, acc) in acc.iter_mut().enumerate() {
                // SAFETY: this task alone writes these columns, and has written them.
                *acc = unsafe { load_pair(s, self.out.at((row + r) * self.n + column, count), count) };
            }
        }
        let blocks = (a.len() / a_words).min(panel.len() / b_words);
        // SAFETY: `a` holds blocks of WORDS + 1 rows of MR, `panel` of WORDS + 2 rows of two vectors.
        let acc = unsafe { products::<S, MR>(s, blocks, (a.as_ptr(), panel.as_ptr()), acc) };
        let mut bias = [0f32; MOST_WIDTH];
        if let (Some(all), true) = (self.bias, from + blocks >= self.blocks) {
            bias[..count].copy_from_slice(&all[column..][..count]);
        }
        for (r, acc) in acc.iter().enumerate() {
            // SAFETY: `bias` holds two vectors of any set; this task alone writes these columns.
            unsafe {
                let bias = bias.as_ptr();
                let sums = [s.add(acc[0], s.load(bias)), s.add(acc[1], s.load(bias.add(S::LANES)))];
                store_pair(s, self.out.at((row + r) * self.n + column, count), sums, count);
            }
        }
    }
}

/// Adds the products of blocks to `acc`, one block after another.
///
/// # Safety
/// `a` holds so many blocks of a panel of `MR` rows of `x`, `b` of one of two vectors of the weight.
#[inline(always)]
unsafe fn products<S: Simd, const MR: usize>(
    s: S,
    blocks: usize,
    (mut a, mut b): (*const i32, *const i32),
    mut acc: Tile<S::V, MR>,
) -> Tile<S::V, MR> {
    let width = 2 * S::LANES;
    // Unknown to the compiler, which else unrolls the words, takes them row by row, and runs out of registers.
    let words = black_box(WORDS);
    for _ in 0..blocks {
        // SAFETY: the caller's promise.
        unsafe {
            let start = b.add((WORDS + 1) * width);
            let mut sums = [[s.load_i32(start), s.load_i32(start.add(S::LANES))]; MR];
            for word in 0..words {
                let w = [s.load_i32(b.add(word * width)), s.load_i32(b.add(word * width + S::LANES))];
                for (r, sums) in sums.iter_mut().enumerate() {
                    let x = *a.add(word * MR + r);
                    *sums = [s.dot4(sums[0], x, w[0]), s.dot4(sums[1], x, w[1])];
                }
            }
            let scales = b.add(WORDS * width).cast::<f32>();
            let scales = [s.load(scales), s.load(scales.add(S::LANES))];
            for (r, acc) in acc.iter_mut().enumerate() {
                let (x, sums) = (s.splat(f32::from_bits(*a.add(WORDS * MR + r) as u32)), sums[r]);
                *acc = [
                    s.fma(s.to_f32(sums[0]), s.mul(x, scales[0]), acc[0]),
                    s.fma(s.to_f32(sums[1]), s.mul(x, scales[1]), acc[1]),
                ];
            }
            (a, b) = (a.add(MR * (WORDS + 1)), b.add(width * (WORDS + 2)));
        }
    }
    acc
}
