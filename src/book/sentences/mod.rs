//! A paragraph -> its sentences: Unicode's sentence boundaries (UAX 29), mended for Portuguese and English.
//!
//! UAX 29 knows decimals, ellipses of dots and closing quotes, but no abbreviations, no dialogue dashes, and a lower-case letter
//! after `!` or `?` does not stop it.

mod abbreviations;

use abbreviations::goes_on;
use std::collections::BTreeSet;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// Longest `[sound]`, bytes; what is longer is text in brackets.
const MAX_SOUND: usize = 64;

/// Where the sentences of `text` are, without the white space between them. `text` has single spaces for white space.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let spans = protected(text);
    let mut places = unicode_boundaries(text);
    places.extend(own_boundaries(text, &spans));
    let mut spans = spans.iter().peekable();
    let (mut sentences, mut start) = (Vec::new(), 0);
    for at in places {
        while spans.next_if(|span| span.end <= at).is_some() {}
        let inside = spans.peek().is_some_and(|span| span.start < at);
        if !inside && ends_sentence(text[start..at].trim_end(), &text[at..]) {
            push(&mut sentences, text, start..at);
            start = at;
        }
    }
    push(&mut sentences, text, start..text.len());
    sentences
}

fn push(sentences: &mut Vec<Range<usize>>, text: &str, range: Range<usize>) {
    let sentence = text[range.clone()].trim();
    let start = range.end - text[range.clone()].trim_start().len();
    if !sentence.is_empty() {
        sentences.push(start..start + sentence.len());
    }
}

/// What is never cut: `[laughs]` and `♪ lyrics ♪`, in order.
pub(super) fn protected(text: &str) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut open = None;
    for (at, c) in text.char_indices() {
        open = match (c, open) {
            ('[', None) => Some((at, ']')),
            ('♪', None) => Some((at, '♪')),
            (_, Some((start, ']'))) if at - start > MAX_SOUND => None,
            (_, Some((start, closing))) if c == closing => {
                spans.push(start..at + c.len_utf8());
                None
            }
            _ => open,
        };
    }
    spans
}

const WIDE_OPENING: [char; 7] = ['「', '『', '（', '《', '〈', '【', '〔'];

fn unicode_boundaries(text: &str) -> BTreeSet<usize> {
    // To UAX 29 all brackets close, but one that opens right after a stop begins the next sentence.
    let bounds = text.split_sentence_bound_indices();
    bounds.map(|(at, _)| after_note(text, text[..at].trim_end_matches(WIDE_OPENING).len())).collect()
}

/// Past the number of a note that stands at `at`, right behind a stop: `fim.² Mas`.
fn after_note(text: &str, at: usize) -> usize {
    let rest = text[at..].trim_start_matches(['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹']);
    if text[..at].ends_with(' ') { at } else { text.len() - rest.len() }
}

/// Boundaries that UAX 29 does not see: after `…`, before a dash or a sound, and after lyrics.
fn own_boundaries(text: &str, spans: &[Range<usize>]) -> Vec<usize> {
    let lyrics = |end: usize| text[..end].ends_with('♪') && spans.binary_search_by_key(&end, |span| span.end).is_ok();
    let begins = text.match_indices(' ').map(|(space, _)| (space, space + 1));
    begins
        .filter(|&(space, at)| {
            let (before, after) = (text[..space].trim_end_matches(is_closing), &text[at..]);
            let opens = after.starts_with(['—', '–', '[', '♪']);
            lyrics(space) || before.ends_with('…') || (before.ends_with(is_terminator) && opens)
        })
        .map(|(_, at)| at)
        .collect()
}

fn is_terminator(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…')
}

fn is_closing(c: char) -> bool {
    matches!(c, '"' | '\'' | '”' | '’' | '»' | ')' | ']')
}

fn is_opening(c: char) -> bool {
    matches!(c, '"' | '\'' | '“' | '‘' | '«' | '(' | '—' | '–' | '-' | ' ')
}

/// Whether a sentence ends between `before`, which began with the last boundary, and `after`.
fn ends_sentence(before: &str, after: &str) -> bool {
    let next = after.trim_start_matches(is_opening);
    let in_sound = before.strip_suffix(']').is_some_and(|sound| sound.ends_with(is_terminator));
    // "Vens?" perguntou ela. — Não! — gritou ele.
    !in_sound && !next.starts_with(char::is_lowercase) && !goes_on(before, next)
}

#[cfg(test)]
mod tests;
