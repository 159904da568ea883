//! `barkclone voice preview`: how a voice's codes sound.

use crate::cli::choice::{find_voice, warn_of_codec};
use crate::cli::nets::{self, DeviceArgs};
use crate::cli::progress::Terminal;
use crate::cli::provenance;
use crate::cli::refuse_own_input;
use crate::cli::sound::SoundTarget;
use anyhow::Result;
use barkclone::checkpoint::Checkpoint;
use barkclone::models::Models;
use barkclone::net::codec::CodecConfig;
use barkclone::speak::Decoder;
use barkclone::tokens::FRAME_SAMPLES;
use clap::Args;
use std::path::PathBuf;

/// Make a voice's own tokens sound: what the models take for the speech just before theirs
///
/// Needs EnCodec and no other model. Prints the path of the WAV file it wrote: 24 kHz mono.
#[derive(Args, Debug)]
#[command(args = nets::all())]
pub struct PreviewArgs {
    /// A voice file
    #[arg(value_name = "VOICE")]
    voice: PathBuf,
    /// Where to write; `-` is stdout [default: the voice's name with -preview.wav, in this folder]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
    /// Write 32-bit float samples instead of 16-bit integers
    #[arg(long)]
    float: bool,
    /// EnCodec, the codec that turns tokens to sound: a name from `models list`, or a file or folder
    #[arg(
        long,
        value_name = "MODEL",
        default_value = "encodec",
        help_heading = "Models",
        default_value_if("demo", "true", "demo")
    )]
    codec: String,
    #[command(flatten)]
    device: DeviceArgs,
}

pub fn run(args: &PreviewArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    let place = find_voice(&args.voice)?;
    // Not `eu.wav` for `eu.npz`: that may well be the recording that the voice was made of.
    let default = || PathBuf::from(format!("{}-preview.wav", place.name().to_string_lossy()));
    let path = args.output.clone().unwrap_or_else(default);
    refuse_own_input(&path, [args.voice.as_path()])?;
    let target = SoundTarget { path, force: args.force, float: args.float };
    target.check()?;
    let device = args.device.open()?;
    let file = place.voice()?;
    let codec: Checkpoint<CodecConfig> = nets::codec(&args.codec, models, terminal)?;
    warn_of_codec(&place, &file, &codec.identity()?, terminal);
    let (voice, decoder) = (file.voice, Decoder::new(&codec, &device)?);
    let title = place.name().to_string_lossy().into_owned();
    let comment = format!("preview of a voice file's codes; voice={}", voice.hash());
    let remarks = provenance::remarks(&title, &comment);
    target.write(voice.fine().frames() * FRAME_SAMPLES, &remarks, |sound| decoder.decode(voice.fine(), sound, terminal))
}
