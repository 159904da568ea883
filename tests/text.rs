//! What the models read of a text, against transformers' slow BERT tokenizer (tests/golden/pieces.py).

use crate::byte_tokenizer::byte_tokenizer;
use barkclone::normalize::{is_said, normalize};
use barkclone::stage::text::Text;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Golden {
    vocabulary: Vec<String>,
    texts: Vec<Pieces>,
}

#[derive(Deserialize)]
struct Pieces {
    text: String,
    pieces: Vec<String>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/pieces.json")).unwrap()
}

/// The published tokenizer.json, with another vocabulary.
fn tokenizer(vocabulary: &[String]) -> Text {
    let words: serde_json::Map<_, _> = vocabulary.iter().zip(0u32..).map(|(w, id)| (w.clone(), id.into())).collect();
    let special = |id: usize| {
        json!({"id": id, "content": vocabulary[id], "special": true, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false})
    };
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": (0..5).map(special).collect::<Vec<_>>(),
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
            "lowercase": false},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": words},
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, tokenizer.to_string()).unwrap();
    Text::open(&path).unwrap()
}

#[test]
fn texts_have_the_pieces_of_the_slow_tokenizer() {
    let Golden { vocabulary, texts } = golden();
    let tokenizer = tokenizer(&vocabulary);
    assert!(texts.len() >= 60);
    for Pieces { text, pieces } in texts {
        if !is_said(&text) {
            assert!(tokenizer.ids(&text, 256).is_err(), "{text:?}");
            continue;
        }
        let ids = tokenizer.ids(&text, 256).unwrap();
        let found: Vec<&str> = ids.iter().map(|&id| vocabulary[id as usize].as_str()).collect();
        assert_eq!(found, pieces, "{text:?}");
        assert_eq!(tokenizer.ids(&normalize(&text), 256).unwrap(), ids, "{text:?}");
    }
}

#[test]
fn words_that_are_not_known_are_named() {
    let tokenizer = tokenizer(&golden().vocabulary);
    let unknown = |text: &str| tokenizer.unknown(text).unwrap();
    let long = "a".repeat(101);
    assert_eq!(unknown(&format!("Ola\u{301} 🎉 mundo {long} a🎉")), ["🎉", &long, "a🎉"]);
    assert_eq!(unknown(&format!("Olá mundo {}", "a".repeat(100))), Vec::<String>::new());
    assert_eq!(
        Text::parse(byte_tokenizer().as_bytes(), "bytes".into()).unwrap().unknown("Olá 🎉").unwrap(),
        Vec::<String>::new()
    );
}
