//! exp, erf and their relatives on vectors: polynomials good to about one unit in the last place.

use super::simd::Simd;

/// A function of one element, for [`map`] and [`sum`]. A trait and no closure: closures are not compiled with the
/// instructions of the kernel that they are written in unless the compiler happens to inline them.
pub(super) trait Each: Copy {
    fn of<S: Simd>(self, s: S, x: S::V) -> S::V;
}

macro_rules! f32_for {
    ($field:ident) => {
        f32
    };
}

/// Defines types with f32 parameters that are [`Each`]; the parameters are vectors of one value in the body.
macro_rules! each {
    ($($(#[$doc:meta])* $name:ident($($field:ident),*) = |$s:ident, $x:ident| $value:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $name($(pub(super) f32_for!($field)),*);

        impl Each for $name {
            #[inline(always)]
            fn of<S: Simd>(self, $s: S, $x: S::V) -> S::V {
                let $name($($field),*) = self;
                $(let $field = $s.splat($field);)*
                $value
            }
        }
    )*};
}

each! {
    /// The element itself.
    Itself() = |_s, x| x;
    /// Its square distance from a center.
    SquareFrom(center) = |s, x| s.mul(s.sub(x, center), s.sub(x, center));
    /// Its product with a factor.
    Times(factor) = |s, x| s.mul(x, factor);
    /// Its distance from a center, scaled and shifted.
    Normal(center, scale, shift) = |s, x| s.fma(s.sub(x, center), scale, shift);
    /// e to the power of its distance from the row's largest.
    ExpFrom(top) = |s, x| exp(s, s.sub(x, top));
    Gelu() = |s, x| gelu(s, x);
    Elu() = |s, x| elu(s, x);
}

/// Replaces each element by `f` of it.
#[inline(always)]
pub(super) fn map<S: Simd>(s: S, row: &mut [f32], f: impl Each) {
    let whole = row.len() / S::LANES * S::LANES;
    for at in (0..whole).step_by(S::LANES) {
        let p = row[at..].as_mut_ptr();
        // SAFETY: LANES elements are left.
        unsafe { s.store(p, f.of(s, s.load(p))) }
    }
    let rest = &mut row[whole..];
    if !rest.is_empty() {
        // SAFETY: `rest` holds its length of elements, fewer than LANES.
        unsafe { s.store_first(rest.as_mut_ptr(), f.of(s, s.load_first(rest.as_ptr(), rest.len())), rest.len()) }
    }
}

/// The largest element, of at least one.
#[inline(always)]
pub(super) fn largest<S: Simd>(s: S, row: &[f32]) -> f32 {
    let mut tops = [s.splat(f32::NEG_INFINITY); 4];
    let mut fours = row.chunks_exact(4 * S::LANES);
    for four in &mut fours {
        for (i, top) in tops.iter_mut().enumerate() {
            // SAFETY: `four` holds four vectors.
            *top = s.max(*top, unsafe { s.load(four.as_ptr().add(i * S::LANES)) });
        }
    }
    let mut vectors = fours.remainder().chunks_exact(S::LANES);
    for v in &mut vectors {
        // SAFETY: `v` holds LANES elements.
        tops[0] = s.max(tops[0], unsafe { s.load(v.as_ptr()) });
    }
    let top = s.max(s.max(tops[0], tops[1]), s.max(tops[2], tops[3]));
    let mut largest = s.largest(top);
    for &x in vectors.remainder() {
        largest = largest.max(x);
    }
    largest
}

/// The sum of `f` of each element, where `f(pad)` is 0. Blocks are summed in f32 and added up in f64: rows may be whole
/// recordings.
#[inline(always)]
pub(super) fn sum<S: Simd>(s: S, row: &[f32], pad: f32, f: impl Each) -> f32 {
    let mut total = 0f64;
    for block in row.chunks(1024) {
        let mut vectors = block.chunks_exact(S::LANES);
        let mut acc = s.splat(0.0);
        for v in &mut vectors {
            // SAFETY: `v` holds LANES elements.
            acc = s.add(acc, f.of(s, unsafe { s.load(v.as_ptr()) }));
        }
        let rest = vectors.remainder();
        if !rest.is_empty() {
            let mut lanes = [pad; 16];
            lanes[..rest.len()].copy_from_slice(rest);
            // SAFETY: LANES is 16 at most.
            acc = s.add(acc, f.of(s, unsafe { s.load(lanes.as_ptr()) }));
        }
        total += f64::from(s.sum(acc));
    }
    total as f32
}

/// The mean of `row` and `1 / √(variance + eps)`.
#[inline(always)]
pub(super) fn moments<S: Simd>(s: S, row: &[f32], eps: f32) -> (f32, f32) {
    let n = row.len() as f32;
    let mean = sum(s, row, 0.0, Itself()) / n;
    let variance = sum(s, row, mean, SquareFrom(mean)) / n;
    (mean, 1.0 / (variance + eps).sqrt())
}

/// `c[0] + c[1] x + c[2] x² + ...` by Horner's rule.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(s: S, x: S::V, c: [f32; N]) -> S::V {
    let mut y = s.splat(c[N - 1]);
    for i in (0..N - 1).rev() {
        y = s.fma(y, x, s.splat(c[i]));
    }
    y
}

/// Splits `x` into `n ln 2 + r`, |r| <= ln 2 / 2.
#[inline(always)]
fn reduce<S: Simd>(s: S, x: S::V) -> (S::V, S::V) {
    let n = s.round(s.mul(x, s.splat(std::f32::consts::LOG2_E)));
    // ln 2 in two parts, the first with trailing zeros, so that n times it is exact.
    let r = s.fma(n, s.splat(-0.693_359_4), x);
    (n, s.fma(n, s.splat(2.121_944_4e-4), r))
}

/// `(e^r - 1 - r) / r²` for |r| <= ln 2 / 2 (Cephes' expf).
#[inline(always)]
fn exp_tail<S: Simd>(s: S, r: S::V) -> S::V {
    polynomial(s, r, [0.5, 1.666_666_5e-1, 4.166_579_6e-2, 8.333_452e-3, 1.398_199_9e-3, 1.987_569_1e-4])
}

/// e^x, within 1.5 units in the last place; below -87 it stays at e^-87 (about 1e-38), above 88 at e^88.
#[inline(always)]
pub(super) fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    let (n, r) = reduce(s, s.max(s.min(x, s.splat(88.0)), s.splat(-87.0)));
    let e = s.fma(s.mul(r, r), exp_tail(s, r), s.add(r, s.splat(1.0)));
    s.scale(e, n)
}

/// Replaces each element by e to the power of its distance from `top`; answers the sum.
#[inline(always)]
pub(super) fn exp_and_sum<S: Simd>(s: S, row: &mut [f32], top: f32) -> f32 {
    let whole = row.len() / S::LANES * S::LANES;
    let mut acc = s.splat(0.0);
    for at in (0..whole).step_by(S::LANES) {
        let p = row[at..].as_mut_ptr();
        // SAFETY: LANES elements are left.
        unsafe {
            let e = ExpFrom(top).of(s, s.load(p));
            acc = s.add(acc, e);
            s.store(p, e);
        }
    }
    let mut sum = s.sum(acc);
    for x in &mut row[whole..] {
        *x = exp_of(s, *x - top);
        sum += *x;
    }
    sum
}

/// e^x of one number.
#[inline(always)]
pub(super) fn exp_of<S: Simd>(s: S, x: f32) -> f32 {
    let mut lanes = [0f32; 16];
    // SAFETY: LANES is 16 at most.
    unsafe { s.store(lanes.as_mut_ptr(), exp(s, s.splat(x))) };
    lanes[0]
}

/// e^x - 1 for x <= 0, accurate near 0 too.
#[inline(always)]
fn exp_minus_one<S: Simd>(s: S, x: S::V) -> S::V {
    let (n, r) = reduce(s, s.max(x, s.splat(-87.0)));
    let power = s.scale(s.splat(1.0), n);
    let e = s.fma(s.mul(r, r), exp_tail(s, r), r);
    s.fma(e, power, s.sub(power, s.splat(1.0)))
}

/// `x` where positive, else `e^x - 1`.
#[inline(always)]
pub(super) fn elu<S: Simd>(s: S, x: S::V) -> S::V {
    s.select_gt(x, s.splat(0.0), x, exp_minus_one(s, s.min(x, s.splat(0.0))))
}

/// The error function, within 1.2e-7 (N. Juffa's two-interval approximation).
#[inline(always)]
pub(super) fn erf<S: Simd>(s: S, x: S::V) -> S::V {
    let t = s.abs(x);
    let square = s.mul(x, x);
    let near = polynomial(
        s,
        square,
        [1.283_791_7e-1, -3.761_253_4e-1, 1.128_199_25e-1, -2.676_813_5e-2, 4.991_194e-3, -5.967_617e-4],
    );
    let far = polynomial(
        s,
        s.min(t, s.splat(4.0)),
        [
            -1.287_175_1e-1,
            -6.348_467e-1,
            -1.067_778_8e-1,
            2.425_462_2e-2,
            -3.883_964_4e-3,
            3.831_971_3e-4,
            -1.728_534_7e-5,
        ],
    );
    let t4 = s.min(t, s.splat(4.0));
    let far = s.sub(s.splat(1.0), exp(s, s.fma(far, t4, s.sub(s.splat(0.0), t4))));
    s.select_gt(t, s.splat(0.927_734_4), s.copysign(far, x), s.fma(near, x, x))
}

/// `x / 2 (1 + erf(x / √2))`.
#[inline(always)]
pub(super) fn gelu<S: Simd>(s: S, x: S::V) -> S::V {
    let half = s.mul(x, s.splat(0.5));
    s.fma(half, erf(s, s.mul(x, s.splat(std::f32::consts::FRAC_1_SQRT_2))), half)
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(s: S, x: S::V) -> S::V {
    s.div(s.splat(1.0), s.add(s.splat(1.0), exp(s, s.sub(s.splat(0.0), x))))
}

/// tanh, from `e^(-2|x|) - 1`, so that small arguments keep their digits.
#[inline(always)]
pub(super) fn tanh<S: Simd>(s: S, x: S::V) -> S::V {
    let e = exp_minus_one(s, s.mul(s.abs(x), s.splat(-2.0)));
    s.copysign(s.div(e, s.add(e, s.splat(2.0))), x)
}
