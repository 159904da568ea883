//! Ctrl-C while something is half written: it goes, what was there stays, and the exit code says so.

use super::quantizer::pairs;
use super::{CLONE, Desk, Ran, SPEAK, VOICE};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Whether a file that is not finished lies in `folder` or below it.
fn half_written(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| {
        let name = entry.file_name().into_string().unwrap();
        name.ends_with(".part") || entry.path().is_dir() && half_written(&entry.path())
    })
}

fn start(desk: &Desk, arguments: &[&str]) -> Child {
    let mut command = desk.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn interrupt(child: &Child) {
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
}

/// Interrupts the command in the moment when something half written lies there; `None`: it was over before.
fn caught(desk: &Desk, arguments: &[&str]) -> Option<Ran> {
    let mut child = start(desk, arguments);
    let begun = Instant::now();
    while !half_written(desk.folder.path()) {
        assert!(begun.elapsed() < Duration::from_secs(300), "nothing happens");
        if child.try_wait().unwrap().is_some() {
            return None;
        }
    }
    interrupt(&child);
    Some(Ran::of(child.wait_with_output().unwrap()))
}

/// Tries until the interrupt comes in time.
fn interrupted(desk: &Desk, arguments: &[&str]) -> Ran {
    for _ in 0..50 {
        match caught(desk, arguments) {
            Some(ran) if ran.code == 130 => return ran,
            _ => assert!(!half_written(desk.folder.path())),
        }
    }
    panic!("no interrupt of {arguments:?} came in time");
}

#[test]
fn a_conversion_that_is_interrupted_leaves_nothing() {
    let desk = Desk::new();
    desk.babble("talk.wav", 40.0);
    fs::copy(VOICE, desk.path("voice.npz")).unwrap();
    fs::write(desk.path("mine.wav"), "mine").unwrap();
    let own = ["convert", "talk.wav", "--voice", "voice.npz", "-o", "mine.wav", "--force"];
    let ran = interrupted(&desk, &[&own[..], &CLONE, &SPEAK[..2]].concat());
    ran.says(&["interrupted"]);
    assert_eq!(desk.files(), ["mine.wav", "talk.wav", "voice.npz"]);
    assert_eq!(desk.bytes("mine.wav"), b"mine", "what was there is there");
}

#[test]
fn a_search_among_clones_that_is_interrupted_leaves_nothing() {
    let desk = Desk::new();
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/demo/reference.wav"), desk.path("a.wav")).unwrap();
    fs::write(desk.path("mine.npz"), "mine").unwrap();
    let own = ["clone", "a.wav", "--demo", "--refine", "8", "--say", "A minha casa tem uma porta azul."];
    let mut child = start(&desk, &[&own[..], &["-o", "mine.npz", "--force", "--report", "near.html"]].concat());
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap().contains("round 1, 8 voices")), "it goes on after its first round");
    interrupt(&child);
    assert!(told.any(|line| line.unwrap().contains("interrupted")));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(desk.files(), ["a.wav", "mine.npz"]);
    assert_eq!(desk.bytes("mine.npz"), b"mine", "what was there is there");
}

#[test]
fn a_text_that_waits_in_a_file_of_its_own_goes_too() {
    let desk = Desk::new();
    let temporary = desk.path(".home");
    fs::create_dir(&temporary).unwrap();
    let own = ["speak", "--file", "-", "-o", "book.wav", "--voice", VOICE];
    let mut command = desk.command(&[&own[..], &SPEAK].concat());
    let child = command.env("TMPDIR", &temporary).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    // Open until it has ended: what it is interrupted in is waiting for more.
    let _text = child.stdin.take();
    while !half_written(&temporary) {
        std::thread::sleep(Duration::from_millis(1));
    }
    interrupt(&child);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert!(ran.code == 130 && !half_written(desk.folder.path()), "{}", ran.stderr);
}

/// Once finishes what is under way, twice stops at once: either way every sound has its tokens, and the same command
/// ends with what an uninterrupted one ends with.
#[test]
fn pairs_of_a_run_that_is_interrupted_are_whole_and_the_next_run_makes_the_others() {
    let desk = Desk::new();
    let lines: String = (1..=12).map(|n| format!("Bom dia, número {n}.\n")).collect();
    fs::write(desk.path("s.txt"), lines).unwrap();
    let arguments = |folder: &'static str| {
        ["quantizer", "data", "--demo", "--lines", "s.txt", "-d", folder, "--augment", "--batch", "1"]
    };
    let whole = Ran::of(desk.command(&arguments("whole")).output().unwrap());
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    let expected = pairs(&desk, "whole");
    assert_eq!(expected.len(), 24);
    for (folder, times) in [("once", 1), ("twice", 2)] {
        let mut child = start(&desk, &arguments(folder));
        let there = || pairs(&desk, folder);
        while there().len() < 2 {
            assert!(child.try_wait().unwrap().is_none(), "it ended before its first pair did");
            std::thread::sleep(Duration::from_millis(1));
        }
        for _ in 0..times {
            interrupt(&child);
            std::thread::sleep(Duration::from_millis(20));
        }
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert!(ran.code == 130 && !half_written(&desk.path(folder)), "{}", ran.stderr);
        let there = there();
        assert!(there.len() < 24 && there.iter().all(|pair| expected.contains(pair)), "{folder}: whole or not there");
        let sounds = there.iter().filter_map(|(name, _)| name.strip_suffix(".wav"));
        let tokens: Vec<_> = there.iter().filter_map(|(name, _)| name.strip_suffix(".npy")).collect();
        assert!(sounds.clone().all(|name| tokens.contains(&name)));
        assert!(times == 2 || sounds.count() == tokens.len());
        let ran = Ran::of(desk.command(&arguments(folder)).output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(pairs(&desk, folder) == expected, "{folder}: as without an interrupt");
    }
}

/// An `ffmpeg` that takes all samples, says that it is at work, and writes once it is let go.
const ENCODER: &str = r#"#!/bin/sh
case "$*" in *-encoders*) echo ' A..... libmp3lame MP3'; exit;; esac
for out; do :; done
cat > /dev/null
echo $$ > HERE/at-work
while [ ! -e HERE/go ]; do sleep 0.01; done
echo encoded > "${out#file:}"
"#;

/// Starts a command in a process group of its own, with [`ENCODER`] in the place of ffmpeg; waits until that is at work.
fn encoding(desk: &Desk, arguments: &[&str]) -> (Child, String) {
    use std::os::unix::{fs::PermissionsExt, process::CommandExt};
    let (home, ffmpeg) = (desk.path(".home"), desk.path(".home/ffmpeg"));
    fs::create_dir_all(home.join("tmp")).unwrap();
    fs::write(&ffmpeg, ENCODER.replace("HERE", home.to_str().unwrap())).unwrap();
    fs::set_permissions(&ffmpeg, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", home.display(), std::env::var("PATH").unwrap());
    let mut command = desk.command(&[arguments, &["--voice", VOICE], &SPEAK].concat());
    command.env("PATH", path).env("TMPDIR", home.join("tmp")).process_group(0);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    loop {
        match fs::read_to_string(home.join("at-work")) {
            Ok(id) if id.ends_with('\n') => return (child, id.trim().to_owned()),
            _ => assert!(child.try_wait().unwrap().is_none(), "it ended before it encoded"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn kill(signal: &str, id: &str) -> bool {
    let mut command = std::process::Command::new("kill");
    command.args([signal, "--", id]).stderr(Stdio::null()).status().unwrap().success()
}

const MANY: [&str; 7] = ["speak", "--lines", "p", "-d", "out", "--names", "{index}.mp3"];

fn lines(desk: &Desk) {
    fs::write(desk.path("p"), "uma frase\n".repeat(50)).unwrap();
}

/// A terminal sends Ctrl-C to all of the process group.
#[test]
fn what_is_being_encoded_is_finished_when_a_terminal_interrupts_a_run() {
    let desk = Desk::new();
    lines(&desk);
    let (child, _) = encoding(&desk, &MANY);
    assert!(kill("-INT", &format!("-{}", child.id())));
    fs::write(desk.path(".home/go"), "").unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    ran.says(&["stopped; the same command goes on from here"]);
    assert_eq!(desk.bytes("out/1.mp3"), b"encoded\n");
    assert!(!half_written(desk.folder.path()));
}

#[test]
fn who_encodes_ends_with_the_program_and_leaves_nothing() {
    let desk = Desk::new();
    lines(&desk);
    let (child, encoder) = encoding(&desk, &["speak", "Olá", "-o", "x.mp3"]);
    interrupt(&child);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(!kill("-0", &encoder), "it runs on");
    assert!(!half_written(desk.folder.path()) && desk.files() == ["p"], "{:?}", desk.files());

    fs::remove_file(desk.path(".home/at-work")).unwrap();
    let (mut child, encoder) = encoding(&desk, &MANY);
    interrupt(&child);
    let told = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(told.map_while(Result::ok).any(|line| line.contains("once more stops at once")));
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!kill("-0", &encoder), "it runs on");
    assert!(!half_written(desk.folder.path()));
}

/// Whether the program has its own way to be interrupted (`proc_pid_status(5)`: the second bit of the caught signals).
fn catches_interrupts(child: &Child) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    u64::from_str_radix(caught.trim(), 16).unwrap() & 2 != 0
}

#[test]
fn every_command_ends_at_once_with_its_own_exit_code() {
    let desk = Desk::new();
    desk.babble("talk.wav", 59.0);
    let clone = [&["clone", "talk.wav", "--raw"], &CLONE[..]].concat();
    let single = [&["speak", "uma frase", "-o", "x.wav"], &SPEAK[..6], &["--max-seconds", "14"]].concat();
    for arguments in [&clone[..], &single, &["check", "talk.wav", "talk.wav", "talk.wav", "talk.wav", "talk.wav"]] {
        let mut codes = Vec::new();
        for delay in [0, 30, 60, 90, 200, 300] {
            let mut child = start(&desk, arguments);
            // Until then Ctrl-C ends it as any program, without a code.
            while !catches_interrupts(&child) && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(delay));
            if child.try_wait().unwrap().is_none() {
                interrupt(&child);
            }
            let ran = Ran::of(child.wait_with_output().unwrap());
            codes.push(ran.code);
            assert!(!half_written(desk.folder.path()), "{arguments:?}");
        }
        assert!(codes.contains(&130), "{arguments:?}: {codes:?}");
    }
}
