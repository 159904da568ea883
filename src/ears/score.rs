//! One number of all that is heard of a take, to choose the best of several.
//!
//! ```text
//! total = similarity - LETTERS * (share of letters wrong) + LIKELY * likelihood - TOKENS * (1 - agreement)
//!         - FAULT * badness
//! ```
//!
//! The similarity stands as it is: takes of one voice lie 0.05 to 0.1 apart in it. A part that was not heard counts
//! nothing, so that totals compare takes that were heard alike.

use super::agreement::agreement;
use super::voice::{VoiceEar, VoicePrint};
use super::words::{WordEar, Words};
use crate::audio::Pcm;
use crate::clone::Listener;
use crate::sound::{Finding, What, badness};
use crate::tokens::Semantic;
use anyhow::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What is lost where all letters are wrong: a tenth of them, a word of a sentence, weighs as much as takes are apart
/// in voice.
const LETTERS: f64 = 0.5;
/// What a nat of the text's likelihood weighs. Takes of one text lie some tenths of a nat apart: about as much as in voice.
/// Letters are wrong or right; this tells apart takes that are equally wrong, and how sure right ones are. Chosen by both,
/// takes have fewer words wrong by another net than by either alone (examples/ears/words.py).
const LIKELY: f64 = 0.1;
/// What is lost where no token is heard again. The quantizer mistakes some tokens of every take, so that this part is
/// rougher than letters, and only its differences between takes tell.
const TOKENS: f64 = 0.5;
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
    /// How likely it is that the text is said: the mean logarithm of its tokens' probabilities, nats, up to 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likelihood: Option<f64>,
    /// What is heard, where letters are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// How far the sound says the semantic tokens that it was made from, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<f64>,
    /// How bad what does not sound right is, all in all.
    pub badness: u32,
}

impl Score {
    /// Of its parts.
    pub fn new(parts: Parts, findings: &[Finding]) -> Self {
        let likelihood = parts.words.as_ref().and_then(|words| words.likelihood);
        let (letters_wrong, said) = parts.words.map(|words| (words.wrong, words.said)).unzip();
        let [similarity, letters_wrong, likelihood, agreement] =
            [parts.similarity, letters_wrong, likelihood, parts.agreement].map(|part| part.map(rounded));
        let badness = badness(findings);
        let wrong = LETTERS * letters_wrong.unwrap_or(0.0).min(1.0) - LIKELY * likelihood.unwrap_or(0.0);
        let lost = TOKENS * (1.0 - agreement.unwrap_or(1.0));
        let total = rounded(similarity.unwrap_or(0.0) - wrong - lost - FAULT * f64::from(badness));
        Self { total, similarity, letters_wrong, likelihood, said, agreement, badness }
    }

    /// The parts in words, without what does not sound right; empty: nothing else was heard.
    pub fn parts(&self) -> String {
        let similarity = self.similarity.map(|similarity| format!("similarity {similarity:.2}"));
        let wrong = self.letters_wrong.map(|wrong| format!("{:.0} % of letters wrong", 100.0 * wrong));
        let likelihood = self.likelihood.map(|likelihood| format!("likelihood {likelihood:.2}"));
        let agreement = self.agreement.map(|agreement| format!("agreement {agreement:.2}"));
        [similarity, wrong, likelihood, agreement].into_iter().flatten().collect::<Vec<_>>().join(", ")
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

/// Whether the pace is that of the text, in words; `None`: nothing is heard.
pub fn pace(findings: &[Finding]) -> Option<&'static str> {
    let has = |what: What| findings.iter().any(|finding| finding.what == what);
    if has(What::Silent) {
        None
    } else if has(What::TooFast) {
        Some("too fast")
    } else if has(What::TooSlow) {
        Some("too slow")
    } else {
        Some("pace right")
    }
}

/// What is heard of a take, less what does not sound right; `None`: not heard. See [`Score`].
#[derive(Clone, Debug, Default)]
pub struct Parts {
    pub similarity: Option<f64>,
    pub words: Option<Words>,
    pub agreement: Option<f64>,
}

/// What a take was to be; `None`: that is not asked.
#[derive(Clone, Copy, Default)]
pub struct Asked<'a> {
    pub voice: Option<&'a VoicePrint>,
    pub text: Option<&'a str>,
    pub semantic: Option<&'a Semantic>,
}

/// The ears that are at hand.
#[derive(Default)]
pub struct Judge {
    pub voice: Option<VoiceEar>,
    /// Whisper.
    pub words: Option<WordEar>,
    /// HuBERT and the quantizer.
    pub tokens: Option<Arc<Listener>>,
}

impl Judge {
    /// The voice of `pcm`, for [`Judge::score`]; `None` where there is no ear for it, or no speech.
    pub fn print(&self, pcm: &Pcm) -> Result<Option<VoicePrint>> {
        self.voice.as_ref().map_or(Ok(None), |ear| ear.hear(pcm))
    }

    /// What is heard of `pcm`, which was to be as `asked`, and of which `findings` were found. Where no voice is heard in
    /// it, the similarity is 0.
    pub fn score(&self, pcm: &Pcm, asked: Asked, findings: &[Finding]) -> Result<Score> {
        let voice = self.voice.as_ref().zip(asked.voice);
        let similarity =
            voice.map(|(ear, voice)| Ok::<_, Error>(ear.hear(pcm)?.map_or(0.0, |heard| ear.similarity(&heard, voice))));
        let tokens = self.tokens.as_ref().zip(asked.semantic);
        let agreement = tokens.map(|(listener, said)| agreement(listener, pcm, said));
        let (similarity, agreement) = (similarity.transpose()?, agreement.transpose()?);
        let words = self.words.as_ref().zip(asked.text);
        let words = words.map_or(Ok(None), |(ear, text)| ear.compare(pcm, text))?;
        Ok(Score::new(Parts { similarity, words, agreement }, findings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::Level;

    fn found(what: What) -> Finding {
        Finding::new(what, Level::Warning, "", "")
    }

    fn words(wrong: f64) -> Words {
        Words { said: "oi".into(), wrong, likelihood: None }
    }

    #[test]
    fn what_is_wrong_is_weighed_against_the_voice() {
        let total = |similarity, wrong: Option<f64>, findings: &[Finding]| {
            Score::new(Parts { similarity, words: wrong.map(words), ..Parts::default() }, findings).total
        };
        assert_eq!(total(Some(0.8), Some(0.1), &[]), 0.75);
        assert!(total(Some(1.0), None, &[found(What::Silent)]) <= total(Some(0.0), None, &[]));
        assert!(total(Some(0.8), None, &[found(What::GarbledTail)]) > total(Some(0.75), None, &[]));
        assert!(total(Some(0.9), None, &[found(What::TooFast)]) < total(Some(0.75), None, &[]));
        assert_eq!(total(None, None, &[found(What::RanOut)]), -0.1);
        assert_eq!(total(Some(0.5), Some(3.0), &[]), 0.0, "a hundred of a hundred letters is all there is to be wrong");
        let sure = |likelihood| Some(Words { likelihood: Some(likelihood), ..words(0.5) });
        let likely = |likelihood| Score::new(Parts { words: sure(likelihood), ..Parts::default() }, &[]).total;
        assert_eq!([-0.5, -2.0].map(likely), [-0.3, -0.45]);
        let agreement = |agreement| Score::new(Parts { agreement: Some(agreement), ..Parts::default() }, &[]).total;
        assert_eq!([1.0, 0.5].map(agreement), [0.0, -0.25]);
    }

    #[test]
    fn a_score_is_told_in_words() {
        let heard = Words { likelihood: Some(-0.4), ..words(0.031) };
        assert_eq!(
            Score::new(Parts { similarity: Some(0.812), words: Some(heard), agreement: Some(0.9) }, &[]).to_string(),
            "score 0.71 (similarity 0.81, 3 % of letters wrong, likelihood -0.40, agreement 0.90)"
        );
        assert_eq!(Score::new(Parts::default(), &[]).to_string(), "score 0.00");
    }
}
