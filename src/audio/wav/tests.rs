use crate::audio::{self, Clip, Input, Pcm};
use crate::error::exit_code;
use anyhow::Result;
use hound::{SampleFormat, WavSpec, WavWriter};
use std::fs;
use std::io::Cursor;
use std::path::Path;

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
    audio::read(Input::from(&path).with_ffmpeg(false), 1.0)
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
fn of_a_truncated_recording_what_is_there_is_read_and_told() {
    let bytes = mono16(&[100; 24_000]);
    let clip = read(&bytes[..44 + 24_000]).unwrap();
    assert_eq!((clip.pcm.samples.len(), clip.notes.len()), (12_000, 1));
    assert!(clip.notes[0].contains("truncated: 0.50 of 1.00 s"), "{:?}", clip.notes);
    assert!(refusal(&bytes[..30]).contains("ends within its `fmt ` chunk"));
    assert!(refusal(&bytes[..40]).contains("ends before its samples"));
}

#[test]
fn other_files_are_told_how_to_become_wav() {
    for bytes in [&b"RIFF"[..], b"ID3\x04 an mp3 file, say", b"RIFF\0\0\0\0AVI LIST"] {
        assert!(refusal(bytes).contains("ffmpeg -i"), "{bytes:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(format!("{:#}", audio::read(folder.path(), 1.0).unwrap_err()).contains("not a regular file"));
    assert_eq!(exit_code(&audio::read(&folder.path().join("none.wav"), 1.0).unwrap_err()), 3);
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
    let cases: [(usize, &[u8], &str); 6] = [
        (24, &[1, 0, 0, 0], "1 Hz"),
        (24, &[255, 255, 255, 255], "4294967295 Hz"),
        (34, &[99, 0], "104 bits"),
        (20, &[17, 0], "1 channels in blocks of 2 bytes"),
        (20, &[0x55, 0], "WAV of MP3, which is not read"),
        (16, &[200, 0, 0, 0], "fmt"),
    ];
    for (offset, patch, expected) in cases {
        let mut bytes = mono16(&[1, 2, 3]);
        bytes[offset..offset + patch.len()].copy_from_slice(patch);
        let text = refusal(&bytes);
        assert!(text.contains(expected), "{offset}: {text}");
    }
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
    let clip = audio::read(Path::new(path), 30.0).unwrap();
    assert!((6.0..8.0).contains(&clip.total_seconds) && !clip.was_cut());
    assert_eq!((clip.pcm.rate, clip.channels), (24_000, 1));
    assert!(clip.pcm.samples.iter().any(|s| s.abs() > 0.5));
}

/// A WAV file of these chunks.
fn riff(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut bytes = b"RIFF\0\0\0\0WAVE".to_vec();
    for (id, content) in chunks {
        bytes.extend([&id[..], &(content.len() as u32).to_le_bytes(), content].concat());
        bytes.extend(&[0][..content.len() % 2]);
    }
    let len = bytes.len() as u32 - 8;
    bytes[4..8].copy_from_slice(&len.to_le_bytes());
    bytes
}

/// A `fmt ` chunk of 16 bytes: tag, channels, rate, bytes a second, bytes a frame, bits.
fn fmt(tag: u16, channels: u16, rate: u32, per_second: u32, block: u16, bits: u16) -> Vec<u8> {
    let [tag, channels, block, bits] = [tag, channels, block, bits].map(u16::to_le_bytes);
    [&tag[..], &channels, &rate.to_le_bytes(), &per_second.to_le_bytes(), &block, &bits].concat()
}

/// An extensible `fmt ` chunk: bits of the container, bits that count, and the sub-format's GUID.
fn extensible(channels: u16, bits: u16, valid: u16, guid: &[u8; 16]) -> Vec<u8> {
    let block = channels * bits / 8;
    let head = fmt(0xFFFE, channels, 24_000, 24_000 * u32::from(block), block, bits);
    [&head[..], &[22, 0], &valid.to_le_bytes(), &[0; 4], guid].concat()
}

const PCM_GUID: &[u8; 16] = b"\x01\0\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71";

fn le<const N: usize>(samples: impl IntoIterator<Item = i32>) -> Vec<u8> {
    samples.into_iter().flat_map(|sample| sample.to_le_bytes()[..N].to_vec()).collect()
}

#[test]
fn a_header_that_contradicts_its_samples_gives_way() {
    let whole = mono16(&[1000, -2000, 3000, 4000]);
    let expected = read(&whole).unwrap().pcm;
    // Browsers' recorders: bytes a second, and bytes a frame, of stereo. Others: 0 Hz, no channels, no frame's length.
    let patches: [(usize, &[u8]); 7] = [
        (28, &(24_000u32 * 4).to_le_bytes()),
        (28, &[9, 9, 9, 9]),
        (32, &[4, 0]),
        (32, &[0, 0]),
        (24, &[0, 0, 0, 0]),
        (22, &[0, 0]),
        (34, &[0, 0]),
    ];
    for (at, patch) in patches {
        let mut bytes = whole.clone();
        bytes[at..at + patch.len()].copy_from_slice(patch);
        assert_eq!(read(&bytes).unwrap().pcm, expected, "byte {at}");
    }
}

#[test]
fn a_length_that_was_never_filled_in_or_counts_too_much_gives_way() {
    let whole = mono16(&[1000, -2000, 3000, 4000]);
    let expected = read(&whole).unwrap().pcm;
    for data in [0u32, 9, 16, 36, 52, u32::MAX, 0x8000_0000, 0x7FFF_FFFF] {
        for riff_size in [0, 44, u32::MAX] {
            let mut bytes = whole.clone();
            bytes[40..44].copy_from_slice(&data.to_le_bytes());
            bytes[4..8].copy_from_slice(&riff_size.to_le_bytes());
            assert_eq!(read(&bytes).unwrap().pcm, expected, "{data} bytes in {riff_size}");
        }
    }
    let mut empty = mono16(&[]);
    empty.extend(b"LIST\x04\0\0\0INFO");
    assert!(refusal(&empty).contains("no samples"));
}

#[test]
fn chunks_come_in_any_order() {
    let (format, data) = (fmt(1, 1, 24_000, 48_000, 2, 16), le::<2>([1 << 14, -(1 << 14)]));
    let bytes = riff(&[(b"junk", b"odd"), (b"data", &data), (b"fmt ", &format)]);
    assert_eq!(read(&bytes).unwrap().pcm.samples, [0.5, -0.5]);
}

#[test]
fn a_long_format_chunk_of_floats_is_one_whatever_is_behind_it() {
    let samples = [0.25f32, -0.5, 1e-6];
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    for tail in [[0; 24], [0xAB; 24]] {
        let format = [&fmt(3, 1, 24_000, 96_000, 4, 32)[..], &tail].concat();
        assert_eq!(read(&riff(&[(b"fmt ", &format), (b"data", &data)])).unwrap().pcm.samples, samples);
    }
    // Whoever says nothing of the kind is believed by the samples.
    let unknown = extensible(1, 32, 0, &[0; 16]);
    assert_eq!(read(&riff(&[(b"fmt ", &unknown), (b"data", &data)])).unwrap().pcm.samples, samples);
    let integers = le::<4>([1 << 30, -(1 << 29), 12_345]);
    let clip = read(&riff(&[(b"fmt ", &unknown), (b"data", &integers)])).unwrap();
    assert_eq!(clip.pcm.samples, [0.5, -0.25, 12_345.0 / 2f32.powi(31)]);
}

/// 24-bit samples that use their lowest bits.
const FINE: [i32; 4] = [0x40_0001, -0x20_0003, 5, -7];

#[test]
fn bits_lie_at_the_top_or_the_bottom_of_their_bytes_as_the_samples_tell() {
    let expected = FINE.map(|sample| sample as f32 / 2f32.powi(23));
    let plain = fmt(1, 1, 24_000, 96_000, 4, 24);
    for format in [extensible(1, 32, 24, PCM_GUID), plain] {
        let read = |samples: [i32; 4], notes: &[&str], what: &str| {
            let clip = read(&riff(&[(b"fmt ", &format), (b"data", &le::<4>(samples))])).unwrap();
            assert_eq!(
                (&clip.pcm.samples[..], clip.notes.iter().map(String::as_str).collect::<Vec<_>>()),
                (&expected[..], notes.to_vec()),
                "{what}"
            );
        };
        let assumed = ["its samples of 24 bits lie at the bottom of 4 bytes each, as their values show"];
        read(FINE.map(|sample| sample << 8), &[], "as Microsoft has it");
        read(FINE, &assumed, "as arecord writes it");
        read(FINE.map(|sample| sample & 0xFF_FFFF), &assumed, "without signs");
    }
    let twenty = extensible(1, 24, 20, PCM_GUID);
    let samples = FINE.map(|sample| sample & !15);
    let clip = read(&riff(&[(b"fmt ", &twenty), (b"data", &le::<3>(samples))])).unwrap();
    assert_eq!(clip.pcm.samples, samples.map(|sample| sample as f32 / 2f32.powi(23)));
}

#[test]
fn what_is_all_at_once_16_bits_wide_and_multiple_of_256_follows_its_header() {
    let samples = [0x40_0000, -0x20_0000, 0x100];
    let data = le::<4>(samples);
    let read = |format: &[u8]| read(&riff(&[(b"fmt ", format), (b"data", &data)])).unwrap().pcm.samples;
    assert_eq!(read(&fmt(1, 1, 24_000, 96_000, 4, 24)), samples.map(|sample| sample as f32 / 2f32.powi(23)));
    assert_eq!(read(&extensible(1, 32, 24, PCM_GUID)), samples.map(|sample| sample as f32 / 2f32.powi(31)));
}

#[test]
fn channels_inverted_against_each_other_are_not_averaged_to_silence() {
    let wave = |i: i32| (8000.0 * (f64::from(i) * 0.05).sin()) as i16;
    let stereo = |right: fn(i16) -> i16| {
        let samples: Vec<i16> = (0..24_000).flat_map(|i| [wave(i), right(wave(i))]).collect();
        read(&wav(spec(2, 24_000, 16, SampleFormat::Int), &samples)).unwrap()
    };
    let left: Vec<f32> = (0..24_000).map(|i| f32::from(wave(i)) / 32_768.0).collect();
    let clip = stereo(|left| -left);
    assert!(clip.pcm.samples == left && clip.notes[0].contains("inverted against each other"), "{:?}", clip.notes);
    let clip = stereo(|left| left);
    assert!(clip.pcm.samples == left && clip.notes.is_empty());
    // One side silent is one side averaged with silence.
    assert!(stereo(|_| 0).notes.is_empty());
}
