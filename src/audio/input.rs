//! A recording as it was named, where its bytes are, and how it may be read.

use crate::error::Kind;
use anyhow::{Context, Result, bail, ensure};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

/// Most that is taken from a pipe, bytes: four hours of stereo CDs, or a day of any phone's.
const MAX_SPOOLED: u64 = 4 << 30;
/// What is called stdin.
const STDIN: &str = "-";

/// A recording that is to be read, perhaps more than once.
#[derive(Clone, Debug)]
pub struct Input {
    path: PathBuf,
    /// What came out of a pipe. It has no name, so that nothing of it is left behind.
    spooled: Option<Arc<File>>,
    track: Option<usize>,
    ffmpeg: bool,
}

impl Input {
    /// The recording `path`; `-` is stdin. What comes from a pipe is first kept in a temporary file, for it is read twice.
    ///
    /// # Errors
    /// Kind [`Kind::Input`]: a pipe that gives more than 4 GiB, or cannot be read.
    pub fn named(path: &Path) -> Result<Self> {
        let mut input = Self::from(path);
        if path == Path::new(STDIN) {
            input.spooled = Some(spool(io::stdin().lock()).with_context(|| unreadable(path))?);
        } else if is_pipe(path) {
            let spooled = File::open(path).map_err(Into::into).and_then(spool);
            input.spooled = Some(spooled.with_context(|| unreadable(path))?);
        }
        Ok(input)
    }

    /// Its audio track of this number, counted from 1.
    pub fn with_track(self, track: Option<usize>) -> Self {
        Self { track, ..self }
    }

    /// Whether what is not read here may be read through `ffmpeg`.
    pub fn with_ffmpeg(self, ffmpeg: bool) -> Self {
        Self { ffmpeg, ..self }
    }

    /// What it is called.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name without folder and ending.
    pub fn title(&self) -> Cow<'_, str> {
        match self.path == Path::new(STDIN) {
            true => "stdin".into(),
            false => self.path.file_stem().unwrap_or_default().to_string_lossy(),
        }
    }

    /// The audio track that was asked for.
    pub fn track(&self) -> Option<usize> {
        self.track
    }

    pub(super) fn may_use_ffmpeg(&self) -> bool {
        self.ffmpeg
    }

    /// Opens the file, which is neither a folder nor a device, which might never end. What was spooled is read by one reader at a time.
    ///
    /// # Errors
    /// Of the file.
    pub fn file(&self) -> Result<File> {
        if let Some(spooled) = &self.spooled {
            let mut file = spooled.try_clone()?;
            file.rewind()?;
            return Ok(file);
        }
        ensure!(fs::metadata(&self.path)?.is_file(), "not a regular file");
        Ok(File::open(&self.path)?)
    }

    /// The name by which `ffmpeg` takes it for nothing but a file.
    pub(super) fn ffmpeg_name(&self) -> OsString {
        let path = if self.spooled.is_some() { OsStr::new("/dev/stdin") } else { self.path.as_os_str() };
        let mut name = OsString::from("file:");
        name.push(path);
        name
    }

    pub(super) fn ffmpeg_stdin(&self) -> Result<Stdio> {
        Ok(if self.spooled.is_some() { self.file()?.into() } else { Stdio::null() })
    }
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Input {
    fn from(path: &P) -> Self {
        Self { path: path.as_ref().to_owned(), spooled: None, track: None, ffmpeg: true }
    }
}

fn spool(pipe: impl Read) -> Result<Arc<File>> {
    let mut file = tempfile::tempfile()?;
    let taken = io::copy(&mut pipe.take(MAX_SPOOLED + 1), &mut file)?;
    if taken > MAX_SPOOLED {
        bail!("it gives more than {} GiB", MAX_SPOOLED >> 30);
    }
    Ok(Arc::new(file))
}

#[cfg(unix)]
fn is_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_pipe(_: &Path) -> bool {
    false
}

fn unreadable(path: &Path) -> crate::error::Error {
    Kind::Input.error(format!("{}: cannot be used as a recording", path.display()))
}
