//! Mends what Bark would refuse, as far as the file tells what was meant, and says what it changed.

use super::check::{LIMITS, ROWS, is_shaped, strays};
use super::raw::{RawArray, RawVoice};
use super::{KEYS, Voice, tail};
use crate::error::Kind;
use crate::tokens::{COARSE_CODEBOOKS, CODEBOOK_SIZE, Coarse, FINE_CODEBOOKS, Fine, SEMANTIC_VOCAB, Semantic};
use anyhow::{Context, Result, ensure};
use ndarray::{ArrayD, Axis, Slice};

/// Of more than one stray token in so many, the array is no voice's.
const MOST_STRAYS: usize = 10;

/// A mended voice.
#[derive(Clone, Debug)]
pub struct Repaired {
    pub voice: Voice,
    /// What was changed, in words; nothing, if all was well.
    pub changes: Vec<String>,
}

/// Makes a voice of what a file holds: names, types and orders as Bark writes them, arrays turned the right way round, stray
/// tokens replaced, missing or shorter coarse codes taken from the fine ones, all cut at their beginning to end together at Bark's ratio.
///
/// # Errors
/// Kind [`Kind::Input`], where the semantic or the fine tokens are missing or are something else, or too few are left.
pub fn repair(raw: RawVoice) -> Result<Repaired> {
    let mut changes = Vec::new();
    let separate = raw.separate;
    let [semantic, coarse, fine] = raw.arrays;
    let mut mend = |array, index| mended(array, index, separate, &mut changes);
    let semantic = rows(mend(semantic, 0)?.with_context(|| lost(0))?).remove(0);
    let coarse = mend(coarse, 1).unwrap_or(None).map(rows);
    let fine = rows(mend(fine, 2)?.with_context(|| lost(2))?);
    // The fine codes hold the coarse ones: what is missing there need not be lost.
    let whole = coarse.filter(|coarse| coarse[0].len() >= fine[0].len());
    let coarse = whole.unwrap_or_else(|| {
        changes.push(format!("`{}` is made of the first two rows of `{}`", KEYS[1], KEYS[2]));
        fine[..COARSE_CODEBOOKS].to_vec()
    });
    let voice = aligned(&semantic, &coarse, &fine, &mut changes)?;
    Ok(Repaired { voice, changes })
}

fn lost(index: usize) -> crate::error::Error {
    let key = KEYS[index];
    Kind::Input.error(format!("no array `{key}`, which cannot be made of the others: clone the voice again"))
}

/// The array in Bark's shape, with tokens alone in it.
fn mended(
    array: Option<RawArray>,
    index: usize,
    separate: bool,
    changes: &mut Vec<String>,
) -> Result<Option<ArrayD<i64>>> {
    let Some(mut array) = array else { return Ok(None) };
    let key = KEYS[index];
    let squeezed = array.squeezed(if index == 0 { 1 } else { 2 });
    if squeezed.ndim() != array.values.ndim() {
        changes.push(format!("`{key}` has the shape {:?} instead of {:?}", squeezed.shape(), array.values.shape()));
        array.values = squeezed;
    }
    if !separate && array.name != key {
        changes.push(format!("`{}` is called `{key}`", array.name));
    }
    if matches!(array.kind.as_str(), "i1" | "u1" | "b1" | "f2" | "f4" | "f8") {
        changes.push(format!("`{key}` is of type int64 instead of {}", array.kind));
    }
    if !is_shaped(&array, index) {
        let was = array.values.shape().to_vec();
        array.values = turned(array.values, index)?;
        changes.push(format!("`{key}` has the shape {:?} instead of {was:?}", array.values.shape()));
    }
    if index == 0 {
        unpad(&mut array, changes);
    }
    replace_strays(&mut array, index, changes)?;
    Ok(Some(array.values))
}

/// An array in Bark's shape, made of one that lies on its side or has a dimension too many.
fn turned(values: ArrayD<i64>, index: usize) -> Result<ArrayD<i64>> {
    let (shape, rows) = (values.shape().to_vec(), ROWS[index]);
    let len = values.len();
    match shape[..] {
        [1, _] | [_, 1] if rows == 0 => Ok(values.into_shape_with_order(len)?.into_dyn()),
        [_, width] if width == rows && rows > 0 => Ok(values.reversed_axes()),
        _ => Err(Kind::Input.error(format!("`{}` has the shape {shape:?}: it is no voice's", KEYS[index])).into()),
    }
}

/// Drops what pads the end: Bark's end of speech, and everything else beyond the vocabulary.
fn unpad(semantic: &mut RawArray, changes: &mut Vec<String>) {
    let values = &semantic.values;
    let kept = (0..values.len()).rfind(|&at| values[at] < i64::from(SEMANTIC_VOCAB)).map_or(0, |last| last + 1);
    let dropped = values.len() - kept;
    if dropped > 0 && kept > 0 {
        semantic.values.slice_axis_inplace(Axis(0), Slice::from(..kept));
        changes.push(format!("`{}` ends before {dropped} padding tokens", KEYS[0]));
    }
}

/// Puts the token before a stray one in its place, or the first one after it.
fn replace_strays(array: &mut RawArray, index: usize, changes: &mut Vec<String>) -> Result<()> {
    let (strays, limit, key) = (strays(array, index), i64::from(LIMITS[index]), KEYS[index]);
    if strays == 0 {
        return Ok(());
    }
    ensure!(
        strays * MOST_STRAYS <= array.values.len(),
        Kind::Input.error(format!("`{key}`: {strays} of {} numbers are no tokens below {limit}", array.values.len()))
    );
    let token = |value: &i64| (0..limit).contains(value);
    for mut row in array.values.lanes_mut(Axis(ROWS[index].min(1))) {
        let mut last = row.iter().find(|value| token(value)).copied().unwrap_or(0);
        for value in &mut row {
            if token(value) {
                last = *value;
            }
            *value = last;
        }
    }
    changes
        .push(format!("`{key}` has its neighbours' tokens in place of {strays} numbers outside of 0 to {}", limit - 1));
    Ok(())
}

fn rows(values: ArrayD<i64>) -> Vec<Vec<u32>> {
    let row = |values: ndarray::ArrayViewD<i64>| values.iter().map(|&value| value as u32).collect();
    match values.ndim() {
        1 => vec![row(values.view())],
        _ => values.outer_iter().map(row).collect(),
    }
}

/// The voice of arrays that end together.
fn aligned(semantic: &[u32], coarse: &[Vec<u32>], fine: &[Vec<u32>], changes: &mut Vec<String>) -> Result<Voice> {
    let (s, t, f) = (semantic.len(), coarse[0].len(), fine[0].len());
    let frames = t.min(f);
    let last = |rows: &[Vec<u32>], k: usize| tail(&rows[k], frames);
    let semantic = Semantic::new(semantic.to_vec(), SEMANTIC_VOCAB)?;
    let coarse = Coarse::new([last(coarse, 0), last(coarse, 1)], CODEBOOK_SIZE)?;
    let rows: [Vec<u32>; FINE_CODEBOOKS] = std::array::from_fn(|k| last(fine, k));
    let voice = Voice::fitted(semantic, coarse, Fine::new(rows, CODEBOOK_SIZE)?)?;
    let lengths =
        [(KEYS[0], s, voice.semantic.len()), (KEYS[1], t, voice.coarse.frames()), (KEYS[2], f, voice.fine.frames())];
    for (key, was, is) in lengths.into_iter().filter(|(_, was, is)| was != is) {
        changes.push(format!("`{key}` is cut to its last {is} of {was}"));
    }
    Ok(voice)
}
