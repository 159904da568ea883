//! `barkclone voice rank`: whose speech is nearest to a recording.

use crate::cli::choice::read_voice;
use crate::cli::ears::{self, EarArgs};
use crate::cli::nets;
use crate::cli::out;
use crate::cli::progress::Terminal;
use crate::cli::references::ReadingArgs;
use crate::cli::speak::{self, NetArgs, Speaking};
use anyhow::Result;
use barkclone::ears::{VoiceEar, VoicePrint};
use barkclone::models::Models;
use barkclone::refine::Candidate;
use barkclone::speak::Decoder;
use barkclone::voice::provenance::ModelName;
use barkclone::voice::{Voice, VoiceFile};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// Say which voices speak most like a recording, the nearest first
///
/// Has each voice say the same sentences, and prints a line for it: how alike that is to the recording, up to 1.
#[derive(Args, Debug)]
pub struct RankArgs {
    /// A recording of the voice that is meant
    #[arg(value_name = "REF")]
    reference: PathBuf,
    /// Voice files, or Suno's voices such as v2/pt_speaker_3
    #[arg(required = true, value_name = "VOICE")]
    voices: Vec<String>,
    /// What each voice says, several times for several texts [default: three sentences of the first one's language]
    #[arg(long, value_name = "TEXT")]
    say: Vec<String>,
    /// What the takes are drawn with
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Have them say nothing: compare what the voices hold, through EnCodec. Faster, and tells less
    #[arg(long, conflicts_with_all = ["say", "seed"])]
    held: bool,
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

pub fn run(args: &RankArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    let voices = args.voices.iter().map(|choice| read_voice(choice, models, terminal)).collect::<Result<Vec<_>>>()?;
    let texts = if args.held { Vec::new() } else { args.texts(&voices)? };
    let ear = args.ears.voice(models, terminal)?;
    let reference = ears::reference(args.reading.input(&args.reference)?, &ear, terminal)?;
    let voices: Vec<_> = voices.into_iter().map(|file| file.voice).collect();
    let similarities = match args.held {
        true => args.held(&voices, (&ear, &reference), (models, terminal))?,
        false => {
            let mut speaking = Speaking::open(&args.nets, texts, models, terminal)?;
            let candidate = |voice| Candidate { way: "the recording".to_owned(), voice: Arc::new(voice) };
            let candidates = voices.into_iter().map(candidate).collect();
            let tried = speaking.trial(&ear, vec![reference], terminal).hear(candidates, args.seed)?;
            tried.iter().map(|tried| tried.similarity).collect()
        }
    };
    let named = args.voices.iter().zip(similarities);
    let mut ranked: Vec<_> = named.map(|(voice, similarity)| Ranked { voice: voice.clone(), similarity }).collect();
    ranked.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
    ranked.iter().try_for_each(|ranked| out(args.line(ranked)?))
}

impl RankArgs {
    fn texts(&self, voices: &[VoiceFile]) -> Result<Vec<String>> {
        let origins = voices.iter().filter_map(|file| file.provenance.as_ref());
        let presets: Vec<_> = self.voices.iter().filter_map(|choice| preset(choice)).collect();
        let quantizers = origins.filter_map(|origin| origin.quantizer.as_ref()).chain(&presets);
        speak::texts(&self.say, "voice rank", quantizers)
    }

    /// How alike what each of these voices holds is to the reference.
    fn held(
        &self,
        voices: &[Voice],
        (ear, reference): (&VoiceEar, &VoicePrint),
        (models, terminal): (&Models, &Terminal),
    ) -> Result<Vec<f64>> {
        let codec = nets::codec(self.nets.codec.as_deref().unwrap_or("encodec"), models, terminal)?;
        let decoder = Decoder::new(&codec, &self.nets.device.open()?)?;
        let similarity = |voice: &Voice| {
            let print = ear.hear(&decoder.pcm(voice.fine())?)?;
            Ok(print.map_or(0.0, |print| ear.similarity(&print, reference)))
        };
        voices.iter().map(similarity).collect()
    }

    fn line(&self, ranked: &Ranked) -> Result<String> {
        match self.json {
            true => Ok(serde_json::to_string(ranked)? + "\n"),
            false => Ok(format!("{:.2}  {}\n", ranked.similarity, ranked.voice)),
        }
    }
}

/// One of Suno's voices as if a quantizer of its language had made it.
fn preset(choice: &str) -> Option<ModelName> {
    let name = choice.strip_prefix("v2/").unwrap_or(choice);
    let (language, _) = name.split_once("_speaker_")?;
    Some(ModelName::of(language))
}
