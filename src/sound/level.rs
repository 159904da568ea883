//! How loud a recording is, and whether it was too loud for what recorded it.

use crate::audio::Pcm;
use anyhow::{Context, Result};
use ebur128::{EbuR128, Mode};
use serde::Serialize;
use std::ops::Range;

/// How near to the highest sample a flat top stays, as a share of it.
const FLAT: f32 = 0.001;
/// Shortest flat top, seconds (and at least 3 samples): where a voice peaks, its formants bend the wave away sooner.
const TOP_SECONDS: f64 = 1e-4;
/// Flat tops no further apart than this are one place, seconds.
const SAME_PLACE: f64 = 0.3;

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

/// Finds the flat tops at the recording's highest and lowest level, wherever that is: a recording that was clipped and then
/// made quieter has them too.
pub fn clipping(pcm: &Pcm) -> Clipping {
    let shortest = ((TOP_SECONDS * f64::from(pcm.rate)).round() as usize).max(3);
    let mut tops = [1.0, -1.0].map(|sign| tops(&pcm.samples, sign, shortest)).concat();
    tops.sort_by_key(|top| top.start);
    let samples: usize = tops.iter().map(Range::len).sum();
    let mut at: Vec<Range<f64>> = Vec::new();
    for top in &tops {
        let top = top.start as f64 / f64::from(pcm.rate)..top.end as f64 / f64::from(pcm.rate);
        match at.last_mut() {
            Some(place) if top.start - place.end < SAME_PLACE => place.end = top.end,
            _ => at.push(top),
        }
    }
    Clipping { tops: tops.len(), share: samples as f64 / pcm.samples.len().max(1) as f64, at }
}

/// Runs of at least `shortest` samples at the ceiling of one side.
fn tops(samples: &[f32], sign: f32, shortest: usize) -> Vec<Range<usize>> {
    let ceiling = samples.iter().fold(0.0, |high: f32, &x| high.max(sign * x)) * (1.0 - FLAT);
    let mut tops = Vec::new();
    let mut start = None;
    for (i, &x) in samples.iter().chain([&0.0]).enumerate() {
        match (ceiling > 0.0 && sign * x >= ceiling, start) {
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

/// The highest sample, dB re full scale.
pub fn peak(pcm: &Pcm) -> f64 {
    super::spectra::decibels(f64::from(pcm.samples.iter().fold(0.0, |high: f32, x| high.max(x.abs()))).powi(2))
}

/// Integrated loudness, LUFS (EBU R 128, ITU-R BS.1770, as one channel); none where all is below its gate of -70, or under
/// its block of 0.4 s.
pub fn loudness(pcm: &Pcm) -> Result<Option<f64>> {
    let mut meter = EbuR128::new(1, pcm.rate, Mode::I).context("cannot measure loudness")?;
    meter.add_frames_f32(&pcm.samples).context("cannot measure loudness")?;
    Ok(meter.loudness_global().ok().filter(|loudness| loudness.is_finite()))
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
    fn a_sine_in_one_channel_has_the_standards_loudness() -> Result<()> {
        // ITU-R BS.1770-4: 997 Hz at 0 dB FS in one channel is -3.01 LKFS.
        let loudness = loudness(&sine(1.0, 1.0))?.unwrap_or_default();
        assert!((loudness + 3.01).abs() < 0.02, "{loudness}");
        assert_eq!(super::loudness(&sine(0.0, 1.0))?, None);
        Ok(())
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
}
