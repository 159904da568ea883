//! The desk where tasks become files and lines of the report.

use super::Sampling;
use super::ledger::Ledger;
use super::plan::{Bad, Planned, Task};
use super::record::{Record, Told, key, now, rounded};
use super::voices::{Known, Voices};
use crate::config::Protocol;
use crate::error::{Kind, is_fatal};
use crate::listen::{Care, Take, Takes};
use crate::output::{Pending, Sink};
use crate::speak::{Ask, Desk, Request, Settings, Utterance};
use crate::voice::Voice;
use anyhow::{Context, Error, Result, ensure};
use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Tasks that may wait for the one before them in their chain while later ones are spoken.
const LOOKAHEAD: usize = 256;

/// Bark's longest utterance, about, seconds.
const LONGEST: f64 = 14.0;

/// What a run needs of the models and files around it.
pub trait Studio {
    /// A text's ids, refused where they do not fit one utterance.
    fn ids(&self, text: &str) -> Result<Vec<u32>>;
    /// The voice that a task names.
    fn voice(&self, name: &str) -> Result<Voice>;
    /// Settings that are given over the model's own.
    fn settings(&self, sampling: Sampling, seed: u64) -> Settings;
    /// What the models' own files say.
    fn protocol(&self) -> &Protocol;
    /// Writes the sound.
    fn write(&self, ticket: &Ticket, utterance: &Utterance, sink: &mut Sink) -> Result<()>;
}

/// What happens in a run, as it happens.
pub enum Event<'a> {
    Started(&'a Task),
    /// It is there already.
    Skipped(&'a Task),
    /// It was there under another name, and has its new one.
    Moved(&'a Task),
    Done(&'a Record),
    Failed(&'a Record, &'a Error),
}

/// Who is told.
pub trait Watch {
    fn tell(&self, event: Event) -> Result<()>;
}

/// Tells nobody.
pub struct Silent;

impl Watch for Silent {
    fn tell(&self, _: Event) -> Result<()> {
        Ok(())
    }
}

/// What a run would do with a task.
pub enum Outlook {
    Speak(Ticket),
    There(Ticket),
    /// The line, and what is wrong with it.
    Bad(u64, Error),
}

/// About how long it takes to say `text`, seconds: read aloud, most languages run at some 15 letters a second.
pub fn estimate(text: &str, settings: &Settings) -> f64 {
    let most = settings.stop.max_seconds.unwrap_or(LONGEST).min(LONGEST);
    (0.3 + text.chars().count() as f64 / 15.0).min(most)
}

/// How a run goes about it.
#[derive(Clone, Debug, Default)]
pub struct Scheme {
    /// Where the files go; it exists.
    pub folder: PathBuf,
    /// The voice where a task names none.
    pub voice: Option<String>,
    /// Settings where a task gives none.
    pub sampling: Sampling,
    /// Stands for the models and whatever else decides the sound.
    pub model: String,
    /// Replace files that the report does not know.
    pub force: bool,
    /// Speak what is finished too.
    pub restart: bool,
    /// End with the first failure.
    pub fail_fast: bool,
    /// What is done about an utterance that does not sound right.
    pub care: Care,
}

/// What became of the tasks so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    pub done: u64,
    pub skipped: u64,
    pub failed: u64,
    /// Seconds of speech that were made.
    pub seconds: f64,
}

/// A task under way.
pub struct Ticket {
    pub task: Task,
    pub voice: Option<String>,
    pub voice_hash: Option<String>,
    pub settings: Settings,
    key: u64,
    begun: Instant,
    takes: Takes,
}

/// Where a chain of utterances has come to.
#[derive(Default)]
struct Chain {
    /// Of its last utterance.
    voice: Option<Known>,
    busy: bool,
}

/// A run over the tasks of `P`.
pub struct Run<'a, P> {
    plan: P,
    /// Tasks that are spoken once more.
    again: VecDeque<Box<Ticket>>,
    under_way: usize,
    /// Tasks whose chain is busy.
    held: VecDeque<Task>,
    chains: HashMap<u64, Chain>,
    ledger: Ledger,
    scheme: Scheme,
    studio: &'a dyn Studio,
    watch: &'a dyn Watch,
    /// Set from outside: nothing more is begun.
    stop: &'a AtomicBool,
    voices: Voices,
    tally: Tally,
    /// When the last utterance was finished.
    last: Instant,
}

impl<'a, P: Iterator<Item = Result<Planned>>> Run<'a, P> {
    pub fn new(
        plan: P,
        ledger: Ledger,
        scheme: Scheme,
        (studio, watch): (&'a dyn Studio, &'a dyn Watch),
        stop: &'a AtomicBool,
    ) -> Self {
        let (again, under_way) = (VecDeque::new(), 0);
        let (held, chains, voices) = (VecDeque::new(), HashMap::new(), Voices::default());
        let (tally, last) = (Tally::default(), Instant::now());
        Self { plan, again, under_way, held, chains, ledger, scheme, studio, watch, stop, voices, tally, last }
    }

    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The report, once the run is over.
    pub fn into_ledger(self) -> Ledger {
        self.ledger
    }

    /// The next task whose chain is free; `None` if there is none now.
    fn choose(&mut self) -> Result<Option<Task>> {
        let free = |chains: &HashMap<u64, Chain>, task: &Task| {
            task.chain.is_none_or(|chain| chains.get(&chain).is_none_or(|chain| !chain.busy))
        };
        if let Some(place) = self.held.iter().position(|task| free(&self.chains, task)) {
            return Ok(self.held.remove(place));
        }
        while self.held.len() < LOOKAHEAD {
            match self.plan.next().transpose()? {
                Some(Planned::Task(task)) if free(&self.chains, &task) => return Ok(Some(*task)),
                Some(Planned::Task(task)) => self.held.push_back(*task),
                Some(Planned::Bad(bad)) => self.refuse(bad)?,
                None => break,
            }
        }
        Ok(None)
    }

    /// Checks the task, and makes a request of it unless it is there already.
    fn prepare(&mut self, task: Task) -> Result<Option<(Ticket, Request)>> {
        let ticket = match self.ticket(&task) {
            Ok(ticket) => ticket,
            Err(error) => return self.fail(&task, error).map(|()| None),
        };
        if !self.scheme.restart && self.is_there(&ticket)? {
            return Ok(None);
        }
        let request = match self.request(&ticket) {
            Ok(request) => request,
            Err(error) => return self.fail(&task, error).map(|()| None),
        };
        if let Some(chain) = task.chain {
            self.chains.entry(chain).or_default().busy = true;
        }
        self.watch.tell(Event::Started(&task))?;
        Ok(Some((ticket, request)))
    }

    fn ticket(&mut self, task: &Task) -> Result<Ticket> {
        let settings = self.studio.settings(task.sampling.or(self.scheme.sampling), task.seed);
        settings.check()?;
        let voice = task.voice.clone().or_else(|| self.scheme.voice.clone());
        let voice_hash = self.voice(task, voice.as_deref())?.map(|known| known.hash);
        let key = key(&task.text, voice_hash.as_deref(), &settings, &self.scheme.model);
        let takes = Takes::new(self.scheme.care, settings.seed);
        Ok(Ticket { task: task.clone(), voice, voice_hash, settings, key, begun: Instant::now(), takes })
    }

    /// That of the utterance before in the chain, else the one that is asked for.
    fn voice(&mut self, task: &Task, name: Option<&str>) -> Result<Option<Known>> {
        if let Some(chain) = task.chain {
            self.chains.retain(|number, c| c.busy || *number >= chain);
            if let Some(known) = self.chains.get(&chain).and_then(|chain| chain.voice.clone()) {
                return Ok(Some(known));
            }
        }
        let studio = self.studio;
        name.map(|name| self.voices.get(name, |name| studio.voice(name))).transpose()
    }

    fn request(&mut self, ticket: &Ticket) -> Result<Request> {
        let target = self.scheme.folder.join(&ticket.task.out);
        let replaceable = self.scheme.force || self.ledger.owns(&ticket.task.out);
        if let Ok(metadata) = fs::symlink_metadata(&target) {
            let shown = target.display();
            ensure!(replaceable, Kind::Output.error(format!("{shown}: exists already; --force replaces it")));
            ensure!(!metadata.is_dir(), Kind::Output.error(format!("{shown}: a folder is in its place")));
        }
        let ids = self.studio.ids(&ticket.task.text)?;
        let voice = self.voice(&ticket.task, ticket.voice.as_deref())?;
        Ok(Request { voice: voice.map(|known| known.voice), ..Request::text(ids, None, ticket.settings) })
    }

    /// Whether the utterance is finished as it is wanted now; if under another name, that is changed.
    fn is_there(&mut self, ticket: &Ticket) -> Result<bool> {
        let Some(record) = self.found(ticket)? else { return Ok(false) };
        let task = &ticket.task;
        let (there, wanted) = (self.path(&record), self.scheme.folder.join(&task.out));
        if there == wanted {
            self.watch.tell(Event::Skipped(task))?;
        } else {
            self.rename(task, record, (&there, &wanted))?;
            self.watch.tell(Event::Moved(task))?;
        }
        self.tally.skipped += 1;
        Ok(true)
    }

    /// The line of the utterance, if it is finished as it is wanted now and has, or can have, the name that is wanted.
    fn found(&mut self, ticket: &Ticket) -> Result<Option<Record>> {
        let Some(entry) = self.ledger.finished(&ticket.task.id).filter(|e| e.key == ticket.key) else {
            return Ok(None);
        };
        let record = self.ledger.line(entry)?;
        let (there, wanted) = (self.path(&record), self.scheme.folder.join(&ticket.task.out));
        let placed = there == wanted || fs::symlink_metadata(&wanted).is_err();
        let found = placed && is_file(&there, entry.bytes) && self.went_on(&record, &there);
        Ok(found.then_some(record))
    }

    fn path(&self, record: &Record) -> PathBuf {
        self.scheme.folder.join(record.out.as_deref().unwrap_or_default())
    }

    /// Takes up the chain where a finished utterance left it; false if what it needs for that is gone.
    fn went_on(&mut self, record: &Record, wav: &Path) -> bool {
        let (Some(chain), Some(hash)) = (record.chain, &record.continues) else { return true };
        match Voice::read(&voice_beside(wav)).map(Known::new) {
            Ok(known) if known.hash == *hash => {
                self.chains.entry(chain).or_default().voice = Some(known);
                true
            }
            _ => false,
        }
    }

    /// The line first: killed in between, the file is not where the line says, and is made again.
    fn rename(&mut self, task: &Task, record: Record, (from, to): (&Path, &Path)) -> Result<()> {
        let goes_on = record.continues.is_some();
        let moved = Record { at: now(), ..record }.placed(task);
        self.ledger.append(&[moved])?;
        make_folder(to)?;
        let unmoved = || Kind::Output.error(format!("{}: cannot be renamed to {}", from.display(), to.display()));
        if goes_on {
            fs::rename(voice_beside(from), voice_beside(to)).with_context(unmoved)?;
        }
        fs::rename(from, to).with_context(unmoved)
    }

    /// Listens to what was spoken; `None`: it is to be spoken once more.
    fn hear(&self, ticket: &mut Ticket, spoken: Result<Utterance>) -> Result<Option<Take>> {
        let limits = (self.studio.protocol(), &ticket.settings.stop);
        let heard = spoken.and_then(|utterance| ticket.takes.hear(utterance, &ticket.task.text, limits));
        match heard {
            // A take that failed does not take the earlier ones away.
            Err(error) if !is_fatal(&error) => ticket.takes.settle().map(Some).ok_or(error),
            heard => heard,
        }
    }

    /// Asks for another take; where nothing more is begun, the best one so far is kept.
    fn repeat(&mut self, mut ticket: Box<Ticket>) -> Result<Option<(Box<Ticket>, Box<Request>)>> {
        if self.stop.load(Ordering::Relaxed) {
            return match ticket.takes.settle() {
                Some(take) => self.end(ticket, Ok(take)).map(|()| None),
                None => Ok(None),
            };
        }
        ticket.settings.seed = ticket.takes.seed();
        match self.request(&ticket) {
            Ok(request) => Ok(Some((ticket, Box::new(request)))),
            Err(error) => self.end(ticket, Err(error)).map(|()| None),
        }
    }

    fn end(&mut self, mut ticket: Box<Ticket>, take: Result<Take>) -> Result<()> {
        if let Some(chain) = ticket.task.chain {
            self.chains.entry(chain).or_default().busy = false;
        }
        match take {
            Ok(take) => {
                ticket.settings.seed = take.seed;
                self.keep(&ticket, &take)
            }
            Err(error) if is_fatal(&error) => Err(error),
            Err(error) => self.fail(&ticket.task, error),
        }
    }

    /// Writes the sound and the line; gives the sound its name only then.
    fn keep(&mut self, ticket: &Ticket, take: &Take) -> Result<()> {
        let utterance = &take.utterance;
        let target = self.scheme.folder.join(&ticket.task.out);
        make_folder(&target)?;
        let sound = Pending::write(&self.scheme.folder, &self.ledger.tag(), target.clone(), |sink| {
            self.studio.write(ticket, utterance, sink)
        })?;
        let next = ticket.task.chain.and_then(|_| utterance.voice().ok()).map(Known::new);
        if let Some(next) = &next {
            next.voice.write(&voice_beside(&target), true)?;
        }
        let mut record = self.record(ticket, take, sound.bytes);
        record.continues = next.as_ref().map(|known| known.hash.clone());
        // Without this, a line of the new sound could stand beside the old one.
        remove(&target)?;
        self.ledger.append(std::slice::from_ref(&record))?;
        sound.settle(false)?;
        if let (Some(chain), Some(next)) = (ticket.task.chain, next) {
            self.chains.entry(chain).or_default().voice = Some(next);
        }
        self.tally.done += 1;
        self.tally.seconds += utterance.pcm.seconds();
        self.watch.tell(Event::Done(&record))
    }

    fn record(&mut self, ticket: &Ticket, take: &Take, bytes: u64) -> Record {
        let utterance = &take.utterance;
        let (seconds, took) = (utterance.pcm.seconds(), ticket.begun.elapsed().as_secs_f64());
        let share = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        let record = Record {
            bytes: Some(bytes),
            voice: ticket.voice.clone(),
            voice_hash: ticket.voice_hash.clone(),
            seed: Some(ticket.settings.seed),
            settings: Some(Told::of(&ticket.settings)),
            model: Some(self.scheme.model.clone()),
            key: Some(format!("{:016x}", ticket.key)),
            tokens: Some(utterance.semantic.len()),
            seconds: Some(rounded(seconds)),
            took: Some(rounded(took)),
            share: Some(rounded(share)),
            real_time_factor: Some(rounded(took / seconds)),
            takes: Some(ticket.takes.made()).filter(|&made| made > 1),
            findings: take.findings.clone(),
            at: now(),
            ..Record::default()
        };
        record.placed(&ticket.task)
    }

    /// Goes through all tasks without speaking any.
    pub fn preview(&mut self, mut tell: impl FnMut(Outlook) -> Result<()>) -> Result<()> {
        while let Some(planned) = self.plan.next().transpose()? {
            let task = match planned {
                Planned::Task(task) => task,
                Planned::Bad(bad) => {
                    tell(Outlook::Bad(bad.line, bad.error))?;
                    continue;
                }
            };
            match self.outlook(&task) {
                Ok(outlook) => tell(outlook)?,
                Err(error) => tell(Outlook::Bad(task.line, error))?,
            }
        }
        Ok(())
    }

    fn outlook(&mut self, task: &Task) -> Result<Outlook> {
        let ticket = self.ticket(task)?;
        if !self.scheme.restart && self.found(&ticket)?.is_some() {
            return Ok(Outlook::There(ticket));
        }
        self.request(&ticket)?;
        Ok(Outlook::Speak(ticket))
    }

    /// A line that is no task.
    fn refuse(&mut self, bad: Bad) -> Result<()> {
        let Bad { line, index, id, error } = bad;
        self.failed(Record { id, index, line, ..Record::default() }, error)
    }

    /// A task that cannot be done.
    fn fail(&mut self, task: &Task, error: Error) -> Result<()> {
        self.failed(Record { seed: Some(task.seed), ..Record::default() }.placed(task), error)
    }

    fn failed(&mut self, record: Record, error: Error) -> Result<()> {
        self.tally.failed += 1;
        let record = Record { at: now(), error: Some(format!("{error:#}")), ..record };
        self.ledger.append(std::slice::from_ref(&record))?;
        self.watch.tell(Event::Failed(&record, &error))?;
        match self.scheme.fail_fast {
            true => Err(error.context(Kind::Partial.error(format!("stopped at line {}", record.line)))),
            false => Ok(()),
        }
    }
}

impl<P: Iterator<Item = Result<Planned>>> Desk for Run<'_, P> {
    type Key = Box<Ticket>;

    fn next(&mut self) -> Result<Ask<Box<Ticket>>> {
        while let Some(ticket) = self.again.pop_front() {
            if let Some((ticket, request)) = self.repeat(ticket)? {
                self.under_way += 1;
                return Ok(Ask::Speak(ticket, request));
            }
        }
        while !self.stop.load(Ordering::Relaxed) {
            match self.choose()? {
                Some(task) => {
                    if let Some((ticket, request)) = self.prepare(task)? {
                        self.under_way += 1;
                        return Ok(Ask::Speak(Box::new(ticket), Box::new(request)));
                    }
                }
                None if self.held.is_empty() => break,
                None => return Ok(Ask::Wait),
            }
        }
        // What is under way may have to be spoken once more.
        Ok(if self.scheme.care.retries > 0 && self.under_way > 0 { Ask::Wait } else { Ask::End })
    }

    fn done(&mut self, mut ticket: Box<Ticket>, spoken: Result<Utterance>) -> Result<()> {
        self.under_way -= 1;
        match self.hear(&mut ticket, spoken).transpose() {
            Some(take) => self.end(ticket, take),
            None => {
                self.again.push_back(ticket);
                Ok(())
            }
        }
    }
}

impl Record {
    fn placed(self, task: &Task) -> Self {
        let out = Some(task.out.to_string_lossy().into_owned());
        let (id, text) = (task.id.clone(), task.text.clone());
        Self { id, index: task.index, line: task.line, text, out, chain: task.chain, ..self }
    }
}

fn is_file(path: &Path, bytes: u64) -> bool {
    fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() == bytes)
}

/// The voice that an utterance gives the next one.
fn voice_beside(wav: &Path) -> PathBuf {
    wav.with_extension("npz")
}

fn make_folder(target: &Path) -> Result<()> {
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| Kind::Output.error(format!("{}: cannot be made", folder.display())))
}

fn remove(target: &Path) -> Result<()> {
    match fs::remove_file(target) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| Kind::Output.error(format!("{}: cannot be replaced", target.display())))
        }
        _ => Ok(()),
    }
}
