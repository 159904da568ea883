//! One file from the hub, a mirror or a proxy into the cache: asked for, resumed, checked, and only then given its
//! name.
//!
//! Each attempt asks the hub anew, since signed addresses run out. The first answer that has a body tells what the file
//! is called; if a part of it is here already, the rest is asked for instead. Nothing becomes a blob that was not
//! checked.

use super::address::Address;
use super::answer::{Answer, Encoding, Facts, ask};
use super::byte_text;
use super::cache::{RepoCache, cannot_write};
use super::check::{Expected, Verdict, check, is_commit, sha256};
use super::client::Client;
use super::hub::Hub;
use super::part::Part;
use super::registry::{Entry, ModelFile};
use super::room::free_bytes;
use super::trouble::{LONGEST_WAIT, Trouble};
use crate::error::Kind;
use crate::lock;
use crate::output::hex;
use crate::progress::Progress;
use anyhow::{Context, anyhow};
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Tries in a row that may bring nothing before a download is given up.
const TRIES: u32 = 5;
/// How often those who wait for the lock are told that this goes on.
const LIFE: Duration = Duration::from_secs(1);

/// One file to download, and where to.
pub struct Download<'a> {
    pub hub: &'a Hub,
    pub entry: &'a Entry,
    pub file: &'a ModelFile,
    pub cache: &'a RepoCache,
    pub progress: &'a dyn Progress,
    /// Whoever waits for this file is told of life by its time.
    pub lock: &'a File,
}

/// A download that came to nothing.
pub struct Failure {
    pub error: anyhow::Error,
    /// Another repository may have the file.
    pub gone: bool,
}

/// What one attempt leaves for the next one.
#[derive(Default)]
struct State {
    part: Option<(String, Part)>,
    /// The server cannot do ranges: ask for all.
    whole: bool,
    /// What was there before this run began was thrown away once.
    started_over: bool,
    /// The part holds bytes of an earlier run.
    resumed: bool,
    size: Option<u64>,
    commit: Option<String>,
    /// The last body ended with its connection, and no size is known.
    unbounded: bool,
}

impl State {
    fn held(&self) -> u64 {
        self.part.as_ref().map_or(0, |(_, part)| part.len())
    }

    /// Begins anew.
    fn clear(&mut self) -> std::io::Result<()> {
        self.resumed = false;
        self.part.as_mut().map_or(Ok(()), |(_, part)| part.cut(0))
    }
}

impl Download<'_> {
    /// Downloads, resumes or links the file, checks it, and returns its path in the snapshot.
    /// What does not match is not kept.
    pub fn run(&self) -> Result<PathBuf, Failure> {
        let mut state = State::default();
        self.repeat(&mut state).map_err(|trouble| {
            let gone = trouble.is_gone();
            Failure { error: trouble.explain(self.hub, self.entry, &self.file.file), gone }
        })
    }

    /// Attempts for as long as they bring something, and some more.
    fn repeat(&self, state: &mut State) -> Result<PathBuf, Trouble> {
        let client = Client::new(self.hub)?;
        let address = client.address(&self.entry.repo, &self.entry.revision, &self.file.file);
        let address = address.map_err(|why| anyhow!(Kind::Usage.error(format!("HF_ENDPOINT: {why}"))))?;
        let (mut idle, mut furthest) = (0, 0);
        loop {
            let trouble = match self.attempt(&client, &address, state) {
                Ok(path) => return Ok(path),
                Err(trouble) => trouble,
            };
            // A server without ranges that breaks off each time at the same place brings nothing new.
            idle = if state.held() > furthest { 1 } else { idle + 1 };
            furthest = furthest.max(state.held());
            self.overcome(trouble, state, idle, furthest > 0)?;
        }
    }

    /// Prepares the next attempt, or gives up.
    fn overcome(&self, trouble: Trouble, state: &mut State, idle: u32, under_way: bool) -> Result<(), Trouble> {
        let spoil = |state: &mut State| state.clear().with_context(|| cannot_write(&self.cache.blobs()));
        match trouble {
            Trouble::Resume if idle < TRIES => Ok(()),
            Trouble::Spoilt(why) if !state.started_over => {
                state.started_over = true;
                self.say(&format!("what an earlier download left does not fit ({why}): starting over"));
                Ok(spoil(state)?)
            }
            Trouble::NoRanges(_) | Trouble::NoSuchRange(_) if !state.whole => {
                state.whole = true;
                Ok(spoil(state)?)
            }
            passing => {
                let told = passing.passing(under_way, idle == 1).filter(|_| idle < TRIES);
                let wait = passing.wait().unwrap_or(Duration::from_millis(50 << (2 * idle.min(6))));
                let Some(told) = told.filter(|_| wait <= LONGEST_WAIT) else {
                    if let Trouble::Ended(_) = passing {
                        spoil(state)?;
                    }
                    return Err(passing);
                };
                self.say(&format!("{told}: trying again{}", waiting(wait)));
                self.pause(wait);
                Ok(())
            }
        }
    }

    fn attempt(&self, client: &Client, address: &Address, state: &mut State) -> Result<PathBuf, Trouble> {
        let start = Some(state.held()).filter(|&held| held > 0 && !state.whole);
        if start.is_some() && start == state.size {
            return self.finish(state, address);
        }
        let answer = match ask(client, address, start, |facts| self.refuse_unexpected(facts)) {
            // All of it is here: nothing follows.
            Err(Trouble::NoSuchRange(size))
                if start.is_some() && size.or(state.size).is_none_or(|s| Some(s) == start) =>
            {
                (state.size, state.unbounded) = (start, false);
                return self.finish(state, address);
            }
            answer => answer?,
        };
        state.size = answer.facts.size.or(state.size);
        state.commit = answer.facts.commit.clone().or(state.commit.take());
        if let Some(path) = self.linked(&answer.facts)? {
            return Ok(path);
        }
        self.claim(state, &answer.facts)?;
        let held = state.held();
        if held > 0 && state.size == Some(held) {
            return self.finish(state, address);
        }
        if start.is_none() && held > 0 && !state.whole && answer.span.start == 0 {
            return Err(Trouble::Resume);
        }
        state.unbounded = answer.span.is_unbounded && answer.encoding == Encoding::Identity && state.size.is_none();
        self.receive(answer, state)?;
        self.finish(state, address)
    }

    /// Refuses, before anything is fetched, what cannot be the registered file.
    fn refuse_unexpected(&self, facts: &Facts) -> Result<(), Trouble> {
        if !is_commit(&self.entry.revision) {
            return Ok(());
        }
        if let (Some(expected), Some(size)) = (self.file.size, facts.size)
            && expected != size
        {
            return Err(Trouble::Mismatch(format!("it has {size} bytes there, {expected} are expected")));
        }
        let known = self.file.sha256_start();
        match facts.sha256() {
            Some(tag) if !tag.starts_with(known) => {
                Err(Trouble::Mismatch(format!("its sha256 is {tag} there, {known} is expected")))
            }
            _ => Ok(()),
        }
    }

    /// The name that the snapshot's folder gets.
    fn commit(&self, stated: &Option<String>) -> String {
        match stated {
            _ if is_commit(&self.entry.revision) => self.entry.revision.clone(),
            Some(commit) => commit.clone(),
            None => self.cache.unstated(),
        }
    }

    /// The file, if its content is among the blobs already.
    fn linked(&self, facts: &Facts) -> Result<Option<PathBuf>, Trouble> {
        let Some(name) = self.name(facts) else { return Ok(None) };
        let blob = self.cache.blob_path(&name);
        let Ok(metadata) = fs::metadata(&blob) else { return Ok(None) };
        let fits = facts.size.is_none_or(|size| size == metadata.len());
        let verdict = fits.then(|| self.check(&blob, &name)).transpose()?;
        match verdict {
            Some(Verdict::Sound(_) | Verdict::Unquoted(_)) => {
                let pointer = self.cache.link(&name, &self.commit(&facts.commit), &self.file.file, false)?;
                self.cache.mark_checked(&pointer, self.expected());
                Ok(Some(pointer))
            }
            _ => Ok(None),
        }
    }

    /// The blob's name, where it is known beforehand: the hub's tag, or the registry's hash.
    fn name(&self, facts: &Facts) -> Option<String> {
        let pinned = || self.file.sha256.clone().filter(|_| self.expected().pinned);
        facts.tag.clone().or_else(pinned)
    }

    /// Makes the part that the body goes to.
    fn claim(&self, state: &mut State, facts: &Facts) -> Result<(), Trouble> {
        let known = self.name(facts);
        let name = known.clone().unwrap_or_else(|| self.unnamed());
        if state.part.as_ref().is_some_and(|(held, _)| *held == name || known.is_none()) {
            return Ok(());
        }
        let blobs = self.cache.blobs();
        // The part of another version of the file goes back to where it was.
        state.part = None;
        let mut part = Part::claim(&blobs, &name).with_context(|| cannot_write(&blobs))?;
        let useless = known.is_none() || facts.size.is_some_and(|size| part.len() > size);
        if useless {
            // Nothing tells whether what an earlier run left is of the same file.
            part.cut(0).with_context(|| cannot_write(part.path()))?;
        }
        state.resumed = part.len() > 0;
        self.refuse_without_room(facts.size, part.len())?;
        state.part = Some((name, part));
        Ok(())
    }

    /// What a file is called while nothing tells its name.
    fn unnamed(&self) -> String {
        let of = format!("{}\n{}\n{}", self.entry.repo, self.entry.revision, self.file.file);
        format!("unnamed-{}", hex(&Sha256::digest(of)[..8]))
    }

    fn refuse_without_room(&self, size: Option<u64>, held: u64) -> Result<(), Trouble> {
        let (Some(size), Some(free)) = (size, free_bytes(&self.cache.blobs())) else { return Ok(()) };
        let needed = size.saturating_sub(held);
        if needed <= free {
            return Ok(());
        }
        Err(no_room(&self.file.file, needed, free, self.hub).into())
    }

    /// Takes the body into the part.
    fn receive(&self, answer: Answer, state: &mut State) -> Result<(), Trouble> {
        let Answer { span, encoding, body, .. } = answer;
        let size = state.size;
        let Some((_, part)) = &mut state.part else { return Ok(()) };
        let place = part.path().to_path_buf();
        let lost = || cannot_write(&place);
        if span.start > part.len() {
            return Err(Trouble::NoRanges(format!(
                "a range from {} on was sent, from {} on was asked",
                span.start,
                part.len()
            )));
        }
        if span.start < part.len() {
            part.cut(span.start).with_context(lost)?;
        }
        state.resumed = span.start > 0;
        self.progress.start(&self.file.file, size.unwrap_or(0), "B");
        self.progress.already(part.len());
        let body = body.into_reader();
        let received = match encoding {
            Encoding::Identity => self.pour(body, part, size),
            Encoding::Gzip => self.pour(MultiGzDecoder::new(body), part, size),
        };
        self.progress.finish();
        received?;
        let (got, told) = (part.len(), span.length.map(|length| span.start + length));
        match size.or(told.filter(|_| encoding == Encoding::Identity)) {
            Some(size) if got < size => Err(Trouble::Cut { got, size }),
            None if span.is_open => Err(Trouble::Resume),
            _ => Ok(()),
        }
    }

    fn pour(&self, mut body: impl Read, part: &mut Part, size: Option<u64>) -> Result<(), Trouble> {
        // What no header bounds, the disk does.
        let most = size.or_else(|| Some(part.len() + free_bytes(&self.cache.blobs())?)).unwrap_or(u64::MAX);
        let mut buffer = vec![0; 1 << 18];
        let mut told = Instant::now();
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Trouble::of_read(error)),
            };
            if part.len() + n as u64 > most {
                return Err(Trouble::Spoilt(format!("more than {most} bytes came")));
            }
            part.append(&buffer[..n]).with_context(|| cannot_write(part.path()))?;
            self.progress.advance(n as u64);
            if told.elapsed() > LIFE {
                lock::show_life(self.lock);
                told = Instant::now();
            }
        }
    }

    /// Checks the part and makes it the file.
    fn finish(&self, state: &mut State, address: &Address) -> Result<PathBuf, Trouble> {
        let Some((name, mut part)) = state.part.take() else {
            return Err(Trouble::nonsense(address, "nothing"));
        };
        let named = !name.starts_with("unnamed-");
        let verdict = self.check(part.path(), if named { &name } else { "" })?;
        let why = match verdict {
            Verdict::Sound(_) => None,
            Verdict::Unquoted(why) => {
                self.say(&format!("the hub's file is not the one that the registry quotes: {why}; it is used"));
                None
            }
            Verdict::Damaged(why) | Verdict::Other(why) => Some(why),
        };
        if let Some(why) = why {
            if state.unbounded {
                state.part = Some((name, part));
                return Err(Trouble::Ended(why));
            }
            part.cut(0).with_context(|| cannot_write(part.path()))?;
            state.part = Some((name, part));
            return Err(if state.resumed { Trouble::Spoilt(why) } else { Trouble::Mismatch(why) });
        }
        let name = if named { name } else { self.sha256(part.path())? };
        let blob = self.cache.blob_path(&name);
        part.settle(&blob).with_context(|| cannot_write(&blob))?;
        let pointer = self.cache.link(&name, &self.commit(&state.commit), &self.file.file, true)?;
        self.cache.mark_checked(&pointer, self.expected());
        Ok(pointer)
    }

    fn check(&self, path: &Path, name: &str) -> Result<Verdict, Trouble> {
        Ok(check(path, name, self.expected(), self.progress).with_context(|| cannot_write(path))?)
    }

    fn sha256(&self, path: &Path) -> Result<String, Trouble> {
        Ok(sha256(path, &self.file.file, self.progress).with_context(|| cannot_write(path))?)
    }

    fn expected(&self) -> Expected<'_> {
        Expected::of(self.entry, self.file)
    }

    /// Waits, and gives signs of life meanwhile.
    fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            lock::show_life(self.lock);
            std::thread::sleep(left.min(LIFE));
        }
    }

    fn say(&self, what: &str) {
        self.progress.note(&format!("{} {}: {what}", self.entry.repo, self.file.file));
    }
}

/// The refusal of what the disk cannot take.
pub fn no_room(what: &str, needed: u64, free: u64, hub: &Hub) -> anyhow::Error {
    anyhow!(Kind::Output.error(format!(
        "{what}: {} are needed in {}, where {} are free: make room, or set HF_HOME to a folder on another disk",
        byte_text(needed),
        hub.cache.display(),
        byte_text(free)
    )))
}

fn waiting(wait: Duration) -> String {
    if wait < Duration::from_secs(5) { String::new() } else { format!(" in {} s", wait.as_secs()) }
}
