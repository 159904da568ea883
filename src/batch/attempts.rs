//! Several attempts at one utterance, its takes, of which the best is kept.

use crate::ears::Score;
use crate::error::is_fatal;
use crate::progress::Progress;
use crate::sound::{Finding, listen, trim_tail};
use crate::speak::{NextRequest, Request, RequestQueue, Settings, Speaker, Utterance};
use crate::stage::protocol::Protocol;
use crate::stage::semantic::Stop;
use crate::tokens::Semantic;
use anyhow::{Error, Result, bail, ensure};
use std::ops::RangeInclusive;

/// How many takes are made, and what is done about an utterance that does not sound right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many takes are made of each utterance, of which the best is kept; 0: one.
    pub best_of: u32,
    /// How many more seeds are tried where none of them sounds right.
    pub retries: u32,
    /// Whether the takes that are not the best are kept beside it.
    pub keep_all: bool,
    /// Whether what follows the end of the speech is cut off.
    pub trim_tail: bool,
}

impl RetryPolicy {
    /// How many takes are made in any case.
    pub fn least(&self) -> u32 {
        self.best_of.max(1)
    }

    /// Whether there may be takes to choose from.
    pub fn chooses(&self) -> bool {
        self.least() + self.retries > 1
    }

    /// The ranks of the takes that may be kept beside the best.
    pub fn ranks_kept(&self) -> RangeInclusive<usize> {
        let last = if self.keep_all { self.least() + self.retries } else { 1 };
        2..=last as usize
    }

    /// Whether takes are still wanted after `made`, the best of which `passes` or not.
    pub fn wants_more(&self, made: u32, passes: bool) -> bool {
        made < self.least() || !passes && made < self.least() + self.retries
    }
}

/// An utterance, or what is kept of it, and what was heard of it.
pub struct Attempt<T = Utterance> {
    pub utterance: T,
    /// What it was drawn with.
    pub seed: u64,
    /// None: it passed.
    pub findings: Vec<Finding>,
    pub score: Score,
}

impl Attempt<()> {
    /// What is heard of it; empty: nothing that is worth a word.
    fn words(&self) -> String {
        let parts = Some(self.score.parts()).filter(|parts| !parts.is_empty());
        let words: Vec<_> =
            parts.into_iter().chain(self.findings.iter().map(|finding| finding.message.clone())).collect();
        words.join(", ")
    }
}

/// What came of an attempt, without its seed.
pub struct Heard<T> {
    pub utterance: T,
    pub findings: Vec<Finding>,
    pub score: Score,
}

/// What is kept of all attempts.
pub struct Kept<T = Utterance> {
    pub best: Attempt<T>,
    /// The others, the best of them first, where they are to be kept.
    pub others: Vec<Attempt<T>>,
    /// What is heard of every take, in the order of the seeds.
    pub scores: Vec<Attempt<()>>,
}

impl<T> Kept<T> {
    /// Which of several takes is kept, and what is heard of the others, in words; `None`: there is one.
    pub fn told(&self) -> Option<String> {
        let Self { best, scores, .. } = self;
        let others = scores.iter().filter(|take| take.seed != best.seed && !take.words().is_empty());
        let others: String = others.map(|take| format!("; seed {}: {}", take.seed, take.words())).collect();
        let (many, seed, parts) = (scores.len(), best.seed, best.score.parts());
        let parts = if parts.is_empty() { parts } else { format!(": {parts}") };
        (many > 1).then(|| format!("{many} takes, the best one has seed {seed}{parts}{others}"))
    }
}

/// The attempts at one utterance, its takes: with a seed and those after it, in any order.
pub struct Attempts<T = Utterance> {
    policy: RetryPolicy,
    seed: u64,
    begun: u32,
    over: u32,
    /// By rank: the best first.
    takes: Vec<Attempt<T>>,
    scores: Vec<Attempt<()>>,
    /// What the last one that failed failed with.
    failed: Option<Error>,
}

impl<T> Attempts<T> {
    pub fn new(policy: RetryPolicy, seed: u64) -> Self {
        Self { policy, seed, begun: 0, over: 0, takes: Vec::new(), scores: Vec::new(), failed: None }
    }

    /// The seed of another take, which is under way from now on; `None`: none is wanted, or none before one that is
    /// under way is over.
    pub fn begin(&mut self) -> Option<u64> {
        if !self.wants_more() {
            return None;
        }
        self.begun += 1;
        Some(self.seed.wrapping_add(u64::from(self.begun - 1)))
    }

    fn wants_more(&self) -> bool {
        let waits = self.begun >= self.policy.least() && self.begun > self.over;
        let passes = self.takes.first().is_some_and(|best| best.findings.is_empty());
        self.failed.is_none() && !waits && self.policy.wants_more(self.begun, passes)
    }

    /// Whether no take was begun yet.
    pub fn is_new(&self) -> bool {
        self.begun == 0
    }

    /// Whether takes are under way.
    pub fn is_under_way(&self) -> bool {
        self.begun > self.over
    }

    /// Whether all takes are over and no more are wanted.
    pub fn is_over(&self) -> bool {
        !self.is_under_way() && !self.wants_more()
    }

    /// Takes what came of the take with `seed`.
    ///
    /// # Errors
    /// What is wrong with the models, and so with every take.
    pub fn judge(&mut self, seed: u64, heard: Result<Heard<T>>) -> Result<()> {
        self.over += 1;
        match heard {
            Ok(heard) => self.rank(seed, heard),
            Err(error) if is_fatal(&error) => return Err(error),
            Err(error) => self.failed = Some(error),
        }
        Ok(())
    }

    /// Where two are as good, the one of the lower number is better, whichever was there first.
    fn rank(&mut self, seed: u64, heard: Heard<T>) {
        let Heard { utterance, findings, score } = heard;
        let number = |seed: u64| seed.wrapping_sub(self.seed);
        let better = |other: &Attempt<T>| {
            other.score.total > score.total || other.score.total == score.total && number(other.seed) < number(seed)
        };
        let place = self.takes.iter().take_while(|other| better(other)).count();
        let place_of_score = self.scores.iter().take_while(|other| number(other.seed) < number(seed)).count();
        let told = Attempt { utterance: (), seed, findings: findings.clone(), score: score.clone() };
        self.scores.insert(place_of_score, told);
        self.takes.insert(place, Attempt { utterance, seed, findings, score });
        if !self.policy.keep_all {
            self.takes.truncate(1);
        }
    }

    /// What is kept, once none is under way. A take that failed does not take the others away.
    ///
    /// # Errors
    /// None succeeded.
    pub fn settle(self) -> Result<Kept<T>> {
        let mut takes = self.takes.into_iter();
        match (takes.next(), self.failed) {
            (Some(best), _) => Ok(Kept { best, others: takes.collect(), scores: self.scores }),
            (None, Some(error)) => Err(error),
            (None, None) => bail!("no take was made"),
        }
    }
}

/// Listens to a take that was drawn with these settings.
type Hear<'a, T> = Box<dyn FnMut(Utterance, &Settings) -> Result<Heard<T>> + 'a>;

/// The takes of a single utterance, spoken several at a time.
pub struct Takes<'a, T> {
    request: Request,
    attempts: Attempts<T>,
    hear: Hear<'a, T>,
}

impl<'a, T> Takes<'a, T> {
    /// `request` has the first seed.
    pub fn new(
        request: Request,
        policy: RetryPolicy,
        hear: impl FnMut(Utterance, &Settings) -> Result<Heard<T>> + 'a,
    ) -> Self {
        let attempts = Attempts::new(policy, request.settings.seed);
        Self { request, attempts, hear: Box::new(hear) }
    }

    /// Makes all of them, up to `batch` at a time.
    ///
    /// # Errors
    /// What ends the run, or if none succeeded.
    pub fn speak(mut self, speaker: &mut Speaker, batch: usize, progress: &dyn Progress) -> Result<Kept<T>> {
        speaker.speak_all(&mut self, batch, progress)?;
        self.attempts.settle()
    }
}

impl<T> RequestQueue for Takes<'_, T> {
    type Key = Settings;

    fn next(&mut self) -> Result<NextRequest<Settings>> {
        Ok(match self.attempts.begin() {
            Some(seed) => {
                let settings = Settings { seed, ..self.request.settings };
                NextRequest::Ready(settings, Box::new(Request { settings, ..self.request.clone() }))
            }
            None if self.attempts.is_under_way() => NextRequest::Wait,
            None => NextRequest::End,
        })
    }

    fn finished(&mut self, settings: Settings, spoken: Result<Utterance>) -> Result<()> {
        let heard = spoken.and_then(|utterance| (self.hear)(utterance, &settings));
        self.attempts.judge(settings.seed, heard)
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
    use crate::ears::Parts;
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

    /// Makes the next take, at this level: its seed; `None`: no more are wanted.
    fn hear(takes: &mut Attempts, level: f32) -> Option<u64> {
        let seed = takes.begin()?;
        let limits = (&Protocol::default(), &STOP);
        let (utterance, findings) = heard(sounding(level), "oi", RetryPolicy::default(), limits).unwrap();
        let score = Score::new(Parts::default(), &findings);
        takes.judge(seed, Ok(Heard { utterance, findings, score })).unwrap();
        Some(seed)
    }

    fn kept(takes: Attempts) -> (u64, usize, Vec<u64>) {
        let Kept { best, others, .. } = takes.settle().unwrap();
        (best.seed, best.findings.len(), others.iter().map(|other| other.seed).collect())
    }

    const RETRY: RetryPolicy = RetryPolicy { best_of: 1, retries: 3, keep_all: false, trim_tail: false };

    #[test]
    fn a_take_that_passes_is_kept_at_once() {
        let mut takes = Attempts::new(RETRY, 7);
        assert_eq!((hear(&mut takes, 0.1), hear(&mut takes, 0.1)), (Some(7), None));
        assert!(takes.is_over());
        assert_eq!(kept(takes), (7, 0, vec![]));
    }

    #[test]
    fn the_next_seeds_are_tried_until_one_passes() {
        let mut takes = Attempts::new(RETRY, u64::MAX);
        assert_eq!([0.0, 0.1, 0.1].map(|level| hear(&mut takes, level)), [Some(u64::MAX), Some(0), None]);
        assert_eq!(kept(takes), (0, 0, vec![]));
    }

    #[test]
    fn where_none_passes_the_first_of_the_best_is_kept() {
        let mut takes = Attempts::new(RetryPolicy { retries: 2, ..RETRY }, 0);
        assert_eq!([0.0, 3.0, 0.0, 0.0].map(|level| hear(&mut takes, level)), [Some(0), Some(1), Some(2), None]);
        let (seed, findings, _) = kept(takes);
        assert_eq!((seed, findings > 0), (1, true), "clipped is better than silent");
        let mut one = Attempts::new(RetryPolicy::default(), 5);
        assert_eq!([0.0, 0.0].map(|level| hear(&mut one, level)), [Some(5), None], "without retries there is one");
    }

    #[test]
    fn of_several_takes_that_are_under_way_at_once_the_best_is_kept_whichever_ends_first() {
        let scored = |total: f64| {
            let (utterance, score) = (sounding(0.1), Score { total, ..Score::default() });
            Ok(Heard { utterance, findings: Vec::new(), score })
        };
        let policy = RetryPolicy { best_of: 3, keep_all: true, ..RETRY };
        let mut takes = Attempts::new(policy, 10);
        assert_eq!([(); 4].map(|()| takes.begin()), [Some(10), Some(11), Some(12), None]);
        for (seed, total) in [(12, 0.5), (10, 0.5), (11, 0.1)] {
            assert!(!takes.is_over());
            takes.judge(seed, scored(total)).unwrap();
        }
        assert!(takes.is_over() && takes.begin().is_none());
        let kept = takes.settle().unwrap();
        assert_eq!(kept.scores.iter().map(|take| take.seed).collect::<Vec<_>>(), [10, 11, 12]);
        assert_eq!((kept.best.seed, kept.others[0].seed, kept.others[1].seed), (10, 12, 11));
    }

    #[test]
    fn a_take_that_fails_ends_the_others_and_takes_none_away() {
        let mut takes = Attempts::new(RetryPolicy { best_of: 2, ..RETRY }, 0);
        assert!(hear(&mut takes, 0.0).is_some());
        let seed = takes.begin().unwrap();
        takes.judge(seed, Err(anyhow::anyhow!("no room"))).unwrap();
        assert!(takes.is_over());
        assert_eq!(kept(takes).0, 0);
        let mut takes: Attempts = Attempts::new(RETRY, 0);
        let seed = takes.begin().unwrap();
        takes.judge(seed, Err(anyhow::anyhow!("no room"))).unwrap();
        assert_eq!(takes.settle().err().unwrap().to_string(), "no room");
    }

    #[test]
    fn a_broken_sound_is_refused() {
        let heard = heard(sounding(f32::NAN), "oi", RetryPolicy::default(), (&Protocol::default(), &STOP));
        assert!(heard.err().unwrap().to_string().contains("no sound"));
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
