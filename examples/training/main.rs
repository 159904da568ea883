//! Steps of a quantizer's training at published sizes, timed, for `step.py` to compare with PyTorch's. Weights and clips
//! are made by rule. Prints a line of JSON: the losses, the seconds of each step, and the most memory, MiB.
//!
//!     training STEPS CLIPS

#[path = "../../tests/noise/rule.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod rule;

use anyhow::{Context, Result};
use barkclone::net::quantizer::{Batch, Optimizer, Parameters, QuantizerConfig};
use serde_json::json;
use std::time::Instant;

/// Frames of a clip of ten seconds.
const FRAMES: usize = 499;
const TOKENS: usize = 10_000;
const WIDTH: usize = 768;

fn main() -> Result<()> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|number| Ok(number.parse()?)).collect::<Result<_>>()?;
    let [steps, clips] = numbers[..].try_into().context("expected STEPS CLIPS")?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
    pool.install(|| run(steps, clips))
}

fn run(steps: usize, clips: usize) -> Result<()> {
    let mut parameters = Parameters::new(QuantizerConfig::default(), |name, shape| {
        let width = if name.starts_with("lstm") { 1024 } else { *shape.last().unwrap_or(&1) };
        let half = 1.0 / (width as f32).sqrt();
        Ok(rule::uniform(name, shape.iter().product(), 1).into_iter().map(|x| x * half).collect())
    })?;
    let features: Vec<_> = (0..clips).map(|clip| rule::uniform(&format!("clip.{clip}"), FRAMES * WIDTH, 1)).collect();
    let token = |x: f32| (((x + 1.0) / 2.0 * TOKENS as f32) as u32).min(TOKENS as u32 - 1);
    let tokens = |clip| rule::uniform(&format!("tokens.{clip}"), FRAMES, 1).into_iter().map(token).collect();
    let tokens: Vec<Vec<u32>> = (0..clips).map(tokens).collect();
    let pairs: Vec<_> = features.iter().zip(&tokens).map(|(x, y)| (&x[..], &y[..])).collect();
    let batch = Batch::new(&pairs, WIDTH)?;
    let mut optimizer = Optimizer::new(&parameters, 0.001, 1.0);
    let (mut losses, mut seconds) = (Vec::new(), Vec::new());
    for step in 1..=steps {
        let began = Instant::now();
        let (slopes, told) = parameters.slopes(&batch);
        optimizer.step(&mut parameters, &slopes);
        seconds.push(began.elapsed().as_secs_f64());
        let loss = told.iter().map(|told| f64::from(told.loss)).sum::<f64>() / batch.rows() as f64;
        eprintln!("step {step} of {steps}, loss {loss:.4}");
        losses.push(loss);
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    println!("{}", json!({"losses": losses, "seconds": seconds, "peak_mib": peak.unwrap_or(0u64) / 1024}));
    Ok(())
}
