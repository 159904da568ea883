//! What is said while many utterances are spoken: paths or events on stdout; a bar, failures and a summary on stderr.

use crate::cli::progress::Terminal;
use crate::cli::{clock, out};
use anyhow::{Error, Result};
use barkclone::batch::{Event, Observer, Record, Tally, Task};
use barkclone::progress::Progress;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Keeps the user informed of a run.
pub struct Reporter<'a> {
    terminal: &'a Terminal,
    json: bool,
    /// Whether each utterance's path is a result.
    paths: bool,
    folder: PathBuf,
    total: Option<u64>,
    bar: Option<ProgressBar>,
    state: Mutex<State>,
    begun: Instant,
}

/// What the bar shows.
#[derive(Default)]
struct State {
    /// Spoken or failed in this run.
    worked: u64,
    /// There already.
    skipped: u64,
    /// Seconds of speech.
    seconds: f64,
    stage: String,
    steps: u64,
}

impl<'a> Reporter<'a> {
    pub fn new(terminal: &'a Terminal, (json, paths): (bool, bool), folder: &Path, total: Option<u64>) -> Self {
        let folder = folder.strip_prefix(".").unwrap_or(folder).to_owned();
        let (bar, state) = (terminal.overall(total), Mutex::default());
        Self { terminal, json, paths, folder, total, bar, state, begun: Instant::now() }
    }

    /// Takes the bar away and sums up.
    pub fn close(&self, tally: Tally) -> Result<()> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let Tally { done, skipped, failed, seconds } = tally;
        let took = self.begun.elapsed().as_secs_f64();
        let speed = match seconds > 0.0 {
            true => format!("; {seconds:.1} s of speech in {took:.1} s: {:.2} times real time", took / seconds),
            false => String::new(),
        };
        self.terminal.note(&format!("{done} spoken, {skipped} there already, {failed} failed{speed}"));
        if self.json {
            let told = json!({"done": done, "skipped": skipped, "failed": failed, "seconds": seconds, "took": took});
            self.event("summary", told)?;
        }
        Ok(())
    }

    /// The sound that all utterances were joined into.
    pub fn joined(&self, path: &Path, seconds: f64) -> Result<()> {
        self.terminal.note(&format!(
            "{} of speech; its pieces stay in {}, for the next time",
            clock(seconds),
            self.folder.display()
        ));
        let path = path.display().to_string();
        match self.json {
            true => self.event("joined", json!({"out": path, "seconds": seconds})),
            false => self.print(path),
        }
    }

    fn print(&self, line: String) -> Result<()> {
        let print = || out(format!("{line}\n"));
        self.bar.as_ref().map_or_else(print, |bar| bar.suspend(print))
    }

    fn event(&self, name: &str, mut told: Value) -> Result<()> {
        told["event"] = name.into();
        self.print(told.to_string())
    }

    /// A path is as the user would open it.
    fn shown(&self, out: &Path) -> String {
        self.folder.join(out).display().to_string()
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if let Some(bar) = &self.bar {
            bar.set_position(state.worked + state.skipped);
            bar.set_message(state.text(self.total, self.begun.elapsed().as_secs_f64()));
        }
    }

    fn task(&self, name: &str, task: &Task) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        let told = json!({"id": task.id, "index": task.index, "line": task.line, "text": task.text, "out": self.shown(&task.out)});
        self.event(name, told)
    }

    fn done(&self, record: &Record) -> Result<()> {
        self.update(|state| {
            state.worked += 1;
            state.seconds += record.seconds.unwrap_or_default();
        });
        let path = self.shown(Path::new(record.out.as_deref().unwrap_or_default()));
        if !self.json {
            return if self.paths { self.print(path) } else { Ok(()) };
        }
        self.event("done", serde_json::to_value(Record { out: Some(path), ..record.clone() })?)
    }

    fn failed(&self, record: &Record, error: &Error) -> Result<()> {
        self.update(|state| state.worked += 1);
        self.terminal.error(&format!("line {}: {error:#}", record.line), self.bar.as_ref());
        match self.json {
            true => self.event("failed", serde_json::to_value(record)?),
            false => Ok(()),
        }
    }
}

impl State {
    fn text(&self, total: Option<u64>, elapsed: f64) -> String {
        let mut text = format!("{:.0} s of speech, {:.2} a second", self.seconds, self.seconds / elapsed.max(1e-3));
        let left = total.map(|total| total.saturating_sub(self.worked + self.skipped));
        if let Some(left) = left.filter(|_| self.worked > 0) {
            let seconds = elapsed / self.worked as f64 * left as f64;
            text += &format!(", {} left", clock(seconds));
        }
        if !self.stage.is_empty() {
            text += &format!(" | {} {}", self.stage, self.steps);
        }
        text
    }
}

impl Observer for Reporter<'_> {
    fn tell(&self, event: Event) -> Result<()> {
        match event {
            Event::Started(task) => self.task("started", task),
            Event::Skipped(task) => {
                self.update(|state| state.skipped += 1);
                self.task("skipped", task)
            }
            Event::Moved(task) => {
                self.update(|state| state.skipped += 1);
                self.task("moved", task)
            }
            Event::Done(record) => self.done(record),
            Event::Failed(record, error) => self.failed(record, error),
        }
    }
}

/// The stages show beside the bar of the whole.
impl Progress for Reporter<'_> {
    fn start(&self, task: &str, _: u64, _: &str) {
        self.update(|state| (state.stage, state.steps) = (task.to_owned(), 0));
    }

    fn advance(&self, steps: u64) {
        self.update(|state| state.steps += steps);
    }

    fn finish(&self) {
        self.update(|state| state.stage.clear());
    }

    fn note(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.terminal.note(message)),
            None => self.terminal.note(message),
        }
    }
}
