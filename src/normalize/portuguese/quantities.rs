//! Money, fractions, ordinals, ranges, scores and plain numbers.

use super::Variety;
use super::gender::{counted, is_label, noun};
use super::numbers::Gender::{Feminine, Masculine};
use super::numbers::{Amount, Gender, cardinal, digits, ordinal};
use super::rules::{Place, Say};
use super::words::{CURRENCIES, Currency, DAYS, SCALES, UNITS, WEEKDAYS, letter};
use regex::Captures;

pub const MONEY: &[(&str, Say)] = &[
    (r"(R\$|US\$|\$|€|£)\s?(NUM)\s?[-–]\s?(NUM)\b", money_span),
    (
        r"(SIGN\s?)?(R\$|C[rR]\$|US\$|U\$|\$|€|£|¥|USD|EUR|BRL|GBP)\s?(SIGN)?(\d+\.\d{1,2}\b|NUM)(?:\s?(mil|milhão|milhões|mi|bilhão|bilhões|bi|trilhão|trilhões|tri|bilião|biliões|k|M)\b)?(?:/(kg|g|l|L|m²|m|h|dia|mês|ano|hora|noite|pessoa|litro|quilo)\b)?",
        money,
    ),
    (
        r"(SIGN)?(\d+\.\d{1,2}\b|\d{1,3}(?: \d{3})+(?:,\d+)?|NUM)(?:\s?(mil|milhão|milhões|mi|bilhão|bilhões|bi|trilhão|trilhões|tri|bilião|biliões|k|M))?\s?(€|£|R\$|US\$|EUR\b|USD\b|BRL\b|GBP\b)",
        money_after,
    ),
];

pub const RULES: &[(&str, Say)] = &[
    (r"(NUM)\s(reais|dólares|euros|libras)\b", named_money),
    (r"(\d{1,3})\s(?:e\s)?(\d{1,2})/(\d{1,3})\s+(\p{L}+)", mixed),
    (r"(\d{1,3})\s?([½¼¾⅓⅔⅛])\s+(\p{L}+)", mixed_sign),
    (r"(\d{1,2})/(\d{1,3})\b", slashed),
    (r"([½¼¾⅓⅔⅛])", fraction_sign),
    (r"(?i:(seg|ter|qua|qui|sex|sáb|dom))\b(\.)?", day_before_date),
    (r"([2-6])\.?[ªa]s?[\s-]?(feiras?)\b", weekday),
    (r"(3)\.?[ªa](s)?", third_weekday),
    (
        r"(?i:(seg|ter|qua|qui|sex|sáb|dom))(\.?)(\s[aàe]\s|\s?[-–/]\s?)(?i:(seg|ter|qua|qui|sex|sáb|dom))\b\.?",
        weekdays,
    ),
    (r"(\d{1,3}(?:\.\d{3})+|\d+)\.?([ºª])(s)?", ranked),
    (r"(\d{1,3})(o|a)(s)?\b", ranked_in_letters),
    (r"(\d{1,4})°", ranked_by_degree),
    (r"(\d+)\s?[x×]\s?(\d+)\b", crossed),
    (r"(\d+)x\b", fold),
    (r"(\d{1,3}):(NUM)\b", proportion),
    (r"(NUM)\s?[–—]\s?(NUM)\b", range),
    (r"(NUM)-(NUM)\b", range),
    (r"(NUM)/(NUM)\b", barred),
    (r"\d+(?:\.\d+)+\b", dotted),
    (r"(\d{1,3})(?:['′’]?\+(\d{1,2}))?['′’]", minute),
    (r"(\d{1,3}(?:,\d{1,2})?)[\u{22}″]", inches),
    (r"(NUM|\p{L})(\^[-−]?\d{1,3}\b|[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", power),
    (r"(\d{1,3}(?: \d{3})+)(?:,\d+)?\b", spaced),
    (r"(\d{1,5})-([A-Z])\b", with_letter),
    (r"-|\s?[–—]\s?", to),
    (r"(SIGN)?(NUM)(?:\s(mil|mi|bi|tri)\b)?", plain),
    (r"\+(NUM)", positive),
    (r"/(dia|semana|mês|ano|hora|h|noite|pessoa|aluno|aluna|unidade)\b", each),
    (r"/", bar),
    (r"#\s?(\d+)\b", numbered),
    (r"[nN]\.?\s?[º°ª]s?\.?\s?|[nN]\.\s?[oO]?s?\.?\s?", number_sign),
];

fn currency(sign: &str) -> Option<&'static Currency> {
    CURRENCIES.iter().find(|currency| currency.signs.contains(&sign))
}

fn gender_of(currency: &Currency) -> Gender {
    if currency.feminine { Feminine } else { Masculine }
}

fn money(found: &Captures, place: &Place) -> Option<String> {
    let negative = found.get(1).is_some() || found.get(3).is_some();
    let amount = Amount { negative, ..Amount::parse(&found[4]) };
    if place.is_joined() {
        return None;
    }
    let sum = sum(&amount, currency(&found[2])?, found.get(5).map(|scale| scale.as_str()), place)?;
    let per = found.get(6).map(|per| format!(" por {}", per_unit(per.as_str())));
    Some(sum + &per.unwrap_or_default())
}

/// `R$ 10-20`
fn money_span(found: &Captures, place: &Place) -> Option<String> {
    let currency = currency(&found[1])?;
    let side = |i: usize| Amount::parse(&found[i]).said(gender_of(currency), place.variety);
    (!place.is_joined() && !place.is_cut()).then(|| format!("{} a {} {}", side(2), side(3), currency.several))
}

fn money_after(found: &Captures, place: &Place) -> Option<String> {
    let amount = Amount { negative: found.get(1).is_some(), ..Amount::parse(&found[2]) };
    let scale = found.get(3).map(|scale| scale.as_str());
    (!place.is_joined() && !place.is_cut()).then(|| sum(&amount, currency(&found[4])?, scale, place)).flatten()
}

/// `10,00 reais`.
fn named_money(found: &Captures, place: &Place) -> Option<String> {
    let currency = CURRENCIES.iter().find(|currency| currency.several == &found[2])?;
    let amount = Amount::parse(&found[1]);
    let cents = amount.decimals.as_ref().is_some_and(|decimals| decimals.len() == 2);
    (cents && !place.is_joined()).then(|| sum(&amount, currency, None, place)).flatten()
}

fn per_unit(symbol: &str) -> &str {
    UNITS.iter().find(|(known, ..)| *known == symbol).map_or(symbol, |(_, one, ..)| one)
}

/// "dois milhões de reais", "um real e cinquenta centavos", "cinco vírgula nove nove nove reais".
fn sum(amount: &Amount, currency: &Currency, scale: Option<&str>, place: &Place) -> Option<String> {
    let name = |one: bool| if one { currency.one } else { currency.several };
    let unnamed = [" reais", " de reais", " dólares", " de dólares", " euros", " de euros"]
        .iter()
        .any(|n| place.after.starts_with(n));
    if let Some(scale) = scale {
        let of = if scale == "mil" || scale == "k" { "" } else { "de " };
        let words = scaled(amount, scale, Masculine, place.variety);
        return Some(if unnamed { words } else { format!("{words} {of}{}", name(false)) });
    }
    let cents = amount.decimals.as_deref().filter(|decimals| decimals.len() <= 2);
    let whole = Amount { decimals: None, ..amount.clone() };
    match (cents, amount.decimals.is_some()) {
        (None, true) => Some(format!("{} {}", amount.said(Masculine, place.variety), name(false))),
        _ => Some(coins(&whole, cents.map_or(0, hundredths), currency, place.variety)),
    }
}

fn hundredths(decimals: &str) -> u64 {
    let cents = decimals.parse().unwrap_or_default();
    if decimals.len() == 1 { 10 * cents } else { cents }
}

fn coins(whole: &Amount, cents: u64, currency: &Currency, variety: Variety) -> String {
    let sign = if whole.negative { "menos " } else { "" };
    let (one, several) = match (currency.cent, variety) {
        (("centavo", _), Variety::Portugal) => ("cêntimo", "cêntimos"),
        (cent, _) => cent,
    };
    let small = format!("{} {}", cardinal(cents, Masculine, variety), if cents == 1 { one } else { several });
    if cents > 0 && whole.number() == Some(0) {
        return format!("{sign}{small}");
    }
    let of = if whole.is_round() { "de " } else { "" };
    let name = if whole.is_one() { currency.one } else { currency.several };
    let large = format!("{} {of}{name}", whole.said(gender_of(currency), variety));
    if cents > 0 { format!("{large} e {small}") } else { large }
}

/// A number with the word for its scale after it.
fn scaled(amount: &Amount, scale: &str, gender: Gender, variety: Variety) -> String {
    let known = SCALES.iter().find(|(written, ..)| *written == scale);
    let name = match (known, variety, amount.is_one()) {
        (None, ..) => scale,
        (Some((_, one, ..)), Variety::Brazil, true) => one,
        (Some((_, _, several, ..)), Variety::Brazil, false) => several,
        (Some((_, _, _, one, _)), Variety::Portugal, true) => one,
        (Some((.., several)), Variety::Portugal, false) => several,
    };
    let gender = if name == "mil" { gender } else { Masculine };
    match amount.whole.as_str() {
        "1" if name == "mil" && amount.decimals.is_none() => name.to_owned(),
        _ => format!("{} {name}", amount.said(gender, variety)),
    }
}

/// "duas xícaras e meia".
fn mixed(found: &Captures, place: &Place) -> Option<String> {
    whole_and_part(&found[1], (&found[2], &found[3]), &found[4], place)
}

fn mixed_sign(found: &Captures, place: &Place) -> Option<String> {
    whole_and_part(&found[1], sign_parts(&found[2])?, &found[3], place)
}

fn whole_and_part(whole: &str, parts: (&str, &str), counted: &str, place: &Place) -> Option<String> {
    let whole: u64 = whole.parse().ok()?;
    let gender = noun(&format!(" {counted}"), whole == 1).or_else(|| noun(&format!(" {counted}"), whole != 1))?;
    let part = and_part(parts, gender, place.variety)?;
    (!place.is_joined()).then(|| format!("{} {counted} e {part}", cardinal(whole, gender, place.variety)))
}

/// The part after a whole: "meia" of something feminine.
pub fn and_part(parts: (&str, &str), gender: Gender, variety: Variety) -> Option<String> {
    match parts {
        ("1", "2") => Some(if gender == Feminine { "meia" } else { "meio" }.to_owned()),
        parts => super::times::parts(parts, variety),
    }
}

pub fn sign_parts(sign: &str) -> Option<(&'static str, &'static str)> {
    Some(match sign {
        "½" => ("1", "2"),
        "¼" => ("1", "4"),
        "¾" => ("3", "4"),
        "⅓" => ("1", "3"),
        "⅔" => ("2", "3"),
        "⅛" => ("1", "8"),
        _ => return None,
    })
}

fn fraction_sign(found: &Captures, place: &Place) -> Option<String> {
    let part = part_of(sign_parts(&found[1])?, place)?;
    // "dez e meio"
    Some(if place.written_before.ends_with(|c: char| c.is_ascii_digit()) { format!(" e {part}") } else { part })
}

fn slashed(found: &Captures, place: &Place) -> Option<String> {
    let plain = !place.is_joined() && !place.is_cut() && !place.after.starts_with('/');
    let (parts, whole): (u64, u64) = (found[1].parse().ok()?, found[2].parse().ok()?);
    // `lote 12/13` is no fraction.
    let usual = whole <= 10 || whole % 10 == 0 || whole.is_power_of_two() || whole == 12;
    let fraction = usual && parts < whole && !is_label(place.written_before);
    (plain && fraction).then(|| part_of((&found[1], &found[2]), place)).flatten()
}

/// "meia" before a noun, "um quarto de" before one, "dois terços" elsewhere.
fn part_of(parts: (&str, &str), place: &Place) -> Option<String> {
    let counted = noun(place.after, true);
    let whole = place.written_before.strip_suffix(" e ").and_then(|before| noun(&before[before.rfind(' ')?..], true));
    if let (("1", "2"), Some(gender)) = (parts, counted.or(whole)) {
        return Some(if gender == Feminine { "meia" } else { "meio" }.to_owned());
    }
    let words = super::times::parts(parts, place.variety)?;
    Some(if counted.is_some() { format!("{words} de") } else { words })
}

fn weekday(found: &Captures, place: &Place) -> Option<String> {
    let day = WEEKDAYS[found[1].parse::<usize>().ok()?.checked_sub(2)?];
    let plural = if found[2].ends_with('s') { "s" } else { "" };
    (!place.is_joined()).then(|| format!("{day}{plural}-{}", &found[2]))
}

/// "toda terça", "de terça a quinta": of all days the only one whose name is not the ordinal.
fn third_weekday(found: &Captures, place: &Place) -> Option<String> {
    let day = |word: &&str| !matches!(*word, "e" | "a" | "à" | "ou") && !word.starts_with(|c: char| c.is_ascii_digit());
    let said = place.written_before.split_whitespace().rev().find(day).unwrap_or_default();
    let next = place.after.trim_start();
    let on = next.is_empty() || ["e ", "a ", "à ", "ou "].iter().any(|on| next.starts_with(on));
    let ends = on || next.starts_with(|c: char| c.is_ascii_punctuation());
    let days = matches!(said.to_lowercase().as_str(), "toda" | "todas" | "às" | "de") && ends && !place.is_joined();
    days.then(|| if found.get(2).is_some() { "terças" } else { "terça" }.to_owned())
}

/// `dom. 12/05`
fn day_before_date(found: &Captures, place: &Place) -> Option<String> {
    let date = place.after.trim_start_matches([',', ' ', '(']);
    let name = DAYS.iter().find(|day| day.starts_with(&found[1].to_lowercase()))?;
    let said = if found[1].starts_with(char::is_uppercase) { super::capitalised(name) } else { (*name).to_owned() };
    let hour = date.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['h', ':', '/']);
    let dated = date.starts_with(|c: char| c.is_ascii_digit()) && (hour || found.get(2).is_some());
    (dated && !place.is_joined()).then_some(said)
}

/// `seg. a sex.`
fn weekdays(found: &Captures, place: &Place) -> Option<String> {
    let first = found[1].to_lowercase();
    let dashed = found[3].contains(['-', '–', '/']);
    let short = !found[2].is_empty() || matches!(first.as_str(), "seg" | "qua" | "qui" | "sáb") || dashed;
    let name = |short: &str| DAYS.iter().find(|day| day.starts_with(short)).copied();
    let between = if found[3].contains('e') { "e" } else { "a" };
    let said = format!("{} {between} {}", name(&first)?, name(&found[4].to_lowercase())?);
    let point = if found[0].ends_with('.') && place.after.is_empty() { "." } else { "" };
    (short && !place.is_joined()).then(|| said + point)
}

/// `1:3`, `1:50.000`.
fn proportion(found: &Captures, place: &Place) -> Option<String> {
    let side = |i: usize| Amount::parse(&found[i]).said(Masculine, place.variety);
    let said = ["de", "a", "para", "proporção", "escala", "razão"].contains(&place.previous().as_str());
    // A verse, "Gênesis um, um".
    let book =
        place.written_before.split_whitespace().next_back().is_some_and(|name| name.starts_with(char::is_uppercase));
    let between = if said { " para" } else { "," };
    ((said || book) && !place.is_cut() && !place.is_joined()).then(|| format!("{}{between} {}", side(1), side(2)))
}

fn ranked(found: &Captures, place: &Place) -> Option<String> {
    let scale = place.after.trim_start().strip_prefix(['C', 'F']);
    let degrees = &found[2] == "º" && scale.is_some_and(|rest| !rest.starts_with(char::is_alphabetic));
    let gender = if &found[2] == "ª" { Feminine } else { Masculine };
    let n = Amount::parse(&found[1]).number()?;
    let words = (!degrees && !place.is_joined()).then(|| ordinal(n, gender, found.get(3).is_some())).flatten()?;
    Some(if place.is_cut() { words + " " } else { words })
}

/// `1o lugar`, `2a vez`.
fn ranked_in_letters(found: &Captures, place: &Place) -> Option<String> {
    let gender = if &found[2] == "a" { Feminine } else { Masculine };
    let named = place.after.starts_with(' ') && place.after[1..].starts_with(char::is_alphabetic);
    (named && !place.is_joined()).then(|| ordinal(found[1].parse().ok()?, gender, found.get(3).is_some())).flatten()
}

/// What is ranked by ordinals, so that ° before it is º.
const RANKED: &[&str] = &[
    "lugar",
    "andar",
    "grau",
    "dia",
    "ano",
    "semestre",
    "trimestre",
    "bimestre",
    "turno",
    "tempo",
    "round",
    "capítulo",
    "colocado",
    "lote",
    "período",
    "passo",
    "gol",
    "set",
    "batalhão",
    "distrito",
    "encontro",
    "congresso",
    "de janeiro",
    "de maio",
    "título",
    "aniversário",
    "item",
    "ciclo",
];

pub fn is_ranked(after: &str) -> bool {
    let after = after.trim_start();
    RANKED.iter().any(|noun| after.strip_prefix(noun).is_some_and(|rest| !rest.starts_with(char::is_alphabetic)))
}

fn ranked_by_degree(found: &Captures, place: &Place) -> Option<String> {
    is_ranked(place.after).then(|| ordinal(found[1].parse().ok()?, Masculine, false)).flatten()
}

/// Words of a match between two sides.
const CONTESTS: &[&str] =
    &["venc", "ganh", "perd", "placar", "jogo", "empat", "gol", "final", "bate", "derrot", "vitória", "pênalti"];

/// `3x2`: a score, a product or a format.
fn crossed(found: &Captures, place: &Place) -> Option<String> {
    if place.is_joined() || place.is_cut() {
        return None;
    }
    let (before, after) = (place.written_before.to_lowercase(), place.after.trim_start());
    let nil = &found[1] == "0" || &found[2] == "0";
    let contest = nil || CONTESTS.iter().any(|word| before.contains(word)) || after.starts_with(char::is_uppercase);
    let word = match (after.starts_with('='), contest) {
        (true, _) => "vezes",
        (_, true) => "a",
        _ => "por",
    };
    let side = |i: usize| short_number(&found[i], place.variety);
    Some(format!("{} {word} {}", side(1), side(2)))
}

fn fold(found: &Captures, place: &Place) -> Option<String> {
    let times: u64 = found[1].parse().ok()?;
    let noun = if times == 1 { "vez" } else { "vezes" };
    (!place.is_joined()).then(|| format!("{} {noun}", cardinal(times, Feminine, place.variety)))
}

fn range(found: &Captures, place: &Place) -> Option<String> {
    if place.is_joined() || place.is_cut() || place.after.starts_with('-') {
        return None;
    }
    let gender = counted(place.written_before, place.after, false);
    let side = |i: usize| Amount::parse(&found[i]).said(gender, place.variety);
    Some(format!("{} a {}", side(1), side(2)))
}

/// `8.078/90`.
fn barred(found: &Captures, place: &Place) -> Option<String> {
    let side = |i: usize| Amount::parse(&found[i]).said(Masculine, place.variety);
    (!place.is_joined() && !place.is_cut()).then(|| format!("{} barra {}", side(1), side(2)))
}

/// The minute of a match: "aos 45'".
fn minute(found: &Captures, place: &Place) -> Option<String> {
    let played = ["aos", "os", "dos"].contains(&place.previous().as_str()) && !place.is_cut();
    let more = found.get(2).map(|more| format!(" mais {}", short_number(more.as_str(), place.variety)));
    played.then(|| format!("{}{} minutos", short_number(&found[1], place.variety), more.unwrap_or_default()))
}

/// `2.0.1`: not a number with points between its thousands.
fn dotted(found: &Captures, place: &Place) -> Option<String> {
    let parts: Vec<&str> = found[0].split('.').collect();
    let thousands = parts[0].len() <= 3 && parts[1..].iter().all(|part| part.len() == 3);
    if thousands || place.after.starts_with(',') || place.is_joined() {
        return None;
    }
    let parts = parts.into_iter().map(|part| short_number(part, place.variety));
    Some(parts.collect::<Vec<_>>().join(" ponto "))
}

/// A few digits as a number, or one by one where they begin with a zero or are many.
pub fn short_number(text: &str, variety: Variety) -> String {
    match Amount::parse(text).number().filter(|_| text.len() <= 4) {
        Some(n) => cardinal(n, Masculine, variety),
        // "zero quarenta", but "zero zero sete"
        None if text.len() == 3 && !text.starts_with("00") => format!("zero {}", short_number(&text[1..], variety)),
        None => digits(text),
    }
}

/// "dez elevado a oito", "xis ao quadrado".
fn power(found: &Captures, place: &Place) -> Option<String> {
    let base = match letter(found[1].chars().next()?) {
        Some(name) => name.to_owned(),
        None => Amount::parse(&found[1]).said(Masculine, place.variety),
    };
    let exponent: String = found[2].chars().filter_map(lowered).collect();
    let n = cardinal(exponent.trim_start_matches('-').parse().ok()?, Masculine, place.variety);
    let said = match exponent.as_str() {
        "2" => "ao quadrado".to_owned(),
        "3" => "ao cubo".to_owned(),
        _ => format!("elevado a {}{n}", if exponent.starts_with('-') { "menos " } else { "" }),
    };
    (!place.is_joined() && !place.is_cut()).then(|| format!("{base} {said}"))
}

/// A digit or minus from the raised or lowered one.
pub fn lowered(c: char) -> Option<char> {
    let digit =
        |places: &str| places.chars().position(|raised| raised == c).and_then(|n| char::from_digit(n as u32, 10));
    let minus = matches!(c, '⁻' | '-' | '−').then_some('-');
    digit("⁰¹²³⁴⁵⁶⁷⁸⁹").or_else(|| digit("₀₁₂₃₄₅₆₇₈₉")).or_else(|| digit("0123456789")).or(minus)
}

pub fn is_raised(c: char) -> bool {
    "⁰¹²³⁴⁵⁶⁷⁸⁹".contains(c)
}

/// `1 200` in Portugal.
fn spaced(found: &Captures, place: &Place) -> Option<String> {
    if place.variety != Variety::Portugal || place.is_joined() || place.is_cut() || is_label(place.written_before) {
        return None;
    }
    let gender = counted(place.written_before, place.after, false);
    Some(Amount::parse(&found[0]).said(gender, place.variety))
}

/// `12-A`
fn with_letter(found: &Captures, place: &Place) -> Option<String> {
    let name = letter(found[2].chars().next()?)?;
    (!place.is_joined()).then(|| format!("{} {name}", short_number(&found[1], place.variety)))
}

/// What may stand behind the first of two numbers: `10h-12h`, `3%-4%`, `R$ 10-20`.
const BEFORE_TO: &[&str] = &["", "h", "hs", "min", "%", "°C", "ºC", "km", "m", "cm", "kg", "g", "ml"];

fn to(_: &Captures, place: &Place) -> Option<String> {
    let first = place.written_before.rsplit([' ', '(']).next()?;
    let begins = first.starts_with(|c: char| c.is_ascii_digit() || c == 'R') && !place.after.contains('=');
    let unit = first.trim_start_matches("R$").trim_start_matches(|c: char| c.is_ascii_digit() || ",.:h".contains(c));
    let next = place.after.trim_start_matches("R$").trim_start();
    (begins && BEFORE_TO.contains(&unit) && next.starts_with(|c: char| c.is_ascii_digit())).then(|| " a ".to_owned())
}

fn plain(found: &Captures, place: &Place) -> Option<String> {
    if place.is_joined() && found.get(1).is_some() || place.after.starts_with(char::is_alphabetic) {
        return None;
    }
    let amount = Amount { negative: found.get(1).is_some(), ..Amount::parse(&found[2]) };
    let one = amount.number() == Some(1);
    let of = if amount.is_round() && noun(place.after, false).is_some() { " de" } else { "" };
    let gender = if of.is_empty() { counted(place.written_before, place.after, one) } else { Masculine };
    let words = match found.get(3) {
        Some(scale) => scaled(&amount, scale.as_str(), gender, place.variety),
        None => amount.said(gender, place.variety),
    };
    Some(format!("{words}{of}"))
}

fn positive(found: &Captures, place: &Place) -> Option<String> {
    let alone = place.written_before.is_empty() || place.written_before.ends_with([' ', '(']);
    alone.then(|| format!("mais {}", Amount::parse(&found[1]).said(Masculine, place.variety)))
}

/// `50"`, `15,6"`, where no quotation ends.
fn inches(found: &Captures, place: &Place) -> Option<String> {
    let open = place.written_before.matches('"').count() % 2 == 1;
    let noun = if &found[1] == "1" { "polegada" } else { "polegadas" };
    let number = Amount::parse(&found[1]).said(Feminine, place.variety);
    (!open && !place.is_joined() && !place.is_cut()).then(|| format!("{number} {noun}"))
}

/// "dez horas por dia", after a number with or without its unit.
fn each(found: &Captures, place: &Place) -> Option<String> {
    let mut last = place.written_before.split(' ').rev().take(2);
    let counted = last.any(|word| word.contains(|c: char| c.is_ascii_digit()));
    (counted && (place.is_joined() || place.written_before.ends_with('€')))
        .then(|| format!(" por {}", per_unit(&found[1])))
}

/// Between a word and a number, or two numbers in a sum.
fn bar(_: &Captures, place: &Place) -> Option<String> {
    let digit = |c: char| c.is_ascii_digit();
    if place.written_before.ends_with(char::is_alphanumeric) && place.after.starts_with(digit) {
        return Some(" barra ".to_owned());
    }
    let (before, after) = (place.written_before.strip_suffix(' ')?, place.after.strip_prefix(' ')?);
    if before.ends_with(digit) && after.starts_with(['(', '+']) {
        return Some("ou".to_owned());
    }
    (before.ends_with(digit) && after.starts_with(digit)).then(|| "dividido por".to_owned())
}

fn numbered(found: &Captures, place: &Place) -> Option<String> {
    (!place.is_joined()).then(|| format!("número {}", short_number(&found[1], place.variety)))
}

/// `nº 5`, `o nº de casos`; without º only before a number.
fn number_sign(found: &Captures, place: &Place) -> Option<String> {
    let (raised, number) = (found[0].contains(['º', '°', 'ª']), place.after.starts_with(|c: char| c.is_ascii_digit()));
    let name = if found[0].contains('s') { "números" } else { "número" };
    let space = if number || found[0].ends_with(' ') { " " } else { "" };
    let space = if place.after.is_empty() && found[0].ends_with('.') { "." } else { space };
    let lady = place.after.starts_with("Sr") || place.after.starts_with("Sª");
    ((number || raised) && !lady && !place.is_joined() && (number || !place.is_cut() || space == " "))
        .then(|| format!("{name}{space}"))
}
