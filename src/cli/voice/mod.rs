//! `barkclone voice`: looks at voice files, and makes others of them.

mod edit;
mod inspect;
mod library;
mod preview;
mod rank;

use super::progress::Terminal;
use anyhow::Result;
use barkclone::models::Models;
use clap::{Args, Subcommand};
use edit::{ConvertArgs, FixArgs, MergeArgs, TrimArgs};
use inspect::{CheckArgs, DiffArgs, InspectArgs};
use library::{ListArgs, RemoveArgs, RenameArgs};
use preview::PreviewArgs;
use rank::RankArgs;

const EXAMPLES: &str = "\
Examples:
  barkclone voice inspect voz.npz                  # what it holds, and where it comes from
  barkclone voice check *.npz                      # would Bark take them? Exit code 3 if not
  barkclone voice fix old.npz -o new.npz           # mends what Bark would refuse, and says what
  barkclone voice convert voz.npz --to npy         # Hugging Face's three files
  barkclone voice trim voz.npz --seconds 7 -o end.npz
  barkclone voice merge calm.npz lively.npz -o both.npz
  barkclone voice preview voz.npz -o voz.wav       # how its codes sound
  barkclone voice rank ref.wav a.npz b.npz         # which is nearest to the recording
  barkclone voice diff a.npz b.npz
  barkclone voice convert voz.npz voz.pth          # as coqui-tts keeps it
  barkclone voice list                             # those that `clone --name` keeps; a name does wherever a voice is asked for

A voice is an .npz file, a .pth file of coqui-tts, or three .npy files as Hugging Face has them: NAME for NAME_semantic_prompt.npy, \
NAME_coarse_prompt.npy and NAME_fine_prompt.npy, or the folder that holds them.";

/// Look at voice files, mend, cut, merge and convert them
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct VoiceArgs {
    #[command(subcommand)]
    command: VoiceCommand,
}

#[derive(Subcommand, Debug)]
enum VoiceCommand {
    Inspect(InspectArgs),
    Check(CheckArgs),
    Fix(FixArgs),
    Convert(ConvertArgs),
    Trim(TrimArgs),
    Merge(MergeArgs),
    Preview(PreviewArgs),
    Rank(Box<RankArgs>),
    Diff(DiffArgs),
    List(ListArgs),
    Remove(RemoveArgs),
    Rename(RenameArgs),
}

pub fn run(args: VoiceArgs, models: impl FnOnce() -> Result<Models>, terminal: &Terminal) -> Result<()> {
    match args.command {
        VoiceCommand::Inspect(args) => inspect::inspect(&args),
        VoiceCommand::Check(args) => inspect::check(&args),
        VoiceCommand::Fix(args) => edit::fix(&args, terminal),
        VoiceCommand::Convert(args) => edit::convert(&args, terminal),
        VoiceCommand::Trim(args) => edit::trim(&args, terminal),
        VoiceCommand::Merge(args) => edit::merge(&args, terminal),
        VoiceCommand::Preview(args) => preview::run(&args, &models()?, terminal),
        VoiceCommand::Rank(args) => rank::run(&args, &models()?, terminal),
        VoiceCommand::Diff(args) => inspect::diff(&args),
        VoiceCommand::List(args) => library::list(&args),
        VoiceCommand::Remove(args) => library::remove(&args),
        VoiceCommand::Rename(args) => library::rename(&args, &models()?),
    }
}
