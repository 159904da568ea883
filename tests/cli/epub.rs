//! `barkclone speak --file` on an EPUB, and directives in lists of lines.

use super::many::{report, sounds};
use super::{Desk, Ran, SPEAK, wav_samples};
use crate::epub::BOOK;
use serde_json::Value;
use std::fs;

const VOICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sound/voices/preset.npz");
const OTHER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sound/voices/int64.npz");

fn speak(desk: &Desk, flags: &[&str]) -> Ran {
    desk.run(&[&["speak", "--voice", VOICE], &SPEAK[..], flags].concat())
}

/// The texts that would be spoken, and their voices.
fn planned(ran: &Ran) -> Vec<Value> {
    std::str::from_utf8(&ran.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn chapters_become_files_or_one_sound_and_some_can_be_chosen() {
    let desk = Desk::new();
    let ran = speak(&desk, &["--file", BOOK, "-d", "out"]);
    assert_eq!(ran.prints(), "out/01-um.wav\nout/02-dois-meio.wav\nout/03-tres.wav");
    ran.says(&["chapters: 3: 1 Um; 2 Dois & meio; 3 Três"]);
    assert_eq!(desk.files(), ["out"]);
    let again = speak(&desk, &["--file", BOOK, "-d", "out", "--chapters", "2-3"]);
    assert_eq!(again.prints(), "out/02-dois-meio.wav\nout/03-tres.wav");
    again.says(&["0 spoken"]);
    let one = speak(&desk, &["--file", BOOK, "-o", "one.wav", "--subtitles", "one.srt"]);
    assert_eq!(one.prints(), "one.wav");
    let apart: usize =
        ["01-um", "02-dois-meio", "03-tres"].map(|name| desk.bytes(&format!("out/{name}.wav")).len()).iter().sum();
    assert!(desk.bytes("one.wav").len() > apart, "with pauses between chapters");
    let subtitles = fs::read_to_string(desk.path("one.srt")).unwrap();
    assert!(subtitles.contains("Capítulo um") && subtitles.contains("漢字"), "{subtitles}");
}

#[test]
fn chapters_have_the_format_that_their_names_say_and_subtitles_beside_them() {
    let desk = Desk::new();
    let flags = ["--file", BOOK, "-d", "out", "--names", "{index}-{slug}.flac", "--subtitles", "vtt"];
    let ran = speak(&desk, &flags);
    assert_eq!(ran.prints(), "out/1-um.flac\nout/2-dois-meio.flac\nout/3-tres.flac");
    for name in ["1-um", "2-dois-meio", "3-tres"] {
        assert!(desk.bytes(&format!("out/{name}.flac")).starts_with(b"fLaC"));
    }
    let of = |name: &str| fs::read_to_string(desk.path(&format!("out/{name}.vtt"))).unwrap();
    let (first, last) = (of("1-um"), of("3-tres"));
    assert!(first.contains("Capítulo um") && !first.contains("漢字"), "{first}");
    assert!(last.starts_with("WEBVTT\n\n00:00:00.000 --> "), "each begins anew: {last}");
    fs::write(desk.path("out/1-um.vtt"), "mine").unwrap();
    let again = speak(&desk, &flags);
    again.says(&["0 spoken", "1-um.vtt"]);
    assert_eq!(of("1-um"), "mine");
    let same = speak(&desk, &["--file", BOOK, "-d", "same", "--names", "chapter"]);
    assert_eq!(same.prints(), "same/chapter.wav\nsame/chapter-2.wav\nsame/chapter-3.wav");
}

#[test]
fn what_has_no_such_chapters_is_refused() {
    let desk = Desk::new();
    fs::write(desk.path("a.txt"), "Oi.").unwrap();
    speak(&desk, &["--file", "a.txt", "-d", "out"]).fails(2, &["a.txt: it has no chapters"]);
    speak(&desk, &["--file", "a.txt", "-o", "a.wav", "--chapters", "1"]).fails(2, &["--chapters", "a.txt is no EPUB"]);
    speak(&desk, &["--file", BOOK, "-o", "a.wav", "--chapters", "2-9"]).fails(2, &["--chapters", "has 3 chapters"]);
    speak(&desk, &["--file", BOOK, "-o", "a.wav", "--chapters", "0"]).fails(2, &["--chapters", "such as 2-5"]);
    speak(&desk, &["--file", BOOK, "-o", "a.wav", "-d", "out"]).fails(2, &["--output FILE and -d DIR"]);
    let subtitles = ["--file", BOOK, "-d", "out", "--subtitles", "all.srt"];
    speak(&desk, &subtitles).fails(2, &["--subtitles all.srt", "give srt or vtt"]);
    speak(&desk, &["--file", BOOK, "-d", "out", "--names", "{voice}"]).fails(2, &["--names {voice}", "{index}"]);
    speak(&desk, &["--file", BOOK, "-o", "a.wav", "--names", "x"]).fails(2, &["--names", "-d DIR"]);
    speak(&desk, &["--file", BOOK, "-d", "out", "--names", "x.ogg"]).fails(2, &["--names", ".opus"]);
    fs::write(desk.path("b.epub"), b"PK\x03\x04nothing").unwrap();
    speak(&desk, &["--file", "b.epub", "-o", "a.wav"]).fails(3, &["b.epub: cannot be read as an EPUB"]);
    assert_eq!(desk.files(), ["a.txt", "b.epub"]);
}

#[test]
fn lines_and_jobs_know_the_directives_of_long_texts() {
    let desk = Desk::new();
    let ana = format!("ana={OTHER}");
    fs::write(desk.path("l.txt"), "Um.\n[voz: ana]\nDois, [pausa 1] sim.\n[pause 2]\n[voice] Três.\n").unwrap();
    let flags = ["--voice", &ana, "--lines", "l.txt", "-d", "out"];
    let seen = planned(&speak(&desk, &[&flags[..], &["--dry-run", "--json"]].concat()));
    let seen: Vec<_> =
        seen.iter().map(|task| (task["line"].as_u64(), task["text"].as_str(), task["voice"].as_str())).collect();
    let said = |line, text, voice| (Some(line), Some(text), voice);
    assert_eq!(
        seen[..3],
        [said(1, "Um.", Some(VOICE)), said(3, "Dois,… sim.", Some("ana")), said(5, "Três.", Some(VOICE))]
    );
    assert_eq!(speak(&desk, &flags).prints().lines().count(), 3);
    let voices: Vec<_> = report(&desk, "out/report.jsonl").iter().map(|line| line["voice"].clone()).collect();
    assert_eq!(voices, [VOICE, "ana", VOICE]);
    // Pauses are heard between lines.
    let pieces: Vec<_> =
        sounds(&desk, "out").into_iter().map(|(_, wav)| wav_samples(&wav)[..22 * 640].to_vec()).collect();
    let heard = speak(&desk, &[&flags[..], &["-o", "-", "--raw-pcm"]].concat());
    let (usual, asked) = (vec![0; 12_000], vec![0; 96_000]);
    assert!(heard.stdout == [&pieces[0][..], &usual, &pieces[1], &asked, &pieces[2]].concat());
    fs::write(desk.path("j.jsonl"), "{\"text\": \"[voice: ana] Um.\"}\n{\"text\": \"Dois. [voice: ana] Não.\"}\n")
        .unwrap();
    let jobs = speak(&desk, &["--voice", &ana, "--jobs", "j.jsonl", "-d", "jobs"]);
    assert_eq!(jobs.code, 7);
    jobs.says(&["line 2", "a voice changes where a line begins"]);
    speak(&desk, &["Olá. [voice: ana] Oi."]).fails(3, &["no voice named"]);
    speak(&desk, &["[mood: sad] Oi."]).says(&["warning: [mood: sad] means nothing here"]);
    assert_eq!(speak(&desk, &["[pause 1] Olá, [pausa] mundo."]).prints(), "ola-mundo.wav");
}
