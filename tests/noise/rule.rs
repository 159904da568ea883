//! Weights made by rule instead of training: every value is a pure function of (seed, tensor name, index), so that
//! a model of any size exists without a file, in any language. They carry no speech: what they say is noise.
//!
//! ```text
//! key  = fnv1a64(name) XOR (seed * GOLDEN)
//! z    = splitmix64(key + (i + 1) * GOLDEN)              i: flat row-major index
//! u    = (z >> 40) / 2^24                                in [0, 1), exact in f32
//! value = center + half_width * (2u - 1)                 by the kind of tensor
//! ```

use anyhow::Result;
use barkclone::net::weights::{Array, Tensors};
use rayon::prelude::*;
use std::collections::BTreeMap;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

fn fnv1a64(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

fn unit(key: u64, index: u64) -> f32 {
    let mut z = key.wrapping_add((index + 1).wrapping_mul(GOLDEN));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    2.0 * ((z >> 40) as f32 / (1u64 << 24) as f32) - 1.0
}

/// `count` values in [-1, 1) of the stream `(seed, name)`.
pub fn uniform(name: &str, count: usize, seed: u64) -> Vec<f32> {
    let key = fnv1a64(name) ^ seed.wrapping_mul(GOLDEN);
    (0..count as u64).into_par_iter().map(|i| unit(key, i)).collect()
}

/// (center, half width) of a tensor's values, by its kind: magnitudes near one, biases small, matrices
/// variance-preserving, positions louder than tokens so that greedy decoding keeps moving.
fn spread(name: &str, shape: &[usize]) -> (f32, f32) {
    let leaf = name.rsplit('.').next().unwrap_or(name);
    match leaf {
        "weight_g" => (1.0, 0.1),
        "weight_v" | "embed" => (0.0, 1.0),
        _ if leaf.contains("bias") => (0.0, 0.05),
        _ if shape.len() == 1 => (1.0, 0.1),
        _ if name.contains("wpe") => (0.0, 1.0),
        _ if name.contains("wte") => (0.0, 0.5),
        _ if name.contains("lstm") => (0.0, (4.0 / (shape[shape.len() - 1] as f64).sqrt()) as f32),
        _ => (0.0, (3.0 / shape[1..].iter().product::<usize>() as f64).sqrt() as f32),
    }
}

/// The values of the tensor `name` of `shape`, row-major.
pub fn values(name: &str, shape: &[usize], seed: u64) -> Vec<f32> {
    let (center, half) = spread(name, shape);
    let mut values = uniform(name, shape.iter().product(), seed);
    values.par_iter_mut().for_each(|v| *v = *v * half + center);
    values
}

/// A checkpoint whose arrays are computed when asked for.
pub struct RuleTensors {
    seed: u64,
    /// stored name -> (name in the rule, shape)
    tensors: BTreeMap<String, (String, Vec<usize>)>,
}

impl RuleTensors {
    /// `tensors`: stored name and shape of each; the rule sees `prefix.` + stored name.
    pub fn new(prefix: &str, tensors: impl IntoIterator<Item = (String, Vec<usize>)>, seed: u64) -> Self {
        let tensors = tensors.into_iter().map(|(name, shape)| (name.clone(), (format!("{prefix}.{name}"), shape)));
        Self { seed, tensors: tensors.collect() }
    }
}

impl Tensors for RuleTensors {
    fn origin(&self) -> String {
        format!("rule-made weights, seed {}", self.seed)
    }

    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn array(&self, name: &str) -> Result<Option<Array>> {
        let Some((rule_name, shape)) = self.tensors.get(name) else { return Ok(None) };
        Ok(Some(Array::from_f32(values(rule_name, shape, self.seed), shape.clone())))
    }
}
