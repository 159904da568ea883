#!/bin/sh
# symphonia-core 0.6.1 and dasp_sample 0.11.0 (which cpal uses): a float sample as 16 bits.
# Expected: rounded to the nearest step.
# Seen: cut off towards zero in both: 0.9 and -0.9 of a step are 0, 1.5 is 1. So everything between -1 and 1 step is
# silence, twice as wide as any other step. 1.0 is 32767 in both, as one expects.
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
symphonia-core = "=0.6.1"
dasp_sample = "=0.11.0"
EOF
cat >"$dir/src/main.rs" <<'EOF'
use dasp_sample::Sample;
use symphonia_core::audio::conv::IntoSample;

fn main() {
    for (steps, expected) in [(0.9f32, 0i16), (-0.9, 0), (1.5, 1), (-1.5, -1), (32768.0, 32767)] {
        let x = steps / 32768.0;
        let symphonia: i16 = x.into_sample();
        let dasp: i16 = Sample::to_sample(x);
        println!("{steps} steps: symphonia {symphonia}, dasp {dasp}");
        assert_eq!((symphonia, dasp), (expected, expected), "samples are rounded in another way now");
    }
}
EOF
CARGO_TARGET_DIR="$dir/target" cargo run -q --manifest-path "$dir/Cargo.toml"
