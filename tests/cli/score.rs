//! `barkclone score` and `barkclone voice rank`: how near voices are, and what is heard of a sound.

use super::Desk;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A desk with a recording of each of two voices.
fn desk() -> Desk {
    let desk = Desk::new();
    let copy = |from: &str, to: &str| {
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(from), desk.path(to)).unwrap()
    };
    copy("demo/reference.wav", "a.wav");
    copy("reference.wav", "b.wav");
    desk
}

#[test]
fn a_voice_is_nearest_to_itself_and_what_is_wrong_costs() {
    let desk = desk();
    let ran = desk.run(&["score", "a.wav", "b.wav", "--voice-of", "a.wav", "--demo", "--text", "Oi", "--json"]);
    let lines: Vec<Value> = ran.prints().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let number = |line: usize, key: &str| lines[line][key].as_f64().unwrap();
    assert_eq!((number(0, "similarity"), number(0, "badness"), number(0, "total")), (1.0, 10.0, 0.9));
    assert!(number(1, "similarity") < 0.3, "{lines:?}");
    assert_eq!(lines[0]["findings"][0]["fault"], "too-slow");
    let ran = desk.run(&["score", "a.wav", "--demo", "--voice-of", "a.wav"]);
    assert_eq!(ran.prints(), "a.wav: score 1.00 (similarity 1.00)");
    assert_eq!(desk.run(&["score", "a.wav", "--text", "Oi"]).prints().split(':').next(), Some("a.wav"));
}

#[test]
fn an_ear_that_cannot_be_had_is_said_and_one_that_is_named_must_be_there() {
    let desk = desk();
    let ran = desk.run(&["score", "a.wav", "--voice-of", "a.wav"]);
    assert_eq!(ran.prints(), "a.wav: score 1.00 (similarity 1.00)");
    ran.says(&["ge2e cannot be had, voices are compared by spectrum and pitch", "models fetch ge2e"]);
    desk.run(&["score", "a.wav", "--voice-of", "a.wav", "--voice-ear", "ge2e"]).fails(5, &["ge2e"]);
    desk.run(&["score", "a.wav", "--voice-of", "a.wav", "--voice-ear", "a.wav"]).fails(4, &["a.wav", "torch"]);
    desk.run(&["score", "none.wav"]).fails(3, &["none.wav"]);
}

#[test]
fn voices_are_ranked_by_what_they_hold_and_by_what_they_say() {
    let desk = desk();
    for name in ["a", "b"] {
        desk.run(&["clone", &format!("{name}.wav"), "--demo", "-o", &format!("{name}.npz")]).prints();
    }
    for say in [&[][..], &["--say", "A minha casa tem uma porta."]] {
        let ran = desk.run(&[&["voice", "rank", "a.wav", "b.npz", "a.npz", "--demo"], say].concat());
        let names: Vec<_> = ran.prints().lines().map(|line| line.split("  ").last().unwrap()).collect();
        assert_eq!(names, ["a.npz", "b.npz"], "{say:?}");
    }
    desk.run(&["voice", "rank", "a.wav", "none.npz", "--demo"]).fails(3, &["none.npz"]);
}
