//! Writes rule-made checkpoints in every published layout, byte for byte as their publishers' tools would, so that
//! tests need no Python and no download. The values are those of `noise` with the same seed.

mod containers;
mod python;

use crate::byte_tokenizer::whisper_tokenizer;
use crate::noise::{self, ByRule, Size};
use barkclone::checkpoint::names::{self, Name};
use barkclone::net::codec::CodecConfig;
use barkclone::net::gpt::GptConfig;
use barkclone::net::hubert::HubertConfig;
use barkclone::net::quantizer::QuantizerConfig;
use barkclone::net::whisper::WhisperConfig;
use barkclone::stage::Stage;
pub use containers::{write_legacy, write_safetensors, write_sharded, write_zip};
pub use python::{Data, Py};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

/// A state dict: names and tensors.
pub type State = Vec<(String, Data)>;

const STAGES: [&str; 3] = ["text", "coarse", "fine"];
const HF_STAGES: [&str; 3] = ["semantic", "coarse_acoustics", "fine_acoustics"];

/// How a Hugging Face folder keeps its weights.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `pytorch_model.bin`
    Bin,
    /// `model.safetensors`
    Safetensors,
    /// `model.safetensors.index.json` and three shards
    Sharded,
}

/// How fairseq keeps its options: `args` of argparse, a plain `cfg`, or a `cfg` of OmegaConf nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum FairseqOptions {
    Namespace,
    Dict,
    OmegaConf,
}

/// Which models are written.
#[derive(Clone)]
pub struct Spec {
    pub size: Size,
    pub seed: u64,
    pub codec: CodecConfig,
    pub codebooks: usize,
    pub semantic_tokens: usize,
}

impl Spec {
    /// Every vocabulary and the codec as published, the rest of `size`: hundreds of MB even for [`Size::Tiny`].
    pub fn new(size: Size, seed: u64) -> Self {
        Self { size, seed, codec: CodecConfig::default(), codebooks: 32, semantic_tokens: 10_000 }
    }

    /// Small in everything that Bark's vocabularies allow, for tests of reading alone.
    pub fn micro(seed: u64) -> Self {
        let codec =
            CodecConfig { num_filters: 2, hidden_size: 6, upsampling_ratios: vec![3, 2], ..CodecConfig::default() };
        Self { codec, codebooks: 9, semantic_tokens: 50, ..Self::new(Size::Tiny, seed) }
    }

    fn rule(&self, prefix: &str, shapes: Vec<(String, Vec<usize>)>) -> State {
        let data = |name: &str, shape| Data::Rule { name: format!("{prefix}.{name}"), shape, seed: self.seed };
        shapes.into_iter().map(|(name, shape)| (name.clone(), data(&name, shape))).collect()
    }

    /// A stage under Suno's names, heads included.
    fn gpt(&self, stage: Stage) -> (GptConfig, State) {
        let config = noise::gpt_config(stage, self.size);
        let mut state = self.rule(STAGES[stage as usize], noise::gpt_shapes(&config));
        for head in 1..config.codebooks_total {
            let table = state.iter().find(|(name, _)| *name == format!("transformer.wtes.{head}.weight")).unwrap();
            let tied = (format!("lm_heads.{}.weight", head - 1), table.1.clone());
            state.push(tied);
        }
        (config, state)
    }

    /// Suno's layout: `text.pt`, `coarse.pt`, `fine.pt` (`_2.pt` for the large ones) in `dir`.
    pub fn write_suno(&self, dir: &Path, optimizer: bool) {
        fs::create_dir_all(dir).unwrap();
        for stage in Stage::ALL {
            let ending = if self.size == Size::Large { "_2" } else { "" };
            let path = dir.join(format!("{}{ending}.pt", STAGES[stage as usize]));
            write_zip(&path, STAGES[stage as usize], &self.suno_file(stage, optimizer), &[]);
        }
    }

    /// What one of Suno's files holds.
    pub fn suno_file(&self, stage: Stage, optimizer: bool) -> Py {
        let (config, state) = self.gpt(stage);
        let mut root = vec![
            ("model", Py::state(state.iter().map(|(name, data)| (format!("_orig_mod.{name}"), data.clone())))),
            ("model_args", suno_args(&config)),
            ("iter_num", Py::Int(0)),
            ("best_val_loss", Py::Tensor(Data::Values(vec![2.0], vec![]))),
            ("config", Py::dict([("dtype", Py::str("float16"))])),
        ];
        if optimizer {
            let zeros = |data: &Data| Py::Tensor(Data::Zeros(data.shape().to_vec()));
            let moments = |data: &Data| {
                let step = Py::Tensor(Data::Values(vec![1.0], vec![]));
                Py::dict([("step", step), ("exp_avg", zeros(data)), ("exp_avg_sq", zeros(data))])
            };
            let state = state.iter().enumerate().map(|(i, (_, data))| (Py::Int(i as i64), moments(data))).collect();
            root.push(("optimizer", Py::dict([("state", Py::Dict(state)), ("param_groups", Py::List(vec![]))])));
        }
        Py::dict(root)
    }

    /// A stage as serp-ai's trainer saves it in `dir`: heads in a wrapper, and adapters beside weights that they are
    /// merged into.
    pub fn write_serp(&self, dir: &Path, stage: Stage) {
        let folder = dir.join(["semantic_output", "coarse_output", "fine_output"][stage as usize]);
        fs::create_dir_all(&folder).unwrap();
        let (config, mut state) = self.gpt(stage);
        for (name, _) in &mut state {
            if name.starts_with("lm_head") {
                *name = name.replace(".weight", ".0.weight");
            }
        }
        for half in ["lora_right_weight", "lora_left_weight"] {
            state.push((format!("transformer.h.0.attn.c_attn.{half}"), Data::Values(vec![1.0], vec![1, 1])));
        }
        write_zip(&folder.join("pytorch_model.bin"), "archive", &Py::ordered(state), &[]);
        let json = json!({"block_size": config.block_size, "input_vocab_size": config.input_vocab,
            "output_vocab_size": config.output_vocab, "n_layer": config.layers, "n_head": config.heads,
            "n_embd": config.width, "dropout": 0.0, "bias": config.bias});
        fs::write(folder.join("config.json"), json.to_string()).unwrap();
    }

    /// Hugging Face's layout of Bark: `config.json`, perhaps `generation_config.json`, weights with the codec among
    /// them.
    pub fn write_hf_bark(&self, dir: &Path, format: Format, generation: bool) {
        let mut config =
            json!({"model_type": "bark", "architectures": ["BarkModel"], "codec_config": self.codec_json()});
        let mut state = State::new();
        for stage in Stage::ALL {
            let (gpt, tensors) = self.gpt(stage);
            let prefix = HF_STAGES[stage as usize];
            config[format!("{prefix}_config")] = gpt_json(&gpt);
            let tied = |name: &str| format != Format::Bin && name.starts_with("lm_heads");
            let tensors = tensors.into_iter().filter(|(name, _)| !tied(name));
            state.extend(tensors.map(|(name, data)| (format!("{prefix}.{}", canonical(names::gpt, &name)), data)));
        }
        let codec = self.codec_state(true);
        state.extend(codec.into_iter().map(|(name, data)| (format!("codec_model.{name}"), data)));
        write_hf(dir, format, &config, &state);
        if generation {
            write_json(&dir.join("generation_config.json"), &generation_json());
        }
    }

    fn codec_json(&self) -> serde_json::Value {
        let (codec, bandwidths) = (&self.codec, [1.5, 3.0, 6.0, 12.0, 24.0]);
        json!({"model_type": "encodec", "target_bandwidths": bandwidths, "hidden_size": codec.hidden_size,
               "num_filters": codec.num_filters, "upsampling_ratios": codec.upsampling_ratios,
               "codebook_size": codec.codebook_size, "codebook_dim": codec.hidden_size, "chunk_length_s": null,
               "sampling_rate": codec.sampling_rate, "num_lstm_layers": codec.num_lstm_layers})
    }

    /// EnCodec's tensors under facebook's or Hugging Face's names, with the statistics that the published files hold.
    fn codec_state(&self, hugging_face: bool) -> State {
        let mut state = self.rule("codec", noise::codec_shapes(&self.codec, self.codebooks));
        for i in 0..self.codebooks {
            let codebook = format!("quantizer.vq.layers.{i}._codebook");
            let shape = vec![self.codec.codebook_size, self.codec.hidden_size];
            state.push((format!("{codebook}.inited"), Data::Values(vec![1.0], vec![1])));
            state.push((format!("{codebook}.cluster_size"), Data::Zeros(shape[..1].to_vec())));
            state.push((format!("{codebook}.embed_avg"), Data::Zeros(shape)));
        }
        if hugging_face {
            let rename = |name: String| match names::codec(&name) {
                Name::Canonical(name) => name,
                Name::Ignored(_) => name.replace("vq.layers", "layers").replace("_codebook", "codebook"),
            };
            state = state.into_iter().map(|(name, data)| (rename(name), data)).collect();
        }
        state
    }

    /// facebook's `encodec_24khz-*.th`.
    pub fn write_codec_th(&self, path: &Path) {
        write_zip(path, "archive", &Py::ordered(self.codec_state(false)), &[]);
    }

    /// Hugging Face's `encodec_24khz`, with weight normalisation spelled as today's transformers saves it where
    /// `new_names`.
    pub fn write_hf_codec(&self, dir: &Path, format: Format, new_names: bool) {
        let mut state = self.codec_state(true);
        if new_names {
            state.iter_mut().for_each(|(name, _)| *name = parametrized(name));
        }
        write_hf(dir, format, &self.codec_json(), &state);
    }

    fn hubert(&self) -> (HubertConfig, State) {
        let config = HubertConfig::of(self.size);
        let mut state = self.rule("hubert", config.shapes());
        state.push(("masked_spec_embed".into(), Data::Zeros(vec![config.hidden_size])));
        (config, state)
    }

    /// Hugging Face's `hubert-base-ls960`.
    pub fn write_hf_hubert(&self, dir: &Path, format: Format) {
        let (config, state) = self.hubert();
        let json = json!({"model_type": "hubert", "hidden_size": config.hidden_size, "conv_dim": config.conv_dim,
            "num_hidden_layers": config.num_hidden_layers, "num_attention_heads": config.num_attention_heads,
            "intermediate_size": config.intermediate_size, "apply_spec_augment": true, "vocab_size": 32});
        write_hf(dir, format, &json, &state);
    }

    /// A folder with a Whisper.
    pub fn write_whisper(&self, dir: &Path) {
        let config = WhisperConfig::of(self.size);
        let state = self.rule("whisper", config.shapes());
        let json = json!({"model_type": "whisper", "num_mel_bins": config.num_mel_bins, "d_model": config.d_model,
            "max_source_positions": config.max_source_positions, "max_target_positions": config.max_target_positions,
            "encoder_attention_heads": config.encoder_attention_heads, "encoder_layers": config.encoder_layers,
            "decoder_attention_heads": config.decoder_attention_heads, "decoder_layers": config.decoder_layers,
            "vocab_size": config.vocab_size, "suppress_tokens": null});
        write_hf(dir, Format::Safetensors, &json, &state);
        write_json(&dir.join("generation_config.json"), &json!({"suppress_tokens": [1], "is_multilingual": true}));
        write_json(&dir.join("tokenizer.json"), &whisper_tokenizer());
    }

    /// fairseq's `hubert_base_ls960.pt`: options and foreign objects pickled beside the tensors.
    pub fn write_fairseq_hubert(&self, path: &Path, options: FairseqOptions) {
        let (config, state) = self.hubert();
        let mut state: State = state.into_iter().map(|(name, data)| (fairseq_name(&name), data)).collect();
        state.push(("label_embs_concat".into(), Data::Zeros(vec![504, 4])));
        state.push(("final_proj.weight".into(), Data::Zeros(vec![4, config.hidden_size])));
        let heads = Py::Int(config.num_attention_heads as i64);
        let entries = [("encoder_attention_heads", heads), ("layer_norm_first", Py::Bool(false))];
        let (args, cfg) = match options {
            FairseqOptions::Namespace => (Py::object("argparse", "Namespace", entries), Py::None),
            FairseqOptions::Dict => (Py::None, Py::dict([("model", Py::dict(entries))])),
            FairseqOptions::OmegaConf => {
                let node = |value| Py::object("omegaconf.nodes", "AnyNode", [("_val", value)]);
                let config = |entries: Vec<_>| {
                    Py::object("omegaconf.dictconfig", "DictConfig", [("_content", Py::dict(entries))])
                };
                let model = config(entries.into_iter().map(|(key, value)| (key, node(value))).collect());
                (Py::None, config(vec![("model", model)]))
            }
        };
        let dictionary = Py::object("fairseq.data.dictionary", "Dictionary", [("symbols", Py::List(vec![]))]);
        let root = [
            ("args", args),
            ("cfg", cfg),
            ("model", Py::state(state)),
            ("task_state", Py::dict([("dictionaries", Py::List(vec![dictionary]))])),
            ("last_optimizer_state", Py::None),
        ];
        write_legacy(path, &Py::dict(root));
    }

    /// gitmylo's quantizer, version 0 or 1, with `<folder>/.info` in it where `info` names the folder.
    pub fn write_quantizer(&self, path: &Path, version: u32, info: Option<&str>) {
        let config = self.quantizer_config(version);
        let state = self.rule("quantizer", config.shapes());
        let text = json!({"input_size": config.input_size, "hidden_size": config.hidden_size,
            "output_size": config.output_size, "version": version});
        let extra: Vec<_> = info.map(|folder| (format!("{folder}/.info"), text.to_string())).into_iter().collect();
        write_zip(path, "quantizer", &Py::ordered(state), &extra);
    }

    pub fn quantizer_config(&self, version: u32) -> QuantizerConfig {
        QuantizerConfig {
            output_size: self.semantic_tokens,
            ..QuantizerConfig { version, ..QuantizerConfig::of(self.size) }
        }
    }
}

/// A folder that is written once a run of the tests, and then shared: `write` fills it (and may ask for others).
pub fn shared(name: &str, write: impl FnOnce(&Path)) -> PathBuf {
    static WRITTEN: Mutex<BTreeMap<String, Arc<OnceLock<()>>>> = Mutex::new(BTreeMap::new());
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("standins").join(name);
    let once = WRITTEN.lock().unwrap().entry(name.to_owned()).or_default().clone();
    once.get_or_init(|| {
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        write(&dir);
    });
    dir
}

fn canonical(rule: fn(&str) -> Name, stored: &str) -> String {
    match rule(stored) {
        Name::Canonical(name) => name,
        Name::Ignored(why) => panic!("`{stored}` is {why}"),
    }
}

fn suno_args(config: &GptConfig) -> Py {
    let int = |n: usize| Py::Int(n as i64);
    let mut args = vec![
        ("block_size", int(config.block_size)),
        ("dropout", Py::Float(0.0)),
        ("bias", Py::Bool(config.bias)),
        ("n_layer", int(config.layers)),
        ("n_head", int(config.heads)),
        ("n_embd", int(config.width)),
    ];
    if config.input_vocab == config.output_vocab {
        args.push(("vocab_size", int(config.input_vocab)));
    } else {
        args.push(("input_vocab_size", int(config.input_vocab)));
        args.push(("output_vocab_size", int(config.output_vocab)));
    }
    if config.codebooks_total > 0 {
        args.push(("n_codes_total", int(config.codebooks_total)));
        args.push(("n_codes_given", int(config.codebooks_given)));
    }
    Py::dict(args)
}

fn gpt_json(config: &GptConfig) -> serde_json::Value {
    let mut json = json!({"block_size": config.block_size, "input_vocab_size": config.input_vocab,
        "output_vocab_size": config.output_vocab, "num_layers": config.layers, "num_heads": config.heads,
        "hidden_size": config.width, "bias": config.bias, "dropout": 0.0, "use_cache": true});
    if config.codebooks_total > 0 {
        json["n_codes_total"] = config.codebooks_total.into();
        json["n_codes_given"] = config.codebooks_given.into();
    }
    json
}

fn generation_json() -> serde_json::Value {
    json!({"model_type": "bark", "sample_rate": 24_000, "codebook_size": 1024,
        "semantic_config": {"do_sample": true, "temperature": 0.7, "eos_token_id": 10_000, "max_new_tokens": 768,
            "min_eos_p": 0.2, "semantic_infer_token": 129_599, "semantic_pad_token": 10_000, "semantic_rate_hz": 49.9,
            "semantic_vocab_size": 10_000, "text_encoding_offset": 10_048, "text_pad_token": 129_595, "top_k": 50,
            "max_input_semantic_length": 256},
        "coarse_acoustics_config": {"do_sample": true, "temperature": 0.7, "coarse_infer_token": 12_050,
            "coarse_rate_hz": 75, "coarse_semantic_pad_token": 12_048, "max_coarse_history": 630,
            "max_coarse_input_length": 256, "n_coarse_codebooks": 2, "sliding_window_len": 60},
        "fine_acoustics_config": {"temperature": 0.5, "max_fine_history_length": 512, "max_fine_input_length": 1024,
            "n_fine_codebooks": 8}})
}

fn parametrized(name: &str) -> String {
    name.replace("weight_g", "parametrizations.weight.original0")
        .replace("weight_v", "parametrizations.weight.original1")
}

fn fairseq_name(name: &str) -> String {
    let name = name
        .replace(".attention.", ".self_attn.")
        .replace(".feed_forward.intermediate_dense.", ".fc1.")
        .replace(".feed_forward.output_dense.", ".fc2.")
        .replace("encoder.pos_conv_embed.conv.", "encoder.pos_conv.0.")
        .replace("feature_projection.layer_norm.", "layer_norm.")
        .replace("feature_projection.projection.", "post_extract_proj.")
        .replace("masked_spec_embed", "mask_emb");
    let parts: Vec<_> = name.split('.').collect();
    match parts.as_slice() {
        ["feature_extractor", "conv_layers", i, part, leaf] => {
            format!("feature_extractor.conv_layers.{i}.{}.{leaf}", if *part == "conv" { "0" } else { "2" })
        }
        ["encoder", "layers", i, "layer_norm", leaf] => format!("encoder.layers.{i}.self_attn_layer_norm.{leaf}"),
        _ => name,
    }
}

fn write_hf(dir: &Path, format: Format, config: &serde_json::Value, state: &State) {
    fs::create_dir_all(dir).unwrap();
    write_json(&dir.join("config.json"), config);
    match format {
        Format::Bin => write_zip(&dir.join("pytorch_model.bin"), "pytorch_model", &Py::state(state.clone()), &[]),
        Format::Safetensors => write_safetensors(&dir.join("model.safetensors"), state),
        Format::Sharded => write_sharded(dir, state, 3),
    }
}

pub fn write_json(path: &Path, json: &serde_json::Value) {
    fs::write(path, serde_json::to_vec_pretty(json).unwrap()).unwrap();
}
