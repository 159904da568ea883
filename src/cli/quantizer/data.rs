//! `barkclone quantizer data`: Bark speaks sentences into pairs.

use super::{AugmentBy, augment};
use crate::cli::nets::number;
use crate::cli::progress::Terminal;
use crate::cli::speak::{Pairs, SpeakArgs, run_pairs};
use anyhow::Result;
use barkclone::models::Models;
use clap::Args;

/// What `speak` takes, and makes no pairs: what is heard, or joined, or lacks a part, or is named otherwise.
const NOT_TAKEN: [&str; 18] = [
    "text",
    "output",
    "play",
    "raw_pcm",
    "save_voice",
    "file",
    "ab",
    "takes",
    "names",
    "trim_tail",
    "keep_all",
    "chapters",
    "subtitles",
    "history",
    "paragraph_silence",
    "sentence_silence",
    "line_breaks",
    "markdown",
];

/// Let Bark speak sentences, and keep each sound with the semantic tokens that it was made from
///
/// Speaks as `speak --lines FILE -d DIR` does, with its flags and its report, and writes the tokens beside each WAV
/// (.npy, int64): pairs for `quantizer train`. Each sentence has a random voice of its own, or one of --voices. The
/// same command goes on where it was stopped; --shard shares the work.
#[derive(Args, Debug)]
#[command(mut_args(|arg| if NOT_TAKEN.contains(&arg.get_id().as_str()) { arg.hide(true) } else { arg }))]
pub struct PairArgs {
    /// Who speaks: voice files, or names; `v2/pt_speaker_*` stands for all of Suno's that begin so [default: a random
    /// voice for each sentence]
    #[arg(long, value_name = "VOICE", num_args = 1.., conflicts_with = "voice")]
    voices: Vec<String>,
    /// Speak about so many hours, by the length of the sentences
    #[arg(long, value_name = "HOURS", allow_negative_numbers = true, value_parser = positive)]
    hours: Option<f64>,
    /// Change each sound that is written, with one or more of these changes by chance (--seed); its tokens stay, and the
    /// report says what was done. Alone: all of them. For `quantizer train` its own --augment is the better choice: it
    /// learns from sounds as they are too, and judges by those. This one is for other trainers; not both
    #[arg(long, value_name = "CHANGE", value_enum, value_delimiter = ',', num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "noise,level,band,room")]
    augment: Vec<AugmentBy>,
    #[command(flatten)]
    speak: SpeakArgs,
}

/// A number above 0.
pub fn positive(text: &str) -> Result<f64, String> {
    number(text).and_then(|x| if x > 0.0 && x.is_finite() { Ok(x) } else { Err("expected a number above 0".into()) })
}

pub fn run(args: PairArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    let augment = augment(&args.augment, args.speak.seed());
    run_pairs(args.speak, Pairs { voices: args.voices, hours: args.hours, augment }, models, terminal)
}
