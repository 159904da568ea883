//! A check as a picture: a page of HTML that needs nothing else.
//!
//! It draws waveform and spectrogram over one time axis, and below them, a lane each, the speech, what the stages
//! hear and where the findings are. The sound itself is not in the page.

mod html;
mod lanes;
mod spectrogram;
mod svg;
mod wave;

pub use html::{chip, escape, foot, head};

use crate::audio::Pcm;
use crate::sound::Report;
use anyhow::Result;
use lanes::Lane;
use spectrogram::Spectrogram;
use std::ops::Range;

/// Columns of waveform and spectrogram.
const COLUMNS: usize = 1040;

/// A checked recording, ready to be drawn: what remains of the sound is as large as the picture.
pub struct Picture {
    name: String,
    report: Report,
    wave: Vec<Range<f32>>,
    spectrogram: Spectrogram,
    lanes: Vec<Lane>,
}

impl Picture {
    /// `pcm`: what was checked, which ends where the recording ends.
    pub fn new(name: impl Into<String>, pcm: &Pcm, report: Report) -> Result<Self> {
        let lanes = lanes::lanes(&report);
        let spectrogram = Spectrogram::of(pcm, COLUMNS)?;
        Ok(Self { name: name.into(), wave: wave::extremes(&pcm.samples, COLUMNS), spectrogram, lanes, report })
    }

    /// The drawn seconds.
    fn span(&self) -> Range<f64> {
        self.report.start..self.report.seconds
    }
}

/// One page about all of `pictures`.
pub fn html(pictures: &[Picture]) -> Result<String> {
    html::page(pictures)
}

/// Seconds at which an axis over `span` is marked: a round step that gives about a dozen marks.
fn ticks(span: &Range<f64>) -> impl Iterator<Item = f64> + use<> {
    const STEPS: [f64; 9] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0];
    let length = span.end - span.start;
    let step = STEPS.into_iter().find(|step| length / step <= 14.0).unwrap_or(60.0);
    let (first, last) = ((span.start / step).ceil() as i64, (span.end / step).floor() as i64);
    (first..=last).map(move |tick| tick as f64 * step)
}

/// `1.5`, or `2` where the tenth is 0.
fn seconds(second: f64) -> String {
    let text = format!("{second:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_a_dozen_round_marks_at_any_length() {
        let marks = |span| ticks(&span).map(seconds).collect::<Vec<_>>().join(" ");
        assert_eq!(marks(0.0..0.45), "0 0.1 0.2 0.3 0.4");
        assert_eq!(marks(0.0..7.4), "0 1 2 3 4 5 6 7");
        assert_eq!(marks(3300.5..3600.5), "3330 3360 3390 3420 3450 3480 3510 3540 3570 3600");
    }
}
