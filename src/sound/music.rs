//! Music, in front or behind: tones that hold still.
//!
//! Continuous frequency activation (Seyerlehner, Pohle, Schedl and Widmer, "Automatic music detection in television
//! productions", DAFx 2007): where the spectrum's local peaks stay in the same bin for seconds, something is held that
//! no voice holds. A voice that stays on one pitch does hold its overtones: where there is one, its multiples do not
//! count.

use super::analysis::Analysis;
use super::hum::Hum;
use super::level::decibels;
use super::pitch;
use super::spectra::Spectra;
use super::thresholds::SAME_PITCH;
use crate::audio::{Recipe, resample};
use anyhow::Result;

/// The paper's analysis: 11 025 Hz, frames of 1024 by 256, neighbourhoods of 21 bins, blocks of 100 frames by 50.
const RATE: u32 = 11_025;
const LENGTH: usize = 1024;
/// Width of a bin, Hz.
const BIN: f64 = RATE as f64 / LENGTH as f64;
const HOP: usize = 256;
const REACH: usize = 10;
const BLOCK: usize = 100;
/// The lowest bin that counts, at 300 Hz: under it a monotonous voice holds still as well.
const LOWEST: usize = 28;
/// The strongest activations that are summed.
const STRONGEST: usize = 5;
/// Fewest blocks that say something: in one alone a long vowel is held as well.
const ENOUGH: usize = 2;
/// dB by which a bin is a local peak. (The paper's 0.1 is of a power spectrum whose scale it does not state.)
const PEAK: f64 = 5.0;

/// The activation of each block of 2.3 s, 1.2 s apart: `[blocks]`, 0 to 5; nothing of less than 3.5 s. `track`: the
/// voice's pitch, as seconds and Hz.
pub fn activations(sound: &Analysis, hum: Option<&Hum>, track: &[(f64, f64)]) -> Result<Vec<f64>> {
    let slow = resample(&sound.pcm, RATE, Recipe::Functional)?;
    // Above half of a low sample rate nothing moves, and so everything is held.
    let highest = (0.45 * f64::from(sound.pcm.rate) / BIN) as usize;
    let mut blocks = Vec::new();
    let mut frames: Vec<Vec<bool>> = Vec::new();
    Spectra::new(LENGTH, HOP).each(&slow.samples, |frame, power| {
        frames.push(peaks(power));
        if frames.len() == BLOCK {
            let voice = pitch::held(track, seconds(frame + 1 - BLOCK)..seconds(frame + 1));
            let is_explained = |bin: usize| is_hum(bin, hum) || voice.is_some_and(|hz| is_overtone(bin, hz));
            blocks.push(activation(&frames, highest, is_explained));
            frames.drain(..BLOCK / 2);
        }
    })?;
    Ok(if blocks.len() < ENOUGH { Vec::new() } else { blocks })
}

/// Bins that stand out of their neighbourhood.
fn peaks(power: &[f32]) -> Vec<bool> {
    let levels: Vec<f64> = power.iter().map(|&p| decibels(f64::from(p))).collect();
    let stands_out = |bin: usize| {
        let around = &levels[bin.saturating_sub(REACH)..(bin + REACH + 1).min(levels.len())];
        levels[bin] - around.iter().sum::<f64>() / around.len() as f64 >= PEAK
    };
    (0..levels.len()).map(stands_out).collect()
}

/// The sum of the highest peaks in how often each bin stands out.
fn activation(frames: &[Vec<bool>], highest: usize, is_explained: impl Fn(usize) -> bool) -> f64 {
    let bins = frames[0].len();
    let often = |bin: usize| frames.iter().filter(|frame| frame[bin]).count() as f64 / frames.len() as f64;
    let heard = |bin: usize| (LOWEST..highest).contains(&bin) && !is_explained(bin);
    let often: Vec<f64> = (0..bins).map(|bin| if heard(bin) { often(bin) } else { 0.0 }).collect();
    let mut heights: Vec<f64> = (1..bins - 1).filter_map(|bin| height(&often, bin)).collect();
    heights.sort_by(|a, b| b.total_cmp(a));
    // Rust's sum of nothing is -0.
    0.0 + heights.iter().take(STRONGEST).sum::<f64>()
}

/// How high a local peak is over the nearest minima on both sides.
fn height(often: &[f64], bin: usize) -> Option<f64> {
    let here = often[bin];
    if here <= often[bin - 1] || here < often[bin + 1] {
        return None;
    }
    let down = |values: &mut dyn Iterator<Item = &f64>| {
        let mut low = here;
        values
            .take_while(|&&value| {
                value <= low && {
                    low = value;
                    true
                }
            })
            .last()
            .copied()
            .unwrap_or(here)
    };
    let left = down(&mut often[..bin].iter().rev());
    let right = down(&mut often[bin + 1..].iter());
    Some((here - left).min(here - right))
}

/// Whether a voice that holds this pitch is in this bin: a tone is four bins wide in a Hann window, and wavers by as
/// much as the pitch does.
fn is_overtone(bin: usize, pitch: f64) -> bool {
    let hz = bin as f64 * BIN;
    pitch::is_overtone(hz, pitch, (3.0 * BIN).max(SAME_PITCH * hz).min(0.4 * pitch))
}

/// When a frame begins.
fn seconds(frame: usize) -> f64 {
    (frame * HOP) as f64 / f64::from(RATE)
}

/// Whether the mains' hum is in this bin.
fn is_hum(bin: usize, hum: Option<&Hum>) -> bool {
    let hz = bin as f64 * BIN;
    hum.is_some_and(|hum| {
        let mains = f64::from(hum.hz);
        let nearest = (hz / mains).round();
        nearest <= 20.0 && (hz - nearest * mains).abs() <= 2.0 * BIN
    })
}
