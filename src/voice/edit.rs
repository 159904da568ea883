//! Voices out of voices: a stretch of one, several after each other, two side by side.

use super::{Voice, tail};
use crate::error::Kind;
use crate::tokens::{CODES_HZ, Codes, SEMANTIC_HZ, Semantic};
use anyhow::{Result, ensure};
use std::ops::Range;

impl Voice {
    /// Duration of its codes, seconds.
    pub fn seconds(&self) -> f64 {
        self.coarse.seconds()
    }

    /// The stretch between two moments, in seconds from its start; all three arrays are counted from their common end, and
    /// keep Bark's ratio.
    ///
    /// # Errors
    /// A stretch that is none, lies outside of the voice, or is too short for the ratio.
    pub fn cut(&self, stretch: Range<f64>) -> Result<Voice> {
        let (start, end, whole) = (stretch.start, stretch.end, self.seconds());
        // A moment that was printed with one digit may lie a little behind the end.
        let inside = start >= 0.0 && start < end && end <= whole + 0.05;
        ensure!(inside, Kind::Input.error(format!("no stretch from {start} s to {end} s in a voice of {whole:.2} s")));
        let (kept, dropped) = (end.min(whole) - start, (whole - end).max(0.0));
        let count = |seconds: f64, rate: f64| (seconds * rate).round() as usize;
        let codes = [count(kept, CODES_HZ), count(dropped, CODES_HZ)];
        let semantic = part(self.semantic.as_slice(), [count(kept, SEMANTIC_HZ), count(dropped, SEMANTIC_HZ)]);
        Self::fitted(Semantic::new(semantic, u32::MAX)?, slice(&self.coarse, codes)?, slice(&self.fine, codes)?)
    }

    /// The voices one after another, the last one nearest to what the models hear.
    ///
    /// # Errors
    /// No voice, or one whose coarse and fine codes differ in length.
    pub fn join(voices: &[Voice]) -> Result<Voice> {
        let even = voices.iter().all(|voice| voice.coarse.frames() == voice.fine.frames());
        ensure!(
            even,
            Kind::Input.error("a voice's coarse and fine codes differ in length: `barkclone voice fix` cuts them")
        );
        let semantic = voices.iter().flat_map(|voice| voice.semantic.as_slice().iter().copied()).collect();
        let coarse = joined(voices.iter().map(|voice| &voice.coarse))?;
        let fine = joined(voices.iter().map(|voice| &voice.fine))?;
        Self::fitted(Semantic::new(semantic, u32::MAX)?, coarse, fine)
    }
}

/// `[kept, dropped]`: as many tokens, from before as many at the end.
fn part(tokens: &[u32], [kept, dropped]: [usize; 2]) -> Vec<u32> {
    let tokens = &tokens[..tokens.len().saturating_sub(dropped)];
    tail(tokens, kept.min(tokens.len()))
}

fn slice<const K: usize>(codes: &Codes<K>, range: [usize; 2]) -> Result<Codes<K>> {
    Codes::new(codes.rows().each_ref().map(|row| part(row, range)), u32::MAX)
}

fn joined<'a, const K: usize>(parts: impl Iterator<Item = &'a Codes<K>>) -> Result<Codes<K>> {
    let mut rows: [Vec<u32>; K] = std::array::from_fn(|_| Vec::new());
    for part in parts {
        rows.iter_mut().zip(part.rows()).for_each(|(row, more)| row.extend(more));
    }
    Codes::new(rows, u32::MAX)
}

/// How one array of two voices differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub array: &'static str,
    /// Tokens or frames in each.
    pub lengths: [usize; 2],
    /// How many of them stand side by side.
    pub compared: usize,
    /// How many of these are equal, in all rows.
    pub equal: usize,
    /// The first that differs, counted in the first voice.
    pub first: Option<usize>,
}

impl Difference {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.first.is_none() && self.lengths[0] == self.lengths[1]
    }
}

/// How two voices differ, array by array. Voices of different lengths are laid side by side at their ends, which is what the
/// models hear.
pub fn differences(a: &Voice, b: &Voice) -> [Difference; 3] {
    fn rows<const K: usize>(codes: &Codes<K>) -> Vec<&[u32]> {
        codes.rows().iter().map(Vec::as_slice).collect()
    }
    [
        difference("semantic", &[a.semantic.as_slice()], &[b.semantic.as_slice()]),
        difference("coarse", &rows(&a.coarse), &rows(&b.coarse)),
        difference("fine", &rows(&a.fine), &rows(&b.fine)),
    ]
}

fn difference(array: &'static str, a: &[&[u32]], b: &[&[u32]]) -> Difference {
    let lengths = [a[0].len(), b[0].len()];
    let compared = lengths[0].min(lengths[1]);
    let [skip_a, skip_b] = lengths.map(|len| len - compared);
    let differs = |at: &usize| a.iter().zip(b).any(|(a, b)| a[skip_a + at] != b[skip_b + at]);
    let different: Vec<usize> = (0..compared).filter(differs).collect();
    let first = different.first().map(|at| skip_a + at);
    Difference { array, lengths, compared, equal: compared - different.len(), first }
}
