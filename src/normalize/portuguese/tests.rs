//! The tables of sentences, and the rules that they were written from.

use super::numbers::{Amount, Gender, cardinal, digits, ordinal};
use super::rules::{RULES, patterns};
use super::*;
use crate::normalize::normalize;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const BRAZIL: &str = include_str!("../../../tests/golden/portuguese/brazil.tsv");
const NUMBERS: &str = include_str!("../../../tests/golden/portuguese/numbers.txt");
const PORTUGAL: &str = include_str!("../../../tests/golden/portuguese/portugal.tsv");

fn table(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    text.lines().filter_map(|line| line.split_once('\t'))
}

#[test]
fn every_sentence_of_the_tables_is_said_as_a_reader_would() {
    let tables = [(BRAZIL, Variety::Brazil), (PORTUGAL, Variety::Portugal)];
    let mut wrong = Vec::new();
    for (text, variety) in tables {
        for (written, expected) in table(text) {
            let said = said(written, variety).text;
            if said != expected {
                wrong.push(format!("{written}\n  {expected}\n  {said}"));
            }
        }
    }
    assert!(table(BRAZIL).count() >= 800);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
#[ignore = "needs espeak-ng"]
fn espeak_reads_the_words_of_the_tables_as_words() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/portuguese/espeak.sh");
    let ran = std::process::Command::new("sh").arg(script).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
}

#[test]
fn every_rule_has_a_pattern_that_compiles() {
    assert_eq!(RULES.len(), patterns().count());
}

/// The numbers of tests/golden/portuguese/oracle.py, from its seed on.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state
    };
    std::iter::from_fn(move || {
        let size = 10_u64.pow(1 + ((next() >> 33) % 12) as u32);
        Some((next() >> 20) % size)
    })
}

fn reais(n: u64) -> String {
    let written = format!("R$ {},{:02}", n / 100, n % 100);
    let said = said(&format!("são {written}"), Variety::Brazil).text;
    said["são ".len()..].to_owned()
}

fn number_said(kind: &str, n: u64) -> String {
    match kind {
        "cardinal" => cardinal(n, Gender::Masculine, Variety::Brazil),
        "ordinal" => ordinal(n % 399 + 1, Gender::Masculine, false).unwrap(),
        _ => reais(n % 1_000_000_000),
    }
}

/// CRC-32 (IEEE), as zlib has it.
fn crc(text: &str) -> u32 {
    !text.bytes().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn twenty_thousand_numbers_are_said_as_num2words_says_them() {
    let (mut kind_before, mut seed, mut blocks) = ("", 0, 0);
    let mut made = Box::new(numbers(0)) as Box<dyn Iterator<Item = u64>>;
    for line in NUMBERS.lines() {
        let [kind, expected, first] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if kind != kind_before {
            (kind_before, seed) = (kind, seed + 1);
            made = Box::new(numbers(seed));
        }
        let words: Vec<String> = made.by_ref().take(100).map(|n| number_said(kind, n)).collect();
        assert_eq!(words[0], first, "{kind}");
        assert_eq!(format!("{:08x}", crc(&words.join("\n"))), expected, "{kind}, the block of {first}");
        blocks += 1;
    }
    assert_eq!(blocks, 200);
}

#[test]
fn amounts_are_read_as_they_are_written_in_portuguese() {
    let amount = |text: &str| {
        let Amount { negative, whole, decimals } = Amount::parse(text);
        (negative, whole, decimals.unwrap_or_default())
    };
    for (text, negative, whole, decimals) in [
        ("1.234,56", false, "1234", "56"),
        ("-5", true, "5", ""),
        ("1.234", false, "1234", ""),
        ("0,05", false, "0", "05"),
        ("1,234.56", false, "1234", "56"),
        ("9.99", false, "9", "99"),
        ("1\u{a0}234", false, "1234", ""),
    ] {
        assert_eq!(amount(text), (negative, whole.to_owned(), decimals.to_owned()), "{text}");
    }
    assert_eq!(digits("11-9"), "um um nove");
}

#[test]
fn what_is_in_words_stays_byte_for_byte() {
    for text in [
        "",
        "Olá, mundo!",
        "— Vens comigo? — Não posso.",
        "O guarda-chuva (azul) de Ana: «caro»… enfim!",
        "[laughs] ♪ lá lá ♪ a < b & c",
        "Ele disse: “Vem cá.” E ela foi.",
        "Bem-estar, pôr do sol; hoje não.",
    ] {
        let said = said(text, Variety::Brazil);
        assert!(said.replaced.iter().all(|r| r.written == "&"), "{:?}", said.replaced);
        assert_eq!(said.text.replace(" e c", " & c"), text);
    }
}

#[test]
fn what_is_replaced_is_told_with_its_place() {
    let text = "São 2 casas a R$ 5.";
    let said = said(text, Variety::Brazil);
    assert_eq!(said.text, "São duas casas a cinco reais.");
    for Replacement { written, said: words, from, to } in &said.replaced {
        assert!(text[*from..].starts_with(written) && said.text[*to..].starts_with(words));
    }
    let written: Vec<_> = said.replaced.iter().map(|r| (r.written.as_str(), r.said.as_str())).collect();
    assert_eq!(written, [("2", "duas"), ("R$ 5", "cinco reais")]);
}

#[test]
fn letters_and_digits_of_other_alphabets_do_no_harm() {
    for text in ["ñ", "Ñ vou, ñ sei", "1min٣s٣٣٣ e ٣s٣٣", "٣ ½ e ١/٢ xíc.", "É 5º", "Ção2024 é ção٣", "*٣٣٣#", "ª5 º5"]
    {
        assert_eq!(put_back(&said(text, Variety::Brazil)), text);
    }
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

#[test]
fn nothing_is_lost_what_was_replaced_can_be_put_back() {
    let words: Vec<&str> = table(BRAZIL).flat_map(|(written, _)| written.split(' ')).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut word = || words[(rng.next_u64() % words.len() as u64) as usize];
    for _ in 0..500 {
        let text = normalize(&std::iter::repeat_with(&mut word).take(20).collect::<Vec<_>>().join(" "));
        for variety in [Variety::Brazil, Variety::Portugal] {
            assert_eq!(put_back(&said(&text, variety)), text);
        }
    }
}
