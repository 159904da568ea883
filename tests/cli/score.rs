//! Ears: how near voices are, what is heard of a sound, and the best of several takes.

use super::Desk;
use crate::noise::Size;
use crate::standins::{Data, Py, Spec, shared, write_zip};
use hound::SampleFormat;
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
fn each_recording_is_judged_by_what_is_asked_of_it() {
    let desk = desk();
    let ran = desk.run(&["score", "a.wav", "none.wav", "b.wav"]);
    let told = String::from_utf8(ran.stdout.clone()).unwrap();
    assert!(ran.code == 7 && told.lines().map(|line| line.split(':').next().unwrap()).eq(["a.wav", "b.wav"]), "{told}");
    ran.says(&["only what does not sound right is judged", "none.wav", "1 of 3 recordings cannot be used"]);
    desk.run(&["score", "a.wav", "--text", "!!! ..."]).fails(2, &["--text", "nothing to say"]);
    desk.run(&["score", "a.wav", "--word-ear", "nothing/here"]).fails(2, &["--word-ear", "--text"]);
    let mut silent =
        hound::WavWriter::create(desk.path("silent.wav"), super::spec(1, 16_000, 16, SampleFormat::Int)).unwrap();
    (0..16_000).for_each(|_| silent.write_sample(0i16).unwrap());
    silent.finalize().unwrap();
    let silent = desk.run(&["score", "silent.wav", "--text", "Oi"]);
    assert!(silent.prints().contains("nothing is heard") && !silent.prints().contains("pace"), "{}", silent.prints());
}

#[test]
fn a_folder_of_speechbrain_is_an_ear() {
    let desk = desk();
    let golden: Value = serde_json::from_str(include_str!("../golden/ears/ecapa.json")).unwrap();
    let shapes: Vec<(String, Vec<usize>)> = serde_json::from_value(golden["shapes"].clone()).unwrap();
    let rule = |(name, shape): (String, Vec<usize>)| {
        (name.clone(), Data::Rule { name: format!("ecapa.{name}"), shape, seed: 1 })
    };
    let counted = ("blocks.0.norm.norm.num_batches_tracked".to_owned(), Data::Zeros(vec![]));
    let state = shapes.into_iter().map(rule).chain([counted]);
    fs::create_dir(desk.path("ecapa")).unwrap();
    write_zip(&desk.path("ecapa/embedding_model.ckpt"), "archive", &Py::ordered(state), &[]);
    fs::write(desk.path("ecapa/classifier.ckpt"), "another net").unwrap();
    for ear in ["ecapa", "ecapa/embedding_model.ckpt"] {
        let ran = desk.run(&["score", "a.wav", "--voice-of", "a.wav", "--voice-ear", ear]);
        assert_eq!(ran.prints(), "a.wav: score 1.00 (similarity 1.00)");
    }
    let ran = desk.run(&["score", "a.wav", "--voice-of", "a.wav", "--voice-ear", "ecapa/classifier.ckpt"]);
    ran.fails(4, &["classifier.ckpt"]);
}

#[test]
fn voices_are_ranked_by_what_they_hold_and_by_what_they_say() {
    let desk = desk();
    for name in ["a", "b"] {
        desk.run(&["clone", &format!("{name}.wav"), "--demo", "-o", &format!("{name}.npz")]).prints();
    }
    for say in [&[][..], &["--held"], &["--say", "A minha casa tem uma porta."]] {
        let ran = desk.run(&[&["voice", "rank", "a.wav", "b.npz", "a.npz", "--demo"], say].concat());
        let names: Vec<_> = ran.prints().lines().map(|line| line.split("  ").last().unwrap()).collect();
        assert_eq!(names, ["a.npz", "b.npz"], "{say:?}");
    }
    desk.run(&["voice", "rank", "a.wav", "none.npz", "--demo"]).fails(3, &["none.npz"]);
}

#[test]
fn a_refined_voice_is_one_of_its_candidates_and_its_page_shows_and_plays_them() {
    let desk = desk();
    let refine = |flags: &[&str]| desk.run(&[&["clone", "a.wav", "--demo", "--refine", "3"], flags].concat());
    let ran = refine(&["--say", "Bom dia.", "-o", "r.npz", "--report", "r.html", "--audio", "--json"]);
    let told: Value = serde_json::from_str(ran.prints()).unwrap();
    let (kept, plain) = (&told["refined"]["kept"], &told["refined"]["plain"]);
    let rounds = told["refined"]["rounds"].as_array().unwrap();
    assert!(rounds.len() <= 2 && rounds.iter().all(|round| round.as_array().unwrap().len() == 3), "{told}");
    assert!(rounds.iter().flat_map(|round| round.as_array().unwrap()).any(|candidate| candidate == kept));
    assert!(kept["total"].as_f64() >= plain["total"].as_f64());
    assert_eq!(told["voice_hash"], kept["voice_hash"]);
    ran.says(&["round 1, 3 voices", "kept the clone of"]);
    let page = String::from_utf8(desk.bytes("r.html")).unwrap();
    let takes = 3 * rounds.len();
    assert_eq!(page.matches("<section class=take>").count(), takes);
    assert_eq!(page.matches("<audio").count(), takes + 1, "the recording too");
    refine(&["-o", "r.npz"]).fails(6, &["r.npz", "exists"]);
    refine(&["-o", "s.npz", "--report", "r.html"]).fails(6, &["r.html", "exists"]);
    let none = ["--say", "Bom dia.", "--force"];
    let refused = |flags: &[&str], word: &str| refine(&[flags, &none].concat()).fails(2, &[word]);
    refused(&["-o", "s.npz", "--report", "./s.npz"], "--output and --report name the same file");
    refused(&["-o", "s.npz", "--preview", "p.wav", "--report", "p.wav"], "--preview and --report name the same file");
    refused(&["-o", "s.npz", "--report", "a.wav"], "a.wav: it would be replaced by its own result");
    refused(&["-o", "s.npz", "--report", "-"], "--report -: a report goes to a file, not to stdout");
    desk.run(&["clone", "a.wav", "--demo", "--each", "--report", "new.npz"]).fails(2, &["a report is no .npz file"]);
    fs::write(desk.path("mine.pth"), "a quantizer").unwrap();
    refine(&["-o", "s.npz", "--quantizer", "mine.pth"]).fails(2, &["--refine", "--say"]);
    desk.run(&["clone", "a.wav", "--demo", "--audio"]).fails(2, &["--refine"]);
    desk.run(&["clone", "a.wav", "--demo", "--lora", "mine"]).fails(2, &["--refine"]);
    let adapted = refine(&[&["-o", "s.npz", "--lora", "mine"], &none[..]].concat());
    adapted.fails(4, &["mine: there is no such file or folder"]);
    assert!(!desk.path("s.npz").exists());
}

/// The scores of these sounds against `a.wav`.
fn scores(desk: &Desk, sounds: &[&str]) -> Vec<f64> {
    let ran = desk.run(&[&["score", "--voice-of", "a.wav", "--demo", "--json", "--text", TEXT], sounds].concat());
    let total = |line| serde_json::from_str::<Value>(line).unwrap()["total"].as_f64().unwrap();
    ran.prints().lines().map(total).collect()
}

const TEXT: &str = "A minha casa tem uma porta.";

#[test]
fn the_best_of_several_takes_is_what_its_seed_says_and_the_others_follow_by_rank() {
    let desk = desk();
    desk.run(&["clone", "a.wav", "--demo", "-o", "a.npz"]).prints();
    let speak = |flags: &[&str]| desk.run(&[&["speak", TEXT, "--demo", "--voice", "a.npz"], flags].concat());
    let ran = speak(&["--best-of", "3", "--keep-all", "--voice-of", "a.wav", "--seed", "5", "-o", "x.wav"]);
    assert_eq!(ran.prints(), "x.wav\nx.2.wav\nx.3.wav");
    let scores = scores(&desk, &["x.wav", "x.2.wav", "x.3.wav"]);
    // The files hold 16 bits, which the takes that were judged did not.
    assert!(scores[0] > scores[2] && scores.is_sorted_by(|a, b| *a > b - 2e-3), "{scores:?}");
    let seed = ran.stderr.split("the best one has seed ").nth(1).unwrap().split(':').next().unwrap();
    ran.says(&["3 takes", ": similarity ", "; seed "]);
    speak(&["--seed", seed, "-o", "alone.wav"]).prints();
    assert_eq!(desk.bytes("alone.wav"), desk.bytes("x.wav"));
    speak(&["--best-of", "3", "--keep-all", "-o", "x.2.wav"]).fails(6, &["x.2.wav", "exists"]);
    fs::remove_file(desk.path("x.wav")).unwrap();
    speak(&["--best-of", "2", "--keep-all", "-o", "x.wav"]).fails(6, &["x.2.wav", "exists"]);
    speak(&["--best-of", "2", "--keep-all", "-o", "-"]).fails(2, &["--keep-all"]);
}

#[test]
fn of_many_lines_each_has_its_best_take_and_the_report_all_scores() {
    let desk = desk();
    desk.run(&["clone", "a.wav", "--demo", "-o", "a.npz"]).prints();
    fs::write(desk.path("lines.txt"), "Bom dia.\nA casa tem uma porta.\n").unwrap();
    let run = |flags: &[&str]| {
        let ran = desk.run(
            &[
                &["speak", "--lines", "lines.txt", "-d", "out", "--demo", "--voice", "a.npz", "--names", "{index}"],
                flags,
            ]
            .concat(),
        );
        assert_eq!(ran.prints(), if ran.stderr.contains("2 spoken") { "out/1.wav\nout/2.wav" } else { "" });
        ran
    };
    run(&["--best-of", "2", "--keep-all", "--batch", "3"]);
    let report = fs::read_to_string(desk.path("out/report.jsonl")).unwrap();
    for line in report.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let heard = line["heard"].as_array().unwrap();
        let total = |take: &Value| take["total"].as_f64().unwrap();
        assert_eq!((heard.len(), &line["takes"]), (2, &2.into()));
        let (best, other) = if line["seed"] == heard[0]["seed"] { (0, 1) } else { (1, 0) };
        assert!(total(&heard[best]) >= total(&heard[other]) && total(&line["score"]) == total(&heard[best]));
        let out = heard[other]["out"].as_str().unwrap();
        assert_eq!(out, line["out"].as_str().unwrap().replace(".wav", ".2.wav"));
        assert!(desk.path("out").join(out).is_file() && heard[best]["out"].is_null());
    }
    run(&["--best-of", "2", "--keep-all"]).says(&["0 spoken, 2 there already"]);
    // What is finished includes the takes that are asked for.
    let takes = || ["out/1.2.wav", "out/2.2.wav"].map(|name| fs::read(desk.path(name)).unwrap());
    let first = takes();
    fs::remove_file(desk.path("out/1.2.wav")).unwrap();
    fs::remove_file(desk.path("out/2.2.wav")).unwrap();
    run(&["--best-of", "2"]).says(&["0 spoken, 2 there already"]);
    run(&["--best-of", "2", "--keep-all"]).says(&["2 spoken"]);
    assert_eq!(takes(), first, "the same again");
    run(&["--best-of", "2", "--prune"]).says(&["2 files of earlier runs, removed: out/1.2.wav, out/2.2.wav"]);
    run(&["--best-of", "2", "--keep-all"]).says(&["2 spoken"]);
    run(&["--best-of", "3", "--keep-all"]).says(&["2 spoken"]);
    assert!(desk.path("out/2.3.wav").is_file(), "more takes were wanted than were made");
    // An edited take is kept; takes of a line that is gone are removed with it.
    fs::write(desk.path("out/1.2.wav"), "mine").unwrap();
    let flags = ["--best-of", "4", "--keep-all"];
    let base = ["speak", "--lines", "lines.txt", "-d", "out", "--demo", "--voice", "a.npz", "--names", "{index}"];
    let edited = "1.2.wav: exists already, or was changed since";
    let ran = desk.run(&[&base[..], &flags].concat());
    ran.says(&[edited, "1 spoken"]);
    assert_eq!((ran.code, ran.stdout.as_slice()), (7, &b"out/2.wav\n"[..]));
    assert_eq!(fs::read(desk.path("out/1.2.wav")).unwrap(), b"mine");
    fs::write(desk.path("lines.txt"), "Bom dia.\n").unwrap();
    run(&["--best-of", "2", "--prune"]).says(&["5 files of earlier runs, removed: out/2.wav, "]);
    let there = ["1.wav", "1.2.wav", "1.3.wav", "2.wav", "2.2.wav", "2.3.wav", "2.4.wav"];
    let there = there.map(|name| desk.path("out").join(name).is_file());
    assert_eq!(there, [true, true, false, false, false, false, false]);
}

/// The first seconds of a recording.
fn begin(from: &Path, seconds: f64, to: &Path) {
    let mut from = hound::WavReader::open(from).unwrap();
    let count = (seconds * f64::from(from.spec().sample_rate)) as usize;
    let mut to = hound::WavWriter::create(to, from.spec()).unwrap();
    from.samples::<i16>().take(count).for_each(|sample| to.write_sample(sample.unwrap()).unwrap());
    to.finalize().unwrap();
}

#[test]
fn words_are_heard_where_whisper_is_at_hand_and_else_that_is_said_once() {
    let desk = desk();
    let whisper = shared("cli-whisper", |dir| Spec::new(Size::Tiny, 5).write_whisper(dir));
    let whisper = whisper.to_str().unwrap();
    begin(&desk.path("a.wav"), 0.9, &desk.path("short.wav"));
    let score = |flags: &[&str]| desk.run(&[&["score", "a.wav", "short.wav", "--text", TEXT], flags].concat());
    let ran = score(&["--word-ear", whisper, "--json"]);
    let lines: Vec<Value> = ran.prints().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        let said = line["said"].as_str().unwrap();
        let wrong = line["letters_wrong"].as_f64().unwrap();
        assert!(said.starts_with('w') && wrong > 0.5, "{line}");
        let likely = line["likelihood"].as_f64();
        let total = -0.5 * wrong.min(1.0) + 0.1 * likely.unwrap_or(0.0) - 0.01 * line["badness"].as_f64().unwrap();
        assert!((line["total"].as_f64().unwrap() - total).abs() < 1e-4, "{line}");
    }
    // How likely a text is, is heard of what this Whisper hears at once: a second.
    assert!(lines[0]["likelihood"].is_null() && lines[1]["likelihood"].as_f64().unwrap() < 0.0, "{lines:?}");
    let ran = score(&["--word-ear", whisper]);
    assert!(ran.prints().contains(" % of letters wrong), "), "{}", ran.prints());
    assert!(ran.prints().contains(" % of letters wrong, likelihood -"), "{}", ran.prints());
    let ran = score(&[]);
    assert_eq!(ran.stderr.matches("words are not heard: whisper-base is not at hand").count(), 1, "{}", ran.stderr);
    assert!(!score(&["--word-ear", "none"]).stderr.contains("not heard"));
    score(&["--word-ear", "whisper-tiny"]).fails(5, &["whisper-tiny"]);
    score(&["--word-ear", "a.wav"]).fails(4, &["a.wav", "config.json"]);
    let speak = |flags: &[&str]| desk.run(&[&["speak", TEXT, "--demo", "--best-of", "2"], flags].concat());
    let ran = speak(&["--word-ear", whisper, "-o", "heard.wav"]);
    ran.says(&[" % of letters wrong, ", "agreement "]);
    speak(&["-o", "unheard.wav"]).says(&["words are not heard", "agreement "]);
}

#[test]
fn what_hears_tokens_must_fit_and_is_left_out_where_it_is_not_at_hand() {
    let desk = desk();
    desk.run(&["clone", "a.wav", "--demo", "-o", "a.npz"]).prints();
    let speak = |flags: &[&str]| {
        let demo =
            ["--bark", "demo", "--codec", "demo", "--voice-ear", "spectrum", "--voice", "a.npz", "--best-of", "2"];
        desk.run(&[&["speak", TEXT][..], &demo, flags].concat())
    };
    speak(&["-o", "x.wav"]).says(&["hubert-base and pt are not at hand"]);
    let ran = speak(&["-o", "y.wav", "--hubert", "demo", "--quantizer", "demo"]);
    ran.says(&["agreement "]);
    speak(&["-o", "z.wav", "--hubert", "demo"]).fails(5, &["pt"]);
    let whisper = shared("cli-whisper", |dir| Spec::new(Size::Tiny, 5).write_whisper(dir));
    let ran = speak(&["-o", "w.wav", "--word-ear", whisper.to_str().unwrap()]);
    ran.says(&[" % of letters wrong"]);
    assert!(!["hubert-base", "agreement"].iter().any(|word| ran.stderr.contains(word)), "{}", ran.stderr);
}

#[test]
fn a_conversion_has_its_best_take_too() {
    let desk = desk();
    desk.run(&["clone", "a.wav", "--demo", "-o", "a.npz"]).prints();
    let convert = |flags: &[&str]| desk.run(&[&["convert", "b.wav", "--demo", "--voice", "a.npz"], flags].concat());
    convert(&["--best-of", "2", "--keep-all", "-o", "x.wav"]).prints();
    let scores = scores(&desk, &["x.wav", "x.2.wav"]);
    assert_eq!(scores.len(), 2);
    convert(&["--best-of", "2", "--keep-all", "-d", "out"]).prints();
    assert!(desk.path("out/b.wav").is_file() && desk.path("out/b.2.wav").is_file());
    convert(&["--best-of", "2", "-o", "-"]).fails(2, &["--best-of", "-o FILE"]);
}
