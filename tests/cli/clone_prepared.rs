//! `barkclone clone` as it is by default: what it takes of recordings, and what it says of that.

use super::{Arrays, Desk, NO_MODEL};
use hound::{WavReader, WavWriter};
use std::fs;
use std::path::PathBuf;

/// Flags that name models which do not exist: whoever comes as far as the models fails with 4.
const NO_MODELS: [&str; 6] = ["--hubert", NO_MODEL, "--quantizer", NO_MODEL, "--codec", NO_MODEL];

fn golden(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/formats")).join(name)
}

/// The samples of the shipped reference: speech, 24 kHz.
fn speech() -> Vec<i16> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/reference.wav");
    WavReader::open(path).unwrap().samples().map(Result::unwrap).collect()
}

fn silence(seconds: f64) -> Vec<i16> {
    vec![0; (seconds * 24_000.0) as usize]
}

impl Desk {
    fn record(&self, name: &str, samples: &[i16]) {
        let spec = super::spec(1, 24_000, 16, hound::SampleFormat::Int);
        let mut writer = WavWriter::create(self.path(name), spec).unwrap();
        samples.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
        writer.finalize().unwrap();
    }

    /// What is said before the models are needed.
    #[track_caller]
    fn hears(&self, arguments: &[&str], words: &[&str]) {
        self.run(&[&["clone"], arguments, &NO_MODELS].concat()).fails(4, words);
    }
}

#[test]
fn a_good_clip_gives_the_voice_that_it_gives_raw() {
    let desk = Desk::new();
    desk.record("good.wav", &speech());
    let ran = desk.prepare(&["good.wav", "-o", "prepared.npz"]);
    assert_eq!(ran.prints(), "prepared.npz");
    ran.says(&[
        "good.wav: 6.9 s at 24000 Hz, 1 channel(s);",
        "% of it speech",
        "taken: all of it",
        "the models hear: ",
    ]);
    desk.clone("good.wav", &["-o", "raw.npz"]).prints();
    assert_eq!(Arrays::read(&desk.path("prepared.npz")), Arrays::read(&desk.path("raw.npz")));
}

#[test]
fn clone_says_the_numbers_and_warnings_of_check() {
    let desk = Desk::new();
    let mut noise = 1u32;
    let mut hiss = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 22) as i16 - 512
    };
    desk.record("bad.wav", &speech().into_iter().map(|sample| sample.clamp(-4000, 4000) + hiss()).collect::<Vec<_>>());
    desk.record("clipped.wav", &speech().into_iter().map(|sample| sample.clamp(-4000, 4000)).collect::<Vec<_>>());
    for (name, found) in [("bad.wav", "noise: "), ("clipped.wav", "clipping: ")] {
        let checked = desk.run(&["check", name]);
        let text = checked.prints();
        let measured = |name: &str, unit: &str| {
            let after = text.split(&format!("{name} ")).nth(1).unwrap();
            after.split(unit).next().unwrap().to_owned()
        };
        let (speech, snr) = (measured("measured speech", " s,"), measured("speech over noise", " dB"));
        desk.hears(&[name], &[&format!("taken: all of it: {speech} s of speech, {snr} dB over its noise")]);
        let bad = text.lines().filter_map(|line| line.strip_prefix("  warning  ").or(line.strip_prefix("  bad      ")));
        let bad: Vec<_> = bad.map(|line| format!("warning: {name}: {line}")).collect();
        assert!(bad.iter().any(|line| line.contains(found)), "{text}");
        bad.iter().for_each(|line| desk.hears(&[name], &[line]));
    }
}

#[test]
fn silence_around_speech_is_cut_off_and_a_quiet_voice_raised() {
    let desk = Desk::new();
    let quiet: Vec<i16> = speech().iter().map(|sample| sample / 10).collect();
    desk.record("quiet.wav", &[silence(4.0), quiet, silence(5.0)].concat());
    let ran = desk.prepare(&["quiet.wav"]);
    ran.says(&["quiet.wav: 15.9 s", "taken: 3.9 to 10.9 s of quiet.wav (7.0 s)", "raised by 1", "LUFS"]);
    let voice = Arrays::read(&desk.path(ran.prints()));
    voice.satisfy_bark();
    assert!((6.8..7.1).contains(&(voice.coarse.ncols() as f64 / 75.0)), "{} frames", voice.coarse.ncols());
}

#[test]
fn the_best_of_several_recordings_is_taken_and_what_cannot_be_used_is_left_out() {
    let desk = Desk::new();
    fs::create_dir(desk.path("takes")).unwrap();
    desk.record("takes/a.wav", &[silence(2.0), speech()[..36_000].to_vec(), silence(2.0)].concat());
    desk.record("takes/b.wav", &[silence(2.0), speech(), silence(2.0)].concat());
    desk.record("takes/c.wav", &silence(8.0));
    fs::write(desk.path("takes/d.mp3"), "no sound").unwrap();
    fs::write(desk.path("takes/notes.txt"), "no sound either").unwrap();
    desk.hears(
        &["takes", "-o", "x.npz"],
        &[
            "taken: 1.9 to 8.9 s of takes/b.wav",
            "left out: takes/c.wav: it is silent",
            "left out: takes/d.mp3: cannot be used",
        ],
    );
    let ran = desk.run(&["clone", "takes/c.wav", "takes/d.mp3", "-o", "x.npz"]);
    ran.fails(3, &["none of these 2 recordings can be used"]);
    desk.run(&["clone", "takes"]).fails(2, &["-o", "--each"]);
    desk.run(&["clone", "takes", "--raw", "-o", "x.npz"]).fails(2, &["--raw takes one recording"]);
}

#[test]
fn each_recording_of_a_folder_becomes_a_voice_and_one_that_fails_does_not_stop_the_others() {
    let desk = Desk::new();
    fs::create_dir(desk.path("takes")).unwrap();
    fs::write(desk.path("takes/a.mp3"), "no sound").unwrap();
    fs::copy(golden("lossy.mp3"), desk.path("takes/b.mp3")).unwrap();
    fs::copy(golden("lossy.m4a"), desk.path("takes/b.m4a")).unwrap();
    fs::copy(golden("lossy.opus"), desk.path("takes/c.opus")).unwrap();
    let ran = desk.prepare(&["takes", "--each", "-d", "voices"]);
    assert_eq!(ran.code, 7, "{}", ran.stderr);
    ran.says(&["takes/a.mp3: cannot be used as a recording", "1 of 4 recordings failed: voices/report.jsonl says why"]);
    let printed = String::from_utf8(ran.stdout).unwrap();
    let voices = ["voices/b.npz", "voices/b-2.npz", "voices/c.npz"];
    assert_eq!(printed.lines().collect::<Vec<_>>(), voices);
    voices.iter().for_each(|voice| Arrays::read(&desk.path(voice)).satisfy_bark());
    let again = desk.prepare(&["takes", "--each", "-d", "voices"]);
    again.says(&["0 cloned, 3 there already, 1 failed"]);
    let planned = desk.prepare(&["takes", "--each", "-d", "voices", "--dry-run"]);
    planned.says(&["takes/a.mp3: cannot be used", "0 to clone, 3 there already, 1 that cannot be"]);
    let alone = ["takes/c.opus", "--each", "-d", "voices"];
    desk.prepare(&[&alone[..], &["--denoise"]].concat())
        .fails(6, &["1: the models or flags are other ones now", "--restart"]);
    assert_eq!(desk.prepare(&[&alone[..], &["--restart"]].concat()).prints(), "voices/c.npz");
    desk.prepare(&alone).says(&[
        "0 cloned, 1 there already",
        "2 files of earlier runs",
        "--prune removes",
        "voices/b-2.npz",
    ]);
    desk.prepare(&[&alone[..], &["--prune"]].concat()).says(&["2 files of earlier runs, removed"]);
    assert!(!desk.path("voices/b.npz").exists() && desk.path("voices/c.npz").exists());
    desk.prepare(&["takes/c.opus", "--shard", "1/2"]).fails(2, &["--shard is for many", "--each"]);
}

#[test]
fn a_part_of_a_recording_can_be_named() {
    let desk = Desk::new();
    desk.record("talk.wav", &[speech(), silence(1.0), speech()].concat());
    desk.hears(&["talk.wav", "--start", "0:07.5"], &["talk.wav: 7.4 s", "taken: all of it"]);
    desk.hears(&["talk.wav", "--raw", "--start", "2", "--end", "4"], &["talk.wav: 2.0 s"]);
    let usage = |flags: &[&str], words: &[&str]| desk.run(&[&["clone", "talk.wav"], flags].concat()).fails(2, words);
    usage(&["--start", "3", "--end", "3"], &["--end is not after --start"]);
    for time in ["-1", "1:", "1:60", "1.5:00", "1:2:3:4", "inf", "nan", "1m"] {
        usage(&[&format!("--start={time}")], &["not a time: seconds, m:ss or h:mm:ss"]);
    }
    desk.run(&["clone", "talk.wav", "--start", "1:00"]).fails(3, &["talk.wav: there is no sound from 60.00 s on"]);
}

#[test]
fn where_nobody_speaks_there_is_no_voice_unless_raw() {
    let desk = Desk::new();
    desk.record("silent.wav", &silence(6.0));
    desk.run(&["clone", "silent.wav"]).fails(3, &["silent.wav: it is silent"]);
    let mut noise = 1u32;
    let mut next = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 16) as i16 / 4
    };
    desk.record("hiss.wav", &(0..144_000).map(|_| next()).collect::<Vec<_>>());
    desk.run(&["clone", "hiss.wav"]).fails(3, &["hiss.wav: no speech was found in it", "--raw"]);
    desk.hears(&["hiss.wav", "--raw"], &["hiss.wav: 6.0 s"]);
}

#[test]
fn a_preview_is_what_the_models_hear() {
    let desk = Desk::new();
    desk.record("talk.wav", &[silence(3.0), speech(), silence(3.0)].concat());
    let ran = desk.prepare(&["talk.wav", "--preview", "heard.wav"]);
    assert_eq!(ran.prints(), "talk.npz");
    let frames = Arrays::read(&desk.path("talk.npz")).fine.ncols().min(512);
    let heard = WavReader::open(desk.path("heard.wav")).unwrap();
    assert_eq!((heard.spec().sample_rate, heard.duration() as usize), (24_000, 320 * frames));
    desk.prepare(&["talk.wav", "--force", "--denoise"]).says(&["denoised"]);
    let again = desk.prepare(&["talk.wav", "-o", "x.npz", "--preview", "heard.wav"]);
    again.fails(6, &["heard.wav", "exists already"]);
    desk.prepare(&["talk.wav", "-o", "x", "--preview", "x"]).fails(2, &["the same file"]);
}
