//! Where a sentence that is too long for one utterance is cut in two: at a clause mark, else before a word that begins a phrase,
//! else between words, and within a word only where it is all there is.

use super::sentences::protected;
use crate::normalize::portuguese::is_of_cardinal;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// Portuguese and English words that begin a clause or phrase.
const BEGINNINGS: &[&str] = &[
    "a", "about", "and", "ao", "as", "até", "because", "but", "by", "com", "como", "da", "de", "desde", "do", "e",
    "em", "embora", "enquanto", "entre", "for", "from", "in", "into", "mas", "na", "nem", "no", "of", "on", "onde",
    "or", "ou", "para", "pela", "pelo", "pois", "por", "porque", "porém", "quando", "que", "quem", "se", "sem",
    "since", "sobre", "than", "that", "though", "to", "until", "when", "where", "which", "while", "who", "with",
    "without", "à",
];

/// The byte at which `text` is best cut; `None` for a single character.
pub(super) fn cut(text: &str) -> Option<usize> {
    let (within, between): (Vec<_>, Vec<_>) = free_spaces(text).into_iter().partition(|&at| is_within_number(text, at));
    let spaces = if between.is_empty() { within } else { between };
    let strong = spaces.iter().filter(|&&at| text[..at].trim_end().ends_with(is_strong));
    let weak = spaces.iter().filter(|&&at| text[..at].trim_end().ends_with(',') || text[at..].starts_with(['—', '–']));
    let phrases = spaces.iter().filter(|&&at| begins_phrase(&text[at..]));
    central(text, strong)
        .or_else(|| central(text, weak))
        .or_else(|| central(text, phrases))
        .or_else(|| nearest(text, spaces.iter().copied()))
        .or_else(|| nearest(text, text.grapheme_indices(true).map(|(at, _)| at)))
        .or_else(|| nearest(text, text.char_indices().map(|(at, _)| at)))
}

fn is_strong(c: char) -> bool {
    matches!(c, ';' | ':' | '.' | '!' | '?' | '…' | ')') || is_wide(c)
}

/// Marks that close what a wide mark ends.
const WIDE_CLOSING: [char; 8] = ['」', '』', '）', '》', '〉', '】', '〕', '”'];

fn is_wide(c: char) -> bool {
    matches!(c, '。' | '、' | '，' | '；' | '：' | '！' | '？')
}

/// What joins the words of a number.
const JOINING: [&str; 3] = ["barra", "e", "vírgula"];

/// Whether a number that is written in words goes on behind the space before byte `at`.
fn is_within_number(text: &str, at: usize) -> bool {
    // "um" and "uma" are articles too.
    let number = |word: &str| is_of_cardinal(word) && !["um", "uma"].contains(&word);
    let mut before = text[..at].trim_end().rsplit(' ');
    let mut after = text[at..].split(' ').map(|word| word.trim_end_matches(|c: char| !c.is_alphanumeric()));
    let (last, next) = (before.next().unwrap_or_default(), after.next().unwrap_or_default());
    match (JOINING.contains(&last), JOINING.contains(&next)) {
        (true, _) => before.next().is_some_and(number) && is_of_cardinal(next),
        (_, true) => number(last) && after.next().is_some_and(is_of_cardinal),
        _ => number(last) && number(next),
    }
}

fn begins_phrase(text: &str) -> bool {
    let word = text.split(' ').next().unwrap_or_default();
    BEGINNINGS.binary_search(&word.to_lowercase().as_str()).is_ok()
}

/// Where words begin, outside what is never cut.
fn free_spaces(text: &str) -> Vec<usize> {
    let spans: Vec<Range<usize>> = protected(text);
    let mut spans = spans.iter().peekable();
    // Chinese and Japanese have marks of their own and no spaces.
    let begins = text.match_indices(|c: char| c == ' ' || is_wide(c)).map(|(at, mark)| {
        let after = &text[at + mark.len()..];
        text.len() - after.trim_start_matches(WIDE_CLOSING).len()
    });
    begins
        .filter(|at| {
            while spans.next_if(|span| span.end <= *at).is_some() {}
            spans.peek().is_none_or(|span| !span.contains(at) || span.start == *at)
        })
        .collect()
}

/// The one nearest to the middle, of those that leave at least a quarter on each side.
fn central<'a>(text: &str, places: impl Iterator<Item = &'a usize>) -> Option<usize> {
    let quarter = text.len() / 4;
    nearest(text, places.copied().filter(|at| (quarter..=text.len() - quarter).contains(at)))
}

fn nearest(text: &str, places: impl Iterator<Item = usize>) -> Option<usize> {
    places.filter(|&at| at > 0 && at < text.len()).min_by_key(|at| at.abs_diff(text.len() / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halves(text: &str) -> (&str, &str) {
        let (first, second) = text.split_at(cut(text).unwrap());
        (first.trim_end(), second)
    }

    #[test]
    fn the_words_are_in_order() {
        assert!(BEGINNINGS.is_sorted());
    }

    #[test]
    fn a_sentence_is_cut_at_the_strongest_mark_near_its_middle() {
        assert_eq!(
            halves("Chegou tarde, cansado; não disse nada a ninguém, nem à mãe."),
            ("Chegou tarde, cansado;", "não disse nada a ninguém, nem à mãe.")
        );
        assert_eq!(
            halves("Sim; depois veio o verão, e com ele a chuva."),
            ("Sim; depois veio o verão,", "e com ele a chuva.")
        );
        assert_eq!(halves("O rio corria devagar para o grande mar"), ("O rio corria devagar", "para o grande mar"));
        assert_eq!(halves("Uma casa velha — disse ela — muito velha"), ("Uma casa velha", "— disse ela — muito velha"));
    }

    #[test]
    fn wide_quotes_stay_with_what_they_quote() {
        assert_eq!(halves("彼は「本当ですか？」とゆっくり聞いた"), ("彼は「本当ですか？」", "とゆっくり聞いた"));
    }

    #[test]
    fn numbers_and_sounds_are_not_cut() {
        assert_eq!(halves("um total 3,14159265,35897932 exato"), ("um total", "3,14159265,35897932 exato"));
        assert_eq!(halves("ah [risos ao fundo] e fim"), ("ah [risos ao fundo]", "e fim"));
    }

    #[test]
    fn numbers_in_words_are_not_cut() {
        assert_eq!(
            halves("duzentos e três milhões oitenta mil setecentos e cinquenta e seis habitantes"),
            ("duzentos e três milhões oitenta mil setecentos e cinquenta e seis", "habitantes")
        );
        assert_eq!(halves("são quatro e os outros também"), ("são quatro", "e os outros também"));
        assert_eq!(
            halves("temporada vinte e quatro barra vinte e cinco"),
            ("temporada", "vinte e quatro barra vinte e cinco")
        );
        assert_eq!(halves("trinta e um"), ("trinta", "e um"), "where there is nothing else");
    }

    #[test]
    fn only_a_word_alone_is_cut_within() {
        assert_eq!(
            halves("a pneumoultramicroscopicossilicovulcanoconiose"),
            ("a", "pneumoultramicroscopicossilicovulcanoconiose")
        );
        assert_eq!(halves("abcdef"), ("abc", "def"));
        assert_eq!(halves("e\u{301}e\u{301}"), ("e\u{301}", "e\u{301}"), "accents stay with their letter");
        assert_eq!(halves("e\u{301}\u{301}\u{301}"), ("e\u{301}", "\u{301}\u{301}"));
        assert_eq!(cut("é"), None);
        assert_eq!(cut(""), None);
    }
}
