//! `barkclone report`: reports of many utterances into one, and what they say in sum.

use super::out;
use super::progress::Terminal;
use anyhow::Result;
use barkclone::batch::{self, Summary};
use barkclone::progress::Progress;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Merge and sum up the reports of `speak --lines` and `--jobs`
#[derive(Args, Debug)]
pub struct ReportArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Reports of shards into one: the newest line of each id, in the order of the jobs. Prints its path
    ///
    /// Refuses reports in which one id has two texts.
    Merge {
        #[arg(required = true, value_name = "REPORT")]
        reports: Vec<PathBuf>,
        /// Where to write
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
        /// Replace a file that exists
        #[arg(long)]
        force: bool,
    },
    /// What was spoken, in sum, and the lines that failed
    Summary {
        #[arg(required = true, value_name = "REPORT")]
        reports: Vec<PathBuf>,
        /// As a JSON object
        #[arg(long)]
        json: bool,
    },
}

pub fn run(args: ReportArgs, terminal: &Terminal) -> Result<()> {
    match args.command {
        Command::Merge { reports, output, force } => {
            let count = batch::merge(&reports, &output, force)?;
            terminal.note(&format!("{count} utterances of {} reports", reports.len()));
            out(format!("{}\n", output.display()))
        }
        Command::Summary { reports, json: true } => {
            let sum = batch::summary(&reports, |_| Ok(()))?;
            out(format!("{}\n", serde_json::to_string(&sum)?))
        }
        Command::Summary { reports, json: false } => {
            let sum = batch::summary(&reports, |record| {
                let error = record.error.as_deref().unwrap_or_default();
                out(format!("line {}: {error}\n", record.line))
            })?;
            out(table(&sum))
        }
    }
}

fn table(sum: &Summary) -> String {
    let Summary { done, failed, seconds, took, bytes } = sum;
    let speed = sum.speed().map_or(String::new(), |speed| format!(": {:.2} times real time", 1.0 / speed));
    format!("{done} spoken, {failed} failed; {seconds:.1} s of speech ({bytes} bytes) in {took:.1} s{speed}\n")
}
