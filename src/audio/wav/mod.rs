//! WAV as the field writes it -> samples. Where the header and the samples disagree, the samples are believed, and what was assumed
//! is told; only what cannot be sound is refused. Nothing is allocated by what a header says.

mod chunks;
mod format;
mod samples;

pub(super) use format::{Coding, Format};

use super::check_rate;
use super::packed::Packed;
use super::source::Source;
use anyhow::{Result, bail, ensure};
use chunks::{Chunk, Chunks};
use samples::Sample;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

/// Bytes of samples that are handed on at once, or a single frame where that is longer.
const BLOCK: usize = 1 << 16;
/// Writers that do not know the length beforehand (`ffmpeg` and `sox` into a pipe) promise this much or more.
const UNKNOWN_LENGTH: u64 = 0x7FFF_0000;
/// Where the header of a file of 4 GiB and more wraps.
const WRAP: u64 = 1 << 32;

/// What a WAV file holds.
pub(super) enum Wave {
    Samples(Wav),
    /// Blocks of a codec that WAV files have long had.
    Packed(Packed),
    /// A stream of another format in these bytes; the tag that it is called by.
    Stream(File, Range<u64>, u16),
}

/// A WAV file of plain samples.
pub(super) struct Wav {
    reader: BufReader<File>,
    sample: Sample,
    channels: u16,
    rate: u32,
    /// Byte of the first frame; how many frames there are, and which comes next.
    start: u64,
    frames: u64,
    next: u64,
    bytes: Vec<u8>,
    notes: Vec<String>,
}

/// Opens the WAV file that begins at byte `start` of `file`; `None`: another kind of file.
pub(super) fn open(file: File, start: u64) -> Result<Option<Wave>> {
    let size = file.metadata()?.len();
    let Some(mut chunks) = Chunks::new(BufReader::new(file), start, size)? else { return Ok(None) };
    let found = locate(&mut chunks, size)?;
    let big_endian = chunks.is_big_endian();
    let Located { format, data, mut notes } = found;
    check_rate(format.rate)?;
    let mut reader = chunks.into_reader();
    let Some(sample) = Sample::of(&format, data.clone(), big_endian, &mut reader)? else {
        return Ok(Some(match format.coding {
            Coding::Other(tag) => Wave::Stream(reader.into_inner(), data, tag),
            coding => Wave::Packed(Packed::new(coding, &format, data, reader, notes)?),
        }));
    };
    notes.extend(sample.assumed());
    let frames = (data.end - data.start) / (sample.bytes * usize::from(format.channels)) as u64;
    ensure!(frames > 0, "it holds no samples");
    reader.seek(SeekFrom::Start(data.start))?;
    let Format { channels, rate, .. } = format;
    let wav = Wav { reader, sample, channels, rate, start: data.start, frames, next: 0, bytes: Vec::new(), notes };
    Ok(Some(Wave::Samples(wav)))
}

impl Source for Wav {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn channels(&self) -> u16 {
        self.channels
    }

    fn seconds(&self) -> Option<f64> {
        Some(self.frames as f64 / f64::from(self.rate))
    }

    fn frames(&self) -> Option<u64> {
        Some(self.frames)
    }

    fn seek(&mut self, frame: u64) -> Result<u64> {
        self.next = frame.min(self.frames);
        self.reader.seek(SeekFrom::Start(self.start + self.next * self.frame_len() as u64))?;
        Ok(self.next)
    }

    fn block(&mut self, interleaved: &mut Vec<f32>) -> Result<usize> {
        let len = self.frame_len();
        let frames = (self.frames - self.next).min((BLOCK / len).max(1) as u64);
        self.bytes.resize(frames as usize * len, 0);
        self.reader.read_exact(&mut self.bytes)?;
        self.next += frames;
        interleaved.clear();
        interleaved.extend(self.bytes.chunks_exact(self.sample.bytes).map(|bytes| self.sample.value(bytes)));
        Ok(if frames == 0 { 0 } else { self.channels.into() })
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Wav {
    fn frame_len(&self) -> usize {
        self.sample.bytes * usize::from(self.channels)
    }
}

/// The samples of a file, and what is known of them.
struct Located {
    format: Format,
    data: Range<u64>,
    notes: Vec<String>,
}

/// Finds the format and the samples, in whichever order they come.
fn locate<R: Read + Seek>(chunks: &mut Chunks<R>, size: u64) -> Result<Located> {
    let (mut format, mut data) = (None, None);
    while format.is_none() || data.is_none() {
        let Some(chunk) = chunks.step()? else { break };
        match &chunk.id {
            b"fmt " if format.is_none() => {
                format = Some(Format::parse(&chunks.bytes(&chunk)?, chunks.is_big_endian())?)
            }
            b"data" if data.is_none() => data = Some(chunk),
            _ => {}
        }
    }
    let (Some(mut format), Some(data)) = (format, data) else { bail!("damaged: it ends before its samples") };
    let mut notes = std::mem::take(&mut format.notes);
    let end = end_of(&data, size, &format, chunks, &mut notes)?;
    Ok(Located { format, data: data.start..end, notes })
}

/// Where the samples end. A length that was never filled in, or that is wrong, gives way to what is there.
fn end_of<R: Read + Seek>(
    data: &Chunk,
    size: u64,
    format: &Format,
    chunks: &mut Chunks<R>,
    notes: &mut Vec<String>,
) -> Result<u64> {
    let there = size - data.start;
    let seconds = |bytes: u64| bytes as f64 / (f64::from(format.frame_len()) * f64::from(format.rate));
    let more = there.saturating_sub(data.len);
    let wrapped = more >= WRAP && more % WRAP < 1 << 20;
    if data.len == 0 && there > 0 && !chunks.are_chunks(data.start)? {
        notes.push(format!("its header says that it is empty; the {:.2} s that follow are read", seconds(there)));
    } else if data.len > there && data.len < UNKNOWN_LENGTH {
        let missing = data.len - there;
        notes.push(match missing < u64::from(format.rate) / 100 * u64::from(format.frame_len()) {
            true => format!("its header promises {missing} bytes more than there are; what is there is read"),
            false => format!("truncated: {:.2} of {:.2} s are there, and read", seconds(there), seconds(data.len)),
        });
    } else if data.len <= there && !wrapped {
        return Ok(data.start + data.len);
    }
    Ok(size)
}

impl Format {
    /// Bytes of a frame, as far as the header tells; of compressed sound nothing but a guess.
    fn frame_len(&self) -> u16 {
        if self.block > 0 { self.block } else { self.channels.saturating_mul(self.bytes.max(1) as u16) }
    }
}

#[cfg(test)]
mod tests;
