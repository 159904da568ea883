//! `barkclone quantizer info`: what a quantizer's file holds.

use crate::cli::progress::Terminal;
use crate::cli::{nets, one_line, out};
use anyhow::Result;
use barkclone::checkpoint::TrainingRecord;
use barkclone::models::Models;
use clap::Args;
use serde_json::json;

/// Tell a quantizer's version and sizes, and what it was trained on
///
/// Only quantizers of `quantizer train` tell what they were trained on.
#[derive(Args, Debug)]
pub struct InfoArgs {
    /// A quantizer: a file, such as mine.pth, or a name from `models list`
    #[arg(value_name = "FILE")]
    quantizer: String,
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &InfoArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    let quantizer = nets::quantizer(&args.quantizer, models, terminal)?;
    let (config, sha256) = (&quantizer.config, quantizer.identity()?);
    let record = nets::training_record(&args.quantizer, models, terminal)?;
    if args.json {
        let told = json!({"file": args.quantizer, "sizes": config, "sha256": sha256, "training": record});
        return out(format!("{told}\n"));
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
    let epoch = match record.epochs {
        0 => record.epoch.to_string(),
        of => format!("{} of {of}", record.epoch),
    };
    let known = [
        ("language", record.language.clone()),
        ("data", Some(data)),
        ("augment", record.augment.clone()),
        ("epoch", Some(epoch)),
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
