//! Clipping: peaks that were cut off flat because they were too loud for what recorded them.
//!
//! A flat top is a run of at least 0.1 ms (and 3 samples) within 0.1 % of the highest or lowest level of the whole
//! sound, wherever that is: a recording that was clipped and then made quieter has them too, and one that was brought
//! to full scale without being cut has none.

use super::vad::FRAME_SECONDS;
use crate::audio::Pcm;
use serde::Serialize;
use std::ops::Range;

/// How near to the highest sample a flat top stays, as a share of it.
const FLAT: f32 = 0.001;
/// Lowest level of a flat top: in 16 bits, a wave that peaks lower (-40 dB) has the same number there for 0.1 ms anyway.
const LEAST: f32 = 0.01;
/// Shortest flat top, seconds (and at least 3 samples): where a voice peaks, its formants bend the wave away sooner.
const TOP_SECONDS: f64 = 1e-4;
/// Flat tops no further apart than this are one place, seconds.
const SAME_PLACE: f64 = 0.3;
/// The two sides of a wave.
const SIDES: [f32; 2] = [1.0, -1.0];

/// Flat tops: peaks that were cut off.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Clipping {
    /// Number of flat tops.
    pub tops: usize,
    /// Samples in them, as a share of all.
    pub share: f64,
    /// Where they are, seconds.
    #[serde(skip)]
    pub at: Vec<Range<f64>>,
}

/// Finds the flat tops of a whole sound.
pub fn clipping(pcm: &Pcm) -> Clipping {
    let (samples, shortest) = (&pcm.samples, shortest(pcm.rate));
    let mut tops = SIDES.map(|sign| tops(samples, sign, ceiling(samples, sign), shortest)).concat();
    tops.sort_by_key(|top| top.start);
    let within: usize = tops.iter().map(Range::len).sum();
    let mut at: Vec<Range<f64>> = Vec::new();
    for top in &tops {
        let top = top.start as f64 / f64::from(pcm.rate)..top.end as f64 / f64::from(pcm.rate);
        match at.last_mut() {
            Some(place) if top.start - place.end < SAME_PLACE => place.end = top.end,
            _ => at.push(top),
        }
    }
    Clipping { tops: tops.len(), share: within as f64 / samples.len().max(1) as f64, at }
}

/// Finds the frames of 16 ms that hold flat tops, in a sound that comes a piece at a time.
///
/// The highest level of all is known at the end only. So each piece is searched at its own, and what was found is
/// dropped at the end if another piece was louder.
#[derive(Default)]
pub struct ClippedFrames {
    pieces: Vec<[Side; 2]>,
}

/// One side of a piece: its highest level, and the frames that hold tops there.
struct Side {
    ceiling: f32,
    frames: Vec<usize>,
}

impl ClippedFrames {
    /// Takes the samples at `rate` Hz that begin with frame `first`.
    pub fn hear(&mut self, samples: &[f32], rate: u32, first: usize) {
        self.pieces.push(SIDES.map(|sign| {
            let ceiling = ceiling(samples, sign);
            let frame = |sample: usize| first + (sample as f64 / f64::from(rate) / FRAME_SECONDS) as usize;
            let tops = tops(samples, sign, ceiling, shortest(rate));
            let mut frames: Vec<usize> = tops.iter().map(|top| frame(top.start)).collect();
            frames.dedup();
            Side { ceiling, frames }
        }));
    }

    /// For each of so many frames, whether it is clipped.
    pub fn finish(self, frames: usize) -> Vec<bool> {
        let mut clipped = vec![false; frames];
        for side in 0..SIDES.len() {
            let highest = self.pieces.iter().fold(0.0, |high: f32, piece| high.max(piece[side].ceiling));
            let loudest = self.pieces.iter().filter(|piece| piece[side].ceiling >= highest * (1.0 - FLAT));
            for &frame in loudest.flat_map(|piece| &piece[side].frames) {
                // The last piece may end within a frame.
                clipped.iter_mut().skip(frame).take(1).for_each(|clipped| *clipped = true);
            }
        }
        clipped
    }
}

fn shortest(rate: u32) -> usize {
    ((TOP_SECONDS * f64::from(rate)).round() as usize).max(3)
}

fn ceiling(samples: &[f32], sign: f32) -> f32 {
    samples.iter().fold(0.0, |high: f32, &x| high.max(sign * x))
}

/// Runs of at least `shortest` samples at the ceiling of one side.
fn tops(samples: &[f32], sign: f32, ceiling: f32, shortest: usize) -> Vec<Range<usize>> {
    let level = ceiling * (1.0 - FLAT);
    let mut tops = Vec::new();
    let mut start = None;
    for (i, &x) in samples.iter().chain([&0.0]).enumerate() {
        match (ceiling >= LEAST && sign * x >= level, start) {
            (true, None) => start = Some(i),
            (false, Some(first)) => {
                if i - first >= shortest {
                    tops.push(first..i);
                }
                start = None;
            }
            _ => {}
        }
    }
    tops
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(amplitude: f32, ceiling: f32) -> Pcm {
        let wave =
            |i| (amplitude * (std::f32::consts::TAU * 997.0 * i as f32 / 48_000.0).sin()).clamp(-ceiling, ceiling);
        Pcm { samples: (0..96_000).map(wave).collect(), rate: 48_000 }
    }

    #[test]
    fn cut_peaks_are_found_at_any_level_and_round_ones_are_not() {
        assert_eq!(clipping(&sine(1.0, 1.0)).tops, 0);
        assert_eq!(clipping(&sine(0.0, 1.0)), Clipping::default());
        for ceiling in [0.9, 0.05] {
            let clipping = clipping(&sine(2.0 * ceiling, ceiling));
            // Two a period; all but a third of a sine lies beyond half of its amplitude.
            assert!((3980..=3990).contains(&clipping.tops), "{clipping:?}");
            assert!((0.6..0.7).contains(&clipping.share), "{clipping:?}");
            assert_eq!(clipping.at.len(), 1);
        }
    }

    #[test]
    fn a_wave_of_a_few_steps_is_not_cut() {
        let mut quiet = sine(0.004, 1.0);
        quiet.samples.iter_mut().for_each(|x| *x = (*x * 32_768.0).round() / 32_768.0);
        assert_eq!(clipping(&quiet).tops, 0);
    }

    #[test]
    fn a_sound_in_pieces_is_clipped_where_the_loudest_of_them_is() {
        let (cut, round, lower) = (sine(1.0, 0.5), sine(0.4, 1.0), sine(1.0, 0.3));
        let mut frames = ClippedFrames::default();
        for (piece, pcm) in [&round, &cut, &lower, &cut].into_iter().enumerate() {
            frames.hear(&pcm.samples, pcm.rate, 125 * piece);
        }
        let clipped = frames.finish(500);
        let share = |piece: usize| clipped[125 * piece..][..125].iter().filter(|&&clipped| clipped).count();
        assert_eq!([0, 1, 2, 3].map(share), [0, 125, 0, 125], "what is flat under the highest level was not cut off");
        assert_eq!(ClippedFrames::default().finish(2), [false, false]);
    }
}
