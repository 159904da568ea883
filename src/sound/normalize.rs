//! Loudness: a quiet recording is raised and a loud one lowered, as a whole, so that nothing within it changes.
//!
//! Measured as EBU R 128 (ITU-R BS.1770) has it. Neither HuBERT base nor EnCodec 24 kHz normalises what it hears, and both
//! were trained on speech as it is published; Bark's own sample recordings lie at [`TARGET`].

use crate::audio::Pcm;
use anyhow::{Context, Result};
use ebur128::{EbuR128, Mode};

/// Integrated loudness that is aimed at, LUFS: between broadcast's -23 (EBU R 128) and streamed speech's -16 (AES TD1008).
pub const TARGET: f64 = -20.0;
/// What is this near to the target is left as it is, LU.
pub const TOLERANCE: f64 = 3.0;
/// Highest sample that a gain may lead to, dB re full scale (EBU R 128's highest permitted level).
pub const PEAK: f64 = -1.0;

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

/// Integrated loudness, LUFS.
fn loudness(pcm: &Pcm) -> Result<Option<f64>> {
    let failed = || format!("cannot measure loudness at {} Hz", pcm.rate);
    let mut meter = EbuR128::new(1, pcm.rate, Mode::I).with_context(failed)?;
    meter.add_frames_f32(&pcm.samples).with_context(failed)?;
    let lufs = meter.loudness_global().with_context(failed)?;
    Ok(lufs.is_finite().then_some(lufs))
}

/// Highest sample, dB re full scale.
fn peak(pcm: &Pcm) -> f64 {
    let peak = pcm.samples.iter().fold(0f32, |peak, sample| peak.max(sample.abs()));
    20.0 * f64::from(peak).log10()
}

fn gain(lufs: f64, peak: f64) -> f64 {
    match TARGET - lufs {
        wanted if wanted.abs() <= TOLERANCE => 0.0,
        // What is both quiet and peaky stays as it is; it is never lowered for its peak.
        wanted if wanted > 0.0 => wanted.min((PEAK - peak).max(0.0)),
        wanted => wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(amplitude: f32) -> Pcm {
        let samples = (0..96_000).map(|i| amplitude * (TAU * 997.0 * i as f32 / 48_000.0).sin()).collect();
        Pcm { samples, rate: 48_000 }
    }

    #[test]
    fn a_full_scale_tone_of_1_khz_has_minus_3_lufs() {
        let lufs = loudness(&tone(1.0)).unwrap().unwrap();
        assert!((lufs + 3.01).abs() < 0.1, "{lufs}");
    }

    #[test]
    fn quiet_and_loud_sounds_come_to_the_target() {
        for amplitude in [0.01, 1.0] {
            let mut pcm = tone(amplitude);
            let levelled = level(&mut pcm).unwrap();
            assert!(levelled.gain.abs() > 10.0, "{levelled:?}");
            let after = loudness(&pcm).unwrap().unwrap();
            assert!((after - TARGET).abs() < 0.01, "{after}");
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
    fn silence_and_what_is_too_short_to_measure_stay() {
        for samples in [vec![0.0; 48_000], vec![0.5; 100], vec![]] {
            let mut pcm = Pcm { samples, rate: 48_000 };
            assert_eq!(level(&mut pcm).unwrap(), Levelled { before: None, gain: 0.0 });
        }
    }
}
