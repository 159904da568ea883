//! `barkclone convert`: recordings to the same words in another voice.

mod failures;
mod flags;
mod jobs;
mod run;

use super::batch::Batch;
use super::choice::read_voice;
use super::nets::BarkChoice;
use super::progress::Terminal;
use super::provenance::new_seed;
use anyhow::Result;
use barkclone::models::Models;
use barkclone::progress::Progress;
use barkclone::speak::{Decoder, Speaker};
use barkclone::stage::protocol::Protocol;
use clap::Args;
use failures::Failures;
use flags::{NetArgs, SamplingArgs};
use run::{Manner, Run, Tally};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Say a recording's words, at its pace, in another voice
///
/// HuBERT and a quantizer hear the recording as semantic tokens, and Bark speaks them as the voice: no text is needed. The
/// quantizer is that of the recording's language. A recording may be hours long (four at most): memory does not grow with it.
/// Tokens run at 49.9 a second and HuBERT at 50, so the result is 0.2 % longer.
///
/// A recording that cannot be converted does not stop the others (exit code 7).
///
/// Prints the path of each WAV file it wrote: 24 kHz mono. The file says in its LIST/INFO chunk how it was made, and that it is
/// synthetic speech.
#[derive(Args, Debug)]
pub struct ConvertArgs {
    /// Recordings, or folders of them: WAV, FLAC, MP3, Ogg, Opus, M4A, AIFF, CAF, or a video's sound
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// A voice file, or one of Suno's voices such as v2/pt_speaker_3
    #[arg(long, value_name = "VOICE")]
    voice: String,
    /// Where to write, of a single source; `-` is stdout
    #[arg(long, short, value_name = "FILE", required_unless_present = "directory", conflicts_with = "directory")]
    output: Option<PathBuf>,
    /// The folder to write to, under the sources' own names
    #[arg(long, short, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
    /// Write 32-bit float samples instead of 16-bit integers
    #[arg(long)]
    float: bool,
    /// Recordings that are converted at a time; on the CPU their sound does not depend on it
    #[arg(long, value_name = "auto|N", default_value = "auto")]
    batch: Batch,
    /// Stop at the first recording that fails
    #[arg(long)]
    fail_fast: bool,
    #[command(flatten)]
    sampling: SamplingArgs,
    #[command(flatten)]
    nets: NetArgs,
}

/// Everything that can be wrong without a model is found before one is loaded.
pub fn run(args: ConvertArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    let seed = args.sampling.seed.unwrap_or_else(new_seed);
    args.sampling.settings(&Protocol::default(), seed).check()?;
    let device = args.nets.device.open()?;
    let dtype = args.nets.weights.computed(&device)?;
    let pairs = args.pairs()?;
    args.check_retry(&pairs)?;
    let mut failures = Failures::new(terminal, pairs.len(), args.fail_fast);
    let jobs = jobs::checked(pairs, &mut failures)?;
    if jobs.is_empty() {
        return failures.conclude();
    }
    let voice = Arc::new(read_voice(&args.voice, models, terminal)?.voice);
    let choice = BarkChoice { bark: &args.nets.bark, codec: args.nets.codec.as_deref(), weights: args.nets.weights };
    let (bark, codec) = choice.open(device.is_cpu(), models, terminal)?;
    let settings = args.sampling.settings(&bark.protocol, seed);
    settings.check()?;
    let heard = VecDeque::from(args.hear(jobs, (&device, models), &mut failures, terminal)?);
    terminal.note(&format!("seed {seed}"));

    let begun = Instant::now();
    let decoder = Decoder::new(&codec, &device)?;
    let mut speaker = Speaker::new(bark, codec, dtype, &device, false);
    let batch = if heard.len() > 1 { args.batch.rows(&speaker)?.min(heard.len()) } else { 1 };
    let manner = Manner { voice, settings, weights: args.nets.weights, retries: args.sampling.retry };
    let mut run = Run::new(heard, (manner, decoder), (&mut failures, terminal), batch == 1);
    speaker.speak_all(&mut run, batch, terminal)?;
    sum_up(&run.tally, begun.elapsed().as_secs_f64(), terminal);
    failures.conclude()
}

fn sum_up(Tally { done, seconds }: &Tally, took: f64, terminal: &Terminal) {
    if *done > 0 {
        let speed = format!("{seconds:.1} s of speech in {took:.1} s: {:.2} times real time", took / seconds);
        terminal.note(&speed);
    }
}
