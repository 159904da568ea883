//! A report's lines: what became of each utterance.

use super::hash::hash;
use crate::sound::RecordedFinding;
use crate::speak::Settings;
use crate::stage::fine::Context as FineContext;
use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

/// One line of a report. Of several with the same id, the last one holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub id: String,
    /// Number among all jobs of the source, and the line where it stands there.
    pub index: u64,
    pub line: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Below the output folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<String>,
    /// The WAV's length, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
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
    /// Attempts that were made, of which this is the best; none: one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes: Option<u32>,
    /// What does not sound right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<RecordedFinding>,
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
    /// When the line was written, milliseconds since 1970.
    pub at: u64,
    /// Why it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
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

/// The key of an utterance: of its text, voice, settings with the seed, and `model`, which stands for all else.
pub fn key(text: &str, voice_hash: Option<&str>, settings: &Settings, model: &str) -> u64 {
    let told = format!("{:?} {}", RecordedSettings::of(settings), settings.seed);
    let voice = voice_hash.unwrap_or("random");
    hash(&[text.as_bytes(), voice.as_bytes(), told.as_bytes(), model.as_bytes()])
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
