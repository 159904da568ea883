//! What is told of wrong uses that are easy to make: the cause, and what to do.

use super::{Desk, VOICE};
use std::fs::{self, File};
use std::process::Stdio;

fn desk() -> Desk {
    let desk = Desk::new();
    desk.babble("ref.wav", 2.0);
    desk
}

#[test]
fn a_recording_is_no_voice() {
    let desk = desk();
    let words = ["ref.wav: cannot be used as a voice: a recording", "`barkclone clone` makes a voice of it"];
    desk.speak("oi", &["--voice", "ref.wav", "-o", "a.wav"]).fails(3, &words);
    desk.run(&["voice", "inspect", "ref.wav"]).fails(3, &words);
}

#[test]
fn a_file_of_the_wrong_kind_is_named_for_what_it_is() {
    let desk = desk();
    const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/demo/model");
    for (path, what) in [
        ("quantizer.pth", "a semantic quantizer"),
        ("hubert/model.safetensors", "HuBERT: it is given with --hubert"),
        ("bark/model.safetensors", "a Bark model: it is given with --bark"),
    ] {
        let path = format!("{MODELS}/{path}");
        let told = [path.as_str(), what];
        desk.speak("oi", &["--voice", &path, "-o", "a.wav"]).fails(3, &told);
        let models = [("--bark", "bark/"), ("--hubert", "hubert/"), ("--quantizer", "quantizer")];
        for (flag, _) in models.iter().filter(|(_, own)| !path.contains(&format!("model/{own}"))) {
            let command: &[&str] = match *flag {
                "--bark" => &["speak", "oi", "--demo", "-o", "a.wav"],
                _ => &["clone", "ref.wav", "--demo", "-o", "a.npz"],
            };
            desk.run(&[command, &[*flag, &path]].concat()).fails(4, &told);
        }
    }
    desk.run(&["speak", "oi", "--demo", "--bark", "ref.wav", "-o", "a.wav"]).fails(4, &["ref.wav: a recording"]);
}

#[test]
fn a_start_past_the_end_is_told_with_the_length() {
    let desk = desk();
    for flags in [&[][..], &["--raw"]] {
        let ran = desk.run(&[&["clone", "ref.wav", "--demo", "--start", "0:07", "-o", "a.npz"], flags].concat());
        ran.fails(3, &["ref.wav: there is no sound from 7.00 s on: it is 2.00 s long"]);
    }
}

#[test]
fn an_unknown_key_of_a_job_is_told_with_all_known_ones() {
    let desk = desk();
    fs::write(desk.path("j"), "{\"text\": \"oi\", \"temperature\": 1}\n").unwrap();
    let ran = desk.run(&["speak", "--demo", "--jobs", "j", "-d", "out", "--dry-run"]);
    ran.fails(
        7,
        &["line 1", "unknown key `temperature`", "`text`, `id`, `voice`, `seed`, `out`, `text_temp`", "`fast`"],
    );
}

#[test]
fn a_list_that_is_no_text_is_told_once() {
    let desk = desk();
    desk.run(&["clone", "ref.wav", "--demo", "-o", "v.npz"]).prints();
    let lines = |flag: &str, bytes: &[u8]| {
        fs::write(desk.path("list"), bytes).unwrap();
        desk.run(&["speak", "--demo", "--voice", "v.npz", flag, "list", "-d", "out", "--dry-run"])
    };
    for (bytes, line) in [(&b"ol\0a\nb\0\nc\0\n"[..], "line 1"), (b"oi\n\0\n", "line 2"), (&[0; 300], "line 1")] {
        for flag in ["--lines", "--jobs"] {
            let ran = lines(flag, bytes);
            ran.fails(3, &["list: ", line, "zero byte"]);
            assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("error")).count(), 1, "{}", ran.stderr);
        }
    }
    for flag in ["--lines", "--jobs"] {
        let ran = lines(flag, b"Bom dia\nvoc\xea\namanh\xe3\n");
        ran.fails(3, &["list: line 2 is not UTF-8", "save the text as UTF-8"]);
        assert!(!ran.stderr.contains("line 3") && !desk.path("out").exists(), "{}", ran.stderr);
    }
    // What comes by a pipe is told line by line, as the others may be spoken already.
    let piped = ["speak", "--demo", "--voice", "v.npz", "--lines", "-", "-d", "out", "--dry-run"];
    desk.run_with(b"a\0b\nc\0\n", &piped).fails(7, &["line 1: the line has a zero byte", "line 2"]);
    let utf16: Vec<u8> = "Olá.\nOi.\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(lines("--lines", &utf16).prints().lines().count(), 2, "UTF-16 is read");
}

#[test]
fn the_name_of_a_file_in_the_place_of_a_text_is_asked_about() {
    let desk = desk();
    fs::write(desk.path("artigo.md"), "# Oi\n").unwrap();
    desk.speak("artigo.md", &["-o", "a.wav"])
        .fails(2, &["`artigo.md` is a file", "--file artigo.md", "echo artigo.md"]);
    // A text that only looks so is one.
    assert_eq!(desk.speak("sol.mar", &["-o", "b.wav"]).prints(), "b.wav");
}

#[test]
fn a_text_that_begins_with_a_dash_is_told_how_to_be_given() {
    let desk = desk();
    for text in ["-5 graus hoje", "- Olá, disse ela.", "--- fim ---", "-vamos", "-5", "-é"] {
        let words = ["begins with a dash", &format!("-- '{text}'")];
        desk.run(&["speak", text, "--demo", "-o", "a.wav"]).fails(2, &words);
        desk.run(&["speak", "--demo", "-o", "a.wav", text]).fails(2, &words);
    }
    desk.run(&["speak", "--demo", "--ab", VOICE, VOICE, "-Oi"]).fails(2, &["begins with a dash", "-- '-Oi'"]);
    desk.run(&["speak", "--demo", "-v", "oi"]).fails(2, &["unexpected argument '-v'"]);
    desk.run(&["clone", "-vamos"]).fails(2, &["unexpected argument '-v'"]);
    desk.run(&["speak", "--demo", "--sped", "oi oi"]).fails(2, &["unexpected argument '--sped'"]);
    desk.run(&["speak", "--demo", "--max-seconds", "0.3", "-o", "b.wav", "--", "-5 graus hoje"]).prints();
}

#[test]
fn no_share_is_told_as_less_than_nothing() {
    let desk = desk();
    super::write_wav(&desk.path("still.wav"), super::spec(1, 16_000, 16, hound::SampleFormat::Int), 0.0, 1);
    let samples = barkclone::audio::Pcm { samples: vec![0.0; 96_000], rate: 16_000 };
    let mut bytes = Vec::new();
    barkclone::audio::write_wav(&mut bytes, &samples, barkclone::audio::Encoding::Pcm16, &[]).unwrap();
    fs::write(desk.path("still.wav"), bytes).unwrap();
    let ran = desk.run(&["clone", "still.wav", "--demo", "-o", "a.npz"]);
    ran.fails(3, &["0 % of it speech"]);
    assert!(!ran.stderr.contains("-0 %"), "{}", ran.stderr);
    let ran = desk.run(&["check", "ref.wav", "still.wav"]);
    assert!(!String::from_utf8_lossy(&ran.stdout).contains("-0.0"), "{}", String::from_utf8_lossy(&ran.stdout));
}

#[test]
fn removing_what_is_not_there_says_so() {
    let ran = Desk::new().run(&["models", "remove", "large"]);
    assert_eq!(ran.prints(), "large: nothing to remove: it is not in the cache");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_has_the_exit_code_of_outputs() {
    let desk = desk();
    desk.run(&["clone", "ref.wav", "--demo", "-o", "v.npz"]).prints();
    for arguments in [
        &["speak", "oi", "--demo", "--max-seconds", "0.3", "-o", "-"][..],
        &["models", "list"],
        &["--help"],
        &["help", "speak"],
        &["speak", "-h"],
        &["--version"],
        &["man"],
        &["completions", "bash"],
        &["check", "ref.wav"],
        &["voice", "preview", "v.npz", "--demo", "-o", "-"],
        &["convert", "ref.wav", "--demo", "--voice", "v.npz", "-o", "-"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let child = desk.command(arguments).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let ran = super::Ran::of(child.wait_with_output().unwrap());
        ran.fails(6, &["cannot write to stdout", "No space left"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn room_that_runs_out_while_joining_says_that_the_pieces_stay() {
    let desk = desk();
    fs::write(desk.path("book.txt"), "Bom dia.\n\n".repeat(8)).unwrap();
    let arguments = ["speak", "--file", "book.txt", "-o", "book.wav", "--voice", VOICE];
    let arguments = [&arguments[..], &super::SPEAK[..]].concat();
    // A piece has 14 KiB; all of them do not fit.
    let ran = desk.limited(40, &arguments);
    ran.fails(6, &["book.wav: all pieces are spoken, and stay in book.wav.parts", "the same command joins them"]);
    assert!(!desk.path("book.wav").exists());
    assert_eq!(desk.run(&arguments).prints(), "book.wav");
}

#[test]
fn flags_that_would_do_nothing_are_refused() {
    let desk = desk();
    for flags in [&["--names", "x"][..], &["--batch", "2"], &["--sentence-silence", "1"], &["--markdown"]] {
        desk.run(&[&["speak", "oi", "--demo", "-o", "a.wav"], flags].concat()).fails(2, &[flags[0]]);
    }
    desk.run(&["speak", "oi", "--demo", "--voice", "ana=a.npz"]).fails(2, &["--voice NAME=VOICE", "--jobs and --file"]);
}

#[test]
fn outputs_that_cannot_be_meant_are_refused_before_anything_is_made() {
    let desk = desk();
    let clone = ["clone", "ref.wav", "--demo", "-o"];
    desk.run(&[&clone[..], &["a.wav"]].concat()).fails(2, &["--output a.wav: a voice is no sound", ".npz"]);
    desk.run(&["speak", "oi", "--demo", "--save-voice", "a.mp3"]).fails(2, &["--save-voice a.mp3", ".npz"]);
    desk.run(&["speak", "oi", "--demo", "-o", "folder/"]).fails(6, &["folder/: names a folder, not a file"]);
    desk.run(&["convert", "ref.wav", "--demo", "--voice", VOICE]).fails(2, &["where to? Give -o FILE, or -d DIR"]);
    assert_eq!(desk.files(), ["ref.wav"]);
}

#[test]
fn numbers_that_are_none_are_told_with_what_is_expected() {
    let desk = desk();
    let speak = |flag: &str, value: &str| desk.run(&["speak", "oi", "--demo", flag, value]);
    speak("--text-temp", "0,7").fails(2, &["'0,7'", "a number with a point, such as 0.7"]);
    speak("--max-seconds", "dez").fails(2, &["'dez'", "a number"]);
    speak("--seed", "-1").fails(2, &["'-1'", "a whole number from 0 to 18446744073709551615"]);
}

#[test]
fn an_adapter_is_merged_at_load_or_when_packing_and_a_wrong_one_is_refused() {
    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/lora/plain");
    // Strong enough to change what a model of noise says.
    const LORA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/lora/plain:40");
    let desk = desk();
    let bytes = |out: &str, flags: &[&str]| {
        assert_eq!(desk.speak("oi", &[&["--seed", "1", "-o", out], flags].concat()).prints(), out);
        desk.bytes(out)
    };
    let (plain, merged) = (bytes("a.wav", &[]), bytes("b.wav", &["--lora", LORA]));
    assert_ne!(plain, merged);
    assert_eq!(plain, bytes("c.wav", &["--lora", &format!("{FOLDER}:0")]));
    let bark = super::SPEAK[1];
    let ran = desk.run(&["models", "pack", bark, "--weights", "f32", "--lora", LORA]);
    let (packed, tokenizer) = (ran.prints().to_owned(), super::SPEAK[5]);
    let other = desk.speak("oi", &["--seed", "1", "-o", "d.wav", "--bark", &packed, "--tokenizer", tokenizer]);
    assert_eq!(other.prints(), "d.wav");
    assert_eq!(merged, desk.bytes("d.wav"));
    assert_eq!(plain, bytes("e.wav", &[]), "what was packed with an adapter is not taken without it");

    desk.speak("oi", &["--lora", "none", "-o", "f.wav"]).fails(4, &["none: there is no such file or folder"]);
    desk.speak("oi", &["--lora", "ref.wav:0.5", "-o", "f.wav"]).fails(4, &["ref.wav"]);
    desk.speak("oi", &["--lora", ":2", "-o", "f.wav"]).fails(2, &["--lora", "such as mine/:0.8"]);
}

#[test]
fn the_ending_of_a_sound_that_is_not_written_is_refused_wherever_it_is_named() {
    let desk = desk();
    fs::write(desk.path("list"), "oi\n").unwrap();
    fs::write(desk.path("jobs"), "{\"text\": \"oi\", \"out\": \"z.ogg\"}\n").unwrap();
    let speak = ["speak", "--demo", "--voice", VOICE, "-d", "out", "--dry-run"];
    let told = "files that end with .ogg are not written; these are: .wav, .flac";
    desk.run(&[&speak[..], &["--lines", "list", "--names", "{slug}.ogg"]].concat()).fails(2, &["--names", told]);
    desk.run(&["speak", "--demo", "-d", "out", "--dry-run", "--jobs", "jobs"]).fails(7, &["line 1: z.ogg: ", told]);
    desk.run(&["speak", "oi", "--demo", "-o", "x.ogg"]).fails(2, &["x.ogg: ", told]);
    let convert = ["convert", "ref.wav", "--demo", "--voice", VOICE, "-d", "out", "--names", "{stem}.aac"];
    desk.run(&convert).fails(2, &["--names {stem}.aac: files that end with .aac are not written"]);
    assert_eq!(desk.files(), ["jobs", "list", "ref.wav"]);
    for names in ["{slug}.v2", "{index:02}-{slug}.srt", ".mp3"] {
        desk.run(&[&speak[..], &["--lines", "list", "--names", names]].concat()).fails(2, &["--names", names]);
    }
    let dotted = [&speak[..], &super::SPEAK[..4], &["--lines", "list", "--names", "v2.{slug}"]].concat();
    let dotted: Vec<_> = dotted.into_iter().filter(|flag| *flag != "--demo").collect();
    assert!(desk.run(&dotted).prints().starts_with("out/v2.oi.wav\t"));
}

#[test]
fn a_voice_that_is_not_there_is_told_with_the_one_that_was_meant() {
    let desk = desk();
    desk.clone("ref.wav", &["--name", "ana"]).prints();
    fs::copy(VOICE, desk.path("voz.npz")).unwrap();
    desk.speak("oi", &["--voice", "anna"]).fails(3, &["no voice is named `anna` (did you mean `ana`?)"]);
    desk.speak("oi", &["--voice", "voz"]).fails(3, &["no voice is named `voz` (did you mean `voz.npz`?)"]);
    desk.run(&["voice", "remove", "anna"]).fails(3, &["(did you mean `ana`?)"]);
    fs::write(desk.path("jobs"), "{\"text\": \"oi\", \"voice\": \"evva\"}\n").unwrap();
    let jobs = ["speak", "--jobs", "jobs", "-d", "out", "--voice", "eva=voz.npz", "--voice", "rui=voz.npz"];
    let ran = desk.run(&[&jobs[..], &super::SPEAK[..]].concat());
    ran.fails(7, &["line 1: no voice is named `evva` (did you mean `eva`?); --voice names eva, rui"]);
    let told = ["NAME=VOICE is for --lines, --jobs and --file", "not `ana=voz.npz`"];
    desk.convert(&["ref.wav"], &["-o", "a.wav", "--voice", "ana=voz.npz"]).fails(2, &told);
    let ab = ["speak", "--ab", "ana=voz.npz", "voz.npz", "Oi"];
    desk.run(&[&ab[..], &super::SPEAK[..]].concat()).fails(2, &told);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_is_told_once() {
    let desk = desk();
    for name in ["v.npz", "v.pth"] {
        desk.run(&["clone", "ref.wav", "--demo", "-o", "w.npz", "--force"]).prints();
        let ran = desk.limited(1, &["voice", "convert", "w.npz", name]);
        ran.fails(6, &[name]);
        assert_eq!(ran.stderr.matches("os error").count(), 1, "{}", ran.stderr);
        assert!(!ran.stderr.contains("drop failed") && !desk.path(name).exists(), "{}", ran.stderr);
    }
}

#[test]
fn a_summary_names_a_recording_once_and_the_help_of_clone_no_flag_that_is_refused() {
    let desk = desk();
    fs::create_dir(desk.path("src")).unwrap();
    fs::write(desk.path("src/bad.wav"), "no sound").unwrap();
    fs::copy(desk.path("ref.wav"), desk.path("src/good.wav")).unwrap();
    let ran = desk.run(&[&["clone", "src", "--each", "-d", "out"], &super::CLONE[..]].concat());
    assert_eq!(ran.code, 7, "{}", ran.stderr);
    let summary = desk.run(&["report", "summary", "out/report.jsonl"]);
    assert_eq!(summary.prints().matches("src/bad.wav").count(), 1, "{}", summary.prints());
    assert!(!desk.run(&["clone", "--help"]).prints().contains("--redo"));
    desk.run(&["clone", "src", "--each", "-d", "out", "--redo", "1"]).fails(2, &["--redo"]);
}

#[test]
fn what_is_not_spoken_is_told_once_for_each_word_of_a_run() {
    let desk = desk();
    fs::write(desk.path("list"), "Bom dia 🎉.\nOi.\nOi 🎉 🎉.\nAté 🎉 logo 🚀.\n").unwrap();
    let lines = ["speak", "--demo", "--voice", "v.npz", "--lines", "list", "-d", "out", "--max-seconds", "0.3"];
    desk.run(&["clone", "ref.wav", "--demo", "-o", "v.npz"]).prints();
    let ran = desk.run(&lines);
    let told: Vec<_> = ran.stderr.lines().filter(|line| line.contains("is not spoken")).collect();
    let why = "is not spoken: the tokenizer does not know it";
    let expected = [format!("warning: line 1: `🎉` {why} (and 2 more)"), format!("warning: line 4: `🚀` {why}")];
    assert_eq!(told, expected, "{}", ran.stderr);
}

#[test]
fn of_several_takes_the_others_are_told_in_words() {
    let desk = desk();
    let ran = desk.speak("Bom dia a todos", &["--retry", "1", "--seed", "5", "-o", "a.wav"]);
    let told = ran.stderr.lines().find(|line| line.contains("2 takes, the best one has seed ")).expect(&ran.stderr);
    assert!(told.contains("; seed ") && !told.contains("score") && !told.contains("-1."), "{told}");
}
