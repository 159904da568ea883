//! Samples -> a file of the format that its name's ending says, as the samples come. WAV, FLAC and Opus are written
//! here, MP3 and M4A through the `ffmpeg` that is installed.

use super::Pcm;
use super::ffmpeg::{self, Encoder};
use super::opus::OpusFile;
use super::write::{Encoding, Info, WavStream, to_i16};
use crate::error::{Error, Kind};
use anyhow::{Context, Result, ensure};
use flac_codec::encode::{FlacSampleWriter, Options};
use hound::WavReader;
use std::io::{Seek, Write};
use std::path::Path;

/// What a sound file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Wav,
    Flac,
    /// Opus in Ogg.
    Opus,
    Mp3,
    /// AAC in MP4.
    M4a,
}

/// Every ending, WAV's first.
pub const ENDINGS: [&str; 5] = ["wav", "flac", "opus", "mp3", "m4a"];
/// Endings of other files with sound, of which none is written.
const UNWRITTEN: [&str; 26] = [
    "3gp", "aac", "ac3", "aif", "aifc", "aiff", "amr", "ape", "au", "avi", "caf", "dts", "eac3", "m4b", "mka", "mkv",
    "mov", "mp2", "mp4", "mpc", "oga", "ogg", "snd", "webm", "wma", "wv",
];
/// Samples that are read at once.
const PART: usize = 1 << 16;
const FORMATS: [Format; 5] = [Format::Wav, Format::Flac, Format::Opus, Format::Mp3, Format::M4a];

impl Format {
    /// What the ending of `path` says, in upper or lower case; WAV where there is none.
    ///
    /// # Errors
    /// Kind [`Kind::Usage`]: another ending.
    pub fn of(path: &Path) -> Result<Self> {
        let Some(ending) = path.extension() else { return Ok(Format::Wav) };
        let known = ENDINGS.iter().position(|known| ending.eq_ignore_ascii_case(known));
        let known = known.or((ending.eq_ignore_ascii_case("wave")).then_some(0));
        Ok(FORMATS[known.with_context(|| unwritten(path, &ENDINGS))?])
    }

    /// As [`Format::of`], refused where `path` cannot be written as `encoding`, or `ffmpeg` is needed and cannot do it.
    ///
    /// # Errors
    /// Kind [`Kind::Usage`] or [`Kind::Output`], with what can be done.
    pub fn checked(path: &Path, encoding: Encoding) -> Result<Self> {
        let (format, shown) = (Self::of(path)?, path.display());
        let float = encoding == Encoding::Float32 && format != Format::Wav;
        ensure!(!float, Kind::Usage.error(format!("{shown}: 32-bit float samples go into .wav files only")));
        if let Some(encoder) = format.ffmpeg() {
            let wav = path.with_extension("wav");
            let (wav, name) = (wav.display(), encoder.codec);
            ensure!(
                ffmpeg::encodes(name)?,
                Kind::Output.error(format!(
                    "{shown}: needs an installed `ffmpeg` with its encoder {name}; without it, write {wav} and, where \
                     there is one, run: ffmpeg -i {wav} {shown}"
                ))
            );
        }
        Ok(format)
    }

    fn ffmpeg(self) -> Option<Encoder> {
        match self {
            Format::Mp3 => Some(Encoder { codec: "libmp3lame", quality: ["-q:a", "2"], muxer: "mp3" }),
            Format::M4a => Some(Encoder { codec: "aac", quality: ["-b:a", "96k"], muxer: "ipod" }),
            Format::Wav | Format::Flac | Format::Opus => None,
        }
    }
}

/// Refuses the name of a sound that is none of `written`; other endings, and dots that begin none, are left alone.
///
/// # Errors
/// Kind [`Kind::Usage`].
pub fn refuse_unwritten(path: &Path, written: &[&str]) -> Result<()> {
    let ends = |ending: &&str| path.extension().is_some_and(|own| own.eq_ignore_ascii_case(ending));
    let sound = ENDINGS.iter().chain(&UNWRITTEN).any(ends);
    ensure!(!sound || written.iter().any(ends), unwritten(path, written));
    Ok(())
}

/// Says of a path that its ending is none of those that are written.
pub fn unwritten(path: &Path, written: &[&str]) -> Error {
    let (shown, ending) = (path.display(), path.extension().unwrap_or_default().to_string_lossy());
    let written = written.join(", .");
    Kind::Usage.error(format!("{shown}: files that end with .{ending} are not written; these are: .{written}"))
}

/// Writes `pcm` as a mono file with the remarks `info`.
pub fn write_sound<W: Write + Seek>(
    out: W,
    pcm: &Pcm,
    (format, encoding): (Format, Encoding),
    info: &[Info],
) -> Result<()> {
    let mut sound = SoundWriter::new(out, format, (pcm.rate, pcm.samples.len()), encoding, info)?;
    sound.push(&pcm.samples)?;
    sound.finish()
}

/// Writes the sound of the mono 16-bit file `wav` as another `format`, in parts.
pub fn encode<W: Write + Seek>(wav: &Path, out: W, format: Format, info: &[Info]) -> Result<()> {
    let mut reader = WavReader::open(wav).with_context(|| format!("{}: cannot be read again", wav.display()))?;
    let (rate, total) = (reader.spec().sample_rate, reader.len() as usize);
    let mut sound = SoundWriter::new(out, format, (rate, total), Encoding::Pcm16, info)?;
    loop {
        let part = reader.samples::<i16>().take(PART).map(|sample| Ok(f32::from(sample?) / 32767.0));
        let part = part.collect::<Result<Vec<_>>>()?;
        if part.is_empty() {
            return sound.finish();
        }
        sound.push(&part)?;
    }
}

/// A mono sound file that is written as its samples come.
pub enum SoundWriter<W: Write + Seek> {
    Wav(WavStream<W>),
    /// 16-bit integers.
    Flac(Box<FlacSampleWriter<W>>),
    Opus(Box<OpusFile<W>>),
    Ffmpeg(Box<ffmpeg::Encoding<W>>),
}

impl<W: Write + Seek> SoundWriter<W> {
    /// Begins a file of `total` samples at `rate` Hz with the remarks `info`. `encoding` is for WAV.
    pub fn new(out: W, format: Format, (rate, total): (u32, usize), encoding: Encoding, info: &[Info]) -> Result<Self> {
        Ok(match (format, format.ffmpeg()) {
            (_, Some(encoder)) => Self::Ffmpeg(Box::new(encoder.start(out, (rate, total), info)?)),
            (Format::Flac, _) => Self::Flac(Box::new(flac(out, rate, total, info)?)),
            (Format::Opus, _) => Self::Opus(Box::new(OpusFile::new(out, rate, &remarks(info))?)),
            _ => Self::Wav(WavStream::new(out, rate, total, encoding, info)?),
        })
    }

    /// Writes the next samples.
    pub fn push(&mut self, samples: &[f32]) -> Result<()> {
        match self {
            Self::Wav(wav) => wav.push(samples),
            Self::Flac(flac) => {
                super::write::check(samples, 0)?;
                let samples: Vec<i32> = samples.iter().map(|&sample| to_i16(sample).into()).collect();
                Ok(flac.write(&samples)?)
            }
            Self::Opus(opus) => opus.push(samples),
            Self::Ffmpeg(ffmpeg) => ffmpeg.push(samples),
        }
    }

    /// Ends the file.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Wav(wav) => wav.finish(),
            Self::Flac(flac) => Ok(flac.finalize()?),
            Self::Opus(opus) => opus.finish(),
            Self::Ffmpeg(ffmpeg) => ffmpeg.finish(),
        }
    }
}

fn flac<W: Write + Seek>(out: W, rate: u32, total: usize, info: &[Info]) -> Result<FlacSampleWriter<W>> {
    let total = Some(total as u64).filter(|total| *total > 0);
    let options = remarks(info).into_iter().fold(Options::default(), |options, (name, text)| options.tag(name, text));
    Ok(FlacSampleWriter::new(out, options, rate, 16, 1, total)?)
}

/// The remarks as Vorbis comments.
fn remarks(info: &[Info]) -> Vec<(&'static str, String)> {
    let name = |tag: &[u8; 4]| match tag {
        b"ISFT" => Some("ENCODER"),
        b"INAM" => Some("TITLE"),
        b"ICMT" => Some("COMMENT"),
        _ => None,
    };
    info.iter().filter_map(|(tag, text)| Some((name(tag)?, text.replace('\0', "")))).collect()
}
