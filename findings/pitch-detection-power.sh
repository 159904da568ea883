#!/bin/sh
# pitch-detection 0.3.0 (Rust), McLeodDetector with the power threshold 5.0 of its documentation: a quiet 220 Hz sine.
# Expected: the threshold is a level, so that a sound is found at any length of window or at none.
# Seen: it is the sum of squares over the window: at an amplitude of 0.05 a window of 1024 samples has no pitch, one of
# 8192 has 220 Hz, and so has one of 1024 at 0.5.
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
pitch-detection = "=0.3.0"
EOF
cat >"$dir/src/main.rs" <<'EOF'
use pitch_detection::detector::{mcleod::McLeodDetector, PitchDetector};

fn pitch(amplitude: f64, size: usize) -> Option<f64> {
    let step = 2.0 * std::f64::consts::PI * 220.0 / 16000.0;
    let sine: Vec<f64> = (0..size).map(|i| amplitude * (step * i as f64).sin()).collect();
    McLeodDetector::new(size, size / 2).get_pitch(&sine, 16000, 5.0, 0.7).map(|pitch| pitch.frequency)
}

fn main() {
    for (amplitude, size, heard) in [(0.5, 1024, true), (0.05, 1024, false), (0.05, 8192, true)] {
        let pitch = pitch(amplitude, size);
        println!("amplitude {amplitude}, window {size}: {pitch:?}");
        assert_eq!(pitch.is_some(), heard, "the threshold is another now");
        assert!(pitch.is_none_or(|pitch| (pitch - 220.0).abs() < 1.0));
    }
}
EOF
CARGO_TARGET_DIR="$dir/target" cargo run -q --manifest-path "$dir/Cargo.toml"
