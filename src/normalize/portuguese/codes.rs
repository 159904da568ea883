//! Telephone numbers, documents, addresses of the web and of mail: digits in groups, and signs by their names.

use super::Variety;
use super::lists::is_in;
use super::numbers::digits;
use super::rules::{Place, Say};
use super::words::{letter, spelled};
use regex::Captures;

pub const RULES: &[(&str, Say)] = &[
    (r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", mail),
    (r"(?:https?://|www\.)[^\s<>«»“”()\[\]]*[^\s<>«»“”()\[\].,;:!?'\u{22}]", web),
    (
        r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|gov|edu|br|pt|io|info|app|tv|blog|dev)(?:\.(?:br|pt))?(?:/[\w./@?=&%#-]*\w)?\b",
        web,
    ),
    (r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/[\w./-]*\w", web),
    (r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}\b", groups),
    (r"\d{3}\.\d{3}\.\d{3}-\d{2}\b", groups),
    (r"\d{2}\.\d{3}\.\d{3}-[\dXx]\b", groups),
    (r"\d{1,2}\.\d{3}-?\d{3}-\d\b", groups),
    (r"\+\d{1,3}[\s-]?\(?\d{2}\)?[\s-]?\d{4,5}[-\s]\d{4}\b", groups),
    (r"\+\d{1,3}(?:[\s-]\d{2,4}){2,4}\b", groups),
    (r"\(0?\d{2}\)\s?9?\s?\d{4,5}[-\s.]?\d{4}\b", groups),
    (r"0?\d{2}\s9?\s?\d{4,5}-\d{4}\b", groups),
    (r"0[389]00[\s-]?\d{3}[\s-]?\d{4}\b", toll_free),
    (r"0[389]00(?:[\s-]\d{2,4}){1,3}\b", groups),
    (r"\d{5}-\d{3}\b", groups),
    (r"\d{2}\.\d{3}-\d{3}\b", groups),
    (r"\d{3}\.\d{5}\.\d{2}-\d\b", groups),
    (r"\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}\b", groups),
    (r"\d{4}(?: \d{4}){2,3}\b", groups),
    (r"\d{4,12}-[\dxX]\b", account),
    (r"([A-Z]{3})[-\s]?(\d)([A-Z]?)(\d{2,3})\b", plate),
    (r"\d{5}-\d{4}\b", groups),
    (r"\d{4}-\d{4}\b", four_and_four),
    (r"[29]\d{2}\s\d{3}\s\d{3}\b", portuguese_phone),
    (r"\d{4}-\d{3}\b", portuguese_postcode),
    (r"\d{1,6}(?:-\d{1,6}){2,}\b", dashed),
    (r"\*?(\d{2,8})#|\*(\d{2,5})\b", dialled),
    (r"[A-Z\d]{8,20}\b", serial),
    (r"\d{3} \d{3} \d{3}\b", taxpayer),
    (r"\d{10,}\b", row),
    (r"\d{4,9}\b", called_row),
];

/// Groups of digits, parted by pauses. A leading plus is said.
fn groups(found: &Captures, place: &Place) -> Option<String> {
    if place.is_cut() || place.is_joined() {
        return None;
    }
    let parts = found[0].split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    let said = parts.map(|part| if part.eq_ignore_ascii_case("x") { "xis".to_owned() } else { digits(part) });
    let plus = if found[0].starts_with('+') { "mais " } else { "" };
    Some(format!("{plus}{}", said.collect::<Vec<_>>().join(", ")))
}

fn toll_free(found: &Captures, _: &Place) -> Option<String> {
    let row: String = found[0].chars().filter(char::is_ascii_digit).collect();
    Some([&row[..4], &row[4..7], &row[7..]].map(digits).join(", "))
}

/// A telephone number, unless it is a span of years.
fn four_and_four(found: &Captures, place: &Place) -> Option<String> {
    let (first, last) = found[0].split_once('-')?;
    let year = |text: &str| text.parse::<u32>().ok().filter(|year| (1000..=2100).contains(year));
    match (year(first), year(last)) {
        (Some(first), Some(last)) if first <= last => None,
        _ => groups(found, place),
    }
}

/// Of a bank, with the digit that checks it.
fn account(found: &Captures, place: &Place) -> Option<String> {
    let before = place.before.trim_end_matches(['.', ':', ' ']).to_lowercase();
    let named = ["conta", "corrente", "agência", "poupança"].iter().any(|word| before.ends_with(word));
    (found[0].len() > 6 || named).then(|| groups(found, place)).flatten()
}

/// Of a car, where it is called so or is of the newer form.
fn plate(found: &Captures, place: &Place) -> Option<String> {
    let (new, length) = (!found[3].is_empty(), found[3].len() + found[4].len());
    let called = place.written_before.to_lowercase().contains("placa");
    let said = [spelled(&found[1]), digits(&found[2]), spelled(&found[3]), digits(&found[4])];
    let said: Vec<_> = said.into_iter().filter(|part| !part.is_empty()).collect();
    ((new || called) && length == 3 && !place.is_joined()).then(|| said.join(" "))
}

fn portuguese_phone(found: &Captures, place: &Place) -> Option<String> {
    (place.variety == Variety::Portugal).then(|| groups(found, place)).flatten()
}

fn portuguese_postcode(found: &Captures, place: &Place) -> Option<String> {
    (place.variety == Variety::Portugal || place.previous() == "postal").then(|| groups(found, place)).flatten()
}

/// Three groups or more that are no date.
fn dashed(found: &Captures, place: &Place) -> Option<String> {
    if super::times::date(&found[0], place.variety).is_some() { None } else { groups(found, place) }
}

/// `*555#`
fn dialled(found: &Captures, place: &Place) -> Option<String> {
    let begin = if found[0].starts_with('*') { "asterisco " } else { "" };
    let end = if found[0].ends_with('#') { " cerquilha" } else { "" };
    (!place.is_joined() && !place.is_cut()).then(|| format!("{begin}{}{end}", digits(&found[0])))
}

/// `AB123456789BR`, a parcel's or an engine's number.
fn serial(found: &Captures, place: &Place) -> Option<String> {
    let signs: Vec<char> = found[0].chars().collect();
    let several = |of: fn(&char) -> bool, least| signs.iter().filter(|c| of(c)).count() >= least;
    let runs = signs.chunk_by(|a, b| a.is_alphabetic() == b.is_alphabetic()).map(|run| run.iter().collect::<String>());
    let said = runs.map(|run| if run.contains(char::is_alphabetic) { spelled(&run) } else { digits(&run) });
    let mixed = several(char::is_ascii_digit, 6) && several(char::is_ascii_uppercase, 2);
    (mixed && !place.is_joined()).then(|| said.collect::<Vec<_>>().join(", "))
}

/// `NIF 123 456 789`
fn taxpayer(found: &Captures, place: &Place) -> Option<String> {
    row_is_called(place).then(|| groups(found, place)).flatten()
}

/// Digits that a word says to be no number: "CEP", "senha".
fn called_row(found: &Captures, place: &Place) -> Option<String> {
    let grouped =
        place.after.starts_with([',', '.', '/', '-']) && place.after[1..].starts_with(|c: char| c.is_ascii_digit());
    (row_is_called(place) && !grouped).then(|| groups(found, place)).flatten()
}

fn row_is_called(place: &Place) -> bool {
    let words = place.written_before.rsplit(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let said = words.map(str::to_lowercase).find(|word| !is_in("row-between", word));
    said.is_some_and(|word| is_in("row", &word)) && !place.is_joined()
}

fn row(found: &Captures, place: &Place) -> Option<String> {
    (!place.is_cut() && !place.after.starts_with(',')).then(|| digits(&found[0]))
}

fn mail(found: &Captures, place: &Place) -> Option<String> {
    let address = found[0].trim_end_matches(['.', '-']);
    (address.len() == found[0].len()).then(|| address_said(address, place))
}

fn web(found: &Captures, place: &Place) -> Option<String> {
    if place.is_cut() || place.is_joined() {
        return None;
    }
    let address = found[0].trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    Some(address_said(address, place))
}

/// Words as they are, short parts that cannot be read by their letters, signs by their names.
pub fn address_said(address: &str, place: &Place) -> String {
    let mut words = Vec::new();
    let mut rest = address;
    while let Some(c) = rest.chars().next() {
        let kind = |other: char| match c {
            _ if c.is_ascii_digit() => other.is_ascii_digit(),
            _ => c.is_alphabetic() && other.is_alphabetic(),
        };
        let end = rest.find(|other| !kind(other)).unwrap_or(rest.len()).max(c.len_utf8());
        words.push(part(&rest[..end], c, place));
        rest = &rest[end..];
    }
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

fn part(text: &str, first: char, place: &Place) -> String {
    match first {
        '.' => "ponto".to_owned(),
        '@' => "arroba".to_owned(),
        '/' => "barra".to_owned(),
        '-' => "hífen".to_owned(),
        '_' if place.in_brazil() => "underline".to_owned(),
        '_' => "sublinhado".to_owned(),
        ':' => "dois pontos".to_owned(),
        '?' => "interrogação".to_owned(),
        '=' => "igual".to_owned(),
        '&' => "e comercial".to_owned(),
        '#' => "cerquilha".to_owned(),
        '%' => "por cento".to_owned(),
        '+' => "mais".to_owned(),
        '~' => "til".to_owned(),
        _ if first.is_ascii_digit() => super::quantities::short_number(text, place.variety),
        _ if is_spelled(text) => spelled(text),
        _ => text.to_owned(),
    }
}

/// Letters that make no word: "br", "www", "x".
fn is_spelled(text: &str) -> bool {
    let vowel = text.contains(|c: char| "aeiouáéíóúâêôãõAEIOU".contains(c) || c == 'y' && text.len() > 2);
    text.chars().all(|c| letter(c).is_some()) && (text.len() == 1 || !vowel)
}
