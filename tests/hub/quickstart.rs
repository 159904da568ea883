//! The first contact: `examples/quickstart.sh --published` from an empty cache to a WAV, with made-up weights in the
//! published layouts behind the published names.

use super::World;
use super::server::{Fault, Served};
use crate::noise::Size;
use crate::standins::{Format, Spec, shared, write_json};
use barkclone::audio::read_wav;
use barkclone::net::codec::CodecConfig;
use barkclone::tokens::FINE_CODEBOOKS;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The built-in registry without what it knows of the published files, for these are others.
fn registry() -> String {
    let mut registry: toml::Table =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/models.toml")).unwrap().parse().unwrap();
    for model in registry["model"].as_array_mut().unwrap() {
        let model = model.as_table_mut().unwrap();
        if model.contains_key("revision") {
            model.insert("revision".into(), "main".into());
        }
        for file in model.get_mut("files").and_then(|files| files.as_array_mut()).into_iter().flatten() {
            file.as_table_mut().unwrap().retain(|key, _| key == "file");
        }
    }
    toml::to_string(&registry).unwrap()
}

/// A folder of made-up models: `bark`, `codec`, `hubert`, `quantizer.pth`, `tokenizer.json`.
fn models() -> std::path::PathBuf {
    shared("quickstart", |dir| {
        let codec = CodecConfig { num_filters: 4, hidden_size: 16, ..CodecConfig::default() };
        let spec = Spec { codec, codebooks: FINE_CODEBOOKS, ..Spec::new(Size::Tiny, 1) };
        let folder = |name: &str| {
            fs::create_dir(dir.join(name)).unwrap();
            dir.join(name)
        };
        spec.write_hf_bark(&folder("bark"), Format::Bin, true);
        spec.write_hf_codec(&folder("codec"), Format::Safetensors, true);
        spec.write_hf_hubert(&folder("hubert"), Format::Bin);
        spec.write_quantizer(&dir.join("quantizer.pth"), 1, Some("model_epoch_24"));
        let model = json!({"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"});
        let tokenizer = json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
            "model": model});
        write_json(&dir.join("tokenizer.json"), &tokenizer);
    })
}

fn serve(world: &World, repo: &str, name: &str, file: &Path, faults: &[Fault]) {
    let large = !name.ends_with(".json");
    let faults = if large { faults.to_vec() } else { Vec::new() };
    world.server.serve(repo, name, Served { body: fs::read(file).unwrap(), large, faults, ..Served::default() });
}

fn world(faults: &[Fault]) -> World {
    let (world, models) = (World::new(), models());
    let bark = |name: &str| serve(&world, "suno/bark", name, &models.join("bark").join(name), faults);
    ["config.json", "generation_config.json", "pytorch_model.bin"].iter().for_each(|name| bark(name));
    for (repo, folder, names) in [
        ("facebook/encodec_24khz", "codec", ["config.json", "model.safetensors"]),
        ("facebook/hubert-base-ls960", "hubert", ["config.json", "pytorch_model.bin"]),
    ] {
        names.iter().for_each(|name| serve(&world, repo, name, &models.join(folder).join(name), faults));
    }
    let quantizer = "MadVoyager/bark-voice-cloning-portuguese-HuBERT-quantizer";
    serve(&world, quantizer, "portuguese-HuBERT-quantizer_24_epoch.pth", &models.join("quantizer.pth"), faults);
    let tokenizer = "google-bert/bert-base-multilingual-cased";
    serve(&world, tokenizer, "tokenizer.json", &models.join("tokenizer.json"), faults);
    fs::write(world.folder.path().join("registry.toml"), registry()).unwrap();
    world
}

#[cfg(unix)]
#[test]
fn the_quickstart_goes_from_an_empty_cache_to_a_wav_in_one_go_also_with_the_connection_cut_twice() {
    for faults in [&[][..], &[Fault::CutAfter(50_000), Fault::CutAfter(30_000)]] {
        let world = world(faults);
        let out = world.folder.path().join("out");
        let program = world.program();
        let mut command = Command::new("sh");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart.sh")).arg("--published");
        // One thread waits for no other one, however busy the machine is.
        command.args(["--threads", "1", "--registry"]).arg(world.folder.path().join("registry.toml"));
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let ran = super::ran(command.env("BARKCLONE", program.get_program()).env("OUT", &out)).succeeds();
        let wav = ran.stdout.trim_end();
        assert_eq!(Path::new(wav), out.join("ola.wav"));
        let pcm = read_wav(Path::new(wav), 60.0).unwrap().pcm;
        assert!(pcm.rate == 24_000 && !pcm.samples.is_empty());
        assert_eq!(ran.stderr.contains("trying again"), !faults.is_empty(), "{}", ran.stderr);
        for model in ["large", "hubert-base", "pt", "encodec", "bert-multilingual-cased"] {
            assert!(ran.stderr.contains(&format!("fetching {model}:")), "{model}: {}", ran.stderr);
        }
    }
}
