//! What is wrong with a text's directives, all of it in one reading.

use super::directive::{parts, unknown};
use super::lines::Lines;
use anyhow::Result;
use std::io::BufRead;

/// Longest part of a line that is looked at, bytes.
const HELD: usize = 1 << 16;

/// What is found, each with its line.
#[derive(Debug, Default, PartialEq)]
pub struct Remarks {
    /// What must be mended.
    pub errors: Vec<String>,
    /// Tags that mean nothing and are spoken as text.
    pub unknown: Vec<String>,
}

/// Looks through a whole text; `voices` are the names that `[voice: name]` may give.
///
/// # Errors
/// What cannot be read at all.
pub fn check(reader: impl BufRead, voices: &[String]) -> Result<Remarks> {
    let (mut lines, mut remarks) = (Lines::new(reader, HELD), Remarks::default());
    while let Some(line) = lines.step()? {
        if let Err(error) = parts(&line.text, voices) {
            remarks.errors.push(format!("line {}: {error:#}", line.number));
        }
        remarks.unknown.extend(unknown(&line.text).map(|tag| format!("line {}: {tag}", line.number)));
    }
    Ok(remarks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let text = "Oi.\n[voice: eva]\n[pause 99] <speak>\n[mood: sad] Fim.";
        let remarks = check(text.as_bytes(), &["ana".to_owned()]).unwrap();
        assert_eq!(remarks.errors.len(), 2);
        assert!(remarks.errors[0].starts_with("line 2: there is no voice named \"eva\""), "{remarks:?}");
        assert!(remarks.errors[1].starts_with("line 3: [pause 99]"), "{remarks:?}");
        assert_eq!(remarks.unknown, ["line 3: <speak>", "line 4: [mood: sad]"]);
        assert!(check(&b"caf\xe9"[..], &[]).is_err());
    }
}
