//! What a check finds: what is wrong, how badly, where, and what to do about it.

use serde::Serialize;
use std::fmt;
use std::ops::Range;

/// How much a finding matters to the voice that will come of the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know: the voice will hardly suffer.
    Note,
    /// The voice will be worse than it could be.
    Warning,
    /// The voice will be bad, or there will be none.
    Bad,
}

/// What was found. Under the same level, findings are told in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    NoSpeech,
    Short,
    Long,
    LittleSpeech,
    Clipping,
    Noise,
    SecondSpeaker,
    Music,
    Reverb,
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
            What::NoSpeech => "no speech",
            What::Short => "short",
            What::Long => "long",
            What::LittleSpeech => "little speech",
            What::Clipping => "clipping",
            What::Noise => "noise",
            What::SecondSpeaker => "second speaker",
            What::Music => "music",
            What::Reverb => "reverberation",
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
