//! What is found of a sound: what is wrong, how badly, where, and what to do about it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// How much a finding matters: to the voice that comes of a recording, or to whoever hears an utterance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know: the voice will hardly suffer.
    Note,
    /// The voice will be worse than it could be; the utterance may not sound right.
    Warning,
    /// The voice will be bad, or there will be none; the utterance is of no use.
    Bad,
}

/// What was found: of utterances the first of these and clipping, of recordings all others. Under the same level,
/// findings are told in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    Silent,
    TooFast,
    RanOut,
    TooSlow,
    GarbledTail,
    NoSpeech,
    Short,
    Long,
    LittleSpeech,
    // As reports called it.
    #[serde(alias = "clipped")]
    Clipping,
    Noise,
    SecondSpeaker,
    Music,
    Bandwidth,
    CutEnd,
    CutStart,
    Hum,
    Quiet,
    Loud,
    SilenceEnd,
    SilenceInside,
    SilenceStart,
    Offset,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    pub what: What,
    pub level: Level,
    /// What was measured, in a few words.
    pub message: String,
    /// What to do.
    pub advice: String,
    /// Where, seconds of the recording; empty: everywhere.
    pub at: Vec<Range<f64>>,
    /// 0 to 1, of what is only a hint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

impl Finding {
    pub fn new(what: What, level: Level, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what, level, message: message.into(), advice: advice.into(), at: Vec::new(), confidence: None }
    }

    pub fn at(self, at: impl Into<Vec<Range<f64>>>) -> Self {
        Self { at: at.into(), ..self }
    }

    /// A hint: not measured, but guessed from what was.
    pub fn hint(self, confidence: f64) -> Self {
        Self { confidence: Some((confidence.clamp(0.0, 1.0) * 100.0).round() / 100.0), ..self }
    }
}

/// In one line: what, where, and what to do.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = self.confidence.map_or(String::new(), |c| format!(" (a hint, {:.0} % sure)", 100.0 * c));
        let at = match self.at.as_slice() {
            [] => String::new(),
            [at] => format!(", {:.1} to {:.1} s", at.start, at.end),
            [first, .., last] => format!(", {} places, {:.1} to {:.1} s", self.at.len(), first.start, last.end),
        };
        write!(f, "{}{hint}: {}{at}; {}", self.what, self.message, self.advice)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Bad => "bad",
        })
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            What::Silent => "silent",
            What::TooFast => "too fast",
            What::RanOut => "stopped before its end",
            What::TooSlow => "too slow",
            What::GarbledTail => "garbled end",
            What::NoSpeech => "no speech",
            What::Short => "short",
            What::Long => "long",
            What::LittleSpeech => "little speech",
            What::Clipping => "clipping",
            What::Noise => "noise",
            What::SecondSpeaker => "second speaker",
            What::Music => "music",
            What::Bandwidth => "bandwidth",
            What::CutEnd => "cut at the end",
            What::CutStart => "cut at the start",
            What::Hum => "mains hum",
            What::Quiet => "quiet",
            What::Loud => "loud",
            What::SilenceEnd => "silence at the end",
            What::SilenceInside => "silence inside",
            What::SilenceStart => "silence at the start",
            What::Offset => "DC offset",
        })
    }
}

/// A finding of an utterance as a line of a report holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedFinding {
    pub fault: What,
    /// In a few words, with the number that told.
    pub message: String,
    /// Where first, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Range<f64>>,
}

impl From<&Finding> for RecordedFinding {
    fn from(finding: &Finding) -> Self {
        Self { fault: finding.what, message: finding.message.clone(), at: finding.at.first().cloned() }
    }
}
