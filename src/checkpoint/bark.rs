//! Bark: Suno's three `.pt` files, or Hugging Face's folder with all three GPTs and the codec in one checkpoint. In the
//! place of each of Suno's files may be the folder of a stage that serp-ai's trainer tuned. Stages are opened one at a
//! time, so that one stage's weights need not outlive its turn.

use super::codec::{self, Below};
use super::file::{self, Opened};
use super::lora::{Lora, adapted};
use super::packed::{self, Header, Packed};
use super::{Checkpoint, folder, names};
use crate::error::Kind;
use crate::net::codec::CodecConfig;
use crate::net::gpt::GptConfig;
use crate::net::weights::{Tensors, Weights};
use crate::stage::Stage;
use crate::stage::protocol::Protocol;
use anyhow::{Context, Result, bail, ensure};
use candle_core::{DType, Device};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A Bark model.
pub struct Bark {
    pub protocol: Protocol,
    source: Source,
    /// What is added to the GPTs' weights.
    loras: Vec<Lora>,
}

enum Source {
    /// One file a stage, in [`Stage::ALL`]'s order.
    Suno([PathBuf; 3]),
    HuggingFace {
        weights: PathBuf,
        config: Box<BarkJson>,
    },
    /// In [`Stage::ALL`]'s order.
    Open {
        stages: Box<[Checkpoint<GptConfig>; 3]>,
        codec: Option<Checkpoint<CodecConfig>>,
    },
}

/// `config.json` (transformers `BarkConfig`).
#[derive(Deserialize, Serialize)]
pub(super) struct BarkJson {
    pub semantic_config: GptConfig,
    pub coarse_acoustics_config: GptConfig,
    pub fine_acoustics_config: GptConfig,
    pub codec_config: Option<CodecConfig>,
}

/// Opens the Bark model at `path`: a folder in Suno's or Hugging Face's layout, or of stages as serp-ai's trainer leaves
/// them, of which Suno's files may stand in for some; one of Suno's files (the other two lie
/// beside it), or Hugging Face's file of weights with `config.json` beside it. Every stage's description is checked.
///
/// # Errors
/// Kind [`Kind::Model`], naming the file: none there, damaged, or of another kind.
pub fn bark(path: &Path) -> Result<Bark> {
    folder::exists(path)?;
    let bark = match suno_files(path)? {
        Some(files) => Bark { protocol: Protocol::default(), source: Source::Suno(files), loras: vec![] },
        None => hugging_face(path)?,
    };
    for stage in Stage::ALL {
        bark.open(stage)?;
    }
    Ok(bark)
}

impl Bark {
    /// Bark of stages in [`Stage::ALL`]'s order, and perhaps a codec, that are open already.
    ///
    /// # Errors
    /// Kind [`Kind::Model`]: sizes that do not fit `protocol`.
    pub fn new(
        protocol: Protocol,
        stages: [Checkpoint<GptConfig>; 3],
        codec: Option<Checkpoint<CodecConfig>>,
    ) -> Result<Self> {
        let bark = Self { protocol, source: Source::Open { stages: Box::new(stages), codec }, loras: vec![] };
        Stage::ALL.into_iter().try_for_each(|stage| bark.open(stage).map(drop))?;
        Ok(bark)
    }

    /// With adapters, which are merged into the weights as these are read.
    ///
    /// # Errors
    /// Kind [`Kind::Model`]: an adapter of another model.
    pub fn with_loras(self, loras: Vec<Lora>) -> Result<Self> {
        let bark = Self { loras, ..self };
        Stage::ALL.into_iter().try_for_each(|stage| bark.open(stage).map(drop))?;
        Ok(bark)
    }

    /// Opens one stage: its sizes, and its weights as `dtype` on `device`. The file is mapped anew, and let go with the
    /// weights.
    pub fn stage(&self, stage: Stage, dtype: DType, device: &Device) -> Result<(GptConfig, Weights)> {
        let model = self.open(stage)?;
        let weights = model.weights(dtype, device);
        Ok((model.config, weights))
    }

    /// The codec that the checkpoint holds, if it does: Hugging Face's has one.
    pub fn codec(&self) -> Result<Option<Checkpoint<CodecConfig>>> {
        match &self.source {
            Source::HuggingFace { weights, config } => match &config.codec_config {
                Some(config) => codec::in_bark(file::open(weights)?.tensors()?, config).map(Some),
                None => Ok(None),
            },
            Source::Suno(_) => Ok(None),
            Source::Open { codec, .. } => Ok(codec.clone()),
        }
    }

    pub(super) fn open(&self, stage: Stage) -> Result<Checkpoint<GptConfig>> {
        let mut model = match &self.source {
            Source::Suno(files) => suno_stage(&files[stage as usize], stage)?,
            Source::HuggingFace { weights, config } => hf_stage(file::open(weights)?.tensors()?, config, stage)?,
            Source::Open { stages, .. } => stages[stage as usize].clone(),
        };
        let origin = model.tensors.origin();
        self.check(stage, &model.config)
            .with_context(|| Kind::Model.error(format!("{origin}: it does not fit Bark")))?;
        if stage == Stage::Fine {
            tie_heads(&mut model);
        }
        adapted(model, stage, &self.loras)
    }

    fn check(&self, stage: Stage, config: &GptConfig) -> Result<()> {
        config.check()?;
        match stage {
            Stage::Semantic => self.protocol.check_semantic(config),
            Stage::Coarse => self.protocol.check_coarse(config),
            Stage::Fine => self.protocol.check_fine(config),
        }
    }
}

/// Head `i` and the embedding `i + given` are one tensor; a checkpoint may store it under either name or both.
pub(super) fn tie_heads(model: &mut Checkpoint<GptConfig>) {
    let given = model.config.codebooks_given;
    for i in 0..model.config.codebooks_total.saturating_sub(given) {
        let (head, table) = (format!("lm_heads.{i}.weight"), format!("input_embeds_layers.{}.weight", i + given));
        let stored = |name: &String| model.names.get(name).cloned();
        match (stored(&head), stored(&table)) {
            (None, Some(stored)) => drop(model.names.insert(head, stored)),
            (Some(stored), None) => drop(model.names.insert(table, stored)),
            _ => {}
        }
    }
}

/// Suno's names for the stages, and the ending of the large models.
const SUNO_STAGES: [&str; 3] = ["text", "coarse", "fine"];
const SUNO_ENDINGS: [&str; 2] = ["_2.pt", ".pt"];
/// The folders that serp-ai's trainer leaves (bark-with-voice-clone, `output_dir` of `train_*.ipynb`), and their files.
const SERP_STAGES: [&str; 3] = ["semantic_output", "coarse_output", "fine_output"];
const SERP_WEIGHTS: &str = "pytorch_model.bin";
const SERP_CONFIG: &str = "config.json";

/// The three files of Suno's layout at `path`: a folder of them, the large ones first, or one of them. A folder that
/// has Hugging Face's weights and configuration too is Hugging Face's.
fn suno_files(path: &Path) -> Result<Option<[PathBuf; 3]>> {
    let set = |folder: &Path, ending: &str| SUNO_STAGES.map(|stage| folder.join(format!("{stage}{ending}")));
    if !path.is_dir() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let ending = SUNO_ENDINGS.iter().find(|end| SUNO_STAGES.iter().any(|stage| name == format!("{stage}{end}")));
        let Some(ending) = ending else { return Ok(None) };
        return complete(set(path.parent().unwrap_or(Path::new("")), ending)).map(Some);
    }
    if path.join("config.json").is_file() && folder::hf_weights(path).is_some() {
        return Ok(None);
    }
    let sets = SUNO_ENDINGS.map(|ending| set(path, ending));
    let found = sets.iter().find(|set| set.iter().any(|file| file.is_file()));
    let tuned = SERP_STAGES.map(|stage| path.join(stage).join(SERP_WEIGHTS));
    match (found, tuned.iter().any(|file| file.is_file())) {
        (None, false) => Ok(None),
        (Some(files), false) => complete(files.clone()).map(Some),
        (files, true) => {
            let own = |stage: usize| tuned[stage].is_file().then(|| tuned[stage].clone());
            complete([0, 1, 2].map(|stage| own(stage).unwrap_or_else(|| files.unwrap_or(&sets[0])[stage].clone())))
                .map(Some)
        }
    }
}

fn complete(files: [PathBuf; 3]) -> Result<[PathBuf; 3]> {
    match files.iter().find(|file| !file.is_file()) {
        None => Ok(files),
        Some(missing) => bail!(Kind::Model.error(format!(
            "{}: it is missing: Suno's layout has three files, {}",
            missing.display(),
            files.iter().filter_map(|f| f.file_name()?.to_str()).collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// One of Suno's files: `model_args` and `model`; the optimizer's state beside them is never touched. Or the weights
/// alone and `config.json` beside them, as serp-ai's trainer saves a stage.
fn suno_stage(file: &Path, stage: Stage) -> Result<Checkpoint<GptConfig>> {
    let unfit = |what: &str| Kind::Model.error(format!("{}: {what}", file.display()));
    let Opened::Torch(torch) = file::open(file)? else {
        bail!(unfit("it is no file of torch.save, as Suno's are"));
    };
    let root = torch.root();
    if file.ends_with(SERP_WEIGHTS) {
        let json = file.with_file_name(SERP_CONFIG);
        let args: Value = folder::config(&json, &["GPT"])?;
        let size = |name: &str| args[name].as_u64().and_then(|n| usize::try_from(n).ok());
        let config = suno_config(stage, (size, args["bias"].as_bool()));
        let config =
            config.map_err(|name| Kind::Model.error(format!("{}: it does not state `{name}`", json.display())))?;
        return Checkpoint::new(config, torch.tensors(root)?, names::serp_ai);
    }
    let (Some(model), Some(args)) = (root.get("model"), root.get("model_args")) else {
        bail!(unfit("it has no `model` and `model_args`: one of Suno's Bark files was expected"));
    };
    let size = |name: &str| args.get(name).and_then(|v| v.int()).and_then(|n| usize::try_from(n).ok());
    let config = suno_config(stage, (size, args.get("bias").and_then(|v| v.bool())));
    let config = config.map_err(|name| unfit(&format!("its `model_args` do not state `{name}`")))?;
    Checkpoint::new(config, torch.tensors(model)?, names::gpt)
}

/// A stage's sizes by Suno's names for them; or the name of what is not stated.
fn suno_config(
    stage: Stage,
    (size, bias): (impl Fn(&str) -> Option<usize>, Option<bool>),
) -> Result<GptConfig, &'static str> {
    let base = GptConfig::default();
    let stated = |name: &'static str| size(name).ok_or(name);
    let vocab = |name: &'static str| size(name).or_else(|| size("vocab_size")).ok_or(name);
    let (total, given) = if stage == Stage::Fine { (8, 1) } else { (0, 0) };
    Ok(GptConfig {
        block_size: size("block_size").unwrap_or(base.block_size),
        input_vocab: vocab("input_vocab_size")?,
        output_vocab: vocab("output_vocab_size")?,
        layers: stated("n_layer")?,
        heads: stated("n_head")?,
        width: stated("n_embd")?,
        bias: bias.unwrap_or(base.bias),
        codebooks_total: size("n_codes_total").unwrap_or(total),
        codebooks_given: size("n_codes_given").unwrap_or(given),
    })
}

/// Hugging Face's layout: `config.json`, perhaps `generation_config.json`, and the weights.
fn hugging_face(path: &Path) -> Result<Bark> {
    let expected = || {
        Kind::Model.error(format!(
            "{}: no Bark model: text_2.pt, coarse_2.pt and fine_2.pt were expected, or config.json with pytorch_model.bin \
             or model.safetensors",
            path.display()
        ))
    };
    let tuned = if path.ends_with(SERP_WEIGHTS) { path.parent().unwrap_or(path) } else { path };
    ensure!(
        !SERP_STAGES.iter().any(|stage| tuned.ends_with(stage)),
        Kind::Model.error(format!(
            "{}: it is one stage of Bark: give the folder above it, where the others are, or Suno's files for them",
            tuned.display()
        ))
    );
    if let Some(Header { config, protocol, .. }) = packed::header(path)? {
        let source = Source::HuggingFace { weights: path.into(), config: Box::new(config) };
        return Ok(Bark { protocol, source, loras: vec![] });
    }
    let weights = folder::hf_weights(path).with_context(expected)?;
    let json = folder::beside(&weights, "config.json").with_context(expected)?;
    let mut config: Box<BarkJson> = folder::config(&json, &["bark"])?;
    let mut protocol = config.completed()?;
    if let Some(json) = folder::beside(&weights, "generation_config.json") {
        let unfit = || Kind::Model.error(format!("{}: no generation settings of a Bark model", json.display()));
        protocol.apply_generation(&folder::text(&json)?).with_context(unfit)?;
    }
    Ok(Bark { protocol, source: Source::HuggingFace { weights, config }, loras: vec![] })
}

impl BarkJson {
    /// Fills in what transformers' classes do; returns the protocol, as far as this file tells it.
    pub fn completed(&mut self) -> Result<Protocol> {
        for causal in [&mut self.semantic_config, &mut self.coarse_acoustics_config] {
            (causal.codebooks_total, causal.codebooks_given) = (0, 0);
        }
        let fine = &mut self.fine_acoustics_config;
        if fine.codebooks_total == 0 {
            // The defaults of transformers' `BarkFineConfig`.
            (fine.codebooks_total, fine.codebooks_given) = (8, 1);
        }
        let mut protocol = Protocol::default();
        if let Some(codec) = &self.codec_config {
            protocol.codebook_size = u32::try_from(codec.codebook_size)?;
        }
        Ok(protocol)
    }
}

/// Prefixes of the parts of Hugging Face's checkpoint: the stages, then the codec.
pub(super) const HF_PARTS: [&str; 4] = ["semantic.", "coarse_acoustics.", "fine_acoustics.", "codec_model."];

/// One stage of Hugging Face's checkpoint, or of a packed one.
pub(super) fn hf_stage(tensors: Arc<dyn Tensors>, config: &BarkJson, stage: Stage) -> Result<Checkpoint<GptConfig>> {
    let tensors: Arc<dyn Tensors> = Arc::new(Packed(tensors));
    let (origin, names) = (tensors.origin(), tensors.names());
    let known = |name: &&String| HF_PARTS.iter().any(|part| name.starts_with(part));
    if let Some(name) = names.iter().find(|name| !known(name)) {
        bail!(Kind::Model.error(format!("{origin}: unexpected tensor `{name}`: another kind of model?")));
    }
    let prefix = HF_PARTS[stage as usize];
    ensure!(
        names.iter().any(|name| name.starts_with(prefix)),
        Kind::Model.error(format!("{origin}: it has no tensors `{prefix}...`: another kind of model?"))
    );
    let config = match stage {
        Stage::Semantic => &config.semantic_config,
        Stage::Coarse => &config.coarse_acoustics_config,
        Stage::Fine => &config.fine_acoustics_config,
    };
    Checkpoint::new(config.clone(), Arc::new(Below { tensors, prefix }), names::gpt)
}
