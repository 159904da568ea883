//! Texts and recordings said in a voice: the runner as the queue of a speaker.

use super::attempts::{Attempt, Attempts, heard};
use super::events::Tally;
use super::in_flight::{InFlight, Made, NextJob, Target};
use super::job::Item;
use super::plan::Planned;
use super::run::{Backend, Run};
use super::voices::LoadedVoice;
use super::worker::{Work, Worker};
use crate::error::{Kind, is_fatal, kind};
use crate::output::{Pending, Sink};
use crate::progress::Progress;
use crate::sound::Finding;
use crate::speak::{self, Content, NextRequest, Request, RequestQueue, Settings, Speaker, Utterance};
use crate::stage::protocol::Protocol;
use anyhow::{Context, Result};
use std::collections::VecDeque;

/// Conversions that may wait for the codec; who brings one more waits.
const WAITING: usize = 2;

/// What speaking needs of the models beyond what a run does.
pub trait SpeechBackend: Backend {
    /// What the speaker is given: a text's ids, refused where they do not fit one utterance; a recording's tokens.
    fn content(&self, item: &Item) -> Result<Content>;
    /// What the models' own files say.
    fn protocol(&self) -> &Protocol;
    /// Writes the sound of a text.
    fn write(&self, job: &InFlight, settings: &Settings, utterance: &Utterance, sink: &mut Sink) -> Result<()>;
    /// What makes the sound of a recording's codes, on another thread: it may be hours long.
    fn decode(&self, job: &InFlight, settings: &Settings, utterance: &Utterance, target: Target) -> Work<Decoded>;
}

/// A sound on the disk, and what does not sound right in it.
pub struct Decoded {
    pub file: Pending,
    pub seconds: f64,
    pub findings: Vec<Finding>,
}

/// A job with the attempts at it.
pub struct SpeechJob {
    job: Box<InFlight>,
    content: Content,
    settings: Settings,
    attempts: Attempts<Draft>,
}

impl SpeechJob {
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
    /// Jobs that are spoken once more.
    again: VecDeque<SpeechJob>,
    /// How many the speaker has.
    speaking: usize,
    /// Recordings whose codes are there.
    decoding: Worker<(SpeechJob, usize), Decoded>,
}

impl<'a, P: Iterator<Item = Result<Planned>>> Speech<'a, P> {
    pub fn new(run: Run<'a, P>, backend: &'a dyn SpeechBackend) -> Result<Self> {
        Ok(Self { run, backend, again: VecDeque::new(), speaking: 0, decoding: Worker::start()? })
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

    /// A request for the job; `None`: there can be none, and that was told.
    fn request(&mut self, job: Box<InFlight>) -> Result<Option<NextRequest<SpeechJob>>> {
        let content = job.settings.context("speech is drawn with settings").and_then(|settings| {
            let content = self.backend.content(&job.task.item)?;
            Ok((settings, content))
        });
        match content {
            Ok((settings, content)) => {
                let attempts = Attempts::new(self.run.retry(), settings.seed);
                self.ready(SpeechJob { job, content, settings, attempts }).map(Some)
            }
            Err(error) => self.run.end(&job, Err(error)).map(|()| None),
        }
    }

    fn ready(&mut self, mut job: SpeechJob) -> Result<NextRequest<SpeechJob>> {
        job.settings.seed = job.attempts.seed();
        let voice = self.run.voice_of(&job.job)?.map(|known| known.voice);
        let sound = match job.job.task.item {
            Item::Text(_) => speak::Sound::Whole,
            Item::Recording(_) => speak::Sound::None,
        };
        let request = Request { content: job.content.clone(), voice, settings: job.settings, sound };
        self.speaking += 1;
        Ok(NextRequest::Ready(job, Box::new(request)))
    }

    /// Asks for another take; where nothing more is begun, the best one so far is kept.
    fn repeat(&mut self, mut job: SpeechJob) -> Result<Option<NextRequest<SpeechJob>>> {
        if !self.run.is_stopped() {
            return self.ready(job).map(Some);
        }
        match job.attempts.settle() {
            Some(attempt) => self.keep(job, attempt)?,
            None => self.run.give_up(&job.job),
        }
        Ok(None)
    }

    /// Takes back what became sound; `wait`: one at least, if there is any.
    fn collect(&mut self, mut wait: bool) -> Result<()> {
        while let Some(((job, tokens), decoded)) = self.decoding.take(wait)? {
            let draft = decoded.map(|Decoded { file, seconds, findings }| {
                (Draft { tokens, seconds, sound: Sound::File(file) }, findings)
            });
            self.judge(job, draft)?;
            wait = false;
        }
        Ok(())
    }

    /// Keeps the best take, or has the job spoken once more.
    fn judge(&mut self, mut job: SpeechJob, heard: Result<(Draft, Vec<Finding>)>) -> Result<()> {
        match heard {
            Ok((draft, findings)) => match job.attempts.judge(draft, findings) {
                Some(attempt) => self.keep(job, attempt),
                None => {
                    self.again.push_back(job);
                    Ok(())
                }
            },
            // A disk that is full is so for the others, too.
            Err(error) if is_fatal(&error) || kind(&error) == Some(Kind::Output) => Err(error),
            // A take that failed does not take the earlier ones away.
            Err(error) => match job.attempts.settle() {
                Some(attempt) => self.keep(job, attempt),
                None => self.run.end(&job.job, Err(error)),
            },
        }
    }

    fn keep(&mut self, mut job: SpeechJob, attempt: Attempt<Draft>) -> Result<()> {
        let Attempt { utterance: Draft { tokens, seconds, sound }, seed, findings } = attempt;
        job.settings.seed = seed;
        let (file, next) = match sound {
            Sound::File(file) => (file, None),
            Sound::Memory(utterance) => {
                let write = |sink: &mut Sink| self.backend.write(&job.job, &job.settings, &utterance, sink);
                let chained = job.job.task.chain.is_some();
                let next = if chained { utterance.voice().ok().map(LoadedVoice::new) } else { None };
                (self.run.target(&job.job).write(write)?, next)
            }
        };
        let attempts = job.attempts.made();
        let made = Made { file, seconds, tokens, seed: Some(seed), attempts, findings, next };
        self.run.end(&job.job, Ok(made))
    }

    /// Listens to the take of a text.
    fn hear(&mut self, job: SpeechJob, spoken: Result<Utterance>) -> Result<()> {
        let limits = (self.backend.protocol(), &job.settings.stop);
        let heard = spoken.and_then(|utterance| heard(utterance, job.job.task.item.text(), self.run.retry(), limits));
        let draft = heard.map(|(utterance, findings)| {
            let (tokens, seconds) = (utterance.semantic.len(), utterance.pcm.seconds());
            (Draft { tokens, seconds, sound: Sound::Memory(Box::new(utterance)) }, findings)
        });
        self.judge(job, draft)
    }

    /// Hands the codes of a recording to the codec.
    fn decode(&mut self, job: SpeechJob, utterance: &Utterance) -> Result<()> {
        let work = self.backend.decode(&job.job, &job.settings, utterance, self.run.target(&job.job));
        self.decoding.push((job, utterance.semantic.len()), work)?;
        while self.decoding.len() > WAITING {
            self.collect(true)?;
        }
        Ok(())
    }
}

impl<P: Iterator<Item = Result<Planned>>> RequestQueue for Speech<'_, P> {
    type Key = SpeechJob;

    fn next(&mut self) -> Result<NextRequest<SpeechJob>> {
        loop {
            self.collect(false)?;
            while let Some(job) = self.again.pop_front() {
                if let Some(ready) = self.repeat(job)? {
                    return Ok(ready);
                }
            }
            if self.run.is_enough(self.speaking) {
                return Ok(NextRequest::Wait);
            }
            let chained = match self.run.next_job()? {
                NextJob::Ready(job) => match self.request(job)? {
                    Some(ready) => return Ok(ready),
                    None => continue,
                },
                NextJob::Wait => true,
                NextJob::End => false,
            };
            // What is under way may have to be spoken once more.
            let more = self.run.retry().retries > 0;
            match (self.speaking, self.decoding.len()) {
                (1.., _) if chained || more => return Ok(NextRequest::Wait),
                (0, 1..) if more => self.collect(true)?,
                _ => return Ok(NextRequest::End),
            }
        }
    }

    fn finished(&mut self, job: SpeechJob, spoken: Result<Utterance>) -> Result<()> {
        self.speaking -= 1;
        match (&job.job.task.item, spoken) {
            (Item::Recording(_), Ok(utterance)) => self.decode(job, &utterance),
            (_, spoken) => self.hear(job, spoken),
        }
    }
}
