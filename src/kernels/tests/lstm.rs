use super::*;
use crate::kernels::*;

fn plain(gates: &[f32], w_hh: &[f32], hidden: usize) -> Vec<f64> {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (mut h, mut c, mut out) = (vec![0.0; hidden], vec![0.0; hidden], Vec::new());
    for given in gates.chunks(4 * hidden) {
        let recurrent =
            |j: usize| w_hh[j * hidden..][..hidden].iter().zip(&h).map(|(&w, h)| f64::from(w) * h).sum::<f64>();
        let gates: Vec<f64> = (0..4 * hidden).map(|j| f64::from(given[j]) + recurrent(j)).collect();
        for j in 0..hidden {
            let [i, f, g, o] = [0, 1, 2, 3].map(|gate| gates[gate * hidden + j]);
            c[j] = sigmoid(f) * c[j] + sigmoid(i) * g.tanh();
            h[j] = sigmoid(o) * c[j].tanh();
        }
        out.extend(&h);
    }
    out
}

#[test]
fn lstm_equals_f64() {
    let shapes: &[[usize; 2]] =
        if cfg!(miri) { &[[1, 2], [5, 3]] } else { &[[1, 1], [5, 9], [16, 40], [33, 100], [64, 0]] };
    on_each_isa(|| {
        for &[hidden, t] in shapes {
            let (gates, w_hh) = (noise(1, t * 4 * hidden), noise(3, 4 * hidden * hidden));
            let w_hh: Vec<f32> = w_hh.iter().map(|w| w / (hidden as f32).sqrt()).collect();
            let mut out = vec![f32::NAN; t * hidden];
            lstm(&gates, &w_hh, hidden, &mut vec![0.0; 2 * hidden], &mut out);
            assert_close(&out, &plain(&gates, &w_hh, hidden), 5e-6);
        }
    });
}

#[test]
fn lstm_goes_on_from_where_it_stopped() {
    let (hidden, t) = (9, 6);
    let (gates, w_hh) = (noise(1, t * 4 * hidden), noise(3, 4 * hidden * hidden));
    on_each_isa(|| {
        let run = |parts: &[usize]| {
            let (mut state, mut out, mut at) = (vec![0.0; 2 * hidden], vec![0.0; t * hidden], 0);
            for &steps in parts {
                let gates = &gates[at * 4 * hidden..][..steps * 4 * hidden];
                lstm(gates, &w_hh, hidden, &mut state, &mut out[at * hidden..][..steps * hidden]);
                at += steps;
            }
            (state, out)
        };
        assert_eq!(run(&[6]), run(&[1, 0, 3, 2]));
    });
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn lstm_does_not_depend_on_the_threads_and_refuses_wrong_shapes() {
    // As many weights as several threads share, and as many steps as have a copy of them.
    let (gates, w) = (noise(1, 34 * 800), noise(2, 800 * 200));
    on_each_isa(|| assert_same_on_any_threads(34 * 200, |out| lstm(&gates, &w, 200, &mut [0.0; 400], out)));
    let refused = |w: &[f32], len: usize| {
        let mut out = vec![0.0; len];
        let call = std::panic::AssertUnwindSafe(|| lstm(&gates, w, 200, &mut [0.0; 400], &mut out));
        assert!(std::panic::catch_unwind(call).is_err());
    };
    refused(&w, 33 * 200);
    refused(&w, 34 * 200 + 1);
    refused(&w[1..], 34 * 200);
}
