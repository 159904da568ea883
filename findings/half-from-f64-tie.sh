#!/bin/sh
# half 2.7.1 (Rust): f16::from_f64 and bf16::from_f64 of a value a hair above the middle of two.
# Expected: rounded to the nearest, so up.
# Seen: the lower 32 bits of the double are cut off before rounding, so the value counts as a tie and goes to the even
# neighbour below: 1 + 2^-11 + 2^-40 becomes 1.0 in f16, 1 + 2^-8 + 2^-45 becomes 1.0 in bf16. With a hair that the
# upper bits hold (2^-19) it goes up.
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
half = "=2.7.1"
EOF
cat >"$dir/src/main.rs" <<'EOF'
use half::{bf16, f16};

fn main() {
    let power = |n: i32| 2f64.powi(n);
    let cut = (f16::from_f64(1.0 + power(-11) + power(-40)), bf16::from_f64(1.0 + power(-8) + power(-45)));
    let held = (f16::from_f64(1.0 + power(-11) + power(-19)), bf16::from_f64(1.0 + power(-8) + power(-19)));
    println!("a hair in the lower 32 bits: f16 {} bf16 {}", cut.0, cut.1);
    println!("a hair in the upper 32 bits: f16 {} bf16 {}", held.0, held.1);
    assert_eq!((cut.0.to_f64(), cut.1.to_f64()), (1.0, 1.0), "doubles are rounded once now");
    assert_eq!((held.0.to_f64(), held.1.to_f64()), (1.0 + power(-10), 1.0 + power(-7)));
}
EOF
CARGO_TARGET_DIR="$dir/target" cargo run -q --manifest-path "$dir/Cargo.toml"
