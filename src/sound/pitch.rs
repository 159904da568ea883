//! Pitch of the voice, frame by frame: YIN (de Cheveigné and Kawahara, "YIN, a fundamental frequency estimator for
//! speech and music", 2002, steps 1 to 5).

use super::analysis::Analysis;
use super::spectra::percentile;
use super::thresholds::{MONOTONOUS, SAME_PITCH};
use super::vad::FRAME_SECONDS;
use crate::audio::{Pcm, Recipe, resample};
use anyhow::Result;
use std::ops::Range;

/// Rate that is listened at, Hz: pitch needs no more.
const RATE: u32 = 8_000;
/// Pitches of voices, Hz, as periods in samples.
const SHORTEST: usize = RATE as usize / 450;
const LONGEST: usize = RATE as usize / 60;
/// Samples that are compared with those a period later.
const WINDOW: usize = 240;
/// The paper's threshold: a dip under it is a period.
const DIP: f32 = 0.12;

/// Seconds and pitch, Hz, of each voiced frame of the speech.
pub fn track(sound: &Analysis) -> Result<Vec<(f64, f64)>> {
    let slow = resample(&sound.pcm, RATE, Recipe::Functional)?;
    let frames = sound.speech.iter().flat_map(|span| {
        let count = ((span.end - span.start) / FRAME_SECONDS) as usize;
        (0..count).map(move |frame| span.start + frame as f64 * FRAME_SECONDS)
    });
    let pitch = |second: f64| {
        let start = (second * f64::from(RATE)) as usize;
        let frame = slow.samples.get(start..start + WINDOW + LONGEST + 1)?;
        Some((second, f64::from(RATE) / period(frame)?))
    };
    Ok(frames.filter_map(pitch).collect())
}

/// The middle pitch of a `track`, Hz.
pub fn median(track: &[(f64, f64)]) -> Option<f64> {
    percentile(&mut track.iter().map(|&(_, hz)| hz).collect::<Vec<_>>(), 0.5)
}

/// The middle pitch of the speech of `pcm`, Hz; none where nothing is voiced.
pub fn median_pitch(pcm: &Pcm) -> Result<Option<f64>> {
    Ok(median(&track(&Analysis::new(pcm)?)?))
}

/// The pitch, Hz, that a monotonous voice holds in these seconds of a `track`; none where it moves as people's voices
/// do.
pub fn held(track: &[(f64, f64)], seconds: Range<f64>) -> Option<f64> {
    let within = track.iter().filter(|(second, _)| seconds.contains(second));
    let mut pitches: Vec<f64> = within.map(|&(_, hz)| hz).collect();
    let middle = percentile(&mut pitches, 0.5)?;
    let same = pitches.iter().filter(|&hz| (hz / middle - 1.0).abs() < SAME_PITCH).count();
    (same as f64 >= MONOTONOUS * pitches.len() as f64).then_some(middle)
}

/// Whether `hz` is a multiple of a held `pitch`, to within `apart` Hz.
pub fn is_overtone(hz: f64, pitch: f64, apart: f64) -> bool {
    (hz - (hz / pitch).round() * pitch).abs() <= apart
}

/// The period of a frame, samples; none where it is not voiced.
fn period(frame: &[f32]) -> Option<f64> {
    let difference =
        |lag: usize| frame[..WINDOW].iter().zip(&frame[lag..lag + WINDOW]).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    let mut sum = 0.0;
    let mut normal = vec![1.0; LONGEST + 1];
    for (lag, normal) in normal.iter_mut().enumerate().skip(1) {
        let difference = difference(lag);
        sum += difference;
        *normal = if sum > 0.0 { difference * lag as f32 / sum } else { 1.0 };
    }
    let mut lag = (SHORTEST..LONGEST).find(|&lag| normal[lag] < DIP)?;
    while lag + 1 < LONGEST && normal[lag + 1] < normal[lag] {
        lag += 1;
    }
    Some(lag as f64 + vertex(normal[lag - 1], normal[lag], normal[lag + 1]))
}

/// Where the parabola through three neighbours has its vertex, from the middle one.
fn vertex(left: f32, middle: f32, right: f32) -> f64 {
    let bend = left - 2.0 * middle + right;
    if bend > 0.0 { f64::from((left - right) / (2.0 * bend)).clamp(-0.5, 0.5) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_of_a_buzz_is_found_between_samples_and_noise_has_none() {
        for hz in [83.0, 121.7, 250.0, 390.0] {
            let buzz = |i: usize| {
                (1..6)
                    .map(|k| (std::f64::consts::TAU * hz * (k * i) as f64 / f64::from(RATE)).sin() / k as f64)
                    .sum::<f64>()
            };
            let frame: Vec<f32> = (0..WINDOW + LONGEST + 1).map(|i| buzz(i) as f32).collect();
            let found = f64::from(RATE) / period(&frame).unwrap();
            assert!((found / hz - 1.0).abs() < 0.01, "{found} for {hz}");
        }
        let mut state = 1u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        assert_eq!(period(&(0..WINDOW + LONGEST + 1).map(|_| noise()).collect::<Vec<_>>()), None);
        assert_eq!(period(&[0.0; WINDOW + LONGEST + 1]), None);
    }

    #[test]
    fn a_voice_without_intonation_holds_its_pitch_and_one_that_speaks_does_not() {
        let track = |sway: f64| -> Vec<(f64, f64)> {
            (0..200).map(|i| (i as f64 * 0.016, 110.0 * (1.0 + sway * (i as f64 / 9.0).sin()))).collect()
        };
        let held_at = held(&track(0.01), 0.0..9.0).unwrap();
        assert!((held_at - 110.0).abs() < 1.0, "{held_at}");
        assert_eq!((held(&track(0.2), 0.0..9.0), held(&[], 0.0..9.0), held(&track(0.0), 8.0..9.0)), (None, None, None));
        assert!(is_overtone(331.0, 110.0, 2.0) && !is_overtone(340.0, 110.0, 2.0));
    }
}
