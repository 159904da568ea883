//! text -> semantic -> coarse -> fine -> sound: [`Pipeline::run`] is the whole way, for one utterance or many.
//!
//! Everything happens on the caller's thread, but for the codec.

use super::codec_thread::Part;
use super::nets::Nets;
use super::schedule::{Occupancy, Step, next_step};
use super::stage_progress::StageProgress;
use super::{Content, NextRequest, Request, RequestQueue, Sound, Utterance};
use crate::audio::Pcm;
use crate::progress::Progress;
use crate::stage::Stage;
use crate::stage::coarse::CoarseRow;
use crate::stage::decode::{Slots, Stepped};
use crate::stage::fine::{self, FineRow};
use crate::stage::protocol::Protocol;
use crate::stage::semantic::SemanticRow;
use crate::tokens::{COARSE_CODEBOOKS, Coarse, FINE_CODEBOOKS, FRAME_SAMPLES, Fine, SAMPLE_RATE, Semantic};
use anyhow::{Context, Result, ensure};
use std::collections::VecDeque;

pub struct Pipeline<'a, Q: RequestQueue, N> {
    queue: &'a mut Q,
    queue_state: QueueState,
    nets: &'a mut N,
    protocol: Protocol,
    batch: usize,
    keep_loaded: bool,
    progress: StageProgress<'a>,
    semantic: Slots<Job<Q::Key>, SemanticRow>,
    coarse: Slots<WithSemantic<Q::Key>, CoarseRow>,
    fine: VecDeque<WithCoarse<Q::Key>>,
    /// What the codec was given, which it gives back in this order.
    codec: VecDeque<Decoding<Q::Key>>,
    /// The utterance that is heard while it is made.
    early: Early,
}

/// Frames that the codec has.
struct Decoding<K> {
    /// Frames of their utterance.
    total: usize,
    /// With its last frames: their utterance.
    last: Option<(K, Semantic, Coarse, Fine)>,
}

/// How far an utterance is whose sound goes out before all of it is there.
#[derive(Default)]
struct Early {
    /// Begun with the coarse stage, so that a pass is made as soon as its coarse codes are there.
    row: Option<Result<FineRow>>,
    /// Frames that the codec was given.
    sent: usize,
    samples: Vec<f32>,
}

/// Frames of an utterance that go to the codec first, where it is heard while it is made: a second.
const FIRST: usize = 75;

/// A request under way.
struct Job<K> {
    key: K,
    request: Box<Request>,
}

/// A job with what the stages have made of it.
type WithSemantic<K> = (Job<K>, Semantic);
type WithCoarse<K> = (Job<K>, Semantic, Coarse);
type WithFine<K> = (Job<K>, Semantic, Coarse, Fine);

/// The row that a job has in the fine stage, with all its coarse codes.
fn fine_row<K>(early: &mut Early, job: &Job<K>, protocol: &Protocol, coarse: &Coarse) -> Result<FineRow> {
    let begun = early.row.take().filter(|_| job.request.sound == Sound::Early);
    let mut row = begun.unwrap_or_else(|| Ok(job.request.fine_row(protocol, coarse.frames())))?;
    row.take(coarse);
    Ok(row)
}

/// What the queue said last.
#[derive(PartialEq)]
enum QueueState {
    /// It may have more.
    Open,
    /// It has nothing before an utterance is finished.
    Waiting,
    Ended,
}

impl<'a, Q: RequestQueue, N: Nets> Pipeline<'a, Q, N> {
    pub fn new(
        queue: &'a mut Q,
        nets: &'a mut N,
        protocol: Protocol,
        batch: usize,
        keep_loaded: bool,
        progress: &'a dyn Progress,
    ) -> Self {
        Self {
            queue,
            queue_state: QueueState::Open,
            nets,
            protocol,
            batch,
            keep_loaded,
            progress: StageProgress::new(progress, batch == 1),
            semantic: Slots::new(batch),
            coarse: Slots::new(batch),
            fine: VecDeque::new(),
            codec: VecDeque::new(),
            early: Early::default(),
        }
    }

    /// Text -> semantic -> coarse -> fine -> sound, until the queue has ended and has got all that it asked for.
    ///
    /// Each turn of the loop runs one stage on what lies before it; what the stage completes goes to the next one.
    pub fn run(mut self) -> Result<()> {
        loop {
            self.deliver_sounds(false)?;
            match next_step(&self.occupancy()) {
                Step::Request => {
                    if let Some(job) = self.next_request()? {
                        self.begin(job)?;
                    }
                }
                Step::Semantic => {
                    for (job, semantic) in self.semantic_step()? {
                        self.begin_coarse(job, semantic)?;
                    }
                }
                Step::Coarse => {
                    let complete = self.coarse_step()?;
                    self.fine.extend(complete);
                }
                Step::Fine => {
                    for (job, semantic, coarse, fine) in self.fine_passes()? {
                        self.begin_sound(job, semantic, coarse, fine)?;
                    }
                }
                Step::Sound => self.deliver_sounds(true)?,
                Step::End => break,
            }
            self.drop_unneeded();
        }
        let ended = self.queue_state == QueueState::Ended;
        ensure!(ended, "the queue waits for an utterance, and none is under way");
        Ok(())
    }

    fn occupancy(&self) -> Occupancy {
        Occupancy {
            batch: self.batch,
            fine_windows: self.nets.fine_windows().clamp(1, self.batch),
            open: self.queue_state == QueueState::Open,
            semantic: self.semantic.len(),
            coarse: self.coarse.len(),
            fine: self.fine.len(),
            codec: self.codec.len(),
        }
    }

    fn next_request(&mut self) -> Result<Option<Job<Q::Key>>> {
        match self.queue.next()? {
            NextRequest::Ready(key, request) => return Ok(Some(Job { key, request })),
            NextRequest::Wait => self.queue_state = QueueState::Waiting,
            NextRequest::End => self.queue_state = QueueState::Ended,
        }
        Ok(None)
    }

    /// Text to the semantic stage; semantic tokens pass over it.
    fn begin(&mut self, job: Job<Q::Key>) -> Result<()> {
        if let Err(error) = job.request.settings.check() {
            return self.finish(job.key, Err(error));
        }
        let ids = match &job.request.content {
            Content::Text(ids) => ids,
            Content::Semantic(semantic) => {
                let semantic = semantic.clone();
                return self.begin_coarse(job, semantic);
            }
        };
        match job.request.semantic_row(&self.protocol, ids) {
            Ok(row) => self.semantic.push(job, row),
            Err(error) => self.finish(job.key, Err(error))?,
        }
        Ok(())
    }

    /// A token for every row of the semantic stage; the jobs whose tokens are complete.
    fn semantic_step(&mut self) -> Result<Vec<WithSemantic<Q::Key>>> {
        self.progress.loading(self.nets.holds(Stage::Semantic));
        let gpt = self.nets.semantic(self.batch)?;
        self.progress.stage("semantic", 0, "token");
        let Stepped { ended, tokens } = self.semantic.step(gpt);
        self.progress.tokens(tokens);
        let made = ended.into_iter().map(|(job, row)| (job, row.and_then(SemanticRow::finish)));
        self.without_failed(made.collect(), |job| job.key)
    }

    fn begin_coarse(&mut self, job: Job<Q::Key>, semantic: Semantic) -> Result<()> {
        match job.request.coarse_row(&self.protocol, &semantic) {
            Ok(row) => {
                if job.request.sound == Sound::Early {
                    let frames = row.steps() / COARSE_CODEBOOKS;
                    self.early =
                        Early { row: Some(Ok(job.request.fine_row(&self.protocol, frames))), ..Early::default() };
                }
                self.coarse.push((job, semantic), row);
            }
            Err(error) => self.finish(job.key, Err(error))?,
        }
        Ok(())
    }

    /// A token for every row of the coarse stage; the jobs whose codes are complete.
    fn coarse_step(&mut self) -> Result<Vec<WithCoarse<Q::Key>>> {
        self.progress.loading(self.nets.holds(Stage::Coarse));
        let gpt = self.nets.coarse(self.batch)?;
        self.progress.stage("coarse", self.coarse.rows().map(|row| row.steps() - row.done()).sum(), "token");
        let Stepped { ended, tokens } = self.coarse.step(gpt);
        self.progress.tokens(tokens);
        let made = ended.into_iter().map(|(job, row)| (job, row.and_then(|row| row.codes())));
        let complete = self.without_failed(made.collect(), |(job, _)| job.key)?;
        self.fine_ahead()?;
        Ok(complete.into_iter().map(|((job, semantic), coarse)| (job, semantic, coarse)).collect())
    }

    /// The fine pass for which the coarse stage has just made enough; what is settled by it goes to the codec.
    fn fine_ahead(&mut self) -> Result<()> {
        let (Some(Ok(row)), Some(coarse)) = (&mut self.early.row, self.coarse.rows().next()) else { return Ok(()) };
        if row.wants().is_none_or(|frames| frames > coarse.frames()) {
            return Ok(());
        }
        row.take(&coarse.codes()?);
        self.progress.loading(self.nets.holds(Stage::Fine));
        let net = self.nets.fine()?;
        self.progress.stage("fine", FINE_CODEBOOKS - COARSE_CODEBOOKS, "pass");
        fine::advance(self.early.row.as_mut_slice(), net, self.progress.passes());
        match &self.early.row {
            Some(Ok(row)) if row.settled() >= FIRST => {
                let (codes, total) = (row.codes()?, row.frames());
                self.send_early(&codes, total)
            }
            // What failed is told once its turn comes.
            _ => Ok(()),
        }
    }

    /// Codes to the codec that it has not had yet, of an utterance of `total` frames.
    fn send_early(&mut self, codes: &Fine, total: usize) -> Result<()> {
        let mut from = self.early.sent;
        if from == 0 && codes.frames() > FIRST {
            self.send(codes.part(0..FIRST), true, Decoding { total, last: None })?;
            from = FIRST;
        }
        if from < codes.frames() {
            self.send(codes.part(from..codes.frames()), from == 0, Decoding { total, last: None })?;
        }
        self.early.sent = codes.frames();
        Ok(())
    }

    fn send(&mut self, fine: Fine, first: bool, decoding: Decoding<Q::Key>) -> Result<()> {
        self.progress.loading(self.nets.holds_codec());
        self.nets.decode(Part { fine, first })?;
        self.codec.push_back(decoding);
        Ok(())
    }

    /// All fine codes of as many utterances as the net best takes together.
    fn fine_passes(&mut self) -> Result<Vec<WithFine<Q::Key>>> {
        let together = self.nets.fine_windows().clamp(1, self.batch);
        let taken: Vec<_> = self.fine.drain(..together.min(self.fine.len())).collect();
        self.progress.loading(self.nets.holds(Stage::Fine));
        let net = self.nets.fine()?;
        let rows: Vec<_> =
            taken.iter().map(|(job, _, coarse)| fine_row(&mut self.early, job, &self.protocol, coarse)).collect();
        self.progress.stage("fine", rows.iter().flatten().map(FineRow::steps).sum(), "pass");
        let made = fine::generate(rows, net, self.progress.passes());
        let complete = self.without_failed(taken.into_iter().zip(made).collect(), |(job, ..)| job.key)?;
        Ok(complete.into_iter().map(|((job, semantic, coarse), fine)| (job, semantic, coarse, fine)).collect())
    }

    /// Codes to the codec, where sound is wanted.
    fn begin_sound(&mut self, job: Job<Q::Key>, semantic: Semantic, coarse: Coarse, fine: Fine) -> Result<()> {
        let total = fine.frames();
        match job.request.sound {
            Sound::None => {
                let pcm = Pcm { samples: Vec::new(), rate: SAMPLE_RATE };
                return self.finish(job.key, Ok(Utterance { semantic, coarse, fine, pcm }));
            }
            Sound::Whole => {
                let decoding = Decoding { total, last: None };
                self.send(fine.clone(), true, decoding)?;
            }
            Sound::Early => self.send_early(&fine, total)?,
        }
        self.progress.stage("audio", 1, "pass");
        self.codec.back_mut().context("the codec was just given these")?.last = Some((job.key, semantic, coarse, fine));
        Ok(())
    }

    /// Hands over what has become sound; `wait`: one at least.
    fn deliver_sounds(&mut self, mut wait: bool) -> Result<()> {
        while !self.codec.is_empty()
            && let Some(sound) = self.nets.decoded(wait)?
            && let Some(Decoding { total, last }) = self.codec.pop_front()
        {
            match last {
                None => self.sounded(total, &sound?.samples)?,
                Some((key, semantic, coarse, fine)) => {
                    let pcm = match sound {
                        Ok(pcm) => Ok(self.whole(total, pcm)?),
                        Err(error) => Err(error),
                    };
                    self.finish(key, pcm.map(|pcm| Utterance { semantic, coarse, fine, pcm }))?;
                }
            }
            wait = false;
        }
        Ok(())
    }

    /// Tells of samples of an utterance of `total` frames.
    fn sounded(&mut self, total: usize, samples: &[f32]) -> Result<()> {
        self.early.samples.extend_from_slice(samples);
        self.queue.sounded(total * FRAME_SAMPLES, samples)
    }

    /// All of the sound whose last samples are `last`.
    fn whole(&mut self, total: usize, last: Pcm) -> Result<Pcm> {
        self.sounded(total, &last.samples)?;
        Ok(Pcm { samples: std::mem::take(&mut self.early.samples), ..last })
    }

    /// What succeeded; what failed goes back to the queue.
    fn without_failed<J, T>(&mut self, made: Vec<(J, Result<T>)>, key: impl Fn(J) -> Q::Key) -> Result<Vec<(J, T)>> {
        let mut complete = Vec::with_capacity(made.len());
        for (job, made) in made {
            match made {
                Ok(made) => complete.push((job, made)),
                Err(error) => self.finish(key(job), Err(error))?,
            }
        }
        Ok(complete)
    }

    fn finish(&mut self, key: Q::Key, spoken: Result<Utterance>) -> Result<()> {
        if self.queue_state == QueueState::Waiting {
            self.queue_state = QueueState::Open;
        }
        self.queue.finished(key, spoken)
    }

    /// Drops the nets of the stages that nothing more can reach.
    fn drop_unneeded(&mut self) {
        if self.keep_loaded || self.queue_state != QueueState::Ended {
            return;
        }
        let empty = [self.semantic.is_empty(), self.coarse.is_empty(), self.fine.is_empty()];
        for (stage, _) in Stage::ALL.into_iter().zip(empty).take_while(|(_, empty)| *empty) {
            self.nets.drop(stage);
        }
        if empty == [true; 3] && self.codec.is_empty() {
            self.nets.drop_codec();
        }
    }
}
