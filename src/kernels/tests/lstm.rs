use super::*;
use crate::kernels::*;

fn plain(x: &[f32], l: &Lstm, t: usize) -> Vec<f64> {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let dot =
        |w: &[f32], x: &mut dyn Iterator<Item = f64>| w.iter().zip(x).map(|(&w, x)| f64::from(w) * x).sum::<f64>();
    let (mut h, mut c, mut out) = (vec![0.0; l.hidden], vec![0.0; l.hidden], Vec::new());
    for x in x.chunks(l.input).take(t) {
        let gate = |j: usize| {
            f64::from(l.b_ih[j])
                + f64::from(l.b_hh[j])
                + dot(&l.w_ih[j * l.input..][..l.input], &mut x.iter().map(|&x| f64::from(x)))
                + dot(&l.w_hh[j * l.hidden..][..l.hidden], &mut h.iter().copied())
        };
        let gates: Vec<f64> = (0..4 * l.hidden).map(gate).collect();
        for j in 0..l.hidden {
            let [i, f, g, o] = [0, 1, 2, 3].map(|gate| gates[gate * l.hidden + j]);
            c[j] = sigmoid(f) * c[j] + sigmoid(i) * g.tanh();
            h[j] = sigmoid(o) * c[j].tanh();
        }
        out.extend(&h);
    }
    out
}

#[test]
fn lstm_equals_f64() {
    let shapes: &[[usize; 3]] = if cfg!(miri) {
        &[[1, 1, 2], [3, 5, 3]]
    } else {
        &[[1, 1, 1], [3, 5, 9], [16, 16, 40], [70, 33, 100], [8, 64, 0]]
    };
    on_each_isa(|| {
        for &[input, hidden, t] in shapes {
            let (x, w_ih, w_hh) = (noise(1, t * input), noise(2, 4 * hidden * input), noise(3, 4 * hidden * hidden));
            let w_hh: Vec<f32> = w_hh.iter().map(|w| w / (hidden as f32).sqrt()).collect();
            let (b_ih, b_hh) = (noise(4, 4 * hidden), noise(5, 4 * hidden));
            let layer = Lstm { w_ih: &w_ih, w_hh: &w_hh, b_ih: &b_ih, b_hh: &b_hh, input, hidden };
            let mut out = vec![f32::NAN; t * hidden];
            lstm(&x, layer, &mut out);
            assert_close(&out, &plain(&x, &layer, t), 5e-6);
        }
    });
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn lstm_does_not_depend_on_the_threads_and_refuses_wrong_shapes() {
    let (x, w, b) = (noise(1, 30 * 50), noise(2, 4 * 50 * 50), noise(3, 200));
    let layer = Lstm { w_ih: &w, w_hh: &w, b_ih: &b, b_hh: &b, input: 50, hidden: 50 };
    on_each_isa(|| assert_same_on_any_threads(30 * 50, |out| lstm(&x, layer, out)));
    let refused = |layer: Lstm, len: usize| {
        let mut out = vec![0.0; len];
        let call = std::panic::AssertUnwindSafe(|| lstm(&x, layer, &mut out));
        assert!(std::panic::catch_unwind(call).is_err());
    };
    refused(layer, 29 * 50);
    refused(layer, 30 * 50 + 1);
    refused(Lstm { b_hh: &b[1..], ..layer }, 30 * 50);
    refused(Lstm { w_hh: &w[1..], ..layer }, 30 * 50);
}
