//! Asking a run to end, and what it then still waits for.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Stands for a time that nobody knows.
const UNKNOWN: u64 = u64::MAX;

/// Set by whoever wants a run to end, from any thread: it begins nothing more. The run says here what is under way.
pub struct Stop {
    requested: AtomicBool,
    under_way: AtomicU64,
    milliseconds: AtomicU64,
}

impl Stop {
    pub const fn new() -> Self {
        let (under_way, milliseconds) = (AtomicU64::new(0), AtomicU64::new(UNKNOWN));
        Self { requested: AtomicBool::new(false), under_way, milliseconds }
    }

    /// Asks the run to end; returns whether that was asked before.
    pub fn request(&self) -> bool {
        self.requested.swap(true, Ordering::Relaxed)
    }

    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// How many jobs are under way, and how long they may take at most; `None`: there is no telling yet.
    pub fn under_way(&self) -> (u64, Option<Duration>) {
        let milliseconds = Some(self.milliseconds.load(Ordering::Relaxed)).filter(|&time| time != UNKNOWN);
        (self.under_way.load(Ordering::Relaxed), milliseconds.map(Duration::from_millis))
    }

    pub(super) fn tell(&self, under_way: u64, most: Option<Duration>) {
        let milliseconds = most.and_then(|most| u64::try_from(most.as_millis()).ok());
        self.under_way.store(under_way, Ordering::Relaxed);
        self.milliseconds.store(milliseconds.unwrap_or(UNKNOWN), Ordering::Relaxed);
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}
