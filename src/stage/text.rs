//! Text to the ids that the semantic stage reads (suno-ai/bark `generation.py`: `_normalize_whitespace`, `_tokenize`).

use crate::error::Kind;
use crate::normalize::{composed, is_said, normalize};
use anyhow::{Result, anyhow, ensure};
use std::path::Path;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{Encoding, Tokenizer};

/// BERT's token for what is in no vocabulary.
const UNKNOWN: &str = "[UNK]";

/// A text tokenizer, with the name of where it came from for messages.
pub struct Text {
    tokenizer: Tokenizer,
    origin: String,
}

impl Text {
    /// Reads a Hugging Face `tokenizer.json`, or the `vocab.txt` of a cased BERT, which is all that Suno's cache has.
    pub fn open(path: &Path) -> Result<Self> {
        let origin = path.display().to_string();
        if path.extension().is_some_and(|extension| extension == "txt") {
            return Self::of_vocabulary(path, origin);
        }
        let bytes = std::fs::read(path).map_err(|e| Kind::Model.error(format!("{origin}: {e}")))?;
        Self::parse(&bytes, origin)
    }

    /// The tokenizer that transformers' `BertTokenizer` makes of a vocabulary, as Bark uses it: cased, accents kept.
    fn of_vocabulary(path: &Path, origin: String) -> Result<Self> {
        let refused = |why: String| Kind::Model.error(format!("{origin}: not a vocabulary of BERT: {why}"));
        let words = WordPiece::from_file(&path.to_string_lossy()).unk_token(UNKNOWN.into()).build();
        let mut tokenizer = Tokenizer::new(words.map_err(|e| refused(e.to_string()))?);
        ensure!(tokenizer.token_to_id(UNKNOWN).is_some(), refused(format!("it lacks {UNKNOWN}")));
        let cased = tokenizer.with_normalizer(Some(BertNormalizer::new(true, true, None, false)));
        cased.map_err(|e| refused(e.to_string()))?;
        tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
        Ok(Self { tokenizer, origin })
    }

    /// Reads the text of a Hugging Face `tokenizer.json`; `origin` is what messages call it.
    pub fn parse(json: &[u8], origin: String) -> Result<Self> {
        let tokenizer = Tokenizer::from_bytes(json)
            .map_err(|e| Kind::Model.error(format!("{origin}: not a Hugging Face tokenizer.json: {e}")))?;
        Ok(Self { tokenizer, origin })
    }

    /// As a `tokenizer.json`.
    pub fn json(&self) -> Result<String> {
        self.tokenizer.to_string(false).map_err(|e| anyhow!("{}: {e}", self.origin))
    }

    /// The ids of `text` without special tokens; refused if there is no text, or more than `limit` ids of it.
    pub fn ids(&self, text: &str, limit: usize) -> Result<Vec<u32>> {
        let text = spelled(text);
        check_said(&text)?;
        let encoding = self.encode(&text)?;
        let ids = encoding.get_ids();
        ensure!(!ids.is_empty(), Kind::Input.error(format!("{}: the text yields no token", self.origin)));
        ensure!(
            ids.len() <= limit,
            Kind::Input.error(format!(
                "the text is too long for one utterance: {} tokens, {limit} fit; split it into sentences of about {} words, or let \
                 --file do so",
                ids.len(),
                (text.split(' ').count() * limit / ids.len()).max(1)
            ))
        );
        Ok(ids.to_vec())
    }

    /// How many ids `text` has, without any limit.
    pub fn count(&self, text: &str) -> Result<usize> {
        Ok(self.encode(&spelled(text))?.len())
    }

    /// What of `text` the tokenizer does not know, such as emoji or a word of more than 100 letters: the model hears
    /// none of it.
    pub fn unknown(&self, text: &str) -> Result<Vec<String>> {
        let Some(unknown) = self.tokenizer.token_to_id(UNKNOWN) else { return Ok(Vec::new()) };
        let text = spelled(text);
        let encoding = self.tokenizer.encode(text.as_str(), false).map_err(|e| self.unencodable(&e))?;
        let places = encoding.get_ids().iter().zip(encoding.get_offsets()).filter(|(id, _)| **id == unknown);
        Ok(places.filter_map(|(_, &(start, end))| text.get(start..end)).map(str::to_owned).collect())
    }

    fn encode(&self, text: &str) -> Result<Encoding> {
        let encoding = self.tokenizer.encode_fast(text, false);
        encoding.map_err(|e| self.unencodable(&e))
    }

    fn unencodable(&self, error: &tokenizers::Error) -> anyhow::Error {
        anyhow!("{}: cannot encode the text: {error}", self.origin)
    }
}

/// Refuses a text that has nothing to say.
pub fn check_said(text: &str) -> Result<()> {
    let lacks = if text.trim().is_empty() { "is empty" } else { "has no letters, digits or notes (♪)" };
    ensure!(is_said(text), Kind::Input.error(format!("the text {lacks}: there is nothing to say")));
    Ok(())
}

/// The text as it goes to the tokenizer: without the joiners, which BERT drops before it composes.
fn spelled(text: &str) -> String {
    composed(&normalize(text).replace(['\u{200c}', '\u{200d}'], ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::byte_tokenizer::byte_tokenizer;

    #[test]
    fn the_byte_tokenizer_gives_one_id_a_byte() {
        let text = Text::parse(byte_tokenizer().as_bytes(), "bytes".into()).unwrap();
        let ids = text.ids("Olá  olá", 256).unwrap();
        assert_eq!(ids.len(), "Olá olá".len());
        assert_eq!(text.count("Olá  olá").unwrap(), ids.len());
        assert_ne!(ids[0], ids[5], "case is kept");
        assert_eq!(ids[1..4], ids[6..9]);
    }

    #[test]
    fn empty_and_overlong_texts_are_refused() {
        let text = Text::parse(byte_tokenizer().as_bytes(), "bytes".into()).unwrap();
        assert!(text.ids(" \t", 256).unwrap_err().to_string().contains("empty"));
        for none in ["😀", "!!! ...", "—", "👩‍🚀 🇵🇹"] {
            assert!(text.ids(none, 256).unwrap_err().to_string().contains("no letters"), "{none}");
        }
        for said in ["[laughs]", "♪", "你好", "नमस्ते", "7", "😀 oi"] {
            assert!(text.ids(said, 256).is_ok(), "{said}");
        }
        let error = text.ids(&"palavra ".repeat(100), 256).unwrap_err().to_string();
        assert!(error.contains("799 tokens, 256 fit") && error.contains("about 32 words"), "{error}");
        assert_eq!(text.ids(&"x".repeat(256), 256).unwrap().len(), 256);
    }
}
