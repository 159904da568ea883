//! Numbers in words (Cunha & Cintra, "Nova gramática do português contemporâneo", on numerals).

use super::Variety;

const SMALL: [&str; 20] = [
    "zero",
    "um",
    "dois",
    "três",
    "quatro",
    "cinco",
    "seis",
    "sete",
    "oito",
    "nove",
    "dez",
    "onze",
    "doze",
    "treze",
    "catorze",
    "quinze",
    "dezesseis",
    "dezessete",
    "dezoito",
    "dezenove",
];
const TENS: [&str; 10] =
    ["", "", "vinte", "trinta", "quarenta", "cinquenta", "sessenta", "setenta", "oitenta", "noventa"];
const HUNDREDS: [&str; 10] = [
    "",
    "cento",
    "duzentos",
    "trezentos",
    "quatrocentos",
    "quinhentos",
    "seiscentos",
    "setecentos",
    "oitocentos",
    "novecentos",
];
/// (size, one, several), greatest first. A Brazilian "bilhão" is Portugal's "mil milhões".
const SCALES_BRAZIL: [(u64, &str, &str); 5] = [
    (1_000_000_000_000_000_000, "quintilhão", "quintilhões"),
    (1_000_000_000_000_000, "quatrilhão", "quatrilhões"),
    (1_000_000_000_000, "trilhão", "trilhões"),
    (1_000_000_000, "bilhão", "bilhões"),
    (1_000_000, "milhão", "milhões"),
];
const SCALES_PORTUGAL: [(u64, &str, &str); 3] = [
    (1_000_000_000_000_000_000, "trilião", "triliões"),
    (1_000_000_000_000, "bilião", "biliões"),
    (1_000_000, "milhão", "milhões"),
];
const ORDINAL_ONES: [&str; 10] =
    ["", "primeiro", "segundo", "terceiro", "quarto", "quinto", "sexto", "sétimo", "oitavo", "nono"];
const ORDINAL_TENS: [&str; 10] = [
    "",
    "décimo",
    "vigésimo",
    "trigésimo",
    "quadragésimo",
    "quinquagésimo",
    "sexagésimo",
    "septuagésimo",
    "octogésimo",
    "nonagésimo",
];
const ORDINAL_HUNDREDS: [&str; 10] = [
    "",
    "centésimo",
    "ducentésimo",
    "tricentésimo",
    "quadringentésimo",
    "quingentésimo",
    "sexcentésimo",
    "septingentésimo",
    "octingentésimo",
    "nongentésimo",
];

/// The gender of what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gender {
    Masculine,
    Feminine,
}

/// "dois mil e um", "duas mil e uma".
pub fn cardinal(n: u64, gender: Gender, variety: Variety) -> String {
    if n == 0 {
        return SMALL[0].to_owned();
    }
    let (mut rest, mut groups) = (n, Vec::new());
    let scales: &[_] = if variety == Variety::Brazil { &SCALES_BRAZIL } else { &SCALES_PORTUGAL };
    for &(size, one, several) in scales {
        let count = rest / size;
        rest %= size;
        if count > 0 {
            let name = if count == 1 { one } else { several };
            groups.push((count, format!("{} {name}", cardinal(count, Gender::Masculine, variety))));
        }
    }
    groups.extend(thousands(rest / 1000, gender, variety));
    groups.extend(Some(rest % 1000).filter(|&n| n > 0).map(|n| (n, below_thousand(n, gender, variety))));
    joined(&groups)
}

fn thousands(count: u64, gender: Gender, variety: Variety) -> Option<(u64, String)> {
    match count {
        0 => None,
        1 => Some((1, "mil".to_owned())),
        _ => Some((count, format!("{} mil", below_thousand(count, gender, variety)))),
    }
}

/// A group is joined by "e" where it is at most a hundred, and the last one also where it is hundreds alone.
fn joined(groups: &[(u64, String)]) -> String {
    let mut words = String::new();
    for (place, (count, group)) in groups.iter().enumerate() {
        if place > 0 {
            let last = place + 1 == groups.len();
            words += if *count <= 100 || (last && count % 100 == 0) { " e " } else { " " };
        }
        words += group;
    }
    words
}

fn below_thousand(n: u64, gender: Gender, variety: Variety) -> String {
    let (hundreds, rest) = ((n / 100) as usize, (n % 100) as usize);
    let mut words = Vec::new();
    match (hundreds, rest) {
        (0, _) => (),
        (1, 0) => words.push("cem".to_owned()),
        _ => words.push(agreeing(HUNDREDS[hundreds], gender)),
    }
    if rest >= 20 {
        words.push(TENS[rest / 10].to_owned());
    }
    let small = if rest < 20 { rest } else { rest % 10 };
    if small > 0 {
        words.push(varied(&agreeing(SMALL[small], gender), variety));
    }
    words.join(" e ")
}

fn agreeing(word: &str, gender: Gender) -> String {
    match (word, gender) {
        ("um", Gender::Feminine) => "uma".to_owned(),
        ("dois", Gender::Feminine) => "duas".to_owned(),
        (hundreds, Gender::Feminine) if hundreds.ends_with("entos") => hundreds.replace("entos", "entas"),
        _ => word.to_owned(),
    }
}

/// Whether `word` is one of those that cardinal numbers are written with, of either gender and variety.
pub fn is_of_cardinal(word: &str) -> bool {
    let word = word.to_lowercase().replace("entas", "entos").replace("deza", "deze");
    let scales = SCALES_BRAZIL.iter().chain(&SCALES_PORTUGAL).flat_map(|(_, one, several)| [one, several]);
    let mut all =
        SMALL.iter().chain(&TENS).chain(&HUNDREDS).chain(scales).chain(&["uma", "duas", "quatorze", "cem", "mil"]);
    !word.is_empty() && all.any(|known| *known == word)
}

/// dezesseis, dezessete, dezenove: dezasseis, dezassete, dezanove in Portugal.
fn varied(word: &str, variety: Variety) -> String {
    match (word, variety) {
        ("dezesseis", Variety::Portugal) => "dezasseis".to_owned(),
        ("dezessete", Variety::Portugal) => "dezassete".to_owned(),
        ("dezenove", Variety::Portugal) => "dezanove".to_owned(),
        _ => word.to_owned(),
    }
}

/// "vigésimo primeiro", "vigésima primeira"; `None` past 9999.
pub fn ordinal(n: u64, gender: Gender, plural: bool) -> Option<String> {
    if !(1..=9999).contains(&n) {
        return None;
    }
    let digit = |size: u64| (n / size % 10) as usize;
    let mut words = Vec::new();
    match digit(1000) {
        0 => (),
        1 => words.push("milésimo"),
        thousands => words.extend([ORDINAL_ONES[thousands], "milésimo"]),
    }
    words.extend([ORDINAL_HUNDREDS[digit(100)], ORDINAL_TENS[digit(10)], ORDINAL_ONES[digit(1)]]);
    let ended = words.into_iter().filter(|word| !word.is_empty()).map(|word| ended(word, gender, plural));
    Some(ended.collect::<Vec<_>>().join(" "))
}

fn ended(word: &str, gender: Gender, plural: bool) -> String {
    let stem = word.strip_suffix('o').unwrap_or(word);
    let vowel = if gender == Gender::Feminine { "a" } else { "o" };
    format!("{stem}{vowel}{}", if plural { "s" } else { "" })
}

/// "um terço", "três quartos", "três doze avos"; of a whole number of parts.
pub fn fraction(parts: u64, of: u64, variety: Variety) -> String {
    let several = |name: String| if parts == 1 { name } else { format!("{name}s") };
    let name = match of {
        2 => several("meio".to_owned()),
        3 => several("terço".to_owned()),
        4..=10 | 100 | 1000 => several(ordinal(of, Gender::Masculine, false).unwrap_or_default()),
        _ => format!("{} avos", cardinal(of, Gender::Masculine, variety)),
    };
    format!("{} {name}", cardinal(parts, Gender::Masculine, variety))
}

/// Each digit by its name, other characters left out.
pub fn digits(text: &str) -> String {
    let names = text.chars().filter_map(|c| c.to_digit(10)).map(|digit| SMALL[digit as usize]);
    names.collect::<Vec<_>>().join(" ")
}

/// A number as it is written in Portuguese: points or spaces between thousands, a decimal comma.
#[derive(Clone, Debug, PartialEq)]
pub struct Amount {
    pub negative: bool,
    /// Digits.
    pub whole: String,
    pub decimals: Option<String>,
}

impl Amount {
    pub fn parse(text: &str) -> Self {
        let negative = text.starts_with(['-', '−', '–']);
        let text = text.trim_start_matches(|c: char| !c.is_ascii_digit());
        let (whole, decimals) = match text.rsplit_once(decimal_mark(text)) {
            Some((whole, decimals)) => (whole, Some(decimals.to_owned())),
            None => (text, None),
        };
        let whole = whole.chars().filter(char::is_ascii_digit).collect();
        Self { negative, whole, decimals: decimals.filter(|d| !d.is_empty()) }
    }

    /// `None` where it is past what has a name, or a row of digits that is none, such as 007.
    pub fn number(&self) -> Option<u64> {
        let row = self.whole.len() > 1 && self.whole.starts_with('0');
        self.whole.parse().ok().filter(|_| !row)
    }

    /// Whether what is counted stands in the singular: 1 and 1,5, but not 2 or 0.
    pub fn is_one(&self) -> bool {
        self.whole == "1" || (self.whole == "0" && self.decimals.is_some())
    }

    /// Exactly so many millions or more: "um milhão de casas".
    pub fn is_round(&self) -> bool {
        self.decimals.is_none() && self.number().is_some_and(|n| n > 0 && n % 1_000_000 == 0)
    }

    pub fn said(&self, gender: Gender, variety: Variety) -> String {
        let gender = if self.decimals.is_some() { Gender::Masculine } else { gender };
        let whole = match self.number() {
            Some(n) => cardinal(n, gender, variety),
            None => digits(&self.whole),
        };
        let sign = if self.negative { "menos " } else { "" };
        let decimals = self.decimals.as_deref().map(|d| format!(" vírgula {}", decimals(d, variety)));
        format!("{sign}{whole}{}", decimals.unwrap_or_default())
    }
}

/// The decimal point of "1,234.56" and "9.99"; else the comma.
fn decimal_mark(text: &str) -> char {
    match (text.rfind('.'), text.rfind(',')) {
        (Some(point), Some(comma)) if point > comma => '.',
        (Some(point), None) if text.len() - point != 4 => '.',
        _ => ',',
    }
}

/// Up to two digits as a number, more of them one by one; zeros in front are said.
fn decimals(digits_after: &str, variety: Variety) -> String {
    let significant = digits_after.trim_start_matches('0');
    let short = digits_after.len() <= 2 && !significant.is_empty();
    match significant.parse() {
        Ok(n) if short => {
            let zeros = "zero ".repeat(digits_after.len() - significant.len());
            format!("{zeros}{}", cardinal(n, Gender::Masculine, variety))
        }
        _ => digits(digits_after),
    }
}
