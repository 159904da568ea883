//! A recording to a voice: what a reference clip is to Bark, in tokens.
//!
//! The semantic tokens come of the 16 kHz clip by HuBERT and the quantizer, the codes of the 24 kHz clip by EnCodec.

use crate::audio::{Pcm, Recipe, resample};
use crate::checkpoint::Checkpoint;
use crate::error::Kind;
use crate::net::codec::{Codec, CodecConfig};
use crate::net::hubert::{Hubert, HubertConfig};
use crate::net::quantizer::{Quantizer, QuantizerConfig};
use crate::progress::Progress;
use crate::tokens::{CODES_HZ, FINE_CODEBOOKS, Fine, HUBERT_RATE, SAMPLE_RATE, Semantic};
use crate::voice::Voice;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use std::ops::Range;

/// HuBERT's layer whose output the published quantizers were trained on.
pub const HUBERT_LAYERS: usize = 9;
/// Longest reference that is taken, seconds: the models hear no more than the last 7 of a voice, and
/// HuBERT's attention grows with the square of the length.
pub const LONGEST: f64 = 60.0;

/// The models that turn audio into a voice; each is loaded for its turn only.
pub struct Cloner<'a> {
    pub hubert: &'a Checkpoint<HubertConfig>,
    pub quantizer: &'a Checkpoint<QuantizerConfig>,
    pub codec: &'a Checkpoint<CodecConfig>,
    pub device: &'a Device,
}

impl Cloner<'_> {
    /// `clip`: at least a second of speech, at any rate.
    pub fn voice(&self, clip: &Pcm, progress: &dyn Progress) -> Result<Voice> {
        progress.start("listening", 3, "model");
        let semantic = self.semantic(&resample(clip, HUBERT_RATE, Recipe::Functional)?, progress)?;
        let fine = self.codes(&resample(clip, SAMPLE_RATE, Recipe::Transform)?)?;
        progress.finish();
        Voice::from_parts(semantic, fine)
    }

    /// `clip` at 16 kHz -> its semantic tokens, one for each HuBERT frame (50 Hz).
    pub fn semantic(&self, clip: &Pcm, progress: &dyn Progress) -> Result<Semantic> {
        let features = self.features(&clip.samples)?;
        progress.advance(1);
        let weights = self.quantizer.weights(DType::F32, self.device);
        let quantizer = Quantizer::new(&self.quantizer.config, &weights)?;
        let semantic = Semantic::new(quantizer.tokens(&features)?, quantizer.vocab() as u32)?;
        progress.advance(1);
        Ok(semantic)
    }

    /// `[L]` at 16 kHz -> `[1, N, H]`, after layer 9.
    fn features(&self, samples: &[f32]) -> Result<Tensor> {
        let hubert = Hubert::new(&self.hubert.config, &self.hubert.weights(DType::F32, self.device), HUBERT_LAYERS)?;
        hubert.features(&Tensor::from_slice(samples, (1, samples.len()), self.device)?)
    }

    /// What the fine stage hears of `voice`, at 24 kHz: the end of its codes, through EnCodec's decoder.
    pub fn preview(&self, voice: &Voice) -> Result<Pcm> {
        let Range { start, end } = voice.heard().fine;
        let frames = ((end - start) * CODES_HZ).round() as usize;
        let rows = voice.fine().rows();
        let tails = rows.iter().flat_map(|row| &row[row.len() - frames..]).copied().collect();
        let codes = Tensor::from_vec(tails, (1, FINE_CODEBOOKS, frames), self.device)?;
        let samples = self.open_codec()?.decode(&codes)?.flatten_all()?.to_vec1()?;
        Ok(Pcm { samples, rate: SAMPLE_RATE })
    }

    fn open_codec(&self) -> Result<Codec> {
        let weights = self.codec.weights(DType::F32, self.device);
        Codec::new(&self.codec.config, &weights, FINE_CODEBOOKS)
    }

    /// `clip` at 24 kHz -> its codes at 6 kbps, 75 Hz.
    pub fn codes(&self, clip: &Pcm) -> Result<Fine> {
        let codec = self.open_codec()?;
        let wav = Tensor::from_slice(&clip.samples, (1, 1, clip.samples.len()), self.device)?;
        let rows = codec.encode(&wav)?.squeeze(0)?.to_vec2::<u32>()?; // [K, T]
        let rows: [Vec<u32>; FINE_CODEBOOKS] = rows.try_into().map_err(|rows: Vec<_>| {
            Kind::Model.error(format!("the codec has {} codebooks, {FINE_CODEBOOKS} are needed", rows.len()))
        })?;
        Fine::new(rows, codec.config().codebook_size as u32)
    }
}
