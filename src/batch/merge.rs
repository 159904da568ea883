//! Reports of several runs into one, and what a report says in sum.

use super::hash::hash;
use super::ledger::{lock, scan};
use super::record::Record;
use crate::error::Kind;
use crate::output;
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Where a line is, and what it is compared by.
#[derive(Clone, Copy)]
struct Line {
    file: usize,
    offset: u64,
    index: u64,
    at: u64,
    text: u64,
    failed: bool,
}

/// The newest line of an id. Where that is a failure, what was finished before it may still be there: the newest of
/// these lines, too.
#[derive(Clone, Copy)]
struct Newest {
    line: Line,
    finished: Option<Line>,
}

impl Newest {
    fn lines(self) -> impl Iterator<Item = Line> {
        self.finished.filter(|_| self.line.failed).into_iter().chain([self.line])
    }
}

/// Writes the newest line of each id in `reports` to `out`, in the order of their numbers, and before a failure what
/// was finished; returns how many ids there are. `out` may be one of the reports.
///
/// # Errors
/// Kind [`Kind::Input`]: a file that is no report, an id with two texts; [`Kind::Output`]: `out` cannot be written, or
/// exists.
pub fn merge(reports: &[PathBuf], out: &Path, force: bool) -> Result<usize> {
    output::check(out, force)?;
    // A run that goes on writing to the file that is replaced would write in vain.
    let held = File::open(out).ok();
    if let Some(file) = &held {
        lock(out, file)?;
    }
    let mut newest: HashMap<u64, Newest> = HashMap::new();
    let mut files = Vec::new();
    for (file, path) in reports.iter().enumerate() {
        files.push(open(path)?);
        scan(path, &files[file], |record, offset| enter(&mut newest, &record, (file, offset), reports))?;
    }
    let count = newest.len();
    let mut newest: Vec<Newest> = newest.into_values().collect();
    newest.sort_by_key(|Newest { line, .. }| (line.index, line.file, line.offset));
    let lines: Vec<Line> = newest.into_iter().flat_map(Newest::lines).collect();
    output::write_atomically(out, force, |sink| {
        for line in &lines {
            let line = line_at(&files[line.file], line.offset)?;
            sink.write_all(line.trim_ascii_end())?;
            sink.write_all(b"\n")?;
        }
        Ok(())
    })?;
    Ok(count)
}

fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(|| Kind::Input.error(format!("{}: cannot be read", path.display())))
}

fn enter(
    newest: &mut HashMap<u64, Newest>,
    record: &Record,
    (file, offset): (usize, u64),
    reports: &[PathBuf],
) -> Result<()> {
    let text = hash(&[record.text.as_bytes()]);
    let line = Line { file, offset, index: record.index, at: record.at, text, failed: record.error.is_some() };
    let id = hash(&[record.id.as_bytes()]);
    let Some(other) = newest.get_mut(&id) else {
        newest.insert(id, Newest { line, finished: Some(line).filter(|line| !line.failed) });
        return Ok(());
    };
    // Within one file a text may have been edited between two runs.
    ensure!(
        other.line.file == file || other.line.text == text,
        Kind::Input.error(format!(
            "{} and {}: the id `{}` has another text in each: they are reports of different jobs",
            reports[other.line.file].display(),
            reports[file].display(),
            record.id
        ))
    );
    let newer = |than: Line| than.file == file || than.at <= line.at;
    if newer(other.line) {
        other.line = line;
    }
    if !line.failed && other.finished.is_none_or(newer) {
        other.finished = Some(line);
    }
    Ok(())
}

fn line_at(file: &File, offset: u64) -> Result<Vec<u8>> {
    let mut file = file;
    file.seek(SeekFrom::Start(offset))?;
    let mut line = Vec::new();
    BufReader::new(file.take(u64::MAX)).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// What reports say in sum.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    pub done: u64,
    pub failed: u64,
    /// Of those done: something does not sound right.
    pub doubtful: u64,
    /// Of speech.
    pub seconds: f64,
    /// That making it took, all runs together.
    pub took: f64,
    pub bytes: u64,
}

impl Summary {
    /// Seconds of speech made in a second; `None` before there is any.
    pub fn speed(&self) -> Option<f64> {
        (self.took > 0.0 && self.seconds > 0.0).then(|| self.seconds / self.took)
    }
}

/// The file of what was made, of which report.
fn place(record: &Record, report: usize) -> Option<(usize, u64)> {
    let out = record.out.as_ref().filter(|_| record.error.is_none())?;
    Some((report, hash(&[out.as_bytes()])))
}

/// Sums up the newest line of each id, which is handed to `told`; lines whose files became others' are no more.
///
/// # Errors
/// As of [`merge`].
pub fn summary(reports: &[PathBuf], mut told: impl FnMut(&Record) -> Result<()>) -> Result<Summary> {
    let (mut newest, mut owners) = (HashMap::new(), HashMap::new());
    for (file, path) in reports.iter().enumerate() {
        scan(path, open(path)?, |record, offset| {
            owners.extend(place(&record, file).map(|place| (place, hash(&[record.id.as_bytes()]))));
            enter(&mut newest, &record, (file, offset), reports)
        })?;
    }
    let mut sum = Summary::default();
    for (file, path) in reports.iter().enumerate() {
        scan(path, open(path)?, |record, offset| {
            let id = hash(&[record.id.as_bytes()]);
            let holds = newest.get(&id).is_some_and(|newest| (newest.line.file, newest.line.offset) == (file, offset));
            // Its file may have become that of another line since.
            let owns = place(&record, file).is_none_or(|place| owners.get(&place) == Some(&id));
            if !holds || !owns {
                return Ok(());
            }
            told(&record)?;
            if record.error.is_some() {
                sum.failed += 1;
                return Ok(());
            }
            sum.done += 1;
            sum.doubtful += u64::from(!record.findings.is_empty());
            sum.seconds += record.seconds.unwrap_or_default();
            sum.took += record.share.unwrap_or_default();
            sum.bytes += record.bytes.unwrap_or_default();
            Ok(())
        })?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, index: u64, at: u64) -> Record {
        Record {
            id: id.into(),
            index,
            at,
            text: format!("text {id}"),
            seconds: Some(2.0),
            share: Some(1.0),
            ..Record::default()
        }
    }

    fn report(path: &Path, records: &[Record]) -> PathBuf {
        let lines = records.iter().map(|r| serde_json::to_string(r).unwrap() + "\n");
        std::fs::write(path, lines.collect::<String>()).unwrap();
        path.to_owned()
    }

    fn told(path: &Path) -> Vec<(String, u64)> {
        let text = std::fs::read_to_string(path).unwrap();
        let records = text.lines().map(|line| serde_json::from_str::<Record>(line).unwrap());
        records.map(|r| (r.id, r.at)).collect()
    }

    #[test]
    fn the_newest_line_of_each_id_is_kept_in_the_order_of_the_jobs() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let failed = Record { error: Some("no".into()), ..record("c", 2, 7) };
        let one = report(&path("1"), &[record("a", 3, 10), record("b", 1, 10), record("a", 3, 5)]);
        let two = report(&path("2"), &[record("a", 3, 9), failed]);
        assert_eq!(merge(&[one.clone(), two.clone()], &path("all"), false).unwrap(), 3);
        assert_eq!(told(&path("all")), [("b", 10), ("c", 7), ("a", 9)].map(|(id, at)| (id.to_string(), at)));
        let mut names = Vec::new();
        let sum = summary(&[one.clone(), two.clone()], |r| {
            names.push(r.id.clone());
            Ok(())
        })
        .unwrap();
        assert_eq!((sum.done, sum.failed, sum.seconds, sum.speed()), (2, 1, 4.0, Some(2.0)));
        assert_eq!(names, ["b", "a", "c"], "the newest line of each");
        assert!(merge(&[one.clone(), two.clone()], &path("all"), false).is_err());
        merge(&[one.clone(), two], &one, true).unwrap();
        assert_eq!(told(&one).len(), 3, "a report may be replaced by the sum");
    }

    #[test]
    fn what_was_finished_before_a_failure_is_kept_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let failed = |at| Record { error: Some("no".into()), ..record("a", 1, at) };
        let one = report(&path("1"), &[record("a", 1, 3), record("b", 2, 4), record("a", 1, 5), failed(6)]);
        let two = report(&path("2"), &[failed(9)]);
        assert_eq!(merge(&[one, two], &path("all"), false).unwrap(), 2);
        assert_eq!(told(&path("all")), [("a", 5), ("a", 9), ("b", 4)].map(|(id, at)| (id.to_string(), at)));
        let sum = summary(&[path("all")], |_| Ok(())).unwrap();
        assert_eq!((sum.done, sum.failed), (1, 1));
    }

    #[test]
    fn reports_of_different_jobs_are_not_merged() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let one = report(&path("1"), &[record("a", 1, 1)]);
        let two = report(&path("2"), &[Record { text: "other".into(), ..record("a", 1, 2) }]);
        let error = merge(&[one, two], &path("all"), false).unwrap_err().to_string();
        assert!(error.contains("`a`") && error.contains('1') && error.contains('2'), "{error}");
        assert!(!path("all").exists());
    }
}
