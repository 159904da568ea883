//! Vectors of f32 as the kernels see them: one trait, implemented by a token for each instruction set.
//!
//! A token is proof that the machine has the instructions, so arithmetic on it is safe; only memory access is not.

#[cfg(doc)]
use super::quant::BlockQ4K;
use super::quant::Q4K_BLOCK;
use half::{bf16, f16};

/// Lanes of the widest set.
pub(super) const MOST_LANES: usize = 16;

/// An instruction set's vector of `LANES` f32 and what the kernels do with it.
pub(super) trait Simd: Copy + Send + Sync {
    /// f32 lanes of one vector: 4, 8 or 16.
    const LANES: usize;
    /// Rows of the register tile of matrix products; its width is two vectors.
    const TILE_ROWS: usize;
    /// Weight rows that a matrix product of up to four rows of `x` holds in registers.
    const WEIGHT_ROWS: usize;
    /// What [`Simd::dot4`] wants added to the bytes of `x`, whose instruction takes them for unsigned ones or for signed
    /// ones: 128 (the same as the topmost bit turned over) or 0.
    const ADDED: u8;
    type V: Copy;
    /// As many i32.
    type I: Copy;

    fn splat(self, x: f32) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, fused where the set can.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The nearest integers, ties to even; lanes must be within ±2²².
    fn round(self, a: Self::V) -> Self::V;
    /// `a * 2^n` for integers `n` in -126..=127.
    fn scale(self, a: Self::V, n: Self::V) -> Self::V;
    fn abs(self, a: Self::V) -> Self::V;
    /// `|magnitude|` with the sign of `sign`.
    fn copysign(self, magnitude: Self::V, sign: Self::V) -> Self::V;
    /// `yes` in lanes where `a > b`, else `no`.
    fn select_gt(self, a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// The lanes' sum, in an order that depends on the set alone.
    fn sum(self, a: Self::V) -> f32;
    /// The lanes' sum of each of the first LANES vectors, a lane each.
    fn sums(self, a: &[Self::V; MOST_LANES]) -> Self::V;
    /// The lanes' maximum.
    fn largest(self, a: Self::V) -> f32;

    /// `acc[lane] + Σ x[i] w[4 * lane + i]` over four bytes of `x`, [`Simd::ADDED`] added to -127..=127, and signed ones of
    /// `w`.
    fn dot4(self, acc: Self::I, x: i32, w: Self::I) -> Self::I;
    /// `Σ scales[g] q x` over a block of `q4_K`, whose bytes hold the integers `q` (see [`BlockQ4K`]); the lanes' sum
    /// is the whole.
    fn dot_q4(self, scales: [u8; 8], qs: &[u8; Q4K_BLOCK / 2], x: &[i8; Q4K_BLOCK]) -> Self::I;
    /// `Σ minima[g] sums[g]`; the lanes' sum is the whole.
    fn dot_minima(self, minima: [u8; 8], sums: &[i16; 8]) -> Self::I;
    fn to_f32(self, a: Self::I) -> Self::V;
    fn zero_i32(self) -> Self::I;
    fn sub_i32(self, a: Self::I, b: Self::I) -> Self::I;

    /// # Safety
    /// `p` is valid for reads of `LANES` elements; so for each `load` below.
    unsafe fn load(self, p: *const f32) -> Self::V;
    /// # Safety
    /// `p` is valid for writes of `LANES` elements.
    unsafe fn store(self, p: *mut f32, v: Self::V);
    /// # Safety
    /// `p` is valid for writes of `LANES` elements.
    unsafe fn store_i32(self, p: *mut i32, v: Self::I);
    unsafe fn load_i32(self, p: *const i32) -> Self::I;
    unsafe fn load_f16(self, p: *const f16) -> Self::V;
    unsafe fn load_bf16(self, p: *const bf16) -> Self::V;
    unsafe fn load_i8(self, p: *const i8) -> Self::V;
    /// `scale * q - min` for the four bits `q` from bit `shift` on of each of `LANES` bytes; the product is exact.
    unsafe fn load_q4(self, p: *const u8, shift: u8, scale: f32, min: f32) -> Self::V;

    /// One f16 widened, at any alignment.
    ///
    /// # Safety
    /// `p` is valid for reads of four bytes, as within a block, though two are taken.
    #[inline(always)]
    unsafe fn f16(self, p: *const f16) -> f32 {
        // SAFETY: the caller vouches for `p`.
        unsafe { p.read_unaligned() }.to_f32()
    }

    /// Asks for the cache line at `p`, which need not be valid, into the second cache.
    #[inline(always)]
    fn prefetch(self, _p: *const u8) {}

    /// The first `n < LANES` elements at `p`, then zeros.
    ///
    /// # Safety
    /// `p` is valid for reads of `n` elements.
    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, n: usize) -> Self::V {
        let mut lanes = [0f32; 16];
        // SAFETY: the caller vouches for `p`; `n < LANES <= 16`.
        unsafe {
            std::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), n);
            self.load(lanes.as_ptr())
        }
    }

    /// Writes the first `n < LANES` lanes to `p`.
    ///
    /// # Safety
    /// `p` is valid for writes of `n` elements.
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, v: Self::V, n: usize) {
        let mut lanes = [0f32; 16];
        // SAFETY: the caller vouches for `p`; `n < LANES <= 16`.
        unsafe {
            self.store(lanes.as_mut_ptr(), v);
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), p, n);
        }
    }

    /// The first `n <= LANES` elements at `p`, then zeros.
    ///
    /// # Safety
    /// `p` is valid for reads of `n` elements.
    #[inline(always)]
    unsafe fn load_up_to(self, p: *const f32, n: usize) -> Self::V {
        // SAFETY: the caller's promise.
        unsafe { if n == Self::LANES { self.load(p) } else { self.load_first(p, n) } }
    }

    /// Writes the first `n <= LANES` lanes to `p`.
    ///
    /// # Safety
    /// `p` is valid for writes of `n` elements.
    #[inline(always)]
    unsafe fn store_up_to(self, p: *mut f32, v: Self::V, n: usize) {
        // SAFETY: the caller's promise.
        unsafe { if n == Self::LANES { self.store(p, v) } else { self.store_first(p, v, n) } }
    }
}

/// Plain loops over four lanes.
#[derive(Clone, Copy)]
pub(super) struct Portable;

type Lanes = [f32; 4];

#[inline(always)]
fn map2(a: Lanes, b: Lanes, f: impl Fn(f32, f32) -> f32) -> Lanes {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

/// One instruction where the target has it, else a product and a sum (a library call would be far slower).
#[inline(always)]
fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) { a.mul_add(b, c) } else { a * b + c }
}

impl Simd for Portable {
    const LANES: usize = 4;
    const ADDED: u8 = 0;
    const TILE_ROWS: usize = 4;
    const WEIGHT_ROWS: usize = 2;
    type V = Lanes;
    type I = [i32; 4];

    #[inline(always)]
    fn splat(self, x: f32) -> Lanes {
        [x; 4]
    }
    #[inline(always)]
    fn add(self, a: Lanes, b: Lanes) -> Lanes {
        map2(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Lanes, b: Lanes) -> Lanes {
        map2(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Lanes, b: Lanes) -> Lanes {
        map2(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: Lanes, b: Lanes) -> Lanes {
        map2(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn min(self, a: Lanes, b: Lanes) -> Lanes {
        map2(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max(self, a: Lanes, b: Lanes) -> Lanes {
        map2(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn fma(self, a: Lanes, b: Lanes, c: Lanes) -> Lanes {
        std::array::from_fn(|i| multiply_add(a[i], b[i], c[i]))
    }
    #[inline(always)]
    fn round(self, a: Lanes) -> Lanes {
        a.map(super::quant::nearest)
    }
    #[inline(always)]
    fn scale(self, a: Lanes, n: Lanes) -> Lanes {
        map2(a, n, |a, n| a * f32::from_bits(((n as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    fn abs(self, a: Lanes) -> Lanes {
        a.map(f32::abs)
    }
    #[inline(always)]
    fn copysign(self, magnitude: Lanes, sign: Lanes) -> Lanes {
        map2(magnitude, sign, f32::copysign)
    }
    #[inline(always)]
    fn select_gt(self, a: Lanes, b: Lanes, yes: Lanes, no: Lanes) -> Lanes {
        std::array::from_fn(|i| if a[i] > b[i] { yes[i] } else { no[i] })
    }
    #[inline(always)]
    fn sum(self, a: Lanes) -> f32 {
        (a[0] + a[2]) + (a[1] + a[3])
    }
    #[inline(always)]
    fn sums(self, a: &[Lanes; MOST_LANES]) -> Lanes {
        std::array::from_fn(|i| self.sum(a[i]))
    }
    #[inline(always)]
    fn largest(self, a: Lanes) -> f32 {
        a[0].max(a[1]).max(a[2].max(a[3]))
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Lanes {
        // SAFETY: the caller vouches for `p`.
        unsafe { p.cast::<Lanes>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Lanes) {
        // SAFETY: the caller vouches for `p`.
        unsafe { p.cast::<Lanes>().write_unaligned(v) }
    }
    #[inline(always)]
    fn dot4(self, acc: [i32; 4], x: i32, w: [i32; 4]) -> [i32; 4] {
        let x = x.to_le_bytes();
        let dot = |w: [u8; 4]| (0..4).map(|i| i32::from(x[i] as i8) * i32::from(w[i] as i8)).sum::<i32>();
        std::array::from_fn(|lane| acc[lane] + dot(w[lane].to_le_bytes()))
    }
    #[inline(always)]
    fn dot_q4(self, scales: [u8; 8], qs: &[u8; Q4K_BLOCK / 2], x: &[i8; Q4K_BLOCK]) -> [i32; 4] {
        let mut lanes = [0; 4];
        for (g, x) in x.as_chunks::<32>().0.iter().enumerate() {
            let mut sums = [0; 4];
            for (i, (x, byte)) in x.iter().zip(&qs[g / 2 * 32..]).enumerate() {
                sums[i % 4] += i32::from((byte >> (g % 2 * 4)) & 15) * i32::from(*x);
            }
            lanes = std::array::from_fn(|i| lanes[i] + i32::from(scales[g]) * sums[i]);
        }
        lanes
    }
    #[inline(always)]
    fn dot_minima(self, minima: [u8; 8], sums: &[i16; 8]) -> [i32; 4] {
        let one = |i: usize| i32::from(minima[i]) * i32::from(sums[i]);
        std::array::from_fn(|i| one(i) + one(i + 4))
    }
    #[inline(always)]
    fn to_f32(self, a: [i32; 4]) -> Lanes {
        a.map(|a| a as f32)
    }
    #[inline(always)]
    fn zero_i32(self) -> [i32; 4] {
        [0; 4]
    }
    #[inline(always)]
    fn sub_i32(self, a: [i32; 4], b: [i32; 4]) -> [i32; 4] {
        std::array::from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    unsafe fn store_i32(self, p: *mut i32, v: [i32; 4]) {
        // SAFETY: the caller vouches for `p`.
        unsafe { p.cast::<[i32; 4]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn load_i32(self, p: *const i32) -> [i32; 4] {
        // SAFETY: the caller vouches for `p`.
        unsafe { p.cast::<[i32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_f16(self, p: *const f16) -> Lanes {
        // SAFETY: the caller vouches for `p`.
        unsafe { p.cast::<[f16; 4]>().read_unaligned() }.map(f16::to_f32)
    }
    #[inline(always)]
    unsafe fn load_bf16(self, p: *const bf16) -> Lanes {
        // SAFETY: the caller vouches for `p`.
        unsafe { p.cast::<[bf16; 4]>().read_unaligned() }.map(bf16::to_f32)
    }
    #[inline(always)]
    unsafe fn load_i8(self, p: *const i8) -> Lanes {
        // SAFETY: the caller vouches for `p`.
        unsafe { p.cast::<[i8; 4]>().read_unaligned() }.map(f32::from)
    }
    #[inline(always)]
    unsafe fn load_q4(self, p: *const u8, shift: u8, scale: f32, min: f32) -> Lanes {
        // SAFETY: the caller vouches for `p`.
        let bytes = unsafe { p.cast::<[u8; 4]>().read_unaligned() };
        bytes.map(|byte| scale * f32::from((byte >> shift) & 15) - min)
    }
}
