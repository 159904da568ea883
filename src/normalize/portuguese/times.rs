//! Dates and times of day.

use super::Variety;
use super::lists::is_in;
use super::numbers::Gender::{Feminine, Masculine};
use super::numbers::{Amount, cardinal, fraction};
use super::rules::{Place, Say};
use super::words::MONTHS;
use regex::Captures;

pub const RULES: &[(&str, Say)] = &[
    (r"(\d{1,2})/(\d{1,2})\s?(?:hs|hrs|h|horas)\b", every),
    (r"(\d{1,2})/(\d{1,2})\b", set_score),
    (r"([\d.]{1,9})/(\d{4})\b", of_a_year),
    (r"\d{1,2}º?/\d{1,2}/(?:\d{4}|\d{2})\b", whole_date),
    (r"\d{1,2}-\d{1,2}-\d{4}\b", whole_date),
    (r"\d{1,2}\.\d{1,2}\.\d{4}\b", whole_date),
    (r"\d{2}\.\d{2}\.\d{2}\b", whole_date),
    (r"\d{4}-\d{2}-\d{2}\b", iso_date),
    (r"(\d{1,2})/((?:19|20)\d{2})\b", month_and_year),
    (r"(1)", first_of_days),
    (r"(\d{1,2})º?/(\d{1,2})\b", day_and_month),
    (
        r"(\d{1,2})(?:\s+de\s+|/|\s)(jan|fev|mar|abr|mai|jun|jul|ago|set|out|nov|dez)\b(\.)?(?:(?:/|\s+de\s+|\s)(\d{4}|\d{2})\b)?",
        short_month,
    ),
    (r"(jan|fev|mar|abr|mai|jun|jul|ago|set|out|nov|dez)\.?/(\d{4}|\d{2})\b", month_with_year),
    (
        r"(\d{1,2})\s+de\s+(janeiro|fevereiro|março|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro)\b",
        day_of_month,
    ),
    (r"(\d{1,2}):([0-5]\d):([0-5]\d)\b(?:\s?h\b)?", to_the_second),
    (r"([01]?\d|2[0-4]):([0-5]\d)(?:\s?(?:hs|hrs|h|horas)\b)?", clock),
    (r"(\d{1,3})\s?(?:hs|hrs|h)\s?([0-5]?\d)\s?(?:min|m)\s?([0-5]?\d)\s?(?:seg|s)\b", long_duration),
    (r"(\d{1,3})\s?(?:hs|hrs|h)\s?([0-5]?\d)\s?(?:min|m)\b", duration),
    (r"(\d{1,3})\s?(?:hs|hrs|h)\s?([0-5]\d)\b", clock_or_duration),
    (r"([01]?\d|2[0-4])\.([0-5]\d)\b", clock_with_a_point),
    (r"(\d{1,3})\s?(?:hs|hrs|h)\b", hours_alone),
    (r"(?:(\d{1,3})\s?(?:min|m)\s?)?([0-5]?\d)s(\d{1,3})\b", to_a_fraction),
    (r"(\d{1,3})\s?(?:min|m)\s?([0-5]?\d)\s?(?:seg|s)\b", minutes_and_seconds),
    (r"(\d{1,3})min([0-5]\d)\b", minutes_and_seconds),
    (r"(\d{1,3})['′’]([0-5]?\d)(?:[\u{22}″]|''|’’)", minutes_and_seconds),
    (r"24/7\b", always),
];

fn number(text: &str) -> u64 {
    text.trim_end_matches('º').parse().unwrap_or_default()
}

/// What is said for day, month and year, where they are a date.
fn dated(day: u64, month: u64, year: Option<&str>, variety: Variety) -> Option<String> {
    if !(1..=31).contains(&day) || !(1..=12).contains(&month) {
        return None;
    }
    let mut words = format!("{} de {}", day_said(day, variety), MONTHS[month as usize - 1]);
    if let Some(year) = year {
        words += &format!(" de {}", cardinal(full_year(year), Masculine, variety));
    }
    Some(words)
}

/// The first day is "primeiro" in Brazil.
fn day_said(day: u64, variety: Variety) -> String {
    match (day, variety) {
        (1, Variety::Brazil) => "primeiro".to_owned(),
        _ => cardinal(day, Masculine, variety),
    }
}

/// Two digits are of this century up to 49.
fn full_year(year: &str) -> u64 {
    match (year.len(), number(year)) {
        (2, short @ 0..=49) => 2000 + short,
        (2, short) => 1900 + short,
        (_, year) => year,
    }
}

/// The words for a whole date, day first or year first.
pub fn date(text: &str, variety: Variety) -> Option<String> {
    let parts: Vec<&str> = text.split(['/', '-', '.']).collect();
    match parts[..] {
        [year, month, day] if year.len() == 4 => dated(number(day), number(month), Some(year), variety),
        [day, month, year] if year.len() == 4 || year.len() == 2 => {
            dated(number(day), number(month), Some(year), variety)
        }
        _ => None,
    }
}

/// `6/4`, where sets are spoken of.
fn set_score(found: &Captures, place: &Place) -> Option<String> {
    let all = format!("{} {}", place.written_before, place.after).to_lowercase();
    let sets = ["sets", "º set", "parcial ", "parciais ", "tie-break"].iter().any(|word| all.contains(word));
    let side = |i: usize| cardinal(number(&found[i]), Masculine, place.variety);
    (sets && !place.is_joined() && !place.after.starts_with('/')).then(|| format!("{} a {}", side(1), side(2)))
}

/// `12/12h`: "doze em doze horas".
fn every(found: &Captures, place: &Place) -> Option<String> {
    let count = cardinal(number(&found[1]), Feminine, place.variety);
    (found[1] == found[2] && !place.is_joined())
        .then(|| format!("{count} em {}", hours(number(&found[2]), place.variety)))
}

/// "Lei sete de dois mil e nove": the number and year of a law or a file.
fn of_a_year(found: &Captures, place: &Place) -> Option<String> {
    let year = number(&found[2]);
    let law = is_in("law", &place.previous().replace('º', "")) || place.written_before.trim_end().ends_with(['º', '°']);
    let fits = law && (1900..2100).contains(&year) && !place.is_joined();
    let said = Amount::parse(&found[1]).said(Masculine, place.variety);
    fits.then(|| format!("{said} de {}", cardinal(year, Masculine, place.variety)))
}

fn whole_date(found: &Captures, place: &Place) -> Option<String> {
    if place.is_joined() || place.after.starts_with(['/', '-']) {
        return None;
    }
    let barred = || {
        let parts = found[0].split(['/', '-', '.']);
        parts.map(|part| cardinal(number(part), Masculine, place.variety)).collect::<Vec<_>>().join(" barra ")
    };
    date(&found[0], place.variety).or_else(|| found[0].contains('/').then(barred))
}

fn iso_date(found: &Captures, place: &Place) -> Option<String> {
    date(&found[0], place.variety)
}

fn month_and_year(found: &Captures, place: &Place) -> Option<String> {
    let month = number(&found[1]);
    let year = cardinal(number(&found[2]), Masculine, place.variety);
    let named = (1..=12).contains(&month) && !place.is_joined();
    named.then(|| format!("{} de {year}", MONTHS[month as usize - 1]))
}

/// "de primeiro a quinze de junho", as `1 a 15/06` and `1 e 2 de maio` begin.
fn first_of_days(_: &Captures, place: &Place) -> Option<String> {
    let last = [" a ", " e ", " até ", "-"].iter().find_map(|to| place.after.strip_prefix(to))?;
    let rest = last.trim_start_matches(|c: char| c.is_ascii_digit());
    let days = number(&last[..last.len() - rest.len()]);
    let part = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit()) && !rest.contains(" do ");
    let month = rest.strip_prefix(" de ").is_some_and(|rest| MONTHS.iter().any(|month| rest.starts_with(month)))
        || rest.strip_prefix('/').is_some_and(part);
    let dates = month && (2..=31).contains(&days) && !place.is_joined() && !place.written_before.ends_with('/');
    dates.then(|| day_said(1, place.variety))
}

/// `12/mar`, `15 de set.`, `3 nov. 2024`.
fn short_month(found: &Captures, place: &Place) -> Option<String> {
    let (month, day) = (month_of(&found[2])?, number(&found[1]));
    let (joined, point) = (found[0].contains('/') || found[0].contains(" de "), found.get(3).is_some());
    let year = found.get(4).map(|year| year.as_str());
    let date = dated(day, month, year, place.variety).filter(|_| (joined || point) && !place.is_joined())?;
    let next = place.after.trim_start();
    let ends = point && year.is_none() && (next.is_empty() || next.starts_with(char::is_uppercase));
    Some(if ends { date + "." } else { date })
}

/// `mar/2024`
fn month_with_year(found: &Captures, place: &Place) -> Option<String> {
    let month = MONTHS[month_of(&found[1])? as usize - 1];
    let year = cardinal(full_year(&found[2]), Masculine, place.variety);
    (!place.is_joined()).then(|| format!("{month} de {year}"))
}

/// The number of the month that begins so.
fn month_of(short: &str) -> Option<u64> {
    (1..).zip(MONTHS).find(|(_, month)| month.starts_with(short)).map(|(number, _)| number)
}

/// Words directly before a date.
const DATING: &[&str] = &["dia", "dias", "em", "até", "desde", "data", "de", "a", "para", "no"];
/// Words near a date.
const WHEN: &[&str] = &[
    "hoje",
    "ontem",
    "amanhã",
    "segunda",
    "terça",
    "quarta",
    "quinta",
    "sexta",
    "segunda-feira",
    "terça-feira",
    "quarta-feira",
    "quinta-feira",
    "sexta-feira",
    "sábado",
    "domingo",
];
/// Words before a mark out of a greatest one: "nota oito de dez".
const MARKED: &[&str] = &["nota", "tirei", "tirou", "acertei", "acertou"];

/// `25/12`: a date, unless it is a fraction.
fn day_and_month(found: &Captures, place: &Place) -> Option<String> {
    let sum = |side: &str, of: fn(&str, [char; 4]) -> bool| of(side.trim(), ['+', '=', '×', '÷']);
    let summed = sum(place.after, |side, signs| side.starts_with(signs))
        || sum(place.written_before, |side, signs| side.ends_with(signs));
    if place.is_joined() || place.after.starts_with(['/', '-']) || &found[0] == "24/7" || summed {
        return None;
    }
    let (first, second) = (number(&found[1]), number(&found[2]));
    let near: Vec<String> = place.written_before.split_whitespace().rev().take(2).map(str::to_lowercase).collect();
    let when = |word: &String| WHEN.contains(&word.trim_end_matches([',', '(', ':']));
    let dating = (DATING.contains(&place.previous().as_str()) || near.iter().any(when))
        && super::gender::noun(place.after, true).is_none();
    if MARKED.contains(&place.previous().as_str()) && first <= second {
        let side = |n| cardinal(n, Masculine, place.variety);
        return Some(format!("{} de {}", side(first), side(second)));
    }
    let of = [" do ", " da ", " de ", " dos ", " das "].iter().any(|of| place.after.starts_with(of));
    let padded = found[1].starts_with('0') || found[2].starts_with('0');
    let is_fraction = first < second && second > 1 && !padded && (of || !dating) && !found[0].contains('º');
    let day = dated(first, second, None, place.variety).filter(|_| !is_fraction);
    let improper = || {
        format!("{} barra {}", cardinal(first, Masculine, place.variety), cardinal(second, Masculine, place.variety))
    };
    match day {
        Some(day) => Some(day),
        None if first >= second || padded => Some(improper()),
        None => None,
    }
}

fn day_of_month(found: &Captures, place: &Place) -> Option<String> {
    let day = number(&found[1]);
    ((1..=31).contains(&day) && !place.is_joined())
        .then(|| format!("{} de {}", day_said(day, place.variety), &found[2]))
}

fn hours(count: u64, variety: Variety) -> String {
    let noun = if count < 2 { "hora" } else { "horas" };
    format!("{} {noun}", cardinal(count, Feminine, variety))
}

fn minutes(count: u64, variety: Variety) -> String {
    format!("{} minuto{}", cardinal(count, Masculine, variety), if count == 1 { "" } else { "s" })
}

fn seconds(count: u64, variety: Variety) -> String {
    format!("{} segundo{}", cardinal(count, Masculine, variety), if count == 1 { "" } else { "s" })
}

fn to_the_second(found: &Captures, place: &Place) -> Option<String> {
    let part = |i: usize| number(&found[i]);
    let (h, m, s) = (hours(part(1), place.variety), minutes(part(2), place.variety), seconds(part(3), place.variety));
    Some(format!("{h}, {m} e {s}"))
}

/// "catorze e trinta", "zero hora e quinze".
fn clock_said(hour: u64, minute: u64, variety: Variety) -> String {
    match (hour, minute) {
        (_, 0) => hours(hour, variety),
        (0, _) => format!("zero hora e {}", cardinal(minute, Masculine, variety)),
        _ => format!("{} e {}", cardinal(hour, Feminine, variety), cardinal(minute, Masculine, variety)),
    }
}

fn clock(found: &Captures, place: &Place) -> Option<String> {
    let fits = !place.is_joined() && !place.is_cut() && !place.after.starts_with(':');
    fits.then(|| clock_said(number(&found[1]), number(&found[2]), place.variety))
}

/// Whether the word before says that a time of day comes.
fn is_at(place: &Place) -> bool {
    ["às", "à", "das", "pelas", "as", "da", "meia"].contains(&place.previous().as_str())
}

fn clock_or_duration(found: &Captures, place: &Place) -> Option<String> {
    if is_at(place) { clock(found, place) } else { duration(found, place) }
}

fn clock_with_a_point(found: &Captures, place: &Place) -> Option<String> {
    let at = ["às", "à"].contains(&place.previous().as_str()) && !place.after.starts_with(['.', ',']);
    let dotted = at || !place.after.starts_with(|c: char| c == '.' || c.is_ascii_digit());
    (at && dotted).then(|| clock(found, place)).flatten()
}

fn duration(found: &Captures, place: &Place) -> Option<String> {
    if place.is_joined() || place.is_cut() {
        return None;
    }
    let (h, m) = (number(&found[1]), number(&found[2]));
    Some(match m {
        0 => hours(h, place.variety),
        _ => format!("{} e {}", hours(h, place.variety), minutes(m, place.variety)),
    })
}

fn long_duration(found: &Captures, place: &Place) -> Option<String> {
    to_the_second(found, place)
}

fn hours_alone(found: &Captures, place: &Place) -> Option<String> {
    (!place.is_joined() && !place.is_cut() && !place.after.starts_with('/'))
        .then(|| hours(number(&found[1]), place.variety))
}

fn minutes_and_seconds(found: &Captures, place: &Place) -> Option<String> {
    let (m, s) = (minutes(number(&found[1]), place.variety), seconds(number(&found[2]), place.variety));
    (!place.is_joined()).then(|| format!("{m} e {s}"))
}

/// `1min55s30`: "um minuto, cinquenta e cinco segundos e trinta centésimos".
fn to_a_fraction(found: &Captures, place: &Place) -> Option<String> {
    let name = ["décimo", "centésimo", "milésimo"][found[3].chars().count() - 1];
    let (count, plural) = (number(&found[3]), if number(&found[3]) == 1 { "" } else { "s" });
    let part = format!("{} {name}{plural}", cardinal(count, Masculine, place.variety));
    let whole = found.get(1).map(|m| minutes(number(m.as_str()), place.variety) + ", ").unwrap_or_default();
    (!place.is_joined()).then(|| format!("{whole}{} e {part}", seconds(number(&found[2]), place.variety)))
}

fn always(_: &Captures, _: &Place) -> Option<String> {
    Some("vinte e quatro por sete".to_owned())
}

/// `3/4`, as a fraction.
pub fn parts(of: (&str, &str), variety: Variety) -> Option<String> {
    let (parts, whole) = (of.0.parse().ok()?, of.1.parse().ok()?);
    (whole > 1 && parts > 0).then(|| fraction(parts, whole, variety))
}
