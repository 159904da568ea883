//! The LSTM of `torch.nn.LSTM`: gates in the order input, forget, cell, output; a zero state before the first step. A
//! long sequence may come in parts, with the [`State`] handed from each to the next: the steps are the same ones.

use crate::kernels;
use crate::net::cpu::{self, map3};
use crate::net::layers::{Linear, matmul_t};
use crate::net::weights::Weights;
use anyhow::Result;
use candle_core::Tensor;
use candle_nn::ops::sigmoid;

/// A stack of LSTM layers, batch first.
pub struct Lstm {
    layers: Vec<Layer>,
}

struct Layer {
    /// Input to gates, `[4 hidden, input]`, with the sum of both biases.
    input: Linear,
    /// Last output to gates, `[4 hidden, hidden]`.
    recurrent: Tensor,
}

impl Lstm {
    /// Reads `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0` and so on, for `layers` layers.
    pub fn new(weights: &Weights, input: usize, hidden: usize, layers: usize) -> Result<Self> {
        let width = |i| if i == 0 { input } else { hidden };
        let layers = (0..layers).map(|i| Layer::new(weights, width(i), hidden, i)).collect::<Result<_>>()?;
        Ok(Self { layers })
    }

    /// Where all rows of a batch stand before their first step.
    pub fn start(&self, batch: usize) -> Result<State> {
        let zeros = |layer: &Layer| {
            let recurrent = &layer.recurrent;
            Ok(Tensor::zeros((batch, 2, recurrent.dim(1)?), recurrent.dtype(), recurrent.device())?)
        };
        self.layers.iter().map(zeros).collect::<Result<_>>().map(State)
    }

    /// `[B, T, input]` -> `[B, T, hidden]`, every step's output of the last layer.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_from(x, &mut self.start(x.dim(0)?)?)
    }

    /// [`Lstm::forward`] on from `state`, which is left at the last step.
    pub fn forward_from(&self, x: &Tensor, state: &mut State) -> Result<Tensor> {
        let mut x = x.contiguous()?;
        for (layer, state) in self.layers.iter().zip(&mut state.0) {
            (x, *state) = recur(&layer.input.forward(&x)?, &layer.recurrent, state)?;
        }
        Ok(x)
    }
}

/// Where each layer has come to: its last output and its cell, `[B, 2, hidden]`.
pub struct State(Vec<Tensor>);

impl Layer {
    fn new(weights: &Weights, input: usize, hidden: usize, index: usize) -> Result<Self> {
        let gates = 4 * hidden;
        let recurrent = weights.get((gates, hidden), &format!("weight_hh_l{index}"))?;
        let bias_ih = weights.get(gates, &format!("bias_ih_l{index}"))?;
        let bias_hh = weights.get(gates, &format!("bias_hh_l{index}"))?;
        let bias = Some((bias_ih + bias_hh)?);
        let input = Linear::named(weights, &format!("weight_ih_l{index}"), input, gates, bias)?;
        Ok(Self { input, recurrent })
    }
}

/// The recurrence: `gates` `[B, T, 4H]` hold what the inputs add to each step's gates, `recurrent` `[4H, H]` what the
/// step before adds, `state` `[B, 2, H]` is where it starts -> outputs `[B, T, H]`, and where it ends.
///
/// `i, f, o = sigmoid`, `g = tanh`; `c = f c + i g`; `h = o tanh(c)`.
fn recur(gates: &Tensor, recurrent: &Tensor, state: &Tensor) -> Result<(Tensor, Tensor)> {
    let ((batch, steps, _), hidden) = (gates.dims3()?, recurrent.dim(1)?);
    if !cpu::runs_on(gates.device()) {
        return recur_by_steps(gates, recurrent, state);
    }
    // An operation has one result: the outputs, and the state below them.
    let both = map3([&gates.contiguous()?, recurrent, &state.contiguous()?], (batch, steps + 2, hidden), |v, out| {
        let states = v[2].flat().chunks_exact(2 * hidden);
        let gates = v[0].flat().chunks_exact(steps * 4 * hidden);
        for ((gates, from), out) in gates.zip(states).zip(out.chunks_exact_mut((steps + 2) * hidden)) {
            let (out, state) = out.split_at_mut(steps * hidden);
            state.copy_from_slice(from);
            kernels::lstm(gates, v[1].flat(), hidden, state, out);
        }
    })?;
    Ok((both.narrow(1, 0, steps)?.contiguous()?, both.narrow(1, steps, 2)?.contiguous()?))
}

/// [`recur`] in candle's operations, for other devices.
fn recur_by_steps(gates: &Tensor, recurrent: &Tensor, state: &Tensor) -> Result<(Tensor, Tensor)> {
    let (_, steps, _) = gates.dims3()?;
    let (mut h, mut c) = (state.get_on_dim(1, 0)?, state.get_on_dim(1, 1)?);
    let mut outputs = Vec::with_capacity(steps);
    for step in 0..steps {
        let all = (gates.narrow(1, step, 1)?.squeeze(1)? + matmul_t(&h, recurrent)?)?;
        [h, c] = after(&all, &c)?;
        outputs.push(h.clone());
    }
    Ok((Tensor::stack(&outputs, 1)?, Tensor::stack(&[h, c], 1)?))
}

/// A step: gates before their activation `[B, 4H]`, and the cell before -> output and cell, `[B, H]` each.
pub fn after(gates: &Tensor, cell: &Tensor) -> Result<[Tensor; 2]> {
    let hidden = cell.dim(1)?;
    let open = sigmoid(gates)?;
    let gate = |index: usize| open.narrow(1, index * hidden, hidden);
    let cell = ((gate(1)? * cell)? + (gate(0)? * gates.narrow(1, 2 * hidden, hidden)?.tanh()?)?)?;
    Ok([(gate(3)? * cell.tanh()?)?, cell])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::rule;
    use candle_core::Device;

    #[test]
    fn the_kernel_equals_the_steps_in_every_row_of_a_batch() {
        let tensor = |name, shape: &[usize]| {
            Tensor::from_vec(rule::uniform(name, shape.iter().product(), 1), shape, &Device::Cpu).unwrap()
        };
        let (gates, recurrent) = (tensor("gates", &[2, 7, 20]), tensor("recurrent", &[20, 5]));
        let state = tensor("state", &[2, 2, 5]);
        let flat = |(out, state): (Tensor, Tensor)| {
            let both = Tensor::cat(&[out, state], 1).unwrap();
            both.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let [kernel, steps] = [recur, recur_by_steps].map(|run| flat(run(&gates, &recurrent, &state).unwrap()));
        let worst = kernel.iter().zip(&steps).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(kernel.len() == 90 && worst < 1e-6, "{worst}");
    }
}
