//! One repository in the hub's cache on disk, in the layout that every Hugging Face tool shares:
//!
//! ```text
//! models--owner--name/refs/REVISION              the commit it stands for
//! models--owner--name/snapshots/COMMIT/FILE  ->  ../../blobs/HASH
//! models--owner--name/blobs/HASH                 and HASH.part while it arrives
//! models--owner--name/.barkclone/                ours: which files were checked, and locks
//! ```
//!
//! hf-hub knows this layout's names. It is used for no more: its downloads (0.5.0) end at every answer without
//! `content-range`, which is how the hub and most mirrors answer small files (huggingface/hf-hub#141), they pass the
//! token on to whatever host a redirect names, double a complete `.part`, check nothing that arrives, and wait for a
//! silent server for ever. None of this can be set from outside; so [`super::download`] does the transfer over ureq.

use super::check::{Expected, is_commit};
use super::hub::Hub;
use super::part;
use super::registry::{Entry, is_plain_path};
use crate::error::Kind;
use crate::lock::{self, Hold};
use anyhow::{Context, Result};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// A repository's folder at one revision.
pub struct RepoCache {
    folder: PathBuf,
    revision: String,
    layout: CacheRepo,
    offline: bool,
    /// Where notes go if the cache cannot be written.
    own: Option<PathBuf>,
}

impl RepoCache {
    /// The folder of the entry's repository below the hub's cache; it need not exist.
    pub fn new(hub: &Hub, entry: &Entry) -> Self {
        let repo = Repo::with_revision(entry.repo.clone(), RepoType::Model, entry.revision.clone());
        let folder = hub.cache.join(repo.folder_name());
        let layout = Cache::new(hub.cache.clone()).repo(repo);
        let own = hub.own.as_ref().map(|own| own.join("checked"));
        Self { folder, revision: entry.revision.clone(), layout, offline: hub.offline, own }
    }

    /// The folder of the commit that the revision stands for, if any of it is cached. Where nothing says which commit
    /// that is (a cache that was copied without its `refs`, or filled by commit), the only one there is stands for a
    /// branch; and, offline, for any revision.
    pub fn snapshot(&self) -> Option<PathBuf> {
        let commit = self.stated();
        let named = [commit.clone(), Some(self.revision.clone()), Some(self.nameless())];
        let named = named.into_iter().flatten().map(|name| self.layout.pointer_path(&name));
        let any = commit.is_none() && (self.offline || !is_commit(&self.revision));
        named.into_iter().find(|folder| folder.is_dir()).or_else(|| self.only_snapshot().filter(|_| any))
    }

    fn only_snapshot(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(self.folder.join("snapshots")).ok()?;
        let folders: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).take(2).collect();
        <[PathBuf; 1]>::try_from(folders).ok().map(|[only]| only)
    }

    /// The commit that the revision stands for by the cache's own word.
    fn stated(&self) -> Option<String> {
        let stated = fs::read_to_string(self.folder.join("refs").join(&self.revision)).ok()?;
        Some(stated.trim().to_string()).filter(|commit| is_plain_path(commit))
    }

    /// The snapshot's name for a file of which no server says which commit it is of: that of the files beside it, else
    /// the revision's own.
    pub fn unstated(&self) -> String {
        self.stated().unwrap_or_else(|| self.nameless())
    }

    fn nameless(&self) -> String {
        self.revision.replace('/', "--")
    }

    /// The folder of the blobs.
    pub fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }

    /// The cached file, if it is complete.
    pub fn find(&self, file: &str) -> Option<PathBuf> {
        self.snapshot().map(|folder| folder.join(file)).filter(|path| path.is_file())
    }

    /// Where the content of a cached file lies, and its name among the blobs (empty for a plain copy).
    pub fn blob(&self, pointer: &Path) -> io::Result<(PathBuf, String)> {
        let blob = pointer.canonicalize()?;
        let in_blobs = blob.parent().and_then(Path::file_name).is_some_and(|name| name == "blobs");
        let name = blob.file_name().filter(|_| in_blobs).map(|n| n.to_string_lossy().into_owned());
        Ok((blob, name.unwrap_or_default()))
    }

    /// The path that the blob `hash` has or will have.
    pub fn blob_path(&self, hash: &str) -> PathBuf {
        self.blobs().join(hash)
    }

    /// What has arrived of the blob `hash`, in bytes.
    pub fn part_bytes(&self, hash: &str) -> u64 {
        part::parts(&self.blobs(), hash).map(|(_, len)| len).max().unwrap_or(0)
    }

    /// The path of `file` in the snapshot of `commit`.
    pub fn pointer(&self, commit: &str, file: &str) -> PathBuf {
        self.layout.pointer_path(commit).join(file)
    }

    /// Makes the blob `hash`, which is here already, the file `file` of `commit`, and the revision stand for `commit`.
    /// `fresh`: nothing else uses the blob yet.
    pub fn link(&self, hash: &str, commit: &str, file: &str, fresh: bool) -> Result<PathBuf> {
        let pointer = self.pointer(commit, file);
        let up = "../".repeat(2 + file.split('/').count() - 1);
        let made = || -> io::Result<()> {
            fs::create_dir_all(pointer.parent().unwrap_or(&self.folder))?;
            point(Path::new(&format!("{up}blobs/{hash}")), &self.blob_path(hash), &pointer, fresh)?;
            // A commit stands for itself.
            if is_commit(&self.revision) { Ok(()) } else { self.refer(commit) }
        };
        made().with_context(|| cannot_write(&pointer))?;
        Ok(pointer)
    }

    /// Writes aside, so that nobody reads half a commit.
    fn refer(&self, commit: &str) -> io::Result<()> {
        let path = self.folder.join("refs").join(&self.revision);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)?;
        let mut aside = aside(folder)?;
        io::Write::write_all(&mut aside, commit.as_bytes())?;
        aside.persist(&path)?;
        Ok(())
    }

    /// Whether this very file (by size and time) was found sound before, held to what the registry says today. Where no
    /// note can be kept, files are taken as they are: nobody could pay for reading gigabytes at each start.
    pub fn is_checked(&self, pointer: &Path, expected: Expected) -> bool {
        let print = fingerprint(pointer, expected);
        let known = |path: PathBuf| print.is_some() && fs::read_to_string(path).ok() == print;
        self.mark_paths(pointer).into_iter().any(known)
    }

    /// Remembers that the file is sound, in the cache or else in the user's own; `false` if neither can be written.
    pub fn mark_checked(&self, pointer: &Path, expected: Expected) -> bool {
        let Some(text) = fingerprint(pointer, expected) else { return false };
        let made = |path: &PathBuf| -> io::Result<()> {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            fs::write(path, &text)
        };
        self.mark_paths(pointer).iter().any(|path| made(path).is_ok())
    }

    /// Whether a note that the file is sound could be kept.
    pub fn can_remember(&self) -> bool {
        let folders = [Some(&self.folder), self.own.as_ref()];
        let writable = |folder: &PathBuf| fs::create_dir_all(folder).is_ok() && tempfile::tempfile_in(folder).is_ok();
        folders.into_iter().flatten().any(writable)
    }

    /// Forgets that the file was found sound.
    pub fn unmark(&self, pointer: &Path) -> Result<()> {
        let mut paths = self.mark_paths(pointer).into_iter();
        paths.try_for_each(|path| remove_if_there(&path).with_context(|| cannot_write(&path)))
    }

    /// Removes a cached file and, unless another snapshot uses it, its content. Returns the bytes freed.
    pub fn remove(&self, path: &Path) -> Result<u64> {
        self.remove_with(path, |blob| self.is_unused_blob(blob)).with_context(|| cannot_write(path))
    }

    /// Removes a damaged file and its content, whoever uses it.
    pub fn discard(&self, path: &Path) -> Result<()> {
        self.remove_with(path, |blob| self.is_blob(blob)).with_context(|| cannot_write(path))?;
        Ok(())
    }

    fn remove_with(&self, path: &Path, may_remove_blob: impl FnOnce(&Path) -> bool) -> io::Result<u64> {
        let Ok(blob) = path.canonicalize() else { return remove_if_there(path).map(|()| 0) };
        let size = fs::metadata(&blob)?.len();
        let is_link = path.is_symlink();
        self.mark_paths(path).iter().try_for_each(|mark| remove_if_there(mark))?;
        fs::remove_file(path)?;
        self.prune(path);
        if is_link && !may_remove_blob(&blob) {
            return Ok(0);
        }
        remove_if_there(&blob.with_extension("lock"))?;
        remove_if_there(&blob)?;
        Ok(size)
    }

    /// Removes what arrived of the blob `hash`. Returns the bytes freed.
    pub fn remove_parts(&self, hash: &str) -> Result<u64> {
        let mut freed = 0;
        for (path, len) in part::parts(&self.blobs(), hash) {
            remove_if_there(&path).with_context(|| cannot_write(&path))?;
            freed += len;
        }
        Ok(freed)
    }

    /// Removes what interrupted downloads left, once the repository holds no file any more, and then its folder.
    /// Returns the bytes freed.
    pub fn remove_leftovers(&self) -> Result<u64> {
        if !self.folder.is_dir() || files_below(&self.folder.join("snapshots")).next().is_some() {
            return Ok(0);
        }
        let is_leftover = |path: &PathBuf| path.extension().is_some_and(|e| e == "part" || e == "lock");
        let mut freed = 0;
        let mut removed = || -> io::Result<()> {
            for path in files_below(&self.folder.join("blobs")).filter(is_leftover) {
                freed += fs::metadata(&path)?.len();
                fs::remove_file(path)?;
            }
            for own in ["refs", ".barkclone"] {
                remove_tree_if_there(&self.folder.join(own))?;
            }
            Ok(())
        };
        removed().with_context(|| cannot_write(&self.folder))?;
        // Whatever is left is not ours: then these fail, rightly.
        for folder in ["blobs", "snapshots", ""] {
            fs::remove_dir(self.folder.join(folder)).unwrap_or_default();
        }
        Ok(freed)
    }

    /// Holds off other processes of this program from `file` until the file is closed, if its file system has locks.
    /// `waiting` is called before a wait, which ends when whoever holds the lock gives no sign of life for `patience`.
    pub fn lock(&self, file: &str, patience: Duration, waiting: impl FnOnce()) -> Result<(File, Hold)> {
        let path = self.own_folder().join(format!("{}.lock", file.replace('/', "--")));
        let locked = || -> io::Result<(File, Hold)> {
            fs::create_dir_all(self.own_folder())?;
            let held = File::options().create(true).write(true).truncate(false).open(&path)?;
            let hold = lock::wait(&held, patience, waiting)?;
            Ok((held, hold))
        };
        locked().with_context(|| cannot_write(&path))
    }

    /// Where locks and notes are.
    pub fn own_folder(&self) -> PathBuf {
        self.folder.join(".barkclone")
    }

    /// Where it is noted that the file is sound: in the cache, or where that cannot be written.
    fn mark_paths(&self, pointer: &Path) -> Vec<PathBuf> {
        let Some((blob, folder)) = pointer.canonicalize().ok().zip(self.folder.canonicalize().ok()) else {
            return Vec::new();
        };
        let plain = |path: &Path| path.to_string_lossy().replace(['/', '\\', ':'], "--");
        let name = format!("{}.checked", plain(blob.strip_prefix(&folder).unwrap_or(&blob)));
        let elsewhere = self.own.as_ref().map(|own| own.join(plain(&folder)).join(&name));
        std::iter::once(self.own_folder().join(&name)).chain(elsewhere).collect()
    }

    fn is_blob(&self, path: &Path) -> bool {
        self.folder.join("blobs").canonicalize().is_ok_and(|blobs| path.parent() == Some(&blobs))
    }

    /// Whether the path is a blob of this repository that no snapshot points to.
    fn is_unused_blob(&self, blob: &Path) -> bool {
        let used = |path: PathBuf| path.canonicalize().is_ok_and(|target| target == blob);
        self.is_blob(blob) && !files_below(&self.folder.join("snapshots")).any(used)
    }

    /// Removes the snapshot folders above a removed file that are empty now.
    fn prune(&self, pointer: &Path) {
        let snapshots = self.folder.join("snapshots");
        let in_snapshots = |f: &&Path| f.starts_with(&snapshots) && **f != snapshots;
        for folder in pointer.ancestors().skip(1).take_while(in_snapshots) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

/// What a file is recognised by without reading it, and what it was held to.
fn fingerprint(pointer: &Path, expected: Expected) -> Option<String> {
    let metadata = fs::metadata(pointer).ok()?;
    let time = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let Expected { file, pinned } = expected;
    let size = file.size.map_or_else(|| "-".to_string(), |s| s.to_string());
    let word = if pinned { "pinned" } else { "quoted" };
    Some(format!("{} {} {word} {size} {}\n", metadata.len(), time.as_nanos(), file.sha256_start()))
}

/// Every file and link below `folder`, in no order; nothing if there is no such folder.
fn files_below(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let mut folders = vec![folder.to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let is_folder = entry.file_type().is_ok_and(|t| t.is_dir());
            if is_folder { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.into_iter()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn remove_tree_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// A nameless file in `folder` that can take a name of its own there, with a new file's usual permissions.
fn aside(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".barkclone-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// A link at `pointer` with the relative `target`, or, where links are not to be had (exFAT, Windows without the
/// right), the blob itself: moved there if nothing else uses it, else copied, as Hugging Face's own tools do. In one
/// step for whoever looks.
fn point(target: &Path, blob: &Path, pointer: &Path, fresh: bool) -> io::Result<()> {
    let folder = pointer.parent().unwrap_or(Path::new("."));
    let name = tempfile::Builder::new().prefix(".barkclone-").make_in(folder, |path| symlink(target, path));
    match name {
        Ok(link) => return link.into_temp_path().persist(pointer).map_err(io::Error::from),
        Err(_) if fresh => return fs::rename(blob, pointer),
        Err(_) => (),
    }
    let mut copy = aside(folder)?;
    io::copy(&mut File::open(blob)?, &mut copy)?;
    copy.as_file().sync_all()?;
    copy.persist(pointer)?;
    Ok(())
}

fn symlink(target: &Path, pointer: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(target, pointer);
    #[cfg(windows)]
    return std::os::windows::fs::symlink_file(target, pointer);
}

pub(super) fn cannot_write(path: &Path) -> crate::error::Error {
    Kind::Output.error(format!("the model cache cannot be written at {}", path.display()))
}
