//! The run of [`Speaker::speak_all`](super::Speaker::speak_all): requests go from the queue through the stages, and back as
//! utterances. All of it happens on the caller's thread, but for the codec.

use super::nets::Nets;
use super::told::Told;
use super::turn::{Load, Turn, turn};
use super::{Content, NextRequest, Request, RequestQueue, Utterance};
use crate::audio::Pcm;
use crate::progress::Progress;
use crate::stage::Stage;
use crate::stage::coarse::CoarseRow;
use crate::stage::decode::{Slots, Stepped};
use crate::stage::fine::{self, FineRow};
use crate::stage::protocol::Protocol;
use crate::stage::semantic::SemanticRow;
use crate::tokens::{Coarse, Fine, SAMPLE_RATE, Semantic};
use anyhow::{Result, ensure};
use std::collections::VecDeque;

pub struct Engine<'a, Q: RequestQueue, N> {
    queue: &'a mut Q,
    nets: &'a mut N,
    protocol: Protocol,
    batch: usize,
    keep_loaded: bool,
    told: Told<'a>,
    bringing: Bringing,
    semantic: Slots<Job<Q::Key>, SemanticRow>,
    coarse: Slots<(Job<Q::Key>, Semantic), CoarseRow>,
    fine: VecDeque<(Job<Q::Key>, Semantic, Coarse)>,
    /// What the codec has, in the order that it was handed over.
    sounding: VecDeque<(Q::Key, Semantic, Coarse, Fine)>,
}

/// A request under way.
struct Job<K> {
    key: K,
    request: Box<Request>,
}

/// What the queue said last.
#[derive(PartialEq)]
enum Bringing {
    More,
    /// Nothing before something is done.
    Later,
    Nothing,
}

impl<'a, Q: RequestQueue, N: Nets> Engine<'a, Q, N> {
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
            nets,
            protocol,
            batch,
            keep_loaded,
            told: Told::new(progress, batch == 1),
            bringing: Bringing::More,
            semantic: Slots::new(batch),
            coarse: Slots::new(batch),
            fine: VecDeque::new(),
            sounding: VecDeque::new(),
        }
    }

    /// Until the queue has nothing more, and has all that it asked for.
    pub fn run(mut self) -> Result<()> {
        loop {
            self.deliver(false)?;
            match turn(&self.load()) {
                Turn::Ask => self.ask()?,
                Turn::Semantic => self.step_semantic()?,
                Turn::Coarse => self.step_coarse()?,
                Turn::Fine => self.fill_in()?,
                Turn::Sound => self.deliver(true)?,
                Turn::End => break,
            }
            self.drop_unneeded();
        }
        ensure!(self.bringing == Bringing::Nothing, "the queue waits for an utterance, and none is under way");
        Ok(())
    }

    fn load(&self) -> Load {
        Load {
            batch: self.batch,
            fine_windows: self.nets.fine_windows().clamp(1, self.batch),
            open: self.bringing == Bringing::More,
            semantic: self.semantic.len(),
            coarse: self.coarse.len(),
            fine: self.fine.len(),
            sounding: self.sounding.len(),
        }
    }

    /// Takes one request from the queue.
    fn ask(&mut self) -> Result<()> {
        match self.queue.next()? {
            NextRequest::Ready(key, request) => self.begin(Job { key, request })?,
            NextRequest::Wait => self.bringing = Bringing::Later,
            NextRequest::End => self.bringing = Bringing::Nothing,
        }
        Ok(())
    }

    fn begin(&mut self, job: Job<Q::Key>) -> Result<()> {
        if let Err(error) = job.request.settings.check() {
            return self.done(job.key, Err(error));
        }
        let ids = match &job.request.content {
            Content::Semantic(semantic) => {
                let semantic = semantic.clone();
                return self.begin_coarse(job, semantic);
            }
            Content::Text(ids) => ids,
        };
        match job.request.semantic_row(&self.protocol, ids) {
            Ok(row) => self.semantic.push(job, row),
            Err(error) => self.done(job.key, Err(error))?,
        }
        Ok(())
    }

    fn begin_coarse(&mut self, job: Job<Q::Key>, semantic: Semantic) -> Result<()> {
        match job.request.coarse_row(&self.protocol, &semantic) {
            Ok(row) => self.coarse.push((job, semantic), row),
            Err(error) => self.done(job.key, Err(error))?,
        }
        Ok(())
    }

    fn step_semantic(&mut self) -> Result<()> {
        self.told.loading(self.nets.holds(Stage::Semantic));
        let gpt = self.nets.semantic(self.batch)?;
        self.told.stage("semantic", 0, "token");
        let Stepped { ended, tokens } = self.semantic.step(gpt);
        self.told.tokens(tokens);
        for (job, row) in ended {
            match row.and_then(SemanticRow::finish) {
                Ok(semantic) => self.begin_coarse(job, semantic)?,
                Err(error) => self.done(job.key, Err(error))?,
            }
        }
        Ok(())
    }

    fn step_coarse(&mut self) -> Result<()> {
        self.told.loading(self.nets.holds(Stage::Coarse));
        let gpt = self.nets.coarse(self.batch)?;
        self.told.stage("coarse", self.coarse.rows().map(CoarseRow::steps).sum(), "token");
        let Stepped { ended, tokens } = self.coarse.step(gpt);
        self.told.tokens(tokens);
        for ((job, semantic), row) in ended {
            match row.and_then(CoarseRow::finish) {
                Ok(coarse) => self.fine.push_back((job, semantic, coarse)),
                Err(error) => self.done(job.key, Err(error))?,
            }
        }
        Ok(())
    }

    /// Utterances through the fine stage, and to the codec.
    fn fill_in(&mut self) -> Result<()> {
        let together = self.nets.fine_windows().clamp(1, self.batch);
        let taken: Vec<_> = self.fine.drain(..together.min(self.fine.len())).collect();
        self.told.loading(self.nets.holds(Stage::Fine));
        let net = self.nets.fine()?;
        let rows: Vec<_> = taken.iter().map(|(job, _, coarse)| job.request.fine_row(&self.protocol, coarse)).collect();
        self.told.stage("fine", rows.iter().map(FineRow::steps).sum(), "pass");
        let made = fine::generate(rows, net, self.told.passes());
        for ((job, semantic, coarse), fine) in taken.into_iter().zip(made) {
            match fine {
                Ok(fine) if job.request.sound => self.sound(job.key, semantic, coarse, fine)?,
                Ok(fine) => {
                    let pcm = Pcm { samples: Vec::new(), rate: SAMPLE_RATE };
                    self.done(job.key, Ok(Utterance { semantic, coarse, fine, pcm }))?;
                }
                Err(error) => self.done(job.key, Err(error))?,
            }
        }
        Ok(())
    }

    fn sound(&mut self, key: Q::Key, semantic: Semantic, coarse: Coarse, fine: Fine) -> Result<()> {
        self.told.loading(self.nets.holds_codec());
        self.nets.sound(fine.clone())?;
        self.told.stage("audio", 1, "pass");
        self.sounding.push_back((key, semantic, coarse, fine));
        Ok(())
    }

    /// Hands over what has become sound; `wait`: one at least.
    fn deliver(&mut self, mut wait: bool) -> Result<()> {
        while !self.sounding.is_empty()
            && let Some(sound) = self.nets.sounded(wait)?
            && let Some((key, semantic, coarse, fine)) = self.sounding.pop_front()
        {
            self.done(key, sound.map(|pcm| Utterance { semantic, coarse, fine, pcm }))?;
            wait = false;
        }
        Ok(())
    }

    fn done(&mut self, key: Q::Key, spoken: Result<Utterance>) -> Result<()> {
        if self.bringing == Bringing::Later {
            self.bringing = Bringing::More;
        }
        self.queue.finished(key, spoken)
    }

    /// Lets go of the stages that nothing more can reach.
    fn drop_unneeded(&mut self) {
        if self.keep_loaded || self.bringing != Bringing::Nothing {
            return;
        }
        let empty = [self.semantic.is_empty(), self.coarse.is_empty(), self.fine.is_empty()];
        for (stage, _) in Stage::ALL.into_iter().zip(empty).take_while(|(_, empty)| *empty) {
            self.nets.drop(stage);
        }
        if empty == [true; 3] && self.sounding.is_empty() {
            self.nets.drop_codec();
        }
    }
}
