//! Mel power spectra as librosa and speechbrain make them: frames are centred on multiples of the hop, over zeros beside
//! the sound or its mirror image; windows are periodic; bands reach up to half the rate.
//!
//! - [`Mel::librosa`]: `librosa.feature.melspectrogram` with its defaults but for the sizes: a Hann window; Slaney's mel
//!   scale and area normalisation;
//! - [`Mel::speechbrain`]: `lobes.features.Fbank` before its logarithm: a Hamming window, 2595 log10(1 + f / 700), and
//!   triangles as wide above their middle as below it, of height 1.

use anyhow::Result;
use realfft::{RealFftPlanner, RealToComplex};
use std::f64::consts::TAU;
use std::sync::Arc;

/// Slaney's scale is linear up to here, and logarithmic above.
const CORNER_HZ: f64 = 1000.0;
const HZ_A_MEL: f64 = 200.0 / 3.0;
/// Mels of a factor of 6.4 above the corner.
const MELS_A_FACTOR: f64 = 27.0;
const FACTOR: f64 = 6.4;

/// A mel filter bank over frames of one length.
pub struct Mel {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    hop: usize,
    /// `[bands, length / 2 + 1]`
    filters: Vec<Vec<f32>>,
}

impl Mel {
    /// `bands` bands of sound at `rate` Hz, in frames of `length` samples, `hop` apart.
    pub fn librosa(rate: f64, length: usize, hop: usize, bands: usize) -> Self {
        Self::new([0.5, 0.5], hop, length, slaney(rate, length, bands))
    }

    /// The same, otherwise.
    pub fn speechbrain(rate: f64, length: usize, hop: usize, bands: usize) -> Self {
        Self::new([0.54, 0.46], hop, length, symmetric(rate, length, bands))
    }

    /// A window of a constant less a cosine.
    fn new([constant, cosine]: [f64; 2], hop: usize, length: usize, filters: Vec<Vec<f32>>) -> Self {
        let window = |i| (constant - cosine * (TAU * i as f64 / length as f64).cos()) as f32;
        let fft = RealFftPlanner::new().plan_fft_forward(length);
        Self { fft, window: (0..length).map(window).collect(), hop, filters }
    }

    /// `samples` `[L]` -> `[1 + L / hop]` frames of mel power, `[bands]` each.
    pub fn frames(&self, samples: &[f32]) -> Result<Vec<Vec<f32>>> {
        let zeros = vec![0.0; self.window.len() / 2];
        self.within(&[&zeros, samples, &zeros].concat())
    }

    /// [`Mel::frames`] where the sound is mirrored about its ends instead (librosa's and torch's `reflect`). It is
    /// longer than half a frame.
    pub fn frames_mirrored(&self, samples: &[f32]) -> Result<Vec<Vec<f32>>> {
        let beside = self.window.len() / 2;
        let before = samples[1..=beside].iter().rev();
        let after = samples.iter().rev().skip(1).take(beside);
        self.within(&before.chain(samples).chain(after).copied().collect::<Vec<_>>())
    }

    /// The frames that lie within `samples`.
    fn within(&self, samples: &[f32]) -> Result<Vec<Vec<f32>>> {
        let (mut input, mut output) = (self.fft.make_input_vec(), self.fft.make_output_vec());
        let frame = |frame: &[f32]| -> Result<Vec<f32>> {
            input.iter_mut().zip(frame.iter().zip(&self.window)).for_each(|(x, (sample, w))| *x = sample * w);
            self.fft.process(&mut input, &mut output)?;
            let power: Vec<f32> = output.iter().map(|x| x.norm_sqr()).collect();
            Ok(self.filters.iter().map(|filter| filter.iter().zip(&power).map(|(f, p)| f * p).sum()).collect())
        };
        samples.windows(self.window.len()).step_by(self.hop).map(frame).collect()
    }
}

/// Triangles of one area, each from the middle of the band before to that of the band after.
fn slaney(rate: f64, length: usize, bands: usize) -> Vec<Vec<f32>> {
    let top = mels(rate / 2.0);
    let edges: Vec<f64> = (0..bands + 2).map(|i| hertz(top * i as f64 / (bands + 1) as f64)).collect();
    let triangle = |edge: &[f64]| -> Vec<f32> {
        let (left, middle, right) = (edge[0], edge[1], edge[2]);
        let height = |hz: f64| ((hz - left) / (middle - left)).min((right - hz) / (right - middle)).max(0.0);
        let bin = |bin: usize| (height(bin as f64 * rate / length as f64) * 2.0 / (right - left)) as f32;
        (0..=length / 2).map(bin).collect()
    };
    edges.windows(3).map(triangle).collect()
}

/// Triangles of height 1 from the middle of the band before, and as far beyond their own.
fn symmetric(rate: f64, length: usize, bands: usize) -> Vec<Vec<f32>> {
    let top = 2595.0 * (1.0 + rate / 2.0 / 700.0).log10();
    let hertz = |i: usize| 700.0 * (10f64.powf(top * i as f64 / (bands + 1) as f64 / 2595.0) - 1.0);
    let height = |bin: usize, band: usize| {
        let (middle, width) = (hertz(band + 1), hertz(band + 1) - hertz(band));
        (1.0 - (bin as f64 * rate / length as f64 - middle).abs() / width).max(0.0) as f32
    };
    (0..bands).map(|band| (0..=length / 2).map(|bin| height(bin, band)).collect()).collect()
}

fn mels(hz: f64) -> f64 {
    match hz < CORNER_HZ {
        true => hz / HZ_A_MEL,
        false => CORNER_HZ / HZ_A_MEL + (hz / CORNER_HZ).ln() * MELS_A_FACTOR / FACTOR.ln(),
    }
}

fn hertz(mels: f64) -> f64 {
    let corner = CORNER_HZ / HZ_A_MEL;
    match mels < corner {
        true => mels * HZ_A_MEL,
        false => CORNER_HZ * ((mels - corner) * FACTOR.ln() / MELS_A_FACTOR).exp(),
    }
}
