//! What becomes of a run in which a source fails.

use crate::cli::progress::Terminal;
use anyhow::{Context, Error, Result, ensure};
use barkclone::error::{Kind, is_fatal};
use std::path::Path;

/// Of a single source its failure is that of the command; of several the others go on, unless told otherwise.
pub struct Failures<'a> {
    terminal: &'a Terminal,
    sources: usize,
    fail_fast: bool,
    pub count: usize,
}

impl<'a> Failures<'a> {
    pub fn new(terminal: &'a Terminal, sources: usize, fail_fast: bool) -> Self {
        Self { terminal, sources, fail_fast, count: 0 }
    }

    /// What came of `source`; `None`: it failed, and that was told.
    ///
    /// # Errors
    /// What ends the run.
    pub fn sift<T>(&mut self, source: &Path, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(done) => Ok(Some(done)),
            Err(error) => self.failed(source, error).map(|()| None),
        }
    }

    fn failed(&mut self, source: &Path, error: Error) -> Result<()> {
        let shown = source.display().to_string();
        // What concerns the file itself names it.
        let named = error.to_string().starts_with(&shown);
        let error = if named { error } else { error.context(shown.clone()) };
        if self.sources == 1 || is_fatal(&error) {
            return Err(error);
        }
        if self.fail_fast {
            return Err(error).with_context(|| Kind::Partial.error(format!("stopped at {shown}")));
        }
        self.count += 1;
        self.terminal.error(&format!("{error:#}"), None);
        Ok(())
    }

    /// The exit code follows from what failed.
    pub fn conclude(&self) -> Result<()> {
        let Self { count, sources, .. } = self;
        ensure!(*count == 0, Kind::Partial.error(format!("{count} of {sources} recordings failed")));
        Ok(())
    }
}
