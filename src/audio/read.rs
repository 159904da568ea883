//! WAV files -> mono samples. hound decodes; what lies around the samples is checked here first, so that a damaged or
//! hostile header costs nothing, and only the kept end of a long file is ever decoded.
//!
//! Integers are scaled by 2^(1 - bits) (8-bit WAV is unsigned, hound centres it), as torchaudio and soundfile do;
//! channels are averaged before anything else.

use super::Pcm;
use super::riff::{Chunk, Chunks};
use crate::error::Kind;
use anyhow::{Context, Result, anyhow, bail, ensure};
use hound::{SampleFormat, WavReader};
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// Lowest and highest sample rates that are read, Hz.
pub const MIN_RATE: u32 = 8_000;
pub const MAX_RATE: u32 = 192_000;

/// Writers that do not know the length beforehand (`ffmpeg` and `sox` into a pipe) promise this much or more.
const UNKNOWN_LENGTH: u64 = 0x7FFF_0000;
/// Float samples beyond this are no sound in [-1, 1] but integers, or damage.
const MAX_LEVEL: f32 = 64.0;

/// What is read, and how to make it of anything else.
const ADVICE: &str = "samples must be 8, 16, 24 or 32-bit integers or 32-bit floats; \
                      `ffmpeg -i IN -c:a pcm_s16le OUT.wav` converts any recording";

/// A decoded recording: its end, which is what the models hear of a voice, and how long all of it is.
#[derive(Clone, Debug)]
pub struct Clip {
    /// The kept part, mono, at the file's own rate.
    pub pcm: Pcm,
    /// Duration of the whole file, seconds.
    pub total_seconds: f64,
    /// Channels that were averaged.
    pub channels: u16,
}

impl Clip {
    /// Whether the file has more before the kept part.
    pub fn was_cut(&self) -> bool {
        self.total_seconds > self.pcm.seconds()
    }
}

/// Reads the last `limit_seconds` of the WAV file `path`: 8 to 32-bit integers or 32-bit float, any number of channels,
/// 8 to 192 kHz. Time and memory are bounded by the limit, whatever the file's length: what comes before is skipped.
pub fn read_wav(path: &Path, limit_seconds: f64) -> Result<Clip> {
    decode(path, limit_seconds)
        .with_context(|| Kind::Input.error(format!("{}: cannot be used as a recording", path.display())))
}

fn decode(path: &Path, limit_seconds: f64) -> Result<Clip> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    ensure!(metadata.is_file(), "not a regular file");
    let (format, data, mut reader) = locate(BufReader::new(file), metadata.len())?;
    let frames = data.len / u64::from(format.block);
    ensure!(frames > 0, "it holds no samples");
    let rate = f64::from(format.rate);
    let kept = frames.min((limit_seconds * rate).ceil() as u64);
    let skipped = frames - kept;
    reader.seek(SeekFrom::Start(data.start + skipped * u64::from(format.block)))?;
    let samples = decode_frames(&format, skipped..frames, reader)?;
    Ok(Clip { pcm: Pcm { samples, rate: format.rate }, total_seconds: frames as f64 / rate, channels: format.channels })
}

/// The `fmt ` chunk: what hound will parse again, and the three fields that bound the work.
pub(super) struct Format {
    bytes: Vec<u8>,
    channels: u16,
    pub rate: u32,
    /// Bytes of one frame: one sample of every channel.
    pub block: u16,
}

/// Finds the format and the samples.
pub(super) fn locate<R: Read + Seek>(reader: R, size: u64) -> Result<(Format, Chunk, R)> {
    let Some(mut chunks) = Chunks::new(reader, size)? else { bail!("not a WAV file: {ADVICE}") };
    let mut format = None;
    while let Some(mut chunk) = chunks.step()? {
        match &chunk.id {
            b"fmt " => format = Some(Format::parse(chunks.bytes(&chunk)?)?),
            b"data" => {
                let format = format.context("damaged: its samples come before their format")?;
                chunk.len = present(&chunk, size, &format)?;
                return Ok((format, chunk, chunks.into_reader()));
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
        let bounds = format!("{} to {} kHz", MIN_RATE / 1000, MAX_RATE / 1000);
        ensure!((MIN_RATE..=MAX_RATE).contains(&rate), "a sample rate of {rate} Hz; {bounds} can be used");
        Ok(Self { bytes, channels, rate, block })
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
pub(super) fn decode_frames(format: &Format, frames: Range<u64>, data: impl Read) -> Result<Vec<f32>> {
    let bytes = (frames.end - frames.start) * u64::from(format.block);
    let bytes = u32::try_from(bytes).context("more than 4 GiB of samples")?;
    let mut reader = WavReader::new(Cursor::new(format.header(bytes)).chain(data)).map_err(unreadable)?;
    let spec = reader.spec();
    match spec.sample_format {
        SampleFormat::Float => mix(reader.samples::<f32>(), spec.channels, frames),
        SampleFormat::Int => {
            let scale = 2f32.powi(1 - i32::from(spec.bits_per_sample));
            mix(reader.samples::<i32>().map(|s| s.map(|s| s as f32 * scale)), spec.channels, frames)
        }
    }
}

fn mix(mut samples: impl Iterator<Item = hound::Result<f32>>, channels: u16, frames: Range<u64>) -> Result<Vec<f32>> {
    let mut mono = Vec::with_capacity((frames.end - frames.start) as usize);
    for frame in frames {
        let mut sum = 0.0;
        for _ in 0..channels {
            let sample = samples.next().context("truncated")?.map_err(unreadable)?;
            ensure!(sample.is_finite(), "sample {frame} is not a number: damaged");
            ensure!(sample.abs() <= MAX_LEVEL, "sample {frame} is {sample}; float samples must lie in [-1, 1]");
            sum += sample;
        }
        mono.push(sum / f32::from(channels));
    }
    Ok(mono)
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
