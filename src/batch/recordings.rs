//! Recordings as jobs: each is known by the content of its file.

use super::job::{Item, Job, Source};
use super::plan::SourceJob;
use crate::audio::{Input, Recording};
use crate::voice::provenance::sha256;
use anyhow::Result;

/// The hash of a recording, and its length in seconds.
type Known = (String, Option<f64>);

/// Recordings in the order given. They can be gone through more than once: each file is read for its hash the first
/// time.
pub struct Recordings {
    /// Each with its hash and length, if it can be read.
    list: Vec<(Input, Option<Known>)>,
}

impl Recordings {
    /// Looks at all of them.
    pub fn new(inputs: Vec<Input>) -> Self {
        Self { list: inputs.into_iter().map(|input| (input.clone(), look(&input).ok())).collect() }
    }

    /// A job for each of them; what is wrong with one is in its place.
    pub fn jobs(&self) -> impl Iterator<Item = Result<SourceJob>> + '_ {
        (1..).zip(&self.list).map(|(line, (input, known))| {
            let known = known.clone().map_or_else(|| look(input), Ok);
            let item = |(sha256, seconds)| Item::Recording(Source { input: input.clone(), sha256, seconds });
            let job = known.map(|known| Job { item: item(known), ..Job::default() });
            Ok(SourceJob { line, source: Some(input.path().to_string_lossy().into_owned()), job })
        })
    }
}

/// Refuses what is no recording.
fn look(input: &Input) -> Result<Known> {
    let seconds = Recording::open(input.clone())?.seconds();
    Ok((sha256(input.file()?)?, seconds))
}
