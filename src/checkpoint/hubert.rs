//! HuBERT base: Hugging Face's folder or file, or fairseq's `.pt`, whose pickled options are read as plain data.

use super::file::{self, Opened, TorchFile, Value};
use super::shapes::Shapes;
use super::{Checkpoint, folder, names};
use crate::net::hubert::HubertConfig;
use crate::net::weights::Tensors;
use anyhow::{Result, ensure};
use std::path::Path;
use std::sync::Arc;

/// Opens the HuBERT at `path`: a file of weights (with `config.json` beside it, or fairseq's own) or its folder.
///
/// # Errors
/// Kind [`crate::error::Kind::Model`], naming the file: none there, damaged, or of another kind.
pub fn hubert(path: &Path) -> Result<Checkpoint<HubertConfig>> {
    let file = folder::weights(path)?;
    let opened = file::open(&file)?;
    let fairseq = match &opened {
        Opened::Torch(torch) => fairseq(torch)?,
        Opened::Tensors(_) => None,
    };
    // A `config.json` beside fairseq's file belongs to some other model.
    let json = folder::beside(&file, "config.json").filter(|_| fairseq.is_none());
    let (tensors, options) = match fairseq {
        Some((tensors, options)) => (tensors, options),
        None => (opened.tensors()?, Options::default()),
    };
    let shapes = Shapes::new(&*tensors, names::hubert)?;
    let config = match json {
        Some(json) => folder::config(&json, &["hubert"])?,
        None => infer(&shapes, &options)?,
    };
    shapes.explain(config.check())?;
    Checkpoint::new(config, tensors.clone(), names::hubert)
}

/// What fairseq's options tell that shapes do not.
#[derive(Default)]
struct Options {
    heads: Option<usize>,
    /// Layer norms before instead of after each part.
    norm_first: bool,
    /// `default` or `layer_norm`
    extractor: Option<String>,
}

/// The state dict and options of a fairseq checkpoint; `None` if it is none.
fn fairseq(torch: &TorchFile) -> Result<Option<(Arc<dyn Tensors>, Options)>> {
    let root = torch.root();
    let Some(model) = root.get("model").filter(|model| model.is_dict()) else { return Ok(None) };
    // Old checkpoints keep an argparse Namespace, newer ones a dictionary or an OmegaConf of sections.
    let sections = [root.get("args"), root.get("cfg").and_then(|cfg| option(cfg, "model"))];
    let find = |name: &str| sections.iter().flatten().find_map(|section| option(*section, name));
    let options = Options {
        heads: find("encoder_attention_heads").and_then(|v| v.int()).and_then(|n| usize::try_from(n).ok()),
        norm_first: find("layer_norm_first").and_then(|v| v.bool()).unwrap_or(false),
        extractor: find("extractor_mode").and_then(|v| v.str()).map(str::to_owned),
    };
    Ok(Some((torch.tensors(model)?, options)))
}

/// An attribute of a Namespace, an entry of a dictionary, or of an OmegaConf node, which keeps its entries in
/// `_content` and their values in `_val`.
fn option<'a>(options: Value<'a>, name: &str) -> Option<Value<'a>> {
    let found = options.get(name).or_else(|| options.get("_content")?.get(name))?;
    Some(found.get("_val").unwrap_or(found)).filter(|value| !value.is_none())
}

/// Sizes by the shapes of the tensors. Strides are those of every HuBERT; heads must be stated, or the width be HuBERT
/// base's.
fn infer(shapes: &Shapes, options: &Options) -> Result<HubertConfig> {
    let base = HubertConfig::default();
    let conv = |i: usize| format!("feature_extractor.conv_layers.{i}.conv.weight");
    let count = shapes.count(conv);
    let convs = (0..count).map(|i| shapes.get::<3>(&conv(i))).collect::<Result<Vec<_>>>()?;
    let conv_kernel: Vec<_> = convs.iter().map(|[_, _, kernel]| *kernel).collect();
    ensure!(
        conv_kernel == base.conv_kernel,
        shapes.unfit("no HuBERT, or one without `config.json` beside it whose strides are unknown")
    );
    let [hidden_size, _] = shapes.get("feature_projection.projection.weight")?;
    let [_, group_width, kernel] = shapes.get("encoder.pos_conv_embed.conv.weight_v")?;
    let [intermediate_size, _] = shapes.get("encoder.layers.0.feed_forward.intermediate_dense.weight")?;
    let heads = options.heads.or((hidden_size == base.hidden_size).then_some(base.num_attention_heads));
    let heads =
        heads.ok_or_else(|| shapes.unfit("its number of heads is stated nowhere: put `config.json` beside it"))?;
    let layer_norm = options.extractor.as_deref() == Some("layer_norm");
    Ok(HubertConfig {
        hidden_size,
        intermediate_size,
        num_attention_heads: heads,
        num_hidden_layers: shapes.count(|i| format!("encoder.layers.{i}.attention.k_proj.weight")),
        conv_dim: convs.iter().map(|[width, _, _]| *width).collect(),
        conv_kernel,
        conv_bias: shapes.has("feature_extractor.conv_layers.0.conv.bias"),
        num_conv_pos_embeddings: kernel,
        num_conv_pos_embedding_groups: hidden_size / group_width.max(1),
        do_stable_layer_norm: options.norm_first,
        feat_extract_norm: if layer_norm { "layer".into() } else { base.feat_extract_norm },
        ..HubertConfig::default()
    })
}
