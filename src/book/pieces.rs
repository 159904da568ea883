//! The pieces of a text, as a stream.

use super::directive::Directive;
use super::lines::{Line, Lines};
use super::pack::{Budget, passages};
use super::paragraph::Paragraph;
use super::{Ends, Passage, Piece};
use crate::error::Kind;
use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::io::BufRead;
use std::ops::Range;

/// Most text that is held, bytes: a longer paragraph is taken in parts.
const HELD: usize = 1 << 16;
/// Silence in the place of what cannot be said, such as the asterisks between two scenes, seconds.
const SCENE: f64 = 1.5;

/// The pieces of a text in their order; ends after the first error, which names the line. Reading the same text again gives the
/// same pieces.
pub struct Pieces<R, F> {
    lines: Lines<R>,
    budget: Budget,
    tokens: F,
    voices: Vec<String>,
    paragraph: Paragraph,
    voice: Option<String>,
    ready: VecDeque<Piece>,
    over: bool,
}

impl<R: BufRead, F: Fn(&str) -> usize> Pieces<R, F> {
    /// `tokens` counts what the model reads of a text; `voices` are the names that `[voice: name]` may give.
    pub fn new(reader: R, budget: Budget, tokens: F, voices: Vec<String>) -> Self {
        let (paragraph, ready) = (Paragraph::default(), VecDeque::new());
        Self { lines: Lines::new(reader, HELD), budget, tokens, voices, paragraph, voice: None, ready, over: false }
    }

    fn read(&mut self) -> Result<()> {
        let Some(line) = self.lines.step()? else {
            self.over = true;
            self.flush(Ends::Paragraph);
            return Ok(());
        };
        let directive = self.directive(&line);
        match directive.with_context(|| Kind::Input.error(format!("line {}", line.number)))? {
            Some(Directive::Voice(voice)) => {
                self.flush(Ends::Sentence);
                self.voice = voice;
            }
            Some(Directive::Pause(seconds)) => {
                self.flush(Ends::Sentence);
                self.ready.push_back(Piece::Pause(seconds));
            }
            None if line.begins && line.ends && line.text.trim().is_empty() => self.flush(Ends::Paragraph),
            None => self.take(&line),
        }
        Ok(())
    }

    /// A line that has no end within what is held is no directive.
    fn directive(&self, line: &Line) -> Result<Option<Directive>> {
        if line.begins { Directive::parse(&line.text, &self.voices) } else { Ok(None) }
    }

    fn take(&mut self, line: &Line) {
        self.paragraph.push(line.number, line.begins, &line.text);
        if self.paragraph.text().len() >= HELD {
            self.flush_but_last();
        }
    }

    fn flush(&mut self, ends: Ends) {
        let paragraph = std::mem::take(&mut self.paragraph);
        for (range, within) in passages(paragraph.text(), &self.budget, &self.tokens) {
            let last = range.end == paragraph.text().len();
            self.emit(&paragraph, range, if last { ends } else { within });
        }
    }

    /// The last passage may go on in what is not read yet.
    fn flush_but_last(&mut self) {
        let mut paragraph = std::mem::take(&mut self.paragraph);
        let mut passages = passages(paragraph.text(), &self.budget, &self.tokens);
        let last = if passages.len() > 1 { passages.pop() } else { None };
        let last = last.map_or(paragraph.text().len(), |(range, _)| range.start);
        for (range, ends) in passages {
            self.emit(&paragraph, range, ends);
        }
        paragraph.drop_until(last);
        self.paragraph = paragraph;
    }

    fn emit(&mut self, paragraph: &Paragraph, range: Range<usize>, ends: Ends) {
        let line = paragraph.line(range.start);
        let text = paragraph.text()[range].to_owned();
        let piece = if text.contains(char::is_alphanumeric) {
            Piece::Speak(Passage { text, voice: self.voice.clone(), ends, line })
        } else {
            Piece::Pause(SCENE)
        };
        self.ready.push_back(piece);
    }
}

impl<R: BufRead, F: Fn(&str) -> usize> Iterator for Pieces<R, F> {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && !self.over {
            if let Err(error) = self.read() {
                self.over = true;
                return Some(Err(error));
            }
        }
        self.ready.pop_front().map(Ok)
    }
}
