//! A WAV file in parts, from its start, for work that takes a recording of any length in little memory.

use super::read::{Format, decode_frames, locate};
use crate::error::Kind;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Frames that are decoded at a time.
const FRAMES: u64 = 1 << 16;

/// The samples of a WAV file, a few seconds at a time: mono, at the file's own rate.
pub struct Parts {
    path: PathBuf,
    reader: BufReader<File>,
    format: Format,
    start: u64,
    next: u64,
    frames: u64,
}

impl Parts {
    /// Opens what [`super::read_wav`] reads.
    pub fn open(path: &Path) -> Result<Self> {
        Self::located(path).with_context(|| unusable(path))
    }

    fn located(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        ensure!(metadata.is_file(), "not a regular file");
        let (format, data, reader) = locate(BufReader::new(file), metadata.len())?;
        let frames = data.len / u64::from(format.block);
        ensure!(frames > 0, "it holds no samples");
        Ok(Self { path: path.into(), reader, format, start: data.start, next: 0, frames })
    }

    /// Hz.
    pub fn rate(&self) -> u32 {
        self.format.rate
    }

    /// Duration of the whole file.
    pub fn seconds(&self) -> f64 {
        self.frames as f64 / f64::from(self.format.rate)
    }

    fn part(&mut self) -> Result<Vec<f32>> {
        let range = self.next..self.frames.min(self.next + FRAMES);
        self.reader.seek(SeekFrom::Start(self.start + range.start * u64::from(self.format.block)))?;
        self.next = range.end;
        decode_frames(&self.format, range, &mut self.reader)
    }
}

impl Iterator for Parts {
    type Item = Result<Vec<f32>>;

    /// After an error there is nothing more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.frames {
            return None;
        }
        let part = self.part().with_context(|| unusable(&self.path));
        if part.is_err() {
            self.next = self.frames;
        }
        Some(part)
    }
}

fn unusable(path: &Path) -> crate::error::Error {
    Kind::Input.error(format!("{}: cannot be used as a recording", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::{Encoding, Pcm, read_wav, write_wav};
    use super::*;

    #[test]
    fn the_parts_of_a_file_are_the_whole_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.wav");
        let samples = (0..2 * FRAMES + 77).map(|i| (i as f32 / 31.0).sin()).collect();
        let mut bytes = Vec::new();
        write_wav(&mut bytes, &Pcm { samples, rate: 48_000 }, Encoding::Pcm16, &[]).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let parts = Parts::open(&path).unwrap();
        assert_eq!((parts.rate(), parts.seconds()), (48_000, (2 * FRAMES + 77) as f64 / 48_000.0));
        let parts: Vec<_> = parts.map(Result::unwrap).collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(parts.concat(), read_wav(&path, 1e6).unwrap().pcm.samples);
        assert!(Parts::open(folder.path()).is_err());
    }
}
