//! The quantizer's training on the CPU: its loss, the way back through the net by matrix products, and Adam. On other
//! devices candle's autograd does the same.
//!
//! Clips of a batch are packed as torch's `PackedSequence` packs them: step by step, the longest clip first, so that no
//! row is padding. `R` is the number of rows, that is, of all frames of all clips.
//!
//! Version 1 has two linears without an activation between them: they are one linear, whose weight is their product.
//! The loss is taken through that product, which needs half the work or less where there are thousands of rows, and
//! its slope is shared out over both by the product rule.

mod autograd;

pub use autograd::{Engine, Learner};

use super::{INTERMEDIATE, LSTM_LAYERS, QuantizerConfig};
use crate::kernels::{self, Epilogue, Linear, Matrix, Sums, TOLD, column_sums, transpose};
use anyhow::{Result, ensure};
use std::borrow::Cow;

/// Tensors of an LSTM layer: two weights and two biases.
const OF_LAYER: usize = 4;

/// One tensor of a quantizer.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// As the file calls it.
    pub name: String,
    pub shape: Vec<usize>,
    /// Row by row.
    pub values: Vec<f32>,
}

/// All tensors of a quantizer, in the order of torch's state dict.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    pub config: QuantizerConfig,
    pub tensors: Vec<Parameter>,
}

/// The loss by each tensor of [`Parameters`], in their order.
pub type Slopes = Vec<Vec<f32>>;

/// Clips that are learned from together.
pub struct Batch {
    /// Clips that are still going on at each step; their rows follow each other.
    steps: Vec<usize>,
    /// `[R, input_size]`
    features: Vec<f32>,
    /// `[R]`
    targets: Vec<u32>,
    /// Where each clip stands among those of its batch, the longest first.
    places: Vec<usize>,
}

/// What came out for one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    pub loss: f32,
    /// How many tokens were thought likelier than the right one.
    pub rank: u32,
    /// The token that was thought likeliest.
    pub best: u32,
}

impl Batch {
    /// `clips`: features `[N, width]` and tokens `[N]` of each.
    ///
    /// # Errors
    /// No clip, a clip without frames, or one whose features and tokens differ in number.
    pub fn new(clips: &[(&[f32], &[u32])], width: usize) -> Result<Self> {
        let fits = |(x, y): &(&[f32], &[u32])| !y.is_empty() && x.len() == y.len() * width;
        ensure!(!clips.is_empty() && clips.iter().all(fits), "clips that are no pairs of features and tokens");
        let mut order: Vec<usize> = (0..clips.len()).collect();
        order.sort_by_key(|&clip| std::cmp::Reverse(clips[clip].1.len()));
        let mut batch = Self { steps: vec![], features: vec![], targets: vec![], places: vec![0; clips.len()] };
        order.iter().enumerate().for_each(|(place, &clip)| batch.places[clip] = place);
        for step in 0..clips[order[0]].1.len() {
            let going_on = order.iter().map(|&clip| clips[clip]).take_while(|(_, y)| step < y.len());
            let mut count = 0;
            for (x, y) in going_on {
                batch.features.extend_from_slice(&x[step * width..][..width]);
                batch.targets.push(y[step]);
                count += 1;
            }
            batch.steps.push(count);
        }
        Ok(batch)
    }

    /// The number of rows `R`.
    pub fn rows(&self) -> usize {
        self.targets.len()
    }

    /// Of what came out for all rows, that of one clip, in its order.
    pub fn of_clip<'a>(&'a self, clip: usize, told: &'a [Told]) -> impl Iterator<Item = (u32, Told)> + 'a {
        let place = self.places[clip];
        let starts = self.steps.iter().scan(0, |next, &count| {
            *next += count;
            Some(*next - count)
        });
        let rows = starts.zip(&self.steps).take_while(move |(_, count)| place < **count);
        rows.map(move |(start, _)| (self.targets[start + place], told[start + place]))
    }
}

/// What an LSTM layer leaves for its way back.
struct Run {
    /// After their activation, `[R, 4H]`.
    gates: Vec<f32>,
    /// `[R, H]`
    cells: Vec<f32>,
    /// `[R, H]`
    outputs: Vec<f32>,
}

impl Parameters {
    /// The tensors of a quantizer of these sizes, each filled by its name and shape.
    ///
    /// # Errors
    /// Of the sizes, and of `fill`.
    pub fn new(config: QuantizerConfig, mut fill: impl FnMut(&str, &[usize]) -> Result<Vec<f32>>) -> Result<Self> {
        config.check()?;
        let tensors = shapes(&config).into_iter().map(|(name, shape)| {
            let values = fill(&name, &shape)?;
            ensure!(values.len() == shape.iter().product::<usize>(), "`{name}` is not {shape:?}");
            Ok(Parameter { name, shape, values })
        });
        Ok(Self { tensors: tensors.collect::<Result<_>>()?, config })
    }

    /// What comes out for each row of `batch`.
    pub fn told(&self, batch: &Batch) -> Vec<Told> {
        let runs = self.forward(batch);
        self.loss(&runs[LSTM_LAYERS - 1].outputs, batch).1
    }

    /// The mean loss of the batch's rows by each tensor, and what comes out for each row.
    pub fn slopes(&self, batch: &Batch) -> (Slopes, Vec<Told>) {
        let mut runs = self.forward(batch);
        let (logits, told) = self.loss(&runs[LSTM_LAYERS - 1].outputs, batch);
        let mut slopes: Slopes = vec![vec![]; self.tensors.len()];
        let mut above = self.head_back(&runs[LSTM_LAYERS - 1].outputs, logits, &mut slopes);
        for layer in (0..LSTM_LAYERS).rev() {
            let run = runs.remove(layer);
            let x = if layer == 0 { &batch.features } else { &runs[layer - 1].outputs };
            above = self.layer_back(layer, x, run, above, (&batch.steps, &mut slopes));
        }
        (slopes, told)
    }

    fn values(&self, index: usize) -> &[f32] {
        &self.tensors[index].values
    }

    /// The weights from inputs and from the last output to the gates, `[4H, width]` and `[4H, H]`.
    fn layer(&self, layer: usize) -> [&[f32]; 2] {
        [0, 1].map(|index| self.values(OF_LAYER * layer + index))
    }

    fn forward(&self, batch: &Batch) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for layer in 0..LSTM_LAYERS {
            let x = runs.last().map_or(&batch.features, |run| &run.outputs);
            runs.push(self.layer_run(layer, x, &batch.steps));
        }
        runs
    }

    /// `x` `[R, width]` through an LSTM layer.
    fn layer_run(&self, layer: usize, x: &[f32], steps: &[usize]) -> Run {
        let ([w_ih, w_hh], hidden) = (self.layer(layer), self.config.hidden_size);
        let [b_ih, b_hh] = [2, 3].map(|index| self.values(OF_LAYER * layer + index));
        let bias: Vec<_> = b_ih.iter().zip(b_hh).map(|(a, b)| a + b).collect();
        let (rows, gates) = (steps.iter().sum::<usize>(), 4 * hidden);
        let mut run = Run {
            gates: product(x, rows, w_ih, gates, Some(&bias)),
            cells: vec![0.0; rows * hidden],
            outputs: vec![0.0; rows * hidden],
        };
        let (mut state, mut sums) = (vec![0.0; steps[0] * hidden], vec![0.0; steps[0] * gates]);
        let (mut start, mut before) = (0, 0);
        for &count in steps {
            let (past, outputs) = run.outputs.split_at_mut(start * hidden);
            let (inputs, sums) = (&mut run.gates[start * gates..][..count * gates], &mut sums[..count * gates]);
            match start {
                0 => sums.copy_from_slice(inputs),
                _ => recurrent(&past[before * hidden..][..count * hidden], (w_hh, hidden), inputs, sums),
            }
            for row in 0..count {
                let cell = &mut state[row * hidden..][..hidden];
                let output = &mut outputs[row * hidden..][..hidden];
                kernels::lstm_step(&sums[row * gates..][..gates], cell, output, &mut inputs[row * gates..][..gates]);
                run.cells[(start + row) * hidden..][..hidden].copy_from_slice(cell);
            }
            before = start;
            start += count;
        }
        run
    }

    /// The way back through an LSTM layer: `above` `[R, H]` is the loss by its outputs; answers that by its inputs,
    /// `[R, width]`, of which the first layer's is of no use and empty.
    fn layer_back(
        &self,
        layer: usize,
        x: &[f32],
        run: Run,
        above: Vec<f32>,
        (steps, slopes): (&[usize], &mut Slopes),
    ) -> Vec<f32> {
        let ([w_ih, w_hh], hidden) = (self.layer(layer), self.config.hidden_size);
        let (rows, gates, width) = (steps.iter().sum(), 4 * hidden, w_ih.len() / (4 * hidden));
        let earlier = earlier_outputs(&run.outputs, steps, hidden);
        let by_gates = steps_back(run, above, steps, &transpose(w_hh, gates, hidden));
        let turned = transpose(&by_gates, rows, gates);
        let at = OF_LAYER * layer;
        slopes[at] = product(&turned, gates, &transpose(x, rows, width), width, None);
        slopes[at + 1] = product(&turned, gates, &transpose(&earlier, rows, hidden), hidden, None);
        slopes[at + 2] = column_sums(&by_gates, gates);
        slopes[at + 3] = slopes[at + 2].clone();
        if layer == 0 { vec![] } else { product(&by_gates, rows, &transpose(w_ih, gates, width), width, None) }
    }

    /// What turns the LSTM's outputs into logits: weight `[O, H]` and bias `[O]`.
    fn head(&self) -> (Cow<'_, [f32]>, Cow<'_, [f32]>) {
        let QuantizerConfig { hidden_size, output_size, version, .. } = self.config;
        let at = OF_LAYER * LSTM_LAYERS;
        if version == 0 {
            return (self.values(at).into(), self.values(at + 1).into());
        }
        let [w, b, fc, fc_bias] = [0, 1, 2, 3].map(|index| self.values(at + index));
        let weight = product(fc, output_size, &transpose(w, INTERMEDIATE, hidden_size), hidden_size, None);
        let mut bias = product(b, 1, fc, output_size, None);
        kernels::add(&mut bias, fc_bias);
        (weight.into(), bias.into())
    }

    /// `outputs` `[R, H]` -> the mean loss by the logits `[R, O]`, and what came out for each row.
    fn loss(&self, outputs: &[f32], batch: &Batch) -> (Vec<f32>, Vec<Told>) {
        let (rows, (weight, bias)) = (batch.rows(), self.head());
        let mut logits = product(outputs, rows, &weight, self.config.output_size, Some(&bias));
        let mut told = vec![0.0; rows * TOLD];
        kernels::cross_entropy(&mut logits, self.config.output_size, &batch.targets, 1.0 / rows as f32, &mut told);
        let row = |row: &[f32]| Told { loss: row[0], rank: row[1] as u32, best: row[2] as u32 };
        (logits, told.chunks_exact(TOLD).map(row).collect())
    }

    /// The way back through the head: `by_logits` `[R, O]` -> the loss by `outputs`, both `[R, H]`.
    fn head_back(&self, outputs: &[f32], by_logits: Vec<f32>, slopes: &mut Slopes) -> Vec<f32> {
        let QuantizerConfig { hidden_size: hidden, output_size: tokens, version, .. } = self.config;
        let rows = by_logits.len() / tokens;
        let (weight, _) = self.head();
        let by_outputs = product(&by_logits, rows, &transpose(&weight, tokens, hidden), hidden, None);
        let by_bias = column_sums(&by_logits, tokens);
        let turned = transpose(&by_logits, rows, tokens);
        drop(by_logits);
        let by_weight = product(&turned, tokens, &transpose(outputs, rows, hidden), hidden, None);
        drop(turned);
        let at = OF_LAYER * LSTM_LAYERS;
        if version == 0 {
            (slopes[at], slopes[at + 1]) = (by_weight, by_bias);
            return by_outputs;
        }
        let [w, b, fc] = [0, 1, 2].map(|index| self.values(at + index));
        let fc_turned = transpose(fc, tokens, INTERMEDIATE);
        slopes[at] = product(&fc_turned, INTERMEDIATE, &transpose(&by_weight, tokens, hidden), hidden, None);
        slopes[at + 1] = product(&by_bias, 1, &fc_turned, INTERMEDIATE, None);
        drop(fc_turned);
        slopes[at + 2] = product(&by_weight, tokens, w, INTERMEDIATE, None);
        for (row, slope) in slopes[at + 2].chunks_exact_mut(INTERMEDIATE).zip(&by_bias) {
            row.iter_mut().zip(b).for_each(|(x, b)| *x += slope * b);
        }
        slopes[at + 3] = by_bias;
        by_outputs
    }
}

/// Names and shapes of a quantizer's tensors, in the order of torch's state dict.
fn shapes(config: &QuantizerConfig) -> Vec<(String, Vec<usize>)> {
    let QuantizerConfig { input_size, hidden_size: hidden, output_size, version } = *config;
    let gates = 4 * hidden;
    let layer = |index: usize| {
        let width = if index == 0 { input_size } else { hidden };
        let named = [("weight_ih", vec![gates, width]), ("weight_hh", vec![gates, hidden])];
        let biases = ["bias_ih", "bias_hh"].map(|name| (name, vec![gates]));
        named.into_iter().chain(biases).map(move |(name, shape)| (format!("lstm.{name}_l{index}"), shape))
    };
    let linear = |name: &str, out: usize, width: usize| {
        [(format!("{name}.weight"), vec![out, width]), (format!("{name}.bias"), vec![out])]
    };
    let lstm = (0..LSTM_LAYERS).flat_map(layer);
    match version {
        0 => lstm.chain(linear("fc", output_size, hidden)).collect(),
        _ => {
            let linears = [linear("intermediate", INTERMEDIATE, hidden), linear("fc", output_size, INTERMEDIATE)];
            lstm.chain(linears.into_iter().flatten()).collect()
        }
    }
}

/// `x` `[m, k]` times the transpose of `w` `[n, k]`, and `bias` `[n]` -> `[m, n]`.
fn product(x: &[f32], m: usize, w: &[f32], n: usize, bias: Option<&[f32]>) -> Vec<f32> {
    let mut out = vec![0.0; m * n];
    kernels::linear(x, m, Matrix::F32(w), n, w.len() / n, bias, &mut out);
    out
}

/// What the outputs before, `[n, H]`, add to the `inputs` of the gates: their sums, `[n, 4H]`.
fn recurrent(outputs: &[f32], (w_hh, hidden): (&[f32], usize), inputs: &[f32], sums: &mut [f32]) {
    let layer = Linear { w: Matrix::F32(w_hh), n: 4 * hidden, k: hidden, bias: None, sums: Sums::Blocked };
    kernels::linear_then(outputs, outputs.len() / hidden, layer, Epilogue::Add(inputs), sums);
}

/// The output before each row's, 0 at the first step: `[R, H]`.
fn earlier_outputs(outputs: &[f32], steps: &[usize], hidden: usize) -> Vec<f32> {
    let mut earlier = Vec::with_capacity(outputs.len());
    earlier.resize(steps[0] * hidden, 0.0);
    let mut start = 0;
    for pair in steps.windows(2) {
        earlier.extend_from_slice(&outputs[start * hidden..][..pair[1] * hidden]);
        start += pair[0];
    }
    earlier
}

/// The steps of an LSTM layer from the last to the first: `above` `[R, H]` is the loss by its outputs as what follows
/// the layer has it, `w_hh` `[H, 4H]` the turned weight. Answers the loss by the gates before their activation,
/// `[R, 4H]`.
fn steps_back(run: Run, mut above: Vec<f32>, steps: &[usize], w_hh: &[f32]) -> Vec<f32> {
    let Run { mut gates, cells, .. } = run;
    let hidden = cells.len() / steps.iter().sum::<usize>();
    let width = 4 * hidden;
    let (mut by_cell, zeros) = (vec![0.0; steps[0] * hidden], vec![0.0; hidden]);
    let (mut end, mut following) = (cells.len() / hidden, 0);
    for (step, &count) in steps.iter().enumerate().rev() {
        let start = end - count;
        let (now, next) = gates.split_at_mut(end * width);
        if following > 0 {
            let through = product(&next[..following * width], following, w_hh, hidden, None);
            above[start * hidden..].iter_mut().zip(&through).for_each(|(sum, x)| *sum += x);
        }
        for row in 0..count {
            let at = |row: usize| row * hidden..(row + 1) * hidden;
            let before = if step == 0 { &zeros } else { &cells[at(start - steps[step - 1] + row)] };
            let (dh, dc) = (&above[at(start + row)], &mut by_cell[at(row)]);
            let gates = &mut now[(start + row) * width..][..width];
            kernels::lstm_step_back(gates, before, &cells[at(start + row)], dh, dc);
        }
        (end, following) = (start, count);
    }
    gates
}

/// Adam over all tensors of a quantizer, with the slopes' length bounded.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimizer {
    /// Means of each tensor's slopes, and of their squares.
    pub moments: [Slopes; 2],
    /// Steps that were taken.
    pub step: u64,
    pub rate: f32,
    /// The longest that all slopes together may be, as `torch.nn.utils.clip_grad_norm_` bounds it.
    pub longest: f32,
}

impl Optimizer {
    /// At the first step.
    pub fn new(parameters: &Parameters, rate: f32, longest: f32) -> Self {
        let zeros: Slopes = parameters.tensors.iter().map(|tensor| vec![0.0; tensor.values.len()]).collect();
        Self { moments: [zeros.clone(), zeros], step: 0, rate, longest }
    }

    /// Changes `parameters` by a step against `slopes`.
    pub fn step(&mut self, parameters: &mut Parameters, slopes: &Slopes) {
        let squares = |slopes: &Vec<f32>| slopes.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        let (factor, settings) = self.begin(slopes.iter().map(squares).sum::<f64>().sqrt());
        let [first, second] = &mut self.moments;
        for (((tensor, slopes), first), second) in parameters.tensors.iter_mut().zip(slopes).zip(first).zip(second) {
            kernels::adam(&mut tensor.values, [first, second], slopes, factor, settings);
        }
    }

    /// The next step, against slopes of that length together: what they are to be taken times, and Adam's settings.
    fn begin(&mut self, length: f64) -> (f32, kernels::Adam) {
        self.step += 1;
        let factor = (f64::from(self.longest) / (length + 1e-6)).min(1.0) as f32;
        (factor, kernels::Adam { rate: self.rate, betas: [0.9, 0.999], eps: 1e-8, step: self.step })
    }
}

#[cfg(test)]
mod tests;
