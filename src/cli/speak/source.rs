//! Where the texts of many utterances come from: lines, JSON objects, or the sentences of a book.

use super::book::{Book, Measure};
use crate::cli::progress::Terminal;
use anyhow::{Context, Result, ensure};
use barkclone::batch::{self, Form, Plan, Planned, Rules, SourceJob};
use barkclone::error::Kind;
use barkclone::normalize::{Wording, utf8};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// A source, and how its parts are named in messages.
pub enum Source<'a> {
    Lines { path: &'a Path, form: Form, wording: Wording },
    Book(Box<Book<'a>>),
}

/// A plan that borrows what it is made of.
pub type Tasks<'a> = Box<dyn Iterator<Item = Result<Planned>> + 'a>;

impl Source<'_> {
    /// All tasks. Books are cut into what fits an utterance by `measure`.
    pub fn plan<'a>(&'a self, rules: Rules, measure: Measure<'a>) -> Result<Tasks<'a>> {
        Ok(match self {
            Source::Lines { path, form, wording } => {
                let named = |error: anyhow::Error| error.context(Kind::Input.error(path.display().to_string()));
                let worded = |asked: SourceJob| SourceJob { job: asked.job.map(|job| job.worded(*wording)), ..asked };
                let asked = batch::read(open(path)?, *form).map(move |asked| asked.map(worded).map_err(named));
                Box::new(Plan::new(asked, rules))
            }
            Source::Book(book) => Box::new(Plan::new(book.asked(measure)?, rules)),
        })
    }

    /// How many utterances there are, where the source can be read twice.
    pub fn count(&self, rules: &Rules, measure: Measure) -> Result<Option<u64>> {
        let twice = match self {
            Source::Lines { path, .. } => path.is_file(),
            Source::Book(_) => true,
        };
        if !twice {
            return Ok(None);
        }
        let plan = self.plan(rules.clone(), measure)?;
        plan.map(|planned| planned.map(|_| 1)).sum::<Result<u64>>().map(Some)
    }

    /// What is asked for must be there before anything else is done.
    pub fn check(&self, terminal: &Terminal) -> Result<()> {
        match self {
            Source::Lines { path, .. } if !is_stdin(path) => open(path).map(drop),
            Source::Lines { .. } => Ok(()),
            Source::Book(book) => book.check_text(terminal),
        }
    }

    pub fn book(&self) -> Option<&Book<'_>> {
        match self {
            Source::Book(book) => Some(book),
            Source::Lines { .. } => None,
        }
    }
}

pub fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

pub fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    if is_stdin(path) {
        return Ok(Box::new(utf8(std::io::stdin().lock())?));
    }
    let unreadable = || Kind::Input.error(format!("{}: cannot be read", path.display()));
    let file = File::open(path).with_context(unreadable)?;
    let folder = file.metadata().with_context(unreadable)?.is_dir();
    ensure!(!folder, Kind::Input.error(format!("{}: a folder", path.display())));
    Ok(Box::new(utf8(BufReader::new(file)).with_context(unreadable)?))
}

/// The jobs of an iterator that may fail.
pub type Jobs<'a> = Box<dyn Iterator<Item = Result<SourceJob>> + 'a>;
