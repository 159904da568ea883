//! Lines that say how to speak rather than what: `[voice: ana]`, `[voice]`, `[pause 0.8]`.

use crate::error::Kind;
use anyhow::{Result, bail, ensure};

/// Longest pause that may be asked for, seconds.
const MAX_PAUSE: f64 = 60.0;
/// What begins a directive, and so has no place within a line of text.
const OPENINGS: [&str; 5] = ["[voice]", "[voice:", "[pause]", "[pause:", "[pause "];

#[derive(Debug, PartialEq)]
pub(super) enum Directive {
    /// Who speaks from here on; `None`: the default voice.
    Voice(Option<String>),
    /// Silence, seconds.
    Pause(f64),
}

impl Directive {
    /// What a line says, where it is a directive; `None` where it is text. `voices` are the names that may be given.
    pub fn parse(line: &str, voices: &[String]) -> Result<Option<Self>> {
        let inner = line.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(inner) = inner.filter(|inner| !inner.contains(['[', ']'])) {
            let (word, rest) = inner.split_at(inner.find([':', ' ']).unwrap_or(inner.len()));
            return match word.to_lowercase().as_str() {
                "voice" => voice(rest, voices).map(Some),
                "pause" => pause(rest).map(Some),
                _ => Ok(None),
            };
        }
        let lower = line.to_lowercase();
        let within = OPENINGS.iter().any(|opening| lower.contains(opening));
        ensure!(!within, Kind::Input.error("a directive such as [voice: ana] or [pause 0.8] needs a line of its own"));
        Ok(None)
    }
}

fn voice(rest: &str, voices: &[String]) -> Result<Directive> {
    if rest.is_empty() {
        return Ok(Directive::Voice(None));
    }
    let name = rest.strip_prefix(':').unwrap_or_default().trim();
    ensure!(
        !name.is_empty(),
        Kind::Input.error("a voice needs a name, such as [voice: ana]; [voice] is the default one")
    );
    if voices.iter().any(|voice| voice == name) {
        return Ok(Directive::Voice(Some(name.to_owned())));
    }
    bail!(Kind::Input.error(match voices {
        [] => format!("there is no voice named {name:?}: none was given a name"),
        _ => format!("there is no voice named {name:?}; there are: {}", voices.join(", ")),
    }))
}

fn pause(rest: &str) -> Result<Directive> {
    let seconds = rest.trim().parse::<f64>().ok().filter(|s| *s > 0.0 && *s <= MAX_PAUSE);
    let refusal =
        || Kind::Input.error(format!("[pause{rest}]: write the seconds, up to {MAX_PAUSE}, such as [pause 0.8]"));
    Ok(Directive::Pause(seconds.ok_or_else(refusal)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Directive>> {
        Directive::parse(line, &["ana".to_owned(), "João Pedro".to_owned()])
    }

    #[test]
    fn directives_stand_on_lines_of_their_own() {
        let voice = |name: &str| Some(Directive::Voice(Some(name.to_owned())));
        assert_eq!(parse("[voice: ana]").unwrap(), voice("ana"));
        assert_eq!(parse("  [Voice:João Pedro ]\t").unwrap(), voice("João Pedro"));
        assert_eq!(parse("[voice]").unwrap(), Some(Directive::Voice(None)));
        assert_eq!(parse("[pause 0.8]").unwrap(), Some(Directive::Pause(0.8)));
        assert_eq!(parse("[PAUSE 60]").unwrap(), Some(Directive::Pause(60.0)));
    }

    #[test]
    fn sounds_and_other_brackets_are_text() {
        for line in [
            "[laughs]",
            "[laughs] Que bom!",
            "♪ lá lá ♪",
            "[1] Ver a nota.",
            "[voices in the crowd]",
            "[voice-over] Era uma vez",
            "Sim. [voice breaking] Não.",
            "",
        ] {
            assert_eq!(parse(line).unwrap(), None, "{line}");
        }
    }

    #[test]
    fn malformed_directives_are_refused_and_told_how() {
        let refused = [
            ("[voice: rui]", "there are: ana, João Pedro"),
            ("[voice:]", "needs a name"),
            ("[voice ana]", "such as [voice: ana]"),
            ("[voice: ana] Olá", "a line of its own"),
            ("Olá [pause 2] mundo", "a line of its own"),
            ("[voice: ana", "a line of its own"),
            ("[pause 2][pause 3]", "a line of its own"),
            ("[pause]", "[pause 0.8]"),
            ("[pause 0,8]", "[pause 0,8]: write the seconds"),
            ("[pause: 2]", "[pause: 2]: write the seconds"),
            ("[pause -1]", "up to 60"),
            ("[pause 61]", "up to 60"),
            ("[pause NaN]", "up to 60"),
            ("[pause inf]", "up to 60"),
        ];
        for (line, words) in refused {
            let error = parse(line).unwrap_err();
            assert!(error.to_string().contains(words), "{line}: {error}");
            assert_eq!(crate::error::exit_code(&error), 3);
        }
        let error = Directive::parse("[voice: ana]", &[]).unwrap_err().to_string();
        assert!(error.contains("none was given a name"), "{error}");
    }
}
