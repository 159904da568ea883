//! The gender of what a number counts, from the words beside it.

use super::lists::is_in;
use super::numbers::Gender;
use super::numbers::Gender::{Feminine, Masculine};

/// Whether the last word of `before` takes a number as its name.
pub fn is_label(before: &str) -> bool {
    is_in("label", &last_word(before).to_lowercase())
}

/// The gender that a number has which counts `after` and follows `before`; `one`: it counts a single one.
pub fn counted(before: &str, after: &str, one: bool) -> Gender {
    if is_label(before) {
        return Masculine;
    }
    let first = following(after).next();
    if let Some(gender) = noun(after, one) {
        return gender;
    }
    if let Some(gender) = first.as_deref().and_then(|first| resumed(before, first)) {
        return gender;
    }
    let feminine_part = first.as_deref() == Some("das");
    let verb =
        ["são", "eram", "foram", "serão", "ficaram", "vieram"].contains(&last_word(before).to_lowercase().as_str());
    let subject = before.rsplit(['.', '!', '?']).next().unwrap_or_default().to_lowercase();
    let they = verb && subject.split_whitespace().any(|word| word == "elas");
    let determined = they || is_in("feminine-before", &last_word(before).to_lowercase());
    if feminine_part || determined { Feminine } else { Masculine }
}

/// Words before which a noun is left out that was counted before: "3 medalhas: 2 de ouro".
const RESUMING: &[&str] = &["de", "à", "foram", "eram", "são", "delas"];

/// The gender of the noun that was counted last in this sentence, where it is left out.
fn resumed(before: &str, first: &str) -> Option<Gender> {
    let sentence = before.rsplit(['.', '!', '?']).next().unwrap_or_default();
    let counted =
        sentence.rmatch_indices(|c: char| c.is_ascii_digit()).map(|(at, digit)| &sentence[at + digit.len()..]);
    counted.filter(|_| RESUMING.contains(&first)).find_map(|after| noun(after, false))
}

/// The gender of the noun that `after` begins with, if it is one that a number counts.
pub fn noun(after: &str, one: bool) -> Option<Gender> {
    for word in following(after).take(3) {
        if is_listed("between", &word) {
            continue;
        }
        let plural = word.ends_with('s');
        let known = word != "dias" && is_in("no-noun", &word) && word != "vezes" && word != "hora";
        return if known || plural == one { exception(&word) } else { Some(of(&word)) };
    }
    None
}

/// "dias", "lápis", "ônibus": the same for one and several.
fn exception(word: &str) -> Option<Gender> {
    matches!(word, "lápis" | "ônibus" | "vírus" | "pires" | "atlas" | "tênis").then_some(Masculine)
}

/// The words that directly follow, in lower case; ends at any mark.
fn following(after: &str) -> impl Iterator<Item = String> {
    let mut rest = after;
    std::iter::from_fn(move || {
        let word = rest.strip_prefix([' ', '\u{a0}'])?;
        let end = word.find(|c: char| !(c.is_alphabetic() || c == '-')).unwrap_or(word.len());
        rest = &word[end..];
        (end > 0).then(|| word[..end].to_lowercase())
    })
}

fn last_word(before: &str) -> &str {
    let before = before.trim_end();
    before.rsplit(|c: char| !(c.is_alphanumeric() || c == '-')).next().unwrap_or_default()
}

/// Endings of nouns in the singular.
const MASCULINE_ENDS: &[&str] = &["ista", "atra", "nauta", "icida", "ocida", "grama", "oma", "ema", "crata", "igma"];
const FEMININE_ENDS: &[&str] = &[
    "ção", "são", "xão", "idão", "estão", "ustão", "ade", "gem", "tude", "ie", "ose", "ese", "ise", "ase", "triz", "a",
    "ã",
];
/// How compounds of a verb and a noun begin, which are masculine.
const VERBS: &[&str] = &["guarda-", "quebra-", "saca-", "porta-", "salva-", "mata-", "tira-", "toca-", "vale-"];

/// A noun's gender by its ending, with the exceptions that are known.
pub fn of(word: &str) -> Gender {
    let word = word.to_lowercase();
    let one = singular(&word);
    let ends = |endings: &[&str]| endings.iter().any(|end| one.ends_with(end));
    if is_listed("masculine", &word) || VERBS.iter().any(|begin| word.starts_with(begin)) {
        Masculine
    } else if is_listed("feminine", &word) || !ends(MASCULINE_ENDS) && ends(FEMININE_ENDS) {
        Feminine
    } else {
        Masculine
    }
}

/// Whether a list has `word` or what it is the plural of: "luzes", "torres", "cores".
pub fn is_listed(list: &str, word: &str) -> bool {
    is_in(list, word) || is_in(list, &singular(word)) || word.strip_suffix("es").is_some_and(|one| is_in(list, one))
}

fn singular(word: &str) -> String {
    let endings = [
        ("ões", "ão"),
        ("ães", "ãe"),
        ("gens", "gem"),
        ("ais", "al"),
        ("eis", "el"),
        ("zes", "z"),
        ("ns", "m"),
        ("s", ""),
    ];
    let found = endings.iter().find_map(|(plural, one)| word.strip_suffix(plural).map(|stem| format!("{stem}{one}")));
    found.unwrap_or_else(|| word.to_owned())
}
