//! Whisper (Radford et al. 2022) as transformers' `WhisperForConditionalGeneration` computes it; fields are its keys.
//!
//! The sizes are candle-transformers' `Config`. Its net is not used: it takes GELU by tanh where Whisper has the error
//! function, and computes all tokens so far anew for each further one. A test below says how far apart it is.

use super::attention::Attention;
use super::cache::{Cache, CacheShape};
use super::conv::{Conv1d, Geometry};
use super::layers::{Embedding, LayerNorm, Linear, Mask, Then, causal_mask, split_heads};
use crate::error::Kind;
use crate::kernels::Sums;
use crate::net::weights::Weights;
use anyhow::{Result, ensure};
use candle_core::{D, Device, Tensor};
use candle_nn::ops::log_softmax;
pub use candle_transformers::models::whisper::Config as WhisperConfig;

/// PyTorch's default.
const EPS: f64 = 1e-5;
/// The feed-forward part is wider by this; no published size has another.
const WIDER: usize = 4;
/// Widest head that attention takes.
const WIDEST_HEAD: usize = 256;

/// The net.
pub struct Whisper {
    config: WhisperConfig,
    conv1: Conv1d,
    conv2: Conv1d,
    /// `[T, width]`
    positions: Tensor,
    encoder: Vec<Layer>,
    encoder_norm: LayerNorm,
    embed_tokens: Embedding,
    embed_positions: Embedding,
    decoder: Vec<DecoderLayer>,
    decoder_norm: LayerNorm,
    /// The embeddings of tokens again.
    proj_out: Linear,
    device: Device,
}

/// What is being written down: what was heard, and the tokens so far.
pub struct Transcript {
    /// Keys and values of what was heard, in each layer, `[T, width]`.
    heard: Vec<[Tensor; 2]>,
    cache: Cache,
}

impl Whisper {
    /// Refuses tensors that are missing or of other shapes than `config` says.
    pub fn new(config: &WhisperConfig, weights: &Weights) -> Result<Self> {
        check(config)?;
        let width = config.d_model;
        let (encoder, decoder) = (weights.pp("encoder"), weights.pp("decoder"));
        let (heard, written) = (config.encoder_attention_heads, config.decoder_attention_heads);
        let hear = |i| Layer::new(&encoder.pp("layers").pp(i), width, heard);
        let write = |i| DecoderLayer::new(&decoder.pp("layers").pp(i), width, written);
        let (tokens, positions) = (decoder.pp("embed_tokens"), decoder.pp("embed_positions"));
        let whisper = Self {
            conv1: conv(&encoder.pp("conv1"), config.num_mel_bins, width, 1)?,
            conv2: conv(&encoder.pp("conv2"), width, width, 2)?,
            positions: encoder.pp("embed_positions").get((config.max_source_positions, width), "weight")?,
            encoder: (0..config.encoder_layers).map(hear).collect::<Result<_>>()?,
            encoder_norm: LayerNorm::new(&encoder.pp("layer_norm"), width, EPS, true)?,
            embed_tokens: Embedding::new(&tokens, config.vocab_size, width)?,
            embed_positions: Embedding::new(&positions, config.max_target_positions, width)?,
            decoder: (0..config.decoder_layers).map(write).collect::<Result<_>>()?,
            decoder_norm: LayerNorm::new(&decoder.pp("layer_norm"), width, EPS, true)?,
            proj_out: Linear::new(&tokens, width, config.vocab_size, false)?,
            device: weights.device().clone(),
            config: config.clone(),
        };
        weights.finish()?;
        Ok(whisper)
    }

    pub fn config(&self) -> &WhisperConfig {
        &self.config
    }

    /// Where the net runs; its inputs must lie there.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// `mel` `[1, bands, 2 T]`, a logarithmic mel spectrum at 100 Hz -> `[T, width]`, where `T` is
    /// `max_source_positions`.
    pub fn encode(&self, mel: &Tensor) -> Result<Tensor> {
        let x = self.conv2.forward(&self.conv1.forward(mel, Then::Gelu)?, Then::Gelu)?; // [1, width, T]
        let x = (x.squeeze(0)?.t()?.contiguous()? + &self.positions)?;
        let x = self.encoder.iter().try_fold(x, |x, layer| layer.forward(&x))?;
        self.encoder_norm.forward(&x)
    }

    /// Begins to write down what [`Whisper::encode`] gave.
    pub fn start(&self, encoded: &Tensor) -> Result<Transcript> {
        let heads = self.config.decoder_attention_heads;
        let (layers, capacity) = (self.decoder.len(), self.config.max_target_positions);
        let shape = CacheShape { layers, slots: 1, heads, capacity, head: self.config.d_model / heads };
        let heard = self.decoder.iter().map(|layer| layer.encoder_attn.keys_and_values(encoded));
        let heard = heard.collect::<Result<_>>()?;
        Ok(Transcript { heard, cache: Cache::new(shape, encoded.dtype(), &self.device)? })
    }

    /// Appends `tokens`, at least one; the logits of all ids after the last one, `[vocab_size]`. There is room for
    /// `max_target_positions` tokens.
    pub fn append(&self, transcript: &mut Transcript, tokens: &[u32]) -> Result<Vec<f32>> {
        let hidden = self.extend(transcript, tokens)?;
        let last = self.decoder_norm.forward(&hidden.narrow(0, tokens.len() - 1, 1)?)?;
        Ok(self.proj_out.forward(&last)?.flatten_all()?.to_vec1()?)
    }

    /// The logarithm of the probability of each of `tokens` after `prompt`, at least one, and the tokens before it, at
    /// the start of a transcript of what [`Whisper::encode`] gave. There is room for `max_target_positions` tokens,
    /// `prompt` among them and the last one not.
    pub fn log_probabilities(&self, encoded: &Tensor, prompt: &[u32], tokens: &[u32]) -> Result<Vec<f32>> {
        let given = [prompt, &tokens[..tokens.len().saturating_sub(1)]].concat();
        let hidden = self.extend(&mut self.start(encoded)?, &given)?;
        let hidden = hidden.narrow(0, prompt.len() - 1, tokens.len())?;
        let logits = self.proj_out.forward(&self.decoder_norm.forward(&hidden)?)?; // [tokens, vocab_size]
        let tokens = Tensor::new(tokens, &self.device)?.unsqueeze(1)?;
        Ok(log_softmax(&logits, D::Minus1)?.gather(&tokens, 1)?.flatten_all()?.to_vec1()?)
    }

    /// Appends `tokens`; the last layer's output of each, `[tokens, width]`.
    fn extend(&self, transcript: &mut Transcript, tokens: &[u32]) -> Result<Tensor> {
        let Transcript { heard, cache } = transcript;
        let (past, t) = (cache.len(0), tokens.len());
        let positions: Vec<u32> = (past..past + t).map(|position| position as u32).collect();
        let mut x = (self.embed_tokens.forward(tokens)? + self.embed_positions.forward(&positions)?)?;
        let mask = causal_mask(t, past, x.dtype(), &self.device)?;
        for (i, (layer, heard)) in self.decoder.iter().zip(heard).enumerate() {
            x = layer.forward(&x, heard, &mask, (cache, i))?;
        }
        cache.advance(0, t);
        Ok(x)
    }
}

/// Refuses sizes that no net can have.
fn check(config: &WhisperConfig) -> Result<()> {
    for heads in [config.encoder_attention_heads, config.decoder_attention_heads] {
        let fits = heads > 0 && config.d_model.is_multiple_of(heads) && config.d_model / heads <= WIDEST_HEAD;
        let width = config.d_model;
        ensure!(fits, Kind::Model.error(format!("whisper: a width of {width} and {heads} heads do not go together")));
    }
    let empty = [config.d_model, config.num_mel_bins, config.max_source_positions, config.vocab_size].contains(&0);
    ensure!(!empty, Kind::Model.error("whisper: a size is 0"));
    Ok(())
}

/// Of three frames, a zero on both sides.
fn conv(weights: &Weights, inputs: usize, outputs: usize, stride: usize) -> Result<Conv1d> {
    let (weight, bias) = (weights.get((outputs, inputs, 3), "weight")?, weights.get(outputs, "bias")?);
    let geometry = Geometry { stride, padding: 1, ..Default::default() };
    Ok(Conv1d { weight, bias: Some(bias), geometry, elu: false })
}

/// A pre-norm transformer layer.
struct Layer {
    self_attn: Attention,
    self_attn_layer_norm: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    final_layer_norm: LayerNorm,
}

impl Layer {
    fn new(weights: &Weights, width: usize, heads: usize) -> Result<Self> {
        Ok(Self {
            self_attn: Attention::new(&weights.pp("self_attn"), width, heads, false)?,
            self_attn_layer_norm: LayerNorm::new(&weights.pp("self_attn_layer_norm"), width, EPS, true)?,
            fc1: Linear::new(&weights.pp("fc1"), width, WIDER * width, true)?,
            fc2: Linear::new(&weights.pp("fc2"), WIDER * width, width, true)?,
            final_layer_norm: LayerNorm::new(&weights.pp("final_layer_norm"), width, EPS, true)?,
        })
    }

    /// `[T, width]` -> `[T, width]`
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let normed = self.self_attn_layer_norm.forward(x)?;
        self.feed_forward(&self.self_attn.mix_itself(&normed, x)?)
    }

    fn feed_forward(&self, x: &Tensor) -> Result<Tensor> {
        let hidden = self.fc1.forward_then(&self.final_layer_norm.forward(x)?, Then::Gelu, Sums::Blocked)?;
        self.fc2.forward_then(&hidden, Then::Add(x), Sums::Blocked)
    }
}

/// A layer that also looks at what was heard.
struct DecoderLayer {
    layer: Layer,
    encoder_attn: Attention,
    encoder_attn_layer_norm: LayerNorm,
}

impl DecoderLayer {
    fn new(weights: &Weights, width: usize, heads: usize) -> Result<Self> {
        Ok(Self {
            layer: Layer::new(weights, width, heads)?,
            encoder_attn: Attention::new(&weights.pp("encoder_attn"), width, heads, false)?,
            encoder_attn_layer_norm: LayerNorm::new(&weights.pp("encoder_attn_layer_norm"), width, EPS, true)?,
        })
    }

    /// `x` `[t, width]`, behind what `cache` holds in layer `i` -> `[t, width]`
    fn forward(
        &self,
        x: &Tensor,
        [k_heard, v_heard]: &[Tensor; 2],
        mask: &Mask,
        (cache, i): (&mut Cache, usize),
    ) -> Result<Tensor> {
        let Layer { self_attn, self_attn_layer_norm, .. } = &self.layer;
        let normed = self_attn_layer_norm.forward(x)?;
        let [k, v] = self_attn.keys_and_values(&normed)?;
        let [k, v] = [split_heads(&k, self_attn.heads)?, split_heads(&v, self_attn.heads)?];
        let [k, v] = cache.append(i, 0, [&k, &v])?;
        let x = self_attn.mix(&normed, [&k, &v], mask, x)?;
        let normed = self.encoder_attn_layer_norm.forward(&x)?;
        self.layer.feed_forward(&self.encoder_attn.mix(&normed, [k_heard, v_heard], &Mask::None, &x)?)
    }
}
