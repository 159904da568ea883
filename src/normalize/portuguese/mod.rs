//! Portuguese as it is written -> as it is said: numbers, money, dates, times, measures, abbreviations, acronyms and symbols in
//! words. What is in words already stays, byte for byte.
//!
//! The text is read from left to right; where a word or sign begins, the first rule that fits says what stands there.

mod codes;
mod gender;
mod letters;
mod lists;
mod measures;
mod numbers;
mod quantities;
mod roman;
mod rules;
mod times;
mod verses;
mod words;

pub use numbers::is_of_cardinal;

#[cfg(test)]
mod tests;

use rules::{Place, RULES};

/// Whose numbers, spelling and habits hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variety {
    Brazil,
    Portugal,
}

/// What was said in the place of something written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Replacement {
    pub written: String,
    pub said: String,
    /// Where `written` begins in the text that was read, and `said` in the one that was made, bytes.
    #[serde(skip)]
    pub from: usize,
    #[serde(skip)]
    pub to: usize,
}

/// A text as it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub text: String,
    pub replaced: Vec<Replacement>,
}

/// Longest `[sound]`, bytes.
const MAX_SOUND: usize = 64;

/// `text` in words. It has single spaces for white space.
pub fn said(text: &str, variety: Variety) -> Said {
    let (mut said, mut at, mut fresh) = (Said::default(), 0, true);
    while let Some(c) = text[at..].chars().next() {
        let begins = fresh || !text[..at].ends_with(char::is_alphanumeric) || !c.is_alphanumeric();
        let kept = sound(&text[at..]).unwrap_or_default();
        if kept > 0 {
            said.text.push_str(&text[at..at + kept]);
            at += kept;
            continue;
        }
        match begins.then(|| first(text, at, &said.text, variety)).flatten() {
            Some((length, words)) => {
                let (length, words) = repeated(&text[at + length..], &words)
                    .map_or((length, words.clone()), |(more, words)| (length + more, words));
                said.replace(&text[at..at + length], at, words);
                (at, fresh) = (at + length, true);
            }
            None => {
                said.text.push(c);
                (at, fresh) = (at + c.len_utf8(), false);
            }
        }
    }
    said
}

/// `6 (seis) meses`, `2 (duas) vias`: the length of the words in brackets that say the number once more, and they.
fn repeated(after: &str, words: &str) -> Option<(usize, String)> {
    let inner = after.trim_start().strip_prefix('(')?.split_once(')')?.0;
    let masculine =
        |words: &str| words.to_lowercase().replace("uma", "um").replace("duas", "dois").replace("entas", "entos");
    let length = after.find(')')? + 1;
    (masculine(inner) == masculine(words)).then(|| (length, inner.to_owned()))
}

/// The length of a `[sound]` or of `♪ lyrics ♪`, which are left as they are.
fn sound(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(']').filter(|end| *end < MAX_SOUND)?;
    let name = &inner[..end];
    (name.contains(char::is_alphabetic) && !name.contains(['[', ' ']) || name.starts_with(char::is_lowercase))
        .then_some(end + 2)
}

/// What the first rule that fits makes of what stands at `at`: its length, and the words for it.
fn first(text: &str, at: usize, said: &str, variety: Variety) -> Option<(usize, String)> {
    for rule in RULES.iter() {
        let Some(found) = rule.pattern.captures(&text[at..]) else { continue };
        let length = found.get(0).map_or(0, |whole| whole.len());
        let place = Place { before: said, written_before: &text[..at], after: &text[at + length..], variety };
        if let Some((words, used)) = (rule.say)(&found, &place).map(|words| (words, length)).filter(|_| length > 0) {
            return Some((used, words));
        }
    }
    None
}

impl Said {
    /// Where in the written text what is said at the byte `at` comes from.
    pub fn origin(&self, at: usize) -> usize {
        let before = self.replaced.partition_point(|replacement| replacement.to <= at);
        let Some(last) = before.checked_sub(1).and_then(|last| self.replaced.get(last)) else { return at };
        let end = last.to + last.said.len();
        if at < end { last.from } else { last.from + last.written.len() + (at - end) }
    }

    /// Whether the byte `at` is within what was put into words.
    pub fn is_within(&self, at: usize) -> bool {
        self.replaced
            .iter()
            .any(|replacement| (replacement.to + 1..replacement.to + replacement.said.len()).contains(&at))
    }

    fn replace(&mut self, written: &str, from: usize, words: String) {
        let small = written.starts_with(char::is_lowercase);
        let words = if begins_sentence(&self.text) && !small { capitalised(&words) } else { words };
        if words != written {
            let (written, to) = (written.to_owned(), self.text.len());
            self.replaced.push(Replacement { written, said: words.clone(), from, to });
        }
        self.text.push_str(&words);
    }
}

/// Whether what comes after `before` is the first word of a sentence.
fn begins_sentence(before: &str) -> bool {
    let before = before.trim_end_matches(|c: char| c.is_whitespace() || "\"'“‘«(—–-¿¡".contains(c));
    before.is_empty() || before.ends_with(['.', '!', '?', '…'])
}

fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
