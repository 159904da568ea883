//! Recordings of every kind that is read: those of `golden/formats`, made of the shipped reference by `golden/formats.sh`.

use barkclone::audio::{self, Clip, Pcm, Recipe, Recording, resample};
use barkclone::error::exit_code;
use std::fs;
use std::path::{Path, PathBuf};

const LOSSLESS: [&str; 4] = ["lossless.flac", "lossless.m4a", "lossless.aiff", "lossless.caf"];
/// Lossy recordings, and the seconds by which their speech may be late: AAC tells its priming in MP4 alone.
const LOSSY: [(&str, f64); 8] = [
    ("lossy.mp3", 0.0),
    ("lossy.ogg", 0.0),
    ("lossy.opus", 0.0),
    ("lossy.webm", 0.0),
    ("lossy.wav", 0.0),
    ("lossy.m4a", 0.0),
    ("lossy.aac", 1024.0 / 24_000.0),
    ("lossy.mp4", 0.0),
];

fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/formats")).join(name)
}

fn read(name: &str) -> Clip {
    audio::read(&fixture(name), 60.0).unwrap()
}

/// These seconds of the shipped reference, at 24 kHz.
fn reference(start: f64, end: f64) -> Vec<f32> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/reference.wav");
    let samples = audio::read(Path::new(path), 60.0).unwrap().pcm.samples;
    samples[(start * 24_000.0).round() as usize..(end * 24_000.0).round() as usize].to_vec()
}

/// A file of these bytes, under a name that says nothing of them.
fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sound");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The whole chain of the error that these bytes give; it exits with 3.
#[track_caller]
fn refusal(bytes: &[u8]) -> String {
    let (_folder, path) = file(bytes);
    let error = audio::read(audio::Input::from(&path).with_ffmpeg(false), 60.0).unwrap_err();
    assert_eq!(exit_code(&error), 3, "{error:#}");
    format!("{error:#}")
}

#[test]
fn lossless_recordings_give_exactly_the_samples_that_were_put_in() {
    let expected = Pcm { samples: reference(2.6, 2.8), rate: 24_000 };
    for name in LOSSLESS {
        let clip = read(name);
        assert_eq!((clip.pcm == expected, clip.channels), (true, 1), "{name}");
        assert!((clip.total_seconds - 0.2).abs() < 1e-9, "{name}");
    }
}

#[test]
fn a_wav_of_64_bit_floats_is_read_too() {
    let samples = reference(2.6, 2.8);
    let format: [&[u8]; 6] = [
        &[3, 0, 1, 0],
        &24_000u32.to_le_bytes(),
        &192_000u32.to_le_bytes(),
        &[8, 0, 64, 0],
        b"data",
        &(8 * samples.len() as u32).to_le_bytes(),
    ];
    let mut bytes = [b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0", &format.concat()[..]].concat();
    samples.iter().for_each(|&sample| bytes.extend(f64::from(sample).to_le_bytes()));
    let len = (bytes.len() - 8) as u32;
    bytes[4..8].copy_from_slice(&len.to_le_bytes());
    let (_folder, path) = file(&bytes);
    assert!(audio::read(&path, 60.0).unwrap().pcm == Pcm { samples, rate: 24_000 });
}

/// The correlation of two sounds, the second `lag` samples late.
fn correlation(a: &[f32], b: &[f32], lag: usize) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    let b = &b[lag..];
    let len = a.len().min(b.len());
    dot(&a[..len], &b[..len]) / (dot(&a[..len], &a[..len]) * dot(&b[..len], &b[..len])).sqrt()
}

#[test]
fn lossy_recordings_give_the_same_speech_at_the_same_time() {
    let expected = reference(2.5, 3.7);
    for (name, late) in LOSSY {
        let clip = read(name);
        let pcm = resample(&clip.pcm, 24_000, Recipe::Transform).unwrap();
        // Of what is not trimmed at its end, a frame or two more comes out.
        assert!((1.195..1.29).contains(&pcm.seconds()), "{name}: {} s", pcm.seconds());
        let lag = (late * 24_000.0) as usize;
        let around = lag.saturating_sub(48)..lag + 48;
        let best = around.map(|lag| correlation(&expected, &pcm.samples, lag)).fold(0.0, f64::max);
        assert!(best > 0.88, "{name}: {best}");
    }
}

/// How much louder `expected` is than what `got` differs from it by, dB.
fn nearness(expected: &[f32], got: &[f32]) -> f64 {
    let energy = |samples: &mut dyn Iterator<Item = f64>| samples.map(|x| x * x).sum::<f64>();
    let signal = energy(&mut expected.iter().map(|&x| f64::from(x)));
    let error = energy(&mut expected.iter().zip(got).map(|(&x, &y)| f64::from(x) - f64::from(y)));
    10.0 * (signal / error.max(1e-30)).log10()
}

/// Each file of `golden/recordings` against what ffmpeg made of it, which lies beside it (`golden/recordings.sh`).
#[test]
fn recordings_of_many_kinds_are_what_their_reference_decoder_makes_of_them() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/recordings"));
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|e| e != "flac")).collect();
    paths.sort();
    assert!(paths.len() >= 30, "{} files", paths.len());
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        let clip = audio::read(audio::Input::from(&path).with_ffmpeg(false), 60.0).unwrap();
        let expected = audio::read(&path.with_added_extension("flac"), 60.0).unwrap();
        assert_eq!((clip.pcm.rate, clip.pcm.samples.len()), (expected.pcm.rate, expected.pcm.samples.len()), "{name}");
        // Where a stream was joined, ffmpeg makes stereo of the mono that follows, or mono of stereo, at another level.
        let alike = if name == "joined.mp3" { 5_184 } else { clip.pcm.samples.len() };
        let near = nearness(&expected.pcm.samples[..alike], &clip.pcm.samples);
        assert!(near > 60.0, "{name}: {near:.0} dB");
    }
}

#[test]
fn the_content_decides_and_not_the_name() {
    for name in ["lossless.flac", "lossy.mp3", "lossy.opus", "lossy.webm", "lossy.mp4"] {
        let (_folder, path) = file(&fs::read(fixture(name)).unwrap());
        assert_eq!(audio::read(&path, 60.0).unwrap().pcm, read(name).pcm, "{name}");
    }
}

#[test]
fn of_a_recording_its_end_is_kept_and_its_length_told() {
    for name in ["lossy.mp3", "lossy.opus", "lossless.flac"] {
        let whole = read(name).pcm;
        let end = audio::read(&fixture(name), 0.1).unwrap();
        let kept = whole.rate as usize / 10;
        assert_eq!(end.pcm.samples, whole.samples[whole.samples.len() - kept..], "{name}");
        assert!(end.was_cut() && (end.total_seconds - whole.seconds()).abs() < 1e-9, "{name}");
    }
}

#[test]
fn a_part_of_a_recording_is_that_part_of_its_samples() {
    for name in ["lossy.mp3", "lossy.wav", "lossy.opus"] {
        let whole = read(name).pcm;
        let part = Recording::open(&fixture(name)).unwrap().read(0.25..0.75, f64::INFINITY).unwrap();
        let (start, end) = (whole.rate as usize / 4, whole.rate as usize * 3 / 4);
        assert_eq!(part.pcm.samples, whole.samples[start..end], "{name}");
        assert!((part.total_seconds - 0.5).abs() < 1e-9 && !part.was_cut(), "{name}");
        let beyond = Recording::open(&fixture(name)).unwrap().read(5.0..6.0, f64::INFINITY).unwrap_err();
        assert!(exit_code(&beyond) == 3 && beyond.to_string().contains("no sound from 5.00 s on"), "{beyond:#}");
    }
}

#[test]
fn what_is_no_recording_is_refused_with_a_way_out() {
    assert!(refusal(b"").contains("it is empty"));
    let text = "Not a sound, but a story. ".repeat(2_000);
    for bytes in [text.as_bytes(), &[0; 50_000], b"\x89PNG\r\n\x1a\n", b"PK\x03\x04 a zip"] {
        let refused = refusal(bytes);
        assert!(refused.contains("not a recording") && refused.contains("ffmpeg -i IN OUT.wav"), "{refused}");
    }
    let missing = audio::read(Path::new("none.mp3"), 60.0).unwrap_err();
    assert!(exit_code(&missing) == 3 && format!("{missing:#}").contains("none.mp3"));
    let folder = audio::read(&fixture(""), 60.0).unwrap_err();
    assert!(format!("{folder:#}").contains("not a regular file"), "{folder:#}");
}

#[test]
fn a_file_without_sound_or_with_sound_of_an_unknown_kind_says_so() {
    let refused = |name: &str| refusal(&fs::read(fixture(name)).unwrap());
    assert!(refused("soundless.mp4").contains("no audio track"), "{}", refused("soundless.mp4"));
    let bytes = fs::read(fixture("dolby.mkv")).unwrap();
    let (_folder, path) = file(&bytes);
    let dolby = format!("{:#}", audio::read(audio::Input::from(&path).with_ffmpeg(false), 60.0).unwrap_err());
    assert!(dolby.contains("Dolby Digital") && dolby.contains("ffmpeg -i"), "{dolby}");
}

#[test]
fn what_is_of_a_kind_that_is_not_read_is_named() {
    let padded = |start: &[u8]| [start, &[0; 2_000]].concat();
    // Its packets hold a stream of AAC that could be taken for one.
    let mut ts = fs::read(fixture("lossy.aac")).unwrap();
    ts.chunks_mut(188).for_each(|packet| packet[0] = 0x47);
    let kinds: [(&[u8], &str); 5] = [
        (&padded(b".snd\0\0\0\x18"), "it is AU"),
        (&padded(b"RIFF\0\0\0\0AVI LIST"), "it is AVI"),
        (&padded(b"wvpk"), "it is WavPack"),
        (
            &padded(b"FORM\0\0\0\x20AIFCCOMM\0\0\0\x18\0\x01\0\0\0\x01\0\x10\x40\x0d\xbb\x80\0\0\0\0\0\0ima4"),
            "it holds ima4",
        ),
        (&ts, "it is MPEG-TS"),
    ];
    for (bytes, name) in kinds {
        let refused = refusal(bytes);
        assert!(refused.contains(name) && refused.contains("ffmpeg -i"), "{refused}");
    }
    assert!(refusal(&fs::read(fixture("dolby.mkv")).unwrap()).contains("it holds A_AC3: its audio is Dolby Digital"));
}

#[test]
fn protected_recordings_are_told_from_damaged_ones() {
    let mut bytes = fs::read(fixture("lossy.m4a")).unwrap();
    let at = bytes.windows(4).rposition(|four| four == b"mp4a").unwrap();
    for kind in [b"enca", b"drms"] {
        bytes[at..at + 4].copy_from_slice(kind);
        assert!(refusal(&bytes).contains("protected (DRM)"), "{}", refusal(&bytes));
    }
}

#[test]
fn of_a_truncated_recording_what_is_there_is_read_and_told_or_it_is_refused() {
    for name in ["lossless.flac", "lossy.mp3", "lossy.webm"] {
        let bytes = fs::read(fixture(name)).unwrap();
        let (_folder, path) = file(&bytes[..bytes.len() / 2]);
        match audio::read(&path, 60.0) {
            Ok(clip) => {
                let note = clip.notes.iter().any(|note| note.contains("truncated") || note.contains("damaged"));
                assert!(note && clip.pcm.seconds() < 0.7, "{name}: {:?}", clip.notes);
            }
            Err(error) => assert!(format!("{error:#}").contains("truncated"), "{name}: {error:#}"),
        }
    }
}

#[test]
fn a_damaged_recording_is_read_or_refused_but_never_worse() {
    let names = LOSSLESS.into_iter().chain(LOSSY.map(|(name, _)| name)).chain(["dolby.mkv", "soundless.mp4"]);
    for name in names {
        let whole = fs::read(fixture(name)).unwrap();
        // Headers thoroughly, what follows them here and there.
        let places = (0..whole.len()).filter(|at| *at < 48 || at % 499 == 0);
        for (at, value) in places.flat_map(|at| [0, 0xff].map(|value| (at, value))) {
            let mut bytes = whole.clone();
            bytes[at] = value;
            check_damaged(&bytes, &format!("{name}: byte {at} = {value}"));
        }
        for len in (0..whole.len()).step_by(whole.len() / 8) {
            check_damaged(&whole[..len], &format!("{name}: {len} bytes"));
        }
    }
}

fn check_damaged(bytes: &[u8], what: &str) {
    let (_folder, path) = file(bytes);
    match audio::read(audio::Input::from(&path).with_ffmpeg(false), 60.0) {
        Ok(clip) => assert!(clip.pcm.seconds() <= 60.0 && clip.pcm.samples.iter().all(|s| s.is_finite()), "{what}"),
        Err(error) => assert_eq!(exit_code(&error), 3, "{what}: {error:#}"),
    }
}
