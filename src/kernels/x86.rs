//! The vectors of AVX2 (8 lanes) and AVX-512 (16 lanes).

use super::quant::Q4K_BLOCK;
use super::simd::{MOST_LANES, Simd};
use half::{bf16, f16};
use std::arch::x86_64::*;

/// Proof of AVX2, FMA and F16C, and of AVX-VNNI where `VNNI`.
#[derive(Clone, Copy)]
pub(super) struct Avx2<const VNNI: bool>(());

/// Proof of AVX-512 F, BW, DQ, VL and VNNI.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

/// Methods over vectors that are one expression each.
macro_rules! of_vectors {
    ($($method:ident($($arg:ident),*) = $value:expr;)*) => {
        $(
            #[inline(always)]
            fn $method(self, $($arg: Self::V),*) -> Self::V {
                // SAFETY: the token proves that the machine has the instructions.
                unsafe { $value }
            }
        )*
    };
}

/// Methods of other types that are one expression each.
macro_rules! of_values {
    ($($method:ident($($arg:ident: $type:ty),*) -> $out:ty = $value:expr;)*) => {
        $(
            #[inline(always)]
            fn $method(self, $($arg: $type),*) -> $out {
                // SAFETY: the token proves that the machine has the instructions. (A prefetch reads nothing.)
                unsafe { $value }
            }
        )*
    };
}

/// Methods that read or write memory, one expression each.
macro_rules! of_memory {
    ($($method:ident($($arg:ident: $type:ty),*) -> $out:ty = $value:expr;)*) => {
        $(
            #[inline(always)]
            unsafe fn $method(self, $($arg: $type),*) -> $out {
                // SAFETY: the token proves the instructions, the caller vouches for the pointer.
                unsafe { $value }
            }
        )*
    };
}

/// The number at `p`, in half precision, whatever its alignment. A macro, to be compiled with the set's instructions.
/// Four bytes are read: of two the compiler makes an instruction that waits for what its register held before.
macro_rules! half_at {
    ($p:ident) => {
        _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128($p.cast::<i32>().read_unaligned())))
    };
}

/// Adds the halves of what is left of two vectors, and puts the two results side by side. A macro and no closure,
/// which would be compiled without the set's instructions.
macro_rules! folded {
    ($add:ident, $shuffle:ident, $low:literal, $high:literal, $a:expr, $b:expr) => {{
        let (a, b) = ($a, $b);
        $add($shuffle::<$low>(a, b), $shuffle::<$high>(a, b))
    }};
}

/// Eight products of a byte and 16 bits, added in pairs.
///
/// # Safety
/// The machine has SSE4.1.
#[inline(always)]
unsafe fn dot_minima(minima: [u8; 8], sums: &[i16; 8]) -> __m128i {
    // SAFETY: the caller's promise; the array is read.
    unsafe {
        let minima = _mm_cvtepu8_epi16(_mm_cvtsi64_si128(i64::from_le_bytes(minima)));
        _mm_madd_epi16(minima, _mm_loadu_si128(sums.as_ptr().cast()))
    }
}

impl<const VNNI: bool> Avx2<VNNI> {
    /// # Safety
    /// The machine has AVX2, FMA and F16C, and AVX-VNNI where `VNNI`.
    pub(super) unsafe fn new() -> Self {
        Avx2(())
    }
}

impl Avx512 {
    /// # Safety
    /// The machine has AVX-512 F, BW, DQ, VL and VNNI.
    pub(super) unsafe fn new() -> Self {
        Avx512(())
    }
}

impl<const VNNI: bool> Simd for Avx2<VNNI> {
    const LANES: usize = 8;
    const ADDED: u8 = if VNNI { 128 } else { 0 };
    const TILE_ROWS: usize = 6;
    const WEIGHT_ROWS: usize = 2;
    type V = __m256;
    type I = __m256i;

    of_vectors! {
        add(a, b) = _mm256_add_ps(a, b);
        sub(a, b) = _mm256_sub_ps(a, b);
        mul(a, b) = _mm256_mul_ps(a, b);
        div(a, b) = _mm256_div_ps(a, b);
        min(a, b) = _mm256_min_ps(a, b);
        max(a, b) = _mm256_max_ps(a, b);
        fma(a, b, c) = _mm256_fmadd_ps(a, b, c);
        abs(a) = _mm256_andnot_ps(_mm256_set1_ps(-0.0), a);
        copysign(m, sign) = _mm256_or_ps(
            _mm256_andnot_ps(_mm256_set1_ps(-0.0), m),
            _mm256_and_ps(_mm256_set1_ps(-0.0), sign)
        );
        select_gt(a, b, yes, no) = _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b));
        scale(a, n) = _mm256_mul_ps(a, _mm256_castsi256_ps(
            _mm256_slli_epi32::<23>(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)))
        ));
    }
    of_memory! {
        load(p: *const f32) -> Self::V = _mm256_loadu_ps(p);
        load_f16(p: *const f16) -> Self::V = _mm256_cvtph_ps(_mm_loadu_si128(p.cast()));
        load_bf16(p: *const bf16) -> Self::V = _mm256_castsi256_ps(
            _mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(_mm_loadu_si128(p.cast())))
        );
        load_i8(p: *const i8) -> Self::V = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p.cast())));
        store(p: *mut f32, v: Self::V) -> () = _mm256_storeu_ps(p, v);
        load_i32(p: *const i32) -> Self::I = _mm256_loadu_si256(p.cast());
        store_i32(p: *mut i32, v: Self::I) -> () = _mm256_storeu_si256(p.cast(), v);
        f16(p: *const f16) -> f32 = half_at!(p);
    }
    of_values! {
        splat(x: f32) -> Self::V = _mm256_set1_ps(x);
        round(a: Self::V) -> Self::V = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a);
        to_f32(a: Self::I) -> Self::V = _mm256_cvtepi32_ps(a);
        zero_i32() -> Self::I = _mm256_setzero_si256();
        sub_i32(a: Self::I, b: Self::I) -> Self::I = _mm256_sub_epi32(a, b);
        prefetch(p: *const u8) -> () = _mm_prefetch::<_MM_HINT_T1>(p.cast());
    }

    #[inline(always)]
    fn dot4(self, acc: __m256i, x: i32, w: __m256i) -> __m256i {
        // SAFETY: the token proves the instructions.
        unsafe {
            let x = _mm256_set1_epi32(x);
            if VNNI {
                return _mm256_dpbusd_avx_epi32(acc, x, w);
            }
            // The weight's sign goes to `x`: sums of two products, 128 * 127 at most each, fit 16 bits.
            let products = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
            _mm256_add_epi32(acc, _mm256_madd_epi16(products, _mm256_set1_epi16(1)))
        }
    }
    #[inline(always)]
    fn dot_q4(self, scales: [u8; 8], qs: &[u8; Q4K_BLOCK / 2], x: &[i8; Q4K_BLOCK]) -> __m256i {
        // SAFETY: the token proves the instructions; every 32 bytes of the arrays are read.
        unsafe {
            let (fours, mut acc) = (_mm256_set1_epi8(15), _mm256_setzero_si256());
            for (pair, qs) in qs.as_chunks::<32>().0.iter().enumerate() {
                let bytes = _mm256_loadu_si256(qs.as_ptr().cast());
                let halves = [_mm256_and_si256(bytes, fours), _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), fours)];
                for (half, q) in halves.into_iter().enumerate() {
                    let group = 2 * pair + half;
                    // Sums of two products, 15 * 127 at most each, fit 16 bits.
                    let products = _mm256_maddubs_epi16(q, _mm256_loadu_si256(x.as_ptr().add(32 * group).cast()));
                    let scaled = _mm256_madd_epi16(products, _mm256_set1_epi16(i16::from(scales[group])));
                    acc = _mm256_add_epi32(acc, scaled);
                }
            }
            acc
        }
    }
    #[inline(always)]
    fn dot_minima(self, minima: [u8; 8], sums: &[i16; 8]) -> __m256i {
        // SAFETY: the token proves the instructions; the array is read.
        unsafe { _mm256_zextsi128_si256(dot_minima(minima, sums)) }
    }
    #[inline(always)]
    fn sum(self, a: __m256) -> f32 {
        // SAFETY: the token proves AVX.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
    #[inline(always)]
    fn sums(self, a: &[__m256; MOST_LANES]) -> __m256 {
        // SAFETY: the token proves AVX.
        unsafe {
            let mut four = [a[0]; 4];
            for (i, four) in four.iter_mut().enumerate() {
                *four = folded!(_mm256_add_ps, _mm256_permute2f128_ps, 0x20, 0x31, a[i], a[i + 4]);
            }
            let low = folded!(_mm256_add_ps, _mm256_shuffle_ps, 0b01_00_01_00, 0b11_10_11_10, four[0], four[1]);
            let high = folded!(_mm256_add_ps, _mm256_shuffle_ps, 0b01_00_01_00, 0b11_10_11_10, four[2], four[3]);
            folded!(_mm256_add_ps, _mm256_shuffle_ps, 0b10_00_10_00, 0b11_01_11_01, low, high)
        }
    }
    #[inline(always)]
    fn largest(self, a: __m256) -> f32 {
        // SAFETY: the token proves AVX.
        unsafe {
            let four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
        }
    }
    #[inline(always)]
    unsafe fn load_q4(self, p: *const u8, shift: u8, scale: f32, min: f32) -> __m256 {
        // SAFETY: the token proves AVX2, the caller vouches for `p`.
        unsafe {
            let bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(p.cast()));
            let shifted = _mm256_srlv_epi32(bytes, _mm256_set1_epi32(i32::from(shift)));
            let fours = _mm256_and_si256(shifted, _mm256_set1_epi32(15));
            _mm256_fmsub_ps(_mm256_set1_ps(scale), _mm256_cvtepi32_ps(fours), _mm256_set1_ps(min))
        }
    }
}

impl Simd for Avx512 {
    const LANES: usize = 16;
    const ADDED: u8 = 128;
    const TILE_ROWS: usize = 12;
    const WEIGHT_ROWS: usize = 4;
    type V = __m512;
    type I = __m512i;

    of_vectors! {
        add(a, b) = _mm512_add_ps(a, b);
        sub(a, b) = _mm512_sub_ps(a, b);
        mul(a, b) = _mm512_mul_ps(a, b);
        div(a, b) = _mm512_div_ps(a, b);
        min(a, b) = _mm512_min_ps(a, b);
        max(a, b) = _mm512_max_ps(a, b);
        fma(a, b, c) = _mm512_fmadd_ps(a, b, c);
        abs(a) = _mm512_andnot_ps(_mm512_set1_ps(-0.0), a);
        copysign(m, sign) = _mm512_or_ps(
            _mm512_andnot_ps(_mm512_set1_ps(-0.0), m),
            _mm512_and_ps(_mm512_set1_ps(-0.0), sign)
        );
        select_gt(a, b, yes, no) = _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), no, yes);
        scale(a, n) = _mm512_scalef_ps(a, n);
    }
    of_memory! {
        load(p: *const f32) -> Self::V = _mm512_loadu_ps(p);
        load_f16(p: *const f16) -> Self::V = _mm512_cvtph_ps(_mm256_loadu_si256(p.cast()));
        load_bf16(p: *const bf16) -> Self::V = _mm512_castsi512_ps(
            _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p.cast())))
        );
        load_i8(p: *const i8) -> Self::V = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(p.cast())));
        store(p: *mut f32, v: Self::V) -> () = _mm512_storeu_ps(p, v);
        load_i32(p: *const i32) -> Self::I = _mm512_loadu_si512(p.cast());
        store_i32(p: *mut i32, v: Self::I) -> () = _mm512_storeu_si512(p.cast(), v);
        f16(p: *const f16) -> f32 = half_at!(p);
    }
    of_values! {
        splat(x: f32) -> Self::V = _mm512_set1_ps(x);
        round(a: Self::V) -> Self::V = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a);
        to_f32(a: Self::I) -> Self::V = _mm512_cvtepi32_ps(a);
        zero_i32() -> Self::I = _mm512_setzero_si512();
        sub_i32(a: Self::I, b: Self::I) -> Self::I = _mm512_sub_epi32(a, b);
        prefetch(p: *const u8) -> () = _mm_prefetch::<_MM_HINT_T1>(p.cast());
    }

    #[inline(always)]
    fn dot4(self, acc: __m512i, x: i32, w: __m512i) -> __m512i {
        // SAFETY: the token proves the instructions.
        unsafe { _mm512_dpbusd_epi32(acc, _mm512_set1_epi32(x), w) }
    }
    #[inline(always)]
    fn dot_q4(self, scales: [u8; 8], qs: &[u8; Q4K_BLOCK / 2], x: &[i8; Q4K_BLOCK]) -> __m512i {
        // SAFETY: the token proves the instructions; every 64 bytes of `qs` and 32 of `x` are read.
        unsafe {
            let scales = _mm512_set1_epi64(i64::from_le_bytes(scales));
            let (fours, mut acc) = (_mm512_set1_epi8(15), _mm512_setzero_si512());
            for (four, qs) in qs.as_chunks::<64>().0.iter().enumerate() {
                let bytes = _mm512_loadu_si512(qs.as_ptr().cast());
                let halves = [_mm512_and_si512(bytes, fours), _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), fours)];
                for (half, q) in halves.into_iter().enumerate() {
                    // The lower 32 bytes are of the one group, the upper ones of the other.
                    let (low, high) = (4 * four + half, 4 * four + half + 2);
                    let x_low = _mm256_loadu_si256(x.as_ptr().add(32 * low).cast());
                    let x_high = _mm256_loadu_si256(x.as_ptr().add(32 * high).cast());
                    let x = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(x_low), x_high);
                    // The groups' scales as 16 bits each: a byte, and a zero where the index has its top bit.
                    let (at_low, at_high) =
                        (_mm256_set1_epi16(low as i16 | i16::MIN), _mm256_set1_epi16(high as i16 | i16::MIN));
                    let at = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(at_low), at_high);
                    // Sums of two products, 15 * 127 at most each, fit 16 bits.
                    acc = _mm512_dpwssd_epi32(acc, _mm512_maddubs_epi16(q, x), _mm512_shuffle_epi8(scales, at));
                }
            }
            acc
        }
    }
    #[inline(always)]
    fn dot_minima(self, minima: [u8; 8], sums: &[i16; 8]) -> __m512i {
        // SAFETY: the token proves the instructions; the array is read.
        unsafe { _mm512_zextsi128_si512(dot_minima(minima, sums)) }
    }
    #[inline(always)]
    fn sum(self, a: __m512) -> f32 {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_reduce_add_ps(a) }
    }
    #[inline(always)]
    fn sums(self, a: &[__m512; MOST_LANES]) -> __m512 {
        // SAFETY: the token proves AVX-512.
        unsafe {
            let mut four = [a[0]; 4];
            for (i, four) in four.iter_mut().enumerate() {
                let low = folded!(_mm512_add_ps, _mm512_shuffle_f32x4, 0b01_00_01_00, 0b11_10_11_10, a[i], a[i + 4]);
                let high =
                    folded!(_mm512_add_ps, _mm512_shuffle_f32x4, 0b01_00_01_00, 0b11_10_11_10, a[i + 8], a[i + 12]);
                *four = folded!(_mm512_add_ps, _mm512_shuffle_f32x4, 0b10_00_10_00, 0b11_01_11_01, low, high);
            }
            let low = folded!(_mm512_add_ps, _mm512_shuffle_ps, 0b01_00_01_00, 0b11_10_11_10, four[0], four[1]);
            let high = folded!(_mm512_add_ps, _mm512_shuffle_ps, 0b01_00_01_00, 0b11_10_11_10, four[2], four[3]);
            folded!(_mm512_add_ps, _mm512_shuffle_ps, 0b10_00_10_00, 0b11_01_11_01, low, high)
        }
    }
    #[inline(always)]
    fn largest(self, a: __m512) -> f32 {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_reduce_max_ps(a) }
    }
    #[inline(always)]
    unsafe fn load_q4(self, p: *const u8, shift: u8, scale: f32, min: f32) -> __m512 {
        // SAFETY: the token proves AVX-512, the caller vouches for `p`.
        unsafe {
            let bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(p.cast()));
            let fours = _mm512_srlv_epi32(bytes, _mm512_set1_epi32(i32::from(shift)));
            // All sixteen possible weights (the same for a whole group), looked up by the low four bits of each lane.
            let q = _mm512_set_ps(15., 14., 13., 12., 11., 10., 9., 8., 7., 6., 5., 4., 3., 2., 1., 0.);
            _mm512_permutexvar_ps(fours, _mm512_fmsub_ps(_mm512_set1_ps(scale), q, _mm512_set1_ps(min)))
        }
    }
}
