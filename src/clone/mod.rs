//! A recording to a voice: what a reference clip is to Bark, in tokens.
//!
//! The semantic tokens come of the clip at 16 kHz by HuBERT and the quantizer ([`Listener`], which `convert` hears with
//! as well), the codes of the clip at 24 kHz by EnCodec.

mod listener;

pub use listener::{HUBERT_LAYERS, Hearing, Listener, MARGIN, WINDOW};

use crate::audio::{Pcm, Recipe, resample};
use crate::checkpoint::Checkpoint;
use crate::error::Kind;
use crate::net::codec::{Codec, CodecConfig};
use crate::net::hubert::HubertConfig;
use crate::net::quantizer::QuantizerConfig;
use crate::progress::Progress;
use crate::tokens::{CODES_HZ, FINE_CODEBOOKS, Fine, SAMPLE_RATE};
use crate::voice::Voice;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};

/// The nets that turn sound into a voice.
pub struct Cloner {
    listener: Listener,
    codec: Codec,
    device: Device,
}

impl Cloner {
    /// Loads the nets, in f32 on every device.
    pub fn new(
        hubert: &Checkpoint<HubertConfig>,
        quantizer: &Checkpoint<QuantizerConfig>,
        codec: &Checkpoint<CodecConfig>,
        device: &Device,
    ) -> Result<Self> {
        let listener = Listener::new(hubert, quantizer, device)?;
        let codec = Codec::new(&codec.config, &codec.weights(DType::F32, device), FINE_CODEBOOKS)?;
        Ok(Self { listener, codec, device: device.clone() })
    }

    /// `clip`: at least a second of speech, at any rate.
    pub fn voice(&self, clip: &Pcm, progress: &dyn Progress) -> Result<Voice> {
        progress.start("listening", 2, "step");
        let semantic = self.listener.clip(clip)?;
        progress.advance(1);
        let fine = self.codes(&resample(clip, SAMPLE_RATE, Recipe::Transform)?)?;
        progress.finish();
        Voice::from_parts(semantic, fine)
    }

    /// `clip` at 24 kHz -> its codes at 6 kbps, 75 Hz.
    fn codes(&self, clip: &Pcm) -> Result<Fine> {
        let wav = Tensor::from_slice(&clip.samples, (1, 1, clip.samples.len()), &self.device)?;
        let rows = self.codec.encode(&wav)?.squeeze(0)?.to_vec2::<u32>()?; // [K, T]
        let rows: [Vec<u32>; FINE_CODEBOOKS] = rows.try_into().map_err(|rows: Vec<_>| {
            Kind::Model.error(format!("the codec has {} codebooks, {FINE_CODEBOOKS} are needed", rows.len()))
        })?;
        Fine::new(rows, self.codec.config().codebook_size as u32)
    }
}

/// What the fine stage hears of `voice`: the end of its codes.
pub fn heard_codes(voice: &Voice) -> Result<Fine> {
    let heard = voice.heard().fine;
    let frames = ((heard.end - heard.start) * CODES_HZ).round() as usize;
    Fine::new(voice.fine().rows().each_ref().map(|row| row[row.len() - frames..].to_vec()), u32::MAX)
}
