//! `barkclone voice`: looking at voices, and making others of them.

use super::{Arrays, Desk};
use crate::info::read_info;
use barkclone::audio::read_wav;
use barkclone::voice::provenance::ModelName;
use barkclone::voice::{Provenance, VoiceFile};
use std::fs;

const VOICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sound/voices");

/// A desk with some of the made-up voices on it.
fn desk(names: &[&str]) -> Desk {
    let desk = Desk::new();
    for name in names {
        fs::copy(format!("{VOICES}/{name}.npz"), desk.path(&format!("{name}.npz"))).unwrap();
    }
    desk
}

#[test]
fn inspect_tells_what_a_voice_holds() {
    let desk = desk(&["preset", "bad_ratio", "bad_magic"]);
    let ran = desk.run(&["voice", "inspect", "preset.npz"]);
    for words in [
        "1.20 s: 60 semantic tokens, 90 frames",
        "text stage 0.0 to 1.2 s",
        "a7419a5a926a31c2",
        "`coarse_prompt` [2, 90] i8, Fortran order, stored",
    ] {
        assert!(ran.prints().contains(words), "{words}: {}", ran.prints());
    }
    let odd = desk.run(&["voice", "inspect", "bad_ratio.npz", "preset.npz", "--json"]);
    let lines: Vec<serde_json::Value> = odd.prints().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines[0]["seconds"].is_null() && lines[0]["problems"][0].as_str().unwrap().contains("1.5 frames"));
    assert_eq!((&lines[1]["seconds"], &lines[1]["problems"]), (&1.2.into(), &serde_json::json!([])));
    assert_eq!(lines[1]["arrays"][2]["type"], "i4");
    desk.run(&["voice", "inspect", "bad_magic.npz"]).fails(3, &["bad_magic.npz", "not a numpy array"]);
}

#[test]
fn check_tells_what_bark_would_refuse_and_fails_with_3() {
    let desk = desk(&["preset", "announcer", "short_deflated", "bad_magic"]);
    let good = desk.run(&["voice", "check", "preset.npz", "announcer.npz"]);
    assert_eq!(good.prints(), "preset.npz: ok\nannouncer.npz: ok");
    let ran = desk.run(&["voice", "check", "preset.npz", "short_deflated.npz", "bad_magic.npz"]);
    let said = String::from_utf8(ran.stdout.clone()).unwrap();
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(said.contains("preset.npz: ok\n") && said.contains("here it is called `fine`"), "{said}");
    assert!(said.contains("bad_magic.npz: not a numpy array"), "{said}");
    ran.says(&["Bark would refuse 2 of 3 voices", "voice fix"]);
}

#[test]
fn fix_makes_a_voice_that_bark_takes() {
    let desk = desk(&["bad_ratio", "bad_missing", "short_deflated", "preset"]);
    for name in ["bad_ratio", "bad_missing", "short_deflated"] {
        let ran = desk.run(&["voice", "fix", &format!("{name}.npz"), "-o", "mended.npz", "--force"]);
        assert_eq!(ran.prints(), "mended.npz");
        assert!(ran.stderr.contains(name) && !ran.stderr.contains("nothing to mend"), "{}", ran.stderr);
        Arrays::read(&desk.path("mended.npz")).satisfy_bark();
        assert_eq!(desk.run(&["voice", "check", "mended.npz"]).prints(), "mended.npz: ok");
    }
    let before = desk.bytes("preset.npz");
    desk.run(&["voice", "fix", "preset.npz"]).fails(2, &["-o FILE", "--force"]);
    desk.run(&["voice", "fix", "preset.npz", "--force"]).says(&["nothing to mend"]);
    assert!(desk.bytes("preset.npz") == before, "what is well is not touched");
    desk.run(&["voice", "fix", "bad_ratio.npz", "--force"]).says(&["`coarse_prompt` is made of the first two rows"]);
    Arrays::read(&desk.path("bad_ratio.npz")).satisfy_bark();
    let told = desk.run(&["voice", "inspect", "bad_ratio.npz"]);
    assert!(told.prints().contains("edited      `coarse_prompt` is made"), "{}", told.prints());
}

#[test]
fn a_voice_goes_through_every_form_and_comes_back() {
    let desk = desk(&["preset"]);
    assert_eq!(desk.run(&["voice", "convert", "preset.npz", "--to", "npy"]).prints(), "preset");
    let parts = ["preset_coarse_prompt.npy", "preset_fine_prompt.npy", "preset_semantic_prompt.npy"];
    assert_eq!(desk.files()[1..], parts);
    let back = desk.run(&["voice", "convert", "preset", "--to", "compact", "-o", "small.npz"]);
    assert_eq!(back.prints(), "small.npz");
    assert_eq!(desk.run(&["voice", "convert", "small.npz", "--to", "npz", "-o", "back.npz"]).prints(), "back.npz");
    assert_eq!(desk.run(&["voice", "diff", "preset.npz", "back.npz"]).prints(), "the same tokens");
    desk.run(&["voice", "convert", "preset.npz", "--to", "npy"]).fails(6, &["--force"]);
    desk.run(&["voice", "convert", "preset.npz", "--to", "npz"]).fails(6, &["preset.npz", "--force"]);
    let ran = desk.speak("Oi", &["--voice", "preset", "-o", "oi.wav"]);
    assert_eq!(ran.prints(), "oi.wav");
}

#[test]
fn a_stretch_is_cut_and_voices_are_merged() {
    let desk = desk(&["preset", "announcer"]);
    let merged = desk.run(&["voice", "merge", "preset.npz", "announcer.npz", "preset.npz", "-o", "long.npz"]);
    assert_eq!(merged.prints(), "long.npz");
    let long = Arrays::read(&desk.path("long.npz"));
    long.satisfy_bark();
    assert_eq!((long.semantic.len(), long.fine.ncols()), (180, 270));
    assert_eq!(desk.run(&["voice", "trim", "long.npz", "--seconds", "1.2", "-o", "end.npz"]).prints(), "end.npz");
    assert_eq!(desk.run(&["voice", "diff", "end.npz", "preset.npz"]).prints(), "the same tokens");
    desk.run(&["voice", "trim", "long.npz", "--start", "0.4", "--end", "2", "-o", "middle.npz"]).prints();
    let middle = Arrays::read(&desk.path("middle.npz"));
    middle.satisfy_bark();
    assert_eq!(middle.fine.ncols(), 120);
    assert_eq!(middle.fine, long.fine.slice(ndarray::s![.., 30..150]));
    let told = desk.run(&["voice", "inspect", "middle.npz"]);
    assert!(told.prints().contains("merged of 1.20 s and 1.20 s and 1.20 s"), "{}", told.prints());
    assert!(told.prints().contains("trimmed to 0.40 to 2.00 s"), "{}", told.prints());
    desk.run(&["voice", "trim", "long.npz", "--start", "5", "-o", "x.npz"]).fails(3, &["no stretch", "3.60 s"]);
    desk.run(&["voice", "trim", "long.npz", "-o", "x.npz"]).fails(2, &["--seconds"]);
    desk.run(&["voice", "merge", "preset.npz", "-o", "x.npz"]).fails(2, &["VOICE"]);
    desk.run(&["voice", "merge", "preset.npz", "announcer.npz", "-o", "-"]).fails(2, &["not to stdout"]);
}

#[test]
fn a_preview_is_the_sound_of_the_codes() {
    let desk = desk(&["preset"]);
    let ran = desk.run(&["voice", "preview", "preset.npz", "--codec", "demo"]);
    assert_eq!(ran.prints(), "preset-preview.wav");
    let clip = read_wav(&desk.path("preset-preview.wav"), 60.0).unwrap();
    assert_eq!((clip.pcm.rate, clip.pcm.samples.len()), (24_000, 90 * 320));
    let info = read_info(&desk.path("preset-preview.wav"));
    assert!(info.iter().any(|(_, text)| text.contains("voice=a7419a5a926a31c2")), "{info:?}");
    let piped = desk.run(&["voice", "preview", "preset.npz", "--codec", "demo", "-o", "-"]);
    assert!(piped.stdout == desk.bytes("preset-preview.wav"));
}

#[test]
fn diff_counts_what_differs() {
    let desk = desk(&["preset"]);
    desk.babble("ana.wav", 1.2);
    desk.clone("ana.wav", &[]).prints();
    let ran = desk.run(&["voice", "diff", "preset.npz", "ana.npz"]);
    assert!(ran.prints().contains("semantic") && ran.prints().contains("% equal, the first that differs is"));
    let json = desk.run(&["voice", "diff", "preset.npz", "ana.npz", "--json"]);
    let json: serde_json::Value = serde_json::from_str(json.prints()).unwrap();
    assert_eq!(json["fine"]["lengths"], serde_json::json!([90, 90]));
}

#[test]
fn a_clone_tells_where_it_comes_from_and_who_agreed() {
    let desk = Desk::new();
    desk.babble("ana.wav", 1.2);
    desk.clone("ana.wav", &["--consent", "Ana agreed\u{1b}[2J, 2026"]).prints();
    Arrays::read(&desk.path("ana.npz")).satisfy_bark();
    let told = desk.run(&["voice", "inspect", "ana.npz"]);
    for words in [
        "quantizer   quantizer.pth (language: unknown)",
        "source      sha256 ",
        "2026-11-22",
        r"Ana agreed\u{1b}[2J, 2026",
    ] {
        assert!(told.prints().contains(words), "{words}: {}", told.prints());
    }
    let json: serde_json::Value =
        serde_json::from_str(desk.run(&["voice", "inspect", "ana.npz", "--json"]).prints()).unwrap();
    assert_eq!(json["provenance"]["source_sha256"].as_str().unwrap().len(), 64);
    desk.clone("ana.wav", &["--consent", " ", "--force"]).fails(2, &["--consent is empty"]);
}

#[test]
fn speak_warns_of_a_text_in_another_language_than_the_voices_quantizer() {
    let desk = desk(&["preset"]);
    let voice = VoiceFile::open(&desk.path("preset.npz")).unwrap().voice;
    let quantizer = Some(ModelName::of("de"));
    voice.write_with(Some(&Provenance { quantizer, ..Provenance::new() }), &desk.path("de.npz"), false).unwrap();
    let text = "Esta é uma frase bastante longa, e não há dúvida de que foi escrita em português.";
    let ran = desk.speak(text, &["--voice", "de.npz", "-o", "a.wav"]);
    ran.says(&["warning: ", "another language (de) than the text's (pt)"]);
    assert_eq!(ran.prints(), "a.wav");
    assert!(!desk.speak("Oi", &["--voice", "de.npz", "-o", "b.wav"]).stderr.contains("another language"));
    assert!(!desk.speak(text, &["--voice", "preset.npz", "-o", "c.wav"]).stderr.contains("another language"));
}
