//! Weight rows of any type as vectors of f32: what the matrix products read through.

use super::quant::{BlockQ4K, BlockQ8_0, Q4K_BLOCK, Q8_0_BLOCK};
use super::simd::Simd;
use half::{bf16, f16};

/// A weight `[n, k]` row-major.
#[derive(Clone, Copy, Debug)]
pub enum Matrix<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    Bf16(&'a [bf16]),
    /// `k` is a multiple of 32.
    Q8_0(&'a [BlockQ8_0]),
    /// `k` is a multiple of 256.
    Q4K(&'a [BlockQ4K]),
}

impl Matrix<'_> {
    /// Panics unless this can be `[n, k]`.
    pub(super) fn check(&self, n: usize, k: usize) {
        let (len, block) = match self {
            Matrix::F32(w) => (w.len(), 1),
            Matrix::F16(w) => (w.len(), 1),
            Matrix::Bf16(w) => (w.len(), 1),
            Matrix::Q8_0(w) => (w.len(), Q8_0_BLOCK),
            Matrix::Q4K(w) => (w.len(), Q4K_BLOCK),
        };
        assert!(k.is_multiple_of(block), "rows of {k} weights are not whole blocks of {block}");
        assert_eq!(n.checked_mul(k / block), Some(len), "the weight is not [{n}, {k}]");
    }

    /// The bytes of one row of `k` weights.
    pub fn row_bytes(&self, k: usize) -> usize {
        match self {
            Matrix::F32(_) => 4 * k,
            Matrix::F16(_) | Matrix::Bf16(_) => 2 * k,
            Matrix::Q8_0(_) => k / Q8_0_BLOCK * size_of::<BlockQ8_0>(),
            Matrix::Q4K(_) => k / Q4K_BLOCK * size_of::<BlockQ4K>(),
        }
    }
}

/// A weight type as rows of blocks that decode to vectors.
pub(super) trait Source: Copy + Send + Sync {
    /// What is stored, one for each `BLOCK` weights.
    type Stored;
    /// A block made ready for `vector`.
    type Open: Copy;
    /// Weights in a block; for the float types, which have none, what is worth unrolling.
    const BLOCK: usize;
    /// Stored items in `BLOCK` weights.
    const STORED: usize;
    /// Weights that are decoded together, which divide a block.
    const GROUP: usize;
    /// What an array of blocks is filled with before they are opened.
    const CLOSED: Self::Open;

    /// # Safety
    /// `p` points at `STORED` readable items.
    unsafe fn open<S: Simd>(s: S, p: *const Self::Stored) -> Self::Open;
    /// `LANES` weights from `at` on of the block's group `group`.
    ///
    /// # Safety
    /// The block's memory is still readable, `group < BLOCK / GROUP` and `at + LANES <= GROUP`.
    unsafe fn vector<S: Simd>(s: S, block: &Self::Open, group: usize, at: usize) -> S::V;
    /// The first `n` weights at `p`, then zeros, for rows that end within a block of a float type.
    ///
    /// # Safety
    /// `p` points at `n < LANES` readable items.
    unsafe fn first<S: Simd>(s: S, p: *const Self::Stored, n: usize) -> S::V;
}

/// The float types: a block is where it starts.
macro_rules! float_source {
    ($name:ident, $stored:ty, $load:ident) => {
        #[derive(Clone, Copy)]
        pub(super) struct $name;

        impl Source for $name {
            type Stored = $stored;
            type Open = *const $stored;
            const BLOCK: usize = 16;
            const STORED: usize = 16;
            const GROUP: usize = 16;
            const CLOSED: *const $stored = std::ptr::null();

            #[inline(always)]
            unsafe fn open<S: Simd>(_: S, p: *const $stored) -> *const $stored {
                p
            }
            #[inline(always)]
            unsafe fn vector<S: Simd>(s: S, block: &*const $stored, _: usize, at: usize) -> S::V {
                // SAFETY: the caller vouches for the block.
                unsafe { s.$load(block.add(at)) }
            }
            #[inline(always)]
            unsafe fn first<S: Simd>(s: S, p: *const $stored, n: usize) -> S::V {
                let mut lanes = [<$stored>::default(); 16];
                // SAFETY: the caller vouches for `n` items; `n < LANES <= 16`.
                unsafe {
                    std::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), n);
                    s.$load(lanes.as_ptr())
                }
            }
        }
    };
}

float_source!(Full, f32, load);
float_source!(Half, f16, load_f16);
float_source!(Brain, bf16, load_bf16);

/// `q8_0`: a block is its scale in all lanes, and where its integers start.
#[derive(Clone, Copy)]
pub(super) struct Q8;

impl Source for Q8 {
    type Stored = BlockQ8_0;
    type Open = (f32, *const i8);
    const BLOCK: usize = Q8_0_BLOCK;
    const STORED: usize = 1;
    const GROUP: usize = Q8_0_BLOCK;
    const CLOSED: Self::Open = (0.0, std::ptr::null());

    #[inline(always)]
    unsafe fn open<S: Simd>(s: S, p: *const BlockQ8_0) -> (f32, *const i8) {
        // SAFETY: the caller vouches for the block.
        unsafe { (s.f16(&raw const (*p).d), (&raw const (*p).qs).cast()) }
    }
    #[inline(always)]
    unsafe fn vector<S: Simd>(s: S, &(scale, qs): &(f32, *const i8), _: usize, at: usize) -> S::V {
        // SAFETY: the caller vouches for the block.
        s.mul(s.splat(scale), unsafe { s.load_i8(qs.add(at)) })
    }
    #[inline(always)]
    unsafe fn first<S: Simd>(s: S, _: *const BlockQ8_0, _: usize) -> S::V {
        s.splat(0.0) // rows are whole blocks
    }
}

/// `q4_K`: a block is its eight scales and minima as f32, and where its four-bit integers start.
#[derive(Clone, Copy)]
pub(super) struct Q4;

impl Source for Q4 {
    type Stored = BlockQ4K;
    type Open = ([f32; 8], [f32; 8], *const u8);
    const BLOCK: usize = Q4K_BLOCK;
    const STORED: usize = 1;
    /// Two scales: their weights are the low and the high halves of the same bytes.
    const GROUP: usize = 64;
    const CLOSED: Self::Open = ([0.0; 8], [0.0; 8], std::ptr::null());

    #[inline(always)]
    unsafe fn open<S: Simd>(s: S, p: *const BlockQ4K) -> Self::Open {
        // SAFETY: the caller vouches for the block.
        let (d, dmin, packed) = unsafe { (s.f16(&raw const (*p).d), s.f16(&raw const (*p).dmin), (*p).scales) };
        let (scales, minima) = unpack_groups(packed);
        // SAFETY: the caller vouches for the block.
        (scales.map(|x| d * f32::from(x)), minima.map(|x| dmin * f32::from(x)), unsafe { (&raw const (*p).qs).cast() })
    }
    #[inline(always)]
    unsafe fn vector<S: Simd>(s: S, (scales, minima, qs): &Self::Open, group: usize, at: usize) -> S::V {
        let half = at / 32;
        let (scale, min) = (scales[2 * group + half], minima[2 * group + half]);
        // SAFETY: the caller vouches for the block.
        unsafe { s.load_q4(qs.add(group * 32 + at % 32), 4 * half as u8, scale, min) }
    }
    #[inline(always)]
    unsafe fn first<S: Simd>(s: S, _: *const BlockQ4K, _: usize) -> S::V {
        s.splat(0.0) // rows are whole blocks
    }
}

/// [`BlockQ4K::group`] of all eight groups at once: four bytes at a time in a word, as ggml does it.
#[inline(always)]
pub(super) fn unpack_groups(packed: [u8; 12]) -> ([u8; 8], [u8; 8]) {
    let word = |i: usize| u32::from_le_bytes([packed[i], packed[i + 1], packed[i + 2], packed[i + 3]]);
    let (a, b, c) = (word(0), word(4), word(8));
    let join = |low: u32, high: u32| u64::from(low) | (u64::from(high) << 32);
    let scales = join(a & 0x3f3f_3f3f, (c & 0x0f0f_0f0f) | (((a >> 6) & 0x0303_0303) << 4));
    let minima = join(b & 0x3f3f_3f3f, ((c >> 4) & 0x0f0f_0f0f) | (((b >> 6) & 0x0303_0303) << 4));
    (scales.to_le_bytes(), minima.to_le_bytes())
}
