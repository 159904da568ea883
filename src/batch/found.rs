//! What is there of a task: what the report says, what lies on the disk, and what of it may be replaced.

use super::files::{self, State};
use super::in_flight::{InFlight, make_folder};
use super::ledger::Entry;
use super::name::ranked;
use super::plan::{Planned, Task};
use super::record::{Record, RecordedSettings, now};
use super::run::Run;
use super::voices::LoadedVoice;
use crate::error::Kind;
use crate::output;
use crate::voice::Voice;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// What is there of a task.
pub(super) enum Found {
    /// Nothing that counts.
    Nothing,
    /// It is finished as it is wanted, at this path.
    Finished(Box<Record>, PathBuf),
    /// Its file is not what the report's run wrote.
    Changed(PathBuf),
}

impl<P: Iterator<Item = Result<Planned>>> Run<'_, P> {
    /// Looks at the report and the disk.
    pub(super) fn found(&mut self, job: &InFlight) -> Result<Found> {
        let Some(entry) = self.ledger.finished(&job.task.id) else { return Ok(Found::Nothing) };
        let record = self.ledger.line(entry)?;
        let wanted = self.options.folder.join(&job.task.out);
        let Some((there, state)) = self.locate(&record) else { return Ok(Found::Nothing) };
        Ok(match state {
            State::Changed => Found::Changed(there),
            State::AsWritten if job.again || !job.is(entry) => Found::Nothing,
            State::AsWritten if self.can_be_better(&record) || self.lacks_takes(&record) => Found::Nothing,
            _ if there != wanted && fs::symlink_metadata(&wanted).is_ok() => Found::Nothing,
            // Another name does not make another format of it.
            _ if there.extension() != wanted.extension() => Found::Nothing,
            _ if !self.went_on(&record, &there) => Found::Nothing,
            _ => Found::Finished(Box::new(record), there),
        })
    }

    /// Whether its file is replaced whatever it is: with `redo`, those alone that are made once more.
    pub(super) fn is_forced(&self, job: &InFlight) -> bool {
        self.options.force && (self.options.redo.is_none() || job.again)
    }

    /// Whether more takes are wanted than were made.
    fn can_be_better(&self, record: &Record) -> bool {
        self.options.retry.wants_more(record.takes.unwrap_or(1), record.findings.is_empty())
    }

    /// Whether takes that are wanted beside the best were not kept, or are gone.
    fn lacks_takes(&self, record: &Record) -> bool {
        let mut others = record.heard.iter().filter(|take| Some(take.seed) != record.seed);
        self.options.retry.keep_all && others.any(|take| !take.is_there(&self.options.folder))
    }

    /// Where the file of a line is, and whether it is what was written: a run that was killed while it renamed the file
    /// left it where it was before.
    pub(super) fn locate(&self, record: &Record) -> Option<(PathBuf, State)> {
        let places = [&record.out, &record.from].into_iter().flatten().map(|out| self.options.folder.join(out));
        let mut found = places.filter_map(|path| files::state(&path, record).map(|state| (path, state)));
        found.next()
    }

    /// Refuses a place where something lies that must not be replaced.
    pub(super) fn may_begin(&mut self, job: &InFlight) -> Result<()> {
        self.may_keep_all(job)?;
        let target = self.options.folder.join(&job.task.out);
        let Ok(metadata) = fs::symlink_metadata(&target) else { return Ok(()) };
        let shown = target.display();
        ensure!(!metadata.is_dir(), Kind::Output.error(format!("{shown}: a folder is in its place")));
        output::refuse_input(&target)?;
        if self.is_forced(job) || self.ledger.is_torn(&job.task.out, &target) {
            return Ok(());
        }
        let Some(owner) = self.ledger.owner(&job.task.out) else {
            bail!(Kind::Output.error(format!("{shown}: exists already; --force replaces it")))
        };
        let record = self.ledger.line(owner)?;
        let changed = files::content(&target, &record) == Some(State::Changed);
        ensure!(!changed, Kind::Output.error(format!("{shown}: was changed since it was made; --force replaces it")));
        let cause = if self.options.restart { None } else { self.cause(job, owner, &record) };
        match cause {
            Some(cause) => bail!(Kind::Output.error(format!(
                "{shown}: is finished, and {cause}: --force replaces it, --restart all that is finished"
            ))),
            None => Ok(()),
        }
    }

    /// Refuses places of takes that are kept beside the best, but for those that the report says were kept before, as
    /// they were written.
    fn may_keep_all(&self, job: &InFlight) -> Result<()> {
        let ranks = self.options.retry.ranks_kept();
        if self.is_forced(job) || ranks.is_empty() {
            return Ok(());
        }
        let record = self.ledger.finished(&job.task.id).map(|entry| self.ledger.line(entry)).transpose()?;
        let heard = record.iter().flat_map(|record| &record.heard);
        let ours: Vec<_> = heard.filter_map(|take| take.kept(&self.options.folder)).collect();
        for rank in ranks {
            let place = self.options.folder.join(ranked(&job.task.out, rank));
            let free = fs::symlink_metadata(&place).is_err() || ours.contains(&place);
            let told = || format!("{}: exists already, or was changed since; --force replaces it", place.display());
            ensure!(free, Kind::Output.error(told()));
        }
        Ok(())
    }

    /// Why a finished result is not what is wanted now, unless it is another text: that is what an edited list asks
    /// for.
    pub(super) fn cause(&self, job: &InFlight, owner: Entry, record: &Record) -> Option<&'static str> {
        let same = record.id == job.task.id && record.text == job.task.item.text() && !job.is(owner) && !job.again;
        // Where one of a chain is spoken again, those after it have another voice.
        same.then(|| differs(record, job, &self.options.model)).flatten()
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

    /// The line first, with the old name: killed in between, the next run finds the file where it was.
    pub(super) fn rename(&mut self, task: &Task, record: Record, (from, to): (&Path, &Path)) -> Result<()> {
        let goes_on = record.continues.is_some();
        let old = from.strip_prefix(&self.options.folder).unwrap_or(from).to_string_lossy().into_owned();
        let moved = Record { at: now(), from: Some(old), ..record }.placed(task);
        self.ledger.append(&[moved])?;
        make_folder(to)?;
        let unmoved = || Kind::Output.error(format!("{}: cannot be renamed to {}", from.display(), to.display()));
        if goes_on {
            fs::rename(voice_beside(from), voice_beside(to)).with_context(unmoved)?;
        }
        fs::rename(from, to).with_context(unmoved)
    }
}

/// What of a finished result is not as it is wanted now.
fn differs(record: &Record, job: &InFlight, model: &str) -> Option<&'static str> {
    let settings = job.settings.as_ref().map(RecordedSettings::of);
    if record.chain.is_none() && record.voice_hash != job.voice_hash {
        Some("the voice is another one now")
    } else if record.settings != settings {
        Some("the settings are other ones now")
    } else if record.model.as_deref() != Some(model) {
        Some("the models or flags are other ones now")
    } else if record.chain.is_none() {
        Some("the seed is another one now")
    } else {
        None
    }
}

/// The voice that an utterance gives the next one.
pub(super) fn voice_beside(wav: &Path) -> PathBuf {
    wav.with_extension("npz")
}
