//! Voices by name, those of coqui-tts, and files of another kind.

use super::{Arrays, Desk, VOICE};
use crate::npz::write_npz;
use ndarray::{Array1, Array3, ArrayD, IxDyn};
use std::fs;
use std::process::Command;

const KEPT: &str = ".home/data/barkclone/voices";

fn desk_with_ana() -> Desk {
    let desk = Desk::new();
    desk.babble("ref.wav", 2.0);
    let path = desk.path(KEPT).join("ana.npz");
    assert_eq!(desk.clone("ref.wav", &["--name", "ana"]).prints(), path.to_str().unwrap());
    desk
}

/// `v.npz`: the golden voice without the arrays that are none of a voice's.
fn plain_voice(desk: &Desk) {
    assert_eq!(desk.run(&["voice", "convert", VOICE, "v.npz"]).prints(), "v.npz");
}

#[test]
fn a_voice_that_was_kept_by_name_is_found_by_it() {
    let desk = desk_with_ana();
    assert_eq!(desk.files(), ["ref.wav"]);
    assert_eq!(desk.speak("oi", &["--voice", "ana", "-o", "a.wav", "--seed", "1"]).prints(), "a.wav");
    let path = format!("{KEPT}/ana.npz");
    assert_eq!(desk.speak("oi", &["--voice", &path, "-o", "b.wav", "--seed", "1"]).prints(), "b.wav");
    assert_eq!(desk.bytes("a.wav"), desk.bytes("b.wav"));
    assert!(desk.run(&["voice", "inspect", "ana"]).prints().contains("semantic tokens"));
    // A path of that name comes first.
    fs::copy(VOICE, desk.path("ana")).unwrap();
    let inspected = desk.run(&["voice", "inspect", "ana"]);
    assert!(inspected.prints().starts_with("ana\n"), "{}", inspected.prints());
    // Without it, and without the voice, it is one of Suno's that is not there.
    fs::remove_file(desk.path("ana")).unwrap();
    desk.run(&["voice", "remove", "ana"]).prints();
    desk.speak("oi", &["--voice", "ana", "-o", "c.wav"]).fails(3, &["no voice is named `ana`"]);
}

#[test]
fn jobs_name_their_voices() {
    let desk = desk_with_ana();
    fs::write(desk.path("jobs.jsonl"), "{\"text\": \"oi\", \"voice\": \"ana\", \"seed\": 1}\n").unwrap();
    let spoken = desk.run(&[&["speak", "--jobs", "jobs.jsonl", "-d", "out"], &super::SPEAK[..]].concat());
    assert_eq!(spoken.code, 0, "{}", spoken.stderr);
    desk.speak("oi", &["--voice", "ana", "-o", "one.wav", "--seed", "1"]).prints();
    let made = fs::read_dir(desk.path("out")).unwrap().map(|entry| entry.unwrap().path());
    let made: Vec<_> = made.filter(|path| path.extension().is_some_and(|e| e == "wav")).collect();
    let samples = |path| barkclone::audio::read(path, 60.0).unwrap().pcm;
    assert_eq!(samples(made[0].as_path()), samples(desk.path("one.wav").as_path()));
}

#[test]
fn a_long_text_names_kept_voices() {
    let desk = desk_with_ana();
    fs::write(desk.path("text.txt"), "[voice: ana]\nOi.\n").unwrap();
    let spoken = |flags: &[&str], to: &str| {
        desk.run(&[&["speak", "--file", "text.txt", "--seed", "1", "-o", to], flags, &super::SPEAK[..]].concat())
    };
    spoken(&[], "kept.wav").prints();
    let path = format!("ana={KEPT}/ana.npz");
    spoken(&["--voice", &path], "given.wav").prints();
    let samples = |name| barkclone::audio::read(desk.path(name).as_path(), 60.0).unwrap().pcm;
    assert_eq!(samples("kept.wav"), samples("given.wav"));
    fs::write(desk.path("text.txt"), "[voice: eva]\nOi.\n").unwrap();
    spoken(&[], "x.wav").fails(3, &["line 1", "no voice named \"eva\"", "there are: ana"]);
}

#[test]
fn kept_voices_are_listed_renamed_and_removed() {
    let desk = desk_with_ana();
    let listed = |desk: &Desk| desk.run(&["voice", "list"]).prints().to_owned();
    let columns: Vec<_> = listed(&desk).split('\t').map(str::to_owned).collect();
    assert_eq!((columns.len(), &*columns[0], &*columns[2]), (4, "ana", "2026-11-22"), "{columns:?}");
    desk.clone("ref.wav", &["--name", "ana"]).fails(6, &["ana.npz: exists already"]);
    desk.run(&["voice", "rename", "ana", "eva"]).prints();
    desk.clone("ref.wav", &["--name", "ana"]).prints();
    desk.run(&["voice", "rename", "ana", "eva"]).fails(6, &["`eva` already", "--force"]);
    desk.run(&["voice", "rename", "ana", "eva", "--force"]).prints();
    assert!(listed(&desk).starts_with("eva\t") && listed(&desk).lines().count() == 1);
    desk.run(&["voice", "remove", "ana"]).fails(3, &["no voice called `ana`", "voice list"]);
    desk.run(&["voice", "remove", "eva"]).prints();
    assert_eq!(listed(&desk), "");
    for name in ["../eva", "", ".eva", "a/b", "a\nb"] {
        desk.clone("ref.wav", &["--name", name]).fails(2, &["is no name for a voice"]);
    }
}

/// File systems of macOS and Windows do not tell `Ana` from `ana`.
#[test]
fn names_of_voices_differ_by_more_than_case() {
    let desk = desk_with_ana();
    let alike = ["there is a voice called `ana`", "choose another"];
    desk.clone("ref.wav", &["--name", "ANA"]).fails(2, &alike);
    desk.clone("ref.wav", &["--name", "eva"]).prints();
    desk.run(&["voice", "rename", "eva", "Ana"]).fails(2, &alike);
    desk.run(&["voice", "rename", "eva", "Ana", "--force"]).fails(2, &alike);
    assert!(desk.run(&["voice", "rename", "ana", "Ana"]).prints().ends_with("/Ana.npz"), "its own name may change so");
    assert_eq!(desk.run(&["voice", "list"]).prints().lines().count(), 2);
    for name in ["announcer", "Announcer", "pt_Speaker_3"] {
        let words = [&*format!("`{}` is a published voice's name", name.to_lowercase())];
        desk.clone("ref.wav", &["--name", name]).fails(2, &words);
        desk.run(&["voice", "rename", "eva", name]).fails(2, &words);
    }
}

#[test]
fn an_unknown_voice_is_answered_with_those_that_are_kept() {
    let desk = desk_with_ana();
    desk.speak("oi", &["--voice", "bert"]).fails(3, &["no voice is named `bert`", "ana", "v2/{lang}_speaker"]);
    desk.speak("oi", &["--voice", "ANA"]).fails(3, &["did you mean `ana`?"]);
}

#[test]
fn coquis_voice_files_are_written_and_read() {
    let desk = Desk::new();
    plain_voice(&desk);
    assert_eq!(desk.run(&["voice", "convert", "v.npz", "v.pth"]).prints(), "v.pth");
    assert_eq!(desk.run(&["voice", "diff", "v.npz", "v.pth"]).prints(), "the same tokens");
    desk.run(&["voice", "convert", "v.pth", "back.npz"]).prints();
    assert_eq!(Arrays::read(&desk.path("back.npz")), Arrays::read(&desk.path("v.npz")));
    assert_eq!(desk.speak("oi", &["--voice", "v.pth", "-o", "a.wav", "--seed", "1"]).prints(), "a.wav");
    desk.run(&["voice", "convert", "v.npz", "v.npz", "--to", "pth"]).fails(2, &["--to pth", ".pth"]);
    // One that was cloned keeps where it comes from.
    desk.babble("ref.wav", 2.0);
    desk.clone("ref.wav", &["-o", "mine.pth"]).prints();
    assert!(desk.run(&["voice", "inspect", "mine.pth"]).prints().contains("sha256"));
}

#[test]
#[ignore = "installs torch, coqui-tts and transformers, or takes the READERS_PYTHON that has them"]
fn coqui_and_transformers_read_what_is_written_for_them() {
    const PINNED: [&str; 4] = ["torch==2.8.0", "numpy==2.2.6", "transformers==5.24.0", "packaging==25.0"];
    let desk = desk_with_ana();
    desk.run(&["voice", "convert", "ana", "other.npz"]).prints();
    desk.run(&["voice", "convert", "ana", "voice.pth"]).prints();
    let done = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(desk.path("")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let python = std::env::var("READERS_PYTHON").unwrap_or_else(|_| {
        done("python3", &["-m", "venv", "venv"]);
        done("venv/bin/pip", &[&["install", "-q"], &PINNED[..]].concat());
        done("venv/bin/pip", &["install", "-q", "--no-deps", "coqui-tts==0.28.0"]);
        "venv/bin/python".to_owned()
    });
    let said = done(&python, &[concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers.py"), "."]);
    assert!(said.contains("coqui-tts reads 150 frames") && said.contains("transformers reads 150 frames"), "{said}");
}

#[test]
fn a_file_that_is_no_voice_is_named_for_what_it_is() {
    let desk = Desk::new();
    desk.babble("ref.wav", 1.0);
    desk.speak("oi", &["--voice", "./ref.wav", "-o", "a.wav"]).fails(3, &["ref.wav", "a recording: `barkclone clone`"]);
    let objects = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/weights_views.pt");
    fs::copy(objects, desk.path("model.pt")).unwrap();
    desk.run(&["voice", "inspect", "model.pt"]).fails(3, &["model.pt", "a torch file without a voice's arrays"]);
}

#[test]
fn batches_floats_and_bools_of_whole_numbers_are_read() {
    let desk = Desk::new();
    plain_voice(&desk);
    let Arrays { semantic, coarse, fine } = Arrays::read(&desk.path("v.npz"));
    let frames = fine.ncols();
    let (semantic, coarse) = (semantic.mapv(|token| token as f64), coarse.mapv(|code| code as f32));
    let batch = Array3::from_shape_vec((1, 8, frames), fine.iter().copied().collect()).unwrap();
    write_npz(
        desk.path("other.npz"),
        &[("semantic_prompt", &semantic), ("coarse_prompt", &coarse), ("fine_prompt", &batch)],
    );
    assert_eq!(desk.run(&["voice", "diff", "v.npz", "other.npz"]).prints(), "the same tokens");
    desk.run(&["voice", "fix", "other.npz", "-o", "fixed.npz"]).prints();
    assert_eq!(Arrays::read(&desk.path("fixed.npz")).fine, fine);
    let table = |rows, value| ArrayD::from_elem(IxDyn(&[rows, 150]), value);
    let (semantic, coarse, fine) = (Array1::from_elem(100, true), table(2, true), table(8, false));
    write_npz(
        desk.path("bool.npz"),
        &[("semantic_prompt", &semantic), ("coarse_prompt", &coarse), ("fine_prompt", &fine)],
    );
    assert!(desk.run(&["voice", "inspect", "bool.npz"]).prints().contains("2.00 s"));
    write_npz(desk.path("half.npz"), &[("semantic_prompt", &Array1::from_elem(100, 0.5))]);
    desk.run(&["voice", "inspect", "half.npz"]).fails(3, &["0.5, which is no token"]);
}
