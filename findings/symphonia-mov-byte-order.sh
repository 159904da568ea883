#!/bin/sh
# symphonia 0.6.1: 24-bit, 32-bit and float samples in a QuickTime movie that ffmpeg 7.0.2 (of imageio-ffmpeg 0.6.0) wrote.
# Expected: the highest byte comes first, unless an `enda` atom of 1 says otherwise; with either, the same tone is heard.
# Seen: `in24`, `in32`, `fl32` and `fl64` are always read with the lowest byte first: big-endian integers become noise, floats
# absurd numbers, without an error. 16 bits, which have a name for each order (`twos`, `sowt`), are right.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check imageio-ffmpeg==0.6.0
ffmpeg=$("$dir/venv/bin/python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
for codec in s16le s16be s24le s24be s32le s32be f32le f32be; do
    "$ffmpeg" -nostdin -v error -f lavfi -i 'sine=440:r=16000:d=0.1' -ac 1 -c:a "pcm_$codec" "$dir/$codec.mov"
done
mkdir "$dir/src"
cat >"$dir/Cargo.toml" <<'EOF'
[package]
name = "finding"
version = "0.1.0"
edition = "2021"

[dependencies]
symphonia = { version = "=0.6.1", default-features = false, features = ["isomp4", "pcm"] }
EOF
cat >"$dir/src/main.rs" <<'EOF'
use symphonia::core::{codecs::CodecParameters, formats::probe::Hint, io::MediaSourceStream};

/// The first samples of a movie.
fn samples(path: &str) -> Vec<f32> {
    let stream = MediaSourceStream::new(Box::new(std::fs::File::open(path).unwrap()), Default::default());
    let probe = symphonia::default::get_probe();
    let mut format = probe.probe(&Hint::new(), stream, Default::default(), Default::default()).unwrap();
    let parameters = format.tracks()[0].codec_params.as_ref().and_then(CodecParameters::audio).unwrap().clone();
    let mut decoder = symphonia::default::get_codecs().make_audio_decoder(&parameters, &Default::default()).unwrap();
    let mut all = Vec::new();
    while let Ok(Some(packet)) = format.next_packet() {
        let mut some = Vec::new();
        decoder.decode(&packet).unwrap().copy_to_vec_interleaved::<f32>(&mut some);
        all.extend(some);
    }
    all
}

fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let tone = samples(&format!("{folder}/s16le.mov"));
    for (codec, right) in [("s16be", true), ("s24le", true), ("s24be", false), ("s32le", true), ("s32be", false),
                           ("f32le", true), ("f32be", false)] {
        let heard = samples(&format!("{folder}/{codec}.mov"));
        let is_tone = heard.len() == tone.len() && heard.iter().zip(&tone).all(|(a, b)| (a - b).abs() < 1e-4);
        println!("{codec}: {}", if is_tone { "the tone" } else { "something else" });
        assert_eq!(is_tone, right, "{codec} is read in another way now");
    }
}
EOF
CARGO_TARGET_DIR="$dir/target" cargo run -q --manifest-path "$dir/Cargo.toml" -- "$dir"
