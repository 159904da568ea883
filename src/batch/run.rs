//! The runner: tasks become files and lines of the report, whatever makes them.
//!
//! Whoever does the work asks for [`Run::next_job`], makes what it is about, and hands it to [`Run::end`].

use super::Sampling;
use super::attempts::RetryPolicy;
use super::events::{Event, Observer, Tally};
use super::files;
use super::found::{Found, voice_beside};
use super::hash::hash;
use super::in_flight::{InFlight, Made, NextJob, Target};
use super::job::Item;
use super::ledger::Ledger;
use super::plan::{Bad, Planned, Task};
use super::record::{Record, RecordedSettings, key, now, rounded};
use super::redo::{self, Redo};
use super::stop::Stop;
use super::voices::{LoadedVoice, VoiceCache};
use crate::error::{Kind, is_fatal};
use crate::sound::RecordedFinding;
use crate::speak::Settings;
use crate::voice::Voice;
use anyhow::{Context, Error, Result};
use std::collections::{HashMap, HashSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Tasks that may wait for the one before them in their chain while later ones are spoken.
const LOOKAHEAD: usize = 256;

/// What a run needs of the models and files around it.
pub trait Backend {
    /// The voice that a task names.
    fn voice(&self, name: &str) -> Result<Voice>;
    /// What a result is drawn with: settings that are given over the model's own. `None`: nothing is drawn.
    fn settings(&self, sampling: Sampling, seed: u64) -> Option<Settings>;
    /// Refuses what can never be made, as far as that is known without computing anything.
    fn check(&self, item: &Item) -> Result<()>;
}

/// What a run is asked for.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Where the files go; it exists.
    pub folder: PathBuf,
    /// The voice where a task names none.
    pub voice: Option<String>,
    /// Settings where a task gives none.
    pub sampling: Sampling,
    /// Stands for the models and whatever else decides the result.
    pub model: String,
    /// As earlier versions had it, where that is another.
    pub former_model: Option<String>,
    /// The command line, for the report.
    pub command: Option<String>,
    /// What is made once more with another seed.
    pub redo: Option<Redo>,
    /// Replace any file: those that the report does not know, and those that were changed since.
    pub force: bool,
    /// Make what is finished again.
    pub restart: bool,
    /// End with the first failure.
    pub fail_fast: bool,
    /// What is done about an utterance that does not sound right.
    pub retry: RetryPolicy,
    /// Seconds of sound in a second, as far as that is known before anything was made.
    pub speed: Option<f64>,
    /// Somebody listens as it is made, so that the first ones matter most: no more are under way than are over, and one.
    pub heard: bool,
}

/// Where a chain of utterances has come to.
#[derive(Default)]
pub(super) struct Chain {
    /// Of its last utterance.
    pub(super) voice: Option<LoadedVoice>,
    busy: bool,
}

/// A run over the tasks of `P`.
pub struct Run<'a, P> {
    plan: P,
    /// Tasks whose chain is busy.
    held: VecDeque<Task>,
    pub(super) chains: HashMap<u64, Chain>,
    /// The names of all tasks so far, as hashes.
    pub(super) wanted: HashSet<u64>,
    pub(super) ledger: Ledger,
    pub(super) options: RunOptions,
    backend: &'a dyn Backend,
    observer: &'a dyn Observer,
    stop: &'a Stop,
    voices: VoiceCache,
    tally: Tally,
    under_way: u64,
    /// About how long all that is under way will be, seconds of sound.
    expected: f64,
    begun: Instant,
    /// When the last result was finished.
    last: Instant,
}

impl<'a, P: Iterator<Item = Result<Planned>>> Run<'a, P> {
    /// `stop` is set from outside: nothing more is begun then.
    pub fn new(
        plan: P,
        ledger: Ledger,
        options: RunOptions,
        (backend, observer): (&'a dyn Backend, &'a dyn Observer),
        stop: &'a Stop,
    ) -> Self {
        let (held, chains, voices, tally) = (VecDeque::new(), HashMap::new(), VoiceCache::default(), Tally::default());
        let (under_way, expected, begun) = (0, 0.0, Instant::now());
        let last = begun;
        Self {
            plan,
            held,
            chains,
            wanted: HashSet::new(),
            ledger,
            options,
            backend,
            observer,
            stop,
            voices,
            tally,
            under_way,
            expected,
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

    pub fn retry(&self) -> RetryPolicy {
        self.options.retry
    }

    /// Whether `under_way` are enough for the beginning of a run that somebody listens to.
    pub fn is_enough(&self, under_way: usize) -> bool {
        self.options.heard && under_way as u64 > self.tally.done + self.tally.failed
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.is_requested()
    }

    /// The next job that can be begun.
    ///
    /// # Errors
    /// What ends the run.
    pub fn next_job(&mut self) -> Result<NextJob> {
        while !self.stop.is_requested() {
            match self.choose()? {
                Some(task) => {
                    if let Some(job) = self.begin(task)? {
                        return Ok(NextJob::Ready(job));
                    }
                }
                None if self.held.is_empty() => break,
                None => return Ok(NextJob::Wait),
            }
        }
        Ok(NextJob::End)
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
            match self.next_planned()? {
                Some(Planned::Task(task)) if free(&self.chains, &task) => return Ok(Some(*task)),
                Some(Planned::Task(task)) => self.held.push_back(*task),
                Some(Planned::Bad(bad)) => self.refuse(bad)?,
                None => break,
            }
        }
        Ok(None)
    }

    /// Checks the task, and makes a job of it unless there is nothing to do.
    fn begin(&mut self, task: Task) -> Result<Option<Box<InFlight>>> {
        let job = match self.job(&task) {
            Ok(job) => job,
            Err(error) => return self.fail(&task, error).map(|()| None),
        };
        if self.is_there(&job)? {
            return Ok(None);
        }
        if let Err(error) = self.may_begin(&job).and_then(|()| self.backend.check(&task.item)) {
            return self.fail(&task, error).map(|()| None);
        }
        if let Some(chain) = task.chain {
            self.chains.entry(chain).or_default().busy = true;
        }
        self.count(&job, 1);
        self.observer.tell(Event::Started(&task))?;
        Ok(Some(Box::new(job)))
    }

    pub(super) fn job(&mut self, task: &Task) -> Result<InFlight> {
        let again = self.is_asked_again(task)?;
        let redone = self.ledger.finished(&task.id).map_or(0, |entry| entry.redone) + u64::from(again);
        let seed = redo::redone(task.seed, redone);
        let settings = self.backend.settings(task.sampling.or(self.options.sampling), seed);
        settings.as_ref().map_or(Ok(()), Settings::check)?;
        let voice = task.voice.clone().or_else(|| self.options.voice.clone());
        let voice_hash = self.voice(task, voice.as_deref())?.map(|known| known.hash);
        let key = |model: &String| key(&task.item, voice_hash.as_deref(), settings.as_ref(), model);
        let (key, former_key) = (key(&self.options.model), self.options.former_model.as_ref().map(key));
        let (task, begun) = (task.clone(), Instant::now());
        Ok(InFlight { task, voice, voice_hash, settings, key, former_key, redone, again, begun })
    }

    /// Whether the task is among those that are made once more.
    fn is_asked_again(&self, task: &Task) -> Result<bool> {
        Ok(match &self.options.redo {
            None => false,
            Some(Redo::Failed) => self.ledger.failed(&task.id),
            Some(Redo::Bad) => match self.ledger.finished(&task.id) {
                Some(entry) => !self.ledger.line(entry)?.findings.is_empty(),
                None => false,
            },
            Some(lines) => lines.holds_line(task.line),
        })
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

    /// The voice that the job is done in.
    pub fn voice_of(&mut self, job: &InFlight) -> Result<Option<LoadedVoice>> {
        self.voice(&job.task, job.voice.as_deref())
    }

    /// Where the job's result goes.
    pub fn target(&self, job: &InFlight) -> Target {
        let folder = self.options.folder.clone();
        Target { path: folder.join(&job.task.out), tag: self.ledger.tag(), folder }
    }

    /// Whether there is nothing to do: it is finished as it is wanted, if under another name, that is changed; or its
    /// file was changed by somebody.
    fn is_there(&mut self, job: &InFlight) -> Result<bool> {
        let task = &job.task;
        match self.found(job)? {
            Found::Changed(path) if !self.is_forced(job) => {
                self.tally.kept += 1;
                self.observer.tell(Event::Kept(task, &path)).map(|()| true)
            }
            Found::Finished(record, there) if !self.options.restart => {
                let wanted = self.options.folder.join(&task.out);
                self.tally.doubtful += u64::from(!record.findings.is_empty());
                if there != wanted {
                    self.rename(task, *record, (&there, &wanted))?;
                    self.moved(task)?;
                }
                self.tally.skipped += 1;
                self.observer.tell(Event::Skipped(task)).map(|()| true)
            }
            _ => Ok(false),
        }
    }

    pub(super) fn moved(&mut self, task: &Task) -> Result<()> {
        self.observer.tell(Event::Moved(task))
    }

    pub(super) fn check(&self, item: &Item) -> Result<()> {
        self.backend.check(item)
    }

    /// One more is under way, or one less: says how long all of them may take at the speed so far.
    fn count(&mut self, job: &InFlight, change: i64) {
        self.under_way = self.under_way.saturating_add_signed(change);
        self.expected = (self.expected + change as f64 * job.expected()).max(0.0);
        let (done, made, took) = match (self.tally.done, self.ledger.speed()) {
            (0, (0, ..)) => (0, self.options.speed.unwrap_or_default(), 1.0),
            (0, before) => before,
            (done, _) => (done, self.tally.seconds, self.begun.elapsed().as_secs_f64()),
        };
        let each = took / done as f64;
        let seconds = if self.expected > 0.0 { self.expected * took / made } else { each * self.under_way as f64 };
        let most = Duration::try_from_secs_f64(seconds).ok();
        self.stop.tell(self.under_way, most);
    }

    /// Keeps what was made of the job, or tells why there is nothing.
    ///
    /// # Errors
    /// What ends the run.
    pub fn end(&mut self, job: &InFlight, made: Result<Made>) -> Result<()> {
        self.count(job, -1);
        if let Some(chain) = job.task.chain {
            self.chains.entry(chain).or_default().busy = false;
        }
        match made {
            Ok(made) => self.keep(job, made),
            Err(error) if is_fatal(&error) => Err(error),
            Err(error) => self.fail(&job.task, error),
        }
    }

    /// Makes all of them, one at a time.
    ///
    /// # Errors
    /// What ends the run; what is wrong with one is in the report.
    pub fn each(&mut self, mut make: impl FnMut(&InFlight, Target) -> Result<Made>) -> Result<()> {
        while let NextJob::Ready(job) = self.next_job()? {
            let made = make(&job, self.target(&job));
            self.end(&job, made)?;
        }
        Ok(())
    }

    /// Writes the line; gives the file its name only then.
    fn keep(&mut self, job: &InFlight, made: Made) -> Result<()> {
        let target = self.options.folder.join(&job.task.out);
        if let Some(next) = &made.next {
            next.voice.write(&voice_beside(&target), true)?;
        }
        let record = self.record(job, &made)?;
        // Without this, a line of the new file could stand beside the old one.
        remove(&target)?;
        self.ledger.append(std::slice::from_ref(&record))?;
        made.file.settle(false)?;
        made.choice.into_iter().flat_map(|choice| choice.others).try_for_each(|other| other.settle(true))?;
        if let (Some(chain), Some(next)) = (job.task.chain, made.next) {
            self.chains.entry(chain).or_default().voice = Some(next);
        }
        self.tally.done += 1;
        self.tally.doubtful += u64::from(!record.findings.is_empty());
        self.tally.seconds += made.seconds;
        self.observer.tell(Event::Done(&record))
    }

    fn record(&mut self, job: &InFlight, made: &Made) -> Result<Record> {
        let (seconds, took) = (made.seconds, job.begun.elapsed().as_secs_f64());
        let share = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        let seed = made.seed.or(job.settings.map(|settings| settings.seed));
        let record = Record {
            bytes: Some(made.file.bytes),
            modified: files::modified(made.file.path()),
            sha256: Some(files::sha256(made.file.path())?),
            voice: job.voice.clone(),
            voice_hash: job.voice_hash.clone(),
            seed,
            settings: job.settings.as_ref().map(RecordedSettings::of),
            model: Some(self.options.model.clone()),
            key: Some(format!("{:016x}", job.key)),
            tokens: Some(made.tokens),
            seconds: Some(rounded(seconds)),
            took: Some(rounded(took)),
            share: Some(rounded(share)),
            real_time_factor: Some(rounded(took / seconds)),
            redone: Some(job.redone).filter(|&times| times > 0),
            takes: Some(made.attempts).filter(|&made| made > 1),
            score: made.choice.as_ref().map(|choice| choice.score.clone()),
            heard: made.choice.as_ref().map_or(Vec::new(), |choice| choice.heard.clone()),
            findings: made.findings.iter().map(RecordedFinding::from).collect(),
            augment: made.augment.clone(),
            command: self.options.command.clone(),
            continues: made.next.as_ref().map(|known| known.hash.clone()),
            at: now(),
            ..Record::default()
        };
        Ok(record.placed(&job.task))
    }

    /// The next of the plan.
    pub(super) fn next_planned(&mut self) -> Result<Option<Planned>> {
        let planned = self.plan.next().transpose()?;
        if let Some(Planned::Task(task)) = &planned {
            self.wanted.insert(hash(&[task.out.to_string_lossy().as_bytes()]));
        }
        Ok(planned)
    }

    /// A line that is no task.
    fn refuse(&mut self, bad: Bad) -> Result<()> {
        let Bad { line, index, id, source, error } = bad;
        self.failed(Record { id, index, line, source, ..Record::default() }, error)
    }

    /// A task that cannot be done.
    fn fail(&mut self, task: &Task, error: Error) -> Result<()> {
        self.failed(Record { seed: Some(task.seed), ..Record::default() }.placed(task), error)
    }

    fn failed(&mut self, record: Record, error: Error) -> Result<()> {
        self.tally.failed += 1;
        let command = self.options.command.clone();
        let record = Record { at: now(), command, error: Some(format!("{error:#}")), ..record };
        self.ledger.append(std::slice::from_ref(&record))?;
        self.observer.tell(Event::Failed(&record, &error))?;
        match self.options.fail_fast {
            true => Err(error.context(Kind::Partial.error(format!("stopped at {}", record.place())))),
            false => Ok(()),
        }
    }
}

fn remove(target: &Path) -> Result<()> {
    match fs::remove_file(target) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| Kind::Output.error(format!("{}: cannot be replaced", target.display())))
        }
        _ => Ok(()),
    }
}
