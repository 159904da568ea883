//! Recordings as jobs: each is known by the content of its file.

use super::job::{Item, Job, Source};
use super::plan::SourceJob;
use crate::audio::{Input, Recording};
use crate::voice::provenance::sha256;
use anyhow::Result;

/// Recordings in the order given. They can be gone through more than once: each file is read for its hash the first
/// time.
pub struct Recordings {
    /// Each with its hash, if it can be read.
    list: Vec<(Input, Option<String>)>,
}

impl Recordings {
    /// Looks at all of them.
    pub fn new(inputs: Vec<Input>) -> Self {
        Self { list: inputs.into_iter().map(|input| (input.clone(), hash(&input).ok())).collect() }
    }

    /// A job for each of them; what is wrong with one is in its place.
    pub fn jobs(&self) -> impl Iterator<Item = Result<SourceJob>> + '_ {
        (1..).zip(&self.list).map(|(line, (input, sha256))| {
            let sha256 = sha256.clone().map_or_else(|| hash(input), Ok);
            let item = |sha256| Item::Recording(Source { input: input.clone(), sha256 });
            let job = sha256.map(|sha256| Job { item: item(sha256), ..Job::default() });
            Ok(SourceJob { line, source: Some(input.path().to_string_lossy().into_owned()), job })
        })
    }
}

/// Refuses what is no recording.
fn hash(input: &Input) -> Result<String> {
    Recording::open(input.clone())?;
    Ok(sha256(input.file()?)?)
}
