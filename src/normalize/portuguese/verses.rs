//! Books, chapters and verses of the Bible.

use super::lists::{is_in, meaning};
use super::numbers::Gender::{Feminine, Masculine};
use super::numbers::{cardinal, ordinal};
use super::rules::{Place, Say};
use regex::Captures;

pub const RULES: &[(&str, Say)] = &[
    (r"(?:([123]|I{1,3})\s?)?(\p{Lu}\p{L}{1,14})\.?\s(\d{1,3})(?:([:,.])\s?(\d{1,3}(?:[-–,]\d{1,3})*))?\b", verse),
    (r"([123]|I{1,3})\s(\p{Lu}\p{L}{1,14})\b", counted_book),
];

/// `João 3:16`, `1Co 13`, `Mt 5,3-12`. Whole names that nothing counts want a colon, short ones that are words a verse.
fn verse(found: &Captures, place: &Place) -> Option<String> {
    let (book, count) = (named(&found[2])?, found.get(1).map(|count| count.as_str()));
    let fits = match found.get(4).map(|sign| sign.as_str()) {
        Some(":") => true,
        Some(",") if book != &found[2] => true,
        _ => count.is_some() || (book != &found[2] && !is_in("word-book", &found[2])),
    };
    if !fits || place.is_joined() || place.is_cut() {
        return None;
    }
    let number = |digits: &str| digits.parse().ok().map(|n| cardinal(n, Masculine, place.variety));
    let verses = found.get(5).map(|verses| verses.as_str()).unwrap_or_default();
    let mut said = format!("{} {}", counted(count, book)?, number(&found[3])?);
    for verse in verses.split_inclusive(['-', '–', ',']).filter(|verse| !verse.is_empty()) {
        let between = if said.ends_with(" a") { " " } else { ", " };
        said += &format!("{between}{}", number(verse.trim_end_matches(['-', '–', ',']))?);
        said += if verse.ends_with(['-', '–']) { " a" } else { "" };
    }
    Some(said)
}

/// A book by its name or its abbreviation.
fn named(written: &str) -> Option<&str> {
    meaning("book", written).map(|book| if book.is_empty() { written } else { book })
}

/// "primeira Coríntios", "segundo Samuel".
fn counted(count: Option<&str>, book: &str) -> Option<String> {
    let Some(count) = count else { return Some(book.to_owned()) };
    let n = count.parse().unwrap_or(count.len() as u64);
    let gender = if is_in("counted-book", book) { Masculine } else { Feminine };
    ordinal(n, gender, false).map(|rank| format!("{rank} {book}"))
}

/// `1 Coríntios` without a chapter.
fn counted_book(found: &Captures, place: &Place) -> Option<String> {
    let fits = is_in("epistle", &found[2]) && !place.is_joined();
    fits.then(|| counted(Some(&found[1]), &found[2])).flatten()
}
