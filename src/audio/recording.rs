//! A recording of any kind, by what it holds and not by its name: WAV is read exactly (see [`super::read`]), everything
//! else through symphonia (see [`super::container`]). Sound comes a block at a time, so that an hour costs no more memory
//! than what is kept of it.

use super::Pcm;
use super::container::Track;
use super::read::Wav;
use crate::error::Kind;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Longest stretch that is ever listened to, seconds: bounds the work on an absurdly long file.
pub const LONGEST: f64 = 4.0 * 3600.0;

/// Takes mono samples, block after block.
pub type Sink<'a> = dyn FnMut(&[f32]) -> Result<()> + 'a;

/// A part of a recording.
#[derive(Clone, Debug)]
pub struct Clip {
    /// Mono, at the file's own rate.
    pub pcm: Pcm,
    /// Where it begins in what was asked for, seconds.
    pub start: f64,
    /// Duration of what was asked for, seconds: without a range, of the whole file.
    pub total_seconds: f64,
    /// Channels that were averaged.
    pub channels: u16,
}

impl Clip {
    /// Whether there is more before the kept part.
    pub fn was_cut(&self) -> bool {
        self.start > 1e-3
    }
}

/// The last `limit_seconds` of the recording `path`. Memory is bounded by the limit, time by [`LONGEST`]; of WAV only the
/// kept part is decoded.
pub fn read(path: &Path, limit_seconds: f64) -> Result<Clip> {
    Recording::open(path)?.read(0.0..f64::INFINITY, limit_seconds)
}

/// An opened file.
pub struct Recording {
    path: PathBuf,
    source: Source,
}

enum Source {
    Wav(Wav),
    Track(Track),
}

impl Recording {
    /// Finds the sound in the file `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let source = open(path).with_context(|| unusable(path))?;
        Ok(Self { path: path.to_owned(), source })
    }

    /// Sample rate, Hz.
    pub fn rate(&self) -> u32 {
        match &self.source {
            Source::Wav(wav) => wav.rate(),
            Source::Track(track) => track.rate(),
        }
    }

    /// Channels, which are averaged.
    pub fn channels(&self) -> u16 {
        match &self.source {
            Source::Wav(wav) => wav.channels(),
            Source::Track(track) => track.channels(),
        }
    }

    /// Duration as far as the file tells it, seconds; of compressed ones it may be a guess.
    pub fn seconds(&self) -> Option<f64> {
        match &self.source {
            Source::Wav(wav) => Some(wav.seconds()),
            Source::Track(track) => track.seconds(),
        }
    }

    /// Hands the mono samples between these `seconds` to `sink`, in order.
    pub fn play(self, seconds: Range<f64>, sink: &mut Sink) -> Result<()> {
        self.play_last(seconds, f64::INFINITY, sink)
    }

    /// The last `keep` seconds of what lies between these `seconds`.
    pub fn read(self, seconds: Range<f64>, keep: f64) -> Result<Clip> {
        let (rate, channels) = (self.rate(), self.channels());
        let known = match &self.source {
            Source::Wav(wav) => Some((wav.seconds().min(seconds.end) - seconds.start).max(0.0)),
            Source::Track(_) => None,
        };
        let longest = (keep * f64::from(rate)).ceil() as usize;
        let (mut samples, mut total) = (Vec::new(), 0);
        self.play_last(seconds, keep, &mut |block| {
            total += block.len();
            samples.extend_from_slice(block);
            if samples.len() > longest.saturating_mul(2) {
                samples.drain(..samples.len() - longest);
            }
            Ok(())
        })?;
        samples.drain(..samples.len().saturating_sub(longest));
        let pcm = Pcm { samples, rate };
        let total_seconds = known.unwrap_or(total as f64 / f64::from(rate));
        Ok(Clip { start: (total_seconds - pcm.seconds()).max(0.0), pcm, total_seconds, channels })
    }

    /// As [`Recording::play`]; where it costs nothing, of only the last `keep` seconds.
    fn play_last(self, seconds: Range<f64>, keep: f64, sink: &mut Sink) -> Result<()> {
        let Self { path, source } = self;
        let mut heard = false;
        let mut sink = |block: &[f32]| {
            heard |= !block.is_empty();
            sink(block)
        };
        let played = match source {
            Source::Wav(wav) => play_wav(wav, &seconds, keep, &mut sink),
            Source::Track(track) => track.play(&seconds, &mut sink),
        };
        played.with_context(|| unusable(&path))?;
        ensure!(
            heard,
            Kind::Input.error(format!("{}: there is no sound from {:.2} s on", path.display(), seconds.start))
        );
        Ok(())
    }
}

fn play_wav(wav: Wav, seconds: &Range<f64>, keep: f64, sink: &mut Sink) -> Result<()> {
    let played = (seconds.end.min(wav.seconds()) - seconds.start).min(keep);
    ensure!(played <= LONGEST, too_long());
    wav.play(seconds.clone(), keep, sink)
}

fn open(path: &Path) -> Result<Source> {
    let file = regular(path)?;
    ensure!(file.metadata()?.len() > 0, "it is empty");
    match Wav::open(file)? {
        Some(wav) => Ok(Source::Wav(wav)),
        None => Ok(Source::Track(Track::open(regular(path)?)?)),
    }
}

/// Opens a file that is neither a folder nor a device nor a pipe, which might never end.
pub(super) fn regular(path: &Path) -> Result<File> {
    ensure!(std::fs::metadata(path)?.is_file(), "not a regular file");
    Ok(File::open(path)?)
}

fn unusable(path: &Path) -> crate::error::Error {
    Kind::Input.error(format!("{}: cannot be used as a recording", path.display()))
}

/// What is said of a recording that nobody wants to wait for.
pub(super) fn too_long() -> String {
    format!("longer than {} hours: name a part of it with --start and --end", LONGEST / 3600.0)
}
