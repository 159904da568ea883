//! `check` and its page: what is done to a clean recording is found, and nothing else.

use barkclone::audio::{Clip, Pcm, Recipe, read_wav, resample};
use barkclone::sound::page::{self, Picture};
use barkclone::sound::{self, Level, Report, What};
use std::f32::consts::TAU;
use std::path::Path;

pub mod browser;

/// The example recording without its first word, in which it was cut.
fn clean() -> Pcm {
    let pcm = read_wav(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/reference.wav")), 60.0).unwrap().pcm;
    Pcm { samples: pcm.samples[pcm.rate as usize * 11 / 20..].to_vec(), rate: pcm.rate }
}

fn clip(pcm: Pcm) -> Clip {
    Clip { start: 0.0, total_seconds: pcm.seconds(), pcm, channels: 1, notes: Vec::new() }
}

fn checked(pcm: Pcm) -> Report {
    sound::check(&clip(pcm)).unwrap()
}

/// The clean recording, changed sample by sample.
fn changed(change: impl Fn(usize, f32) -> f32) -> Pcm {
    let clean = clean();
    Pcm { samples: clean.samples.iter().enumerate().map(|(i, &x)| change(i, x)).collect(), rate: clean.rate }
}

fn what(report: &Report) -> Vec<What> {
    report.findings.iter().map(|finding| finding.what).collect()
}

#[track_caller]
fn finds(report: &Report, expected: What, level: Level) {
    let found = report.findings.iter().find(|finding| finding.what == expected);
    assert_eq!(found.map(|finding| finding.level), Some(level), "{:?}\n{:?}", report.findings, report.measures);
}

/// White noise, the same every time, with an RMS of 1 / sqrt(3).
fn noise() -> impl FnMut() -> f32 {
    let mut state = 1u32;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

fn with_noise(pcm: &Pcm, level: f32) -> Pcm {
    let mut noise = noise();
    Pcm { samples: pcm.samples.iter().map(|x| x + level * noise()).collect(), rate: pcm.rate }
}

#[test]
fn nothing_is_wrong_with_a_clean_recording() {
    let report = checked(clean());
    assert_eq!(report.findings, [], "{:?}", report.measures);
    assert!(report.measures.speech_seconds > 4.0);
}

#[test]
fn what_is_done_to_a_recording_is_found() {
    let rate = clean().rate as f32;
    let peak = clean().samples.iter().fold(0.0, |high: f32, x| high.max(x.abs()));
    let ceiling = 0.3 * peak;
    let hum = |i: usize| (TAU * 50.0 * i as f32 / rate).sin() + 0.6 * (TAU * 150.0 * i as f32 / rate).sin();
    finds(&checked(changed(|_, x| x.clamp(-ceiling, ceiling))), What::Clipping, Level::Bad);
    finds(&checked(changed(|_, x| 0.5 * x + 0.02)), What::Offset, Level::Warning);
    finds(&checked(changed(|_, x| 0.02 * x)), What::Quiet, Level::Bad);
    finds(&checked(changed(|i, x| x + 0.003 * hum(i))), What::Hum, Level::Warning);
    finds(&checked(with_noise(&clean(), 0.04)), What::Noise, Level::Warning);
    finds(&checked(with_noise(&clean(), 0.12)), What::Noise, Level::Bad);
}

#[test]
fn denoising_is_advised_where_it_takes_more_noise_than_voice() {
    let mut advised = Vec::new();
    for level in [0.014, 0.017, 0.02, 0.024, 0.03, 0.05, 0.1, 0.2] {
        let report = checked(with_noise(&clean(), level));
        let Some(noise) = report.findings.iter().find(|finding| finding.what == What::Noise) else { continue };
        let advises = noise.advice.contains("clone it with --denoise");
        assert_eq!(advises, report.measures.snr.unwrap() < 17.0, "{noise:?}");
        advised.push(advises);
    }
    assert!(advised.contains(&true) && advised.contains(&false), "{advised:?}");
}

#[test]
fn hum_is_told_with_its_frequency_and_a_steady_level() {
    let rate = clean().rate as f32;
    for hz in [50, 60] {
        let hum = |i: usize| 0.01 * (TAU * hz as f32 * i as f32 / rate).sin();
        let report = checked(changed(|i, x| x + hum(i)));
        let found = report.measures.hum.unwrap();
        // RMS of an amplitude of 0.01: -43.0 dB.
        assert!(found.hz == hz && (found.level + 43.0).abs() < 2.0, "{found:?}");
    }
}

#[test]
fn a_telephones_band_is_found_and_what_was_made_of_it_too() {
    let telephone = resample(&clean(), 8_000, Recipe::Transform).unwrap();
    // The resampler leaves a little above 4 kHz.
    finds(&checked(resample(&telephone, 44_100, Recipe::Transform).unwrap()), What::Bandwidth, Level::Warning);
    finds(&checked(telephone), What::Bandwidth, Level::Bad);
}

#[test]
fn a_cut_is_told_where_the_models_hear_it() {
    let clean = clean();
    let report = checked(clean.clone());
    let last = report.speech.last().unwrap();
    // In the last second of speech, where it is loudest.
    let from = ((last.end - 1.0) * f64::from(clean.rate)) as usize;
    let step = clean.rate as usize / 20;
    let energy = |at: usize| clean.samples[at - step..at].iter().map(|x| x * x).sum::<f32>();
    let to = (last.end * f64::from(clean.rate)) as usize - step;
    let loudest = (from..to).step_by(step).max_by(|&a, &b| energy(a).total_cmp(&energy(b))).unwrap();
    let cut = checked(Pcm { samples: clean.samples[..loudest].to_vec(), rate: clean.rate });
    finds(&cut, What::CutEnd, Level::Warning);
    let place = &cut.findings.iter().find(|f| f.what == What::CutEnd).unwrap().at[0];
    assert!((place.end - cut.seconds).abs() < 1e-6);
}

#[test]
fn silence_is_told_with_its_place_and_softened_where_it_is_not_heard() {
    let clean = clean();
    let second = clean.rate as usize;
    let quiet = with_noise(&Pcm { samples: vec![0.0; 3 * second], rate: clean.rate }, 1e-4).samples;
    let end = checked(Pcm { samples: [&clean.samples[..], &quiet].concat(), rate: clean.rate });
    finds(&end, What::SilenceEnd, Level::Warning);
    let twice = [&clean.samples[..], &quiet, &clean.samples[..]].concat();
    let inside = checked(Pcm { samples: [twice, clean.samples.clone()].concat(), rate: clean.rate });
    finds(&inside, What::SilenceInside, Level::Note);
    let at = &inside.findings.iter().find(|f| f.what == What::SilenceInside).unwrap().at;
    let start = clean.seconds();
    assert!(at.len() == 1 && at[0].start < start + 0.1 && at[0].end > start + 2.9, "{at:?}");
}

#[test]
fn held_chords_are_a_hint_of_music() {
    let rate = clean().rate as f32;
    let chord = |i: usize| {
        let notes = if (i as f32 / rate) as usize % 4 < 2 { [220.0, 277.2, 329.6] } else { [196.0, 246.9, 293.7] };
        notes.iter().map(|hz| (TAU * hz * i as f32 / rate).sin()).sum::<f32>()
    };
    let report = checked(changed(|i, x| x + 0.02 * chord(i)));
    let music = report.findings.iter().find(|finding| finding.what == What::Music).expect("no music");
    assert!(music.confidence.is_some_and(|confidence| confidence > 0.5));
}

#[test]
fn a_voice_that_stays_on_one_pitch_is_no_music_and_chords_under_it_are() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/demo/reference.wav");
    let mut pcm = read_wav(Path::new(path), 60.0).unwrap().pcm;
    let report = checked(pcm.clone());
    assert!(!what(&report).contains(&What::Music), "{:?}", report.measures.music);
    let rate = pcm.rate as f32;
    let chord = |i: usize| [493.9, 622.3, 740.0].iter().map(|hz| (TAU * hz * i as f32 / rate).sin()).sum::<f32>();
    pcm.samples.iter_mut().enumerate().for_each(|(i, sample)| *sample += 0.02 * chord(i));
    let report = checked(pcm);
    assert!(what(&report).contains(&What::Music), "{:?}", report.measures.music);
}

#[test]
fn noise_silence_and_moments_are_no_speech() {
    let mut noise = noise();
    for samples in [vec![0.0; 48_000], (0..48_000).map(|_| 0.1 * noise()).collect(), vec![0.5; 3], vec![]] {
        let report = checked(Pcm { samples, rate: 16_000 });
        finds(&report, What::NoSpeech, Level::Bad);
        assert_eq!(report.worst, Some(Level::Bad));
        // Nothing that cannot be a number in JSON.
        let json = serde_json::to_value(&report).unwrap();
        assert!(json["measures"]["peak"].is_number() && json["seconds"].is_number(), "{json}");
        let picture = Picture::new("empty", &Pcm { samples: vec![], rate: 16_000 }, report).unwrap();
        assert!(page::html(&[picture]).unwrap().ends_with("</html>\n"));
    }
}

#[test]
fn of_a_long_recording_times_are_those_of_the_file() {
    let pcm = clean();
    let seconds = pcm.seconds();
    let report =
        sound::check(&Clip { start: 1000.0, total_seconds: 1000.0 + seconds, channels: 2, ..clip(pcm) }).unwrap();
    finds(&report, What::Long, Level::Note);
    assert_eq!(report.start.round(), 1000.0);
    assert!(report.speech[0].start >= 1000.0);
    assert!((report.stages.unwrap().text.end - 1000.0 - seconds).abs() < 1e-9);
}

#[test]
fn every_rate_gives_the_same_findings() {
    let report = |rate| checked(resample(&clean(), rate, Recipe::Transform).unwrap());
    for rate in [22_050, 24_000, 44_100, 48_000, 96_000, 192_000] {
        assert_eq!(report(rate).findings, [], "{rate} Hz");
    }
}

#[test]
fn a_page_needs_nothing_else_and_names_what_was_found() {
    let pcm = with_noise(&clean(), 0.05);
    let report = checked(pcm.clone());
    let picture = Picture::new("<a & b>.wav", &pcm, report).unwrap();
    let page = page::html(&[picture]).unwrap();
    assert!(page.contains("&lt;a &amp; b&gt;.wav") && !page.contains("<a & b>"));
    assert!(page.contains("data:image/png;base64,"));
    for outside in ["http:", "https:", "src=", "@import", "<script", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for word in ["noise", "text stage", "prefers-color-scheme: dark", "Record closer"] {
        assert!(page.contains(word), "{word}");
    }
}
