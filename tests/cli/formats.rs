//! Sounds in the format that their names' endings say, as `ffmpeg` and our own reader find them.

use super::{Desk, Ran, SPEAK, VOICE};
use barkclone::audio::{Pcm, Recipe, read, resample};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// A second of demo speech, always the same.
const SPOKEN: [&str; 7] = ["speak", "Olá", "--demo", "--seed", "7", "--max-seconds", "1"];

fn speak(desk: &Desk, output: &str) -> Ran {
    desk.run(&[&SPOKEN[..], &["-o", output]].concat())
}

fn samples(desk: &Desk, name: &str) -> Pcm {
    read(desk.path(name).as_path(), 60.0).unwrap().pcm
}

/// What `ffmpeg` makes of a file: samples at 24 kHz, and what it says of itself.
fn by_ffmpeg(path: &Path) -> (Vec<f32>, String) {
    let run = |program: &str, arguments: &[&str]| {
        let mut program = Command::new(program);
        let ran = program.args(["-loglevel", "error", "-i"]).arg(path).args(arguments).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        ran.stdout
    };
    let bytes = run("ffmpeg", &["-nostdin", "-f", "f32le", "-ar", "24000", "-"]);
    let samples = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    // Ogg has its tags in the stream, the others in the file.
    let tags = run("ffprobe", &["-show_entries", "format_tags:stream_tags"]);
    (samples, String::from_utf8(tags).unwrap())
}

/// Decibels of `a` over what `b` differs from it.
fn likeness(a: &[f32], b: &[f32]) -> f64 {
    let power = |x: f32| f64::from(x).powi(2);
    let noise: f64 = a.iter().zip(b).map(|(a, b)| power(a - b)).sum();
    10.0 * (a.iter().map(|&a| power(a)).sum::<f64>() / noise.max(1e-12)).log10()
}

#[test]
fn flac_loses_nothing_and_opus_little() {
    let desk = Desk::new();
    assert_eq!(speak(&desk, "a.wav").prints(), "a.wav");
    let wav = samples(&desk, "a.wav");
    speak(&desk, "a.flac").prints();
    assert_eq!(samples(&desk, "a.flac"), wav);
    speak(&desk, "a.opus").prints();
    let opus = resample(&samples(&desk, "a.opus"), 24_000, Recipe::Functional).unwrap().samples;
    assert_eq!(opus.len(), wav.samples.len());
    assert!(likeness(&wav.samples, &opus) > 12.0, "{} dB", likeness(&wav.samples, &opus));
}

#[test]
#[ignore = "needs ffmpeg"]
fn each_ending_is_a_format_that_others_read_and_that_says_what_it_is() {
    let desk = Desk::new();
    assert_eq!(speak(&desk, "a.wav").prints(), "a.wav");
    let wav = samples(&desk, "a.wav");
    for (name, decibels) in [("a.flac", 90.0), ("a.opus", 12.0), ("a.mp3", 12.0), ("a.m4a", 12.0), ("B.FLAC", 90.0)] {
        assert_eq!(speak(&desk, name).prints(), name);
        let (found, said) = by_ffmpeg(&desk.path(name));
        // ffmpeg gives MP3 and AAC whole frames.
        let most = wav.samples.len() + if name.ends_with('a') || name.ends_with('3') { 4096 } else { 0 };
        assert!((wav.samples.len()..=most).contains(&found.len()), "{name}: {} of {}", found.len(), wav.samples.len());
        assert!(likeness(&wav.samples, &found) > decibels, "{name}: {} dB", likeness(&wav.samples, &found));
        let said = said.to_lowercase();
        for word in ["tag:comment=synthetic speech; voice=random seed=7", "tag:title=olá"] {
            assert!(said.contains(word), "{name}: {word}: {said}");
        }
        let ours = samples(&desk, name);
        assert!((ours.seconds() - wav.seconds()).abs() < 0.1, "{name}: {} s", ours.seconds());
    }
}

#[test]
#[ignore = "needs ffmpeg"]
fn a_pipe_says_that_it_is_synthetic_before_its_samples() {
    let desk = Desk::new();
    let ran = desk.run(&[&SPOKEN[..], &["-o", "-"]].concat());
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args(["-loglevel", "error", "-i", "-", "-f", "ffmetadata", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = ffmpeg.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &ran.stdout).unwrap();
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(said.contains("comment=synthetic speech"), "{said}");
}

#[test]
fn what_is_not_written_is_refused_before_anything_is_spoken() {
    let desk = Desk::new();
    speak(&desk, "a.ogg").fails(2, &["a.ogg: files that end with .ogg are not written", ".wav, .flac, .opus, .mp3"]);
    desk.run(&[&SPOKEN[..], &["-o", "a.flac", "--float"]].concat()).fails(2, &["a.flac: 32-bit float", ".wav"]);
    let lines = ["speak", "--demo", "--lines", "l", "-d", "out"];
    fs::write(desk.path("l"), "Oi.\n").unwrap();
    desk.run(&[&lines[..], &["--names", "{index}.mp3", "--float"]].concat()).fails(2, &["32-bit float"]);
    // Nowhere is an ffmpeg.
    let mut command = desk.command(&[&SPOKEN[..], &["-o", "a.mp3"]].concat());
    let ran = Ran::of(command.env("PATH", desk.path("")).output().unwrap());
    ran.fails(6, &["a.mp3: needs an installed `ffmpeg`", "ffmpeg -i a.wav a.mp3"]);
    assert_eq!(desk.files(), ["l"]);
}

#[test]
#[ignore = "needs ffmpeg"]
fn no_name_is_taken_for_an_option_or_protocol_of_ffmpeg() {
    let desk = Desk::new();
    for name in ["pipe:1.mp3", "concat:a|b.m4a", "-y.mp3", "%d.mp3"] {
        assert_eq!(speak(&desk, &format!("./{name}")).prints(), name);
        assert!(samples(&desk, name).seconds() > 0.1);
    }
    assert_eq!(desk.files(), ["%d.mp3", "-y.mp3", "concat:a|b.m4a", "pipe:1.mp3"]);
}

#[test]
fn lines_and_jobs_have_formats_by_their_names_and_a_later_run_knows_them() {
    let desk = Desk::new();
    fs::write(desk.path("l"), "Bom dia.\nBoa noite.\n").unwrap();
    let run = |name: &str| {
        let flags = ["speak", "--lines", "l", "-d", "out", "--voice", VOICE, "--names", name];
        desk.run(&[&flags[..], &SPEAK[..]].concat())
    };
    let names = |ran: &Ran| ran.prints().to_owned();
    assert_eq!(names(&run("{index}.flac")), "out/1.flac\nout/2.flac");
    let flac = fs::read(desk.path("out/2.flac")).unwrap();
    assert!(flac.windows(16).any(|bytes| bytes == b"TITLE=Boa noite."));
    assert_eq!(names(&run("{index}.flac")), "", "all is there");
    assert_eq!(names(&run("{index}.opus")), "out/1.opus\nout/2.opus", "another format is another sound");
    assert_eq!(fs::read(desk.path("out/1.opus")).unwrap()[..4], *b"OggS");

    fs::write(desk.path("j"), "{\"text\": \"Oi\", \"out\": \"oi.flac\"}\n{\"text\": \"Oi\"}\n").unwrap();
    let flags = ["speak", "--jobs", "j", "-d", "jobs", "--voice", VOICE, "--names", "{slug}"];
    let ran = desk.run(&[&flags[..], &SPEAK[..]].concat());
    assert_eq!(names(&ran), "jobs/oi.flac\njobs/oi.wav");
    assert_eq!(fs::read(desk.path("jobs/oi.flac")).unwrap()[..4], *b"fLaC");
}

#[test]
fn long_texts_and_conversions_have_formats_by_their_names() {
    let desk = Desk::new();
    fs::write(desk.path("b.txt"), "Bom dia.\n\nBoa noite.\n").unwrap();
    let book = |output: &str| {
        let flags = ["speak", "--file", "b.txt", "-o", output, "--voice", VOICE];
        desk.run(&[&flags[..], &SPEAK[..]].concat())
    };
    assert_eq!(book("b.flac").prints(), "b.flac");
    assert_eq!(book("b.wav").prints(), "b.wav");
    assert_eq!(samples(&desk, "b.flac"), samples(&desk, "b.wav"));
    assert!(String::from_utf8_lossy(&desk.bytes("b.flac")[..500]).contains("COMMENT=synthetic speech"));
    assert_eq!(book("b.opus").prints(), "b.opus");
    assert!((samples(&desk, "b.opus").seconds() - samples(&desk, "b.wav").seconds()).abs() < 0.001);

    desk.babble("talk.wav", 2.0);
    desk.convert(&["talk.wav"], &["--seed", "1", "-o", "c.wav"]).prints();
    desk.convert(&["talk.wav"], &["--seed", "1", "-o", "c.flac"]).prints();
    assert_eq!(samples(&desk, "c.flac"), samples(&desk, "c.wav"));
    desk.convert(&["talk.wav"], &["--seed", "1", "-d", "many", "--names", "{stem}.opus"]).prints();
    assert!((samples(&desk, "many/talk.opus").seconds() - samples(&desk, "c.wav").seconds()).abs() < 0.02);
}

#[cfg(target_os = "linux")]
#[test]
fn a_format_that_does_not_fit_on_the_disk_leaves_nothing() {
    let desk = Desk::new();
    for name in ["a.flac", "a.opus"] {
        let ran = desk.limited(2, &[&SPOKEN[..], &["-o", name]].concat());
        assert_eq!(ran.code, 6, "{name}: {}", ran.stderr);
        assert_eq!(desk.files(), [""; 0], "{name}");
    }
}
