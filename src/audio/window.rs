//! A part of a file as a file of its own.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use symphonia::core::io::MediaSource;

/// These `bytes` of `file`.
pub(super) struct Window {
    file: File,
    bytes: Range<u64>,
    /// Where reading goes on, counted from the window's start.
    at: u64,
    /// Whether its length is told, and its parts are sought.
    is_bounded: bool,
}

impl Window {
    pub fn new(mut file: File, bytes: Range<u64>) -> io::Result<Self> {
        file.seek(SeekFrom::Start(bytes.start))?;
        Ok(Self { file, bytes, at: 0, is_bounded: true })
    }

    /// The same, as a stream that is read from its start to an end which nobody knows.
    pub fn unbounded(self) -> Self {
        Self { is_bounded: false, ..self }
    }

    fn len(&self) -> u64 {
        self.bytes.end - self.bytes.start
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.len().saturating_sub(self.at).min(buffer.len() as u64);
        let read = self.file.read(&mut buffer[..rest as usize])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        self.file.seek(SeekFrom::Start(self.bytes.start.saturating_add(self.at)))?;
        Ok(self.at)
    }
}

impl MediaSource for Window {
    fn is_seekable(&self) -> bool {
        self.is_bounded
    }

    fn byte_len(&self) -> Option<u64> {
        self.is_bounded.then(|| self.len())
    }
}
