//! Whether a text is in the language that a voice's quantizer was trained on.

use super::provenance::Provenance;
use crate::normalize::language_of;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice::provenance::ModelName;

    fn trained_on(language: Option<&str>) -> Provenance {
        let quantizer = ModelName { name: "x".into(), language: language.map(str::to_owned), sha256: None };
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
