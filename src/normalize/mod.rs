//! What is typed, pasted or saved -> the text as it is spoken, keyed, named and shown.

mod language;
pub mod portuguese;
mod utf8;

pub use language::{is_language, language_of, likely_language};
pub use portuguese::{Replacement, Said, Variety};
pub use utf8::utf8;

use language::is_likely_portuguese;

use unicode_normalization::UnicodeNormalization;

/// Fewest letters of a text that is said to look Portuguese.
const LEAST_LETTERS: usize = 8;

/// Whether numbers, abbreviations and the like are put into words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wording {
    /// The text stays as it is written.
    #[default]
    Written,
    Portuguese(Variety),
    /// Brazil's Portuguese, where the text is most likely Portuguese.
    Guessed,
}

impl Wording {
    /// `text`, which has single spaces for white space, in words.
    pub fn said(self, text: &str) -> Said {
        match self {
            Self::Portuguese(variety) => portuguese::said(text, variety),
            Self::Guessed if is_likely_portuguese(text) => portuguese::said(text, Variety::Brazil),
            _ => Said { text: text.to_owned(), replaced: Vec::new() },
        }
    }
}

/// Whether a text is most likely Portuguese and has digits, which the models do not read well.
pub fn wants_words(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    text.contains(|c: char| c.is_ascii_digit()) && letters >= LEAST_LETTERS && is_likely_portuguese(text)
}

/// Runs of white space become one space, none at the ends (Python's `re.sub(r"\s+", " ", text).strip()`, as upstream has it); what
/// cannot be seen goes, and letters with accents of their own are composed (NFC), as upstream's slow BERT tokenizer does.
pub fn normalize(text: &str) -> String {
    let words = text.split(is_space);
    let words = words.map(composed).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Whether there is anything to say in `text`: a letter or digit of any script, or a note, which the models may sing.
pub fn is_said(text: &str) -> bool {
    text.contains(|c: char| c.is_alphanumeric() || ('\u{2669}'..='\u{266c}').contains(&c))
}

/// White space as Python has it, which counts the ASCII separators 1C..1F as such.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `text` in NFC without what cannot be seen.
pub fn composed(text: &str) -> String {
    text.chars().filter(|&c| !is_invisible(c)).nfc().collect()
}

/// Control characters, soft hyphens, marks of byte order and direction, and spaces of no width. The joiners (200C, 200D) are not
/// among them: they shape the letters of Hindi and Persian where the text is shown.
pub fn is_invisible(c: char) -> bool {
    let formats = matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}');
    formats || matches!(c, '\u{2060}'..='\u{206f}') || (c.is_control() && !is_space(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_in_what_looks_portuguese_are_told_of() {
        for text in ["Eu tenho 15 anos e moro numa casa grande.", "São 15 reais"] {
            assert!(wants_words(text), "{text}");
        }
        for text in ["Chego às dez horas.", "12/03", "Tengo 15 años y vivo en una casa grande.", "Room 12 is free."] {
            assert!(!wants_words(text), "{text}");
        }
    }

    #[test]
    fn white_space_runs_become_one_space_and_case_and_accents_stay() {
        assert_eq!(normalize("  Olá,\n\t MUNDO\u{a0}\u{1d}ção \u{3000}"), "Olá, MUNDO ção");
        assert_eq!(normalize(" \n "), "");
        assert_eq!(normalize("um\u{c}dois\r\ntrês\rquatro\u{2028}cinco"), "um dois três quatro cinco");
    }

    #[test]
    fn what_is_composed_already_and_visible_is_left_byte_for_byte() {
        let text = "— “Às 10h”, disse… ﬁm ½ nº 5 ª 한국어 今日は。 ♪ [laughs] <b> & Ⅻ e\u{308}\u{323}";
        assert_eq!(normalize(text).as_bytes()[..60], text.as_bytes()[..60]);
        assert_eq!(normalize(&normalize(text)), normalize(text));
    }

    #[test]
    fn accents_are_composed_also_across_what_cannot_be_seen() {
        assert_eq!(normalize("Ola\u{301} mundo"), "Olá mundo");
        assert_eq!(normalize("\u{feff}co\u{ad}rac\u{327}a\u{200b}\u{303}o"), "coração");
        assert_eq!(normalize("क\u{94d}\u{200d}ष"), "क\u{94d}\u{200d}ष");
        assert_eq!(normalize("\u{200b} \u{ad}"), "");
    }
}
