//! Products of few rows by a weight in `q8_0` (decode): 16 weight rows of a block are a tile of bytes where they lie.
//!
//! A number is the sum of two digits of eight bits, to the base 254, by the scale of its 32 neighbours: within a 64000th
//! of the largest of them, where its weight is within a 254th. The unit multiplies digits and weights without rounding;
//! scales are applied block by block, in f32. Each row of `x` has columns of its own in a tile, eight rows fill one, so
//! no row's bits depend on its neighbours.

use super::super::linear::Product;
use super::super::par::{Shared, parallel, scratch};
use super::super::quant::{BlockQ8_0, Q8_0_BLOCK};
use super::super::rows::CHUNK_BYTES;
use super::super::simd::Simd;
use super::super::x86::Avx512;
use super::SIDE;
use super::terms::transpose;
use super::unit::{Bytes, Products};
use std::arch::x86_64::*;

/// Digits of a number, the largest first.
const DIGITS: usize = 2;
/// What one digit is worth more than the next.
const BASE: f32 = 254.0;
/// The largest digit: all numbers are within as many times their scale.
const LARGEST: f32 = 127.0;
/// Below this a block counts as zeros, since scales would underflow.
const LEAST: f32 = 1e-30;
/// Words of four bytes of a tile of digits, `[4 steps][column]`.
const WORDS: usize = Q8_0_BLOCK / 4 * SIDE;
/// Words of a block of `x`: its tile, then the scale of each column.
const PACKED: usize = WORDS + SIDE;

/// `p.k` is not zero, and `p.n` at least [`SIDE`].
pub fn product(p: &Product, w: &[BlockQ8_0], out: Shared) {
    let blocks = p.k / Q8_0_BLOCK;
    let groups = groups(p.m);
    scratch(0, groups * blocks * PACKED, |packed| {
        packed[..groups * blocks * PACKED].fill(0.0);
        for (row, x) in p.x.chunks_exact(p.k).enumerate() {
            // SAFETY: the caller found the unit, and with it these instructions.
            unsafe { pack(x, row, blocks * PACKED, packed) }
        }
        let rows = (CHUNK_BYTES / p.w.row_bytes(p.k)).next_multiple_of(SIDE).max(SIDE);
        parallel(p.n.div_ceil(rows), |chunk| {
            let first = chunk * rows;
            let chunk = Chunk { p, w, packed, blocks, first, last: p.n.min(first + rows), out };
            // SAFETY: as above.
            scratch(1, (blocks + groups * SIDE) * SIDE, |scratch| unsafe { chunk.run(scratch) });
        });
    });
}

/// Groups of columns, a tile each, of `m` rows' digits.
fn groups(m: usize) -> usize {
    (m * DIGITS).div_ceil(SIDE)
}

/// Writes the digits of row `row` of `x`, and their scales, to their columns of groups `apart` words apart.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn pack(x: &[f32], row: usize, apart: usize, packed: &mut [f32]) {
    for (block, x) in x.chunks_exact(Q8_0_BLOCK).enumerate() {
        // SAFETY: two vectors.
        let mut rest = unsafe { [_mm512_loadu_ps(x.as_ptr()), _mm512_loadu_ps(x[SIDE..].as_ptr())] };
        let bits = rest.map(|x| _mm512_castps_si512(_mm512_abs_ps(x)));
        // As integers, so that NaN is the largest: it is then that of the products too.
        let top = f32::from_bits(_mm512_reduce_max_epi32(_mm512_max_epi32(bits[0], bits[1])) as u32);
        if top < LEAST {
            continue;
        }
        let (mut scale, mut inverse) = (top / LARGEST, LARGEST / top);
        for column in DIGITS * row..DIGITS * (row + 1) {
            let packed = &mut packed[column / SIDE * apart + block * PACKED..][..PACKED];
            for half in 0..2 {
                let digits = _mm512_cvtps_epi32(_mm512_mul_ps(rest[half], _mm512_set1_ps(inverse)));
                rest[half] = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(digits), _mm512_set1_ps(scale), rest[half]);
                let mut words = [0u32; 4];
                // SAFETY: sixteen bytes.
                unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), _mm512_cvtsepi32_epi8(digits)) };
                for (step, word) in words.into_iter().enumerate() {
                    packed[(4 * half + step) * SIDE + column % SIDE] = f32::from_bits(word);
                }
            }
            packed[WORDS + column % SIDE] = scale;
            (scale, inverse) = (scale / BASE, inverse * BASE);
        }
    }
}

/// Outputs `first..last` of every row of `x`.
struct Chunk<'a> {
    p: &'a Product<'a>,
    w: &'a [BlockQ8_0],
    packed: &'a [f32],
    /// Blocks of a row.
    blocks: usize,
    first: usize,
    last: usize,
    out: Shared<'a>,
}

impl Chunk<'_> {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
    fn run(&self, scratch: &mut [f32]) {
        // SAFETY: this function is compiled with the features that the token stands for; the caller found the unit.
        let (s, tiles) = unsafe { (Avx512::new(), Bytes::new()) };
        let groups = groups(self.p.m);
        for j in (self.first..self.last).step_by(SIDE) {
            // The last panel begins earlier, where there would be too few rows.
            let begin = j.min(self.p.n - SIDE);
            let w = &self.w[begin * self.blocks..][..SIDE * self.blocks];
            let (scales, sums) = scratch.split_at_mut(SIDE * self.blocks);
            open_scales(w, self.blocks, scales);
            for (group, sums) in sums.as_chunks_mut().0.iter_mut().enumerate().take(groups) {
                *sums = self.panel(&tiles, w, scales, (group, groups));
            }
            self.store(s, (begin, j), sums);
        }
    }

    /// The sums of the products of 16 weight rows by the columns of a group: `[column][weight row]`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
    fn panel(
        &self,
        tiles: &Bytes,
        w: &[BlockQ8_0],
        scales: &[f32],
        (group, groups): (usize, usize),
    ) -> [f32; SIDE * SIDE] {
        let x = &self.packed[group * self.blocks * PACKED..][..self.blocks * PACKED];
        let mut acc = [_mm512_setzero_ps(); SIDE];
        let mut products = [const { Products([[[0; SIDE]; SIDE]; 2]) }; 2];
        self.multiply(tiles, w, x, 0, &mut products[0]);
        for first in (0..self.blocks).step_by(2) {
            // Products take long to come out of the unit: the next ones are made while these are summed.
            let [now, next] = &mut products;
            let (now, next) = if first % 4 == 0 { (now, next) } else { (next, now) };
            if first + 2 < self.blocks {
                self.multiply(tiles, w, x, first + 2, next);
            }
            // The next panel, by each group its share of the rows: they lie apart, which the hardware does not follow.
            for row in (group..SIDE).step_by(groups) {
                let ahead = w.as_ptr().wrapping_add((SIDE + row) * self.blocks + first).cast::<i8>();
                _mm_prefetch::<_MM_HINT_T1>(ahead);
                _mm_prefetch::<_MM_HINT_T1>(ahead.wrapping_add(size_of::<BlockQ8_0>()));
            }
            for (block, products) in (first..self.blocks).zip(&now.0) {
                let scales = &scales[block * SIDE..][..SIDE];
                // SAFETY: vectors of 16.
                let x_scales = unsafe { _mm512_loadu_ps(x[block * PACKED + WORDS..][..SIDE].as_ptr()) };
                for (row, acc) in acc.iter_mut().enumerate() {
                    // SAFETY: as above.
                    let sums = _mm512_cvtepi32_ps(unsafe { _mm512_loadu_si512(products[row].as_ptr().cast()) });
                    *acc = _mm512_fmadd_ps(_mm512_mul_ps(sums, x_scales), _mm512_set1_ps(scales[row]), *acc);
                }
            }
        }
        // SAFETY: vectors of the same size, then as many numbers.
        unsafe { std::mem::transmute(transpose(std::mem::transmute::<[__m512; SIDE], [__m512i; SIDE]>(acc))) }
    }

    /// The products of blocks `first` and `first + 1`. An odd block at the end is multiplied twice, to be counted once.
    #[inline(always)]
    fn multiply(&self, tiles: &Bytes, w: &[BlockQ8_0], x: &[f32], first: usize, products: &mut Products) {
        let blocks = [first, (first + 1).min(self.blocks - 1)];
        let (w, x) = (blocks.map(|b| w[b].qs.as_ptr()), blocks.map(|b| x[b * PACKED..].as_ptr()));
        // SAFETY: both blocks of all 16 rows are in `w`, and their tiles in `x`.
        unsafe { tiles.multiply(w, self.blocks * size_of::<BlockQ8_0>(), x, products) };
    }

    /// The outputs from `j` on: the sums of their digits' columns `[column][weight row]`, smallest first.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
    fn store(&self, s: Avx512, (begin, j): (usize, usize), sums: &[f32]) {
        let count = SIDE.min(self.last - j);
        for (row, digits) in sums.as_chunks::<{ DIGITS * SIDE }>().0.iter().enumerate().take(self.p.m) {
            let at = row * self.p.n + j;
            // SAFETY: this task alone writes these outputs; `count` numbers are left of the bias and of each column.
            let out = unsafe {
                let first = _mm512_loadu_ps(digits.as_ptr());
                let second = _mm512_loadu_ps(digits[SIDE..].as_ptr());
                let mut sums = _mm512_add_ps(second, first);
                sums = _mm512_maskz_compress_ps(u16::MAX << (j - begin), sums);
                if let Some(bias) = self.p.bias {
                    sums = _mm512_add_ps(sums, s.load_up_to(bias[j..][..count].as_ptr(), count));
                }
                let out = self.out.slice(at, count);
                s.store_up_to(out.as_mut_ptr(), sums, count);
                out
            };
            self.p.then.apply(s, out, at);
        }
    }
}

/// The scales of 16 rows of `w` `[row][block]` in f32, `[block][row]`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,f16c")]
fn open_scales(w: &[BlockQ8_0], blocks: usize, scales: &mut [f32]) {
    assert!(w.len() == SIDE * blocks && scales.len() >= SIDE * blocks);
    let row_bytes = (blocks * size_of::<BlockQ8_0>()) as i32;
    let rows = _mm512_mullo_epi32(
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        _mm512_set1_epi32(row_bytes),
    );
    for (block, scales) in scales.chunks_exact_mut(SIDE).enumerate().take(blocks) {
        // SAFETY: four bytes from the beginning of a block of each row, of which the first two are the scale; a vector.
        unsafe {
            let words = _mm512_i32gather_epi32::<1>(rows, w.as_ptr().add(block).cast());
            _mm512_storeu_ps(scales.as_mut_ptr(), _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words)));
        }
    }
}
