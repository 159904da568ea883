//! Sizes of a HuBERT, with the field names of Hugging Face's `config.json` (fields not named here are
//! ignored) and the published model's values where a field is absent.

use crate::error::Kind;
use crate::net::sizes::{MAX_DEPTH, MAX_SIZE, check_sizes, unsupported};
use anyhow::{Result, ensure};
use serde::Deserialize;

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
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("num_conv_pos_embeddings", self.num_conv_pos_embeddings),
            ("num_conv_pos_embedding_groups", self.num_conv_pos_embedding_groups),
        ];
        check_sizes("hubert", sizes, MAX_SIZE)?;
        check_sizes("hubert", self.conv_dim.iter().map(|&d| ("conv_dim", d)), MAX_SIZE)?;
        ensure!(
            (f64::from(f32::MIN_POSITIVE)..=1.0).contains(&self.layer_norm_eps),
            unsupported("hubert", "layer_norm_eps", &self.layer_norm_eps, "a small positive number")
        );
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_model_is_the_default() {
        let hubert = HubertConfig::default();
        assert_eq!((hubert.min_samples(), hubert.frames(399), hubert.frames(400)), (400, 0, 1));
        assert_eq!((hubert.frames(16_000), hubert.frames(16_080)), (49, 50));
        hubert.check().unwrap();
    }

    #[test]
    fn variants_that_are_not_implemented_are_refused_by_field() {
        let config: HubertConfig = serde_json::from_str(r#"{"do_stable_layer_norm": true, "vocab_size": 32}"#).unwrap();
        assert!(config.check().unwrap_err().to_string().contains("do_stable_layer_norm"));
        let config = HubertConfig { feat_extract_norm: "layer".into(), ..Default::default() };
        assert!(config.check().unwrap_err().to_string().contains("feat_extract_norm"));
    }

    #[test]
    fn hostile_sizes_are_refused_before_anything_is_computed_from_them() {
        for config in [
            HubertConfig { num_attention_heads: 0, ..Default::default() },
            HubertConfig { num_hidden_layers: usize::MAX, ..Default::default() },
            HubertConfig { layer_norm_eps: -1.0, ..Default::default() },
            HubertConfig { num_attention_heads: 7, ..Default::default() },
            HubertConfig { conv_stride: vec![5], ..Default::default() },
            HubertConfig { conv_kernel: vec![0; 7], ..Default::default() },
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
    }
}
