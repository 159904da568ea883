//! Texts from anywhere through the whole path: bytes, lines, directives, sentences, passages, Markdown, with and without
//! words for numbers. No letter or digit of what is UTF-8 is lost, but in directives; what is in words can be put back.
//!
//! An input whose first byte is even is not text: each byte stands for a part of one, so that the fuzzer begins with
//! words, marks and directives and looks for what they do beside one another.
#![no_main]

use barkclone::book::{Budget, LineBreaks, Piece, Pieces, check, inline, markdown};
use barkclone::normalize::{Said, Variety, Wording, composed, normalize, utf8};
use libfuzzer_sys::fuzz_target;

const PARTS: [&str; 110] = [
    " ", " ", " ", " ", "\n", "\n", "\n\n", "\r\n", "\r", "\t", "\u{c}", "\u{1d}", "\u{85}", "\u{2028}", "\u{a0}",
    "\u{feff}", "\u{200b}", "\u{200d}", "\u{ad}", "\u{301}", "\u{302}\u{327}", "casa", "Ana", "é", "o", "a", "de", "e",
    "coração", "guarda", "bem", "século", "Pedro", "IBGE", "ONU", "XIV", "II", "Sr.", "Dra.", "etc.", "nº", "p. ex.",
    "D.", "R.", "Av.", "Cap.", "0", "1", "2", "9", "10", "31", "007", "1.000", "3,14", "12/03/2026", "14h30", "14:30",
    "R$", "US$", "€", "%", "km", "m²", "°C", "kg", "º", "ª", "½", "/", "x", "3x2", "-", "–", "—", "\u{2010}", ".", ",",
    ";", ":", "?", "!", "…", "...", "(", ")", "[", "]", "<", ">", "«", "»", "\"", "'", "&", "#", "*", "- ", "1. ", "`",
    "@", "a@b.com", "www.a.br", "♪", "[laughs]", "[pause 1]", "<break time=\"500ms\"/>", "[voz: ana]", "今日は。",
    "「本当？」",
];

fn letters(text: &str) -> String {
    composed(text).chars().filter(|c| c.is_alphanumeric()).collect()
}

/// What was written, made of what is said.
fn put_back(said: &Said) -> String {
    let (mut written, mut at) = (String::new(), 0);
    for replacement in &said.replaced {
        written += &said.text[at..replacement.to];
        written += &replacement.written;
        at = replacement.to + replacement.said.len();
    }
    written + &said.text[at..]
}

/// The letters of all passages, in order.
fn spoken(text: &str, wording: Wording) -> String {
    let pieces = Pieces::new(text.as_bytes(), Budget::default(), str::len, Vec::new());
    let pieces = pieces.reading(wording, LineBreaks::Auto);
    let passages = pieces.filter_map(|piece| match piece.unwrap() {
        Piece::Speak(passage) => Some(letters(&passage.text)),
        Piece::Pause(_) => None,
    });
    passages.collect()
}

fn text(data: &[u8]) {
    let voices = || vec!["ana".to_owned()];
    let Ok(reader) = utf8(data) else { return };
    let pieces = Pieces::new(reader, Budget::default(), str::len, voices());
    let _ = pieces.reading(Wording::Guessed, LineBreaks::Auto).last();
    let _ = check(data, &voices());
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = inline(text, &voices());
    let marked = markdown(text);
    let pieces = Pieces::new(marked.text.as_bytes(), Budget::default(), str::len, voices());
    let _ = pieces.reading(Wording::Written, LineBreaks::Keep).last();
    let plain = normalize(text);
    for variety in [Variety::Brazil, Variety::Portugal] {
        assert_eq!(put_back(&Wording::Portuguese(variety).said(&plain)), plain);
    }
    if text.starts_with('\u{feff}') || text.contains(['[', '<', '\0']) {
        return;
    }
    assert_eq!(spoken(text, Wording::Written), letters(text));
    // One paragraph without line ends is what is put into words.
    let said = Wording::Portuguese(Variety::Brazil).said(&plain);
    if said.text.contains(char::is_alphanumeric) {
        assert_eq!(spoken(&plain, Wording::Portuguese(Variety::Brazil)), letters(&said.text));
    }
}

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((first, parts)) if first % 2 == 0 => {
            let parts: String = parts.iter().map(|part| PARTS[*part as usize % PARTS.len()]).collect();
            text(parts.as_bytes());
        }
        _ => text(data),
    }
});
