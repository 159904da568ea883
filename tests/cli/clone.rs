//! `barkclone clone --raw`: recordings that become voices as they are.

use super::{Arrays, Desk, NO_MODEL, spec, write_wav};
use hound::SampleFormat::{Float, Int};

#[test]
fn every_sample_format_and_channel_count_of_one_sound_gives_the_same_voice() {
    let desk = Desk::new();
    let formats = [(1, 16, Int), (1, 8, Int), (2, 24, Int), (3, 32, Int), (4, 32, Float), (6, 16, Int), (8, 8, Int)];
    let voices = formats.map(|(channels, bits, format)| {
        let name = format!("{channels}x{bits}");
        write_wav(&desk.path(&format!("{name}.wav")), spec(channels, 16_000, bits, format), 1.0, 7);
        assert_eq!(desk.clone(&format!("{name}.wav"), &[]).prints(), format!("{name}.npz"));
        Arrays::read(&desk.path(&format!("{name}.npz")))
    });
    voices[0].satisfy_bark();
    for (voice, (channels, bits, _)) in voices.iter().zip(formats) {
        assert_eq!(voice, &voices[0], "{channels} channels of {bits} bits");
    }
}

#[test]
fn recordings_of_8_to_192_khz_become_voices_that_bark_accepts() {
    let desk = Desk::new();
    for rate in [8_000, 11_025, 22_050, 24_000, 44_100, 48_000, 96_000, 192_000] {
        write_wav(&desk.path("ref.wav"), spec(2, rate, 16, Int), 1.1, 1);
        let ran = desk.clone("ref.wav", &["-o", "voice.npz", "--force"]);
        ran.says(&[&format!("ref.wav: 1.1 s at {rate} Hz, 2 channel(s)")]);
        assert_eq!(ran.prints(), "voice.npz");
        Arrays::read(&desk.path("voice.npz")).satisfy_bark();
    }
}

#[test]
fn clips_of_any_length_become_voices_that_bark_accepts() {
    let desk = Desk::new();
    for seconds in [1.0, 1.01, 1.5, 2.3, 5.0, 12.7] {
        desk.babble("ref.wav", seconds);
        desk.clone("ref.wav", &["-o", "voice.npz", "--force"]).prints();
        let voice = Arrays::read(&desk.path("voice.npz"));
        voice.satisfy_bark();
        let spoken = voice.coarse.ncols() as f64 / 75.0;
        assert!((seconds - 0.1..seconds + 0.1).contains(&spoken), "{spoken} s of {seconds} s");
    }
}

#[test]
fn an_unusual_length_is_warned_of_with_the_seconds_that_are_heard() {
    let desk = Desk::new();
    desk.babble("short.wav", 1.5);
    desk.clone("short.wav", &[]).says(&["warning: 1.5 s of reference", "5 to 12 s", "0.0 to 1.5 s"]);
    desk.babble("long.wav", 12.7);
    desk.clone("long.wav", &[]).says(&[
        "warning: 12.7 s of reference",
        "text stage 7.6 to 12.7 s",
        "coarse 8.5 to 12.7 s",
        "fine 5.9 to 12.7 s",
    ]);
    desk.babble("good.wav", 5.0);
    let good = desk.clone("good.wav", &[]);
    good.says(&["the models hear: ", "coarse 0.8 to 5.0 s"]);
    assert!(!good.stderr.contains("of reference"), "{}", good.stderr);
    good.says(&["warning: good.wav: noise: the speech is 11 dB over the noise"]);
}

#[test]
fn of_a_long_recording_only_the_last_minute_is_used_and_that_is_said() {
    let desk = Desk::new();
    desk.babble("talk.wav", 75.0);
    // What is said before the models are needed: a minute of audio would take them long.
    let ran =
        desk.run(&["clone", "talk.wav", "--raw", "--hubert", NO_MODEL, "--quantizer", NO_MODEL, "--codec", NO_MODEL]);
    ran.fails(4, &["talk.wav: 75.0 s", "only the last 60 s of 75 s are used"]);
}

#[test]
#[ignore = "two minutes of audio to clone"]
fn a_long_recording_gives_the_voice_of_its_last_minute() {
    let desk = Desk::new();
    desk.babble("talk.wav", 61.0);
    let mut talk = hound::WavReader::open(desk.path("talk.wav")).unwrap();
    let mut end = hound::WavWriter::create(desk.path("end.wav"), talk.spec()).unwrap();
    talk.samples::<i16>().skip(16_000).for_each(|sample| end.write_sample(sample.unwrap()).unwrap());
    end.finalize().unwrap();
    desk.clone("talk.wav", &[]).prints();
    desk.clone("end.wav", &[]).prints();
    assert_eq!(Arrays::read(&desk.path("talk.npz")), Arrays::read(&desk.path("end.npz")));
}

#[test]
fn the_voice_is_named_after_its_recording_and_lies_here() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("takes")).unwrap();
    desk.babble("takes/ana.take.2.wav", 1.0);
    let ran = desk.clone("takes/ana.take.2.wav", &["-qq"]);
    assert_eq!((ran.stdout.as_slice(), ran.stderr.as_str()), (&b"ana.take.2.npz\n"[..], ""));
    assert_eq!(desk.files(), ["ana.take.2.npz", "takes"]);
}

#[test]
fn the_same_recording_gives_the_same_file_for_any_number_of_threads() {
    let desk = Desk::new();
    desk.babble("ref.wav", 1.3);
    let voices = ["1", "2", "4"].map(|threads| {
        desk.clone("ref.wav", &["--force", "--threads", threads]).prints();
        desk.bytes("ref.npz")
    });
    assert!(voices[0] == voices[1] && voices[0] == voices[2]);
}
