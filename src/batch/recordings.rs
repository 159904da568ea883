//! Recordings as jobs: each is known by the content of its file.

use super::job::{Item, Job, Source};
use super::plan::SourceJob;
use crate::audio::Recording;
use crate::voice::provenance::sha256_of;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Recordings in the order given. They can be gone through more than once: each file is read for its hash the first
/// time.
pub struct Recordings {
    /// Each with its hash, if it can be read.
    list: Vec<(PathBuf, Option<String>)>,
}

impl Recordings {
    /// Looks at all of them.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        Self { list: paths.into_iter().map(|path| (path.clone(), hash(&path).ok())).collect() }
    }

    /// A job for each of them; what is wrong with one is in its place.
    pub fn jobs(&self) -> impl Iterator<Item = Result<SourceJob>> + '_ {
        (1..).zip(&self.list).map(|(line, (path, sha256))| {
            let sha256 = sha256.clone().map_or_else(|| hash(path), Ok);
            let item = |sha256| Item::Recording(Source { path: path.clone(), sha256 });
            let job = sha256.map(|sha256| Job { item: item(sha256), ..Job::default() });
            Ok(SourceJob { line, source: Some(path.to_string_lossy().into_owned()), job })
        })
    }
}

/// Refuses what is no recording.
fn hash(path: &Path) -> Result<String> {
    Recording::open(path)?;
    sha256_of(path)
}
