//! Sizes of an EnCodec, with the field names of Hugging Face's `config.json` (fields not named here are
//! ignored) and the published model's values where a field is absent.

use crate::net::sizes::{MAX_DEPTH, MAX_SIZE, check_sizes, unsupported};
use crate::tokens::SAMPLE_RATE;
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

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
        let rate = self.sampling_rate;
        ensure!(rate == SAMPLE_RATE, refuse("sampling_rate", &rate, "24000 (the 24 kHz model)"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_model_is_the_default() {
        assert_eq!(CodecConfig::default().hop_length(), 320);
        assert_eq!(CodecConfig::default().deepest_width(), 512);
        CodecConfig::default().check().unwrap();
    }

    #[test]
    fn variants_that_are_not_implemented_are_refused_by_field() {
        let config: CodecConfig =
            serde_json::from_str(r#"{"norm_type": "time_group_norm", "chunk_length_s": 1}"#).unwrap();
        assert!(config.check().unwrap_err().to_string().contains("`norm_type` = \"time_group_norm\""));
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
    }
}
