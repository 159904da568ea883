//! A second speaker: two registers of pitch that take turns.
//!
//! One voice glides through its range; two voices leave a gap between theirs, and stay on one side of it for as long as
//! one of them speaks. The pitches are parted in two by k-means on a logarithmic scale, and judged by how far apart the
//! parts are (in their own spread) and how seldom they change.

use serde::Serialize;

/// Fewest voiced frames that are judged: 1 s.
const ENOUGH: usize = 60;
/// Rounds of k-means in one dimension; it settles in a few.
const ROUNDS: usize = 30;
/// Frames by which a turn is smoothed: octave errors last less.
const TURN: usize = 9;

/// Two groups of pitches.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Registers {
    /// Their middles, Hz.
    pub hz: [f64; 2],
    /// Distance of their middles, in standard deviations of the groups.
    pub separation: f64,
    /// Share of the smaller one.
    pub share: f64,
    /// Changes from one to the other, a second of voiced speech.
    pub changes: f64,
}

/// Parts `track`, seconds and Hz, in two.
pub fn registers(track: &[(f64, f64)]) -> Option<Registers> {
    if track.len() < ENOUGH {
        return None;
    }
    let pitches: Vec<f64> = track.iter().map(|(_, hz)| hz.log2()).collect();
    let (low, high) = two_means(&pitches)?;
    let high_turns = smoothed(&pitches.iter().map(|p| (p - high).abs() < (p - low).abs()).collect::<Vec<_>>());
    let group = |side: bool| pitches.iter().zip(&high_turns).filter(move |(_, turn)| **turn == side).map(|(&p, _)| p);
    let (below, above) = (Moments::of(group(false))?, Moments::of(group(true))?);
    let spread = (below.variance + above.variance) / 2.0;
    let changes = high_turns.windows(2).filter(|pair| pair[0] != pair[1]).count();
    Some(Registers {
        hz: [below.mean.exp2(), above.mean.exp2()],
        separation: (above.mean - below.mean) / spread.sqrt().max(1e-3),
        share: below.count.min(above.count) as f64 / pitches.len() as f64,
        changes: changes as f64 / (pitches.len() as f64 * super::vad::FRAME_SECONDS),
    })
}

/// The means of the two groups.
fn two_means(values: &[f64]) -> Option<(f64, f64)> {
    let mut middle = Moments::of(values.iter().copied())?.mean;
    let mut means = (middle, middle);
    for _ in 0..ROUNDS {
        let below = Moments::of(values.iter().copied().filter(|&v| v <= middle))?.mean;
        let above = Moments::of(values.iter().copied().filter(|&v| v > middle))?.mean;
        means = (below, above);
        middle = (below + above) / 2.0;
    }
    Some(means)
}

/// Each frame's side as most of its neighbours have it.
fn smoothed(sides: &[bool]) -> Vec<bool> {
    let majority = |i: usize| {
        let around = &sides[i.saturating_sub(TURN / 2)..(i + TURN / 2 + 1).min(sides.len())];
        2 * around.iter().filter(|&&side| side).count() > around.len()
    };
    (0..sides.len()).map(majority).collect()
}

struct Moments {
    count: usize,
    mean: f64,
    variance: f64,
}

impl Moments {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let (count, sum, squares) = values.fold((0, 0.0, 0.0), |(n, s, q), v| (n + 1, s + v, q + v * v));
        let mean = sum / count as f64;
        (count > 0).then(|| Self { count, mean, variance: (squares / count as f64 - mean * mean).max(0.0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::thresholds::SPEAKERS_SEPARATION;

    fn track(pitch: impl Fn(usize) -> f64) -> Vec<(f64, f64)> {
        (0..240).map(|i| (i as f64 * 0.016, pitch(i) * (1.0 + 0.05 * (i as f64 / 7.0).sin()))).collect()
    }

    #[test]
    fn two_voices_in_turn_are_apart_and_one_that_glides_is_not() {
        let two = registers(&track(|i| if i < 150 { 100.0 } else { 190.0 })).unwrap();
        assert!(two.separation > SPEAKERS_SEPARATION && two.changes < 0.5, "{two:?}");
        assert!((two.share - 90.0 / 240.0).abs() < 0.02 && (two.hz[0] - 100.0).abs() < 2.0, "{two:?}");
        let one = registers(&track(|i| 90.0 + 100.0 * (i as f64 / 40.0).sin().abs())).unwrap();
        assert!(one.separation < SPEAKERS_SEPARATION, "{one:?}");
    }

    #[test]
    fn a_moment_or_a_single_pitch_is_not_parted() {
        assert_eq!(registers(&track(|_| 100.0)[..20]), None);
        assert_eq!(registers(&[(0.0, 100.0); 100]), None);
    }
}
