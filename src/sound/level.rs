//! How loud a sound is.

use crate::audio::Pcm;
use anyhow::{Context, Result};
use ebur128::{EbuR128, Mode};

/// The level that digital silence is given, dB re full scale.
pub const SILENCE: f64 = -120.0;

/// Power -> dB; silence is [`SILENCE`].
pub fn decibels(power: f64) -> f64 {
    (10.0 * power.log10()).max(SILENCE)
}

/// dB -> power.
pub fn power(decibels: f64) -> f64 {
    10f64.powf(decibels / 10.0)
}

/// Mean power of these levels, dB; none of nothing.
pub fn mean_power(levels: impl Iterator<Item = f32>) -> Option<f64> {
    let (sum, count) = levels.fold((0.0, 0), |(sum, count), level| (sum + power(f64::from(level)), count + 1));
    (count > 0).then(|| 10.0 * (sum / f64::from(count)).log10())
}

/// RMS of `samples`, dB re full scale: a full-scale sine is at -3.
pub fn rms(samples: &[f32]) -> f64 {
    decibels(samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len().max(1) as f64)
}

/// The highest sample, dB re full scale.
pub fn peak(pcm: &Pcm) -> f64 {
    let peak = pcm.samples.iter().fold(0f32, |peak, sample| peak.max(sample.abs()));
    (20.0 * f64::from(peak).log10()).max(SILENCE)
}

/// Integrated loudness, LUFS (EBU R 128, ITU-R BS.1770, as one channel); none where all is below its gate of -70, or
/// under its block of 0.4 s.
pub fn loudness(pcm: &Pcm) -> Result<Option<f64>> {
    let failed = || format!("cannot measure loudness at {} Hz", pcm.rate);
    let mut meter = EbuR128::new(1, pcm.rate, Mode::I).with_context(failed)?;
    meter.add_frames_f32(&pcm.samples).with_context(failed)?;
    let lufs = meter.loudness_global().with_context(failed)?;
    Ok(lufs.is_finite().then_some(lufs))
}

/// The mean of all samples: the offset.
pub fn mean(samples: &[f32]) -> f64 {
    samples.iter().map(|&x| f64::from(x)).sum::<f64>() / samples.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_in_one_channel_has_the_standards_loudness() -> Result<()> {
        let sine = |amplitude: f32| {
            let wave = |i| amplitude * (std::f32::consts::TAU * 997.0 * i as f32 / 48_000.0).sin();
            Pcm { samples: (0..96_000).map(wave).collect(), rate: 48_000 }
        };
        // ITU-R BS.1770-4: 997 Hz at 0 dB FS in one channel is -3.01 LKFS.
        let loudness = loudness(&sine(1.0))?.unwrap_or_default();
        assert!((loudness + 3.01).abs() < 0.02, "{loudness}");
        assert_eq!(super::loudness(&sine(0.0))?, None);
        assert!((rms(&sine(1.0).samples) + 3.01).abs() < 0.01 && peak(&sine(0.5)) < -6.0);
        assert_eq!((rms(&[]), peak(&sine(0.0))), (SILENCE, SILENCE));
        Ok(())
    }
}
