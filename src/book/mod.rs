//! A long text -> passages of one utterance each -> their WAV files joined into one, with subtitles.
//!
//! The text is read as a stream. A blank line ends a paragraph; directives change the voice, `[voice: ana]` (until the next one;
//! `[voice]` goes back to the default voice), or are silence, `[pause 0.8]` (seconds). Everything else is said.

use crate::normalize::Replacement;

mod breaks;
mod check;
mod cut;
mod directive;
mod epub;
mod inline;
mod join;
mod lines;
mod markdown;
mod pack;
mod paragraph;
mod pieces;
mod sentences;
mod subtitles;
mod xhtml;

pub use breaks::LineBreaks;
pub use check::{Remarks, check};
pub use directive::unknown;
pub use epub::{Chapter, epub};
pub use inline::{Inline, inline};
pub use join::{Gap, Part, Silence, Span, join};
pub use markdown::{Markdown, markdown};
pub use pack::{Budget, estimate};
pub use pieces::Pieces;
pub use sentences::sentences;
pub use subtitles::{Cue, Subtitles};

/// What a text is made of, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Speak(Passage),
    /// Silence of this many seconds, in the place of what would be between two passages; several add up.
    Pause(f64),
}

/// What one utterance says.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// With single spaces for white space, and with something to say.
    pub text: String,
    /// The name that the last `[voice: name]` gave; `None`: the default voice.
    pub voice: Option<String>,
    pub ends: Ends,
    /// The line of the text where it begins, from 1.
    pub line: u64,
    /// What of it was written otherwise.
    pub replaced: Vec<Replacement>,
}

/// What ends where a passage ends, and so how long the silence after it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ends {
    /// Part of a sentence that is too long for one utterance.
    Clause,
    Sentence,
    Paragraph,
}

#[cfg(test)]
mod tests;
