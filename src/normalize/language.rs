//! Which language a text is in.

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
pub fn is_language(code: &str) -> bool {
    BARK.iter().any(|(_, known)| *known == code)
}

/// The language of a text, two letters, if that is sure.
pub fn language_of(text: &str) -> Option<&'static str> {
    if text.chars().filter(|letter| letter.is_alphabetic()).count() < LEAST_LETTERS {
        return None;
    }
    let guess = detector().detect(text)?;
    let code = BARK.iter().find(|(lang, _)| *lang == guess.lang()).map(|(_, code)| *code)?;
    guess.is_reliable().then_some(code)
}

/// The language that a text is most likely in, two letters, sure or not; Portuguese where nothing tells.
pub fn likely_language(text: &str) -> &'static str {
    let guess = detector().detect(text).map(|guess| guess.lang());
    BARK.iter().find(|(lang, _)| Some(*lang) == guess).map_or("pt", |(_, code)| code)
}

/// Whether a text is most likely Portuguese, sure or not: one without letters counts as such, and a price in reais.
pub fn is_likely_portuguese(text: &str) -> bool {
    text.contains("R$") || detector().detect(text).is_none_or(|guess| guess.lang() == Lang::Por)
}

fn detector() -> Detector {
    Detector::with_allowlist(BARK.iter().map(|(lang, _)| *lang).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_guessed_where_nothing_is_sure() {
        let guesses = ["Bom dia a todos.", "The house has a door.", "Guten Tag, wie geht es dir?", "123", "今日は。"];
        assert_eq!(guesses.map(likely_language), ["pt", "en", "de", "pt", "ja"]);
    }

    #[test]
    fn everyday_sentences_of_other_languages_are_not_taken_for_portuguese() {
        for text in ["Custa R$ 5,90.", "12/03/2026", "Tenho 2 gatos e 3 cães em casa."] {
            assert!(is_likely_portuguese(text), "{text}");
        }
        for text in
            ["The meeting is at 14:30 in room 2.", "Wir treffen uns um 14:30 Uhr im Saal 2.", "今日は良い天気です。"]
        {
            assert!(!is_likely_portuguese(text), "{text}");
        }
    }
}
