//! Samples -> WAV, with a LIST/INFO chunk that says how the sound was made. It stands before the samples: whoever reads a
//! pipe sees it, too.
//!
//! 16-bit samples are `round(32767 * clip(x, -1, 1))`, halves away from zero: symmetric, and +1 does not wrap.
//! Float samples are kept as they are. They can be written as they come, and to a pipe, which cannot be rewound to fill
//! in sizes: how many there will be is known beforehand, or the sizes say that nobody knows. hound writes the format.

use super::{MAX_RATE, Pcm};
use anyhow::{Context, Result, ensure};
use hound::{SampleFormat, WavSpec, WavWriter};
use std::io::{Cursor, Read, Write};

/// How samples are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// 16-bit integers.
    Pcm16,
    /// 32-bit floats.
    Float32,
}

impl Encoding {
    /// Floats if they are asked for.
    pub fn of(float: bool) -> Self {
        if float { Encoding::Float32 } else { Encoding::Pcm16 }
    }

    /// Bytes of a sample.
    fn width(self) -> usize {
        match self {
            Encoding::Pcm16 => 2,
            Encoding::Float32 => 4,
        }
    }
}

/// One remark about the sound: a registered tag (`ISFT` software, `INAM` title, `ICMT` comment...) and its text.
pub type Info<'a> = (&'a [u8; 4], &'a str);

/// Writes `pcm` as a mono WAV file with the remarks `info`. `out` need not seek.
pub fn write_wav(out: &mut impl Write, pcm: &Pcm, encoding: Encoding, info: &[Info]) -> Result<()> {
    let mut stream = WavStream::new(out, pcm.rate, pcm.samples.len(), encoding, info)?;
    stream.push(&pcm.samples)?;
    stream.finish()
}

/// A mono WAV file that is written as its samples come.
pub struct WavStream<W> {
    out: W,
    encoding: Encoding,
    written: usize,
    /// `None`: as many as come.
    total: Option<usize>,
}

pub(super) const TOO_LONG: &str = "the sound is longer than a WAV file can be (4 GiB)";

impl<W: Write> WavStream<W> {
    /// Begins a file of `total` samples with the remarks `info`. `out` need not seek.
    pub fn new(mut out: W, rate: u32, total: usize, encoding: Encoding, info: &[Info]) -> Result<Self> {
        let mut head = tagged_header(rate, encoding, info)?;
        let data = total.checked_mul(encoding.width()).and_then(|bytes| u32::try_from(bytes).ok()).context(TOO_LONG)?;
        let riff = (head.len() - 8) as u64 + u64::from(data);
        head[4..8].copy_from_slice(&u32::try_from(riff).context(TOO_LONG)?.to_le_bytes());
        let size = head.len() - 4;
        head[size..].copy_from_slice(&data.to_le_bytes());
        out.write_all(&head)?;
        Ok(Self { out, encoding, written: 0, total: Some(total) })
    }

    /// Begins a file of nobody knows how many samples, with the remarks `info`: both sizes are the largest there is, as ffmpeg writes them to a
    /// pipe. `out` need not seek.
    pub fn endless(mut out: W, rate: u32, encoding: Encoding, info: &[Info]) -> Result<Self> {
        let mut head = tagged_header(rate, encoding, info)?;
        let size = head.len() - 4;
        head[4..8].fill(0xFF);
        head[size..].fill(0xFF);
        out.write_all(&head)?;
        Ok(Self::raw(out, encoding))
    }

    /// The samples alone, little-endian.
    pub fn raw(out: W, encoding: Encoding) -> Self {
        Self { out, encoding, written: 0, total: None }
    }

    /// Writes what is left of `samples`, which are encoded already.
    pub fn copy(&mut self, samples: &mut impl Read) -> Result<()> {
        let bytes = std::io::copy(samples, &mut self.out)?;
        self.count((bytes / self.encoding.width() as u64) as usize)
    }

    /// Sends on what is written so far.
    pub fn flush(&mut self) -> Result<()> {
        Ok(self.out.flush()?)
    }

    fn count(&mut self, samples: usize) -> Result<()> {
        self.written += samples;
        let total = self.total.unwrap_or(usize::MAX);
        ensure!(self.written <= total, "more than the {total} samples that were announced");
        Ok(())
    }

    /// Writes the next samples.
    pub fn push(&mut self, samples: &[f32]) -> Result<()> {
        check(samples, self.written)?;
        self.count(samples.len())?;
        let bytes: Vec<u8> = match self.encoding {
            Encoding::Pcm16 => samples.iter().flat_map(|&s| to_i16(s).to_le_bytes()).collect(),
            Encoding::Float32 => samples.iter().flat_map(|s| s.to_le_bytes()).collect(),
        };
        Ok(self.out.write_all(&bytes)?)
    }

    /// Ends the file.
    pub fn finish(mut self) -> Result<()> {
        let total = self.total.unwrap_or(self.written);
        ensure!(self.written == total, "{} of {total} samples were written", self.written);
        Ok(self.out.flush()?)
    }
}

/// [`header`], with the remarks before the eight bytes that begin the samples.
fn tagged_header(rate: u32, encoding: Encoding, info: &[Info]) -> Result<Vec<u8>> {
    let mut head = header(rate, encoding)?;
    head.splice(head.len() - 8..head.len() - 8, info_chunk(info)?);
    Ok(head)
}

/// A file without samples, up to where they begin; its last four bytes are their length.
fn header(rate: u32, encoding: Encoding) -> Result<Vec<u8>> {
    let (bits_per_sample, sample_format) = match encoding {
        Encoding::Pcm16 => (16, SampleFormat::Int),
        Encoding::Float32 => (32, SampleFormat::Float),
    };
    ensure!((1..=MAX_RATE).contains(&rate), "a sample rate of {rate} Hz cannot be written");
    let mut bytes = Vec::new();
    let spec = WavSpec { channels: 1, sample_rate: rate, bits_per_sample, sample_format };
    WavWriter::new(Cursor::new(&mut bytes), spec)?.finalize()?;
    Ok(bytes)
}

/// Refuses what is no sound; `before` samples came before these.
pub(super) fn check(samples: &[f32], before: usize) -> Result<()> {
    let bad = samples.iter().position(|s| !s.is_finite()).map(|at| before + at);
    ensure!(bad.is_none(), "sample {} is not a number", bad.unwrap_or_default());
    Ok(())
}

pub(super) fn to_i16(sample: f32) -> i16 {
    (sample.clamp(-1.0, 1.0) * 32767.0).round() as i16
}

/// `LIST size INFO`, then `tag size text` each, zero-terminated and padded to even length; UTF-8.
pub(super) fn info_chunk(info: &[Info]) -> Result<Vec<u8>> {
    if info.is_empty() {
        return Ok(Vec::new());
    }
    let mut list = b"INFO".to_vec();
    for (tag, text) in info {
        // A zero byte would end the text early.
        let text: Vec<u8> = text.bytes().filter(|&byte| byte != 0).chain([0]).collect();
        list.extend(*tag);
        list.extend(u32::try_from(text.len()).context(TOO_LONG)?.to_le_bytes());
        list.extend(&text);
        list.extend(&[0][..text.len() % 2]);
    }
    let len = u32::try_from(list.len()).context(TOO_LONG)?;
    Ok([b"LIST", &len.to_le_bytes()[..], &list].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::read_wav;
    use crate::info::read_info;

    const REMARKS: [Info; 3] =
        [(b"ISFT", "barkclone 0.1.0"), (b"INAM", "Olá, coração!"), (b"ICMT", "synthetic speech; seed 7")];

    fn round_trip(pcm: &Pcm, encoding: Encoding) -> (Vec<f32>, Vec<(String, String)>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.wav");
        let mut bytes = Vec::new();
        write_wav(&mut bytes, pcm, encoding, &REMARKS).unwrap();
        assert_eq!(bytes.len() as u32 - 8, u32::from_le_bytes(bytes[4..8].try_into().unwrap()));
        std::fs::write(&path, bytes).unwrap();
        let clip = read_wav(&path, 60.0).unwrap();
        assert_eq!((clip.pcm.rate, clip.channels), (pcm.rate, 1));
        (clip.pcm.samples, read_info(&path))
    }

    #[test]
    fn sixteen_bit_samples_are_clipped_and_rounded() {
        let samples = vec![0.0, 1.0, -1.0, 1.5, -7.0, 0.4 / 32767.0, 0.6 / 32767.0, -0.6 / 32767.0];
        let (read, _) = round_trip(&Pcm { samples, rate: 24_000 }, Encoding::Pcm16);
        let integers: Vec<_> = read.iter().map(|s| (s * 32768.0) as i32).collect();
        assert_eq!(integers, [0, 32767, -32767, 32767, -32767, 0, 1, -1]);
    }

    #[test]
    fn float_samples_come_back_as_they_were() {
        let pcm = Pcm { samples: vec![0.0, 1e-9, -0.123_456_79, 1.25], rate: 24_000 };
        assert_eq!(round_trip(&pcm, Encoding::Float32).0, pcm.samples);
    }

    #[test]
    fn remarks_are_read_back_by_tag() {
        let (_, info) = round_trip(&Pcm { samples: vec![0.5; 3], rate: 24_000 }, Encoding::Pcm16);
        let expected = REMARKS.map(|(tag, text)| (String::from_utf8(tag.to_vec()).unwrap(), text.to_owned()));
        assert_eq!(info, expected);
    }

    #[test]
    fn samples_in_parts_make_the_same_file_and_must_be_as_many_as_announced() {
        let pcm = Pcm { samples: (0..1000).map(|i| (i as f32 / 100.0).sin()).collect(), rate: 24_000 };
        for encoding in [Encoding::Pcm16, Encoding::Float32] {
            let (mut whole, mut parts) = (Vec::new(), Vec::new());
            write_wav(&mut whole, &pcm, encoding, &REMARKS).unwrap();
            let mut stream = WavStream::new(&mut parts, pcm.rate, 1000, encoding, &REMARKS).unwrap();
            pcm.samples.chunks(77).for_each(|part| stream.push(part).unwrap());
            stream.finish().unwrap();
            assert!(whole == parts);
        }
        let stream = || WavStream::new(Vec::new(), 24_000, 3, Encoding::Pcm16, &[]).unwrap();
        assert!(stream().push(&[0.0; 4]).unwrap_err().to_string().contains("more than the 3"));
        assert!(stream().finish().unwrap_err().to_string().contains("0 of 3"));
    }

    #[test]
    fn an_impossible_rate_is_refused() {
        let pcm = Pcm { samples: vec![0.0], rate: 0 };
        let error = write_wav(&mut Vec::new(), &pcm, Encoding::Pcm16, &[]).unwrap_err();
        assert!(error.to_string().contains("0 Hz"), "{error}");
    }

    #[test]
    fn a_broken_sample_is_refused() {
        let pcm = Pcm { samples: vec![0.0, f32::NAN], rate: 24_000 };
        let error = write_wav(&mut Vec::new(), &pcm, Encoding::Pcm16, &[]).unwrap_err();
        assert!(error.to_string().contains("sample 1"), "{error}");
    }
}
