//! `barkclone voice rank`: whose speech is nearest to a recording.

use crate::cli::choice::read_voice;
use crate::cli::ears::{self, EarArgs};
use crate::cli::nets;
use crate::cli::out;
use crate::cli::progress::Terminal;
use crate::cli::references::ReadingArgs;
use crate::cli::speak::NetArgs;
use anyhow::Result;
use barkclone::audio::Pcm;
use barkclone::models::Models;
use barkclone::normalize::normalize;
use barkclone::progress::Progress;
use barkclone::speak::{Decoder, Request, Settings, Speaker};
use barkclone::voice::Voice;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Say which voices are nearest to a recording, the nearest first
///
/// Prints a line for each voice: how alike it is to the recording, up to 1. By default what a voice holds is heard,
/// through EnCodec; with --say, what it speaks.
#[derive(Args, Debug)]
pub struct RankArgs {
    /// A recording of the voice that is meant
    #[arg(value_name = "REF")]
    reference: PathBuf,
    /// Voice files, or Suno's voices such as v2/pt_speaker_3
    #[arg(required = true, value_name = "VOICE")]
    voices: Vec<String>,
    /// Have each voice say this, and compare that
    #[arg(long, value_name = "TEXT")]
    say: Option<String>,
    /// What --say is drawn with
    #[arg(long, value_name = "N", default_value_t = 0, requires = "say")]
    seed: u64,
    /// Print a line of JSON for each voice instead
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    ears: EarArgs,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    nets: NetArgs,
}

/// How near a voice is.
#[derive(Serialize)]
struct Ranked {
    voice: String,
    similarity: f64,
}

/// Makes the sound that a voice is known by.
type Sound<'a> = Box<dyn FnMut(Voice) -> Result<Pcm> + 'a>;

pub fn run(args: &RankArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    let read = |choice: &String| Ok((choice.clone(), read_voice(choice, models, terminal)?.voice));
    let voices = args.voices.iter().map(read).collect::<Result<Vec<_>>>()?;
    let ear = args.ears.voice(models, terminal)?;
    let reference = ears::reference(args.reading.input(&args.reference)?, &ear, terminal)?;
    let mut sound = args.sound(models, terminal)?;
    let mut ranked = Vec::new();
    for (voice, codes) in voices {
        let heard = ear.hear(&sound(codes)?)?;
        let similarity = heard.map_or(0.0, |heard| ear.similarity(&heard, &reference));
        ranked.push(Ranked { voice, similarity });
    }
    ranked.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
    ranked.iter().try_for_each(|ranked| out(args.line(ranked)?))
}

impl RankArgs {
    fn sound<'a>(&'a self, models: &Models, terminal: &'a Terminal) -> Result<Sound<'a>> {
        let device = self.nets.device.open()?;
        let Some(text) = &self.say else {
            let codec = nets::codec(self.nets.codec.as_deref().unwrap_or("encodec"), models, terminal)?;
            let decoder = Decoder::new(&codec, &device)?;
            return Ok(Box::new(move |voice| decoder.pcm(voice.fine())));
        };
        let (bark, codec) = self.nets.choice().open(device.is_cpu(), models, terminal)?;
        let ids = self.nets.tokenizer(models, terminal)?.ids(&normalize(text), bark.protocol.text_length)?;
        let settings = Settings::new(&bark.protocol, self.seed);
        let dtype = self.nets.weights.computed(&device)?;
        let mut speaker = Speaker::new(bark, codec, dtype, &device, true);
        Ok(Box::new(move |voice| {
            let request = Request::text(ids.clone(), Some(voice), settings);
            Ok(speaker.speak(&request, terminal as &dyn Progress)?.pcm)
        }))
    }

    fn line(&self, ranked: &Ranked) -> Result<String> {
        match self.json {
            true => Ok(serde_json::to_string(ranked)? + "\n"),
            false => Ok(format!("{:.2}  {}\n", ranked.similarity, ranked.voice)),
        }
    }
}
