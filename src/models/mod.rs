//! From a model's name to its files: registry (`models.toml`) -> cache -> download -> check -> path.
//!
//! A file is hashed once, when it arrives or is first met in the cache; after that a small note beside it says so, and
//! a start with everything at hand makes no request and reads no model byte.

mod cache;
mod check;
mod download;
mod hub;
mod registry;
mod trouble;

pub use check::Verdict;
pub use hub::Hub;
pub use registry::{Entry, ModelFile, ModelKind, Registry};

use crate::error::Kind;
use crate::progress::Progress;
use anyhow::{Context, Result, bail, ensure};
use cache::RepoCache;
use download::Download;
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

    /// What `choice` stands for: a path if it exists, else a name in the registry, which is fetched if need be.
    pub fn resolve(&self, kind: ModelKind, choice: &str, progress: &dyn Progress) -> Result<Source> {
        let path = Path::new(choice);
        if path.exists() {
            return Ok(Source::Path(path.to_path_buf()));
        }
        let no_path = || match choice.contains(['/', '\\']) {
            true => Kind::Model.error(format!("`{choice}` is neither an existing file or folder nor a model's name")),
            false => Kind::Model.error(format!("there is no file or folder `{choice}`, and no such model")),
        };
        let entry = self.registry.find(kind, choice).with_context(no_path)?;
        match entry.builtin {
            true => Ok(Source::Builtin),
            false => Ok(Source::Path(self.fetch(entry, progress)?)),
        }
    }

    /// Whether `choice` is a model within the program; nothing is fetched to tell.
    pub fn is_builtin(&self, kind: ModelKind, choice: &str) -> bool {
        !Path::new(choice).exists() && self.registry.find(kind, choice).is_ok_and(|entry| entry.builtin)
    }

    /// The semantic, coarse and fine arrays (`.npy`) of Suno's preset `name`, fetched if need be.
    pub fn voice_preset(&self, name: &str, progress: &dyn Progress) -> Result<[PathBuf; 3]> {
        let preset = self.registry.preset(name)?;
        let folder = self.fetch(&preset, progress)?;
        let path = |i: usize| folder.join(&preset.files[i].file);
        Ok([path(0), path(1), path(2)])
    }

    /// Makes sure that every file of `entry` is cached and sound. Returns the file to load, or the folder that holds
    /// them all. Errors: [`Kind::Network`], [`Kind::Model`] for cached files that are not the registered ones,
    /// [`Kind::Output`] for a cache that cannot be written.
    pub fn fetch(&self, entry: &Entry, progress: &dyn Progress) -> Result<PathBuf> {
        ensure!(!entry.builtin, Kind::Usage.error(format!("`{}` is built in: it has no files", entry.name)));
        let cache = RepoCache::new(&self.hub.cache, entry);
        let files = entry.all_files();
        for _ in 0..MAX_PASSES {
            self.announce(entry, &cache, &files, progress);
            for file in &files {
                self.fetch_file(entry, file, &cache, progress)?;
            }
            // A branch that moved between two files leaves the first ones behind, in the older snapshot.
            if files.iter().all(|f| cache.find(&f.file).is_some()) {
                return self.path(entry);
            }
        }
        bail!(Kind::Network.error(format!("{}: the repository keeps changing: try again later", entry.repo)))
    }

    /// Where a cached model lies: its only or main file, else the folder of its files. Never fetches.
    pub fn path(&self, entry: &Entry) -> Result<PathBuf> {
        ensure!(!entry.builtin, Kind::Usage.error(format!("`{}` is built in: it has no path", entry.name)));
        let cache = RepoCache::new(&self.hub.cache, entry);
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

    /// How much of the model is in the cache, by presence alone, and the bytes that it takes there.
    pub fn state(&self, entry: &Entry) -> (State, u64) {
        if entry.builtin {
            return (State::Builtin, 0);
        }
        let cache = RepoCache::new(&self.hub.cache, entry);
        let files = entry.all_files();
        let length = |path: &Path| std::fs::metadata(path).ok().map(|m| m.len());
        let held: Vec<u64> = files.iter().filter_map(|f| length(&cache.find(&f.file)?)).collect();
        // Only where the registry knows the hash can a part be told to belong to this model.
        let parts = files.iter().filter_map(|f| length(&cache.part_path(f.sha256.as_deref()?)));
        let bytes = held.iter().sum::<u64>() + parts.sum::<u64>();
        match held.len() {
            n if n == files.len() => (State::Cached, bytes),
            0 if bytes == 0 => (State::Absent, 0),
            _ => (State::Partial, bytes),
        }
    }

    /// Hashes every cached file of `entry` again: its name and what was found. Files that are absent are left out.
    pub fn verify(&self, entry: &Entry, progress: &dyn Progress) -> Result<Vec<(String, Verdict)>> {
        let cache = RepoCache::new(&self.hub.cache, entry);
        let mut found = Vec::new();
        for file in entry.all_files() {
            if let Some(pointer) = cache.find(&file.file) {
                found.push((file.file.clone(), examine(&cache, &file, &pointer, progress)?));
            }
        }
        Ok(found)
    }

    /// Deletes the cached files of `entry` that no other registered model uses. Returns the bytes freed.
    pub fn remove(&self, entry: &Entry, progress: &dyn Progress) -> Result<u64> {
        ensure!(!entry.builtin, Kind::Usage.error(format!("`{}` is built in: it cannot be removed", entry.name)));
        let cache = RepoCache::new(&self.hub.cache, entry);
        let mut freed = 0;
        for file in entry.all_files().iter().filter(|f| !self.is_shared(entry, &f.file)) {
            if let Some(pointer) = cache.find(&file.file) {
                let _lock = cache.lock(&file.file, || waiting(entry, file, progress))?;
                freed += cache.remove(&pointer)?;
            }
            if let Some(sha256) = &file.sha256 {
                freed += cache.remove(&cache.part_path(sha256))?;
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

    fn fetch_file(&self, entry: &Entry, file: &ModelFile, cache: &RepoCache, progress: &dyn Progress) -> Result<()> {
        if self.is_at_hand(entry, file, cache, progress)? {
            return Ok(());
        }
        ensure!(!self.hub.offline, not_fetched(Kind::Network, entry, &file.file));
        let _lock = cache.lock(&file.file, || waiting(entry, file, progress))?;
        // Another process may have brought it while this one waited.
        if !self.is_at_hand(entry, file, cache, progress)? {
            Download { hub: &self.hub, entry, file, cache, progress }.run()?;
        }
        Ok(())
    }

    /// Whether the file is cached and sound. A damaged one is removed, where it can be fetched again.
    fn is_at_hand(&self, entry: &Entry, file: &ModelFile, cache: &RepoCache, progress: &dyn Progress) -> Result<bool> {
        let Some(pointer) = cache.find(&file.file) else { return Ok(false) };
        if cache.is_checked(&pointer, file) {
            return Ok(true);
        }
        let shown = pointer.display();
        match examine(cache, file, &pointer, progress)? {
            Verdict::Sound(_) => Ok(true),
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

    /// Says what is about to be downloaded, from where, how large, and under which licence.
    fn announce(&self, entry: &Entry, cache: &RepoCache, files: &[ModelFile], progress: &dyn Progress) {
        let missing: Vec<ModelFile> = files.iter().filter(|f| cache.find(&f.file).is_none()).cloned().collect();
        if missing.is_empty() || self.hub.offline {
            return;
        }
        let names: Vec<&str> = missing.iter().map(|f| f.file.as_str()).collect();
        let what = if names.len() > 4 { format!("{} files", names.len()) } else { names.join(", ") };
        let size = Entry { files: missing, ..entry.clone() }.size_text();
        progress.note(&format!(
            "fetching {}: {what} ({size}) from {}/{} into {}; licence: {}",
            entry.name,
            self.hub.endpoint,
            entry.repo,
            self.hub.cache.display(),
            entry.licence
        ));
    }
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
fn examine(cache: &RepoCache, file: &ModelFile, pointer: &Path, progress: &dyn Progress) -> Result<Verdict> {
    let unreadable = || Kind::Model.error(format!("{} cannot be read", pointer.display()));
    let (path, name) = cache.blob(pointer).with_context(unreadable)?;
    let verdict = check::check(&path, &name, file, progress).with_context(unreadable)?;
    match verdict {
        Verdict::Sound(_) => cache.mark_checked(pointer, file),
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

fn waiting(entry: &Entry, file: &ModelFile, progress: &dyn Progress) {
    progress.note(&format!("{} {}: another process is busy with it: waiting", entry.repo, file.file));
}
