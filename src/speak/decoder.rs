//! Codes to sound, by EnCodec's decoder.

use crate::audio::Pcm;
use crate::checkpoint::Checkpoint;
use crate::error::{Kind, kind};
use crate::net::codec::{Codec, CodecConfig, Sounding};
use crate::progress::Progress;
use crate::tokens::{FINE_CODEBOOKS, FRAME_SAMPLES, Fine, SAMPLE_RATE};
use anyhow::{Error, Result, ensure};
use candle_core::{DType, Device, Tensor};

/// The codec's decoder.
pub struct Decoder {
    codec: Codec,
    device: Device,
}

impl Decoder {
    /// Loads it. It computes in f32 on every device: it is small, and its errors are heard.
    pub fn new(model: &Checkpoint<CodecConfig>, device: &Device) -> Result<Self> {
        let codec = Codec::new(&model.config, &model.weights(DType::F32, device), FINE_CODEBOOKS)?;
        Ok(Self { codec, device: device.clone() })
    }

    /// `fine` `[8, T]` -> 320 T samples at 24 kHz, all at once.
    pub fn pcm(&self, fine: &Fine) -> Result<Pcm> {
        self.pcm_on(&mut self.sounding()?, fine)
    }

    /// A sound of which nothing is decoded yet.
    pub fn sounding(&self) -> Result<Sounding> {
        self.codec.sounding(1)
    }

    /// [`Decoder::pcm`] of the frames `[8, T]` that come after those that `sounding` had: bit by bit what the whole
    /// would have there. See [`Sounding`] for the fewest that may come first.
    pub fn pcm_on(&self, sounding: &mut Sounding, fine: &Fine) -> Result<Pcm> {
        let mut samples = Vec::with_capacity(fine.frames() * FRAME_SAMPLES);
        let decoded = self.codec.decode_on(sounding, &self.codes(fine)?, &mut |part| {
            samples.extend(part.flatten_all()?.to_vec1::<f32>()?);
            Ok(())
        });
        decoded.map_err(undecodable)?;
        Ok(Pcm { samples, rate: SAMPLE_RATE })
    }

    fn codes(&self, fine: &Fine) -> Result<Tensor> {
        Ok(Tensor::from_vec(fine.rows().concat(), (1, FINE_CODEBOOKS, fine.frames()), &self.device)?)
    }

    /// `fine` `[8, T]` -> 320 T samples at 24 kHz, handed to `sink` 10 s at a time: the sound that one decode of all
    /// would make, in memory that does not grow with it.
    pub fn decode(
        &self,
        fine: &Fine,
        sink: &mut dyn FnMut(&[f32]) -> Result<()>,
        progress: &dyn Progress,
    ) -> Result<()> {
        progress.start("audio", fine.frames() as u64, "frame");
        let mut taken = Ok(());
        let decoded = self.codec.decode_to(&self.codes(fine)?, &mut |part| {
            let samples: Vec<f32> = part.flatten_all()?.to_vec1()?;
            progress.advance((samples.len() / FRAME_SAMPLES) as u64);
            taken = sink(&samples);
            ensure!(taken.is_ok(), "nobody takes the samples");
            Ok(())
        });
        progress.finish();
        // What the sink failed with is no failure of the codec.
        taken?;
        decoded.map_err(undecodable)
    }
}

/// What a codec fails with without saying why is its own fault, and that of every sound.
fn undecodable(error: Error) -> Error {
    match kind(&error) {
        Some(_) => error,
        None => error.context(Kind::Model.error("the codec cannot make sound of codes")),
    }
}
