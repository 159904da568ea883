//! `barkclone check`: what it prints, which files it writes, and how it exits.

use super::Desk;

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/reference.wav");

#[test]
fn a_good_recording_gets_a_short_block_with_the_seconds_that_are_heard() {
    let desk = Desk::new();
    let ran = desk.run(&["check", REFERENCE]);
    let lines: Vec<_> = ran.prints().lines().collect();
    assert!(lines[0].contains("reference.wav: ") && lines[0].ends_with("This will make a good voice."), "{lines:?}");
    assert!(
        lines[1].starts_with("  note     cut at the start: ") && lines[1].contains("before what the models hear"),
        "{lines:?}"
    );
    assert!(lines[2].starts_with("  measured speech ") && lines[2].contains("loudness"), "{lines:?}");
    assert!(lines[3].starts_with("  heard    text stage "), "{lines:?}");
    assert_eq!((lines.len(), ran.stderr.as_str()), (4, ""));
}

#[test]
fn each_recording_gets_its_block_with_the_worst_first() {
    let desk = Desk::new();
    desk.babble("babble.wav", 0.5);
    let ran = desk.run(&["check", REFERENCE, "babble.wav"]);
    let text = ran.prints();
    let block = &text[text.find("babble.wav: ").unwrap()..];
    let levels: Vec<_> = block.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    let first_measure = levels.iter().position(|&word| word == "measured").unwrap();
    assert!(levels[..first_measure].contains(&"bad"), "{block}");
    let rank = |word: &&str| ["bad", "warning", "note"].iter().position(|level| level == word).unwrap();
    assert!(levels[..first_measure].is_sorted_by_key(rank), "{block}");
}

#[test]
fn a_folder_stands_for_its_recordings() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("takes")).unwrap();
    desk.babble("takes/b.wav", 0.5);
    desk.babble("takes/a.wav", 0.5);
    std::fs::write(desk.path("takes/notes.txt"), "no sound").unwrap();
    let ran = desk.run(&["check", "--json", "takes"]);
    let lines: Vec<_> = ran.prints().lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("takes/a.wav") && lines[1].contains("takes/b.wav"), "{lines:?}");
}

#[test]
fn json_is_a_line_a_recording() {
    let desk = Desk::new();
    desk.babble("babble.wav", 0.5);
    let ran = desk.run(&["check", "--json", REFERENCE, "babble.wav"]);
    let lines: Vec<serde_json::Value> = ran.prints().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["source"], &lines[1]["source"]), (&REFERENCE.into(), &"babble.wav".into()));
    assert!(lines[0]["worst"] == "note" && lines[0]["stages"]["text"]["end"].is_number(), "{}", lines[0]);
    assert_eq!((&lines[1]["worst"], &lines[1]["findings"][0]["fault"]), (&"bad".into(), &"no-speech".into()));
}

#[test]
fn strict_fails_where_something_is_bad_and_prints_all_the_same() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["check", "--strict", REFERENCE]).code, 0);
    desk.babble("babble.wav", 0.5);
    let ran = desk.run(&["check", "--strict", REFERENCE, "babble.wav"]);
    assert!(ran.code == 3 && ran.stdout.starts_with(REFERENCE.as_bytes()), "{}", ran.stderr);
    ran.says(&["--strict", "1 of 2"]);
    assert_eq!(desk.run(&["check", "babble.wav"]).code, 0);
}

#[test]
fn the_page_is_written_whole_and_not_over_another() {
    let desk = Desk::new();
    let ran = desk.run(&["check", REFERENCE, "--report", "ref.html"]);
    ran.prints();
    assert_eq!(desk.files(), ["ref.html"]);
    assert!(desk.bytes("ref.html").starts_with(b"<!doctype html>") && desk.bytes("ref.html").ends_with(b"</html>\n"));
    desk.run(&["check", REFERENCE, "--report", "ref.html"]).fails(6, &["ref.html", "--force"]);
    desk.run(&["check", REFERENCE, "--report", "ref.html", "--force"]).prints();
    desk.run(&["check", REFERENCE, "--report", "-"]).fails(2, &["--report -: a report goes to a file, not to stdout"]);
    desk.run(&["check", REFERENCE, "--report", "new.wav"]).fails(2, &["--report new.wav: a report is no .wav file"]);
    assert_eq!(desk.files(), ["ref.html"]);
}

#[test]
fn recordings_after_one_that_cannot_be_read_are_checked_too() {
    let desk = Desk::new();
    std::fs::write(desk.path("text.wav"), "no sound").unwrap();
    desk.run(&["check", "text.wav"]).fails(3, &["text.wav: cannot be used as a recording"]);
    let ran = desk.run(&["check", "text.wav", "none.wav", REFERENCE]);
    assert!(ran.code == 7 && ran.stdout.starts_with(REFERENCE.as_bytes()), "{}", ran.stderr);
    ran.says(&["text.wav: cannot", "none.wav: cannot", "2 of 3 recordings cannot be used"]);
}

#[test]
fn a_folder_without_recordings_does_not_stop_the_others() {
    let desk = Desk::new();
    desk.babble("ref.wav", 3.0);
    std::fs::create_dir(desk.path("empty")).unwrap();
    let ran = desk.run(&["check", "empty", "ref.wav", "nada.wav", "--json"]);
    assert_eq!(ran.code, 7);
    ran.says(&["empty: no recordings in this folder", "nada.wav: cannot", "2 of 3 recordings cannot be used"]);
    let lines = std::str::from_utf8(&ran.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap());
    let told: Vec<_> = lines.map(|line: serde_json::Value| (line["event"].clone(), line["source"].clone())).collect();
    assert_eq!(
        told,
        [("failed", "empty"), ("checked", "ref.wav"), ("failed", "nada.wav")].map(|(a, b)| (a.into(), b.into()))
    );
    desk.run(&["check", "empty"]).fails(3, &["empty: no recordings in this folder"]);
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    let desk = Desk::new();
    desk.run(&["check"]).fails(2, &["<REF>"]);
    assert_eq!(desk.files().len(), 0);
}
