//! Whether a text is in the language that a voice's quantizer was trained on.

use super::provenance::Provenance;
use whatlang::{Detector, Lang};

/// The languages that Bark speaks: to be told apart from these alone makes a guess far surer.
const BARK: [(Lang, &str); 13] = [
    (Lang::Cmn, "zh"),
    (Lang::Deu, "de"),
    (Lang::Eng, "en"),
    (Lang::Fra, "fr"),
    (Lang::Hin, "hi"),
    (Lang::Ita, "it"),
    (Lang::Jpn, "ja"),
    (Lang::Kor, "ko"),
    (Lang::Pol, "pl"),
    (Lang::Por, "pt"),
    (Lang::Rus, "ru"),
    (Lang::Spa, "es"),
    (Lang::Tur, "tr"),
];
/// Fewest letters to guess from: a word or two look alike in many languages.
const LEAST_LETTERS: usize = 20;

/// Whether `code` stands for a language that Bark speaks.
pub(super) fn is_known(code: &str) -> bool {
    BARK.iter().any(|(_, known)| *known == code)
}

/// A warning where `text` is surely in another language than every quantizer that `provenance` tells of; `None` where it is
/// not, or where nothing is sure.
pub fn language_warning(provenance: &Provenance, text: &str) -> Option<String> {
    let (spoken, trained) = (language_of(text)?, provenance.languages());
    if trained.is_empty() || trained.contains(&spoken) {
        return None;
    }
    Some(format!(
        "the voice's quantizer was trained on another language ({}) than the text's ({spoken}): it may speak with an accent, or \
         unclearly; clone it with `--quantizer {spoken}` if there is one",
        trained.join(", ")
    ))
}

/// The language of a text, two letters, if that is sure.
pub fn language_of(text: &str) -> Option<&'static str> {
    if text.chars().filter(|letter| letter.is_alphabetic()).count() < LEAST_LETTERS {
        return None;
    }
    let guess = Detector::with_allowlist(BARK.iter().map(|(lang, _)| *lang).collect()).detect(text)?;
    let code = BARK.iter().find(|(lang, _)| *lang == guess.lang()).map(|(_, code)| *code)?;
    guess.is_reliable().then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice::provenance::QuantizerName;

    fn trained_on(language: Option<&str>) -> Provenance {
        let quantizer = QuantizerName { name: "x".into(), language: language.map(str::to_owned) };
        Provenance { quantizer: Some(quantizer), ..Default::default() }
    }

    const PORTUGUESE: &str =
        "Olá! Esta é uma voz de exemplo, que serve para mostrar como uma gravação se torna uma voz.";
    const ENGLISH: &str = "The quick brown fox jumps over the lazy dog, and nobody knows where it is going to sleep.";

    #[test]
    fn sentences_are_told_apart_and_scraps_are_not() {
        assert_eq!(language_of(PORTUGUESE), Some("pt"));
        assert_eq!(language_of(ENGLISH), Some("en"));
        assert_eq!(
            language_of("Wir haben heute sehr schönes Wetter, und morgen gehen wir wieder in die Berge."),
            Some("de")
        );
        for scrap in ["", "Olá mundo", "ok", "12 + 34 = 46, 1234567890 1234567890", "♪ la la la ♪"] {
            assert_eq!(language_of(scrap), None, "{scrap}");
        }
    }

    #[test]
    fn only_a_sure_mismatch_warns() {
        let warning = language_warning(&trained_on(Some("pt")), ENGLISH).unwrap();
        assert!(warning.contains("(pt)") && warning.contains("(en)"), "{warning}");
        assert_eq!(language_warning(&trained_on(Some("pt")), PORTUGUESE), None);
        assert_eq!(language_warning(&trained_on(Some("pt")), "hello"), None);
        assert_eq!(language_warning(&trained_on(None), ENGLISH), None);
        let merged = Provenance { parts: vec![trained_on(Some("pt")), trained_on(Some("en"))], ..Default::default() };
        assert_eq!(language_warning(&merged, ENGLISH), None);
    }
}
