//! Recordings as the command line names them: pipes, folders with files of other systems in them, several tracks, kinds that `ffmpeg`
//! reads.

use super::{CLONE, Desk, spec, write_wav};
use hound::SampleFormat::Int;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn desk_with_wav() -> Desk {
    let desk = Desk::new();
    desk.babble("ref.wav", 2.0);
    desk
}

#[test]
fn stdin_is_a_recording() {
    let desk = desk_with_wav();
    desk.clone("ref.wav", &["-o", "file.npz"]).prints();
    let arguments = [&["clone", "-", "--raw", "-o", "pipe.npz"], &CLONE[..]].concat();
    assert_eq!(desk.run_with(&desk.bytes("ref.wav"), &arguments).prints(), "pipe.npz");
    assert_eq!(desk.run(&["voice", "diff", "file.npz", "pipe.npz"]).prints(), "the same tokens");
    // The file's hash is that of what came through the pipe.
    let hash =
        |name| desk.run(&["voice", "inspect", name]).prints().lines().find(|l| l.contains("sha256")).map(str::to_owned);
    assert!(hash("file.npz").is_some() && hash("file.npz") == hash("pipe.npz"));
    desk.run_with(b"", &[&["clone", "-", "-o", "x.npz"], &CLONE[..]].concat())
        .fails(3, &["-: cannot be used", "it is empty"]);
    desk.run_with(b"", &[&["clone", "-"], &CLONE[..]].concat()).fails(2, &["from a pipe", "-o"]);
}

#[test]
fn a_named_pipe_is_a_recording() {
    let desk = desk_with_wav();
    let made = std::process::Command::new("mkfifo").arg(desk.path("pipe")).status().unwrap();
    assert!(made.success());
    let (bytes, pipe) = (desk.bytes("ref.wav"), desk.path("pipe"));
    let writer = std::thread::spawn(move || fs::write(pipe, bytes));
    assert_eq!(desk.prepare(&["pipe", "-o", "v.npz", "--raw"]).prints(), "v.npz");
    writer.join().unwrap().unwrap();
}

#[test]
fn hidden_files_in_a_folder_are_no_recordings() {
    let desk = Desk::new();
    fs::create_dir(desk.path("takes")).unwrap();
    write_wav(&desk.path("takes/a.wav"), spec(1, 16_000, 16, Int), 2.0, 1);
    fs::write(desk.path("takes/._a.wav"), b"\0\x05\x16\x07\0\x02\0\0Mac OS X").unwrap();
    let cloned = desk.prepare(&["takes", "-o", "v.npz"]);
    assert_eq!(cloned.prints(), "v.npz");
    assert!(!cloned.stderr.contains("left out"), "{}", cloned.stderr);
}

#[test]
fn a_conversion_reads_stdin_and_keeps_its_folder_for_pipes() {
    let desk = desk_with_wav();
    desk.convert(&["ref.wav"], &["-o", "file.wav", "--seed", "1"]).prints();
    let piped = |to: &[&str]| {
        let arguments =
            [&["convert", "-", "--seed", "1", "--voice", super::VOICE], to, &CLONE[..], &super::SPEAK[..2]].concat();
        desk.run_with(&desk.bytes("ref.wav"), &arguments)
    };
    let samples = |name| barkclone::audio::read(&desk.path(name), 60.0).unwrap().pcm;
    assert_eq!(piped(&["-o", "pipe.wav"]).prints(), "pipe.wav");
    assert_eq!(piped(&["-d", "out"]).prints(), "out/stdin.wav");
    assert!(samples("pipe.wav") == samples("file.wav") && samples("out/stdin.wav") == samples("file.wav"));
    let through = piped(&["-o", "-"]);
    assert!(through.code == 0 && through.stdout == desk.bytes("pipe.wav"), "{}", through.stderr);
    let arguments = [&["clone", "-", "--each", "-d", "voices"], &CLONE[..]].concat();
    assert_eq!(desk.run_with(&desk.bytes("ref.wav"), &arguments).prints(), "voices/stdin.npz");
}

#[test]
fn recordings_of_one_name_do_not_stop_each_other() {
    let desk = Desk::new();
    fs::create_dir(desk.path("takes")).unwrap();
    desk.babble("takes/a.wav", 2.0);
    desk.babble("takes/a.flac", 2.5);
    fs::write(desk.path("takes/._a.wav"), b"\0\x05\x16\x07\0\x02\0\0Mac OS X").unwrap();
    assert_eq!(desk.convert(&["takes"], &["-d", "out", "--seed", "1"]).prints(), "out/a.wav\nout/a-2.wav");
    assert_eq!(desk.prepare(&["takes", "--each", "-d", "voices"]).prints(), "voices/a.npz\nvoices/a-2.npz");
}

/// Matroska with two tracks, of which the first is silent and the second says something.
const TRACKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/formats/tracks.mkv");

#[test]
fn of_several_tracks_the_one_with_speech_is_read_or_the_one_that_is_named() {
    let desk = Desk::new();
    let clone =
        |to: &str, flags: &[&str]| desk.run(&[&["clone", TRACKS, "--raw", "-o", to], &CLONE[..], flags].concat());
    let chosen = clone("chosen.npz", &[]);
    chosen.says(&["2 audio tracks", "number 2 is read", "--track"]);
    let second = clone("second.npz", &["--track", "2"]);
    assert!(second.code == 0 && !second.stderr.contains("audio tracks"), "{}", second.stderr);
    assert_eq!(desk.run(&["voice", "diff", "chosen.npz", "second.npz"]).prints(), "the same tokens");
    assert!(desk.run(&["check", TRACKS, "--track", "1"]).prints().contains("no speech: 0.0 s of speech"));
    clone("x.npz", &["--track", "3"]).fails(3, &["no audio track 3", "has 2"]);
    desk.convert(&[TRACKS], &["-o", "a.wav", "--seed", "1"]).says(&["number 2 is read"]);
    desk.convert(&[TRACKS], &["-o", "b.wav", "--seed", "1", "--track", "2"]).prints();
    assert!(desk.bytes("a.wav") == desk.bytes("b.wav"));
    // The track is a choice that a resumed run has to make again.
    desk.convert(&[TRACKS], &["-d", "out", "--seed", "1", "--track", "2"]).says(&["1 converted"]);
    desk.convert(&[TRACKS], &["-d", "out", "--seed", "1", "--track", "2"]).says(&["1 there already"]);
    desk.convert(&[TRACKS], &["-d", "out", "--seed", "1", "--track", "1"]).fails(6, &["finished results"]);
}

/// A program called ffmpeg that finds two tracks in everything, answers with this AU file, and writes down how it was
/// called.
fn install(desk: &Desk, answer: &[u8]) -> String {
    fs::create_dir(desk.path("bin")).unwrap();
    fs::write(desk.path("answer.au"), answer).unwrap();
    let [log, answer] = ["calls", "answer.au"].map(|name| desk.path(name).display().to_string());
    let tracks = "case \"$*\" in *'0:a:1 -t 0'*) exit 0;; *'-t 0'*) exit 1;; esac";
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{log}'\n{tracks}\ncat '{answer}'\n");
    let program = desk.path("bin/ffmpeg");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:/usr/bin:/bin", desk.path("bin").display())
}

/// AU of 32-bit floats: magic, the header's length, an unknown length, the kind, rate and channels.
fn au(samples: impl Iterator<Item = f32>) -> Vec<u8> {
    let mut bytes = b".snd".to_vec();
    [28u32, u32::MAX, 6, 16_000, 1].iter().for_each(|field| bytes.extend(field.to_be_bytes()));
    bytes.extend([0; 4]);
    samples.for_each(|sample| bytes.extend(sample.to_be_bytes()));
    bytes
}

#[test]
fn what_is_not_read_here_is_read_through_ffmpeg_unless_that_is_forbidden() {
    let desk = desk_with_wav();
    let samples = super::babble(32_000, 16_000, 1).map(|level| level as f32 / 128.0);
    let path = install(&desk, &au(samples));
    // A kind that nothing here reads, under a name that is an option and a protocol to whoever is careless.
    let wma = [b"\x30\x26\xB2\x75\x8E\x66\xCF\x11".as_slice(), &[0; 2_000]].concat();
    fs::write(desk.path("-f lavfi:x.wma"), wma).unwrap();
    let run = |flags: &[&str]| {
        let arguments = [&["clone", "--raw", "-o", "v.npz"], &CLONE[..], flags, &["--", "-f lavfi:x.wma"]].concat();
        super::Ran::of(desk.command(&arguments).env("PATH", &path).output().unwrap())
    };
    run(&["--no-ffmpeg"]).fails(3, &["it is WMA", "not read here", "ffmpeg -i IN OUT.wav"]);
    assert!(!Path::new(&desk.path("calls")).exists());
    let cloned = run(&[]);
    assert_eq!(cloned.prints(), "v.npz");
    cloned.says(&["read through ffmpeg", "--no-ffmpeg forbids", "2 audio tracks; number 1 is read"]);
    let calls = fs::read_to_string(desk.path("calls")).unwrap();
    assert!(calls.contains("-protocol_whitelist file -i file:-f lavfi:x.wma -map 0:a:0 "), "{calls}");
    desk.clone("ref.wav", &["-o", "wav.npz"]).prints();
    assert_eq!(desk.run(&["voice", "diff", "v.npz", "wav.npz"]).prints(), "the same tokens");
    // Text is no recording, and may be a list of what to open.
    fs::write(desk.path("list.m3u8"), "#EXTM3U\nfile:///etc/passwd\n").unwrap();
    fs::remove_file(desk.path("calls")).unwrap();
    let arguments = [&["clone", "list.m3u8", "-o", "x.npz"], &CLONE[..]].concat();
    super::Ran::of(desk.command(&arguments).env("PATH", &path).output().unwrap()).fails(3, &["not a recording"]);
    assert!(!desk.path("calls").exists());
}

#[test]
fn a_recording_that_is_named_twice_is_taken_once() {
    let desk = Desk::new();
    fs::create_dir(desk.path("takes")).unwrap();
    desk.babble("takes/a.wav", 1.5);
    let twice = ["takes/a.wav", "takes", "./takes/../takes/a.wav"];
    for command in [&["check", "--json"][..], &["score", "--json"]] {
        let named = if command[0] == "score" { ["takes/a.wav", "takes/a.wav", twice[2]] } else { twice };
        let ran = desk.run(&[command, &named].concat());
        assert_eq!(ran.prints().lines().count(), 1, "{}", ran.prints());
    }
    let each = [&twice[..], &["--raw", "--each", "-d", "voices"]].concat();
    assert_eq!(desk.prepare(&each).prints(), "voices/a.npz");
    assert_eq!(desk.convert(&twice, &["-d", "out"]).prints(), "out/a.wav");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("a.wav", desk.path("takes/b.wav")).unwrap();
        assert_eq!(desk.run(&["check", "--json", "takes"]).prints().lines().count(), 2, "another name is another one");
    }
}
