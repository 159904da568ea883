//! The flags that choose ears, and the ears that they stand for.

use super::progress::Terminal;
use anyhow::{Context, Error, Result, bail};
use barkclone::audio::{self, Input, Pcm};
use barkclone::batch::RetryPolicy;
use barkclone::checkpoint::{self, Checkpoint};
use barkclone::ears::{Judge, VoiceEar, VoicePrint, WordEar};
use barkclone::error::{Kind, kind};
use barkclone::models::{ModelKind, Models, Source};
use barkclone::net::codec::CodecConfig;
use barkclone::output;
use barkclone::progress::Progress;
use barkclone::sound::{LONGEST_CHECKED, with_speech};
use barkclone::speak::Decoder;
use barkclone::voice::Voice;
use candle_core::Device;
use clap::Args;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

const DEFAULT: &str = "ge2e";
const WHISPER: &str = "whisper-base";

#[derive(Args, Debug)]
#[command(next_help_heading = "Ears")]
pub struct EarArgs {
    /// What compares voices: `ge2e`, a net; `ecapa`, a finer one, 83 MB; `spectrum`, mean spectrum and pitch, coarser,
    /// which needs no download; or a file of either net [default: ge2e, or spectrum where that cannot be had]
    #[arg(long, value_name = "EAR", default_value_if("demo", "true", "spectrum"))]
    voice_ear: Option<String>,
}

impl EarArgs {
    /// The ear for voices: the one that is asked for; else the default, and where that cannot be had, one that needs
    /// nothing, which is said.
    pub fn voice(&self, models: &Models, terminal: &Terminal) -> Result<VoiceEar> {
        match self.voice_ear.as_deref() {
            Some(choice) => voice_ear(choice, models, terminal),
            None => voice_ear(DEFAULT, models, terminal).or_else(|error| match is_absent(&error) {
                true => {
                    terminal.note(&format!(
                        "warning: {DEFAULT} cannot be had, voices are compared by spectrum and pitch: {error:#}"
                    ));
                    Ok(VoiceEar::spectrum())
                }
                false => Err(error),
            }),
        }
    }

    /// The ear for voices that can be had without a download, if there is one.
    fn at_hand(&self, models: &Models, terminal: &Terminal) -> Result<Option<VoiceEar>> {
        match voice_ear(self.voice_ear.as_deref().unwrap_or(DEFAULT), &models.offline(), terminal) {
            Err(error) if is_absent(&error) => Ok(None),
            ear => ear.map(Some),
        }
    }
}

/// What hears words.
#[derive(Args, Debug)]
#[command(next_help_heading = "Ears")]
pub struct WordArgs {
    /// What hears which words are said: Whisper, by a name from `models list` or a folder, or `none` [default:
    /// whisper-base where it is at hand; nothing is downloaded unasked]
    #[arg(long, value_name = "WHISPER")]
    word_ear: Option<String>,
}

impl WordArgs {
    /// Whether one is named.
    pub fn is_asked(&self) -> bool {
        self.word_ear.as_deref().is_some_and(|choice| choice != "none")
    }

    /// The one that is asked for; else the default where it is at hand, and where it is not, that is said.
    pub fn ear(&self, (models, device): (&Models, &Device), terminal: &Terminal) -> Result<Option<WordEar>> {
        match self.word_ear.as_deref() {
            Some("none") => Ok(None),
            Some(choice) => word_ear(choice, (models, device), terminal).map(Some),
            None => match word_ear(WHISPER, (&models.offline(), device), terminal) {
                Err(error) if is_absent(&error) => {
                    terminal.note(&format!(
                        "words are not heard: {WHISPER} is not at hand; `barkclone models fetch {WHISPER}` brings it"
                    ));
                    Ok(None)
                }
                ear => ear.map(Some),
            },
        }
    }
}

/// Whether a model is not there and cannot be fetched.
pub fn is_absent(error: &Error) -> bool {
    kind(error) == Some(Kind::Network)
}

/// How the best of several takes is found.
#[derive(Args, Debug)]
#[command(next_help_heading = "Ears")]
pub struct BestArgs {
    /// Make N takes of each utterance, with seeds that follow each other, and keep the best, by its voice, its words and
    /// what does not sound right (see `score --help`)
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    best_of: u32,
    /// Keep the other takes of --best-of and --retry too, by rank: NAME.2.wav is the second best
    #[arg(long)]
    pub keep_all: bool,
    /// Compare the takes' voices with this recording [default: with what the voice itself holds, through EnCodec]
    #[arg(long, value_name = "REF")]
    voice_of: Option<PathBuf>,
    #[command(flatten)]
    ears: EarArgs,
}

impl BestArgs {
    /// With so many more seeds where nothing sounds right.
    pub fn policy(&self, retries: u32, trim_tail: bool) -> RetryPolicy {
        RetryPolicy { best_of: self.best_of, retries, keep_all: self.keep_all, trim_tail }
    }

    /// No result may replace what it is judged by.
    pub fn keep_inputs(&self) {
        self.voice_of.iter().for_each(|path| output::keep_input(path));
    }

    /// What takes are judged by; nothing is loaded where there are none to choose from. For --retry alone nothing is
    /// fetched. `others` gives the ears beside the voice's.
    pub fn judge(
        &self,
        (policy, others): (RetryPolicy, impl FnOnce() -> Result<Judge>),
        (codec, device): (&Checkpoint<CodecConfig>, &Device),
        models: &Models,
        terminal: &Terminal,
    ) -> Result<VoiceJudge> {
        self.keep_inputs();
        let voice = match policy {
            _ if policy.best_of > 1 => Some(self.ears.voice(models, terminal)?),
            _ if policy.chooses() => self.ears.at_hand(models, terminal)?,
            _ => None,
        };
        let of = match (&self.voice_of, &voice) {
            (Some(path), Some(ear)) => Some(reference(Input::named(path)?, ear, terminal)?),
            _ => None,
        };
        let (codec, device) = (codec.clone(), device.clone());
        let others = if policy.chooses() { others()? } else { Judge::default() };
        Ok(VoiceJudge { judge: Arc::new(Judge { voice, ..others }), of, codec, device, prints: RefCell::default() })
    }
}

/// Judges takes by the voices that were asked for.
pub struct VoiceJudge {
    pub judge: Arc<Judge>,
    /// Of --voice-of.
    of: Option<VoicePrint>,
    codec: Checkpoint<CodecConfig>,
    device: Device,
    /// What the voices hold, by name.
    prints: RefCell<HashMap<String, Option<VoicePrint>>>,
}

impl VoiceJudge {
    /// What takes in the voice `name` are compared with; `read` gives the voice.
    pub fn reference(&self, name: &str, read: impl FnOnce() -> Result<Voice>) -> Result<Option<VoicePrint>> {
        if self.of.is_some() || self.judge.voice.is_none() {
            return Ok(self.of.clone());
        }
        if let Some(print) = self.prints.borrow().get(name) {
            return Ok(print.clone());
        }
        let print = self.judge.print(&Decoder::new(&self.codec, &self.device)?.pcm(read()?.fine())?)?;
        self.prints.borrow_mut().insert(name.to_owned(), print.clone());
        Ok(print)
    }
}

fn voice_ear(choice: &str, models: &Models, progress: &dyn Progress) -> Result<VoiceEar> {
    match models.resolve(ModelKind::Speaker, choice, progress)? {
        Source::Builtin => Ok(VoiceEar::spectrum()),
        Source::Path(path) => VoiceEar::new(&checkpoint::speaker(&path)?),
    }
}

fn word_ear(choice: &str, (models, device): (&Models, &Device), progress: &dyn Progress) -> Result<WordEar> {
    match models.resolve(ModelKind::Recogniser, choice, progress)? {
        Source::Builtin => bail!(Kind::Model.error(format!("{choice}: no Whisper is built in"))),
        Source::Path(path) => WordEar::new(checkpoint::whisper(&path)?, device),
    }
}

/// The sound of a recording that is judged.
pub fn sound(input: Input, terminal: &Terminal) -> Result<Pcm> {
    let shown = input.path().display().to_string();
    let clip = audio::read(with_speech(input, terminal), LONGEST_CHECKED)?;
    clip.notes.iter().for_each(|note| terminal.note(&format!("warning: {shown}: {note}")));
    Ok(clip.pcm)
}

/// The voice of the recording that others are compared with.
pub fn reference(input: Input, ear: &VoiceEar, terminal: &Terminal) -> Result<VoicePrint> {
    let silent = format!("{}: no speech is heard in it", input.path().display());
    ear.hear(&sound(input, terminal)?)?.with_context(|| Kind::Input.error(silent))
}
