//! The arguments that name recordings, and what is taken of them.

use super::progress::Terminal;
use anyhow::{Context, Result, ensure};
use barkclone::audio::Input;
use barkclone::error::Kind;
use barkclone::progress::Silent;
use barkclone::sound::{LONGEST_REFERENCE, Preparation, Reference, raw, with_speech};
use clap::Args;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What recordings are called, as far as a folder is searched for them; what a file holds decides how it is read.
const EXTENSIONS: [&str; 22] = [
    "3gp", "aac", "aif", "aifc", "aiff", "alac", "caf", "flac", "m4a", "m4b", "mka", "mkv", "mov", "mp2", "mp3", "mp4",
    "oga", "ogg", "opus", "wav", "wave", "webm",
];

#[derive(Args, Debug)]
pub struct ReferenceArgs {
    /// Recordings of one person speaking, or folders of them: WAV, FLAC, MP3, Ogg, Opus, M4A, AIFF, CAF, or a video's
    /// sound; `-` is stdin
    #[arg(required = true, value_name = "RECORDING")]
    paths: Vec<PathBuf>,
    /// Take nothing before this: seconds, or m:ss, or h:mm:ss
    #[arg(long, value_name = "TIME", value_parser = time)]
    start: Option<f64>,
    /// Take nothing after this
    #[arg(long, value_name = "TIME", value_parser = time)]
    end: Option<f64>,
    /// Give the recording to the models as it is: no seconds are chosen (the last 60 s are heard), no loudness changed
    #[arg(long)]
    raw: bool,
    /// Take steady noise out (RNNoise)
    #[arg(long, conflicts_with = "raw")]
    denoise: bool,
    #[command(flatten)]
    reading: ReadingArgs,
}

/// How recordings are read.
#[derive(Args, Debug)]
pub struct ReadingArgs {
    /// Read this audio track of a recording that has several, counted from 1 [default: the one with most speech]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..))]
    track: Option<u16>,
    /// Refuse kinds of files that only an installed `ffmpeg` reads
    #[arg(long)]
    no_ffmpeg: bool,
}

impl ReadingArgs {
    /// The recordings that are named: of a pipe all that comes out of it.
    pub fn inputs(&self, paths: &[PathBuf]) -> Result<Vec<Input>> {
        paths.iter().map(|path| self.input(path)).collect()
    }

    pub fn input(&self, path: &Path) -> Result<Input> {
        Ok(Input::named(path)?.with_track(self.track.map(usize::from)).with_ffmpeg(!self.no_ffmpeg))
    }

    /// What decides which samples a recording has, in words.
    pub fn choices(&self) -> String {
        self.track.map_or(String::new(), |track| format!(" track {track}"))
    }
}

impl ReferenceArgs {
    /// The files that are named.
    pub fn recordings(&self) -> Result<Vec<PathBuf>> {
        recordings(&self.paths)
    }

    /// These recordings, opened.
    pub fn inputs(&self, recordings: &[PathBuf]) -> Result<Vec<Input>> {
        self.reading.inputs(recordings)
    }

    /// What the models are to hear of these recordings.
    pub fn prepare(&self, recordings: &[Input], terminal: &Terminal) -> Result<Reference> {
        let within = self.within()?;
        let one = recordings.len() == 1;
        ensure!(one || within == (0.0..f64::INFINITY), Kind::Usage.error("--start and --end are for one recording"));
        let inputs: Vec<_> = recordings.iter().map(|input| with_speech(input.clone(), terminal)).collect();
        match &inputs[..] {
            [recording] if self.raw => raw(recording, within, LONGEST_REFERENCE, terminal),
            _ if self.raw => Err(Kind::Usage.error("--raw takes one recording, or --each").into()),
            _ => Preparation { within, denoise: self.denoise }.best(&inputs, terminal),
        }
    }

    /// The best stretches of these recordings beside `taken`, as far as they can be used.
    pub fn others(&self, recordings: &[Input], taken: &Reference, terminal: &Terminal) -> Result<Vec<Reference>> {
        let within = self.within()?;
        let around = [within.start..taken.seconds.start, taken.seconds.end..within.end];
        let spans = |input: &Input| match input.path() == taken.input.path() {
            _ if self.raw => Vec::new(),
            true => around.to_vec(),
            false => vec![within.clone()],
        };
        let best = |within, input: &Input| {
            let input = with_speech(input.clone(), terminal);
            Preparation { within, denoise: self.denoise }.best(&[input], &Silent).ok()
        };
        let found =
            |input: &Input| spans(input).into_iter().filter_map(|within| best(within, input)).collect::<Vec<_>>();
        Ok(recordings.iter().flat_map(found).collect())
    }

    /// What is taken of a recording, in words.
    pub fn choices(&self) -> String {
        format!("raw {} denoise {}{}", self.raw, self.denoise, self.reading.choices())
    }

    fn within(&self) -> Result<Range<f64>> {
        let within = self.start.unwrap_or(0.0)..self.end.unwrap_or(f64::INFINITY);
        ensure!(!within.is_empty(), Kind::Usage.error("--end is not after --start"));
        Ok(within)
    }
}

/// The files among these paths, and the recordings in the folders, in order of their names.
pub fn recordings(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut recordings = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => recordings.extend(recordings_in(path)?),
            false => recordings.push(path.clone()),
        }
    }
    Ok(once(recordings))
}

/// Each of these recordings once, however often and by whatever way it is named.
pub fn once(mut recordings: Vec<PathBuf>) -> Vec<PathBuf> {
    let file = |path: &PathBuf| path != Path::new("-");
    let whole = |path: &PathBuf| Some(path.parent()?.join(".").canonicalize().ok()?.join(path.file_name()?));
    let place = |path: &PathBuf| file(path).then(|| whole(path)).flatten();
    let mut seen = BTreeSet::new();
    recordings.retain(|path| seen.insert(place(path).unwrap_or_else(|| path.clone())));
    recordings
}

fn recordings_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || Kind::Input.error(format!("{}: cannot be read", folder.display()));
    let entries = fs::read_dir(folder).with_context(unreadable)?.collect::<std::io::Result<Vec<_>>>();
    let mut paths: Vec<_> = entries.with_context(unreadable)?.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| path.is_file() && is_recording(path) && !is_hidden(path));
    ensure!(!paths.is_empty(), Kind::Input.error(format!("{}: no recordings in this folder", folder.display())));
    paths.sort();
    Ok(paths)
}

/// Whether a file is hidden. macOS puts a `._talk.wav` that holds no sound beside each `talk.wav` on other systems'
/// disks.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_recording(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// Seconds of `72.5`, `1:12.5` or `0:01:12.5`.
fn time(text: &str) -> Result<f64, String> {
    let wrong = || "not a time: seconds, m:ss or h:mm:ss".to_owned();
    let parts: Vec<f64> = text.split(':').map(|part| part.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
    let below_sixty = parts.iter().skip(1).all(|&part| part < 60.0);
    let whole = parts.iter().rev().skip(1).all(|part| part.fract() == 0.0);
    let positive = parts.iter().all(|part| part.is_finite() && part.is_sign_positive());
    if !positive || !below_sixty || !whole || parts.len() > 3 {
        return Err(wrong());
    }
    Ok(parts.iter().fold(0.0, |seconds, part| 60.0 * seconds + part))
}
