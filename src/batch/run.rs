//! The queue where tasks become files and lines of the report.

use super::Sampling;
use super::attempts::{Attempt, Attempts, RetryPolicy};
use super::ledger::Ledger;
use super::plan::{Bad, Planned, Task};
use super::record::{Record, RecordedSettings, key, now, rounded};
use super::stop::Stop;
use super::voices::{LoadedVoice, VoiceCache};
use crate::error::{Kind, is_fatal};
use crate::output::{Pending, Sink};
use crate::sound::RecordedFinding;
use crate::speak::{NextRequest, Request, RequestQueue, Settings, Utterance};
use crate::stage::protocol::Protocol;
use crate::voice::Voice;
use anyhow::{Context, Error, Result, ensure};
use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Tasks that may wait for the one before them in their chain while later ones are spoken.
const LOOKAHEAD: usize = 256;

/// Bark's longest utterance, about, seconds.
const LONGEST: f64 = 14.0;

/// What a run needs of the models and files around it.
pub trait Backend {
    /// A text's ids, refused where they do not fit one utterance.
    fn ids(&self, text: &str) -> Result<Vec<u32>>;
    /// The voice that a task names.
    fn voice(&self, name: &str) -> Result<Voice>;
    /// Settings that are given over the model's own.
    fn settings(&self, sampling: Sampling, seed: u64) -> Settings;
    /// What the models' own files say.
    fn protocol(&self) -> &Protocol;
    /// Writes the sound.
    fn write(&self, job: &InFlight, utterance: &Utterance, sink: &mut Sink) -> Result<()>;
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

/// What a run would do with a task.
pub enum Action {
    Speak(InFlight),
    There(InFlight),
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
pub struct RunOptions {
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
    pub retry: RetryPolicy,
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
pub struct InFlight {
    pub task: Task,
    pub voice: Option<String>,
    pub voice_hash: Option<String>,
    pub settings: Settings,
    key: u64,
    begun: Instant,
    takes: Attempts,
}

/// Where a chain of utterances has come to.
#[derive(Default)]
struct Chain {
    /// Of its last utterance.
    voice: Option<LoadedVoice>,
    busy: bool,
}

/// A run over the tasks of `P`.
pub struct Run<'a, P> {
    plan: P,
    /// Tasks that are spoken once more.
    again: VecDeque<Box<InFlight>>,
    under_way: u64,
    /// About how long all that is under way will be, seconds of speech.
    expected: f64,
    /// Tasks whose chain is busy.
    held: VecDeque<Task>,
    chains: HashMap<u64, Chain>,
    ledger: Ledger,
    options: RunOptions,
    backend: &'a dyn Backend,
    watch: &'a dyn Observer,
    /// Set from outside: nothing more is begun.
    stop: &'a Stop,
    voices: VoiceCache,
    tally: Tally,
    begun: Instant,
    /// When the last utterance was finished.
    last: Instant,
}

impl<'a, P: Iterator<Item = Result<Planned>>> Run<'a, P> {
    pub fn new(
        plan: P,
        ledger: Ledger,
        options: RunOptions,
        (backend, watch): (&'a dyn Backend, &'a dyn Observer),
        stop: &'a Stop,
    ) -> Self {
        let (again, under_way, expected) = (VecDeque::new(), 0, 0.0);
        let (held, chains, voices) = (VecDeque::new(), HashMap::new(), VoiceCache::default());
        let (tally, last) = (Tally::default(), Instant::now());
        let begun = last;
        Self {
            plan,
            again,
            under_way,
            expected,
            held,
            chains,
            ledger,
            options,
            backend,
            watch,
            stop,
            voices,
            tally,
            begun,
            last,
        }
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
    fn prepare(&mut self, task: Task) -> Result<Option<(InFlight, Request)>> {
        let job = match self.job(&task) {
            Ok(job) => job,
            Err(error) => return self.fail(&task, error).map(|()| None),
        };
        if !self.options.restart && self.is_there(&job)? {
            return Ok(None);
        }
        let request = match self.request(&job) {
            Ok(request) => request,
            Err(error) => return self.fail(&task, error).map(|()| None),
        };
        if let Some(chain) = task.chain {
            self.chains.entry(chain).or_default().busy = true;
        }
        self.watch.tell(Event::Started(&task))?;
        Ok(Some((job, request)))
    }

    fn job(&mut self, task: &Task) -> Result<InFlight> {
        let settings = self.backend.settings(task.sampling.or(self.options.sampling), task.seed);
        settings.check()?;
        let voice = task.voice.clone().or_else(|| self.options.voice.clone());
        let voice_hash = self.voice(task, voice.as_deref())?.map(|known| known.hash);
        let key = key(&task.text, voice_hash.as_deref(), &settings, &self.options.model);
        let takes = Attempts::new(self.options.retry, settings.seed);
        Ok(InFlight { task: task.clone(), voice, voice_hash, settings, key, begun: Instant::now(), takes })
    }

    /// That of the utterance before in the chain, else the one that is asked for.
    fn voice(&mut self, task: &Task, name: Option<&str>) -> Result<Option<LoadedVoice>> {
        if let Some(chain) = task.chain {
            // One of a chain may wait for its turn behind an utterance of a later chain that is spoken again.
            let held = |number: u64| self.held.iter().any(|task| task.chain == Some(number));
            self.chains.retain(|&number, c| c.busy || number >= chain || held(number));
            if let Some(known) = self.chains.get(&chain).and_then(|chain| chain.voice.clone()) {
                return Ok(Some(known));
            }
        }
        let backend = self.backend;
        name.map(|name| self.voices.get(name, |name| backend.voice(name))).transpose()
    }

    fn request(&mut self, job: &InFlight) -> Result<Request> {
        let target = self.options.folder.join(&job.task.out);
        let replaceable = self.options.force || self.ledger.owns(&job.task.out);
        if let Ok(metadata) = fs::symlink_metadata(&target) {
            let shown = target.display();
            ensure!(replaceable, Kind::Output.error(format!("{shown}: exists already; --force replaces it")));
            ensure!(!metadata.is_dir(), Kind::Output.error(format!("{shown}: a folder is in its place")));
        }
        let ids = self.backend.ids(&job.task.text)?;
        let voice = self.voice(&job.task, job.voice.as_deref())?;
        Ok(Request { voice: voice.map(|known| known.voice), ..Request::text(ids, None, job.settings) })
    }

    /// Whether the utterance is finished as it is wanted now; if under another name, that is changed.
    fn is_there(&mut self, job: &InFlight) -> Result<bool> {
        let Some(record) = self.found(job)? else { return Ok(false) };
        let task = &job.task;
        let (there, wanted) = (self.path(&record), self.options.folder.join(&task.out));
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
    fn found(&mut self, job: &InFlight) -> Result<Option<Record>> {
        let Some(entry) = self.ledger.finished(&job.task.id).filter(|e| e.key == job.key) else {
            return Ok(None);
        };
        let record = self.ledger.line(entry)?;
        let (there, wanted) = (self.path(&record), self.options.folder.join(&job.task.out));
        let placed = there == wanted || fs::symlink_metadata(&wanted).is_err();
        let found = placed && is_file(&there, entry.bytes) && self.went_on(&record, &there);
        Ok(found.then_some(record))
    }

    fn path(&self, record: &Record) -> PathBuf {
        self.options.folder.join(record.out.as_deref().unwrap_or_default())
    }

    /// Takes up the chain where a finished utterance left it; false if what it needs for that is gone.
    fn went_on(&mut self, record: &Record, wav: &Path) -> bool {
        let (Some(chain), Some(hash)) = (record.chain, &record.continues) else { return true };
        match Voice::read(&voice_beside(wav)).map(LoadedVoice::new) {
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
    fn hear(&self, job: &mut InFlight, spoken: Result<Utterance>) -> Result<Option<Attempt>> {
        let limits = (self.backend.protocol(), &job.settings.stop);
        let heard = spoken.and_then(|utterance| job.takes.hear(utterance, &job.task.text, limits));
        match heard {
            // A take that failed does not take the earlier ones away.
            Err(error) if !is_fatal(&error) => job.takes.settle().map(Some).ok_or(error),
            heard => heard,
        }
    }

    /// One more is under way, or one less (`sign`): says how long all of them may take at the speed so far.
    fn count(&mut self, job: &InFlight, sign: f64) {
        self.under_way = self.under_way.saturating_add_signed(sign as i64);
        self.expected = (self.expected + sign * estimate(&job.task.text, &job.settings)).max(0.0);
        let speed = self.tally.seconds / self.begun.elapsed().as_secs_f64();
        let most = Duration::try_from_secs_f64(self.expected / speed).ok();
        self.stop.tell(self.under_way, most);
    }

    /// Asks for another take; where nothing more is begun, the best one so far is kept.
    fn repeat(&mut self, mut job: Box<InFlight>) -> Result<Option<(Box<InFlight>, Box<Request>)>> {
        if self.stop.is_requested() {
            return match job.takes.settle() {
                Some(take) => self.end(job, Ok(take)).map(|()| None),
                None => Ok(None),
            };
        }
        job.settings.seed = job.takes.seed();
        match self.request(&job) {
            Ok(request) => Ok(Some((job, Box::new(request)))),
            Err(error) => self.end(job, Err(error)).map(|()| None),
        }
    }

    fn end(&mut self, mut job: Box<InFlight>, take: Result<Attempt>) -> Result<()> {
        if let Some(chain) = job.task.chain {
            self.chains.entry(chain).or_default().busy = false;
        }
        match take {
            Ok(take) => {
                job.settings.seed = take.seed;
                self.keep(&job, &take)
            }
            Err(error) if is_fatal(&error) => Err(error),
            Err(error) => self.fail(&job.task, error),
        }
    }

    /// Writes the sound and the line; gives the sound its name only then.
    fn keep(&mut self, job: &InFlight, take: &Attempt) -> Result<()> {
        let utterance = &take.utterance;
        let target = self.options.folder.join(&job.task.out);
        make_folder(&target)?;
        let sound = Pending::write(&self.options.folder, &self.ledger.tag(), target.clone(), |sink| {
            self.backend.write(job, utterance, sink)
        })?;
        let next = job.task.chain.and_then(|_| utterance.voice().ok()).map(LoadedVoice::new);
        if let Some(next) = &next {
            next.voice.write(&voice_beside(&target), true)?;
        }
        let mut record = self.record(job, take, sound.bytes);
        record.continues = next.as_ref().map(|known| known.hash.clone());
        // Without this, a line of the new sound could stand beside the old one.
        remove(&target)?;
        self.ledger.append(std::slice::from_ref(&record))?;
        sound.settle(false)?;
        if let (Some(chain), Some(next)) = (job.task.chain, next) {
            self.chains.entry(chain).or_default().voice = Some(next);
        }
        self.tally.done += 1;
        self.tally.seconds += utterance.pcm.seconds();
        self.watch.tell(Event::Done(&record))
    }

    fn record(&mut self, job: &InFlight, take: &Attempt, bytes: u64) -> Record {
        let utterance = &take.utterance;
        let (seconds, took) = (utterance.pcm.seconds(), job.begun.elapsed().as_secs_f64());
        let share = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        let record = Record {
            bytes: Some(bytes),
            voice: job.voice.clone(),
            voice_hash: job.voice_hash.clone(),
            seed: Some(job.settings.seed),
            settings: Some(RecordedSettings::of(&job.settings)),
            model: Some(self.options.model.clone()),
            key: Some(format!("{:016x}", job.key)),
            tokens: Some(utterance.semantic.len()),
            seconds: Some(rounded(seconds)),
            took: Some(rounded(took)),
            share: Some(rounded(share)),
            real_time_factor: Some(rounded(took / seconds)),
            takes: Some(job.takes.made()).filter(|&made| made > 1),
            findings: take.findings.iter().map(RecordedFinding::from).collect(),
            at: now(),
            ..Record::default()
        };
        record.placed(&job.task)
    }

    /// Goes through all tasks without speaking any.
    pub fn preview(&mut self, mut tell: impl FnMut(Action) -> Result<()>) -> Result<()> {
        while let Some(planned) = self.plan.next().transpose()? {
            let task = match planned {
                Planned::Task(task) => task,
                Planned::Bad(bad) => {
                    tell(Action::Bad(bad.line, bad.error))?;
                    continue;
                }
            };
            match self.action(&task) {
                Ok(action) => tell(action)?,
                Err(error) => tell(Action::Bad(task.line, error))?,
            }
        }
        Ok(())
    }

    fn action(&mut self, task: &Task) -> Result<Action> {
        let job = self.job(task)?;
        if !self.options.restart && self.found(&job)?.is_some() {
            return Ok(Action::There(job));
        }
        self.request(&job)?;
        Ok(Action::Speak(job))
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
        match self.options.fail_fast {
            true => Err(error.context(Kind::Partial.error(format!("stopped at line {}", record.line)))),
            false => Ok(()),
        }
    }
}

impl<P: Iterator<Item = Result<Planned>>> RequestQueue for Run<'_, P> {
    type Key = Box<InFlight>;

    fn next(&mut self) -> Result<NextRequest<Box<InFlight>>> {
        while let Some(job) = self.again.pop_front() {
            if let Some((job, request)) = self.repeat(job)? {
                self.count(&job, 1.0);
                return Ok(NextRequest::Ready(job, request));
            }
        }
        while !self.stop.is_requested() {
            match self.choose()? {
                Some(task) => {
                    if let Some((job, request)) = self.prepare(task)? {
                        self.count(&job, 1.0);
                        return Ok(NextRequest::Ready(Box::new(job), Box::new(request)));
                    }
                }
                None if self.held.is_empty() => break,
                None => return Ok(NextRequest::Wait),
            }
        }
        // What is under way may have to be spoken once more.
        Ok(if self.options.retry.retries > 0 && self.under_way > 0 { NextRequest::Wait } else { NextRequest::End })
    }

    fn finished(&mut self, mut job: Box<InFlight>, spoken: Result<Utterance>) -> Result<()> {
        self.count(&job, -1.0);
        match self.hear(&mut job, spoken).transpose() {
            Some(take) => self.end(job, take),
            None => {
                self.again.push_back(job);
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
