//! One repository in the hub's cache on disk, in the layout that every Hugging Face tool shares:
//!
//! ```text
//! models--owner--name/refs/REVISION              the commit it stands for
//! models--owner--name/snapshots/COMMIT/FILE  ->  ../../blobs/HASH
//! models--owner--name/blobs/HASH                 and HASH.part while it arrives
//! models--owner--name/.barkclone/                ours: which files were checked, and locks
//! ```

use super::registry::{Entry, ModelFile, is_plain_path};
use crate::error::Kind;
use anyhow::{Context, Result};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A repository's folder at one revision.
pub struct RepoCache {
    folder: PathBuf,
    revision: String,
    layout: CacheRepo,
}

impl RepoCache {
    /// The folder of the entry's repository below `cache`; it need not exist.
    pub fn new(cache: &Path, entry: &Entry) -> Self {
        let repo = Repo::with_revision(entry.repo.clone(), RepoType::Model, entry.revision.clone());
        let folder = cache.join(repo.folder_name());
        let layout = Cache::new(cache.to_path_buf()).repo(repo);
        Self { folder, revision: entry.revision.clone(), layout }
    }

    /// The folder of the commit that the revision stands for, if any of it is cached.
    pub fn snapshot(&self) -> Option<PathBuf> {
        let stated = fs::read_to_string(self.folder.join("refs").join(&self.revision)).ok();
        let commit = stated.map(|c| c.trim().to_string()).filter(|c| is_plain_path(c));
        let folder = self.layout.pointer_path(commit.as_deref().unwrap_or(&self.revision));
        folder.is_dir().then_some(folder)
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
        self.layout.blob_path(hash)
    }

    /// The path that the blob `hash` has while it arrives.
    pub fn part_path(&self, hash: &str) -> PathBuf {
        self.layout.blob_path(hash).with_extension("part")
    }

    /// The path of `file` in the snapshot of `commit`.
    pub fn pointer(&self, commit: &str, file: &str) -> PathBuf {
        self.layout.pointer_path(commit).join(file)
    }

    /// Makes the blob `hash`, which is here already, the file `file` of `commit`, and the revision stand for `commit`.
    pub fn link(&self, hash: &str, commit: &str, file: &str) -> Result<PathBuf> {
        let pointer = self.pointer(commit, file);
        let up = "../".repeat(2 + file.split('/').count() - 1);
        let made = || -> io::Result<()> {
            fs::create_dir_all(pointer.parent().unwrap_or(&self.folder))?;
            symlink(Path::new(&format!("{up}blobs/{hash}")), &self.blob_path(hash), &pointer)?;
            self.layout.create_ref(commit)
        };
        made().with_context(|| cannot_write(&pointer))?;
        Ok(pointer)
    }

    /// Whether this very file (by size and time) was found sound before, held to what the registry says today.
    pub fn is_checked(&self, pointer: &Path, file: &ModelFile) -> bool {
        let known = || Some(fs::read_to_string(self.mark_path(pointer)?).ok()? == fingerprint(pointer, file)?);
        known().unwrap_or(false)
    }

    /// Remembers that the file is sound. A cache that cannot be written is no error: the file is checked again next time.
    pub fn mark_checked(&self, pointer: &Path, file: &ModelFile) {
        if let (Some(path), Some(text)) = (self.mark_path(pointer), fingerprint(pointer, file)) {
            let made = fs::create_dir_all(self.own_folder()).and_then(|()| fs::write(path, text));
            // Nothing depends on it but the time of the next start.
            made.unwrap_or_default();
        }
    }

    /// Forgets that the file was found sound.
    pub fn unmark(&self, pointer: &Path) -> Result<()> {
        match self.mark_path(pointer) {
            Some(path) => remove_if_there(&path).with_context(|| cannot_write(&path)),
            None => Ok(()),
        }
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
        if let Some(mark) = self.mark_path(path) {
            remove_if_there(&mark)?;
        }
        fs::remove_file(path)?;
        self.prune(path);
        if is_link && !may_remove_blob(&blob) {
            return Ok(0);
        }
        remove_if_there(&blob.with_extension("lock"))?;
        remove_if_there(&blob)?;
        Ok(size)
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

    /// Holds off other processes of this program from `file` until dropped; `waiting` is called before a wait.
    pub fn lock(&self, file: &str, waiting: impl FnOnce()) -> Result<File> {
        let path = self.own_folder().join(format!("{}.lock", file.replace('/', "--")));
        let locked = || -> io::Result<File> {
            fs::create_dir_all(self.own_folder())?;
            let lock = File::create(&path)?;
            if lock.try_lock().is_err() {
                waiting();
                lock.lock()?;
            }
            Ok(lock)
        };
        locked().with_context(|| cannot_write(&path))
    }

    fn own_folder(&self) -> PathBuf {
        self.folder.join(".barkclone")
    }

    fn mark_path(&self, pointer: &Path) -> Option<PathBuf> {
        let blob = pointer.canonicalize().ok()?;
        let folder = self.folder.canonicalize().ok()?;
        let name = blob.strip_prefix(folder).unwrap_or(&blob).to_string_lossy().replace(['/', '\\', ':'], "--");
        Some(self.own_folder().join(format!("{name}.checked")))
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
fn fingerprint(pointer: &Path, file: &ModelFile) -> Option<String> {
    let metadata = fs::metadata(pointer).ok()?;
    let time = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let size = file.size.map_or_else(|| "-".to_string(), |s| s.to_string());
    Some(format!("{} {} {size} {}\n", metadata.len(), time.as_nanos(), file.sha256_start()))
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

/// A link at `pointer` with the relative `target`; where links are not to be had, the blob itself moves there.
fn symlink(target: &Path, blob: &Path, pointer: &Path) -> io::Result<()> {
    remove_if_there(pointer)?;
    #[cfg(unix)]
    return std::os::unix::fs::symlink(target, pointer).or_else(|_| fs::hard_link(blob, pointer));
    #[cfg(windows)]
    return std::os::windows::fs::symlink_file(target, pointer).or_else(|_| fs::hard_link(blob, pointer));
}

pub(super) fn cannot_write(path: &Path) -> crate::error::Error {
    Kind::Output.error(format!("the model cache cannot be written at {}", path.display()))
}
