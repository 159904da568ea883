//! Reverberation: how fast the sound decays where the voice stops.
//!
//! In a dry recording some sounds of speech end at once; in a room nothing decays faster than the room does. So the falls of
//! the envelope are measured, past the first few dB that are the direct sound's end, and the fast ones among them say what the
//! room allows (after Ratnam et al., "Blind estimation of reverberation time", 2003).

use super::analysis::Analysis;
use super::spectra::{Spectra, decibels, percentile};
use anyhow::Result;

/// Frames of the envelope, seconds, and the band that is looked at, Hz: where speech is strong and hum is not.
const FRAME: f64 = 0.016;
const HOP: f64 = 0.004;
const BAND: [f64; 2] = [400.0, 4000.0];
/// A fall is measured over so many frames (60 ms).
const FALL: usize = 15;
/// It starts at least this far under the loudest of the frames before it (0.2 s), dB: the direct sound has ended.
const ENDED: f64 = 6.0;
const BEFORE: usize = 50;
/// It ends at least so far over the floor, dB, and starts no further under the loudest.
const FLOOR: f64 = 8.0;
const START: f64 = 45.0;
/// Within a fall nothing rises by more than this, dB.
const RISE: f64 = 1.5;
/// Fewest falls that say something, and the share of them that are slower than the one that is taken.
const ENOUGH: usize = 20;
const FAST: f64 = 0.8;

/// Seconds in which the sound would decay by 60 dB; none where there are too few falls to tell.
pub fn decay(sound: &Analysis) -> Result<Option<f64>> {
    let envelope = envelope(sound)?;
    let mut sorted = envelope.clone();
    let floor = percentile(&mut sorted, 0.05).unwrap_or_default() + FLOOR;
    let loudest = percentile(&mut sorted, 0.99).unwrap_or_default();
    let start = floor.max(loudest - START);
    let mut rates: Vec<f64> =
        (BEFORE..envelope.len().saturating_sub(FALL)).filter_map(|at| fall(&envelope, at, start, floor)).collect();
    let rate = percentile(&mut rates, FAST).filter(|_| rates.len() >= ENOUGH);
    Ok(rate.map(|rate| 60.0 / rate))
}

/// Level of the band every 4 ms, dB.
fn envelope(sound: &Analysis) -> Result<Vec<f64>> {
    let rate = f64::from(sound.pcm.rate);
    let length = ((FRAME * rate) as usize).next_power_of_two();
    let bin = |hz: f64| ((hz * length as f64 / rate).round() as usize).min(length / 2);
    let [low, high] = BAND.map(bin);
    let mut envelope = Vec::new();
    Spectra::new(length, (HOP * rate) as usize).each(&sound.pcm.samples, |_, power| {
        envelope.push(decibels(power[low..=high].iter().map(|&p| f64::from(p)).sum()));
    })?;
    Ok(envelope)
}

/// dB a second of the fall that starts at this frame, if there is one.
fn fall(envelope: &[f64], at: usize, start: f64, floor: f64) -> Option<f64> {
    let loudest = envelope[at - BEFORE..at].iter().fold(f64::NEG_INFINITY, |high: f64, &level| high.max(level));
    let fall = &envelope[at..=at + FALL];
    let (first, last) = (fall[0], fall[FALL]);
    let falls = first >= start && last >= floor && first <= loudest - ENDED && last < first;
    (falls && fall.windows(2).all(|pair| pair[1] <= pair[0] + RISE)).then(|| (first - last) / (FALL as f64 * HOP))
}
