//! `barkclone speak -o -` and `--play`: sound that goes out while it is made.

use super::many::sounds;
use super::{Desk, Ran, SPEAK, wav_samples};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

const VOICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sound/voices/preset.npz");

const TEXT: &str = "Era uma vez uma casa muito pequena no fim da rua, e nela morava um gato.\n\nQuem mora aqui? Ninguém \
respondeu, porque o gato dormia.\n[pause 1.5]\nFim.\n[pause 0.5]\n";

fn speak(desk: &Desk, flags: &[&str]) -> Ran {
    desk.run(&arguments(flags))
}

fn arguments<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    [&["speak", "--voice", VOICE], &SPEAK[..], flags].concat()
}

/// A program in `bin` that stands for a player.
fn player(desk: &Desk, name: &str, script: &str) {
    fs::create_dir_all(desk.path("bin")).unwrap();
    let path = desk.path("bin").join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs where no players are but those of [`player`].
fn with_players(desk: &Desk, flags: &[&str]) -> Ran {
    let mut command = desk.command(&arguments(flags));
    Ran::of(command.env("PATH", desk.path("bin")).output().unwrap())
}

/// What is said of a run whose sound is on stdout.
fn events(ran: &Ran) -> Vec<Value> {
    ran.stderr.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_text_goes_out_as_one_endless_wav_whose_samples_are_those_of_the_file() {
    let desk = Desk::new();
    fs::write(desk.path("book.txt"), TEXT).unwrap();
    let streamed = speak(&desk, &["--file", "book.txt", "-o", "-", "--json"]);
    assert_eq!(streamed.code, 0, "{}", streamed.stderr);
    assert_eq!(desk.files(), ["book.txt", "book.wav.jsonl", "book.wav.parts"]);
    let summary = events(&streamed).pop().unwrap();
    assert_eq!((&summary["event"], summary["first_sound"].is_f64()), (&"summary".into(), true), "{summary}");
    // The pieces are there already, and only joined.
    let joined = speak(&desk, &["--file", "book.txt", "-o", "book.wav"]);
    assert_eq!(joined.prints(), "book.wav");
    joined.says(&["0 spoken"]);
    let file = desk.bytes("book.wav");
    let samples = wav_samples(&streamed.stdout);
    let head = &streamed.stdout[..streamed.stdout.len() - samples.len()];
    let sizes = [&head[4..8], &head[head.len() - 4..]];
    assert_eq!(sizes, [[0xFF; 4]; 2], "as ffmpeg says that it does not know");
    assert!(head.windows(16).any(|bytes| bytes == b"synthetic speech"), "before the samples");
    assert!(samples == &wav_samples(&file)[..samples.len()]);
    assert_eq!(&wav_samples(&file)[samples.len()..][..4], b"LIST");
    let raw = speak(&desk, &["--file", "book.txt", "-o", "-", "--raw-pcm"]);
    assert!(raw.stdout == samples);
}

#[test]
fn lines_go_out_in_their_order_with_silence_between_them_and_failed_ones_are_left_out() {
    let desk = Desk::new();
    let long = "nada ".repeat(400);
    fs::write(desk.path("lines.txt"), format!("Um.\n{long}\nDois.\nTrês.\n")).unwrap();
    let ran = speak(&desk, &["--lines", "lines.txt", "-d", "out", "-o", "-", "--raw-pcm", "--sentence-silence", "0.5"]);
    ran.says(&["1 of 4 utterances failed"]);
    assert_eq!(ran.code, 7);
    let pieces: Vec<Vec<u8>> =
        sounds(&desk, "out").into_iter().map(|(_, wav)| wav_samples(&wav)[..22 * 640].to_vec()).collect();
    assert_eq!(pieces.len(), 3);
    assert!(ran.stdout == pieces.join(&[0; 24_000][..]));
    // By stdin, and with nothing kept.
    let ran = desk.run_with(b"Um.\n", &arguments(&["--lines", "-", "-o", "-", "--raw-pcm"]));
    assert_eq!((ran.code, ran.stdout.len(), desk.files().len()), (0, 22 * 640, 2), "{}", ran.stderr);
}

#[test]
fn a_reader_that_goes_away_ends_the_run_and_the_next_one_goes_on() {
    let desk = Desk::new();
    let lines: String = (0..40).map(|n| format!("Esta é a linha {n}.\n")).collect();
    fs::write(desk.path("lines.txt"), lines).unwrap();
    let flags = ["--lines", "lines.txt", "-o", "-", "--batch", "1"];
    let mut child = desk.command(&arguments(&flags)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 44]).unwrap(); // and drops the pipe
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stderr.contains("error") && !ran.stderr.contains("panicked"), "{}", ran.stderr);
    ran.says(&["nobody listens any more"]);
    let kept = sounds(&desk, "lines.wav.parts").len();
    assert!((1..40).contains(&kept), "{kept}");
    let again = speak(&desk, &[&flags[..], &["--json"]].concat());
    let summary = events(&again).pop().unwrap();
    assert_eq!((&summary["skipped"], &summary["done"]), (&kept.into(), &(40 - kept).into()));
}

#[test]
fn one_utterance_tells_when_it_was_first_heard() {
    let desk = Desk::new();
    let ran = speak(&desk, &["oi", "--seed", "1", "--json"]);
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((&told["out"], &told["seed"]), (&"oi.wav".into(), &1.into()));
    assert!(told["first_sound"].as_f64().unwrap() <= told["took"].as_f64().unwrap());
    let streamed = speak(&desk, &["oi", "--seed", "1", "--json", "-o", "-"]);
    assert!(streamed.stdout == desk.bytes("oi.wav"));
    let told = events(&streamed).pop().unwrap();
    assert!(told["out"].is_null() && told["first_sound"].is_f64(), "{told}");
}

#[test]
fn a_player_gets_the_sound_of_the_file() {
    let desk = Desk::new();
    player(&desk, "aplay", "/bin/cat > heard.wav");
    player(&desk, "paplay", "exit 1");
    let flags = ["oi", "--seed", "1", "--play"];
    let ran = with_players(&desk, &flags);
    assert_eq!(
        (ran.code, ran.stdout.len(), desk.files()),
        (0, 0, vec!["bin".into(), "heard.wav".into()]),
        "{}",
        ran.stderr
    );
    with_players(&desk, &[&flags[..], &["-o", "x.wav"]].concat()).prints();
    assert!(desk.bytes("heard.wav") == desk.bytes("x.wav"));
    let both = with_players(&desk, &[&flags[..], &["-o", "-"]].concat());
    assert!(both.stdout == desk.bytes("x.wav") && desk.bytes("heard.wav") == desk.bytes("x.wav"));
    // Bare samples, and a file.
    fs::remove_file(desk.path("bin/aplay")).unwrap();
    player(&desk, "paplay", "[ $1 = --raw ] && /bin/cat > heard.raw");
    assert_eq!(with_players(&desk, &flags).code, 0);
    let samples = desk.bytes("heard.raw");
    assert!(samples == wav_samples(&desk.bytes("x.wav"))[..samples.len()] && samples.len() == 22 * 640);
    fs::remove_file(desk.path("bin/paplay")).unwrap();
    player(&desk, "ffplay", "/bin/cat > heard.ffplay");
    assert_eq!(with_players(&desk, &flags).code, 0);
    assert!(desk.bytes("heard.ffplay") == desk.bytes("x.wav"));
    fs::remove_file(desk.path("bin/ffplay")).unwrap();
    // This one reads files alone.
    player(&desk, "afplay", "/bin/cat $1 > heard.afplay");
    assert_eq!(with_players(&desk, &flags).code, 0);
    assert!(*wav_samples(&desk.bytes("heard.afplay")) == samples);
}

#[test]
fn a_player_that_fails_says_so_and_takes_no_file_away() {
    let desk = Desk::new();
    player(&desk, "aplay", "echo no sound card >&2; exit 1");
    with_players(&desk, &["oi", "--play"]).fails(6, &["--play: aplay failed", "exit status: 1"]);
    let kept = with_players(&desk, &["oi", "--play", "-o", "x.wav"]);
    assert_eq!(kept.prints(), "x.wav");
    kept.says(&["warning: --play: aplay failed"]);
    // Closed by who heard enough.
    player(&desk, "aplay", "exit 0");
    fs::write(desk.path("book.txt"), TEXT).unwrap();
    let closed = with_players(&desk, &["--file", "book.txt", "--play"]);
    assert_eq!(closed.code, 0, "{}", closed.stderr);
    let none = desk.command(&arguments(&["oi", "--play"])).env("PATH", "/nowhere").output().unwrap();
    Ran::of(none).fails(2, &["--play: no player is there", "aplay, paplay, ffplay, afplay"]);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let desk = Desk::new();
    fs::write(desk.path("a.txt"), "Oi.\n").unwrap();
    let refused = |flags: &[&str], words: &[&str]| speak(&desk, flags).fails(2, words);
    refused(&["oi", "--raw-pcm"], &["--raw-pcm", "-o -"]);
    refused(&["--file", "a.txt"], &["--file", "-o FILE"]);
    refused(&["--lines", "a.txt"], &["--lines", "-d DIR"]);
    refused(&["--lines", "a.txt", "-o", "x.wav"], &["--output", "-d DIR"]);
    refused(&["--file", "a.txt", "-o", "-", "--subtitles", "a.srt"], &["--subtitles", "-o FILE"]);
    refused(&["--file", "a.txt", "-o", "-", "--shard", "1/2"], &["--shard"]);
    assert_eq!(desk.files(), ["a.txt"]);
}
