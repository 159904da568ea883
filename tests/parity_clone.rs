//! The nets that clone a voice against upstream's packages: the golden files of `golden/clone.py`, on weights made by
//! the same rule. `BARKCLONE_DEVICE` names the device.

use crate::noise::rule;
use crate::npz::NpzReader;
use crate::parity_speak::device;
use barkclone::clone::HUBERT_LAYERS;
use barkclone::net::codec::CodecConfig;
use barkclone::net::hubert::HubertConfig;
use barkclone::net::quantizer::QuantizerConfig;
use barkclone::net::weights::{Tensors, Weights};
use barkclone::net::{codec::Codec, hubert::Hubert, quantizer::Quantizer};
use barkclone::tokens::FINE_CODEBOOKS;
use candle_core::{DType, Device, Tensor};
use ndarray::ArrayD;
use ndarray_npy::ReadableElement;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

const GOLDEN: &str = "tests/golden/clone";

/// A model of `models.json`: its config, and its tensors made by rule.
struct Model {
    config: Value,
    checkpoint: Arc<rule::RuleTensors>,
}

impl Model {
    fn new(name: &str, seed: u64) -> Self {
        let text = std::fs::read_to_string(format!("{GOLDEN}/models.json")).unwrap();
        let models: Value = serde_json::from_str(&text).unwrap();
        let shapes: BTreeMap<String, Vec<usize>> = serde_json::from_value(models[name]["tensors"].clone()).unwrap();
        let prefix = name.split('-').next().unwrap();
        let checkpoint = Arc::new(rule::RuleTensors::new(prefix, shapes, seed));
        Self { config: models[name]["config"].clone(), checkpoint }
    }

    fn config<T: serde::de::DeserializeOwned>(&self) -> T {
        serde_json::from_value(self.config.clone()).unwrap()
    }

    /// The tensors whose published name `keep` accepts, under their canonical names.
    fn weights(&self, keep: impl Fn(&str) -> bool) -> Weights {
        let stored = self.checkpoint.names().into_iter().filter(|name| keep(name));
        let names = stored.map(|name| (canonical(&name), name)).collect();
        Weights::new(self.checkpoint.clone(), names, DType::F32, &device())
    }
}

/// facebook's codec names as Hugging Face's; all others are that already.
fn canonical(name: &str) -> String {
    [
        (".model.", ".layers."),
        (".convtr.convtr.", ".conv."),
        (".conv.conv.", ".conv."),
        ("quantizer.vq.", "quantizer."),
        ("._codebook.", ".codebook."),
    ]
    .iter()
    .fold(name.to_string(), |name, (from, to)| name.replace(from, to))
}

struct Nets {
    hubert: Hubert,
    quantizer: Quantizer,
    codec: Codec,
}

impl Nets {
    fn new(hubert: &str, quantizer: &str, codec: &str, seed: u64) -> Self {
        let model = Model::new(hubert, seed);
        let weights = model.weights(|name| name != "masked_spec_embed");
        let hubert = Hubert::new(&model.config::<HubertConfig>(), &weights, HUBERT_LAYERS).unwrap();
        let model = Model::new(quantizer, seed);
        let quantizer = Quantizer::new(&model.config::<QuantizerConfig>(), &model.weights(|_| true)).unwrap();
        Self { hubert, quantizer, codec: codec_of(&Model::new(codec, seed)) }
    }

    fn semantic(&self, wav16k: &[f32]) -> Vec<u32> {
        let wav = Tensor::new(wav16k, &device()).unwrap().unsqueeze(0).unwrap();
        self.quantizer.tokens(&self.hubert.features(&wav).unwrap()).unwrap()
    }

    fn codes(&self, wav24k: &[f32]) -> Vec<u32> {
        let wav = Tensor::from_slice(wav24k, (1, 1, wav24k.len()), &device()).unwrap();
        self.codec.encode(&wav).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }
}

fn codec_of(model: &Model) -> Codec {
    Codec::new(&model.config::<CodecConfig>(), &model.weights(|_| true), FINE_CODEBOOKS).unwrap()
}

struct Golden(std::cell::RefCell<NpzReader>);

impl Golden {
    fn new(case: &str) -> Self {
        Self(NpzReader::open(format!("{GOLDEN}/{case}.npz")).into())
    }

    fn array<T: ReadableElement>(&self, name: &str) -> ArrayD<T> {
        self.0.borrow_mut().array(name)
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        self.array(name).into_iter().collect()
    }

    fn tokens(&self, name: &str) -> Vec<u32> {
        self.array::<i32>(name).into_iter().map(|token| token as u32).collect()
    }
}

/// A sine of sorts from sums and products alone, which every language rounds alike.
fn wave(turns: f64) -> f64 {
    let x = 2.0 * (turns - turns.floor()) - 1.0;
    4.0 * x * (1.0 - x.abs())
}

/// The clip of `golden/clone.py`, the same to the bit.
fn clip(seconds: f64, rate: u32, seed: u64) -> Vec<f32> {
    let len = (seconds * f64::from(rate)) as usize;
    let hiss = rule::uniform(&format!("clip.{rate}"), len, seed);
    let sample = |i: usize| {
        let t = i as f64 / f64::from(rate);
        let turns = (100 + 7 * seed) as f64 * t + 12.0 * t * t;
        let peak = 4.0 + 3.0 * wave(1.7 * t);
        let tone = (1..13).map(f64::from).fold(0.0, |tone, k| {
            let d = k - peak;
            tone + wave(k * turns) / (1.0 + d * d)
        });
        let syllable = wave(3.1 * t);
        (0.15 * tone * syllable.max(0.0) + 0.05 * f64::from(hiss[i]) * (-syllable).max(0.0)) as f32
    };
    (0..len).map(sample).collect()
}

fn every(values: &[f32], step: usize) -> Vec<f32> {
    values.iter().copied().step_by(step).collect()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_close(what: &str, got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    let worst = got.iter().zip(expected).map(|(g, e)| (g - e).abs()).fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: off by {worst:e}, {tolerance:e} is allowed");
    eprintln!("{what}: off by {worst:.1e} at most");
}

/// `got` `[.., frames]` equals `expected`; a difference is told with its frame and the reference's gap there.
fn assert_tokens(what: &str, got: &[u32], expected: &[u32], gaps: &[f32]) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    let flips = got.iter().zip(expected).enumerate().filter(|(_, (g, e))| g != e);
    let flips: Vec<_> = flips.map(|(i, (g, e))| (i % gaps.len(), *g, *e, gaps[i % gaps.len()])).collect();
    assert!(flips.is_empty(), "{what}: (frame, got, expected, the reference's gap): {flips:?}");
}

struct Case {
    name: &'static str,
    hubert: &'static str,
    quantizer: &'static str,
    codec: &'static str,
    seed: u64,
    seconds: f64,
    feature_step: usize,
}

impl Case {
    fn check(&self) {
        let nets = Nets::new(self.hubert, self.quantizer, self.codec, self.seed);
        let golden = Golden::new(self.name);
        let wav16k = clip(self.seconds, 16_000, self.seed);
        let wav24k = clip(self.seconds, 24_000, self.seed);
        assert_eq!(every(&wav16k, 997), golden.floats("wav_16k"));
        assert_eq!(every(&wav24k, 997), golden.floats("wav_24k"));
        self.check_features(&nets, &golden, &wav16k);

        let gaps = golden.floats("semantic_gap");
        assert_tokens("semantic", &nets.semantic(&wav16k), &golden.tokens("semantic"), &gaps);
        let codes = nets.codes(&wav24k);
        assert_tokens("codes", &codes, &golden.tokens("codes"), &golden.floats("code_gap"));
        check_short_clips(&nets.codec, &golden, &wav24k);
        check_decode(&nets.codec, &golden, codes);
    }

    fn check_features(&self, nets: &Nets, golden: &Golden, wav16k: &[f32]) {
        let wav = Tensor::new(wav16k, &device()).unwrap().unsqueeze(0).unwrap();
        let features = nets.hubert.features(&wav).unwrap();
        let (_, frames, width) = features.dims3().unwrap();
        let kept: Vec<f32> = flat(&features).chunks(width).step_by(self.feature_step).flatten().copied().collect();
        assert_close("features", &kept, &golden.floats("features"), 1e-3);
        let best = nets.quantizer.logits(&features).unwrap().max(2).unwrap();
        assert_eq!(best.dims(), [1, frames]);
        assert_close("best logits", &flat(&best), &golden.floats("semantic_best"), 1e-3);
    }
}

/// Clips of 1, 5 and 40 samples: shorter than the padding that their convolutions mirror.
fn check_short_clips(codec: &Codec, golden: &Golden, wav24k: &[f32]) {
    let codes = [1, 5, 40].map(|len| {
        let wav = Tensor::from_slice(&wav24k[8000..8000 + len], (1, 1, len), &device()).unwrap();
        codec.encode(&wav).unwrap().narrow(2, 0, 1).unwrap().flatten_all().unwrap().to_vec1::<u32>().unwrap()
    });
    assert_eq!(codes.concat(), golden.tokens("short_codes"));
}

fn check_decode(codec: &Codec, golden: &Golden, codes: Vec<u32>) {
    let frames = codes.len() / FINE_CODEBOOKS;
    let codes = Tensor::from_vec(codes, (1, FINE_CODEBOOKS, frames), &device()).unwrap();
    let audio = flat(&codec.decode(&codes).unwrap());
    assert_eq!([audio.len() as u32].as_slice(), golden.tokens("decode_length"));
    assert_close("decode, head", &audio[..640], &golden.floats("decode_head"), 1e-4);
    assert_close("decode, tail", &audio[audio.len() - 640..], &golden.floats("decode_tail"), 1e-4);
    assert_close("decode", &every(&audio, 37), &golden.floats("decode_thinned"), 1e-4);
}

#[test]
fn a_tiny_hubert_with_quantizer_v1_and_the_24_khz_codec_equal_upstream() {
    let (hubert, quantizer, codec) = ("hubert-tiny", "quantizer-tiny-v1", "codec-24khz");
    Case { name: "tiny", hubert, quantizer, codec, seed: 1, seconds: 2.03, feature_step: 2 }.check();
}

#[test]
fn a_tiny_hubert_with_quantizer_v0_equals_upstream_on_another_seed() {
    let (hubert, quantizer, codec) = ("hubert-tiny", "quantizer-tiny-v0", "codec-24khz");
    Case { name: "tiny-v0", hubert, quantizer, codec, seed: 7, seconds: 1.0, feature_step: 1 }.check();
}

#[test]
fn nets_of_other_widths_depths_and_strides_equal_upstream() {
    let (hubert, quantizer, codec) = ("hubert-odd", "quantizer-odd-v1", "codec-odd");
    Case { name: "odd", hubert, quantizer, codec, seed: 3, seconds: 1.51, feature_step: 5 }.check();
}

#[test]
#[ignore = "full size: minutes"]
fn hubert_base_with_its_quantizer_equals_upstream() {
    let (hubert, quantizer, codec) = ("hubert-base", "quantizer-base-v1", "codec-24khz");
    Case { name: "base", hubert, quantizer, codec, seed: 2, seconds: 1.0, feature_step: 7 }.check();
}

fn odd_codec() -> Codec {
    codec_of(&Model::new("codec-odd", 3))
}

/// `[8, frames]` codes that visit every entry of a codebook of `size`.
fn long_codes(frames: u32, size: u32) -> Tensor {
    let code = |k: u32, t: u32| (t * 7 + k * 13 + t * t) % size;
    let codes: Vec<u32> = (0..8).flat_map(|k| (0..frames).map(move |t| code(k, t))).collect();
    Tensor::from_vec(codes, (1, 8, frames as usize), &device()).unwrap()
}

#[test]
fn a_decode_in_several_parts_joins_without_a_seam() {
    let audio = flat(&odd_codec().decode(&long_codes(1600, 64)).unwrap());
    assert_eq!(audio.len(), 1600 * 30);
    let joints: Vec<f32> = [745, 1495].iter().flat_map(|f| audio[f * 30..(f + 10) * 30].to_vec()).collect();
    assert_close("joints", &joints, &Golden::new("odd").floats("long_joints"), 1e-4);
}

#[test]
fn a_row_of_a_batch_decodes_as_it_does_alone() {
    let codec = odd_codec();
    let (one, two) = (long_codes(40, 64), long_codes(40, 61));
    let batch = codec.decode(&Tensor::cat(&[&one, &two], 0).unwrap()).unwrap();
    for (row, alone) in [one, two].iter().enumerate() {
        let alone = flat(&codec.decode(alone).unwrap());
        assert_close("row", &flat(&batch.get(row).unwrap()), &alone, 1e-5);
    }
}

#[test]
fn input_that_the_nets_cannot_take_is_refused_with_a_reason() {
    let nets = Nets::new("hubert-odd", "quantizer-odd-v1", "codec-odd", 3);
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &device()).unwrap();
    let error = nets.hubert.features(&zeros(&[1, 100])).unwrap_err().to_string();
    assert_eq!(error, "100 samples are too few for HuBERT, which needs 144");
    let error = nets.codec.encode(&zeros(&[1, 1, 0])).unwrap_err().to_string();
    assert_eq!(error, "there is no audio to encode");
    let error = nets.codec.decode(&Tensor::full(64u32, (1, 8, 9), &device()).unwrap()).unwrap_err().to_string();
    assert_eq!(error, "code 64 is out of range: 0 to 63 of the codec's codebooks");
    let error = nets.codec.decode(&long_codes(9, 64).narrow(1, 0, 7).unwrap()).unwrap_err().to_string();
    assert_eq!(error, "7 codebook rows, 8 were expected");
}

#[test]
fn a_tensor_of_another_shape_is_refused_by_name() {
    let model = Model::new("codec-odd", 3);
    let wider = CodecConfig { num_filters: 12, ..model.config() };
    let error = Codec::new(&wider, &model.weights(|_| true), 8).err().unwrap().to_string();
    assert!(error.contains("`encoder.model.0.conv.conv."), "{error}");
}

/// The nets of candle-transformers pad by repetition and do not trim: they agree with ours once the LSTM has forgotten
/// the beginning, and up to the end.
#[test]
fn the_interior_of_a_decode_equals_that_of_candle_transformers() {
    use candle_transformers::models::encodec;
    let model = Model::new("codec-24khz", 5);
    let mut tensors: HashMap<String, Tensor> = HashMap::new();
    for name in model.checkpoint.names() {
        let array = model.checkpoint.array(&name).unwrap().unwrap();
        tensors.insert(canonical(&name), array.tensor(DType::F32, &Device::Cpu).unwrap());
    }
    for k in 0..8 {
        for (buffer, shape) in [("inited", vec![1]), ("cluster_size", vec![1024]), ("embed_avg", vec![1024, 128])] {
            let zeros = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
            tensors.insert(format!("quantizer.layers.{k}.codebook.{buffer}"), zeros);
        }
    }
    let config = encodec::Config { target_bandwidths: vec![6.0], ..Default::default() };
    let vb = candle_nn::VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let theirs = encodec::Model::new(&config, vb).unwrap();
    let codes = long_codes(150, 1024);
    let ours = flat(&codec_of(&model).decode(&codes).unwrap());
    let theirs = flat(&theirs.decode(&codes.to_device(&Device::Cpu).unwrap()).unwrap());
    let interior = 110 * 320..148 * 320;
    assert_close("interior", &ours[interior.clone()], &theirs[interior], 1e-5);
}
