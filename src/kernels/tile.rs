//! The register tile of all dense products (linear layers of many rows, convolutions, attention): `MR` rows by two
//! vectors of outputs, one multiply-add each for each step of the sum.

use super::simd::Simd;

/// A tile's accumulators.
pub(super) type Tile<V, const MR: usize> = [[V; 2]; MR];

/// The operands of one tile: `a(step, row)` is broadcast, `b(step)` starts two vectors.
pub(super) struct Operands<A, B> {
    pub steps: usize,
    pub a: A,
    pub b: B,
}

/// `acc[row] += Σ a(step, row) b(step)`, in the order of the steps.
///
/// # Safety
/// For each step, `a` answers readable f32 and `b` the start of two readable vectors.
#[inline(always)]
pub(super) unsafe fn accumulate<S: Simd, A, B, const MR: usize>(
    s: S,
    operands: &Operands<A, B>,
    mut acc: Tile<S::V, MR>,
) -> Tile<S::V, MR>
where
    A: Fn(usize, usize) -> *const f32,
    B: Fn(usize) -> *const f32,
{
    for step in 0..operands.steps {
        // SAFETY: the caller's promise about `a` and `b`.
        unsafe {
            let b = (operands.b)(step);
            let (b0, b1) = (s.load(b), s.load(b.add(S::LANES)));
            for (row, acc) in acc.iter_mut().enumerate() {
                let a = s.splat(*(operands.a)(step, row));
                *acc = [s.fma(a, b0, acc[0]), s.fma(a, b1, acc[1])];
            }
        }
    }
    acc
}

/// Two vectors' worth of `row` as a vector pair, the first `n` elements of it and zeros after.
///
/// # Safety
/// `p` is valid for reads of `n` elements.
#[inline(always)]
pub(super) unsafe fn load_pair<S: Simd>(s: S, p: *const f32, n: usize) -> [S::V; 2] {
    let l = S::LANES;
    // SAFETY: no more than `n` elements are read.
    unsafe {
        if n >= 2 * l {
            [s.load(p), s.load(p.add(l))]
        } else if n >= l {
            [s.load(p), s.load_first(p.add(l), n - l)]
        } else {
            [s.load_first(p, n), s.splat(0.0)]
        }
    }
}

/// Writes the first `n` elements of a vector pair.
///
/// # Safety
/// `p` is valid for writes of `n` elements.
#[inline(always)]
pub(super) unsafe fn store_pair<S: Simd>(s: S, p: *mut f32, v: [S::V; 2], n: usize) {
    let l = S::LANES;
    // SAFETY: no more than `n` elements are written.
    unsafe {
        if n >= 2 * l {
            s.store(p, v[0]);
            s.store(p.add(l), v[1]);
        } else if n >= l {
            s.store(p, v[0]);
            s.store_first(p.add(l), v[1], n - l);
        } else {
            s.store_first(p, v[0], n);
        }
    }
}

/// The height of the next tile where `left` rows are left: one of the set's few.
#[inline(always)]
pub(super) fn tile_rows<S: Simd>(left: usize) -> usize {
    [12, 6, 4, 2].into_iter().find(|&rows| rows <= S::TILE_ROWS && rows <= left).unwrap_or(1)
}

/// Evaluates `$body` with the constant `$rows` equal to `$height`, which [`tile_rows`] answered for the set `$s`.
macro_rules! with_tile_rows {
    ($s:ty, $height:expr, $rows:ident => $body:expr) => {
        match $height {
            12 if <$s>::TILE_ROWS >= 12 => {
                const $rows: usize = 12;
                $body
            }
            6 if <$s>::TILE_ROWS >= 6 => {
                const $rows: usize = 6;
                $body
            }
            4 => {
                const $rows: usize = 4;
                $body
            }
            2 => {
                const $rows: usize = 2;
                $body
            }
            _ => {
                const $rows: usize = 1;
                $body
            }
        }
    };
}
pub(super) use with_tile_rows;
