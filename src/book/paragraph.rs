//! The lines of a paragraph as one text with single spaces, which knows from which line each part came.

use super::breaks::Joint;
use crate::normalize::is_space;

/// A paragraph, or as much of it as is read.
#[derive(Default)]
pub(super) struct Paragraph {
    text: String,
    /// (where in `text` a line begins, its number), in order.
    lines: Vec<(usize, u64)>,
    /// White space was read, and nothing after it.
    space: bool,
    /// The next line goes on in the middle of a word.
    joined: bool,
}

impl Paragraph {
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds a line, or the next part of one.
    pub fn push(&mut self, number: u64, begins: bool, text: &str) {
        let joined = std::mem::take(&mut self.joined);
        // A hyphen that is repeated is there already.
        let repeated = |text: &str| text.starts_with('-') && self.text.ends_with('-');
        let text = if joined { text.trim_start() } else { text };
        let text = if joined && repeated(text) { &text[1..] } else { text };
        self.space |= begins && !joined;
        let mut marked = !begins;
        for c in text.chars() {
            if is_space(c) {
                self.space = true;
                continue;
            }
            if std::mem::take(&mut self.space) && !self.text.is_empty() {
                self.text.push(' ');
            }
            if !std::mem::replace(&mut marked, true) || self.lines.is_empty() {
                self.lines.push((self.text.len(), number));
            }
            self.text.push(c);
        }
    }

    /// Before a line is added: how it goes together with what is here.
    pub fn join(&mut self, joint: Joint) {
        match joint {
            Joint::Space => (),
            Joint::Stop if needs_stop(&self.text) => self.text.push('.'),
            Joint::Stop => (),
            Joint::Word => {
                let stem = self.text.trim_end_matches(['-', '\u{2010}', '\u{ad}']).len();
                self.text.truncate(stem);
                (self.joined, self.space) = (true, false);
            }
            Joint::Compound => (self.joined, self.space) = (true, false),
        }
    }

    /// The number of the line that the byte `at` came from.
    pub fn line(&self, at: usize) -> u64 {
        let after = self.lines.partition_point(|&(start, _)| start <= at);
        self.lines.get(after.saturating_sub(1)).map_or(0, |&(_, number)| number)
    }

    /// Forgets everything before the byte `at`.
    pub fn drop_until(&mut self, at: usize) {
        let number = self.line(at);
        self.text.drain(..at);
        self.lines.retain(|&(start, _)| start > at);
        self.lines.iter_mut().for_each(|(start, _)| *start -= at);
        self.lines.insert(0, (0, number));
    }
}

/// Whether a line ends without a stop, also before what closes: `(Sai.)`.
fn needs_stop(text: &str) -> bool {
    let closing = |c: char| matches!(c, ')' | '»' | '”' | '"');
    let inner = text.trim_end_matches(closing);
    inner.ends_with(char::is_alphanumeric) || (inner.len() < text.len() && !inner.ends_with(['.', '!', '?', '…']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(paragraph: &Paragraph) -> Vec<(&str, u64)> {
        paragraph
            .text()
            .split(' ')
            .scan(0, |at, word| {
                let start = *at;
                *at += word.len() + 1;
                Some((word, paragraph.line(start)))
            })
            .collect()
    }

    #[test]
    fn white_space_becomes_one_space_and_words_know_their_lines() {
        let mut paragraph = Paragraph::default();
        paragraph.push(7, true, "  Era \u{a0}\u{1d} uma ");
        paragraph.push(8, true, "vez");
        paragraph.push(9, true, "  um cora");
        paragraph.push(9, false, "ção. ");
        paragraph.push(9, false, "Fim");
        assert_eq!(lines(&paragraph), [("Era", 7), ("uma", 7), ("vez", 8), ("um", 9), ("coração.", 9), ("Fim", 9)]);
        paragraph.drop_until("Era uma vez ".len());
        assert_eq!(lines(&paragraph), [("um", 9), ("coração.", 9), ("Fim", 9)]);
        paragraph.drop_until(1);
        paragraph.push(10, true, "mesmo");
        assert_eq!(paragraph.text(), "m coração. Fim mesmo");
        assert_eq!((paragraph.line(0), paragraph.line(18)), (9, 10));
    }
}
