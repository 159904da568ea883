//! Texts and recordings said in a voice: the runner as the queue of a speaker.

use super::attempts::{Attempt, Attempts, Heard, Kept, heard};
use super::events::Tally;
use super::files::WrittenFile;
use super::in_flight::{Choice, InFlight, Made, NextJob, Target};
use super::job::Item;
use super::name::ranked;
use super::plan::{Planned, Task};
use super::record::RecordedTake;
use super::run::{Backend, Run};
use super::voices::LoadedVoice;
use super::worker::{Work, Worker};
use crate::audio::Pcm;
use crate::ears::{Parts, Score};
use crate::error::{Kind, kind};
use crate::output::{Pending, Sink};
use crate::progress::Progress;
use crate::sound::Finding;
use crate::speak::{self, Content, NextRequest, Request, RequestQueue, Settings, Speaker, Utterance};
use crate::stage::protocol::Protocol;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Conversions that may wait for the codec; who brings one more waits.
const WAITING: usize = 2;

/// What speaking needs of the models beyond what a run does.
pub trait SpeechBackend: Backend {
    /// What the speaker is given: a text's ids, refused where they do not fit one utterance; a recording's tokens.
    fn content(&self, task: &Task) -> Result<Content>;
    /// What the models' own files say.
    fn protocol(&self) -> &Protocol;
    /// Makes the sound of a text, which was drawn with that seed, as loud as it is asked for, and changes it as it is
    /// asked for; what was changed, in words.
    fn finish(&self, _job: &InFlight, _seed: u64, _pcm: &mut Pcm) -> Result<Option<String>> {
        Ok(None)
    }
    /// Writes the sound of a text.
    fn write(&self, job: &InFlight, settings: &Settings, utterance: &Utterance, sink: &mut Sink) -> Result<()>;
    /// What is heard of a text's sound, to choose the best of several takes.
    fn score(&self, _job: &InFlight, _utterance: &Utterance, findings: &[Finding]) -> Result<Score> {
        Ok(Score::new(Parts::default(), findings))
    }
    /// What makes the sound of a recording's codes, on another thread: it may be hours long.
    fn decode(&self, job: &InFlight, settings: &Settings, utterance: &Utterance, target: Target) -> Work<Decoded>;
}

/// A sound on the disk, and what does not sound right in it.
pub struct Decoded {
    pub file: Pending,
    pub seconds: f64,
    pub findings: Vec<Finding>,
    pub score: Score,
}

/// A job with the attempts at it.
struct SpeechJob {
    job: Rc<InFlight>,
    content: Content,
    attempts: Attempts<Draft>,
}

/// A take that is under way.
pub struct Take {
    job: Rc<InFlight>,
    settings: Settings,
    /// The job's number in this run.
    number: u64,
}

impl Take {
    pub fn job(&self) -> &InFlight {
        &self.job
    }
}

/// A result that may be kept.
struct Draft {
    tokens: usize,
    seconds: f64,
    sound: Sound,
}

/// A text's sound waits in memory, a recording's on the disk.
enum Sound {
    Memory(Box<Utterance>),
    File(Pending),
}

/// A run whose jobs are spoken.
pub struct Speech<'a, P> {
    run: Run<'a, P>,
    backend: &'a dyn SpeechBackend,
    /// Jobs of which takes are under way, or wanted, by their numbers.
    jobs: BTreeMap<u64, SpeechJob>,
    begun: u64,
    /// How many takes the speaker has.
    speaking: usize,
    /// Recordings whose codes are there.
    decoding: Worker<(Take, usize), Decoded>,
}

impl<'a, P: Iterator<Item = Result<Planned>>> Speech<'a, P> {
    pub fn new(run: Run<'a, P>, backend: &'a dyn SpeechBackend) -> Result<Self> {
        Ok(Self { run, backend, jobs: BTreeMap::new(), begun: 0, speaking: 0, decoding: Worker::start()? })
    }

    /// Speaks all of them, up to `batch` at a time.
    ///
    /// # Errors
    /// What ends the run; what is wrong with one job is in the report.
    pub fn speak(&mut self, speaker: &mut Speaker, batch: usize, progress: &dyn Progress) -> Result<()> {
        speaker.speak_all(self, batch, progress)?;
        self.settle()
    }

    /// Waits for what was spoken and is not sound yet.
    pub fn settle(&mut self) -> Result<()> {
        while self.decoding.len() > 0 {
            self.collect(true)?;
        }
        Ok(())
    }

    pub fn tally(&self) -> Tally {
        self.run.tally()
    }

    pub fn into_run(self) -> Run<'a, P> {
        self.run
    }

    /// Takes a job up, unless it cannot be spoken, which is told.
    fn begin(&mut self, job: Box<InFlight>) -> Result<()> {
        let content = job.settings.context("speech is drawn with settings").and_then(|settings| {
            let content = self.backend.content(&job.task)?;
            Ok((settings, content))
        });
        match content {
            Ok((settings, content)) => {
                let attempts = Attempts::new(self.run.retry(), settings.seed);
                self.jobs.insert(self.begun, SpeechJob { job: Rc::from(job), content, attempts });
                self.begun += 1;
                Ok(())
            }
            Err(error) => self.run.end(&job, Err(error)),
        }
    }

    /// A take of the first job that wants one. Once the run is to end, there is one of each job that was begun.
    fn next_take(&mut self) -> Result<Option<NextRequest<Take>>> {
        let stopped = self.run.is_stopped();
        for (&number, SpeechJob { job, content, attempts }) in &mut self.jobs {
            let seed = if stopped && !attempts.is_new() { None } else { attempts.begin() };
            let (Some(seed), Some(settings)) = (seed, job.settings) else { continue };
            let settings = Settings { seed, ..settings };
            let voice = self.run.voice_of(job)?.map(|known| known.voice);
            let sound = match job.task.item {
                Item::Text(_) => speak::Sound::Whole,
                Item::Recording(_) => speak::Sound::None,
            };
            let request = Request { content: content.clone(), voice, settings, sound };
            self.speaking += 1;
            let take = Take { job: job.clone(), settings, number };
            return Ok(Some(NextRequest::Ready(take, Box::new(request))));
        }
        Ok(None)
    }

    /// Takes back what became sound; `wait`: one at least, if there is any.
    fn collect(&mut self, mut wait: bool) -> Result<()> {
        while let Some(((take, tokens), decoded)) = self.decoding.take(wait)? {
            let heard = decoded.map(|Decoded { file, seconds, findings, score }| Heard {
                utterance: Draft { tokens, seconds, sound: Sound::File(file) },
                findings,
                score,
            });
            self.judge(&take, heard)?;
            wait = false;
        }
        Ok(())
    }

    fn judge(&mut self, take: &Take, heard: Result<Heard<Draft>>) -> Result<()> {
        // A disk that is full is so for the others, too.
        if heard.as_ref().is_err_and(|error| kind(error) == Some(Kind::Output)) {
            return heard.map(|_| ());
        }
        let job = self.jobs.get_mut(&take.number).context("a take of a job that is over")?;
        job.attempts.judge(take.settings.seed, heard)?;
        self.close_all()
    }

    /// Ends the jobs of which no take is under way or wanted.
    fn close_all(&mut self) -> Result<()> {
        let stopped = self.run.is_stopped();
        let is_over = |attempts: &Attempts<Draft>| {
            attempts.is_over() || stopped && !attempts.is_under_way() && !attempts.is_new()
        };
        while let Some(number) = self.jobs.iter().find(|(_, job)| is_over(&job.attempts)).map(|(&number, _)| number) {
            if let Some(SpeechJob { job, attempts, .. }) = self.jobs.remove(&number) {
                match attempts.settle() {
                    Ok(kept) => self.keep(&job, kept)?,
                    Err(error) => self.run.end(&job, Err(error))?,
                }
            }
        }
        Ok(())
    }

    /// Keeps the best take, and the others where that is asked for.
    fn keep(&mut self, job: &InFlight, kept: Kept<Draft>) -> Result<()> {
        let Kept { best, others, scores } = kept;
        let Attempt { utterance: Draft { tokens, seconds, sound }, seed, findings, score } = best;
        let chained = job.task.chain.is_some();
        let next = match &sound {
            Sound::Memory(utterance) if chained => utterance.voice().ok().map(LoadedVoice::new),
            _ => None,
        };
        let attempts = scores.len() as u32;
        let (file, augment) = self.file(job, 1, (seed, sound))?;
        let mut heard: Vec<_> = scores
            .into_iter()
            .map(|Attempt { seed, score, .. }| RecordedTake { seed, score, out: None, file: None })
            .collect();
        let mut files = Vec::new();
        for (rank, other) in (2..).zip(others) {
            let out = ranked(&job.task.out, rank).to_string_lossy().into_owned();
            let (file, _) = self.file(job, rank, (other.seed, other.utterance.sound))?;
            let written = WrittenFile::of(&file)?;
            heard
                .iter_mut()
                .filter(|take| take.seed == other.seed)
                .for_each(|take| (take.out, take.file) = (Some(out.clone()), Some(written.clone())));
            files.push(file);
        }
        let choice = self.run.retry().chooses().then_some(Choice { score, heard, others: files });
        let made = Made { file, seconds, tokens, seed: Some(seed), attempts, findings, augment, next, choice };
        self.run.end(job, Ok(made))
    }

    /// The file of a take, and what was changed in it; the best one, of rank 1, has the job's own name.
    fn file(&self, job: &InFlight, rank: usize, (seed, sound): (u64, Sound)) -> Result<(Pending, Option<String>)> {
        let target = self.run.target(job).ranked(rank);
        match sound {
            Sound::File(file) => Ok((file.renamed(target.path), None)),
            Sound::Memory(mut utterance) => {
                let changed = self.backend.finish(job, seed, &mut utterance.pcm)?;
                let settings = job.settings.map(|settings| Settings { seed, ..settings });
                let settings = settings.context("speech is drawn with settings")?;
                let file = target.write(|sink: &mut Sink| self.backend.write(job, &settings, &utterance, sink))?;
                Ok((file, changed))
            }
        }
    }

    /// Listens to the take of a text.
    fn hear(&mut self, take: &Take, spoken: Result<Utterance>) -> Result<()> {
        let (policy, limits) = (self.run.retry(), (self.backend.protocol(), &take.settings.stop));
        let heard = spoken.and_then(|utterance| {
            let (utterance, findings) = heard(utterance, take.job.task.item.text(), policy, limits)?;
            let score = match policy.chooses() {
                true => self.backend.score(&take.job, &utterance, &findings)?,
                false => Score::new(Parts::default(), &findings),
            };
            let (tokens, seconds) = (utterance.semantic.len(), utterance.pcm.seconds());
            Ok(Heard {
                utterance: Draft { tokens, seconds, sound: Sound::Memory(Box::new(utterance)) },
                findings,
                score,
            })
        });
        self.judge(take, heard)
    }

    /// Hands the codes of a recording to the codec.
    fn decode(&mut self, take: Take, utterance: &Utterance) -> Result<()> {
        let work = self.backend.decode(&take.job, &take.settings, utterance, self.run.target(&take.job));
        self.decoding.push((take, utterance.semantic.len()), work)?;
        while self.decoding.len() > WAITING {
            self.collect(true)?;
        }
        Ok(())
    }
}

impl<P: Iterator<Item = Result<Planned>>> RequestQueue for Speech<'_, P> {
    type Key = Take;

    fn next(&mut self) -> Result<NextRequest<Take>> {
        loop {
            self.collect(false)?;
            self.close_all()?;
            if let Some(take) = self.next_take()? {
                return Ok(take);
            }
            if self.run.is_enough(self.speaking) {
                return Ok(NextRequest::Wait);
            }
            let chained = match self.run.next_job()? {
                NextJob::Ready(job) => {
                    self.begin(job)?;
                    continue;
                }
                NextJob::Wait => true,
                NextJob::End => false,
            };
            // Of what is under way more takes may be wanted.
            let more = self.run.retry().retries > 0;
            match (self.speaking, self.decoding.len()) {
                (1.., _) if chained || more => return Ok(NextRequest::Wait),
                (0, 1..) if more => self.collect(true)?,
                _ => return Ok(NextRequest::End),
            }
        }
    }

    fn finished(&mut self, take: Take, spoken: Result<Utterance>) -> Result<()> {
        self.speaking -= 1;
        match (&take.job.task.item, spoken) {
            (Item::Recording(_), Ok(utterance)) => self.decode(take, &utterance),
            (_, spoken) => self.hear(&take, spoken),
        }
    }
}
