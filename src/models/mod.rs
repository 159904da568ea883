//! From a model's name to its files: registry (`models.toml`) -> cache -> download -> check -> path. Quantizers of the
//! user's own are kept by name beside the registry ([`crate::library`]), and come before it.
//!
//! A file is hashed once, when it arrives or is first met in the cache; after that a small note beside it says so, and
//! a start with everything at hand makes no request and reads no model byte.

mod address;
mod answer;
mod cache;
mod check;
mod client;
mod download;
mod hub;
mod packs;
mod part;
mod proxy;
mod registry;
mod room;
mod trouble;

pub use check::Verdict;
pub use hub::Hub;
pub use packs::{Origin, Pack, Packs};
pub use proxy::Proxies;
pub use registry::{Entry, Mirror, ModelFile, ModelKind, Registry};

use crate::error::Kind;
use crate::library::{Library, Shelf};
use crate::lock::{self, Hold};
use crate::progress::Progress;
use anyhow::{Context, Result, bail, ensure};
use cache::RepoCache;
use check::Expected;
use download::{Download, Failure, no_room};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Fetching everything anew this often is enough even where a branch moves meanwhile.
const MAX_PASSES: usize = 3;

/// What a model's name or path stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The built-in model of that kind.
    Builtin,
    /// A file or folder that exists.
    Path(PathBuf),
}

/// How much of a model is in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Builtin,
    Cached,
    Partial,
    Absent,
}

/// The known models and the place that they come from.
#[derive(Clone, Debug)]
pub struct Models {
    pub registry: Registry,
    pub hub: Hub,
}

impl Models {
    /// The built-in registry or the one at `registry`, and the hub that the environment describes.
    pub fn open(registry: Option<&Path>, offline: bool) -> Result<Self> {
        let registry = registry.map_or_else(Registry::builtin, Registry::load)?;
        Ok(Self { registry, hub: Hub::from_env(offline)? })
    }

    /// The same without the network: what is at hand.
    pub fn offline(&self) -> Self {
        let mut offline = self.clone();
        offline.hub.offline = true;
        offline
    }

    /// What `choice` stands for: a path if it exists, else a name in the registry, which is fetched if need be.
    pub fn resolve(&self, kind: ModelKind, choice: &str, progress: &dyn Progress) -> Result<Source> {
        if let Some(path) = self.local(kind, choice) {
            return Ok(Source::Path(path));
        }
        let entry = self.known(kind, choice)?;
        match entry.builtin {
            true => Ok(Source::Builtin),
            false => Ok(Source::Path(self.fetch(entry, progress)?)),
        }
    }

    /// The path that `choice` is, or what is kept by that name.
    pub fn local(&self, kind: ModelKind, choice: &str) -> Option<PathBuf> {
        let path = Path::new(choice);
        if path.exists() { Some(path.to_owned()) } else { own(kind, choice) }
    }

    /// Whether what is kept by the name `choice` is not what it stands for, as a path goes first.
    pub fn is_hidden(&self, kind: ModelKind, choice: &str) -> bool {
        Path::new(choice).exists() && own(kind, choice).is_some()
    }

    /// Refuses a `choice` that stands for nothing; fetches nothing.
    pub fn check(&self, kind: ModelKind, choice: &str) -> Result<()> {
        match self.local(kind, choice) {
            Some(_) => Ok(()),
            None => self.known(kind, choice).map(drop),
        }
    }

    fn known(&self, kind: ModelKind, choice: &str) -> Result<&Entry> {
        let own = library(kind).and_then(|library| library.names().ok()).unwrap_or_default();
        let no_path = || match choice.contains(['/', '\\']) {
            true => Kind::Model.error(format!("`{choice}` is neither an existing file or folder nor a model's name")),
            false => Kind::Model.error(format!("there is no file or folder `{choice}`, and no such model")),
        };
        self.registry.find(kind, choice, &own).with_context(no_path)
    }

    /// Whether `choice` is a model within the program; nothing is fetched to tell.
    pub fn is_builtin(&self, kind: ModelKind, choice: &str) -> bool {
        self.local(kind, choice).is_none() && self.known(kind, choice).is_ok_and(|entry| entry.builtin)
    }

    /// The semantic, coarse and fine arrays (`.npy`) of Suno's preset `name`, fetched if need be.
    pub fn voice_preset(&self, name: &str, progress: &dyn Progress) -> Result<[PathBuf; 3]> {
        let preset = self.registry.preset(name, &[])?;
        let folder = self.fetch(&preset, progress)?;
        let path = |i: usize| folder.join(&preset.files[i].file);
        Ok([path(0), path(1), path(2)])
    }

    /// Makes sure that every file of `entry` is cached and sound. Returns the file to load, or the folder that holds
    /// them all. Where the repository is gone, its mirrors are tried in order. Errors: [`Kind::Network`],
    /// [`Kind::Model`] for cached files that are not the registered ones, [`Kind::Output`] for a cache that cannot be
    /// written or takes no more.
    pub fn fetch(&self, entry: &Entry, progress: &dyn Progress) -> Result<PathBuf> {
        ensure!(!entry.builtin, Kind::Usage.error(format!("`{}` is built in: it has no files", entry.name)));
        let places = entry.places();
        // What lies in the cache is used, wherever it came from.
        let place = places.iter().find(|place| self.is_cached(place));
        if let Some(place) = place {
            return self.fetch_from(place, progress).map_err(|failure| failure.error);
        }
        let mut gone: Option<anyhow::Error> = None;
        for (i, place) in places.iter().enumerate() {
            if let Some(error) = &gone {
                progress.note(&format!("{error:#}"));
                progress.note(&format!("trying the mirror {} of {}", place.repo, entry.name));
            }
            match self.fetch_from(place, progress) {
                Ok(path) => return Ok(path),
                Err(failure) if failure.gone && i + 1 < places.len() => gone = Some(failure.error),
                Err(failure) if failure.gone => return Err(with_a_way_out(failure.error, entry, &places)),
                Err(failure) => return Err(failure.error),
            }
        }
        bail!(not_fetched(Kind::Network, entry, ""))
    }

    /// Fetches all files from the one repository that `entry` names.
    fn fetch_from(&self, entry: &Entry, progress: &dyn Progress) -> Result<PathBuf, Failure> {
        let cache = RepoCache::new(&self.hub, entry);
        let files = entry.all_files();
        for _ in 0..MAX_PASSES {
            self.announce(entry, &cache, &files, progress).map_err(lasting)?;
            for file in &files {
                self.fetch_file(entry, file, &cache, progress)?;
            }
            // A branch that moved between two files leaves the first ones behind, in the older snapshot.
            if files.iter().all(|f| cache.find(&f.file).is_some()) {
                return self.path_in(entry).map_err(lasting);
            }
        }
        let changing = format!("{}: the repository keeps changing: try again later", entry.repo);
        Err(lasting(Kind::Network.error(changing).into()))
    }

    fn is_cached(&self, place: &Entry) -> bool {
        let cache = RepoCache::new(&self.hub, place);
        place.all_files().iter().all(|file| cache.find(&file.file).is_some())
    }

    /// Where a cached model lies: its only or main file, else the folder of its files. Never fetches.
    pub fn path(&self, entry: &Entry) -> Result<PathBuf> {
        ensure!(!entry.builtin, Kind::Usage.error(format!("`{}` is built in: it has no path", entry.name)));
        self.path_in(&self.place(entry))
    }

    /// Where the model is cached: as published, or from a mirror.
    fn place(&self, entry: &Entry) -> Entry {
        let places = entry.places();
        let cached = places.iter().find(|place| self.is_cached(place)).cloned();
        cached.unwrap_or_else(|| entry.clone())
    }

    fn path_in(&self, entry: &Entry) -> Result<PathBuf> {
        let cache = RepoCache::new(&self.hub, entry);
        let files = entry.all_files();
        let missing = files.iter().find(|f| cache.find(&f.file).is_none());
        let folder = cache.snapshot().filter(|_| missing.is_none());
        let folder = folder.with_context(|| not_fetched(Kind::Model, entry, missing.map_or("", |f| &f.file)))?;
        Ok(match (&entry.main, files.as_slice()) {
            (Some(main), _) => folder.join(main),
            (None, [only]) => folder.join(&only.file),
            _ => folder,
        })
    }

    /// Refuses to fetch models that the disk cannot take together; what is known of their sizes counts.
    pub fn check_room(&self, entries: &[Entry]) -> Result<()> {
        let Some(free) = room::free_bytes(&self.hub.cache) else { return Ok(()) };
        let mut seen = std::collections::BTreeSet::new();
        let mut needed = 0u64;
        for entry in entries.iter().filter(|e| !e.builtin && !self.is_cached(&self.place(e))) {
            let cache = RepoCache::new(&self.hub, entry);
            let new = entry.all_files().into_iter().filter(|f| seen.insert((entry.repo.clone(), f.file.clone())));
            needed = new.fold(needed, |sum, file| sum.saturating_add(missing_bytes(&cache, &file).unwrap_or(0)));
        }
        let names: Vec<&str> = entries.iter().map(|e| e.name.as_str()).collect();
        if needed <= free { Ok(()) } else { Err(no_room(&names.join(", "), needed, free, &self.hub)) }
    }

    /// How much of the model is in the cache, by presence alone, and the bytes that it takes there.
    pub fn state(&self, entry: &Entry) -> (State, u64) {
        if entry.builtin {
            return (State::Builtin, 0);
        }
        let entry = &self.place(entry);
        let cache = RepoCache::new(&self.hub, entry);
        let files = entry.all_files();
        let length = |path: &Path| std::fs::metadata(path).ok().map(|m| m.len());
        let held: Vec<u64> = files.iter().filter_map(|f| length(&cache.find(&f.file)?)).collect();
        // Only where the registry knows the hash can a part be told to belong to this model.
        let parts = files.iter().filter_map(|f| Some(cache.part_bytes(f.sha256.as_deref()?)));
        let bytes = held.iter().sum::<u64>() + parts.sum::<u64>();
        match held.len() {
            n if n == files.len() => (State::Cached, bytes),
            0 if bytes == 0 => (State::Absent, 0),
            _ => (State::Partial, bytes),
        }
    }

    /// Hashes every cached file of `entry` again: its name and what was found. Files that are absent are left out.
    pub fn verify(&self, entry: &Entry, progress: &dyn Progress) -> Result<Vec<(String, Verdict)>> {
        let entry = &self.place(entry);
        let cache = RepoCache::new(&self.hub, entry);
        let mut found = Vec::new();
        for file in entry.all_files() {
            if let Some(pointer) = cache.find(&file.file) {
                found.push((file.file.clone(), examine(&cache, Expected::of(entry, &file), &pointer, progress)?));
            }
        }
        Ok(found)
    }

    /// Deletes the cached files of `entry` that no other registered model uses. Returns the bytes freed.
    pub fn remove(&self, entry: &Entry, progress: &dyn Progress) -> Result<u64> {
        ensure!(!entry.builtin, Kind::Usage.error(format!("`{}` is built in: it cannot be removed", entry.name)));
        let places = entry.places();
        places.iter().try_fold(0, |freed, place| Ok(freed + self.remove_from(place, progress)?))
    }

    fn remove_from(&self, entry: &Entry, progress: &dyn Progress) -> Result<u64> {
        let cache = RepoCache::new(&self.hub, entry);
        let mut freed = 0;
        for file in entry.all_files().iter().filter(|f| !self.is_shared(entry, &f.file)) {
            if let Some(pointer) = cache.find(&file.file) {
                let _lock = self.lock(entry, file, &cache, progress)?;
                freed += cache.remove(&pointer)?;
            }
            if let Some(sha256) = &file.sha256 {
                freed += cache.remove_parts(sha256)?;
            }
        }
        Ok(freed + cache.remove_leftovers()?)
    }

    fn is_shared(&self, entry: &Entry, file: &str) -> bool {
        let same_repo = |e: &&Entry| (&e.repo, &e.revision) == (&entry.repo, &entry.revision) && e.name != entry.name;
        // A preset is a part of its own registry entry, not shared with it.
        let other = |e: &&Entry| same_repo(e) && !e.preset_names().contains(&entry.name);
        self.registry.entries().iter().filter(other).any(|e| e.all_files().iter().any(|f| f.file == file))
    }

    fn fetch_file(
        &self,
        entry: &Entry,
        file: &ModelFile,
        cache: &RepoCache,
        progress: &dyn Progress,
    ) -> Result<(), Failure> {
        if self.is_at_hand(entry, file, cache, progress).map_err(lasting)? {
            return Ok(());
        }
        if self.hub.offline {
            return Err(lasting(not_fetched(Kind::Network, entry, &file.file).into()));
        }
        let lock = self.lock(entry, file, cache, progress).map_err(lasting)?;
        // Another process may have brought it while this one waited.
        if !self.is_at_hand(entry, file, cache, progress).map_err(lasting)? {
            Download { hub: &self.hub, entry, file, cache, progress, lock: &lock }.run()?;
        }
        Ok(())
    }

    /// Holds off other processes from the file, as far as the file system and a holder that is alive let it: two
    /// downloads at once cost time alone, so nobody waits for ever.
    fn lock(&self, entry: &Entry, file: &ModelFile, cache: &RepoCache, progress: &dyn Progress) -> Result<File> {
        let waiting = || {
            progress.note(&format!("{} {}: another process is busy with it: waiting", entry.repo, file.file));
        };
        // A holder that downloads shows life each second; one that waits for its server does so for as long as this.
        let (lock, hold) = cache.lock(&file.file, self.hub.patience.saturating_mul(2), waiting)?;
        match hold {
            Hold::Held => (),
            Hold::Busy => progress
                .note(&format!("{} {}: the other process does nothing: going on without it", entry.repo, file.file)),
            Hold::Unsupported => {
                if let Some(note) = lock::unsupported_note(&cache.own_folder()) {
                    progress.note(&note);
                }
            }
        }
        Ok(lock)
    }

    /// Whether the file is cached and sound. A damaged one is removed, where it can be fetched again.
    fn is_at_hand(&self, entry: &Entry, file: &ModelFile, cache: &RepoCache, progress: &dyn Progress) -> Result<bool> {
        let Some(pointer) = cache.find(&file.file) else { return Ok(false) };
        let expected = Expected::of(entry, file);
        // Where no note can be kept, the file is taken as it is: nobody could pay for reading gigabytes at each start.
        if cache.is_checked(&pointer, expected) || !cache.can_remember() {
            return Ok(true);
        }
        let shown = pointer.display();
        match examine(cache, expected, &pointer, progress)? {
            Verdict::Sound(_) => Ok(true),
            Verdict::Unquoted(why) => {
                progress.note(&format!("{shown} is not the file that the registry quotes: {why}; it is used"));
                Ok(true)
            }
            Verdict::Damaged(why) if !self.hub.offline => {
                progress.note(&format!("{shown} is damaged ({why}): fetching it again"));
                cache.discard(&pointer)?;
                Ok(false)
            }
            Verdict::Damaged(why) => bail!(Kind::Model.error(format!(
                "{shown} is damaged: {why}. Fetch it again, without --offline and HF_HUB_OFFLINE: `barkclone models \
                 fetch {}`",
                entry.name
            ))),
            Verdict::Other(why) => bail!(Kind::Model.error(format!(
                "{shown} is not the file that the registry describes: {why}. To replace it, `barkclone models remove \
                 {0}`, then fetch {0} again; to use it as it is, give its path",
                entry.name
            ))),
        }
    }

    /// Says what is about to be downloaded, from where, how large, how much the disk takes, and under which licence;
    /// refuses what does not fit.
    fn announce(&self, entry: &Entry, cache: &RepoCache, files: &[ModelFile], progress: &dyn Progress) -> Result<()> {
        let missing: Vec<ModelFile> = files.iter().filter(|f| cache.find(&f.file).is_none()).cloned().collect();
        if missing.is_empty() || self.hub.offline {
            return Ok(());
        }
        let names: Vec<&str> = missing.iter().map(|f| f.file.as_str()).collect();
        let what = if names.len() > 4 { format!("{} files", names.len()) } else { names.join(", ") };
        let needed = missing.iter().filter_map(|file| missing_bytes(cache, file)).fold(0u64, u64::saturating_add);
        let size = Entry { files: missing, ..entry.clone() }.size_text();
        let free = room::free_bytes(&self.hub.cache);
        progress.note(&format!(
            "fetching {}: {what} ({size}) from {}/{} into {}{}; licence: {}",
            entry.name,
            self.hub.endpoint_shown(),
            entry.repo,
            self.hub.cache.display(),
            free.map_or_else(String::new, |free| format!(" ({} free)", byte_text(free))),
            entry.licence
        ));
        match free {
            Some(free) if free < needed => Err(no_room(&entry.name, needed, free, &self.hub)),
            _ => Ok(()),
        }
    }
}

/// What the user keeps of that kind by name.
fn library(kind: ModelKind) -> Option<Library> {
    let shelf = if kind == ModelKind::Quantizer { Shelf::Quantizers } else { return None };
    Library::of_user(shelf).ok()
}

/// The model of that kind that the user calls `choice`.
fn own(kind: ModelKind, choice: &str) -> Option<PathBuf> {
    library(kind)?.find(choice)
}

/// What is still to come of the file, in bytes; `None` if it is cached or its size is not known.
fn missing_bytes(cache: &RepoCache, file: &ModelFile) -> Option<u64> {
    let held = |hash: &String| match cache.blob_path(hash).is_file() {
        true => u64::MAX,
        false => cache.part_bytes(hash),
    };
    let bytes = file.bytes().filter(|_| cache.find(&file.file).is_none())?;
    Some(bytes.saturating_sub(file.sha256.as_ref().map_or(0, held)))
}

fn lasting(error: anyhow::Error) -> Failure {
    Failure { error, gone: false }
}

/// What to do where no repository has the model any more.
fn with_a_way_out(error: anyhow::Error, entry: &Entry, places: &[Entry]) -> anyhow::Error {
    let tried: Vec<&str> = places.iter().map(|place| place.repo.as_str()).collect();
    let flag = match entry.kind {
        ModelKind::Voices => "--voice".to_string(),
        kind => format!("--{kind}"),
    };
    let also = if tried.len() > 1 { format!(" (tried: {})", tried.join(", ")) } else { String::new() };
    let told = format!("{error:#}{also}. Whoever has the file already gives it by {flag} FILE");
    crate::error::kind(&error).unwrap_or(Kind::Network).error(told).into()
}

impl Entry {
    /// The download's size for people: `244 MB`, `about 4.5 GB`, `size unknown`.
    pub fn size_text(&self) -> String {
        match self.bytes() {
            Some((bytes, true)) => byte_text(bytes),
            Some((bytes, false)) => format!("about {}", byte_text(bytes)),
            None => "size unknown".to_string(),
        }
    }
}

/// Bytes for people, in the hub's decimal units.
pub fn byte_text(bytes: u64) -> String {
    const UNITS: [(f64, &str); 3] = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match UNITS.iter().find(|(unit, _)| bytes as f64 >= *unit) {
        Some((unit, name)) => format!("{:.*} {name}", usize::from(bytes as f64 / unit < 10.0), bytes as f64 / unit),
        None => format!("{bytes} B"),
    }
}

/// Checks a cached file and remembers the outcome.
fn examine(cache: &RepoCache, expected: Expected, pointer: &Path, progress: &dyn Progress) -> Result<Verdict> {
    let unreadable = || Kind::Model.error(format!("{} cannot be read", pointer.display()));
    let (path, name) = cache.blob(pointer).with_context(unreadable)?;
    let verdict = check::check(&path, &name, expected, progress).with_context(unreadable)?;
    match verdict {
        // Where no note can be kept, the next start asks again.
        Verdict::Sound(_) | Verdict::Unquoted(_) => drop(cache.mark_checked(pointer, expected)),
        _ => cache.unmark(pointer)?,
    }
    Ok(verdict)
}

fn not_fetched(kind: Kind, entry: &Entry, file: &str) -> crate::error::Error {
    kind.error(format!(
        "{file} of {} is not in the cache: `barkclone models fetch {}` downloads it, given a network and neither \
         --offline nor HF_HUB_OFFLINE",
        entry.repo, entry.name
    ))
}
