//! Bounds of what a configuration may state, and how a refusal reads.

use crate::error::{Error, Kind};
use anyhow::{Result, ensure};

/// Bound of every size below: beyond any published model, small enough that products of a few cannot overflow.
pub const MAX_SIZE: usize = 1 << 16;
/// Bound of kernels, strides and counts of layers.
pub const MAX_DEPTH: usize = 64;

pub fn check_sizes<'a>(model: &str, sizes: impl IntoIterator<Item = (&'a str, usize)>, max: usize) -> Result<()> {
    for (field, value) in sizes {
        ensure!(
            (1..=max).contains(&value),
            Kind::Model.error(format!("{model} config: `{field}` is {value}, expected 1..={max}"))
        );
    }
    Ok(())
}

pub fn unsupported(model: &str, field: &str, value: &dyn std::fmt::Debug, supported: &str) -> Error {
    Kind::Model.error(format!("{model} config: `{field}` = {value:?} is not supported; expected {supported}"))
}
