//! Each kernel, on each instruction set of this machine, against a plain loop in f64.

mod attention;
mod conv;
mod linear;
mod lstm;
mod pointwise;
mod training;

use super::Isa;
use super::selftest::noise;

/// Runs `test` on each instruction set that this machine has, the plain loops included.
pub(super) fn on_each_isa(test: impl Fn()) {
    for isa in Isa::available() {
        isa.with(&test);
    }
}

/// Asserts that `work` fills `len` outputs with the same bits on 1, 2 and 4 threads.
fn assert_same_on_any_threads(len: usize, work: impl Fn(&mut [f32]) + Sync) {
    let on = |threads: usize| {
        let isa = Isa::current();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut out = vec![0.0; len];
        pool.install(|| isa.with(|| work(&mut out)));
        out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    let alone = on(1);
    assert!(on(2) == alone, "2 threads differ from 1 on {:?}", Isa::current());
    assert!(on(4) == alone, "4 threads differ from 1 on {:?}", Isa::current());
}

/// Asserts that each element is within `tolerance` (absolute) of what f64 says.
#[track_caller]
fn assert_close(got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(g) - w).abs();
        assert!(error <= tolerance, "{:?}: element {i} is {g}, not {w}: off by {error:e}", Isa::current());
    }
}

/// erf by its Taylor series near 0 and by erfc's continued fraction elsewhere: far more digits than f32 has.
fn erf_in_f64(x: f64) -> f64 {
    if x.abs() > 2.0 {
        let fraction = (1..=120).rev().fold(0.0, |below, n| f64::from(n) / 2.0 / (x.abs() + below));
        let erfc = (-x * x).exp() / (x.abs() + fraction) * std::f64::consts::FRAC_2_SQRT_PI / 2.0;
        return x.signum() * (1.0 - erfc);
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..60 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

fn gelu_in_f64(x: f64) -> f64 {
    0.5 * x * (1.0 + erf_in_f64(x * std::f64::consts::FRAC_1_SQRT_2))
}
