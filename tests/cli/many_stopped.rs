//! Runs over many utterances that are killed, interrupted or out of room: nothing is lost, nothing is half there, and
//! the next run ends with the same bytes as one that was left alone.

use super::many::{arguments, report, sounds};
use super::{Desk, Ran};
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

fn lines(desk: &Desk, count: usize) {
    let lines: String = (1..=count).map(|n| format!("frase {n}\n")).collect();
    fs::write(desk.path("p"), lines).unwrap();
}

fn start(desk: &Desk, flags: &[&str]) -> Child {
    // The seed is that of the voice, too, which is made first.
    let mut command = desk.command(&arguments(&[&["--lines", "p", "--seed", "7"], flags].concat()));
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the report has `count` lines.
fn wait_for_lines(desk: &Desk, count: usize) {
    let begun = Instant::now();
    let written = || fs::read_to_string(desk.path("out/report.jsonl")).map_or(0, |text| text.lines().count());
    while written() < count {
        assert!(begun.elapsed() < Duration::from_secs(300), "nothing happens");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Everything that has a name is whole: the report's lines and the files that they speak of.
fn check(desk: &Desk, whole: &[(String, Vec<u8>)]) {
    if !desk.path("out").exists() {
        return;
    }
    for (name, bytes) in sounds(desk, "out").iter().filter(|(name, _)| name.ends_with(".wav")) {
        let expected = whole.iter().find(|(other, _)| other == name).unwrap();
        assert!(expected.1 == *bytes, "{name} is not whole");
    }
}

#[cfg(unix)]
#[test]
fn a_run_killed_at_any_moment_goes_on_to_the_same_bytes() {
    const LINES: usize = 12;
    let (whole, killed) = (Desk::new(), Desk::new());
    lines(&whole, LINES);
    lines(&killed, LINES);
    let begun = Instant::now();
    assert!(start(&whole, &[]).wait().unwrap().success());
    let took = begun.elapsed();
    let expected = sounds(&whole, "out");
    assert_eq!(expected.len(), LINES);
    let mut random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    let mut kills = 0;
    for round in 0..20u64 {
        // The start is a part of each run, so that runs of a share of the time get somewhere and are killed anywhere.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = (random >> 33) % 1000;
        let mut child = start(&killed, &[]);
        std::thread::sleep(took.mul_f64(0.3 * part as f64 / 1000.0));
        child.kill().unwrap();
        kills += usize::from(child.wait().unwrap().code().is_none());
        check(&killed, &expected);
        if round % 5 == 4 {
            // A line torn by the crash of a whole machine.
            tear(&killed);
        }
    }
    assert!(kills > 0, "no run was killed before its end");
    assert!(start(&killed, &[]).wait().unwrap().success());
    assert!(sounds(&killed, "out") == expected, "parts of killed runs are gone, and all else is the same");
    let ids = |desk: &Desk| {
        let mut ids: Vec<_> = report(desk, "out/report.jsonl").iter().map(|r| r["id"].to_string()).collect();
        ids.sort();
        ids.dedup();
        ids
    };
    assert_eq!(ids(&killed), ids(&whole));
}

/// Leaves half a line at the report's end.
fn tear(desk: &Desk) {
    let path = desk.path("out/report.jsonl");
    let Ok(text) = fs::read_to_string(&path) else { return };
    let line = text.lines().next().unwrap_or_default();
    fs::write(&path, format!("{text}{}", &line[..line.len() / 2])).unwrap();
}

#[cfg(unix)]
#[test]
fn an_interrupt_finishes_what_is_under_way_and_says_so() {
    let (desk, whole) = (Desk::new(), Desk::new());
    for desk in [&desk, &whole] {
        lines(desk, 400);
    }
    let child = start(&desk, &[]);
    wait_for_lines(&desk, 2);
    interrupt(&child);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    ran.says(&[
        "stopping after what is under way (",
        "; about 0:",
        "); once more",
        "stopped; the same command goes on",
    ]);
    let there = sounds(&desk, "out");
    assert_eq!(there.len(), report(&desk, "out/report.jsonl").len());
    assert!((2..400).contains(&there.len()) && there.iter().all(|(name, _)| name.ends_with(".wav")));
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn two_runs_do_not_write_one_report() {
    let desk = Desk::new();
    lines(&desk, 400);
    let mut first = start(&desk, &[]);
    wait_for_lines(&desk, 1);
    desk.run(&arguments(&["--lines", "p"])).fails(6, &["out/report.jsonl: another run is writing", "--shard"]);
    first.kill().unwrap();
    first.wait().unwrap();
}

/// A limit on the size of files fails a write as a full disk does, at any byte, and needs no rights.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing_and_is_told() {
    let desk = Desk::new();
    lines(&desk, 8);
    let limited = |blocks: usize| {
        let Ran { code, stderr, .. } = desk.limited(blocks, &arguments(&["--lines", "p"]));
        (Some(code), stderr)
    };
    // A sound has 14 KiB, a line of the report half a KiB.
    let (code, stderr) = limited(8);
    assert_eq!(code, Some(6), "{stderr}");
    assert!(stderr.contains("00001-frase-1.wav: cannot be written"), "{stderr}");
    assert!(sounds(&desk, "out").is_empty(), "nothing is half there");
    assert_eq!(desk.run(&arguments(&["--lines", "p"])).code, 0);
    let expected = sounds(&desk, "out");
    assert_eq!(expected.len(), 8);

    // Now the report is what does not fit.
    fs::remove_dir_all(desk.path("out")).unwrap();
    lines(&desk, 60);
    let (code, stderr) = limited(15);
    assert_eq!(code, Some(6), "{stderr}");
    assert!(stderr.contains("report.jsonl: cannot be written"), "{stderr}");
    let there = sounds(&desk, "out");
    assert_eq!(there.len(), report(&desk, "out/report.jsonl").len(), "each file has its whole line");
    assert!(there.len() > 8);
    assert_eq!(desk.run(&arguments(&["--lines", "p"])).code, 0);
    assert_eq!(sounds(&desk, "out").len(), 60);
}
