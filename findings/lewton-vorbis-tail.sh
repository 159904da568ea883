#!/bin/sh
# lewton 0.10.2 (Rust): decoding an Ogg Vorbis file of 24077 samples.
# Expected: 24077 samples: the last page states where the sound ends, so that the last block is cut there.
# Seen: 24448, the whole last block; libsndfile (soundfile 0.14.0), which wrote the file, reads 24077.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check soundfile==0.14.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import sys
import numpy as np
import soundfile as sf

path = sys.argv[1] + "/a.ogg"
sf.write(path, 0.5 * np.sin(2 * np.pi * 200 * np.arange(24077) / 24000), 24000, format="OGG", subtype="VORBIS")
print("libsndfile:", len(sf.read(path)[0]), "samples")
assert len(sf.read(path)[0]) == 24077
EOF
mkdir "$dir/src"
cat >"$dir/Cargo.toml" <<'EOF'
[package]
name = "finding"
version = "0.1.0"
edition = "2021"

[dependencies]
lewton = "=0.10.2"
EOF
cat >"$dir/src/main.rs" <<'EOF'
use lewton::inside_ogg::OggStreamReader;

fn main() {
    let path = std::env::args().nth(1).unwrap();
    let mut reader = OggStreamReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut samples = 0;
    while let Some(packet) = reader.read_dec_packet_itl().unwrap() {
        samples += packet.len();
    }
    println!("lewton: {samples} samples");
    assert_eq!(samples, 24448, "the end is cut in another way now");
}
EOF
CARGO_TARGET_DIR="$dir/target" cargo run -q --manifest-path "$dir/Cargo.toml" -- "$dir/a.ogg"
