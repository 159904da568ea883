//! A WAV file, or stdout, that is written as its samples are made.

use super::out;
use anyhow::Result;
use barkclone::audio::{Encoding, Info, WavStream};
use barkclone::output::{self, Pending};
use barkclone::tokens::SAMPLE_RATE;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Takes the next samples.
pub type Sink<'a> = &'a mut dyn FnMut(&[f32]) -> Result<()>;

/// Where a sound goes.
pub struct SoundTarget {
    /// `-` is stdout.
    pub path: PathBuf,
    pub force: bool,
    pub float: bool,
}

impl SoundTarget {
    pub fn is_stdout(&self) -> bool {
        self.path == Path::new("-")
    }

    /// Refuses a target that could not be written.
    pub fn check(&self) -> Result<()> {
        if self.is_stdout() { Ok(()) } else { output::check(&self.path, self.force) }
    }

    /// Writes `samples` samples, which `fill` makes, and prints the file's path. After an error there is no file.
    pub fn write(&self, samples: usize, info: &[Info], fill: impl FnOnce(Sink) -> Result<()>) -> Result<()> {
        if let Some(draft) = self.draft(samples, info, fill)? {
            draft.settle(self.force)?;
        }
        self.print()
    }

    /// Writes a file that does not have its name yet; `None`: the samples went to stdout.
    pub fn draft(
        &self,
        samples: usize,
        info: &[Info],
        fill: impl FnOnce(Sink) -> Result<()>,
    ) -> Result<Option<Pending>> {
        if self.is_stdout() {
            return self.stream(BufWriter::new(std::io::stdout().lock()), samples, info, fill).map(|()| None);
        }
        Pending::beside(&self.path, self.force, |sink| self.stream(sink, samples, info, fill)).map(Some)
    }

    /// Prints the path of a file that is there.
    pub fn print(&self) -> Result<()> {
        if self.is_stdout() { Ok(()) } else { out(format!("{}\n", self.path.display())) }
    }

    fn stream(
        &self,
        out: impl Write,
        samples: usize,
        info: &[Info],
        fill: impl FnOnce(Sink) -> Result<()>,
    ) -> Result<()> {
        let encoding = if self.float { Encoding::Float32 } else { Encoding::Pcm16 };
        let mut wav = WavStream::new(out, SAMPLE_RATE, samples, encoding, info)?;
        fill(&mut |samples| wav.push(samples))?;
        wav.finish()
    }
}
