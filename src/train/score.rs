//! How well a quantizer does: of all frames, and of one clip and the other.

use super::clips::{Clip, Clips};
use crate::net::quantizer::{Batch, Told};
use crate::progress::Progress;
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// Clips that are heard together where nothing is learned.
const TOGETHER: usize = 8;
/// What is still near enough to count for [`Score::top5`].
const NEAR: u32 = 5;

/// What came out for many frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    pub frames: usize,
    /// The mean cross-entropy.
    pub loss: f64,
    /// The share of frames whose token is right.
    pub accuracy: f64,
    /// The share of frames whose token is among the five likeliest.
    pub top5: f64,
    /// Of the wrong tokens, the share that is right for the frame before or after.
    pub neighbours: f64,
}

/// Counts what came out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    frames: usize,
    loss: f64,
    right: usize,
    near: usize,
    beside: usize,
}

impl Tally {
    /// Adds a clip's frames: the right token and what came out.
    pub fn add(&mut self, frames: &[(u32, Told)]) {
        for (index, (right, told)) in frames.iter().enumerate() {
            self.loss += f64::from(told.loss);
            self.right += usize::from(told.best == *right);
            self.near += usize::from(told.rank < NEAR);
            let beside =
                |at: Option<usize>| at.and_then(|at| frames.get(at)).is_some_and(|(token, _)| *token == told.best);
            self.beside +=
                usize::from(told.best != *right && (beside(index.checked_sub(1)) || beside(Some(index + 1))));
        }
        self.frames += frames.len();
    }

    /// Their score; of no frames it is 0.
    pub fn score(&self) -> Score {
        let share = |count: usize, of: usize| count as f64 / of.max(1) as f64;
        Score {
            frames: self.frames,
            loss: self.loss / self.frames.max(1) as f64,
            accuracy: share(self.right, self.frames),
            top5: share(self.near, self.frames),
            neighbours: share(self.beside, self.frames - self.right),
        }
    }
}

/// The score of one clip.
#[derive(Clone, Debug, Serialize)]
pub struct ClipScore {
    pub name: String,
    #[serde(flatten)]
    pub score: Score,
    /// Edits from the right tokens to what came out, repeated tokens taken once, for each right one.
    pub edits: f64,
}

/// How far clips are apart in one measure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub least: f64,
    pub median: f64,
    pub most: f64,
}

impl Spread {
    /// Of at least one number.
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        Self { least: at(0), median: at(values.len() / 2), most: at(values.len().saturating_sub(1)) }
    }
}

/// The score of all `chosen` clips together, and of each, by what the quantizer has `told` of batches of them.
pub fn evaluate(
    told: impl Fn(&Batch) -> Result<Vec<Told>>,
    clips: &Clips,
    chosen: &[&Clip],
    progress: &dyn Progress,
) -> Result<(Score, Vec<ClipScore>)> {
    let (mut all, mut scores) = (Tally::default(), Vec::new());
    progress.start("judging", chosen.len() as u64, "clip");
    for some in chosen.chunks(TOGETHER) {
        let batch = batch(clips, some)?;
        let told = told(&batch)?;
        for (index, clip) in some.iter().enumerate() {
            let frames: Vec<_> = batch.of_clip(index, &told).collect();
            let mut own = Tally::default();
            own.add(&frames);
            all.add(&frames);
            let edits = edits(&frames);
            scores.push(ClipScore { name: clip.pair.name.clone(), score: own.score(), edits });
        }
        progress.advance(some.len() as u64);
    }
    progress.finish();
    Ok((all.score(), scores))
}

/// Some clips to be heard together.
pub fn batch(clips: &Clips, some: &[&Clip]) -> Result<Batch> {
    let features = some.iter().map(|clip| clips.features(clip)).collect::<Result<Vec<_>>>()?;
    let pairs: Vec<_> = features.iter().zip(some).map(|(x, clip)| (&x[..], &clip.tokens[..])).collect();
    Batch::new(&pairs, clips.width)
}

/// The edit distance between right and heard tokens, repeats taken once, for each right one.
fn edits(frames: &[(u32, Told)]) -> f64 {
    let once = |tokens: Vec<u32>| {
        let mut tokens = tokens;
        tokens.dedup();
        tokens
    };
    let right = once(frames.iter().map(|(right, _)| *right).collect());
    let heard = once(frames.iter().map(|(_, told)| told.best).collect());
    distance(&right, &heard) as f64 / right.len().max(1) as f64
}

/// Levenshtein's distance.
fn distance(a: &[u32], b: &[u32]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(best: u32, rank: u32) -> Told {
        Told { loss: 1.5, rank, best }
    }

    #[test]
    fn right_near_and_neighbouring_tokens_are_counted() {
        let frames = [(7, told(7, 0)), (8, told(7, 4)), (9, told(1, 5)), (9, told(3, 2))];
        let mut tally = Tally::default();
        tally.add(&frames);
        let score = tally.score();
        assert_eq!((score.frames, score.loss, score.accuracy, score.top5), (4, 1.5, 0.25, 0.75));
        assert!((score.neighbours - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(edits(&frames), 2.0 / 3.0, "7 8 9 heard as 7 1 3");
        assert_eq!(Tally::default().score(), Score::default());
    }

    #[test]
    fn distances_are_levenshteins() {
        assert_eq!(distance(&[1, 2, 3], &[1, 2, 3]), 0);
        assert_eq!(distance(&[], &[1, 2]), 2);
        assert_eq!(distance(&[1, 2, 3, 4], &[2, 3, 5, 4]), 2);
    }

    #[test]
    fn a_spread_is_of_the_least_the_middle_and_the_most() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0].into_iter()), Spread { least: 1.0, median: 2.0, most: 3.0 });
    }
}
