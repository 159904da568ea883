//! Codes to sound, by EnCodec's decoder.

use crate::audio::Pcm;
use crate::checkpoint::Checkpoint;
use crate::error::{Kind, kind};
use crate::net::codec::{Codec, CodecConfig};
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
        let codes = self.codes(fine)?;
        let samples = self.codec.decode(&codes).and_then(|sound| Ok(sound.flatten_all()?.to_vec1()?));
        Ok(Pcm { samples: samples.map_err(undecodable)?, rate: SAMPLE_RATE })
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
