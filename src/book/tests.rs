//! Whole texts through the stream of pieces.

use super::*;
use crate::error::exit_code;
use crate::normalize::{Variety, Wording, composed, is_said};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::io::{BufReader, Read};

fn pieces(text: &[u8], budget: Budget) -> anyhow::Result<Vec<Piece>> {
    Pieces::new(text, budget, str::len, vec!["ana".to_owned(), "rui".to_owned()]).collect()
}

fn passages(text: &str, budget: Budget) -> Vec<Passage> {
    let pieces = pieces(text.as_bytes(), budget).unwrap().into_iter();
    pieces.filter_map(|piece| if let Piece::Speak(passage) = piece { Some(passage) } else { None }).collect()
}

fn speak(text: &str, voice: Option<&str>, ends: Ends, line: u64) -> Piece {
    Piece::Speak(Passage { text: text.to_owned(), voice: voice.map(str::to_owned), ends, line, replaced: Vec::new() })
}

#[test]
fn paragraphs_voices_and_pauses_come_in_order_with_their_lines() {
    let text = "\u{feff}Capítulo I\r\n\r\nEra uma vez\r\n  um rei. Tinha três filhas.\r\n\r\n[voice: ana]\r\n— Pai!\r\n[pause 0.8]\r\n\
                [voice: rui]\r\n— Sim?\r\n\r\n* * *\r\n\r\n[voice]\r\nFim.";
    let expected = [
        speak("Capítulo I", None, Ends::Paragraph, 1),
        speak("Era uma vez um rei. Tinha três filhas.", None, Ends::Paragraph, 3),
        speak("— Pai!", Some("ana"), Ends::Sentence, 7),
        Piece::Pause(0.8),
        speak("— Sim?", Some("rui"), Ends::Paragraph, 10),
        Piece::Pause(1.5),
        speak("Fim.", None, Ends::Paragraph, 15),
    ];
    assert_eq!(pieces(text.as_bytes(), Budget::default()).unwrap(), expected);
}

#[test]
fn a_long_paragraph_becomes_passages_that_know_their_lines() {
    let line = "A lua subiu devagar sobre os telhados da aldeia adormecida.\n";
    let passages = passages(&line.repeat(6), Budget::default());
    assert_eq!(passages.iter().map(|p| p.line).collect::<Vec<_>>(), [1, 3, 5]);
    assert_eq!(passages.iter().map(|p| p.ends).collect::<Vec<_>>(), [Ends::Sentence, Ends::Sentence, Ends::Paragraph]);
}

#[test]
fn errors_name_their_line_and_end_the_stream() {
    let wrong: [(&[u8], &str); 4] = [
        (b"Um.\n\n[voice: eva]\nDois.", "line 3: there is no voice named \"eva\"; there are: ana, rui"),
        (b"Um.\n[pause 99]", "line 2: [pause 99]: write the seconds"),
        (b"Um.\n\nDois [voice: rita] tr\xc3\xaas.", "line 3: there is no voice named"),
        (b"Um.\n\ncaf\xe9\n", "line 3: not UTF-8"),
    ];
    for (text, words) in wrong {
        let mut pieces = Pieces::new(text, Budget::default(), str::len, vec!["ana".to_owned(), "rui".to_owned()]);
        let error = pieces.by_ref().find_map(Result::err).unwrap();
        assert!(format!("{error:#}").starts_with(words), "{error:#}");
        assert_eq!(exit_code(&error), 3);
        assert!(pieces.next().is_none());
    }
}

#[test]
fn a_text_with_nothing_to_say_has_no_passage() {
    for text in ["", "\n\n", "* * *\n", "[voice: ana]\n[pause 1]\n"] {
        assert!(passages(text, Budget::default()).is_empty(), "{text:?}");
    }
}

/// Letters and digits: what must be kept, and all of it. What stops a line is added, and what cuts a word at its end goes.
fn letters<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.flat_map(|text| composed(text).chars().filter(|c| c.is_alphanumeric()).collect::<Vec<_>>()).collect()
}

/// Any number below `end`.
fn below(rng: &mut ChaCha8Rng, end: usize) -> usize {
    (rng.next_u64() % end as u64) as usize
}

/// Words, marks, blanks and line ends in any order; long runs without a mark or a space among them.
fn random_text(rng: &mut ChaCha8Rng) -> String {
    const PARTS: [&str; 36] = [
        "casa",
        "Ana",
        "o",
        "É",
        "coração",
        "Sr.",
        "Dr.",
        "p. ex.",
        "3,14",
        "1.000",
        "nº",
        "2.º",
        "J.",
        "I.",
        ".",
        "?",
        "!",
        "...",
        "…",
        ",",
        ";",
        ":",
        "—",
        "«",
        "»",
        "\"",
        "[laughs]",
        "♪",
        "(",
        ")",
        "[",
        "]",
        "今日は。",
        "e\u{301}\u{301}",
        "\n",
        "\n\n",
    ];
    let mut text = String::from("x");
    for _ in 0..below(rng, 400) {
        match below(rng, 60) {
            0 => text.push_str(&"á".repeat(below(rng, 400))),
            _ => text.push_str(PARTS[below(rng, PARTS.len())]),
        }
        text.push_str([" ", " ", "", "\u{a0}", "\t "][below(rng, 5)]);
    }
    text
}

#[test]
fn nothing_is_lost_and_every_passage_fits() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for round in 0..2_000 {
        // Every paragraph begins with a letter: one without any is a pause.
        let text = random_text(&mut rng).replace("\n\n", "\n\nx");
        let budget =
            Budget { tokens: 8 + below(&mut rng, 292), seconds: 1.0 + below(&mut rng, 1400) as f64 / 100.0, aim: 8.0 };
        let pieces = pieces(text.as_bytes(), budget).unwrap();
        let said = letters(pieces.iter().filter_map(|piece| match piece {
            Piece::Speak(passage) => Some(passage.text.as_str()),
            Piece::Pause(_) => None,
        }));
        assert_eq!(said, letters([text.as_str()].into_iter()), "round {round}");
        let passages = passages(&text, budget);
        for Passage { text, .. } in &passages {
            assert!(text.len() <= budget.tokens, "round {round}: {text}");
            assert!(estimate(text) <= budget.seconds, "round {round}: {text}");
            assert!(!text.contains("  ") && text.trim() == text && is_said(text));
        }
    }
}

/// A line of `left` bytes without an end, which remembers how much of it is not said yet.
struct Endless {
    word: &'static [u8],
    left: usize,
    at: usize,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(self.left);
        for byte in &mut buffer[..count] {
            *byte = self.word[self.at % self.word.len()];
            self.at += 1;
        }
        self.left -= count;
        Ok(count)
    }
}

#[test]
fn a_line_without_end_is_said_while_it_is_read() {
    for word in ["uma palavra e outra, ", "semespaços", "Frase. ", ".", "[", "\u{301}", "— ♪ [a "] {
        let bytes = (1 << 18) / word.len() * word.len();
        let endless = Endless { word: word.as_bytes(), left: bytes, at: 0 };
        let pieces = Pieces::new(BufReader::new(endless), Budget::default(), str::len, Vec::new());
        let mut letters = 0;
        for piece in pieces {
            if let Piece::Speak(passage) = piece.unwrap() {
                assert!(passage.text.len() <= 256 && passage.line == 1);
                letters += passage.text.chars().filter(|c| c.is_alphanumeric()).count();
            }
        }
        let each = word.chars().filter(|c| c.is_alphanumeric()).count();
        assert_eq!(letters, bytes / word.len() * each, "{word}");
    }
}

#[test]
fn lists_poems_and_cut_words_are_read_as_they_are_meant() {
    let text = "Compras:\nMaçã\nPera\nUva\n\nÉ uma nega-\ntiva do bem-\nestar.\n\nOlá [pausa 1] mundo.";
    let said: Vec<String> = passages(text, Budget::default()).into_iter().map(|p| p.text).collect();
    assert_eq!(said, ["Compras: Maçã. Pera. Uva", "É uma negativa do bem-estar.", "Olá", "mundo."]);
    let joined = Pieces::new(text.as_bytes(), Budget::default(), str::len, Vec::new());
    let first = joined.reading(Wording::Written, LineBreaks::Join).next().unwrap().unwrap();
    assert!(matches!(first, Piece::Speak(passage) if passage.text == "Compras: Maçã Pera Uva"));
}

#[test]
fn numbers_in_words_are_cut_into_passages_that_know_what_was_written() {
    let text = "Era 1822.\nCustou R$ 5 e durou 2 horas.";
    let pieces =
        Pieces::new(text.as_bytes(), Budget { seconds: 4.0, aim: 2.0, ..Budget::default() }, str::len, Vec::new());
    let pieces = pieces.reading(Wording::Portuguese(Variety::Brazil), LineBreaks::Auto);
    let passages: Vec<Passage> = pieces
        .map(|piece| match piece.unwrap() {
            Piece::Speak(passage) => passage,
            Piece::Pause(_) => panic!(),
        })
        .collect();
    assert_eq!(passages.iter().map(|p| p.line).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(passages[0].text, "Era mil oitocentos e vinte e dois.");
    let written = |p: &Passage| p.replaced.iter().map(|r| r.written.clone()).collect::<Vec<_>>();
    assert_eq!((written(&passages[0]), written(&passages[1])), (vec!["1822".into()], vec!["R$ 5".into(), "2".into()]));
}
