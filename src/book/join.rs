//! The WAV files of a text's passages -> one, with silence between them.

use super::Ends;
use crate::audio::{Info, WavJoiner, join_wav};
use crate::error::Kind;
use anyhow::{Result, bail};
use std::io::{Seek, Write};
use std::path::PathBuf;

/// What is joined, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// The WAV file of a passage, and what it ends.
    Sound { wav: PathBuf, ends: Ends },
    /// Silence, seconds, in the place of what would be between two sounds; several add up.
    Pause(f64),
}

/// The silence after each end, where another sound follows, seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Silence {
    pub clause: f64,
    pub sentence: f64,
    pub paragraph: f64,
}

impl Default for Silence {
    /// Short: Bark's utterances begin and end with some silence of their own.
    fn default() -> Self {
        Self { clause: 0.1, sentence: 0.35, paragraph: 0.8 }
    }
}

impl Silence {
    fn after(&self, ends: Ends) -> f64 {
        match ends {
            Ends::Clause => self.clause,
            Ends::Sentence => self.sentence,
            Ends::Paragraph => self.paragraph,
        }
    }
}

/// Where a sound is in the joined file, seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    pub start: f64,
    pub end: f64,
}

/// Writes the parts to `sink`, their samples times `gain`, as one WAV file with the remarks `info`; returns where each sound is. One file is open at a time; all
/// must be mono and of one rate and encoding.
pub fn join<W: Write + Seek>(
    sink: &mut W,
    parts: impl IntoIterator<Item = Result<Part>>,
    silence: &Silence,
    (gain, info): (f32, &[Info]),
) -> Result<Vec<Span>> {
    let mut parts = parts.into_iter();
    let mut gap = Gap::default();
    let (wav, ends) = loop {
        match parts.next() {
            Some(Ok(Part::Sound { wav, ends })) => break (wav, ends),
            Some(Ok(Part::Pause(seconds))) => gap.pause(seconds),
            Some(Err(error)) => return Err(error),
            None => bail!(Kind::Input.error("there is no sound to join")),
        }
    };
    let first = Ok(Part::Sound { wav: wav.clone(), ends });
    let mut joiner = Joiner { silence, gap, spans: Vec::new() };
    join_wav(sink, &wav, info, |stream| {
        stream.amplify(gain);
        std::iter::once(first).chain(parts).try_for_each(|part| joiner.add(stream, part?))?;
        stream.silence(joiner.gap.end())
    })?;
    Ok(joiner.spans)
}

/// The silence that is due before the next sound, or at the end.
#[derive(Default)]
pub struct Gap {
    usual: f64,
    asked: Option<f64>,
}

impl Gap {
    /// Adds a pause, seconds.
    pub fn pause(&mut self, seconds: f64) {
        self.asked = Some(self.asked.unwrap_or_default() + seconds);
    }

    /// A sound comes, which ends `ends`: the seconds of silence before it.
    pub fn sound(&mut self, silence: &Silence, ends: Ends) -> f64 {
        let before = self.asked.unwrap_or(self.usual);
        *self = Gap { usual: silence.after(ends), asked: None };
        before
    }

    /// The seconds of silence where no sound comes any more.
    pub fn end(&self) -> f64 {
        self.asked.unwrap_or_default()
    }
}

struct Joiner<'a> {
    silence: &'a Silence,
    gap: Gap,
    spans: Vec<Span>,
}

impl Joiner<'_> {
    fn add<W: Write + Seek>(&mut self, stream: &mut WavJoiner<W>, part: Part) -> Result<()> {
        match part {
            Part::Pause(seconds) => self.gap.pause(seconds),
            Part::Sound { wav, ends } => {
                stream.silence(self.gap.sound(self.silence, ends))?;
                let start = stream.seconds();
                stream.append(&wav)?;
                self.spans.push(Span { start, end: stream.seconds() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Encoding, Pcm, write_wav};
    use std::io::Cursor;
    use std::path::Path;

    /// A sound of so many milliseconds, whose every sample is `level`.
    fn sound(folder: &Path, milliseconds: usize, level: f32, ends: Ends) -> Part {
        let wav = folder.join(format!("{milliseconds}.wav"));
        let pcm = Pcm { samples: vec![level; 24 * milliseconds], rate: 24_000 };
        let mut bytes = Vec::new();
        write_wav(&mut bytes, &pcm, Encoding::Float32, &[]).unwrap();
        std::fs::write(&wav, bytes).unwrap();
        Part::Sound { wav, ends }
    }

    /// (level, milliseconds) of what is heard, in order, and where the sounds are.
    fn heard(parts: Vec<Part>) -> (Vec<(f32, usize)>, Vec<Span>) {
        let mut out = Cursor::new(Vec::new());
        let spans = join(&mut out, parts.into_iter().map(Ok), &Silence::default(), (1.0, &[])).unwrap();
        let reader = hound::WavReader::new(Cursor::new(out.into_inner())).unwrap();
        let samples: Vec<f32> = reader.into_samples().map(Result::unwrap).collect();
        (samples.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() / 24)).collect(), spans)
    }

    #[test]
    fn silence_is_as_long_as_what_ends_is_large_and_none_comes_last() {
        let folder = tempfile::tempdir().unwrap();
        let sound = |milliseconds, level, ends| sound(folder.path(), milliseconds, level, ends);
        let parts = vec![
            sound(1000, 0.1, Ends::Clause),
            sound(500, 0.2, Ends::Sentence),
            sound(250, 0.3, Ends::Paragraph),
            sound(125, 0.4, Ends::Paragraph),
        ];
        let (heard, spans) = heard(parts);
        let silences = [(0.1, 1000), (0.0, 100), (0.2, 500), (0.0, 350), (0.3, 250), (0.0, 800), (0.4, 125)];
        assert_eq!(heard, silences);
        let expected = [(0.0, 1.0), (1.1, 1.6), (1.95, 2.2), (3.0, 3.125)];
        assert_eq!(spans, expected.map(|(start, end)| Span { start, end }));
    }

    #[test]
    fn pauses_add_up_and_stand_in_the_place_of_silence() {
        let folder = tempfile::tempdir().unwrap();
        let sound = |milliseconds, level, ends| sound(folder.path(), milliseconds, level, ends);
        let parts = vec![
            Part::Pause(0.2),
            sound(1000, 0.1, Ends::Paragraph),
            Part::Pause(0.25),
            Part::Pause(1.0),
            sound(500, 0.2, Ends::Paragraph),
            Part::Pause(0.5),
        ];
        let (heard, spans) = heard(parts);
        assert_eq!(heard, [(0.0, 200), (0.1, 1000), (0.0, 1250), (0.2, 500), (0.0, 500)]);
        assert_eq!(spans, [(0.2, 1.2), (2.45, 2.95)].map(|(start, end)| Span { start, end }));
    }

    #[test]
    fn nothing_to_join_and_errors_on_the_way_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let joined = |parts: Vec<Result<Part>>| {
            join(&mut Cursor::new(Vec::new()), parts, &Silence::default(), (1.0, &[])).unwrap_err().to_string()
        };
        assert!(joined(vec![Ok(Part::Pause(1.0))]).contains("no sound"));
        let sound = || Ok(sound(folder.path(), 10, 0.1, Ends::Sentence));
        assert_eq!(joined(vec![sound(), Err(anyhow::anyhow!("lost"))]), "lost");
        assert_eq!(joined(vec![Err(anyhow::anyhow!("lost")), sound()]), "lost");
    }
}
