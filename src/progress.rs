//! How long work tells of itself, without knowing of terminals.

/// Receives the steps of one task after another; the command line draws them, libraries pass [`Silent`].
pub trait Progress: Send + Sync {
    /// A task begins: `total` steps of `unit` (0: unknown).
    fn start(&self, task: &str, total: u64, unit: &str);
    /// `steps` of the current task were done before: they tell nothing of its speed.
    fn already(&self, steps: u64) {
        self.advance(steps);
    }
    /// `steps` more of the current task are done.
    fn advance(&self, steps: u64);
    /// The current task is over.
    fn finish(&self);
    /// Something that the user should know now, in one line: not an error, not a result.
    fn note(&self, _message: &str) {}
}

/// Reports nothing.
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _: &str, _: u64, _: &str) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
}
