//! How fast each part of the pipeline is, and how near that is to what this machine can do.
//!
//!     cargo run --release --example bench -- --bark large             # rule-made weights of Suno's size, no file needed
//!     cargo run --release --example bench -- --bark PATH --threads 2  # any model that `speak --bark` takes
//!
//! Memory bandwidth and multiply-add peak are measured in the same run; `share` is the part of that floor that was
//! reached: of the bytes of weights and cache for a step, of the operations for a pass. Times are medians.

mod probe;

use anyhow::{Context, Result};
use barkclone::config::{CodecConfig, GptConfig, HubertConfig, Protocol, QuantizerConfig};
use barkclone::layout::demo::{self, Size};
use barkclone::layout::{self, Bark, Model, Stage};
use barkclone::net::cache::Cache;
use barkclone::net::codec::Codec;
use barkclone::net::gpt::{FineGpt, Gpt, Input};
use barkclone::net::hubert::Hubert;
use barkclone::net::quantizer::Quantizer;
use barkclone::progress::Silent;
use barkclone::speak::{Request, Settings, Speaker};
use barkclone::tokens::{Fine, HUBERT_RATE, SAMPLE_RATE, Semantic};
use barkclone::voice::Voice;
use barkclone::weights::{Repr, rule};
use candle_core::{DType, Device, Tensor};
use clap::Parser;
use std::path::Path;
use std::time::Instant;

const SEED: u64 = 1;
/// Frames of the made-up voice: 7 s, longer than every window.
const VOICE: usize = 525;

/// Measure each part of the pipeline
#[derive(Parser)]
struct Args {
    /// tiny, small or large (rule-made), or a file or folder
    #[arg(long, default_value = "small")]
    bark: String,
    /// EnCodec [default: rule-made]
    #[arg(long)]
    codec: Option<String>,
    #[arg(long)]
    threads: Option<usize>,
    /// f32, f16, bf16, q8_0 or q4_k: packed into target/bench at the first use [default: as the model lies]
    #[arg(long)]
    weights: Option<String>,
    /// Rows that are decoded together
    #[arg(long, default_value_t = 1)]
    batch: usize,
    /// Length of the utterance, and of the clip that is cloned
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Fewer and longer coarse windows, and no more fine passes than needed, in the utterance
    #[arg(long)]
    fast: bool,
    /// Repeats of each measurement
    #[arg(long, default_value_t = 5)]
    repeat: usize,
    /// Only these parts: steps, fine, codec, clone, utterance
    #[arg(long, value_delimiter = ',', default_value = "steps,fine,codec,clone,utterance")]
    only: Vec<String>,
}

/// This machine's limits, on the threads in use.
struct Machine {
    bytes: f64,
    flops: f64,
}

impl Machine {
    fn measure() -> Self {
        let machine = Self { bytes: probe::bandwidth(), flops: probe::fma_peak() };
        let threads = rayon::current_num_threads();
        println!("{threads} thread(s): {:.1} GB/s read, {:.0} GFLOP/s", machine.bytes / 1e9, machine.flops / 1e9);
        machine
    }

    /// A step that reads `bytes` and makes `tokens`.
    fn print_step(&self, what: &str, seconds: f64, bytes: f64, tokens: usize) {
        let (gb, share) = (bytes / seconds / 1e9, 100.0 * bytes / seconds / self.bytes);
        let rate = tokens as f64 / seconds;
        println!("{what:<44} {:>9.2} ms {gb:>8.1} GB/s    {share:>4.0} % {rate:>6.0} tokens/s", seconds * 1e3);
    }

    fn print_flops(&self, what: &str, seconds: f64, flops: f64) {
        let (gflops, share) = (flops / seconds / 1e9, 100.0 * flops / seconds / self.flops);
        println!("{what:<44} {:>9.1} ms {gflops:>8.1} GFLOP/s {share:>4.0} %", seconds * 1e3);
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    let threads = args.threads.unwrap_or_else(num_cpus::get_physical);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build()?.install(|| run(&args))
}

fn run(args: &Args) -> Result<()> {
    let machine = Machine::measure();
    let packed = packed(args)?;
    let bark = || open_bark(packed.as_deref().unwrap_or(&args.bark));
    let wants = |part: &str| args.only.iter().any(|p| p == part);
    if wants("steps") {
        semantic(&bark()?, &machine, args)?;
        coarse(&bark()?, &machine, args)?;
    }
    if wants("fine") {
        fine(&bark()?, &machine, args)?;
    }
    if wants("codec") {
        codec(&open_codec(args)?, args)?;
    }
    if wants("clone") {
        clone(args)?;
    }
    if wants("utterance") {
        utterance(bark()?, args)?;
    }
    println!("{:<44} {:>9.2} GB", "peak memory", peak_memory()? / 1e9);
    Ok(())
}

fn open_bark(choice: &str) -> Result<Bark> {
    Ok(match choice {
        "tiny" => demo::demo_bark(Size::Tiny, SEED),
        "small" => demo::demo_bark(Size::Small, SEED),
        "large" => demo::demo_bark(Size::Large, SEED),
        path => layout::bark(Path::new(path))?,
    })
}

/// The model packed as `--weights` says, if it does.
fn packed(args: &Args) -> Result<Option<String>> {
    let Some(weights) = &args.weights else { return Ok(None) };
    let repr = Repr::PACKED.iter().find(|(name, _)| name == weights).context("--weights: no such type")?.1;
    let folder = Path::new("target/bench");
    let path = folder.join(format!("{}-{repr}.safetensors", args.bark.replace(['/', '\\'], "-")));
    if !path.exists() {
        std::fs::create_dir_all(folder)?;
        let (seconds, ()) = timed(|| layout::pack(&open_bark(&args.bark)?, &open_codec(args)?, repr, &path, &Silent))?;
        println!("{:<44} {seconds:>9.1} s", format!("packed as {repr}"));
    }
    Ok(Some(path.display().to_string()))
}

fn open_codec(args: &Args) -> Result<Model<CodecConfig>> {
    args.codec.as_ref().map_or_else(|| demo::demo_codec(SEED), |path| layout::codec(Path::new(path)))
}

/// Seconds of `work`, and what it made.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let start = Instant::now();
    let made = work()?;
    Ok((start.elapsed().as_secs_f64(), made))
}

/// The median of `repeat` runs, after one that warms up.
fn median(repeat: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let mut times = (0..repeat).map(|_| Ok(timed(&mut work)?.0)).collect::<Result<Vec<_>>>()?;
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn load(bark: &Bark, stage: Stage) -> Result<Gpt> {
    let (seconds, gpt) = timed(|| {
        let (config, weights) = bark.stage(stage, DType::F32, &Device::Cpu)?;
        Gpt::new(&config, &weights)
    })?;
    println!("{:<44} {:>9.1} ms", format!("{stage:?}: load"), seconds * 1e3);
    Ok(gpt)
}

/// Bytes of one weight as it is stored.
fn weight_bytes(args: &Args) -> f64 {
    let repr =
        Repr::PACKED.iter().find(|(name, _)| args.weights.as_deref() == Some(name)).map(|(_, repr)| repr.block());
    repr.map_or(4.0, |(numbers, bytes)| bytes as f64 / numbers as f64)
}

fn semantic(bark: &Bark, machine: &Machine, args: &Args) -> Result<()> {
    let gpt = load(bark, Stage::Semantic)?;
    passes(&gpt, "semantic", 0..10_001, 257, &[257, 740], machine, args)
}

fn coarse(bark: &Bark, machine: &Machine, args: &Args) -> Result<()> {
    let gpt = load(bark, Stage::Coarse)?;
    passes(&gpt, "coarse", 10_000..11_024, 887, &[317, 887], machine, args)
}

/// Prefill of `prompt` positions, and steps at several lengths of the cache.
fn passes(
    gpt: &Gpt,
    name: &str,
    wanted: std::ops::Range<usize>,
    prompt: usize,
    lengths: &[usize],
    machine: &Machine,
    args: &Args,
) -> Result<()> {
    let mut cache = gpt.cache(args.batch)?;
    let tokens: Vec<u32> = (0..1000).collect();
    let feed = |cache: &mut Cache, rows: usize, count: usize| -> Result<()> {
        let inputs: Vec<_> = (0..rows).map(|slot| Input { slot, tokens: &tokens[..count], overlay: &[] }).collect();
        gpt.forward(&inputs, cache, wanted.clone()).map(drop)
    };
    let seconds = median(args.repeat, || {
        cache.truncate(0, 0);
        feed(&mut cache, 1, prompt)
    })?;
    let config = gpt.config();
    machine.print_flops(&format!("{name}: prefill of {prompt}"), seconds, prefill_flops(config, prompt));
    for &length in lengths {
        (0..args.batch).for_each(|slot| cache.truncate(slot, 0));
        for slot in 0..args.batch {
            let input = Input { slot, tokens: &tokens[..length], overlay: &[] };
            gpt.forward(&[input], &mut cache, wanted.clone())?;
        }
        let seconds = median(4 * args.repeat, || {
            (0..args.batch).for_each(|slot| cache.truncate(slot, length));
            feed(&mut cache, args.batch, 1)
        })?;
        let what = format!("{name}: step of {} row(s) at {length} cached", args.batch);
        machine.print_step(&what, seconds, step_bytes(config, wanted.len(), length, args), args.batch);
    }
    Ok(())
}

/// What a step reads: every block's weights and the wanted part of the head once, each row's keys and values once.
fn step_bytes(config: &GptConfig, wanted: usize, cached: usize, args: &Args) -> f64 {
    let weights = 12 * config.layers * config.width * config.width + wanted * config.width;
    let cache = 2 * config.layers * config.width * cached * args.batch;
    weight_bytes(args) * weights as f64 + 4.0 * cache as f64
}

/// Multiply-adds, counted twice, of a causal pass; the last block goes on with one position after its keys and values.
fn prefill_flops(config: &GptConfig, t: usize) -> f64 {
    let (width, layers) = (config.width as f64, config.layers as f64);
    let linears = 2.0 * t as f64 * width * width * (12.0 * (layers - 1.0) + 3.0);
    let attention = 2.0 * (t * t) as f64 * width * (layers - 1.0);
    linears + attention
}

fn fine(bark: &Bark, machine: &Machine, args: &Args) -> Result<()> {
    let (seconds, gpt) = timed(|| {
        let (config, weights) = bark.stage(Stage::Fine, DType::F32, &Device::Cpu)?;
        FineGpt::new(&config, &weights)
    })?;
    println!("{:<44} {:>9.1} ms", "Fine: load", seconds * 1e3);
    let row: Vec<u32> = (0..1024).collect();
    let seconds = median(args.repeat, || gpt.forward(&[&row[..]; 8], 4, 512, 1024).map(drop))?;
    let (t, width, layers) = (1024.0, gpt.config().width as f64, gpt.config().layers as f64);
    let linears = 2.0 * t * width * width * (12.0 * (layers - 1.0) + 3.0 + 9.0 / 2.0);
    let attention = 4.0 * t * t * width * (layers - 0.5);
    machine.print_flops("fine: pass of 1024, from 512", seconds, linears + attention);
    Ok(())
}

fn codec(model: &Model<CodecConfig>, args: &Args) -> Result<()> {
    let codec = Codec::new(&model.config, &model.weights(DType::F32, &Device::Cpu), 8)?;
    let frames = (75.0 * args.seconds) as usize;
    let codes: Vec<u32> = (0..8 * frames as u32).map(|i| i * 7 % 1024).collect();
    let codes = Tensor::from_vec(codes, (1, 8, frames), &Device::Cpu)?;
    let seconds = median(args.repeat, || codec.decode(&codes).map(drop))?;
    println!("{:<44} {:>9.1} ms", format!("codec: decode of {} s", args.seconds), seconds * 1e3);
    let wav = clip(args.seconds, SAMPLE_RATE)?.reshape((1, 1, ()))?;
    let seconds = median(args.repeat, || codec.encode(&wav).map(drop))?;
    println!("{:<44} {:>9.1} ms", format!("codec: encode of {} s", args.seconds), seconds * 1e3);
    Ok(())
}

fn clip(seconds: f64, rate: u32) -> Result<Tensor> {
    let samples = rule::uniform("clip", (seconds * f64::from(rate)) as usize, SEED);
    Ok((Tensor::new(samples, &Device::Cpu)? * 0.1)?.unsqueeze(0)?)
}

fn clone(args: &Args) -> Result<()> {
    let hubert: Model<HubertConfig> = demo::demo_hubert(Size::Small, SEED)?;
    let hubert = Hubert::new(&hubert.config, &hubert.weights(DType::F32, &Device::Cpu), 9)?;
    let wav = clip(args.seconds, HUBERT_RATE)?;
    let mut features = None;
    let seconds = median(args.repeat, || {
        features = Some(hubert.features(&wav)?);
        Ok(())
    })?;
    println!("{:<44} {:>9.1} ms", format!("HuBERT to layer 9, {} s", args.seconds), seconds * 1e3);
    let quantizer: Model<QuantizerConfig> = demo::demo_quantizer(Size::Small, 1, SEED)?;
    let quantizer = Quantizer::new(&quantizer.config, &quantizer.weights(DType::F32, &Device::Cpu))?;
    let features = features.context("HuBERT ran")?;
    let seconds = median(args.repeat, || quantizer.tokens(&features).map(drop))?;
    println!("{:<44} {:>9.1} ms", format!("quantizer v1, {} s", args.seconds), seconds * 1e3);
    Ok(())
}

/// All of it, with a voice, at upstream's temperatures; the length is fixed so that every run does the same work.
fn utterance(bark: Bark, args: &Args) -> Result<()> {
    let mut settings = Settings::new(&Protocol::default(), SEED);
    settings.stop.min_eos_p = None;
    settings.stop.max_seconds = Some(args.seconds);
    let settings = if args.fast { settings.fast() } else { settings };
    let request = Request::text((100..140).collect(), Some(voice()?), settings);
    let mut speaker = Speaker::new(bark, open_codec(args)?, DType::F32, &Device::Cpu, false);
    let (seconds, semantic) = timed(|| speaker.semantic(&request, &Silent))?;
    println!("{:<44} {seconds:>9.2} s", format!("utterance: {} semantic tokens", semantic.len()));
    let (more, coarse) = timed(|| speaker.coarse(&request, &semantic, &Silent))?;
    println!("{:<44} {more:>9.2} s", format!("utterance: {} coarse frames", coarse.frames()));
    let (fine_seconds, fine) = timed(|| speaker.fine(&request, &coarse, &Silent))?;
    println!("{:<44} {fine_seconds:>9.2} s", "utterance: fine");
    let (decode, pcm) = timed(|| speaker.decode(&fine, &Silent))?;
    let all = seconds + more + fine_seconds + decode;
    println!("{:<44} {all:>9.2} s  {:.2} times real time", "utterance: all, loading included", all / pcm.seconds());
    Ok(())
}

fn voice() -> Result<Voice> {
    let semantic = Semantic::new((0..VOICE as u32 * 2 / 3).map(|i| i * 37 % 10_000).collect(), 10_000)?;
    let row = |book: u32| (0..VOICE as u32).map(|i| (i * 13 + book * 101) % 1024).collect();
    Voice::from_parts(semantic, Fine::new(std::array::from_fn(|book| row(book as u32)), 1024)?)
}

/// The most memory this process has held, bytes.
fn peak_memory() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("peak memory is read from /proc")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("no VmHWM in /proc/self/status")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? * 1024.0)
}
