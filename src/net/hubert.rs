//! HuBERT base up to a layer of choice, as transformers' `HubertModel` computes `hidden_states[layers]` without mask or
//! input normalisation (Hsu et al. 2021; `modeling_hubert.py`). The layers after that are neither built nor run.

mod config;

pub use config::HubertConfig;

use crate::error::Kind;
use crate::kernels::Sums;
use crate::net::attention::Attention;
use crate::net::conv::{Conv1d, Geometry, weight_norm};
use crate::net::layers::{ChannelNorm, LayerNorm, Linear, Then};
use crate::net::weights::Weights;
use anyhow::{Error, Result, ensure};
use candle_core::{DType, Device, Tensor};

/// Epsilon of the feature extractor's GroupNorm, PyTorch's default, whatever `layer_norm_eps` says.
const GROUP_NORM_EPS: f64 = 1e-5;

/// The net; its fields are the keys of the Hugging Face layout.
pub struct Hubert {
    feature_extractor: Vec<ConvLayer>,
    feature_projection: Projection,
    pos_conv_embed: PositionalConv,
    layer_norm: LayerNorm,
    layers: Vec<EncoderLayer>,
    config: HubertConfig,
    dtype: DType,
    device: Device,
}

impl Hubert {
    /// Builds the feature extractor and the first `layers` encoder layers; refuses variants that are not HuBERT base's,
    /// and tensors that are missing or of other shapes than `config` says.
    pub fn new(config: &HubertConfig, weights: &Weights, layers: usize) -> Result<Self> {
        config.check()?;
        ensure!(
            layers <= config.num_hidden_layers,
            Kind::Model.error(format!("hubert: layer {layers} is needed, the model has {}", config.num_hidden_layers))
        );
        let convs = weights.pp("feature_extractor.conv_layers");
        let encoder = weights.pp("encoder");
        let build = |i| EncoderLayer::new(config, &encoder.pp("layers").pp(i));
        let hubert = Self {
            feature_extractor: (0..config.conv_dim.len())
                .map(|i| ConvLayer::new(config, &convs.pp(i), i))
                .collect::<Result<_>>()?,
            feature_projection: Projection::new(config, &weights.pp("feature_projection"))?,
            pos_conv_embed: PositionalConv::new(config, &encoder.pp("pos_conv_embed.conv"))?,
            layer_norm: LayerNorm::new(&encoder.pp("layer_norm"), config.hidden_size, config.layer_norm_eps, true)?,
            layers: (0..layers).map(build).collect::<Result<_>>()?,
            config: config.clone(),
            dtype: weights.dtype(),
            device: weights.device().clone(),
        };
        (layers..config.num_hidden_layers).for_each(|i| encoder.ignore(&format!("layers.{i}.")));
        weights.finish()?;
        Ok(hubert)
    }

    /// Where the net runs; its inputs must lie there.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// `wav` `[B, L]`, 16 kHz -> `[B, N, hidden_size]`, 50 Hz. Too few samples for one frame (400) are an error.
    /// Attention is over the whole clip: bound its length first.
    pub fn features(&self, wav: &Tensor) -> Result<Tensor> {
        let (_, samples) = wav.dims2()?;
        let least = self.config.min_samples();
        ensure!(
            samples >= least,
            Kind::Input.error(format!("{samples} samples are too few for HuBERT, which needs {least}"))
        );
        let x = wav.to_dtype(self.dtype)?.unsqueeze(1)?; // [B, 1, L]
        let x = self.feature_extractor.iter().try_fold(x, |x, layer| layer.forward(&x))?; // [B, C, N]
        let x = self.feature_projection.forward(&x.transpose(1, 2)?)?; // [B, N, H]
        let x = self.layer_norm.forward(&(&x + self.pos_conv_embed.forward(&x)?)?)?;
        self.layers.iter().try_fold(x, |x, layer| layer.forward(&x))
    }
}

/// One convolution of the feature extractor; the first is followed by a norm over time.
struct ConvLayer {
    conv: Conv1d,
    layer_norm: Option<ChannelNorm>,
}

impl ConvLayer {
    fn new(config: &HubertConfig, weights: &Weights, index: usize) -> Result<Self> {
        let input = if index == 0 { 1 } else { config.conv_dim[index - 1] };
        let output = config.conv_dim[index];
        let conv = weights.pp("conv");
        let norm = || ChannelNorm::new(&weights.pp("layer_norm"), output, GROUP_NORM_EPS);
        let conv = Conv1d {
            weight: conv.get((output, input, config.conv_kernel[index]), "weight")?,
            bias: config.conv_bias.then(|| conv.get(output, "bias")).transpose()?,
            geometry: Geometry { stride: config.conv_stride[index], ..Default::default() },
            elu: false,
        };
        Ok(Self { conv, layer_norm: (index == 0).then(norm).transpose()? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.layer_norm {
            Some(norm) => norm.forward_gelu(&self.conv.forward(x, Then::Nothing)?),
            None => self.conv.forward(x, Then::Gelu),
        }
    }
}

/// From the feature extractor's width to the encoder's.
struct Projection {
    layer_norm: LayerNorm,
    projection: Linear,
}

impl Projection {
    fn new(config: &HubertConfig, weights: &Weights) -> Result<Self> {
        let width = config.conv_dim[config.conv_dim.len() - 1];
        Ok(Self {
            layer_norm: LayerNorm::new(&weights.pp("layer_norm"), width, config.layer_norm_eps, true)?,
            projection: Linear::new(&weights.pp("projection"), width, config.hidden_size, true)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.projection.forward(&self.layer_norm.forward(x)?)
    }
}

/// Positions, from a wide grouped convolution over the frames; weight norm over the kernel's dimension.
struct PositionalConv(Conv1d);

impl PositionalConv {
    fn new(config: &HubertConfig, weights: &Weights) -> Result<Self> {
        let (width, kernel) = (config.hidden_size, config.num_conv_pos_embeddings);
        let groups = config.num_conv_pos_embedding_groups;
        Ok(Self(Conv1d {
            weight: weight_norm(weights, (width, width / groups, kernel), 2)?,
            bias: Some(weights.get(width, "bias")?),
            geometry: Geometry { padding: kernel / 2, groups, ..Default::default() },
            elu: false,
        }))
    }

    /// `[B, N, H]` -> `[B, N, H]`; an even kernel makes one frame too many, the last is dropped.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let frames = x.dim(1)?;
        let y = self.0.forward(&x.transpose(1, 2)?.contiguous()?, Then::Gelu)?;
        Ok(y.narrow(2, 0, frames)?.transpose(1, 2)?.contiguous()?)
    }
}

/// A post-norm transformer layer: norms follow the sums.
struct EncoderLayer {
    attention: Attention,
    layer_norm: LayerNorm,
    intermediate_dense: Linear,
    output_dense: Linear,
    final_layer_norm: LayerNorm,
}

impl EncoderLayer {
    fn new(config: &HubertConfig, weights: &Weights) -> Result<Self> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let norm = |name| LayerNorm::new(&weights.pp(name), width, config.layer_norm_eps, true);
        let feed_forward = weights.pp("feed_forward");
        Ok(Self {
            attention: Attention::new(&weights.pp("attention"), width, config.num_attention_heads, true)?,
            layer_norm: norm("layer_norm")?,
            intermediate_dense: Linear::new(&feed_forward.pp("intermediate_dense"), width, inner, true)?,
            output_dense: Linear::new(&feed_forward.pp("output_dense"), inner, width, true)?,
            final_layer_norm: norm("final_layer_norm")?,
        })
    }

    /// `[B, N, H]` -> `[B, N, H]`
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let row = |b: usize| x.get(b).map_err(Error::from).and_then(|x| self.attention.mix_itself(&x, &x));
        let attended = (0..x.dim(0)?).map(row).collect::<Result<Vec<_>>>()?;
        let x = self.layer_norm.forward(&Tensor::stack(&attended, 0)?)?;
        let inner = self.intermediate_dense.forward_then(&x, Then::Gelu, Sums::Blocked)?;
        self.final_layer_norm.forward(&self.output_dense.forward_then(&inner, Then::Add(&x), Sums::Blocked)?)
    }
}
