//! EnCodec 24 kHz: audio to codes and back (Défossez et al. 2022), as facebook's `encodec` package computes it.

mod rvq;
mod seanet;

use crate::config::CodecConfig;
use crate::error::Kind;
use crate::weights::Weights;
use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};
use rvq::ResidualQuantizer;
use seanet::Layer;

/// Frames that the upsampling stack makes at a time (10 s as published): a longer decode takes no more memory there.
const CHUNK_FRAMES: usize = 750;
/// The decoder's layers that run over all frames at once, at the frame rate: convolution and LSTM.
const HEAD_LAYERS: usize = 2;

/// The codec; its fields are the keys of the Hugging Face layout.
pub struct Codec {
    encoder: Vec<Layer>,
    decoder: Vec<Layer>,
    quantizer: ResidualQuantizer,
    config: CodecConfig,
    dtype: DType,
    device: Device,
}

impl Codec {
    /// Builds the nets and the first `codebooks` codebooks; refuses variants that are not the 24 kHz model's, and
    /// tensors that are missing or of other shapes than `config` says.
    pub fn new(config: &CodecConfig, weights: &Weights, codebooks: usize) -> Result<Self> {
        config.check()?;
        let quantizer = weights.pp("quantizer");
        let codec = Self {
            encoder: seanet::encoder(config, &weights.pp("encoder"))?,
            decoder: seanet::decoder(config, &weights.pp("decoder"))?,
            quantizer: ResidualQuantizer::new(&quantizer, codebooks, config.codebook_size, config.hidden_size)?,
            config: config.clone(),
            dtype: weights.dtype(),
            device: weights.device().clone(),
        };
        // The others serve higher bandwidths.
        let book = |k: usize| quantizer.has(&format!("layers.{k}.codebook.embed"));
        (codebooks..).take_while(|&k| book(k)).for_each(|k| quantizer.ignore(&format!("layers.{k}.")));
        weights.finish()?;
        Ok(codec)
    }

    /// Where the net runs; its inputs must lie there.
    pub fn device(&self) -> &Device {
        &self.device
    }

    pub fn config(&self) -> &CodecConfig {
        &self.config
    }

    /// `wav` `[B, 1, L]`, 24 kHz, L > 0 -> codes `[B, K, ceil(L / 320)]` u32, 75 Hz. Runs over all of the clip at once:
    /// bound its length first.
    pub fn encode(&self, wav: &Tensor) -> Result<Tensor> {
        let (_, _, len) = wav.dims3()?;
        ensure!(len > 0, Kind::Input.error("there is no audio to encode"));
        let latent = seanet::run(&self.encoder, &wav.to_dtype(self.dtype)?)?; // [B, hidden_size, T]
        self.quantizer.encode(&latent.transpose(1, 2)?)
    }

    /// `codes` `[B, K, T]` u32, 75 Hz -> `[B, 1, 320 T]`, 24 kHz.
    ///
    /// Memory: what runs at the frame rate (convolution and LSTM) grows with `T`, about 17 KB a frame as published, or
    /// 1.2 MB a second; the upsampling stack needs far more, so it runs 10 s at a time. Its convolutions are causal and
    /// of bounded reach: given that much context, the parts are what the whole would be.
    pub fn decode(&self, codes: &Tensor) -> Result<Tensor> {
        self.check_codes(codes)?;
        let (head, tail) = self.decoder.split_at(HEAD_LAYERS);
        let frames = seanet::run(head, &self.quantizer.decode(codes)?)?; // [B, C, T]
        let (total, context) = (frames.dim(2)?, seanet::context(tail));
        let mut parts = Vec::with_capacity(total.div_ceil(CHUNK_FRAMES));
        for start in (0..total).step_by(CHUNK_FRAMES) {
            let (from, end) = (start.saturating_sub(context), total.min(start + CHUNK_FRAMES));
            let wav = seanet::run(tail, &frames.narrow(2, from, end - from)?.contiguous()?)?;
            let skip = (start - from) * self.config.hop_length();
            parts.push(wav.narrow(2, skip, wav.dim(2)? - skip)?);
        }
        Ok(Tensor::cat(&parts, 2)?)
    }

    fn check_codes(&self, codes: &Tensor) -> Result<()> {
        let (_, rows, frames) = codes.dims3()?;
        let expected = self.quantizer.len();
        ensure!(frames > 0, Kind::Input.error("there are no codes to decode"));
        ensure!(rows == expected, Kind::Input.error(format!("{rows} codebook rows, {expected} were expected")));
        let largest: u32 = codes.flatten_all()?.max(0)?.to_scalar()?;
        let size = self.config.codebook_size;
        ensure!(
            (largest as usize) < size,
            Kind::Input.error(format!("code {largest} is out of range 0..{size} of the codec's codebooks"))
        );
        Ok(())
    }
}
