//! What a run would do, before it does anything: what is there, what would be replaced, and which files have other
//! names now.

use super::files::{State, content};
use super::found::Found;
use super::hash::hash;
use super::in_flight::InFlight;
use super::ledger::scan;
use super::plan::{Planned, Task};
use super::record::Record;
use super::run::Run;
use anyhow::{Context, Error, Result};
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What a run would do with a task.
pub enum Action {
    Make(InFlight),
    /// It is finished, at this path.
    There(InFlight, PathBuf),
    /// Its file was changed since it was made, and is kept.
    Kept(InFlight, PathBuf),
    /// Where the task comes from, and what is wrong with it.
    Bad(String, Error),
}

/// A finished file whose name is to be another one.
struct Move {
    task: Task,
    record: Record,
    from: PathBuf,
}

/// What was seen of all tasks.
#[derive(Default)]
pub struct Survey {
    /// How many tasks there are.
    pub total: u64,
    /// How many are to be made once more.
    pub again: u64,
    /// How many files were renamed.
    pub moved: u64,
    /// Why files that are there are to be replaced, and how many.
    pub replaced: BTreeMap<&'static str, u64>,
    /// The ids that are wanted, as hashes.
    ids: HashSet<u64>,
    moves: Vec<Move>,
}

impl<P: Iterator<Item = Result<Planned>>> Run<'_, P> {
    /// Goes through all tasks without making any; files that only have another name now are renamed.
    pub fn survey(&mut self) -> Result<Survey> {
        let mut survey = Survey::default();
        while let Some(planned) = self.next_planned()? {
            survey.total += 1;
            if let Planned::Task(task) = planned {
                survey.ids.insert(hash(&[task.id.as_bytes()]));
                self.look(*task, &mut survey)?;
            }
        }
        let moves = std::mem::take(&mut survey.moves);
        if survey.replaced.is_empty() || self.options.force || self.options.restart {
            survey.moved = self.rename_all(moves, &survey)?;
        }
        Ok(survey)
    }

    /// Files that runs of this report made and that no task wants any more, and whether they are as they were made; in
    /// the order of the report. Called once all tasks were gone through.
    pub fn left_over(&self) -> Result<Vec<(PathBuf, State)>> {
        let (mut seen, mut left) = (HashSet::new(), Vec::new());
        let report = self.ledger.path();
        let Ok(file) = File::open(report) else { return Ok(left) };
        scan(report, file, |record, _| {
            let unwanted = self.unwanted(&record)?;
            left.extend(unwanted.into_iter().filter(|(path, _)| seen.insert(path.clone())));
            Ok(())
        })?;
        Ok(left)
    }

    /// Of the files of a line, those that no task wants any more.
    fn unwanted(&self, record: &Record) -> Result<Vec<(PathBuf, State)>> {
        let Some(out) = record.out.as_ref().filter(|_| record.error.is_none()) else { return Ok(Vec::new()) };
        let path = self.options.folder.join(out);
        // Of several lines about one file, the last one tells how it was written. It is read for what is left over alone.
        let owner = self.ledger.owner(Path::new(out)).filter(|_| !self.is_wanted(out));
        let last = owner.map(|owner| self.ledger.line(owner)).transpose()?;
        let state = last.and_then(|last| content(&path, &last));
        let takes = self.unwanted_takes(record)?.into_iter().map(|take| (take, State::AsWritten));
        Ok(state.map(|state| (path, state)).into_iter().chain(takes).collect())
    }

    /// The takes beside a result that its last line does not name, or whose result no task wants; all of them, where
    /// takes are not asked for.
    fn unwanted_takes(&self, record: &Record) -> Result<Vec<PathBuf>> {
        let kept = |record: &Record| -> Vec<PathBuf> {
            record.heard.iter().filter_map(|take| take.kept(&self.options.folder)).collect()
        };
        let takes = kept(record);
        let Some(entry) = self.ledger.finished(&record.id).filter(|_| !takes.is_empty()) else { return Ok(takes) };
        let last = self.ledger.line(entry)?;
        let is_wanted = self.options.retry.keep_all && last.out.as_ref().is_some_and(|out| self.is_wanted(out));
        let theirs = if is_wanted { kept(&last) } else { Vec::new() };
        Ok(takes.into_iter().filter(|take| !theirs.contains(take)).collect())
    }

    fn is_wanted(&self, out: &str) -> bool {
        self.wanted.contains(&hash(&[out.as_bytes()]))
    }

    fn look(&mut self, task: Task, survey: &mut Survey) -> Result<()> {
        // What is wrong with it is told when its turn comes.
        let Ok(job) = self.job(&task) else { return Ok(()) };
        survey.again += u64::from(job.again);
        let wanted = self.options.folder.join(&task.out);
        let mut count = |why| *survey.replaced.entry(why).or_default() += 1;
        let Some(entry) = self.ledger.finished(&task.id) else {
            let foreign = self.ledger.owner(&task.out).is_none() && fs::symlink_metadata(&wanted).is_ok();
            (foreign && self.is_forced(&job)).then(|| count("a file of somebody else's is in the way (--force)"));
            return Ok(());
        };
        let record = self.ledger.line(entry)?;
        match self.locate(&record) {
            Some((_, State::Changed)) if self.is_forced(&job) => count("changed since (--force)"),
            Some((_, State::AsWritten)) if !job.is(entry) => {
                self.cause(&job, entry, &record).into_iter().for_each(count);
            }
            Some((_, State::AsWritten)) if self.options.restart => count("--restart"),
            // Another name does not make another format of it.
            Some((from, State::AsWritten)) if from != wanted && from.extension() == wanted.extension() => {
                survey.moves.push(Move { task, record, from });
            }
            _ => (),
        }
        Ok(())
    }

    /// Renames in an order in which no file is in another's way; where they go round in a circle, one steps aside
    /// first.
    fn rename_all(&mut self, mut moves: Vec<Move>, survey: &Survey) -> Result<u64> {
        let mut moved = 0;
        while !moves.is_empty() {
            let free = moves.iter().position(|m| self.is_free(m, &moves, survey));
            match free {
                Some(place) => {
                    let Move { task, record, from } = moves.remove(place);
                    self.rename_over(&task, record, &from)?;
                    moved += 1;
                }
                None => {
                    // Those in the way of which something else lies are made anew.
                    let froms: HashSet<PathBuf> = moves.iter().map(|m| m.from.clone()).collect();
                    let folder = self.options.folder.clone();
                    moves.retain(|m| froms.contains(&folder.join(&m.task.out)));
                    if let Some(first) = moves.first_mut() {
                        self.step_aside(first)?;
                    }
                }
            }
        }
        Ok(moved)
    }

    /// Whether nothing that counts lies where the file is to go: a file of this report that no task wants is in
    /// nobody's way.
    fn is_free(&self, m: &Move, moves: &[Move], survey: &Survey) -> bool {
        let to = self.options.folder.join(&m.task.out);
        if fs::symlink_metadata(&to).is_err() {
            return true;
        }
        let Some(Ok(owner)) = self.ledger.owner(&m.task.out).map(|owner| self.ledger.line(owner)) else { return false };
        let current = self.ledger.finished(&owner.id).is_some() && survey.ids.contains(&hash(&[owner.id.as_bytes()]));
        let as_written = super::files::state(&to, &owner) == Some(State::AsWritten);
        as_written && !current && !moves.iter().any(|other| other.from == to)
    }

    /// Renames a file over one that nobody wants any more.
    fn rename_over(&mut self, task: &Task, record: Record, from: &Path) -> Result<()> {
        let to = self.options.folder.join(&task.out);
        self.rename(task, record, (from, &to))?;
        self.moved(task)
    }

    /// Gives a file a name that is free, for now.
    fn step_aside(&mut self, m: &mut Move) -> Result<()> {
        let stem = m.task.out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let extension = m.task.out.extension().unwrap_or_default().to_string_lossy().into_owned();
        let names = (1..).map(|n| m.task.out.with_file_name(format!("{stem}-aside-{n}.{extension}")));
        let free = |out: &PathBuf| fs::symlink_metadata(self.options.folder.join(out)).is_err();
        let out = names.into_iter().find(free).context("no name is free")?;
        let to = self.options.folder.join(&out);
        self.rename(&Task { out, ..m.task.clone() }, m.record.clone(), (&m.from, &to))?;
        let entry = self.ledger.finished(&m.task.id).context("a file that was renamed is in the report")?;
        (m.record, m.from) = (self.ledger.line(entry)?, to);
        Ok(())
    }

    /// Goes through all tasks and tells what would be done with each.
    pub fn preview(&mut self, mut tell: impl FnMut(Action) -> Result<()>) -> Result<()> {
        while let Some(planned) = self.next_planned()? {
            let task = match planned {
                Planned::Task(task) => task,
                Planned::Bad(bad) => {
                    let place = bad.source.unwrap_or_else(|| format!("line {}", bad.line));
                    tell(Action::Bad(place, bad.error))?;
                    continue;
                }
            };
            match self.action(&task) {
                Ok(action) => tell(action)?,
                Err(error) => tell(Action::Bad(task.place(), error))?,
            }
        }
        Ok(())
    }

    fn action(&mut self, task: &Task) -> Result<Action> {
        let job = self.job(task)?;
        match self.found(&job)? {
            Found::Finished(_, there) if !self.options.restart => return Ok(Action::There(job, there)),
            Found::Changed(path) if !self.is_forced(&job) => return Ok(Action::Kept(job, path)),
            _ => (),
        }
        self.may_begin(&job)?;
        self.check(&task.item)?;
        Ok(Action::Make(job))
    }
}
