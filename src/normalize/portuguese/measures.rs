//! Numbers with units, temperatures, percentages.

use super::Variety;
use super::numbers::{Amount, Gender};
use super::rules::{Place, Say};
use super::words::UNITS;
use regex::Captures;

pub const RULES: &[(&str, Say)] = &[
    (r"(NUM)\s?[x×]\s?(NUM)(?:\s?[x×]\s?(NUM))?\s?(UNIT)", sides),
    (r"(SIGN)?(NUM)\s?(?:[-–—]|a)\s?(NUM)\s?(%|UNIT)(\.)?", span),
    (r"(?:(\d{1,2})/(\d{1,3})|([½¼¾⅓⅔⅛]))\s?(UNIT)(\.)?", part),
    (r"(\d{1,3})\s?(?:e\s)?(?:([½¼¾⅓⅔⅛])|\s(\d)/(\d{1,2}))\s?(UNIT)(\.)?", whole_and_part),
    (r"(NUM)\s?(UNIT)/(UNIT|100\s?(?:g|ml|mL)\b)", rate),
    (r"([12])m(\d{2})(?:cm)?\b", tall),
    (r"([-−–+±])?(NUM)\s?(%|UNIT)(\.)?", measure),
    (r"\((sopa|chá|café|sobremesa)\)", of_spoon),
    (r"(UNIT)", alone),
];

/// Symbols that are no words, nor parts of any.
const ALONE: &[&str] = &[
    "km/h", "km²", "cm²", "m²", "m³", "cm³", "km", "cm", "mm", "kg", "ml", "mL", "kWh", "kcal", "GB", "MB", "TB",
    "Mbps",
];

/// An alternation of all symbols, longest first.
pub fn symbols() -> String {
    let capital = UNITS.iter().flat_map(|(symbol, ..)| capitals(symbol));
    let symbols = UNITS.iter().map(|(symbol, ..)| (*symbol).to_owned()).chain(capital);
    let mut symbols: Vec<String> = symbols.map(|symbol| regex::escape(&symbol)).collect();
    symbols.sort_by_key(|symbol| std::cmp::Reverse(symbol.len()));
    symbols.join("|")
}

/// How else a symbol is written: `Km/h`, `KG`, `cols.`.
fn capitals(symbol: &str) -> Vec<String> {
    match symbol {
        "km/h" | "km²" | "km" | "kg" | "cm" | "mm" | "ml" | "mg" | "kcal" => {
            vec![symbol.to_uppercase(), super::capitalised(symbol)]
        }
        "xíc" | "col" | "colh" | "cx" | "pct" | "pç" | "un" | "unid" | "min" => vec![format!("{symbol}s")],
        _ => Vec::new(),
    }
}

/// A unit's name, and its gender.
fn unit(symbol: &str, one: bool, variety: Variety) -> Option<(String, Gender)> {
    if symbol == "%" {
        return Some(("por cento".to_owned(), Gender::Masculine));
    }
    let named = UNITS.iter().find(|(known, ..)| *known == symbol);
    let (_, single, several, feminine) =
        named.or_else(|| UNITS.iter().find(|(known, ..)| capitals(known).iter().any(|written| written == symbol)))?;
    let gender = if *feminine { Gender::Feminine } else { Gender::Masculine };
    Some((spelling(if one { single } else { several }, variety), gender))
}

/// "quilômetro" is "quilómetro" in Portugal.
fn spelling(name: &str, variety: Variety) -> String {
    match variety {
        Variety::Brazil => name.to_owned(),
        Variety::Portugal => name.replace("ômetro", "ómetro"),
    }
}

/// Whether what follows shows that the letters are no unit: the rest of a word, or an ordinal's noun.
fn is_unit(symbol: &str, number: &str, place: &Place) -> bool {
    let joined = place.after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '²' | '³'));
    let ordinal = symbol == "°" && super::quantities::is_ranked(place.after);
    let spaced_letter =
        number.ends_with(' ') && symbol.len() == 1 && matches!(symbol, "s" | "l" | "J") && !place.in_brazil();
    // `2 c. (sopa)`
    let spoon = [". de s", ". de c", ". (", " de sopa", " de chá", " (sopa", " (chá"];
    let no_spoon =
        symbol == "c" && !spoon.iter().any(|of| place.after.starts_with(of) || place.after.starts_with(&of[1..]));
    !(no_spoon || (joined && symbol.ends_with(char::is_alphabetic)) || ordinal || spaced_letter)
}

/// `1 ½ xíc.`, `2 1/2 kg`
fn whole_and_part(found: &Captures, place: &Place) -> Option<String> {
    let parts = match found.get(2) {
        Some(sign) => super::quantities::sign_parts(sign.as_str())?,
        None => (&found[3], &found[4]),
    };
    let whole: u64 = found[1].parse().ok()?;
    let (name, gender) = unit(&found[5], whole < 2, place.variety).filter(|_| is_unit(&found[5], "", place))?;
    let point = if found.get(6).is_some() { point(place) } else { "" };
    let part = super::quantities::and_part(parts, gender, place.variety)?;
    let count = super::numbers::cardinal(whole, gender, place.variety);
    (!place.is_joined()).then(|| format!("{count} {name} e {part}{point}"))
}

/// `1,2 kg/m³`, `120 kcal/100 g`.
fn rate(found: &Captures, place: &Place) -> Option<String> {
    if place.is_joined() || place.is_cut() || place.after.starts_with(['²', '³']) {
        return None;
    }
    let amount = Amount::parse(&found[1]);
    let (name, gender) = unit(&found[2], amount.is_one(), place.variety)?;
    let per = match found[3].strip_prefix("100") {
        Some(symbol) => format!("cem {}", unit(symbol.trim(), false, place.variety)?.0),
        None => unit(&found[3], true, place.variety)?.0,
    };
    Some(format!("{} {name} por {per}", amount.said(gender, place.variety)))
}

/// `1m70`
fn tall(found: &Captures, place: &Place) -> Option<String> {
    let amount = Amount { negative: false, whole: found[1].to_owned(), decimals: Some(found[2].to_owned()) };
    (!place.is_joined()).then(|| height(&amount, "m", place.variety)).flatten()
}

/// "colher de sopa", "xícara de chá".
fn of_spoon(found: &Captures, place: &Place) -> Option<String> {
    let counted = place.before.trim_end().trim_end_matches(" e meia");
    let spoon = ["colher", "colheres", "xícara", "xícaras"].iter().any(|noun| counted.ends_with(noun));
    spoon.then(|| format!("de {}", &found[1]))
}

fn measure(found: &Captures, place: &Place) -> Option<String> {
    let (sign, symbol) = (found.get(1).map_or("", |sign| sign.as_str()), &found[3]);
    if place.is_joined() || !is_unit(symbol, &found[2], place) {
        return None;
    }
    let amount = Amount { negative: matches!(sign, "-" | "−" | "–"), ..Amount::parse(&found[2]) };
    let point = if found.get(4).is_some() { point(place) } else { "" };
    if let Some(height) = height(&amount, symbol, place.variety) {
        return Some(height + point);
    }
    let (name, gender) = unit(symbol, amount.is_one(), place.variety)?;
    let plus = match sign {
        "+" => "mais ",
        "±" => "mais ou menos ",
        _ => "",
    };
    let of = if amount.is_round() && symbol != "%" { "de " } else { "" };
    Some(format!("{plus}{} {of}{name}{point}", amount.said(gender, place.variety)))
}

/// `1/2 xíc.`, `1/4 kg`
fn part(found: &Captures, place: &Place) -> Option<String> {
    let parts = match found.get(3) {
        Some(sign) => super::quantities::sign_parts(sign.as_str())?,
        None => (&found[1], &found[2]),
    };
    let proper = parts.0.parse::<u64>().ok()? < parts.1.parse().ok()? && !place.is_joined();
    let (name, gender) = unit(&found[4], true, place.variety).filter(|_| proper && is_unit(&found[4], "", place))?;
    let point = if found.get(5).is_some() { point(place) } else { "" };
    let half = if gender == Gender::Feminine { "meia" } else { "meio" };
    let said = if parts == ("1", "2") { half.to_owned() } else { super::times::parts(parts, place.variety)? + " de" };
    Some(format!("{said} {name}{point}"))
}

/// A unit in the place of a word: "150 milhões de km", "o m²".
fn alone(found: &Captures, place: &Place) -> Option<String> {
    let of = ["mil", "milhão", "milhões", "bilhão", "bilhões", "trilhões", "de", "em", "os", "quantos", "poucos"];
    let last = place.written_before.split_whitespace().next_back().unwrap_or_default();
    let power = last.ends_with(super::quantities::is_raised) || last.contains('^');
    let several = power || of.contains(&place.previous().as_str());
    let apart = place.written_before.ends_with([' ', '(']) && is_unit(&found[1], "", place);
    let named = apart && ALONE.contains(&&found[1]) && !place.after.starts_with('/');
    named.then(|| unit(&found[1], !several, place.variety)).flatten().map(|(name, _)| name)
}

/// `1,80 m`: "um metro e oitenta".
fn height(amount: &Amount, symbol: &str, variety: Variety) -> Option<String> {
    let metres = amount.number().filter(|metres| symbol == "m" && (1..=2).contains(metres))?;
    let centimetres: u64 = amount.decimals.as_deref().filter(|decimals| decimals.len() == 2)?.parse().ok()?;
    let (one, cardinal) = (amount.is_one(), |n| super::numbers::cardinal(n, Gender::Masculine, variety));
    let noun = if one { "metro" } else { "metros" };
    (centimetres > 0 && !amount.negative).then(|| format!("{} {noun} e {}", cardinal(metres), cardinal(centimetres)))
}

/// The point after a symbol goes where the sentence goes on.
fn point(place: &Place) -> &'static str {
    let on =
        place.after.strip_prefix(' ').is_some_and(|after| after.starts_with(|c: char| c.is_lowercase() || c == '('));
    if on { "" } else { "." }
}

fn span(found: &Captures, place: &Place) -> Option<String> {
    let symbol = &found[4];
    if place.is_joined() || !is_unit(symbol, &found[3], place) {
        return None;
    }
    let (first, last) = (Amount::parse(&found[2]), Amount::parse(&found[3]));
    let first = Amount { negative: found.get(1).is_some(), ..first };
    let (name, gender) = unit(symbol, false, place.variety)?;
    let point = if found.get(5).is_some() { point(place) } else { "" };
    Some(format!("{} a {} {name}{point}", first.said(gender, place.variety), last.said(gender, place.variety)))
}

/// "dez por quinze centímetros".
fn sides(found: &Captures, place: &Place) -> Option<String> {
    let symbol = &found[4];
    if place.is_joined() || !is_unit(symbol, &found[2], place) {
        return None;
    }
    let (name, gender) = unit(symbol, false, place.variety)?;
    let sides = [1, 2, 3].into_iter().filter_map(|side| found.get(side));
    let sides = sides.map(|side| Amount::parse(side.as_str()).said(gender, place.variety));
    Some(format!("{} {name}", sides.collect::<Vec<_>>().join(" por ")))
}
