//! Which seconds of a recording each of Bark's stages will hear, once it is a voice.

use crate::sound::thresholds::LONGEST_REFERENCE;
use crate::tokens::{CODEBOOK_SIZE, FRAME_SAMPLES, Fine, HUBERT_RATE, SAMPLE_RATE, SEMANTIC_VOCAB, Semantic};
use crate::voice::Voice;
use anyhow::Result;
use serde::Serialize;
use std::ops::Range;

/// HuBERT's convolutions see 400 samples for the first frame and 320 more for each further one.
const HUBERT_FIRST: usize = 400;
const HUBERT_FRAME: usize = 320;

/// Seconds of the recording that each stage hears.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stages {
    pub text: Range<f64>,
    pub coarse: Range<f64>,
    pub fine: Range<f64>,
}

impl Stages {
    /// What is heard at all.
    pub fn any(&self) -> Range<f64> {
        let starts = [self.text.start, self.coarse.start, self.fine.start];
        starts.into_iter().fold(f64::INFINITY, f64::min)..self.text.end
    }
}

/// Of a recording of so many seconds; `None` if it is too short for a voice. The arithmetic is that of the voice that
/// `clone` would make: a voice ends where its recording ends.
pub fn stages(seconds: f64) -> Result<Option<Stages>> {
    let kept = seconds.min(LONGEST_REFERENCE);
    let samples = |rate: u32| (kept * f64::from(rate)).ceil() as usize;
    let (hubert, codec) = (samples(HUBERT_RATE), samples(SAMPLE_RATE));
    let Some(more) = hubert.checked_sub(HUBERT_FIRST) else { return Ok(None) };
    let semantic = Semantic::new(vec![0; more / HUBERT_FRAME + 1], SEMANTIC_VOCAB)?;
    let row = vec![0; codec.div_ceil(FRAME_SAMPLES)];
    let Ok(voice) = Voice::from_parts(semantic, Fine::new(std::array::from_fn(|_| row.clone()), CODEBOOK_SIZE)?) else {
        return Ok(None);
    };
    let heard = voice.heard();
    let tail = |r: Range<f64>| (seconds - (r.end - r.start)).max(0.0)..seconds;
    Ok(Some(Stages { text: tail(heard.text), coarse: tail(heard.coarse), fine: tail(heard.fine) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_recording_the_protocols_seconds_are_heard() -> Result<()> {
        let stages = stages(30.0)?.unwrap();
        let length = |r: &Range<f64>| (100.0 * (r.end - r.start)).round() / 100.0;
        assert_eq!([&stages.text, &stages.coarse, &stages.fine].map(length), [5.13, 4.19, 6.83]);
        assert!(stages.any().end == 30.0 && (stages.any().start - 23.17).abs() < 0.01);
        Ok(())
    }

    #[test]
    fn an_hour_costs_no_more_than_a_minute_and_a_moment_is_no_voice() -> Result<()> {
        assert_eq!(stages(3600.0)?.unwrap().any().end, 3600.0);
        assert_eq!(stages(0.01)?, None);
        Ok(())
    }
}
