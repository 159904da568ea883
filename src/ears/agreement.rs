//! Whether a sound says the semantic tokens that it was made from.

use crate::audio::Pcm;
use crate::clone::Listener;
use crate::tokens::Semantic;
use anyhow::Result;

/// How far HuBERT and the quantizer hear in `pcm` the tokens that it was to say, 0 to 1: 1 less the edits between both,
/// over the tokens of the longer one. Each token counts once however long it lasts, since the pace is judged apart.
/// What is too short for them to hear agrees with nothing.
pub fn agreement(listener: &Listener, pcm: &Pcm, said: &Semantic) -> Result<f64> {
    if pcm.seconds() < SHORTEST {
        return Ok(0.0);
    }
    Ok(alike(&changes(&listener.clip(pcm)?), &changes(said)))
}

/// A frame of HuBERT, 400 samples at 16 kHz, with room for rounding, seconds.
const SHORTEST: f64 = 0.03;

/// The tokens without repetitions.
fn changes(tokens: &Semantic) -> Vec<u32> {
    let mut tokens = tokens.as_slice().to_vec();
    tokens.dedup();
    tokens
}

fn alike(a: &Vec<u32>, b: &Vec<u32>) -> f64 {
    let longer = a.len().max(b.len()).max(1);
    1.0 - strsim::generic_levenshtein(a, b) as f64 / longer as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_agree_however_long_each_lasts_and_less_for_each_edit() {
        let tokens = |tokens: &[u32]| changes(&Semantic::new(tokens.to_vec(), 10).unwrap());
        let said = tokens(&[1, 1, 2, 3, 3, 3, 4]);
        assert_eq!(alike(&tokens(&[1, 2, 2, 2, 3, 4, 4]), &said), 1.0);
        assert_eq!(alike(&tokens(&[1, 2, 4]), &said), 0.75, "one is lost");
        assert_eq!(alike(&tokens(&[5]), &said), 0.0);
        assert_eq!(alike(&tokens(&[]), &said), 0.0);
    }
}
