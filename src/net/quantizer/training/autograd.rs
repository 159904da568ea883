//! The same steps by candle's operations and autograd, for devices that this crate has no kernels for.

use super::{Batch, LSTM_LAYERS, OF_LAYER, Optimizer, Parameters, Slopes, Told};
use crate::net::lstm::after;
use anyhow::{Context, Result};
use candle_core::backprop::GradStore;
use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::ops::log_softmax;

/// What computes the steps of a training.
#[derive(Clone, Debug)]
pub struct Engine(Option<(Device, Start)>);

/// Brings a quantizer and Adam's moments to a device.
type Start = fn(&Parameters, &[Slopes; 2], &Device) -> Result<Box<dyn Steps>>;

impl Engine {
    /// This crate's kernels, on the CPU.
    pub const KERNELS: Self = Self(None);

    /// Candle's autograd, on any of its devices.
    pub const fn autograd(device: Device) -> Self {
        Self(Some((device, Graph::start)))
    }

    /// The faster one on `device`.
    pub fn of(device: &Device) -> Self {
        // A program for the CPU alone is smaller without autograd, by 1.5 MB.
        let is_other = cfg!(any(feature = "cuda", feature = "metal")) && !device.is_cpu();
        if is_other { Self::autograd(device.clone()) } else { Self::KERNELS }
    }

    /// A quantizer on another device than the CPU, where that is chosen.
    fn started(&self, parameters: &Parameters, moments: &[Slopes; 2]) -> Result<Option<Box<dyn Steps>>> {
        self.0.as_ref().map(|(device, start)| start(parameters, moments, device)).transpose()
    }
}

impl Parameters {
    /// What computes what comes out for each row of a batch.
    ///
    /// # Errors
    /// Where the device has no room.
    pub fn judge<'a>(&'a self, engine: &Engine) -> Result<impl Fn(&Batch) -> Result<Vec<Told>> + use<'a>> {
        let elsewhere = engine.started(self, &Default::default())?;
        Ok(move |batch: &Batch| elsewhere.as_ref().map_or_else(|| Ok(self.told(batch)), |steps| steps.told(batch)))
    }
}

/// A quantizer that learns on a device.
trait Steps {
    fn told(&self, batch: &Batch) -> Result<Vec<Told>>;
    fn learn(&mut self, batch: &Batch, optimizer: &mut Optimizer) -> Result<Vec<Told>>;
    /// Brings what was learned back.
    fn finish(&self, parameters: &mut Parameters, optimizer: &mut Optimizer) -> Result<()>;
}

/// A quantizer that learns. On another device than the CPU it lives there, and comes back by [`Learner::finish`].
pub struct Learner<'a> {
    parameters: &'a mut Parameters,
    optimizer: &'a mut Optimizer,
    elsewhere: Option<Box<dyn Steps>>,
}

impl<'a> Learner<'a> {
    /// # Errors
    /// Where the device has no room.
    pub fn new(parameters: &'a mut Parameters, optimizer: &'a mut Optimizer, engine: &Engine) -> Result<Self> {
        let elsewhere = engine.started(parameters, &optimizer.moments)?;
        Ok(Self { parameters, optimizer, elsewhere })
    }

    /// What comes out for each row of `batch`.
    pub fn told(&self, batch: &Batch) -> Result<Vec<Told>> {
        self.elsewhere.as_ref().map_or_else(|| Ok(self.parameters.told(batch)), |steps| steps.told(batch))
    }

    /// Takes a step, and answers what came out before it.
    pub fn learn(&mut self, batch: &Batch) -> Result<Vec<Told>> {
        if let Some(steps) = &mut self.elsewhere {
            return steps.learn(batch, self.optimizer);
        }
        let (slopes, told) = self.parameters.slopes(batch);
        self.optimizer.step(self.parameters, &slopes);
        Ok(told)
    }

    /// Leaves what was learned in the parameters and the optimizer.
    pub fn finish(self) -> Result<()> {
        self.elsewhere.map_or(Ok(()), |steps| steps.finish(self.parameters, self.optimizer))
    }
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}

/// A quantizer and Adam's moments on a device.
struct Graph {
    /// In the order of [`Parameters`], and so are the moments.
    vars: Vec<Var>,
    moments: [Vec<Tensor>; 2],
    device: Device,
}

/// The states of an LSTM, from the first step to the last. Each holds all before it in candle's graph: they are let go
/// from the last on, or dropping one would go as deep into the stack as there are steps.
#[derive(Default)]
struct Trail(Vec<Tensor>);

impl Drop for Trail {
    fn drop(&mut self) {
        while self.0.pop().is_some() {}
    }
}

impl Steps for Graph {
    fn told(&self, batch: &Batch) -> Result<Vec<Told>> {
        let weights: Vec<_> = self.vars.iter().map(Var::as_detached_tensor).collect();
        let mut trail = Trail::default();
        let logits = logits(&weights, &self.features(batch)?, &batch.steps, &mut trail)?;
        let targets = self.targets(batch)?;
        told(&logits, &losses(&logits, &targets)?, &targets)
    }

    fn learn(&mut self, batch: &Batch, optimizer: &mut Optimizer) -> Result<Vec<Told>> {
        let weights: Vec<_> = self.vars.iter().map(|var| var.as_tensor().clone()).collect();
        let mut trail = Trail::default();
        let logits = logits(&weights, &self.features(batch)?, &batch.steps, &mut trail)?;
        let targets = self.targets(batch)?;
        let losses = losses(&logits, &targets)?;
        let told = told(&logits.detach(), &losses.detach(), &targets)?;
        let slopes = losses.mean_all()?.backward()?;
        self.step(&slopes, optimizer)?;
        Ok(told)
    }

    fn finish(&self, parameters: &mut Parameters, optimizer: &mut Optimizer) -> Result<()> {
        for (tensor, var) in parameters.tensors.iter_mut().zip(&self.vars) {
            tensor.values = values(var)?;
        }
        for (kept, moments) in optimizer.moments.iter_mut().zip(&self.moments) {
            *kept = moments.iter().map(values).collect::<Result<_>>()?;
        }
        Ok(())
    }
}

impl Graph {
    fn start(parameters: &Parameters, moments: &[Slopes; 2], device: &Device) -> Result<Box<dyn Steps>> {
        let placed = |of: &Slopes| -> Result<Vec<Tensor>> {
            let tensors = parameters.tensors.iter().zip(of);
            tensors.map(|(tensor, values)| Ok(Tensor::from_slice(values, &tensor.shape[..], device)?)).collect()
        };
        let [first, second] = moments;
        let var = |tensor: &super::Parameter| Ok(Var::from_slice(&tensor.values, &tensor.shape[..], device)?);
        let vars = parameters.tensors.iter().map(var).collect::<Result<_>>()?;
        let moments = [placed(first)?, placed(second)?];
        Ok(Box::new(Self { vars, moments, device: device.clone() }))
    }

    /// `[R, input_size]`
    fn features(&self, batch: &Batch) -> Result<Tensor> {
        let rows = batch.rows();
        Ok(Tensor::from_slice(&batch.features, (rows, batch.features.len() / rows), &self.device)?)
    }

    /// `[R, 1]`
    fn targets(&self, batch: &Batch) -> Result<Tensor> {
        Ok(Tensor::from_slice(&batch.targets, (batch.rows(), 1), &self.device)?)
    }

    /// [`Optimizer::step`].
    fn step(&mut self, slopes: &GradStore, optimizer: &mut Optimizer) -> Result<()> {
        let slope = |var: &Var| slopes.get(var).context("a tensor that nothing was learned of");
        let slopes = self.vars.iter().map(slope).collect::<Result<Vec<_>>>()?;
        let squares = slopes.iter().map(|slope| Ok(f64::from(slope.sqr()?.sum_all()?.to_scalar::<f32>()?)));
        let length = squares.sum::<Result<f64>>()?.sqrt();
        let (factor, adam) = optimizer.begin(length);
        let ([beta1, beta2], [size, root]) = (adam.betas.map(f64::from), adam.corrected().map(f64::from));
        let [first, second] = &mut self.moments;
        for (((var, slope), first), second) in self.vars.iter().zip(slopes).zip(first).zip(second) {
            let slope = (slope * f64::from(factor))?.detach();
            *first = ((&*first * beta1)? + (&slope * (1.0 - beta1))?)?;
            *second = ((&*second * beta2)? + (slope.sqr()? * (1.0 - beta2))?)?;
            let change = (&*first / ((second.sqrt()? / root)? + f64::from(adam.eps))?)?;
            var.set(&(var.as_detached_tensor() - (change * size)?)?)?;
        }
        Ok(())
    }
}

/// `features` `[R, input_size]` of clips of which so many go on at each step -> `[R, O]`
fn logits(weights: &[Tensor], features: &Tensor, steps: &[usize], trail: &mut Trail) -> Result<Tensor> {
    let (lstm, linears) = weights.split_at(OF_LAYER * LSTM_LAYERS);
    let starts = steps.iter().scan(0, |next, &count| {
        *next += count;
        Some(*next - count)
    });
    let rows = starts.zip(steps).map(|(start, &count)| Ok(features.narrow(0, start, count)?));
    let mut inputs = rows.collect::<Result<Vec<_>>>()?;
    for layer in lstm.chunks_exact(OF_LAYER) {
        inputs = layer_outputs(layer, &inputs, trail)?;
    }
    let mut x = Tensor::cat(&inputs, 0)?;
    for linear in linears.chunks_exact(2) {
        x = x.matmul(&linear[0].t()?)?.broadcast_add(&linear[1])?;
    }
    Ok(x)
}

/// The outputs of an LSTM layer, one tensor a step, as its inputs are.
fn layer_outputs(layer: &[Tensor], inputs: &[Tensor], trail: &mut Trail) -> Result<Vec<Tensor>> {
    // Turned and added once, so that autograd adds up the slopes of all steps in one tensor each.
    let (w_ih, w_hh, bias) = (layer[0].t()?, layer[1].t()?, (&layer[2] + &layer[3])?);
    let mut h = Tensor::zeros((inputs[0].dim(0)?, w_hh.dim(0)?), DType::F32, w_hh.device())?;
    let (mut c, mut outputs) = (h.clone(), Vec::with_capacity(inputs.len()));
    for x in inputs {
        let count = x.dim(0)?;
        let [before, cell] = [h, c].map(|state| state.narrow(0, 0, count));
        let gates = (x.matmul(&w_ih)?.broadcast_add(&bias)? + before?.matmul(&w_hh)?)?;
        [h, c] = after(&gates, &cell?)?;
        trail.0.extend([c.clone(), h.clone()]);
        outputs.push(h.clone());
    }
    Ok(outputs)
}

/// The cross-entropy of each row, `[R, 1]`.
fn losses(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    Ok(log_softmax(logits, D::Minus1)?.gather(targets, 1)?.neg()?)
}

fn told(logits: &Tensor, losses: &Tensor, targets: &Tensor) -> Result<Vec<Told>> {
    let above = logits.broadcast_gt(&logits.gather(targets, 1)?)?.to_dtype(DType::F32)?;
    let rank: Vec<f32> = above.sum(1)?.to_vec1()?;
    let best: Vec<u32> = logits.argmax(1)?.to_vec1()?;
    let rows = values(losses)?.into_iter().zip(rank).zip(best);
    Ok(rows.map(|((loss, rank), best)| Told { loss, rank: rank as u32, best }).collect())
}
