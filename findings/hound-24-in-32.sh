#!/bin/sh
# hound 3.5.1: WAV of 24 valid bits in 32, WAVEFORMATEXTENSIBLE.
# Expected: the valid bits are the upper ones, as Microsoft defines wValidBitsPerSample, so 0x40000000 is one half.
# Seen: the lower 24 bits are taken: 0x40000000 and every other multiple of 0x1000000 read as 0, and what is left of
# a recording is noise at full level. No error is given.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
cargo init -q --name seen .
cargo add -q hound@=3.5.1
cat > src/main.rs <<'EOP'
fn main() {
    let samples = [0x4000_0000i32, -0x2000_0000, 0x0012_3400];
    let guid = b"\x01\0\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71";
    let mut file = b"RIFF\x48\0\0\0WAVEfmt \x28\0\0\0\xFE\xFF\x01\0".to_vec();
    file.extend([24_000u32, 96_000].map(u32::to_le_bytes).concat());
    file.extend([4u16, 32, 22, 24, 4, 0].map(u16::to_le_bytes).concat());
    file.extend(guid);
    file.extend(b"data\x0c\0\0\0");
    file.extend(samples.map(i32::to_le_bytes).concat());
    let mut reader = hound::WavReader::new(&file[..]).unwrap();
    let spec = reader.spec();
    let read: Vec<i32> = reader.samples::<i32>().map(Result::unwrap).collect();
    let defined = samples.map(|sample| sample >> 8);
    println!("hound 3.5.1: {} bits; read {read:?}, defined {defined:?}", spec.bits_per_sample);
    assert_eq!((spec.bits_per_sample, &read[..]), (24, &[0, 0, 0x12_3400][..]), "it reads them otherwise now");
}
EOP
cargo run -q
