//! `barkclone score`: what is heard of sounds, in numbers.

use super::ears::{self, EarArgs, WordArgs};
use super::nets;
use super::out;
use super::progress::Terminal;
use super::references::ReadingArgs;
use anyhow::Result;
use barkclone::ears::score::pace;
use barkclone::ears::{Asked, Judge, Score};
use barkclone::models::Models;
use barkclone::sound::{RecordedFinding, listen};
use candle_core::Device;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Judge speech, in numbers: whose voice it is, which words are wrong, and what does not sound right
///
/// Prints a line for each recording. The score is what `speak --best-of` chooses by: the similarity of the voice, less
/// half the share of the text's letters that are heard wrong, less half the share of its tokens that `speak` and
/// `convert` do not hear again, less 0.01 for each point of what does not sound right (nothing heard 100; too fast 20; too slow 10; a garbled end 3;
/// anything else 5). Similarities of one ear can be compared with each other, and with no other ear's. Of a recording
/// longer than 300 seconds the last 300 are heard.
#[derive(Args, Debug)]
#[command(arg = nets::demo().help_heading("Ears"))]
pub struct ScoreArgs {
    /// Recordings of speech
    #[arg(required = true, value_name = "WAV")]
    sounds: Vec<PathBuf>,
    /// Whose voice it should be: a recording of that voice
    #[arg(long, value_name = "REF")]
    voice_of: Option<PathBuf>,
    /// What it should say: its pace is judged, and its words where Whisper is at hand
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Print a line of JSON for each recording instead
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    ears: EarArgs,
    #[command(flatten)]
    words: WordArgs,
    #[command(flatten)]
    reading: ReadingArgs,
}

/// What is heard of one sound.
#[derive(Serialize)]
struct Heard {
    source: String,
    #[serde(flatten)]
    score: Score,
    seconds: f64,
    findings: Vec<RecordedFinding>,
    #[serde(skip)]
    pace: Option<&'static str>,
}

pub fn run(args: &ScoreArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    let voice = args.voice_of.is_some().then(|| args.ears.voice(models, terminal)).transpose()?;
    let words = args.text.as_ref().map_or(Ok(None), |_| args.words.ear((models, &Device::Cpu), terminal))?;
    let judge = Judge { voice, words, ..Judge::default() };
    let reference = match (&args.voice_of, &judge.voice) {
        (Some(path), Some(ear)) => Some(ears::reference(args.reading.input(path)?, ear, terminal)?),
        _ => None,
    };
    for path in &args.sounds {
        let pcm = ears::sound(args.reading.input(path)?, terminal)?;
        let findings = listen(&pcm, args.text.as_deref(), true)?;
        let heard = Heard {
            source: path.display().to_string(),
            score: judge.score(
                &pcm,
                Asked { voice: reference.as_ref(), text: args.text.as_deref(), semantic: None },
                &findings,
            )?,
            seconds: pcm.seconds(),
            pace: args.text.as_ref().map(|_| pace(&findings)),
            findings: findings.iter().map(RecordedFinding::from).collect(),
        };
        out(if args.json { serde_json::to_string(&heard)? + "\n" } else { heard.line() })?;
    }
    Ok(())
}

impl Heard {
    fn line(&self) -> String {
        let pace = self.pace.map_or(String::new(), |pace| format!(", {pace}"));
        let findings: String = self.findings.iter().map(|finding| format!("; {}", finding.message)).collect();
        format!("{}: {}{pace}{findings}\n", self.source, self.score)
    }
}
