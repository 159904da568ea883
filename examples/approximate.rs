//! How far the approximate modes are from the exact one, on rule-made weights of Suno's sizes.
//!
//!     cargo run --release --example approximate -- --bark small
//!     cargo run --release --features cuda --example approximate -- --device cuda     # a device's f32, f16 and bf16
//!
//! For each weight type, the semantic and coarse stages follow the same tokens that the exact model drew (teacher
//! forcing): the mean Kullback-Leibler divergence of the next token's distribution at temperature 0.7 from the exact
//! one's, in nats, and how often the likeliest token is the same. For `--fast`, the share of the exact utterance's
//! codes that come out the same, greedily. Rule-made weights are as good as random: trained ones have sharper
//! distributions.

#[path = "../tests/noise/mod.rs"]
mod noise;

use crate::noise::Size;
use anyhow::{Context, Result};
use barkclone::checkpoint::{self, Bark};
use barkclone::net::gpt::{Gpt, Input};
use barkclone::net::repr::Repr;
use barkclone::progress::Silent;
use barkclone::speak::{Content, Request, Settings, Speaker};
use barkclone::stage::Stage;
use barkclone::stage::decode::Row;
use barkclone::stage::protocol::Protocol;
use barkclone::stage::sample::{Sampler, Sampling, argmax};
use barkclone::stage::semantic::{SemanticRow, Stop};
use barkclone::tokens::{Fine, Semantic};
use barkclone::voice::Voice;
use candle_core::{DType, Device};
use clap::Parser;
use std::ops::Range;
use std::thread::available_parallelism;

const SEED: u64 = 1;
const TEMPERATURE: f64 = 0.7;

/// Measure how far the approximate modes are from the exact one
#[derive(Parser)]
struct Args {
    /// tiny, small or large
    #[arg(long, default_value = "small")]
    bark: String,
    /// Tokens to follow in each stage
    #[arg(long, default_value_t = 100)]
    steps: usize,
    /// Seconds of the utterance that `--fast` is compared on
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// As `speak --device` takes it: how far this device is from the CPU; candle is the CPU without our kernels
    #[arg(long)]
    device: Option<String>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    rayon::ThreadPoolBuilder::new().num_threads(available_parallelism()?.get()).build()?.install(|| run(&args))
}

fn run(args: &Args) -> Result<()> {
    let size = match args.bark.as_str() {
        "tiny" => Size::Tiny,
        "small" => Size::Small,
        "large" => Size::Large,
        other => anyhow::bail!("--bark {other}: tiny, small or large"),
    };
    let exact = noise::bark(size, SEED);
    let parts =
        [(Stage::Semantic, semantic_start(&exact)?, 0..10_001), (Stage::Coarse, coarse_start(), 10_000..11_024)];
    let known = parts.into_iter().map(|part| Known::new(&exact, part, args.steps)).collect::<Result<Vec<_>>>()?;
    // The CPU's part is over: `candle` takes the kernels away.
    if let Some(device) = &args.device {
        let device = noise::device(device)?;
        // candle multiplies no bf16 on a CPU.
        let dtypes = [("f32", DType::F32), ("f16", DType::F16), ("bf16", DType::BF16)];
        for (name, dtype) in dtypes.into_iter().take(if device.is_cpu() { 2 } else { 3 }) {
            known.iter().try_for_each(|known| known.print(&exact, name, (dtype, &device)))?;
        }
        return Ok(());
    }
    for (name, repr) in &Repr::PACKED[1..] {
        let bark = packed(&exact, &args.bark, *repr)?;
        known.iter().try_for_each(|known| known.print(&bark, name, HOST))?;
    }
    fast(exact, args)
}

const HOST: (DType, &Device) = (DType::F32, &Device::Cpu);

/// What the exact model makes of a stage.
struct Known {
    part: (Stage, Start, Range<usize>),
    tokens: Vec<u32>,
    logits: Vec<Vec<f32>>,
}

impl Known {
    fn new(exact: &Bark, part: (Stage, Start, Range<usize>), steps: usize) -> Result<Self> {
        let (tokens, logits) = follow(exact, &part, &[], steps, HOST)?;
        Ok(Self { part, tokens, logits })
    }

    /// How far `bark` is from it.
    fn print(&self, bark: &Bark, name: &str, on: (DType, &Device)) -> Result<()> {
        let (_, got) = follow(bark, &self.part, &self.tokens, self.tokens.len(), on)?;
        let (divergence, same) = compare(&self.logits, &got)?;
        println!(
            "{:?} {name:<5} divergence {divergence:.2e} nats, same likeliest token {:.1} %",
            self.part.0,
            100.0 * same
        );
        Ok(())
    }
}

/// The first window's prompt: tokens and what is added to them.
type Start = (Vec<u32>, Vec<u32>);

fn semantic_start(bark: &Bark) -> Result<Start> {
    let (ids, stop) = ((100..130).collect::<Vec<_>>(), Stop { min_eos_p: None, max_seconds: None });
    let prompt = SemanticRow::new(&bark.protocol, &ids, &[], stop, Sampler::new(Sampling::GREEDY, 0, 0))?.prompt();
    Ok((prompt.tokens, prompt.merged))
}

fn coarse_start() -> Start {
    let semantic = (0..256).map(|i| i * 37 % 10_000);
    (semantic.chain([12_050]).chain((0..200).map(|i| 10_000 + i * 13 % 1024 + i % 2 * 1024)).collect(), Vec::new())
}

/// Feeds `tokens` after the prompt, or what the model draws itself where there are none: the tokens, and each step's
/// logits.
fn follow(
    bark: &Bark,
    (stage, (prompt, merged), wanted): &(Stage, Start, Range<usize>),
    tokens: &[u32],
    steps: usize,
    (dtype, device): (DType, &Device),
) -> Result<(Vec<u32>, Vec<Vec<f32>>)> {
    let (config, weights) = bark.stage(*stage, dtype, device)?;
    let gpt = Gpt::new(&config, &weights)?;
    let (mut cache, mut sampler) = (gpt.cache(1)?, Sampler::new(Sampling::at(TEMPERATURE), SEED, 0));
    let mut logits = gpt.forward(&[Input { slot: 0, tokens: prompt, merged }], &mut cache, wanted.clone())?;
    let (mut fed, mut all) = (Vec::new(), Vec::new());
    for step in 0..steps {
        let token = match tokens.get(step) {
            Some(&token) => token,
            None => (wanted.start + sampler.draw(&logits)?) as u32,
        };
        all.push(logits);
        fed.push(token);
        logits = gpt.forward(&[Input { slot: 0, tokens: &[token], merged: &[] }], &mut cache, wanted.clone())?;
    }
    Ok((fed, all))
}

fn packed(exact: &Bark, name: &str, repr: Repr) -> Result<Bark> {
    let folder = std::path::Path::new("target/bench");
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!("{name}-{repr}.safetensors"));
    if !path.exists() {
        checkpoint::pack(exact, (Some(&noise::codec(SEED)), None), repr, &path, &Silent)?;
    }
    checkpoint::bark(&path)
}

/// Mean divergence of `got` from `expected`, and the share of steps with the same largest logit.
fn compare(expected: &[Vec<f32>], got: &[Vec<f32>]) -> Result<(f64, f64)> {
    let (mut divergence, mut same) = (0.0, 0.0);
    for (expected, got) in expected.iter().zip(got) {
        let (p, q) = (log_softmax(expected), log_softmax(got));
        divergence += p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>();
        same += f64::from(argmax(expected)? == argmax(got)?);
    }
    let steps = expected.len() as f64;
    Ok((divergence / steps, same / steps))
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let scaled: Vec<f64> = logits.iter().map(|&l| f64::from(l) / TEMPERATURE).collect();
    let max = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total = scaled.iter().map(|l| (l - max).exp()).sum::<f64>().ln() + max;
    scaled.iter().map(|l| l - total).collect()
}

/// The coarse and fine codes that `--fast` shares with the exact utterance, of the same semantic tokens.
fn fast(bark: Bark, args: &Args) -> Result<()> {
    let mut settings = Settings::new(&Protocol::default(), SEED);
    (settings.coarse, settings.fine) = (Sampling::GREEDY, Sampling::GREEDY);
    settings.stop = Stop { min_eos_p: None, max_seconds: Some(args.seconds) };
    let mut request = Request::text((100..130).collect(), Some(voice()?), settings);
    let mut speaker = Speaker::new(bark, noise::codec(SEED), DType::F32, &Device::Cpu, true);
    let exact = speaker.speak(&request, &Silent)?;
    request.content = Content::Semantic(exact.semantic);
    request.settings = settings.fast();
    let fast = speaker.speak(&request, &Silent)?;
    println!("--fast: same coarse codes {:.1} %", 100.0 * share(exact.coarse.rows(), fast.coarse.rows())?);
    // The exact coarse codes again, and fewer passes over them.
    request.settings.windows = settings.windows;
    let fewest = speaker.speak(&request, &Silent)?;
    println!(
        "--fast: same fine codes {:.1} %, of the exact coarse ones",
        100.0 * share(&exact.fine.rows()[2..], &fewest.fine.rows()[2..])?
    );
    Ok(())
}

fn share(a: &[Vec<u32>], b: &[Vec<u32>]) -> Result<f64> {
    let same = a.iter().flatten().zip(b.iter().flatten()).filter(|(a, b)| a == b).count();
    Ok(same as f64 / a.iter().map(Vec::len).reduce(|a, b| a + b).context("no codes")? as f64)
}

/// Made up, and longer than every window.
fn voice() -> Result<Voice> {
    let semantic = Semantic::new((0..400).map(|i| i * 37 % 10_000).collect(), 10_000)?;
    let row = |book: u32| (0..600).map(|i| (i * 13 + book * 101) % 1024).collect();
    Voice::from_parts(semantic, Fine::new(std::array::from_fn(|book| row(book as u32)), 1024)?)
}
