//! Changed copies of the sounds that are learned from, so that a quantizer also hears rooms, noise and telephones.

use crate::audio::Pcm;
use anyhow::Result;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use realfft::RealFftPlanner;
use realfft::num_complex::Complex;
use std::collections::BTreeSet;
use std::f64::consts::TAU;
use std::fmt;

/// How far noise lies under the sound, dB.
const NOISE: [f64; 2] = [10.0, 30.0];
/// What the level changes by, dB.
const LEVEL: [f64; 2] = [-15.0, 6.0];
/// Where the band begins and ends, Hz: about a telephone's 300 to 3400 at its narrowest.
const LOW: [f64; 2] = [50.0, 300.0];
const HIGH: [f64; 2] = [3000.0, 7000.0];
/// The time in which a room's sound falls by 60 dB, seconds, and how far all of it lies under what comes straight, dB.
const DECAY: [f64; 2] = [0.15, 0.5];
const REFLECTED: [f64; 2] = [3.0, 12.0];
/// Reflections come this much after what comes straight, seconds.
const DELAY: f64 = 0.003;

/// What is done to a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A room's reflections: noise that dies away.
    Room,
    /// A narrower band.
    Band,
    /// White noise.
    Noise,
    /// Louder or softer.
    Level,
}

impl Change {
    fn name(self) -> &'static str {
        match self {
            Change::Room => "room",
            Change::Band => "band",
            Change::Noise => "noise",
            Change::Level => "level",
        }
    }
}

/// How copies are changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Augment {
    /// At least one, in the order in which sound meets them.
    pub changes: BTreeSet<Change>,
    pub seed: u64,
}

impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let names: Vec<_> = self.changes.iter().map(|change| change.name()).collect();
        write!(f, "{} (seed {})", names.join(", "), self.seed)
    }
}

impl Augment {
    /// A copy of `clip` with one or more of the changes, drawn by `key`: as long, at the same rate, within full scale;
    /// and which these are, in words.
    pub fn changed(&self, clip: &Pcm, key: [u8; 32]) -> Result<(Pcm, String)> {
        let mut draw = Draw(ChaCha8Rng::from_seed(key));
        let kinds: Vec<_> = self.changes.iter().collect();
        // Any set of them but the empty one is as likely as any other.
        let chosen = 1 + draw.0.next_u64() % ((1 << kinds.len()) - 1);
        let (mut samples, mut done) = (clip.samples.clone(), vec![]);
        for (_, change) in kinds.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1) {
            let how;
            (samples, how) = apply(**change, &samples, f64::from(clip.rate), &mut draw)?;
            done.push(format!("{} {how}", change.name()));
        }
        let peak = samples.iter().fold(1.0f32, |most, x| most.max(x.abs()));
        samples.iter_mut().for_each(|x| *x /= peak);
        Ok((Pcm { samples, rate: clip.rate }, done.join(", ")))
    }
}

/// Numbers by chance.
struct Draw(ChaCha8Rng);

impl Draw {
    /// From 0 to below 1.
    fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }

    fn between(&mut self, [least, most]: [f64; 2]) -> f64 {
        least + (most - least) * self.unit()
    }

    /// Of the normal distribution (Box and Muller).
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (TAU * self.unit()).cos()
    }
}

fn factor(decibels: f64) -> f64 {
    10f64.powf(decibels / 20.0)
}

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len().max(1) as f64
}

/// `samples` after a change, and how much was changed, in words.
fn apply(change: Change, samples: &[f32], rate: f64, draw: &mut Draw) -> Result<(Vec<f32>, String)> {
    Ok(match change {
        Change::Level => {
            let decibels = draw.between(LEVEL);
            let gain = factor(decibels) as f32;
            (samples.iter().map(|x| x * gain).collect(), format!("{decibels:+.1} dB"))
        }
        Change::Noise => {
            let under = draw.between(NOISE);
            let amplitude = power(samples).sqrt() * factor(-under);
            let noisy = samples.iter().map(|&x| x + (amplitude * draw.normal()) as f32);
            (noisy.collect(), format!("{under:.1} dB under"))
        }
        Change::Band => {
            let [low, high] = [LOW, HIGH].map(|bounds| draw.between(bounds));
            (band(samples, rate, [low, high])?, format!("{low:.0} to {high:.0} Hz"))
        }
        Change::Room => {
            let [decay, under] = [DECAY, REFLECTED].map(|bounds| draw.between(bounds));
            (room(samples, rate, [decay, under], draw)?, format!("{decay:.2} s {under:.1} dB under"))
        }
    })
}

/// Without what lies outside of `low` to `high` Hz, by a filter of second order on each side, without delay.
fn band(samples: &[f32], rate: f64, [low, high]: [f64; 2]) -> Result<Vec<f32>> {
    filtered(samples, samples.len(), |bin, length| {
        let hz = bin as f64 * rate / length as f64;
        let gain = 1.0 / (1.0 + (hz / high).powi(4)) / (1.0 + (low / hz.max(1e-9)).powi(4));
        Complex::new(gain as f32, 0.0)
    })
}

/// With reflections that fall by 60 dB in `decay` seconds, all of them `under` dB under what comes straight.
fn room(samples: &[f32], rate: f64, [decay, under]: [f64; 2], draw: &mut Draw) -> Result<Vec<f32>> {
    let start = (DELAY * rate) as usize;
    let fall = |at: usize| factor(-60.0 * at as f64 / (decay * rate));
    let mut response: Vec<f32> = (0..start + (decay * rate) as usize)
        .map(|at| if at < start { 0.0 } else { (draw.normal() * fall(at)) as f32 })
        .collect();
    let gain = factor(-under) / (power(&response) * response.len() as f64).sqrt().max(1e-9);
    response.iter_mut().for_each(|x| *x *= gain as f32);
    response[0] = 1.0;
    let length = samples.len() + response.len();
    let response = spectrum(&response, length)?;
    filtered(samples, length, |bin, _| response[bin])
}

/// `samples` with each bin of their [`spectrum`] times `gain(bin, transform's length)`.
fn filtered(samples: &[f32], length: usize, gain: impl Fn(usize, usize) -> Complex<f32>) -> Result<Vec<f32>> {
    let mut bins = spectrum(samples, length)?;
    let length = transformed(length);
    bins.iter_mut().enumerate().for_each(|(bin, x)| *x *= gain(bin, length));
    // A real signal's first and last bin are real.
    let last = bins.len() - 1;
    [0, last].into_iter().for_each(|bin| bins[bin].im = 0.0);
    let inverse = RealFftPlanner::new().plan_fft_inverse(length);
    let mut out = inverse.make_output_vec();
    inverse.process(&mut bins, &mut out)?;
    Ok(out[..samples.len()].iter().map(|x| x / length as f32).collect())
}

/// The transform's length for so many samples: a power of two is fast.
fn transformed(length: usize) -> usize {
    length.max(2).next_power_of_two()
}

/// `samples`, and silence behind them up to at least `length`, by frequency.
fn spectrum(samples: &[f32], length: usize) -> Result<Vec<Complex<f32>>> {
    let forward = RealFftPlanner::new().plan_fft_forward(transformed(length));
    let (mut input, mut bins) = (forward.make_input_vec(), forward.make_output_vec());
    input[..samples.len()].copy_from_slice(samples);
    forward.process(&mut input, &mut bins)?;
    Ok(bins)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 16_000;

    fn tone(hz: f64) -> Pcm {
        let sample = |i: u32| (0.1 * (TAU * hz * f64::from(i) / f64::from(RATE)).sin()) as f32;
        Pcm { samples: (0..RATE).map(sample).collect(), rate: RATE }
    }

    fn changed(change: Change, clip: &Pcm, key: u8) -> Pcm {
        Augment { changes: BTreeSet::from([change]), seed: 0 }.changed(clip, [key; 32]).unwrap().0
    }

    /// What was added, dB under the sound.
    fn under(clip: &Pcm, changed: &Pcm) -> f64 {
        let apart: Vec<f32> = clip.samples.iter().zip(&changed.samples).map(|(a, b)| b - a).collect();
        10.0 * (power(&clip.samples) / power(&apart)).log10()
    }

    fn louder(clip: &Pcm, changed: &Pcm) -> f64 {
        10.0 * (power(&changed.samples) / power(&clip.samples)).log10()
    }

    #[test]
    fn each_change_does_what_it_is_called_by_within_its_bounds() {
        let clip = tone(1000.0);
        for key in 0..20 {
            let level = louder(&clip, &changed(Change::Level, &clip, key));
            assert!((LEVEL[0]..LEVEL[1]).contains(&level), "{level}");
            let augment = Augment { changes: BTreeSet::from([Change::Level]), seed: 0 };
            assert_eq!(augment.changed(&clip, [key; 32]).unwrap().1, format!("level {level:+.1} dB"));
            let noise = under(&clip, &changed(Change::Noise, &clip, key));
            assert!((NOISE[0] - 0.5..NOISE[1] + 0.5).contains(&noise), "{noise}");
            let band = |hz| louder(&tone(hz), &changed(Change::Band, &tone(hz), key));
            assert!(band(1000.0) > -1.0 && band(20.0) < -10.0 && band(7900.0) < -6.0, "{}", band(7900.0));
            let room = changed(Change::Room, &clip, key);
            assert!(under(&clip, &room) < 40.0, "{}", under(&clip, &room));
        }
    }

    #[test]
    fn a_room_sounds_on_after_what_is_said_and_never_before() {
        let mut clip = tone(1000.0);
        clip.samples[..4000].fill(0.0);
        clip.samples[8000..].fill(0.0);
        let room = changed(Change::Room, &clip, 3).samples;
        assert_eq!(room.len(), clip.samples.len());
        assert!(power(&room[..3900]) < 1e-12, "{}", power(&room[..3900]));
        assert!(power(&room[8100..9000]) > 1e-7 && power(&room[8100..9000]) > 10.0 * power(&room[15_000..]));
    }

    #[test]
    fn copies_are_decided_by_key_and_kinds_and_stay_within_full_scale() {
        let all = BTreeSet::from([Change::Room, Change::Band, Change::Noise, Change::Level]);
        let augment = Augment { changes: all, seed: 7 };
        assert_eq!(augment.to_string(), "room, band, noise, level (seed 7)");
        let mut clip = tone(500.0);
        clip.samples.iter_mut().for_each(|x| *x *= 9.9);
        let copies: Vec<_> = (0..10).map(|key| augment.changed(&clip, [key; 32]).unwrap()).collect();
        assert_eq!(copies[4], augment.changed(&clip, [4; 32]).unwrap());
        assert!(copies.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(copies.iter().flat_map(|(copy, _)| &copy.samples).all(|x| x.abs() <= 1.0));
        assert!(copies.iter().all(|(copy, done)| copy.samples.len() == clip.samples.len() && !done.is_empty()));
    }
}
