//! WAV files -> mono samples, exactly. hound decodes; what lies around the samples is checked here first, so that a damaged or
//! hostile header costs nothing, and only the kept end of a long file is ever decoded.
//!
//! Integers are scaled by 2^(1 - bits) (8-bit WAV is unsigned, hound centres it), as torchaudio and soundfile do;
//! channels are averaged before anything else.

use super::recording::{Clip, Sink, regular};
use super::riff::{Chunk, Chunks};
use super::{Pcm, check_rate};
use crate::error::Kind;
use anyhow::{Context, Result, anyhow, bail, ensure};
use hound::{SampleFormat, WavReader};
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// Frames that are handed on at once.
const BLOCK: usize = 1 << 14;
/// Writers that do not know the length beforehand (`ffmpeg` and `sox` into a pipe) promise this much or more.
const UNKNOWN_LENGTH: u64 = 0x7FFF_0000;
/// Float samples beyond this are no sound in [-1, 1] but integers, or damage.
const MAX_LEVEL: f32 = 64.0;

/// Kinds of samples (`wFormatTag`) that hound reads.
const INTEGERS: u16 = 1;
const FLOATS: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;

/// What is read, and how to make it of anything else.
const ADVICE: &str = "samples must be 8, 16, 24 or 32-bit integers or 32-bit floats; \
                      `ffmpeg -i IN -c:a pcm_s16le OUT.wav` converts any recording";

/// Reads the last `limit_seconds` of the WAV file `path`: 8 to 32-bit integers or 32-bit float, any number of channels,
/// 8 to 192 kHz. Time and memory are bounded by the limit, whatever the file's length: what comes before is skipped.
pub fn read_wav(path: &Path, limit_seconds: f64) -> Result<Clip> {
    decode(path, limit_seconds)
        .with_context(|| Kind::Input.error(format!("{}: cannot be used as a recording", path.display())))
}

fn decode(path: &Path, limit_seconds: f64) -> Result<Clip> {
    let file = regular(path)?;
    let Some(wav) = Wav::open(file)? else { bail!("not a WAV file: {ADVICE}") };
    let (rate, channels, total_seconds) = (wav.rate(), wav.channels(), wav.seconds());
    let mut samples = Vec::new();
    wav.play(0.0..f64::INFINITY, limit_seconds, &mut |block| {
        samples.extend_from_slice(block);
        Ok(())
    })?;
    let pcm = Pcm { samples, rate };
    Ok(Clip { start: total_seconds - pcm.seconds(), pcm, total_seconds, channels })
}

/// A WAV file whose samples hound decodes, at the first of them.
pub(super) struct Wav {
    format: Format,
    /// Byte at which the samples start, and how many frames there are.
    start: u64,
    frames: u64,
    reader: BufReader<File>,
}

impl Wav {
    /// `None`: another kind of file, or of WAV.
    pub fn open(file: File) -> Result<Option<Self>> {
        let size = file.metadata()?.len();
        let Some((format, data, reader)) = locate(BufReader::new(file), size)? else { return Ok(None) };
        let frames = data.len / u64::from(format.block);
        ensure!(frames > 0, "it holds no samples");
        Ok(Some(Self { format, start: data.start, frames, reader }))
    }

    pub fn rate(&self) -> u32 {
        self.format.rate
    }

    pub fn channels(&self) -> u16 {
        self.format.channels
    }

    pub fn seconds(&self) -> f64 {
        self.frames as f64 / f64::from(self.format.rate)
    }

    /// Hands the mono samples between these `seconds` to `sink`, in order; of them, the last `keep` seconds alone.
    pub fn play(mut self, seconds: Range<f64>, keep: f64, sink: &mut Sink) -> Result<()> {
        let rate = f64::from(self.format.rate);
        let frame = |seconds: f64| ((seconds * rate).round() as u64).min(self.frames);
        let (start, end) = (frame(seconds.start), frame(seconds.end));
        let start = start.max(end.saturating_sub((keep * rate).ceil() as u64));
        self.reader.seek(SeekFrom::Start(self.start + start * u64::from(self.format.block)))?;
        decode_frames(&self.format, start.min(end)..end, self.reader, sink)
    }
}

/// The `fmt ` chunk: what hound will parse again, and the three fields that bound the work.
struct Format {
    bytes: Vec<u8>,
    channels: u16,
    rate: u32,
    /// Bytes of one frame: one sample of every channel.
    block: u16,
}

/// Finds the format and the samples, if hound may know this format.
fn locate<R: Read + Seek>(reader: R, size: u64) -> Result<Option<(Format, Chunk, R)>> {
    let Some(mut chunks) = Chunks::new(reader, size)? else { return Ok(None) };
    let mut format: Option<Format> = None;
    while let Some(mut chunk) = chunks.step()? {
        match &chunk.id {
            b"fmt " => format = Some(Format::parse(chunks.bytes(&chunk)?)?),
            b"data" => {
                let format = format.context("damaged: its samples come before their format")?;
                if !format.is_plain() {
                    return Ok(None);
                }
                chunk.len = present(&chunk, size, &format)?;
                return Ok(Some((format, chunk, chunks.into_reader())));
            }
            _ => {}
        }
    }
    bail!("damaged: it ends before its samples")
}

impl Format {
    fn parse(bytes: Vec<u8>) -> Result<Self> {
        ensure!((16..=1024).contains(&bytes.len()), "damaged: a format chunk of {} bytes", bytes.len());
        let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let rate = u32::from(u16_at(4)) | u32::from(u16_at(6)) << 16;
        let (channels, block) = (u16_at(2), u16_at(12));
        let even = channels > 0 && block > 0 && block % channels == 0;
        ensure!(even, "damaged: {channels} channels in frames of {block} bytes");
        check_rate(rate)?;
        Ok(Self { bytes, channels, rate, block })
    }

    /// Whether these are integers or 32-bit floats: neither compressed nor 64-bit.
    fn is_plain(&self) -> bool {
        match u16::from_le_bytes([self.bytes[0], self.bytes[1]]) {
            INTEGERS => true,
            FLOATS | EXTENSIBLE => self.block / self.channels <= 4,
            _ => false,
        }
    }

    /// A WAV header for `len` bytes of samples in this format.
    fn header(&self, len: u32) -> Vec<u8> {
        let fmt_len = (self.bytes.len() as u32).to_le_bytes();
        [b"RIFF\0\0\0\0WAVEfmt ", &fmt_len[..], &self.bytes, b"data", &len.to_le_bytes()].concat()
    }
}

/// The bytes of samples that are there; a file cut short is refused, a length unknown to its writer is not.
fn present(data: &Chunk, size: u64, format: &Format) -> Result<u64> {
    let there = size - data.start;
    if data.len <= there {
        return Ok(data.len);
    }
    let seconds = |bytes: u64| bytes as f64 / (f64::from(format.block) * f64::from(format.rate));
    ensure!(
        data.len >= UNKNOWN_LENGTH,
        "truncated: {:.2} of {:.2} s are there; copy it again, or keep what there is with `ffmpeg -i IN.wav OUT.wav`",
        seconds(there),
        seconds(data.len)
    );
    Ok(there)
}

/// Decodes the frames of this range, the first of which is where `data` begins, and averages their channels.
fn decode_frames(format: &Format, frames: Range<u64>, data: impl Read, sink: &mut Sink) -> Result<()> {
    let bytes = (frames.end - frames.start) * u64::from(format.block);
    let bytes = u32::try_from(bytes).context("more than 4 GiB of samples")?;
    let mut reader = WavReader::new(Cursor::new(format.header(bytes)).chain(data)).map_err(unreadable)?;
    let spec = reader.spec();
    match spec.sample_format {
        SampleFormat::Float => mix(reader.samples::<f32>(), spec.channels, frames, sink),
        SampleFormat::Int => {
            let scale = 2f32.powi(1 - i32::from(spec.bits_per_sample));
            mix(reader.samples::<i32>().map(|s| s.map(|s| s as f32 * scale)), spec.channels, frames, sink)
        }
    }
}

fn mix(
    mut samples: impl Iterator<Item = hound::Result<f32>>,
    channels: u16,
    frames: Range<u64>,
    sink: &mut Sink,
) -> Result<()> {
    let mut block = Vec::with_capacity(BLOCK);
    for frame in frames {
        let mut sum = 0.0;
        for _ in 0..channels {
            let sample = samples.next().context("truncated")?.map_err(unreadable)?;
            sum += sound(sample, frame)?;
        }
        block.push(sum / f32::from(channels));
        if block.len() == BLOCK {
            sink(&block)?;
            block.clear();
        }
    }
    sink(&block)
}

/// The sample, if it can be one.
pub(super) fn sound(sample: f32, frame: u64) -> Result<f32> {
    ensure!(sample.is_finite(), "sample {frame} is not a number: damaged");
    ensure!(sample.abs() <= MAX_LEVEL, "sample {frame} is {sample}; float samples must lie in [-1, 1]");
    Ok(sample)
}

/// hound's errors in this program's words.
fn unreadable(error: hound::Error) -> anyhow::Error {
    match error {
        hound::Error::IoError(error) => error.into(),
        hound::Error::FormatError(reason) => anyhow!("damaged: {reason}"),
        _ => anyhow!("WAV of a kind that is not read: {ADVICE}"),
    }
}

#[cfg(test)]
mod tests;
