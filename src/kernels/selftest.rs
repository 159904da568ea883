//! Whether this machine computes what it should: every kernel on each instruction set that it has, on shapes that leave
//! something over everywhere, against [`Isa::Scalar`], plain loops that the tests hold to loops in f64.

use super::*;
use half::{bf16, f16};

/// One kernel on one instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Tested {
    pub kernel: &'static str,
    pub isa: Isa,
    /// The largest difference from plain loops, as a share of the largest of their outputs; NaN where one of them is.
    pub difference: f32,
}

/// The difference up to which a kernel is right: sums are taken in another order.
const TOLERANCE: f32 = 1e-4;
/// Where the factors are also rounded in another way: AMX rounds each of them, the other sets 32 of `x` together.
const ROUNDED_TOLERANCE: f32 = 1e-2;
/// What such kernels' names have.
const ROUNDED: &str = " rounded";

impl Tested {
    pub fn is_right(&self) -> bool {
        let rounds = self.isa == Isa::Amx && self.kernel.contains(ROUNDED);
        self.difference <= if rounds { ROUNDED_TOLERANCE } else { TOLERANCE }
    }
}

/// A kernel's outputs on its shapes, on the current set.
type Case = (&'static str, fn() -> Vec<f32>);

const CASES: [Case; 17] = [
    ("linear, f32", || few_and_many(|w| Held::F32(w.to_vec()))),
    ("linear, f16", || few_and_many(|w| Held::F16(w.iter().map(|&w| f16::from_f32(w)).collect()))),
    ("linear, bf16", || few_and_many(|w| Held::Bf16(w.iter().map(|&w| bf16::from_f32(w)).collect()))),
    ("linear, q8_0", || few_and_many(|w| Held::Q8_0(quantize_q8_0(w)))),
    ("linear, q4_k", || few_and_many(|w| Held::Q4K(quantize_q4k(w)))),
    ("linear rounded, q8_0", || rounded(|w| Held::Q8_0(quantize_q8_0(w)))),
    ("linear rounded, q4_k", || rounded(|w| Held::Q4K(quantize_q4k(w)))),
    ("attention of a token", || attended(1, 77, |x| x)),
    ("attention of many", || attended(65, 77, |x| x)),
    ("attention of a token over f16", || attended(1, 77, f16::from_f32)),
    ("attention rounded, over f16", || attended(65, 77, f16::from_f32)),
    ("convolution", convolved),
    ("transposed convolution", convolved_back),
    ("LSTM", recurred),
    ("layer norm", || on(|x| x.clone_from(&normalised(x)))),
    ("channel norm", || on(|x| channel_norm(x, SIZE, Norm { weight: &[0.5; 33], bias: None, eps: 1e-5 }))),
    ("GELU", || on(|x| gelu(x))),
];

/// How many kernels there are.
pub const COUNT: usize = CASES.len();

/// Each kernel on each set of this machine but the plain loops. `done` is called after each kernel.
pub fn kernels(done: impl Fn()) -> Vec<Tested> {
    let mut tested = Vec::new();
    for (kernel, outputs) in CASES {
        let plain = Isa::Scalar.with(outputs);
        for isa in Isa::available().into_iter().filter(|&isa| isa != Isa::Scalar) {
            tested.push(Tested { kernel, isa, difference: difference(&isa.with(outputs), &plain) });
        }
        done();
    }
    tested
}

fn difference(got: &[f32], plain: &[f32]) -> f32 {
    let top = plain.iter().fold(0f32, |top, x| top.max(x.abs()));
    // A maximum passes over NaN.
    let larger = |most: f32, d: f32| if most.is_nan() || d <= most { most } else { d };
    got.iter().zip(plain).map(|(a, b)| (a - b).abs() / top).fold(0.0, larger)
}

/// Rows of an odd size.
const SIZE: usize = 61;

/// Numbers in -1..1 that look random: a hash of the seed and the index.
pub(super) fn noise(seed: u64, len: usize) -> Vec<f32> {
    let hash = |i: u64| {
        let mut h = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed.wrapping_mul(0xd6e8_feb8_6659_fd93);
        h = (h ^ (h >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        h = (h ^ (h >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (h >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..len as u64).map(hash).collect()
}

fn on(work: impl Fn(&mut Vec<f32>)) -> Vec<f32> {
    let mut x = noise(3, 33 * SIZE);
    work(&mut x);
    x
}

/// A weight of one type.
enum Held {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
    Q8_0(Vec<BlockQ8_0>),
    Q4K(Vec<BlockQ4K>),
}

impl Held {
    fn matrix(&self) -> Matrix<'_> {
        match self {
            Held::F32(w) => Matrix::F32(w),
            Held::F16(w) => Matrix::F16(w),
            Held::Bf16(w) => Matrix::Bf16(w),
            Held::Q8_0(w) => Matrix::Q8_0(w),
            Held::Q4K(w) => Matrix::Q4K(w),
        }
    }
}

/// Inputs of the products: a multiple of every block.
const K: usize = 512;

/// Of 1, 7 and 50 rows: one that is streamed alone, some together, and as many as are computed in blocks.
fn few_and_many(held: impl Fn(&[f32]) -> Held) -> Vec<f32> {
    let (w, bias) = (held(&noise(1, SIZE * K)), noise(4, SIZE));
    let of = |m: usize| {
        let mut out = vec![0.0; m * SIZE];
        linear(&noise(2, m * K), m, w.matrix(), SIZE, K, Some(&bias), &mut out);
        out
    };
    [1, 7, 50].into_iter().flat_map(of).collect()
}

fn rounded(held: impl Fn(&[f32]) -> Held) -> Vec<f32> {
    let (held, mut out) = (held(&noise(1, SIZE * K)), vec![0.0; 50 * SIZE]);
    let layer = Linear { w: held.matrix(), n: SIZE, k: K, bias: None, sums: Sums::Blocked };
    linear_rounded(&noise(2, 50 * K), 50, layer, Epilogue::None, &mut out);
    out
}

/// Three heads of 40, causal; keys and values are held as `number` makes them.
fn attended<T: KeyValue>(t: usize, len: usize, number: fn(f32) -> T) -> Vec<f32> {
    const WIDTH: usize = 120;
    let (q, held) = (noise(5, len * WIDTH), [6, 7].map(|seed| noise(seed, len * WIDTH)));
    let [k, v] = held.map(|values| values.into_iter().map(number).collect::<Vec<T>>());
    let (row_stride, head_stride) = (WIDTH, 40);
    let [k, v] = [&k, &v].map(|data| Rows { data, row_stride, head_stride });
    let q = Rows { data: &q, row_stride, head_stride };
    let mut out = vec![0.0; t * WIDTH];
    attention(Attention { q, k, v, heads: 3, dim: 40, t, len, causal: true }, &mut out);
    out
}

fn convolved() -> Vec<f32> {
    let (x, w) = (noise(8, 12 * 200), noise(9, 18 * 4 * 5));
    let pad = Pad { left: 2, right: 2, mirrored: true };
    let conv = Conv {
        w: &w,
        bias: None,
        c_in: 12,
        c_out: 18,
        kernel: 5,
        stride: 2,
        dilation: 1,
        groups: 3,
        pad,
        elu: true,
        then: Epilogue::Gelu,
    };
    let mut out = vec![0.0; 18 * conv.out_len(200)];
    conv1d(&x, conv, &mut out);
    out
}

fn convolved_back() -> Vec<f32> {
    let (x, w) = (noise(8, 12 * 50), noise(9, 12 * 18 * 4));
    let conv = ConvTranspose { w: &w, bias: None, c_in: 12, c_out: 18, kernel: 4, stride: 2, trim: 2, elu: true };
    let mut out = vec![0.0; 18 * conv.out_len(50)];
    conv_transpose1d(&x, conv, &mut out);
    out
}

fn recurred() -> Vec<f32> {
    let (gates, w) = (noise(8, 5 * 4 * SIZE), noise(9, 4 * SIZE * SIZE));
    let (mut state, mut out) = (vec![0.0; 2 * SIZE], vec![0.0; 5 * SIZE]);
    lstm(&gates, &w, SIZE, &mut state, &mut out);
    out
}

fn normalised(x: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    layer_norm(x, SIZE, Norm { weight: &[0.5; SIZE], bias: Some(&[0.1; SIZE]), eps: 1e-5 }, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_passes() {
        let tested = kernels(|| ());
        assert_eq!(tested.len(), CASES.len() * (Isa::available().len() - 1));
        for tested in tested {
            assert!(tested.is_right(), "{tested:?}");
        }
    }

    #[test]
    fn what_differs_or_is_no_number_is_wrong() {
        let wrong = |got: &[f32]| {
            !Tested { kernel: "", isa: Isa::Scalar, difference: difference(got, &[1.0, -2.0]) }.is_right()
        };
        assert!(wrong(&[1.001, -2.0]) && wrong(&[f32::NAN, -2.0]) && wrong(&[1.0, f32::INFINITY]));
        assert!(!wrong(&[1.0, -2.0001]));
    }

    #[test]
    fn no_case_is_of_zeros() {
        for (kernel, outputs) in CASES {
            let outputs = outputs();
            assert!(outputs.iter().filter(|x| **x != 0.0).count() > outputs.len() / 2, "{kernel}");
        }
    }
}
