#!/bin/sh
# candle-core 0.11.1 (Rust), Tensor::conv_transpose1d on the CPU of a batch of two equal rows, two channels each.
# Expected: two equal rows out.
# Seen: only the first row is right. No error, and one channel alone is right. Row by row it is right.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
mkdir "$dir/src"
cat >"$dir/Cargo.toml" <<'EOF'
[package]
name = "finding"
version = "0.1.0"
edition = "2021"

[dependencies]
candle-core = "=0.11.1"
EOF
cat >"$dir/src/main.rs" <<'EOF'
use candle_core::{Device, Result, Tensor};

/// The outputs of each of two equal rows of `channels` times three steps.
fn rows(channels: usize) -> Result<Vec<Vec<f32>>> {
    let row: Vec<f32> = (1..=3 * channels).map(|i| i as f32).collect();
    let x = Tensor::from_vec([row.clone(), row].concat(), (2, channels, 3), &Device::Cpu)?;
    let weight = Tensor::from_vec((1..=2 * channels).map(|i| i as f32).collect(), (channels, 1, 2), &Device::Cpu)?;
    x.conv_transpose1d(&weight, 0, 0, 2, 1, 1)?.squeeze(1)?.to_vec2()
}

fn main() -> Result<()> {
    let (one, two) = (rows(1)?, rows(2)?);
    println!("one channel:  {:?}\n              {:?}", one[0], one[1]);
    println!("two channels: {:?}\n              {:?}", two[0], two[1]);
    assert_eq!(one[0], one[1]);
    assert_eq!(two[0], [13.0, 18.0, 17.0, 24.0, 21.0, 30.0]);
    assert_ne!(two[1], two[0], "every row of a batch is right now");
    Ok(())
}
EOF
CARGO_TARGET_DIR="$dir/target" cargo run -q --manifest-path "$dir/Cargo.toml"
