//! Short-time power spectra: a sound through a Hann window and a Fourier transform, frame by frame, so that no more
//! than one frame is held at a time.

use anyhow::Result;
use realfft::{RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// The transform of frames of one length.
pub struct Spectra {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    hop: usize,
}

impl Spectra {
    /// Frames of `length` samples, `hop` apart; neither is 0.
    pub fn new(length: usize, hop: usize) -> Self {
        let hann = |i| 0.5 - 0.5 * (std::f32::consts::TAU * (i as f32 + 0.5) / length as f32).cos();
        Self { fft: RealFftPlanner::new().plan_fft_forward(length), window: (0..length).map(hann).collect(), hop }
    }

    /// Frames that lie wholly in `samples` of this length; one, filled up with silence, if it is shorter.
    pub fn frames(&self, samples: usize) -> usize {
        samples.saturating_sub(self.window.len()) / self.hop + 1
    }

    /// Hands out `(frame, power)`: `power` `[length / 2 + 1]`, in which a sine of amplitude 1 has a peak of 1.
    pub fn each(&self, samples: &[f32], mut take: impl FnMut(usize, &[f32])) -> Result<()> {
        let scale = (2.0 / self.window.iter().sum::<f32>()).powi(2);
        let (mut input, mut output) = (self.fft.make_input_vec(), self.fft.make_output_vec());
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = vec![0.0; output.len()];
        for frame in 0..self.frames(samples.len()) {
            let there = &samples[frame * self.hop..samples.len().min(frame * self.hop + self.window.len())];
            input.fill(0.0);
            input.iter_mut().zip(there).zip(&self.window).for_each(|((x, s), w)| *x = s * w);
            self.fft.process_with_scratch(&mut input, &mut output, &mut scratch)?;
            power.iter_mut().zip(&output).for_each(|(p, x)| *p = x.norm_sqr() * scale);
            take(frame, &power);
        }
        Ok(())
    }
}

/// The value under which this share, 0 to 1, of `values` lies; none of nothing.
pub fn percentile(values: &mut [f64], share: f64) -> Option<f64> {
    let rank = (share * values.len().saturating_sub(1) as f64).round() as usize;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(rank, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_of_amplitude_one_has_a_peak_of_0_db_at_its_frequency() -> Result<()> {
        let sine: Vec<f32> = (0..4000).map(|i| (std::f32::consts::TAU * 50.0 * i as f32 / 1000.0).sin()).collect();
        let mut frames = 0;
        Spectra::new(1000, 500).each(&sine, |_, power| {
            frames += 1;
            assert!((power[50] - 1.0).abs() < 1e-3 && power[100] < 1e-6, "{}", power[50]);
        })?;
        assert_eq!(frames, 7);
        Ok(())
    }

    #[test]
    fn a_sound_shorter_than_a_frame_is_one_frame() -> Result<()> {
        let mut frames = 0;
        Spectra::new(1000, 500).each(&[0.5; 3], |_, _| frames += 1)?;
        assert_eq!(frames, 1);
        Ok(())
    }

    #[test]
    fn percentiles_are_ranks() {
        let mut values: Vec<f64> = (0..101).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut values, 0.2), Some(20.0));
        assert_eq!(percentile(&mut [], 0.5), None);
    }
}
