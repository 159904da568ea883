//! Which audio track of a recording somebody speaks in.

use super::vad::SpeechDetector;
use crate::audio::{Input, Recording};
use crate::progress::Progress;
use anyhow::Result;

/// Seconds of each track that are listened to.
const HEARD: f64 = 120.0;

/// `input` with the track that holds the most speech, where there are several and none was asked for: screen recorders write the
/// system's sound and the microphone's, and one of them is often silent.
pub fn with_speech(input: Input, progress: &dyn Progress) -> Input {
    // What cannot be opened is told when it is read.
    let tracks = Recording::open(input.clone()).map_or(1, |recording| recording.tracks());
    if tracks < 2 || input.track().is_some() {
        return input;
    }
    let spoken = |track: &usize| seconds_of_speech(input.clone().with_track(Some(*track))).unwrap_or(0.0);
    let spoken: Vec<_> = (1..=tracks).map(|track| (track, spoken(&track))).collect();
    // Of equals the first.
    let best = spoken.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(1, |(track, _)| *track);
    let path = input.path().display();
    progress.note(&format!(
        "{path}: it has {tracks} audio tracks; number {best} is read, the one with most speech (--track)"
    ));
    input.with_track(Some(best))
}

fn seconds_of_speech(input: Input) -> Result<f64> {
    let mut recording = Recording::open(input)?;
    let mut detector = SpeechDetector::new(recording.rate());
    recording.play(0.0..HEARD, &mut |block| detector.hear(block))?;
    Ok(detector.finish()?.speech().iter().map(|speech| speech.end - speech.start).sum())
}
