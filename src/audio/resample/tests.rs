use super::*;
use crate::npz::NpzReader;
use ndarray::{Array1, Array2};
use rubato::{Fft, FixedSync};

fn golden() -> NpzReader {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sound/resample.npz");
    NpzReader::open(path)
}

fn array(golden: &mut NpzReader, name: &str) -> Vec<f32> {
    let array: Array1<f32> = golden.array(name);
    array.to_vec()
}

/// 10 log10 of the power of `expected` over that of the difference.
fn snr(expected: &[f32], actual: &[f32]) -> f64 {
    let power = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>();
    let noise = power(&mut expected.iter().zip(actual).map(|(a, b)| a - b));
    10.0 * (power(&mut expected.iter().copied()) / noise).log10()
}

#[test]
fn every_pair_of_rates_equals_torchaudio_to_the_last_bits() {
    let mut golden = golden();
    let input = array(&mut golden, "input");
    for name in golden.names() {
        let parts: Vec<_> = name.split('_').collect();
        let [recipe, from, to] = parts[..] else { continue };
        let recipe = if recipe == "functional" { Recipe::Functional } else { Recipe::Transform };
        let pcm = Pcm { samples: input.clone(), rate: from.parse().unwrap() };
        let actual = resample(&pcm, to.parse().unwrap(), recipe).unwrap();
        let expected = array(&mut golden, &name);
        assert_eq!(actual.samples.len(), expected.len(), "{name}");
        assert!(snr(&expected, &actual.samples) > 130.0, "{name}: {:.1} dB", snr(&expected, &actual.samples));
        let worst = expected.iter().zip(&actual.samples).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 5e-7, "{name}: {worst:e}");
    }
}

#[test]
fn lengths_equal_torchaudios_rounding_included() {
    let lengths: Array2<i64> = golden().array("lengths");
    for row in lengths.rows() {
        let [from, to, given, expected] = [0, 1, 2, 3].map(|i| row[i] as usize);
        let pcm = Pcm { samples: vec![0.0; given], rate: from as u32 };
        let actual = resample(&pcm, to as u32, Recipe::Transform).unwrap().samples.len();
        assert_eq!(actual, expected, "{given} samples from {from} to {to} Hz");
    }
}

#[test]
fn a_tone_agrees_with_rubatos_own_filter() {
    let tone = |n: usize| (2.0 * PI * 440.0 * n as f64 / 44_100.0).sin() as f32;
    let pcm = Pcm { samples: (0..44_100).map(tone).collect(), rate: 44_100 };
    let ours = resample(&pcm, 24_000, Recipe::Transform).unwrap().samples;
    let mut fft = Fft::<f32>::new(44_100, 24_000, 4096, 1, FixedSync::Both).unwrap();
    let input = InterleavedSlice::new(&pcm.samples, 1, pcm.samples.len()).unwrap();
    let theirs = fft.process_all(&input, pcm.samples.len(), None).unwrap().take_data();
    // The ends ring differently.
    let middle = 2_000..22_000;
    assert!(snr(&theirs[middle.clone()], &ours[middle]) > 60.0);
}

#[test]
fn the_empty_the_tiny_and_the_equal_rate_pass() {
    let pcm = |samples: Vec<f32>| Pcm { samples, rate: 44_100 };
    assert!(resample(&pcm(vec![]), 16_000, Recipe::Functional).unwrap().samples.is_empty());
    assert_eq!(resample(&pcm(vec![0.5]), 16_000, Recipe::Functional).unwrap().samples.len(), 1);
    assert_eq!(resample(&pcm(vec![0.5; 9]), 44_100, Recipe::Functional).unwrap(), pcm(vec![0.5; 9]));
    assert!(resample(&pcm(vec![0.5]), 0, Recipe::Functional).is_err());
}

#[test]
fn rates_without_common_divisor_need_little_memory() {
    let pcm = Pcm { samples: vec![0.25; 200_000], rate: 191_999 };
    let out = resample(&pcm, 16_000, Recipe::Transform).unwrap().samples;
    assert_eq!(out.len(), (200_000f64 * 16_000.0 / 191_999.0).ceil() as usize);
    assert!((out[8_000] - 0.25).abs() < 1e-3);
}

#[test]
fn a_clip_in_parts_gives_the_same_samples() {
    let samples: Vec<f32> = (0..30_011).map(|i| (i as f32 * 0.05).sin()).collect();
    for (from, to) in [(44_100, 16_000), (8_000, 24_000), (48_000, 16_000), (16_000, 16_000), (192_000, 16_000)] {
        for len in [1, 700, 30_011] {
            let whole =
                resample(&Pcm { samples: samples[..len].to_vec(), rate: from }, to, Recipe::Functional).unwrap();
            let mut stream = Stream::new(from, to, Recipe::Functional).unwrap();
            let mut parts: Vec<f32> = samples[..len].chunks(997).flat_map(|part| stream.push(part).unwrap()).collect();
            parts.extend(stream.finish().unwrap());
            assert!(
                parts == whole.samples,
                "{from} to {to} Hz, {len} samples: {} {}",
                parts.len(),
                whole.samples.len()
            );
        }
    }
}
