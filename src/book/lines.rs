//! Bytes -> numbered lines of UTF-8, a bounded part of a line at a time.

use crate::error::Kind;
use crate::normalize::composed;
use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, Read};

/// A line, or part of one that is longer than the limit.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    /// From 1.
    pub number: u64,
    /// Without the line's end.
    pub text: String,
    /// Whether the line begins here, and whether it ends here.
    pub begins: bool,
    pub ends: bool,
}

pub(super) struct Lines<R> {
    reader: R,
    /// Most bytes that are read at a time.
    limit: usize,
    /// The line that the next bytes belong to.
    number: u64,
    begins: bool,
    /// The first bytes of a character whose others are not read yet.
    split: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub fn new(reader: R, limit: usize) -> Self {
        Self { reader, limit, number: 1, begins: true, split: Vec::new() }
    }

    /// The next line or part of one; `None` at the end. Takes `\n` and `\r\n`, and drops marks and whatever else cannot be seen.
    pub fn step(&mut self) -> Result<Option<Line>> {
        let mut bytes = std::mem::take(&mut self.split);
        let kept = bytes.len();
        let read = (&mut self.reader).take(self.limit as u64).read_until(b'\n', &mut bytes);
        let read = read.with_context(|| format!("line {}: cannot be read", self.number))?;
        ensure!(read > 0 || kept == 0, self.not_utf8());
        if read == 0 {
            return Ok(None);
        }
        let newline = bytes.ends_with(b"\n");
        let text = self.decode(bytes, newline)?;
        let line = Line { number: self.number, text: trimmed(text), begins: self.begins, ends: newline };
        self.begins = newline;
        self.number += u64::from(newline);
        Ok(Some(line))
    }

    /// Keeps a character that the limit cut for the next time.
    fn decode(&mut self, bytes: Vec<u8>, whole: bool) -> Result<String> {
        let error = match String::from_utf8(bytes) {
            Ok(text) => return Ok(text),
            Err(error) => error,
        };
        let (valid, cut) = (error.utf8_error().valid_up_to(), error.utf8_error().error_len().is_none());
        let mut bytes = error.into_bytes();
        if whole || !cut {
            bail!(self.not_utf8());
        }
        self.split = bytes.split_off(valid);
        String::from_utf8(bytes).with_context(|| self.not_utf8())
    }

    fn not_utf8(&self) -> crate::error::Error {
        Kind::Input.error(format!("line {}: not UTF-8; save the text as UTF-8", self.number))
    }
}

/// Without the line's end and what cannot be seen, but for a soft hyphen at its end; accents composed.
fn trimmed(mut text: String) -> String {
    let end = text.strip_suffix('\n').map(|t| t.strip_suffix('\r').unwrap_or(t).len());
    text.truncate(end.unwrap_or(text.len()));
    let cut = if text.ends_with('\u{ad}') { "\u{ad}" } else { "" };
    composed(&text) + cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], limit: usize) -> Result<Vec<Line>> {
        let mut lines = Lines::new(bytes, limit);
        std::iter::from_fn(|| lines.step().transpose()).collect()
    }

    fn texts(bytes: &[u8], limit: usize) -> Vec<(u64, String)> {
        all(bytes, limit).unwrap().into_iter().map(|l| (l.number, l.text)).collect()
    }

    #[test]
    fn line_ends_of_both_kinds_and_byte_order_marks_go() {
        let lines = texts("\u{feff}Olá\r\n\nmundo\n\u{feff}fim".as_bytes(), 100);
        let expected = [(1, "Olá"), (2, ""), (3, "mundo"), (4, "fim")];
        assert_eq!(lines, expected.map(|(n, t)| (n, t.to_owned())));
    }

    #[test]
    fn a_line_past_the_limit_comes_in_parts_and_no_character_is_cut() {
        for limit in 1..12 {
            let parts = all("coração ♪ à 🎵\nfim".as_bytes(), limit).unwrap();
            let (first, second): (Vec<_>, Vec<_>) = parts.iter().partition(|p| p.number == 1);
            let joined = |parts: &[&Line]| parts.iter().map(|p| p.text.as_str()).collect::<String>();
            assert_eq!((joined(&first), joined(&second)), ("coração ♪ à 🎵".to_owned(), "fim".to_owned()));
            assert_eq!(parts.iter().filter(|p| p.begins).count(), 2);
            assert_eq!(parts.iter().filter(|p| p.ends).count(), 1, "the last line has no end");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused_with_their_line() {
        for (bytes, line) in
            [(&b"a\nb\ncaf\xe9 \n"[..], 3), (b"\xff\xfeO\0", 1), (b"fim \xc3", 1), (b"a\n\xe2\x99\n", 2)]
        {
            for limit in [1, 2, 100] {
                let error = all(bytes, limit).unwrap_err().to_string();
                assert!(error.starts_with(&format!("line {line}: not UTF-8")), "{error}");
            }
        }
    }
}
