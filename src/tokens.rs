//! The tokens that flow between the stages, and the constants of Bark's protocol (suno-ai/bark `generation.py`).

use crate::error::Kind;
use anyhow::{Result, ensure};
use std::ops::Range;

/// Sample rate of Bark's and EnCodec's audio, Hz.
pub const SAMPLE_RATE: u32 = 24_000;
/// Sample rate that HuBERT hears, Hz.
pub const HUBERT_RATE: u32 = 16_000;
/// Audio samples of one EnCodec frame: 24000 / 75.
pub const FRAME_SAMPLES: usize = 320;
/// Rate of semantic tokens, Hz.
pub const SEMANTIC_HZ: f64 = 49.9;
/// Rate of EnCodec frames (coarse and fine), Hz.
pub const CODES_HZ: f64 = 75.0;
/// Codebooks that the coarse stage writes.
pub const COARSE_CODEBOOKS: usize = 2;
/// Codebooks of a finished utterance (6 kbps).
pub const FINE_CODEBOOKS: usize = 8;
/// Entries of one EnCodec codebook.
pub const CODEBOOK_SIZE: u32 = 1024;
/// Semantic tokens are 0..SEMANTIC_VOCAB.
pub const SEMANTIC_VOCAB: u32 = 10_000;

/// Bark's windows, that is, how much of a voice each stage is given at most (suno-ai/bark `generation.py`): semantic tokens
/// in the semantic stage,
pub const SEMANTIC_HISTORY: usize = 256;
/// codes of both codebooks together in the coarse stage,
pub const COARSE_HISTORY: usize = 630;
/// and frames in the fine stage, which goes on by as many with each pass,
pub const FINE_HISTORY: usize = 512;
/// each pass being over so many.
pub const FINE_WINDOW: usize = 1024;

/// How much of a voice of `semantic` tokens and `codes` coarse codes (of both codebooks together) the coarse stage is given:
/// equally long stretches of both, at `ratio` codes a token and up to `most` codes (`generate_coarse`).
pub fn coarse_history(semantic: usize, codes: usize, most: usize, ratio: f64) -> (usize, usize) {
    let fitting = |codes: usize| (codes as f64 / ratio) as usize;
    let tokens = fitting(most).min(semantic - semantic % 2).min(fitting(codes));
    (tokens, (tokens as f64 * ratio).round_ties_even() as usize)
}

/// Semantic tokens `[S]`, 49.9 Hz.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Semantic(Vec<u32>);

impl Semantic {
    /// Checks that every token is below `vocab` (10000 for the published models).
    pub fn new(tokens: Vec<u32>, vocab: u32) -> Result<Self> {
        check_range("semantic token", &tokens, vocab)?;
        Ok(Self(tokens))
    }

    pub fn as_slice(&self) -> &[u32] {
        &self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Duration at 49.9 Hz, seconds.
    pub fn seconds(&self) -> f64 {
        self.0.len() as f64 / SEMANTIC_HZ
    }
}

/// EnCodec codes `[K, T]`, 75 Hz: `K` rows (codebooks) of equal length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codes<const K: usize> {
    rows: [Vec<u32>; K],
}

/// The two coarse codebooks `[2, T]`.
pub type Coarse = Codes<COARSE_CODEBOOKS>;
/// All eight codebooks `[8, T]`.
pub type Fine = Codes<FINE_CODEBOOKS>;

impl<const K: usize> Codes<K> {
    /// Checks that the rows are equally long and every code is below `codebook_size` (1024 as published).
    pub fn new(rows: [Vec<u32>; K], codebook_size: u32) -> Result<Self> {
        for row in &rows {
            ensure!(
                row.len() == rows[0].len(),
                Kind::Input.error(format!("codebook rows differ in length: {} and {}", rows[0].len(), row.len()))
            );
            check_range("code", row, codebook_size)?;
        }
        Ok(Self { rows })
    }

    pub fn rows(&self) -> &[Vec<u32>; K] {
        &self.rows
    }

    /// Number of frames `T`.
    pub fn frames(&self) -> usize {
        self.rows[0].len()
    }

    /// Some of the frames: a range within `0..T`.
    pub fn part(&self, frames: Range<usize>) -> Self {
        Self { rows: self.rows.each_ref().map(|row| row[frames.clone()].to_vec()) }
    }

    /// Duration at 75 Hz, seconds.
    pub fn seconds(&self) -> f64 {
        self.frames() as f64 / CODES_HZ
    }
}

fn check_range(what: &str, values: &[u32], limit: u32) -> Result<()> {
    match values.iter().find(|&&v| v >= limit) {
        None => Ok(()),
        Some(v) => Err(Kind::Input.error(format!("{what} {v} is out of range: 0 to {}", limit - 1)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_out_of_range_are_refused() {
        assert!(Semantic::new(vec![0, 9_999], SEMANTIC_VOCAB).is_ok());
        let error = Semantic::new(vec![10_000], SEMANTIC_VOCAB).unwrap_err();
        assert_eq!(error.to_string(), "semantic token 10000 is out of range: 0 to 9999");
        assert!(Coarse::new([vec![0], vec![1024]], CODEBOOK_SIZE).is_err());
    }

    #[test]
    fn ragged_codebooks_are_refused() {
        assert!(Coarse::new([vec![0, 1], vec![0]], CODEBOOK_SIZE).is_err());
    }
}
