//! `barkclone clone`: what it refuses, before any model is loaded, and what it leaves untouched.

use super::{Desk, NO_MODEL, spec, write_wav};
use hound::SampleFormat::Int;
use std::fs;

/// Flags that name files which are no models: whoever comes as far as the models fails with 4.
const NO_MODELS: [&str; 6] = ["--hubert", NO_MODEL, "--quantizer", NO_MODEL, "--codec", NO_MODEL];

fn refused_early(desk: &Desk, reference: &str, flags: &[&str], code: i32, words: &[&str]) {
    let before = desk.files();
    desk.run(&[&["clone", reference, "--raw"], &NO_MODELS[..], flags].concat()).fails(code, words);
    assert_eq!(desk.files(), before);
}

#[test]
fn under_a_second_is_refused() {
    let desk = Desk::new();
    desk.babble("ref.wav", 0.99);
    refused_early(&desk, "ref.wav", &[], 3, &["ref.wav: 0.99 s is too short", "at least 1 s", "5 to 12 s"]);
    desk.babble("ref.wav", 1.0);
    refused_early(&desk, "ref.wav", &[], 4, &["Cargo.toml"]);
}

#[test]
fn a_voice_that_exists_is_kept_unless_forced() {
    let desk = Desk::new();
    desk.babble("ref.wav", 1.0);
    for (output, flags) in [("ref.npz", &[][..]), ("voice.npz", &["-o", "voice.npz"])] {
        fs::write(desk.path(output), "precious").unwrap();
        refused_early(&desk, "ref.wav", flags, 6, &[output, "exists already", "--force"]);
        assert_eq!(desk.bytes(output), b"precious");
        // Even forced, it stays until there is something to replace it with.
        refused_early(&desk, "ref.wav", &[flags, &["--force"]].concat(), 4, &["Cargo.toml"]);
        assert_eq!(desk.bytes(output), b"precious");
        assert_eq!(desk.clone("ref.wav", &[flags, &["--force"]].concat()).prints(), output);
        assert_ne!(desk.bytes(output), b"precious");
    }
}

#[test]
fn a_voice_goes_to_a_file_in_a_folder_that_exists() {
    let desk = Desk::new();
    desk.babble("ref.wav", 1.0);
    refused_early(&desk, "ref.wav", &["-o", "nowhere/voice.npz"], 6, &["nowhere: not a folder"]);
    refused_early(&desk, "ref.wav", &["-o", ".", "--force"], 6, &["."]);
    refused_early(&desk, "ref.wav", &["-o", "-"], 2, &["--output -", "a file"]);
}

#[test]
fn what_is_no_recording_is_refused_with_a_way_out() {
    let desk = Desk::new();
    fs::write(desk.path("empty.wav"), b"").unwrap();
    fs::write(desk.path("talk.mp3"), b"ID3\x04 and so on").unwrap();
    write_wav(&desk.path("silent.wav"), spec(1, 16_000, 16, Int), 0.0, 1);
    write_wav(&desk.path("slow.wav"), spec(1, 4_000, 16, Int), 2.0, 1);
    refused_early(&desk, "empty.wav", &[], 3, &["empty.wav", "it is empty"]);
    refused_early(&desk, "talk.mp3", &[], 3, &["talk.mp3", "not a recording", "ffmpeg"]);
    refused_early(&desk, "silent.wav", &[], 3, &["silent.wav", "no samples"]);
    refused_early(&desk, "slow.wav", &[], 3, &["slow.wav", "4000 Hz", "8 to 192 kHz"]);
    refused_early(&desk, "missing.wav", &[], 3, &["missing.wav", "No such file"]);
    fs::create_dir(desk.path("empty")).unwrap();
    refused_early(&desk, "empty", &["-o", "x.npz"], 3, &["empty: no recordings in this folder"]);
    refused_early(&desk, "/dev/null", &["-o", "x.npz"], 3, &["not a regular file"]);
}

#[test]
fn of_a_recording_that_was_cut_short_what_is_there_is_taken_and_told() {
    let desk = Desk::new();
    write_wav(&desk.path("whole.wav"), spec(1, 16_000, 16, Int), 4.0, 1);
    let whole = desk.bytes("whole.wav");
    fs::write(desk.path("cut.wav"), &whole[..whole.len() / 2]).unwrap();
    let cloned = desk.clone("cut.wav", &[]);
    assert_eq!(cloned.prints(), "cut.npz");
    cloned.says(&["warning: cut.wav: truncated: 2.00 of 4.00 s are there"]);
}

#[test]
fn models_that_are_not_there_are_named() {
    let desk = Desk::new();
    desk.babble("ref.wav", 1.0);
    fs::create_dir(desk.path("nothing")).unwrap();
    let cases: [(&[&str], i32, &[&str]); 6] = [
        (&["--quantizer", "po"], 4, &["no quantizer is named `po`", "did you mean `pt`"]),
        (&["--quantizer", "./po.pth"], 4, &["./po.pth", "neither an existing file"]),
        (&["--hubert", "nothing"], 4, &["nothing", "no weights in this folder"]),
        (&["--codec", "ref.wav"], 4, &["ref.wav"]),
        (&["--quantizer", "pt"], 5, &["not in the cache", "models fetch pt", "HF_HUB_OFFLINE"]),
        (&["--device", "tpu"], 2, &["--device tpu"]),
    ];
    for (flags, code, words) in cases {
        desk.clone("ref.wav", flags).fails(code, words);
    }
    assert_eq!(desk.files(), ["nothing", "ref.wav"]);
}
