//! Bandwidth: where the spectrum ends in an edge, as a telephone, a low sample rate or a lossy codec leaves it.

use super::analysis::Analysis;
use super::level::{SILENCE, decibels, power};
use super::spectra::Spectra;
use super::thresholds::{EDGE_DROP, EDGE_LOWEST};
use anyhow::Result;

/// Length of a frame, seconds, and width of a band of the smoothed spectrum, Hz.
const FRAME_SECONDS: f64 = 0.032;
const BAND: f64 = 100.0;

/// The frequency at which the spectrum falls off as a voice does not, Hz; without such an edge, half the sample rate.
pub fn cutoff(sound: &Analysis) -> Result<f64> {
    let bands = bands(sound)?;
    let hz = |band: usize| band as f64 * BAND;
    let first = (EDGE_LOWEST / BAND) as usize;
    let edge = (first..bands.len()).find(|&edge| drop(&bands, edge) >= EDGE_DROP);
    Ok(edge.map_or(f64::from(sound.pcm.rate) / 2.0, hz))
}

/// dB from the fifth below an edge to the loudest of all that lies a tenth or more above it.
fn drop(bands: &[f64], edge: usize) -> f64 {
    let below = &bands[edge * 4 / 5..edge];
    let above = &bands[(edge + 2).max(edge * 21 / 20).min(bands.len())..];
    if above.len() < 2 {
        return 0.0;
    }
    let mean = below.iter().sum::<f64>() / below.len().max(1) as f64;
    mean - above.iter().fold(f64::NEG_INFINITY, |high: f64, &b| high.max(b))
}

/// Mean power of each 100 Hz over the whole recording, dB.
fn bands(sound: &Analysis) -> Result<Vec<f64>> {
    let rate = f64::from(sound.pcm.rate);
    let length = ((FRAME_SECONDS * rate) as usize).next_power_of_two();
    let mut sums = vec![0.0; length / 2 + 1];
    let spectra = Spectra::new(length, length / 2);
    spectra.each(&sound.pcm.samples, |_, power| {
        sums.iter_mut().zip(power).for_each(|(sum, &p)| *sum += f64::from(p));
    })?;
    let frames = spectra.frames(sound.pcm.samples.len()) as f64;
    let bins = |band: usize| {
        let bin = |hz: f64| (hz * length as f64 / rate).round() as usize;
        bin(band as f64 * BAND)..bin((band + 1) as f64 * BAND)
    };
    let floor = power(SILENCE);
    let band = |band| {
        let bins = &sums[bins(band)];
        decibels(bins.iter().sum::<f64>() / (frames * bins.len().max(1) as f64) + floor)
    };
    Ok((0..(rate / 2.0 / BAND) as usize).map(band).collect())
}
