//! The way back against candle's autograd, and against what PyTorch makes of three steps (`tests/golden/training.py`).

use super::*;
use crate::noise::rule;
use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::ops::{log_softmax, sigmoid};

const WIDTH: usize = 6;
const TOKENS: usize = 11;
/// Lengths of the clips, frames.
const LENGTHS: [usize; 3] = [4, 9, 1];

fn config(version: u32) -> QuantizerConfig {
    QuantizerConfig { input_size: WIDTH, hidden_size: 5, output_size: TOKENS, version }
}

/// Weights by rule: small ones, so that no gate is stuck.
fn parameters(version: u32) -> Parameters {
    let fill = |name: &str, shape: &[usize]| {
        let values = rule::uniform(&format!("quantizer.{name}"), shape.iter().product(), 1);
        Ok(values.into_iter().map(|x| x * 0.5).collect())
    };
    Parameters::new(config(version), fill).unwrap()
}

/// Features and tokens of each clip.
fn clips() -> Vec<(Vec<f32>, Vec<u32>)> {
    let clip = |(index, frames): (usize, usize)| {
        let features = rule::uniform(&format!("clip.{index}"), frames * WIDTH, 1);
        let tokens = rule::uniform(&format!("tokens.{index}"), frames, 1);
        let token = |x: f32| (((x + 1.0) / 2.0 * TOKENS as f32) as u32).min(TOKENS as u32 - 1);
        (features, tokens.into_iter().map(token).collect())
    };
    LENGTHS.into_iter().enumerate().map(clip).collect()
}

fn batch(clips: &[(Vec<f32>, Vec<u32>)]) -> Batch {
    let clips: Vec<_> = clips.iter().map(|(x, y)| (&x[..], &y[..])).collect();
    Batch::new(&clips, WIDTH).unwrap()
}

/// The sum of the losses of one clip's frames, in candle's operations.
fn clip_loss(vars: &[Var], version: u32, x: &[f32], y: &[u32]) -> Tensor {
    let mut x = Tensor::from_slice(x, (y.len(), WIDTH), &Device::Cpu).unwrap();
    for layer in vars[..8].chunks(4) {
        let [w_ih, w_hh, b_ih, b_hh] = [0, 1, 2, 3].map(|i| layer[i].as_tensor());
        let hidden = w_hh.dim(1).unwrap();
        let zero = || Tensor::zeros((1, hidden), DType::F32, &Device::Cpu).unwrap();
        let (mut h, mut c, mut outputs) = (zero(), zero(), vec![]);
        for step in 0..y.len() {
            let given = x.narrow(0, step, 1).unwrap().matmul(&w_ih.t().unwrap()).unwrap();
            let all = (given + h.matmul(&w_hh.t().unwrap()).unwrap()).unwrap();
            let all = all.broadcast_add(b_ih).unwrap().broadcast_add(b_hh).unwrap();
            let gate = |i: usize| all.narrow(1, i * hidden, hidden).unwrap();
            let kept = (sigmoid(&gate(1)).unwrap() * c).unwrap();
            c = (kept + (sigmoid(&gate(0)).unwrap() * gate(2).tanh().unwrap()).unwrap()).unwrap();
            h = (sigmoid(&gate(3)).unwrap() * c.tanh().unwrap()).unwrap();
            outputs.push(h.clone());
        }
        x = Tensor::cat(&outputs, 0).unwrap();
    }
    for linear in vars[8..].chunks(2) {
        x = x.matmul(&linear[0].t().unwrap()).unwrap().broadcast_add(&linear[1]).unwrap();
    }
    assert_eq!(vars.len(), if version == 0 { 10 } else { 12 });
    let targets = Tensor::from_slice(y, (y.len(), 1), &Device::Cpu).unwrap();
    log_softmax(&x, D::Minus1).unwrap().gather(&targets, 1).unwrap().sum_all().unwrap().neg().unwrap()
}

#[test]
fn the_slopes_are_those_of_candles_autograd() {
    for version in [0, 1] {
        let (parameters, clips) = (parameters(version), clips());
        let (slopes, told) = parameters.slopes(&batch(&clips));
        let var = |tensor: &Parameter| Var::from_slice(&tensor.values, tensor.shape.clone(), &Device::Cpu).unwrap();
        let vars: Vec<_> = parameters.tensors.iter().map(var).collect();
        let losses: Vec<_> = clips.iter().map(|(x, y)| clip_loss(&vars, version, x, y)).collect();
        let rows = LENGTHS.iter().sum::<usize>() as f64;
        let loss = (losses.iter().fold(0f64.into(), |sum: Sum, x| sum.and(x)).0.unwrap() / rows).unwrap();
        let ours = told.iter().map(|told| f64::from(told.loss)).sum::<f64>() / rows;
        assert!((ours - f64::from(loss.to_scalar::<f32>().unwrap())).abs() < 1e-5);
        let theirs = loss.backward().unwrap();
        for ((tensor, ours), var) in parameters.tensors.iter().zip(&slopes).zip(&vars) {
            let theirs = theirs.get(var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let most = theirs.iter().fold(0f32, |most, x| most.max(x.abs()));
            assert!(ours.len() == theirs.len() && most > 1e-4, "{}: {most}", tensor.name);
            assert!(worst < 2e-6 + 1e-4 * most, "version {version}, {}: {worst} of {most}", tensor.name);
        }
    }
}

/// A sum of tensors that begins with none.
struct Sum(Option<Tensor>);

impl From<f64> for Sum {
    fn from(_: f64) -> Self {
        Self(None)
    }
}

impl Sum {
    fn and(self, x: &Tensor) -> Self {
        Self(Some(self.0.map_or(x.clone(), |sum| (sum + x).unwrap())))
    }
}

#[test]
fn a_clip_comes_out_as_alone_and_as_from_the_net_that_clones() {
    let (parameters, clips) = (parameters(1), clips());
    let together = batch(&clips);
    let told = parameters.told(&together);
    assert_eq!(together.rows(), LENGTHS.iter().sum::<usize>());
    for (index, clip) in clips.iter().enumerate() {
        let alone = batch(std::slice::from_ref(clip));
        let alone: Vec<_> = alone.of_clip(0, &parameters.told(&alone)).collect();
        let ours: Vec<_> = together.of_clip(index, &told).collect();
        assert_eq!(ours.len(), LENGTHS[index]);
        for (((target, ours), (_, alone)), right) in ours.iter().zip(&alone).zip(&clip.1) {
            assert_eq!((target, ours.best, ours.rank), (right, alone.best, alone.rank));
            assert!((ours.loss - alone.loss).abs() < 1e-5);
            assert_eq!(ours.rank == 0, ours.best == *right);
        }
    }
}

#[test]
fn every_engine_judges_alike() {
    let (parameters, batch) = (parameters(1), batch(&clips()));
    let [ours, theirs] = ENGINES.map(|engine| parameters.judge(&engine).unwrap()(&batch).unwrap());
    assert_eq!(ours, parameters.told(&batch));
    for (a, b) in ours.iter().zip(&theirs) {
        assert!((a.loss - b.loss).abs() < 1e-4 && (a.rank, a.best) == (b.rank, b.best), "{a:?}, not {b:?}");
    }
}

#[test]
fn pairs_that_do_not_fit_are_refused() {
    assert!(Batch::new(&[], WIDTH).is_err());
    assert!(Batch::new(&[(&[0.0; 5], &[1])], WIDTH).is_err());
    assert!(Batch::new(&[(&[], &[])], WIDTH).is_err());
}

const ENGINES: [Engine; 2] = [Engine::KERNELS, Engine::autograd(Device::Cpu)];

/// What PyTorch had after three steps of Adam with clipped slopes, and its losses.
#[test]
fn three_steps_are_those_of_pytorch() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../../../tests/golden/training.json")).unwrap();
    for (version, engine) in [0, 1].into_iter().flat_map(|version| ENGINES.map(|engine| (version, engine))) {
        let golden = &golden[version.to_string()];
        let (mut parameters, batch) = (parameters(version), batch(&clips()));
        let mut optimizer = Optimizer::new(&parameters, 0.01, 0.5);
        let mut learner = Learner::new(&mut parameters, &mut optimizer, &engine).unwrap();
        for wanted in golden["losses"].as_array().unwrap() {
            let told = learner.learn(&batch).unwrap();
            let loss = told.iter().map(|told| told.loss).sum::<f32>() / batch.rows() as f32;
            assert!((f64::from(loss) - wanted.as_f64().unwrap()).abs() < 2e-5, "{engine:?}: {loss}, not {wanted}");
        }
        learner.finish().unwrap();
        for tensor in &parameters.tensors {
            let wanted = golden["tensors"][&tensor.name].as_array().unwrap();
            let thinned = tensor.values.iter().step_by((tensor.values.len() / 20).max(1));
            for (ours, wanted) in thinned.zip(wanted) {
                let error = (f64::from(*ours) - wanted.as_f64().unwrap()).abs();
                assert!(error < 5e-5, "{engine:?}, version {version}, {}: {ours}, not {wanted}", tensor.name);
            }
        }
    }
}

/// How far two lists of tensors are apart at most.
fn apart<'a>(one: impl IntoIterator<Item = &'a Vec<f32>>, other: impl IntoIterator<Item = &'a Vec<f32>>) -> f32 {
    let all = one.into_iter().flatten().zip(other.into_iter().flatten());
    all.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// At a rate at which rounding does not grow.
#[test]
fn candle_learns_what_the_kernels_learn_and_each_goes_on_from_the_other() {
    for version in [0, 1] {
        let batch = batch(&clips());
        let run = |engines: [&Engine; 2]| {
            let mut parameters = parameters(version);
            let (mut optimizer, mut said) = (Optimizer::new(&parameters, 1e-4, 0.5), vec![]);
            for engine in engines {
                let mut learner = Learner::new(&mut parameters, &mut optimizer, engine).unwrap();
                (0..4).for_each(|_| said.extend(learner.learn(&batch).unwrap()));
                said.extend(learner.told(&batch).unwrap());
                learner.finish().unwrap();
            }
            (parameters, optimizer, said)
        };
        let values = |of: &Parameters| of.tensors.iter().map(|tensor| tensor.values.clone()).collect::<Vec<_>>();
        let [kernels, candle] = &ENGINES;
        let (ours, optimizer, said) = run([kernels, kernels]);
        assert!(apart(&values(&parameters(version)), &values(&ours)) > 5e-4, "it learns");
        for engines in [[candle, candle], [kernels, candle], [candle, kernels]] {
            let (theirs, other, heard) = run(engines);
            assert_eq!(optimizer.step, other.step);
            let worst = apart(&values(&ours), &values(&theirs));
            assert!(worst < 2e-5, "{engines:?}: weights {worst} apart");
            let worst = apart(optimizer.moments.iter().flatten(), other.moments.iter().flatten());
            assert!(worst < 2e-5, "{engines:?}: moments {worst} apart");
            for (a, b) in said.iter().zip(&heard) {
                assert!((a.loss - b.loss).abs() < 1e-4 && (a.rank, a.best) == (b.rank, b.best), "{a:?}, not {b:?}");
            }
        }
    }
}

/// Candle's graph hangs each step of an LSTM on the one before it: neither the way back through it nor its end may go as
/// deep as that.
#[test]
fn the_longest_clip_needs_no_deeper_stack() {
    let learn = || {
        let mut parameters = parameters(1);
        let mut optimizer = Optimizer::new(&parameters, 0.01, 0.5);
        let (features, tokens) = (vec![0.1; 1500 * WIDTH], vec![3; 1500]);
        let batch = Batch::new(&[(&features, &tokens)], WIDTH).unwrap();
        let mut learner = Learner::new(&mut parameters, &mut optimizer, &ENGINES[1]).unwrap();
        learner.learn(&batch).unwrap().len()
    };
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(learn).unwrap();
    assert_eq!(thread.join().unwrap(), 1500);
}
