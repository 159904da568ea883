//! `barkclone check`: whether recordings will make good voices.

use super::progress::Terminal;
use super::references::{ReadingArgs, once, recordings};
use super::{check_page_target, out, tell};
use anyhow::{Error, Result, ensure};
use barkclone::audio;
use barkclone::error::Kind;
use barkclone::output;
use barkclone::progress::Progress;
use barkclone::sound::page::{self, Picture};
use barkclone::sound::{self, Finding, LONGEST_CHECKED, Level, RecordedFinding, Report, with_speech};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Tell what is wrong with a recording before it becomes a voice, and what to do about it
///
/// Prints a block for each recording: the findings, worst first, what was measured, and which seconds each of Bark's
/// stages will hear. "bad" means that the voice will be bad, "warning" that it will be worse than it could be, "note"
/// that it will hardly suffer. Music and a second speaker are hints, with how sure they are. Of a recording longer than
/// 300 seconds the last 300 are looked at.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Recordings, or folders of them
    #[arg(required = true, value_name = "REF")]
    recordings: Vec<PathBuf>,
    /// Print a line of JSON for each recording instead
    #[arg(long)]
    json: bool,
    /// Exit with code 3 if anything "bad" is found
    #[arg(long)]
    strict: bool,
    /// Write a page of HTML about all of them: waveforms, spectrograms, findings. It needs no network and holds no
    /// sound
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    reading: ReadingArgs,
}

/// Every recording is looked at, also after one, or a folder, that cannot be read.
pub fn run(mut args: CheckArgs, terminal: &Terminal) -> Result<()> {
    let mut named: Vec<(PathBuf, Error)> = Vec::new();
    let found = |path: PathBuf| {
        recordings(std::slice::from_ref(&path)).unwrap_or_else(|error| {
            named.push((path, error));
            Vec::new()
        })
    };
    args.recordings = once(std::mem::take(&mut args.recordings).into_iter().flat_map(found).collect());
    args.check_outputs()?;
    let count = args.recordings.len() + named.len();
    let (mut pictures, mut unread, mut bad) = (Vec::new(), Vec::new(), 0);
    for (path, error) in named {
        args.failed(&path, &error)?;
        unread.push(error);
    }
    terminal.start("checking", args.recordings.len() as u64, "recording");
    for path in &args.recordings {
        match args.one(path, &mut pictures, terminal) {
            Ok(report) => bad += usize::from(report.worst == Some(Level::Bad)),
            Err(error) => {
                args.failed(path, &error)?;
                unread.push(error);
            }
        }
        terminal.advance(1);
    }
    terminal.finish();
    args.draw(&pictures)?;
    if let (Some(error), 1) = (unread.pop_if(|_| count == 1), count) {
        return Err(error);
    }
    unread.iter().for_each(|error| tell(format_args!("error: {error:#}")));
    let broken = format!("{} of {count} recordings cannot be used", unread.len());
    ensure!(unread.is_empty(), Kind::Partial.error(broken));
    ensure!(!args.strict || bad == 0, Kind::Input.error(format!("--strict: {bad} of {count} recordings: bad")));
    Ok(())
}

impl CheckArgs {
    fn check_outputs(&self) -> Result<()> {
        self.recordings.iter().for_each(|path| output::keep_input(path));
        self.report.iter().try_for_each(|path| check_page_target(path, self.force))
    }

    /// Checks one recording and prints what was found.
    fn one(&self, path: &Path, pictures: &mut Vec<Picture>, terminal: &Terminal) -> Result<Report> {
        let clip = audio::read(with_speech(self.reading.input(path)?, terminal), LONGEST_CHECKED)?;
        clip.notes.iter().for_each(|note| terminal.note(&format!("warning: {}: {note}", path.display())));
        let report = sound::check(&clip)?;
        out(if self.json { json(path, &report)? } else { block(path, &report)? })?;
        if self.report.is_some() {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            pictures.push(Picture::new(name, &clip.pcm, report.clone())?);
        }
        Ok(report)
    }

    /// With `--json` the line of a recording that cannot be used.
    fn failed(&self, path: &Path, error: &Error) -> Result<()> {
        let told = json!({"event": "failed", "source": path.to_string_lossy(), "error": format!("{error:#}")});
        if self.json { out(format!("{told}\n")) } else { Ok(()) }
    }

    fn draw(&self, pictures: &[Picture]) -> Result<()> {
        if let (Some(path), false) = (&self.report, pictures.is_empty()) {
            let page = page::html(pictures)?;
            output::write_atomically(path, self.force, |sink| Ok(sink.write_all(page.as_bytes())?))?;
        }
        Ok(())
    }
}

/// One line: what all commands say of a result, and all that was measured. Of its findings the first place is `at`, and
/// all are `places`.
fn json(path: &Path, report: &Report) -> Result<String> {
    let mut line = serde_json::to_value(report)?;
    line["findings"] = report.findings.iter().map(finding).collect::<Result<_>>()?;
    line["event"] = "checked".into();
    line["source"] = path.to_string_lossy().into();
    Ok(format!("{line}\n"))
}

fn finding(finding: &Finding) -> Result<Value> {
    let mut told = serde_json::to_value(RecordedFinding::from(finding))?;
    told["level"] = serde_json::to_value(finding.level)?;
    told["advice"] = finding.advice.as_str().into();
    told["places"] = serde_json::to_value(&finding.at)?;
    if let Some(confidence) = finding.confidence {
        told["confidence"] = confidence.into();
    }
    Ok(told)
}

/// The block that a person reads.
fn block(path: &Path, report: &Report) -> Result<String> {
    let mut block = String::new();
    let (path, seconds, rate) = (path.display(), report.seconds, report.rate);
    writeln!(block, "{path}: {seconds:.1} s at {rate} Hz, {} channel(s). {}", report.channels, report.verdict())?;
    for finding in &report.findings {
        writeln!(block, "  {:<8} {finding}", finding.level)?;
    }
    let measured: Vec<_> = report.table().into_iter().map(|row| format!("{} {}", row.name, row.value)).collect();
    writeln!(block, "  measured {}", measured.join(", "))?;
    if let Some(stages) = &report.stages {
        let span = |r: &Range<f64>| format!("{:.1} to {:.1} s", r.start, r.end);
        let (text, coarse, fine) = (span(&stages.text), span(&stages.coarse), span(&stages.fine));
        writeln!(block, "  heard    text stage {text}, coarse {coarse}, fine {fine}")?;
    }
    Ok(block)
}
