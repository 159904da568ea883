use super::*;
use crate::kernels::*;
use half::{bf16, f16};

/// `x wᵀ + bias` in f64.
fn plain(x: &[f32], m: usize, w: &[f32], n: usize, k: usize, bias: Option<&[f32]>) -> Vec<f64> {
    let dot = |i: usize, j: usize| -> f64 {
        (0..k).map(|c| f64::from(x[i * k + c]) * f64::from(w[j * k + c])).sum::<f64>()
            + bias.map_or(0.0, |b| f64::from(b[j]))
    };
    (0..m * n).map(|at| dot(at / n, at % n)).collect()
}

/// A weight `[n, k]` in each type that takes rows of `k`, with the f32 that it stands for.
struct Weights {
    f32: Vec<f32>,
    f16: Vec<f16>,
    bf16: Vec<bf16>,
    q8_0: Vec<BlockQ8_0>,
    q4k: Vec<BlockQ4K>,
}

impl Weights {
    fn new(n: usize, k: usize) -> Self {
        let f32 = noise(7, n * k);
        Weights {
            f16: f32.iter().map(|&w| f16::from_f32(w)).collect(),
            bf16: f32.iter().map(|&w| bf16::from_f32(w)).collect(),
            q8_0: if k.is_multiple_of(32) { quantize_q8_0(&f32) } else { vec![] },
            q4k: if k.is_multiple_of(256) { quantize_q4k(&f32) } else { vec![] },
            f32,
        }
    }

    fn each(&self) -> Vec<(Matrix<'_>, Vec<f32>)> {
        let mut each = vec![
            (Matrix::F32(&self.f32), self.f32.clone()),
            (Matrix::F16(&self.f16), self.f16.iter().map(|w| w.to_f32()).collect()),
            (Matrix::Bf16(&self.bf16), self.bf16.iter().map(|w| w.to_f32()).collect()),
        ];
        if !self.q8_0.is_empty() {
            each.push((Matrix::Q8_0(&self.q8_0), dequantize_q8_0(&self.q8_0)));
        }
        if !self.q4k.is_empty() {
            each.push((Matrix::Q4K(&self.q4k), dequantize_q4k(&self.q4k)));
        }
        each
    }
}

fn check(m: usize, n: usize, k: usize) {
    let (x, bias, weights) = (noise(1, m * k), noise(2, n), Weights::new(n, k));
    for (w, full) in weights.each() {
        let mut out = vec![f32::NAN; m * n];
        linear(&x, m, w, n, k, Some(&bias), &mut out);
        let x = match w {
            Matrix::Q4K(_) if m <= 16 => &eight_bits(&x),
            Matrix::Q8_0(_) if m <= 16 && n >= 16 && Isa::current() == Isa::Amx => &two_digits(&x),
            _ => &x,
        };
        assert_close(&out, &plain(x, m, &full, n, k, Some(&bias)), 2e-6 * (k as f64).sqrt() + 1e-6);
    }
}

/// [`linear_rounded`], and nothing then.
fn rounded(x: &[f32], m: usize, w: Matrix, (n, k): (usize, usize), bias: Option<&[f32]>, out: &mut [f32]) {
    linear_rounded(x, m, Linear { w, n, k, bias, sums: Sums::Blocked }, Epilogue::None, out);
}

/// Each 256 of `x` as eight-bit integers of one scale stand for them.
fn eight_bits(x: &[f32]) -> Vec<f32> {
    let block = |x: &[f32]| {
        let top = x.iter().fold(0f32, |top, x| top.max(x.abs()));
        x.iter().map(|x| (x * (127.0 / top)).round_ties_even() * (top / 127.0)).collect::<Vec<_>>()
    };
    x.chunks(256).flat_map(block).collect()
}

/// Each 32 of `x` as two digits of eight bits, to the base 254, of one scale stand for them.
fn two_digits(x: &[f32]) -> Vec<f32> {
    let block = |x: &[f32]| {
        let top = x.iter().fold(0f32, |top, x| top.max(x.abs()));
        let (scale, inverse) = (top / 127.0, 127.0 / top);
        let number = |x: f32| {
            let first = (x * inverse).round_ties_even();
            let rest = (-first).mul_add(scale, x);
            first * scale + (rest * (inverse * 254.0)).round_ties_even() * (scale / 254.0)
        };
        x.iter().map(|&x| number(x)).collect::<Vec<_>>()
    };
    x.chunks(32).flat_map(block).collect()
}

#[test]
fn four_bit_products_of_zeros_and_of_extremes() {
    let (n, k) = (9, 512);
    let w: Vec<f32> = (0..n * k).map(|i| if i % 3 == 0 { 1.0 } else { -1.0 }).collect();
    let w = quantize_q4k(&w);
    on_each_isa(|| {
        let run = |x: f32| {
            let mut out = vec![f32::NAN; 2 * n];
            linear(&vec![x; 2 * k], 2, Matrix::Q4K(&w), n, k, None, &mut out);
            out
        };
        assert_eq!(run(0.0), vec![0.0; 2 * n]);
        let want = plain(&vec![1e3; 2 * k], 2, &dequantize_q4k(&w), n, k, None);
        assert_close(&run(1e3), &want, 0.5);
        assert_close(&run(-1e3), &want.iter().map(|x| -x).collect::<Vec<_>>(), 0.5);
    });
}

#[test]
fn linear_equals_a_plain_loop_on_odd_shapes() {
    let shapes: &[(usize, usize, usize)] = if cfg!(miri) {
        &[(1, 1, 1), (1, 9, 33), (3, 7, 5), (17, 35, 7), (18, 3, 256), (1, 3, 256), (0, 3, 4), (3, 0, 4), (2, 3, 0)]
    } else {
        &[
            (0, 5, 7),
            (5, 0, 7),
            (5, 3, 0),
            (20, 3, 0),
            (1, 1, 1),
            (17, 1, 1),
            (1, 300, 77),
            (2, 33, 96),
            (3, 7, 5),
            (5, 130, 31),
            (7, 19, 256),
            (16, 47, 512),
            (17, 35, 7),
            (29, 129, 257),
            (50, 131, 512),
            (61, 257, 300),
            (241, 70, 33),
            (512, 17, 300),
            (33, 150, 2100),
        ]
    };
    on_each_isa(|| shapes.iter().for_each(|&(m, n, k)| check(m, n, k)));
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn a_row_in_a_batch_has_the_bits_of_the_row_alone() {
    let (n, k) = (53, 256);
    let weights = Weights::new(n, k);
    let x = noise(3, 60 * k);
    on_each_isa(|| {
        for (w, _) in weights.each() {
            let rows = |first: usize, m: usize, sums: Sums| {
                let (x, mut out) = (&x[first * k..][..m * k], vec![0.0; m * n]);
                linear_then(x, m, Linear { w, n, k, bias: None, sums }, Epilogue::None, &mut out);
                out
            };
            let all = rows(0, 60, Sums::RowByRow);
            for m in (1..=20).chain([31, 32, 33, 48, 59]) {
                assert_eq!(rows(60 - m, m, Sums::RowByRow), all[(60 - m) * n..], "{m} rows");
            }
            assert_eq!(rows(0, MOST_STREAMED, Sums::Blocked), all[..MOST_STREAMED * n], "few rows are streamed");
            let many = rows(0, 40, Sums::Blocked);
            assert_eq!(rows(13, 27, Sums::Blocked), many[13 * n..], "27 rows of 40");
        }
    });
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn linear_does_not_depend_on_the_threads() {
    let (n, k) = (301, 256);
    let (x, weights) = (noise(4, 300 * k), Weights::new(n, k));
    on_each_isa(|| {
        for (w, _) in weights.each() {
            for m in [1, 5, 300] {
                assert_same_on_any_threads(m * n, |out| linear(&x[..m * k], m, w, n, k, None, out));
            }
        }
    });
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn epilogues_do_what_their_own_kernels_do() {
    on_each_isa(|| {
        for (m, n, k) in [(3, 21, 40), (19, 45, 300)] {
            let (x, w, residual) = (noise(5, m * k), noise(6, n * k), noise(8, m * n));
            let layer = Linear { w: Matrix::F32(&w), n, k, bias: None, sums: Sums::Blocked };
            let run = |then: Epilogue| {
                let mut out = vec![0.0; m * n];
                linear_then(&x, m, layer, then, &mut out);
                out
            };
            let none = run(Epilogue::None);
            let sums: Vec<f32> = none.iter().zip(&residual).map(|(a, b)| a + b).collect();
            assert_eq!(run(Epilogue::Add(&residual)), sums);
            let gelus: Vec<f64> = none.iter().map(|&a| f64::from(a)).map(gelu_in_f64).collect();
            assert_close(&run(Epilogue::Gelu), &gelus, 2e-6);
        }
    });
}

#[test]
fn wrong_shapes_are_refused() {
    let w = noise(9, 12);
    let refused = |x: usize, n: usize, k: usize, out: usize| {
        let (x, mut out) = (vec![0.0; x], vec![0.0; out]);
        let call = std::panic::AssertUnwindSafe(|| linear(&x, 2, Matrix::F32(&w), n, k, None, &mut out));
        assert!(std::panic::catch_unwind(call).is_err());
    };
    refused(8, 3, 3, 6);
    refused(7, 3, 4, 6);
    refused(8, 3, 4, 7);
    refused(8, usize::MAX / 2 + 3, 4, 6);
    let quantised = quantize_q8_0(&noise(9, 32));
    let call = || linear(&[0.0; 16], 1, Matrix::Q8_0(&quantised), 2, 16, None, &mut [0.0; 2]);
    assert!(std::panic::catch_unwind(call).is_err(), "half a block is no row");
}

#[test]
fn rounded_products_equal_f64_on_the_rounded_operands() {
    let shapes: &[(usize, usize, usize)] =
        if cfg!(miri) { &[(3, 5, 32)] } else { &[(1, 1, 32), (7, 33, 64), (50, 70, 256), (61, 130, 1024), (0, 3, 32)] };
    on_each_isa(|| {
        for &(m, n, k) in shapes {
            let (x, bias, weights) = (noise(1, m * k), noise(2, n), Weights::new(n, k));
            // Activations that eight bits hold exactly, up to rounding of the scale: the sums are exact then.
            let whole: Vec<f32> =
                x.iter().enumerate().map(|(i, x)| if i % 32 == 0 { 127.0 } else { (x * 126.0).round() }).collect();
            for (w, full) in weights.each() {
                // AMX rounds weights of at most 1 to the eight bits of bf16. Else four bits are rounded to eight: each by
                // half a 127th of a group's largest, about 1, at most.
                let rounding = match w {
                    Matrix::Q8_0(_) | Matrix::Q4K(_) if Isa::current() == Isa::Amx => 1.0 / 512.0,
                    Matrix::Q8_0(_) => 0.0,
                    Matrix::Q4K(_) => 1.0 / 254.0,
                    _ => continue,
                };
                let mut out = vec![f32::NAN; m * n];
                rounded(&whole, m, w, (n, k), Some(&bias), &mut out);
                let tolerance = (2e-4 + 2.0 * 127.0 * rounding) * (k as f64).sqrt() + 1e-6;
                assert_close(&out, &plain(&whole, m, &full, n, k, Some(&bias)), tolerance);
                // Any activations: within the rounding of each to a 127th of its block's largest.
                rounded(&x, m, w, (n, k), Some(&bias), &mut out);
                assert_close(&out, &plain(&x, m, &full, n, k, Some(&bias)), (1e-2 + rounding) * (k as f64).sqrt());
            }
        }
        if cfg!(miri) {
            return;
        }
        let mut out = [f32::NAN; 4];
        rounded(&[], 2, Matrix::Q8_0(&[]), (2, 0), Some(&[1.0, 2.0]), &mut out);
        assert_eq!(out, [1.0, 2.0, 1.0, 2.0]);
        let (x, w) = (noise(1, 130 * 64), quantize_q8_0(&noise(7, 200 * 64)));
        assert_same_on_any_threads(130 * 200, |out| rounded(&x, 130, Matrix::Q8_0(&w), (200, 64), None, out));
        let call = || rounded(&x[..32], 1, Matrix::F32(&x[..32]), (1, 32), None, &mut [0.0]);
        assert!(std::panic::catch_unwind(call).is_err(), "floats are no blocks");
    });
}

#[test]
fn quantised_weights_are_near_the_weights() {
    let w = noise(11, 4096);
    let rms = |back: Vec<f32>| {
        let square: f64 = back.iter().zip(&w).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        (square / w.len() as f64).sqrt()
    };
    // Uniform weights of -1..1: steps of 2 / 254 and about 2 / 15 give these by step / √12.
    assert!(rms(dequantize_q8_0(&quantize_q8_0(&w))) < 0.0025);
    assert!(rms(dequantize_q4k(&quantize_q4k(&w))) < 0.042);
    assert_eq!(dequantize_q8_0(&quantize_q8_0(&[0.0; 32])), [0.0; 32]);
    assert_eq!(dequantize_q4k(&quantize_q4k(&[0.0; 256])), [0.0; 256]);
}

#[test]
fn rounding_does_not_hide_what_is_not_finite() {
    let (m, n, k) = (3, 37, 512);
    let is_told = |row: &[f32]| row.iter().all(|x| !x.is_finite());
    let is_finite = |row: &[f32]| row.iter().all(|x| x.is_finite());
    on_each_isa(|| {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let (good, mut x) = (noise(1, m * k), noise(1, m * k));
            x[k + 300] = bad;
            let (w, mut wrong) = (noise(2, n * k), noise(2, n * k));
            wrong[2 * k + 300] = bad;
            let (q8_0, q4k) = (quantize_q8_0(&w), quantize_q4k(&w));
            let (wrong_q8_0, wrong_q4k) = (quantize_q8_0(&wrong), quantize_q4k(&wrong));
            let pairs =
                [(Matrix::Q8_0(&q8_0), Matrix::Q8_0(&wrong_q8_0)), (Matrix::Q4K(&q4k), Matrix::Q4K(&wrong_q4k))];
            for (w, wrong) in pairs {
                let few = |x: &[f32], w: Matrix| {
                    let mut out = vec![0.0; m * n];
                    linear(x, m, w, n, k, None, &mut out);
                    out
                };
                let in_eight_bits = |x: &[f32], w: Matrix| {
                    let mut out = vec![0.0; m * n];
                    rounded(x, m, w, (n, k), None, &mut out);
                    out
                };
                for out in [few(&x, w), in_eight_bits(&x, w)] {
                    let rows: Vec<_> = out.chunks(n).collect();
                    assert!(is_finite(rows[0]) && is_told(rows[1]) && is_finite(rows[2]), "{bad} in x: {out:?}");
                }
                for out in [few(&good, wrong), in_eight_bits(&good, wrong)] {
                    let columns: Vec<Vec<f32>> =
                        (0..n).map(|j| out.iter().skip(j).step_by(n).copied().collect()).collect();
                    assert!(is_told(&columns[2]) && is_finite(&columns[1]), "{bad} in the weight: {out:?}");
                }
            }
        }
    });
}
