//! A voice: the tokens of a recording, which the stages are given as what was said just before.
//!
//! Bark calls it a history prompt; the file is an `.npz` that Bark's own loader takes
//! (suno-ai/bark `generation.py`, `_load_history_prompt` and the checks of `generate_coarse`).

mod arrays;
mod check;
mod edit;
mod language;
mod place;
pub mod provenance;
mod raw;
mod repair;
mod torch;

pub use arrays::{semantic_tokens, write_semantic_tokens};
pub use check::problems;
pub use edit::{Difference, differences};
pub use language::language_warning;
pub use place::Place;
pub use provenance::Provenance;
pub use raw::{RawArray, RawVoice};
pub use repair::{Repaired, repair};

use crate::error::Kind;
use crate::output::{Sink, hex};
use crate::tokens::{
    COARSE_CODEBOOKS, COARSE_HISTORY, CODEBOOK_SIZE, CODES_HZ, Coarse, Codes, FINE_HISTORY, Fine, SEMANTIC_HISTORY,
    SEMANTIC_HZ, Semantic, coarse_history,
};
use anyhow::{Result, ensure};
use arrays::KEYS;
use ndarray::ArrayD;
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::path::Path;

/// Semantic tokens `[S]`, coarse codes `[2, T]` and fine codes `[8, F]` of one recording, none of them empty, T / S
/// about 1.5. F equals T in every file that Bark ships; Bark does not ask for it, and neither does this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    semantic: Semantic,
    coarse: Coarse,
    fine: Fine,
}

/// A voice, and what its file tells of its origin.
#[derive(Clone, Debug)]
pub struct VoiceFile {
    pub voice: Voice,
    pub provenance: Option<Provenance>,
}

impl VoiceFile {
    /// Reads what `path` names, as [`Place::find`] says.
    pub fn open(path: &Path) -> Result<Self> {
        Place::find(path)?.voice()
    }
}

/// How the arrays of an `.npz` are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// int64, stored: as every program reads them.
    Bark,
    /// uint16, deflated: a tenth of the size; Bark and numpy read them too.
    Compact,
}

/// The seconds of a voice, counted from its start, that each stage hears.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub text: Range<f64>,
    pub coarse: Range<f64>,
    pub fine: Range<f64>,
}

impl Voice {
    /// Checks what Bark's own loader checks: nothing empty, and `round(T / S, 1) == 1.5`.
    pub fn new(semantic: Semantic, coarse: Coarse, fine: Fine) -> Result<Self> {
        let (s, t) = (semantic.len(), coarse.frames());
        let empty = s == 0 || t == 0 || fine.frames() == 0;
        ensure!(!empty, Kind::Input.error("the voice is empty"));
        ensure!(fits(s, t), Kind::Input.error(misfit(s, t)));
        Ok(Self { semantic, coarse, fine })
    }

    /// The voice of `semantic` `[S]` and `fine` `[8, T]` that end together. Where their lengths do not keep the ratio,
    /// the longer one loses its beginning, and no more than it must.
    pub fn from_parts(semantic: Semantic, fine: Fine) -> Result<Self> {
        // The tokens were checked against their own model's vocabulary.
        let coarse = Coarse::new(std::array::from_fn(|k| fine.rows()[k].clone()), u32::MAX)?;
        Self::fitted(semantic, coarse, fine)
    }

    /// [`Voice::from_parts`] where the coarse codes are others than the fine ones' first two rows.
    fn fitted(semantic: Semantic, coarse: Coarse, fine: Fine) -> Result<Self> {
        let (s, t) = (semantic.len(), coarse.frames());
        let (s, t) = fitting(s, t).ok_or_else(|| Kind::Input.error(misfit(s, t)))?;
        let semantic = Semantic::new(tail(semantic.as_slice(), s), u32::MAX)?;
        Self::new(semantic, last(&coarse, t)?, last(&fine, t)?)
    }

    /// Reads an `.npz`: integers of any size, sign and byte order, in C or Fortran order, stored or deflated, under
    /// Bark's keys (`semantic_prompt`, `coarse_prompt`, `fine_prompt`) or short ones (`semantic`, `coarse`, `fine`).
    pub fn read(path: &Path) -> Result<Self> {
        Ok(Place::Npz(path.to_owned()).voice()?.voice)
    }

    /// Reads Hugging Face's three files of a voice: semantic, coarse and fine `.npy`.
    pub fn read_npy(paths: [&Path; 3]) -> Result<Self> {
        Ok(Place::Npy(paths.map(Path::to_owned)).voice()?.voice)
    }

    /// Writes the voice as Bark reads it: int64 in C order, stored. Replaces a file only with `force`.
    pub fn write(&self, path: &Path, force: bool) -> Result<()> {
        self.write_with(None, path, force)
    }

    /// Writes what would be the file's bytes.
    pub fn write_to(&self, provenance: Option<&Provenance>, sink: &mut Sink) -> Result<()> {
        arrays::to_npz(self, provenance, Form::Bark, sink)
    }

    /// [`Voice::write`], with what is known of the voice's origin.
    pub fn write_with(&self, provenance: Option<&Provenance>, path: &Path, force: bool) -> Result<()> {
        Place::Npz(path.to_owned()).write(self, provenance, Form::Bark, force)
    }

    pub fn semantic(&self) -> &Semantic {
        &self.semantic
    }

    pub fn coarse(&self) -> &Coarse {
        &self.coarse
    }

    pub fn fine(&self) -> &Fine {
        &self.fine
    }

    /// What the models hear of this voice: its end.
    pub fn heard(&self) -> Heard {
        let (s, t, f) = (self.semantic.len(), self.coarse.frames(), self.fine.frames());
        let seconds = |frames: Range<usize>| frames.start as f64 / CODES_HZ..frames.end as f64 / CODES_HZ;
        Heard {
            text: s.saturating_sub(SEMANTIC_HISTORY) as f64 / SEMANTIC_HZ..s as f64 / SEMANTIC_HZ,
            coarse: seconds(t.saturating_sub(coarse_frames(s, t))..t),
            fine: seconds(f.saturating_sub(FINE_HISTORY)..f),
        }
    }

    /// A short fingerprint of the tokens: 16 hexadecimal digits, the same on every machine.
    pub fn hash(&self) -> String {
        let mut sha = Sha256::new();
        let rows = self.coarse.rows().iter().chain(self.fine.rows()).map(Vec::as_slice);
        for row in std::iter::once(self.semantic.as_slice()).chain(rows) {
            sha.update((row.len() as u64).to_le_bytes());
            row.iter().for_each(|token| sha.update(token.to_le_bytes()));
        }
        hex(&sha.finalize()[..8])
    }
}

fn codes<const K: usize>(array: &ArrayD<u32>) -> Result<Codes<K>> {
    ensure!(array.ndim() == 2 && array.shape()[0] == K, "shape {:?}, expected ({K}, T)", array.shape());
    let mut rows = array.outer_iter().map(|row| row.iter().copied().collect());
    Codes::new(std::array::from_fn(|_| rows.next().unwrap_or_default()), CODEBOOK_SIZE)
}

fn last<const K: usize>(codes: &Codes<K>, frames: usize) -> Result<Codes<K>> {
    Codes::new(codes.rows().each_ref().map(|row| tail(row, frames.min(row.len()))), u32::MAX)
}

fn tail(tokens: &[u32], len: usize) -> Vec<u32> {
    tokens[tokens.len() - len..].to_vec()
}

/// Python's `round(t / s, 1) == 1.5`, in integers: neither 1.45 nor 1.55 is a double, and both round away.
fn fits(s: usize, t: usize) -> bool {
    29 * s < 20 * t && 20 * t < 31 * s
}

/// The greatest lengths, up to `s` and `t`, that fit.
fn fitting(s: usize, t: usize) -> Option<(usize, usize)> {
    (1..=s).rev().map(|s| (s, t.min((31 * s - 1) / 20))).find(|&(s, t)| fits(s, t))
}

fn misfit(s: usize, t: usize) -> String {
    let advice = match fitting(s, t) {
        Some((s, t)) => format!("keep the last {s} tokens and the last {t} frames, or clone the voice again"),
        None => "it is too short; clone at least one second".to_owned(),
    };
    format!("{s} semantic tokens do not go with {t} coarse frames: Bark takes 1.5 frames a token; {advice}")
}

/// Frames that the coarse stage takes from a voice (`n_coarse_hist_provided` in `generate_coarse`); the last of them it
/// drops again.
fn coarse_frames(s: usize, t: usize) -> usize {
    let ratio = CODES_HZ / SEMANTIC_HZ * COARSE_CODEBOOKS as f64;
    coarse_history(s, COARSE_CODEBOOKS * t, COARSE_HISTORY, ratio).1 / COARSE_CODEBOOKS
}

#[cfg(test)]
mod tests;
