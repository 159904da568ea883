//! WAV files -> one WAV file, sample by sample: nothing is held in memory.

use super::write::{Info, TOO_LONG, info_chunk};
use crate::error::Kind;
use anyhow::{Context, Result, ensure};
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Longest header that hound writes, bytes.
const HEADER: u64 = 128;

/// A mono WAV file that is being put together from others, which keep their samples bit by bit.
pub struct WavJoiner<'a, W: Write + Seek> {
    writer: WavWriter<&'a mut W>,
    spec: WavSpec,
    frames: u64,
    most: u64,
    /// What samples are multiplied by.
    gain: f32,
}

/// A WAV file whose samples can be joined to others.
struct Source {
    reader: WavReader<BufReader<File>>,
    path: String,
}

impl Source {
    fn open(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let reader =
            WavReader::open(path).with_context(|| Kind::Input.error(format!("{shown}: cannot be read as WAV")))?;
        let WavSpec { channels, bits_per_sample, sample_format, .. } = reader.spec();
        let known = matches!((bits_per_sample, sample_format), (16, SampleFormat::Int) | (32, SampleFormat::Float));
        let refusal = || Kind::Input.error(format!("{shown}: not mono of 16-bit integers or 32-bit floats"));
        ensure!(channels == 1 && known, refusal());
        Ok(Self { reader, path: shown })
    }
}

/// The samples of a mono WAV file of 16-bit integers or floats, as they are stored.
pub fn stored_samples(path: &Path) -> Result<impl Read> {
    let reader = Source::open(path)?.reader;
    let bytes = u64::from(reader.len()) * u64::from(reader.spec().bits_per_sample / 8);
    Ok(reader.into_inner().take(bytes))
}

/// Writes to `out`, from its start, a WAV file of what `fill` puts into the stream, with the remarks `info`. Rate and encoding are
/// those of the file `like`.
pub fn join_wav<W: Write + Seek>(
    out: &mut W,
    like: &Path,
    info: &[Info],
    fill: impl FnOnce(&mut WavJoiner<W>) -> Result<()>,
) -> Result<()> {
    let info = info_chunk(info)?;
    let spec = Source::open(like)?.reader.spec();
    let most = (u64::from(u32::MAX) - HEADER).saturating_sub(info.len() as u64) * 8 / u64::from(spec.bits_per_sample);
    {
        let mut stream = WavJoiner { writer: WavWriter::new(&mut *out, spec)?, spec, frames: 0, most, gain: 1.0 };
        fill(&mut stream)?;
        stream.writer.finalize()?;
    }
    let end = out.seek(SeekFrom::End(0))?;
    out.write_all(&info)?;
    let riff_len = u32::try_from(end + info.len() as u64 - 8).context(TOO_LONG)?;
    out.seek(SeekFrom::Start(4))?;
    out.write_all(&riff_len.to_le_bytes())?;
    out.seek(SeekFrom::End(0))?;
    Ok(())
}

impl<W: Write + Seek> WavJoiner<'_, W> {
    /// Multiplies the samples of all files that are added from now on.
    pub fn amplify(&mut self, gain: f32) {
        self.gain = gain;
    }

    /// What is written so far, seconds.
    pub fn seconds(&self) -> f64 {
        self.frames as f64 / f64::from(self.spec.sample_rate)
    }

    /// Adds the samples of a WAV file of the same rate and encoding.
    pub fn append(&mut self, path: &Path) -> Result<()> {
        let Source { mut reader, path } = Source::open(path)?;
        let (spec, expected) = (reader.spec(), self.spec);
        let same = (spec.sample_rate, spec.bits_per_sample) == (expected.sample_rate, expected.bits_per_sample);
        let unlike = || {
            let told = |s: WavSpec| format!("{} bits at {} Hz", s.bits_per_sample, s.sample_rate);
            Kind::Input.error(format!("{path}: {}; those before it are {}", told(spec), told(expected)))
        };
        ensure!(same, unlike());
        self.reserve(u64::from(reader.len()))?;
        let gain = self.gain;
        // A float is made an integer with what is out of range at its ends; times 1, a sample stays what it is.
        let louder = |sample: i16| (f32::from(sample) * gain).round() as i16;
        let copied = match expected.sample_format {
            SampleFormat::Int => reader.samples().try_for_each(|s| self.writer.write_sample(louder(s?))),
            SampleFormat::Float => reader.samples::<f32>().try_for_each(|s| self.writer.write_sample(gain * s?)),
        };
        copied.with_context(|| Kind::Input.error(format!("{path}: cannot be read to its end")))
    }

    /// Adds silence.
    pub fn silence(&mut self, seconds: f64) -> Result<()> {
        let frames = (seconds * f64::from(self.spec.sample_rate)).round() as u64;
        self.reserve(frames)?;
        (0..frames).try_for_each(|_| match self.spec.sample_format {
            SampleFormat::Int => self.writer.write_sample(0_i16),
            SampleFormat::Float => self.writer.write_sample(0.0_f32),
        })?;
        Ok(())
    }

    /// Past this, the 32-bit sizes of a WAV file would wrap.
    fn reserve(&mut self, frames: u64) -> Result<()> {
        self.frames = self.frames.saturating_add(frames);
        let hours = self.most as f64 / f64::from(self.spec.sample_rate) / 3600.0;
        ensure!(self.frames <= self.most, Kind::Input.error(format!("{TOO_LONG}: {hours:.1} hours in this encoding")));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Encoding, Pcm, write_wav};
    use crate::info::read_info;
    use std::io::Cursor;
    use std::path::PathBuf;

    fn wav(folder: &Path, name: &str, pcm: &Pcm, encoding: Encoding) -> (PathBuf, Vec<u8>) {
        let mut bytes = Vec::new();
        write_wav(&mut bytes, pcm, encoding, &[(b"INAM", "Olá")]).unwrap();
        let path = folder.join(name);
        std::fs::write(&path, &bytes).unwrap();
        (path, bytes)
    }

    fn sound() -> Pcm {
        Pcm { samples: (0..999).map(|i| (i as f32 * 0.1).sin()).collect(), rate: 24_000 }
    }

    /// The bytes of the samples.
    fn data(wav: &[u8]) -> &[u8] {
        let start = wav.windows(4).position(|name| name == b"data").unwrap() + 8;
        &wav[start..][..u32::from_le_bytes(wav[start - 4..start].try_into().unwrap()) as usize]
    }

    #[test]
    fn one_file_streamed_has_its_samples_and_remarks() {
        let folder = tempfile::tempdir().unwrap();
        for encoding in [Encoding::Pcm16, Encoding::Float32] {
            let (path, bytes) = wav(folder.path(), "a.wav", &sound(), encoding);
            let mut out = Cursor::new(Vec::new());
            join_wav(&mut out, &path, &[(b"INAM", "Olá")], |stream| stream.append(&path)).unwrap();
            let (joined, out) = (folder.path().join("b.wav"), out.into_inner());
            assert!(data(&out) == data(&bytes) && out[..36] == bytes[..36], "{encoding:?}");
            std::fs::write(&joined, out).unwrap();
            assert_eq!(read_info(&joined), read_info(&path));
        }
    }

    #[test]
    fn samples_and_silence_follow_each_other_and_remarks_come_last() {
        let folder = tempfile::tempdir().unwrap();
        let (path, _) = wav(folder.path(), "a.wav", &sound(), Encoding::Pcm16);
        let mut out = Cursor::new(Vec::new());
        join_wav(&mut out, &path, &[(b"INAM", "tudo")], |stream| {
            stream.append(&path)?;
            stream.silence(0.1)?;
            stream.append(&path)?;
            assert_eq!(stream.seconds(), f64::from(2 * 999 + 2_400) / 24_000.0);
            Ok(())
        })
        .unwrap();
        let joined = folder.path().join("b.wav");
        std::fs::write(&joined, out.get_ref()).unwrap();
        let read =
            |path: &Path| WavReader::open(path).unwrap().into_samples::<i16>().map(Result::unwrap).collect::<Vec<_>>();
        let once = read(&path);
        assert_eq!(read(&joined), [&once[..], &[0; 2_400], &once].concat());
        assert_eq!(read_info(&joined), [("INAM".to_owned(), "tudo".to_owned())]);
        assert_eq!(out.get_ref().len() as u32 - 8, u32::from_le_bytes(out.get_ref()[4..8].try_into().unwrap()));
    }

    fn refusal(like: &Path, path: &Path) -> String {
        let error = join_wav(&mut Cursor::new(Vec::new()), like, &[], |stream| stream.append(path)).unwrap_err();
        assert_eq!(crate::error::exit_code(&error), 3, "{error:#}");
        format!("{error:#}")
    }

    #[test]
    fn files_that_do_not_go_together_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (int, bytes) = wav(folder.path(), "int.wav", &sound(), Encoding::Pcm16);
        let (float, _) = wav(folder.path(), "float.wav", &sound(), Encoding::Float32);
        let (slow, _) = wav(folder.path(), "slow.wav", &Pcm { rate: 16_000, ..sound() }, Encoding::Pcm16);
        assert!(
            refusal(&int, &float).contains("float.wav: 32 bits at 24000 Hz; those before it are 16 bits at 24000 Hz")
        );
        assert!(refusal(&int, &slow).contains("slow.wav: 16 bits at 16000 Hz"));
        let part = folder.path().join("part.wav");
        std::fs::write(&part, &bytes[..500]).unwrap();
        assert!(refusal(&int, &part).contains("part.wav: cannot be read to its end"));
        std::fs::write(&part, "no sound").unwrap();
        assert!(refusal(&int, &part).contains("part.wav: cannot be read as WAV"));
        assert!(refusal(&folder.path().join("none.wav"), &int).contains("none.wav"));
    }

    #[test]
    fn more_than_a_wav_file_holds_is_refused_before_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (path, _) = wav(folder.path(), "a.wav", &sound(), Encoding::Pcm16);
        let mut out = Cursor::new(Vec::new());
        let error = join_wav(&mut out, &path, &[], |stream| stream.silence(100_000.0)).unwrap_err().to_string();
        assert!(error.contains("4 GiB") && error.contains("24.9 hours"), "{error}");
        assert!(out.get_ref().len() < 1_000);
    }
}
