//! The queue where what was heard becomes files: each recording goes to the speaker, and its codes to sound.

use super::failures::Failures;
use super::jobs::Job;
use crate::cli::nets::WeightType;
use crate::cli::progress::Terminal;
use crate::cli::provenance;
use anyhow::{Error, Result};
use barkclone::audio;
use barkclone::batch::{Attempt, Attempts, RetryPolicy};
use barkclone::error::is_fatal;
use barkclone::output::Pending;
use barkclone::progress::{Progress, Silent};
use barkclone::sound::{Finding, LONGEST_CHECKED, listen};
use barkclone::speak::{Content, Decoder, NextRequest, Request, RequestQueue, Settings, Utterance};
use barkclone::tokens::{FRAME_SAMPLES, Fine, Semantic};
use barkclone::voice::Voice;
use std::collections::VecDeque;
use std::sync::Arc;

/// How all of them are spoken.
pub struct Manner {
    pub voice: Arc<Voice>,
    pub settings: Settings,
    pub weights: WeightType,
    /// How many more seeds are tried where a result does not sound right.
    pub retries: u32,
}

/// A run over recordings that were heard.
pub struct Run<'a, 'b> {
    /// Those that are not begun.
    heard: VecDeque<(Job, Semantic)>,
    /// Those that are spoken once more.
    again: VecDeque<Box<InFlight>>,
    under_way: usize,
    manner: Manner,
    decoder: Decoder,
    failures: &'a mut Failures<'b>,
    /// Who is told of the decoding.
    progress: &'b dyn Progress,
    terminal: &'b Terminal,
    pub tally: Tally,
}

/// What was made so far.
#[derive(Default)]
pub struct Tally {
    pub done: usize,
    /// Of speech.
    pub seconds: f64,
}

/// A recording under way.
pub struct InFlight {
    job: Job,
    semantic: Semantic,
    takes: Attempts<Draft>,
}

/// A result that may be kept.
struct Draft {
    /// None where it went to stdout.
    file: Option<Pending>,
    seconds: f64,
}

impl<'a, 'b> Run<'a, 'b> {
    /// `single`: they are spoken one at a time, so that each one's stages show.
    pub fn new(
        heard: VecDeque<(Job, Semantic)>,
        (manner, decoder): (Manner, Decoder),
        (failures, terminal): (&'a mut Failures<'b>, &'b Terminal),
        single: bool,
    ) -> Self {
        let progress: &dyn Progress = if single { terminal } else { &Silent };
        let (again, under_way, tally) = (VecDeque::new(), 0, Tally::default());
        Self { heard, again, under_way, manner, decoder, failures, progress, terminal, tally }
    }

    fn request(&self, job: &InFlight) -> Request {
        Request {
            content: Content::Semantic(job.semantic.clone()),
            voice: Some(self.manner.voice.clone()),
            settings: self.settings(job),
            sound: false,
        }
    }

    fn settings(&self, job: &InFlight) -> Settings {
        Settings { seed: job.takes.seed(), ..self.manner.settings }
    }

    fn begin(&self, (job, semantic): (Job, Semantic)) -> Box<InFlight> {
        let policy = RetryPolicy { retries: self.manner.retries, trim_tail: false };
        Box::new(InFlight { job, semantic, takes: Attempts::new(policy, self.manner.settings.seed) })
    }

    /// Makes sound of the codes and listens to it; `None`: it is to be spoken once more.
    fn hear(&self, job: &mut InFlight, spoken: Result<Utterance>) -> Result<Option<Attempt<Draft>>> {
        let draft = spoken.and_then(|utterance| self.draft(job, &utterance.fine));
        match draft.and_then(|draft| Ok((findings(&draft)?, draft))) {
            Ok((findings, draft)) => Ok(job.takes.judge(draft, findings)),
            // A take that failed does not take the earlier ones away.
            Err(error) if !is_fatal(&error) => job.takes.settle().map(Some).ok_or(error),
            Err(error) => Err(error),
        }
    }

    fn draft(&self, job: &InFlight, fine: &Fine) -> Result<Draft> {
        let Job { source, sha256, target } = &job.job;
        let how = provenance::made(&self.manner.voice.hash(), &self.settings(job), self.manner.weights);
        let made = format!("{how}; converted from another recording, sha256={sha256}");
        let title = source.file_stem().unwrap_or_default().to_string_lossy();
        let file = target.draft(fine.frames() * FRAME_SAMPLES, &provenance::remarks(&title, &made), |sink| {
            self.decoder.decode(fine, sink, self.progress)
        })?;
        Ok(Draft { file, seconds: fine.seconds() })
    }

    /// Gives the best take its name, and says what does not sound right.
    fn keep(&self, job: &InFlight, take: Attempt<Draft>) -> Result<f64> {
        let shown = job.job.target.path.display();
        if job.takes.made() > 1 {
            self.terminal.note(&format!("{shown}: {} takes, the best one has seed {}", job.takes.made(), take.seed));
        }
        if let Some(file) = take.utterance.file {
            file.settle(job.job.target.force)?;
        }
        for finding in take.findings {
            self.terminal.note(&format!("warning: {shown}: it may not sound right: {}", finding.message));
        }
        Ok(take.utterance.seconds)
    }

    fn end(&mut self, job: &InFlight, take: Result<Attempt<Draft>, Error>) -> Result<()> {
        let kept = take.and_then(|take| self.keep(job, take));
        let Some(seconds) = self.failures.sift(&job.job.source, kept)? else { return Ok(()) };
        self.tally.done += 1;
        self.tally.seconds += seconds;
        job.job.target.print()
    }
}

impl RequestQueue for Run<'_, '_> {
    type Key = Box<InFlight>;

    fn next(&mut self) -> Result<NextRequest<Box<InFlight>>> {
        let again = self.again.pop_front();
        let Some(job) = again.or_else(|| self.heard.pop_front().map(|heard| self.begin(heard))) else {
            // What is under way may have to be spoken once more.
            let wait = self.manner.retries > 0 && self.under_way > 0;
            return Ok(if wait { NextRequest::Wait } else { NextRequest::End });
        };
        self.under_way += 1;
        let request = Box::new(self.request(&job));
        Ok(NextRequest::Ready(job, request))
    }

    fn finished(&mut self, mut job: Box<InFlight>, spoken: Result<Utterance>) -> Result<()> {
        self.under_way -= 1;
        match self.hear(&mut job, spoken).transpose() {
            Some(take) => self.end(&job, take),
            None => {
                self.again.push_back(job);
                Ok(())
            }
        }
    }
}

/// What does not sound right in the file.
fn findings(draft: &Draft) -> Result<Vec<Finding>> {
    let Some(file) = &draft.file else { return Ok(Vec::new()) };
    listen(&audio::read(file.path(), LONGEST_CHECKED)?.pcm, None, true)
}
