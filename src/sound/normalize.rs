//! Loudness: a quiet recording is raised and a loud one lowered, as a whole, so that nothing within it changes.
//!
//! Measured as EBU R 128 (ITU-R BS.1770) has it. Neither HuBERT base nor EnCodec 24 kHz normalises what it hears, and
//! both were trained on speech as it is published; Bark's own sample recordings lie at [`LOUDNESS_TARGET`].

use super::level::{loudness, peak};
use super::thresholds::{LOUDNESS_TARGET, LOUDNESS_TOLERANCE, PEAK};
use crate::audio::Pcm;
use anyhow::Result;
use ebur128::{EbuR128, Mode};

/// What was done to the loudness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levelled {
    /// Loudness before, LUFS; `None`: there is nothing loud enough to measure (0.4 s at -70 LUFS).
    pub before: Option<f64>,
    /// Gain applied, dB: 0 where nothing had to be done.
    pub gain: f64,
}

/// Brings `pcm` to the target, or as near to it as its peak allows.
pub fn level(pcm: &mut Pcm) -> Result<Levelled> {
    let before = loudness(pcm)?;
    let gain = before.map_or(0.0, |lufs| gain(lufs, peak(pcm)));
    if gain != 0.0 {
        let factor = 10f64.powf(gain / 20.0) as f32;
        pcm.samples.iter_mut().for_each(|sample| *sample *= factor);
    }
    Ok(Levelled { before, gain })
}

fn gain(lufs: f64, peak: f64) -> f64 {
    match LOUDNESS_TARGET - lufs {
        wanted if wanted.abs() <= LOUDNESS_TOLERANCE => 0.0,
        // What is both quiet and peaky stays as it is; it is never lowered for its peak.
        wanted if wanted > 0.0 => wanted.min((PEAK - peak).max(0.0)),
        wanted => wanted,
    }
}

/// How a result is made as loud as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loudness {
    /// What every sample is multiplied by.
    pub factor: f32,
    /// What comes of it, LUFS; `None`: there is nothing loud enough to measure, and nothing is changed.
    pub reached: Option<f64>,
}

/// The gain that brings the sound that `play` hands over, in one channel at `rate` Hz, to `target` LUFS, or as near to it
/// as a true peak of [`PEAK`] allows (EBU R 128): nothing within it changes.
pub fn to_loudness(target: f64, rate: u32, play: impl FnOnce(Heard) -> Result<()>) -> Result<Loudness> {
    let mut meter = EbuR128::new(1, rate, Mode::I | Mode::TRUE_PEAK)?;
    play(&mut |samples| Ok(meter.add_frames_f32(samples)?))?;
    let (before, peak) = (meter.loudness_global()?, 20.0 * meter.true_peak(0)?.log10());
    if !before.is_finite() {
        return Ok(Loudness { factor: 1.0, reached: None });
    }
    let gain = (target - before).min(PEAK - peak);
    Ok(Loudness { factor: 10f64.powf(gain / 20.0) as f32, reached: Some(before + gain) })
}

/// Takes the next samples.
pub type Heard<'a> = &'a mut dyn FnMut(&[f32]) -> Result<()>;

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(amplitude: f32) -> Pcm {
        let samples = (0..96_000).map(|i| amplitude * (TAU * 997.0 * i as f32 / 48_000.0).sin()).collect();
        Pcm { samples, rate: 48_000 }
    }

    #[test]
    fn quiet_and_loud_sounds_come_to_the_target() {
        for amplitude in [0.01, 1.0] {
            let mut pcm = tone(amplitude);
            let levelled = level(&mut pcm).unwrap();
            assert!(levelled.gain.abs() > 10.0, "{levelled:?}");
            let after = loudness(&pcm).unwrap().unwrap();
            assert!((after - LOUDNESS_TARGET).abs() < 0.01, "{after}");
        }
    }

    #[test]
    fn what_is_near_the_target_is_left_exactly_as_it_is() {
        let pcm = tone(0.12);
        let mut levelled = pcm.clone();
        assert_eq!(level(&mut levelled).unwrap().gain, 0.0);
        assert_eq!(levelled, pcm);
    }

    #[test]
    fn a_gain_stops_where_the_peak_reaches_its_limit() {
        let mut pcm = tone(0.01);
        pcm.samples[50_000] = 0.5;
        let levelled = level(&mut pcm).unwrap();
        assert!((levelled.gain - 5.02).abs() < 0.01 && (peak(&pcm) - PEAK).abs() < 0.01, "{levelled:?}");
        pcm.samples[50_000] = 1.0;
        assert_eq!(level(&mut pcm).unwrap().gain, 0.0);
    }

    #[test]
    fn a_result_comes_to_its_loudness_or_stops_at_its_true_peak() {
        let asked = |pcm: &Pcm, target| {
            let made = to_loudness(target, pcm.rate, |heard| pcm.samples.chunks(999).try_for_each(heard)).unwrap();
            let samples = pcm.samples.iter().map(|sample| sample * made.factor).collect();
            (made, Pcm { samples, rate: pcm.rate })
        };
        let (made, pcm) = asked(&tone(0.01), -16.0);
        assert!((made.reached.unwrap() + 16.0).abs() < 0.01 && (loudness(&pcm).unwrap().unwrap() + 16.0).abs() < 0.01);
        // A sine at a quarter of the rate, sampled beside its crests: 3 dB more between the samples than in them.
        let between = (0..96_000).map(|i| (TAU * (i as f32 / 4.0 + 0.125)).sin()).collect();
        let (made, pcm) = asked(&Pcm { samples: between, rate: 48_000 }, 0.0);
        assert!((peak(&pcm) - (PEAK - 3.01)).abs() < 0.3 && made.reached.unwrap() < -0.5, "{made:?}");
        assert_eq!(asked(&tone(0.0), -16.0).0, Loudness { factor: 1.0, reached: None });
    }

    #[test]
    fn silence_and_what_is_too_short_to_measure_stay() {
        for samples in [vec![0.0; 48_000], vec![0.5; 100], vec![]] {
            let mut pcm = Pcm { samples, rate: 48_000 };
            assert_eq!(level(&mut pcm).unwrap(), Levelled { before: None, gain: 0.0 });
        }
    }
}
