//! Of several clones of a recording, and of what they say, the one that speaks most like it.
//!
//! Each candidate says the same sentences with the same seeds. What is heard is compared with two voices: the
//! recording, and the plain clone as EnCodec renders it, which is the recording on the way that all takes have gone. The
//! similarity of a take is the mean of both. Nothing is ever compared with a take, so that rounds cannot drift away from
//! the recording: a history that lies further off is refused, whatever it was made of.

mod page;
mod sentences;
mod ways;

pub use page::page;
pub use sentences::sentences;
pub use ways::{Way, ways};

use crate::audio::Pcm;
use crate::batch::{RetryPolicy, heard};
use crate::ears::score::{Parts, Score};
use crate::ears::{VoiceEar, VoicePrint};
use crate::progress::Progress;
use crate::sound::Finding;
use crate::speak::{NextRequest, Request, RequestQueue, Settings, Speaker, Utterance};
use crate::stage::protocol::Protocol;
use crate::voice::Voice;
use anyhow::{Context, Result};
use std::sync::Arc;

/// A voice that may be the best, and how it was made, in words.
#[derive(Clone)]
pub struct Candidate {
    pub way: String,
    pub voice: Arc<Voice>,
}

/// What a candidate said of one sentence.
pub struct Take {
    pub text: String,
    pub pcm: Pcm,
    pub score: Score,
    pub findings: Vec<Finding>,
    /// Itself as a history; `None`: it is too short for one.
    voice: Option<Voice>,
}

/// A candidate that has spoken.
pub struct Tried {
    pub candidate: Candidate,
    /// Mean of its takes' totals, and of their similarities alone.
    pub total: f64,
    pub similarity: f64,
    pub takes: Vec<Take>,
}

impl Tried {
    fn new(candidate: Candidate, takes: Vec<Take>) -> Self {
        let mean =
            |part: fn(&Score) -> f64| takes.iter().map(|take| part(&take.score)).sum::<f64>() / takes.len() as f64;
        let (total, similarity) = (mean(|score| score.total), mean(|score| score.similarity.unwrap_or(0.0)));
        Self { candidate, total, similarity, takes }
    }
}

/// Has candidates speak, and listens.
pub struct Trial<'a> {
    pub speaker: &'a mut Speaker,
    pub ear: &'a VoiceEar,
    /// What takes are compared with.
    pub references: Vec<VoicePrint>,
    /// Each sentence and its ids.
    pub sentences: &'a [(String, Vec<u32>)],
    /// Of the takes, but for their seeds.
    pub settings: Settings,
    pub progress: &'a dyn Progress,
}

impl Trial<'_> {
    /// What each says, in the order of `candidates`; `seed`: of each one's first sentence.
    ///
    /// # Errors
    /// Of the models; a sentence that cannot be said in one of the voices.
    pub fn hear(&mut self, candidates: Vec<Candidate>, seed: u64) -> Result<Vec<Tried>> {
        let count = candidates.len() * self.sentences.len();
        let batch = self.speaker.automatic_batch()?.min(count);
        let (settings, protocol) = (self.settings, self.speaker.protocol().clone());
        let judge = Judge { ear: self.ear, references: &self.references, settings, protocol };
        let takes = std::iter::repeat_with(|| None).take(count).collect();
        let (next, sentences) = (0, self.sentences);
        let mut queue = Sentences { judge, candidates: &candidates, sentences, seed, next, takes };
        self.speaker.speak_all(&mut queue, batch, self.progress)?;
        let mut takes = queue.takes.into_iter();
        let mut said = |candidate| -> Result<Tried> {
            let takes = takes.by_ref().take(self.sentences.len()).collect::<Option<Vec<_>>>();
            Ok(Tried::new(candidate, takes.context("a sentence was not said")?))
        };
        candidates.clone().into_iter().map(&mut said).collect()
    }
}

/// Judges takes.
struct Judge<'a> {
    ear: &'a VoiceEar,
    references: &'a [VoicePrint],
    settings: Settings,
    protocol: Protocol,
}

impl Judge<'_> {
    fn take(&self, text: &str, utterance: Utterance) -> Result<Take> {
        let limits = (&self.protocol, &self.settings.stop);
        let (utterance, findings) = heard(utterance, text, RetryPolicy::default(), limits)?;
        let similarity = self.ear.hear(&utterance.pcm)?.map_or(0.0, |print| self.similarity(&print));
        let score = Score::new(Parts { similarity: Some(similarity), ..Parts::default() }, &findings);
        let voice = utterance.voice().ok();
        Ok(Take { text: text.to_owned(), pcm: utterance.pcm, score, findings, voice })
    }

    fn similarity(&self, print: &VoicePrint) -> f64 {
        let similarities = self.references.iter().map(|reference| self.ear.similarity(print, reference));
        similarities.sum::<f64>() / self.references.len() as f64
    }
}

/// Every sentence of every candidate.
struct Sentences<'a> {
    judge: Judge<'a>,
    candidates: &'a [Candidate],
    sentences: &'a [(String, Vec<u32>)],
    seed: u64,
    next: usize,
    takes: Vec<Option<Take>>,
}

impl RequestQueue for Sentences<'_> {
    type Key = usize;

    fn next(&mut self) -> Result<NextRequest<usize>> {
        let (at, count) = (self.next, self.sentences.len());
        let Some(candidate) = self.candidates.get(at / count) else { return Ok(NextRequest::End) };
        self.next += 1;
        let settings = Settings { seed: self.seed.wrapping_add((at % count) as u64), ..self.judge.settings };
        let ids = self.sentences[at % count].1.clone();
        let request = Request { voice: Some(candidate.voice.clone()), ..Request::text(ids, None, settings) };
        Ok(NextRequest::Ready(at, Box::new(request)))
    }

    fn finished(&mut self, at: usize, spoken: Result<Utterance>) -> Result<()> {
        let (text, way) =
            (&self.sentences[at % self.sentences.len()].0, &self.candidates[at / self.sentences.len()].way);
        let said = || format!("“{text}” in the clone of {way}");
        self.takes[at] = Some(self.judge.take(text, spoken.with_context(said)?)?);
        Ok(())
    }
}

/// All that came of the search.
pub struct Refined {
    /// What has spoken, in rounds; the first one is the plain clone.
    pub rounds: Vec<Vec<Tried>>,
    /// Round and place of the candidate to keep.
    pub best: (usize, usize),
}

impl Refined {
    pub fn kept(&self) -> &Tried {
        &self.rounds[self.best.0][self.best.1]
    }

    pub fn plain(&self) -> &Tried {
        &self.rounds[0][0]
    }
}

/// Searches in up to `rounds` rounds of `count` candidates, as long as they gain: first among `clones`, of which the
/// first is the plain one, then among the takes that are nearest, as histories. What beats the plain clone must do so
/// once more with other seeds.
///
/// # Errors
/// Of the models.
pub fn refine(trial: &mut Trial, clones: Vec<Candidate>, count: usize, rounds: usize) -> Result<Refined> {
    let mut refined = Refined { rounds: vec![trial.hear(clones, 0)?], best: (0, 0) };
    refined.best = refined.better((0, 0)).unwrap_or((0, 0));
    refined.tell(trial.progress);
    while refined.rounds.len() < rounds {
        let histories = refined.histories(count);
        if histories.is_empty() {
            break;
        }
        refined.rounds.push(trial.hear(histories, 0)?);
        refined.tell(trial.progress);
        match refined.better(refined.best) {
            Some(better) => refined.best = better,
            None => break,
        }
    }
    refined.confirm(trial)?;
    Ok(refined)
}

/// Seeds of the last comparison.
const OTHER_SEEDS: u64 = 1000;

impl Refined {
    /// The best of the last round, where it is better than `than`.
    fn better(&self, than: (usize, usize)) -> Option<(usize, usize)> {
        let (round, least) = (self.rounds.len() - 1, self.rounds[than.0][than.1].total);
        let best = self.rounds[round].iter().enumerate().max_by(|a, b| a.1.total.total_cmp(&b.1.total))?;
        (best.1.total > least).then_some((round, best.0))
    }

    /// The last round's takes that are nearest, as histories.
    fn histories(&self, count: usize) -> Vec<Candidate> {
        let takes = self.rounds.last().into_iter().flatten();
        let mut takes: Vec<_> = takes.flat_map(|tried| tried.takes.iter().map(move |take| (tried, take))).collect();
        takes.sort_by(|a, b| b.1.score.total.total_cmp(&a.1.score.total));
        let history = |(tried, take): (&Tried, &Take)| {
            let way = format!("“{}” as said by the clone of {}", take.text, tried.candidate.way);
            Some(Candidate { way, voice: Arc::new(take.voice.clone()?) })
        };
        takes.into_iter().filter_map(history).take(count).collect()
    }

    /// Keeps the plain clone where the best one does not beat it with other seeds.
    fn confirm(&mut self, trial: &mut Trial) -> Result<()> {
        if self.best == (0, 0) {
            return Ok(());
        }
        let both = vec![self.plain().candidate.clone(), self.kept().candidate.clone()];
        let again = trial.hear(both, OTHER_SEEDS)?;
        if again[1].total <= again[0].total {
            trial.progress.note("with other seeds it does not beat the plain clone");
            self.best = (0, 0);
        }
        Ok(())
    }

    fn tell(&self, progress: &dyn Progress) {
        let (number, round) = (self.rounds.len(), self.rounds.last());
        let best = round.into_iter().flatten().max_by(|a, b| a.total.total_cmp(&b.total));
        let (count, plain) = (round.map_or(0, Vec::len), self.plain().total);
        if let Some(Tried { candidate, total, .. }) = best {
            let way = &candidate.way;
            progress
                .note(&format!("round {number}, {count} voices: the nearest, of {way}, {total:.3}; plain {plain:.3}"));
        }
    }
}
