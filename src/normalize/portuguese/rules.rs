//! The rules in their order, and what they see.

use super::{Variety, codes, letters, measures, quantities, roman, times, verses};
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// Where a rule's pattern fits.
pub struct Place<'a> {
    /// What is said so far.
    pub before: &'a str,
    /// The text before and after the pattern.
    pub written_before: &'a str,
    pub after: &'a str,
    pub variety: Variety,
}

impl Place<'_> {
    /// The last word before, in lower case.
    pub fn previous(&self) -> String {
        let before = self.written_before.trim_end();
        let word = before.rsplit(|c: char| !(c.is_alphanumeric() || c == '-')).next();
        word.unwrap_or_default().to_lowercase()
    }

    /// Whether a sign right here would belong to the word before.
    pub fn is_joined(&self) -> bool {
        self.written_before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, ')' | '%' | '°' | '$'))
    }

    /// Whether the pattern ends within a word.
    pub fn is_cut(&self) -> bool {
        self.after.starts_with(char::is_alphanumeric)
    }

    pub fn in_brazil(&self) -> bool {
        self.variety == Variety::Brazil
    }
}

/// What is said in the place of what a pattern fits; `None`: the rule does not hold here.
pub type Say = fn(&Captures, &Place) -> Option<String>;

pub struct Rule {
    pub pattern: Regex,
    pub say: Say,
}

/// `NUM`, a number with points or spaces between its thousands and a decimal comma; `SIGN`, what makes it negative.
const NUM: &str = r"(?:\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d{1,3}(?:,\d{3})+\.\d+|\d{1,3}(?:[\u{a0}\u{202f}]\d{3})+(?:,\d+)?|\d{1,3}(?: \d{3}){2,}(?:,\d+)?|\d+(?:,\d+)?)";
const SIGN: &str = "[-−–]";

/// All rules by their patterns, which are anchored where they are tried.
pub static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| patterns().filter_map(compiled).collect());

pub fn patterns() -> impl Iterator<Item = (&'static str, Say)> {
    let parts = [
        verses::RULES,
        codes::RULES,
        times::RULES,
        quantities::MONEY,
        measures::RULES,
        quantities::RULES,
        roman::RULES,
        letters::RULES,
    ];
    parts.into_iter().flatten().copied()
}

fn compiled((pattern, say): (&'static str, Say)) -> Option<Rule> {
    let pattern = pattern.replace("NUM", NUM).replace("SIGN", SIGN).replace("UNIT", &measures::symbols());
    Regex::new(&format!("^(?:{pattern})")).ok().map(|pattern| Rule { pattern, say })
}
