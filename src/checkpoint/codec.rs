//! EnCodec: facebook's `.th`, Hugging Face's folder or file, or the codec within a Bark checkpoint.

use super::shapes::Shapes;
use super::{Checkpoint, file, folder, names};
use crate::error::Kind;
use crate::net::codec::CodecConfig;
use crate::net::weights::{Array, Tensors};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;

/// Where Bark's checkpoint keeps its codec.
const IN_BARK: &str = "codec_model.";

/// Opens the codec at `path`: a file of weights (any format, with or without `config.json` beside it) or its folder.
///
/// # Errors
/// Kind [`Kind::Model`], naming the file: none there, damaged, or of another kind.
pub fn codec(path: &Path) -> Result<Checkpoint<CodecConfig>> {
    let file = folder::weights(path)?;
    let tensors = below_bark(file::open(&file)?.tensors()?);
    // A `config.json` beside facebook's file belongs to some other model.
    let facebook = tensors.names().iter().any(|name| name.starts_with("encoder.model."));
    let json = folder::beside(&file, "config.json").filter(|_| !facebook);
    open(tensors, json.map(|json| stated_config(&json)).transpose()?)
}

/// The codec within Bark's checkpoint.
pub(super) fn in_bark(tensors: Arc<dyn Tensors>, config: &CodecConfig) -> Result<Checkpoint<CodecConfig>> {
    open(below_bark(tensors), Some(config.clone()))
}

/// The codec's tensors alone, of Bark's checkpoint or the codec's own.
fn below_bark(tensors: Arc<dyn Tensors>) -> Arc<dyn Tensors> {
    if tensors.names().iter().any(|name| name.starts_with(IN_BARK)) {
        return Arc::new(Below { tensors, prefix: IN_BARK });
    }
    tensors
}

/// Without a stated configuration the tensors' shapes tell.
fn open(tensors: Arc<dyn Tensors>, stated: Option<CodecConfig>) -> Result<Checkpoint<CodecConfig>> {
    let shapes = Shapes::new(&*tensors, names::codec)?;
    let config = match stated {
        Some(config) => config,
        None => infer(&shapes)?,
    };
    shapes.explain(config.check())?;
    Checkpoint::new(config, tensors.clone(), names::codec)
}

/// The codec's part of a Bark or EnCodec `config.json`.
fn stated_config(json: &Path) -> Result<CodecConfig> {
    #[derive(Deserialize)]
    struct Bark {
        codec_config: CodecConfig,
    }
    folder::config(json, &["encodec"]).or_else(|error| match folder::config::<Bark>(json, &["bark"]) {
        Ok(bark) => Ok(bark.codec_config),
        Err(_) => Err(error),
    })
}

/// Sizes by the shapes of the tensors (facebook's file states none); what they cannot tell is as in the 24 kHz model.
fn infer(shapes: &Shapes) -> Result<CodecConfig> {
    let conv = |n: usize| shapes.get::<3>(&format!("encoder.layers.{n}.conv.weight_v"));
    let convs = shapes.indices("encoder.layers.", ".conv.weight_v");
    let (Some((&first, rest)), Some(&last)) = (convs.split_first(), convs.last()) else {
        return Err(shapes.unfit("no EnCodec model: it has no `encoder.layers.0.conv`").into());
    };
    let down = rest.split_last().map_or(&[][..], |(_, down)| down);
    // A convolution that shortens the signal `ratio` times is `2 * ratio` wide.
    let ratios = down.iter().rev().map(|&n| Ok(conv(n)?[2] / 2)).collect::<Result<Vec<_>>>()?;
    let blocks = shapes.indices("encoder.layers.", ".block.1.conv.weight_v");
    ensure!(!ratios.is_empty() && !blocks.is_empty(), shapes.unfit("no EnCodec model: its encoder is incomplete"));
    let [num_filters, audio_channels, kernel_size] = conv(first)?;
    let [hidden_size, _, last_kernel_size] = conv(last)?;
    let [inner, outer, residual_kernel_size] =
        shapes.get(&format!("encoder.layers.{}.block.1.conv.weight_v", blocks[0]))?;
    let [codebook_size, codebook_dim] = shapes.get("quantizer.layers.0.codebook.embed")?;
    let lstm = shapes.indices("encoder.layers.", ".lstm.weight_ih_l0").first().copied();
    let lstm = lstm.ok_or_else(|| shapes.unfit("no EnCodec model: it has no LSTM"))?;
    Ok(CodecConfig {
        audio_channels,
        num_filters,
        kernel_size,
        hidden_size,
        last_kernel_size,
        residual_kernel_size,
        codebook_size,
        codebook_dim: Some(codebook_dim),
        num_residual_layers: blocks.len() / ratios.len(),
        upsampling_ratios: ratios,
        compress: outer / inner.max(1),
        num_lstm_layers: shapes.count(|i| format!("encoder.layers.{lstm}.lstm.weight_ih_l{i}")),
        use_conv_shortcut: shapes.has(&format!("encoder.layers.{}.shortcut.conv.weight_v", blocks[0])),
        ..CodecConfig::default()
    })
}

/// The part of a checkpoint below a prefix.
pub(super) struct Below {
    pub tensors: Arc<dyn Tensors>,
    pub prefix: &'static str,
}

impl Tensors for Below {
    fn origin(&self) -> String {
        self.tensors.origin()
    }

    fn names(&self) -> Vec<String> {
        self.tensors.names().iter().filter_map(|name| name.strip_prefix(self.prefix)).map(str::to_owned).collect()
    }

    fn array(&self, name: &str) -> Result<Option<Array>> {
        let full = format!("{}{name}", self.prefix);
        self.tensors.array(&full).with_context(|| Kind::Model.error(format!("tensor `{full}`")))
    }
}
