//! `barkclone score`: what is heard of sounds, in numbers.

use super::ears::{self, EarArgs, WordArgs};
use super::nets;
use super::progress::Terminal;
use super::references::{ReadingArgs, once};
use super::{out, tell};
use anyhow::{Result, ensure};
use barkclone::ears::score::pace;
use barkclone::ears::{Asked, Judge, Score};
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::progress::Progress;
use barkclone::sound::{RecordedFinding, listen};
use candle_core::Device;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

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
    #[arg(long, value_name = "TEXT", value_parser = words)]
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
    ensure!(
        args.text.is_some() || !args.words.is_asked(),
        Kind::Usage.error("--word-ear hears the words of --text: say what the recordings should say")
    );
    let voice = args.voice_of.is_some().then(|| args.ears.voice(models, terminal)).transpose()?;
    let words = args.text.as_ref().map_or(Ok(None), |_| args.words.ear((models, &Device::Cpu), terminal))?;
    let judge = Judge { voice, words, ..Judge::default() };
    let reference = match (&args.voice_of, &judge.voice) {
        (Some(path), Some(ear)) => Some(ears::reference(args.reading.input(path)?, ear, terminal)?),
        _ => None,
    };
    let asked = Asked { voice: reference.as_ref(), text: args.text.as_deref(), semantic: None };
    if asked.voice.is_none() && asked.text.is_none() {
        terminal.note("only what does not sound right is judged: --voice-of compares the voice, --text the words");
    }
    let mut unread = Vec::new();
    let sounds = once(args.sounds.clone());
    for path in &sounds {
        if let Err(error) = args.one(path, (&judge, asked), terminal) {
            unread.push(error);
        }
    }
    let count = sounds.len();
    if let (Some(error), 1) = (unread.pop_if(|_| count == 1), count) {
        return Err(error);
    }
    unread.iter().for_each(|error| tell(format_args!("error: {error:#}")));
    ensure!(unread.is_empty(), Kind::Partial.error(format!("{} of {count} recordings cannot be used", unread.len())));
    Ok(())
}

impl ScoreArgs {
    /// Prints what is heard of one recording.
    fn one(&self, path: &Path, (judge, asked): (&Judge, Asked), terminal: &Terminal) -> Result<()> {
        let pcm = ears::sound(self.reading.input(path)?, terminal)?;
        let findings = listen(&pcm, asked.text, true)?;
        let heard = Heard {
            source: path.display().to_string(),
            score: judge.score(&pcm, asked, &findings)?,
            seconds: pcm.seconds(),
            pace: asked.text.and_then(|_| pace(&findings)),
            findings: findings.iter().map(RecordedFinding::from).collect(),
        };
        out(if self.json { serde_json::to_string(&heard)? + "\n" } else { heard.line() })
    }
}

/// A text of letters or digits.
fn words(text: &str) -> Result<String, &'static str> {
    let says_something = text.chars().any(char::is_alphanumeric);
    says_something.then(|| text.to_owned()).ok_or("there is nothing to say in it")
}

impl Heard {
    fn line(&self) -> String {
        let pace = self.pace.map_or(String::new(), |pace| format!(", {pace}"));
        let findings: String = self.findings.iter().map(|finding| format!("; {}", finding.message)).collect();
        format!("{}: {}{pace}{findings}\n", self.source, self.score)
    }
}
