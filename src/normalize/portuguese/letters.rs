//! Abbreviations, acronyms and symbols.

use super::gender;
use super::lists::{is_in, meaning};
use super::numbers::Gender::{Feminine, Masculine};
use super::numbers::cardinal;
use super::quantities::short_number;
use super::rules::{Place, Say};
use super::words::{letter, spelled};
use regex::Captures;

pub const RULES: &[(&str, Say)] = &[
    (r"[pP]\.\s?ex\.", for_example),
    (r"[aA]\.\s?C\.", |_, place| Some(era("antes de Cristo", place))),
    (r"[dD]\.\s?C\.", |_, place| Some(era("depois de Cristo", place))),
    (r"[iI]\.\s?e\.", |_, _| Some("isto é".to_owned())),
    (r"V\.\s?Ex?(?:cia|ª|a)\.?", |_, _| Some("Vossa Excelência".to_owned())),
    (r"V\.\s?S(?:ª|a)\.?", |_, _| Some("Vossa Senhoria".to_owned())),
    (r"S\.\s?Exa?\.", |_, _| Some("Sua Excelência".to_owned())),
    (r"S[./]\s?A\.?", |_, place| {
        Some(ended("S A", place)).filter(|_| !place.is_cut()).map(|w| w.replace("S A", "esse á"))
    }),
    (r"N(?:\.?ª|\.|a\.)\s?S(?:ra\.|r\.?ª\.?|ª\.?)", |_, _| Some("Nossa Senhora".to_owned())),
    (r"[cC]/[cC]\b\.?", |_, place| (!place.is_joined()).then(|| "conta corrente".to_owned())),
    (r"D\.\s", dom_or_dona),
    (r"R\.\s", street),
    (r"[sS]/[nN]\b\.?[º°]?", |_, _| Some("sem número".to_owned())),
    (r"([cCsSpP])/\s?", with_slash),
    (r"a\.\s?([amd])\.", rate),
    (r"[kK]m\s", |_, place| place.after.starts_with(|c: char| c.is_ascii_digit()).then(|| "quilômetro ".to_owned())),
    (r"q\.\s?b\.", |_, place| Some(ended("quanto baste", place))),
    (r"[\p{L}\d]+(?:_[\p{L}\d]+)+", letters_and_digits),
    (r"(\p{L}{1,8})\b", whole_word),
    (r"(?:[A-Z][a-z]?[₀-₉]*)*[A-Z][a-z]?[₀-₉]+(?:[A-Z][a-z]?[₀-₉]*)*", formula),
    (r"e/ou\b", |_, _| Some("e ou".to_owned())),
    (r"(\p{L}{1,5})\.?([ªº])(s)?(\.)?", with_raised_end),
    (r"((?i:esq|dto|dtº))\b\.?", side),
    (r"(esq|dir)\.", hand),
    (r"[rR]/[cC]\b\.?", |_, place| (!place.in_brazil()).then(|| "rés-do-chão".to_owned())),
    (r"(\p{L}{1,7}[ªº]?)\.", abbreviated),
    (r"(?:vs|VS)\b", |_, place| (!place.is_joined()).then(|| "versus".to_owned())),
    (r"(?:[A-Z]\.){2,6}", pointed),
    (r"(?:\s?[-–]\s?|/\s?)([A-Z]{2})\b", state_after),
    (r"[A-Z]{2}\b", state_alone),
    (r"(\p{L}{2,4}):", before_colon),
    (r"([A-Z]{2,8})(s)?\b(?:-?(\d{1,4})\b)?", acronym),
    (r"([A-Z]{1,6})-?(\d{1,4})([A-Z]\d{0,4})?\b", coded),
    (r"(\d{1,4})([A-Z])\b", lettered),
    (r"(\d+)(k\b)?", before_letters),
    (r"\p{L}+\d[\p{L}\d]*", letters_and_digits),
    (r"§§?\s?", |found, _| Some(if found[0].starts_with("§§") { "parágrafos " } else { "parágrafo " }.to_owned())),
    (r"@[\w.]*\w", handle),
    (r"#(\p{L}\w*)", hashtag),
    (r"[#*]", lone_sign),
    (r"&", |_, place| sign_between(" e ", place, false)),
    (r"±\s?", |_, _| Some("mais ou menos ".to_owned())),
    (r"→\s?", |_, _| Some("para ".to_owned())),
    (r"√\s?", |_, _| Some("raiz quadrada de ".to_owned())),
    (r"π\b", |_, _| Some("pi".to_owned())),
    (r"[≈~]\s?", |_, place| {
        place.after.trim_start().starts_with(|c: char| c.is_ascii_digit()).then(|| "cerca de ".to_owned())
    }),
    (r"≥", |_, place| sign_between(" maior ou igual a ", place, false)),
    (r"≤", |_, place| sign_between(" menor ou igual a ", place, false)),
    (r"×", |_, place| sign_between(" vezes ", place, true)),
    (r"÷", |_, place| sign_between(" dividido por ", place, true)),
    (r"x", |_, place| x_between(place)),
    (r"\+", |_, place| sign_between(" mais ", place, true)),
    (r"=", |_, place| sign_between(" igual a ", place, true)),
    (r">", |_, place| sign_between(" maior que ", place, true)),
    (r"<", |_, place| sign_between(" menor que ", place, true)),
    (r"[-−–]", minus),
    (r"%", |_, place| (!place.is_cut()).then(|| "por cento".to_owned())),
    (r"€", |_, _| Some("euros".to_owned())),
];

/// Whether a sentence ends with the point just read.
fn ends_here(place: &Place) -> bool {
    let rest = place.after.trim_start_matches(['"', '”', '»', ')']);
    rest.is_empty() || (rest.starts_with(char::is_whitespace) && starts_sentence(rest.trim_start()))
}

fn starts_sentence(rest: &str) -> bool {
    rest.trim_start_matches(|c: char| "\"“«(—–- ".contains(c)).starts_with(char::is_uppercase)
}

/// `words`, and the abbreviation's point where it ends the sentence too.
fn ended(words: &str, place: &Place) -> String {
    if ends_here(place) { format!("{words}.") } else { words.to_owned() }
}

fn state(letters: &str) -> Option<&'static str> {
    meaning("state", letters)
}

/// `Recife/PE`, `OAB-SP`, `Salvador - BA`.
fn state_after(found: &Captures, place: &Place) -> Option<String> {
    let named =
        place.written_before.split_whitespace().next_back().is_some_and(|word| word.starts_with(char::is_uppercase));
    let ends = !place.after.trim_start().starts_with(|c: char| c.is_alphabetic() || c == '-');
    let spaced = found[0].contains(' ') || !place.is_joined();
    let fits = if spaced { named && ends } else { place.is_joined() && !place.after.starts_with('-') };
    let name = state(&found[1]).filter(|_| fits || found[0].starts_with('/'))?;
    Some(format!("{}{name}", if place.is_joined() { ", " } else { "" }))
}

/// States that are spoken of with an article, where it tells them from other acronyms.
const WITH_ARTICLE: &[&str] = &["RJ", "RS", "RN", "DF", "ES", "MT", "BA", "PB"];

/// `em SP`, `de MG`, `no RS`, `SP e RJ`, `Campinas (SP)`.
fn state_alone(found: &Captures, place: &Place) -> Option<String> {
    let name = state(&found[0]).filter(|_| !place.is_joined())?;
    let mut words = place.written_before.split_whitespace().rev();
    let last = words.next().unwrap_or_default();
    let before = words.next().unwrap_or_default();
    let is_state = |word: &str| state(word.trim_matches(|c: char| c.is_ascii_punctuation())).is_some();
    let near = match last.to_lowercase().as_str() {
        "em" | "de" | "para" | "entre" => true,
        "no" | "na" | "do" | "da" | "o" | "a" | "ao" | "à" | "pelo" | "pela" if WITH_ARTICLE.contains(&&found[0]) => {
            true
        }
        "e" | "ou" | "a" => is_state(before),
        "(" => before.starts_with(char::is_uppercase) && place.after.starts_with(')'),
        _ => last.ends_with(',') && is_state(last),
    };
    let listed = place.after.strip_prefix(" e ").or(place.after.strip_prefix(", ")).unwrap_or_default();
    let list = listed.get(..2).is_some_and(is_state) && !listed[2..].starts_with(char::is_alphanumeric);
    (near || list).then(|| name.to_owned())
}

fn before_colon(found: &Captures, place: &Place) -> Option<String> {
    let long = meaning("before-colon", &found[1].to_lowercase())?;
    let capital = found[1].starts_with(char::is_uppercase);
    let words = if capital { super::capitalised(long) } else { long.to_owned() };
    (!place.is_joined()).then(|| format!("{words}:"))
}

fn handle(found: &Captures, place: &Place) -> Option<String> {
    (!place.is_joined()).then(|| super::codes::address_said(&found[0], place))
}

/// `5% a.m.`
fn rate(found: &Captures, place: &Place) -> Option<String> {
    let time = match &found[1] {
        "a" => "ao ano",
        "m" => "ao mês",
        _ => "ao dia",
    };
    place.before.trim_end().ends_with("por cento").then(|| ended(time, place))
}

fn for_example(found: &Captures, place: &Place) -> Option<String> {
    let words = if found[0].starts_with('P') { "Por exemplo" } else { "por exemplo" };
    (!place.is_joined()).then(|| words.to_owned())
}

fn era(words: &str, place: &Place) -> String {
    ended(words, place)
}

/// "Dom Pedro", "Dona Ana".
fn dom_or_dona(_: &Captures, place: &Place) -> Option<String> {
    let name: String = place.after.chars().take_while(|c| c.is_alphabetic()).collect();
    if place.is_joined() || !name.starts_with(char::is_uppercase) || name.chars().count() < 2 {
        return None;
    }
    let lady = is_in("queen", &name) || name.ends_with('a') && !is_in("ruler", &name);
    Some(if lady { "Dona " } else { "Dom " }.to_owned())
}

/// "Rua Augusta": after "na", "da", at the beginning.
fn street(_: &Captures, place: &Place) -> Option<String> {
    let near = ["na", "da", "a", "à", "pela", "esta", "uma", ""].contains(&place.previous().as_str());
    let mut next = place.after.chars();
    let capital = next.next().is_some_and(char::is_uppercase) && next.next() != Some('.');
    let named = capital
        || place.after.starts_with(|c: char| c.is_ascii_digit())
        || ["da ", "das ", "de ", "do ", "dos "].iter().any(|of| place.after.starts_with(of));
    (near && named && !place.is_joined()).then(|| "Rua ".to_owned())
}

fn with_slash(found: &Captures, place: &Place) -> Option<String> {
    let word = match &found[1] {
        "c" | "C" => "com ",
        "s" | "S" => "sem ",
        _ => "para ",
    };
    let fits = place.after.starts_with(char::is_alphanumeric)
        && !place.is_joined()
        && found[1].chars().all(char::is_lowercase);
    fits.then(|| word.to_owned())
}

/// Abbreviations that something always follows.
const NEVER_LAST: &[&str] = &["cia", "vs", "tel", "tels", "aprox", "obs", "av"];

/// `profª`, `Dr.ª`, `Eng.º`, `Ex.ª`.
fn with_raised_end(found: &Captures, place: &Place) -> Option<String> {
    let (short, end) = (found[1].to_lowercase(), if &found[2] == "ª" { 'a' } else { 'o' });
    let plural = if found.get(3).is_some() { "s" } else { "" };
    let known = meaning("title", &format!("{short}{end}{plural}"));
    let long = known.or_else(|| {
        meaning("title", &short).or(meaning("numbered", &short)).filter(|_| end == 'o' && plural.is_empty())
    })?;
    let capital = found[1].starts_with(char::is_uppercase);
    let said = if capital { super::capitalised(long) } else { long.to_owned() };
    let last = found.get(4).is_some() && place.after.is_empty();
    (!place.is_cut()).then(|| if last { said + "." } else { said })
}

/// `3.º Esq.`, `2.º Dto.`
fn side(found: &Captures, place: &Place) -> Option<String> {
    let side = if found[1].starts_with(['E', 'e']) { "esquerdo" } else { "direito" };
    let point = found[0].ends_with('.');
    let before = place.written_before.trim_end();
    let floor =
        (before.ends_with(['º', '°']) || before.ends_with("/c") || place.previous() == "andar") && !place.is_joined();
    floor.then(|| if point { ended(side, place) } else { side.to_owned() })
}

/// `à dir.`
fn hand(found: &Captures, place: &Place) -> Option<String> {
    let hand = if &found[1] == "esq" { "esquerda" } else { "direita" };
    (place.previous() == "à").then(|| ended(hand, place))
}

/// Words of messages, `UnB`.
fn whole_word(found: &Captures, place: &Place) -> Option<String> {
    if place.is_joined()
        || place.after.starts_with(['.', '/', '@', '-', '\'', '_'])
            && place.after.len() > 1
            && !place.after[1..].starts_with(' ')
    {
        return None;
    }
    let (word, lower) = (&found[1], found[1].to_lowercase());
    let named = ["letra", "opção", "alternativa", "item", "alínea"].contains(&place.previous().as_str());
    let letter = word.chars().count() == 1 && (named || place.after.trim_start().starts_with([')', '=', ',']));
    let typed =
        meaning("message", &lower).filter(|_| !letter && (*word == lower || capitalised_alone(word)) && word != "Q");
    let said = typed.map(|long| if word == lower { long.to_owned() } else { super::capitalised(long) });
    meaning("mixed", word).map(str::to_owned).or(said)
}

/// Whether the first letter alone is a capital.
fn capitalised_alone(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(char::is_uppercase) && letters.all(char::is_lowercase)
}

/// `H₂SO₄`
fn formula(found: &Captures, place: &Place) -> Option<String> {
    let plain: String = found[0].chars().map(|c| super::quantities::lowered(c).unwrap_or(c)).collect();
    (!place.is_joined() && !place.is_cut()).then(|| runs_said(&plain, place))
}

/// `casa2024`, `H2SO4`: what no other rule knows.
fn letters_and_digits(found: &Captures, place: &Place) -> Option<String> {
    (!place.is_joined()).then(|| runs_said(&found[0], place))
}

fn runs_said(text: &str, place: &Place) -> String {
    let letters = |c: &char| c.is_alphabetic();
    let runs: Vec<char> = text.chars().collect();
    let said = runs.chunk_by(|a, b| letters(a) == letters(b)).map(|run| {
        let run: String = run.iter().collect();
        match run.chars().all(|c| c.is_ascii_uppercase()) {
            true => read_or_spelled(&run),
            false => super::codes::address_said(&run, place),
        }
    });
    said.collect::<Vec<_>>().join(" ")
}

/// Digits at the beginning of a word.
fn before_letters(found: &Captures, place: &Place) -> Option<String> {
    let thousands = found.get(2).is_some() && !place.is_cut();
    let number = short_number(&found[1], place.variety);
    if thousands {
        return Some(format!("{number} mil"));
    }
    (!place.is_joined() && place.is_cut()).then(|| format!("{number} "))
}

/// A word that is cut short by a point.
fn abbreviated(found: &Captures, place: &Place) -> Option<String> {
    let (written, lower) = (&found[1], found[1].to_lowercase());
    if place.is_joined() || place.is_cut() && written.len() > 2 {
        return None;
    }
    let long = before_number(&lower, place)
        .or_else(|| title(written, &lower, place))
        .or_else(|| meaning("before-colon", &lower).filter(|_| place.after.starts_with(':')))
        .or_else(|| meaning("abbreviation", &lower).filter(|_| is_abbreviation(&lower, place)))?;
    let long = agreeing(long, place);
    let several = long == "século" && ["os", "nos", "dos", "aos"].contains(&place.previous().as_str());
    let long = if several { format!("{long}s") } else { long };
    let long = if written.starts_with(char::is_uppercase) { super::capitalised(&long) } else { long };
    let goes_on = title(written, &lower, place).is_some()
        || before_number(&lower, place).is_some()
        || NEVER_LAST.contains(&lower.as_str());
    Some(if goes_on && !place.after.is_empty() { long } else { ended(&long, place) })
}

fn title(written: &str, lower: &str, place: &Place) -> Option<&'static str> {
    let named = place
        .after
        .strip_prefix(' ')
        .is_some_and(|after| after.starts_with(|c: char| c.is_uppercase()) || after.starts_with("d"));
    meaning("title", lower).or_else(|| meaning("capital-title", written).filter(|_| named))
}

fn before_number(lower: &str, place: &Place) -> Option<&'static str> {
    let after = place.after.trim_start();
    let number = after.starts_with(|c: char| c.is_ascii_digit());
    let label = after.chars().take_while(|c| c.is_alphanumeric()).all(|c| "IVXLC".contains(c))
        && after.starts_with(char::is_uppercase);
    let block = matches!(lower, "bl" | "ap" | "apto" | "cj" | "qd" | "lt") && after.starts_with(char::is_uppercase);
    meaning("numbered", lower).filter(|_| number || label || block)
}

/// Not a word at the end of its sentence.
fn is_abbreviation(lower: &str, place: &Place) -> bool {
    match lower {
        "min" | "máx" | "mín" | "méd" => !place.before.trim_end().ends_with(|c: char| c.is_ascii_digit()),
        "ago" | "jun" | "jul" | "jan" | "fev" | "abr" | "nov" => {
            !ends_here(place) || ["em", "de", "até", "desde"].contains(&place.previous().as_str())
        }
        "fac" | "end" | "ref" | "gov" | "pq" | "esq" | "temp" | "cel" => !ends_here(place),
        _ => true,
    }
}

/// `#ForçaBrasil`: its words apart, for no capital is heard.
fn hashtag(found: &Captures, place: &Place) -> Option<String> {
    let mut words = String::new();
    for c in found[1].chars() {
        if c.is_uppercase() && words.ends_with(char::is_lowercase) {
            words.push(' ');
        }
        words.push(c);
    }
    let is_named = place.previous().eq_ignore_ascii_case("hashtag");
    (!place.is_joined()).then(|| if is_named { words } else { format!("hashtag {words}") })
}

/// "temperatura máxima", "valor máximo"; of degrees alone "mínima de 18°".
fn agreeing(long: &str, place: &Place) -> String {
    let said = place.before.trim_end().rsplit(' ').next().unwrap_or_default();
    let number = place.after.trim_start().trim_start_matches("de ").trim_start_matches(['-', '−']);
    let unit = number.trim_start_matches(|c: char| c.is_ascii_digit() || c == ',').trim_start();
    let is_temperature = number.len() > unit.len() && unit.starts_with(['°', 'º', '℃']);
    match long {
        "máximo" | "mínimo" | "médio" if is_temperature || gender::of(said) == Feminine => long.replace('o', "a"),
        _ => long.to_owned(),
    }
}

/// `E.U.A.`, `O.N.U.`; two letters may be initials.
fn pointed(found: &Captures, place: &Place) -> Option<String> {
    let letters = found[0].replace('.', "");
    let known = is_in("read", &letters) || is_in("spelled", &letters);
    let said = read_or_spelled(&letters);
    ((letters.len() > 2 && !place.after.trim_start().starts_with(char::is_uppercase) || known) && !place.is_joined())
        .then(|| ended(&said, place))
}

fn acronym(found: &Captures, place: &Place) -> Option<String> {
    let letters = &found[1];
    let known = is_in("read", letters) || is_in("spelled", letters);
    if place.is_joined() || !known && (is_in("shouted", letters) || is_shouted(letters, place)) {
        return None;
    }
    if found.get(2).is_some() && place.is_cut() {
        return None;
    }
    let plural = if found.get(2).is_some() { "s" } else { "" };
    let said = format!("{}{plural}", read_or_spelled(letters));
    Some(match found.get(3) {
        Some(number) => format!("{said} {}", short_number(number.as_str(), place.variety)),
        None => said,
    })
}

/// Whether the words beside are in capitals too, or the word is too long for an acronym.
fn is_shouted(letters: &str, place: &Place) -> bool {
    let other = |c: char| c.is_lowercase() || c.is_ascii_digit();
    let vowel = |word: &str| word.contains(|c: char| "AEIOUÁÉÍÓÚÂÊÔÃÕ".contains(c));
    let roman = |word: &str| super::roman::value(word.trim_end_matches(|c: char| c.is_ascii_punctuation())).is_some();
    let capital = |word: &str| {
        vowel(word) && !roman(word) && word.chars().filter(|c| c.is_alphabetic()).count() > 1 && !word.contains(other)
    };
    let next = place.after.split_whitespace().next().unwrap_or_default();
    let previous = place.written_before.split_whitespace().next_back().unwrap_or_default();
    let whole = !place.written_before.contains(char::is_lowercase) && !place.after.contains(char::is_lowercase);
    // "PT, PSDB e MDB" are a list, and "TV LG" has no vowels.
    let previous = previous.trim_end_matches(|c: char| whole && c.is_ascii_punctuation());
    let previous = if previous.ends_with([',', ';', ':', ')']) { "" } else { previous };
    let unreadable = letters.len() < 6 && !vowel(letters) && !letters.contains("KK");
    letters.len() > 6 || !unreadable && (place.after.starts_with(' ') && capital(next) || capital(previous))
}

fn read_or_spelled(letters: &str) -> String {
    let readable = letters.len() > 3 && is_readable(letters) && !is_in("spelled", letters);
    if is_in("read", letters) || readable { super::capitalised(&letters.to_lowercase()) } else { spelled(letters) }
}

/// Whether the letters make Portuguese syllables.
fn is_readable(letters: &str) -> bool {
    let vowel = |c: &char| "AEIOU".contains(*c);
    let letters: Vec<char> = letters.chars().collect();
    let runs: Vec<&[char]> = letters.chunk_by(|a, b| vowel(a) == vowel(b)).collect();
    let last = runs.len().saturating_sub(1);
    let fits = |(place, run): (usize, &&[char])| match (vowel(&run[0]), run.len()) {
        (true, length) => length <= 2,
        (false, 1) => place < last || "LMNRSXZ".contains(run[0]),
        (false, 2) if place == 0 => "LR".contains(run[1]) && "BCDFGPTV".contains(run[0]),
        (false, 2) if place < last => {
            "LMNRSX".contains(run[0]) || ("LR".contains(run[1]) && "BCDFGPTV".contains(run[0]))
        }
        _ => false,
    };
    runs.len() > 1 && runs.iter().enumerate().all(fits)
}

/// `G20`, `BR-101`, `H1N1`.
fn coded(found: &Captures, place: &Place) -> Option<String> {
    let number = short_number(&found[2], place.variety);
    let rest = found.get(3).map(|rest| rest.as_str()).unwrap_or_default();
    let (letters, digits): (String, String) = rest.chars().partition(|c| c.is_alphabetic());
    let tail = [spelled(&letters), digits.parse().map(|n| cardinal(n, Masculine, place.variety)).unwrap_or_default()];
    let tail: String = tail.iter().filter(|part| !part.is_empty()).map(|part| format!(" {part}")).collect();
    (!place.is_joined()).then(|| format!("{} {number}{tail}", read_or_spelled(&found[1])))
}

/// `5G`, `12A`.
fn lettered(found: &Captures, place: &Place) -> Option<String> {
    let name = found[2].chars().next().and_then(letter)?;
    (!place.is_joined()).then(|| format!("{} {name}", short_number(&found[1], place.variety)))
}

/// A sign's name between spaces; `numbers`: only where a number is beside it.
fn sign_between(name: &str, place: &Place, numbers: bool) -> Option<String> {
    let digit = |c: char| c.is_ascii_digit();
    let (before, after) = (place.written_before.trim_end(), place.after.trim_start());
    let money = ["R$", "US$", "€"].iter().any(|sign| after.starts_with(sign));
    let beside = after.starts_with(digit) || before.ends_with(digit) || money;
    // `</b> 1` and `&amp;` are no sums.
    let (apart, next_apart) = (place.written_before.ends_with(' '), place.after.starts_with(' '));
    if (next_apart && !apart) || (name == " e " && apart != next_apart) {
        return None;
    }
    if (numbers && !beside)
        || after.is_empty()
        || before.is_empty()
        || (!numbers && name == " e " && !after.starts_with(char::is_alphanumeric))
    {
        return None;
    }
    let left = if place.written_before.ends_with(' ') { name.trim_start() } else { name };
    Some(if place.after.starts_with(' ') { left.trim_end() } else { left }.to_owned())
}

/// `4 m x 3 m`, `2 (4) x (3) 2`, `Vasco x Bahia`, `3 x 4`
fn x_between(place: &Place) -> Option<String> {
    let (before, after) = (place.written_before.strip_suffix(' ')?, place.after.strip_prefix(' ')?);
    let named = |side: Option<&str>| side.is_some_and(|side| side.starts_with(char::is_uppercase));
    if named(before.rsplit(' ').next()) && named(after.split(' ').next()) {
        return Some("versus".to_owned());
    }
    if before.ends_with(')') && after.starts_with('(') {
        return Some("a".to_owned());
    }
    sign_between(if before.ends_with('m') { " por " } else { " vezes " }, place, true)
}

/// A sign that is spoken of, as in "a tecla #".
fn lone_sign(found: &Captures, place: &Place) -> Option<String> {
    let before = place.written_before.strip_suffix(' ')?;
    let after = place.after.chars().next().is_none_or(|c| c.is_whitespace() || ".,;:!?)".contains(c));
    let name = if &found[0] == "#" { "cerquilha" } else { "asterisco" };
    (after && before.ends_with(char::is_alphabetic)).then(|| name.to_owned())
}

/// Between two numbers and spaces.
fn minus(_: &Captures, place: &Place) -> Option<String> {
    let digit = |c: char| c.is_ascii_digit();
    let (before, after) = (place.written_before.strip_suffix(' ')?, place.after.strip_prefix(' ')?);
    (before.ends_with(digit) && after.starts_with(digit) && after.contains('=')).then(|| "menos".to_owned())
}
