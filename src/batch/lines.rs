//! Text lines of any number, each of bounded length: memory does not grow with the file.

use crate::error::Kind;
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, Read};

/// Longest line, bytes: far more than one utterance can hold.
const LONGEST: usize = 1 << 20;

/// Lines with their numbers, from 1. What ails a line is in its place; an error in the outer `Result` is the reader's
/// own.
pub struct Lines<R> {
    reader: R,
    number: u64,
}

/// A line's number, and its text without its end, or what is wrong with it.
pub type Numbered = (u64, Result<String>);

impl<R: BufRead> Lines<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }

    fn read(&mut self) -> Result<Option<Numbered>> {
        let mut bytes = Vec::new();
        let limit = LONGEST as u64 + 2;
        self.reader.by_ref().take(limit).read_until(b'\n', &mut bytes).context("cannot read the lines")?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        if bytes.len() as u64 == limit && !bytes.ends_with(b"\n") {
            self.reader.skip_until(b'\n').context("cannot read the lines")?;
        }
        Ok(Some((self.number, line(bytes, self.number == 1))))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Numbered>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn line(mut bytes: Vec<u8>, first: bool) -> Result<String> {
    let content = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let len = content.strip_suffix(b"\r").unwrap_or(content).len();
    bytes.truncate(len);
    ensure!(len <= LONGEST, Kind::Input.error("the line is longer than 1 MiB"));
    if first && bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).context(Kind::Input.error("the line is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<(u64, Result<String, String>)> {
        let lines = Lines::new(bytes).map(Result::unwrap);
        lines.map(|(number, line)| (number, line.map_err(|e| e.to_string()))).collect()
    }

    #[test]
    fn any_line_end_and_a_byte_order_mark_are_taken_away() {
        let lines = read(b"\xef\xbb\xbfone\r\ntwo\n\nfour");
        let expected = [(1, "one"), (2, "two"), (3, ""), (4, "four")].map(|(n, l)| (n, Ok(l.to_string())));
        assert_eq!(lines, expected);
        assert!(read(b"").is_empty());
    }

    #[test]
    fn a_line_that_cannot_be_read_does_not_spoil_the_next() {
        let long = "x".repeat(3 * LONGEST);
        let lines = read(&[b"caf\xe9\n", long.as_bytes(), b"\nok\n"].concat());
        assert!(lines[0].1.as_ref().unwrap_err().contains("UTF-8"));
        assert!(lines[1].1.as_ref().unwrap_err().contains("1 MiB"));
        assert_eq!(lines[2], (3, Ok("ok".to_string())));
        let exact = "x".repeat(LONGEST);
        assert_eq!(read(format!("{exact}\r\nok").as_bytes())[0].1.as_ref().unwrap().len(), LONGEST);
    }
}
