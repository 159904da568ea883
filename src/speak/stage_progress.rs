//! What a run reports to its caller's [`Progress`]: each stage of a single utterance, or the tokens of many in all,
//! since their stages take turns too fast to follow.

use crate::progress::{Progress, Silent};

pub struct StageProgress<'a> {
    progress: &'a dyn Progress,
    single: bool,
    task: Option<&'static str>,
}

impl<'a> StageProgress<'a> {
    /// `single`: utterances are spoken one at a time.
    pub fn new(progress: &'a dyn Progress, single: bool) -> Self {
        Self { progress, single, task: None }
    }

    /// A net is about to be loaded, unless it is `loaded` already.
    pub fn loading(&mut self, loaded: bool) {
        if !loaded {
            self.start("loading", 0, "");
        }
    }

    /// A stage is at work: `total` steps of `unit` (0: unknown).
    pub fn stage(&mut self, stage: &'static str, total: usize, unit: &str) {
        match self.single {
            true => self.start(stage, total as u64, unit),
            false => self.start("speaking", 0, "token"),
        }
    }

    pub fn tokens(&self, tokens: usize) {
        self.progress.advance(tokens as u64);
    }

    /// Where the fine stage reports its passes: of many utterances nowhere, since passes are not tokens.
    pub fn passes(&self) -> &dyn Progress {
        if self.single { self.progress } else { &Silent }
    }

    fn start(&mut self, task: &'static str, total: u64, unit: &str) {
        if self.task != Some(task) {
            self.finish();
            self.progress.start(task, total, unit);
            self.task = Some(task);
        }
    }

    fn finish(&mut self) {
        if self.task.take().is_some() {
            self.progress.finish();
        }
    }
}

impl Drop for StageProgress<'_> {
    /// However the run ends, its last task is over.
    fn drop(&mut self) {
        self.finish();
    }
}
