//! Sizes of a quantizer.

use crate::net::sizes::{MAX_SIZE, check_sizes, unsupported};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// The quantizer from HuBERT features to semantic tokens (the `.info` of gitmylo's `.pth` files).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    fn the_published_sizes_are_the_default_and_unknown_versions_are_refused() {
        QuantizerConfig::default().check().unwrap();
        assert!(QuantizerConfig { version: 2, ..Default::default() }.check().is_err());
    }
}
