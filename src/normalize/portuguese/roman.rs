//! Roman numbers: of centuries, rulers, parts of a work, and before what they count.

use super::gender::is_listed;
use super::lists::is_in;
use super::numbers::Gender::{Feminine, Masculine};
use super::numbers::{Gender, cardinal, ordinal};
use super::rules::{Place, Say};
use regex::Captures;

pub const RULES: &[(&str, Say)] = &[(r"([IVXLCDM]{1,9})(?:º|ª)?", roman)];

/// What a Roman number stands beside decides how it is said.
fn roman(found: &Captures, place: &Place) -> Option<String> {
    let n = value(&found[1])?;
    if place.is_cut() || place.is_joined() {
        return None;
    }
    let ranked = |gender: Gender| match n {
        1..=10 => ordinal(n, gender, false),
        _ => Some(cardinal(n, gender, place.variety)),
    };
    if is_century(place) {
        return ranked(Masculine);
    }
    if is_part(place) {
        return Some(cardinal(n, Masculine, place.variety));
    }
    if let Some(gender) = ruler(place) {
        return ranked(gender);
    }
    counting(&found[1], n, place)
}

/// The number, if the letters are one in its usual form.
pub fn value(letters: &str) -> Option<u64> {
    const VALUES: [(u64, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let (mut rest, mut n) = (letters, 0);
    for (value, letters) in VALUES {
        let mut times = 0;
        while times < 3 && rest.starts_with(letters) {
            (rest, n, times) = (&rest[letters.len()..], n + value, times + 1);
        }
    }
    rest.is_empty().then_some(n).filter(|n| *n > 0 && written(*n, &VALUES) == letters)
}

fn written(mut n: u64, values: &[(u64, &str)]) -> String {
    let mut letters = String::new();
    for (value, letter) in values {
        while n >= *value {
            letters += letter;
            n -= value;
        }
    }
    letters
}

/// After "século", or after another century: "séculos XVIII e XIX".
fn is_century(place: &Place) -> bool {
    is_after(place, |word| matches!(word, "século" | "séculos" | "séc" | "sécs" | "seculo"))
}

fn is_part(place: &Place) -> bool {
    // "art. 121, § 2º, I"
    let law =
        place.written_before.trim_end().strip_suffix(',').and_then(|before| before.split_whitespace().next_back());
    let law = law.is_some_and(|last| last.ends_with('º') || last.ends_with(|c: char| c.is_ascii_digit()));
    let cites = place.written_before.to_lowercase().contains("art") || place.written_before.contains('§');
    if law && cites {
        return true;
    }
    let last = place.before.split_whitespace().next_back().unwrap_or_default().to_lowercase();
    is_listed("part", &last) || is_after(place, |word| is_listed("part", word))
}

/// Whether such a word comes before, directly or with other Roman numbers between.
fn is_after(place: &Place, is_such: impl Fn(&str) -> bool) -> bool {
    for word in place.written_before.split_whitespace().rev() {
        let word = word.trim_matches(|c: char| c.is_ascii_punctuation() && c != '.');
        let lower = word.to_lowercase();
        match lower.trim_end_matches('.') {
            word if is_such(word) => return true,
            "e" | "a" | "ao" | "ou" | "o" => (),
            _ if value(word.trim_end_matches(',')).is_some() => (),
            _ => return false,
        }
    }
    false
}

/// The gender of a ruler whose name stands before.
fn ruler(place: &Place) -> Option<Gender> {
    let last = place.written_before.split_whitespace().next_back().unwrap_or_default();
    match last {
        queen if is_in("queen", queen) => Some(Feminine),
        ruler if is_in("ruler", ruler) => Some(Masculine),
        _ => titled_ruler(place),
    }
}

/// "rei Harald", "rainha Margrethe".
fn titled_ruler(place: &Place) -> Option<Gender> {
    let title = place.written_before.split_whitespace().rev().nth(1).unwrap_or_default().to_lowercase();
    match title.as_str() {
        "rei" | "papa" | "imperador" | "príncipe" | "czar" | "sultão" | "faraó" => Some(Masculine),
        "rainha" | "imperatriz" => Some(Feminine),
        _ => None,
    }
}

/// "a Segunda Guerra", "o Terceiro Congresso"; after a name, "Rocky quatro".
fn counting(letters: &str, n: u64, place: &Place) -> Option<String> {
    let small = letters.chars().all(|c| "IVX".contains(c));
    let next = place.after.strip_prefix(' ').unwrap_or_default();
    let named = next.starts_with(char::is_uppercase) && next.chars().nth(1).is_some_and(char::is_lowercase);
    let article = ["o", "a", "do", "da", "no", "na", "ao", "à", "pelo", "pela", "um", "uma"];
    if small && named && article.contains(&place.previous().as_str()) {
        let gender = if place.previous().ends_with(['a', 'à']) { Feminine } else { Masculine };
        return ordinal(n, gender, false).map(|words| titled(&words));
    }
    let name = place.written_before.split_whitespace().next_back().unwrap_or_default();
    let game = name.len() > 2 && letters != "I" && name.chars().all(|c| c.is_ascii_uppercase());
    let after_word = name.chars().nth(1).is_some_and(char::is_lowercase);
    // "eu VI" is a verb.
    let verb = letters == "VI" && matches!(name.to_lowercase().as_str(), "eu" | "não" | "já" | "nunca" | "que" | "te");
    let counts = after_word && letters.len() > 1
        || game && (place.written_before.contains(char::is_lowercase) || place.after.contains(char::is_lowercase));
    (small && counts && !verb).then(|| cardinal(n, Masculine, place.variety))
}

fn titled(words: &str) -> String {
    words.split(' ').map(super::capitalised).collect::<Vec<_>>().join(" ")
}
