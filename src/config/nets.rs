//! What the nets need to know of a model's architecture: plain structs with the field names of Hugging Face's
//! `config.json` (fields not named here are ignored) and the published models' values where a field is absent.

use crate::error::Kind;
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// Bound of every size below: beyond any published model, small enough that products of a few cannot overflow.
const MAX_SIZE: usize = 1 << 16;
const MAX_DEPTH: usize = 64;

fn check_sizes<'a>(model: &str, sizes: impl IntoIterator<Item = (&'a str, usize)>, max: usize) -> Result<()> {
    for (field, value) in sizes {
        ensure!(
            (1..=max).contains(&value),
            Kind::Model.error(format!("{model} config: `{field}` is {value}, expected 1..={max}"))
        );
    }
    Ok(())
}

fn unsupported(model: &str, field: &str, value: &dyn std::fmt::Debug, supported: &str) -> crate::error::Error {
    Kind::Model.error(format!("{model} config: `{field}` = {value:?} is not supported; expected {supported}"))
}

/// EnCodec (`transformers.EncodecConfig`); the default is `facebook/encodec_24khz`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct CodecConfig {
    /// Hz
    pub sampling_rate: u32,
    pub audio_channels: usize,
    pub normalize: bool,
    /// Width of the latent frames.
    pub hidden_size: usize,
    /// Channels at the audio's rate; each downsampling doubles them.
    pub num_filters: usize,
    pub num_residual_layers: usize,
    /// The decoder's upsampling factors, in its order; their product is one frame in samples.
    pub upsampling_ratios: Vec<usize>,
    pub norm_type: String,
    pub kernel_size: usize,
    pub last_kernel_size: usize,
    pub residual_kernel_size: usize,
    /// Residual layer `j` of a block is dilated by this to the power `j`.
    pub dilation_growth_rate: usize,
    pub use_causal_conv: bool,
    pub pad_mode: String,
    /// Residual branches are this much narrower.
    pub compress: usize,
    pub num_lstm_layers: usize,
    pub trim_right_ratio: f64,
    pub codebook_size: usize,
    /// `hidden_size` where absent.
    pub codebook_dim: Option<usize>,
    pub use_conv_shortcut: bool,
}

impl Default for CodecConfig {
    fn default() -> Self {
        Self {
            sampling_rate: 24_000,
            audio_channels: 1,
            normalize: false,
            hidden_size: 128,
            num_filters: 32,
            num_residual_layers: 1,
            upsampling_ratios: vec![8, 5, 4, 2],
            norm_type: "weight_norm".into(),
            kernel_size: 7,
            last_kernel_size: 7,
            residual_kernel_size: 3,
            dilation_growth_rate: 2,
            use_causal_conv: true,
            pad_mode: "reflect".into(),
            compress: 2,
            num_lstm_layers: 2,
            trim_right_ratio: 1.0,
            codebook_size: 1024,
            codebook_dim: None,
            use_conv_shortcut: true,
        }
    }
}

impl CodecConfig {
    /// Audio samples of one frame.
    pub fn hop_length(&self) -> usize {
        self.upsampling_ratios.iter().product()
    }

    /// Channels of the narrowest rate, where the LSTM runs.
    pub fn deepest_width(&self) -> usize {
        self.num_filters << self.upsampling_ratios.len()
    }

    /// Dilation of residual layer `j`.
    pub fn dilation(&self, j: usize) -> usize {
        (0..j).fold(1, |d, _| d * self.dilation_growth_rate)
    }

    /// Refuses sizes out of bounds and variants that are not implemented (the 48 kHz model's).
    pub fn check(&self) -> Result<()> {
        self.check_sizes()?;
        self.check_variant()
    }

    fn check_sizes(&self) -> Result<()> {
        let sizes = [
            ("hidden_size", self.hidden_size),
            ("codebook_size", self.codebook_size),
            ("num_filters", self.num_filters),
            ("compress", self.compress),
        ];
        check_sizes("codec", sizes, MAX_SIZE)?;
        let depths = [
            ("kernel_size", self.kernel_size),
            ("last_kernel_size", self.last_kernel_size),
            ("residual_kernel_size", self.residual_kernel_size),
            ("dilation_growth_rate", self.dilation_growth_rate),
            ("num_lstm_layers", self.num_lstm_layers),
        ];
        check_sizes("codec", depths, MAX_DEPTH)?;
        check_sizes("codec", [("num_residual_layers", self.num_residual_layers)], 8)?;
        check_sizes("codec", [("len(upsampling_ratios)", self.upsampling_ratios.len())], 8)?;
        check_sizes("codec", self.upsampling_ratios.iter().map(|&r| ("upsampling_ratios", r)), MAX_DEPTH)?;
        let reach = self.residual_kernel_size * self.dilation(self.num_residual_layers - 1);
        check_sizes("codec", [("hop_length", self.hop_length()), ("residual kernel, dilated", reach)], MAX_SIZE)?;
        check_sizes("codec", [("num_filters / compress", self.num_filters / self.compress)], MAX_SIZE)
    }

    fn check_variant(&self) -> Result<()> {
        let refuse = |field, value: &dyn std::fmt::Debug, supported| unsupported("codec", field, value, supported);
        ensure!(self.audio_channels == 1, refuse("audio_channels", &self.audio_channels, "1 (the 24 kHz model)"));
        ensure!(!self.normalize, refuse("normalize", &self.normalize, "false (the 24 kHz model)"));
        ensure!(self.norm_type == "weight_norm", refuse("norm_type", &self.norm_type, "\"weight_norm\""));
        ensure!(self.use_causal_conv, refuse("use_causal_conv", &self.use_causal_conv, "true"));
        ensure!(self.pad_mode == "reflect", refuse("pad_mode", &self.pad_mode, "\"reflect\""));
        ensure!(self.trim_right_ratio == 1.0, refuse("trim_right_ratio", &self.trim_right_ratio, "1.0"));
        let width = self.codebook_dim.unwrap_or(self.hidden_size);
        ensure!(width == self.hidden_size, refuse("codebook_dim", &width, "the same as `hidden_size`"));
        Ok(())
    }
}

/// HuBERT (`transformers.HubertConfig`); the default is `facebook/hubert-base-ls960`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct HubertConfig {
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub hidden_act: String,
    pub layer_norm_eps: f64,
    pub feat_extract_norm: String,
    pub feat_extract_activation: String,
    pub feat_proj_layer_norm: bool,
    /// Channels, strides and kernels of the feature extractor's convolutions.
    pub conv_dim: Vec<usize>,
    pub conv_stride: Vec<usize>,
    pub conv_kernel: Vec<usize>,
    pub conv_bias: bool,
    /// Kernel of the positional convolution, frames.
    pub num_conv_pos_embeddings: usize,
    pub num_conv_pos_embedding_groups: usize,
    pub conv_pos_batch_norm: bool,
    pub do_stable_layer_norm: bool,
}

impl Default for HubertConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: "gelu".into(),
            layer_norm_eps: 1e-5,
            feat_extract_norm: "group".into(),
            feat_extract_activation: "gelu".into(),
            feat_proj_layer_norm: true,
            conv_dim: vec![512; 7],
            conv_stride: vec![5, 2, 2, 2, 2, 2, 2],
            conv_kernel: vec![10, 3, 3, 3, 3, 2, 2],
            conv_bias: false,
            num_conv_pos_embeddings: 128,
            num_conv_pos_embedding_groups: 16,
            conv_pos_batch_norm: false,
            do_stable_layer_norm: false,
        }
    }
}

impl HubertConfig {
    /// Frames that the feature extractor makes of `samples` (no padding anywhere).
    pub fn frames(&self, samples: usize) -> usize {
        let layers = self.conv_kernel.iter().zip(&self.conv_stride);
        layers.fold(samples, |len, (&kernel, &stride)| if len < kernel { 0 } else { (len - kernel) / stride + 1 })
    }

    /// The fewest samples that make one frame.
    pub fn min_samples(&self) -> usize {
        let layers = self.conv_kernel.iter().zip(&self.conv_stride).rev();
        layers.fold(1, |len, (&kernel, &stride)| (len - 1) * stride + kernel)
    }

    /// Refuses sizes out of bounds and variants that are not implemented (HuBERT large's and distilled ones').
    pub fn check(&self) -> Result<()> {
        self.check_sizes()?;
        self.check_variant()
    }

    fn check_sizes(&self) -> Result<()> {
        let sizes = [
            ("hidden_size", self.hidden_size),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("num_conv_pos_embeddings", self.num_conv_pos_embeddings),
            ("num_conv_pos_embedding_groups", self.num_conv_pos_embedding_groups),
        ];
        check_sizes("hubert", sizes, MAX_SIZE)?;
        check_sizes("hubert", self.conv_dim.iter().map(|&d| ("conv_dim", d)), MAX_SIZE)?;
        let convs = self.conv_stride.iter().map(|&s| ("conv_stride", s));
        check_sizes("hubert", convs.chain(self.conv_kernel.iter().map(|&k| ("conv_kernel", k))), MAX_DEPTH)?;
        let lengths = (self.conv_dim.len(), self.conv_stride.len(), self.conv_kernel.len());
        ensure!(
            (1..=9).contains(&lengths.0) && lengths.0 == lengths.1 && lengths.0 == lengths.2,
            Kind::Model
                .error(format!("hubert config: `conv_dim`, `conv_stride` and `conv_kernel` hold {lengths:?} values"))
        );
        for (field, parts) in [
            ("num_attention_heads", self.num_attention_heads),
            ("num_conv_pos_embedding_groups", self.num_conv_pos_embedding_groups),
        ] {
            let whole = self.hidden_size.is_multiple_of(parts);
            ensure!(whole, unsupported("hubert", field, &parts, "a divisor of `hidden_size`"));
        }
        Ok(())
    }

    fn check_variant(&self) -> Result<()> {
        let refuse = |field, value: &dyn std::fmt::Debug, supported| unsupported("hubert", field, value, supported);
        let stable = self.do_stable_layer_norm;
        ensure!(!stable, refuse("do_stable_layer_norm", &stable, "false (HuBERT base, not large)"));
        let norm = &self.feat_extract_norm;
        ensure!(norm == "group", refuse("feat_extract_norm", norm, "\"group\" (HuBERT base, not large)"));
        let batch_norm = self.conv_pos_batch_norm;
        ensure!(!batch_norm, refuse("conv_pos_batch_norm", &batch_norm, "false"));
        ensure!(self.feat_proj_layer_norm, refuse("feat_proj_layer_norm", &false, "true"));
        for (field, act) in
            [("hidden_act", &self.hidden_act), ("feat_extract_activation", &self.feat_extract_activation)]
        {
            ensure!(act == "gelu", refuse(field, act, "\"gelu\""));
        }
        Ok(())
    }
}

/// The quantizer from HuBERT features to semantic tokens (the `.info` of gitmylo's `.pth` files).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct QuantizerConfig {
    pub input_size: usize,
    pub hidden_size: usize,
    pub output_size: usize,
    /// 0: LSTM and linear; 1: a 4096 wide linear between them.
    pub version: u32,
}

impl Default for QuantizerConfig {
    fn default() -> Self {
        Self { input_size: 768, hidden_size: 1024, output_size: 10_000, version: 1 }
    }
}

impl QuantizerConfig {
    /// Refuses sizes out of bounds and unknown versions.
    pub fn check(&self) -> Result<()> {
        let sizes =
            [("input_size", self.input_size), ("hidden_size", self.hidden_size), ("output_size", self.output_size)];
        check_sizes("quantizer", sizes, MAX_SIZE)?;
        ensure!(self.version <= 1, unsupported("quantizer", "version", &self.version, "0 or 1"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_models_are_the_defaults() {
        assert_eq!(CodecConfig::default().hop_length(), 320);
        assert_eq!(CodecConfig::default().deepest_width(), 512);
        let hubert = HubertConfig::default();
        assert_eq!((hubert.min_samples(), hubert.frames(399), hubert.frames(400)), (400, 0, 1));
        assert_eq!((hubert.frames(16_000), hubert.frames(16_080)), (49, 50));
        for check in [CodecConfig::default().check(), hubert.check(), QuantizerConfig::default().check()] {
            check.unwrap();
        }
    }

    #[test]
    fn variants_that_are_not_implemented_are_refused_by_field() {
        let config: CodecConfig =
            serde_json::from_str(r#"{"norm_type": "time_group_norm", "chunk_length_s": 1}"#).unwrap();
        assert!(config.check().unwrap_err().to_string().contains("`norm_type` = \"time_group_norm\""));
        let config: HubertConfig = serde_json::from_str(r#"{"do_stable_layer_norm": true, "vocab_size": 32}"#).unwrap();
        assert!(config.check().unwrap_err().to_string().contains("do_stable_layer_norm"));
        let config = HubertConfig { feat_extract_norm: "layer".into(), ..Default::default() };
        assert!(config.check().unwrap_err().to_string().contains("feat_extract_norm"));
        assert!(QuantizerConfig { version: 2, ..Default::default() }.check().is_err());
    }

    #[test]
    fn hostile_sizes_are_refused_before_anything_is_computed_from_them() {
        for config in [
            CodecConfig { num_filters: usize::MAX, ..Default::default() },
            CodecConfig { upsampling_ratios: vec![], ..Default::default() },
            CodecConfig { upsampling_ratios: vec![64; 8], ..Default::default() },
            CodecConfig { upsampling_ratios: vec![0, 2], ..Default::default() },
            CodecConfig { compress: 0, ..Default::default() },
            CodecConfig { compress: 33, ..Default::default() },
            CodecConfig { dilation_growth_rate: 64, num_residual_layers: 8, ..Default::default() },
            CodecConfig { dilation_growth_rate: 1 << 40, ..Default::default() },
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
        for config in [
            HubertConfig { num_attention_heads: 0, ..Default::default() },
            HubertConfig { num_attention_heads: 7, ..Default::default() },
            HubertConfig { conv_stride: vec![5], ..Default::default() },
            HubertConfig { conv_kernel: vec![0; 7], ..Default::default() },
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
    }
}
