//! `barkclone speak --file`: a long text as one sound, from pieces that are kept.

use super::many::{report, sounds};
use super::{Desk, Ran, SPEAK};
use hound::WavReader;
use std::fs;

const VOICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sound/voices/preset.npz");
const OTHER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sound/voices/int64.npz");

const TEXT: &str = "\
Era uma vez uma casa muito pequena no fim da rua, e nela morava um gato. O gato dormia o dia inteiro, e de noite saía pelo telhado.

[voice: ana]
Quem mora aqui? Ninguém respondeu, porque o gato dormia.
[pause 1.5]
[voice]
Fim.
";

fn book(desk: &Desk, flags: &[&str]) -> Ran {
    let own = ["--file", "book.txt", "-o", "book.wav", "--voice", VOICE, "--voice"];
    let ana = format!("ana={OTHER}");
    desk.run(&[&["speak"], &super::without(&SPEAK, flags)[..], &own, &[ana.as_str()], flags].concat())
}

#[test]
fn a_long_text_becomes_one_sound_with_subtitles() {
    let desk = Desk::new();
    fs::write(desk.path("book.txt"), TEXT).unwrap();
    let ran = book(&desk, &["--subtitles", "book.srt"]);
    assert_eq!(ran.prints(), "book.wav");
    ran.says(&["of speech; its pieces stay in book.wav.parts"]);
    assert_eq!(desk.files(), ["book.srt", "book.txt", "book.wav", "book.wav.jsonl", "book.wav.parts"]);
    let parts = sounds(&desk, "book.wav.parts");
    let placed: Vec<_> = report(&desk, "book.wav.jsonl").into_iter().filter(|r| r["start"].is_f64()).collect();
    assert_eq!(placed.len(), parts.len());
    assert!(placed.len() >= 3, "{placed:?}");
    let voices: Vec<_> = placed.iter().map(|r| r["voice"].as_str().unwrap()).collect();
    assert_eq!((voices[0], voices[voices.len() - 1]), (VOICE, VOICE));
    assert!(voices.contains(&"ana"));
    // Each piece lies where its line says, whole.
    let whole: Vec<i16> = WavReader::open(desk.path("book.wav")).unwrap().into_samples().map(Result::unwrap).collect();
    let sample = |seconds: &serde_json::Value| (seconds.as_f64().unwrap() * 24_000.0).round() as usize;
    for (record, (name, bytes)) in placed.iter().zip(&parts) {
        assert_eq!(record["out"], name.as_str());
        let piece: Vec<i16> = WavReader::new(&bytes[..]).unwrap().into_samples().map(Result::unwrap).collect();
        let start = sample(&record["start"]);
        // The report rounds to milliseconds.
        let at = (start.saturating_sub(24)..=start + 24).find(|&at| whole[at..].starts_with(&piece));
        assert!(at.is_some(), "{name}");
    }
    let last = &placed[placed.len() - 1];
    let before = &placed[placed.len() - 2];
    assert!((last["start"].as_f64().unwrap() - before["end"].as_f64().unwrap() - 1.5).abs() < 0.01, "the pause");
    let subtitles = fs::read_to_string(desk.path("book.srt")).unwrap();
    assert!(subtitles.starts_with("1\n00:00:00,000 --> ") && subtitles.contains("Fim."), "{subtitles}");
}

#[test]
fn a_report_is_in_the_place_of_no_other_file_of_the_command() {
    let desk = Desk::new();
    fs::write(desk.path("book.txt"), TEXT).unwrap();
    for force in [&[][..], &["--force"]] {
        let refused = |flags: &[&str], word: &str| book(&desk, &[flags, force].concat()).fails(2, &[word]);
        refused(&["--report", "./book.wav"], "--output and --report name the same file");
        refused(&["--report", "f.srt", "--subtitles", "f.srt"], "--subtitles and --report name the same file");
        refused(&["--report", "book.txt"], "book.txt: it would be replaced by its own result");
        refused(&["--report", "-"], "--report -: a report goes to a file");
        assert_eq!(desk.files(), ["book.txt"]);
    }
}

#[test]
fn an_edited_text_is_spoken_again_only_where_it_was_edited() {
    let desk = Desk::new();
    fs::write(desk.path("book.txt"), TEXT).unwrap();
    book(&desk, &[]).prints();
    let (sound, parts) = (desk.bytes("book.wav"), sounds(&desk, "book.wav.parts"));
    let ran = book(&desk, &[]);
    ran.says(&[&format!("0 spoken, {} there already", parts.len())]);
    assert!(ran.prints() == "book.wav" && desk.bytes("book.wav") == sound);
    fs::write(desk.path("book.txt"), TEXT.replace("Fim.", "Fim da história.")).unwrap();
    let ran = book(&desk, &[]);
    ran.says(&[&format!("1 spoken, {} there already", parts.len() - 1)]);
    assert!(desk.bytes("book.wav") != sound);
    // Without a report to say that it was made here, a file is kept.
    fs::remove_file(desk.path("book.wav.jsonl")).unwrap();
    book(&desk, &[]).fails(6, &["book.wav: exists already"]);
}

#[test]
fn a_sound_or_subtitles_that_were_edited_are_kept_named_and_counted() {
    let desk = Desk::new();
    fs::write(desk.path("book.txt"), TEXT).unwrap();
    let run = |flags: &[&str]| book(&desk, &[&["--subtitles", "book.srt"], flags].concat());
    run(&[]).prints();
    let (sound, subtitles) = (desk.bytes("book.wav"), desk.bytes("book.srt"));
    fs::write(desk.path("book.srt"), "mine").unwrap();
    let kept = |name: &str| format!("{name}: changed since it was made, kept; --force replaces it");
    let ran = run(&[]);
    ran.says(&[&kept("book.srt"), "1 changed by you and kept"]);
    assert!(ran.prints() == "book.wav" && desk.bytes("book.srt") == b"mine" && desk.bytes("book.wav") == sound);
    fs::write(desk.path("book.wav"), "mastered").unwrap();
    fs::write(desk.path("book.txt"), TEXT.replace("Fim.", "Fim da história.")).unwrap();
    run(&["--dry-run"]).says(&[&kept("book.wav"), "1 to speak"]);
    let ran = run(&[]);
    ran.says(&[&kept("book.wav"), "1 spoken", "2 changed by you and kept"]);
    assert!(ran.prints().is_empty() && desk.bytes("book.wav") == b"mastered" && desk.bytes("book.srt") == b"mine");
    assert!(run(&["--json"]).prints().ends_with(r#"{"event":"kept","out":"book.wav"}"#));
    let ran = run(&["--force"]);
    ran.says(&["0 spoken"]);
    assert!(ran.prints() == "book.wav" && desk.bytes("book.wav") != sound && desk.bytes("book.srt") != subtitles);
    run(&[]).prints();
    // Subtitles that no run wrote are not replaced either.
    fs::write(desk.path("other.srt"), "precious").unwrap();
    book(&desk, &["--subtitles", "other.srt"]).fails(6, &["other.srt: exists already"]);
}

#[test]
fn a_text_of_which_a_piece_failed_is_not_joined_and_that_is_said_with_the_way_to_mend_it() {
    let desk = Desk::new();
    fs::write(desk.path("book.txt"), TEXT).unwrap();
    let ran = book(&desk, &["--dry-run", "--json"]);
    let first: serde_json::Value = serde_json::from_str(ran.prints().lines().next().unwrap()).unwrap();
    let piece = desk.path(first["out"].as_str().unwrap());
    fs::create_dir_all(piece.parent().unwrap()).unwrap();
    fs::write(&piece, "of somebody else").unwrap();
    let ran = book(&desk, &[]);
    ran.fails(7, &["book.wav: not joined: pieces that failed: 1; the same command speaks them, and joins it"]);
    assert!(!desk.path("book.wav").exists());
    fs::remove_file(&piece).unwrap();
    let ran = book(&desk, &[]);
    assert!(ran.prints() == "book.wav" && !ran.stderr.contains("earlier runs"), "{}", ran.stderr);
    book(&desk, &["--prune"]);
    assert!(desk.path("book.wav").exists(), "a result of this run was removed");
}

#[test]
fn a_book_without_a_voice_has_one_and_keeps_it() {
    let desk = Desk::new();
    fs::write(desk.path("book.txt"), "Era uma vez um gato.\n\nFim.\n").unwrap();
    let run = || desk.run(&[&["speak"], &SPEAK[..], &["--file", "book.txt", "-o", "book.wav"]].concat());
    run().says(&["no --voice: a random one", "kept in book.wav.npz"]);
    let voice = desk.bytes("book.wav.npz");
    run().says(&["no --voice: that of an earlier run, book.wav.npz", "0 spoken"]);
    assert!(desk.bytes("book.wav.npz") == voice);
}

#[test]
fn a_chain_is_the_same_after_a_break() {
    let (desk, whole) = (Desk::new(), Desk::new());
    let chain = ["--history", "chain", "--max-seconds", "1.2"];
    for desk in [&desk, &whole] {
        fs::write(desk.path("book.txt"), TEXT).unwrap();
    }
    book(&whole, &chain).prints();
    book(&desk, &chain).prints();
    let base = Desk::new();
    fs::write(base.path("book.txt"), TEXT).unwrap();
    book(&base, &["--max-seconds", "1.2"]).prints();
    assert!(base.bytes("book.wav") != whole.bytes("book.wav"), "a chain is another reading");
    let (first, _) = sounds(&desk, "book.wav.parts").into_iter().find(|(name, _)| name.ends_with(".wav")).unwrap();
    fs::remove_file(desk.path("book.wav.parts").join(first)).unwrap();
    book(&desk, &chain).says(&["1 spoken"]);
    assert!(desk.bytes("book.wav") == whole.bytes("book.wav"));
}

#[test]
fn what_cannot_be_a_book_is_refused_beforehand() {
    let desk = Desk::new();
    let refused = |flags: &[&str], code, words: &[&str]| book(&desk, flags).fails(code, words);
    refused(&[], 3, &["book.txt: cannot be read"]);
    fs::write(desk.path("book.txt"), "[voice: eva]\nOi.\n").unwrap();
    refused(&[], 3, &["book.txt", "line 1", "eva"]);
    fs::write(desk.path("book.txt"), " \n").unwrap();
    refused(&[], 3, &["nothing to say"]);
    refused(&["--subtitles", "x.txt"], 2, &[".srt"]);
    refused(&["--history", "0"], 2, &["base"]);
    refused(&["--sentence-silence", "-1"], 2, &["--sentence-silence"]);
    refused(&["--shard", "1/2", "--history", "chain"], 2, &["--shard"]);
    desk.run(&["speak", "--file", "book.txt"]).fails(2, &["--file: where shall the sound go?", "-o FILE"]);
    desk.run(&["speak", "oi", "--subtitles", "x.srt"]).fails(2, &["--subtitles"]);
}

#[test]
fn a_text_may_come_by_pipe_and_be_planned_only() {
    let desk = Desk::new();
    let named = format!("ana={VOICE}");
    let own = ["--file", "-", "-o", "book.wav", "--voice", &named];
    let arguments = [&["speak"], &SPEAK[..], &own[..]].concat();
    let ran = desk.run_with(TEXT.as_bytes(), &arguments);
    ran.fails(3, &["line 1: it stands under no [voice: NAME]", "--voice VOICE"]);
    fs::remove_dir_all(desk.path("book.wav.parts")).unwrap();
    fs::remove_file(desk.path("book.wav.jsonl")).unwrap();
    let arguments = [&arguments[..], &["--voice", VOICE]].concat();
    let ran = desk.run_with(TEXT.as_bytes(), &[&arguments[..], &["--dry-run"]].concat());
    assert!(ran.prints().contains("book.wav.parts/00001-era-uma-vez"), "{}", ran.prints());
    assert!(desk.files().is_empty());
    assert_eq!(desk.run_with(TEXT.as_bytes(), &arguments).prints(), "book.wav");
}

#[test]
fn all_that_is_wrong_with_a_text_is_told_in_one_run_and_unknown_tags_are_warned_of() {
    let desk = Desk::new();
    fs::write(desk.path("book.txt"), "[voice: eva]\nOi.\n[pause 99]\n").unwrap();
    book(&desk, &["--dry-run"]).fails(3, &["line 1", "eva", "line 3", "[pause 99]"]);
    fs::write(desk.path("book.txt"), "<prosody rate=\"slow\">Oi [pausa 1] tu.\n").unwrap();
    let ran = book(&desk, &["--dry-run", "--json"]);
    ran.says(&["line 1", "prosody", "spoken as text"]);
    assert_eq!(ran.prints().lines().count(), 2, "the pause parts it in two");
}

#[test]
fn markdown_is_spoken_without_its_marks() {
    let desk = Desk::new();
    fs::write(desk.path("book.md"), "# Capítulo um\n\nEra **uma** [vez](http://x.org).\n\n```\nls\n```\n").unwrap();
    let flags = ["--file", "book.md", "-o", "book.wav", "--dry-run", "--json"];
    let ran = desk.run(&[&["speak"], &SPEAK[..], &flags].concat());
    let plan: Vec<serde_json::Value> = ran.prints().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(plan.iter().map(|p| p["text"].as_str().unwrap()).collect::<Vec<_>>(), ["Capítulo um", "Era uma vez."]);
    ran.says(&["code that are not spoken: 1"]);
}
