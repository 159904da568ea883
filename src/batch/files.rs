//! Whether a file is what a report's line says was written: by its length and time, and where the time is another one,
//! by its content.

use super::record::Record;
use crate::error::Kind;
use crate::output::Pending;
use crate::voice::provenance::sha256_of;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A file that is there, beside the line that it was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    AsWritten,
    Changed,
}

/// A file besides that of a report's line, as it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WrittenFile {
    /// Without its folder.
    name: String,
    /// Its folder below that of all, where it has one; reports of earlier versions do not hold it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    folder: String,
    bytes: u64,
    modified: Option<u64>,
    sha256: String,
}

impl WrittenFile {
    pub fn of(file: &Pending) -> Result<Self> {
        let (name, modified, sha256) = (name(file.target()), modified(file.path()), sha256(file.path())?);
        Ok(Self { name, folder: String::new(), bytes: file.bytes, modified, sha256 })
    }

    /// With its folder as it is below `base`, if it is there.
    pub fn below(file: &Pending, base: &Path) -> Result<Self> {
        let below = file.target().parent().and_then(|folder| folder.strip_prefix(base).ok());
        let folder = below.map_or(String::new(), |folder| folder.to_string_lossy().into_owned());
        Ok(Self { folder, ..Self::of(file)? })
    }

    /// Where it was written, if that is below `base`.
    pub(super) fn path(&self, base: &Path) -> Option<PathBuf> {
        let within = Path::new(&self.folder).components().all(|part| matches!(part, Component::Normal(_)));
        within.then(|| base.join(&self.folder).join(&self.name))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// `None`: it is not called so, or there is no file.
    pub fn state(&self, path: &Path) -> Option<State> {
        (self.name == name(path)).then(|| state(path, &self.record())).flatten()
    }

    /// As [`WrittenFile::state`], by the content alone.
    pub fn content(&self, path: &Path) -> Option<State> {
        (self.name == name(path)).then(|| content(path, &self.record())).flatten()
    }

    fn record(&self) -> Record {
        let Self { bytes, modified, sha256, .. } = self.clone();
        Record { bytes: Some(bytes), modified, sha256: Some(sha256), ..Record::default() }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// `None`: there is no file. Reports of earlier versions hold the length alone.
pub fn state(path: &Path, record: &Record) -> Option<State> {
    let metadata = fs::symlink_metadata(path).ok()?;
    let same = match (metadata.is_file(), record.bytes) {
        (true, Some(bytes)) if bytes == metadata.len() => match &record.sha256 {
            Some(_) if record.modified.is_some() && modified(path) == record.modified => true,
            // Copied elsewhere, or touched: its content tells.
            Some(sha256) => sha256_of(path).is_ok_and(|found| found == *sha256),
            None => true,
        },
        _ => false,
    };
    Some(if same { State::AsWritten } else { State::Changed })
}

/// As [`state`], by the content alone: before a file is replaced or removed, its time is not enough.
pub fn content(path: &Path, record: &Record) -> Option<State> {
    state(path, &Record { modified: None, ..record.clone() })
}

/// When a file was last written, milliseconds since 1970.
pub fn modified(path: &Path) -> Option<u64> {
    let since = fs::metadata(path).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// The SHA-256 of a file that was just written, in hexadecimal.
pub fn sha256(path: &Path) -> Result<String> {
    sha256_of(path).with_context(|| Kind::Output.error(format!("{}: cannot be read again", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_file_is_as_written_wherever_it_was_copied_to_and_changed_whoever_edits_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        assert_eq!(state(&path, &Record::default()), None);
        fs::write(&path, "sound").unwrap();
        let sha256 = Some(sha256(&path).unwrap());
        let record = Record { bytes: Some(5), modified: modified(&path), sha256, ..Record::default() };
        assert_eq!(state(&path, &record), Some(State::AsWritten));
        let touch = |seconds| {
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() + Duration::from_secs(seconds)).unwrap();
        };
        touch(60);
        assert_eq!(state(&path, &record), Some(State::AsWritten), "touched, but the same");
        fs::write(&path, "noise").unwrap();
        touch(120);
        assert_eq!(state(&path, &record), Some(State::Changed), "of the same length");
        fs::write(&path, "longer sound").unwrap();
        assert_eq!(state(&path, &record), Some(State::Changed));
        let old = Record { bytes: Some(5), ..Record::default() };
        fs::write(&path, "noise").unwrap();
        assert_eq!(state(&path, &old), Some(State::AsWritten), "an old report holds the length alone");
    }
}
