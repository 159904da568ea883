//! Every published layout loads and gives the rule's arrays; every other file is an error that says what to do.

use crate::noise::rule;
use crate::noise::{self, ByRule, Size};
use crate::standins::{FairseqOptions, Format, Spec, shared, write_json};
use barkclone::checkpoint::names::{self, Name};
use barkclone::checkpoint::{self, Bark};
use barkclone::error::exit_code;
use barkclone::net::codec::Codec;
use barkclone::net::gpt::{FineGpt, Gpt, GptConfig};
use barkclone::net::hubert::Hubert;
use barkclone::net::hubert::HubertConfig;
use barkclone::net::quantizer::Quantizer;
use barkclone::net::weights::Weights;
use barkclone::stage::Stage;
use barkclone::stage::protocol::Protocol;
use candle_core::{DType, Device};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

const SEED: u64 = 11;

fn spec() -> Spec {
    Spec::micro(SEED)
}

/// What went wrong; it names `path` and is a model's fault.
pub fn fault<T>(result: anyhow::Result<T>, path: &Path) -> String {
    let Err(error) = result else { panic!("{} was accepted", path.display()) };
    assert_eq!(exit_code(&error), 4, "{error:#}");
    let text = format!("{error:#}");
    assert!(text.contains(&path.display().to_string()), "{} is not named in: {text}", path.display());
    text
}

/// Every tensor of `shapes` is there with the rule's values, and no other.
fn check(weights: &Weights, shapes: Vec<(String, Vec<usize>)>, canonical: fn(&str) -> Name, prefix: &str) {
    for (stored, shape) in shapes {
        let Name::Canonical(name) = canonical(&stored) else { panic!("{stored}") };
        let array = weights.array(shape.as_slice(), &name).unwrap();
        let expected = rule::values(&format!("{prefix}.{stored}"), &shape, SEED);
        assert!(array.bytes[..] == *bytemuck::cast_slice::<f32, u8>(&expected), "{name}");
    }
    weights.finish().unwrap();
}

fn open_stage(bark: &Bark, stage: Stage) -> (GptConfig, Weights) {
    bark.stage(stage, DType::F32, &Device::Cpu).unwrap()
}

fn check_bark(path: &Path) {
    let bark = checkpoint::bark(path).unwrap();
    assert_eq!(bark.protocol, Protocol::default());
    for (stage, prefix) in Stage::ALL.into_iter().zip(["text", "coarse", "fine"]) {
        let (config, weights) = open_stage(&bark, stage);
        assert_eq!(config, noise::gpt_config(stage, Size::Tiny), "{}", path.display());
        weights.ignore("lm_heads.");
        check(&weights, noise::gpt_shapes(&config), names::gpt, prefix);
    }
}

fn suno() -> PathBuf {
    shared("suno", |dir| spec().write_suno(dir, false))
}

fn hf_bark() -> PathBuf {
    shared("hf-bark", |dir| spec().write_hf_bark(dir, Format::Bin, true))
}

#[test]
fn suno_files_load_as_a_folder_and_by_any_of_them() {
    check_bark(&suno());
    check_bark(&suno().join("coarse.pt"));
}

#[test]
fn stages_that_serp_ais_trainer_saved_load_alone_and_with_sunos_for_the_others() {
    let all = shared("serp", |dir| Stage::ALL.into_iter().for_each(|stage| spec().write_serp(dir, stage)));
    check_bark(&all);
    let error = checkpoint::bark(&all.join("semantic_output")).err().unwrap().to_string();
    assert!(error.contains("semantic_output: it is one stage of Bark: give the folder above it"), "{error}");
    let some = shared("serp-and-suno", |dir| {
        spec().write_suno(dir, false);
        spec().write_serp(dir, Stage::Coarse);
        // What is tuned goes first.
        fs::write(dir.join("coarse.pt"), "x").unwrap();
    });
    check_bark(&some);
    let lacking = shared("serp-alone", |dir| spec().write_serp(dir, Stage::Fine));
    let error = checkpoint::bark(&lacking).err().unwrap().to_string();
    assert!(error.contains("text_2.pt: it is missing"), "{error}");
    fs::write(lacking.join("fine_output/config.json"), "{\"n_layer\": 2}").unwrap();
    spec().write_suno(&lacking, false);
    let error = format!("{:#}", checkpoint::bark(&lacking).err().unwrap());
    assert!(error.contains("config.json: it does not state `input_vocab_size`"), "{error}");
}

#[test]
fn suno_files_with_adams_moments_load() {
    let dir = shared("suno-adam", |dir| spec().write_suno(dir, true));
    assert!(fs::metadata(dir.join("text.pt")).unwrap().len() > 2 * fs::metadata(suno().join("text.pt")).unwrap().len());
    check_bark(&dir);
}

#[test]
fn hugging_face_bark_loads_in_every_format() {
    check_bark(&hf_bark());
    check_bark(&hf_bark().join("pytorch_model.bin"));
    for (name, format) in [("hf-bark-st", Format::Safetensors), ("hf-bark-sharded", Format::Sharded)] {
        check_bark(&shared(name, |dir| spec().write_hf_bark(dir, format, false)));
    }
}

#[test]
fn the_nets_take_every_layouts_weights_and_leave_none() {
    for bark in
        [checkpoint::bark(&suno()).unwrap(), checkpoint::bark(&hf_bark()).unwrap(), noise::bark(Size::Tiny, SEED)]
    {
        for stage in [Stage::Semantic, Stage::Coarse] {
            let (config, weights) = open_stage(&bark, stage);
            Gpt::new(&config, &weights).unwrap();
        }
        let (config, weights) = open_stage(&bark, Stage::Fine);
        FineGpt::new(&config, &weights).unwrap();
    }
}

#[test]
fn the_cloning_nets_take_every_layouts_weights_and_leave_what_lies_past_them() {
    let hubert_dir = shared("hf-hubert", |dir| spec().write_hf_hubert(dir, Format::Bin));
    let hubert = checkpoint::hubert(&hubert_dir).unwrap();
    let weights = hubert.weights(DType::F32, &Device::Cpu);
    Hubert::new(&hubert.config, &weights, 9).unwrap();
    weights.finish().unwrap();

    let codec = checkpoint::codec(&hf_bark()).unwrap();
    let weights = codec.weights(DType::F32, &Device::Cpu);
    Codec::new(&codec.config, &weights, 8).unwrap();
    weights.finish().unwrap();

    let dir = shared("quantizer-0-none", |dir| spec().write_quantizer(&dir.join("quantizer.pth"), 0, None));
    let quantizer = checkpoint::quantizer(&dir).unwrap();
    let weights = quantizer.weights(DType::F32, &Device::Cpu);
    Quantizer::new(&quantizer.config, &weights).unwrap();
    weights.finish().unwrap();
}

#[test]
fn a_fine_head_is_the_next_codebooks_embedding() {
    let (_, weights) = open_stage(&checkpoint::bark(&hf_bark()).unwrap(), Stage::Fine);
    let (_, by_rule) = open_stage(&noise::bark(Size::Tiny, SEED), Stage::Fine);
    let head = weights.array((1056, 32), "lm_heads.4.weight").unwrap();
    assert!(head.bytes[..] == weights.array((1056, 32), "input_embeds_layers.5.weight").unwrap().bytes[..]);
    assert!(head.bytes[..] == by_rule.array((1056, 32), "lm_heads.4.weight").unwrap().bytes[..]);
}

#[test]
fn the_generation_settings_of_the_file_are_used() {
    let dir = shared("hf-bark-settings", |dir| {
        fs::hard_link(hf_bark().join("pytorch_model.bin"), dir.join("pytorch_model.bin")).unwrap();
        fs::copy(hf_bark().join("config.json"), dir.join("config.json")).unwrap();
        let semantic =
            json!({"semantic_infer_token": 129_598, "max_new_tokens": 99, "do_sample": true, "temperature": 0.9});
        write_json(&dir.join("generation_config.json"), &json!({ "semantic_config": semantic }));
    });
    let protocol = checkpoint::bark(&dir).unwrap().protocol;
    let expected =
        Protocol { semantic_infer: 129_598, max_semantic_steps: 99, text_temperature: 0.9, ..Protocol::default() };
    assert_eq!(protocol, expected);
    let json = dir.join("generation_config.json");
    write_json(&json, &json!({"semantic_config": {"semantic_infer_token": 129_600}}));
    let text = fault(checkpoint::bark(&dir), &dir);
    assert!(text.contains("does not hold token 129600"), "{text}");
    write_json(&json, &json!({"semantic_config": 3}));
    fault(checkpoint::bark(&dir), &json);
}

#[test]
fn a_file_missing_from_a_set_is_named() {
    let dir = shared("suno-incomplete", |dir| {
        for name in ["text.pt", "fine.pt"] {
            fs::hard_link(suno().join(name), dir.join(name)).unwrap();
        }
    });
    let text = fault(checkpoint::bark(&dir), &dir.join("coarse.pt"));
    assert!(text.contains("three files"), "{text}");
    let empty = shared("empty", |_| {});
    assert!(fault(checkpoint::bark(&empty), &empty).contains("text_2.pt"));
    assert!(fault(checkpoint::codec(&empty), &empty).contains("model.safetensors"));
    let nowhere = empty.join("nowhere");
    assert!(fault(checkpoint::bark(&nowhere), &nowhere).contains("no such file"));
    assert!(fault(checkpoint::hubert(&nowhere), &nowhere).contains("no such file"));
}

#[test]
fn model_args_without_heads_are_refused() {
    let dir = shared("suno-headless", |dir| {
        spec().write_suno(dir, false);
        let path = dir.join("fine.pt");
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.windows(6).position(|window| window == b"n_head").unwrap();
        bytes[at..at + 6].copy_from_slice(b"n_hxxd");
        fs::write(&path, bytes).unwrap();
    });
    assert!(fault(checkpoint::bark(&dir), &dir.join("fine.pt")).contains("`n_head`"));
}

#[test]
fn a_config_of_another_model_is_refused() {
    let dir = shared("hf-bark-mixed", |dir| {
        fs::hard_link(hf_bark().join("pytorch_model.bin"), dir.join("pytorch_model.bin")).unwrap();
        write_json(&dir.join("config.json"), &json!({"model_type": "hubert"}));
    });
    let text = fault(checkpoint::bark(&dir), &dir.join("config.json"));
    assert!(text.contains("`hubert`") && text.contains("`bark`"), "{text}");
}

#[test]
fn sizes_that_contradict_the_tensors_are_refused_by_name() {
    let dir = shared("hf-bark-wide", |dir| {
        fs::hard_link(hf_bark().join("pytorch_model.bin"), dir.join("pytorch_model.bin")).unwrap();
        let mut config: Value = serde_json::from_slice(&fs::read(hf_bark().join("config.json")).unwrap()).unwrap();
        config["semantic_config"]["hidden_size"] = 64.into();
        config["coarse_acoustics_config"]["num_layers"] = 3.into();
        config["fine_acoustics_config"]["num_layers"] = 1.into();
        write_json(&dir.join("config.json"), &config);
    });
    let bark = checkpoint::bark(&dir).unwrap();
    let (config, weights) = open_stage(&bark, Stage::Semantic);
    let text = fault(Gpt::new(&config, &weights), &dir);
    assert!(text.contains("input_embeds_layer.weight") && text.contains("[129600, 32]"), "{text}");
    let (config, weights) = open_stage(&bark, Stage::Coarse);
    assert!(fault(Gpt::new(&config, &weights), &dir).contains("`layers.2.layernorm_1.weight` is missing"));
    let (config, weights) = open_stage(&bark, Stage::Fine);
    assert!(fault(FineGpt::new(&config, &weights), &dir).contains("unexpected tensor(s): `layers.1."));
}

fn check_codec(path: &Path) {
    let spec = spec();
    let codec = checkpoint::codec(path).unwrap();
    assert_eq!(codec.config.upsampling_ratios, [3, 2], "{}", path.display());
    assert_eq!((codec.config.hidden_size, codec.config.num_filters, codec.config.codebook_size), (6, 2, 1024));
    codec.config.check().unwrap();
    let weights = codec.weights(DType::F32, &Device::Cpu);
    check(&weights, noise::codec_shapes(&spec.codec, spec.codebooks), names::codec, "codec");
}

#[test]
fn the_codec_loads_from_every_layout() {
    let th = shared("codec-th", |dir| spec().write_codec_th(&dir.join("encodec_24khz.th")));
    check_codec(&th);
    check_codec(&th.join("encodec_24khz.th"));
    let hf = shared("hf-codec", |dir| spec().write_hf_codec(dir, Format::Safetensors, false));
    check_codec(&hf);
    check_codec(&shared("hf-codec-new", |dir| spec().write_hf_codec(dir, Format::Sharded, true)));
    let alone = shared("hf-codec-alone", |dir| {
        fs::hard_link(hf.join("model.safetensors"), dir.join("codec.safetensors")).unwrap();
    });
    check_codec(&alone.join("codec.safetensors"));
    check_codec(&hf_bark());
    let inner = checkpoint::bark(&hf_bark()).unwrap().codec().unwrap().unwrap();
    assert_eq!(inner.config.upsampling_ratios, [3, 2]);
    assert!(checkpoint::bark(&suno()).unwrap().codec().unwrap().is_none());
}

#[test]
fn codebooks_past_the_eighth_can_be_left_out_on_purpose() {
    let th = shared("codec-th", |dir| spec().write_codec_th(&dir.join("encodec_24khz.th")));
    let weights = checkpoint::codec(&th).unwrap().weights(DType::F32, &Device::Cpu);
    for part in ["encoder.", "decoder.", "quantizer.layers.8."] {
        weights.ignore(part);
    }
    for i in 0..7 {
        weights.pp("quantizer.layers").pp(i).get((1024, 6), "codebook.embed").unwrap();
    }
    let text = fault(weights.finish(), &th);
    assert!(text.contains("1 unexpected tensor(s): `quantizer.layers.7.codebook.embed`"), "{text}");
    weights.pp("quantizer").ignore("layers.7.");
    weights.finish().unwrap();
}

fn check_hubert(path: &Path) {
    let hubert = checkpoint::hubert(path).unwrap();
    assert_eq!(hubert.config, HubertConfig::of(Size::Tiny), "{}", path.display());
    let weights = hubert.weights(DType::F32, &Device::Cpu);
    check(&weights, hubert.config.shapes(), names::hubert, "hubert");
}

#[test]
fn hubert_loads_from_every_layout() {
    check_hubert(&shared("hf-hubert", |dir| spec().write_hf_hubert(dir, Format::Bin)));
    check_hubert(&shared("hf-hubert-st", |dir| spec().write_hf_hubert(dir, Format::Safetensors)));
    let fairseq = shared("fairseq", |dir| {
        for (name, options) in [
            ("namespace.pt", FairseqOptions::Namespace),
            ("dict.pt", FairseqOptions::Dict),
            ("omegaconf.pt", FairseqOptions::OmegaConf),
        ] {
            spec().write_fairseq_hubert(&dir.join(name), options);
        }
    });
    for name in ["namespace.pt", "dict.pt", "omegaconf.pt"] {
        check_hubert(&fairseq.join(name));
    }
    let text = fault(checkpoint::hubert(&fairseq), &fairseq);
    assert!(text.contains("dict.pt") && text.contains("Give the file itself"), "{text}");
}

#[test]
fn a_hubert_whose_heads_nobody_states_is_refused() {
    let hf = shared("hf-hubert", |dir| spec().write_hf_hubert(dir, Format::Bin));
    let alone = shared("hf-hubert-alone", |dir| {
        fs::hard_link(hf.join("pytorch_model.bin"), dir.join("pytorch_model.bin")).unwrap();
    });
    let text = fault(checkpoint::hubert(&alone), &alone);
    assert!(text.contains("put `config.json` beside it"), "{text}");
}

fn check_quantizer(path: &Path, version: u32) {
    let quantizer = checkpoint::quantizer(path).unwrap();
    assert_eq!(quantizer.config, spec().quantizer_config(version), "{}", path.display());
    let weights = quantizer.weights(DType::F32, &Device::Cpu);
    check(&weights, quantizer.config.shapes(), names::quantizer, "quantizer");
}

#[test]
fn quantizers_of_both_versions_load_with_and_without_info() {
    for (version, info) in [(0, None), (0, Some("quantizer")), (1, None), (1, Some("model_epoch_24"))] {
        let name = format!("quantizer-{version}-{}", info.unwrap_or("none"));
        let dir = shared(&name, |dir| spec().write_quantizer(&dir.join("quantizer.pth"), version, info));
        check_quantizer(&dir, version);
        check_quantizer(&dir.join("quantizer.pth"), version);
    }
}

#[test]
fn an_info_that_contradicts_the_tensors_is_refused() {
    for (name, info, expected) in [
        ("version", r#"{"input_size": 32, "hidden_size": 48, "version": 1}"#, "contradicts its tensors"),
        ("hidden", r#"{"hidden_size": 49}"#, "contradicts its tensors"),
        ("text", "hidden_size=48", "not the quantizers' JSON"),
    ] {
        let dir = shared(&format!("quantizer-info-{name}"), |dir| {
            spec().write_quantizer(&dir.join("quantizer.pth"), 0, None);
            let file = fs::File::options().read(true).write(true).open(dir.join("quantizer.pth")).unwrap();
            let mut zip = zip::ZipWriter::new_append(file).unwrap();
            zip.start_file("any/.info", zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(info.as_bytes()).unwrap();
            zip.finish().unwrap();
        });
        let text = fault(checkpoint::quantizer(&dir), &dir);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn one_net_given_as_another_is_refused_by_its_tensors() {
    let th = shared("codec-th", |dir| spec().write_codec_th(&dir.join("encodec_24khz.th")));
    let hubert = shared("hf-hubert", |dir| spec().write_hf_hubert(dir, Format::Bin));
    assert!(fault(checkpoint::quantizer(&th), &th).contains("`lstm.weight_ih_l0` is missing"));
    assert!(fault(checkpoint::hubert(&th), &th).contains("no HuBERT"));
    assert!(fault(checkpoint::codec(&hubert), &hubert).contains("`hubert`"));
    assert!(fault(checkpoint::bark(&th.join("encodec_24khz.th")), &th).contains("no Bark model"));
}
