//! Texts from anywhere through the whole path: bytes, lines, directives, sentences, passages, with and without words for
//! numbers. No letter or digit of what is UTF-8 is lost, but in directives; what is in words knows where it was written.
#![no_main]

use barkclone::book::{Budget, LineBreaks, Piece, Pieces, markdown};
use barkclone::normalize::{Variety, Wording, composed, normalize, utf8};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(reader) = utf8(data) else { return };
    let pieces = Pieces::new(reader, Budget::default(), str::len, vec!["ana".to_owned()]);
    let _ = pieces.reading(Wording::Guessed, LineBreaks::Auto).last();
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = markdown(text);
    for variety in [Variety::Brazil, Variety::Portugal] {
        let plain = normalize(text);
        let said = Wording::Portuguese(variety).said(&plain);
        for replacement in &said.replaced {
            assert!(plain[replacement.from..].starts_with(&replacement.written));
            assert!(said.text[replacement.to..].starts_with(&replacement.said));
        }
    }
    if text.starts_with('\u{feff}') || text.contains(['[', '<', '\0']) {
        return;
    }
    let letters = |text: &str| composed(text).chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let pieces = Pieces::new(text.as_bytes(), Budget::default(), str::len, Vec::new());
    let spoken = pieces.filter_map(|piece| match piece.unwrap() {
        Piece::Speak(passage) => Some(letters(&passage.text)),
        Piece::Pause(_) => None,
    });
    assert_eq!(spoken.collect::<String>(), letters(text));
});
