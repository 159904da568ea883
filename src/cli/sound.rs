//! A sound file, or stdout, that is written as its samples are made.

use super::{out, unwritable};
use anyhow::Result;
use barkclone::audio::{ENDINGS, Encoding, Format, Info, Pcm, SoundWriter, WavStream};
use barkclone::batch::Template;
use barkclone::output::{self, Pending};
use barkclone::progress::Progress;
use barkclone::sound::{Loudness, to_loudness};
use barkclone::tokens::SAMPLE_RATE;
use clap::Args;
use std::fmt::Display;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Takes the next samples.
pub type Sink<'a> = &'a mut dyn FnMut(&[f32]) -> Result<()>;

/// How loud results are.
#[derive(Args, Clone, Debug)]
pub struct LoudnessArgs {
    /// Bring the result to this loudness, such as -16 LUFS (EBU R 128, one channel), as near as a true peak of -1 dB
    /// allows [default: as it comes]
    #[arg(long, value_name = "LUFS", value_parser = lufs, allow_negative_numbers = true)]
    pub loudness: Option<f64>,
}

fn lufs(text: &str) -> Result<f64, String> {
    let lufs = text.parse().ok().filter(|lufs| (-70.0..=-5.0).contains(lufs));
    lufs.ok_or_else(|| "expected -70 to -5 LUFS".into())
}

impl LoudnessArgs {
    /// What the samples that `play` hands over are to be multiplied by; says where the loudness is not reached. `name`
    /// is what the sound is called.
    pub fn gain(
        &self,
        name: &dyn Display,
        play: impl FnOnce(Sink) -> Result<()>,
        progress: &dyn Progress,
    ) -> Result<f32> {
        let Some(target) = self.loudness else { return Ok(1.0) };
        let Loudness { factor, reached } = to_loudness(target, SAMPLE_RATE, play)?;
        if reached.is_none_or(|reached| reached < target - TOLERANCE) {
            let why = match reached {
                Some(lufs) => format!("{lufs:.1} LUFS: its peaks allow no more"),
                None => "too short or quiet for a loudness, left as it is".to_owned(),
            };
            progress.note(&format!("{name}: {why}"));
        }
        Ok(factor)
    }

    /// [`LoudnessArgs::gain`] of a sound in memory.
    pub fn level(&self, name: &dyn Display, pcm: &mut Pcm, progress: &dyn Progress) -> Result<()> {
        let gain = self.gain(name, |heard| heard(&pcm.samples), progress)?;
        pcm.samples.iter_mut().for_each(|sample| *sample *= gain);
        Ok(())
    }
}

/// `samples` times `gain`.
pub fn amplified(samples: &[f32], gain: f32) -> Vec<f32> {
    samples.iter().map(|sample| gain * sample).collect()
}

/// What is this near to a loudness has reached it, LU.
const TOLERANCE: f64 = 0.5;

/// Where a sound goes.
pub struct SoundTarget {
    /// `-` is stdout.
    pub path: PathBuf,
    pub force: bool,
    pub float: bool,
}

impl SoundTarget {
    pub fn is_stdout(&self) -> bool {
        self.path == Path::new("-")
    }

    /// Refuses a target that could not be written.
    pub fn check(&self) -> Result<()> {
        if self.is_stdout() {
            return Ok(());
        }
        Format::checked(&self.path, Encoding::of(self.float))?;
        output::check(&self.path, self.force)
    }

    /// Writes `samples` samples, which `fill` makes, and prints the file's path. After an error there is no file.
    pub fn write(&self, samples: usize, info: &[Info], fill: impl FnOnce(Sink) -> Result<()>) -> Result<()> {
        if let Some(draft) = self.draft(samples, info, fill)? {
            draft.settle(self.force)?;
        }
        self.print()
    }

    /// Writes a file that does not have its name yet; `None`: the samples went to stdout.
    pub fn draft(
        &self,
        samples: usize,
        info: &[Info],
        fill: impl FnOnce(Sink) -> Result<()>,
    ) -> Result<Option<Pending>> {
        if self.is_stdout() {
            let written = self.stream(BufWriter::new(std::io::stdout().lock()), samples, info, fill);
            let told = |error: anyhow::Error| match error.is::<std::io::Error>() {
                true => error.context(unwritable()),
                false => error,
            };
            return written.map(|()| None).map_err(told);
        }
        let (format, encoding) = (Format::of(&self.path)?, Encoding::of(self.float));
        let written = Pending::beside(&self.path, self.force, |sink| {
            let mut sound = SoundWriter::new(sink, format, (SAMPLE_RATE, samples), encoding, info)?;
            fill(&mut |samples| sound.push(samples))?;
            sound.finish()
        });
        written.map(Some)
    }

    /// Prints the path of a file that is there.
    pub fn print(&self) -> Result<()> {
        if self.is_stdout() { Ok(()) } else { out(format!("{}\n", self.path.display())) }
    }

    fn stream(
        &self,
        out: impl Write,
        samples: usize,
        info: &[Info],
        fill: impl FnOnce(Sink) -> Result<()>,
    ) -> Result<()> {
        let mut wav = WavStream::new(out, SAMPLE_RATE, samples, Encoding::of(self.float), info)?;
        fill(&mut |samples| wav.push(samples))?;
        wav.finish()
    }
}

/// How the sounds of a run are named; the format that the names say is checked.
pub fn sounds_named(template: &str, float: bool) -> Result<Template> {
    let name = Template::parse(template, &ENDINGS)?;
    Format::checked(&Path::new("NAME").with_extension(name.ending()), Encoding::of(float))?;
    Ok(name)
}
