//! Points that end no sentence: those of abbreviations, initials and the numbers of a list.

/// Before a name, in either case. No word of either language is spelled so.
const TITLES: &[&str] = &[
    "av", "cf", "cia", "dr", "dra", "dras", "drs", "eng", "enga", "engo", "exma", "exmas", "exmo", "exmos", "ilma",
    "ilmo", "messrs", "mme", "mr", "mrs", "ms", "prof", "profa", "profas", "profs", "sr", "sra", "sras", "srs", "srta",
    "srtas", "sto", "vs",
];
/// Before a name, written with a capital letter; without it they may be words.
const CAPITALISED: &[&str] = &[
    "Alm", "Arq", "Brig", "Cap", "Capt", "Cel", "Col", "Cón", "Dep", "Des", "Fr", "Gen", "Gov", "Hon", "Lgo", "Lt",
    "Maj", "Min", "Mons", "Mt", "Pe", "Pça", "Pres", "Rep", "Rev", "Rod", "Sen", "Sgt", "St", "Sta", "Ten", "Trav",
];
/// Before a number, Arabic or Roman.
const NUMBERED: &[&str] = &[
    "ap", "aprox", "apto", "arts", "bl", "ca", "cap", "caps", "ch", "cj", "doc", "eq", "fig", "figs", "fl", "fls",
    "fol", "lin", "liv", "máx", "mín", "n", "nasc", "op", "p", "pp", "proc", "pág", "págs", "ref", "sect", "séc",
    "sécs", "tel", "vol", "vols",
];
/// Before an Arabic number; without it they may be words.
const COUNTED: &[&str] = &[
    "abr", "ago", "apr", "art", "aug", "dec", "dez", "ed", "feb", "fev", "inc", "jan", "jul", "jun", "mai", "mar",
    "no", "nov", "nr", "oct", "out", "sec", "sep", "sept", "set", "tab", "v",
];
/// Before anything: "that is", "for example".
const EXPLAINING: &[&str] = &["e.g", "i.e", "p.ex", "p.s", "ph.d", "u.s", "v.g", "viz"];
/// Made of single capitals as initials are, but a sentence may end with them.
const ACRONYMS: &[&str] = &["a.c", "d.c", "e.u", "e.u.a", "o.n.u", "r.i.p", "s.a", "u.e", "u.s.a"];

/// Whether the sentence `before` goes on in `next` though it ends with a point.
pub(super) fn goes_on(before: &str, next: &str) -> bool {
    let Some(stem) = before.strip_suffix('.').filter(|stem| !stem.ends_with('.')) else { return false };
    if is_enumerator(stem) {
        return true;
    }
    let mut words = stem.rsplit(' ').map(|word| word.trim_start_matches(|c: char| !c.is_alphanumeric()));
    let (word, previous) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().to_lowercase());
    let lower = word.to_lowercase();
    let is = |list: &[&str]| list.contains(&lower.as_str());
    is_parted(word, next)
        || is_german_date(word, next)
        || is(TITLES)
        || is(EXPLAINING)
        || CAPITALISED.contains(&word)
        || (lower == "ex" && ["p.", "por"].contains(&previous.as_str()))
        || (is_initials(word) && !is(ACRONYMS))
        || (is(NUMBERED) && begins_with_roman(next))
        || ((is(NUMBERED) || is(COUNTED)) && next.starts_with(|c: char| c.is_ascii_digit()))
}

/// `z. B.`, `d. h.`, `p. ex.`, `i. e.`
fn is_parted(word: &str, next: &str) -> bool {
    let short = |part: &str| (1..=2).contains(&part.chars().count()) && part.chars().all(char::is_alphabetic);
    let small = word.chars().count() == 1 && word.chars().all(char::is_lowercase);
    small && next.split_once('.').is_some_and(|(part, _)| short(part))
}

/// `3. Oktober`
fn is_german_date(word: &str, next: &str) -> bool {
    const MONTHS: [&str; 12] = [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ];
    let day = (1..=2).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit());
    day && MONTHS.contains(&next.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default())
}

/// `1`, `IV`, `a` alone: the number of what follows.
fn is_enumerator(stem: &str) -> bool {
    let number = stem.len() <= 3 && stem.bytes().all(|b| b.is_ascii_digit());
    let letter = stem.len() == 1 && stem.bytes().all(|b| b.is_ascii_alphabetic());
    number || letter || is_roman(stem)
}

/// `J`, `J.R.R`, `J.-P`; not the pronoun or number `I` alone.
fn is_initials(word: &str) -> bool {
    let single = |part: &str| part.chars().count() == 1 && part.chars().all(char::is_uppercase);
    word != "I" && word.split(['.', '-']).filter(|part| !part.is_empty()).all(single) && !word.is_empty()
}

fn begins_with_roman(next: &str) -> bool {
    is_roman(next.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default())
}

fn is_roman(word: &str) -> bool {
    (1..=8).contains(&word.len()) && word.bytes().all(|b| b"IVXLCDM".contains(&b))
}
