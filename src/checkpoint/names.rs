//! One place for the names of tensors: what each publisher calls them, and the canonical name, which is Hugging Face's.
//!
//! A name that no rule knows stays as it is, so that it is refused as unexpected; what may be left out is listed here
//! with the reason.

use crate::error::Kind;
use anyhow::{Result, bail};
use std::collections::BTreeMap;

/// What a stored name stands for.
#[derive(Debug, PartialEq, Eq)]
pub enum Name {
    /// The canonical name.
    Canonical(String),
    /// A tensor that no net needs, and why.
    Ignored(&'static str),
}

/// Canonical name -> stored name, by the rule of one family.
///
/// # Errors
/// Two stored tensors that stand for the same one.
pub fn canonical<S: Into<String>>(
    stored: impl IntoIterator<Item = S>,
    rule: fn(&str) -> Name,
) -> Result<BTreeMap<String, String>> {
    let mut names = BTreeMap::new();
    for stored in stored {
        let stored = stored.into();
        let Name::Canonical(name) = rule(&stored) else { continue };
        if let Some(other) = names.insert(name.clone(), stored.clone()) {
            bail!(Kind::Model.error(format!("`{other}` and `{stored}` are both `{name}`: a damaged checkpoint")));
        }
    }
    Ok(names)
}

/// Bark's GPTs: Suno's names (`_orig_mod.` of compiled modules, `transformer.h.0.attn.c_attn.weight`) and Hugging
/// Face's, the latter without their stage's prefix.
pub fn gpt(stored: &str) -> Name {
    let name = stored.strip_prefix("_orig_mod.").unwrap_or(stored);
    if name.ends_with(".attn.bias") {
        return Name::Ignored("the causal mask, which is always the same");
    }
    let name = name.strip_prefix("transformer.").unwrap_or(name);
    Name::Canonical(name.split('.').map(gpt_part).collect::<Vec<_>>().join("."))
}

/// What serp-ai's trainer saves (bark-with-voice-clone, `train_*.ipynb`): Suno's names, with the heads in a wrapper,
/// and beside weights into which its adapters are merged the adapters too. Its loader renames and drops them alike
/// (`bark/generation.py`, `_load_model`).
pub fn serp_ai(stored: &str) -> Name {
    if stored.contains(".lora_left_") || stored.contains(".lora_right_") {
        return Name::Ignored("merged into the weights when it was saved");
    }
    match stored.strip_suffix(".0.weight") {
        Some(head) if head == "lm_head" || head.starts_with("lm_heads.") => gpt(&format!("{head}.weight")),
        _ => gpt(stored),
    }
}

fn gpt_part(part: &str) -> &str {
    match part {
        "h" => "layers",
        "wte" => "input_embeds_layer",
        "wtes" => "input_embeds_layers",
        "wpe" => "position_embeds_layer",
        "ln_1" => "layernorm_1",
        "ln_2" => "layernorm_2",
        "ln_f" => "layernorm_final",
        "c_attn" => "att_proj",
        "c_fc" => "in_proj",
        "c_proj" => "out_proj",
        other => other,
    }
}

/// EnCodec: facebook's names (`encoder.model.0.conv.conv.weight_g`) and Hugging Face's, with either spelling of weight
/// normalisation.
pub fn codec(stored: &str) -> Name {
    if [".cluster_size", ".embed_avg", ".inited"].iter().any(|end| stored.ends_with(end)) {
        return Name::Ignored("statistics of the codebooks' training");
    }
    let name = weight_norm(stored)
        .replace("coder.model.", "coder.layers.")
        .replace(".conv.conv.", ".conv.")
        .replace(".convtr.convtr.", ".conv.")
        .replace("quantizer.vq.layers.", "quantizer.layers.")
        .replace("._codebook.", ".codebook.");
    Name::Canonical(name)
}

/// HuBERT: fairseq's names (`encoder.layers.0.self_attn.k_proj.weight`) and Hugging Face's, also below the `hubert.` of
/// a fine-tuned model.
pub fn hubert(stored: &str) -> Name {
    let name = stored.strip_prefix("hubert.").unwrap_or(stored);
    match name.split('.').next().unwrap_or(name) {
        "masked_spec_embed" | "mask_emb" => return Name::Ignored("stands for masked frames, in training alone"),
        "label_embs_concat" | "final_proj" => return Name::Ignored("the pre-training's classifier"),
        "lm_head" => return Name::Ignored("a recogniser's output"),
        _ => {}
    }
    let name = weight_norm(name)
        .replace(".self_attn.", ".attention.")
        .replace(".self_attn_layer_norm.", ".layer_norm.")
        .replace(".fc1.", ".feed_forward.intermediate_dense.")
        .replace(".fc2.", ".feed_forward.output_dense.")
        .replace("encoder.pos_conv.0.", "encoder.pos_conv_embed.conv.");
    Name::Canonical(hubert_features(&name))
}

/// fairseq counts the feature extractor's parts (convolution 0, dropout 1, group norm 2) and keeps its projection at
/// the top.
fn hubert_features(name: &str) -> String {
    let parts: Vec<_> = name.split('.').collect();
    match parts.as_slice() {
        ["feature_extractor", "conv_layers", layer, part @ ("0" | "2"), leaf] => {
            let part = if *part == "0" { "conv" } else { "layer_norm" };
            format!("feature_extractor.conv_layers.{layer}.{part}.{leaf}")
        }
        ["layer_norm", leaf] => format!("feature_projection.layer_norm.{leaf}"),
        ["post_extract_proj", leaf] => format!("feature_projection.projection.{leaf}"),
        _ => name.to_owned(),
    }
}

/// The quantizer has one spelling.
pub fn quantizer(stored: &str) -> Name {
    Name::Canonical(stored.to_owned())
}

/// Each speaker encoder has one spelling; Real-Time-Voice-Cloning's file keeps two scalars of its training's loss too.
pub fn speaker(stored: &str) -> Name {
    match stored {
        "similarity_weight" | "similarity_bias" => Name::Ignored("scale the training's similarities"),
        _ if stored.ends_with(".num_batches_tracked") => Name::Ignored("counts steps of training"),
        _ => Name::Canonical(stored.to_owned()),
    }
}

/// Whisper: Hugging Face's names, with or without the `model.` of the whole.
pub fn whisper(stored: &str) -> Name {
    match stored.strip_prefix("model.").unwrap_or(stored) {
        "proj_out.weight" => Name::Ignored("the embeddings of tokens again"),
        name => Name::Canonical(name.to_owned()),
    }
}

/// torch's new spelling of weight normalisation in terms of the old one.
fn weight_norm(name: &str) -> String {
    name.replace("parametrizations.weight.original0", "weight_g")
        .replace("parametrizations.weight.original1", "weight_v")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&str) -> Name, pairs: &[(&str, &str)]) {
        for (stored, name) in pairs {
            assert_eq!(rule(stored), Name::Canonical((*name).to_owned()), "{stored}");
            assert_eq!(rule(name), Name::Canonical((*name).to_owned()), "canonical names stay: {name}");
        }
    }

    #[test]
    fn suno_names_become_hugging_face_names() {
        let pairs = [
            ("_orig_mod.transformer.wte.weight", "input_embeds_layer.weight"),
            ("transformer.wtes.3.weight", "input_embeds_layers.3.weight"),
            ("_orig_mod.transformer.wpe.weight", "position_embeds_layer.weight"),
            ("_orig_mod.transformer.h.0.ln_1.weight", "layers.0.layernorm_1.weight"),
            ("_orig_mod.transformer.h.11.ln_2.bias", "layers.11.layernorm_2.bias"),
            ("_orig_mod.transformer.h.0.attn.c_attn.weight", "layers.0.attn.att_proj.weight"),
            ("_orig_mod.transformer.h.0.attn.c_attn.bias", "layers.0.attn.att_proj.bias"),
            ("_orig_mod.transformer.h.0.attn.c_proj.weight", "layers.0.attn.out_proj.weight"),
            ("_orig_mod.transformer.h.0.mlp.c_fc.weight", "layers.0.mlp.in_proj.weight"),
            ("_orig_mod.transformer.h.0.mlp.c_proj.weight", "layers.0.mlp.out_proj.weight"),
            ("_orig_mod.transformer.ln_f.weight", "layernorm_final.weight"),
            ("_orig_mod.lm_head.weight", "lm_head.weight"),
            ("lm_heads.6.weight", "lm_heads.6.weight"),
        ];
        check(gpt, &pairs);
    }

    #[test]
    fn causal_masks_are_left_out() {
        assert!(matches!(gpt("_orig_mod.transformer.h.0.attn.bias"), Name::Ignored(_)));
        assert!(matches!(gpt("layers.3.attn.bias"), Name::Ignored(_)));
    }

    #[test]
    fn facebook_codec_names_become_hugging_face_names() {
        let pairs = [
            ("encoder.model.0.conv.conv.weight_g", "encoder.layers.0.conv.weight_g"),
            ("encoder.model.1.block.1.conv.conv.bias", "encoder.layers.1.block.1.conv.bias"),
            ("encoder.model.1.shortcut.conv.conv.weight_v", "encoder.layers.1.shortcut.conv.weight_v"),
            ("encoder.model.13.lstm.weight_ih_l0", "encoder.layers.13.lstm.weight_ih_l0"),
            ("decoder.model.3.convtr.convtr.weight_v", "decoder.layers.3.conv.weight_v"),
            ("decoder.layers.3.conv.parametrizations.weight.original1", "decoder.layers.3.conv.weight_v"),
            ("quantizer.vq.layers.7._codebook.embed", "quantizer.layers.7.codebook.embed"),
        ];
        check(codec, &pairs);
        for name in ["quantizer.vq.layers.0._codebook.cluster_size", "quantizer.layers.0.codebook.inited"] {
            assert!(matches!(codec(name), Name::Ignored(_)), "{name}");
        }
    }

    #[test]
    fn fairseq_hubert_names_become_hugging_face_names() {
        let pairs = [
            ("feature_extractor.conv_layers.0.0.weight", "feature_extractor.conv_layers.0.conv.weight"),
            ("feature_extractor.conv_layers.0.2.bias", "feature_extractor.conv_layers.0.layer_norm.bias"),
            ("layer_norm.weight", "feature_projection.layer_norm.weight"),
            ("post_extract_proj.bias", "feature_projection.projection.bias"),
            ("encoder.pos_conv.0.weight_g", "encoder.pos_conv_embed.conv.weight_g"),
            ("encoder.layers.3.self_attn.k_proj.weight", "encoder.layers.3.attention.k_proj.weight"),
            ("encoder.layers.3.self_attn_layer_norm.bias", "encoder.layers.3.layer_norm.bias"),
            ("encoder.layers.3.fc1.weight", "encoder.layers.3.feed_forward.intermediate_dense.weight"),
            ("encoder.layers.3.fc2.bias", "encoder.layers.3.feed_forward.output_dense.bias"),
            ("encoder.layers.3.final_layer_norm.bias", "encoder.layers.3.final_layer_norm.bias"),
            ("encoder.layer_norm.weight", "encoder.layer_norm.weight"),
        ];
        check(hubert, &pairs);
        let parametrized = "hubert.encoder.pos_conv_embed.conv.parametrizations.weight.original0";
        assert_eq!(hubert(parametrized), Name::Canonical("encoder.pos_conv_embed.conv.weight_g".into()));
        for name in ["mask_emb", "label_embs_concat", "final_proj.weight", "masked_spec_embed", "lm_head.bias"] {
            assert!(matches!(hubert(name), Name::Ignored(_)), "{name}");
        }
    }

    #[test]
    fn two_tensors_for_one_name_are_refused() {
        let error = canonical(["transformer.wte.weight", "_orig_mod.transformer.wte.weight"], gpt).unwrap_err();
        assert!(error.to_string().contains("both `input_embeds_layer.weight`"), "{error}");
    }
}
