//! The report as the run's memory: what is finished, and whose each file is.
//!
//! A line is appended by one write and flushed to the disk. A line that a crash tore is cut off when the report is
//! opened again. One process at a time holds a report, by an advisory lock on the file itself. In memory a few numbers
//! stand for each line.

use super::files::{State, WrittenFile};
use super::hash::hash;
use super::record::Record;
use crate::error::{Error, Kind};
use crate::lock::{self, Hold};
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Longest line, bytes: the longest text, escaped, and the rest.
const LONGEST: u64 = 8 << 20;
/// How every report begins.
const BEGINNING: &[u8] = b"{\"id\":";

/// An open report.
pub struct Ledger {
    path: PathBuf,
    file: Option<File>,
    /// Bytes of whole lines.
    len: u64,
    /// id -> the last line that says that the utterance is there
    finished: HashMap<u64, Entry>,
    /// file -> what it was last written for
    owners: HashMap<u64, Owner>,
    /// Ids whose last line is a failure.
    failed: HashSet<u64>,
    /// Those that failed since it was opened, and were not made after that.
    lost: HashSet<u64>,
    /// What utterances were joined into, as all runs wrote it.
    joined: Vec<WrittenFile>,
    unlocked: bool,
    /// The last line, where it was torn.
    torn: Option<Torn>,
    /// Results, seconds of sound, and the seconds that making them took.
    made: (u64, f64, f64),
}

/// What is known of a finished result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    pub key: u64,
    /// The hash of its file's path.
    pub out: u64,
    /// How often it was made once more.
    pub redone: u64,
    /// Where its line begins.
    offset: u64,
}

/// The id that a file was written for, and its line.
#[derive(Clone, Copy)]
struct Owner {
    id: u64,
    entry: Entry,
}

impl Ledger {
    /// Opens the report for writing, or begins one.
    ///
    /// # Errors
    /// Kind [`Kind::Output`]: it cannot be written, or another process holds it; [`Kind::Input`]: the file is no
    /// report.
    pub fn open(path: &Path) -> Result<Self> {
        let open = OpenOptions::new().create(true).append(true).read(true).open(path);
        let file = open.with_context(|| unwritable(path))?;
        let hold = lock(path, &file)?;
        let mut ledger = Self::of(path, &file)?;
        ledger.unlocked = hold == Hold::Unsupported;
        ledger.file = Some(file);
        ledger.mend().with_context(|| unwritable(path))?;
        Ok(ledger)
    }

    /// What the user should know of the report's lock: that its file system has none, once.
    pub fn note(&self) -> Option<String> {
        self.unlocked.then(|| lock::unsupported_note(&self.path)).flatten()
    }

    /// Reads the report, if there is one, and changes nothing.
    pub fn peek(path: &Path) -> Result<Self> {
        match File::open(path) {
            Ok(file) => Self::of(path, &file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::read(path, io::empty()),
            Err(error) => Err(error).with_context(|| unreadable(path)),
        }
    }

    fn of(path: &Path, file: &File) -> Result<Self> {
        let mut ledger = Self::read(path, file)?;
        ledger.torn = Torn::of(file, ledger.len).with_context(|| unreadable(path))?;
        Ok(ledger)
    }

    /// Cuts a torn line off, and ends the last one.
    fn mend(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.set_len(self.len)?;
        let mut last = [b'\n'];
        if self.len > 0 {
            file.seek(SeekFrom::Start(self.len - 1))?;
            file.read_exact(&mut last)?;
        }
        if last != [b'\n'] {
            file.write_all(b"\n")?;
            self.len += 1;
        }
        Ok(())
    }

    /// Whether the file `out` at `path` is what a run wrote whose line was torn: nobody wrote it after the line.
    pub fn is_torn(&self, out: &Path, path: &Path) -> bool {
        self.torn.as_ref().is_some_and(|torn| torn.out == file_hash(out) && torn.is_before(path))
    }

    /// The speed of what is in the report: results, seconds of sound, and the seconds that making them took.
    pub fn speed(&self) -> (u64, f64, f64) {
        self.made
    }

    fn read(path: &Path, source: impl Read) -> Result<Self> {
        let mut ledger = Self {
            path: path.to_owned(),
            file: None,
            len: 0,
            finished: HashMap::new(),
            owners: HashMap::new(),
            failed: HashSet::new(),
            lost: HashSet::new(),
            joined: Vec::new(),
            unlocked: false,
            torn: None,
            made: (0, 0.0, 0.0),
        };
        ledger.len = scan(path, source, |record, offset| {
            ledger.enter(&record, offset);
            Ok(())
        })?;
        Ok(ledger)
    }

    /// A failure changes nothing: what was finished before it is there still, and may be wanted again as it is.
    fn enter(&mut self, record: &Record, offset: u64) {
        let id = hash(&[record.id.as_bytes()]);
        match record.error {
            Some(_) => self.failed.insert(id),
            None => self.failed.remove(&id),
        };
        let key = record.key.as_ref().and_then(|key| u64::from_str_radix(key, 16).ok());
        let (Some(out), Some(_), Some(key), None) = (&record.out, record.bytes, key, &record.error) else { return };
        let out = file_hash(Path::new(out));
        let entry = Entry { key, out, redone: record.redone.unwrap_or_default(), offset };
        let (made, seconds, took) = &mut self.made;
        *made += 1;
        *seconds += record.seconds.unwrap_or_default();
        *took += record.share.unwrap_or_default();
        self.owners.insert(out, Owner { id, entry });
        self.joined.extend_from_slice(&record.joined);
        self.finished.insert(id, entry);
    }

    /// The finished utterance `id`, unless its file was taken for another one since.
    pub fn finished(&self, id: &str) -> Option<Entry> {
        let id = hash(&[id.as_bytes()]);
        let entry = self.finished.get(&id)?;
        self.owners.get(&entry.out).is_some_and(|owner| owner.id == id).then_some(*entry)
    }

    /// Whether the last line of `id` is a failure.
    pub fn failed(&self, id: &str) -> bool {
        self.failed.contains(&hash(&[id.as_bytes()]))
    }

    /// Whether `id` failed since the report was opened, and was not made after that.
    pub fn is_lost(&self, id: &str) -> bool {
        self.lost.contains(&hash(&[id.as_bytes()]))
    }

    /// What this report's runs wrote the file `out` for; `None`: they did not write it.
    pub fn owner(&self, out: &Path) -> Option<Entry> {
        self.owners.get(&file_hash(out)).map(|owner| owner.entry)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing is finished.
    pub fn is_empty(&self) -> bool {
        self.finished.is_empty()
    }

    /// How the file at `path` is beside what runs of this report joined utterances into; `None`: they wrote none of its
    /// name, or it is gone. A run that was killed may have left the file as one before it wrote it.
    pub fn joined(&self, path: &Path) -> Option<State> {
        if self.torn.as_ref().is_some_and(|torn| torn.joins && torn.is_before(path)) {
            return Some(State::AsWritten);
        }
        self.joined_as(path, WrittenFile::state)
    }

    fn joined_as(&self, path: &Path, state: impl Fn(&WrittenFile, &Path) -> Option<State>) -> Option<State> {
        let states = || self.joined.iter().rev().filter_map(|file| state(file, path));
        states().find(|state| *state == State::AsWritten).or_else(|| states().next())
    }

    /// The files in `folders`, and where they were written below `base`, that utterances were joined into, but for those
    /// that are `wanted`, and by their content how they are.
    pub fn joined_but(&self, wanted: &[PathBuf], folders: BTreeSet<&Path>, base: &Path) -> Vec<(PathBuf, State)> {
        let named = |folder: &&Path| self.joined.iter().map(|file| folder.join(file.name())).collect::<Vec<_>>();
        let below = self.joined.iter().filter_map(|file| file.path(base));
        let paths: BTreeSet<_> = folders.iter().flat_map(named).chain(below).collect();
        let there = |path: PathBuf| Some((self.joined_as(&path, WrittenFile::content)?, path));
        // A bare name's folder is `.`, so that the same file may be called `./name` here.
        let place = |path: &PathBuf| path.strip_prefix(".").unwrap_or(path).to_owned();
        let wanted: BTreeSet<_> = wanted.iter().map(place).collect();
        paths
            .into_iter()
            .filter(|path| !wanted.contains(&place(path)))
            .filter_map(there)
            .map(|(state, path)| (path, state))
            .collect()
    }

    /// The line of a finished utterance.
    pub fn line(&self, entry: Entry) -> Result<Record> {
        let read = || -> Result<Record> {
            let mut file = BufReader::new(File::open(&self.path)?);
            file.seek(SeekFrom::Start(entry.offset))?;
            let mut line = Vec::new();
            file.take(LONGEST).read_until(b'\n', &mut line)?;
            Ok(serde_json::from_slice(&line)?)
        };
        read().with_context(|| unreadable(&self.path))
    }

    /// Appends lines, by one write, to the disk.
    ///
    /// # Errors
    /// Kind [`Kind::Output`]; the report is then as it was.
    pub fn append(&mut self, records: &[Record]) -> Result<()> {
        let mut bytes = Vec::new();
        let mut offsets = Vec::new();
        for record in records {
            offsets.push(self.len + bytes.len() as u64);
            serde_json::to_writer(&mut bytes, record)?;
            bytes.push(b'\n');
        }
        let file = self.file.as_mut().with_context(|| format!("{}: opened for reading", self.path.display()))?;
        if let Err(error) = file.write_all(&bytes).and_then(|()| file.sync_data()) {
            // Half a line may be there; if it cannot be cut off now, it is when the report is next opened.
            let _ = file.set_len(self.len);
            return Err(error).with_context(|| unwritable(&self.path));
        }
        self.len += bytes.len() as u64;
        for (record, offset) in records.iter().zip(offsets) {
            self.enter(record, offset);
            let id = hash(&[record.id.as_bytes()]);
            let _ = if self.failed.contains(&id) { self.lost.insert(id) } else { self.lost.remove(&id) };
        }
        Ok(())
    }

    /// Marks temporary files as those of this report's runs.
    pub fn tag(&self) -> String {
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        format!("{:016x}-", hash(&[path.as_os_str().as_encoded_bytes()]))
    }
}

/// Holds the report for as long as `file` is open, if its file system has locks; refused if another process does.
pub fn lock(path: &Path, file: &File) -> Result<Hold> {
    match lock::try_hold(file).with_context(|| unwritable(path))? {
        hold @ (Hold::Held | Hold::Unsupported) => Ok(hold),
        Hold::Busy => bail!(Kind::Output.error(format!(
            "{}: another run is writing this report; wait for it, or give this one a --report or --shard of its own",
            path.display()
        ))),
    }
}

/// Hands over each whole line of a report and where it begins; returns the bytes of all of them. A torn last line is no
/// line: half of one, or what a file system puts in its place after a power cut, zeros.
pub fn scan(path: &Path, source: impl Read, mut take: impl FnMut(Record, u64) -> Result<()>) -> Result<u64> {
    let mut source = BufReader::new(source);
    let (mut offset, mut number, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        source.by_ref().take(LONGEST).read_until(b'\n', &mut line).with_context(|| unreadable(path))?;
        number += 1;
        if number > 1 && line.contains(&0) && source.fill_buf().with_context(|| unreadable(path))?.is_empty() {
            return Ok(offset);
        }
        let start = &line[..line.len().min(BEGINNING.len())];
        ensure!(BEGINNING.starts_with(start), not_a_report(path, number));
        if !line.ends_with(b"\n") {
            ensure!((line.len() as u64) < LONGEST, not_a_report(path, number));
            // Whole but for its end.
            if let Ok(record) = serde_json::from_slice(&line) {
                take(record, offset)?;
                offset += line.len() as u64;
            }
            return Ok(offset);
        }
        let record = serde_json::from_slice(&line).with_context(|| not_a_report(path, number))?;
        take(record, offset)?;
        offset += line.len() as u64;
    }
}

/// A line that was torn by whatever ended the machine, not only the run.
struct Torn {
    /// The hash of the path of the file that it is about.
    out: u64,
    /// Whether it tells of what the results were joined into.
    joins: bool,
    /// When the report was last written.
    at: SystemTime,
}

impl Torn {
    /// What lies in `file` from `start` on, as far as it still names its file.
    fn of(file: &File, start: u64) -> io::Result<Option<Self>> {
        let mut file = file;
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.take(LONGEST).read_to_end(&mut tail)?;
        let tail = String::from_utf8_lossy(&tail);
        let out = tail
            .split_once("\"out\":")
            .and_then(|(_, out)| serde_json::Deserializer::from_str(out).into_iter::<String>().next()?.ok());
        let at = file.metadata()?.modified()?;
        let joins = tail.contains("\"joined\":");
        Ok(out.map(|out| Self { out: file_hash(Path::new(&out)), joins, at }))
    }

    fn is_before(&self, path: &Path) -> bool {
        fs::metadata(path).and_then(|metadata| metadata.modified()).is_ok_and(|modified| modified <= self.at)
    }
}

/// A file's hash, by its path below the output folder.
fn file_hash(out: &Path) -> u64 {
    hash(&[out.to_string_lossy().as_bytes()])
}

fn not_a_report(path: &Path, line: u64) -> Error {
    Kind::Input.error(format!("{}: line {line} is no line of a report that barkclone wrote", path.display()))
}

fn unreadable(path: &Path) -> Error {
    Kind::Input.error(format!("{}: cannot be read", path.display()))
}

fn unwritable(path: &Path) -> Error {
    Kind::Output.error(format!("{}: cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::exit_code;

    fn record(id: &str, out: &str, key: u64) -> Record {
        let (out, key) = (Some(out.to_string()), Some(format!("{key:016x}")));
        Record { id: id.into(), text: "olá".into(), out, key, bytes: Some(5), ..Record::default() }
    }

    #[test]
    fn what_was_appended_is_known_when_the_report_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.jsonl");
        let mut ledger = Ledger::open(&path).unwrap();
        ledger.append(&[record("a", "a.wav", 1), record("b", "b.wav", 2)]).unwrap();
        ledger.append(&[record("a", "a.wav", 3)]).unwrap();
        let failed = Record { id: "b".into(), error: Some("no".into()), ..Record::default() };
        ledger.append(&[failed]).unwrap();
        let known = |ledger: &Ledger| {
            let (a, b) = (ledger.finished("a").unwrap(), ledger.finished("b").unwrap());
            assert_eq!((a.key, b.key), (3, 2), "a failure takes nothing away");
            assert!(ledger.owner(Path::new("b.wav")) == Some(b) && ledger.owner(Path::new("c.wav")).is_none());
            assert_eq!(ledger.line(a).unwrap(), record("a", "a.wav", 3));
        };
        known(&ledger);
        assert!(ledger.is_lost("b") && !ledger.is_lost("a"));
        drop(ledger);
        let mut ledger = Ledger::open(&path).unwrap();
        known(&ledger);
        assert!(ledger.failed("b") && !ledger.is_lost("b"), "it failed before");
        ledger.append(&[record("b", "b.wav", 2)]).unwrap();
        assert!(!ledger.failed("b"));
    }

    #[test]
    fn a_torn_last_line_is_cut_off_wherever_it_was_torn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.jsonl");
        let whole = serde_json::to_string(&record("a", "a.wav", 1)).unwrap() + "\n";
        let next = serde_json::to_string(&record("b", "b.wav", 2)).unwrap();
        for cut in 0..next.len() {
            for before in ["", &whole] {
                std::fs::write(&path, [before.as_bytes(), &next.as_bytes()[..cut]].concat()).unwrap();
                assert!(Ledger::peek(&path).unwrap().finished("b").is_none());
                let ledger = Ledger::open(&path).unwrap();
                assert_eq!((ledger.finished("a").is_some(), ledger.finished("b")), (!before.is_empty(), None));
                assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
            }
        }
        // One that lacks its end alone is whole, and gets it.
        std::fs::write(&path, [whole.as_bytes(), next.as_bytes()].concat()).unwrap();
        assert!(Ledger::peek(&path).unwrap().finished("b").is_some());
        let mut ledger = Ledger::open(&path).unwrap();
        ledger.append(&[record("c", "c.wav", 3)]).unwrap();
        let ledger = Ledger::peek(&path).unwrap();
        assert!(["a", "b", "c"].iter().all(|id| ledger.finished(id).is_some()));
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
    }

    #[test]
    fn zeros_that_a_power_cut_left_at_the_end_are_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.jsonl");
        let whole = serde_json::to_string(&record("a", "a.wav", 1)).unwrap() + "\n";
        for tail in [&[0; 4096][..], b"{\"id\":\"b\",\0\0\0", b"{\"id\":\"b\"\0\0\0}\n"] {
            std::fs::write(&path, [whole.as_bytes(), tail].concat()).unwrap();
            assert!(Ledger::open(&path).unwrap().finished("a").is_some());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
            std::fs::write(&path, [tail, whole.as_bytes()].concat()).unwrap();
            assert!(Ledger::open(&path).is_err(), "not in the middle");
        }
    }

    #[test]
    fn a_file_that_another_utterance_took_is_no_longer_the_firsts() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(&folder.path().join("report.jsonl")).unwrap();
        ledger.append(&[record("a", "x.wav", 1), record("b", "x.wav", 2)]).unwrap();
        assert!(ledger.finished("a").is_none() && ledger.finished("b").is_some());
    }

    #[test]
    fn only_one_holds_a_report() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.jsonl");
        let first = Ledger::open(&path).unwrap();
        let error = Ledger::open(&path).err().unwrap();
        assert!(error.to_string().contains("another run") && exit_code(&error) == 6, "{error}");
        assert!(Ledger::peek(&path).is_ok());
        drop(first);
        assert!(Ledger::open(&path).is_ok());
    }

    #[test]
    fn another_kind_of_file_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prompts.txt");
        for content in ["Olá", "Olá\nBom dia\n", "{\"text\": \"oi\"}\n", "{\"id\":\"a\"\n", "{\"id\":\"a\"}\n"] {
            std::fs::write(&path, content).unwrap();
            let error = Ledger::open(&path).err().unwrap();
            assert!(error.to_string().contains("no line of a report"), "{content}: {error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
    }
}
