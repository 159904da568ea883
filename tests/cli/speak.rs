//! `barkclone speak`: what comes out, where, and what is said beside it.

use super::{Desk, SPEAK};
use crate::info::read_info;
use hound::{SampleFormat, WavReader};
use std::fs;
use std::io::{Cursor, Read};
use std::process::Stdio;

#[test]
fn files_are_named_after_their_text_and_never_replaced() {
    let desk = Desk::new();
    for expected in ["ola-mundo.wav", "ola-mundo-2.wav", "ola-mundo-3.wav"] {
        let ran = desk.speak("Olá, mundo!", &[]);
        assert_eq!(ran.stdout, format!("{expected}\n").into_bytes(), "{}", ran.stderr);
    }
    assert_eq!(desk.speak("♪", &[]).prints(), "speech.wav");
    assert_eq!(desk.files(), ["ola-mundo-2.wav", "ola-mundo-3.wav", "ola-mundo.wav", "speech.wav"]);
}

#[test]
fn the_sound_is_24_khz_mono_of_16_bits_or_floats() {
    let desk = Desk::new();
    desk.speak("oi", &["-o", "int.wav", "--seed", "1"]).prints();
    desk.speak("oi", &["-o", "float.wav", "--seed", "1", "--float"]).prints();
    let mut int = WavReader::open(desk.path("int.wav")).unwrap();
    let mut float = WavReader::open(desk.path("float.wav")).unwrap();
    for (spec, bits, format) in [(int.spec(), 16, SampleFormat::Int), (float.spec(), 32, SampleFormat::Float)] {
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 24_000, bits));
        assert_eq!(spec.sample_format, format);
    }
    // 0.3 s and the token that passes it: 15 tokens, 22 frames of 320 samples.
    assert_eq!((int.duration(), float.duration()), (22 * 320, 22 * 320));
    let rounded = float.samples::<f32>().map(|s| (32_767.0 * s.unwrap().clamp(-1.0, 1.0)).round() as i16);
    assert!(rounded.eq(int.samples::<i16>().map(Result::unwrap)));
}

#[test]
fn a_dash_sends_the_wav_and_nothing_else_to_stdout() {
    let desk = Desk::new();
    let ran = desk.speak("oi", &["-o", "-", "--seed", "1"]);
    assert_eq!((ran.code, desk.files().len()), (0, 0), "{}", ran.stderr);
    desk.speak("oi", &["-o", "file.wav", "--seed", "1"]).prints();
    assert!(ran.stdout == desk.bytes("file.wav"));
    let riff_size = u32::from_le_bytes(ran.stdout[4..8].try_into().unwrap());
    assert_eq!(riff_size as usize, ran.stdout.len() - 8);
    assert_eq!(WavReader::new(Cursor::new(&ran.stdout)).unwrap().into_samples::<i16>().count(), 22 * 320);
}

#[test]
fn the_file_tells_how_it_was_made() {
    let desk = Desk::new();
    let voice = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sound/voices/int64.npz");
    let flags = ["--voice", voice, "--seed", "42", "--text-temp", "0.6", "--top-k", "50", "--coarse-history", "300"];
    desk.speak("Olá,  mundo!", &[&flags[..], &["-o", "x.wav"]].concat()).prints();
    let info = read_info(&desk.path("x.wav"));
    let told = |tag: &str| info.iter().find(|(t, _)| t == tag).unwrap().1.clone();
    assert_eq!(told("ISFT"), concat!("barkclone ", env!("CARGO_PKG_VERSION")));
    assert_eq!(told("INAM"), "Olá, mundo!");
    let hash = barkclone::voice::Voice::read(voice.as_ref()).unwrap().hash();
    let settings = "text_temp=0.6 waveform_temp=0.7 fine_temp=0.5 coarse_history=300 coarse_window=60 weights=f32";
    let expected = format!("synthetic speech; voice={hash} seed=42 {settings} min_eos_p=0.2 max_seconds=0.3 top_k=50");
    assert_eq!(told("ICMT"), expected);
    desk.speak("oi", &["-o", "y.wav", "--fast"]).prints();
    let info = read_info(&desk.path("y.wav"));
    let (_, made) = info.iter().find(|(tag, _)| tag == "ICMT").unwrap();
    assert!(made.starts_with("synthetic speech; voice=random seed="), "{made}");
    assert!(made.contains("coarse_history=312 coarse_window=456 weights=f32 fine_context=fewest"), "{made}");
}

#[test]
fn quiet_says_no_more_than_warnings_and_twice_nothing() {
    let desk = Desk::new();
    let ran = desk.speak("oi", &["--quiet"]);
    let warning = "warning: it may not sound right: nothing is heard\n";
    assert_eq!((ran.prints(), ran.stderr.as_str()), ("oi.wav", warning));
    assert_eq!(desk.speak("olá", &["-qq"]).stderr, "");
    assert_eq!(desk.speak("", &["--quiet"]).stderr, "error: the text is empty: there is nothing to say\n");
}

#[test]
fn outputs_that_exist_are_kept_unless_forced() {
    let desk = Desk::new();
    for flag in ["--output", "--save-voice"] {
        fs::write(desk.path("x"), "precious").unwrap();
        let ran = desk.run(&["speak", "oi", "--bark", "large", flag, "x"]);
        ran.fails(6, &["x: exists already", "--force"]);
        assert_eq!(desk.bytes("x"), b"precious");
        desk.speak("oi", &[flag, "x", "--force"]).prints();
        assert_ne!(desk.bytes("x"), b"precious");
        fs::remove_file(desk.path("x")).unwrap();
    }
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_any_work() {
    let desk = Desk::new();
    let refused = |flags: &[&str], code, words: &[&str]| {
        desk.run(&[&["speak", "oi", "--bark", "large"], flags].concat()).fails(code, words);
    };
    refused(&["-o", "nowhere/x.wav"], 6, &["nowhere: not a folder"]);
    refused(&["--save-voice", "nowhere/x.npz"], 6, &["nowhere: not a folder"]);
    refused(&["-o", "x", "--save-voice", "./x", "--force"], 2, &["--output and --save-voice", "same file"]);
    refused(&["--save-voice", "-"], 2, &["--save-voice -", "a file"]);
    assert!(desk.files().is_empty());
}

#[test]
fn a_failure_leaves_no_file_behind() {
    let desk = Desk::new();
    // An end of speech that is always probable enough: the model runs, and says nothing.
    let ran = desk.speak("oi", &["-o", "x.wav", "--save-voice", "x.npz", "--min-eos-p", "0"]);
    ran.fails(3, &["ended before saying anything", "--seed"]);
    assert!(desk.files().is_empty());
}

#[test]
fn speech_too_short_for_a_voice_is_heard_all_the_same() {
    let desk = Desk::new();
    let ran = desk.speak("oi", &["--save-voice", "x.npz", "--max-seconds", "0.01"]);
    assert_eq!((ran.code, ran.stdout.as_slice()), (3, &b"oi.wav\n"[..]), "{}", ran.stderr);
    ran.says(&["--save-voice x.npz", "cannot be a voice"]);
    assert_eq!(desk.files(), ["oi.wav"]);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let desk = Desk::new();
    let arguments = [&["speak", "oi", "-o", "-"], &SPEAK[..]].concat();
    let mut child = desk.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut start = [0; 4];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap(); // and drops the pipe, as `head -c 4` does
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((&start, output.status.code()), (b"RIFF", Some(0)), "{stderr}");
    assert!(!stderr.contains("error") && !stderr.contains("panicked"), "{stderr}");
}

#[test]
fn nobody_need_read_what_is_said_beside_the_result() {
    let desk = Desk::new();
    let arguments = [&["speak", "oi"], &SPEAK[..]].concat();
    let mut child = desk.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"oi.wav\n"[..]));
    let mut child = desk.command(&["speak", ""]).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}
