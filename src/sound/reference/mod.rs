//! Whether a recording will make a good voice: what is wrong with it, how badly, and what to do.
//!
//! [`check`] measures ([`Measures`]), judges the measures by the [`super::thresholds`] ([`Finding`]), and tells which
//! seconds the models will hear ([`Stages`]). What cannot be measured well (music, a second speaker) is told as
//! a hint, with a confidence. [`super::page`] draws it.

mod judge;
pub mod stages;
mod table;

pub use stages::Stages;
pub use table::Row;

use super::analysis::Analysis;
use super::{Finding, Level, Measures};
use crate::audio::Clip;
use anyhow::Result;
use serde::Serialize;
use std::ops::Range;

/// All that a check tells of one recording. Times are seconds from the start of the file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Duration of the file.
    pub seconds: f64,
    /// From where on it was looked at.
    pub start: f64,
    /// Sample rate, Hz.
    pub rate: u32,
    pub channels: u16,
    /// The worst level among the findings.
    pub worst: Option<Level>,
    /// Worst first.
    pub findings: Vec<Finding>,
    /// What the models will hear.
    pub stages: Option<Stages>,
    /// Where speech is.
    pub speech: Vec<Range<f64>>,
    pub measures: Measures,
}

/// Checks what [`crate::audio`] read of a recording, best with [`super::thresholds::LONGEST_CHECKED`] as its limit.
///
/// # Errors
/// None that a readable recording causes, however bad it is.
pub fn check(clip: &Clip) -> Result<Report> {
    let sound = Analysis::new(&clip.pcm)?;
    let measures = Measures::of(&clip.pcm, &sound)?;
    let start = (clip.total_seconds - clip.pcm.seconds()).max(0.0);
    let stages = stages::stages(clip.total_seconds)?;
    let mut findings = judge::judge(&measures, clip.total_seconds);
    findings.iter_mut().flat_map(|finding| &mut finding.at).for_each(|at| *at = at.start + start..at.end + start);
    if let Some(stages) = &stages {
        findings.iter_mut().for_each(|finding| judge::soften(finding, &stages.any()));
    }
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.level), finding.what));
    Ok(Report {
        seconds: clip.total_seconds,
        start,
        rate: clip.pcm.rate,
        channels: clip.channels,
        worst: findings.first().map(|finding| finding.level),
        findings,
        stages,
        speech: sound.speech.iter().map(|span| span.start + start..span.end + start).collect(),
        measures,
    })
}
