//! Where the texts of many utterances come from: lines, JSON objects, or the sentences of a book.

use super::book::{Book, Measure, Slot};
use super::many::Named;
use crate::cli::progress::Terminal;
use anyhow::{Context, Result, ensure};
use barkclone::batch::{self, Form, Item, Job, Lines, Plan, Planned, Rules, SourceJob};
use barkclone::book::{self, Ends, Inline};
use barkclone::error::{Error, Kind};
use barkclone::normalize::{Wording, utf8};
use barkclone::output::{self, Scratch};
use barkclone::progress::Progress;
use barkclone::stage::text::check_said;
use std::cell::Cell;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::string::FromUtf8Error;

/// A source, and how its parts are named in messages.
pub enum Source<'a> {
    Lines(Box<List<'a>>),
    Book(Box<Book<'a>>),
    Compared(Compared),
}

/// One text in several voices, each time with one seed for all of them.
pub struct Compared {
    pub text: String,
    pub voices: Vec<String>,
    pub seeds: Vec<u64>,
}

impl Compared {
    /// The number of a seed stands for a line.
    fn asked(&self, lay: impl Fn(Slot)) -> impl Iterator<Item = Result<SourceJob>> {
        let text = batch::hash(&[self.text.as_bytes()]);
        let take = |(line, seed): (u64, &u64)| {
            lay(Slot::Sound(Ends::Sentence));
            let job = |voice: &String| {
                let (id, voice) = (Some(format!("{text:016x}-{line}-{voice}")), Some(voice.clone()));
                let job = Job { id, voice, seed: Some(*seed), ..Job::text(&self.text) };
                Ok(SourceJob { line, source: None, job: Ok(job) })
            };
            self.voices.iter().map(job).collect::<Vec<_>>()
        };
        (1..).zip(&self.seeds).flat_map(take).collect::<Vec<_>>().into_iter()
    }
}

/// A text or a JSON object a line.
pub struct List<'a> {
    path: &'a Path,
    form: Form,
    wording: Wording,
    /// Names that `[voice: NAME]` may say.
    voices: Vec<String>,
    /// What came by a pipe, where it is read more than once.
    spooled: Option<Scratch>,
    /// Lines that are remarks, as far as it was read.
    remarks: Cell<u64>,
}

impl<'a> List<'a> {
    pub fn new((path, form): (&'a Path, Form), wording: Wording, voices: Vec<String>) -> Self {
        Self { path, form, wording, voices, spooled: None, remarks: Cell::new(0) }
    }

    fn asked<'l>(&'l self, lay: impl Fn(Slot) + 'l) -> Result<impl Iterator<Item = Result<SourceJob>> + 'l> {
        self.remarks.set(0);
        let pass = |line: &str| self.remarks.set(self.remarks.get() + u64::from(line.trim_start().starts_with('#')));
        let worded = |asked: SourceJob| SourceJob { job: asked.job.map(|job| job.worded(self.wording)), ..asked };
        let named = |error: anyhow::Error| error.context(Kind::Input.error(self.path.display().to_string()));
        let path = self.spooled.as_ref().map_or(self.path, Scratch::path);
        let asked = batch::read(open(path)?, self.form, pass);
        let mut directed = Directed { voices: &self.voices, goes_on: self.form == Form::Text, voice: None };
        Ok(asked.filter_map(move |asked| match asked {
            Ok(asked) => directed.take(asked, &lay).map(|asked| Ok(worded(asked))),
            Err(error) => Some(Err(named(error))),
        }))
    }
}

/// Reads the directives of lines.
struct Directed<'a> {
    voices: &'a [String],
    /// Whether a voice holds for the lines that follow, too.
    goes_on: bool,
    voice: Option<String>,
}

impl Directed<'_> {
    /// A line without its directives, unless nothing is left.
    fn take(&mut self, asked: SourceJob, lay: &impl Fn(Slot)) -> Option<SourceJob> {
        let SourceJob { line, source, job } = asked;
        let read = job.and_then(|job| Ok((book::inline(job.item.text(), self.voices)?, job)));
        let (Inline { text, voice, before, after }, job) = match read {
            Ok(read) => read,
            Err(error) => {
                lay(Slot::Sound(Ends::Sentence));
                return Some(SourceJob { line, source, job: Err(error) });
            }
        };
        let is_directive = text.is_empty() && (voice.is_some() || before > 0.0);
        let voice = self.voice(voice);
        let pauses = |seconds: f64| {
            if seconds > 0.0 {
                lay(Slot::Pause(seconds));
            }
        };
        pauses(before);
        if is_directive {
            return None;
        }
        lay(Slot::Sound(Ends::Sentence));
        pauses(after);
        let voice = job.voice.clone().or(voice);
        let job = check_said(&text).map(|()| Job { item: Item::Text(text), voice, ..job });
        Some(SourceJob { line, source, job })
    }

    /// Who speaks, where a line may say so.
    fn voice(&mut self, said: Option<Option<String>>) -> Option<String> {
        if let Some(voice) = said {
            self.voice = voice;
        }
        if self.goes_on { self.voice.clone() } else { self.voice.take() }
    }
}

/// A plan that borrows what it is made of.
pub type Tasks<'a> = Box<dyn Iterator<Item = Result<Planned>> + 'a>;

impl Source<'_> {
    /// All tasks. Books are cut into what fits an utterance by `measure`; `lay` is told what stands where in the sound
    /// that they become together, before they are planned.
    pub fn plan<'a>(&'a self, rules: Rules, measure: Measure<'a>, lay: impl Fn(Slot) + 'a) -> Result<Tasks<'a>> {
        Ok(match self {
            Source::Lines(list) => Box::new(Plan::new(list.asked(lay)?, rules)),
            Source::Book(book) => Box::new(Plan::new(book.asked_at(measure, lay)?, rules)),
            Source::Compared(compared) => Box::new(Plan::new(compared.asked(lay), rules)),
        })
    }

    /// Whether all tasks can be looked at before the first one is begun.
    pub fn is_readable_twice(&self) -> bool {
        match self {
            Source::Lines(list) => list.path.is_file() || list.spooled.is_some(),
            Source::Book(_) | Source::Compared(_) => true,
        }
    }

    /// Reads what comes by a pipe to its end, so that all tasks can be looked at before the first one is begun.
    pub fn spool(&mut self) -> Result<()> {
        match self {
            Source::Lines(list) if !list.path.is_file() => list.spooled = Some(Scratch::of(open(list.path)?)?),
            _ => (),
        }
        Ok(())
    }

    /// What is asked for must be there before anything else is done.
    pub fn check(&self, terminal: &Terminal) -> Result<()> {
        match self {
            Source::Lines(list) if list.path.is_file() => {
                refuse_bytes(list.path)?;
                let some = list.asked(|_| ())?.next().is_some();
                ensure!(some, nothing_to_say(list.path.display()));
                Ok(())
            }
            Source::Lines(list) if !is_stdin(list.path) => open(list.path).map(drop),
            Source::Lines(_) | Source::Compared(_) => Ok(()),
            Source::Book(book) => book.check_text(terminal),
        }
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

    /// Says how many of the lines that were read are remarks.
    pub fn tell_remarks(&self, terminal: &Terminal) {
        if let Source::Lines(list) = self
            && list.remarks.get() > 0
        {
            let (path, remarks) = (list.path.display(), list.remarks.get());
            terminal.note(&format!("{path}: not spoken, as they begin with #: {remarks}"));
        }
    }

    /// How messages call it.
    pub fn name(&self) -> String {
        match self {
            Source::Lines(list) => list.path.display().to_string(),
            Source::Book(book) => book.name.clone(),
            Source::Compared(compared) => compared.text.clone(),
        }
    }

    pub fn book(&self) -> Option<&Book<'_>> {
        match self {
            Source::Book(book) => Some(book),
            Source::Lines(_) | Source::Compared(_) => None,
        }
    }
}

/// Refuses what is no text, once for all of its lines. What else ails a line is told by who reads it.
fn refuse_bytes(path: &Path) -> Result<()> {
    for line in Lines::new(open(path)?) {
        let (number, line) = line?;
        let ails = match line {
            Ok(line) => line.contains('\0').then_some("has a zero byte: no text file, or a damaged one"),
            Err(error) => error.is::<FromUtf8Error>().then_some("is not UTF-8; save the text as UTF-8"),
        };
        let told = |ails| Kind::Input.error(format!("{}: line {number} {ails}", path.display()));
        ails.map_or(Ok(()), |ails| Err(told(ails)))?;
    }
    Ok(())
}

/// Of a source that asks for nothing.
pub fn nothing_to_say(source: impl Display) -> Error {
    Kind::Input.error(format!("{source}: there is nothing to say"))
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
    output::keep_input(path);
    let folder = file.metadata().with_context(unreadable)?.is_dir();
    ensure!(!folder, Kind::Input.error(format!("{}: a folder", path.display())));
    Ok(Box::new(utf8(BufReader::new(file)).with_context(unreadable)?))
}

/// The jobs of an iterator that may fail.
pub type Jobs<'a> = Box<dyn Iterator<Item = Result<SourceJob>> + 'a>;
