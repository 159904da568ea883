//! Sample rates, exactly as torchaudio changes them: a sinc, low-pass at 0.99 of the lower Nyquist frequency, under a
//! Hann window of 6 zero crossings on each side (`sinc_interp_hann`, `torchaudio/functional/functional.py`).
//!
//! rubato's own filters are better ones, but other ones (about 40 dB apart): codes and tokens decided by near ties would
//! differ from upstream's. So torchaudio's filter is a [`rubato::Resampler`] here, and rubato drives it over a clip.
//!
//! ```text
//! base = 0.99 min(from, to)                    from, to divided by their greatest common divisor
//! y[j] = sum_i x[i] h(base (i / from - j / to))        with j = block * to + phase: `to` filters, reused block by block
//! h(t) = base / from * sinc(t) * cos(pi t / 12)^2      for |t| < 6, else 0
//! ```

use super::Pcm;
use anyhow::{Context, Result, ensure};
use rubato::audioadapter::{Adapter, AdapterMut};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Adjustable, Indexing, ResampleError, ResampleResult, Resampler, Resizable};
use std::f64::consts::PI;

/// Zero crossings of the sinc on each side: torchaudio's `lowpass_filter_width`.
const CROSSINGS: f64 = 6.0;
/// Cutoff relative to the lower Nyquist frequency: torchaudio's `rolloff`.
const ROLLOFF: f64 = 0.99;
/// Input frames of one step, about.
const CHUNK: usize = 4096;

/// In which precision torchaudio computes its filter: the two entry points differ by about 1e-6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// `torchaudio.functional.resample`, all in f32: upstream's way to HuBERT's 16 kHz.
    Functional,
    /// `torchaudio.transforms.Resample`, in f64 but for the phases: upstream's way to EnCodec's 24 kHz
    /// (`encodec.utils.convert_audio`).
    Transform,
}

/// `pcm` `[L]` at its rate -> `[ceil(L * to / rate)]` at `to` Hz, without delay.
pub fn resample(pcm: &Pcm, to: u32, recipe: Recipe) -> Result<Pcm> {
    if pcm.rate == to {
        return Ok(pcm.clone());
    }
    ensure!(pcm.rate > 0 && to > 0, "cannot resample from {} to {to} Hz", pcm.rate);
    let mut resampler = SincHann::new(pcm.rate, to, recipe);
    let len = pcm.samples.len();
    let input = InterleavedSlice::new(&pcm.samples, 1, len)?;
    let failed = || format!("cannot resample {len} samples from {} to {to} Hz", pcm.rate);
    let mut samples = resampler.process_all(&input, len, None).with_context(failed)?.take_data();
    samples.truncate(resampler.length(len));
    Ok(Pcm { samples, rate: to })
}

/// [`resample`] of a clip that comes in parts: the same samples.
pub struct Stream {
    /// Nothing where the rates are equal.
    resampler: Option<SincHann>,
    /// What no whole step has taken yet.
    pending: Vec<f32>,
    given: usize,
    made: usize,
    /// Output frames to drop, by which the filters lag behind.
    delay: usize,
}

impl Stream {
    pub fn new(from: u32, to: u32, recipe: Recipe) -> Result<Self> {
        ensure!(from > 0 && to > 0, "cannot resample from {from} to {to} Hz");
        let resampler = (from != to).then(|| SincHann::new(from, to, recipe));
        let delay = resampler.as_ref().map_or(0, Resampler::output_delay);
        Ok(Self { resampler, pending: Vec::new(), given: 0, made: 0, delay })
    }

    /// Takes the next samples, and gives those that can be made of all so far.
    pub fn push(&mut self, samples: &[f32]) -> Result<Vec<f32>> {
        self.given += samples.len();
        self.pending.extend_from_slice(samples);
        let Some(resampler) = &self.resampler else { return Ok(std::mem::take(&mut self.pending)) };
        let whole = self.pending.len() / resampler.input_frames_next();
        self.steps(whole)
    }

    /// Gives the last samples.
    pub fn finish(&mut self) -> Result<Vec<f32>> {
        let Some(resampler) = &self.resampler else { return Ok(Vec::new()) };
        let left = resampler.length(self.given).saturating_sub(self.made);
        let step = resampler.input_frames_next();
        let steps = (left + self.delay).div_ceil(resampler.output_frames_next()).max(self.pending.len().div_ceil(step));
        self.pending.resize(steps * step, 0.0);
        let mut last = self.steps(steps)?;
        last.truncate(left);
        Ok(last)
    }

    fn steps(&mut self, count: usize) -> Result<Vec<f32>> {
        let Some(resampler) = &mut self.resampler else { return Ok(Vec::new()) };
        let (step, made) = (resampler.input_frames_next(), resampler.output_frames_next());
        let mut out = vec![0.0; count * made];
        for (input, out) in self.pending.chunks_exact(step).zip(out.chunks_exact_mut(made)) {
            let input = InterleavedSlice::new(input, 1, step)?;
            resampler.process_into_buffer(&input, &mut InterleavedSlice::new_mut(out, 1, made)?, None)?;
        }
        self.pending.drain(..count * step);
        let skipped = self.delay.min(out.len());
        self.delay -= skipped;
        out.drain(..skipped);
        self.made += out.len();
        Ok(out)
    }
}

/// torchaudio's filter bank over one channel.
struct SincHann {
    /// Input and output frames of one block, without common divisor.
    from: usize,
    to: usize,
    /// Blocks of one step, and blocks by which the output lags behind, so that the filters can look ahead.
    blocks: usize,
    lag: usize,
    /// One filter for each of the `to` phases, `taps` weights each, and where it starts relative to its block.
    taps: usize,
    starts: Vec<isize>,
    weights: Vec<f32>,
    /// Input frames that filters look back at most.
    reach: usize,
    /// The last `reach + (lag + blocks) * from` input frames.
    line: Vec<f32>,
}

impl SincHann {
    fn new(from: u32, to: u32, recipe: Recipe) -> Self {
        let divisor = gcd(from, to);
        let (from, to) = ((from / divisor) as usize, (to / divisor) as usize);
        let half = CROSSINGS * from as f64 / (ROLLOFF * from.min(to) as f64);
        let (reach, taps) = (half.ceil() as usize, 2 * half.ceil() as usize + 1);
        let (blocks, lag) = ((CHUNK / from).max(1), reach.div_ceil(from));
        let starts: Vec<_> = (0..to).map(|phase| (phase * from / to) as isize - reach as isize).collect();
        let filter = &Filter::new(from, to, recipe);
        let weight = |(phase, &start): (usize, &isize)| (start..).take(taps).map(move |i| filter.weight(phase, i));
        let weights = starts.iter().enumerate().flat_map(weight).collect();
        let line = vec![0.0; reach + (lag + blocks) * from];
        Self { from, to, blocks, lag, taps, starts, weights, reach, line }
    }

    /// torchaudio's output length, `ceil(len * to / from)` with the quotient rounded to f32 first.
    fn length(&self, len: usize) -> usize {
        (((self.to * len) as f64 / self.from as f64) as f32).ceil() as usize
    }

    /// The output frame `phase` of the block that starts at `line[at]`; summed in f64, so that the order does not matter.
    fn output(&self, at: usize, phase: usize) -> f32 {
        let start = at.wrapping_add_signed(self.starts[phase]);
        let input = &self.line[start..start + self.taps];
        let weights = &self.weights[phase * self.taps..][..self.taps];
        input.iter().zip(weights).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum::<f64>() as f32
    }
}

impl Resampler<f32> for SincHann {
    fn process_into_buffer(
        &mut self,
        input: &dyn Adapter<f32>,
        output: &mut dyn AdapterMut<f32>,
        indexing: Option<&Indexing>,
    ) -> ResampleResult<(usize, usize)> {
        let at = indexing.cloned().unwrap_or_default();
        let (consumed, produced) = (self.input_frames_next(), self.output_frames_next());
        let given = at.partial_len.unwrap_or(consumed).min(consumed);
        enough_input(at.input_offset + given, input.frames())?;
        enough_output(at.output_offset + produced, output.frames())?;
        self.line.copy_within(consumed.., 0);
        let newest = self.line.len() - consumed;
        self.line[newest..].fill(0.0);
        input.copy_from_channel_to_slice(0, at.input_offset, &mut self.line[newest..][..given]);
        for frame in 0..produced {
            let (block, phase) = (frame / self.to, frame % self.to);
            let sample = self.output(self.reach + block * self.from, phase);
            output.write_sample(0, at.output_offset + frame, &sample);
        }
        Ok((given, produced))
    }

    fn input_frames_max(&self) -> usize {
        self.blocks * self.from
    }

    fn input_frames_next(&self) -> usize {
        self.input_frames_max()
    }

    fn nbr_channels(&self) -> usize {
        1
    }

    fn output_frames_max(&self) -> usize {
        self.blocks * self.to
    }

    fn output_frames_next(&self) -> usize {
        self.output_frames_max()
    }

    fn output_delay(&self) -> usize {
        self.lag * self.to
    }

    fn resample_ratio(&self) -> f64 {
        self.to as f64 / self.from as f64
    }

    fn reset(&mut self) {
        self.line.fill(0.0);
    }

    fn as_adjustable(&mut self) -> Option<&mut dyn Adjustable<f32>> {
        None
    }

    fn as_resizable(&mut self) -> Option<&mut dyn Resizable<f32>> {
        None
    }
}

fn enough_input(expected: usize, actual: usize) -> ResampleResult<()> {
    if actual < expected { Err(ResampleError::InsufficientInputBufferSize { expected, actual }) } else { Ok(()) }
}

fn enough_output(expected: usize, actual: usize) -> ResampleResult<()> {
    if actual < expected { Err(ResampleError::InsufficientOutputBufferSize { expected, actual }) } else { Ok(()) }
}

/// h(t) of the module's formula, rounded where torchaudio rounds.
struct Filter {
    from: f64,
    to: f64,
    base: f64,
    recipe: Recipe,
}

impl Filter {
    fn new(from: usize, to: usize, recipe: Recipe) -> Self {
        let (from, to) = (from as f64, to as f64);
        Self { from, to, base: ROLLOFF * from.min(to), recipe }
    }

    /// What one operation of the recipe's precision leaves of its exact result.
    fn round(&self, x: f64) -> f64 {
        match self.recipe {
            Recipe::Functional => f64::from(x as f32),
            Recipe::Transform => x,
        }
    }

    /// The weight of input frame `i` of a block in its output frame `phase`.
    fn weight(&self, phase: usize, i: isize) -> f32 {
        let (r, pi) = (|x| self.round(x), self.round(PI));
        // Both recipes divide the phase in f32.
        let shift = f64::from((phase as f64 / self.to) as f32);
        let t = r(r(r(i as f64 / self.from) - shift) * r(self.base)).clamp(-CROSSINGS, CROSSINGS);
        let window = r(r(r(r(r(t * pi) / CROSSINGS) / 2.0).cos()).powi(2));
        let angle = r(t * pi);
        let sinc = if angle == 0.0 { 1.0 } else { r(r(angle.sin()) / angle) };
        r(sinc * r(window * r(self.base / self.from))) as f32
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests;
