//! What says how to speak rather than what: voices and pauses, in the dialects that people use. `[voice: ana]`, `[voz: ana]`,
//! `[voice]`; `[pause]`, `[pausa 1]`, `[pause 0.8]`, `[pause: 1.5s]`, `[pause 500ms]`, `<break time="500ms"/>`.

use crate::error::Kind;
use anyhow::{Result, bail, ensure};
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// Longest pause that may be asked for, seconds.
const MAX_PAUSE: f64 = 60.0;
/// A pause that does not say how long it is, seconds.
const USUAL_PAUSE: f64 = 0.8;
/// SSML's strengths of a break, seconds.
const STRENGTHS: [(&str, f64); 5] =
    [("x-weak", 0.2), ("weak", 0.3), ("medium", 0.5), ("strong", 0.8), ("x-strong", 1.2)];

/// A voice, a pause in brackets, or one of SSML.
static DIRECTIVE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let voice = r"\[\s*(?P<voice>voice|voz)\s*(?P<name>[:=\s][^\[\]]*)?\]";
    let pause = r"\[\s*(?:pause|pausa|silence|silêncio)(?P<length>[:=\s][^\[\]]*)?\]";
    Regex::new(&format!(r"(?i){voice}|{pause}|<break\b(?P<break>[^<>]*)>(?:\s*</break>)?")).ok()
});
/// The time or strength of an SSML break.
static ATTRIBUTE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)\b(time|strength)\s*=\s*["']?\s*([\w.+-]+)"#).ok());
static LENGTH: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)^[:=\s]*([\d.,]+)\s*(ms|milliseconds?|milissegundos?|s|secs?|seg|seconds?|segundos?)?\s*$").ok()
});
/// Elements of SSML and settings in brackets that mean nothing here.
static UNKNOWN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let ssml = r"</?(?:speak|prosody|emphasis|say-as|voice|audio|phoneme|sub|lang|mark)\b[^<>]*>";
    Regex::new(&format!(r"(?i){ssml}|\[\p{{L}}[\w-]*\s*[:=][^\[\]]*\]")).ok()
});

#[derive(Debug, PartialEq)]
pub(super) enum Directive {
    /// Who speaks from here on; `None`: the default voice.
    Voice(Option<String>),
    /// Silence, seconds.
    Pause(f64),
}

/// A line's text and directives, in order.
#[derive(Debug, PartialEq)]
pub(super) enum Part<'a> {
    Text(&'a str),
    Directive(Directive),
}

/// The parts of a line. `voices` are the names that may be given.
pub(super) fn parts<'a>(line: &'a str, voices: &[String]) -> Result<Vec<Part<'a>>> {
    let (mut parts, mut at) = (Vec::new(), 0);
    for found in DIRECTIVE.iter().flat_map(|directive| directive.captures_iter(line)) {
        let Some(whole) = found.get(0) else { continue };
        let Some(directive) = directive(&found, voices)? else { continue };
        parts.push(Part::Text(&line[at..whole.start()]));
        parts.push(Part::Directive(directive));
        at = whole.end();
    }
    parts.push(Part::Text(&line[at..]));
    parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
    Ok(parts)
}

/// What looks like a tag and is spoken as text.
pub fn unknown(line: &str) -> impl Iterator<Item = &str> {
    let found = UNKNOWN.iter().flat_map(move |unknown| unknown.find_iter(line)).map(|found| found.as_str());
    found.filter(|tag| DIRECTIVE.as_ref().is_none_or(|directive| !directive.is_match(tag)))
}

fn directive(found: &Captures, voices: &[String]) -> Result<Option<Directive>> {
    if let Some(attributes) = found.name("break") {
        return ssml_break(attributes.as_str()).map(Some);
    }
    match found.name("voice") {
        Some(_) => voice(found.name("name").map_or("", |name| name.as_str()), voices),
        None => pause(&found[0], found.name("length").map_or("", |length| length.as_str())).map(Some),
    }
}

/// `[voice: ana]`; `[voice ana]` where that is a name, and else text, such as `[voice breaking]`.
fn voice(rest: &str, voices: &[String]) -> Result<Option<Directive>> {
    let name = rest.trim_start_matches([':', '=', ' ']).trim();
    let is_named = rest.trim_start().starts_with([':', '=']);
    if name.is_empty() {
        ensure!(!is_named, Kind::Input.error("a voice needs a name, such as [voice: ana]; [voice] is the default one"));
        return Ok(Some(Directive::Voice(None)));
    }
    if let Some(voice) = voices.iter().find(|voice| *voice == name) {
        return Ok(Some(Directive::Voice(Some(voice.clone()))));
    }
    if !is_named {
        return Ok(None);
    }
    bail!(Kind::Input.error(match voices {
        [] => format!("there is no voice named {name:?}: none was given a name"),
        _ => format!("there is no voice named {name:?}; there are: {}", voices.join(", ")),
    }))
}

fn pause(written: &str, length: &str) -> Result<Directive> {
    let refusal = || Kind::Input.error(format!("{written}: write the seconds, up to {MAX_PAUSE}, such as [pause 0.8]"));
    let length = length.trim_matches([':', '=', ' ']);
    let seconds = if length.is_empty() { Some(USUAL_PAUSE) } else { seconds(length) };
    Ok(Directive::Pause(seconds.ok_or_else(refusal)?))
}

/// `0.8`, `0,8 s`, `500ms`; `None` where it is no length, or too long.
fn seconds(length: &str) -> Option<f64> {
    let found = LENGTH.as_ref()?.captures(length)?;
    let number: f64 = found[1].replace(',', ".").parse().ok()?;
    let milli = found.get(2).is_some_and(|unit| unit.as_str().to_lowercase().starts_with('m'));
    let seconds = if milli { number / 1000.0 } else { number };
    (seconds > 0.0 && seconds <= MAX_PAUSE).then_some(seconds)
}

fn ssml_break(attributes: &str) -> Result<Directive> {
    let mut pause = USUAL_PAUSE;
    for found in ATTRIBUTE.iter().flat_map(|attribute| attribute.captures_iter(attributes)) {
        let (name, value) = (found[1].to_lowercase(), &found[2]);
        let strength = || STRENGTHS.iter().find(|(strength, _)| *strength == value).map(|(_, seconds)| *seconds);
        let given = if name == "time" { seconds(value) } else { strength() };
        let refusal = || Kind::Input.error(format!("<break{attributes}>: write the time, such as time=\"500ms\""));
        pause = given.ok_or_else(refusal)?;
    }
    Ok(Directive::Pause(pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Vec<Part<'_>>> {
        parts(line, &["ana".to_owned(), "João Pedro".to_owned()])
    }

    fn alone(line: &str) -> Directive {
        match parse(line.trim()).unwrap().pop() {
            Some(Part::Directive(directive)) => directive,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn voices_are_named_in_either_language() {
        let voice = |name: &str| Directive::Voice(Some(name.to_owned()));
        for line in ["[voice: ana]", "[voz: ana]", "[Voice:ana ]", "[VOZ ana]", "[voice = ana]"] {
            assert_eq!(alone(line), voice("ana"), "{line}");
        }
        assert_eq!(alone("  [Voice:João Pedro ]\t"), voice("João Pedro"));
        assert_eq!(alone("[voice]"), Directive::Voice(None));
        assert_eq!(alone("[voz]"), Directive::Voice(None));
    }

    #[test]
    fn pauses_are_read_in_the_dialects_that_people_use() {
        let pauses = [
            ("[pause]", 0.8),
            ("[pause 0.8]", 0.8),
            ("[pausa 1]", 1.0),
            ("[pause:1.5s]", 1.5),
            ("[pause: 1.5 s]", 1.5),
            ("[pause 500ms]", 0.5),
            ("[pausa 2 segundos]", 2.0),
            ("[pause 0,8]", 0.8),
            ("[silêncio 1s]", 1.0),
            ("[PAUSE 60]", 60.0),
            ("<break time=\"500ms\"/>", 0.5),
            ("<break time='1.5s' />", 1.5),
            ("<BREAK TIME=\"2s\"></BREAK>", 2.0),
            ("<break/>", 0.8),
            ("<break strength=\"x-strong\"/>", 1.2),
        ];
        for (line, seconds) in pauses {
            assert_eq!(alone(line), Directive::Pause(seconds), "{line}");
        }
    }

    #[test]
    fn directives_may_stand_within_a_line() {
        let parts = parse("Olá [pause 2] mundo <break/>[voz: ana]sim").unwrap();
        let voice = Directive::Voice(Some("ana".to_owned()));
        let expected = [
            Part::Text("Olá "),
            Part::Directive(Directive::Pause(2.0)),
            Part::Text(" mundo "),
            Part::Directive(Directive::Pause(0.8)),
            Part::Directive(voice),
            Part::Text("sim"),
        ];
        assert_eq!(parts, expected);
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
            "[pauses]",
            "a < b & c > d, <b>forte</b>",
            "<prosody rate=\"slow\">Olá</prosody>",
        ] {
            assert_eq!(parse(line).unwrap(), [Part::Text(line)], "{line}");
        }
    }

    #[test]
    fn what_looks_like_a_tag_and_is_none_is_told() {
        let told = |line: &'static str| unknown(line).collect::<Vec<_>>();
        assert_eq!(told("<speak>Oi <prosody rate=\"slow\">tu</prosody></speak>").len(), 4);
        assert_eq!(told("[speed: 2] Oi [laughs] [pause: 1] [voice: ana]"), ["[speed: 2]"]);
        assert_eq!(told("a <b> c & d [1] <break/>"), Vec::<&str>::new());
    }

    #[test]
    fn malformed_directives_are_refused_and_told_how() {
        let refused = [
            ("[voice: rui]", "there are: ana, João Pedro"),
            ("[voice:]", "needs a name"),
            ("[pause x]", "[pause x]: write the seconds"),
            ("Olá [pause -1] mundo", "up to 60"),
            ("[pause 61]", "up to 60"),
            ("[pause NaN]", "up to 60"),
            ("[pause inf]", "up to 60"),
            ("<break time=\"soon\"/>", "500ms"),
        ];
        for (line, words) in refused {
            let error = parse(line).unwrap_err();
            assert!(error.to_string().contains(words), "{line}: {error}");
            assert_eq!(crate::error::exit_code(&error), 3);
        }
        let error = parts("[voice: ana]", &[]).unwrap_err().to_string();
        assert!(error.contains("none was given a name"), "{error}");
    }
}
