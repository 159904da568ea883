//! Semantic to coarse tokens, in sliding windows (suno-ai/bark `generation.py`: `generate_coarse`).

use super::decode::{Next, Prompt, Row};
use super::sample::Sampler;
use crate::error::Kind;
use crate::stage::protocol::{COARSE_CONTEXT, COARSE_HISTORIES, Protocol};
use crate::tokens::{COARSE_CODEBOOKS, Coarse, Semantic, coarse_history};
use anyhow::{Result, ensure};
use std::ops::Range;

/// How far back the stage looks and how much it writes before it looks anew, in flattened coarse tokens (150 Hz).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// 60 (faster) to 630 (more context).
    pub history: usize,
    /// Tokens a window.
    pub window: usize,
}

impl Windows {
    /// Four times fewer windows than upstream's, each seeing half as far back.
    pub const FAST: Windows = Windows { history: 312, window: 456 };

    /// Upstream's own limits: history 60..=630, history and window together at most 768.
    pub fn check(&self) -> Result<()> {
        let usage = |message: String| Kind::Usage.error(message);
        ensure!(
            COARSE_HISTORIES.contains(&self.history),
            usage(format!("--coarse-history {}: expected 60 (faster) to 630 (more context)", self.history))
        );
        ensure!(self.window >= 1, usage("--coarse-window 0: expected at least 1".into()));
        ensure!(
            self.window <= COARSE_CONTEXT - self.history,
            usage(format!(
                "--coarse-history {} and --coarse-window {}: at most 768 together",
                self.history, self.window
            ))
        );
        Ok(())
    }
}

/// One request in the coarse stage.
#[derive(Clone)]
pub struct CoarseRow {
    protocol: Protocol,
    windows: Windows,
    sampler: Sampler,
    /// The voice's semantic tokens, then the utterance's.
    semantic: Vec<u32>,
    /// How many of `semantic` are the voice's.
    base: usize,
    /// Flattened and offset: the voice's coarse tokens, then those generated.
    coarse: Vec<u32>,
    /// How many of `coarse` are the voice's.
    history: usize,
    steps: usize,
}

impl CoarseRow {
    /// `voice`: semantic and coarse tokens of the same stretch of speech.
    pub fn new(
        protocol: &Protocol,
        windows: Windows,
        semantic: &Semantic,
        voice: Option<(&Semantic, &Coarse)>,
        sampler: Sampler,
    ) -> Result<Self> {
        let (mut all, coarse) = match voice {
            Some((semantic, coarse)) => histories(protocol, windows, semantic, coarse),
            None => Default::default(),
        };
        let base = all.len();
        all.extend_from_slice(semantic.as_slice());
        let frames = (semantic.len() as f64 * protocol.coarse_ratio() / COARSE_CODEBOOKS as f64) as usize;
        ensure!(frames > 0, Kind::Input.error("no semantic tokens: there is nothing to voice"));
        let history = coarse.len();
        let protocol = protocol.clone();
        Ok(Self { protocol, windows, sampler, semantic: all, base, coarse, history, steps: frames * COARSE_CODEBOOKS })
    }

    /// Tokens to generate in all.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Frames that are complete.
    pub fn frames(&self) -> usize {
        self.done() / COARSE_CODEBOOKS
    }

    /// Tokens generated so far.
    pub fn done(&self) -> usize {
        self.coarse.len() - self.history
    }

    /// The codes of the frames that are complete, in the end all of them. They stay as they are.
    pub fn codes(&self) -> Result<Coarse> {
        let size = self.protocol.codebook_size;
        let offset = |book: usize| self.protocol.semantic_vocab + book as u32 * size;
        let frames = self.coarse[self.history..].chunks_exact(COARSE_CODEBOOKS);
        let row = |book: usize| frames.clone().map(move |frame| frame[book] - offset(book));
        Coarse::new([row(0).collect(), row(1).collect()], size)
    }
}

/// The voice's part of the context: equally long stretches of semantic and flattened coarse tokens.
fn histories(protocol: &Protocol, windows: Windows, semantic: &Semantic, coarse: &Coarse) -> (Vec<u32>, Vec<u32>) {
    let ratio = protocol.coarse_ratio();
    let flat = flatten(protocol, coarse);
    let (n_semantic, n_coarse) = coarse_history(semantic.len(), flat.len(), windows.history, ratio);
    let (semantic, flat) = (last(semantic.as_slice(), n_semantic), last(&flat, n_coarse));
    // Upstream drops the last frame "for time alignment (sounds better)".
    (semantic.to_vec(), flat[..flat.len().saturating_sub(COARSE_CODEBOOKS)].to_vec())
}

/// Python's `tokens[-n:]`, where 0 means all of them.
fn last(tokens: &[u32], n: usize) -> &[u32] {
    if n == 0 { tokens } else { &tokens[tokens.len().saturating_sub(n)..] }
}

/// Column by column, each codebook in its own range of ids.
fn flatten(protocol: &Protocol, coarse: &Coarse) -> Vec<u32> {
    let [first, second] = coarse.rows();
    let offset = protocol.semantic_vocab;
    first.iter().zip(second).flat_map(|(a, b)| [a + offset, b + offset + protocol.codebook_size]).collect()
}

fn max_semantic_history(protocol: &Protocol, windows: Windows) -> usize {
    (windows.history as f64 / protocol.coarse_ratio()) as usize
}

impl Row for CoarseRow {
    /// Semantic tokens around the present position, padded; the infer token; the latest coarse tokens.
    fn prompt(&self) -> Prompt {
        let protocol = &self.protocol;
        let index = self.base + (self.done() as f64 / protocol.coarse_ratio()).round_ties_even() as usize;
        let start = index.saturating_sub(max_semantic_history(protocol, self.windows)).min(self.semantic.len());
        let mut tokens: Vec<u32> =
            self.semantic[start..].iter().copied().take(protocol.coarse_semantic_length).collect();
        tokens.resize(protocol.coarse_semantic_length, protocol.coarse_semantic_pad);
        tokens.push(protocol.coarse_infer);
        tokens.extend_from_slice(last(&self.coarse, self.windows.history));
        Prompt { tokens, merged: Vec::new() }
    }

    /// The codebook whose turn it is.
    fn wanted(&self) -> Range<usize> {
        let size = self.protocol.codebook_size as usize;
        let start = self.protocol.semantic_vocab as usize + self.done() % COARSE_CODEBOOKS * size;
        start..start + size
    }

    fn next(&mut self, logits: &[f32]) -> Result<Next> {
        let token = (self.wanted().start + self.sampler.draw(logits)?) as u32;
        self.coarse.push(token);
        Ok(match self.done() {
            done if done == self.steps => Next::Done,
            done if done % self.windows.window == 0 => Next::Restart(self.prompt()),
            _ => Next::Token(token),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::sample::Sampling;

    const WINDOWS: Windows = Windows { history: 630, window: 60 };

    fn row(semantic: usize, voice: Option<(usize, usize)>) -> CoarseRow {
        let tokens = |n: usize| Semantic::new((0..n as u32).collect(), 10_000).unwrap();
        let voice = voice.map(|(s, t)| {
            let codes = Coarse::new([(0..t as u32).collect(), (0..t as u32).rev().collect()], 1024).unwrap();
            (tokens(s), codes)
        });
        let voice = voice.as_ref().map(|(s, c)| (s, c));
        CoarseRow::new(&Protocol::default(), WINDOWS, &tokens(semantic), voice, Sampler::new(Sampling::GREEDY, 1, 1))
            .unwrap()
    }

    fn choose(id: usize) -> Vec<f32> {
        (0..1024).map(|i| if i == id { 1.0 } else { 0.0 }).collect()
    }

    #[test]
    fn ten_semantic_tokens_make_fifteen_frames() {
        let mut row = row(10, None);
        assert_eq!(row.steps(), 30);
        while row.next(&choose(row.done())).unwrap() != Next::Done {}
        let codes = row.codes().unwrap();
        assert_eq!(codes.frames(), 15);
        assert_eq!(codes.rows()[0][..3], [0, 2, 4]);
        assert_eq!(codes.rows()[1][..3], [1, 3, 5]);
    }

    #[test]
    fn even_steps_read_the_first_codebook_and_odd_steps_the_second() {
        let mut row = row(10, None);
        assert_eq!(row.wanted(), 10_000..11_024);
        assert_eq!(row.next(&choose(5)).unwrap(), Next::Token(10_005));
        assert_eq!(row.wanted(), 11_024..12_048);
        assert_eq!(row.next(&choose(5)).unwrap(), Next::Token(11_029));
    }

    #[test]
    fn without_a_voice_the_first_prompt_is_padded_semantic_tokens_and_the_infer_token() {
        let prompt = row(10, None).prompt().tokens;
        assert_eq!(prompt.len(), 257);
        assert_eq!(prompt[..11], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12_048]);
        assert_eq!(prompt[256], 12_050);
    }

    #[test]
    fn a_long_voice_gives_209_semantic_tokens_and_626_coarse_ones() {
        // 209 * 3.006012 = 628.26: 628 coarse tokens, of which the last two are dropped.
        let row = row(100, Some((400, 601)));
        assert_eq!((row.base, row.history), (209, 626));
        assert_eq!(row.semantic[0], 191);
        assert_eq!(row.coarse[625], 11_024 + 1);
        let prompt = row.prompt().tokens;
        assert_eq!(prompt.len(), 257 + 626);
        assert_eq!((prompt[0], prompt[209], prompt[255]), (191, 0, 46));
    }

    #[test]
    fn a_short_voice_is_cut_to_an_even_number_of_semantic_tokens() {
        let row = row(100, Some((51, 77)));
        // min(209, 50, floor(154 / 3.006) = 51) = 50; round(150.3) = 150, minus 2.
        assert_eq!((row.base, row.history), (50, 148));
        assert_eq!(row.semantic[0], 1);
    }

    #[test]
    fn every_sixty_tokens_the_window_moves() {
        let mut row = row(400, Some((400, 601)));
        let restart = (1..).find_map(|n| match row.next(&choose(0)).unwrap() {
            Next::Restart(prompt) => Some((n, prompt)),
            _ => None,
        });
        let (steps, prompt) = restart.unwrap();
        assert_eq!(steps, 60);
        // round(60 / 3.006) = 20 semantic tokens on; the last 630 coarse ones of 686.
        assert_eq!((prompt.tokens[0], prompt.tokens.len()), (211, 257 + 630));
    }

    #[test]
    fn windows_outside_upstreams_limits_are_refused() {
        assert!(Windows { history: 59, window: 60 }.check().is_err());
        assert!(Windows { history: 631, window: 60 }.check().is_err());
        assert!(Windows { history: 630, window: 139 }.check().is_err());
        assert!(Windows { history: 60, window: 0 }.check().is_err());
        assert!(Windows { history: 312, window: 456 }.check().is_ok());
    }
}
