//! How fast each part of the pipeline is, and how near that is to what this machine can do.
//!
//!     cargo run --release --example bench -- --bark large             # rule-made weights of Suno's size, no file needed
//!     cargo run --release --example bench -- --bark PATH --threads 2  # any model that `speak --bark` takes
//!     cargo run --release --example bench -- --weights q8_0 --only batch --batch 8    # speech a second, many at a time
//!     cargo run --release --example bench -- --weights q8_0 --only utterance,score    # what judging a take costs
//!     cargo run --release --features cuda --example bench -- --device cuda --weights f16
//!
//! Memory bandwidth and multiply-add peak are measured in the same run; `share` is the part of that floor that was
//! reached: of the bytes of weights and cache for a step, of the operations for a pass. Times are medians.

mod nets;
#[path = "../../tests/noise/mod.rs"]
mod noise;
#[path = "../probe/mod.rs"]
mod probe;
mod score;
mod speech;

use crate::noise::Size;
use anyhow::{Context, Result, ensure};
use barkclone::checkpoint;
use barkclone::checkpoint::{Bark, Checkpoint};
use barkclone::kernels::Isa;
use barkclone::net::codec::CodecConfig;
use barkclone::net::cpu;
use barkclone::net::repr::Repr;
use barkclone::progress::Silent;
use candle_core::{DType, Device};
use clap::Parser;
use std::path::Path;
use std::time::Instant;

const SEED: u64 = 1;

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
    /// scalar, avx2, avx-vnni, avx512 or amx [default: the best that the machine has]
    #[arg(long)]
    kernels: Option<String>,
    /// f32, f16, bf16, q8_0 or q4_k: packed into target/bench at the first use [default: as the model lies]
    #[arg(long)]
    weights: Option<String>,
    /// As `speak --device` takes it; candle is the CPU without our kernels, which runs what a GPU would
    #[arg(long, default_value = "cpu", value_parser = noise::device)]
    device: Device,
    /// Rows that are decoded together, and utterances that are spoken at a time in the part `batch`
    #[arg(long, default_value_t = 1)]
    batch: usize,
    /// Length of the utterance, and of the clip that is cloned
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Fewer and longer coarse windows, and no more fine passes than needed, in the utterance
    #[arg(long)]
    fast: bool,
    /// Utterances of the part `batch` [default: three times the batch]
    #[arg(long)]
    utterances: Option<usize>,
    /// Repeats of each measurement
    #[arg(long, default_value_t = 5)]
    repeat: usize,
    /// Only these parts: utterance, score, first, batch, steps, fine, codec, clone, words
    #[arg(long, value_delimiter = ',', default_value = "utterance,score,steps,fine,codec,clone,words")]
    only: Vec<String>,
}

impl Args {
    /// What the nets compute in: off the kernels' own device, the type that the weights are packed in.
    fn dtype(&self) -> DType {
        match self.weights.as_deref() {
            Some("f16") if !cpu::runs_on(&self.device) => DType::F16,
            Some("bf16") if !cpu::runs_on(&self.device) => DType::BF16,
            _ => DType::F32,
        }
    }
}

/// The limits of the threads in use, or of the device.
struct Machine {
    bytes: f64,
    flops: f64,
}

impl Machine {
    fn measure(args: &Args) -> Result<Self> {
        let machine = match cpu::runs_on(&args.device) {
            true => Self { bytes: probe::bandwidth(), flops: probe::fma_peak() },
            false => {
                let (bytes, flops) = probe::device(&args.device, args.dtype())?;
                Self { bytes, flops }
            }
        };
        let on = match args.device.is_cpu() {
            true => format!("{} thread(s)", rayon::current_num_threads()),
            false => format!("device, {:?}", args.dtype()),
        };
        println!("{on}: {:.1} GB/s read, {:.0} GFLOP/s", machine.bytes / 1e9, machine.flops / 1e9);
        Ok(machine)
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
    let start = Instant::now();
    let args = Args::parse();
    if let Some(name) = &args.kernels {
        let isa =
            Isa::available().into_iter().find(|isa| isa.name() == name).context("--kernels: no set of this machine")?;
        ensure!(Isa::choose(isa), "another set was chosen already");
    }
    let threads = args.threads.unwrap_or(std::thread::available_parallelism()?.get());
    rayon::ThreadPoolBuilder::new().num_threads(threads).build()?.install(|| run(&args, start))
}

/// `start`: of the process.
fn run(args: &Args, start: Instant) -> Result<()> {
    let packed = packed(args)?;
    let bark = || open_bark(packed.as_deref().unwrap_or(&args.bark));
    let wants = |part: &str| args.only.iter().any(|p| p == part);
    // Before anything else has touched the memory.
    if wants("utterance") {
        speech::utterance(bark, args, start)?;
    }
    if wants("score") {
        score::score(args, wants("utterance").then_some(cpu_seconds()?))?;
    }
    if wants("first") {
        speech::first(bark, args)?;
    }
    if wants("batch") {
        speech::batch(bark()?, args)?;
    }
    if !["steps", "fine", "codec", "clone", "words"].into_iter().any(wants) {
        return Ok(());
    }
    let machine = Machine::measure(args)?;
    if wants("steps") {
        nets::semantic(&bark()?, &machine, args)?;
        nets::coarse(&bark()?, &machine, args)?;
    }
    if wants("fine") {
        nets::fine(&bark()?, &machine, args)?;
    }
    if wants("codec") {
        nets::codec(&open_codec(args)?, args)?;
    }
    if wants("clone") {
        nets::clone(args)?;
    }
    if wants("words") {
        nets::words(args)?;
    }
    Ok(())
}

fn open_bark(choice: &str) -> Result<Bark> {
    Ok(match choice {
        "tiny" => noise::bark(Size::Tiny, SEED),
        "small" => noise::bark(Size::Small, SEED),
        "large" => noise::bark(Size::Large, SEED),
        path => checkpoint::bark(Path::new(path))?,
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
        let (seconds, ()) = timed(|| {
            checkpoint::pack(&open_bark(&args.bark)?, (Some(&open_codec(args)?), None), repr, &path, &Silent)
        })?;
        println!("{:<44} {seconds:>9.1} s", format!("packed as {repr}"));
    }
    Ok(Some(path.display().to_string()))
}

fn open_codec(args: &Args) -> Result<Checkpoint<CodecConfig>> {
    args.codec.as_ref().map_or_else(|| Ok(noise::codec(SEED)), |path| checkpoint::codec(Path::new(path)))
}

/// Seconds of `work`, and what it made.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let start = Instant::now();
    let made = work()?;
    Ok((start.elapsed().as_secs_f64(), made))
}

/// Seconds that all threads of this process have computed so far.
fn cpu_seconds() -> Result<f64> {
    let told = std::fs::read_to_string("/proc/self/stat").context("the time of all threads is told on Linux alone")?;
    // The name, in parentheses, may hold spaces; utime and stime are the 14th and 15th field, in ticks of 10 ms.
    let (_, fields) = told.rsplit_once(')').context("/proc/self/stat has another form")?;
    let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}

/// The median of `repeat` runs, after one that warms up.
fn median(repeat: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let mut times = (0..repeat).map(|_| Ok(timed(&mut work)?.0)).collect::<Result<Vec<_>>>()?;
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
