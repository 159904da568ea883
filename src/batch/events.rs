//! What happens in a run, and who is told.

use super::plan::Task;
use super::record::Record;
use anyhow::{Error, Result};
use std::path::Path;

/// What happens in a run, as it happens.
pub enum Event<'a> {
    Started(&'a Task),
    /// It is there already.
    Skipped(&'a Task),
    /// It was there under another name, and has its new one.
    Moved(&'a Task),
    /// Its file is not what the report's run wrote, and is kept.
    Kept(&'a Task, &'a Path),
    Done(&'a Record),
    Failed(&'a Record, &'a Error),
}

/// Who is told.
pub trait Observer {
    fn tell(&self, event: Event) -> Result<()>;
}

/// Tells nobody.
pub struct Silent;

impl Observer for Silent {
    fn tell(&self, _: Event) -> Result<()> {
        Ok(())
    }
}

/// What became of the tasks so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    pub done: u64,
    pub skipped: u64,
    /// Their files were changed since the report's run wrote them.
    pub kept: u64,
    pub failed: u64,
    /// Of those done and skipped: something does not sound right.
    pub doubtful: u64,
    /// Seconds of sound that were made.
    pub seconds: f64,
}

impl Tally {
    /// How many are over.
    pub fn all(&self) -> u64 {
        self.done + self.skipped + self.kept + self.failed
    }
}
