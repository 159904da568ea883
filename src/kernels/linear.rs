//! Linear layers: `out = x wᵀ + bias`, with a weight of any type.

use super::amx;
use super::isa::Isa;
use super::par::Shared;
use super::source::Matrix;
use super::{gemm, int8, pointwise, rows};

/// What is done to the outputs while they are at hand.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue<'a> {
    None,
    /// The exact (erf) gelu.
    Gelu,
    /// Adds a residual `[m, n]`.
    Add(&'a [f32]),
}

impl Epilogue<'_> {
    /// Panics if it is not for an output of `len`.
    pub(super) fn check(&self, len: usize) {
        if let Epilogue::Add(residual) = self {
            assert_eq!(residual.len(), len, "the residual is not as long as the output");
        }
    }
}

/// In which order a product sums, which its last bits depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sums {
    /// Each row of the output has the bits that it has alone, however many there are.
    RowByRow,
    /// From [`MOST_STREAMED`] rows on, sums are taken in blocks of a packed weight, at the speed of multiply-add.
    Blocked,
}

/// Rows up to which packing the weight does not pay: the sums are those of [`Sums::RowByRow`] either way.
pub const MOST_STREAMED: usize = 16;

/// A linear layer: weight `[n, k]` and optional bias `[n]`.
#[derive(Clone, Copy, Debug)]
pub struct Linear<'a> {
    pub w: Matrix<'a>,
    pub n: usize,
    pub k: usize,
    pub bias: Option<&'a [f32]>,
    pub sums: Sums,
}

/// The checked arguments of one product.
pub(super) struct Product<'a> {
    pub x: &'a [f32],
    pub m: usize,
    pub w: Matrix<'a>,
    pub n: usize,
    pub k: usize,
    pub bias: Option<&'a [f32]>,
    pub then: Epilogue<'a>,
}

impl<'a> Product<'a> {
    /// Panics unless all fits an output of `len`.
    fn new(x: &'a [f32], m: usize, layer: Linear<'a>, then: Epilogue<'a>, len: usize) -> Self {
        let Linear { w, n, k, bias, .. } = layer;
        w.check(n, k);
        assert_eq!(m.checked_mul(k), Some(x.len()), "x is not [{m}, {k}]");
        assert_eq!(m.checked_mul(n), Some(len), "out is not [{m}, {n}]");
        assert!(bias.is_none_or(|bias| bias.len() == n), "the bias is not [{n}]");
        then.check(len);
        Product { x, m, w, n, k, bias, then }
    }
}

/// `out[m, n] = x[m, k] w[n, k]ᵀ + bias[n]`.
///
/// Rows depend neither on the threads nor on each other, but see [`Sums::Blocked`]. With `q4_K` weights, rows that are
/// streamed are rounded to eight bits.
pub fn linear(x: &[f32], m: usize, w: Matrix, n: usize, k: usize, bias: Option<&[f32]>, out: &mut [f32]) {
    linear_then(x, m, Linear { w, n, k, bias, sums: Sums::Blocked }, Epilogue::None, out);
}

/// [`linear`], then `then`.
pub fn linear_then(x: &[f32], m: usize, layer: Linear, then: Epilogue, out: &mut [f32]) {
    let product = Product::new(x, m, layer, then, out.len());
    if layer.sums == Sums::RowByRow || m <= MOST_STREAMED || layer.k == 0 {
        rows::product(Isa::current(), &product, Shared::new(out));
    } else {
        gemm::product(Isa::current(), &product, Shared::new(out));
    }
}

/// [`linear_then`] with `x` rounded to eight bits, by a weight of blocks (`q8_0`, `q4_K`), several times as fast.
///
/// On AMX each number is rounded to bf16, of `x` and of the weight; elsewhere `x` to integers of one scale for each 32 of
/// a row. Rows depend neither on the threads nor on each other.
pub fn linear_rounded(x: &[f32], m: usize, layer: Linear, then: Epilogue, out: &mut [f32]) {
    assert!(matches!(layer.w, Matrix::Q8_0(_) | Matrix::Q4K(_)), "the weight is not of blocks");
    let product = Product::new(x, m, layer, then, out.len());
    let isa = Isa::current();
    if isa == Isa::Amx && layer.k > 0 {
        return amx::rounded_product(&product, Shared::new(out));
    }
    int8::product(isa, &product, Shared::new(out));
    match then {
        Epilogue::None => (),
        Epilogue::Gelu => pointwise::gelu(out),
        Epilogue::Add(residual) => pointwise::add(out, residual),
    }
}
