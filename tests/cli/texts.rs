//! `barkclone speak` of texts that say nothing, of chapters, and of shares; flags that would do nothing.

use super::many::report;
use super::{Desk, Ran, SPEAK};
use crate::epub::{CONTAINER, archive};
use std::fs;

const VOICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sound/voices/preset.npz");

fn speak(desk: &Desk, flags: &[&str]) -> Ran {
    desk.run(&[&["speak", "--voice", VOICE], &SPEAK[..], flags].concat())
}

/// A book, `made.epub`, of these documents, a chapter each.
fn book(desk: &Desk, documents: &[&str]) {
    let each = |line: &dyn Fn(usize) -> String| (1..=documents.len()).map(line).collect::<String>();
    let items = each(&|n| format!("<item id='c{n}' href='c{n}.xhtml' media-type='application/xhtml+xml'/>"));
    let refs = each(&|n| format!("<itemref idref='c{n}'/>"));
    let package = format!(
        "<package xmlns='http://www.idpf.org/2007/opf' version='2.0'><metadata xmlns:dc='http://purl.org/dc/elements/1.1/'>\
         <dc:title>T</dc:title></metadata><manifest>{items}</manifest><spine>{refs}</spine></package>"
    );
    let names: Vec<_> = (1..=documents.len()).map(|n| format!("c{n}.xhtml")).collect();
    let documents = names.iter().zip(documents).map(|(name, text)| (name.as_str(), text.as_bytes()));
    let head = [("META-INF/container.xml", CONTAINER), ("b.opf", package.as_bytes())];
    archive(desk.path("."), &head.into_iter().chain(documents).collect::<Vec<_>>());
}

const CHAPTERS: [&str; 2] = ["<h1>Um</h1><p>Oi.</p>", "<h1>Dois</h1><p>Olá.</p>"];

#[test]
fn a_chapter_with_nothing_to_say_is_passed_over_and_said() {
    let desk = Desk::new();
    for silent in ["<h1>😀</h1>", "<p>* * *</p>"] {
        book(&desk, &[silent, "<p>Oi.</p>"]);
        let ran = speak(&desk, &["--file", "made.epub", "-d", "e", "--names", "{index}", "--force"]);
        assert_eq!(ran.prints(), "e/2.wav");
        ran.says(&["made.epub: chapter 1", "passed over: there is nothing to say"]);
    }
    book(&desk, &["<h1>😀</h1>"]);
    let ran = speak(&desk, &["--file", "made.epub", "-d", "none"]);
    ran.fails(3, &["made.epub: there is nothing to say"]);
    assert_eq!(desk.files(), ["e", "made.epub"]);
}

#[test]
fn a_text_without_letters_or_digits_is_refused_wherever_it_stands() {
    let desk = Desk::new();
    let told = "the text has no letters, digits or notes (♪): there is nothing to say";
    for text in ["😀", "!!! ...", "[pause 1] —"] {
        speak(&desk, &[text, "-o", "a.wav"]).fails(3, &[told]);
    }
    fs::write(desk.path("l.txt"), "Oi.\n!!! ...\n[pause 1] 😀\n[laughs]\n♪\n你好\nनमस्ते\n").unwrap();
    let ran = speak(&desk, &["--lines", "l.txt", "-d", "out"]);
    assert_eq!((ran.code, ran.stdout.iter().filter(|byte| **byte == b'\n').count()), (7, 5), "{}", ran.stderr);
    ran.says(&[&format!("line 2: {told}"), &format!("line 3: {told}"), "5 spoken", "2 failed"]);
    fs::write(desk.path("j"), "{\"text\": \"😀\"}\n{\"text\": \"Oi\"}\n").unwrap();
    assert_eq!(speak(&desk, &["--jobs", "j", "-d", "jobs", "--dry-run"]).code, 7);
    desk.babble("ref.wav", 3.0);
    let refine = ["clone", "ref.wav", "--demo", "--refine", "2", "--say", "😀", "-o", "v.npz"];
    desk.run(&refine).fails(3, &[told]);
}

#[test]
fn what_asks_for_nothing_is_refused_alike_and_leaves_nothing() {
    let desk = Desk::new();
    for (name, text) in [("empty", ""), ("remarks", "# nada\n\n"), ("marks", "\n* * *\n")] {
        fs::write(desk.path(name), text).unwrap();
        if name != "marks" {
            let told = format!("{name}: there is nothing to say");
            speak(&desk, &["--lines", name, "-d", "out"]).fails(3, &[&told]);
            let data = ["quantizer", "data", "--demo", "--lines", name, "-d", "out"];
            desk.run(&data).fails(3, &[&told]);
        }
        if name != "remarks" {
            let told = format!("{name}: there is nothing to say");
            speak(&desk, &["--file", name, "-o", "c.wav"]).fails(3, &[&told]);
        }
    }
    speak(&desk, &["--jobs", "empty", "-d", "out"]).fails(3, &["empty: there is nothing to say"]);
    let lines = [&["speak", "--voice", VOICE], &SPEAK[..], &["--lines", "-", "-d", "out"]].concat();
    desk.run_with(b"\n", &lines).fails(3, &["there is nothing to say"]);
    assert_eq!(desk.files(), ["empty", "marks", "remarks"]);
}

#[test]
fn folders_of_chapters_are_made_by_the_run_and_not_by_a_dry_one() {
    let desk = Desk::new();
    book(&desk, &CHAPTERS);
    let flags = ["--file", "made.epub", "-d", "new", "--names", "a/b/{slug}.flac"];
    let planned = speak(&desk, &[&flags[..], &["--dry-run"]].concat());
    assert!(planned.prints().contains("made.wav.parts/00001-"), "{}", planned.prints());
    assert_eq!(desk.files(), ["made.epub"]);
    let ran = speak(&desk, &flags);
    assert_eq!(ran.prints(), "new/a/b/um.flac\nnew/a/b/dois.flac");
    assert_eq!(ran.stderr.matches("its pieces stay in").count(), 1, "{}", ran.stderr);
    fs::write(desk.path("plain"), "").unwrap();
    let within = ["--file", "made.epub", "-d", "plain/new", "--dry-run"];
    speak(&desk, &within).fails(6, &["plain", "not a folder"]);
}

#[test]
fn sounds_of_chapters_that_nobody_asks_for_are_named_and_pruned_but_not_what_was_changed() {
    let desk = Desk::new();
    book(&desk, &CHAPTERS);
    let run = |flags: &[&str]| speak(&desk, &[&["--file", "made.epub", "-d", "pr"], flags].concat());
    let there = |name: &str| desk.path("pr").join(name).exists();
    run(&["--subtitles", "srt"]).prints();
    fs::write(desk.path("pr/02-dois.srt"), "mine").unwrap();
    fs::write(desk.path("pr/3.wav"), "of somebody else").unwrap();
    let ran = run(&["--names", "{index}", "--dry-run"]);
    ran.says(&["3 files of earlier runs, asked for no more; --prune removes: ", "pr/01-um.wav"]);
    run(&["--names", "{index}"]).says(&["3 files of earlier runs, asked for no more; --prune removes: "]);
    assert!(there("01-um.wav"));
    let ran = run(&["--names", "{index}", "--prune"]);
    ran.says(&["3 files of earlier runs, removed: ", "changed by you and kept: pr/02-dois.srt"]);
    assert!(!there("01-um.wav") && !there("02-dois.wav") && !there("01-um.srt") && there("02-dois.srt"));
    run(&["--names", "{index}", "--chapters", "1", "--prune"]).says(&["pr/2.wav"]);
    assert!(there("1.wav") && !there("2.wav") && there("3.wav"));
}

#[test]
fn sounds_in_folders_that_no_chapter_is_in_any_more_are_pruned_too() {
    let desk = Desk::new();
    book(&desk, &CHAPTERS);
    let run = |flags: &[&str]| speak(&desk, &[&["--file", "made.epub", "-d", "pr"], flags].concat());
    run(&["--names", "{slug}/sound", "--subtitles", "srt"]).prints();
    let there = |name: &str| desk.path("pr").join(name).exists();
    assert!(there("um/sound.wav") && there("dois/sound.srt"));
    fs::write(desk.path("pr/dois/sound.srt"), "mine").unwrap();
    let told = "3 files of earlier runs, asked for no more; --prune removes: pr/dois/sound.wav, pr/um/sound.srt";
    run(&["--names", "{index}"]).says(&[told]);
    run(&["--names", "{index}", "--prune"]).says(&["3 files of earlier runs, removed", "kept: pr/dois/sound.srt"]);
    assert!(there("1.wav") && there("2.wav") && !there("um/sound.wav") && !there("um/sound.srt"));
    assert!(!there("dois/sound.wav") && there("dois/sound.srt"));
}

#[test]
fn a_piece_that_fails_is_told_by_its_chapter_and_holds_up_no_other_one() {
    let desk = Desk::new();
    book(&desk, &[CHAPTERS[0], CHAPTERS[1], "<h1>Fim</h1>"]);
    let run = |flags: &[&str]| speak(&desk, &[&["--file", "made.epub", "-d", "fa"], flags].concat());
    let planned = run(&["--dry-run", "--json"]);
    let second: serde_json::Value = serde_json::from_str(planned.prints().lines().nth(1).unwrap()).unwrap();
    let piece = desk.path(second["out"].as_str().unwrap());
    fs::create_dir_all(piece.parent().unwrap()).unwrap();
    fs::write(&piece, "of somebody else").unwrap();
    let ran = run(&[]);
    assert_eq!(
        (ran.code, std::str::from_utf8(&ran.stdout).unwrap()),
        (7, "fa/02-dois.wav\nfa/03-fim.wav\n"),
        "{}",
        ran.stderr
    );
    ran.says(&["piece 2, chapter 1: ", "exists already", "fa/01-um.wav: not joined: pieces that failed: 1", "1 of 5"]);
    assert!(!ran.stderr.contains("line 2"), "{}", ran.stderr);
    let summary = desk.run(&["report", "summary", "fa/made.wav.jsonl"]);
    assert!(summary.prints().contains("piece 2, chapter 1"), "{}", summary.prints());
    fs::remove_file(&piece).unwrap();
    assert_eq!(run(&[]).prints(), "fa/01-um.wav\nfa/02-dois.wav\nfa/03-fim.wav");
}

#[test]
fn shares_of_a_long_text_say_how_their_sound_is_joined() {
    let desk = Desk::new();
    book(&desk, &CHAPTERS);
    let run = |flags: &[&str]| speak(&desk, &[&["--file", "made.epub", "-d", "sh"], flags].concat());
    let merge = "`barkclone report merge sh/made.wav.*-of-2.jsonl -o sh/made.wav.jsonl`";
    for shard in ["1/2", "2/2"] {
        run(&["--shard", shard]).says(&["the sound is not joined yet", merge]);
    }
    let ran = run(&[]);
    assert_eq!(ran.code, 7);
    let again = "barkclone report merge sh/made.wav.jsonl sh/made.wav.*-of-2.jsonl -o sh/made.wav.jsonl --force";
    ran.says(&["exists already", "once their reports are joined", again]);
    let shares = ["sh/made.wav.1-of-2.jsonl", "sh/made.wav.2-of-2.jsonl"];
    let joined = [&["report", "merge", "sh/made.wav.jsonl"], &shares[..], &["-o", "sh/made.wav.jsonl", "--force"]];
    desk.run(&joined.concat()).prints();
    assert_eq!(run(&[]).prints(), "sh/01-um.wav\nsh/02-dois.wav");
}

#[test]
fn pieces_of_chapters_are_counted_through_and_made_once_more_by_that_number() {
    let desk = Desk::new();
    book(&desk, &CHAPTERS);
    let run = |flags: &[&str]| speak(&desk, &[&["--file", "made.epub", "-d", "re"], flags].concat());
    run(&[]).prints();
    let seed = || {
        let lines = report(&desk, "re/made.wav.jsonl");
        [1, 2].map(|line| lines.iter().rfind(|record| record["line"] == line).unwrap()["seed"].clone())
    };
    let before = seed();
    run(&["--redo", "2"]).says(&["1 spoken"]);
    assert!(seed()[0] == before[0] && seed()[1] != before[1]);
    run(&["--redo", "5"]).fails(2, &["--redo 5: there is no such line"]);
}

#[test]
fn flags_beside_which_another_one_is_missed_are_refused_with_its_name() {
    let desk = Desk::new();
    fs::write(desk.path("l"), "Oi.\n").unwrap();
    let long = [
        &["--subtitles", "srt"][..],
        &["--chapters", "1"],
        &["--history", "chain"],
        &["--paragraph-silence", "1"],
        &["--line-breaks", "keep"],
        &["--markdown"],
    ];
    for flags in long {
        let told = format!("{} is for a long text: give it with --file", flags[0]);
        for source in [&["Oi", "-o", "a.wav"][..], &["--lines", "l", "-d", "o"], &["--jobs", "l", "-d", "o"]] {
            speak(&desk, &[source, flags].concat()).fails(2, &[&told]);
        }
    }
    let lines = |flags: &[&str]| speak(&desk, &[&["--lines", "l", "-d", "o"], flags].concat());
    lines(&["--takes", "3"]).fails(2, &["--takes", "give it with --ab"]);
    for flags in [&["--keep-all"][..], &["--voice-of", "l"], &["--word-ear", "none"], &["--voice-ear", "spectrum"]] {
        let told = format!("{} is for choosing among takes: give it with --best-of or --retry", flags[0]);
        lines(flags).fails(2, &[&told]);
        lines(&[flags, &["--best-of", "1"]].concat()).fails(2, &[&told]);
    }
    lines(&["--word-ear", "none", "--retry", "1", "--dry-run"]).prints();
    speak(&desk, &["Oi", "-d", "o"]).fails(2, &["--dir is for many", "--lines or --jobs or --file or --ab"]);
    assert_eq!(desk.files(), ["l"]);
    // What is kept stands for a flag.
    fs::create_dir_all(desk.path(".home/config/barkclone")).unwrap();
    fs::write(desk.path(".home/config/barkclone/config.toml"), "retry = 1\nhistory = \"chain\"\n").unwrap();
    lines(&["--word-ear", "none", "--dry-run"]).prints();
}

#[test]
fn the_help_of_pairs_names_what_makes_pairs_alone() {
    let desk = Desk::new();
    let ran = desk.run(&["quantizer", "data", "--help"]);
    let flags: Vec<_> =
        ran.prints().lines().filter_map(|line| line.trim().split_once("--")?.1.split([' ', '=']).next()).collect();
    assert!(flags.contains(&"lines") && flags.contains(&"shard"), "{flags:?}");
    let refused =
        ["file", "ab", "output", "play", "raw-pcm", "save-voice", "names", "trim-tail", "chapters", "subtitles"];
    for flag in refused {
        assert!(
            !ran.prints().lines().any(|line| line.trim().trim_start_matches("-o, ").starts_with(&format!("--{flag} "))),
            "{flag}"
        );
    }
    desk.run(&["quantizer", "data", "--demo", "-d", "dx", "--play"]).fails(2, &["--play: `data` does not take it"]);
    let ran = desk.run(&["quantizer", "data", "--demo", "Oi", "-d", "dx"]);
    ran.fails(2, &["TEXT: `data` does not take it"]);
    let ran = desk.run(&["quantizer", "data", "--demo", "-d", "dx"]);
    ran.fails(2, &["--dir is for many in one run: give it with --lines or --jobs"]);
    assert!(!ran.stderr.contains("--ab") && !ran.stderr.contains("--file"), "{}", ran.stderr);
}

#[test]
fn what_is_wrong_is_told_by_its_own_name() {
    let desk = Desk::new();
    for flag in ["--best-of", "--retry"] {
        desk.run(&["speak", "--demo", "Oi", flag, "-1"]).fails(2, &[flag, "-1", "is not in"]);
    }
    fs::copy(VOICE, desk.path("v.npz")).unwrap();
    let ran = speak(&desk, &["--file", "v.npz", "-o", "a.wav"]);
    ran.fails(3, &["v.npz: cannot be read as an EPUB", "another ZIP archive"]);
    assert!(!ran.stderr.contains("ResourceKind"), "{}", ran.stderr);
    fs::write(desk.path("b.epub"), "Oi.").unwrap();
    for place in [["-d", "out"], ["-o", "a.wav"]] {
        speak(&desk, &[&["--file", "b.epub"], &place[..]].concat()).fails(3, &["b.epub: no EPUB"]);
    }
}
