//! Programs that work for this one, and end before it does.
//!
//! On Unix each has a process group of its own: a terminal sends Ctrl-C to all of a group, and what is under way is to be
//! finished then. Elsewhere it hears of a Ctrl-C by itself, and what it was at fails.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

/// All that were started and not waited for, by their ids.
static AT_WORK: Mutex<BTreeMap<u32, Child>> = Mutex::new(BTreeMap::new());
/// How often one that is waited for is looked at.
const PAUSE: Duration = Duration::from_millis(2);

fn at_work() -> MutexGuard<'static, BTreeMap<u32, Child>> {
    AT_WORK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A program at work; dropped, it is ended.
pub(super) struct Helper {
    id: u32,
    pub stdin: Option<ChildStdin>,
    pub stdout: Option<ChildStdout>,
    ended: Option<ExitStatus>,
}

impl Helper {
    pub fn start(command: &mut Command) -> io::Result<Self> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        // Starting it and entering it is one step for whoever ends all of them.
        let mut at_work = at_work();
        let mut child = command.spawn()?;
        let (id, stdin, stdout) = (child.id(), child.stdin.take(), child.stdout.take());
        at_work.insert(id, child);
        Ok(Self { id, stdin, stdout, ended: None })
    }

    /// Waits until it ends. The lock is free meanwhile, so that [`end_helpers`] need not wait.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(ended) = self.look()? {
                return Ok(ended);
            }
            sleep(PAUSE);
        }
    }

    /// How it ended; `None`: it is at work.
    fn look(&mut self) -> io::Result<Option<ExitStatus>> {
        let mut at_work = at_work();
        if let (None, Some(child)) = (self.ended, at_work.get_mut(&self.id)) {
            self.ended = child.try_wait()?;
        }
        if self.ended.is_some() {
            at_work.remove(&self.id);
        }
        Ok(self.ended)
    }

    /// Ends it, if it did not end by itself.
    pub fn end(&mut self) {
        at_work().remove(&self.id).into_iter().for_each(|mut child| end(&mut child));
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.end();
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

/// Ends every program that works for this process, and lets it start no more: before an interrupted process removes what
/// they write.
pub fn end_helpers() {
    let mut at_work = at_work();
    at_work.values_mut().for_each(end);
    // Whoever waits for one of them waits for the lock, and so for the process's end: it fails with nothing.
    mem::forget(at_work);
}
