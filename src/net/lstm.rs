//! The LSTM of `torch.nn.LSTM`: gates in the order input, forget, cell, output; a zero state before the first step.

use crate::kernels;
use crate::net::cpu::{self, map2};
use crate::net::layers::{Linear, matmul_t};
use crate::weights::Weights;
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

    /// `[B, T, input]` -> `[B, T, hidden]`, every step's output of the last layer.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.layers.iter().try_fold(x.contiguous()?, |x, layer| recur(&layer.input.forward(&x)?, &layer.recurrent))
    }
}

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
/// step before adds -> outputs `[B, T, H]`.
///
/// `i, f, o = sigmoid`, `g = tanh`; `c = f c + i g`; `h = o tanh(c)`.
fn recur(gates: &Tensor, recurrent: &Tensor) -> Result<Tensor> {
    let ((batch, steps, _), hidden) = (gates.dims3()?, recurrent.dim(1)?);
    if !cpu::runs_on(gates.device()) {
        return recur_by_steps(gates, recurrent);
    }
    map2(&gates.contiguous()?, recurrent, (batch, steps, hidden), |v, out| {
        let rows = v[0].flat().chunks_exact(steps * 4 * hidden).zip(out.chunks_exact_mut(steps * hidden));
        rows.for_each(|(gates, out)| kernels::lstm(gates, v[1].flat(), hidden, out));
    })
}

/// [`recur`] in candle's operations, for other devices.
fn recur_by_steps(gates: &Tensor, recurrent: &Tensor) -> Result<Tensor> {
    let (batch, steps, _) = gates.dims3()?;
    let hidden = recurrent.dim(1)?;
    let mut h = Tensor::zeros((batch, hidden), gates.dtype(), gates.device())?;
    let mut c = h.clone();
    let mut outputs = Vec::with_capacity(steps);
    for step in 0..steps {
        let all = (gates.narrow(1, step, 1)?.squeeze(1)? + matmul_t(&h, recurrent)?)?;
        let gate = |index: usize| all.narrow(1, index * hidden, hidden);
        c = ((sigmoid(&gate(1)?)? * &c)? + (sigmoid(&gate(0)?)? * gate(2)?.tanh()?)?)?;
        h = (sigmoid(&gate(3)?)? * c.tanh()?)?;
        outputs.push(h.clone());
    }
    Ok(Tensor::stack(&outputs, 1)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::rule;
    use candle_core::Device;

    #[test]
    fn the_kernel_equals_the_steps_in_every_row_of_a_batch() {
        let tensor = |name, shape: &[usize]| {
            Tensor::from_vec(rule::uniform(name, shape.iter().product(), 1), shape, &Device::Cpu).unwrap()
        };
        let (gates, recurrent) = (tensor("gates", &[2, 7, 20]), tensor("recurrent", &[20, 5]));
        let flat = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let [kernel, steps] = [recur(&gates, &recurrent), recur_by_steps(&gates, &recurrent)].map(|t| flat(t.unwrap()));
        let worst = kernel.iter().zip(&steps).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(kernel.len() == 70 && worst < 1e-6, "{worst}");
    }
}
