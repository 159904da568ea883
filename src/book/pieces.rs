//! The pieces of a text, as a stream.

use super::breaks::{Breaks, LineBreaks, unmarked};
use super::directive::{Directive, Part, parts};
use super::lines::{Line, Lines};
use super::pack::{Budget, passages};
use super::paragraph::Paragraph;
use super::{Ends, Passage, Piece};
use crate::error::Kind;
use crate::normalize::{Said, Wording, is_said};
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
    wording: Wording,
    breaks: Breaks,
    paragraph: Paragraph,
    voice: Option<String>,
    ready: VecDeque<Piece>,
    over: bool,
}

impl<R: BufRead, F: Fn(&str) -> usize> Pieces<R, F> {
    /// `tokens` counts what the model reads of a text; `voices` are the names that `[voice: name]` may give.
    pub fn new(reader: R, budget: Budget, tokens: F, voices: Vec<String>) -> Self {
        let (paragraph, ready) = (Paragraph::default(), VecDeque::new());
        let (lines, wording, breaks) = (Lines::new(reader, HELD), Wording::default(), Breaks::default());
        Self { lines, budget, tokens, voices, wording, breaks, paragraph, voice: None, ready, over: false }
    }

    /// With numbers and the like in words, and line ends read as `breaks` has it.
    pub fn reading(self, wording: Wording, breaks: LineBreaks) -> Self {
        Self { wording, breaks: Breaks::new(breaks), ..self }
    }

    fn read(&mut self) -> Result<()> {
        let Some(line) = self.lines.step()? else {
            self.over = true;
            self.flush(Ends::Paragraph);
            return Ok(());
        };
        match () {
            () if line.begins && line.ends && line.text.trim().is_empty() => self.flush(Ends::Paragraph),
            () if line.begins => self.whole(&line)?,
            () => self.take(&line),
        }
        Ok(())
    }

    /// A line, or the first part of one that is longer than what is held.
    fn whole(&mut self, line: &Line) -> Result<()> {
        let voices = std::mem::take(&mut self.voices);
        let parts = parts(&line.text, &voices).with_context(|| Kind::Input.error(format!("line {}", line.number)));
        let taken = parts.map(|parts| parts.into_iter().for_each(|part| self.part(line, part)));
        self.voices = voices;
        taken
    }

    fn part(&mut self, line: &Line, part: Part) {
        match part {
            Part::Text(text) => {
                self.take(&Line { text: text.to_owned(), number: line.number, begins: true, ends: true })
            }
            Part::Directive(directive) => {
                self.flush(Ends::Sentence);
                match directive {
                    Directive::Voice(voice) => self.voice = voice,
                    Directive::Pause(seconds) => self.ready.push_back(Piece::Pause(seconds)),
                }
            }
        }
    }

    fn take(&mut self, line: &Line) {
        let mut text = line.text.as_str();
        if line.begins {
            let joint = self.breaks.before(text);
            self.paragraph.join(joint);
            text = unmarked(text);
        }
        self.paragraph.push(line.number, line.begins, text);
        if self.paragraph.text().len() >= HELD {
            self.flush_but_last();
        }
    }

    fn flush(&mut self, ends: Ends) {
        self.breaks.forget();
        let paragraph = std::mem::take(&mut self.paragraph);
        let said = self.wording.said(paragraph.text());
        for (range, within) in passages(&said.text, &self.budget, &self.tokens) {
            let last = range.end == said.text.len();
            self.emit((&paragraph, &said), range, if last { ends } else { within });
        }
    }

    /// The last passage may go on in what is not read yet.
    fn flush_but_last(&mut self) {
        let mut paragraph = std::mem::take(&mut self.paragraph);
        let said = self.wording.said(paragraph.text());
        let mut passages = passages(&said.text, &self.budget, &self.tokens);
        let goes_on = passages.len() > 1 && passages.last().is_some_and(|(range, _)| !said.is_within(range.start));
        let last = if goes_on { passages.pop() } else { None };
        let last = last.map_or(paragraph.text().len(), |(range, _)| said.origin(range.start));
        for (range, ends) in passages {
            self.emit((&paragraph, &said), range, ends);
        }
        paragraph.drop_until(last);
        self.paragraph = paragraph;
    }

    fn emit(&mut self, (paragraph, said): (&Paragraph, &Said), range: Range<usize>, ends: Ends) {
        let line = paragraph.line(said.origin(range.start));
        let replaced = said.replaced.iter().filter(|replacement| range.contains(&replacement.to)).cloned().collect();
        let text = said.text[range].replace('\u{ad}', "");
        let piece = if is_said(&text) {
            Piece::Speak(Passage { text, voice: self.voice.clone(), ends, line, replaced })
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
