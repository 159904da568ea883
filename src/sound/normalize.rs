//! Loudness: a quiet recording is raised and a loud one lowered, as a whole, so that nothing within it changes.
//!
//! Measured as EBU R 128 (ITU-R BS.1770) has it. Neither HuBERT base nor EnCodec 24 kHz normalises what it hears, and
//! both were trained on speech as it is published; Bark's own sample recordings lie at [`LOUDNESS_TARGET`].

use super::level::{loudness, peak};
use super::thresholds::{LOUDNESS_TARGET, LOUDNESS_TOLERANCE, PEAK};
use crate::audio::Pcm;
use anyhow::Result;

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
    fn silence_and_what_is_too_short_to_measure_stay() {
        for samples in [vec![0.0; 48_000], vec![0.5; 100], vec![]] {
            let mut pcm = Pcm { samples, rate: 48_000 };
            assert_eq!(level(&mut pcm).unwrap(), Levelled { before: None, gain: 0.0 });
        }
    }
}
