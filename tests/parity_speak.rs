//! The stages against suno-ai/bark's own code on rule-made weights: golden/speak.py wrote what is expected.
//! `BARKCLONE_DEVICE` names the device ([`noise::device`]).

use crate::noise::rule;
use crate::noise::{self, Size};
use crate::npz::NpzReader;
use barkclone::checkpoint::Bark;
use barkclone::net::gpt::{Gpt, GptConfig, Input};
use barkclone::progress::Silent;
use barkclone::speak::{Request, Settings, Speaker};
use barkclone::stage::Stage;
use barkclone::stage::protocol::Protocol;
use barkclone::stage::sample::Sampling;
use barkclone::tokens::{Coarse, Fine, Semantic};
use barkclone::voice::Voice;
use candle_core::{DType, Device};
use ndarray::{Array0, Array1, Array2};
use ndarray_npy::ReadableElement;
use std::env;

/// One case of golden/speak.py: what goes in, and what upstream made of it.
struct Golden {
    npz: NpzReader,
    seed: u64,
    ids: Vec<u32>,
    request: Request,
}

impl Golden {
    fn open(case: &str) -> Self {
        let mut npz = NpzReader::open(format!("tests/golden/speak/{case}.npz"));
        let seed = scalar::<i64>(&mut npz, "seed") as u64;
        let frames = scalar::<i64>(&mut npz, "frames") as usize;
        let mut settings = Settings::new(&Protocol::default(), 0);
        (settings.text, settings.coarse, settings.fine) = (Sampling::GREEDY, Sampling::GREEDY, Sampling::GREEDY);
        settings.stop.max_seconds = Some(scalar(&mut npz, "seconds"));
        let ids: Array1<i64> = npz.array("text_ids");
        let ids: Vec<u32> = ids.iter().map(|&id| id as u32).collect();
        let request = Request::text(ids.clone(), voice(frames, seed), settings);
        Self { npz, seed, ids, request }
    }

    fn tokens(&mut self, name: &str) -> Vec<u32> {
        let array: Array1<i16> = self.npz.array(name);
        array.iter().map(|&t| t as u32).collect()
    }

    fn codes(&mut self, name: &str) -> Vec<Vec<u32>> {
        let array: Array2<i16> = self.npz.array(name);
        array.rows().into_iter().map(|r| r.iter().map(|&t| t as u32).collect()).collect()
    }

    fn floats(&mut self, name: &str) -> Vec<f32> {
        let array: Array1<f32> = self.npz.array(name);
        array.to_vec()
    }
}

pub fn scalar<T: ReadableElement + Clone>(npz: &mut NpzReader, name: &str) -> T {
    let array: Array0<T> = npz.array(name);
    array.into_scalar()
}

pub fn integers(name: &str, count: usize, seed: u64, limit: u32) -> Vec<u32> {
    let unit = rule::uniform(name, count, seed);
    unit.iter().map(|&u| (((f64::from(u) + 1.0) / 2.0 * f64::from(limit)) as u32).min(limit - 1)).collect()
}

/// The made-up voice of golden/speak.py.
pub fn voice(frames: usize, seed: u64) -> Option<Voice> {
    let codes = integers("voice.fine", 8 * frames, seed, 1024);
    let row = |book: usize| codes[book * frames..(book + 1) * frames].to_vec();
    let semantic = integers("voice.semantic", (frames as f64 / 1.5).round_ties_even() as usize, seed, 10_000);
    let coarse = Coarse::new([row(0), row(1)], 1024).unwrap();
    let fine = Fine::new(std::array::from_fn(row), 1024).unwrap();
    (frames > 0).then(|| Voice::new(Semantic::new(semantic, 10_000).unwrap(), coarse, fine).unwrap())
}

/// What the nets run on.
pub fn device() -> Device {
    noise::device(&env::var("BARKCLONE_DEVICE").unwrap_or("cpu".into())).unwrap()
}

fn of_size(layers: usize, heads: usize, width: usize) -> [GptConfig; 3] {
    Stage::ALL.map(|stage| GptConfig { layers, heads, width, ..noise::gpt_config(stage, Size::Tiny) })
}

fn configs(size: Size) -> [GptConfig; 3] {
    Stage::ALL.map(|stage| noise::gpt_config(stage, size))
}

/// Largest absolute difference.
pub fn difference(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Every token of every stage is upstream's; logits and sound are near.
fn equals_upstream(case: &str, configs: [GptConfig; 3]) {
    let mut golden = Golden::open(case);
    let bark = noise::bark_of(configs, golden.seed);
    check_first_logits(&bark, &mut golden);
    let codec = noise::codec(golden.seed);
    let mut speaker = Speaker::new(bark, codec, DType::F32, &device(), false);
    let said = speaker.speak(&golden.request, &Silent).unwrap();
    assert_eq!(said.semantic.as_slice(), golden.tokens("semantic"));
    assert_eq!(said.coarse.rows().to_vec(), golden.codes("coarse"));
    assert_eq!(said.fine.rows().to_vec(), golden.codes("fine"));
    let thinned: Vec<f32> = said.pcm.samples.iter().step_by(37).copied().collect();
    let apart = difference(&thinned, &golden.floats("audio"));
    println!("{case}: audio differs by {apart:.1e}");
    assert!(apart < 1e-4);
}

fn check_first_logits(bark: &Bark, golden: &mut Golden) {
    let (config, weights) = bark.stage(Stage::Semantic, DType::F32, &device()).unwrap();
    let gpt = Gpt::new(&config, &weights).unwrap();
    let history = golden.request.voice.as_ref().map_or(&[][..], |v| v.semantic().as_slice());
    let prompt = barkclone::stage::semantic::prompt(&bark.protocol, &golden.ids, history).unwrap();
    let input = Input { slot: 0, tokens: &prompt.tokens, merged: &prompt.merged };
    let logits = gpt.forward(&[input], &mut gpt.cache(1).unwrap(), 0..10_001).unwrap();
    let (thinned, expected): (Vec<f32>, _) = (logits.into_iter().step_by(7).collect(), golden.floats("first_logits"));
    let scale = expected.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let apart = difference(&thinned, &expected) / scale;
    println!("first logits differ by {apart:.1e} of the largest");
    assert!(apart < 1e-3);
}

#[test]
fn a_short_text_without_a_voice_equals_upstream() {
    equals_upstream("tiny-plain", configs(Size::Tiny));
}

#[test]
fn six_seconds_in_many_coarse_windows_equal_upstream() {
    equals_upstream("tiny-windows", configs(Size::Tiny));
}

#[test]
fn a_voice_shorter_than_the_fine_window_equals_upstream() {
    equals_upstream("tiny-voice", configs(Size::Tiny));
}

#[test]
fn a_voice_longer_than_every_window_and_a_full_text_equal_upstream() {
    equals_upstream("tiny-long-voice", configs(Size::Tiny));
}

#[test]
fn a_voice_of_one_second_equals_upstream() {
    equals_upstream("tiny-short-voice", configs(Size::Tiny));
}

#[test]
fn stages_of_another_width_and_depth_equal_upstream() {
    equals_upstream("wide-voice", of_size(3, 4, 96));
}

#[test]
#[ignore = "full size: a minute, 3 GB of memory"]
fn small_at_full_width_equals_upstream() {
    equals_upstream("small", configs(Size::Small));
}

#[test]
#[ignore = "full size: minutes, 5 GB of memory"]
fn large_at_full_width_equals_upstream() {
    equals_upstream("large", configs(Size::Large));
}
