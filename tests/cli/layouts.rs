//! The published layouts through the command line: whichever of them holds the same weights, `speak` and `clone` give
//! the same.

use super::{Arrays, CLONE, Desk};
use crate::noise::Size;
use crate::standins::{FairseqOptions, Format, Spec, shared, write_json};
use barkclone::net::codec::CodecConfig;
use barkclone::tokens::FINE_CODEBOOKS;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// Noise, with a codec of few channels.
fn spec() -> Spec {
    let codec = CodecConfig { num_filters: 4, hidden_size: 16, ..CodecConfig::default() };
    Spec { codec, codebooks: FINE_CODEBOOKS, ..Spec::new(Size::Tiny, 1) }
}

fn file(folder: &Path, name: &str) -> String {
    folder.join(name).into_os_string().into_string().unwrap()
}

fn suno() -> PathBuf {
    shared("cli-suno", |dir| spec().write_suno(dir, false))
}

fn hf_bark() -> PathBuf {
    shared("cli-hf-bark", |dir| {
        spec().write_hf_bark(dir, Format::Safetensors, true);
        fs::copy(tokenizer(), dir.join("tokenizer.json")).unwrap();
    })
}

/// A tokenizer.json of three words.
fn tokenizer() -> String {
    let folder = shared("cli-tokenizer", |dir| {
        let model = json!({"type": "WordLevel", "vocab": {"[UNK]": 0, "Bom": 11, "dia": 12}, "unk_token": "[UNK]"});
        let tokenizer = json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
            "model": model});
        write_json(&dir.join("tokenizer.json"), &tokenizer);
    });
    file(&folder, "tokenizer.json")
}

fn codec_th() -> String {
    file(&shared("cli-codec-th", |dir| spec().write_codec_th(&dir.join("encodec.th"))), "encodec.th")
}

fn codec_hf() -> String {
    file(&shared("cli-codec-hf", |dir| spec().write_hf_codec(dir, Format::Safetensors, true)), "")
}

/// The speech as a voice, and its sound.
fn speak(models: &[&str]) -> (Arrays, Vec<u8>) {
    let desk = Desk::new();
    let flags = ["speak", "Bom dia", "--seed", "6", "--max-seconds", "0.3", "-o", "x.wav", "--save-voice", "x.npz"];
    desk.run(&[&flags[..], models].concat()).prints();
    (Arrays::read(&desk.path("x.npz")), desk.bytes("x.wav"))
}

fn clone(models: &[&str]) -> Arrays {
    let desk = Desk::new();
    desk.babble("ref.wav", 1.2);
    desk.run(&[&["clone", "ref.wav", "--raw"], models].concat()).prints();
    let voice = Arrays::read(&desk.path("ref.npz"));
    voice.satisfy_bark();
    voice
}

#[test]
fn bark_speaks_alike_from_every_layout() {
    let (suno, hf, th) = (file(&suno(), ""), file(&hf_bark(), ""), codec_th());
    let (expected, sound) = speak(&["--bark", &suno, "--codec", &th, "--tokenizer", &tokenizer()]);
    let (tokens, own) = speak(&["--bark", &hf]);
    assert_eq!(tokens, expected, "with the tokenizer beside it");
    assert!(own == sound, "its own codec is the one of facebook's file");
    let weights = file(&hf_bark(), "model.safetensors");
    let (tokens, other) = speak(&["--bark", &weights, "--codec", &codec_hf()]);
    assert_eq!(tokens, expected);
    assert!(other == sound, "the codec's layouts sound alike");
}

#[test]
fn hubert_hears_alike_from_every_layout() {
    let hf = shared("cli-hubert-hf", |dir| spec().write_hf_hubert(dir, Format::Bin));
    let fairseq = shared("cli-hubert-fairseq", |dir| {
        spec().write_fairseq_hubert(&dir.join("hubert.pt"), FairseqOptions::Namespace);
    });
    let expected = clone(&CLONE);
    for hubert in [file(&hf, ""), file(&fairseq, "hubert.pt")] {
        assert_eq!(clone(&[&["--hubert", &hubert], &CLONE[2..]].concat()), expected, "{hubert}");
    }
}

#[test]
fn codecs_and_quantizers_hear_alike_from_every_layout() {
    let spec = Spec { semantic_tokens: 500, ..spec() };
    let quantizer = |version, info: Option<&str>| {
        let name = format!("cli-quantizer-{version}-{}", info.unwrap_or("none"));
        file(&shared(&name, |dir| spec.write_quantizer(&dir.join("q.pth"), version, info)), "q.pth")
    };
    let cloned =
        |quantizer: &str, codec: &str| clone(&[CLONE[0], CLONE[1], "--quantizer", quantizer, "--codec", codec]);
    for version in [0, 1] {
        let with_info = cloned(&quantizer(version, Some("model_epoch_24")), &codec_th());
        assert_eq!(cloned(&quantizer(version, None), &codec_hf()), with_info, "version {version}");
        assert_eq!(cloned(&quantizer(version, None), &file(&hf_bark(), "")), with_info, "Bark's own codec");
        assert!(with_info.semantic.iter().any(|&token| token != with_info.semantic[0]));
    }
}
