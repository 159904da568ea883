//! Whatever sizes a configuration holds, a net is built and runs, or is refused by the name of the field: no panic, and no
//! memory that the file's tensors do not account for.

use crate::noise::rule::{self, RuleTensors};
use crate::noise::{ByRule, Shapes, codec_shapes, gpt_shapes};
use anyhow::{Result, ensure};
use barkclone::checkpoint::{Checkpoint, names};
use barkclone::net::codec::{Codec, CodecConfig};
use barkclone::net::gpt::{FineGpt, FineInput, Gpt, GptConfig, Input};
use barkclone::net::hubert::{Hubert, HubertConfig};
use barkclone::net::quantizer::{Quantizer, QuantizerConfig};
use barkclone::net::weights::Weights;
use barkclone::tokens::FINE_CODEBOOKS;
use candle_core::{DType, Device, Tensor};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;

/// Numbers and what is none, as any field might hold them.
fn nasty() -> Vec<Value> {
    let sizes =
        [0, 1, 2, 3, 5, 7, 8, 31, 33, 64, 255, 257, 300, 513, 1025, 65_535, 65_536, 65_537, 1 << 20, (1 << 20) + 1];
    let huge = [1_000_000_000, 1 << 31, 1 << 32, u64::MAX / 2, u64::MAX];
    let numbers = sizes.into_iter().chain(huge).map(|n| json!(n));
    let lists =
        [json!([]), json!([0]), json!([2]), json!([3, 1]), json!(vec![64; 9]), json!([u64::MAX, 2]), json!([1.5])];
    numbers.chain([json!(-1), json!(1.5), json!(1e300), json!("8"), Value::Null, json!(true)]).chain(lists).collect()
}

/// `base` with each of its fields changed to each nasty value, and some of two fields at a time.
fn changed(base: &Value) -> Vec<(Vec<String>, Value)> {
    let fields: Vec<String> = base.as_object().unwrap().keys().cloned().collect();
    let nasty = nasty();
    let mut all = Vec::new();
    for field in &fields {
        for value in &nasty {
            let mut changed = base.clone();
            changed[field] = value.clone();
            all.push((vec![field.clone()], changed));
        }
    }
    // Steps that have no divisor in common with the counts meet many pairs.
    for n in 0..600 {
        let (a, b) = (&fields[n % fields.len()], &fields[(n * 7 + n / fields.len() + 1) % fields.len()]);
        let mut changed = base.clone();
        changed[a] = nasty[n * 5 % nasty.len()].clone();
        changed[b] = nasty[n * 11 % nasty.len()].clone();
        all.push((vec![a.clone(), b.clone()], changed));
    }
    all
}

/// Numbers in all of these tensors; `None` beyond what a test is to compute.
fn count(shapes: &Shapes) -> Option<usize> {
    let sum = shapes.iter().try_fold(0usize, |sum, (_, shape)| {
        sum.checked_add(shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n))?)
    });
    sum.filter(|&sum| sum < 400_000)
}

/// Tries all changes of `base`: the refusals must name a field, and `run` is called with what `check` accepts. How many were
/// refused, and how many ran.
fn try_all<C: DeserializeOwned>(
    base: &Value,
    check: impl Fn(&C) -> Result<()>,
    shapes: impl Fn(&C) -> Shapes,
    run: impl Fn(&C, Shapes),
) -> (usize, usize) {
    let (mut refused, mut ran) = (0, 0);
    for (fields, json) in changed(base) {
        let Ok(config) = serde_json::from_value::<C>(json) else { continue };
        match check(&config) {
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains('`'), "{fields:?}: {message}");
                refused += 1;
            }
            Ok(()) => {
                let shapes = shapes(&config);
                if count(&shapes).is_some() {
                    run(&config, shapes);
                    ran += 1;
                }
            }
        }
    }
    (refused, ran)
}

fn weights(prefix: &str, shapes: Shapes, rule: fn(&str) -> names::Name) -> Weights {
    let tensors = RuleTensors::new(prefix, shapes, 1);
    Checkpoint::new((), Arc::new(tensors), rule).unwrap().weights(DType::F32, &Device::Cpu)
}

fn finite(values: &[f32]) {
    assert!(values.iter().all(|x| x.is_finite()));
}

fn gpt_json(codebooks: [usize; 2]) -> Value {
    json!({"block_size": 40, "input_vocab_size": 50, "output_vocab_size": 50, "num_layers": 1, "num_heads": 2,
           "hidden_size": 12, "bias": true, "n_codes_total": codebooks[0], "n_codes_given": codebooks[1]})
}

/// Layers are listed one by one, so that only few of them are.
fn few_layers(layers: usize, shapes: impl Fn() -> Shapes) -> Shapes {
    if layers > 100 { vec![(String::new(), vec![usize::MAX])] } else { shapes() }
}

#[test]
fn a_causal_gpt_of_any_sizes_runs_or_is_refused() {
    let run = |config: &GptConfig, shapes| {
        let gpt = Gpt::new(config, &weights("text", shapes, names::gpt)).unwrap();
        let mut cache = gpt.cache(1).unwrap();
        let tokens = vec![0; config.block_size.min(20)];
        for tokens in [&tokens[..tokens.len().max(2) - 1], &tokens[..1]] {
            let input = Input { slot: 0, tokens, merged: &[] };
            let logits = gpt.forward(&[input], &mut cache, 0..config.output_vocab);
            match logits {
                Ok(logits) => finite(&logits),
                // A context of one position is full at once.
                Err(error) => assert!(config.block_size < 2, "{error}"),
            }
        }
    };
    let shapes = |config: &GptConfig| few_layers(config.layers, || gpt_shapes(config));
    let causal = |config: &GptConfig| {
        config.check()?;
        ensure!(config.codebooks_total == 0, "`n_codes_total` is the fine stage's");
        Ok(())
    };
    let (refused, ran) = try_all(&gpt_json([0, 0]), causal, shapes, run);
    assert!(refused > 100 && ran > 40, "{refused} refused, {ran} ran");
}

#[test]
fn a_fine_gpt_of_any_sizes_runs_or_is_refused() {
    let run = |config: &GptConfig, shapes| {
        let gpt = FineGpt::new(config, &weights("fine", shapes, names::gpt)).unwrap();
        let codes = vec![0; config.block_size.min(20)];
        let window = FineInput { codes: [&codes; FINE_CODEBOOKS], from: codes.len() - 1 };
        finite(&gpt.forward(&[window], 3, config.output_vocab).unwrap().concat());
    };
    // What the protocol asks for besides.
    let check = |config: &GptConfig| {
        config.check()?;
        let (total, given) = (config.codebooks_total, config.codebooks_given);
        ensure!(total == 8 && (1..=2).contains(&given), "`n_codes_total`, `n_codes_given`");
        Ok(())
    };
    let head = |config: &GptConfig, i| (format!("lm_heads.{i}.weight"), vec![config.output_vocab, config.width]);
    let with_heads = |config: &GptConfig| {
        let heads = config.codebooks_total - config.codebooks_given;
        gpt_shapes(config).into_iter().chain((0..heads).map(|i| head(config, i))).collect()
    };
    let shapes = |config: &GptConfig| few_layers(config.layers, || with_heads(config));
    let (refused, ran) = try_all(&gpt_json([8, 1]), check, shapes, run);
    assert!(refused > 100 && ran > 40, "{refused} refused, {ran} ran");
}

#[test]
fn a_hubert_of_any_sizes_runs_or_is_refused() {
    let base = json!({"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
                      "layer_norm_eps": 1e-5, "conv_dim": [4, 4], "conv_stride": [3, 2], "conv_kernel": [5, 2],
                      "conv_bias": false, "num_conv_pos_embeddings": 6, "num_conv_pos_embedding_groups": 3});
    let run = |config: &HubertConfig, shapes| {
        let layers = config.num_hidden_layers;
        let hubert = Hubert::new(config, &weights("hubert", shapes, names::hubert), layers).unwrap();
        let samples = config.min_samples();
        if samples < 50_000 {
            let wav = Tensor::from_vec(rule::uniform("wav", samples + 40, 1), (1, samples + 40), &Device::Cpu).unwrap();
            finite(&hubert.features(&wav).unwrap().flatten_all().unwrap().to_vec1().unwrap());
        }
    };
    let shapes = |config: &HubertConfig| few_layers(config.num_hidden_layers, || config.shapes());
    let (refused, ran) = try_all(&base, |config: &HubertConfig| config.check(), shapes, run);
    assert!(refused > 100 && ran > 40, "{refused} refused, {ran} ran");
}

#[test]
fn a_codec_of_any_sizes_runs_or_is_refused() {
    let base = json!({"sampling_rate": 24000, "audio_channels": 1, "hidden_size": 6, "num_filters": 2,
                      "num_residual_layers": 1, "upsampling_ratios": [3, 2], "kernel_size": 3, "last_kernel_size": 3,
                      "residual_kernel_size": 3, "dilation_growth_rate": 2, "compress": 2, "num_lstm_layers": 1,
                      "trim_right_ratio": 1.0, "codebook_size": 9, "codebook_dim": null, "use_conv_shortcut": true});
    let run = |config: &CodecConfig, shapes| {
        let codec = Codec::new(config, &weights("codec", shapes, names::codec), FINE_CODEBOOKS).unwrap();
        let codes = Tensor::zeros((1, FINE_CODEBOOKS, 2), DType::U32, &Device::Cpu).unwrap();
        let wav = codec.decode(&codes).unwrap();
        assert_eq!(wav.elem_count(), 2 * config.hop_length());
        finite(&wav.flatten_all().unwrap().to_vec1().unwrap());
        codec.encode(&wav).unwrap();
    };
    let shapes = |config: &CodecConfig| codec_shapes(config, FINE_CODEBOOKS);
    let (refused, ran) = try_all(&base, |config: &CodecConfig| config.check(), shapes, run);
    assert!(refused > 100 && ran > 40, "{refused} refused, {ran} ran");
}

#[test]
fn a_quantizer_of_any_sizes_runs_or_is_refused() {
    let base = json!({"input_size": 4, "hidden_size": 5, "output_size": 7, "version": 0});
    let run = |config: &QuantizerConfig, shapes| {
        let quantizer = Quantizer::new(config, &weights("quantizer", shapes, names::quantizer)).unwrap();
        let features = rule::uniform("features", 3 * config.input_size, 1);
        let features = Tensor::from_vec(features, (1, 3, config.input_size), &Device::Cpu).unwrap();
        assert_eq!(quantizer.tokens(&features).unwrap().len(), 3);
    };
    let (refused, ran) = try_all(&base, |config: &QuantizerConfig| config.check(), QuantizerConfig::shapes, run);
    assert!(refused > 50 && ran > 50, "{refused} refused, {ran} ran");
}
