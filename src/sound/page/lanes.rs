//! What is drawn below the spectrogram: lanes of marked seconds.

use crate::sound::{Level, Report};
use std::ops::Range;

/// A labelled row of marks on the time axis.
pub struct Lane {
    pub label: String,
    pub kind: Kind,
    pub spans: Vec<Range<f64>>,
}

/// What a lane shows, which is how it is coloured.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Speech,
    Heard,
    Finding(Level),
}

/// Speech, the three stages, and the findings that have a place.
pub fn lanes(report: &Report) -> Vec<Lane> {
    let lane = |label: &str, kind, spans| Lane { label: label.to_owned(), kind, spans };
    let mut lanes = vec![lane("speech", Kind::Speech, report.speech.clone())];
    if let Some(stages) = &report.stages {
        let heard = [("text stage", &stages.text), ("coarse stage", &stages.coarse), ("fine stage", &stages.fine)];
        lanes.extend(heard.map(|(label, span)| lane(label, Kind::Heard, vec![span.clone()])));
    }
    let placed = report.findings.iter().filter(|finding| !finding.at.is_empty());
    lanes.extend(placed.map(|f| lane(&f.what.to_string(), Kind::Finding(f.level), f.at.clone())));
    lanes
}
