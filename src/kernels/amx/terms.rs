//! Numbers as sums of bf16, in the tiles' layouts.

use super::unit::Terms;
use super::{DEPTH, SIDE, WORDS};
use std::arch::x86_64::*;

/// 32 numbers as `T` bf16 each: their sum is the number, exactly where `T` is as many as its bits need.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn split<const T: usize>(mut low: __m512, mut high: __m512) -> [__m512i; T] {
    if T == 1 {
        // SAFETY: plain bits.
        return [unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)) }; T];
    }
    // SAFETY: 64 aligned bytes.
    let odd = unsafe { _mm512_load_si512(UPPER_HALVES.0.as_ptr().cast()) };
    let upper = _mm512_set1_epi32(0xffff_0000_u32 as i32);
    let mut terms = [_mm512_setzero_si512(); T];
    for term in &mut terms {
        let (l, h) = (_mm512_castps_si512(low), _mm512_castps_si512(high));
        *term = _mm512_permutex2var_epi16(l, odd, h);
        low = _mm512_sub_ps(low, _mm512_castsi512_ps(_mm512_and_si512(l, upper)));
        high = _mm512_sub_ps(high, _mm512_castsi512_ps(_mm512_and_si512(h, upper)));
    }
    terms
}

/// Writes 32 numbers of a row of `x` to its place in the tiles of each term from `tile` on.
///
/// # Safety
/// `tile` is aligned to 64 bytes, and `T::X - 1` tiles and a row of words from there can be written.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub unsafe fn store_row<T: Terms>(halves: [__m512; 2], tile: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        match T::X {
            1 => store_terms::<1>(halves, tile),
            2 => store_terms::<2>(halves, tile),
            _ => store_terms::<3>(halves, tile),
        }
    }
}

/// [`store_row`] of so many terms.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn store_terms<const TERMS: usize>([low, high]: [__m512; 2], tile: *mut f32) {
    for (term, words) in split::<TERMS>(low, high).into_iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { _mm512_store_si512(tile.add(term * WORDS).cast(), words) };
    }
}

/// Splits 16 rows of a weight into tiles `[block][term]`, each step's columns side by side. The rows lie `stride` apart.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub fn store_columns<T: Terms>(rows: &[f32], stride: usize, blocks: usize, panel: &mut [f32]) {
    let mut terms = [[_mm512_setzero_si512(); SIDE]; 3];
    for (block, tiles) in panel.chunks_exact_mut(T::W * WORDS).enumerate().take(blocks) {
        for r in 0..SIDE {
            let row = &rows[r * stride + block * DEPTH..][..DEPTH];
            // SAFETY: two vectors.
            let (low, high) = unsafe { (_mm512_loadu_ps(row.as_ptr()), _mm512_loadu_ps(row[SIDE..].as_ptr())) };
            match T::X {
                1 => [terms[0][r]] = split::<1>(low, high),
                2 => [terms[0][r], terms[1][r]] = split::<2>(low, high),
                _ => [terms[0][r], terms[1][r], terms[2][r]] = split::<3>(low, high),
            }
        }
        for (tile, rows) in tiles.chunks_exact_mut(WORDS).zip(&terms) {
            for (word, columns) in tile.chunks_exact_mut(SIDE).zip(transpose(*rows)) {
                // SAFETY: a vector.
                unsafe { _mm512_storeu_si512(word.as_mut_ptr().cast(), columns) };
            }
        }
    }
}

/// Writes 16 numbers each of two neighbouring steps to their place in the tiles of a weight, of each term from `tile` on.
///
/// # Safety
/// `T::W - 1` tiles and a row of words from there can be written.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub unsafe fn store_steps<T: Terms>([even, odd]: [__m512; 2], tile: *mut f32) {
    // SAFETY: 64 aligned bytes; the caller's promise.
    unsafe {
        let by_turns = _mm512_load_si512(BY_TURNS.0.as_ptr().cast());
        let store = |term: usize, both: __m512i| {
            _mm512_storeu_si512(tile.add(term * WORDS).cast(), _mm512_permutexvar_epi16(by_turns, both));
        };
        match T::W {
            1 => store(0, split::<1>(even, odd)[0]),
            _ => {
                let [first, second, third] = split::<3>(even, odd);
                store(0, first);
                store(1, second);
                store(2, third);
            }
        }
    }
}

#[repr(align(64))]
struct Indices([i16; 32]);

/// The halves of a vector by turns.
static BY_TURNS: Indices = {
    let (mut indices, mut i) = ([0; 32], 0);
    while i < 16 {
        (indices[2 * i], indices[2 * i + 1]) = (i as i16, i as i16 + 16);
        i += 1;
    }
    Indices(indices)
};

/// The upper halves of the words of two vectors.
static UPPER_HALVES: Indices = {
    let (mut indices, mut i) = ([0; 32], 0);
    while i < 32 {
        indices[i] = 2 * i as i16 + 1;
        i += 1;
    }
    Indices(indices)
};

/// Rows become columns.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub fn transpose(r: [__m512i; SIDE]) -> [__m512i; SIDE] {
    let mut t = r;
    for i in 0..8 {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    let mut q = t;
    for i in 0..4 {
        for h in 0..2 {
            q[4 * i + 2 * h] = _mm512_unpacklo_epi64(t[4 * i + h], t[4 * i + 2 + h]);
            q[4 * i + 2 * h + 1] = _mm512_unpackhi_epi64(t[4 * i + h], t[4 * i + 2 + h]);
        }
    }
    // q[4 i + c] holds rows 4 i.. of columns c, c + 4, c + 8 and c + 12.
    let mut out = q;
    for c in 0..4 {
        let (a, b, d, e) = (q[c], q[4 + c], q[8 + c], q[12 + c]);
        let (ab0, ab1) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
        let (de0, de1) = (_mm512_shuffle_i32x4::<0x88>(d, e), _mm512_shuffle_i32x4::<0xdd>(d, e));
        out[c] = _mm512_shuffle_i32x4::<0x88>(ab0, de0);
        out[8 + c] = _mm512_shuffle_i32x4::<0xdd>(ab0, de0);
        out[4 + c] = _mm512_shuffle_i32x4::<0x88>(ab1, de1);
        out[12 + c] = _mm512_shuffle_i32x4::<0xdd>(ab1, de1);
    }
    out
}
