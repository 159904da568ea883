//! Steady noise taken out of speech by RNNoise, a small recurrent network (Valin, "A Hybrid DSP/Deep Learning Approach
//! to Real-Time Full-Band Speech Enhancement", 2018), as nnnoiseless has it with its weights.

use crate::audio::{Pcm, Recipe, resample};
use anyhow::Result;
use nnnoiseless::DenoiseState;

/// Rate that RNNoise works at, Hz.
const RATE: u32 = 48_000;
const FRAME: usize = DenoiseState::FRAME_SIZE;
/// It counts in 16-bit units.
const SCALE: f32 = 32_768.0;

/// `pcm` `[L]` at its rate -> `[ceil(48000 L / rate)]` at 48 kHz, without delay.
pub fn denoise(pcm: &Pcm) -> Result<Pcm> {
    let pcm = resample(pcm, RATE, Recipe::Transform)?;
    let mut state = DenoiseState::new();
    let mut samples = Vec::with_capacity(pcm.samples.len() + 2 * FRAME);
    let silence = [0.0; FRAME];
    // Each frame comes out while the next goes in, and the first that comes out is none.
    for chunk in pcm.samples.chunks(FRAME).chain([&silence[..]]) {
        let (mut frame, mut clean) = ([0.0; FRAME], [0.0; FRAME]);
        frame.iter_mut().zip(chunk).for_each(|(to, &sample)| *to = SCALE * sample);
        state.process_frame(&mut clean, &frame);
        samples.extend(clean.map(|sample| sample / SCALE));
    }
    samples.drain(..FRAME);
    samples.truncate(pcm.samples.len());
    Ok(Pcm { samples, rate: RATE })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::read_wav;
    use std::path::Path;

    fn power(samples: &[f32]) -> f64 {
        samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len() as f64
    }

    /// Speech from 2 to 4 s of the shipped reference, and hiss of this amplitude around and under it.
    fn noisy(amplitude: f32) -> (Pcm, Pcm) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/reference.wav");
        let mut pcm = read_wav(Path::new(path), 60.0).unwrap().pcm;
        pcm.samples.resize(8 * 24_000, 0.0);
        let clean = pcm.clone();
        let mut noise = 1u32;
        for sample in &mut pcm.samples {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample += amplitude * ((noise >> 8) as f32 / 8_388_608.0 - 1.0);
        }
        (clean, pcm)
    }

    #[test]
    fn hiss_is_lowered_where_nobody_speaks() {
        let (_, noisy) = noisy(0.02);
        let denoised = denoise(&noisy).unwrap();
        assert_eq!((denoised.rate, denoised.samples.len()), (48_000, 2 * noisy.samples.len()));
        let (before, after) = (power(&noisy.samples[7 * 24_000 + 12_000..]), power(&denoised.samples[15 * 24_000..]));
        assert!(after < before / 100.0, "{before} to {after}");
    }

    #[test]
    fn speech_comes_through_without_delay() {
        let (clean, noisy) = noisy(0.005);
        let denoised = denoise(&noisy).unwrap();
        let clean = resample(&clean, 48_000, Recipe::Transform).unwrap();
        let match_at = |lag: usize| -> f64 {
            let pairs = clean.samples[..300_000].iter().zip(&denoised.samples[lag..]);
            pairs.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        let best = (0..1_000).step_by(4).max_by(|&a, &b| match_at(a).total_cmp(&match_at(b))).unwrap();
        assert!(best <= 48, "{best} samples late");
        assert!(match_at(0) > 0.7 * power(&clean.samples[..300_000]) * 300_000.0);
    }
}
