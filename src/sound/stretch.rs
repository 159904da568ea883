//! Which stretch of a recording makes a good voice.
//!
//! Bark continues what it hears of a voice, and hears its end: the last 5.1 s in the text stage, 4.2 s in the coarse
//! and 6.8 s in the fine one. So a stretch begins where somebody starts to speak and ends where they pause; of all that
//! last 5 to 12 s, the one with the highest score is taken:
//!
//! | share | what |
//! |---|---|
//! | 0.25 | how far the speech is over the noise in and around it |
//! | 0.25 | share of speech in what the models hear |
//! | 0.20 | the pause that it ends with, so that no sentence is cut in two |
//! | 0.15 | length, until every stage has all that it can hear |
//! | 0.10 | frames of speech that are not clipped |
//! | 0.05 | evenness: how little the level of its phrases varies |
//!
//! Between the two limits of each, which [`super::thresholds`] has, a score rises linearly.

use super::level::{SILENCE, mean_power};
use super::measures::snr;
use super::thresholds::*;
use super::vad::{FRAME_SECONDS, Frames};
use crate::tokens::{CODES_HZ, FINE_HISTORY};
use std::ops::Range;

/// What the fine stage, which hears most, hears of a voice: seconds, in whole tenths.
const HEARD: f64 = (10.0 * FINE_HISTORY as f64 / CODES_HZ) as usize as f64 / 10.0;
/// Kept around the speech, seconds: some of the pauses.
const LEAD: f64 = 0.1;
const KEPT: f64 = 0.25;
/// A recording that ends this long after its speech is taken to have been cut at a pause, seconds.
const PAUSE_AT_END: f64 = 0.1;
/// Around a stretch, the noise is looked for this far, seconds.
const AROUND: f64 = 0.5;

/// A stretch of a recording, and what speaks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    /// Where it lies in the recording.
    pub seconds: Range<f64>,
    /// Whether this is the recording as it was.
    pub whole: bool,
    /// Share of speech in its last 6.8 s.
    pub speech: f64,
    /// Level of the speech over that of the noise, dB.
    pub snr: f64,
    /// Pause that it ends with, seconds; `None`: it is where the recording ends.
    pub pause: Option<f64>,
    /// Share of the speech's frames that are clipped.
    pub clipped: f64,
    /// 0 to 1, by the table above.
    pub score: f64,
}

/// The best stretch of a recording of `seconds` in which `frames` were heard; `None`: nobody speaks.
pub fn choose(frames: &Frames, seconds: f64) -> Option<Stretch> {
    let phrases = Phrases::new(frames, seconds);
    if let Some(whole) = phrases.whole() {
        return Some(whole);
    }
    let all: Vec<_> = phrases.candidates().map(|candidate| phrases.rate(candidate)).collect();
    let long = |stretch: &&Stretch| stretch.seconds.end - stretch.seconds.start >= LENGTHS.start;
    best(all.iter().filter(long)).or_else(|| best(all.iter())).cloned()
}

/// The one with the highest score; of several, the first.
fn best<'a>(stretches: impl Iterator<Item = &'a Stretch>) -> Option<&'a Stretch> {
    stretches.reduce(|best, next| if next.score > best.score { next } else { best })
}

/// The phrases of a recording: speech between pauses, none longer than a stretch may be.
struct Phrases<'a> {
    frames: &'a Frames,
    seconds: f64,
    /// Runs of frames, in order.
    runs: Vec<Range<usize>>,
    /// For each frame, whether it is well inside a pause.
    pauses: Vec<bool>,
}

impl<'a> Phrases<'a> {
    fn new(frames: &'a Frames, seconds: f64) -> Self {
        let longest = ((LENGTHS.end - LEAD - KEPT) / FRAME_SECONDS) as usize;
        let mut runs = Vec::new();
        for mut run in frames.spoken() {
            while run.len() > longest {
                let cut = quietest(&frames.decibels, run.start + longest / 4..run.start + 3 * longest / 4);
                runs.push(run.start..cut);
                run.start = cut;
            }
            runs.push(run);
        }
        Self { frames, seconds, runs, pauses: frames.pauses() }
    }

    /// The recording itself, if it is good as it is.
    fn whole(&self) -> Option<Stretch> {
        let (first, last) = (self.runs.first()?, self.runs.last()?);
        let (lead, tail) = (time(first.start), self.seconds - time(last.end));
        let good = LENGTHS.contains(&self.seconds) && lead <= LEAD_OF_WHOLE && TAIL_OF_WHOLE.contains(&tail);
        let rated = || Stretch { seconds: 0.0..self.seconds, whole: true, ..self.rate(0..self.runs.len()) };
        good.then(rated)
    }

    /// Runs of phrases that are not longer than a stretch may be, for each end the shortest first.
    fn candidates(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        (1..=self.runs.len()).flat_map(move |end| {
            let fits = move |&start: &usize| {
                let seconds = self.edges(&(start..end));
                seconds.end - seconds.start <= LENGTHS.end
            };
            (0..end).rev().take_while(fits).map(move |start| start..end)
        })
    }

    /// Where these phrases begin and end, with some of the pauses around them.
    fn edges(&self, phrases: &Range<usize>) -> Range<f64> {
        let (before, after) = (self.pause(phrases.start), self.pause(phrases.end));
        let start = time(self.runs[phrases.start].start) - before.min(LEAD);
        let end = time(self.runs[phrases.end - 1].end) + after.min(KEPT);
        start.max(0.0)..end.min(self.seconds)
    }

    /// The pause before phrase `index`, or the silence before the first and after the last, seconds.
    fn pause(&self, index: usize) -> f64 {
        let start = index.checked_sub(1).map_or(0.0, |before| time(self.runs[before].end));
        let end = self.runs.get(index).map_or(self.seconds, |run| time(run.start));
        (end - start).max(0.0)
    }

    fn rate(&self, phrases: Range<usize>) -> Stretch {
        let seconds = self.edges(&phrases);
        let runs = &self.runs[phrases.clone()];
        let pause = (phrases.end < self.runs.len()).then(|| self.pause(phrases.end));
        let mut stretch = Stretch {
            whole: false,
            speech: speech(runs, seconds.start.max(seconds.end - HEARD)..seconds.end),
            snr: self.snr(runs, &seconds),
            pause,
            clipped: share(runs, |frame| self.frames.clipped[frame]),
            score: 0.0,
            seconds,
        };
        stretch.score = self.score(&stretch, runs);
        stretch
    }

    fn score(&self, stretch: &Stretch, runs: &[Range<usize>]) -> f64 {
        let at_end = if self.pause(self.runs.len()) >= PAUSE_AT_END { 1.0 } else { 0.0 };
        0.25 * between(stretch.snr, SCORED_SNR)
            + 0.25 * between(stretch.speech, SCORED_SPEECH)
            + 0.20 * stretch.pause.map_or(at_end, |pause| between(pause, SCORED_PAUSE))
            + 0.15 * between(stretch.seconds.end - stretch.seconds.start, SCORED_LENGTH)
            + 0.10 * between(1.0 - stretch.clipped, SCORED_UNCLIPPED)
            + 0.05 * (1.0 - between(self.unevenness(runs), SCORED_UNEVENNESS))
    }

    /// Level of the speech over that of the pauses in and around the stretch, dB.
    fn snr(&self, runs: &[Range<usize>], seconds: &Range<f64>) -> f64 {
        let speech = level(runs.iter().cloned().flatten().map(|frame| self.frames.decibels[frame]));
        let last = self.frames.decibels.len();
        let around = frame(seconds.start - AROUND).min(last)..frame(seconds.end + AROUND).min(last);
        snr(speech, self.frames.floor(around, &self.pauses).unwrap_or(SILENCE), None)
    }

    /// Standard deviation of the phrases' levels, dB.
    fn unevenness(&self, runs: &[Range<usize>]) -> f64 {
        let level = |run: &Range<usize>| level(self.frames.decibels[run.clone()].iter().copied());
        let levels: Vec<f64> = runs.iter().map(level).collect();
        let mean = levels.iter().sum::<f64>() / levels.len() as f64;
        (levels.iter().map(|level| (level - mean).powi(2)).sum::<f64>() / levels.len() as f64).sqrt()
    }
}

/// The frame of these with the least power around it.
fn quietest(decibels: &[f32], frames: Range<usize>) -> usize {
    let around = |&frame: &usize| level(decibels[frame.saturating_sub(2)..frame + 3].iter().copied());
    let middle = frames.start.midpoint(frames.end);
    frames.min_by(|a, b| around(a).total_cmp(&around(b))).unwrap_or(middle)
}

/// Share of `seconds` that lies in these runs.
fn speech(runs: &[Range<usize>], seconds: Range<f64>) -> f64 {
    let spoken = |run: &Range<usize>| (time(run.end).min(seconds.end) - time(run.start).max(seconds.start)).max(0.0);
    // Rust's sum of nothing is -0.
    (0.0 + runs.iter().map(spoken).sum::<f64>()) / (seconds.end - seconds.start)
}

/// Share of these runs' frames.
fn share(runs: &[Range<usize>], which: impl Fn(usize) -> bool) -> f64 {
    let frames = runs.iter().map(Range::len).sum::<usize>();
    runs.iter().cloned().flatten().filter(|&frame| which(frame)).count() as f64 / frames.max(1) as f64
}

fn level(decibels: impl Iterator<Item = f32>) -> f64 {
    mean_power(decibels).unwrap_or(SILENCE)
}

/// 0 at the start of these limits, 1 at their end, linear between them.
fn between(value: f64, limits: Range<f64>) -> f64 {
    ((value - limits.start) / (limits.end - limits.start)).clamp(0.0, 1.0)
}

fn time(frame: usize) -> f64 {
    frame as f64 * FRAME_SECONDS
}

fn frame(seconds: f64) -> usize {
    (seconds / FRAME_SECONDS) as usize
}

#[cfg(test)]
mod tests;
