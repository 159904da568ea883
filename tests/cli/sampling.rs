//! How `barkclone speak` draws: seeds that repeat, and settings that are refused by their flags' names before anything else.

use super::Desk;

const VOICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sound/voices/preset.npz");

/// The samples alone: what is told of the settings differs where they do.
fn samples(wav: &[u8]) -> Vec<i16> {
    hound::WavReader::new(wav).unwrap().into_samples().map(Result::unwrap).collect()
}

fn said(desk: &Desk, flags: &[&str]) -> Vec<u8> {
    let ran = desk.speak("Bom dia", &[&["-o", "-"], flags].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout
}

#[test]
fn a_seed_gives_the_same_bytes_on_every_run_and_number_of_threads() {
    let desk = Desk::new();
    let seven = |flags: &[&str]| said(&desk, &[&["--seed", "7", "--voice", VOICE], flags].concat());
    let first = seven(&[]);
    for flags in [&[][..], &["--threads", "1"], &["--threads", "2"], &["--threads", "4"], &["--keep-loaded"]] {
        assert!(seven(flags) == first, "{flags:?}");
    }
    assert!(samples(&said(&desk, &["--seed", "8", "--voice", VOICE])) != samples(&first));
}

#[test]
fn a_seed_is_chosen_anew_and_told_and_gives_that_speech_again() {
    let desk = Desk::new();
    let chosen = || {
        let ran = desk.speak("Bom dia", &["-o", "-"]);
        let line = ran.stderr.lines().find_map(|line| line.strip_prefix("seed ")).unwrap().to_owned();
        (line, ran.stdout)
    };
    let ((seed, sound), (other, _)) = (chosen(), chosen());
    assert_ne!(seed, other);
    assert!(said(&desk, &["--seed", &seed]) == sound);
}

#[test]
fn temperature_zero_needs_no_luck() {
    let desk = Desk::new();
    let greedy = ["--text-temp", "0", "--waveform-temp", "0", "--fine-temp", "0"];
    let with_seed = |seed| samples(&said(&desk, &[&greedy[..], &["--seed", seed]].concat()));
    let best = with_seed("1");
    assert_eq!(best, with_seed("2"));
    let one = ["--top-k", "1", "--fine-temp", "0", "--seed", "3"];
    assert_eq!(best, samples(&said(&desk, &one)), "the likeliest alone is left to draw from");
}

#[test]
fn every_setting_of_sampling_changes_what_is_drawn() {
    let desk = Desk::new();
    let with = |flags: &[&str]| samples(&said(&desk, &[&["--seed", "4"], flags].concat()));
    let plain = with(&[]);
    for [flag, value] in [
        ["--text-temp", "1.5"],
        ["--waveform-temp", "1.5"],
        ["--fine-temp", "1.5"],
        ["--top-k", "3"],
        ["--top-p", "0.1"],
        ["--max-seconds", "0.4"],
    ] {
        assert!(with(&[flag, value]) != plain, "{flag} {value}");
    }
    // So short a speech is all in view, but for a voice before it and little context.
    let near = ["--voice", VOICE, "--coarse-history", "60"];
    assert!(with(&near) != with(&near[..2]), "--coarse-history");
    assert!(with(&[&near[..], &["--coarse-window", "20"]].concat()) != with(&near), "--coarse-window");
}

#[test]
fn impossible_settings_are_refused_by_name_before_anything_else() {
    let desk = Desk::new();
    for (flag, values) in [
        ("--text-temp", &["-1", "nan", "inf", "hot"][..]),
        ("--waveform-temp", &["-0.1", "NaN"]),
        ("--fine-temp", &["-1e9"]),
        ("--top-k", &["0", "-1", "1.5"]),
        ("--top-p", &["0", "-0.5", "1.01", "nan"]),
        ("--min-eos-p", &["-0.1", "1.1", "nan"]),
        ("--max-seconds", &["0", "-1", "nan", "inf"]),
        ("--coarse-history", &["59", "631", "-60", "18446744073709551615"]),
        ("--coarse-window", &["0", "-1", "139", "18446744073709551615"]),
        ("--seed", &["-1", "x", "18446744073709551616"]),
        ("--threads", &["0", "-1", "70000"]),
        ("--weights", &["f64"]),
        ("--device", &["tpu", "cuda:x"]),
    ] {
        for value in values {
            // Neither the text on stdin nor the model is looked at.
            let ran = desk.run_with(b"", &["speak", "--bark", "large", &format!("{flag}={value}")]);
            ran.fails(2, &[flag]);
            let apart = desk.run(&["speak", "--bark", "large", flag, value]);
            assert_eq!((apart.code, &apart.stderr), (2, &ran.stderr), "{flag} {value}");
        }
    }
    let both = desk.run(&["speak", "x", "--bark", "large", "--coarse-history", "600", "--coarse-window", "200"]);
    both.fails(2, &["--coarse-history 600", "--coarse-window 200", "at most 768"]);
    let fast = desk.run(&["speak", "x", "--bark", "large", "--fast", "--coarse-history", "630"]);
    fast.fails(2, &["--coarse-history 630", "--coarse-window 456", "at most 768"]);
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_this_build_lacks_is_refused_with_advice() {
    let desk = Desk::new();
    let ran = desk.run(&["speak", "oi", "--bark", "large", "--device", "cuda"]);
    ran.fails(2, &["--device cuda is not available", "--features cuda", "--device cpu"]);
    desk.speak("oi", &["--device", "cpu"]).prints();
}
