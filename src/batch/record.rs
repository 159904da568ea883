//! A report's lines: what became of each utterance.

use super::files::{State, WrittenFile};
use super::hash::hash;
use super::job::Item;
use super::plan::Task;
use crate::ears::Score;
use crate::sound::{RecordedFinding, weight};
use crate::speak::Settings;
use crate::stage::fine::Context as FineContext;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// One line of a report. Of several with the same id, the last one holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub id: String,
    /// Number among all jobs of the source, and the line where it stands there; of an EPUB the number of its piece.
    pub index: u64,
    pub line: u64,
    /// Of an EPUB; reports of earlier versions do not hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chapter: Option<u64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The recording that it was made of, where it is not of a text, and the SHA-256 of its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_sha256: Option<String>,
    /// Below the output folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<String>,
    /// Where it was before it was renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The file's length, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// When the file was last written, milliseconds since 1970, and its SHA-256: who edits it changes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// As asked for; none: a random one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<RecordedSettings>,
    /// Fingerprint of the models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Changes with anything that decides the sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Semantic tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<usize>,
    /// Length of the sound, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Seconds from its beginning to its end; in a batch, others were under way in that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took: Option<f64>,
    /// Seconds of the run's time since the utterance before it was finished: those of a run add up to its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// `took / seconds`: below 1 is faster than speech.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub real_time_factor: Option<f64>,
    /// How often it was made once more with another seed, because that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redone: Option<u64>,
    /// Attempts that were made, of which this is the best; none: one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes: Option<u32>,
    /// What was heard of it, where it was chosen among several takes; and of each of these, in the order of their seeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heard: Vec<RecordedTake>,
    /// What does not sound right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<RecordedFinding>,
    /// What was changed in the sound after that was heard, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augment: Option<String>,
    /// The chain of utterances that it goes on in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<u64>,
    /// Hash of the voice that the utterance itself gave the next one of its chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continues: Option<String>,
    /// Where it lies in the file that it was joined into, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<f64>,
    /// The command line that made it, as a shell reads it, but for what does not make it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The files that all utterances were joined into, as they were written: the sound, and its subtitles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<WrittenFile>,
    /// When the line was written, milliseconds since 1970.
    pub at: u64,
    /// Why it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Record {
    /// With what the task says of itself.
    pub(super) fn placed(self, task: &Task) -> Self {
        let out = Some(task.out.to_string_lossy().into_owned());
        let (source, source_sha256) = match &task.item {
            Item::Text(_) => (None, None),
            Item::Recording(source) => (Some(source.shown().into_owned()), Some(source.sha256.clone())),
        };
        let (id, text) = (task.id.clone(), task.item.text().to_owned());
        let Task { index, line, chapter, chain, .. } = *task;
        Self { id, index, line, chapter, text, source, source_sha256, out, chain, ..self }
    }

    /// Where it comes from, for messages: the recording, the line of the list, or the piece of a chapter.
    pub fn place(&self) -> String {
        self.source.clone().unwrap_or_else(|| place(self.line, self.chapter))
    }

    /// How bad what does not sound right is, all in all.
    pub fn faults(&self) -> u32 {
        self.findings.iter().map(|finding| weight(finding.fault)).sum()
    }
}

/// What a line is called, or the piece of that number of a document with chapters.
pub(super) fn place(line: u64, chapter: Option<u64>) -> String {
    chapter.map_or_else(|| format!("line {line}"), |chapter| format!("piece {line}, chapter {chapter}"))
}

/// One of several takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedTake {
    pub seed: u64,
    #[serde(flatten)]
    pub score: Score,
    /// Its file, below the output folder, where it is kept beside the best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out: Option<String>,
    /// That file as it was written; reports of earlier versions do not hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<WrittenFile>,
}

impl RecordedTake {
    /// Whether its file is there, whoever changed it.
    pub(super) fn is_there(&self, folder: &Path) -> bool {
        self.out.as_ref().is_some_and(|out| fs::symlink_metadata(folder.join(out)).is_ok())
    }

    /// Its file, where it is kept beside the best and is as it was written.
    pub(super) fn kept(&self, folder: &Path) -> Option<PathBuf> {
        let path = folder.join(self.out.as_ref()?);
        (self.file.as_ref()?.state(&path) == Some(State::AsWritten)).then_some(path)
    }
}

/// Settings by the names of their flags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedSettings {
    pub text_temp: f64,
    pub waveform_temp: f64,
    pub fine_temp: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_eos_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<f64>,
    pub coarse_history: usize,
    pub coarse_window: usize,
    /// Whether only as many fine passes are made as the utterance needs.
    pub fewest_fine: bool,
}

impl RecordedSettings {
    pub fn of(settings: &Settings) -> Self {
        Self {
            text_temp: settings.text.temperature,
            waveform_temp: settings.coarse.temperature,
            fine_temp: settings.fine.temperature,
            top_k: settings.text.top_k,
            top_p: settings.text.top_p,
            min_eos_p: settings.stop.min_eos_p,
            max_seconds: settings.stop.max_seconds,
            coarse_history: settings.windows.history,
            coarse_window: settings.windows.window,
            fewest_fine: settings.fine_context == FineContext::Fewest,
        }
    }
}

impl RecordedSettings {
    /// For the key. It stays as it is, letter for letter: reports of earlier versions hold keys made of it.
    fn told(&self, seed: u64) -> String {
        let Self { text_temp, waveform_temp, fine_temp, top_k, top_p, min_eos_p, max_seconds, .. } = self;
        let Self { coarse_history, coarse_window, fewest_fine, .. } = self;
        format!(
            "Told {{ text_temp: {text_temp:?}, waveform_temp: {waveform_temp:?}, fine_temp: {fine_temp:?}, \
             top_k: {top_k:?}, top_p: {top_p:?}, min_eos_p: {min_eos_p:?}, max_seconds: {max_seconds:?}, \
             coarse_history: {coarse_history:?}, coarse_window: {coarse_window:?}, fewest_fine: {fewest_fine:?} }} {seed}"
        )
    }
}

/// The key of a result: of its item, voice, settings with the seed, and `model`, which stands for all else.
pub fn key(item: &Item, voice_hash: Option<&str>, settings: Option<&Settings>, model: &str) -> u64 {
    let told = settings.map_or(String::new(), |s| RecordedSettings::of(s).told(s.seed));
    let voice = voice_hash.unwrap_or("random");
    let parts = [item.identity(), voice.as_bytes(), told.as_bytes(), model.as_bytes()];
    match item {
        Item::Text(_) => hash(&parts),
        Item::Recording(_) => hash(&[&[&b"recording"[..]], &parts[..]].concat()),
    }
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds are exact enough for a report.
pub fn rounded(seconds: f64) -> f64 {
    (1e3 * seconds).round() / 1e3
}
