//! One number of all that is heard of a take, to choose the best of several.
//!
//! ```text
//! total = similarity - LETTERS * (share of letters wrong) - FAULT * badness
//! ```
//!
//! The similarity stands as it is: takes of one voice lie 0.05 to 0.1 apart in it. A part that was not heard counts
//! nothing, so that totals compare takes that were heard alike.

use super::voice::{VoiceEar, VoicePrint};
use crate::audio::Pcm;
use crate::sound::{Finding, What, badness};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is lost where all letters are wrong: a tenth of them, a word of a sentence, weighs as much as takes are apart
/// in voice.
const LETTERS: f64 = 0.5;
/// What a point of [`badness`] costs: nothing (100) loses against every sound, half a text (20) against any other voice,
/// and a tail that --trim-tail cuts off (3) against a clearly nearer voice alone.
const FAULT: f64 = 0.01;

/// What is heard of a take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// All of it in one number: higher is better.
    pub total: f64,
    /// How alike the voice is to the one that was asked for, up to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f64>,
    /// The share of the text's letters that are not heard as they should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letters_wrong: Option<f64>,
    /// How bad what does not sound right is, all in all.
    pub badness: u32,
}

impl Score {
    /// Of its parts.
    pub fn new(similarity: Option<f64>, letters_wrong: Option<f64>, findings: &[Finding]) -> Self {
        let [similarity, letters_wrong] = [similarity, letters_wrong].map(|part| part.map(rounded));
        let badness = badness(findings);
        let wrong = LETTERS * letters_wrong.unwrap_or(0.0).min(1.0);
        let total = rounded(similarity.unwrap_or(0.0) - wrong - FAULT * f64::from(badness));
        Self { total, similarity, letters_wrong, badness }
    }

    /// The parts in words, without what does not sound right; empty: nothing else was heard.
    pub fn parts(&self) -> String {
        let similarity = self.similarity.map(|similarity| format!("similarity {similarity:.2}"));
        let wrong = self.letters_wrong.map(|wrong| format!("{:.0} % of letters wrong", 100.0 * wrong));
        [similarity, wrong].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Four digits tell takes apart.
fn rounded(part: f64) -> f64 {
    (1e4 * part).round() / 1e4
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let parts = self.parts();
        write!(f, "score {:.2}", self.total)?;
        if parts.is_empty() { Ok(()) } else { write!(f, " ({parts})") }
    }
}

/// Whether the pace is that of the text, in words.
pub fn pace(findings: &[Finding]) -> &'static str {
    match findings.iter().map(|finding| finding.what).find(|what| matches!(what, What::TooFast | What::TooSlow)) {
        Some(What::TooFast) => "too fast",
        Some(_) => "too slow",
        None => "pace right",
    }
}

/// The ears that are at hand.
pub struct Judge {
    pub voice: Option<VoiceEar>,
}

impl Judge {
    /// The voice of `pcm`, for [`Judge::score`]; `None` where there is no ear for it, or no speech.
    pub fn print(&self, pcm: &Pcm) -> Result<Option<VoicePrint>> {
        self.voice.as_ref().map_or(Ok(None), |ear| ear.hear(pcm))
    }

    /// What is heard of `pcm`, which was to be in the voice of `reference` and of which `findings` were found. Where no
    /// voice is heard in it, the similarity is 0.
    pub fn score(&self, pcm: &Pcm, reference: Option<&VoicePrint>, findings: &[Finding]) -> Result<Score> {
        let similarity = match (&self.voice, reference) {
            (Some(ear), Some(reference)) => Some(ear.hear(pcm)?.map_or(0.0, |heard| ear.similarity(&heard, reference))),
            _ => None,
        };
        Ok(Score::new(similarity, None, findings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::Level;

    fn found(what: What) -> Finding {
        Finding::new(what, Level::Warning, "", "")
    }

    #[test]
    fn what_is_wrong_is_weighed_against_the_voice() {
        let total = |similarity, wrong, findings: &[Finding]| Score::new(similarity, wrong, findings).total;
        assert_eq!(total(Some(0.8), Some(0.1), &[]), 0.75);
        assert!(total(Some(1.0), None, &[found(What::Silent)]) <= total(Some(0.0), None, &[]));
        assert!(total(Some(0.8), None, &[found(What::GarbledTail)]) > total(Some(0.75), None, &[]));
        assert!(total(Some(0.9), None, &[found(What::TooFast)]) < total(Some(0.75), None, &[]));
        assert_eq!(total(None, None, &[found(What::RanOut)]), -0.1);
        assert_eq!(total(Some(0.5), Some(3.0), &[]), 0.0, "a hundred of a hundred letters is all there is to be wrong");
    }

    #[test]
    fn a_score_is_told_in_words() {
        assert_eq!(
            Score::new(Some(0.812), Some(0.031), &[]).to_string(),
            "score 0.80 (similarity 0.81, 3 % of letters wrong)"
        );
        assert_eq!(Score::new(None, None, &[]).to_string(), "score 0.00");
    }
}
