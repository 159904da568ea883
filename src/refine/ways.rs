//! Several clips of one: its parts, read a little higher or lower.
//!
//! Models draw every voice towards those that they know; a history that lies as far on the other side makes up for it.

use crate::audio::{Pcm, Recipe, resample};
use crate::sound::speech;
use anyhow::Result;
use std::fmt;
use std::ops::Range;

/// Shortest part, seconds.
const SHORTEST: f64 = 2.0;
/// Of a clip's phrases.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    All,
    First,
    Last,
}

/// A part and how many times as fast it is read.
const WAYS: [(Part, f64); 15] = [
    (Part::All, 0.93),
    (Part::All, 1.07),
    (Part::Last, 1.0),
    (Part::First, 1.0),
    (Part::All, 0.87),
    (Part::All, 1.15),
    (Part::All, 0.965),
    (Part::All, 1.035),
    (Part::First, 0.93),
    (Part::First, 1.07),
    (Part::Last, 0.93),
    (Part::Last, 1.07),
    (Part::All, 0.8),
    (Part::All, 1.25),
    (Part::All, 0.9),
];

/// A clip, and what of the one it was made of it is.
pub struct Way {
    pub words: String,
    pub pcm: Pcm,
}

/// Up to `count` ways to hear `clip`, other than as it is.
pub fn ways(clip: &Pcm, count: usize) -> Result<Vec<Way>> {
    let middle = middle(&speech(clip)?, clip.seconds());
    let usable = |way: &&(Part, f64)| way.0 == Part::All || middle.is_some();
    let made = |&(part, speed): &(Part, f64)| -> Result<Way> {
        let pcm = faster(&cut(clip, part.span(clip.seconds(), middle)), speed)?;
        Ok(Way { words: words(part, speed), pcm })
    };
    WAYS.iter().filter(usable).take(count).map(made).collect()
}

impl Part {
    fn span(self, seconds: f64, middle: Option<f64>) -> Range<f64> {
        match (self, middle) {
            (Part::First, Some(middle)) => 0.0..middle,
            (Part::Last, Some(middle)) => middle..seconds,
            _ => 0.0..seconds,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Part::All => "all of it",
            Part::First => "its first part",
            Part::Last => "its last part",
        })
    }
}

fn words(part: Part, speed: f64) -> String {
    let percent = (1000.0 * (speed - 1.0)).round() / 10.0;
    match percent {
        0.0 => part.to_string(),
        _ if percent < 0.0 => format!("{part}, {:.1} % slower and lower", -percent),
        _ => format!("{part}, {percent:.1} % faster and higher"),
    }
}

/// The pause nearest to the middle that leaves enough on both sides.
fn middle(phrases: &[Range<f64>], seconds: f64) -> Option<f64> {
    let pauses = phrases.windows(2).map(|pair| (pair[0].end + pair[1].start) / 2.0);
    let fits = |pause: &f64| (SHORTEST..=seconds - SHORTEST).contains(pause);
    let off = |pause: &f64| (pause - seconds / 2.0).abs();
    pauses.filter(fits).min_by(|a, b| off(a).total_cmp(&off(b)))
}

fn cut(clip: &Pcm, span: Range<f64>) -> Pcm {
    let sample = |seconds: f64| ((seconds * f64::from(clip.rate)) as usize).min(clip.samples.len());
    Pcm { samples: clip.samples[sample(span.start)..sample(span.end)].to_vec(), rate: clip.rate }
}

/// `clip` as if it were played `speed` times as fast: its voice is as many times as high.
fn faster(clip: &Pcm, speed: f64) -> Result<Pcm> {
    if speed == 1.0 {
        return Ok(clip.clone());
    }
    // A hundredth of the rate at a time keeps the resampler's filters few.
    let rate = (f64::from(clip.rate) / 100.0 / speed).round() as u32 * 100;
    Ok(Pcm { rate: clip.rate, ..resample(clip, rate, Recipe::Functional)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_is_parted_at_the_pause_nearest_to_its_middle() {
        let phrases = [0.2..1.5, 2.0..4.0, 4.4..5.0, 6.0..9.8];
        assert_eq!(middle(&phrases, 10.0), Some(5.5));
        assert_eq!(middle(&phrases[..2], 4.2), None);
        assert_eq!(middle(&[0.0..9.0], 10.0), None);
    }

    #[test]
    fn what_is_read_faster_is_as_much_higher_and_shorter() -> Result<()> {
        let wave = |i: u32| (i as f32 / 24e3 * 200.0 * std::f32::consts::TAU).sin() * 0.3;
        let clip = Pcm { samples: (0..48_000).map(wave).collect(), rate: 24_000 };
        let crossings = |pcm: &Pcm| pcm.samples.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
        let fast = faster(&clip, 1.25)?;
        assert_eq!((fast.rate, fast.samples.len()), (24_000, 38_400));
        assert!(crossings(&fast).abs_diff(crossings(&clip)) <= 1, "as many waves in less time");
        Ok(())
    }

    #[test]
    fn ways_differ_and_are_told_in_words() {
        let told: Vec<_> = WAYS.iter().map(|&(part, speed)| words(part, speed)).collect();
        assert_eq!(told[0], "all of it, 7.0 % slower and lower");
        assert_eq!(told[2], "its last part");
        assert!((1..told.len()).all(|i| !told[..i].contains(&told[i])));
    }
}
