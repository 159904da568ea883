use super::*;
use crate::error::exit_code;
use hound::{WavSpec, WavWriter};
use std::fs;

fn spec(channels: u16, rate: u32, bits: u16, sample_format: SampleFormat) -> WavSpec {
    WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format }
}

/// A WAV file in memory with these interleaved samples.
fn wav<S: hound::Sample + Copy>(spec: WavSpec, samples: &[S]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = WavWriter::new(Cursor::new(&mut bytes), spec).unwrap();
    samples.iter().for_each(|&s| writer.write_sample(s).unwrap());
    writer.finalize().unwrap();
    bytes
}

fn mono16(samples: &[i16]) -> Vec<u8> {
    wav(spec(1, 24_000, 16, SampleFormat::Int), samples)
}

fn read(bytes: &[u8]) -> Result<Clip> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ref.wav");
    fs::write(&path, bytes).unwrap();
    read_wav(&path, 1.0)
}

/// The error's whole chain; it must name the file and exit with 3.
fn refusal(bytes: &[u8]) -> String {
    let error = read(bytes).unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("ref.wav") && exit_code(&error) == 3, "{text}");
    text
}

#[test]
fn every_sample_format_is_scaled_to_one() {
    let cases: [(u16, [i32; 3]); 4] = [
        (8, [-128, 0, 64]),
        (16, [-32_768, 0, 16_384]),
        (24, [-8_388_608, 0, 4_194_304]),
        (32, [i32::MIN, 0, 1 << 30]),
    ];
    for (bits, samples) in cases {
        let clip = read(&wav(spec(1, 8_000, bits, SampleFormat::Int), &samples)).unwrap();
        assert_eq!(clip.pcm, Pcm { samples: vec![-1.0, 0.0, 0.5], rate: 8_000 }, "{bits} bits");
    }
    let float = read(&wav(spec(1, 192_000, 32, SampleFormat::Float), &[-1.0f32, 0.0, 0.5])).unwrap();
    assert_eq!(float.pcm, Pcm { samples: vec![-1.0, 0.0, 0.5], rate: 192_000 });
}

#[test]
fn eight_bit_wav_is_unsigned() {
    let mut bytes = wav(spec(1, 8_000, 8, SampleFormat::Int), &[0i8; 3]);
    let start = bytes.len() - 4; // three samples and, the length being odd, perhaps a pad byte
    let start = bytes[start..].iter().position(|&b| b == 128).unwrap() + start;
    bytes[start..start + 3].copy_from_slice(&[0, 128, 192]);
    assert_eq!(read(&bytes).unwrap().pcm.samples, [-1.0, 0.0, 0.5]);
}

#[test]
fn channels_are_averaged() {
    let stereo = wav(spec(2, 44_100, 16, SampleFormat::Int), &[16_384i16, 0, -16_384, -16_384]);
    let clip = read(&stereo).unwrap();
    assert_eq!((clip.pcm.samples, clip.channels), (vec![0.25, -0.5], 2));
    let eight = wav(spec(8, 48_000, 24, SampleFormat::Int), &[1 << 20; 8]);
    assert_eq!(read(&eight).unwrap().pcm.samples, [0.125]);
}

#[test]
fn of_a_long_recording_the_end_is_kept_and_its_length_told() {
    let samples: Vec<i16> = (0..30_000).collect();
    let clip = read(&mono16(&samples)).unwrap();
    assert_eq!(clip.pcm.samples.len(), 24_000);
    assert_eq!(clip.pcm.samples[0], 6_000.0 / 32_768.0);
    assert_eq!(clip.pcm.samples[23_999], 29_999.0 / 32_768.0);
    assert!((clip.total_seconds - 1.25).abs() < 1e-9 && clip.was_cut());
    assert!(!read(&mono16(&[100; 24_000])).unwrap().was_cut());
}

#[test]
fn the_end_is_found_in_frames_of_every_size() {
    for (channels, bits) in [(1, 8), (2, 16), (3, 24), (8, 32)] {
        let samples: Vec<i32> = (0..10_000 * i32::from(channels)).map(|i| i / i32::from(channels) / 80).collect();
        let clip = read(&wav(spec(channels, 8_000, bits, SampleFormat::Int), &samples)).unwrap();
        let scale = 2f32.powi(i32::from(bits) - 1);
        let kept: Vec<_> = clip.pcm.samples.iter().map(|s| s * scale).collect();
        assert_eq!(kept, (2_000..10_000).map(|i| (i / 80) as f32).collect::<Vec<_>>(), "{channels} x {bits} bits");
    }
}

#[test]
fn damage_before_the_kept_end_is_not_looked_at() {
    let mut samples = vec![0.0f32; 30_000];
    samples[100] = f32::NAN;
    let float = spec(1, 24_000, 32, SampleFormat::Float);
    assert_eq!(read(&wav(float, &samples)).unwrap().pcm.samples.len(), 24_000);
    samples[29_000] = f32::NAN;
    assert!(refusal(&wav(float, &samples)).contains("sample 29000"));
}

#[test]
fn the_length_may_be_unknown_to_the_writer() {
    let mut bytes = mono16(&[1, 2, 3]);
    bytes[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(read(&bytes).unwrap().pcm.samples.len(), 3);
}

#[test]
fn a_truncated_recording_is_refused_with_what_is_there() {
    let bytes = mono16(&[100; 24_000]);
    let text = refusal(&bytes[..44 + 24_000]);
    assert!(text.contains("truncated: 0.50 of 1.00 s"), "{text}");
    assert!(refusal(&bytes[..30]).contains("ends within its `fmt ` chunk"));
    assert!(refusal(&bytes[..40]).contains("ends before its samples"));
}

#[test]
fn other_files_are_told_how_to_become_wav() {
    for bytes in [&b""[..], b"RIFF", b"ID3\x04 an mp3 file, say", b"RIFF\0\0\0\0AVI LIST"] {
        assert!(refusal(bytes).contains("ffmpeg -i"), "{bytes:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(format!("{:#}", read_wav(folder.path(), 1.0).unwrap_err()).contains("not a regular file"));
    assert_eq!(exit_code(&read_wav(&folder.path().join("none.wav"), 1.0).unwrap_err()), 3);
}

#[test]
fn samples_that_are_no_sound_are_refused() {
    let float = |samples: &[f32]| refusal(&wav(spec(2, 24_000, 32, SampleFormat::Float), samples));
    assert!(float(&[0.0, 0.0, f32::NAN, 0.0]).contains("sample 1 is not a number"));
    assert!(float(&[f32::INFINITY, f32::NEG_INFINITY]).contains("sample 0"));
    assert!(float(&[32_000.0, 0.0]).contains("[-1, 1]"));
    assert!(refusal(&mono16(&[])).contains("no samples"));
}

#[test]
fn absurd_headers_are_refused() {
    // Where in the header, what is put there, and what is said of it.
    let cases: [(usize, &[u8], &str); 9] = [
        (22, &[0, 0], "0 channels"),
        (24, &[0, 0, 0, 0], "0 Hz"),
        (24, &[1, 0, 0, 0], "1 Hz"),
        (24, &[255, 255, 255, 255], "4294967295 Hz"),
        (28, &[9, 9, 9, 9], "inconsistent"),
        (32, &[0, 0], "frames of 0 bytes"),
        (34, &[64, 0], "exceeds"),
        (20, &[17, 0], "ffmpeg -i"),
        (16, &[200, 0, 0, 0], "fmt"),
    ];
    for (offset, patch, expected) in cases {
        let mut bytes = mono16(&[1, 2, 3]);
        bytes[offset..offset + patch.len()].copy_from_slice(patch);
        let text = refusal(&bytes);
        assert!(text.contains(expected), "{offset}: {text}");
    }
    let mut channels = mono16(&[1, 2, 3]);
    channels[22..24].copy_from_slice(&[255, 255]);
    assert!(refusal(&channels).contains("65535 channels"));
}

#[test]
fn a_damaged_header_is_read_or_refused_but_never_worse() {
    let files = [mono16(&[1, 2, 3, 4]), wav(spec(4, 48_000, 24, SampleFormat::Int), &[5i32; 8])];
    for (bytes, value) in files.iter().flat_map(|bytes| [0, 1, 3, 16, 0x7f, 0xff].map(|value| (bytes, value))) {
        for at in 0..bytes.len() - 8 {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            match read(&damaged) {
                Ok(clip) => assert!(clip.pcm.samples.len() <= bytes.len(), "byte {at} = {value}"),
                Err(error) => assert_eq!(exit_code(&error), 3, "byte {at} = {value}: {error:#}"),
            }
        }
    }
}

#[test]
fn the_shipped_reference_is_what_the_readme_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/reference.wav");
    let clip = read_wav(Path::new(path), 30.0).unwrap();
    assert!((6.0..8.0).contains(&clip.total_seconds) && !clip.was_cut());
    assert_eq!((clip.pcm.rate, clip.channels), (24_000, 1));
    assert!(clip.pcm.samples.iter().any(|s| s.abs() > 0.5));
}
