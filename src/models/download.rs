//! One file from the hub into the cache: hf-hub does the transfer, this does what it leaves out.
//!
//! hf-hub resumes a `.part` file, but never checks what arrived, doubles a complete `.part`, fetches a blob that is
//! there already, gives up after five seconds where another program downloads the same file, and waits forever for
//! a silent server. Its own retries resume at the wrong place, so they stay off and ours repeat the whole call.

use super::cache::{RepoCache, cannot_write};
use super::check::{Verdict, check};
use super::hub::Hub;
use super::registry::{Entry, ModelFile, is_plain_path};
use super::trouble::Trouble;
use crate::error::Kind;
use crate::progress::Progress;
use anyhow::{Context, Result};
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, Metadata};
use hf_hub::{Cache, Repo, RepoType};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Tries in a row that may bring nothing before a download is given up.
const TRIES: u32 = 5;

/// One file to download, and where to.
pub struct Download<'a> {
    pub hub: &'a Hub,
    pub entry: &'a Entry,
    pub file: &'a ModelFile,
    pub cache: &'a RepoCache,
    pub progress: &'a dyn Progress,
}

impl Download<'_> {
    /// Downloads, resumes or links the file, checks it, and returns its path in the snapshot.
    /// What does not match is not kept.
    pub fn run(&self) -> Result<PathBuf> {
        let api = self.api()?;
        let (mut idle, mut under_way, mut started_over) = (0, false, false);
        loop {
            let mut arrived = 0;
            let trouble = match self.attempt(&api, &mut arrived) {
                Ok(path) => return Ok(path),
                Err(trouble) => trouble,
            };
            under_way |= arrived > 0;
            idle = if arrived > 0 { 1 } else { idle + 1 };
            match trouble {
                Trouble::Spoilt(why) if !started_over => {
                    started_over = true;
                    self.say(&format!("what an earlier download left does not fit ({why}): starting over"));
                }
                Trouble::Busy => {
                    idle = 0;
                    self.say("another program is downloading it: waiting");
                }
                Trouble::Api(error) if idle < TRIES && Trouble::is_passing(&error, under_way) => {
                    self.say(&format!("{error}: trying again"));
                    std::thread::sleep(Duration::from_millis(250 << idle));
                }
                lasting => return Err(lasting.explain(self.hub, self.entry, &self.file.file)),
            }
        }
    }

    fn api(&self) -> Result<Api> {
        ApiBuilder::from_cache(Cache::new(self.hub.cache.clone()))
            .with_endpoint(self.hub.endpoint.clone())
            .with_token(self.hub.token.clone())
            .with_user_agent(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_progress(false)
            .build()
            .with_context(|| Kind::Network.error("no connection to the hub can be set up"))
    }

    fn repo(&self) -> Repo {
        Repo::with_revision(self.entry.repo.clone(), RepoType::Model, self.entry.revision.clone())
    }

    fn attempt(&self, api: &Api, arrived: &mut u64) -> Result<PathBuf, Trouble> {
        let url = api.repo(self.repo()).url(&self.file.file);
        let client = api.clone();
        let metadata = watched(self.hub.patience, |_| {}, move |_| client.metadata(&url))?;
        self.refuse_unexpected(&metadata)?;
        let pointer = self.cache.pointer(metadata.commit_hash(), &self.file.file);
        let blob = self.cache.blob_path(metadata.etag());
        let resumed = if fs::metadata(&blob).is_ok_and(|m| m.len() == metadata.size() as u64) {
            self.cache.link(metadata.etag(), metadata.commit_hash(), &self.file.file)?;
            true
        } else {
            remove_broken_link(&pointer)?;
            let resumed = prepare_part(&self.cache.part_path(metadata.etag()), metadata.size() as u64)?;
            self.transfer(api, metadata.size() as u64, arrived)?;
            resumed
        };
        self.accept(pointer, &metadata, resumed)
    }

    /// Refuses, before anything is fetched, what cannot be the registered file or would leave the cache's folder.
    fn refuse_unexpected(&self, metadata: &Metadata) -> Result<(), Trouble> {
        let etag = metadata.etag();
        if !is_plain_path(etag) || !is_plain_path(metadata.commit_hash()) {
            return Err(Trouble::NoHub("its file and commit names are no hashes".into()));
        }
        let (size, known) = (metadata.size() as u64, self.file.sha256_start());
        if let Some(expected) = self.file.size.filter(|&expected| expected != size) {
            return Err(Trouble::Mismatch(format!("it has {size} bytes there, {expected} are expected")));
        }
        if etag.len() == 64 && !etag.starts_with(known) {
            return Err(Trouble::Mismatch(format!("its sha256 is {etag} there, {known} is expected")));
        }
        Ok(())
    }

    fn transfer(&self, api: &Api, size: u64, arrived: &mut u64) -> Result<(), Trouble> {
        let (api, repo, name) = (api.clone(), self.repo(), self.file.file.clone());
        self.progress.start(&self.file.file, size, "B");
        // The first report is what a `.part` held already.
        let mut first = true;
        let on_bytes = |n: u64| {
            self.progress.advance(n);
            *arrived += if std::mem::take(&mut first) { 0 } else { n };
        };
        let done = watched(self.hub.patience, on_bytes, move |reporter| {
            api.repo(repo).download_with_progress(&name, reporter).map(drop)
        });
        self.progress.finish();
        done
    }

    /// Keeps the file if it is what it should be, else removes it.
    fn accept(&self, pointer: PathBuf, metadata: &Metadata, resumed: bool) -> Result<PathBuf, Trouble> {
        let (blob, name) = self.cache.blob(&pointer).with_context(|| cannot_write(&pointer))?;
        let arrived = fs::metadata(&blob).with_context(|| cannot_write(&blob))?.len();
        let verdict = if arrived == metadata.size() as u64 {
            check(&blob, &name, self.file, self.progress).with_context(|| cannot_write(&blob))?
        } else {
            Verdict::Damaged(format!("{arrived} bytes of {}", metadata.size()))
        };
        match verdict {
            Verdict::Sound(_) => {
                self.cache.mark_checked(&pointer, self.file);
                Ok(pointer)
            }
            Verdict::Damaged(why) => {
                self.cache.discard(&pointer)?;
                Err(if resumed { Trouble::Spoilt(why) } else { Trouble::Mismatch(why) })
            }
            Verdict::Other(why) => {
                self.cache.remove(&pointer)?;
                Err(Trouble::Mismatch(why))
            }
        }
    }

    fn say(&self, what: &str) {
        self.progress.note(&format!("{} {}: {what}", self.entry.repo, self.file.file));
    }
}

/// hf-hub cannot replace a link whose target is gone.
fn remove_broken_link(pointer: &Path) -> Result<()> {
    if pointer.is_symlink() && !pointer.exists() {
        fs::remove_file(pointer).with_context(|| cannot_write(pointer))?;
    }
    Ok(())
}

/// Makes a `.part` resumable: at least one byte short of `size`. Returns whether there is one.
fn prepare_part(part: &Path, size: u64) -> Result<bool> {
    let Ok(held) = fs::metadata(part).map(|m| m.len()) else { return Ok(false) };
    let prepared = || -> std::io::Result<()> {
        match held {
            _ if held > size => fs::remove_file(part),
            // A server answers an empty range with an error, so the last byte is fetched again.
            _ if held == size => fs::OpenOptions::new().write(true).open(part)?.set_len(size.saturating_sub(1)),
            _ => Ok(()),
        }
    };
    prepared().with_context(|| cannot_write(part))?;
    Ok(held <= size && held > 0)
}

enum Event<T> {
    Bytes(u64),
    Done(Result<T, ApiError>),
}

struct Reporter<T>(Sender<Event<T>>);

impl<T> hf_hub::api::Progress for Reporter<T> {
    fn init(&mut self, _size: usize, _name: &str) {}

    fn update(&mut self, bytes: usize) {
        // The receiver is gone only after it gave up waiting.
        self.0.send(Event::Bytes(bytes as u64)).unwrap_or_default();
    }

    fn finish(&mut self) {}
}

/// Runs `job` on its own thread and passes on the bytes that it reports, unless it is silent for longer than
/// `patience`: then it is left to itself, for a blocked read cannot be called back.
fn watched<T: Send + 'static>(
    patience: Duration,
    mut on_bytes: impl FnMut(u64),
    job: impl FnOnce(Reporter<T>) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, Trouble> {
    let (sender, events) = channel();
    std::thread::spawn(move || {
        let result = job(Reporter(sender.clone()));
        sender.send(Event::Done(result)).unwrap_or_default();
    });
    loop {
        match events.recv_timeout(patience) {
            Ok(Event::Bytes(n)) => on_bytes(n),
            Ok(Event::Done(Err(ApiError::LockAcquisition(_)))) => return Err(Trouble::Busy),
            Ok(Event::Done(result)) => return result.map_err(Trouble::Api),
            Err(RecvTimeoutError::Timeout) => return Err(Trouble::Silence(patience)),
            Err(RecvTimeoutError::Disconnected) => return Err(Trouble::NoHub("its answer makes no sense".into())),
        }
    }
}
