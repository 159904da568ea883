//! A job from its beginning to what was made of it.

use super::job::Item;
use super::ledger::Entry;
use super::name::ranked;
use super::plan::Task;
use super::record::RecordedTake;
use super::voices::LoadedVoice;
use crate::ears::Score;
use crate::error::Kind;
use crate::output::{Pending, Sink};
use crate::sound::Finding;
use crate::speak::Settings;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Bark's longest utterance, about, seconds.
const LONGEST: f64 = 14.0;

/// A job that was begun.
pub struct InFlight {
    pub task: Task,
    pub voice: Option<String>,
    pub voice_hash: Option<String>,
    pub settings: Option<Settings>,
    pub(super) key: u64,
    pub(super) former_key: Option<u64>,
    /// How often it was made once more, this time included.
    pub(super) redone: u64,
    /// Whether it is asked for once more.
    pub(super) again: bool,
    pub(super) begun: Instant,
}

impl InFlight {
    /// Whether a finished result is what is wanted.
    pub(super) fn is(&self, entry: Entry) -> bool {
        entry.key == self.key || Some(entry.key) == self.former_key
    }

    /// About how long its result will be, seconds; 0: there is no telling.
    pub(super) fn expected(&self) -> f64 {
        match (&self.task.item, &self.settings) {
            (Item::Text(text), Some(settings)) => estimate(text, settings),
            (Item::Recording(source), Some(_)) => source.seconds.unwrap_or(0.0),
            _ => 0.0,
        }
    }
}

/// What a run says to whoever asks for a job.
pub enum NextJob {
    Ready(Box<InFlight>),
    /// Nothing before one of those under way is done.
    Wait,
    /// Nothing more.
    End,
}

/// What was made of a job: on the disk, and without its name.
pub struct Made {
    pub file: Pending,
    /// Length of the sound.
    pub seconds: f64,
    /// Semantic tokens.
    pub tokens: usize,
    /// What it was drawn with, where that is another seed than the job's.
    pub seed: Option<u64>,
    /// Attempts that were made.
    pub attempts: u32,
    pub findings: Vec<Finding>,
    /// What was changed in the sound after that was heard, in words.
    pub augment: Option<String>,
    /// The voice that it gives the next one of its chain.
    pub next: Option<LoadedVoice>,
    /// What it was chosen by, where there was a choice.
    pub choice: Option<Choice>,
}

/// How the best of several takes was chosen.
pub struct Choice {
    /// Of the best.
    pub score: Score,
    /// All of them, in the order of their seeds.
    pub heard: Vec<RecordedTake>,
    /// The files of those that are kept beside the best.
    pub others: Vec<Pending>,
}

/// Where the result of a job goes.
#[derive(Clone)]
pub struct Target {
    pub(super) folder: PathBuf,
    pub(super) tag: String,
    pub path: PathBuf,
}

impl Target {
    /// Where the take of this rank goes; the best, of rank 1, goes to the result's own place.
    pub(super) fn ranked(self, rank: usize) -> Self {
        if rank == 1 { self } else { Self { path: ranked(&self.path, rank), ..self } }
    }

    /// Writes the result; it has no name yet.
    pub fn write(&self, fill: impl FnOnce(&mut Sink) -> Result<()>) -> Result<Pending> {
        make_folder(&self.path)?;
        Pending::write(&self.folder, &self.tag, self.path.clone(), fill)
    }
}

/// About how long it takes to say `text`, seconds: read aloud, most languages run at some 15 letters a second.
pub fn estimate(text: &str, settings: &Settings) -> f64 {
    let most = settings.stop.max_seconds.unwrap_or(LONGEST).min(LONGEST);
    (0.3 + text.chars().count() as f64 / 15.0).min(most)
}

/// Makes the folder that `target` is to lie in.
pub(super) fn make_folder(target: &Path) -> Result<()> {
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| Kind::Output.error(format!("{}: cannot be made", folder.display())))
}
