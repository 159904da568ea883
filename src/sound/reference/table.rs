//! The measures in words: for the page, and for a line on the terminal.

use super::Report;
use crate::sound::Level;

/// One measure.
pub struct Row {
    pub name: &'static str,
    pub value: String,
    /// What is usual of a good recording.
    pub usual: &'static str,
}

impl Report {
    /// What the findings come to, in a sentence.
    pub fn verdict(&self) -> &'static str {
        match self.worst {
            None | Some(Level::Note) => "This will make a good voice.",
            Some(Level::Warning) => "Usable, and it could be better.",
            Some(Level::Bad) => "Not fit for a voice as it is.",
        }
    }

    /// Every measure that there was enough of.
    pub fn table(&self) -> Vec<Row> {
        let m = &self.measures;
        let row = |name, usual, value: String| Row { name, value, usual };
        let db = |unit: &'static str| move |value: f64| format!("{value:.1} {unit}");
        let optional = |name, usual, value: Option<String>| value.map(|value| row(name, usual, value));
        let hum = m.hum.as_ref().map_or("none".to_owned(), |hum| format!("{} Hz at {:.0} dB", hum.hz, hum.level));
        let rows = [
            Some(row("speech", "5 to 12 s", format!("{:.1} s", m.speech_seconds))),
            optional("loudness", "-27 to -16 LUFS", m.loudness.map(db("LUFS"))),
            Some(row("peak", "under -1 dB", db("dB")(m.peak))),
            optional("noise floor", "under -60 dB", m.floor.map(db("dB"))),
            optional("speech over noise", "over 20 dB", m.snr.map(db("dB"))),
            Some(row("mains hum", "none", hum)),
            Some(row("cut-off peaks", "none", m.clipping.tops.to_string())),
            Some(row("bandwidth", "8 kHz and more", format!("{:.1} kHz", m.cutoff / 1000.0))),
            optional("pitch", "60 to 300 Hz", m.pitch.map(|pitch| format!("{pitch:.0} Hz"))),
            optional("held tones", "under 1.75", m.music.map(|music| format!("{music:.2}"))),
            Some(row("DC offset", "0 %", format!("{:.2} %", (1e4 * m.offset).round() / 100.0 + 0.0))),
        ];
        rows.into_iter().flatten().collect()
    }
}
