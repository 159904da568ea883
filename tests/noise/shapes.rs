//! Names and shapes of every tensor that a net of given sizes has, under the names of the rule: Suno's for the GPTs,
//! facebook's for EnCodec, Hugging Face's for HuBERT and Whisper.

use barkclone::net::codec::CodecConfig;
use barkclone::net::gpt::GptConfig;
use barkclone::net::hubert::HubertConfig;
use barkclone::net::quantizer::QuantizerConfig;
use barkclone::net::whisper::WhisperConfig;

/// Names and shapes.
pub type Shapes = Vec<(String, Vec<usize>)>;

/// Width of the quantizer's middle linear.
const INTERMEDIATE: usize = 4096;

fn push(shapes: &mut Shapes, name: String, shape: &[usize]) {
    shapes.push((name, shape.to_vec()));
}

/// `name.weight` `[out, ins..]`, and `name.bias` `[out]` where there is one.
fn weight(shapes: &mut Shapes, name: &str, shape: &[usize], bias: bool) {
    push(shapes, format!("{name}.weight"), shape);
    if bias {
        push(shapes, format!("{name}.bias"), &shape[..1]);
    }
}

/// Tensors of a GPT under Suno's names, the fine stage's tied heads left out.
pub fn gpt_shapes(config: &GptConfig) -> Shapes {
    let (width, bias, fine) = (config.width, config.bias, config.codebooks_total > 0);
    let mut s = Shapes::new();
    if fine {
        for i in 0..config.codebooks_total {
            weight(&mut s, &format!("transformer.wtes.{i}"), &[config.input_vocab, width], false);
        }
    } else {
        weight(&mut s, "transformer.wte", &[config.input_vocab, width], false);
        weight(&mut s, "lm_head", &[config.output_vocab, width], false);
    }
    weight(&mut s, "transformer.wpe", &[config.block_size, width], false);
    for i in 0..config.layers {
        let h = format!("transformer.h.{i}");
        weight(&mut s, &format!("{h}.ln_1"), &[width], bias || fine);
        weight(&mut s, &format!("{h}.attn.c_attn"), &[3 * width, width], bias);
        weight(&mut s, &format!("{h}.attn.c_proj"), &[width, width], bias);
        weight(&mut s, &format!("{h}.ln_2"), &[width], bias || fine);
        weight(&mut s, &format!("{h}.mlp.c_fc"), &[4 * width, width], bias);
        weight(&mut s, &format!("{h}.mlp.c_proj"), &[width, 4 * width], bias);
    }
    weight(&mut s, "transformer.ln_f", &[width], bias || fine);
    s
}

/// A weight-normed convolution; `shape` as torch stores it, `[out, in, kernel]` or transposed `[in, out, kernel]`.
fn conv(shapes: &mut Shapes, name: &str, shape: [usize; 3], out: usize) {
    push(shapes, format!("{name}.bias"), &[out]);
    push(shapes, format!("{name}.weight_g"), &[shape[0], 1, 1]);
    push(shapes, format!("{name}.weight_v"), &shape);
}

/// A residual block of EnCodec, `width` channels throughout.
fn residual(shapes: &mut Shapes, name: &str, width: usize, config: &CodecConfig) {
    let inner = width / config.compress;
    conv(shapes, &format!("{name}.block.1.conv.conv"), [inner, width, config.residual_kernel_size], inner);
    conv(shapes, &format!("{name}.block.3.conv.conv"), [width, inner, 1], width);
    if config.use_conv_shortcut {
        conv(shapes, &format!("{name}.shortcut.conv.conv"), [width, width, 1], width);
    }
}

fn lstm(shapes: &mut Shapes, name: &str, input: usize, hidden: usize, layers: usize) {
    for i in 0..layers {
        push(shapes, format!("{name}.weight_ih_l{i}"), &[4 * hidden, if i == 0 { input } else { hidden }]);
        push(shapes, format!("{name}.weight_hh_l{i}"), &[4 * hidden, hidden]);
        push(shapes, format!("{name}.bias_ih_l{i}"), &[4 * hidden]);
        push(shapes, format!("{name}.bias_hh_l{i}"), &[4 * hidden]);
    }
}

/// Tensors of EnCodec under facebook's names. Layers count activations, which have no weights.
pub fn codec_shapes(config: &CodecConfig, codebooks: usize) -> Shapes {
    let mut s = Shapes::new();
    encoder_shapes(&mut s, config);
    decoder_shapes(&mut s, config);
    for i in 0..codebooks {
        let name = format!("quantizer.vq.layers.{i}._codebook.embed");
        push(&mut s, name, &[config.codebook_size, config.hidden_size]);
    }
    s
}

fn encoder_shapes(s: &mut Shapes, config: &CodecConfig) {
    let mut width = config.num_filters;
    let name = |at: usize| format!("encoder.model.{at}");
    conv(s, &format!("{}.conv.conv", name(0)), [width, config.audio_channels, config.kernel_size], width);
    let mut at = 1;
    for ratio in config.upsampling_ratios.iter().rev() {
        for _ in 0..config.num_residual_layers {
            residual(s, &name(at), width, config);
            at += 1;
        }
        conv(s, &format!("{}.conv.conv", name(at + 1)), [2 * width, width, 2 * ratio], 2 * width);
        at += 2;
        width *= 2;
    }
    lstm(s, &format!("{}.lstm", name(at)), width, width, config.num_lstm_layers);
    let last = [config.hidden_size, width, config.last_kernel_size];
    conv(s, &format!("{}.conv.conv", name(at + 2)), last, config.hidden_size);
}

fn decoder_shapes(s: &mut Shapes, config: &CodecConfig) {
    let mut width = config.num_filters << config.upsampling_ratios.len();
    let name = |at: usize| format!("decoder.model.{at}");
    conv(s, &format!("{}.conv.conv", name(0)), [width, config.hidden_size, config.kernel_size], width);
    lstm(s, &format!("{}.lstm", name(1)), width, width, config.num_lstm_layers);
    let mut at = 3;
    for ratio in &config.upsampling_ratios {
        conv(s, &format!("{}.convtr.convtr", name(at)), [width, width / 2, 2 * ratio], width / 2);
        at += 1;
        width /= 2;
        for _ in 0..config.num_residual_layers {
            residual(s, &name(at), width, config);
            at += 1;
        }
        at += 1;
    }
    let last = [config.audio_channels, width, config.last_kernel_size];
    conv(s, &format!("{}.conv.conv", name(at)), last, config.audio_channels);
}

/// Tensors of HuBERT under Hugging Face's names.
pub fn hubert_shapes(config: &HubertConfig) -> Shapes {
    let (width, groups) = (config.hidden_size, config.num_conv_pos_embedding_groups);
    let mut s = Shapes::new();
    let mut channels = 1;
    for (i, (&out, &kernel)) in config.conv_dim.iter().zip(&config.conv_kernel).enumerate() {
        let name = format!("feature_extractor.conv_layers.{i}");
        weight(&mut s, &format!("{name}.conv"), &[out, channels, kernel], config.conv_bias);
        if i == 0 {
            weight(&mut s, &format!("{name}.layer_norm"), &[out], true);
        }
        channels = out;
    }
    weight(&mut s, "feature_projection.layer_norm", &[channels], true);
    weight(&mut s, "feature_projection.projection", &[width, channels], true);
    push(&mut s, "encoder.pos_conv_embed.conv.bias".into(), &[width]);
    push(&mut s, "encoder.pos_conv_embed.conv.weight_g".into(), &[1, 1, config.num_conv_pos_embeddings]);
    push(
        &mut s,
        "encoder.pos_conv_embed.conv.weight_v".into(),
        &[width, width / groups, config.num_conv_pos_embeddings],
    );
    weight(&mut s, "encoder.layer_norm", &[width], true);
    for i in 0..config.num_hidden_layers {
        let layer = format!("encoder.layers.{i}");
        for part in ["k_proj", "v_proj", "q_proj", "out_proj"] {
            weight(&mut s, &format!("{layer}.attention.{part}"), &[width, width], true);
        }
        weight(&mut s, &format!("{layer}.layer_norm"), &[width], true);
        weight(&mut s, &format!("{layer}.feed_forward.intermediate_dense"), &[config.intermediate_size, width], true);
        weight(&mut s, &format!("{layer}.feed_forward.output_dense"), &[width, config.intermediate_size], true);
        weight(&mut s, &format!("{layer}.final_layer_norm"), &[width], true);
    }
    s
}

/// Tensors of the quantizer.
pub fn quantizer_shapes(config: &QuantizerConfig) -> Shapes {
    let mut s = Shapes::new();
    lstm(&mut s, "lstm", config.input_size, config.hidden_size, 2);
    let mut width = config.hidden_size;
    if config.version == 1 {
        weight(&mut s, "intermediate", &[INTERMEDIATE, width], true);
        width = INTERMEDIATE;
    }
    weight(&mut s, "fc", &[config.output_size, width], true);
    s
}

/// Tensors of Whisper under Hugging Face's names, the tied head left out.
pub fn whisper_shapes(config: &WhisperConfig) -> Shapes {
    let (width, mut s) = (config.d_model, Shapes::new());
    weight(&mut s, "model.encoder.conv1", &[width, config.num_mel_bins, 3], true);
    weight(&mut s, "model.encoder.conv2", &[width, width, 3], true);
    weight(&mut s, "model.encoder.embed_positions", &[config.max_source_positions, width], false);
    weight(&mut s, "model.decoder.embed_positions", &[config.max_target_positions, width], false);
    weight(&mut s, "model.decoder.embed_tokens", &[config.vocab_size, width], false);
    for i in 0..config.encoder_layers {
        whisper_layer(&mut s, &format!("model.encoder.layers.{i}"), width, &["self_attn"]);
    }
    for i in 0..config.decoder_layers {
        whisper_layer(&mut s, &format!("model.decoder.layers.{i}"), width, &["self_attn", "encoder_attn"]);
    }
    weight(&mut s, "model.encoder.layer_norm", &[width], true);
    weight(&mut s, "model.decoder.layer_norm", &[width], true);
    s
}

fn whisper_layer(shapes: &mut Shapes, layer: &str, width: usize, attentions: &[&str]) {
    for part in attentions {
        for name in ["k_proj", "v_proj", "q_proj", "out_proj"] {
            weight(shapes, &format!("{layer}.{part}.{name}"), &[width, width], name != "k_proj");
        }
        weight(shapes, &format!("{layer}.{part}_layer_norm"), &[width], true);
    }
    weight(shapes, &format!("{layer}.fc1"), &[4 * width, width], true);
    weight(shapes, &format!("{layer}.fc2"), &[width, 4 * width], true);
    weight(shapes, &format!("{layer}.final_layer_norm"), &[width], true);
}
