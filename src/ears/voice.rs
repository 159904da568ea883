//! Whose voice a sound is.
//!
//! GE2E hears as Resemblyzer's `embed_utterance` does, to rounding: 16 kHz, 40 mel bands at 100 Hz, parts of 1.6 s, 1.3
//! of them a second, each an embedding of length 1; their mean, brought to length 1, is the voice. What comes before is
//! ours, since its parts are: torchaudio's resampling, our speech detector in the place of webrtcvad (pauses are cut to
//! [`MARGIN`] on each side of speech), and Resemblyzer's rule for the level (at least -30 dB).
//!
//! ECAPA-TDNN hears as speechbrain's `spkrec-ecapa-voxceleb` does, to rounding: 16 kHz, 80 mel bands at 100 Hz in dB, no
//! more than 80 dB under the loudest, less each band's mean. What comes before is ours, as with GE2E.
//!
//! The spectrum needs no weights: the mean logarithmic mel spectrum of the loud frames, without its level, and the
//! median pitch.

use super::mel::Mel;
use crate::audio::{Pcm, Recipe, resample};
use crate::checkpoint::{Checkpoint, SpeakerConfig};
use crate::net::ecapa::{self, Ecapa};
use crate::net::ge2e::{BANDS, EMBEDDING, Ge2e};
use crate::sound::{median_pitch, speech};
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use std::ops::Range;

/// What is heard, Hz; a frame's length and distance, samples: 25 and 10 ms.
const RATE: u32 = 16_000;
const FRAME: usize = 400;
const HOP: usize = 160;
/// Frames of a part, and from one to the next: Resemblyzer's 1.3 parts a second.
const PART: usize = 160;
const STEP: usize = 77;
/// Least share of the last part that is sound.
const COVERED: f64 = 0.75;
/// What is quieter is brought to this level, dB re full scale.
const LEAST_LEVEL: f64 = -30.0;
/// What is kept on each side of speech, seconds: Resemblyzer keeps three windows of 30 ms.
const MARGIN: f64 = 0.09;
/// speechbrain's least power of a band, and what is heard under the loudest one, dB.
const LEAST_POWER: f32 = 1e-10;
const DYNAMICS: f32 = 80.0;
/// The spectrum takes frames that are no more than this under the loudest, nepers of power, over a floor of power.
const LOUD: f32 = 3.0;
const FLOOR: f32 = 1e-4;
/// An octave of pitch counts as this many nepers between spectra.
const OCTAVE: f64 = 2.0;

/// A voice in numbers, as one ear hears it.
#[derive(Clone, Debug, PartialEq)]
pub struct VoicePrint {
    values: Vec<f32>,
    /// Hz; the spectrum's alone.
    pitch: Option<f64>,
}

impl VoicePrint {
    /// GE2E: 256 numbers, ECAPA-TDNN: 192; together of length 1.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

/// Hears voices.
pub struct VoiceEar {
    mel: Mel,
    net: Net,
}

/// What makes numbers of the mel power.
enum Net {
    Spectrum,
    Ge2e(Ge2e),
    Ecapa(Box<Ecapa>),
}

impl VoiceEar {
    /// GE2E or ECAPA-TDNN. On the CPU: they are small.
    ///
    /// # Errors
    /// Another kind of model.
    pub fn new(checkpoint: &Checkpoint<SpeakerConfig>) -> Result<Self> {
        let weights = checkpoint.weights(DType::F32, &Device::Cpu);
        Ok(match &checkpoint.config {
            SpeakerConfig::Ge2e => Self { net: Net::Ge2e(Ge2e::new(&weights)?), ..Self::spectrum() },
            SpeakerConfig::Ecapa(config) => Self {
                mel: Mel::speechbrain(f64::from(RATE), FRAME, HOP, ecapa::BANDS),
                net: Net::Ecapa(Box::new(Ecapa::new(config, &weights)?)),
            },
        })
    }

    /// The spectrum and the pitch.
    pub fn spectrum() -> Self {
        Self { mel: Mel::librosa(f64::from(RATE), FRAME, HOP, BANDS), net: Net::Spectrum }
    }

    /// The voice of `pcm`, at any rate; `None` where no speech is heard.
    pub fn hear(&self, pcm: &Pcm) -> Result<Option<VoicePrint>> {
        let pcm = resample(pcm, RATE, Recipe::Functional)?;
        let spoken = louder(spoken(&pcm)?);
        if spoken.is_empty() { Ok(None) } else { self.print(&spoken) }
    }

    /// The voice of these samples at 16 kHz as they are.
    pub fn print(&self, samples: &[f32]) -> Result<Option<VoicePrint>> {
        let values = match &self.net {
            Net::Ge2e(net) => embedding(net, &self.mel, samples)?,
            Net::Ecapa(net) => unit(net.forward(&decibels(&self.mel, samples)?)?.squeeze(0)?.to_vec1()?),
            Net::Spectrum => return spectrum(&self.mel, samples),
        };
        Ok(values.map(|values| VoicePrint { values, pitch: None }))
    }

    /// How alike two voices are that this ear heard, up to 1. Nets: the cosine of the angle between them.
    pub fn similarity(&self, a: &VoicePrint, b: &VoicePrint) -> f64 {
        let pairs = a.values.iter().zip(&b.values).map(|(&a, &b)| (f64::from(a), f64::from(b)));
        match &self.net {
            Net::Ge2e(_) | Net::Ecapa(_) => pairs.map(|(a, b)| a * b).sum(),
            Net::Spectrum => {
                let apart = pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>() / a.values.len() as f64;
                let octaves = a.pitch.zip(b.pitch).map_or(1.0, |(a, b)| (a / b).log2().abs());
                (-apart.sqrt() - OCTAVE * octaves).exp()
            }
        }
    }
}

/// The speech of `pcm`, with a margin.
fn spoken(pcm: &Pcm) -> Result<Vec<f32>> {
    let length = pcm.samples.len();
    let sample = |seconds: f64| ((seconds.max(0.0) * f64::from(pcm.rate)) as usize).min(length);
    let (mut kept, mut end) = (Vec::new(), 0);
    for span in speech(pcm)? {
        let (from, to) = (sample(span.start - MARGIN).max(end), sample(span.end + MARGIN));
        kept.extend_from_slice(&pcm.samples[from..to.max(from)]);
        end = to.max(end);
    }
    Ok(kept)
}

/// At least at [`LEAST_LEVEL`].
fn louder(samples: Vec<f32>) -> Vec<f32> {
    let power = samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len().max(1) as f64;
    let gain = 10f64.powf((LEAST_LEVEL - 10.0 * power.log10()) / 20.0);
    match gain.is_finite() && gain > 1.0 {
        true => samples.iter().map(|&x| (f64::from(x) * gain) as f32).collect(),
        false => samples,
    }
}

/// Frames of the parts of so many samples.
fn parts(samples: usize) -> Vec<Range<usize>> {
    let frames = (samples + 1).div_ceil(HOP);
    let starts = (0..(frames + STEP + 1).saturating_sub(PART).max(1)).step_by(STEP);
    let mut parts: Vec<_> = starts.map(|start| start..start + PART).collect();
    let start = parts.last().map_or(0, |last| last.start * HOP);
    let covered = samples.saturating_sub(start) as f64 / (PART * HOP) as f64;
    if covered < COVERED && parts.len() > 1 {
        parts.pop();
    }
    parts
}

/// `samples` at 16 kHz -> `[256]`, of length 1; `None` of silence.
fn embedding(net: &Ge2e, mel: &Mel, samples: &[f32]) -> Result<Option<Vec<f32>>> {
    let parts = parts(samples.len());
    let mut padded = samples.to_vec();
    padded.resize(samples.len().max(parts.last().map_or(0, |last| last.end * HOP)), 0.0);
    let frames = mel.frames(&padded)?;
    let mels: Vec<f32> = parts.iter().flat_map(|part| frames[part.clone()].concat()).collect();
    let mels = Tensor::from_vec(mels, (parts.len(), PART, BANDS), &Device::Cpu)?;
    let mut sum = vec![0.0; EMBEDDING];
    for part in net.forward(&mels)?.to_vec2::<f32>()? {
        sum.iter_mut().zip(unit(part).unwrap_or_default()).for_each(|(sum, x)| *sum += x);
    }
    Ok(unit(sum))
}

/// Of length 1; `None` where all are 0.
fn unit(values: Vec<f32>) -> Option<Vec<f32>> {
    let length = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    (length > 0.0).then(|| values.iter().map(|&x| (f64::from(x) / length) as f32).collect())
}

/// `samples` at 16 kHz -> `[1, T, 80]`, dB less each band's mean: speechbrain's `Fbank`, and its `InputNormalization` of
/// sentences without their deviation.
fn decibels(mel: &Mel, samples: &[f32]) -> Result<Tensor> {
    let decibels = |power: f32| 10.0 * power.max(LEAST_POWER).log10();
    let mut frames: Vec<f32> = mel.frames(samples)?.concat().into_iter().map(decibels).collect();
    let least = frames.iter().fold(f32::NEG_INFINITY, |most, &x| most.max(x)) - DYNAMICS;
    frames.iter_mut().for_each(|x| *x = x.max(least));
    let count = frames.len() / ecapa::BANDS;
    let frames = Tensor::from_vec(frames, (1, count, ecapa::BANDS), &Device::Cpu)?;
    Ok(frames.broadcast_sub(&frames.mean_keepdim(1)?)?)
}

/// `samples` at 16 kHz -> the mean logarithmic spectrum of the loud frames, without its level, and the pitch.
fn spectrum(mel: &Mel, samples: &[f32]) -> Result<Option<VoicePrint>> {
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len().max(1) as f32;
    let frames: Vec<Vec<f32>> =
        mel.frames(samples)?.into_iter().map(|frame| frame.iter().map(|p| (p + FLOOR).ln()).collect()).collect();
    let loudest = frames.iter().map(|frame| mean(frame)).fold(f32::NEG_INFINITY, f32::max);
    let loud: Vec<_> = frames.iter().filter(|frame| mean(frame) > loudest - LOUD).collect();
    if loud.is_empty() {
        return Ok(None);
    }
    let band = |band| loud.iter().map(|frame| frame[band]).sum::<f32>() / loud.len() as f32;
    let means: Vec<f32> = (0..BANDS).map(band).collect();
    let level = mean(&means);
    let pitch = median_pitch(&Pcm { samples: samples.to_vec(), rate: RATE })?;
    Ok(Some(VoicePrint { values: means.iter().map(|x| x - level).collect(), pitch }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::names;
    use crate::ears::tests::sound;
    use crate::noise::rule::RuleTensors;
    use serde_json::Value;
    use std::sync::Arc;

    /// What `tests/golden/ears.py` wrote.
    const GOLDEN: &str = include_str!("../../tests/golden/ears/ge2e.json");

    /// GE2E with weights by the rule.
    fn by_rule() -> VoiceEar {
        let layer = |n: usize| {
            let width = if n == 0 { BANDS } else { 256 };
            let shapes = [("weight_ih", vec![1024, width]), ("weight_hh", vec![1024, 256])];
            let biases = [("bias_ih", vec![1024]), ("bias_hh", vec![1024])];
            shapes.into_iter().chain(biases).map(move |(name, shape)| (format!("lstm.{name}_l{n}"), shape))
        };
        let linear = [("linear.weight".to_owned(), vec![256, 256]), ("linear.bias".to_owned(), vec![256])];
        let tensors = RuleTensors::new("ge2e", (0..3).flat_map(layer).chain(linear), 1);
        VoiceEar::new(&Checkpoint::new(SpeakerConfig::Ge2e, Arc::new(tensors), names::speaker).unwrap()).unwrap()
    }

    fn furthest(got: &[f32], expected: &Value) -> f64 {
        let expected: Vec<f64> = serde_json::from_value(expected.clone()).unwrap();
        assert_eq!(got.len(), expected.len());
        got.iter().zip(expected).map(|(&got, expected)| (f64::from(got) - expected).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn ge2e_hears_what_resemblyzer_hears() -> Result<()> {
        let (golden, ear): (Value, _) = (serde_json::from_str(GOLDEN)?, by_rule());
        let frames = ear.mel.frames(&sound())?;
        for (at, expected) in golden["mels"].as_object().unwrap() {
            let worst = furthest(&frames[at.parse::<usize>()?], expected);
            assert!(worst < 1e-4, "mel {at}: {worst}");
        }
        let heard = ear.print(&sound())?.unwrap();
        let worst = furthest(heard.values(), &golden["embedding"]);
        assert!(worst < 1e-5, "{worst}");
        assert!((ear.similarity(&heard, &heard) - 1.0).abs() < 1e-6);
        Ok(())
    }

    /// The small ECAPA-TDNN of `tests/golden/ecapa.py`, its tensors and shapes as speechbrain lists them.
    fn ecapa(golden: &Value) -> Result<VoiceEar> {
        let shapes: Vec<(String, Vec<usize>)> = serde_json::from_value(golden["shapes"].clone())?;
        let tensors = Arc::new(RuleTensors::new("ecapa", shapes, 1));
        let config = ecapa::EcapaConfig { channels: 32, pooled: 48, attention: 16, squeeze: 16, embedding: 24 };
        VoiceEar::new(&Checkpoint::new(SpeakerConfig::Ecapa(config), tensors, names::speaker)?)
    }

    #[test]
    fn ecapa_hears_what_speechbrain_hears() -> Result<()> {
        let golden: Value = serde_json::from_str(include_str!("../../tests/golden/ears/ecapa.json"))?;
        let ear = ecapa(&golden)?;
        let features = decibels(&ear.mel, &sound())?.squeeze(0)?.to_vec2::<f32>()?;
        for (at, expected) in golden["features"].as_object().unwrap() {
            let worst = furthest(&features[at.parse::<usize>()?], expected);
            assert!(worst < 1e-3, "features {at}: {worst} dB");
        }
        let Net::Ecapa(net) = &ear.net else { panic!("another net") };
        let heard = net.forward(&decibels(&ear.mel, &sound())?)?.squeeze(0)?.to_vec1::<f32>()?;
        let worst = furthest(&heard, &golden["embedding"]);
        assert!(worst < 1e-4, "{worst}");
        let print = ear.print(&sound())?.unwrap();
        assert!((ear.similarity(&print, &print) - 1.0).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn parts_are_those_of_resemblyzer() {
        // VoiceEncoder.compute_partial_slices(n, 1.3, 0.75), as resemblyzer 0.1.4 gives them.
        let starts = |samples| parts(samples).iter().map(|part| part.start).collect::<Vec<_>>();
        assert_eq!(starts(0), [0]);
        assert_eq!(starts(16_000), [0]);
        assert_eq!(starts(25_600), [0]);
        assert_eq!(starts(31_519), [0]);
        assert_eq!(starts(31_520), [0, 77]);
        assert_eq!(starts(80_000), [0, 77, 154, 231, 308]);
    }

    #[test]
    fn silence_is_nobodys_voice() -> Result<()> {
        let silence = Pcm { samples: vec![0.0; 16_000], rate: 16_000 };
        assert_eq!(VoiceEar::spectrum().hear(&silence)?, None);
        Ok(())
    }
}
