//! The stages against suno-ai/bark's own code on rule-made weights: golden/speak.py wrote what is expected.

use barkclone::config::{GptConfig, Protocol};
use barkclone::net::gpt::{FineGpt, Gpt, Input};
use barkclone::progress::Silent;
use barkclone::stage::coarse::{CoarseRow, Windows};
use barkclone::stage::decode::{self, CachedGpt};
use barkclone::stage::fine::{self, FineNet};
use barkclone::stage::sample::{Sampler, Sampling};
use barkclone::stage::semantic::{SemanticRow, Stop};
use barkclone::tokens::{Coarse, Fine, Semantic};
use barkclone::weights::Weights;
use barkclone::weights::rule::{self, RuleCheckpoint};
use candle_core::{DType, Device};
use ndarray::{Array0, Array1, Array2};
use ndarray_npy::NpzReader;
use std::fs::File;
use std::sync::Arc;

struct Golden {
    npz: NpzReader<File>,
    seed: u64,
}

impl Golden {
    fn open(case: &str) -> Self {
        let path = format!("{}/tests/golden/speak/{case}.npz", env!("CARGO_MANIFEST_DIR"));
        let mut npz = NpzReader::new(File::open(path).unwrap()).unwrap();
        let seed: Array0<i64> = npz.by_name("seed").unwrap();
        Self { npz, seed: seed.into_scalar() as u64 }
    }

    fn tokens(&mut self, name: &str) -> Vec<u32> {
        let array: Array1<i16> = self.npz.by_name(name).unwrap();
        array.iter().map(|&t| t as u32).collect()
    }

    fn codes(&mut self, name: &str) -> Vec<Vec<u32>> {
        let array: Array2<i16> = self.npz.by_name(name).unwrap();
        array.rows().into_iter().map(|r| r.iter().map(|&t| t as u32).collect()).collect()
    }

    fn floats(&mut self, name: &str) -> Vec<f32> {
        let array: Array1<f32> = self.npz.by_name(name).unwrap();
        array.to_vec()
    }
}

fn integers(name: &str, count: usize, seed: u64, limit: u32) -> Vec<u32> {
    let unit = rule::uniform(name, count, seed);
    unit.iter().map(|&u| (((f64::from(u) + 1.0) / 2.0 * f64::from(limit)) as u32).min(limit - 1)).collect()
}

fn weights(stage: &str, c: &GptConfig, seed: u64) -> Weights {
    let mut tensors = vec![(
        format!("transformer.wpe.weight"),
        "position_embeds_layer.weight".to_string(),
        vec![c.block_size, c.width],
    )];
    let w = c.width;
    if c.codebooks_total > 0 {
        for i in 0..c.codebooks_total {
            tensors.push((
                format!("transformer.wtes.{i}.weight"),
                format!("input_embeds_layers.{i}.weight"),
                vec![c.input_vocab, w],
            ));
        }
    } else {
        tensors.push(("transformer.wte.weight".into(), "input_embeds_layer.weight".into(), vec![c.input_vocab, w]));
        tensors.push(("lm_head.weight".into(), "lm_head.weight".into(), vec![c.output_vocab, w]));
    }
    let mut norm = |suno: String, hf: String| {
        tensors.push((format!("{suno}.weight"), format!("{hf}.weight"), vec![w]));
        if c.codebooks_total > 0 {
            tensors.push((format!("{suno}.bias"), format!("{hf}.bias"), vec![w]));
        }
    };
    norm("transformer.ln_f".into(), "layernorm_final".into());
    for i in 0..c.layers {
        norm(format!("transformer.h.{i}.ln_1"), format!("layers.{i}.layernorm_1"));
        norm(format!("transformer.h.{i}.ln_2"), format!("layers.{i}.layernorm_2"));
    }
    for i in 0..c.layers {
        for (suno, hf, o, k) in [
            ("attn.c_attn", "attn.att_proj", 3 * w, w),
            ("attn.c_proj", "attn.out_proj", w, w),
            ("mlp.c_fc", "mlp.in_proj", 4 * w, w),
            ("mlp.c_proj", "mlp.out_proj", w, 4 * w),
        ] {
            tensors.push((format!("transformer.h.{i}.{suno}.weight"), format!("layers.{i}.{hf}.weight"), vec![o, k]));
        }
    }
    let mut names: std::collections::BTreeMap<_, _> = tensors.iter().map(|(s, h, _)| (h.clone(), s.clone())).collect();
    for i in 1..c.codebooks_total {
        names.insert(format!("lm_heads.{}.weight", i - 1), format!("transformer.wtes.{i}.weight"));
    }
    let checkpoint = RuleCheckpoint::new(stage, tensors.into_iter().map(|(s, _, shape)| (s, shape)), seed);
    Weights::new(Arc::new(checkpoint), names, DType::F32, &Device::Cpu)
}

fn config(stage: &str, (layers, heads, width): (usize, usize, usize)) -> GptConfig {
    let (input_vocab, output_vocab) = match stage {
        "text" => (129_600, 10_048),
        "coarse" => (12_096, 12_096),
        _ => (1_056, 1_056),
    };
    let (codebooks_total, codebooks_given) = if stage == "fine" { (8, 1) } else { (0, 0) };
    GptConfig {
        block_size: 1024,
        input_vocab,
        output_vocab,
        layers,
        heads,
        width,
        bias: false,
        codebooks_total,
        codebooks_given,
    }
}

fn holds(case: &str, size: (usize, usize, usize)) {
    let mut golden = Golden::open(case);
    let protocol = Protocol::default();
    let seed = golden.seed;
    let frames: Array0<i64> = golden.npz.by_name("frames").unwrap();
    let frames = frames.into_scalar() as usize;
    let seconds: Array0<f64> = golden.npz.by_name("seconds").unwrap();
    let text: Array1<i64> = golden.npz.by_name("text_ids").unwrap();
    let text: Vec<u32> = text.iter().map(|&i| i as u32).collect();
    let codes = integers("voice.fine", 8 * frames, seed, 1024);
    let row = |i: usize| codes[i * frames..(i + 1) * frames].to_vec();
    let semantic = Semantic::new(
        integers("voice.semantic", (frames as f64 / 1.5).round_ties_even() as usize, seed, 10_000),
        10_000,
    )
    .unwrap();
    let coarse = Coarse::new([row(0), row(1)], 1024).unwrap();
    let voice_fine = Fine::new(std::array::from_fn(row), 1024).unwrap();
    let sampler = || Sampler::new(Sampling::GREEDY, 0, 0);

    let c = config("text", size);
    let gpt = Gpt::new(&c, &weights("text", &c, seed)).unwrap();
    let stop = Stop { min_eos_p: Some(0.2), max_seconds: Some(seconds.into_scalar()) };
    let row = SemanticRow::new(&protocol, &text, semantic.as_slice(), stop, sampler()).unwrap();
    let prompt = decode::Row::prompt(&row);
    let mut cache = gpt.cache(1).unwrap();
    let input = Input { slot: 0, tokens: &prompt.tokens, overlay: &prompt.overlay };
    let logits = gpt.forward(&[input], &mut cache, 0..10_001).unwrap();
    let expected = golden.floats("first_logits");
    let scale = expected.iter().fold(0f32, |m, x| m.max(x.abs()));
    let worst = logits.iter().step_by(7).zip(&expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    println!("{case}: first logits differ by {worst:e} of {scale}");
    assert!(worst < 1e-3 * scale);

    let mut decoder = CachedGpt { gpt: &gpt, cache };
    let mut got = None;
    decode::run(&mut decoder, 1, &mut std::iter::once(row), &mut |r: SemanticRow| Ok(got = Some(r.finish()?))).unwrap();
    let got = got.unwrap();
    assert_eq!(got.as_slice(), golden.tokens("semantic"));

    let c = config("coarse", size);
    let gpt = Gpt::new(&c, &weights("coarse", &c, seed)).unwrap();
    let voice = (frames > 0).then_some((&semantic, &coarse));
    let row = CoarseRow::new(&protocol, Windows { history: 630, window: 60 }, &got, voice, sampler()).unwrap();
    let mut decoder = CachedGpt { cache: gpt.cache(1).unwrap(), gpt: &gpt };
    let mut got = None;
    decode::run(&mut decoder, 1, &mut std::iter::once(row), &mut |r: CoarseRow| Ok(got = Some(r.finish()?))).unwrap();
    let got = got.unwrap();
    assert_eq!(got.rows().to_vec(), golden.codes("coarse"));

    let c = config("fine", size);
    let gpt = FineGpt::new(&c, &weights("fine", &c, seed)).unwrap();
    let net = FineNet { gpt: &gpt, codebook_size: 1024 };
    let got =
        fine::generate(&net, &protocol, &got, (frames > 0).then_some(&voice_fine), &mut sampler(), &Silent).unwrap();
    assert_eq!(got.rows().to_vec(), golden.codes("fine"));
}

const TINY: (usize, usize, usize) = (2, 2, 32);

#[test]
fn one_window_without_a_voice() {
    holds("tiny-plain", TINY);
}
#[test]
fn several_windows() {
    holds("tiny-windows", TINY);
}
#[test]
fn a_voice() {
    holds("tiny-voice", TINY);
}
#[test]
fn a_long_voice() {
    holds("tiny-long-voice", TINY);
}
#[test]
fn a_short_voice() {
    holds("tiny-short-voice", TINY);
}
#[test]
fn other_widths() {
    holds("wide-voice", (3, 4, 96));
}
#[test]
#[ignore = "full size: minutes"]
fn small_at_full_width() {
    holds("small", (12, 12, 768));
}
