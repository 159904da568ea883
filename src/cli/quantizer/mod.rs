//! `barkclone quantizer`: trains quantizers, judges them, and tells what they are.

mod data;
mod ear;
mod eval;
mod info;
mod train;

use super::nets::{self, DeviceArgs};
use super::progress::Terminal;
use anyhow::Result;
use barkclone::checkpoint::Checkpoint;
use barkclone::models::Models;
use barkclone::net::hubert::HubertConfig;
use barkclone::output::{self, ScratchFolder};
use barkclone::progress::Progress;
use barkclone::train::{Align, Augment, Cache, Change, Clips};
use candle_core::Device;
use clap::{Args, Subcommand, ValueEnum};
use data::PairArgs;
use eval::EvalArgs;
use info::InfoArgs;
use std::collections::BTreeSet;
use std::path::PathBuf;
use train::TrainArgs;

const EXAMPLES: &str = "\
Examples:
  barkclone quantizer data --lines sentences.txt -d data/             # Bark speaks the sentences
  barkclone quantizer train data/ -o mine.pth --language gl --epochs 24
  barkclone quantizer train data/ -o mine.pth --init pt --lr 0.0002   # goes on from a published one
  barkclone quantizer eval mine.pth held-out/                         # how many tokens it gets right
  barkclone quantizer info mine.pth
  barkclone clone ref.wav --quantizer mine.pth -o voz.npz

The data are pairs of a sound that Bark spoke and the semantic tokens that it spoke it from: NAME.wav and NAME.npy, \
N_wav.wav and N_semantic.npy, or zip archives of them in wav/ and semantic/.";

/// Train a quantizer for a language or an accent of your own, and judge it
///
/// The quantizer makes Bark's tokens of what HuBERT hears: it decides which language a clone speaks well.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct QuantizerArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Data(Box<PairArgs>),
    Train(Box<TrainArgs>),
    Eval(Box<EvalArgs>),
    Info(InfoArgs),
}

pub fn run(args: QuantizerArgs, models: impl FnOnce() -> Result<Models>, terminal: &Terminal) -> Result<()> {
    match args.command {
        Command::Data(args) => data::run(*args, &models()?, terminal),
        Command::Train(args) => train::run(&args, &models()?, terminal),
        Command::Eval(args) => eval::run(&args, &models()?, terminal),
        Command::Info(args) => info::run(&args, &models()?, terminal),
    }
}

/// Which token belongs to which frame.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum AlignBy {
    /// By how far into the sound they are
    Ratio,
    /// Too many tokens lose their front, too many frames their end: gitmylo's rule, by which the published ones were
    /// trained, and which is a frame off for clips under 6.7 s
    Cut,
}

/// What is done to a sound.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum AugmentBy {
    /// White noise, 10 to 30 dB under the sound
    Noise,
    /// 15 dB softer to 6 dB louder
    Level,
    /// A band as narrow as a telephone's
    Band,
    /// The reflections of a room
    Room,
}

impl AugmentBy {
    fn change(self) -> Change {
        match self {
            AugmentBy::Noise => Change::Noise,
            AugmentBy::Level => Change::Level,
            AugmentBy::Band => Change::Band,
            AugmentBy::Room => Change::Room,
        }
    }
}

/// Sounds changed so, by that seed; `None`: as they are.
fn augment(changes: &[AugmentBy], seed: u64) -> Option<Augment> {
    let changes: BTreeSet<_> = changes.iter().map(|by| by.change()).collect();
    (!changes.is_empty()).then_some(Augment { changes, seed })
}

/// Where pairs are, and what hears them.
#[derive(Args, Debug)]
pub struct DataArgs {
    /// The folder of pairs
    #[arg(value_name = "DATA")]
    data: PathBuf,
    /// How frames and tokens are matched where they differ in number
    #[arg(long, value_name = "HOW", value_enum, default_value = "ratio")]
    align: AlignBy,
    /// Where to keep what HuBERT hears, which it hears once [default: `.features` in the folder of pairs]; `eval` goes
    /// without where it cannot be written
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// HuBERT, the net that hears the sounds: a name from `models list`, or a file or folder
    #[arg(long, value_name = "MODEL", default_value = "hubert-base", default_value_if("demo", "true", "demo"))]
    #[arg(help_heading = "Models")]
    hubert: String,
    #[command(flatten)]
    device: DeviceArgs,
}

impl DataArgs {
    /// HuBERT, and where it runs.
    fn nets(&self, models: &Models, terminal: &Terminal) -> Result<(Checkpoint<HubertConfig>, Device)> {
        Ok((nets::hubert(&self.hubert, models, terminal)?, self.device.open()?))
    }

    fn cache(&self) -> PathBuf {
        self.cache.clone().unwrap_or_else(|| self.data.join(".features"))
    }

    /// A folder for what HuBERT hears that goes, where the one for it cannot be written.
    fn spare(&self, terminal: &Terminal) -> Result<Option<ScratchFolder>> {
        let Err(error) = output::check_new_folder(&self.cache()) else { return Ok(None) };
        terminal.note(&format!("{error:#}: what HuBERT hears is not kept"));
        ScratchFolder::new().map(Some)
    }

    /// The clips, heard; what was left out is told.
    fn open(
        &self,
        (spare, augment): (Option<&ScratchFolder>, Option<&Augment>),
        models: &Models,
        terminal: &Terminal,
    ) -> Result<Clips> {
        let (hubert, device) = self.nets(models, terminal)?;
        let align = match self.align {
            AlignBy::Cut => Align::Cut,
            AlignBy::Ratio => Align::Ratio,
        };
        let cache = Cache { folder: &self.cache(), spare: spare.map(ScratchFolder::path) };
        let clips = Clips::open(&self.data, (&hubert, &device), (cache, align), augment, terminal)?;
        terminal.note(&format!("{} clips, {}", clips.clips.len(), super::clock(clips.seconds)));
        if !clips.left_out.is_empty() {
            terminal.note(&format!("warning: {}: left out: {}", self.data.display(), clips.faults()));
        }
        Ok(clips)
    }
}

/// A share, in words.
fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
