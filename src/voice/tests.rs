use super::*;
use crate::error::exit_code;
use crate::tokens::SEMANTIC_VOCAB;
use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use zip::write::SimpleFileOptions;

mod files;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sound/voices").join(name)
}

fn semantic(len: u32) -> Semantic {
    Semantic::new((0..len).map(|i| (i * 7919 + 13) % 10_000).collect(), SEMANTIC_VOCAB).unwrap()
}

fn fine(frames: u32) -> Fine {
    let row = |k: usize| (0..frames).map(|t| (k as u32 * 131 + t * 17) % 1024).collect();
    Fine::new(std::array::from_fn(row), CODEBOOK_SIZE).unwrap()
}

/// The voice that every good fixture holds: the formula of tests/golden/sound.py.
fn expected() -> Voice {
    Voice::from_parts(semantic(60), fine(90)).unwrap()
}

/// What is said of a voice file that cannot be used; it must name the file and exit with 3.
fn refusal(path: &Path) -> String {
    let error = Voice::read(path).unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains(path.file_name().unwrap().to_str().unwrap()) && exit_code(&error) == 3, "{text}");
    text
}

#[test]
fn every_dialect_holds_the_same_tokens() {
    for name in ["announcer.npz", "preset.npz", "int64.npz", "short_deflated.npz"] {
        assert_eq!(Voice::read(&fixture(name)).unwrap(), expected(), "{name}");
    }
    let paths = ["semantic", "coarse", "fine"].map(|key| fixture(&format!("hf_{key}_prompt.npy")));
    assert_eq!(Voice::read_npy(paths.each_ref().map(PathBuf::as_path)).unwrap(), expected());
}

#[test]
fn a_written_voice_is_read_back_and_never_replaced_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("voz.npz");
    expected().write(&path, false).unwrap();
    assert_eq!(Voice::read(&path).unwrap(), expected());
    let error = expected().write(&path, false).unwrap_err();
    assert!(exit_code(&error) == 6 && error.to_string().contains("--force"), "{error}");
    expected().write(&path, true).unwrap();
}

#[test]
fn a_written_voice_is_stored_int64_in_c_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("voz.npz");
    expected().write(&path, false).unwrap();
    let mut archive = zip::ZipArchive::new(fs::File::open(&path).unwrap()).unwrap();
    let shapes = ["(60,)", "(2, 90)", "(8, 90)"];
    for (key, shape) in KEYS.iter().zip(shapes) {
        let mut entry = archive.by_name(&format!("{key}.npy")).unwrap();
        assert_eq!(entry.compression(), zip::CompressionMethod::Stored);
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        let header = String::from_utf8_lossy(&bytes[10..128]).into_owned();
        for expected in ["'descr': '<i8'", "'fortran_order': False", &format!("'shape': {shape}")] {
            assert!(header.contains(expected), "{header}");
        }
    }
}

#[test]
fn floats_of_whole_numbers_and_batches_of_one_are_read_as_what_they_are() {
    for name in ["odd_float.npz", "odd_flat.npz"] {
        let (read, mended) = (Voice::read(&fixture(name)).unwrap(), Place::Npz(fixture(name)).read().unwrap());
        assert_eq!(read, repair(mended).unwrap().voice, "{name}");
    }
}

#[test]
fn unusable_voices_are_refused_with_the_reason() {
    let reasons = [
        ("bad_missing.npz", "no array `coarse_prompt`"),
        ("bad_twice.npz", "more than one array `semantic_prompt`"),
        ("bad_negative.npz", "it holds -1"),
        ("bad_range.npz", "out of range: 0 to 1023"),
        ("bad_rows.npz", "shape [3, 90], expected (2, T)"),
        ("bad_ratio.npz", "60 semantic tokens do not go with 75 coarse frames"),
        ("bad_empty.npz", "cannot be read from 0 bytes"),
        ("bad_shape.npz", "cannot be read from 480 bytes"),
        ("bad_short.npz", "cannot be read from 480 bytes"),
        ("bad_zero.npz", "cannot be read from 480 bytes"),
        ("bad_nesting.npz", "60000 brackets"),
        ("bad_pickle.npz", "type O"),
        ("bad_magic.npz", "not a numpy array"),
        ("hf_fine_prompt.npy", "not an .npz file"),
    ];
    for (name, reason) in reasons {
        let text = refusal(&fixture(name));
        assert!(text.contains(reason), "{name}: {text}");
    }
    assert!(refusal(&fixture("none.npz")).contains("No such file"));
    assert!(refusal(&fixture("")).contains("not a regular file"));
}

#[test]
fn the_reason_for_a_wrong_ratio_says_how_to_mend_it() {
    let text = refusal(&fixture("bad_ratio.npz"));
    assert!(text.contains("keep the last 51 tokens and the last 75 frames"), "{text}");
    assert!(Voice::from_parts(semantic(51), fine(75)).is_ok());
}

#[test]
fn a_damaged_voice_is_refused_wherever_it_is_cut_or_changed() {
    let whole = fs::read(fixture("preset.npz")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.npz");
    for len in (0..whole.len()).step_by(97) {
        fs::write(&path, &whole[..len]).unwrap();
        refusal(&path);
    }
    for at in (0..whole.len()).step_by(13) {
        let mut changed = whole.clone();
        changed[at] ^= 0xff;
        fs::write(&path, changed).unwrap();
        // Some bytes mean nothing (dates, paddings); none may change a token or crash.
        assert!(Voice::read(&path).map_or(true, |voice| voice == expected()), "byte {at}");
    }
}

#[test]
fn a_bomb_is_refused_without_unpacking_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.npz");
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("semantic_prompt.npy", SimpleFileOptions::default()).unwrap();
    (0..64).for_each(|_| archive.write_all(&vec![0; 1 << 20]).unwrap());
    let bytes = archive.finish().unwrap().into_inner();
    assert!(bytes.len() < 1 << 17, "64 MiB of zeros in {} bytes", bytes.len());
    fs::write(&path, bytes).unwrap();
    assert!(refusal(&path).contains("too large"));
}

#[test]
fn names_that_climb_out_of_the_archive_are_just_other_arrays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("climb.npz");
    let mut archive = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    archive.start_file("../semantic_prompt.npy", SimpleFileOptions::default()).unwrap();
    archive.finish().unwrap();
    assert!(refusal(&path).contains("no array `semantic_prompt`"));
}

#[test]
fn the_ratio_is_pythons_rounding_to_one_digit() {
    let accepted = [(2, 3), (49, 75), (60, 90), (60, 92), (1000, 1451), (1000, 1549)];
    let refused = [(1, 1), (1, 2), (3, 4), (49, 76), (20, 29), (20, 31), (1000, 1450), (1000, 1550)];
    for (s, t) in accepted {
        assert!(fits(s, t), "{s} {t}");
    }
    for (s, t) in refused {
        assert!(!fits(s, t), "{s} {t}");
    }
}

/// HuBERT yields floor((L - 400) / 320) + 1 tokens of L samples at 16 kHz, EnCodec ceil(L / 320) frames at 24 kHz.
#[test]
fn every_clip_of_a_second_or_more_makes_a_voice() {
    for samples in (24_000usize..24_000 * 16).step_by(37) {
        let s = ((samples * 2 / 3) - 400) / 320 + 1;
        let t = samples.div_ceil(320);
        let (kept_s, kept_t) = fitting(s, t).unwrap();
        assert!(fits(kept_s, kept_t) && s - kept_s <= 1 && t - kept_t <= 1, "{samples}: {s} {t}");
    }
}

#[test]
fn a_cut_keeps_the_ends() {
    let voice = Voice::from_parts(semantic(49), fine(100)).unwrap();
    assert_eq!(voice.semantic(), &semantic(49));
    assert_eq!(voice.fine().rows()[7], fine(100).rows()[7][25..]);
    assert_eq!(voice.coarse().rows()[..], voice.fine().rows()[..2]);
    let voice = Voice::from_parts(semantic(100), fine(75)).unwrap();
    assert_eq!(voice.semantic().as_slice(), &semantic(100).as_slice()[49..]);
    assert_eq!(voice.fine(), &fine(75));
    assert_eq!(expected().semantic(), &semantic(60), "nothing is cut that fits");
}

#[test]
fn a_voice_too_short_for_the_ratio_is_refused() {
    for (s, t) in [(0, 0), (0, 3), (1, 1), (5, 1)] {
        let error = Voice::from_parts(semantic(s), fine(t)).unwrap_err();
        assert!(error.to_string().contains("too short") && exit_code(&error) == 3, "{error}");
    }
}

#[test]
fn the_models_hear_the_end_of_a_voice() {
    let heard = Voice::from_parts(semantic(998), fine(1500)).unwrap().heard();
    let near = |range: Range<f64>, start: f64| (range.start - start).abs() < 1e-9 && (range.end - 20.0).abs() < 1e-9;
    assert!(near(heard.text, 742.0 / 49.9), "256 tokens");
    assert!(near(heard.coarse, (1500.0 - 314.0) / 75.0), "314 frames");
    assert!(near(heard.fine, (1500.0 - 512.0) / 75.0), "512 frames");
    let short = expected().heard();
    assert_eq!((short.text.start, short.fine.start), (0.0, 0.0));
    assert!((short.fine.end - 1.2).abs() < 1e-9);
}

#[test]
fn the_hash_tells_voices_apart_and_stays() {
    assert_eq!(expected().hash(), "a7419a5a926a31c2");
    let other = Voice::from_parts(semantic(60), fine(91)).unwrap();
    assert_ne!(other.hash(), expected().hash());
}
