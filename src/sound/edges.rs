//! Where the speech begins and ends in a recording: cut off, close, or long after silence.

use super::analysis::Analysis;
use super::thresholds::{CUT_NOISE_MARGIN, CUT_UNDER_SPEECH};
use serde::Serialize;
use std::ops::Range;

/// The stretch at an edge whose level is compared with the speech's, seconds.
const EDGE: f64 = 0.032;
/// Speech that begins or ends this near to an edge may be cut there, seconds.
const NEAR: f64 = 0.12;

/// How a recording begins and ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Edges {
    /// It begins in the middle of speech.
    pub cut_start: bool,
    /// It ends in the middle of speech.
    pub cut_end: bool,
    /// Seconds before the first speech, and after the last.
    pub before: f64,
    pub after: f64,
    /// Pauses between speech, seconds.
    #[serde(skip)]
    pub pauses: Vec<Range<f64>>,
}

/// All zero where there is no speech.
pub fn edges(sound: &Analysis) -> Edges {
    let (Some(first), Some(last), Some(level)) = (sound.speech.first(), sound.speech.last(), sound.speech_level())
    else {
        return Edges::default();
    };
    let seconds = sound.seconds();
    let audible = sound.floor().is_none_or(|floor| level - floor > CUT_NOISE_MARGIN);
    let loud = |span: Range<f64>| audible && sound.level(span) >= level - CUT_UNDER_SPEECH;
    let pauses = sound.speech.windows(2).map(|pair| pair[0].end..pair[1].start).collect();
    Edges {
        cut_start: first.start < NEAR && loud(0.0..EDGE),
        cut_end: seconds - last.end < NEAR && loud(seconds - EDGE..seconds),
        before: first.start,
        after: (seconds - last.end).max(0.0),
        pauses,
    }
}
