//! `barkclone speak` of many: what is the user's is kept, whatever is spoken again.

use super::many::{VOICE, many, names, report, sounds};
use super::{Desk, SPEAK};
use serde_json::Value;
use std::fs;

#[test]
fn what_is_there_and_not_the_reports_is_kept_unless_forced() {
    let desk = Desk::new();
    fs::create_dir(desk.path("out")).unwrap();
    fs::write(desk.path("out/00001-um.wav"), "precious").unwrap();
    fs::write(desk.path("p"), "um\ndois\n").unwrap();
    let ran = many(&desk, &["--lines", "p"]);
    assert_eq!((ran.code, ran.stdout.as_slice()), (7, &b"out/00002-dois.wav\n"[..]));
    ran.says(&["line 1: out/00001-um.wav: exists already; --force"]);
    assert_eq!(desk.bytes("out/00001-um.wav"), b"precious");
    assert_eq!(many(&desk, &["--lines", "p", "--force"]).prints(), "out/00001-um.wav");
    // And a report is not written over something else.
    fs::copy(desk.path("p"), desk.path("q")).unwrap();
    many(&desk, &["--lines", "p", "--report", "q"]).fails(3, &["q: line 1 is no line of a report"]);
    many(&desk, &["--lines", "p", "--report", "./p"]).fails(2, &["p: it would be replaced by its own result"]);
    many(&desk, &["--lines", "p", "--report", "-"]).fails(2, &["--report -: a report goes to a file"]);
    many(&desk, &["--lines", "p", "--report", "out/new.wav"]).fails(2, &["--report out/new.wav: a report is no .wav"]);
    let ab = ["speak", "--ab", VOICE, VOICE, "Oi", "--demo", "--report", "ab/ab.html"];
    desk.run(&ab).fails(2, &["--ab and --report name the same file, ab/ab.html"]);
    assert_eq!((desk.bytes("p"), desk.bytes("q")), (b"um\ndois\n".into(), b"um\ndois\n".into()));
    desk.run(&["report", "page", "out/report.jsonl", "-o", "-"]).fails(2, &["-: it goes to a file, not to stdout"]);
    assert!(!desk.path("-").exists() && !desk.path("ab").exists());
}

#[test]
fn lines_that_are_gone_leave_files_that_are_named_and_can_be_pruned() {
    let desk = Desk::new();
    fs::write(desk.path("p"), "um\ndois\ntrês\n").unwrap();
    many(&desk, &["--lines", "p"]).prints();
    fs::write(desk.path("p"), "um\n").unwrap();
    let ran = many(&desk, &["--lines", "p"]);
    ran.says(&["2 files of earlier runs", "--prune removes", "out/00002-dois.wav, out/00003-tres.wav"]);
    assert_eq!(names(&desk).len(), 3);
    fs::write(desk.path("out/00003-tres.wav"), "mastered").unwrap();
    many(&desk, &["--lines", "p", "--prune"]).says(&["1 file of earlier runs, removed: out/00002-dois.wav"]);
    assert_eq!(names(&desk), ["00001-um.wav", "00003-tres.wav"], "what was changed is kept");
}

#[test]
fn no_output_replaces_what_it_is_made_of() {
    let desk = Desk::new();
    fs::write(desk.path("p"), "um\n").unwrap();
    fs::copy(VOICE, desk.path("ana.npz")).unwrap();
    let before = (desk.bytes("p"), desk.bytes("ana.npz"));
    let own = ["its own result"];
    desk.speak("oi", &["--voice", "ana.npz", "-o", "ana.npz", "--force"]).fails(2, &own);
    desk.speak("oi", &["--voice", "ana.npz", "-o", "x.wav", "--save-voice", "./ana.npz", "--force"]).fails(2, &own);
    desk.run(&[&["speak", "--file", "p", "-o", "p", "--force"], &SPEAK[..]].concat()).fails(2, &own);
    desk.babble("talk.wav", 1.0);
    desk.convert(&["talk.wav"], &["-o", "voice.npz", "--force"]).fails(2, &own);
    desk.prepare(&["talk.wav", "--raw", "-o", "talk.wav", "--force"]).fails(2, &["name it .npz"]);
    desk.prepare(&["talk.wav", "--raw", "-o", "x.npz", "--preview", "talk.wav", "--force"]).fails(2, &own);
    let preview = desk.run(&["voice", "preview", "ana.npz", "--codec", "demo"]);
    assert_eq!(preview.prints(), "ana-preview.wav");
    assert!(before == (desk.bytes("p"), desk.bytes("ana.npz")));
}

#[test]
fn no_result_replaces_what_it_is_made_of_or_judged_by() {
    let desk = Desk::new();
    desk.babble("ref.wav", 2.0);
    fs::write(desk.path("p"), "um\n").unwrap();
    fs::copy(desk.path("p"), desk.path("list.wav")).unwrap();
    many(&desk, &["--lines", "p", "--voice", VOICE]).prints();
    let own = "it would be replaced by its own result";
    let before = ["ref.wav", "list.wav", "out/report.jsonl"].map(|name| desk.bytes(name));
    let judged = ["--voice", VOICE, "--best-of", "2", "--voice-of", "ref.wav", "--force"];
    desk.speak("oi", &[&judged[..], &["-o", "ref.wav"]].concat()).fails(2, &["ref.wav", own]);
    desk.run(&["check", "ref.wav", "--report", "ref.wav", "--force"]).fails(2, &["ref.wav", own]);
    desk.run(&["report", "page", "out/report.jsonl", "-o", "out/report.jsonl", "--force"]).fails(2, &[own]);
    let names = ["--voice", VOICE, "-d", ".", "--names", "list.wav", "--force"];
    many(&desk, &[&["--lines", "list.wav"], &names[..]].concat()).fails(7, &["list.wav", own]);
    assert!(before == ["ref.wav", "list.wav", "out/report.jsonl"].map(|name| desk.bytes(name)));
}

#[test]
fn a_line_that_is_made_once_more_takes_no_edited_neighbour_with_it() {
    let desk = Desk::new();
    fs::write(desk.path("p"), "um\ndois\n").unwrap();
    let run = |flags: &[&str]| many(&desk, &[&["--lines", "p", "--voice", VOICE], flags].concat());
    run(&[]).prints();
    for name in ["out/00001-um.wav", "out/00002-dois.wav"] {
        fs::write(desk.path(name), "mine").unwrap();
    }
    run(&["--redo", "2", "-q"]).says(&["warning: out/00002-dois.wav: changed since it was made, kept"]);
    run(&["--redo", "2", "--force"]).says(&["1 spoken", "1 changed by you and kept"]);
    assert!(desk.bytes("out/00001-um.wav") == b"mine" && desk.bytes("out/00002-dois.wav") != b"mine");
}

#[test]
fn a_file_of_the_same_size_and_time_is_not_replaced_for_that() {
    let desk = Desk::new();
    fs::write(desk.path("p"), "um\n").unwrap();
    let run = |flags: &[&str]| many(&desk, &[&["--lines", "p", "--voice", VOICE], flags].concat());
    run(&[]).prints();
    let path = desk.path("out/00001-um.wav");
    let (mut bytes, time) = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    run(&["--restart"]).fails(7, &["00001-um.wav: was changed since it was made"]);
    assert!(fs::read(&path).unwrap() == bytes);
}

#[test]
fn a_report_whose_last_line_was_torn_goes_on_wherever_it_was_torn() {
    let desk = Desk::new();
    fs::write(desk.path("p"), "um\ndois\n").unwrap();
    let run = || many(&desk, &["--lines", "p", "--voice", VOICE]);
    run().prints();
    let (whole, sounds) = (desk.bytes("out/report.jsonl"), sounds(&desk, "out"));
    for (torn, told) in [(1, "0 spoken, 2 there already"), (2, "1 spoken, 1 there already"), (300, "1 spoken")] {
        fs::write(desk.path("out/report.jsonl"), &whole[..whole.len() - torn]).unwrap();
        run().says(&[told, "0 failed"]);
        assert!(report(&desk, "out/report.jsonl").len() == 2 && super::many::sounds(&desk, "out") == sounds);
    }
    // Whoever edited the file since the line was torn keeps it.
    fs::write(desk.path("out/report.jsonl"), &whole[..whole.len() - 2]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::write(desk.path("out/00002-dois.wav"), "mine").unwrap();
    run().says(&["00002-dois.wav: exists already"]);
    assert_eq!(desk.bytes("out/00002-dois.wav"), b"mine");
}

#[test]
fn a_dry_run_tells_what_is_left_over_and_renamed_and_one_result_may_be_judged_strictly() {
    let desk = Desk::new();
    fs::write(desk.path("p"), "um\ndois\ntrês\n").unwrap();
    let run = |flags: &[&str]| many(&desk, &[&["--lines", "p", "--voice", VOICE], flags].concat());
    run(&[]).prints();
    fs::write(desk.path("p"), "dois\ntrês\n").unwrap();
    let told = ["0 to speak, 2 there already, 2 to be renamed", "asked for no more; --prune removes: out/00001-um.wav"];
    run(&["--prune", "--dry-run"]).says(&told);
    assert_eq!(names(&desk).len(), 3);
    fs::write(desk.path("out/00001-um.wav"), "mine").unwrap();
    run(&["--prune"]).says(&["asked for no more, but changed by you and kept: out/00001-um.wav"]);
    let strict = desk.speak("Bom dia a todos", &["--voice", VOICE, "-o", "x.wav", "--strict"]);
    assert_eq!((strict.code, strict.stdout.as_slice()), (7, &b"x.wav\n"[..]), "{}", strict.stderr);
    strict.says(&["may not sound right", "--strict"]);
    let bad = desk.run(&["report", "summary", "out/report.jsonl", "--json"]).prints().to_owned();
    let bad: Value = serde_json::from_str(&bad).unwrap();
    assert_eq!(
        (bad["bad"].as_array().unwrap().len() as u64, bad["bad"][0]["line"].is_u64()),
        (bad["doubtful"].as_u64().unwrap(), true)
    );
}
