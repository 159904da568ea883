//! A recording in another voice: upstream's coarse and fine functions on a long sequence of tokens (golden/speak.py),
//! and the ends of the pipe, in parts against the whole.

use super::parity_speak::{difference, integers, scalar, voice};
use crate::noise::rule;
use crate::noise::{self, ByRule, Size};
use crate::npz::NpzReader;
use barkclone::audio::{Pcm, Recipe, resample};
use barkclone::clone::{HUBERT_LAYERS, Listener, WINDOW};
use barkclone::net::hubert::{Hubert, HubertConfig};
use barkclone::net::quantizer::Quantizer;
use barkclone::net::quantizer::QuantizerConfig;
use barkclone::progress::Silent;
use barkclone::speak::{Content, Decoder, Request, Settings, Sound, Speaker};
use barkclone::stage::protocol::Protocol;
use barkclone::stage::sample::Sampling;
use barkclone::tokens::{Fine, Semantic};
use candle_core::{DType, Device, Tensor};
use ndarray::{Array1, Array2};
use std::sync::Arc;

fn decoded(decoder: &Decoder, fine: &Fine) -> Vec<f32> {
    let mut samples = Vec::new();
    let mut sink = |part: &[f32]| {
        samples.extend_from_slice(part);
        Ok(())
    };
    decoder.decode(fine, &mut sink, &Silent).unwrap();
    samples
}

#[test]
fn twenty_seconds_of_tokens_in_a_voice_equal_upstream() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/speak/tiny-convert.npz");
    let mut golden = NpzReader::open(path);
    let [seed, frames, tokens] = ["seed", "frames", "tokens"].map(|name| scalar::<i64>(&mut golden, name) as u64);
    let semantic = Semantic::new(integers("source.semantic", tokens as usize, seed, 10_000), 10_000).unwrap();
    let voice = Arc::new(voice(frames as usize, seed).unwrap());
    let mut settings = Settings::new(&Protocol::default(), 0);
    (settings.coarse, settings.fine) = (Sampling::GREEDY, Sampling::GREEDY);
    let codec = noise::codec(seed);
    let decoder = Decoder::new(&codec, &Device::Cpu).unwrap();
    let mut speaker = Speaker::new(noise::bark(Size::Tiny, seed), codec, DType::F32, &Device::Cpu, false);
    let request = Request { content: Content::Semantic(semantic), voice: Some(voice), settings, sound: Sound::None };
    let fine = speaker.speak(&request, &Silent).unwrap().fine;
    let mut codes = |name: &str| -> Vec<Vec<u32>> {
        let array: Array2<i16> = golden.array(name);
        array.rows().into_iter().map(|row| row.iter().map(|&code| code as u32).collect()).collect()
    };
    assert_eq!(fine.rows()[..2], codes("coarse"));
    assert_eq!(fine.rows().to_vec(), codes("fine"));
    let audio: Array1<f32> = golden.array("audio");
    let thinned: Vec<f32> = decoded(&decoder, &fine).into_iter().step_by(101).collect();
    let apart = difference(&thinned, &audio.to_vec());
    println!("audio differs by {apart:.1e}");
    assert!(apart < 1e-5);
}

fn listener() -> Listener {
    let (hubert, quantizer) = (HubertConfig::of(Size::Tiny).by_rule(1), QuantizerConfig::of(Size::Tiny).by_rule(1));
    Listener::new(&hubert, &quantizer, &Device::Cpu).unwrap()
}

fn heard(samples: &[f32], rate: u32) -> anyhow::Result<Semantic> {
    let listener = listener();
    let mut hearing = listener.listen(rate)?;
    samples.chunks(7777).try_for_each(|part| hearing.push(part))?;
    hearing.finish()
}

/// The tokens that the nets themselves give a clip at 16 kHz, all of it at once.
fn at_once(samples: &[f32]) -> Semantic {
    let (hubert, quantizer) = (HubertConfig::of(Size::Tiny).by_rule(1), QuantizerConfig::of(Size::Tiny).by_rule(1));
    let (features, tokens) = (hubert.weights(DType::F32, &Device::Cpu), quantizer.weights(DType::F32, &Device::Cpu));
    let hubert = Hubert::new(&hubert.config, &features, HUBERT_LAYERS).unwrap();
    let quantizer = Quantizer::new(&quantizer.config, &tokens).unwrap();
    let wav = Tensor::from_slice(samples, (1, samples.len()), &Device::Cpu).unwrap();
    Semantic::new(quantizer.tokens(&hubert.features(&wav).unwrap()).unwrap(), quantizer.vocab() as u32).unwrap()
}

#[test]
fn a_clip_is_heard_at_once_however_long_it_is_and_a_recording_up_to_a_window() {
    let pcm = Pcm { samples: rule::uniform("long clip", 22_050 * 31, 5), rate: 22_050 };
    let whole = at_once(&resample(&pcm, 16_000, Recipe::Functional).unwrap().samples);
    assert_eq!(listener().clip(&pcm).unwrap(), whole);
    assert!(heard(&pcm.samples, pcm.rate).unwrap() != whole, "31 s are more than a window");

    let pcm = Pcm { samples: rule::uniform("clip", 44_100 * 3, 5), rate: 44_100 };
    let whole = at_once(&resample(&pcm, 16_000, Recipe::Functional).unwrap().samples);
    assert_eq!(heard(&pcm.samples, pcm.rate).unwrap(), whole);
}

#[test]
fn a_long_recording_has_one_token_for_each_fiftieth_of_a_second_and_begins_as_its_beginning() {
    let samples = rule::uniform("long", 16_000 * 52, 6);
    let tokens = heard(&samples, 16_000).unwrap();
    assert_eq!(tokens.len(), (samples.len() - 400) / 320 + 1);
    let window = WINDOW as usize * 16_000 + 80;
    assert_eq!(tokens.as_slice()[..1250], heard(&samples[..window], 16_000).unwrap().as_slice()[..1250]);
    let same = tokens.as_slice().iter().zip(at_once(&samples).as_slice()).filter(|(a, b)| a == b).count();
    println!("{same} of {} tokens are those of hearing it all at once", tokens.len());
    assert!(heard(&samples[..399], 16_000).unwrap_err().to_string().contains("too few"));
}

#[test]
fn the_quantizer_goes_on_from_where_it_stopped() {
    let model = QuantizerConfig::of(Size::Tiny).by_rule(3);
    let quantizer = Quantizer::new(&model.config, &model.weights(DType::F32, &Device::Cpu)).unwrap();
    let features = Tensor::from_vec(rule::uniform("features", 90 * 32, 4), (1, 90, 32), &Device::Cpu).unwrap();
    let mut state = quantizer.start().unwrap();
    let mut part = |from, len| quantizer.tokens_from(&features.narrow(1, from, len).unwrap(), &mut state).unwrap();
    assert_eq!([part(0, 41), part(41, 1), part(42, 48)].concat(), quantizer.tokens(&features).unwrap());
}
