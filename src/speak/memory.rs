//! What the free memory allows: how many utterances are spoken at a time, and whether a model drafts for itself.

use crate::checkpoint::Bark;
use crate::device::free_memory;
use crate::net::cache;
use crate::net::gpt::{Gpt, GptConfig};
use crate::net::weights::{Array, Weights};
use crate::stage::Stage;
use anyhow::Result;
use candle_core::{DType, Device};

/// Beyond this many rows, a step's time grows nearly as fast as its tokens (`examples/bench --batch`).
const MOST_ON_CPU: usize = 8;
/// A GPU's step takes little longer for these than for one row.
const MOST_ON_GPU: usize = 32;
/// The batch where it is not known how much memory is free.
const UNKNOWN: usize = 4;
/// The part of the free memory that is taken.
const SHARE: f64 = 0.8;

/// The batch for `bark`, computed in `dtype` on `device`: every stage's weights and all rows' caches fit the memory
/// that is free now.
pub fn automatic_batch(bark: &Bark, dtype: DType, device: &Device) -> Result<usize> {
    let most = if device.is_cpu() { MOST_ON_CPU } else { MOST_ON_GPU };
    let Some(free) = free_memory(device) else { return Ok(UNKNOWN) };
    let (mut weights, mut row) = (0, 0);
    for stage in Stage::ALL {
        let (config, stored) = bark.stage(stage, dtype, device)?;
        weights += weight_bytes(&config, &stored)?;
        let held = if device.is_cpu() { cache::dtype(layer(&config, &stored)?.repr, dtype) } else { dtype };
        row += if stage == Stage::Fine { 0 } else { cache_bytes(&config, held) };
    }
    Ok(fitting(free, weights, row, most))
}

/// Weights of fewer bytes, which caches may hold, are read so fast that drafting gains nothing.
const LEAST_DRAFTED: usize = 64 << 20;

/// Whether a draft of `gpt` in `q8_0` is worth its memory: `gpt` is read from memory at each step, and there is room
/// beside it.
pub fn is_draft_worthwhile(gpt: &Gpt) -> bool {
    let bytes = gpt.host_bytes();
    bytes >= LEAST_DRAFTED && free_memory(gpt.device()).is_none_or(|free| free >= bytes as u64)
}

/// The blocks and the heads, on the CPU as they are stored; a device has the embeddings' tables, too.
fn weight_bytes(config: &GptConfig, stored: &Weights) -> Result<u64> {
    let (width, layers) = (config.width as u64, config.layers as u64);
    let heads = (config.codebooks_total - config.codebooks_given).max(1) as u64;
    let count = 12 * layers * width * width + heads * config.output_vocab as u64 * width;
    let tables = (config.codebooks_total.max(1) * config.input_vocab + config.block_size) as u64 * width;
    let (count, (numbers, bytes)) = match stored.device().is_cpu() {
        true => (count, layer(config, stored)?.repr.block()),
        false => (count + tables, (1, stored.dtype().size_in_bytes())),
    };
    Ok(count * bytes as u64 / numbers as u64)
}

/// One of the blocks' weights, which are all stored alike.
fn layer(config: &GptConfig, stored: &Weights) -> Result<Array> {
    stored.pp("layers").pp(0).pp("attn").pp("out_proj").array((config.width, config.width), "weight")
}

/// One row's keys and values.
fn cache_bytes(config: &GptConfig, dtype: DType) -> u64 {
    (2 * config.layers * config.width * config.block_size * dtype.size_in_bytes()) as u64
}

/// Rows that fit beside the weights: at least 1, at most `most`.
fn fitting(free: u64, weights: u64, row: u64, most: usize) -> usize {
    let room = ((free as f64 * SHARE) as u64).saturating_sub(weights);
    (room / row.max(1)).clamp(1, most as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::{self, Size, gpt_config};

    const GB: u64 = 1_000_000_000;

    #[test]
    fn a_row_of_the_large_model_takes_two_caches_of_201_mb() {
        let [semantic, coarse] = [Stage::Semantic, Stage::Coarse].map(|s| gpt_config(s, Size::Large));
        assert_eq!(cache_bytes(&semantic, DType::F32), 201_326_592);
        assert_eq!(cache_bytes(&coarse, DType::F16), 100_663_296);
    }

    #[test]
    fn the_weights_and_as_many_rows_as_fit_share_the_memory() {
        let fit = |free| fitting(free, 4 * GB, GB / 2, 8);
        // 0.8 of it: 4.8, 6.4 and 12.8 GB.
        assert_eq!((fit(6 * GB), fit(8 * GB), fit(16 * GB)), (1, 4, 8));
    }

    #[test]
    fn where_not_even_the_weights_fit_one_row_is_spoken_at_a_time() {
        assert_eq!(fitting(GB, 4 * GB, GB / 2, 8), 1);
        assert_eq!(fitting(0, 0, 0, 8), 1);
    }

    #[test]
    fn the_tiny_model_fits_any_machine_and_its_weights_are_counted_as_stored() {
        let bark = noise::bark(Size::Tiny, 1);
        assert_eq!(automatic_batch(&bark, DType::F32, &Device::Cpu).unwrap(), MOST_ON_CPU);
        let (config, stored) = bark.stage(Stage::Semantic, DType::F32, &Device::Cpu).unwrap();
        assert_eq!(weight_bytes(&config, &stored).unwrap(), 4 * (12 * 2 * 32 * 32 + 10_048 * 32));
    }
}
