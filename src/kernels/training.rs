//! What training adds to the kernels: the way back through an LSTM's step, the loss, and the optimiser's step.

use super::isa::{Isa, Task};
use super::math;
use super::par::{Shared, parallel};
use super::pointwise::for_rows;
use super::simd::Simd;

/// Rows and columns of a block that [`transpose`] turns in the first cache.
const BLOCK: usize = 32;
/// Elements that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// `x` `[rows, columns]` -> its transpose `[columns, rows]`.
pub fn transpose(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    assert_eq!(x.len(), rows * columns, "x is not [{rows}, {columns}]");
    let mut out = vec![0.0; x.len()];
    let shared = Shared::new(&mut out);
    parallel(columns.div_ceil(BLOCK), |block| {
        let (first, last) = (block * BLOCK, columns.min((block + 1) * BLOCK));
        // SAFETY: blocks of columns become disjoint blocks of rows, which end with `out`.
        let out = unsafe { shared.slice(first * rows, (last - first) * rows) };
        for from in (0..rows).step_by(BLOCK) {
            let to = rows.min(from + BLOCK);
            for column in first..last {
                let out = &mut out[(column - first) * rows..][from..to];
                out.iter_mut().zip(from..to).for_each(|(out, row)| *out = x[row * columns + column]);
            }
        }
    });
    out
}

/// The sums of `x` `[rows, width]` over its rows, `[width]`, taken in f64.
pub fn column_sums(x: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0f64; width];
    for row in x.chunks_exact(width.max(1)) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}

/// The way back through a step of an LSTM (see [`lstm_step`](super::lstm_step)): `gates` `[4 * hidden]` activated, the
/// cell before and after it; `dh` is the loss by its output, `dc` by its cell, of all that follows. Replaces `gates` by
/// the loss by the gates before their activation, and `dc` by that by the cell before.
pub fn lstm_step_back(gates: &mut [f32], before: &[f32], after: &[f32], dh: &[f32], dc: &mut [f32]) {
    let hidden = dc.len();
    let lengths = [before.len(), after.len(), dh.len(), gates.len() / 4];
    assert!(lengths == [hidden; 4] && gates.len() == 4 * hidden, "the step is not of {hidden} cells");
    Isa::current().run(StepBack { gates, before, after, dh, dc });
}

struct StepBack<'a> {
    gates: &'a mut [f32],
    before: &'a [f32],
    after: &'a [f32],
    dh: &'a [f32],
    dc: &'a mut [f32],
}

impl Task for StepBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let hidden = self.dc.len();
        let one = s.splat(1.0);
        for at in (0..hidden).step_by(S::LANES) {
            let n = S::LANES.min(hidden - at);
            // SAFETY: `n` elements are left of each slice, as asserted by the caller.
            unsafe {
                let gate = |index: usize| s.load_up_to(self.gates.as_ptr().add(index * hidden + at), n);
                let (i, f, g, o) = (gate(0), gate(1), gate(2), gate(3));
                let load = |from: &[f32]| s.load_up_to(from.as_ptr().add(at), n);
                let (before, dh) = (load(self.before), load(self.dh));
                let tanh = math::tanh(s, load(self.after));
                let through = s.mul(s.mul(dh, o), s.sub(one, s.mul(tanh, tanh)));
                let dc = s.add(load(self.dc), through);
                // The slope of a sigmoid, from its value.
                let slope = |y: S::V| s.mul(y, s.sub(one, y));
                let gates = self.gates.as_mut_ptr();
                let put = |index: usize, v: S::V| s.store_up_to(gates.add(index * hidden + at), v, n);
                put(0, s.mul(s.mul(dc, g), slope(i)));
                put(1, s.mul(s.mul(dc, before), slope(f)));
                put(2, s.mul(s.mul(dc, i), s.sub(one, s.mul(g, g))));
                put(3, s.mul(s.mul(dh, tanh), slope(o)));
                s.store_up_to(self.dc.as_mut_ptr().add(at), s.mul(dc, f), n);
            }
        }
    }
}

/// What the loss says of one row.
pub const TOLD: usize = 3;

/// The cross-entropy of rows of `logits` `[rows, width]` against `targets` `[rows]`. Replaces each row by the loss by its
/// logits, times `scale`. `told` `[rows, 3]`: the row's loss, how many logits are above the target's (or equal and
/// before it), and the likeliest.
pub fn cross_entropy(logits: &mut [f32], width: usize, targets: &[u32], scale: f32, told: &mut [f32]) {
    assert_eq!(logits.len(), targets.len() * width, "the logits are not rows of {width}");
    assert_eq!(told.len(), targets.len() * TOLD, "told is not [rows, {TOLD}]");
    assert!(targets.iter().all(|&target| (target as usize) < width), "a target is beyond {width}");
    let told = Shared::new(told);
    for_rows(logits, width, |isa, row, logits| {
        // SAFETY: rows are disjoint and end with `told`.
        let told = unsafe { told.slice(row * TOLD, TOLD) };
        isa.run(RowLoss { logits, target: targets[row] as usize, scale, told });
    });
}

struct RowLoss<'a> {
    logits: &'a mut [f32],
    target: usize,
    scale: f32,
    told: &'a mut [f32],
}

impl Task for RowLoss<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { logits, target, scale, told } = self;
        let (top, wanted) = (math::largest(s, logits), logits[target]);
        let above = logits.iter().filter(|&&x| x > wanted).count();
        let tied = logits[..target].iter().filter(|&&x| x == wanted).count();
        let best = logits.iter().position(|&x| x == top).unwrap_or(target);
        let sum = math::exp_and_sum(s, logits, top);
        math::map(s, logits, math::Times(scale / sum));
        logits[target] -= scale;
        told.copy_from_slice(&[sum.ln() + (top - wanted), (above + tied) as f32, best as f32]);
    }
}

/// The settings of a step of Adam.
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    pub rate: f32,
    pub betas: [f32; 2],
    pub eps: f32,
    /// Counted from 1.
    pub step: u64,
}

impl Adam {
    /// The rate, and what the second moment's root is divided by, as both begin too small: the moments begin at 0.
    pub fn corrected(&self) -> [f32; 2] {
        let [first, second] = self.betas.map(|beta| 1.0 - f64::from(beta).powf(self.step as f64));
        [(f64::from(self.rate) / first) as f32, second.sqrt() as f32]
    }
}

/// A step of Adam (Kingma and Ba 2015), as `torch.optim.Adam` takes it: changes `values` and both moments by `slopes`,
/// the loss by the values, times `factor`.
pub fn adam(values: &mut [f32], moments: [&mut [f32]; 2], slopes: &[f32], factor: f32, settings: Adam) {
    let len = values.len();
    let [first, second] = moments;
    assert!([first.len(), second.len(), slopes.len()] == [len; 3], "Adam's slices differ in length");
    let (isa, shared) = (Isa::current(), [Shared::new(values), Shared::new(first), Shared::new(second)]);
    parallel(len.div_ceil(CHUNK), |chunk| {
        let start = chunk * CHUNK;
        let count = CHUNK.min(len - start);
        // SAFETY: chunks are disjoint and end with the slices.
        let [values, first, second] = shared.map(|shared| unsafe { shared.slice(start, count) });
        isa.run(AdamStep { values, first, second, slopes: &slopes[start..start + count], factor, settings });
    });
}

struct AdamStep<'a> {
    values: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    slopes: &'a [f32],
    factor: f32,
    settings: Adam,
}

impl Task for AdamStep<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Adam { betas: [beta1, beta2], eps, .. } = self.settings;
        let [size, root] = self.settings.corrected();
        for index in 0..self.values.len() {
            let slope = self.slopes[index] * self.factor;
            let first = &mut self.first[index];
            *first += (slope - *first) * (1.0 - beta1);
            let second = &mut self.second[index];
            *second = *second * beta2 + slope * slope * (1.0 - beta2);
            self.values[index] -= size * (*first / (second.sqrt() / root + eps));
        }
    }
}
