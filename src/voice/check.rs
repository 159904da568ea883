//! What Bark's own functions would stumble over in a voice file (suno-ai/bark `generation.py`: `_load_history_prompt` and
//! the assertions of `generate_text_semantic`, `generate_coarse` and `generate_fine`).

use super::raw::{RawArray, RawVoice};
use super::{KEYS, fits, misfit};
use crate::tokens::{COARSE_CODEBOOKS, CODEBOOK_SIZE, FINE_CODEBOOKS, SEMANTIC_VOCAB};

/// How many rows each array has; none: one dimension.
pub(super) const ROWS: [usize; 3] = [0, COARSE_CODEBOOKS, FINE_CODEBOOKS];
/// Tokens are below these.
pub(super) const LIMITS: [u32; 3] = [SEMANTIC_VOCAB, CODEBOOK_SIZE, CODEBOOK_SIZE];

/// Everything that Bark would refuse or choke on, an array at a time; nothing, if it takes the voice.
pub fn problems(raw: &RawVoice) -> Vec<String> {
    let mut problems: Vec<String> = (0..KEYS.len()).flat_map(|index| problems_of(raw, index)).collect();
    if let [Some(semantic), Some(coarse), _] = &raw.arrays
        && is_shaped(semantic, 0)
        && is_shaped(coarse, 1)
        && !fits(semantic.values.len(), coarse.values.shape()[1])
    {
        problems.push(misfit(semantic.values.len(), coarse.values.shape()[1]));
    }
    problems
}

fn problems_of(raw: &RawVoice, index: usize) -> Vec<String> {
    let key = KEYS[index];
    let Some(array) = &raw.arrays[index] else { return vec![format!("no array `{key}`")] };
    let mut problems = Vec::new();
    if !raw.separate && array.name != key {
        problems.push(format!("Bark looks for `{key}`; here it is called `{}`", array.name));
    }
    if !is_shaped(array, index) {
        let expected = if index == 0 { "one dimension".to_owned() } else { format!("({}, T)", ROWS[index]) };
        problems.push(format!("`{key}` has the shape {:?}, expected {expected}", array.values.shape()));
    }
    let strays = strays(array, index);
    if strays > 0 {
        problems.push(format!("`{key}` holds {strays} numbers outside of 0 to {}", LIMITS[index] - 1));
    }
    // `generate_coarse` adds up to 1024 to the codes within their own type.
    if index == 1 && matches!(array.kind.as_str(), "i1" | "u1") {
        problems.push(format!("`{key}` is of type {}: Bark's sums overflow in 8 bits", array.kind));
    }
    problems
}

/// Whether the array has the dimensions that Bark expects.
pub(super) fn is_shaped(array: &RawArray, index: usize) -> bool {
    match array.values.shape() {
        [_] => ROWS[index] == 0,
        [rows, _] => ROWS[index] == *rows,
        _ => false,
    }
}

/// How many numbers of the array are no tokens.
pub(super) fn strays(array: &RawArray, index: usize) -> usize {
    array.values.iter().filter(|&&value| !(0..i64::from(LIMITS[index])).contains(&value)).count()
}
