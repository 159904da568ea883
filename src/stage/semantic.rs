//! Text to semantic tokens (suno-ai/bark `generation.py`: `generate_text_semantic`).

use super::decode::{Next, Prompt, Row};
use super::sample::Sampler;
use crate::error::Kind;
use crate::stage::protocol::Protocol;
use crate::tokens::Semantic;
use anyhow::{Result, ensure};
use std::ops::Range;

/// When the semantic stage stops, besides drawing the end of speech.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop {
    /// Stop once the end of speech has at least this probability, after the temperature.
    pub min_eos_p: Option<f64>,
    /// Stop once more than this much speech is generated, seconds.
    pub max_seconds: Option<f64>,
}

impl Stop {
    /// Refuses a probability that is none and a time that never comes, naming the flag.
    pub fn check(&self) -> Result<()> {
        let p = self.min_eos_p.unwrap_or(1.0);
        ensure!((0.0..=1.0).contains(&p), Kind::Usage.error(format!("--min-eos-p {p}: expected 0 to 1")));
        let seconds = self.max_seconds.unwrap_or(1.0);
        let usable = seconds.is_finite() && seconds > 0.0;
        ensure!(usable, Kind::Usage.error(format!("--max-seconds {seconds}: expected more than 0")));
        Ok(())
    }
}

/// One request in the semantic stage.
#[derive(Clone)]
pub struct SemanticRow {
    prompt: Prompt,
    vocab: u32,
    eos: u32,
    max_steps: usize,
    /// Seconds a token.
    period: f64,
    stop: Stop,
    sampler: Sampler,
    candidates: Vec<f32>,
    tokens: Vec<u32>,
    seconds: f64,
}

impl SemanticRow {
    /// `text`: ids as the tokenizer gives them, at most 256; `history`: a voice's semantic tokens.
    pub fn new(protocol: &Protocol, text: &[u32], history: &[u32], stop: Stop, sampler: Sampler) -> Result<Self> {
        let prompt = prompt(protocol, text, history)?;
        Ok(Self {
            prompt,
            vocab: protocol.semantic_vocab,
            eos: protocol.semantic_eos,
            max_steps: protocol.max_semantic_steps,
            period: 1.0 / protocol.semantic_hz,
            stop,
            sampler,
            candidates: Vec::new(),
            tokens: Vec::new(),
            seconds: 0.0,
        })
    }

    /// The tokens so far, without the end of speech.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The finished tokens; refused if the model had nothing to say.
    pub fn finish(self) -> Result<Semantic> {
        ensure!(
            !self.tokens.is_empty(),
            Kind::Input.error("the model ended before saying anything: try another --seed, text or voice")
        );
        Semantic::new(self.tokens, self.vocab)
    }

    fn is_over(&self, token: u32) -> bool {
        let eos_p = self.sampler.probability(self.vocab as usize);
        token == self.vocab || self.stop.min_eos_p.is_some_and(|least| f64::from(eos_p) >= least)
    }
}

/// `[text + offset, padded] + [history, padded]` merged by adding their embeddings, then the infer token.
pub fn prompt(protocol: &Protocol, text: &[u32], history: &[u32]) -> Result<Prompt> {
    let length = protocol.text_length;
    ensure!(text.len() <= length, Kind::Input.error(format!("{} text tokens, {length} fit", text.len())));
    let mut tokens: Vec<u32> = text.iter().map(|id| id.saturating_add(protocol.text_offset)).collect();
    tokens.resize(length, protocol.text_pad);
    tokens.push(protocol.semantic_infer);
    let mut merged = history[history.len().saturating_sub(length)..].to_vec();
    merged.resize(length, protocol.semantic_pad);
    Ok(Prompt { tokens, merged })
}

impl Row for SemanticRow {
    fn prompt(&self) -> Prompt {
        self.prompt.clone()
    }

    fn wanted(&self) -> Range<usize> {
        0..self.vocab.max(self.eos + 1) as usize
    }

    fn next(&mut self, logits: &[f32]) -> Result<Next> {
        // The candidates are the semantic tokens, and last the end of speech.
        self.candidates.clear();
        self.candidates.extend_from_slice(&logits[..self.vocab as usize]);
        self.candidates.push(logits[self.eos as usize]);
        let token = self.sampler.draw(&self.candidates)? as u32;
        if self.is_over(token) {
            return Ok(Next::Done);
        }
        self.tokens.push(token);
        self.seconds += self.period;
        let long_enough = self.stop.max_seconds.is_some_and(|max| self.seconds > max);
        Ok(if long_enough || self.tokens.len() == self.max_steps { Next::Done } else { Next::Token(token) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::sample::Sampling;

    const FOREVER: Stop = Stop { min_eos_p: Some(0.2), max_seconds: None };

    fn row(stop: Stop, sampling: Sampling) -> SemanticRow {
        SemanticRow::new(&Protocol::default(), &[1, 2], &[], stop, Sampler::new(sampling, 1, 0)).unwrap()
    }

    fn logits(favourite: usize) -> Vec<f32> {
        (0..10_001).map(|i| if i == favourite { 9.0 } else { 0.0 }).collect()
    }

    #[test]
    fn the_prompt_is_padded_text_over_the_tail_of_the_history() {
        let history: Vec<u32> = (0..300).collect();
        let prompt = prompt(&Protocol::default(), &[5, 6], &history).unwrap();
        assert_eq!(prompt.tokens[..3], [10_053, 10_054, 129_595]);
        assert_eq!((prompt.tokens.len(), prompt.tokens[256]), (257, 129_599));
        assert_eq!((prompt.merged[0], prompt.merged[255]), (44, 299));
    }

    #[test]
    fn a_short_history_is_padded_on_the_right() {
        let prompt = prompt(&Protocol::default(), &[5], &[7, 8]).unwrap();
        assert_eq!(prompt.merged[..3], [7, 8, 10_000]);
        assert_eq!(prompt.merged.len(), 256);
    }

    #[test]
    fn the_end_of_speech_ends_the_row_and_is_not_kept() {
        let mut row = row(FOREVER, Sampling::GREEDY);
        assert_eq!(row.next(&logits(42)).unwrap(), Next::Token(42));
        assert_eq!(row.next(&logits(10_000)).unwrap(), Next::Done);
        assert_eq!(row.finish().unwrap().as_slice(), [42]);
    }

    #[test]
    fn a_likely_end_of_speech_ends_the_row_even_if_not_drawn() {
        let mut logits = logits(10_000);
        logits[7] = 9.5; // P(end) is about 0.28
        let stop = Stop { min_eos_p: Some(0.2), ..FOREVER };
        assert_eq!(row(stop, Sampling { top_k: Some(2), ..Sampling::at(1.0) }).next(&logits).unwrap(), Next::Done);
        let mut never = row(Stop { min_eos_p: None, ..FOREVER }, Sampling::GREEDY);
        assert_eq!(never.next(&logits).unwrap(), Next::Token(7));
    }

    #[test]
    fn max_seconds_stops_after_the_token_that_passes_it() {
        // Upstream adds 1/49.9 s a token and stops when the sum is larger: 0.1 s is passed by the fifth token.
        let mut row = row(Stop { max_seconds: Some(0.1), ..FOREVER }, Sampling::GREEDY);
        let answers: Vec<_> = (0..5).map(|_| row.next(&logits(3)).unwrap()).collect();
        assert_eq!(answers[3..], [Next::Token(3), Next::Done]);
        assert_eq!(row.tokens().len(), 5);
    }

    #[test]
    fn the_row_ends_at_768_steps() {
        let mut row = row(FOREVER, Sampling::GREEDY);
        let steps = (1..).find(|_| row.next(&logits(3)).unwrap() == Next::Done).unwrap();
        assert_eq!(steps, 768);
    }

    #[test]
    fn limits_that_make_no_sense_are_refused_by_flag() {
        let stop = |min_eos_p, max_seconds| Stop { min_eos_p, max_seconds }.check();
        assert!(stop(Some(0.0), Some(0.1)).is_ok());
        assert!(stop(Some(1.5), None).unwrap_err().to_string().contains("--min-eos-p"));
        assert!(stop(None, Some(0.0)).unwrap_err().to_string().contains("--max-seconds"));
        assert!(stop(None, Some(f64::NAN)).is_err());
    }

    #[test]
    fn saying_nothing_is_an_error() {
        let mut row = row(FOREVER, Sampling::GREEDY);
        assert_eq!(row.next(&logits(10_000)).unwrap(), Next::Done);
        assert!(row.finish().unwrap_err().to_string().contains("--seed"));
    }
}
