use super::*;
use crate::audio::read_wav;
use std::f32::consts::TAU;
use std::path::Path;

fn reference() -> Pcm {
    read_wav(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/reference.wav")), 60.0).unwrap().pcm
}

/// `seconds` of white noise of this amplitude, at 24 kHz.
fn hiss(seconds: f64, amplitude: f32) -> Vec<f32> {
    let mut noise = 1u32;
    let mut next = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        amplitude * ((noise >> 8) as f32 / 8_388_608.0 - 1.0)
    };
    (0..(seconds * 24_000.0) as usize).map(|_| next()).collect()
}

#[track_caller]
fn assert_near(found: &[Range<f64>], expected: &[Range<f64>]) {
    let near = |a: f64, b: f64| (a - b).abs() < 0.06;
    let same = |(a, b): (&Range<f64>, &Range<f64>)| near(a.start, b.start) && near(a.end, b.end);
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(same), "{found:?}");
}

#[test]
fn the_words_of_the_shipped_reference_are_found_to_a_few_hundredths_of_a_second() {
    assert_near(&speech(&reference()).unwrap(), &[0.0..0.36, 0.67..2.31, 2.51..6.62]);
}

#[test]
fn speech_is_found_between_silences_and_under_hiss_at_every_rate() {
    let mut pcm = reference();
    pcm.samples.drain(..(0.6 * 24_000.0) as usize);
    pcm.samples.splice(0..0, vec![0.0; 48_000]);
    pcm.samples.extend(vec![0.0; 48_000]);
    for rate in [8_000, 11_025, 24_000, 44_100, 48_000] {
        let found = speech(&resample(&pcm, rate, Recipe::Functional).unwrap()).unwrap();
        // Where the pauses within are depends on how much of the consonants a rate keeps.
        assert_near(&[found.first().unwrap().start..found.last().unwrap().end], &[2.07..8.02]);
        assert!(found.iter().map(|s| s.end - s.start).sum::<f64>() > 5.4, "{rate} Hz: {found:?}");
    }
    let noise = hiss(pcm.seconds(), 0.01);
    pcm.samples.iter_mut().zip(noise).for_each(|(sample, noise)| *sample += noise);
    let found = speech(&pcm).unwrap();
    assert!(found.first().unwrap().start > 1.9 && found.last().unwrap().end < 8.3, "{found:?}");
    assert!(found.iter().map(|s| s.end - s.start).sum::<f64>() > 5.0, "{found:?}");
}

#[test]
fn silence_hiss_and_most_tones_are_no_speech() {
    let tone = |hz: f32| (0..72_000).map(|i| 0.3 * (TAU * hz * i as f32 / 24_000.0).sin()).collect();
    for samples in
        [vec![], vec![0.0; 72_000], hiss(3.0, 0.3), hiss(3.0, 0.001), tone(100.0), tone(1_000.0), tone(3_000.0)]
    {
        let found = speech(&Pcm { samples, rate: 24_000 }).unwrap();
        assert_eq!(found, [], "{found:?}");
    }
}

#[test]
fn levels_are_those_of_16_ms_each() {
    let mut samples = vec![0.0; 512];
    (0..256).for_each(|i| samples[i] = if i % 2 == 0 { 0.5 } else { -0.25 });
    let frames = Frames::of(&Pcm { samples, rate: 16_000 }).unwrap();
    assert_eq!((frames.probabilities.len(), &frames.clipped[..]), (2, &[false, false][..]));
    assert!((frames.decibels[0] + 8.07).abs() < 0.01 && frames.decibels[1] == -120.0, "{:?}", frames.decibels);
}

fn floor(frames: &Frames) -> Option<f64> {
    frames.floor(0..frames.decibels.len(), &frames.pauses())
}

#[test]
fn speech_and_noise_are_measured_apart() {
    let mut pcm = reference();
    pcm.samples.extend(vec![0.0; 72_000]);
    let noise = hiss(pcm.seconds(), 0.01);
    pcm.samples.iter_mut().zip(noise).for_each(|(sample, noise)| *sample += noise);
    let frames = Frames::of(&pcm).unwrap();
    // Uniform noise of amplitude a has the power a^2 / 3; a third of it lies above 8 kHz.
    let (speech, noise) = (frames.speech_level().unwrap(), floor(&frames).unwrap());
    assert!((-21.0..-17.0).contains(&speech) && (noise + 46.5).abs() < 0.5, "{speech} {noise}");
    let silence = Frames::of(&Pcm { samples: vec![], rate: 8_000 }).unwrap();
    assert_eq!((silence.speech_level(), floor(&silence)), (None, None));
}

#[test]
fn a_recording_in_blocks_is_heard_as_it_is_at_once() {
    let pcm = reference();
    let mut detector = SpeechDetector::new(pcm.rate);
    pcm.samples.chunks(4_001).for_each(|block| detector.hear(block).unwrap());
    assert_eq!(detector.finish().unwrap(), Frames::of(&pcm).unwrap());
}

#[test]
fn what_is_longer_than_is_heard_at_once_has_no_seams() {
    let mut pcm = reference();
    pcm.samples.rotate_left(24_000);
    pcm.samples = pcm.samples.repeat(4);
    let frames = Frames::of(&pcm).unwrap();
    assert_eq!(frames.decibels.len(), (pcm.seconds() / FRAME_SECONDS).ceil() as usize);
    let whole = resample(&pcm, RATE, Recipe::Functional).unwrap();
    for (index, (chunk, &level)) in whole.samples.chunks(FRAME).zip(&frames.decibels).enumerate() {
        assert!((level::rms(chunk) - f64::from(level)).abs() < 1.0, "frame {index}");
    }
}

#[test]
fn peaks_that_were_cut_off_are_marked_at_every_rate_and_level() {
    let whole = reference();
    assert!(Frames::of(&whole).unwrap().clipped.iter().filter(|&&clipped| clipped).count() < 5);
    for (ceiling, gain) in [(0.2, 5.0), (0.2, 0.5)] {
        let samples = whole.samples.iter().map(|x| gain * x.clamp(-ceiling, ceiling)).collect();
        let frames = Frames::of(&Pcm { samples, rate: whole.rate }).unwrap();
        assert_eq!(frames.clipped.len(), frames.decibels.len());
        assert!(frames.clipped.iter().filter(|&&clipped| clipped).count() > 30, "{gain}");
    }
}
