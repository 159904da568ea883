//! `barkclone speak --lines` and `--jobs`: a file for each line, a report of all, and going on from it.

use super::{Desk, Ran, SPEAK};
use crate::info::read_info;
use barkclone::audio::read_wav;
use barkclone::sound::loudness;
use serde_json::Value;
use std::fs;

pub(super) const VOICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sound/voices/preset.npz");

/// `speak` of many, into `out`.
pub(super) fn many(desk: &Desk, flags: &[&str]) -> Ran {
    desk.run(&arguments(flags))
}

pub(super) fn arguments<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    [&["speak"], &super::without(&SPEAK, flags)[..], &super::without(&["-d", "out"], flags)[..], flags].concat()
}

pub(super) fn report(desk: &Desk, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(desk.path(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names and bytes of all files in `folder` but reports and the voice of a run that was given none.
pub(super) fn sounds(desk: &Desk, folder: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(desk.path(folder)).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> =
        entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect();
    files.retain(|(name, _)| !name.ends_with(".jsonl") && name != "voice.npz");
    files.sort();
    files
}

pub(super) fn names(desk: &Desk) -> Vec<String> {
    sounds(desk, "out").into_iter().map(|(name, _)| name).collect()
}

#[test]
fn each_line_gets_a_file_and_a_line_of_the_report() {
    let desk = Desk::new();
    fs::write(desk.path("prompts.txt"), "# titles\n\nOlá, mundo!\n  Bom   dia \r\nOlá, mundo!\n").unwrap();
    let ran = many(&desk, &["--lines", "prompts.txt", "--voice", VOICE]);
    assert_eq!(ran.prints(), "out/00001-ola-mundo.wav\nout/00002-bom-dia.wav\nout/00003-ola-mundo.wav");
    ran.says(&[
        "prompts.txt: not spoken, as they begin with #: 1",
        "3 spoken, 0 there already, 0 failed",
        "than speech",
    ]);
    let records = report(&desk, "out/report.jsonl");
    let told = |key: &str| records.iter().map(|r| r[key].clone()).collect::<Vec<_>>();
    assert_eq!(told("line"), [3, 4, 5].map(Value::from));
    assert_eq!(told("text"), ["Olá, mundo!", "Bom dia", "Olá, mundo!"].map(Value::from));
    assert_eq!(records[2]["id"], format!("{}-2", records[0]["id"].as_str().unwrap()));
    for record in &records {
        assert_eq!((record["tokens"].as_u64(), record["settings"]["max_seconds"].as_f64()), (Some(15), Some(0.3)));
        let wav = desk.path("out").join(record["out"].as_str().unwrap());
        assert_eq!(fs::metadata(&wav).unwrap().len(), record["bytes"].as_u64().unwrap());
        let info = read_info(&wav);
        let seed = format!("voice={} seed={} ", record["voice_hash"].as_str().unwrap(), record["seed"]);
        assert!(info.iter().any(|(tag, text)| tag == "ICMT" && text.contains(&seed)), "{info:?}");
    }
    let sound = sounds(&desk, "out");
    assert!(sound[0].1 != sound[2].1, "the second of a text is another take");
}

#[test]
fn an_utterance_of_many_is_the_one_that_speak_makes_of_its_seed() {
    let desk = Desk::new();
    let jobs = r#"{"text": "Bom dia", "id": "a", "seed": 7, "voice": "ana", "text_temp": 0.5, "out": "x/bom"}"#;
    fs::write(desk.path("jobs.jsonl"), jobs).unwrap();
    let ran = many(&desk, &["--jobs", "jobs.jsonl", "--voice", &format!("ana={VOICE}")]);
    assert_eq!(ran.prints(), "out/x/bom.wav");
    let alone = ["--voice", VOICE, "--seed", "7", "--text-temp", "0.5", "-o", "alone.wav"];
    desk.speak("Bom dia", &alone).prints();
    assert!(desk.bytes("out/x/bom.wav") == desk.bytes("alone.wav"));
}

#[test]
fn a_second_run_does_what_is_new_or_changed_or_gone_and_nothing_else() {
    let desk = Desk::new();
    let put = |lines: &str| fs::write(desk.path("p"), lines).unwrap();
    let run = |flags: &[&str]| many(&desk, &[&["--lines", "p"], flags].concat()).prints().to_owned();
    put("um\ndois\ntrês\n");
    run(&[]);
    let first = sounds(&desk, "out");
    assert_eq!((run(&[]), sounds(&desk, "out") == first), (String::new(), true));
    fs::remove_file(desk.path("out/00002-dois.wav")).unwrap();
    assert_eq!(run(&["--resume"]), "out/00002-dois.wav");
    assert!(sounds(&desk, "out") == first, "they are the same again");
    let cold = ["--lines", "p", "--text-temp", "0.1"];
    many(&desk, &cold)
        .fails(6, &["out: finished results", "3: the settings are other ones now", "--force or --restart"]);
    assert!(sounds(&desk, "out") == first, "finished work is not replaced unasked");
    let forced = many(&desk, &[&cold[..], &["--force"]].concat());
    assert_eq!(forced.prints().lines().count(), 3);
    forced.says(&["3 to speak anew: the settings are other ones now"]);
    assert_eq!(many(&desk, &cold).prints(), "");
    let again = many(&desk, &["--lines", "p", "--restart"]);
    assert_eq!(again.prints().lines().count(), 3);
    again.says(&["3 to speak anew: the settings are other ones now"]);
    many(&desk, &["--lines", "p", "--restart"]).says(&["3 to speak anew: --restart"]);
    assert!(sounds(&desk, "out") == first);
}

#[test]
fn a_line_put_in_between_moves_the_others_and_speaks_none_of_them_again() {
    let desk = Desk::new();
    fs::write(desk.path("p"), "um\num\ndois\n").unwrap();
    many(&desk, &["--lines", "p", "--voice", VOICE]).prints();
    fs::write(desk.path("p"), "zero\num\num\ndois\n").unwrap();
    let ran = many(&desk, &["--lines", "p", "--voice", VOICE, "--batch", "1"]);
    assert_eq!(ran.prints(), "out/00001-zero.wav");
    ran.says(&["1 spoken, 3 there already, 3 renamed, 0 failed"]);
    let fresh = Desk::new();
    fs::copy(desk.path("p"), fresh.path("p")).unwrap();
    many(&fresh, &["--lines", "p", "--voice", VOICE]).prints();
    assert!(sounds(&desk, "out") == sounds(&fresh, "out"), "{:?}", names(&desk));
}

#[test]
fn a_bad_line_does_not_stop_the_others() {
    let desk = Desk::new();
    let long = "palavra ".repeat(40);
    let jobs = [
        r#"{"text": "um"}"#.to_string(),
        r#"{"text": "dois", "sped": 2}"#.into(),
        "{".into(),
        format!(r#"{{"text": "{long}"}}"#),
        r#"{"text": "três", "voice": "none.npz"}"#.into(),
        r#"{"text": "quatro", "text_temp": -1}"#.into(),
        r#"{"text": "cinco", "min_eos_p": 0}"#.into(),
        r#"{"text": "seis"}"#.into(),
    ];
    fs::write(desk.path("j"), jobs.join("\n")).unwrap();
    let ran = many(&desk, &["--jobs", "j"]);
    assert_eq!(
        (ran.code, ran.stdout.as_slice()),
        (7, &b"out/00001-um.wav\nout/00008-seis.wav\n"[..]),
        "{}",
        ran.stderr
    );
    ran.says(&["line 2: ", "unknown key `sped`", "line 3: ", "line 4: ", "319 tokens, 256 fit", "--file"]);
    ran.says(&["line 5: none.npz", "line 6: --text-temp -1", "line 7: ", "6 of 8 utterances failed: out/report.jsonl"]);
    let failed = report(&desk, "out/report.jsonl");
    let lines: Vec<_> = failed.iter().filter(|r| r["error"].is_string()).map(|r| r["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7]);
    let ran = many(&desk, &["--jobs", "j", "--fail-fast"]);
    assert_eq!((ran.code, ran.stderr.matches("line ").count()), (7, 2), "{}", ran.stderr);
    ran.says(&["stopped at line 2", "unknown key `sped`"]);
    let summed = desk.run(&["report", "summary", "out/report.jsonl"]);
    assert!(summed.prints().contains("2 done, 6 failed, 2 that may not sound right;"), "{}", summed.prints());
}

#[test]
fn voices_of_jobs_lie_beside_their_file_or_in_the_working_folder() {
    let desk = Desk::new();
    fs::create_dir(desk.path("episode")).unwrap();
    fs::copy(VOICE, desk.path("episode/ana.npz")).unwrap();
    fs::copy(super::VOICE, desk.path("ana.npz")).unwrap();
    fs::copy(super::VOICE, desk.path("eva.npz")).unwrap();
    let jobs = ["ana.npz", "eva.npz", "ida.npz"].map(|voice| format!(r#"{{"text": "oi", "voice": "{voice}"}}"#));
    fs::write(desk.path("episode/j"), jobs.join("\n")).unwrap();
    let ran = many(&desk, &["--jobs", "episode/j"]);
    assert_eq!(ran.code, 7);
    ran.says(&["line 3: ida.npz: neither beside episode/j nor in the working folder"]);
    let hashes: Vec<_> = report(&desk, "out/report.jsonl").iter().map(|r| r["voice_hash"].clone()).collect();
    desk.run(&["voice", "inspect", "episode/ana.npz"]).prints();
    assert!(hashes[0] != hashes[1], "the one beside the jobs file is another one than that of the working folder");
    // From the folder of the jobs, the same two are found, and the others' lines fail and take nothing away.
    let mut inside = desk.command(&arguments(&["--jobs", "j", "-d", "../out"])[..]);
    let ran = Ran::of(inside.current_dir(desk.path("episode")).output().unwrap());
    ran.says(&["line 2: eva.npz: neither beside j", "0 spoken, 1 there already, 2 failed"]);
    many(&desk, &["--jobs", "episode/j"]).says(&["0 spoken, 2 there already, 1 failed"]);
}

#[test]
fn what_concerns_all_lines_is_refused_before_any() {
    let desk = Desk::new();
    fs::write(desk.path("p"), "um\n").unwrap();
    let refused = |flags: &[&str], code, words: &[&str]| many(&desk, flags).fails(code, words);
    refused(&["--lines", "none"], 3, &["none: cannot be read"]);
    refused(&["--lines", "."], 3, &["a folder"]);
    refused(&["--lines", "p", "--names", "{tex}"], 2, &["--names {tex}", "{slug}"]);
    refused(&["--lines", "p", "--shard", "3/2"], 2, &["--shard 3/2"]);
    refused(&["--lines", "p", "--batch", "0"], 2, &["auto"]);
    refused(&["--lines", "p", "--text-temp", "-1"], 2, &["--text-temp -1"]);
    refused(&["--lines", "p", "--voice", "none.npz"], 3, &["none.npz"]);
    refused(&["--lines", "p", "--voice", VOICE, "--voice", VOICE], 2, &["--voice", "NAME=VOICE"]);
    refused(&["--lines", "p", "--redo", "x"], 2, &["--redo x", "bad"]);
    refused(&["--lines", "p", "--jobs", "p"], 2, &["cannot be used with"]);
    refused(&["--lines", "p", "-o", "x.wav"], 2, &["--output FILE is for one sound"]);
    desk.run(&["speak", "oi", "--restart"]).fails(2, &["--restart is for many", "--lines"]);
    desk.run(&["speak", "--lines", "p"]).fails(2, &["where shall the sounds go?", "-d DIR"]);
    desk.run(&["speak", "oi", "--lines", "p", "-d", "out"]).fails(2, &["cannot be used with"]);
    desk.speak("oi", &["--voice", VOICE, "--voice", VOICE]).fails(2, &["one voice"]);
    assert!(!desk.path("out").exists());
    fs::write(desk.path("out"), "").unwrap();
    refused(&["--lines", "p"], 6, &["out: cannot be made"]);
}

#[test]
fn a_dry_run_tells_the_plan_and_writes_nothing() {
    let desk = Desk::new();
    fs::write(desk.path("p"), format!("um\n{}\ndois\n", "palavra ".repeat(40))).unwrap();
    let ran = many(&desk, &["--lines", "p", "--dry-run"]);
    let plan = "out/00001-um.wav\t0.3 s\tum\nout/00003-dois.wav\t0.3 s\tdois\n";
    assert_eq!((ran.code, String::from_utf8(ran.stdout).unwrap().as_str()), (7, plan), "{}", ran.stderr);
    assert!(ran.stderr.contains("line 2: ") && ran.stderr.contains("2 to speak, 0 there already, 1 that cannot be"));
    assert_eq!(desk.files(), ["p"]);
    assert_eq!(many(&desk, &["--lines", "p"]).code, 7);
    let before = sounds(&desk, "out");
    let ran = many(&desk, &["--lines", "p", "--dry-run"]);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("0 to speak, 2 there already"), "{}", ran.stderr);
    assert!(sounds(&desk, "out") == before);
    // Without models at hand there is a plan all the same.
    let ran = desk.run(&["speak", "--lines", "p", "-d", "elsewhere", "--dry-run"]);
    ran.prints();
    ran.says(&["tokenizer is not at hand", "models are not at hand", "3 to speak", "on two threads"]);
}

#[test]
fn lines_come_from_a_pipe_too_and_events_go_to_one() {
    let desk = Desk::new();
    let ran = desk.run_with("um\n\ndois".as_bytes(), &arguments(&["--lines", "-", "--json"]));
    let events: Vec<Value> = ran.prints().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = events.iter().map(|e| (e["event"].as_str().unwrap(), e["line"].as_u64())).collect();
    let expected =
        [("started", Some(1)), ("done", Some(1)), ("started", Some(3)), ("done", Some(3)), ("summary", None)];
    let sorted = |mut told: Vec<(&'static str, Option<u64>)>| {
        told.sort();
        told
    };
    let told = told
        .into_iter()
        .map(|(name, line)| (*["started", "done", "summary"].iter().find(|n| **n == name).unwrap(), line));
    assert_eq!(sorted(told.collect()), sorted(expected.to_vec()));
    assert!(events.iter().any(|e| e["out"] == "out/00001-um.wav" && e["seconds"].is_f64()));
    assert_eq!((events[4]["done"].as_u64(), events[4]["failed"].as_u64()), (Some(2), Some(0)));
    let ran = desk.run_with(b"um\n\ndois", &arguments(&["--lines", "-", "--json"]));
    assert_eq!(ran.prints().matches("\"event\":\"skipped\"").count(), 2, "{}", ran.stderr);
}

#[test]
fn a_list_from_a_pipe_is_gone_on_from_as_one_from_a_file() {
    let desk = Desk::new();
    let piped = |list: &str, flags: &[&str]| {
        let flags = [&["--lines", "-", "--voice", VOICE], flags].concat();
        desk.run_with(list.as_bytes(), &arguments(&flags))
    };
    piped("# a remark\num\num\ndois\n", &[]).says(&["-: not spoken, as they begin with #: 1", "3 spoken"]);
    let ran = piped("zero\num\num\n", &["--batch", "1"]);
    ran.says(&["1 spoken, 2 there already, 2 renamed", "1 file of earlier runs", "out/00003-dois.wav"]);
    piped("zero\num\num\n", &["--fast"]).fails(6, &["finished results would be replaced (3: the settings"]);
}

#[test]
fn a_run_without_a_voice_makes_one_for_all_lines_and_keeps_it() {
    let desk = Desk::new();
    fs::write(desk.path("p"), "um\ndois\numa frase que é mais longa do que as outras duas\n").unwrap();
    let run = |flags: &[&str]| many(&desk, &[&["--lines", "p", "--names", "{voice}-{index}"], flags].concat());
    let ran = run(&[]);
    assert_eq!(ran.prints(), "out/voice-1.wav\nout/voice-2.wav\nout/voice-3.wav");
    ran.says(&[
        "no --voice: a random one, seed ",
        "kept in out/voice.npz",
        "seed 0: each line's own seed is made of it",
    ]);
    let hash = |path: &str| desk.run(&["voice", "inspect", path, "--json"]).prints().to_owned();
    let voices: Vec<_> = report(&desk, "out/report.jsonl").iter().map(|r| r["voice_hash"].clone()).collect();
    assert!(
        voices.iter().all(|hash| hash == &voices[0]) && hash("out/voice.npz").contains(voices[0].as_str().unwrap())
    );
    let (first, voice) = (sounds(&desk, "out"), desk.bytes("out/voice.npz"));
    run(&[]).says(&["no --voice: that of an earlier run, out/voice.npz", "0 spoken, 3 there already"]);
    fs::remove_file(desk.path("out/voice-2.wav")).unwrap();
    assert_eq!(run(&[]).prints(), "out/voice-2.wav");
    assert!(sounds(&desk, "out") == first && desk.bytes("out/voice.npz") == voice);
    fs::remove_file(desk.path("out/voice.npz")).unwrap();
    run(&[]).fails(6, &["3: the voice is another one now"]);
    many(&desk, &["--lines", "p", "-d", "shares", "--shard", "1/2"]).fails(2, &["--shard: without --voice"]);
    let alike = ["--seed", "7", "--lines", "p"];
    many(&desk, &[&alike[..], &["-d", "a"]].concat()).prints();
    many(&desk, &[&alike[..], &["-d", "b"]].concat()).prints();
    assert!(desk.bytes("a/voice.npz") == desk.bytes("b/voice.npz"), "--seed is the voice's, too");
}

#[test]
fn shards_make_what_one_run_makes_and_their_reports_merge() {
    let desk = Desk::new();
    let lines: String = (1..=12).map(|n| format!("frase {n}\n")).collect();
    fs::write(desk.path("p"), lines).unwrap();
    for shard in ["1/3", "2/3", "3/3"] {
        many(&desk, &["--lines", "p", "--voice", VOICE, "--shard", shard]).prints();
    }
    let reports = ["out/report-1-of-3.jsonl", "out/report-2-of-3.jsonl", "out/report-3-of-3.jsonl"];
    let ran = desk.run(&[&["report", "merge"], &reports[..], &["-o", "out/report.jsonl"]].concat());
    assert_eq!(ran.prints(), "out/report.jsonl");
    let merged = report(&desk, "out/report.jsonl");
    assert_eq!(merged.iter().map(|r| r["index"].as_u64().unwrap()).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    assert_eq!(many(&desk, &["--lines", "p", "--voice", VOICE]).prints(), "", "the merged report is gone on from");
    let whole = Desk::new();
    fs::copy(desk.path("p"), whole.path("p")).unwrap();
    many(&whole, &["--lines", "p", "--voice", VOICE]).prints();
    assert!(sounds(&desk, "out") == sounds(&whole, "out"));
    let ran = desk.run(&["report", "summary", "out/report.jsonl", "--json"]);
    let sum: Value = serde_json::from_str(ran.prints()).unwrap();
    assert_eq!((sum["done"].as_u64(), sum["failed"].as_u64()), (Some(12), Some(0)));
    desk.run(&["report", "summary", "p"]).fails(3, &["p: line 1 is no line of a report"]);
    desk.run(&["report", "merge", reports[0], "-o", reports[1]]).fails(6, &["exists already"]);
}

#[test]
fn the_size_of_a_batch_changes_nothing() {
    let desk = Desk::new();
    fs::write(desk.path("p"), "um\ndois e meio\ntrês\nquatro\ncinco\n").unwrap();
    let with = |batch: &str| {
        let _ = fs::remove_dir_all(desk.path("out"));
        assert_eq!(many(&desk, &["--lines", "p", "--voice", VOICE, "--batch", batch]).code, 0);
        sounds(&desk, "out")
    };
    let one = with("1");
    assert!(with("auto") == one && with("3") == one);
}

#[test]
fn what_may_not_sound_right_is_said_of_each_and_counted() {
    let desk = Desk::new();
    fs::write(desk.path("p"), "um\ndois\n").unwrap();
    let ran = many(&desk, &["--lines", "p"]);
    ran.says(&["warning: out/00001-um.wav (line 1): it may not sound right: ", "0 failed, 2 that may not sound right"]);
    let ran = many(&desk, &["--lines", "p", "--json", "--restart"]);
    let summary: Value = serde_json::from_str(ran.prints().lines().last().unwrap()).unwrap();
    assert_eq!((summary["doubtful"].as_u64(), summary["kept"].as_u64()), (Some(2), Some(0)));
    many(&desk, &["--lines", "p", "--strict"]).fails(7, &["--strict: 2 of 2 utterances may not sound right"]);
    let summed = desk.run(&["report", "summary", "out/report.jsonl"]);
    assert!(summed.prints().starts_with("line 1: 00001-um.wav: may not sound right: "), "{}", summed.prints());
    let told = |quiet: &str| many(&desk, &["--lines", "p", "--restart", quiet]).stderr;
    assert!(told("-q").lines().count() == 2 && told("-qq").is_empty(), "{}", told("-q"));
}

#[test]
fn names_of_files_have_the_voice_that_all_lines_share_and_one_line_is_redone() {
    let desk = Desk::new();
    fs::write(desk.path("p"), "um\ndois\n").unwrap();
    fs::copy(VOICE, desk.path("ana.npz")).unwrap();
    let run = |flags: &[&str]| {
        many(&desk, &[&["--lines", "p", "--voice", "ana.npz", "--names", "{voice}-{index}"], flags].concat())
    };
    assert_eq!(run(&[]).prints(), "out/ana-1.wav\nout/ana-2.wav");
    let first = sounds(&desk, "out");
    assert_eq!(run(&["--redo", "2"]).prints(), "out/ana-2.wav");
    run(&[]).says(&["0 spoken, 2 there already"]);
    let second = sounds(&desk, "out");
    assert!(second[0] == first[0] && second[1] != first[1]);
    run(&["--redo", "7"]).fails(2, &["--redo 7: there is no such line"]);
    assert!(!run(&[]).stderr.contains("warning: no --voice"));
}

#[test]
fn results_are_as_loud_as_is_asked_for() {
    let desk = Desk::new();
    let lufs = |name: &str| loudness(&read_wav(&desk.path(name), 60.0).unwrap().pcm).unwrap().unwrap();
    let near = |name: &str, target: f64| assert!((lufs(name) - target).abs() < 0.2, "{name}: {} LUFS", lufs(name));
    let flags = ["--voice", VOICE, "--max-seconds", "1.5", "--loudness", "-40"];
    fs::write(desk.path("p"), "um\ndois\n").unwrap();
    desk.speak("Bom dia", &[&flags[..], &["-o", "one.wav"]].concat()).prints();
    many(&desk, &[&flags[..], &["--lines", "p"]].concat()).prints();
    desk.run(&[&["speak"], &super::without(&SPEAK, &flags)[..], &flags, &["--file", "p", "-o", "book.wav"]].concat())
        .prints();
    desk.babble("talk.wav", 1.5);
    desk.convert(&["talk.wav"], &["-o", "mine.wav", "--loudness", "-40"]).prints();
    desk.convert(&["talk.wav"], &["-d", "mine", "--loudness", "-40"]).prints();
    for name in ["one.wav", "out/00001-um.wav", "out/00002-dois.wav", "book.wav", "mine.wav", "mine/talk.wav"] {
        near(name, -40.0);
    }
    // Another loudness is another result; the pieces of a book stay.
    many(&desk, &["--voice", VOICE, "--max-seconds", "1.5", "--lines", "p"])
        .fails(6, &["the models or flags are other ones"]);
    desk.speak("Bom dia", &["-o", "x.wav", "--max-seconds", "1.5", "--loudness", "-5"])
        .says(&["its peaks allow no more"]);
    desk.speak("Bom dia", &["--loudness", "3"]).fails(2, &["--loudness", "-70 to -5 LUFS"]);
}

#[test]
fn one_result_is_told_as_json_too_in_the_form_of_many() {
    let desk = Desk::new();
    desk.babble("talk.wav", 1.5);
    let told = |ran: Ran| serde_json::from_str::<Value>(ran.prints()).unwrap();
    let cloned = told(desk.clone("talk.wav", &["--json", "-o", "v.npz"]));
    let spoken = told(desk.speak("Bom dia", &["--json", "-o", "s.wav", "--voice", "v.npz"]));
    let converted = told(desk.convert(&["talk.wav"], &["--json", "-o", "c.wav"]));
    let checked = told(desk.run(&["check", "--json", "talk.wav"]));
    for (line, event, source) in [
        (&cloned, "done", "source"),
        (&spoken, "done", "text"),
        (&converted, "done", "source"),
        (&checked, "checked", "source"),
    ] {
        assert!(line["event"] == event && line[source].is_string() && line["seconds"].is_f64(), "{line}");
        let findings = line["findings"].as_array().unwrap();
        assert!(findings.iter().all(|f| f["fault"].is_string() && f["message"].is_string()), "{line}");
    }
    assert_eq!([&cloned["out"], &spoken["out"], &converted["out"]], ["v.npz", "s.wav", "c.wav"]);
    assert!(
        spoken["seed"].is_u64() && converted["seed"].is_u64() && !checked["findings"].as_array().unwrap().is_empty()
    );
}
