//! LoRA adapters against peft's own merge (`golden/lora.py`), and what is refused.

use crate::noise::{self, Size, rule};
use crate::npz::NpzReader;
use crate::standins::{Data, Py, write_zip};
use barkclone::checkpoint::{self, Bark, lora};
use barkclone::error::{Kind, kind};
use barkclone::net::repr::Repr;
use barkclone::progress::Silent;
use barkclone::stage::Stage;
use candle_core::{DType, Device};
use ndarray::Array1;
use std::fs;
use std::path::{Path, PathBuf};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/lora");
const WEIGHTS: [(&str, [usize; 2]); 4] =
    [("attn.att_proj", [96, 32]), ("attn.out_proj", [32, 32]), ("mlp.in_proj", [128, 32]), ("mlp.out_proj", [32, 128])];

fn golden(name: &str) -> PathBuf {
    Path::new(GOLDEN).join(name)
}

fn weight(bark: &Bark, stage: Stage, name: &str, [out, width]: [usize; 2]) -> Vec<f32> {
    let (_, weights) = bark.stage(stage, DType::F32, &Device::Cpu).unwrap();
    weights.get((out, width), &format!("layers.{name}.weight")).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn bark() -> Bark {
    noise::bark(Size::Tiny, 1)
}

/// The largest distance of every 17th number from the golden one, and how many differ at all.
fn apart(got: &[f32], wanted: &Array1<f32>) -> (f32, usize) {
    let thinned: Vec<_> = got.iter().step_by(17).copied().collect();
    assert_eq!(thinned.len(), wanted.len());
    let pairs = || thinned.iter().zip(wanted);
    (pairs().map(|(a, b)| (a - b).abs()).fold(0.0, f32::max), pairs().filter(|(a, b)| a != b).count())
}

#[test]
fn merged_weights_are_pefts() {
    let mut npz = NpzReader::open(golden("merged.npz"));
    for name in ["plain", "rs"] {
        let merged = bark().with_loras(vec![lora(&golden(name), None, 1.0).unwrap()]).unwrap();
        let mut changed = 0;
        for (at, shape) in WEIGHTS {
            for layer in 0..2 {
                let at = format!("{layer}.{at}");
                let wanted: Array1<f32> = npz.array(&format!("{name}.layers.{at}.weight"));
                let got = weight(&merged, Stage::Semantic, &at, shape);
                let (worst, differ) = apart(&got, &wanted);
                assert!(worst <= 6e-8, "{name}, {at}: {worst:e}, {differ} of {} differ", wanted.len());
                changed += apart(&weight(&bark(), Stage::Semantic, &at, shape), &wanted).1;
                assert_eq!(weight(&merged, Stage::Coarse, &at, shape), weight(&bark(), Stage::Coarse, &at, shape));
            }
        }
        assert!(changed > 500, "{name}: {changed}");
    }
}

#[test]
fn adapters_add_up_scale_and_go_to_the_stage_that_is_named() {
    let of = |loras: Vec<(f64, Option<Stage>)>| {
        let open = |(scale, stage)| lora(&golden("plain/adapter_model.safetensors"), stage, scale).unwrap();
        bark().with_loras(loras.into_iter().map(open).collect()).unwrap()
    };
    let at = |bark: &Bark, stage| weight(bark, stage, "1.attn.out_proj", [32, 32]);
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
    let coarse = Some(Stage::Coarse);
    let twice = of(vec![(0.5, coarse), (0.25, coarse)]);
    assert!(close(&at(&twice, Stage::Coarse), &at(&of(vec![(0.75, coarse)]), Stage::Coarse)));
    assert!(!close(&at(&twice, Stage::Coarse), &at(&bark(), Stage::Coarse)));
    assert_eq!(at(&twice, Stage::Semantic), at(&bark(), Stage::Semantic));
    assert!(close(&at(&of(vec![(1.0, None), (-1.0, None)]), Stage::Semantic), &at(&bark(), Stage::Semantic)));
}

#[test]
fn what_is_packed_is_what_is_merged_at_load() {
    let folder = tempfile::tempdir().unwrap();
    let merged = || bark().with_loras(vec![lora(&golden("plain"), None, 1.0).unwrap()]).unwrap();
    let path = folder.path().join("packed.safetensors");
    checkpoint::pack(&merged(), (None, None), Repr::Plain(DType::F32), &path, &Silent).unwrap();
    let packed = checkpoint::bark(&path).unwrap();
    for (name, shape) in WEIGHTS {
        let name = format!("0.{name}");
        let both = [&packed, &merged()].map(|bark| weight(bark, Stage::Semantic, &name, shape));
        assert_eq!(both[0], both[1]);
    }
    checkpoint::pack(&bark(), (None, None), Repr::Q8_0, &path, &Silent).unwrap();
    let packed = checkpoint::bark(&path).unwrap();
    let error = packed.with_loras(vec![lora(&golden("plain"), None, 1.0).unwrap()]).err().unwrap();
    assert!(error.to_string().contains("the model is packed: give --lora where it is packed"), "{error}");
}

#[test]
fn what_serp_ais_trainer_keeps_is_merged_as_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pytorch_model.bin");
    let module = "transformer.h.1.mlp.c_fc";
    let (r, out, width) = (3, 128, 32);
    let half = |name: &str, shape: [usize; 2]| {
        (format!("{module}.{name}"), Data::Values(rule::uniform(name, shape.iter().product(), 1), shape.to_vec()))
    };
    let (right, left) = (half("lora_right_weight", [width, r]), half("lora_left_weight", [r, out]));
    let base = (format!("{module}.weight"), Data::Zeros(vec![out, width]));
    write_zip(&path, "model", &Py::state([base, right, left]), &[]);
    let merged = bark().with_loras(vec![lora(&path, Some(Stage::Fine), 1.0).unwrap()]).unwrap();
    let (right, left) =
        (rule::uniform("lora_right_weight", width * r, 1), rule::uniform("lora_left_weight", r * out, 1));
    let name = "1.mlp.in_proj";
    let plain = weight(&bark(), Stage::Fine, name, [out, width]);
    for (i, got) in weight(&merged, Stage::Fine, name, [out, width]).iter().enumerate() {
        let (row, column) = (i / width, i % width);
        let sum: f32 = (0..r).map(|k| left[k * out + row] * right[column * r + k]).sum();
        assert!((got - (plain[i] + sum / r as f32)).abs() < 1e-6);
    }
}

#[test]
fn what_cannot_be_merged_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let refuses = |result: anyhow::Result<()>, words: &[&str]| {
        let error = result.unwrap_err();
        let told = format!("{error:#}");
        assert_eq!(kind(&error), Some(Kind::Model), "{told}");
        words.iter().for_each(|word| assert!(told.contains(word), "{word}: {told}"));
    };
    let open = |name: &str| lora(&place(name), None, 1.0).map(drop);
    let adapter = |name: &str, tensors: &[(&str, [usize; 2])]| {
        let tensor = |(name, shape): &(&str, [usize; 2])| ((*name).to_owned(), Data::Zeros(shape.to_vec()));
        write_zip(&place(name), "a", &Py::state(tensors.iter().map(tensor)), &[]);
    };
    refuses(open("none"), &["none"]);
    fs::create_dir(place("empty")).unwrap();
    refuses(open("empty"), &["empty", "adapter_model.safetensors or adapter_model.bin"]);
    let pair = |a: [usize; 2], b: [usize; 2]| [("m.lora_A.weight", a), ("m.lora_B.weight", b)];
    adapter("bare.bin", &pair([2, 32], [32, 2]));
    refuses(open("bare.bin"), &["adapter_config.json is missing beside it"]);
    let config = |text: &str| fs::write(place("adapter_config.json"), text).unwrap();
    config(r#"{"peft_type": "LORA", "lora_alpha": 4}"#);
    let merge = |name: &str| lora(&place(name), None, 1.0).and_then(|lora| bark().with_loras(vec![lora]).map(drop));
    refuses(merge("bare.bin"), &["bare.bin", "`m.weight`", "Semantic has no such weight"]);
    let at = "base_model.model.layers.0.attn.out_proj";
    let (a, b) = (format!("{at}.lora_A.weight"), format!("{at}.lora_B.weight"));
    adapter("wide.bin", &[(&a, [2, 33]), (&b, [32, 2])]);
    refuses(merge("wide.bin"), &["`layers.0.attn.out_proj.weight`", "it is [32, 32], the adapter is for [32, 33]"]);
    adapter("ranks.bin", &[(&a, [3, 32]), (&b, [32, 2])]);
    refuses(merge("ranks.bin"), &["its two halves do not fit"]);
    adapter("half.bin", &[(&a, [2, 32])]);
    refuses(merge("half.bin"), &["lora_B.weight` is missing: half of an adapter"]);
    adapter("more.bin", &[(&a, [2, 32]), (&b, [32, 2]), ("base_model.model.lm_head.weight", [2, 2])]);
    refuses(merge("more.bin"), &["`base_model.model.lm_head.weight` is no part of a LoRA adapter"]);
    adapter("other.bin", &[("x", [2, 2])]);
    refuses(merge("other.bin"), &["it holds no adapter"]);
    config(r#"{"peft_type": "LORA", "lora_alpha": 4, "use_dora": true}"#);
    refuses(open("bare.bin"), &["DoRA"]);
    config(r#"{"peft_type": "IA3", "lora_alpha": 4}"#);
    refuses(open("bare.bin"), &["another kind than LoRA"]);
    config("{");
    refuses(open("bare.bin"), &["not the description of an adapter"]);
    config(r#"{"peft_type": "LORA", "lora_alpha": 4}"#);
    adapter("b.bin", &[(&b, [32, 2])]);
    refuses(open("b.bin"), &["lora_A.weight` is missing: half of an adapter"]);
    let named =
        ["A", "B"].map(|half| format!("base_model.model.coarse_acoustics.layers.0.attn.out_proj.lora_{half}.weight"));
    adapter("named.bin", &[(&named[0], [2, 32]), (&named[1], [32, 2])]);
    let of = |stage| lora(&place("named.bin"), stage, 1.0).map(drop);
    assert!(of(None).is_ok() && of(Some(Stage::Coarse)).is_ok());
    refuses(of(Some(Stage::Fine)), &["it is of another stage than was said"]);
}
