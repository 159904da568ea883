//! Results that are made once more with another seed, because somebody does not like them.

use super::hash::hash;
use crate::error::Kind;
use anyhow::{Result, bail};
use std::ops::RangeInclusive;

/// Which results are made once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redo {
    /// Those of these lines; recordings are counted from 1.
    Lines(Vec<RangeInclusive<u64>>),
    /// Those that may not sound right.
    Bad,
    /// Those that failed.
    Failed,
}

impl Redo {
    /// `bad`, `failed`, or lines as `10,12-14`.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "bad" => Ok(Redo::Bad),
            "failed" => Ok(Redo::Failed),
            lines => {
                match ranges(lines) {
                    Some(lines) => Ok(Redo::Lines(lines)),
                    None => bail!(Kind::Usage.error(format!(
                        "--redo {text}: expected `bad`, `failed`, or numbers of lines, such as 10,12-14"
                    ))),
                }
            }
        }
    }

    pub(super) fn holds_line(&self, line: u64) -> bool {
        matches!(self, Redo::Lines(lines) if lines.iter().any(|range| range.contains(&line)))
    }
}

/// Numbers from 1, as `10,12-14`.
pub fn ranges(text: &str) -> Option<Vec<RangeInclusive<u64>>> {
    text.split(',').map(range).collect()
}

fn range(text: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (1..=last).contains(&first).then_some(first..=last)
}

/// The seed of a result that was made once more `times` times. Short enough to be typed.
pub fn redone(seed: u64, times: u64) -> u64 {
    match times {
        0 => seed,
        _ => hash(&[b"redo", &seed.to_le_bytes(), &times.to_le_bytes()]) >> 32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbers_and_ranges() {
        let Ok(Redo::Lines(lines)) = Redo::parse("10, 12-14") else { panic!("lines") };
        assert_eq!(lines, [10..=10, 12..=14]);
        assert_eq!((Redo::parse("bad").unwrap(), Redo::parse("failed").unwrap()), (Redo::Bad, Redo::Failed));
        for text in ["", "0", "3-2", "a", "1,", "-1", "1-"] {
            assert!(Redo::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_time_has_its_own_seed() {
        assert_eq!(redone(7, 0), 7);
        assert!(redone(7, 1) != redone(7, 2) && redone(7, 1) != redone(8, 1));
    }
}
