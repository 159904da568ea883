//! What a file holds of a voice, before anyone judges it: any integers (or whole floats) under any of the known names.

use super::provenance::Provenance;
use super::{KEYS, Voice, codes};
use crate::tokens::{SEMANTIC_VOCAB, Semantic};
use anyhow::{Context, Result, bail, ensure};
use ndarray::{ArrayD, Axis};

/// One array as it was stored.
#[derive(Clone, Debug)]
pub struct RawArray {
    /// The name that it was found under, such as `semantic_prompt`.
    pub name: String,
    /// numpy's name of its element type, without byte order, such as `i8`.
    pub kind: String,
    /// Whether it lay in Fortran order.
    pub fortran: bool,
    /// Whether it was compressed.
    pub deflated: bool,
    /// Its numbers, of any shape of one to three dimensions.
    pub values: ArrayD<i64>,
}

impl RawArray {
    /// Of `values` in C order, not compressed.
    pub(super) fn new(name: &str, kind: &str, values: ArrayD<i64>) -> Self {
        Self { name: name.to_owned(), kind: kind.to_owned(), fortran: false, deflated: false, values }
    }

    /// Its numbers without the leading dimensions of one that stand before `dimensions` others: a batch of one is a voice.
    pub(super) fn squeezed(&self, dimensions: usize) -> ArrayD<i64> {
        let mut values = self.values.clone();
        while values.ndim() > dimensions && values.shape()[0] == 1 {
            values.index_axis_inplace(Axis(0), 0);
        }
        values
    }

    /// How it was stored, in words.
    pub fn stored(&self) -> String {
        let order = if self.fortran { "Fortran order" } else { "C order" };
        let packing = if self.deflated { "deflated" } else { "stored" };
        format!("`{}` {:?} {}, {order}, {packing}", self.name, self.values.shape(), self.kind)
    }
}

/// The arrays of a voice, as far as they are there.
#[derive(Clone, Debug, Default)]
pub struct RawVoice {
    /// Semantic, coarse and fine.
    pub arrays: [Option<RawArray>; 3],
    /// Whether they lay in files of their own (`.npy`).
    pub separate: bool,
    /// Names of arrays that are no part of a voice.
    pub others: Vec<String>,
    pub provenance: Option<Provenance>,
    /// What was found odd while reading.
    pub notes: Vec<String>,
}

impl RawVoice {
    /// The voice, if it is one as it stands.
    pub fn voice(&self) -> Result<Voice> {
        let [semantic, coarse, fine] = [self.tokens(0)?, self.tokens(1)?, self.tokens(2)?];
        let flat = semantic.ndim() == 1;
        ensure!(flat, "`{}`: shape {:?}, expected one dimension", KEYS[0], semantic.shape());
        let semantic = Semantic::new(semantic.iter().copied().collect(), SEMANTIC_VOCAB)?;
        let coarse = codes(&coarse).with_context(|| format!("`{}`", KEYS[1]))?;
        let fine = codes(&fine).with_context(|| format!("`{}`", KEYS[2]))?;
        Voice::new(semantic, coarse, fine)
    }

    /// The array `index`, counted as [`KEYS`] are, if all its numbers may be tokens.
    fn tokens(&self, index: usize) -> Result<ArrayD<u32>> {
        let key = KEYS[index];
        let Some(array) = &self.arrays[index] else {
            let short = key.strip_suffix("_prompt").unwrap_or(key);
            bail!("no array `{key}` (nor `{short}`); it holds {}", self.held())
        };
        let values = array.squeezed(if index == 0 { 1 } else { 2 });
        let odd = values.iter().find(|&&value| u32::try_from(value).is_err());
        ensure!(odd.is_none(), "`{key}`: it holds {}, which is no token", odd.unwrap_or(&0));
        Ok(values.mapv(|value| value as u32))
    }

    /// The first few names in the file, for a message.
    fn held(&self) -> String {
        let known = self.arrays.iter().flatten().map(|array| &array.name);
        let names: Vec<_> = known.chain(&self.others).take(5).collect();
        if names.is_empty() { "nothing".to_owned() } else { format!("{names:?}") }
    }
}
