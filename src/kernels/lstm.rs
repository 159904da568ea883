//! The recurrence of an LSTM layer (EnCodec, the quantizer): a step at a time over gates that hold the inputs' part
//! already.

use super::isa::{Isa, Task};
use super::linear::{Epilogue, Product};
use super::math::{sigmoid, tanh};
use super::par::{Shared, parallel, scratch};
use super::rows::{self, CHUNK_BYTES};
use super::simd::Simd;
use super::source::Matrix;

/// Runs a layer on from `state` `[2, hidden]`, its last output and its cell (zeros before the first step), and leaves
/// there where it has come to: `gates` `[t, 4 * hidden]` are what the inputs and both biases add to each step's gates,
/// in PyTorch's order input, forget, cell, output; `w_hh` `[4 * hidden, hidden]`. Writes each step's output, `out`
/// `[t, hidden]`.
pub fn lstm(gates: &[f32], w_hh: &[f32], hidden: usize, state: &mut [f32], out: &mut [f32]) {
    let width = 4 * hidden;
    let t = out.len().checked_div(hidden).unwrap_or(0);
    assert_eq!(out.len(), t * hidden, "out is not rows of {hidden}");
    assert_eq!(gates.len(), t * width, "the gates are not [{t}, {width}]");
    assert_eq!(w_hh.len(), width * hidden, "the weight is not [{width}, {hidden}]");
    assert_eq!(state.len(), 2 * hidden, "the state is not [2, {hidden}]");

    let weight = w_hh.len();
    if t < PAYING_STEPS {
        return steps(gates, w_hh, state, out);
    }
    scratch(0, weight, |copy| {
        let parts = Shared::new(copy);
        let part = CHUNK_BYTES / size_of::<f32>();
        parallel(weight.div_ceil(part), |index| {
            let from = index * part;
            let part = &w_hh[from..weight.min(from + part)];
            // SAFETY: tasks have parts of their own.
            unsafe { parts.slice(from, part.len()) }.copy_from_slice(part);
        });
        steps(gates, copy, state, out);
    });
}

/// Steps from which on a copy of the weight pays: in huge pages, for the translations of small ones do not all fit.
const PAYING_STEPS: usize = 32;

/// As [`lstm`], whose arguments were checked.
fn steps(gates: &[f32], w_hh: &[f32], state: &mut [f32], out: &mut [f32]) {
    let isa = Isa::current();
    let hidden = state.len() / 2;
    let (h, c) = state.split_at_mut(hidden);
    let mut sums = vec![0.0; 4 * hidden];
    let steps = gates.chunks_exact(sums.len().max(1)).zip(out.chunks_exact_mut(hidden.max(1)));
    for (step, (gates, out)) in steps.enumerate() {
        recur(isa, h, w_hh, gates, step % 2 == 1, &mut sums);
        isa.run(Step { sums: &sums, c, h: out, kept: None });
        h.copy_from_slice(out);
    }
}

/// `sums = w_hh h + gates`, by each thread from its first weights on or, `backwards`, from its last ones: what one step
/// reads last the next one reads first, so that it is in the second cache still, where not all weights fit.
fn recur(isa: Isa, h: &[f32], w_hh: &[f32], gates: &[f32], backwards: bool, sums: &mut [f32]) {
    let (k, width, sums) = (h.len(), gates.len(), Shared::new(sums));
    let rows = (CHUNK_BYTES / size_of_val(h).max(1)).next_multiple_of(8).max(8);
    let threads = rayon::current_num_threads();
    let share = width.div_ceil(rows).div_ceil(threads);
    parallel(share * threads, |index| {
        let index = if backwards { index / share * share + share - 1 - index % share } else { index };
        let (first, last) = (width.min(index * rows), width.min((index + 1) * rows));
        let (w, bias, n) = (Matrix::F32(&w_hh[first * k..last * k]), Some(&gates[first..last]), last - first);
        // SAFETY: tasks have rows of their own.
        let out = Shared::new(unsafe { sums.slice(first, n) });
        rows::product(isa, &Product { x: h, m: 1, w, n, k, bias, then: Epilogue::None }, out);
    });
}

/// One step of a layer whose way back is gone later: `sums` `[4 * hidden]` are the gates before their activation, `c`
/// the cell, which goes on; `h` becomes the output and `gates` what the activations made of the sums.
pub fn lstm_step(sums: &[f32], c: &mut [f32], h: &mut [f32], gates: &mut [f32]) {
    assert!(sums.len() == 4 * c.len() && gates.len() == sums.len() && h.len() == c.len(), "the step's sizes differ");
    Isa::current().run(Step { sums, c, h, kept: Some(gates) });
}

/// `c = σ(f) c + σ(i) tanh(g)`, `h = σ(o) tanh(c)`.
struct Step<'a> {
    sums: &'a [f32],
    c: &'a mut [f32],
    h: &'a mut [f32],
    /// The gates after their activation, where they are asked for.
    kept: Option<&'a mut [f32]>,
}

impl Task for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
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
                if let Some(kept) = &mut self.kept {
                    for (index, gate) in [i, f, g, o].into_iter().enumerate() {
                        s.store_up_to(kept.as_mut_ptr().add(index * hidden + at), gate, count);
                    }
                }
            }
        }
    }
}
