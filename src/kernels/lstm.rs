//! One LSTM layer (EnCodec, the quantizer): the input's part of the gates as one product, then a step at a time.

use super::isa::{Isa, Task};
use super::linear::linear;
use super::math::{sigmoid, tanh};
use super::simd::Simd;
use super::source::Matrix;

/// A layer's weights as PyTorch keeps them: `w_ih` `[4 * hidden, input]`, `w_hh` `[4 * hidden, hidden]`, biases
/// `[4 * hidden]`, gates in the order input, forget, cell, output.
#[derive(Clone, Copy, Debug)]
pub struct Lstm<'a> {
    pub w_ih: &'a [f32],
    pub w_hh: &'a [f32],
    pub b_ih: &'a [f32],
    pub b_hh: &'a [f32],
    pub input: usize,
    pub hidden: usize,
}

/// Runs the layer over `x` `[t, input]` from a zero state; writes the hidden state of each step, `out` `[t, hidden]`.
pub fn lstm(x: &[f32], layer: Lstm, out: &mut [f32]) {
    let Lstm { w_ih, w_hh, b_ih, b_hh, input, hidden } = layer;
    let t = out.len().checked_div(hidden).unwrap_or(0);
    let gates = 4 * hidden;
    assert_eq!(out.len(), t * hidden, "out is not rows of {hidden}");
    assert_eq!(x.len(), t * input, "x is not [{t}, {input}]");
    assert!(b_ih.len() == gates && b_hh.len() == gates, "the biases are not [{gates}]");
    let biases: Vec<f32> = b_ih.iter().zip(b_hh).map(|(a, b)| a + b).collect();
    let mut inputs = vec![0.0; t * gates];
    linear(x, t, Matrix::F32(w_ih), gates, input, Some(&biases), &mut inputs);

    let isa = Isa::current();
    let (mut h, mut c, mut sums) = (vec![0.0; hidden], vec![0.0; hidden], vec![0.0; gates]);
    for (inputs, out) in inputs.chunks_exact(gates.max(1)).zip(out.chunks_exact_mut(hidden.max(1))) {
        linear(&h, 1, Matrix::F32(w_hh), gates, hidden, Some(inputs), &mut sums);
        isa.run(Step { sums: &sums, c: &mut c, h: out });
        h.copy_from_slice(out);
    }
}

/// `c = σ(f) c + σ(i) tanh(g)`, `h = σ(o) tanh(c)`.
struct Step<'a> {
    sums: &'a [f32],
    c: &'a mut [f32],
    h: &'a mut [f32],
}

impl Task for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let hidden = self.c.len();
        assert!(self.sums.len() == 4 * hidden && self.h.len() == hidden);
        for at in (0..hidden).step_by(S::LANES) {
            let count = S::LANES.min(hidden - at);
            // SAFETY: `count` elements are left of the cell, the state and each of the four gates.
            unsafe {
                let sums = self.sums.as_ptr().add(at);
                let i = sigmoid(s, s.load_up_to(sums, count));
                let f = sigmoid(s, s.load_up_to(sums.add(hidden), count));
                let g = tanh(s, s.load_up_to(sums.add(2 * hidden), count));
                let o = sigmoid(s, s.load_up_to(sums.add(3 * hidden), count));
                let c = s.fma(f, s.load_up_to(self.c.as_ptr().add(at), count), s.mul(i, g));
                s.store_up_to(self.c.as_mut_ptr().add(at), c, count);
                s.store_up_to(self.h.as_mut_ptr().add(at), s.mul(o, tanh(s, c)), count);
            }
        }
    }
}
