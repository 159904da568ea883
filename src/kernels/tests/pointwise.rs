use super::*;
use crate::kernels::math;
use crate::kernels::simd::Simd;
use crate::kernels::*;

/// -12 to 12 in fine steps, the ends of the range and both zeros.
fn axis() -> Vec<f32> {
    let steps = if cfg!(miri) { 40 } else { 120_001 };
    let mut axis: Vec<f32> = (0..steps).map(|i| -12.0 + 24.0 * i as f32 / steps as f32).collect();
    axis.extend([0.0, -0.0, 1e-30, -1e-30, 1e-4, -1e-4, 87.0, -87.0, -300.0, 300.0, -1e30, 1e30]);
    axis
}

/// One function of [`math`], to be run on each element.
#[derive(Clone, Copy)]
enum F {
    Exp,
    Erf,
    Sigmoid,
    Tanh,
    Elu,
}

impl math::Each for F {
    #[inline(always)]
    fn of<S: Simd>(self, s: S, x: S::V) -> S::V {
        match self {
            F::Exp => math::exp(s, x),
            F::Erf => math::erf(s, x),
            F::Sigmoid => math::sigmoid(s, x),
            F::Tanh => math::tanh(s, x),
            F::Elu => math::Elu().of(s, x),
        }
    }
}

struct Apply<'a>(F, &'a mut [f32]);

impl isa::Task for Apply<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        math::map(s, self.1, self.0);
    }
}

fn worst(apply: impl Fn(&mut [f32]), exact: impl Fn(f64) -> f64, relative: bool) -> f64 {
    let x = axis();
    let mut y = x.clone();
    apply(&mut y);
    let error = |x: f32, y: f32| {
        let want = exact(f64::from(x));
        (f64::from(y) - want).abs() / if relative { want.abs().max(1e-38) } else { 1.0 }
    };
    x.iter().zip(&y).map(|(&x, &y)| error(x, y)).fold(0.0, f64::max)
}

#[test]
fn erf_sigmoid_and_tanh_are_good_to_2e_7() {
    on_each_isa(|| {
        let run = |f: F| move |y: &mut [f32]| Isa::current().run(Apply(f, y));
        assert!(worst(run(F::Erf), erf_in_f64, false) < 2e-7);
        assert!(worst(run(F::Sigmoid), |x| 1.0 / (1.0 + (-x).exp()), false) < 2e-7);
        assert!(worst(run(F::Tanh), f64::tanh, false) < 2e-7);
    });
}

#[test]
fn exp_is_good_to_two_units_in_the_last_place_and_stays_finite() {
    on_each_isa(|| {
        let run = |y: &mut [f32]| Isa::current().run(Apply(F::Exp, y));
        let within = |x: f64| x.clamp(-87.0, 88.0).exp();
        assert!(worst(run, within, true) < 2.4e-7);
    });
}

fn elu(y: &mut [f32]) {
    Isa::current().run(Apply(F::Elu, y));
}

#[test]
fn gelu_and_elu_equal_f64() {
    on_each_isa(|| {
        let scaled = |exact: fn(f64) -> f64| move |x: f64| exact(x) / x.abs().max(1.0);
        let over = |f: fn(&mut [f32])| {
            move |y: &mut [f32]| {
                let x = y.to_vec();
                f(y);
                y.iter_mut().zip(x).for_each(|(y, x)| *y /= x.abs().max(1.0));
            }
        };
        assert!(worst(over(gelu), scaled(gelu_in_f64), false) < 2e-7);
        assert!(worst(over(elu), scaled(|x| if x > 0.0 { x } else { x.exp_m1() }), false) < 2e-7);
        // Near 0 the small result keeps its digits.
        let mut tiny = [-1e-4f32, -1e-7, -3e-2];
        elu(&mut tiny);
        for (y, x) in tiny.into_iter().zip([-1e-4f64, -1e-7, -3e-2]) {
            assert!((f64::from(y) / x.exp_m1() - 1.0).abs() < 5e-7, "elu({x}) = {y}");
        }
    });
}

/// Mean and 1 / √(variance + eps) in f64.
fn moments(row: &[f32], eps: f64) -> (f64, f64) {
    let n = row.len() as f64;
    let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
    (mean, 1.0 / (variance + eps).sqrt())
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn layer_norm_equals_f64_also_far_from_zero() {
    on_each_isa(|| {
        for (width, offset) in [(1, 0.0), (7, 3.0), (16, 0.0), (129, 20.0), (768, 0.0)] {
            let x: Vec<f32> = noise(2, 3 * width).iter().map(|x| x + offset).collect();
            let (weight, bias) = (noise(3, width), noise(4, width));
            for bias in [None, Some(&bias[..])] {
                let mut out = vec![0.0; x.len()];
                layer_norm(&x, width, Norm { weight: &weight, bias, eps: 1e-5 }, &mut out);
                let want = x.chunks(width).flat_map(|row| {
                    let (mean, scale) = moments(row, 1e-5);
                    let affine = |(i, &x): (usize, &f32)| {
                        (f64::from(x) - mean) * scale * f64::from(weight[i]) + bias.map_or(0.0, |b| f64::from(b[i]))
                    };
                    row.iter().enumerate().map(affine).collect::<Vec<_>>()
                });
                assert_close(&out, &want.collect::<Vec<_>>(), if offset > 0.0 { 5e-5 } else { 2e-6 });
            }
        }
    });
}

#[test]
fn channel_norm_equals_f64() {
    on_each_isa(|| {
        let (channels, t) = (3, if cfg!(miri) { 70 } else { 5003 });
        let (x, weight, bias) = (noise(5, channels * t), noise(6, channels), noise(7, channels));
        let mut out = x.clone();
        channel_norm(&mut out, t, Norm { weight: &weight, bias: Some(&bias), eps: 1e-5 });
        let want = x.chunks(t).enumerate().flat_map(|(c, row)| {
            let (mean, scale) = moments(row, 1e-5);
            let affine = |&x: &f32| (f64::from(x) - mean) * scale * f64::from(weight[c]) + f64::from(bias[c]);
            row.iter().map(affine).collect::<Vec<_>>()
        });
        assert_close(&out, &want.collect::<Vec<_>>(), 2e-6);
    });
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn pointwise_kernels_do_not_depend_on_the_threads() {
    let x = noise(8, 70_000);
    let weight = noise(9, 700);
    let norm = Norm { weight: &weight, bias: None, eps: 1e-5 };
    on_each_isa(|| {
        assert_same_on_any_threads(x.len(), |out| {
            out.copy_from_slice(&x);
            gelu(out);
        });
        assert_same_on_any_threads(x.len(), |out| layer_norm(&x, 700, norm, out));
    });
}

#[test]
fn add_does_what_it_says() {
    let mut x = vec![1.0; 40_000];
    let y = noise(1, 40_000);
    add(&mut x, &y);
    assert!(x.iter().zip(&y).all(|(x, y)| *x == 1.0 + y));
}
