//! Mains hum: the tones at multiples of 50 or 60 Hz that stand still under the speech.
//!
//! Speech and pauses come and go in each bin, hum does not: so each bin is judged by the 10th percentile of its power
//! over time (as in the minimum statistics of Martin, "Noise power spectral density estimation based on optimal
//! smoothing and minimum statistics", 2001), and a tone is what stands out of its neighbours there.

use super::analysis::Analysis;
use super::level::decibels;
use super::pitch;
use super::spectra::{Spectra, percentile};
use super::thresholds::{HUM_PROMINENCE, HUM_SOLO_PROMINENCE};
use crate::audio::{Recipe, resample};
use anyhow::Result;
use serde::Serialize;
use std::ops::Range;

/// Rate that is listened at, Hz.
const RATE: u32 = 2_000;
/// Samples of a frame, 0.4 s, and between frames: a pause between sentences holds a few frames.
const LENGTH: usize = 800;
const HOP: usize = 100;
/// Width of a bin, Hz.
const BIN: f64 = RATE as f64 / LENGTH as f64;
/// Fewest frames that tell what stands still from what passes: 2.5 s.
const ENOUGH: usize = 43;
/// Highest multiple that is looked at.
const MULTIPLES: usize = 12;
/// Distance of the neighbours, bins: 10 to 22 Hz.
const NEIGHBOURS: Range<usize> = 4..9;
/// The share of the time in which nothing but what stands still may be heard.
const STILL: f64 = 0.1;

/// A mains hum.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hum {
    /// 50 or 60.
    pub hz: u32,
    /// Multiples of it that stand out.
    pub multiples: Vec<u32>,
    /// RMS level of these together, dB re full scale.
    pub level: f64,
}

/// Finds the mains' hum; `None` also where the recording is under 2.5 s. `voice`: the pitch that a monotonous voice
/// holds, Hz, whose overtones stand still as well.
pub fn hum(sound: &Analysis, voice: Option<f64>) -> Result<Option<Hum>> {
    let slow = resample(&sound.pcm, RATE, Recipe::Functional)?;
    let spectra = Spectra::new(LENGTH, HOP);
    if spectra.frames(slow.samples.len()) < ENOUGH {
        return Ok(None);
    }
    let mut bins = vec![Vec::new(); LENGTH / 2 + 1];
    spectra.each(&slow.samples, |_, power| {
        bins.iter_mut().zip(power).for_each(|(bin, &p)| bin.push(f64::from(p)));
    })?;
    let still: Vec<f64> = bins.iter_mut().map(|bin| percentile(bin, STILL).unwrap_or_default()).collect();
    let hums = [50, 60].map(|hz| of(&still, hz, voice));
    Ok(hums
        .into_iter()
        .flatten()
        .max_by(|a, b| a.multiples.len().cmp(&b.multiples.len()).then(a.level.total_cmp(&b.level))))
}

fn of(still: &[f64], hz: usize, voice: Option<f64>) -> Option<Hum> {
    let is_voice = |hz: f64| voice.is_some_and(|pitch| pitch::is_overtone(hz, pitch, 1.5 * BIN));
    let multiples = (1..=MULTIPLES).map(|multiple| (multiple, (multiple * hz) as f64)).filter(|&(_, hz)| !is_voice(hz));
    let tones: Vec<_> = multiples.map(|(multiple, hz)| (multiple, tone(still, hz))).collect();
    let out = |least: f64| tones.iter().filter(move |(_, tone)| tone.prominence >= least);
    let solo = out(HUM_SOLO_PROMINENCE).any(|&(multiple, _)| multiple <= 2);
    if !solo && out(HUM_PROMINENCE).count() < 3 {
        return None;
    }
    let power: f64 = out(HUM_PROMINENCE).map(|(_, tone)| tone.power).sum();
    let multiples = out(HUM_PROMINENCE).map(|&(multiple, _)| multiple as u32).collect();
    Some(Hum { hz: hz as u32, multiples, level: decibels(power / 2.0) })
}

/// A bin and its neighbourhood.
struct Tone {
    power: f64,
    /// dB over its neighbours' median.
    prominence: f64,
}

fn tone(still: &[f64], hz: f64) -> Tone {
    let bin = (hz / BIN).round() as usize;
    let power = still[bin - 1..=bin + 1].iter().fold(0.0, |high: f64, &p| high.max(p));
    let mut around =
        [&still[bin - NEIGHBOURS.end..bin - NEIGHBOURS.start], &still[bin + NEIGHBOURS.start..bin + NEIGHBOURS.end]]
            .concat();
    let around = percentile(&mut around, 0.5).unwrap_or_default();
    Tone { power, prominence: decibels(power) - decibels(around) }
}
