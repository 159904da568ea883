//! `barkclone quantizer info`: what a quantizer's file holds.

use crate::cli::{one_line, out};
use anyhow::Result;
use barkclone::checkpoint::{self, TrainingRecord};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Tell a quantizer's version and sizes, and what it was trained on
///
/// Only quantizers of `quantizer train` tell what they were trained on.
#[derive(Args, Debug)]
pub struct InfoArgs {
    /// A quantizer, such as mine.pth
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &InfoArgs) -> Result<()> {
    let quantizer = checkpoint::quantizer(&args.file)?;
    let (config, sha256) = (&quantizer.config, quantizer.identity()?);
    let record = checkpoint::training_record(&args.file)?;
    if args.json {
        let file = args.file.display().to_string();
        return out(format!("{}\n", json!({"file": file, "sizes": config, "sha256": sha256, "training": record})));
    }
    let sizes = format!(
        "version {}: {} features -> {} -> {} tokens\nweights {sha256}\n",
        config.version, config.input_size, config.hidden_size, config.output_size
    );
    let training = record.map_or("its training is not known\n".to_owned(), |record| lines(&record));
    out(sizes + &training)
}

/// A line for each thing that is known.
fn lines(record: &TrainingRecord) -> String {
    let data = format!("{} ({} clips, {})", record.data, record.clips, crate::cli::clock(record.seconds));
    let accuracy = record.accuracy.map(|accuracy| format!("{} of tokens right", super::percent(accuracy)));
    let known = [
        ("language", record.language.clone()),
        ("data", Some(data)),
        ("augment", record.augment.clone()),
        ("epoch", Some(record.epoch.to_string())),
        ("held out", accuracy),
        ("init", record.init.clone()),
        ("hubert", Some(record.hubert.clone())),
        ("licence", record.licence.clone()),
        ("consent", record.consent.clone()),
        ("date", record.date.clone()),
        ("tool", Some(record.tool.clone())),
    ];
    let line = |(name, value): (&str, Option<String>)| Some(format!("{name}: {}\n", one_line(&value?)));
    known.into_iter().filter_map(line).collect()
}
