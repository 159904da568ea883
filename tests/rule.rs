//! Rule-made models have upstream's names and shapes, and the values of the rule as Python computes them
//! (tests/golden/weights.py).

use crate::noise::{ByRule, Shapes, Size, gpt_config, gpt_shapes, rule};
use anyhow::{Context, Result};
use barkclone::checkpoint::names;
use barkclone::net::codec::CodecConfig;
use barkclone::net::hubert::HubertConfig;
use barkclone::net::quantizer::QuantizerConfig;
use barkclone::stage::Stage;
use serde_json::Value;
use sha2::{Digest, Sha256};

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/weights_rule.json")).unwrap()
}

/// As `digest` in weights.py; `value` gives a tensor's numbers.
fn digest(mut shapes: Shapes, value: impl Fn(&str, &[usize]) -> Vec<f32>) -> String {
    shapes.sort();
    let mut sha = Sha256::new();
    for (name, shape) in &shapes {
        let sizes: Vec<_> = shape.iter().map(usize::to_string).collect();
        sha.update(format!("{name} {}\n", sizes.join(" ")));
        sha.update(bytemuck::cast_slice::<f32, u8>(&value(name, shape)));
    }
    hex(&sha.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn names_alone(_: &str, _: &[usize]) -> Vec<f32> {
    vec![]
}

/// The shapes under canonical names.
fn canonical(shapes: &Shapes, rule: fn(&str) -> names::Name) -> Result<Shapes> {
    let names = names::canonical(shapes.iter().map(|(name, _)| name.clone()), rule)?;
    let shape = |stored: &String| shapes.iter().find(|(name, _)| name == stored).map(|(_, shape)| shape.clone());
    names.iter().map(|(name, stored)| Ok((name.clone(), shape(stored).context("no shape")?))).collect()
}

#[test]
fn rule_values_are_those_of_python_bit_for_bit() {
    let golden = golden();
    let cases = golden["values"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
        let values = rule::values(name, &shape, case["seed"].as_u64().unwrap());
        let bits: Vec<u32> = [0, 1, values.len() - 1].map(|i| values[i].to_bits()).into();
        assert_eq!(bits, serde_json::from_value::<Vec<u32>>(case["bits"].clone()).unwrap(), "{name}");
        assert_eq!(hex(&Sha256::digest(bytemuck::cast_slice::<f32, u8>(&values))), case["sha256"], "{name}");
    }
}

#[test]
fn gpts_have_the_names_and_shapes_of_suno_and_of_hugging_face() -> Result<()> {
    let golden = golden();
    for (size, label) in [(Size::Tiny, "tiny"), (Size::Small, "small"), (Size::Large, "large")] {
        for (stage, name) in Stage::ALL.into_iter().zip(["text", "coarse", "fine"]) {
            let shapes = gpt_shapes(&gpt_config(stage, size));
            let expected = &golden[format!("{name} {label}")];
            assert_eq!(digest(shapes.clone(), names_alone), expected["suno"], "{name} {label}");
            let mut canonical = canonical(&shapes, names::gpt)?;
            for head in 1..gpt_config(stage, size).codebooks_total {
                canonical.push((format!("lm_heads.{}.weight", head - 1), canonical[0].1.clone()));
            }
            assert_eq!(digest(canonical, names_alone), expected["hugging_face"], "{name} {label}");
        }
    }
    Ok(())
}

#[test]
fn tiny_gpts_are_the_python_ones_bit_for_bit() {
    let golden = golden();
    for (stage, name) in Stage::ALL.into_iter().zip(["text", "coarse", "fine"]) {
        for seed in [1, 7] {
            let shapes = gpt_shapes(&gpt_config(stage, Size::Tiny));
            let value = |tensor: &str, shape: &[usize]| rule::values(&format!("{name}.{tensor}"), shape, seed);
            assert_eq!(digest(shapes, value), golden[format!("{name} tiny")][seed.to_string()], "{name} {seed}");
        }
    }
}

#[test]
fn the_codec_has_upstreams_names_shapes_and_values() -> Result<()> {
    let expected = &golden()["codec"];
    let shapes = CodecConfig::of(Size::Tiny).shapes();
    assert_eq!(digest(shapes.clone(), names_alone), expected["facebook"]);
    assert_eq!(digest(canonical(&shapes, names::codec)?, names_alone), expected["hugging_face"]);
    let value = |name: &str, shape: &[usize]| rule::values(&format!("codec.{name}"), shape, 2);
    assert_eq!(digest(shapes, value), expected["2"]);
    Ok(())
}

#[test]
fn hubert_and_the_quantizers_have_upstreams_names_shapes_and_values() {
    let golden = golden();
    for (size, label) in [(Size::Tiny, "tiny"), (Size::Large, "large")] {
        let shapes = HubertConfig::of(size).shapes();
        let expected = &golden[format!("hubert {label}")];
        assert_eq!(digest(shapes.clone(), names_alone), expected["hugging_face"], "{label}");
        let value = |name: &str, shape: &[usize]| rule::values(&format!("hubert.{name}"), shape, 3);
        assert_eq!(digest(shapes, value), expected["3"], "{label}");
        for version in [0, 1] {
            let shapes = QuantizerConfig { version, ..QuantizerConfig::of(size) }.shapes();
            let expected = &golden[format!("quantizer{version} {label}")];
            assert_eq!(digest(shapes, names_alone), expected["hugging_face"], "{version} {label}");
        }
    }
    let shapes = QuantizerConfig { version: 0, ..QuantizerConfig::of(Size::Tiny) }.shapes();
    let value = |name: &str, shape: &[usize]| rule::values(&format!("quantizer.{name}"), shape, 5);
    assert_eq!(digest(shapes, value), golden["quantizer0 tiny"]["5"]);
}
