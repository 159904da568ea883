//! Files that are written whole or not at all.
//!
//! The bytes go to a temporary file in the target's folder, are flushed to the disk, and only then take the target's
//! name: whoever looks sees either no file or the finished one. Without `force` the renaming itself refuses to replace
//! a file, so that two runs at once cannot overwrite each other. [`check`] asks the same questions beforehand, before
//! any model is loaded. Temporary files are known to the process, so that an interrupt removes them:
//! [`remove_temporaries`].

use crate::error::{Error, Kind};
use anyhow::{Context, Result, bail, ensure};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::NamedTempFile;

/// Every temporary file that this process has not finished.
static TEMPORARIES: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// What the bytes of a file are written to.
pub type Sink<'a> = BufWriter<Watched<'a>>;

/// A file that remembers whether it could be written: what fails on the way to it is no failure of the disk.
pub struct Watched<'a> {
    file: &'a mut File,
    failed: &'a Cell<bool>,
}

impl Watched<'_> {
    fn watched<T>(&self, result: io::Result<T>) -> io::Result<T> {
        let lasting = result.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        self.failed.set(self.failed.get() || lasting);
        result
    }
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        self.watched(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        self.watched(flushed)
    }
}

impl Seek for Watched<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let sought = self.file.seek(to);
        self.watched(sought)
    }
}

/// Longest name made from a text, without its number and extension.
const SLUG_BYTES: usize = 48;

/// Refuses a target that could not be written: no such folder, a folder without write permission, a folder or device in
/// its place, or, without `force`, a file that exists.
pub fn check(path: &Path, force: bool) -> Result<()> {
    let stdout = path == Path::new("-");
    ensure!(!stdout, Kind::Usage.error("-: it goes to a file, not to stdout; ./- is a file of that name"));
    let folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let file = path.file_name().is_some() && !folder;
    ensure!(file, Kind::Output.error(format!("{}: names a folder, not a file", path.display())));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => (),
        Err(error) => return Err(error).with_context(|| unwritable(path)),
        Ok(_) if !force => {
            // Where --force would not help either, it is not advised.
            refuse_input(path)?;
            bail!(exists(path))
        }
        Ok(_) => drop(replaceable(path)?),
    }
    check_folder(folder_of(path))
}

/// Refuses a folder in which no file can be made.
pub fn check_folder(folder: &Path) -> Result<()> {
    tempfile::tempfile_in(folder).with_context(|| {
        Kind::Output.error(format!("{}: not a folder that files can be written to", folder.display()))
    })?;
    Ok(())
}

/// Refuses a folder that is not there and could not be made.
pub fn check_new_folder(folder: &Path) -> Result<()> {
    let there = folder.ancestors().find(|above| above.exists() || above.as_os_str().is_empty());
    check_folder(there.filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// Makes the folder `path`, unless it is there, and checks that files can be made in it.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| unwritable(path))?;
    check_folder(path)
}

/// Bytes as they stand in names and reports: two hexadecimal digits each.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the file `path` with what `fill` puts into the sink; replaces a file only with `force`.
/// After any error, `path` is as it was.
pub fn write_atomically(path: &Path, force: bool, fill: impl FnOnce(&mut Sink) -> Result<()>) -> Result<()> {
    Pending::beside(path, force, fill)?.settle(force)
}

fn named(temporary: Temporary, path: &Path, force: bool) -> Result<()> {
    if force {
        refuse_input(path)?;
    }
    let Temporary { file, .. } = temporary;
    let named = if force { file.persist(path) } else { file.persist_noclobber(path) };
    match named {
        Ok(_) => Ok(()),
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => bail!(exists(path)),
        Err(e) => Err(e.error).with_context(|| unwritable(path)),
    }
}

/// A file that is whole and on the disk but does not have its name yet. Dropped, it leaves nothing behind.
pub struct Pending {
    file: Temporary,
    target: PathBuf,
    pub bytes: u64,
}

impl Pending {
    /// Writes what shall become `target` to a temporary file in `folder`, on the same file system. `tag` marks whose it
    /// is, so that [`sweep`] finds it after a crash.
    pub fn write(
        folder: &Path,
        tag: &str,
        target: PathBuf,
        fill: impl FnOnce(&mut Sink) -> Result<()>,
    ) -> Result<Self> {
        let file = filled(folder, tag, &target, fill)?;
        Self::of(file, target)
    }

    /// Writes what shall become the file `path` to a temporary file in its folder; refuses what [`check`] does.
    pub fn beside(path: &Path, force: bool, fill: impl FnOnce(&mut Sink) -> Result<()>) -> Result<Self> {
        check(path, force)?;
        let target = if force { replaceable(path)? } else { path.to_owned() };
        let file = filled(folder_of(&target), "", path, fill)?;
        Self::of(file, target)
    }

    fn of(file: Temporary, target: PathBuf) -> Result<Self> {
        let bytes = file.file.as_file().metadata().with_context(|| unwritable(&target))?.len();
        Ok(Self { file, target, bytes })
    }

    /// Where the bytes are now.
    pub fn path(&self) -> &Path {
        self.file.file.path()
    }

    /// The same file, to become `target`, on the same file system.
    pub fn renamed(self, target: PathBuf) -> Self {
        Self { target, ..self }
    }

    /// Where they will be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Gives the file its name; replaces a file only with `force`.
    pub fn settle(self, force: bool) -> Result<()> {
        named(self.file, &self.target, force)
    }
}

/// Writes the file `path` with what `fill` puts into the sink, and replaces what was there. After any error, `path` is as
/// it was. [`tag_of`] the path is the temporary file's tag.
pub fn replace(path: &Path, fill: impl FnOnce(&mut Sink) -> Result<()>) -> Result<()> {
    Pending::write(folder_of(path), &tag_of(path), path.to_owned(), fill)?.settle(true)
}

/// The tag of the temporary files that [`replace`] makes of `path`.
pub fn tag_of(path: &Path) -> String {
    format!("{}-", path.file_stem().unwrap_or_default().to_string_lossy())
}

/// Removes what processes that were killed left of `tag` in `folder`. Only for whoever holds a lock that all users of
/// the tag take.
pub fn sweep(folder: &Path, tag: &str) -> Result<()> {
    let prefix = prefix(tag);
    let ours = |name: &std::ffi::OsStr| name.to_str().is_some_and(|n| n.starts_with(&prefix) && n.ends_with(SUFFIX));
    for entry in fs::read_dir(folder).with_context(|| unwritable(folder))? {
        let entry = entry.with_context(|| unwritable(folder))?;
        if ours(&entry.file_name()) {
            fs::remove_file(entry.path()).with_context(|| unwritable(&entry.path()))?;
        }
    }
    Ok(())
}

/// Writes a new file named after `text` into `folder` and returns its path: `ola-mundo.wav`, or the first of
/// `ola-mundo-2.wav`, `ola-mundo-3.wav`... that is free at the moment of writing.
pub fn write_named_after(
    text: &str,
    folder: &Path,
    extension: &str,
    fill: impl FnOnce(&mut Sink) -> Result<()>,
) -> Result<PathBuf> {
    check_folder(folder)?;
    let mut file = filled(folder, "", folder, fill)?;
    for path in numbered(folder, &slug(text), extension) {
        if fs::symlink_metadata(&path).is_ok() {
            continue;
        }
        match file.file.persist_noclobber(&path) {
            Ok(_) => return Ok(path),
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => file.file = e.file,
            Err(e) => return Err(e.error).with_context(|| unwritable(&path)),
        }
    }
    bail!(Kind::Output.error(format!("{}: every name made from the text is taken", folder.display())))
}

/// The text as a file name: lower-case ASCII words joined by `-`, cut at a word boundary; `speech` if it has none.
pub fn slug(text: &str) -> String {
    // Each character gives at least nothing and at most a few letters; the first few hundred are plenty.
    let mut slug = slug::slugify(text.chars().take(8 * SLUG_BYTES).collect::<String>());
    if slug.len() > SLUG_BYTES {
        let boundary = slug[..=SLUG_BYTES].rfind('-').unwrap_or(SLUG_BYTES);
        slug.truncate(boundary);
    }
    if slug.is_empty() { "speech".to_owned() } else { slug }
}

fn numbered(folder: &Path, stem: &str, extension: &str) -> impl Iterator<Item = PathBuf> {
    let first = std::iter::once(format!("{stem}.{extension}"));
    first.chain((2..=u32::MAX).map(move |n| format!("{stem}-{n}.{extension}"))).map(move |name| folder.join(name))
}

/// Writes a temporary file, down to the disk. What `fill` fails with keeps its own kind; what the disk fails with is
/// [`Kind::Output`].
fn filled(folder: &Path, tag: &str, target: &Path, fill: impl FnOnce(&mut Sink) -> Result<()>) -> Result<Temporary> {
    let mut file = Temporary::new(folder, tag).with_context(|| unwritable(target))?;
    let failed = Cell::new(false);
    let mut sink = BufWriter::new(Watched { file: file.file.as_file_mut(), failed: &failed });
    let filled = fill(&mut sink).and_then(|()| Ok(sink.flush()?));
    drop(sink);
    match filled {
        Err(error) if failed.get() => return Err(error.context(unwritable(target))),
        filled => filled?,
    }
    file.file.as_file().sync_all().with_context(|| unwritable(target))?;
    Ok(file)
}

/// A file that is not finished: it goes when it is dropped, and when the process is interrupted.
struct Temporary {
    file: NamedTempFile,
    _registered: Registered,
}

impl Temporary {
    fn new(folder: &Path, tag: &str) -> io::Result<Self> {
        // Making the file and registering it is one step for whoever removes all of them.
        let mut temporaries = TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner);
        let file = temporary(folder, tag)?;
        temporaries.insert(file.path().to_owned());
        let _registered = Registered(file.path().to_owned());
        Ok(Self { file, _registered })
    }
}

/// The entry of a temporary file among all of this process.
struct Registered(PathBuf);

impl Drop for Registered {
    fn drop(&mut self) {
        TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// A file that others see for as long as this is held: it goes when it is dropped, and when the process is interrupted.
pub struct Passing(Registered);

impl Passing {
    /// Of the file `path`, which is there.
    pub fn of(path: PathBuf) -> Self {
        TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
        Self(Registered(path))
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // Somebody may have removed it.
        let _ = fs::remove_file(&self.0.0);
    }
}

/// A file without a name for others, for what is read more than once; it goes when it is dropped.
pub struct Scratch(Temporary);

impl Scratch {
    /// Keeps all of `source`, in the system's folder for temporary files.
    pub fn of(mut source: impl io::Read) -> Result<Self> {
        let kept = || Kind::Output.error(format!("{}: cannot be written", std::env::temp_dir().display()));
        let mut file = Temporary::new(&std::env::temp_dir(), "").with_context(kept)?;
        io::copy(&mut source, file.file.as_file_mut()).with_context(kept)?;
        Ok(Self(file))
    }

    pub fn path(&self) -> &Path {
        self.0.file.path()
    }
}

/// A folder for files that are read more than once; it goes when it is dropped, and when the process is interrupted.
pub struct ScratchFolder {
    folder: tempfile::TempDir,
    _registered: Registered,
}

impl ScratchFolder {
    /// In the system's folder for temporary files.
    pub fn new() -> Result<Self> {
        let unwritable = || Kind::Output.error(format!("{}: cannot be written", std::env::temp_dir().display()));
        let mut temporaries = TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::Builder::new().prefix(&prefix("")).tempdir().with_context(unwritable)?;
        temporaries.insert(folder.path().to_owned());
        let _registered = Registered(folder.path().to_owned());
        Ok(Self { folder, _registered })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes every temporary file of this process, and lets it make no more: the last thing before an interrupted process
/// exits.
pub fn remove_temporaries() {
    let temporaries = TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner);
    for path in temporaries.iter() {
        // One that was finished in this moment has another name by now.
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
    // Whoever is about to make one waits for the lock, and so for the process's end.
    std::mem::forget(temporaries);
}

/// How temporary files' names begin and end.
fn prefix(tag: &str) -> String {
    format!(".barkclone-{tag}")
}
const SUFFIX: &str = ".part";

fn temporary(folder: &Path, tag: &str) -> io::Result<NamedTempFile> {
    let prefix = prefix(tag);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX);
    // Temporary files are private by default; a result gets what any new file gets, the umask's say included.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Files that results are made of.
static INPUTS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn inputs() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    INPUTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Marks a file as one that results are made of: no result replaces it, not even with `force`.
pub fn keep_input(path: &Path) {
    let file = path.canonicalize().ok().filter(|path| path.is_file());
    inputs().extend(file);
}

/// Whether both are one file, whatever each calls it, also where it is not there yet.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    whole(one) == whole(other)
}

/// Without links and detours.
fn whole(path: &Path) -> PathBuf {
    let in_folder = || Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?));
    let absolute = || std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.canonicalize().ok().or_else(in_folder).unwrap_or_else(absolute)
}

/// Refuses to replace a file that results are made of.
pub fn refuse_input(path: &Path) -> Result<()> {
    let input = path.canonicalize().is_ok_and(|path| inputs().contains(&path));
    let told = || format!("{}: it would be replaced by its own result; name another output", path.display());
    ensure!(!input, Kind::Usage.error(told()));
    Ok(())
}

/// The file that `force` replaces: `path`, or what it links to, so that a link stays a link.
fn replaceable(path: &Path) -> Result<PathBuf> {
    refuse_input(path)?;
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(_) => return Ok(path.to_owned()),
    };
    ensure!(target.is_file(), Kind::Output.error(format!("{}: not a regular file, not replaced", path.display())));
    Ok(target)
}

/// The folder that `path` lies in, or is to lie in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn exists(path: &Path) -> Error {
    Kind::Output.error(format!("{}: exists already; --force replaces it", path.display()))
}

fn unwritable(path: &Path) -> Error {
    Kind::Output.error(format!("{}: cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::exit_code;

    fn put(bytes: &'static [u8]) -> impl FnOnce(&mut Sink) -> Result<()> {
        move |sink| Ok(sink.write_all(bytes)?)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = entries.collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_and_is_replaced_only_with_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("voice.npz");
        write_atomically(&path, false, put(b"one")).unwrap();
        let error = write_atomically(&path, false, put(b"two")).unwrap_err();
        assert!(error.to_string().contains("voice.npz") && error.to_string().contains("--force"), "{error}");
        assert_eq!(exit_code(&error), 6);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write_atomically(&path, true, put(b"three")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(names(folder.path()), ["voice.npz"]);
    }

    #[test]
    fn an_error_while_writing_leaves_nothing_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.wav");
        let half = |sink: &mut Sink| {
            sink.write_all(b"half")?;
            bail!(Kind::Model.error("the codec is broken"))
        };
        let error = write_atomically(&path, false, half).unwrap_err();
        assert_eq!((exit_code(&error), error.to_string().as_str()), (4, "the codec is broken"));
        assert!(names(folder.path()).is_empty());
        fs::write(&path, b"old").unwrap();
        write_atomically(&path, true, half).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["out.wav"]);
    }

    #[test]
    fn what_the_disk_fails_with_is_told_of_the_target() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.wav");
        let nowhere = |sink: &mut Sink| Ok(sink.seek(SeekFrom::Current(-1)).map(drop)?);
        let error = write_atomically(&path, false, nowhere).unwrap_err();
        assert_eq!(exit_code(&error), 6);
        assert!(error.to_string().ends_with("out.wav: cannot be written"), "{error}");
    }

    #[test]
    fn a_file_made_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.wav");
        let racing = |sink: &mut Sink| {
            sink.write_all(b"late")?;
            Ok(fs::write(&path, b"early")?)
        };
        let error = write_atomically(&path, false, racing).unwrap_err();
        assert!(error.to_string().contains("--force"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"early");
    }

    #[test]
    fn a_pending_file_has_no_name_until_it_is_settled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let pending = || Pending::write(folder.path(), "run1-", path.clone(), put(b"sound")).unwrap();
        let first = pending();
        assert_eq!((first.bytes, path.exists(), names(folder.path()).len()), (5, false, 1));
        drop(first);
        assert!(names(folder.path()).is_empty());
        pending().settle(false).unwrap();
        assert!(pending().settle(false).unwrap_err().to_string().contains("exists already"));
        pending().settle(true).unwrap();
        assert_eq!(names(folder.path()), ["a.wav"]);
    }

    #[test]
    fn what_a_killed_run_left_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let left = |tag: &str| {
            let pending = Pending::write(folder.path(), tag, folder.path().join("a.wav"), put(b"sound")).unwrap();
            std::mem::forget(pending);
        };
        left("run1-");
        left("run2-");
        fs::write(folder.path().join(".barkclone-run1-notes.txt"), b"").unwrap();
        sweep(folder.path(), "run1-").unwrap();
        let names = names(folder.path());
        assert!(
            names.len() == 2 && names[0] == ".barkclone-run1-notes.txt" && names[1].starts_with(".barkclone-run2-")
        );
    }

    #[test]
    fn hopeless_targets_are_refused_beforehand() {
        let folder = tempfile::tempdir().unwrap();
        let inside = |name: &str| folder.path().join(name);
        fs::write(inside("there"), b"").unwrap();
        assert!(check(&inside("new"), false).is_ok());
        assert!(check(&inside("there"), true).is_ok());
        let refused = [inside("there"), inside("missing/new"), inside("there/new"), inside(".."), PathBuf::new()];
        for path in refused {
            assert_eq!(exit_code(&check(&path, false).unwrap_err()), 6, "{path:?}");
        }
        assert!(check(folder.path(), true).is_err());
        assert_eq!(names(folder.path()), ["there"]);
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_links_are_respected() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert!(check(Path::new("/dev/null"), true).unwrap_err().to_string().contains("regular"));
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, b"old").unwrap();
        symlink(&real, &link).unwrap();
        assert!(check(&link, false).is_err());
        write_atomically(&link, true, put(b"new")).unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let plain = folder.path().join("plain");
        fs::write(&plain, b"").unwrap();
        assert_eq!(mode(&real), mode(&plain), "results get the umask's permissions");
    }

    #[test]
    fn files_are_named_after_their_text_and_numbered() {
        let folder = tempfile::tempdir().unwrap();
        let say = |text| write_named_after(text, folder.path(), "wav", put(b"x")).unwrap();
        assert_eq!(say("Olá mundo").file_name().unwrap(), "ola-mundo.wav");
        assert_eq!(say("  olá, MUNDO! ").file_name().unwrap(), "ola-mundo-2.wav");
        assert_eq!(say("Olá mundo").file_name().unwrap(), "ola-mundo-3.wav");
        assert_eq!(say("?!…").file_name().unwrap(), "speech.wav");
        assert_eq!(names(folder.path()), ["ola-mundo-2.wav", "ola-mundo-3.wav", "ola-mundo.wav", "speech.wav"]);
    }

    #[test]
    fn runs_side_by_side_take_different_names() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| write_named_after("oi", folder.path(), "wav", put(b"x")).unwrap());
            }
        });
        assert_eq!(names(folder.path()).len(), 16);
    }

    #[test]
    fn slugs_are_bounded_and_end_at_a_word() {
        assert_eq!(slug("ação, coração e São João"), "acao-coracao-e-sao-joao");
        assert_eq!(slug(&"palavra ".repeat(1000)), ["palavra"; 6].join("-"));
        assert_eq!(slug(&"a".repeat(10_000)), "a".repeat(48));
        assert_eq!(slug("../../etc/passwd"), "etc-passwd");
        assert_eq!(slug(""), "speech");
    }
}
