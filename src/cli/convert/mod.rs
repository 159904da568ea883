//! `barkclone convert`: recordings to the same words in another voice.

mod flags;
mod many;
mod one;

use super::batch::Batch;
use super::many::RunArgs;
use super::progress::Terminal;
use super::references::{ReadingArgs, recordings};
use super::sound::LoudnessArgs;
use anyhow::{Result, bail};
use barkclone::audio::{Input, Recording};
use barkclone::clone::{self, Listener};
use barkclone::error::{Kind, is_fatal};
use barkclone::models::Models;
use barkclone::progress::Progress;
use barkclone::sound::with_speech;
use barkclone::tokens::Semantic;
use clap::Args;
use flags::{NetArgs, SamplingArgs};
use std::path::PathBuf;

/// Say a recording's words, at its pace, in another voice
///
/// No text is needed: the words are heard in the recording. Choose the quantizer of the recording's language. A
/// recording may be up to four hours long, and takes no more memory for that. The result is 0.2 % longer than the
/// recording.
///
/// A recording that cannot be converted does not stop the others (exit code 7).
///
/// Prints the path of each sound file it wrote: 24 kHz mono. The file says in its tags how it was made, and that it is
/// synthetic speech.
#[derive(Args, Debug)]
pub struct ConvertArgs {
    /// Recordings, or folders of them: WAV, FLAC, MP3, Ogg, Opus, M4A, AIFF, CAF, or a video's sound; `-` is stdin
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// A voice file, or one of Suno's voices such as v2/pt_speaker_3
    #[arg(long, value_name = "VOICE")]
    voice: String,
    /// Where to write, of a single source: .wav, .flac, .opus, and by an installed ffmpeg .mp3 and .m4a; `-` is stdout
    #[arg(long, short, value_name = "FILE", conflicts_with = "dir")]
    output: Option<PathBuf>,
    /// The folder to write to, under the sources' own names; it is made if it is not there. A report in it keeps
    /// account of what is done: the same command goes on where it was stopped
    #[arg(long, short, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How the files in the folder are named: {stem} and {slug} (of the recording's name), {index}, {id}, {seed} and
    /// {voice} are filled in; the second of a name gets a number. The ending says the format, as with --output
    #[arg(long, alias = "name", value_name = "PATTERN", default_value = "{stem}")]
    names: String,
    /// Replace files that exist; of many also those that were changed since they were made
    #[arg(long)]
    force: bool,
    /// Write 32-bit float samples instead of 16-bit integers
    #[arg(long)]
    float: bool,
    #[command(flatten)]
    loud: LoudnessArgs,
    /// Recordings that are converted at a time; on the CPU their sound does not depend on it
    #[arg(long, value_name = "auto|N", default_value = "auto")]
    batch: Batch,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
    #[command(flatten)]
    nets: NetArgs,
}

pub fn run(args: ConvertArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    match (&args.output, &args.dir) {
        (Some(output), _) => {
            args.run.refuse_for_one("-d DIR")?;
            one::run(&args, output, models, terminal)
        }
        (None, Some(folder)) => many::run(&args, folder, models, terminal),
        (None, None) => Err(Kind::Usage.error("where to? Give -o FILE, or -d DIR").into()),
    }
}

impl ConvertArgs {
    fn recordings(&self) -> Result<Vec<PathBuf>> {
        recordings(&self.sources)
    }

    /// The only source.
    fn single(&self) -> Result<PathBuf> {
        let several =
            || Kind::Usage.error("-o names one file: of several recordings, give the folder to write to with -d DIR");
        match &self.recordings()?[..] {
            [source] if !self.sources.iter().any(|path| path.is_dir()) => Ok(source.clone()),
            _ => bail!(several()),
        }
    }
}

/// The tokens of a recording.
fn hear(listener: &Listener, source: &Input, terminal: &Terminal) -> Result<Semantic> {
    let (shown, recording) = (source.path().display(), Recording::open(with_speech(source.clone(), terminal))?);
    let (rate, seconds) = (recording.rate(), recording.seconds());
    let length = seconds.map_or(String::new(), |seconds| format!("{seconds:.1} s "));
    terminal.note(&format!("{shown}: {length}at {rate} Hz"));
    if seconds.is_some_and(|seconds| seconds > clone::WINDOW) {
        terminal.note(&format!("{shown}: heard {:.0} s at a time, overlapping", clone::WINDOW));
    }
    let named = |error| if is_fatal(&error) { error } else { error.context(Kind::Input.error(shown.to_string())) };
    listener.tokens(recording, terminal).map_err(named)
}
