//! `clone --refine`: of several clones the one that speaks most like the recording.

use super::CloneArgs;
use crate::cli::ears::EarArgs;
use crate::cli::nets::{LoraArgs, WeightType};
use crate::cli::progress::Terminal;
use crate::cli::speak::{NetArgs, Speaking, texts};
use anyhow::{Result, ensure};
use barkclone::audio::Input;
use barkclone::clone::Cloner;
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::output;
use barkclone::progress::Progress;
use barkclone::refine::{self, Candidate, Refined, Tried, ways};
use barkclone::sound::Reference;
use barkclone::voice::Voice;
use barkclone::voice::provenance::ModelName;
use clap::Args;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Args, Debug)]
#[command(next_help_heading = "Refining")]
pub struct RefineArgs {
    /// Make N clones, 2 to 64, of other stretches and parts of the recordings, and read a little higher or lower; have each speak,
    /// and keep the one that sounds most like the recording, where it beats the plain clone. Takes as long as speaking
    /// some 3 N short sentences a round
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(2..=64), conflicts_with = "each")]
    refine: Option<u16>,
    /// Then try what was spoken nearest as a voice of its own, in up to R rounds in all, as long as they gain
    #[arg(long, value_name = "R", allow_negative_numbers = true, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=20), requires = "refine")]
    rounds: u16,
    /// What each clone says, several times for several texts [default: three sentences of the quantizer's language]
    #[arg(long, value_name = "TEXT", requires = "refine")]
    say: Vec<String>,
    /// The page of --report holds all that was spoken, to be listened to
    #[arg(long, requires_all = ["refine", "report"])]
    audio: bool,
    /// Bark, which speaks with the clones: a name from `models list`, or a file or folder
    #[arg(
        long,
        value_name = "MODEL",
        default_value = "large",
        default_value_if("demo", "true", "demo"),
        help_heading = "Models"
    )]
    bark: String,
    /// What cuts a text into tokens, for --refine: a name or a tokenizer.json [default: as `speak`]
    #[arg(long, value_name = "MODEL", help_heading = "Models")]
    tokenizer: Option<String>,
    /// How Bark's weights are kept, for --refine, as in `speak`
    #[arg(long, value_name = "TYPE", value_enum, default_value = "f32", help_heading = "Models")]
    weights: WeightType,
    #[command(flatten)]
    lora: LoraArgs,
    #[command(flatten)]
    ears: EarArgs,
}

impl RefineArgs {
    /// How many candidates a round has; `None`: no search.
    pub fn count(&self) -> Option<usize> {
        self.refine.map(usize::from)
    }

    /// Takes the page to write out of --report, which means another thing with --each.
    pub fn page(&self, report: &mut Option<PathBuf>) -> Option<PathBuf> {
        self.refine.and_then(|_| report.take())
    }

    /// What is said; `quantizer` tells the language.
    pub fn texts(&self, quantizer: &str) -> Result<Vec<String>> {
        texts(&self.say, "--refine", [&ModelName::of(quantizer)])
    }
}

impl CloneArgs {
    /// Searches among clones of what was prepared, and what they say.
    pub(super) fn refined(
        &self,
        plain: &Voice,
        (inputs, reference): (&[Input], &Reference),
        (cloner, count): (&Cloner, usize),
        (models, terminal): (&Models, &Terminal),
    ) -> Result<Refined> {
        let ear = self.refine.ears.voice(models, terminal)?;
        let texts = self.refine.texts(&self.nets.quantizer)?;
        let mut speaking = Speaking::open(&self.speaking_nets(), texts, models, terminal)?;
        let prints = [ear.hear(&reference.pcm)?, ear.hear(&speaking.decoder.pcm(plain.fine())?)?];
        let references: Vec<_> = prints.into_iter().flatten().collect();
        ensure!(!references.is_empty(), Kind::Input.error("--refine: no speech is heard in the recording"));
        let clones = self.clones(plain, (inputs, reference), (cloner, count), terminal)?;
        let mut trial = speaking.trial(&ear, references, terminal);
        let refined = refine::refine(&mut trial, clones, count, usize::from(self.refine.rounds))?;
        let (kept, plain) = (refined.kept(), refined.plain());
        terminal.note(&format!(
            "kept the clone of {}: similarity {:.3}, where the plain clone has {:.3}",
            kept.candidate.way, kept.similarity, plain.similarity
        ));
        Ok(refined)
    }

    /// The plain clone, those of other stretches, and those of other ways to hear the same one.
    fn clones(
        &self,
        plain: &Voice,
        (inputs, reference): (&[Input], &Reference),
        (cloner, count): (&Cloner, usize),
        terminal: &Terminal,
    ) -> Result<Vec<Candidate>> {
        let others = self.references.others(inputs, reference, terminal)?;
        let stretch = |other: Reference| {
            let (path, taken) = (other.input.path().display().to_string(), other.seconds);
            (format!("{path} from {:.1} to {:.1} s", taken.start, taken.end), other.pcm)
        };
        let stretches: Vec<_> = others.into_iter().take(count / 3).map(stretch).collect();
        let rest = ways(&reference.pcm, count - 1 - stretches.len())?;
        let clips = stretches.into_iter().chain(rest.into_iter().map(|way| (way.words, way.pcm)));
        let mut candidates = vec![Candidate { way: "all of it".to_owned(), voice: Arc::new(plain.clone()) }];
        for (way, pcm) in clips {
            candidates.push(Candidate { way, voice: Arc::new(cloner.voice(&pcm, terminal)?) });
        }
        Ok(candidates)
    }

    fn speaking_nets(&self) -> NetArgs {
        let RefineArgs { bark, tokenizer, weights, lora, .. } = &self.refine;
        NetArgs {
            bark: bark.clone(),
            codec: Some(self.nets.codec.clone()),
            tokenizer: tokenizer.clone(),
            weights: *weights,
            lora: lora.clone(),
            keep_loaded: true,
            device: self.nets.device.clone(),
        }
    }

    pub(super) fn write_page(&self, path: &Path, refined: &Refined, reference: &Reference) -> Result<()> {
        let title = reference.input.path().display().to_string();
        let page = refine::page(&title, refined, self.refine.audio.then_some(&reference.pcm))?;
        output::write_atomically(path, self.force, |sink| Ok(sink.write_all(page.as_bytes())?))
    }
}

/// The search in JSON: what was kept, the plain clone, and every candidate by rounds.
pub fn told(refined: &Refined) -> Value {
    let rounds = refined.rounds.iter().map(|round| round.iter().map(candidate).collect::<Vec<_>>());
    json!({"kept": candidate(refined.kept()), "plain": candidate(refined.plain()), "rounds": rounds.collect::<Vec<_>>()})
}

fn candidate(tried: &Tried) -> Value {
    let takes = tried.takes.iter().map(|take| json!({"text": take.text, "score": take.score}));
    let Tried { candidate, total, similarity, .. } = tried;
    json!({"way": candidate.way, "voice_hash": candidate.voice.hash(), "total": total, "similarity": similarity,
        "takes": takes.collect::<Vec<_>>()})
}
