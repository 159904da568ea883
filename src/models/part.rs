//! A file while it arrives: `NAME.part` beside the blobs, kept when a download stops, so that the next one goes on.
//!
//! While a process writes to it, it goes by that process's own name, `NAME.MACHINE-PID-N.part`: whoever takes up a part
//! renames it first, and one wins. So two downloads at once never write to one file, also where locks are only
//! pretended. A part whose process is gone is taken up as well.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const ENDING: &str = ".part";
/// A part that nobody has written to for this long is nobody's, on whatever machine its process was.
const ABANDONED: Duration = Duration::from_secs(600);

/// This process's own part of a file. Dropped, it becomes the one that the next download goes on with.
pub struct Part {
    path: PathBuf,
    shared: PathBuf,
    file: File,
    len: u64,
}

impl Part {
    /// Takes up the longest part of the blob `name` in the folder `blobs` that no living process writes to, or begins
    /// one.
    pub fn claim(blobs: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(blobs)?;
        let shared = blobs.join(format!("{name}{ENDING}"));
        let path = blobs.join(format!("{name}.{}{ENDING}", own_mark()));
        let mut free: Vec<(u64, PathBuf)> =
            parts(blobs, name).filter(|(path, _)| is_free(path, name)).map(swap).collect();
        free.sort();
        while let Some((_, longest)) = free.pop() {
            if fs::rename(&longest, &path).is_ok() {
                // The shorter ones of the same blob are of no use.
                free.iter().for_each(|(_, path)| fs::remove_file(path).unwrap_or_default());
                break;
            }
        }
        let mut file = File::options().create(true).read(true).write(true).truncate(false).open(&path)?;
        let len = file.seek(SeekFrom::End(0))?;
        Ok(Self { path, shared, file, len })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are there, from the file's beginning.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Adds bytes at the end.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Forgets everything from `len` on.
    pub fn cut(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.len = self.file.seek(SeekFrom::Start(len))?;
        Ok(())
    }

    /// Gives the whole file its name, on the disk before it has it.
    pub fn settle(self, blob: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, blob)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // A settled part has its name already. What cannot be renamed is taken up by its name later.
        let longer = fs::metadata(&self.shared).map_or(0, |m| m.len()) > self.len;
        let left =
            if self.len == 0 || longer { fs::remove_file(&self.path) } else { fs::rename(&self.path, &self.shared) };
        left.unwrap_or_default();
    }
}

/// Every part of the blob `name` and its length.
pub fn parts(blobs: &Path, name: &str) -> impl Iterator<Item = (PathBuf, u64)> + use<> {
    let (prefix, entries) = (format!("{name}."), fs::read_dir(blobs).into_iter().flatten().flatten());
    let fits = move |file: &str| file.starts_with(&prefix) && file.ends_with(ENDING);
    let part = move |entry: fs::DirEntry| {
        let named = entry.file_name().to_str().is_some_and(&fits);
        named.then(|| entry.metadata().ok().map(|m| (entry.path(), m.len())))?
    };
    entries.filter_map(part)
}

fn swap((path, len): (PathBuf, u64)) -> (u64, PathBuf) {
    (len, path)
}

/// Whether no living process writes to the part.
fn is_free(path: &Path, name: &str) -> bool {
    let file = path.file_name().and_then(|f| f.to_str()).unwrap_or_default();
    let mark = file.strip_prefix(name).and_then(|rest| rest.strip_suffix(ENDING)).unwrap_or_default();
    let idle = || path.metadata().and_then(|m| m.modified()).ok().and_then(|time| time.elapsed().ok());
    mark.is_empty() || is_dead(mark.trim_start_matches('.')) || idle().is_some_and(|idle| idle > ABANDONED)
}

/// Whether the process of a mark was of this machine and is gone.
fn is_dead(mark: &str) -> bool {
    let mut fields = mark.split('-');
    let (machine, pid) = (fields.next(), fields.next().and_then(|pid| pid.parse::<u32>().ok()));
    let here = machine == Some(MACHINE.as_str()) && !MACHINE.is_empty();
    here && pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
}

/// A name that no other process, and nothing else in this one, goes by.
fn own_mark() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}-{}", *MACHINE, std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Names the space in which process numbers are unique: this boot's, and a container's own. Empty where it cannot be
/// told.
static MACHINE: LazyLock<String> = LazyLock::new(|| {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let digits = |text: &str| text.chars().filter(char::is_ascii_hexdigit).collect::<String>();
    let (boot, space) = (digits(&boot), digits(&space.to_string_lossy()));
    if boot.is_empty() || space.is_empty() { String::new() } else { boot.chars().take(8).collect::<String>() + &space }
});

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_dropped_part_is_taken_up_and_a_settled_one_is_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut part = Part::claim(folder.path(), "abc").unwrap();
        part.append(b"12345").unwrap();
        drop(part);
        assert_eq!(names(folder.path()), ["abc.part"]);
        let mut part = Part::claim(folder.path(), "abc").unwrap();
        assert_eq!(part.len(), 5);
        part.cut(3).unwrap();
        part.append(b"67").unwrap();
        part.settle(&folder.path().join("abc")).unwrap();
        assert_eq!(names(folder.path()), ["abc"]);
        assert_eq!(fs::read(folder.path().join("abc")).unwrap(), b"12367");
    }

    #[test]
    fn an_empty_part_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        drop(Part::claim(folder.path(), "abc").unwrap());
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn a_part_that_is_being_written_is_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Part::claim(folder.path(), "abc").unwrap();
        first.append(b"123").unwrap();
        let mut second = Part::claim(folder.path(), "abc").unwrap();
        assert_eq!(second.len(), 0);
        second.append(b"45").unwrap();
        drop(first);
        drop(second);
        assert_eq!(fs::read(folder.path().join("abc.part")).unwrap(), b"123", "the longer one is kept");
        assert_eq!(names(folder.path()), ["abc.part"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_longest_part_of_processes_that_were_killed_is_taken_up_and_the_others_go() {
        let folder = tempfile::tempdir().unwrap();
        // No process has so large a number (/proc/sys/kernel/pid_max is 2^22 at most).
        for (n, content) in ["1", "123", "12"].iter().enumerate() {
            fs::write(folder.path().join(format!("abc.{}-99999999-{n}.part", *MACHINE)), content).unwrap();
        }
        let elsewhere = "abc.0badc0de-1-0.part";
        fs::write(folder.path().join(elsewhere), "12345").unwrap();
        let part = Part::claim(folder.path(), "abc").unwrap();
        assert_eq!(part.len(), 3, "another machine's process may be alive");
        drop(part);
        assert_eq!(names(folder.path()), [elsewhere, "abc.part"]);
    }

    #[test]
    fn a_part_that_was_not_written_to_for_long_is_taken_up_wherever_its_process_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc.0badc0de-1-0.part");
        fs::write(&path, "12345").unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * ABANDONED;
        File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(Part::claim(folder.path(), "abc").unwrap().len(), 5);
    }
}
