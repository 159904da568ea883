//! Many utterances as one sound that goes out while they are made: each as soon as it and all before it are done.

use super::SpeakArgs;
use super::book::{BEFORE_CHAPTER, Slot};
use super::outlet::Outlets;
use crate::cli::reporter::Reporter;
use anyhow::{Result, ensure};
use barkclone::batch::{Event, Observer};
use barkclone::book::{Gap, Silence};
use barkclone::error::Kind;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Tells of a run, and lets what is done be heard.
pub struct Live<'a> {
    reporter: &'a Reporter<'a>,
    folder: &'a Path,
    silence: Silence,
    /// `None`: nobody listens.
    playing: Option<Mutex<Playing>>,
}

/// Where the sound has come to.
struct Playing {
    outlets: Option<Outlets>,
    first: Option<f64>,
    /// What comes next, as far as it is planned.
    slots: VecDeque<Slot>,
    /// The number of the first utterance among them.
    next: u64,
    /// Those that are over, by their numbers: the file, if there is one.
    over: BTreeMap<u64, Option<PathBuf>>,
    gap: Gap,
}

impl<'a> Live<'a> {
    pub fn new(reporter: &'a Reporter<'a>, args: &SpeakArgs, folder: &'a Path) -> Result<Self> {
        let wanted = args.wanted();
        let begin = || -> Result<_> {
            let outlets = Some(Outlets::open(wanted, None, Instant::now())?);
            let (slots, over, gap) = (VecDeque::new(), BTreeMap::new(), Gap::default());
            Ok(Mutex::new(Playing { outlets, first: None, slots, next: 1, over, gap }))
        };
        let playing = wanted.any().then(begin).transpose()?;
        Ok(Self { reporter, folder, silence: args.many.book.silence(), playing })
    }

    fn playing(&self) -> Option<MutexGuard<'_, Playing>> {
        self.playing.as_ref().map(|playing| playing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Is told what stands next in the sound.
    pub fn lay(&self, slot: Slot) {
        if let Some(mut playing) = self.playing() {
            playing.slots.push_back(slot);
        }
    }

    /// An utterance is over, and lies in `path` if it was made.
    fn over(&self, index: u64, path: Option<PathBuf>) -> Result<()> {
        let Some(mut playing) = self.playing() else { return Ok(()) };
        playing.over.insert(index, path);
        playing.advance(&self.silence, self.reporter)
    }

    /// Waits until all was heard.
    pub fn close(&self) -> Result<()> {
        let Some(mut playing) = self.playing() else { return Ok(()) };
        // Pauses after the last sound are known only now.
        playing.advance(&self.silence, self.reporter)?;
        ensure!(playing.next > 1, Kind::Input.error("there is nothing to say"));
        let Some(mut outlets) = playing.outlets.take() else { return Ok(()) };
        outlets.silence(playing.gap.end(), self.reporter)?;
        playing.first = outlets.first();
        outlets.close(self.reporter)
    }

    /// Seconds to the first sound that was heard.
    pub fn first(&self) -> Option<f64> {
        let playing = self.playing()?;
        playing.first.or_else(|| playing.outlets.as_ref()?.first())
    }

    /// The number of the utterance that an event ends, and where its file is.
    fn ended(&self, event: &Event) -> Option<(u64, Option<PathBuf>)> {
        match event {
            Event::Skipped(task) => Some((task.index, Some(self.folder.join(&task.out)))),
            Event::Kept(task, path) => Some((task.index, Some(path.to_path_buf()))),
            Event::Done(record) => Some((record.index, record.out.as_ref().map(|out| self.folder.join(out)))),
            Event::Failed(record, _) => Some((record.index, None)),
            Event::Started(_) | Event::Moved(_) => None,
        }
    }
}

impl Playing {
    /// Lets everything be heard that has nothing unfinished before it.
    fn advance(&mut self, silence: &Silence, reporter: &Reporter) -> Result<()> {
        while let (Some(outlets), Some(slot)) = (&mut self.outlets, self.slots.front()) {
            match slot {
                Slot::Pause(seconds) => self.gap.pause(*seconds),
                Slot::Chapter => self.gap.pause(BEFORE_CHAPTER),
                Slot::Sound(ends) => {
                    let Some(path) = self.over.remove(&self.next) else { break };
                    self.next += 1;
                    if let Some(path) = path {
                        outlets.silence(self.gap.sound(silence, *ends), reporter)?;
                        outlets.file(path, reporter)?;
                    }
                }
            }
            self.slots.pop_front();
        }
        Ok(())
    }
}

impl Observer for Live<'_> {
    fn tell(&self, event: Event) -> Result<()> {
        let ended = self.ended(&event);
        self.reporter.tell(event)?;
        ended.map_or(Ok(()), |(index, path)| self.over(index, path))
    }
}
