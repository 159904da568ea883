//! `barkclone convert`: recordings in another voice.

use super::{Desk, spec, wav_samples, write_wav};
use crate::info::read_info;
use barkclone::audio::read_wav;
use hound::SampleFormat;
use std::fs;

#[test]
fn a_recording_keeps_its_length_and_says_how_it_was_made() {
    let desk = Desk::new();
    desk.babble("talk.wav", 1.5);
    let ran = desk.convert(&["talk.wav"], &["-o", "mine.wav", "--seed", "5", "--top-k", "9"]);
    assert_eq!(ran.prints(), "mine.wav");
    ran.says(&["talk.wav: 1.5 s at 16000 Hz", "seed 5", "than speech"]);
    let clip = read_wav(&desk.path("mine.wav"), 60.0).unwrap();
    // 74 tokens, 111 frames.
    assert_eq!((clip.pcm.rate, clip.pcm.samples.len()), (24_000, 111 * 320));
    let info = read_info(&desk.path("mine.wav"));
    let tag = |tag: &str| info.iter().find(|(name, _)| name == tag).unwrap().1.clone();
    assert_eq!(tag("INAM"), "talk");
    for part in
        ["synthetic speech; voice=a7419a5a926a31c2 seed=5", "top_k=9", "converted from another recording, sha256="]
    {
        assert!(tag("ICMT").contains(part), "{}", tag("ICMT"));
    }
}

#[test]
fn the_same_seed_gives_the_same_sound_to_a_file_and_to_stdout_and_another_voice_another() {
    let desk = Desk::new();
    desk.babble("talk.wav", 1.0);
    desk.convert(&["talk.wav"], &["-o", "a.wav", "--seed", "5"]).prints();
    let piped = desk.convert(&["talk.wav"], &["-o", "-", "--seed", "5"]);
    assert!(piped.code == 0 && piped.stdout == desk.bytes("a.wav"));
    desk.babble("ana.wav", 1.2);
    desk.clone("ana.wav", &[]).prints();
    desk.convert(&["talk.wav"], &["-o", "b.wav", "--seed", "5", "--voice", "ana.npz"]).prints();
    assert!(wav_samples(&desk.bytes("a.wav"))[..4000] != wav_samples(&desk.bytes("b.wav"))[..4000]);
}

#[test]
fn several_recordings_and_folders_go_to_a_folder_under_their_names() {
    let desk = Desk::new();
    fs::create_dir(desk.path("takes")).unwrap();
    desk.babble("takes/one.wav", 1.0);
    desk.babble("takes/two.WAV", 0.7);
    desk.babble("three.wav", 0.5);
    fs::write(desk.path("takes/notes.txt"), "no sound").unwrap();
    let ran = desk.convert(&["takes", "three.wav"], &["-d", "out", "--seed", "1"]);
    let paths: Vec<_> = ran.prints().lines().collect();
    assert_eq!(paths, ["out/one.wav", "out/two.wav", "out/three.wav"], "in the order of what was asked for");
    desk.convert(&["three.wav"], &["-o", "alone.wav", "--seed", "1"]).prints();
    assert!(desk.bytes("alone.wav") == desk.bytes("out/three.wav"));
    desk.convert(&["three.wav"], &["-d", "out"]).fails(6, &["out: finished results", "1: the seed", "--force"]);
    desk.convert(&["takes", "three.wav"], &["-d", "out", "--seed", "1"]).says(&["0 converted, 3 there already"]);
}

#[test]
fn what_cannot_be_converted_is_refused_before_any_model_is_loaded() {
    let desk = Desk::new();
    desk.babble("a.wav", 1.0);
    fs::create_dir_all(desk.path("other")).unwrap();
    desk.babble("other/a.wav", 1.0);
    fs::write(desk.path("junk.wav"), b"junk").unwrap();
    fs::create_dir(desk.path("empty")).unwrap();
    let cases: [([&[&str]; 3], i32); 9] = [
        ([&["a.wav"], &[], &["where to? Give -o FILE"]], 2),
        ([&["a.wav", "other/a.wav"], &["-o", "x.wav"], &["-d DIR"]], 2),
        ([&["other"], &["-o", "x.wav"], &["-d DIR"]], 2),
        ([&["junk.wav"], &["-o", "x.wav"], &["junk.wav: cannot be used as a recording"]], 3),
        ([&["empty"], &["-d", "out"], &["no recordings"]], 3),
        ([&["a.wav"], &["-o", "a.wav", "--force"], &["its own result"]], 2),
        ([&["other"], &["-d", "other", "--force"], &["its own result"]], 2),
        ([&["a.wav"], &["-o", "junk.wav"], &["--force"]], 6),
        ([&["a.wav"], &["-o", "x.wav", "--coarse-history", "7"], &["--coarse-history"]], 2),
    ];
    for ([sources, flags, words], code) in cases {
        desk.convert(sources, &[flags, &["--bark", "large"]].concat()).fails(code, words);
    }
    assert!(!desk.path("x.wav").exists());
    desk.convert(&["a.wav"], &["-o", "x.wav", "--voice", "none.npz"]).fails(3, &["none.npz"]);
}

#[test]
fn a_recording_too_short_for_hubert_is_named() {
    let desk = Desk::new();
    desk.babble("blip.wav", 0.02);
    desk.convert(&["blip.wav"], &["-o", "x.wav"]).fails(3, &["blip.wav", "too few"]);
}

/// Recordings of different words and lengths.
fn takes(desk: &Desk) {
    for (name, seconds, seed) in [("one.wav", 1.0, 1), ("two.wav", 0.7, 2), ("three.wav", 1.6, 3)] {
        write_wav(&desk.path(name), spec(1, 16_000, 16, SampleFormat::Int), seconds, seed);
    }
}

#[test]
fn three_recordings_at_a_time_sound_as_each_alone() {
    let desk = Desk::new();
    takes(&desk);
    let names = ["one.wav", "two.wav", "three.wav"];
    let ran = desk.convert(&names, &["-d", "out", "--seed", "3", "--batch", "3"]);
    assert_eq!(ran.prints().lines().count(), 3);
    for name in names {
        desk.convert(&[name], &["-o", "alone.wav", "--seed", "3", "--force"]).prints();
        assert!(desk.bytes("alone.wav") == desk.bytes(&format!("out/{name}")), "{name}");
    }
    assert!(desk.bytes("out/one.wav")[100..9000] != desk.bytes("out/two.wav")[100..9000]);
    desk.convert(&names, &["-d", "none", "--batch", "0"]).fails(2, &["--batch", "from 1 to 256"]);
}

#[test]
fn a_recording_that_fails_does_not_stop_the_others() {
    let desk = Desk::new();
    takes(&desk);
    desk.babble("blip.wav", 0.02);
    fs::write(desk.path("junk.wav"), b"junk").unwrap();
    fs::create_dir(desk.path("out")).unwrap();
    fs::write(desk.path("out/three.wav"), b"mine").unwrap();
    let sources = ["blip.wav", "one.wav", "junk.wav", "three.wav", "two.wav"];
    let ran = desk.convert(&sources, &["-d", "out", "--batch", "2"]);
    ran.says(&[
        "error: junk.wav: cannot be used as a recording",
        "error: blip.wav: 320 samples at 16 kHz are too few",
        "error: three.wav: out/three.wav: exists already",
        "error: 3 of 5 recordings failed: out/report.jsonl says why",
    ]);
    let paths: Vec<_> = std::str::from_utf8(&ran.stdout).unwrap().lines().collect();
    assert_eq!((ran.code, paths), (7, vec!["out/one.wav", "out/two.wav"]));
    assert_eq!(desk.bytes("out/three.wav"), b"mine");
    assert_eq!(fs::read_dir(desk.path("out")).unwrap().count(), 4, "three sounds and a report: nothing is left behind");
    desk.convert(&["junk.wav", "three.wav"], &["-d", "out"]).fails(7, &["2 of 2"]);
}

#[test]
fn the_first_recording_that_fails_stops_the_others_if_asked_to() {
    let desk = Desk::new();
    takes(&desk);
    desk.babble("blip.wav", 0.02);
    let ran = desk.convert(&["one.wav", "blip.wav", "two.wav"], &["-d", "out", "--fail-fast"]);
    ran.fails(7, &["stopped at blip.wav", "too few"]);
    assert_eq!(fs::read_dir(desk.path("out")).unwrap().count(), 1, "the report");
}

#[test]
fn a_result_that_does_not_sound_right_is_made_again_and_the_best_kept() {
    let desk = Desk::new();
    desk.babble("talk.wav", 2.0);
    desk.babble("more.wav", 1.8);
    // The made-up models make noise, whatever the seed.
    let ran = desk.convert(&["talk.wav", "more.wav"], &["-d", "out", "--seed", "4", "--retry", "2", "--batch", "2"]);
    assert_eq!(ran.prints().lines().count(), 2);
    ran.says(&["out/more.wav: 3 takes", "warning: out/more.wav (more.wav): it may not sound right: "]);
    let (_, told) = ran.stderr.split_once("out/talk.wav: 3 takes, the best one has seed ").expect(&ran.stderr);
    let (seed, _) = told.split_once(|c: char| !c.is_ascii_digit()).unwrap();
    desk.convert(&["talk.wav"], &["-o", "alone.wav", "--seed", seed]).prints();
    assert!(desk.bytes("alone.wav") == desk.bytes("out/talk.wav"), "the best take is that of its seed");
    assert_eq!(fs::read_dir(desk.path("out")).unwrap().count(), 3, "nothing is left of the other takes");
    desk.convert(&["talk.wav"], &["-o", "-", "--retry", "2"]).fails(2, &["--retry", "-o FILE"]);
}

#[test]
fn conversions_go_on_where_they_stopped_and_are_shared_out() {
    let desk = Desk::new();
    takes(&desk);
    let names = ["one.wav", "two.wav", "three.wav"];
    let shards: Vec<_> = ["1/2", "2/2"]
        .map(|shard| desk.convert(&names, &["-d", "shared", "--shard", shard]).prints().lines().count())
        .into();
    assert_eq!(shards.iter().sum::<usize>(), 3);
    desk.convert(&names, &["-d", "out"]).prints();
    for name in names {
        assert!(desk.bytes(&format!("out/{name}")) == desk.bytes(&format!("shared/{name}")), "{name}");
    }
    let reports = ["shared/report-1-of-2.jsonl", "shared/report-2-of-2.jsonl", "-o", "shared/report.jsonl"];
    desk.run(&[&["report", "merge"], &reports[..]].concat()).prints();
    desk.convert(&names, &["-d", "shared"]).says(&["0 converted, 3 there already"]);
    // A recording that was edited is another one; a result that was edited is kept.
    desk.babble("two.wav", 0.9);
    fs::write(desk.path("out/three.wav"), b"mastered").unwrap();
    let planned = desk.convert(&names, &["-d", "out", "--dry-run"]);
    assert_eq!(planned.prints(), "out/two.wav\ttwo.wav");
    let ran = desk.convert(&names, &["-d", "out"]);
    assert_eq!(ran.prints(), "out/two.wav");
    ran.says(&[
        "out/three.wav: changed since it was made, kept",
        "1 converted, 1 there already, 1 changed by you and kept",
    ]);
    assert_eq!(desk.bytes("out/three.wav"), b"mastered");
    assert_eq!(desk.convert(&names, &["-d", "out", "--force"]).prints(), "out/three.wav");
    desk.convert(&["one.wav"], &["-o", "x.wav", "--resume"]).fails(2, &["--resume is for many", "-d DIR"]);
}
