//! `barkclone report`: reports of many utterances into one, and what they say in sum.

use super::progress::Terminal;
use super::{out, placed};
use anyhow::Result;
use barkclone::batch::{self, Record, Summary};
use barkclone::output;
use barkclone::progress::Progress;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use std::cmp::Reverse;
use std::path::{Path, PathBuf};

/// Merge and sum up the reports of `speak`, `convert` and `clone` of many
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
    /// A page to listen to: each text with its sounds, what may not sound right, its seed, and the command that makes it
    /// once more. Prints its path
    ///
    /// The page needs nothing else, and opens in any browser. It holds the sounds themselves up to 64 MB; beyond that it
    /// plays the files.
    Page {
        #[arg(value_name = "REPORT")]
        report: PathBuf,
        /// Where to write [default: the report's name with .html, beside it]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// The folder of the sounds [default: that of the report, or of a long text REPORT.parts]
        #[arg(long, short = 'd', value_name = "DIR")]
        folder: Option<PathBuf>,
        /// Whether the page holds the sounds or plays their files
        #[arg(long, value_name = "HOW", value_enum, default_value = "auto")]
        sounds: Sounds,
        /// Replace a file that exists
        #[arg(long)]
        force: bool,
    },
    /// What was made, in sum, and what failed or may not sound right, the worst first: with --json in `bad`
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
        Command::Page { report, output, folder, sounds, force } => {
            output::keep_input(&report);
            let folder = folder.unwrap_or_else(|| sounds_of(&report));
            let output = output.unwrap_or_else(|| report.with_extension("html"));
            page(&report, &folder, &output, (sounds, force), terminal)?;
            out(format!("{}\n", output.display()))
        }
        Command::Summary { reports, json: true } => {
            let mut bad = Vec::new();
            let sum = batch::summary(&reports, |record| {
                bad.extend(is_bad(record).then(|| {
                    let Record { id, line, source, out, error, findings, .. } = record;
                    let told = json!({"id": id, "line": line, "source": source, "out": out, "error": error, "findings": findings});
                    (rank(record), told)
                }));
                Ok(())
            })?;
            bad.sort_by_key(|(rank, _)| *rank);
            let mut told = serde_json::to_value(&sum)?;
            told["bad"] = bad.into_iter().map(|(_, told)| told).collect();
            out(format!("{told}\n"))
        }
        Command::Summary { reports, json: false } => {
            let mut told = Vec::new();
            let sum = batch::summary(&reports, |record| {
                told.extend(is_bad(record).then(|| (rank(record), line(record))));
                Ok(())
            })?;
            told.sort_by_key(|(rank, _)| *rank);
            told.iter().try_for_each(|(_, line)| out(line))?;
            out(table(&sum))
        }
    }
}

fn is_bad(record: &Record) -> bool {
    record.error.is_some() || !record.findings.is_empty()
}

/// The worst come first.
fn rank(record: &Record) -> (bool, Reverse<u32>) {
    (record.error.is_none(), Reverse(record.faults()))
}

/// Where a page's sounds are.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Sounds {
    Auto,
    Embed,
    Link,
}

/// Writes the page.
pub fn page(
    report: &Path,
    folder: &Path,
    output: &Path,
    (sounds, force): (Sounds, bool),
    terminal: &Terminal,
) -> Result<()> {
    let asked = match sounds {
        Sounds::Auto => batch::Sounds::Auto,
        Sounds::Embed => batch::Sounds::Embedded,
        Sounds::Link => batch::Sounds::Linked,
    };
    let embedded = batch::page(report, folder, output, (asked, force))?;
    if !embedded {
        terminal.note(&format!("{} plays the sounds in {}: keep both", output.display(), folder.display()));
    }
    Ok(())
}

/// The folder of a report's sounds: its own, or for a long text the one of its pieces.
fn sounds_of(report: &Path) -> PathBuf {
    let parts = report.with_extension("parts");
    let own = || report.parent().unwrap_or(Path::new("")).to_owned();
    if parts.is_dir() { parts } else { own() }
}

/// What is wrong with a result.
fn line(record: &Record) -> String {
    let findings: Vec<_> = record.findings.iter().map(|finding| finding.message.as_str()).collect();
    let (place, findings) = (record.place(), findings.join("; "));
    match (&record.error, &record.out) {
        (Some(error), _) => placed(&place, error) + "\n",
        (None, out) => format!("{place}: {}: may not sound right: {findings}\n", out.as_deref().unwrap_or_default()),
    }
}

fn table(sum: &Summary) -> String {
    let Summary { done, failed, doubtful, seconds, took, bytes } = sum;
    let speed = sum.speed().map_or(String::new(), |speed| format!(": {}", super::pace(1.0 / speed)));
    let doubtful = if *doubtful > 0 { format!(", {doubtful} that may not sound right") } else { String::new() };
    format!("{done} done, {failed} failed{doubtful}; {seconds:.1} s of speech ({bytes} bytes) in {took:.1} s{speed}\n")
}
