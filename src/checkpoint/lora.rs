//! Low-rank adapters (LoRA, Hu et al. 2021) of Bark's GPTs, merged into the weights as these are read: `W + s B A`.
//!
//! Two layouts are read. `peft`'s is a folder with `adapter_config.json` and `adapter_model.safetensors` (or `.bin`),
//! tensors `base_model.model.MODULE.lora_A.weight` `[r, in]` and `lora_B.weight` `[out, r]`, `s` of `lora_alpha` and `r`
//! (`peft/tuners/lora/layer.py`, `update_layer` and `get_delta_weight`). serp-ai's trainer (bark-with-voice-clone,
//! `utils/lora.py`) leaves `MODULE.lora_right_weight` `[in, r]` and `lora_left_weight` `[r, out]` in a state dict, with
//! `s` 1 / `r` as its notebooks set it; what else is in that file is the base's.

use super::bark::HF_PARTS;
use super::file;
use super::names::{self, Name};
use super::{Checkpoint, folder};
use crate::error::Kind;
use crate::net::gpt::GptConfig;
use crate::net::repr::Repr;
use crate::net::weights::{Array, Tensors};
use crate::stage::Stage;
use anyhow::{Context, Result, bail, ensure};
use candle_core::{DType, Device};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: [&str; 2] = ["adapter_model.safetensors", "adapter_model.bin"];
/// What peft puts before a module's name.
const BASE: &str = "base_model.model.";

/// An adapter, and how strongly it is applied.
#[derive(Clone)]
pub struct Lora {
    origin: String,
    /// By stage, in [`Stage::ALL`]'s order, and canonical name of the weight.
    stages: [BTreeMap<String, Delta>; 3],
}

/// What is added to one weight `[out, in]`.
#[derive(Clone)]
struct Delta {
    /// `[r, in]`, or turned.
    a: Array,
    /// `[out, r]`, or turned.
    b: Array,
    /// Whether both are turned.
    turned: bool,
    scale: f64,
}

/// `adapter_config.json`, as far as it changes what is merged.
#[derive(Deserialize)]
struct PeftConfig {
    #[serde(default)]
    peft_type: String,
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    /// Modules, or ends of their names, with an alpha of their own.
    #[serde(default)]
    alpha_pattern: Option<BTreeMap<String, f64>>,
}

impl PeftConfig {
    /// The scale of a module's adapter of rank `r`.
    fn scale(&self, module: &str, r: usize) -> f64 {
        let is = |end: &str| module.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        let own = self.alpha_pattern.iter().flatten().find(|(end, _)| is(end)).map(|(_, alpha)| *alpha);
        let r = if self.use_rslora { (r as f64).sqrt() } else { r as f64 };
        own.unwrap_or(self.lora_alpha) / r
    }
}

/// Opens the adapter at `path`, a file or peft's folder, to be applied `scale` times. `stage`: which GPT it is of, where
/// its names do not say so (they do in an adapter of all of Hugging Face's Bark); by default the semantic one.
///
/// # Errors
/// Kind [`Kind::Model`], naming the file and the tensor: no adapter, or one of a kind that is not read.
pub fn lora(path: &Path, stage: Option<Stage>, scale: f64) -> Result<Lora> {
    folder::exists(path)?;
    let file = weights(path)?;
    let unfit = |what: String| Kind::Model.error(format!("{}: {what}", file.display()));
    let config = config(&file)?;
    let tensors = file::open(&file)?.tensors()?;
    let mut lora = Lora { origin: path.display().to_string(), stages: Default::default() };
    let mut others = Vec::new();
    for name in tensors.names() {
        let Some((module, [first, second], turned)) = halves(&name) else {
            others.push(name);
            continue;
        };
        let read = |half: &str| -> Result<Array> {
            tensors.array(half)?.with_context(|| unfit(format!("`{half}` is missing: half of an adapter")))
        };
        let (a, b) = (read(&first)?, read(&second)?);
        let r = rank(&a, &b, turned).ok_or_else(|| unfit(format!("`{name}`: its two halves do not fit each other")))?;
        let own = match (&config, turned) {
            (_, true) => 1.0 / r as f64,
            (Some(config), false) => config.scale(&module, r),
            (None, false) => bail!(unfit(format!("{CONFIG} is missing beside it: it says how strongly it applies"))),
        };
        let (at, weight) = place(&module, stage).map_err(|what| unfit(format!("`{name}`: {what}")))?;
        lora.stages[at as usize].insert(weight, Delta { a, b, turned, scale: own * scale });
    }
    ensure!(lora.stages.iter().any(|stage| !stage.is_empty()), unfit("it holds no adapter (lora_A, lora_B)".into()));
    match others.first() {
        // serp-ai's files hold the base's weights too.
        Some(other) if config.is_some() => {
            bail!(unfit(format!("`{other}` is no part of a LoRA adapter of linears: it cannot be merged")))
        }
        _ => Ok(lora),
    }
}

/// The file of an adapter's weights.
fn weights(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let found = WEIGHTS.map(|name| path.join(name)).into_iter().find(|file| file.is_file());
    let missing = format!("{}: no adapter: {} was expected", path.display(), WEIGHTS.join(" or "));
    found.with_context(|| Kind::Model.error(missing))
}

/// What lies beside peft's weights.
fn config(weights: &Path) -> Result<Option<PeftConfig>> {
    let Some(path) = folder::beside(weights, CONFIG) else { return Ok(None) };
    let unfit = |what: &str| Kind::Model.error(format!("{}: {what}", path.display()));
    let config: PeftConfig =
        serde_json::from_slice(&folder::text(&path)?).with_context(|| unfit("not the description of an adapter"))?;
    ensure!(["", "LORA"].contains(&config.peft_type.as_str()), unfit("an adapter of another kind than LoRA"));
    ensure!(!config.use_dora, unfit("an adapter with DoRA, which is not read"));
    Ok(Some(config))
}

/// Endings of the two halves' names, and whether both are turned. peft had the adapter's name in them once.
const HALVES: [(&str, &str, bool); 3] = [
    (".lora_A.weight", ".lora_B.weight", false),
    (".lora_A.default.weight", ".lora_B.default.weight", false),
    (".lora_right_weight", ".lora_left_weight", true),
];

/// A tensor that is half of an adapter: the module that it belongs to, what both halves are called, and whether they
/// are turned. `None`: it is no part of an adapter.
fn halves(name: &str) -> Option<(String, [String; 2], bool)> {
    HALVES.into_iter().find_map(|(first, second, turned)| {
        let stem = name.strip_suffix(first).or_else(|| name.strip_suffix(second))?;
        let module = stem.strip_prefix(BASE).unwrap_or(stem).to_owned();
        Some((module, [first, second].map(|ending| format!("{stem}{ending}")), turned))
    })
}

/// The rank, if both halves have one.
fn rank(a: &Array, b: &Array, turned: bool) -> Option<usize> {
    let ([a0, a1], [b0, b1]) = (a.shape.as_slice().try_into().ok()?, b.shape.as_slice().try_into().ok()?);
    let (one, other): (usize, usize) = if turned { (a1, b0) } else { (a0, b1) };
    (one == other && one > 0).then_some(one)
}

/// The stage and the canonical name of a module's weight; or why it has none.
fn place(module: &str, stage: Option<Stage>) -> Result<(Stage, String), String> {
    let named = Stage::ALL.into_iter().find_map(|at| Some((at, module.strip_prefix(HF_PARTS[at as usize])?)));
    let (at, below) = match (named, stage) {
        (Some((at, _)), Some(stage)) if at != stage => return Err("it is of another stage than was said".into()),
        (Some(named), _) => named,
        (None, stage) => (stage.unwrap_or(Stage::Semantic), module),
    };
    match names::gpt(&format!("{below}.weight")) {
        Name::Canonical(name) => Ok((at, name)),
        Name::Ignored(why) => Err(why.to_owned()),
    }
}

/// `model` with what the adapters add to its weights.
///
/// # Errors
/// Kind [`Kind::Model`], naming the adapter and the weight: there is no such one, or it is of another shape or type.
pub(super) fn adapted(mut model: Checkpoint<GptConfig>, stage: Stage, loras: &[Lora]) -> Result<Checkpoint<GptConfig>> {
    let mut deltas: BTreeMap<String, Vec<Delta>> = BTreeMap::new();
    for lora in loras {
        for (name, delta) in &lora.stages[stage as usize] {
            let unfit = |what: String| Kind::Model.error(format!("{}: `{name}`: {what}", lora.origin));
            let stored = model.names.get(name).ok_or_else(|| unfit(format!("{stage:?} has no such weight")))?;
            let array = model.tensors.array(stored)?.with_context(|| unfit("it cannot be read".into()))?;
            let is_plain = matches!(array.repr, Repr::Plain(_));
            ensure!(is_plain, unfit("the model is packed: give --lora where it is packed, `models pack`".into()));
            let shape = delta.shape();
            ensure!(shape == array.shape[..], unfit(format!("it is {:?}, the adapter is for {shape:?}", array.shape)));
            deltas.entry(stored.clone()).or_default().push(delta.clone());
        }
    }
    if !deltas.is_empty() {
        model.tensors = Arc::new(Adapted { base: model.tensors, deltas });
    }
    Ok(model)
}

impl Delta {
    /// Of the weight that it is added to.
    fn shape(&self) -> [usize; 2] {
        if self.turned { [self.b.shape[1], self.a.shape[0]] } else { [self.b.shape[0], self.a.shape[1]] }
    }

    /// `weight` with it, in f32; sums are taken as peft takes them: the product, its scale, the sum.
    fn add(&self, weight: Array) -> Result<Array> {
        let read = |array: &Array| array.tensor(DType::F32, &Device::Cpu);
        let (a, b) = (read(&self.a)?, read(&self.b)?);
        let product = if self.turned { b.t()?.matmul(&a.t()?)? } else { b.matmul(&a)? };
        let sum = (read(&weight)? + (product * self.scale)?)?;
        Ok(Array::from_f32(sum.flatten_all()?.to_vec1()?, weight.shape))
    }
}

/// Weights to which adapters are added as they are read.
struct Adapted {
    base: Arc<dyn Tensors>,
    /// By stored name.
    deltas: BTreeMap<String, Vec<Delta>>,
}

impl Tensors for Adapted {
    fn origin(&self) -> String {
        self.base.origin()
    }

    fn names(&self) -> Vec<String> {
        self.base.names()
    }

    fn array(&self, name: &str) -> Result<Option<Array>> {
        let Some(array) = self.base.array(name)? else { return Ok(None) };
        let deltas = self.deltas.get(name).into_iter().flatten();
        deltas.into_iter().try_fold(array, |array, delta| delta.add(array)).map(Some)
    }
}
