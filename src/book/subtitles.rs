//! Subtitles beside the sound: SubRip (`.srt`) and WebVTT (`.vtt`, W3C).

use crate::error::Kind;
use anyhow::{Result, bail};
use std::io::Write;
use std::path::Path;

/// Longest line, and most lines shown at once, as broadcasters have it.
const LINE: usize = 42;
const LINES: usize = 2;

/// The kind of subtitle file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subtitles {
    Srt,
    WebVtt,
}

/// A text and when it is heard, seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Cue {
    pub start: f64,
    pub end: f64,
    pub text: String,
}

impl Subtitles {
    /// The kind that a file's extension asks for.
    pub fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().map(|e| e.to_ascii_lowercase());
        match extension.as_ref().and_then(|e| e.to_str()) {
            Some("srt") => Ok(Self::Srt),
            Some("vtt") => Ok(Self::WebVtt),
            _ => bail!(Kind::Usage.error(format!("{}: subtitles are .srt or .vtt files", path.display()))),
        }
    }

    /// Writes the cues, which are in order. A long one is shown in turns of two lines, each for its share of the time.
    pub fn write(self, out: &mut impl Write, cues: impl IntoIterator<Item = Cue>) -> Result<()> {
        if self == Self::WebVtt {
            out.write_all(b"WEBVTT\n\n")?;
        }
        for (number, (start, end, lines)) in (1..).zip(cues.into_iter().flat_map(turns)) {
            match self {
                Self::Srt => write!(out, "{number}\n{} --> {}\n", time(start, ','), time(end, ','))?,
                Self::WebVtt => writeln!(out, "{} --> {}", time(start, '.'), time(end, '.'))?,
            }
            for line in lines {
                writeln!(out, "{}", self.escaped(&line))?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    /// WebVTT has markup; in SubRip only the arrow means something.
    fn escaped(self, line: &str) -> String {
        match self {
            Self::Srt => line.replace("-->", "->"),
            Self::WebVtt => line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        }
    }
}

/// What is shown at once: from when to when, and its lines.
fn turns(cue: Cue) -> Vec<(f64, f64, Vec<String>)> {
    let lines: Vec<String> = textwrap::wrap(&cue.text, LINE).into_iter().map(|line| line.into_owned()).collect();
    let letters = |lines: &[String]| lines.iter().map(|line| line.chars().count()).sum::<usize>();
    let total = letters(&lines).max(1) as f64;
    let at = |shown: usize| cue.start + (cue.end - cue.start) * (shown as f64 / total);
    let mut shown = 0;
    let mut turn = |lines: &[String]| {
        let start = at(shown);
        shown += letters(lines);
        (start, at(shown), lines.to_vec())
    };
    lines.chunks(LINES).map(&mut turn).collect()
}

/// `01:02:03,004`. What ends where the next begins is rounded as that is, so that they never overlap.
fn time(seconds: f64, point: char) -> String {
    let milliseconds = (seconds.max(0.0) * 1000.0).round() as u64;
    let (seconds, milliseconds) = (milliseconds / 1000, milliseconds % 1000);
    format!("{:02}:{:02}:{:02}{point}{milliseconds:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: Subtitles, cues: &[(f64, f64, &str)]) -> String {
        let mut out = Vec::new();
        let cues = cues.iter().map(|&(start, end, text)| Cue { start, end, text: text.to_owned() });
        kind.write(&mut out, cues).unwrap();
        String::from_utf8(out).unwrap()
    }

    const CUES: [(f64, f64, &str); 2] = [(0.0, 1.2345, "Olá, <mundo> & mais."), (3661.0006, 3663.5, "♪ Lá --> lá ♪")];

    #[test]
    fn subrip_has_numbers_and_commas() {
        assert_eq!(
            written(Subtitles::Srt, &CUES),
            "1\n00:00:00,000 --> 00:00:01,235\nOlá, <mundo> & mais.\n\n\
             2\n01:01:01,001 --> 01:01:03,500\n♪ Lá -> lá ♪\n\n"
        );
    }

    #[test]
    fn webvtt_has_a_header_points_and_escapes() {
        assert_eq!(
            written(Subtitles::WebVtt, &CUES),
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.235\nOlá, &lt;mundo&gt; &amp; mais.\n\n\
             01:01:01.001 --> 01:01:03.500\n♪ Lá --&gt; lá ♪\n\n"
        );
    }

    #[test]
    fn a_long_passage_is_shown_two_short_lines_at_a_time() {
        let text = "O comboio da noite chegou com três horas de atraso à estação vazia, onde ninguém esperava por ele nem por nós.";
        let srt = written(Subtitles::Srt, &[(10.0, 20.0, text)]);
        let cues: Vec<Vec<&str>> = srt.trim_end().split("\n\n").map(|cue| cue.lines().collect()).collect();
        assert_eq!(cues.iter().map(Vec::len).collect::<Vec<_>>(), [4, 3]);
        assert!(cues.iter().flat_map(|cue| &cue[2..]).all(|line| line.chars().count() <= LINE));
        let spoken: Vec<&str> = cues.iter().flat_map(|cue| cue[2..].iter().copied()).collect();
        assert_eq!(spoken.join(" "), text);
        let (first, second) = (cues[0][1], cues[1][1]);
        assert!(first.starts_with("00:00:10,000 --> ") && second.ends_with(" --> 00:00:20,000"), "{first} {second}");
        assert_eq!(first.split(" --> ").nth(1), second.split(" --> ").next(), "one ends where the next begins");
    }

    #[test]
    fn times_that_follow_each_other_never_overlap() {
        let mut end = 0.0;
        for i in 0..10_000 {
            let start = end;
            end = start + 0.000_37 * f64::from(i % 7);
            assert!(time(start, '.') <= time(end, '.'));
        }
        assert_eq!(time(359_999.999_6, '.'), "100:00:00.000");
    }

    #[test]
    fn the_extension_tells_the_kind() {
        assert_eq!(Subtitles::of("livro.srt".as_ref()).unwrap(), Subtitles::Srt);
        assert_eq!(Subtitles::of("a/livro.VTT".as_ref()).unwrap(), Subtitles::WebVtt);
        for path in ["livro", "livro.txt", ".srt"] {
            assert_eq!(crate::error::exit_code(&Subtitles::of(path.as_ref()).unwrap_err()), 2, "{path}");
        }
    }
}
