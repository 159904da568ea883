//! Tokenizers for models to which no word means anything.

/// A tokenizer.json of the 256 byte characters of byte-level BPE, without merges: one id a byte.
pub fn byte_tokenizer() -> String {
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;
    let mut alphabet: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    alphabet.sort_unstable();
    let vocab: serde_json::Map<_, _> = alphabet.iter().zip(0u32..).map(|(c, id)| (c.to_string(), id.into())).collect();
    let byte_level =
        serde_json::json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false});
    serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": byte_level, "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": []},
    })
    .to_string()
}

/// A `tokenizer.json` for the Whisper of `tests/golden/whisper.py`: the id of a word is its number.
pub fn whisper_tokenizer() -> serde_json::Value {
    let special = ["endoftext", "startoftranscript", "en", "pt", "translate", "transcribe", "notimestamps"];
    let ids = special.iter().zip(80..).map(|(name, id)| (format!("<|{name}|>"), id.into()));
    let vocab: serde_json::Map<_, _> = (0..80).map(|id| (format!("w{id}"), id.into())).chain(ids).collect();
    serde_json::json!({"version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
        "post_processor": null, "decoder": null, "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "w0"}})
}
