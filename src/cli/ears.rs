//! The flags that choose ears, and the ears that they stand for.

use super::progress::Terminal;
use super::references::ReadingArgs;
use anyhow::{Context, Result};
use barkclone::audio::{self, Pcm};
use barkclone::checkpoint;
use barkclone::ears::{VoiceEar, VoicePrint};
use barkclone::error::{Kind, kind};
use barkclone::models::{ModelKind, Models, Source};
use barkclone::progress::Progress;
use barkclone::sound::{LONGEST_CHECKED, with_speech};
use clap::Args;
use std::path::Path;

const DEFAULT: &str = "ge2e";

#[derive(Args, Debug)]
#[command(next_help_heading = "Ears")]
pub struct EarArgs {
    /// What compares voices: `ge2e`, a net; `spectrum`, mean spectrum and pitch, coarser, which needs no download; or a
    /// file of the net [default: ge2e, or spectrum where that cannot be had]
    #[arg(long, value_name = "EAR", default_value_if("demo", "true", "spectrum"))]
    voice_ear: Option<String>,
}

impl EarArgs {
    /// The ear for voices: the one that is asked for; else the default, and where that cannot be had, one that needs
    /// nothing, which is said.
    pub fn voice(&self, models: &Models, terminal: &Terminal) -> Result<VoiceEar> {
        match self.voice_ear.as_deref() {
            Some(choice) => voice_ear(choice, models, terminal),
            None => voice_ear(DEFAULT, models, terminal).or_else(|error| match kind(&error) {
                Some(Kind::Network) => {
                    terminal.note(&format!(
                        "warning: {DEFAULT} cannot be had, voices are compared by spectrum and pitch: {error:#}"
                    ));
                    Ok(VoiceEar::spectrum())
                }
                _ => Err(error),
            }),
        }
    }
}

fn voice_ear(choice: &str, models: &Models, progress: &dyn Progress) -> Result<VoiceEar> {
    match models.resolve(ModelKind::Speaker, choice, progress)? {
        Source::Builtin => Ok(VoiceEar::spectrum()),
        Source::Path(path) => VoiceEar::ge2e(&checkpoint::speaker(&path)?),
    }
}

/// The sound of a recording that is judged.
pub fn sound(path: &Path, reading: &ReadingArgs, terminal: &Terminal) -> Result<Pcm> {
    let clip = audio::read(with_speech(reading.input(path)?, terminal), LONGEST_CHECKED)?;
    clip.notes.iter().for_each(|note| terminal.note(&format!("warning: {}: {note}", path.display())));
    Ok(clip.pcm)
}

/// The voice of the recording that others are compared with.
pub fn reference(path: &Path, ear: &VoiceEar, reading: &ReadingArgs, terminal: &Terminal) -> Result<VoicePrint> {
    let silent = || Kind::Input.error(format!("{}: no speech is heard in it", path.display()));
    ear.hear(&sound(path, reading, terminal)?)?.with_context(silent)
}
