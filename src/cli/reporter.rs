//! What is said while many results are made: paths or events on stdout; a bar, failures, warnings and a summary on
//! stderr.

use super::progress::Terminal;
use super::{clock, out, placed};
use anyhow::{Error, Result};
use barkclone::batch::{Event, Item, Observer, Record, Survey, Tally, Task};
use barkclone::ears::Score;
use barkclone::progress::Progress;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// How the results of a command are spoken of.
#[derive(Clone, Copy)]
pub struct Words {
    /// As `speak`.
    pub verb: &'static str,
    /// As `spoken`.
    pub done: &'static str,
    /// As `utterances`.
    pub many: &'static str,
    /// Whether what may not sound right is told when a result is done.
    pub warns: bool,
}

/// What is said of a file that is kept, as it is not what was made.
pub fn changed(path: &Path) -> String {
    format!("{}: changed since it was made, kept; --force replaces it", path.display())
}

/// Keeps the user informed of a run.
pub struct Reporter<'a> {
    terminal: &'a Terminal,
    words: Words,
    json: bool,
    /// Whether stdout has the sound: events go to stderr, and paths nowhere.
    beside_sound: bool,
    /// Whether paths are printed as results are finished.
    unordered: bool,
    /// Whether each result's path is printed.
    paths: bool,
    folder: PathBuf,
    bar: Option<ProgressBar>,
    state: Mutex<State>,
    begun: Instant,
}

/// What the bar shows, and what is not printed yet.
#[derive(Default)]
struct State {
    total: Option<u64>,
    /// Made or failed in this run.
    worked: u64,
    /// There already, or kept.
    skipped: u64,
    moved: u64,
    /// Seconds of sound.
    seconds: f64,
    stage: String,
    steps: u64,
    order: Order,
    /// Whether it was said where the pieces of what was joined are.
    placed: bool,
}

/// Paths wait for those before them.
#[derive(Default)]
struct Order {
    under_way: BTreeSet<u64>,
    waiting: BTreeMap<u64, String>,
}

impl Order {
    /// What can be printed once `index` is over.
    fn over(&mut self, index: u64, path: Option<String>) -> Vec<String> {
        self.under_way.remove(&index);
        self.waiting.extend(path.map(|path| (index, path)));
        let first = self.under_way.first().copied().unwrap_or(u64::MAX);
        let later = self.waiting.split_off(&first);
        std::mem::replace(&mut self.waiting, later).into_values().collect()
    }
}

impl<'a> Reporter<'a> {
    pub fn new(
        terminal: &'a Terminal,
        words: Words,
        (json, unordered): (bool, bool),
        paths: bool,
        folder: &Path,
        survey: Option<&Survey>,
    ) -> Self {
        let (total, moved) = (survey.map(|survey| survey.total), survey.map_or(0, |survey| survey.moved));
        let folder = folder.strip_prefix(".").unwrap_or(folder).to_owned();
        let (bar, state) = (terminal.overall(total), Mutex::new(State { total, moved, ..State::default() }));
        let (beside_sound, begun) = (false, Instant::now());
        Self { terminal, words, json, beside_sound, unordered, paths, folder, bar, state, begun }
    }

    /// Leaves stdout to the sound, if it is there.
    pub fn beside_sound(mut self, beside_sound: bool) -> Self {
        (self.beside_sound, self.paths) = (beside_sound, self.paths && !beside_sound);
        self
    }

    /// Takes the bar away and sums up.
    /// `first`: seconds to the first sound, where somebody listened.
    pub fn close(&self, tally: Tally, first: Option<f64>) -> Result<()> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let left = self.change(|state| std::mem::take(&mut state.order.waiting));
        left.into_values().try_for_each(|path| self.print(path))?;
        let Tally { done, skipped, kept, failed, doubtful, seconds } = tally;
        let (moved, total) = self.change(|state| (state.moved, state.total));
        let took = self.begun.elapsed().as_secs_f64();
        let speed = match seconds > 0.0 {
            true => format!("; {seconds:.1} s of speech in {took:.1} s: {}", super::pace(took / seconds)),
            false => String::new(),
        };
        let more = |count: u64, what: &str| if count > 0 { format!(", {count} {what}") } else { String::new() };
        self.terminal.note(&format!(
            "{done} {}, {skipped} there already{}{}, {failed} failed{}{speed}",
            self.words.done,
            more(moved, "renamed"),
            more(kept, "changed by you and kept"),
            more(doubtful, "that may not sound right"),
        ));
        if let Some(left) = total.and_then(|total| total.checked_sub(done + skipped + kept + failed)).filter(|&n| n > 0)
        {
            self.terminal.note(&format!("{left} of {} {} are left", total.unwrap_or_default(), self.words.many));
        }
        if !self.json {
            return Ok(());
        }
        let told = json!({"done": done, "skipped": skipped, "moved": moved, "kept": kept, "failed": failed,
            "doubtful": doubtful, "seconds": seconds, "took": took, "first_sound": first});
        self.event("summary", told)
    }

    /// The sound that all results were joined into, and its length; `None`: it is kept as it was changed.
    pub fn joined(&self, path: &Path, seconds: Option<f64>) -> Result<()> {
        let (folder, path) = (self.folder.display(), path.display().to_string());
        let Some(seconds) = seconds else {
            return if self.json { self.event("kept", json!({"out": path})) } else { Ok(()) };
        };
        let pieces = match self.change(|state| std::mem::replace(&mut state.placed, true)) {
            false => format!("; its pieces stay in {folder}, for the next time"),
            true => String::new(),
        };
        self.terminal.note(&format!("{} of speech{pieces}", clock(seconds)));
        match self.json {
            true => self.event("joined", json!({"out": path, "seconds": seconds})),
            false => self.print(path),
        }
    }

    fn print(&self, line: String) -> Result<()> {
        let print = || {
            if self.beside_sound {
                super::tell(&line);
                return Ok(());
            }
            out(format!("{line}\n"))
        };
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

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        let (done, text) = self.change(|state| {
            change(state);
            (state.worked + state.skipped, state.text(self.begun.elapsed().as_secs_f64()))
        });
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(text);
        }
    }

    fn task(&self, name: &str, task: &Task) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        let mut told = json!({"id": task.id, "index": task.index, "line": task.line, "out": self.shown(&task.out)});
        match &task.item {
            Item::Text(text) => told["text"] = text.as_str().into(),
            Item::Recording(source) => told["source"] = source.shown().into(),
        }
        self.event(name, told)
    }

    fn done(&self, record: &Record) -> Result<()> {
        self.update(|state| {
            state.worked += 1;
            state.seconds += record.seconds.unwrap_or_default();
        });
        let path = self.shown(Path::new(record.out.as_deref().unwrap_or_default()));
        if let (Some(takes), Some(seed)) = (record.takes, record.seed) {
            let score = record.score.as_ref().map(Score::parts).filter(|parts| !parts.is_empty());
            let score = score.map_or(String::new(), |parts| format!(": {parts}"));
            self.note(&format!("{path}: {takes} takes, the best one has seed {seed}{score}"));
        }
        for finding in record.findings.iter().filter(|_| self.words.warns) {
            let place = record.place();
            self.note(&format!("warning: {path} ({place}): it may not sound right: {}", finding.message));
        }
        match self.json {
            true => {
                let mut told = serde_json::to_value(Record { out: Some(path), ..record.clone() })?;
                told["findings"] = serde_json::to_value(&record.findings)?;
                self.event("done", told)
            }
            false => self.over(record.index, Some(path)),
        }
    }

    /// Prints what waited for this one.
    fn over(&self, index: u64, path: Option<String>) -> Result<()> {
        let path = path.filter(|_| self.paths);
        let ready = match self.unordered {
            true => path.into_iter().collect(),
            false => self.change(|state| state.order.over(index, path)),
        };
        ready.into_iter().try_for_each(|path| self.print(path))
    }

    fn failed(&self, record: &Record, error: &Error) -> Result<()> {
        self.update(|state| state.worked += 1);
        self.terminal.error(&placed(&record.place(), &format!("{error:#}")), self.bar.as_ref());
        match self.json {
            true => {
                let out = record.out.as_ref().map(|out| self.shown(Path::new(out)));
                self.event("failed", serde_json::to_value(Record { out, ..record.clone() })?)
            }
            false => self.over(record.index, None),
        }
    }

    fn kept(&self, task: &Task, path: &Path) -> Result<()> {
        self.update(|state| state.skipped += 1);
        self.note(&format!("warning: {}", changed(path)));
        self.task("kept", task)
    }
}

impl Drop for Reporter<'_> {
    fn drop(&mut self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

impl State {
    fn text(&self, elapsed: f64) -> String {
        let mut text = format!("{:.0} s of speech, {:.2} a second", self.seconds, self.seconds / elapsed.max(1e-3));
        let left = self.total.map(|total| total.saturating_sub(self.worked + self.skipped));
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
            Event::Started(task) => {
                self.change(|state| state.order.under_way.insert(task.index));
                self.task("started", task)
            }
            Event::Skipped(task) => {
                self.update(|state| state.skipped += 1);
                self.task("skipped", task)
            }
            Event::Moved(task) => {
                self.update(|state| state.moved += 1);
                self.task("moved", task)
            }
            Event::Kept(task, path) => self.kept(task, path),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_wait_for_those_before_them() {
        let mut order = Order { under_way: [1, 2, 3].into(), ..Order::default() };
        let mut over = |index, path: Option<&str>| order.over(index, path.map(str::to_owned));
        assert!(over(3, Some("c")).is_empty() && over(2, None).is_empty());
        assert_eq!(over(1, Some("a")), ["a", "c"]);
        assert_eq!(over(7, Some("g")), ["g"]);
    }
}
