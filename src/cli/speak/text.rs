//! The flags of `speak` that say how a text is read, and the notes on it.

use crate::cli::progress::Terminal;
use anyhow::Result;
use barkclone::batch::Task;
use barkclone::book::{self, LineBreaks};
use barkclone::normalize::{Variety, Wording, wants_words};
use barkclone::progress::Progress;
use barkclone::stage::text::Text;
use clap::{Args, ValueEnum};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Args, Debug)]
#[command(next_help_heading = "Text")]
pub struct TextArgs {
    /// Say numbers, money, dates, times, measures, abbreviations and acronyms of Portuguese in words: `pt` as in
    /// Brazil, `pt-pt` as in Portugal, `auto` as in Brazil where the text is Portuguese. `off` leaves the text as it is
    /// written
    #[arg(long, value_name = "LANGUAGE", value_enum, default_value = "off")]
    normalize: Normalize,
    /// What a line's end means in --file, but for blank lines, which end a paragraph: `keep`, a stop; `join`, a space;
    /// `auto`, a stop in poems, lists and headings, and a space in wrapped text
    #[arg(long, value_name = "HOW", value_enum, default_value = "auto")]
    line_breaks: LineEnds,
    /// Read --file as Markdown, as files named .md or .markdown are: headings become pauses, lists lines, links their
    /// words; code is not spoken
    #[arg(long)]
    markdown: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LineEnds {
    Keep,
    Join,
    Auto,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Normalize {
    #[value(alias = "pt-br")]
    Pt,
    PtPt,
    Auto,
    Off,
}

impl TextArgs {
    pub fn wording(&self) -> Wording {
        match self.normalize {
            Normalize::Pt => Wording::Portuguese(Variety::Brazil),
            Normalize::PtPt => Wording::Portuguese(Variety::Portugal),
            Normalize::Auto => Wording::Guessed,
            Normalize::Off => Wording::Written,
        }
    }

    pub fn line_breaks(&self) -> LineBreaks {
        match self.line_breaks {
            LineEnds::Keep => LineBreaks::Keep,
            LineEnds::Join => LineBreaks::Join,
            LineEnds::Auto => LineBreaks::Auto,
        }
    }

    /// Whether a file is read as Markdown.
    pub fn is_markdown(&self, path: &Path) -> bool {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        self.markdown || extension.is_some_and(|extension| extension == "md" || extension == "markdown")
    }

    /// Whether a hint at the flag is in place.
    pub fn is_missed(&self, text: &str) -> bool {
        self.wording() == Wording::Written && wants_words(text)
    }
}

/// What is told of a text with digits.
pub const HINT: &str = "the text looks Portuguese and has digits: --normalize pt says them in words";

/// What looks like a tag may be meant as one.
pub fn warn_of_tags(text: &str, terminal: &Terminal) {
    for tag in book::unknown(text) {
        terminal.note(&format!("warning: {tag} means nothing here, and is spoken as text"));
    }
}

/// Words that the tokenizer does not know: they are lost, which nobody would guess. Each with the first line that has it,
/// and how many others have.
#[derive(Default)]
pub struct Unknown(BTreeMap<String, (u64, String, u64)>);

impl Unknown {
    /// Takes those of a line.
    pub fn add(&mut self, task: &Task, words: Vec<String>) {
        for word in words.into_iter().map(shortened).collect::<BTreeSet<_>>() {
            let (first, place, more) = self.0.entry(word).or_insert((u64::MAX, String::new(), 0));
            *more += u64::from(*first != u64::MAX);
            if task.line < *first {
                (*first, *place) = (task.line, task.place());
            }
        }
    }

    /// Warns of each.
    pub fn tell(&self, progress: &dyn Progress) {
        let mut words: Vec<_> = self.0.iter().collect();
        words.sort_by_key(|(_, (first, ..))| *first);
        for (word, (_, place, more)) in words {
            let more = if *more > 0 { format!(" (and {more} more)") } else { String::new() };
            progress.note(&format!("warning: {place}: {}{more}", unspoken(word)));
        }
    }
}

/// Warns of what a single text loses.
pub fn warn_of_unknown(tokenizer: &Text, text: &str, terminal: &Terminal) -> Result<()> {
    let words: BTreeSet<_> = tokenizer.unknown(text)?.into_iter().map(shortened).collect();
    words.iter().for_each(|word| terminal.note(&format!("warning: {}", unspoken(word))));
    Ok(())
}

fn unspoken(word: &str) -> String {
    format!("`{word}` is not spoken: the tokenizer does not know it")
}

fn shortened(word: String) -> String {
    match word.chars().count() {
        ..=40 => word,
        letters => format!("{}… ({letters} characters)", word.chars().take(30).collect::<String>()),
    }
}
