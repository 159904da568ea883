//! Listening to utterances that went wrong in ways that are known, because they were made so.

use barkclone::audio::{Pcm, read_wav};
use barkclone::sound::{What, listen, trim_tail};
use std::path::Path;

/// About what the example recording says: as many letters.
const TEXT_SECONDS: f64 = 14.0;

fn spoken() -> Pcm {
    read_wav(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/reference.wav")), 60.0).unwrap().pcm
}

/// A text of a plausible length for `pcm`.
fn text(pcm: &Pcm) -> String {
    "a".repeat((pcm.seconds() * TEXT_SECONDS) as usize)
}

fn then(pcm: &Pcm, seconds: f64, mut next: impl FnMut(usize) -> f32) -> Pcm {
    let more = (0..(seconds * f64::from(pcm.rate)) as usize).map(&mut next);
    Pcm { samples: pcm.samples.iter().copied().chain(more).collect(), rate: pcm.rate }
}

fn noise(level: f32) -> impl FnMut(usize) -> f32 {
    let mut state = 1u32;
    move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        level * ((state >> 8) as f32 / (1 << 23) as f32 - 1.0)
    }
}

#[track_caller]
fn faults(pcm: &Pcm, text: &str) -> Vec<What> {
    listen(pcm, Some(text), true).unwrap().into_iter().map(|finding| finding.what).collect()
}

#[test]
fn speech_as_it_should_be_has_no_fault() {
    let pcm = spoken();
    assert_eq!(faults(&pcm, &text(&pcm)), []);
}

#[test]
fn silence_is_the_only_fault_of_silence() {
    for samples in [vec![], vec![0.0; 48_000], vec![1e-4; 48_000]] {
        assert_eq!(faults(&Pcm { samples, rate: 24_000 }, "Bom dia"), [What::Silent]);
    }
}

#[test]
fn a_limit_that_was_reached_is_told() {
    let pcm = spoken();
    let findings = listen(&pcm, Some(&text(&pcm)), false).unwrap();
    assert_eq!(findings.iter().map(|f| f.what).collect::<Vec<_>>(), [What::RanOut]);
}

#[test]
fn speech_too_long_or_too_short_for_its_text_is_told() {
    let pcm = spoken();
    assert_eq!(faults(&pcm, "Oi."), [What::TooSlow]);
    assert_eq!(faults(&pcm, &text(&pcm).repeat(4)), [What::TooFast]);
}

#[test]
fn a_sound_beyond_full_scale_is_told() {
    let pcm = spoken();
    let peak = pcm.samples.iter().fold(0.0, |high: f32, x| high.max(x.abs()));
    let loud = Pcm { samples: pcm.samples.iter().map(|x| x * 4.0 / peak).collect(), rate: pcm.rate };
    assert_eq!(faults(&loud, &text(&pcm)), [What::Clipping]);
}

#[test]
fn noise_after_the_speech_is_a_tail_and_is_cut_off() {
    let pcm = spoken();
    for seconds in [0.8, 2.0] {
        let garbled = then(&pcm, seconds, noise(0.05));
        assert_eq!(faults(&garbled, &text(&pcm)), [What::GarbledTail], "{seconds}");
        let trimmed = trim_tail(&garbled).unwrap();
        assert!(trimmed.seconds() < pcm.seconds() + 0.25, "{} of {}", trimmed.seconds(), pcm.seconds());
        assert_eq!(faults(&trimmed, &text(&pcm)), [], "{seconds}");
    }
}

#[test]
fn what_is_left_after_a_cut_is_as_it_was_and_fades() {
    let pcm = spoken();
    let trimmed = trim_tail(&then(&pcm, 3.0, |_| 0.0)).unwrap();
    let untouched = trimmed.samples.len() - trimmed.rate as usize / 10;
    assert!(untouched > pcm.samples.len() * 3 / 4);
    let same = untouched.min(pcm.samples.len());
    assert!(trimmed.samples[..same] == pcm.samples[..same]);
    assert!(trimmed.samples.last().unwrap().abs() < 1e-6);
    assert!(trim_tail(&trimmed).unwrap() == trimmed, "a second cut finds nothing");
}

#[test]
fn sound_without_speech_is_not_cut() {
    let hiss = then(&Pcm { samples: vec![], rate: 24_000 }, 2.0, noise(0.1));
    assert!(trim_tail(&hiss).unwrap() == hiss);
    let nothing = Pcm { samples: vec![], rate: 24_000 };
    assert!(trim_tail(&nothing).unwrap() == nothing);
}
