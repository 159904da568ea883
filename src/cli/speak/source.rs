//! Where the texts of many utterances come from: lines, JSON objects, or the sentences of a book.

use super::book::{Book, Measure, Slot};
use super::many::Named;
use crate::cli::progress::Terminal;
use anyhow::{Context, Result, ensure};
use barkclone::batch::{self, Form, Plan, Planned, Rules, SourceJob};
use barkclone::book::Ends;
use barkclone::error::Kind;
use barkclone::normalize::{Wording, utf8};
use barkclone::progress::Progress;
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
        self.plan_at(rules, measure, |_| ())
    }

    /// All tasks; `lay` is told what stands where in the sound that they become together, before they are planned.
    pub fn plan_at<'a>(&'a self, rules: Rules, measure: Measure<'a>, lay: impl Fn(Slot) + 'a) -> Result<Tasks<'a>> {
        Ok(match self {
            Source::Lines { path, form, wording } => {
                let named = |error: anyhow::Error| error.context(Kind::Input.error(path.display().to_string()));
                let worded = |asked: SourceJob| SourceJob { job: asked.job.map(|job| job.worded(*wording)), ..asked };
                let asked = batch::read(open(path)?, *form).map(move |asked| {
                    lay(Slot::Sound(Ends::Sentence));
                    asked.map(worded).map_err(named)
                });
                Box::new(Plan::new(asked, rules))
            }
            Source::Book(book) => Box::new(Plan::new(book.asked_at(measure, lay)?, rules)),
        })
    }

    /// Whether all tasks can be looked at before the first one is begun.
    pub fn is_readable_twice(&self) -> bool {
        match self {
            Source::Lines { path, .. } => path.is_file(),
            Source::Book(_) => true,
        }
    }

    /// What is asked for must be there before anything else is done.
    pub fn check(&self, terminal: &Terminal) -> Result<()> {
        match self {
            Source::Lines { path, .. } if !is_stdin(path) => open(path).map(drop),
            Source::Lines { .. } => Ok(()),
            Source::Book(book) => book.check_text(terminal),
        }
    }

    /// Whether its parts may name voices of their own.
    pub fn has_voices(&self) -> bool {
        !matches!(self, Source::Lines { form: Form::Text, .. })
    }

    /// Refuses a text of which some parts have a voice that is named and others none.
    pub fn check_voices(&self, measure: Measure, voices: &Named) -> Result<()> {
        let Source::Book(book) = self else { return Ok(()) };
        if voices.default.is_some() || voices.names.is_empty() {
            return Ok(());
        }
        for asked in book.asked(measure)? {
            let SourceJob { line, job, .. } = asked?;
            let named = job.is_ok_and(|job| job.voice.is_some());
            let told = "it stands under no [voice: NAME], and there is no other voice: give one with --voice VOICE";
            ensure!(named, Kind::Input.error(format!("line {line}: {told}")));
        }
        Ok(())
    }

    /// Says how many lines are remarks.
    pub fn tell_remarks(&self, terminal: &Terminal) -> Result<()> {
        let Source::Lines { path, form: Form::Text, .. } = self else { return Ok(()) };
        if !path.is_file() {
            return Ok(());
        }
        // A line that cannot be read is told in its turn.
        let remarks = open(path)?.lines().filter(|l| l.as_ref().is_ok_and(|l| l.trim_start().starts_with('#'))).count();
        if remarks > 0 {
            terminal.note(&format!("{}: not spoken, as they begin with #: {remarks}", path.display()));
        }
        Ok(())
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
