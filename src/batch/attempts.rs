//! Several attempts at one utterance, of which the best is kept.

use crate::sound::{Finding, badness, listen, trim_tail};
use crate::speak::Utterance;
use crate::stage::protocol::Protocol;
use crate::stage::semantic::Stop;
use crate::tokens::Semantic;
use anyhow::{Result, ensure};

/// What is done about an utterance that does not sound right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many more seeds are tried.
    pub retries: u32,
    /// Whether what follows the end of the speech is cut off.
    pub trim_tail: bool,
}

/// An utterance, or what is kept of it, and what was heard of it.
pub struct Attempt<T = Utterance> {
    pub utterance: T,
    /// What it was drawn with.
    pub seed: u64,
    /// None: it passed.
    pub findings: Vec<Finding>,
}

impl<T> Attempt<T> {
    fn faults(&self) -> u32 {
        badness(&self.findings)
    }
}

/// The attempts at one utterance, its takes: with a seed, then with those after it, until one passes or no more are
/// wanted.
pub struct Attempts<T = Utterance> {
    policy: RetryPolicy,
    seed: u64,
    made: u32,
    best: Option<Attempt<T>>,
}

impl<T> Attempts<T> {
    pub fn new(policy: RetryPolicy, seed: u64) -> Self {
        Self { policy, seed, made: 0, best: None }
    }

    /// What the next take is drawn with.
    pub fn seed(&self) -> u64 {
        self.seed.wrapping_add(self.made.into())
    }

    /// How many were heard.
    pub fn made(&self) -> u32 {
        self.made
    }

    /// Takes what was made with [`Attempts::seed`], and what was found of it. Gives the one to keep, the first with the
    /// fewest faults; `None` if another is to be made.
    pub fn judge(&mut self, utterance: T, findings: Vec<Finding>) -> Option<Attempt<T>> {
        let take = Attempt { utterance, seed: self.seed(), findings };
        self.made += 1;
        let enough = take.findings.is_empty() || self.made > self.policy.retries;
        if self.best.as_ref().is_none_or(|best| take.faults() < best.faults()) {
            self.best = Some(take);
        }
        if enough { self.best.take() } else { None }
    }

    /// The best one so far, where no more can be made.
    pub fn settle(&mut self) -> Option<Attempt<T>> {
        self.best.take()
    }
}

impl Attempts {
    /// Listens to a take of `text`, and judges it.
    ///
    /// # Errors
    /// As of [`heard`].
    pub fn hear(&mut self, utterance: Utterance, text: &str, limits: (&Protocol, &Stop)) -> Result<Option<Attempt>> {
        let (utterance, findings) = heard(utterance, text, self.policy, limits)?;
        Ok(self.judge(utterance, findings))
    }
}

/// The utterance as it is kept, and what does not sound right in it.
///
/// # Errors
/// Samples that are not numbers.
pub fn heard(
    mut utterance: Utterance,
    text: &str,
    policy: RetryPolicy,
    limits: (&Protocol, &Stop),
) -> Result<(Utterance, Vec<Finding>)> {
    let broken = utterance.pcm.samples.iter().position(|sample| !sample.is_finite());
    ensure!(broken.is_none(), "what was spoken is no sound: sample {} is not a number", broken.unwrap_or_default());
    if policy.trim_tail {
        utterance.pcm = trim_tail(&utterance.pcm)?;
    }
    let findings = listen(&utterance.pcm, Some(text), ended(&utterance.semantic, limits.0, limits.1))?;
    Ok((utterance, findings))
}

/// Whether `semantic`, which was generated under these limits, ended by itself.
fn ended(semantic: &Semantic, protocol: &Protocol, stop: &Stop) -> bool {
    let timely = stop.max_seconds.is_none_or(|most| semantic.seconds() <= most);
    timely && semantic.len() < protocol.max_semantic_steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Pcm;
    use crate::tokens::{Coarse, Fine, SAMPLE_RATE};

    const STOP: Stop = Stop { min_eos_p: None, max_seconds: None };

    /// A second of a sine of this level: no speech, so that only its level and length tell.
    fn sounding(level: f32) -> Utterance {
        let samples = (0..SAMPLE_RATE).map(|i| level * (i as f32 * 0.05).sin()).collect();
        Utterance {
            semantic: Semantic::new(vec![1; 50], 10_000).unwrap(),
            coarse: Coarse::new([vec![1; 75], vec![1; 75]], 1024).unwrap(),
            fine: Fine::new(std::array::from_fn(|_| vec![1; 75]), 1024).unwrap(),
            pcm: Pcm { samples, rate: SAMPLE_RATE },
        }
    }

    fn hear(takes: &mut Attempts, level: f32) -> Option<(u64, usize)> {
        let take = takes.hear(sounding(level), "oi", (&Protocol::default(), &STOP)).unwrap();
        take.map(|take| (take.seed, take.findings.len()))
    }

    #[test]
    fn a_take_that_passes_is_kept_at_once() {
        let mut takes = Attempts::new(RetryPolicy { retries: 3, trim_tail: false }, 7);
        assert_eq!((hear(&mut takes, 0.1), takes.made()), (Some((7, 0)), 1));
    }

    #[test]
    fn the_next_seeds_are_tried_until_one_passes() {
        let mut takes = Attempts::new(RetryPolicy { retries: 3, trim_tail: false }, u64::MAX);
        assert_eq!((hear(&mut takes, 0.0), takes.seed()), (None, 0));
        assert_eq!((hear(&mut takes, 0.1), takes.made()), (Some((0, 0)), 2));
    }

    #[test]
    fn where_none_passes_the_first_of_the_best_is_kept() {
        let mut takes = Attempts::new(RetryPolicy { retries: 2, trim_tail: false }, 0);
        assert_eq!((hear(&mut takes, 0.0), hear(&mut takes, 3.0)), (None, None));
        let (seed, findings) = hear(&mut takes, 0.0).unwrap();
        assert_eq!((seed, findings > 0), (1, true), "clipped is better than silent");
        assert!(
            hear(&mut Attempts::new(RetryPolicy::default(), 5), 0.0).is_some(),
            "without retries there is one take"
        );
    }

    #[test]
    fn a_broken_sound_is_refused() {
        let takes =
            Attempts::new(RetryPolicy::default(), 0).hear(sounding(f32::NAN), "oi", (&Protocol::default(), &STOP));
        assert!(takes.err().unwrap().to_string().contains("no sound"));
    }

    #[test]
    fn a_limit_that_was_reached_is_no_end() {
        let ended = |tokens, stop: &Stop| {
            let semantic = Semantic::new(vec![0; tokens], 1).unwrap();
            super::ended(&semantic, &Protocol::default(), stop)
        };
        let brief = Stop { max_seconds: Some(2.0), ..STOP };
        assert_eq!([ended(767, &STOP), ended(768, &STOP)], [true, false]);
        assert_eq!([ended(99, &brief), ended(100, &brief)], [true, false]);
    }
}
