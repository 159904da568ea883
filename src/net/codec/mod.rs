//! EnCodec 24 kHz: audio to codes and back (Défossez et al. 2022), as facebook's `encodec` package computes it.

mod config;
mod rvq;
mod seanet;

pub use config::CodecConfig;

use crate::error::Kind;
use crate::net::lstm::State;
use crate::net::weights::Weights;
use anyhow::{Result, bail, ensure};
use candle_core::{DType, Device, Tensor};
use rvq::ResidualQuantizer;
use seanet::{CausalConv, Layer, SkipLstm};

/// Frames that are decoded at a time (10 s as published): a longer decode takes no more memory.
const PART_FRAMES: usize = 750;

/// A sound that is decoded part by part: what the decoder remembers of the frames so far.
///
/// The decoder is causal, so that the `320 t` samples of the first `t` frames are final before frame `t` is known: the
/// LSTM looks back only, and a convolution is padded on its left alone. The one exception is the padding itself, which
/// mirrors the first few frames: a first part that is shorter than that must be all of the sound.
pub struct Sounding {
    state: State,
    /// Codes that the first convolution still looks at, `[B, K, t]`.
    codes: Option<Tensor>,
    /// Frames that the upsampling stack still looks at, `[B, C, t]`.
    frames: Option<Tensor>,
}

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
        let latent = seanet::run(&self.encoder, wav.to_dtype(self.dtype)?)?; // [B, hidden_size, T]
        self.quantizer.encode(&latent.transpose(1, 2)?)
    }

    /// `codes` `[B, K, T]` u32, 75 Hz -> `[B, 1, 320 T]`, 24 kHz.
    pub fn decode(&self, codes: &Tensor) -> Result<Tensor> {
        let mut parts = Vec::new();
        self.decode_to(codes, &mut |part| {
            parts.push(part);
            Ok(())
        })?;
        Ok(Tensor::cat(&parts, 2)?)
    }

    /// [`Codec::decode`] in parts of 10 s, handed to `sink` as they are made, `[B, 1, 320 t]` each: the memory does
    /// not grow with `T`.
    pub fn decode_to(&self, codes: &Tensor, sink: &mut dyn FnMut(Tensor) -> Result<()>) -> Result<()> {
        self.decode_on(&mut self.sounding(codes.dims3()?.0)?, codes, sink)
    }

    /// `batch` sounds of which nothing is decoded yet.
    pub fn sounding(&self, batch: usize) -> Result<Sounding> {
        Ok(Sounding { state: self.split_decoder()?.1.start(batch)?, codes: None, frames: None })
    }

    /// [`Codec::decode_to`] of the frames that come after those that `sounding` had, which must be more than its
    /// padding mirrors.
    ///
    /// The parts are what the whole would be: the LSTM goes on from its state, and the convolutions, which are causal
    /// and of bounded reach, are given that much of what came before.
    pub fn decode_on(
        &self,
        sounding: &mut Sounding,
        codes: &Tensor,
        sink: &mut dyn FnMut(Tensor) -> Result<()>,
    ) -> Result<()> {
        self.check_codes(codes)?;
        let total = codes.dim(2)?;
        for start in (0..total).step_by(PART_FRAMES) {
            sink(self.decode_part(sounding, &codes.narrow(2, start, PART_FRAMES.min(total - start))?)?)?;
        }
        Ok(())
    }

    fn decode_part(&self, sounding: &mut Sounding, codes: &Tensor) -> Result<Tensor> {
        let (conv, lstm, stack) = self.split_decoder()?;
        let (len, reach) = (codes.dim(2)?, seanet::context(&self.decoder[..1]));
        let codes = with_past(&mut sounding.codes, codes, reach)?;
        let latent = self.quantizer.decode(&codes)?; // [B, hidden_size, t]
        let x = conv.forward(&latent)?.narrow(2, codes.dim(2)? - len, len)?;
        let new = lstm.forward_from(&x, &mut sounding.state)?; // [B, C, t]
        let frames = with_past(&mut sounding.frames, &new, seanet::context(stack))?;
        let skip = (frames.dim(2)? - len) * self.config.hop_length();
        let wav = seanet::run(stack, frames)?;
        Ok(wav.narrow(2, skip, wav.dim(2)? - skip)?)
    }

    /// The first convolution and the LSTM, which run at the frame rate, and the upsampling stack.
    fn split_decoder(&self) -> Result<(&CausalConv, &SkipLstm, &[Layer])> {
        match &self.decoder[..] {
            [Layer::Conv(conv), Layer::Lstm(lstm), stack @ ..] => Ok((conv, lstm, stack)),
            _ => bail!("the decoder does not begin with a convolution and an LSTM"),
        }
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
            Kind::Input.error(format!(
                "code {largest} is out of range: 0 to {} of the codec's codebooks",
                size.saturating_sub(1)
            ))
        );
        Ok(())
    }
}

/// `new` after the last steps before it, of which `past` then holds the last `reach`; `[B, C, t]`.
fn with_past(past: &mut Option<Tensor>, new: &Tensor, reach: usize) -> Result<Tensor> {
    let all = match past.as_ref() {
        Some(past) => {
            ensure!(past.dim(2)? == reach, "the first part of a sound is too short to go on from");
            Tensor::cat(&[past, new], 2)?
        }
        None => new.contiguous()?,
    };
    let len = all.dim(2)?;
    *past = Some(all.narrow(2, len - reach.min(len), reach.min(len))?.copy()?);
    Ok(all)
}
