//! Advisory locks between processes, wherever the file system has them.
//!
//! A lock saves work and never guards a file's content: what is written here is written aside and renamed, so that file
//! systems without locks (Lustre mounted without `-o flock`, some network and FUSE mounts) and those that only pretend
//! to have them cost a repeated download at worst.

use std::fs::{File, TryLockError};
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// How often a waiting process asks again.
const PAUSE: Duration = Duration::from_millis(100);

/// What came of an attempt to lock a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is locked for as long as the file is open.
    Held,
    /// Another process holds it.
    Busy,
    /// The file system has no locks: go on without.
    Unsupported,
}

/// Locks `file` unless another process holds it.
pub fn try_hold(file: &File) -> Result<Hold> {
    match file.try_lock() {
        Ok(()) => Ok(Hold::Held),
        Err(TryLockError::WouldBlock) => Ok(Hold::Busy),
        Err(TryLockError::Error(error)) if is_unsupported(&error) => Ok(Hold::Unsupported),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Locks `file`, waiting for as long as whoever holds it gives signs of life: the file's time changes at least once in
/// `patience` (see [`show_life`]). `waiting` is called before the first pause. [`Hold::Busy`]: no sign came.
pub fn wait(file: &File, patience: Duration, waiting: impl FnOnce()) -> Result<Hold> {
    let mut waiting = Some(waiting);
    let (mut seen, mut since) = (modified(file), Instant::now());
    loop {
        match try_hold(file)? {
            Hold::Busy => (),
            settled => return Ok(settled),
        }
        if let Some(waiting) = waiting.take() {
            waiting();
        }
        let now = modified(file);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        if since.elapsed() > patience {
            return Ok(Hold::Busy);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Tells those who wait for this lock that its holder is at work.
pub fn show_life(file: &File) {
    // Whoever waits goes on without the lock if this fails for long, which costs time alone.
    file.set_modified(SystemTime::now()).unwrap_or_default();
}

/// Shows life each second until it is dropped.
pub struct Alive(Option<(Sender<()>, JoinHandle<()>)>);

/// Keeps telling those who wait for the lock on `file` that its holder is at work.
pub fn keep_alive(file: &File) -> Result<Alive> {
    let (file, (sender, ended)) = (file.try_clone()?, channel::<()>());
    let thread = std::thread::spawn(move || {
        while ended.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
            show_life(&file);
        }
    });
    Ok(Alive(Some((sender, thread))))
}

impl Drop for Alive {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.0.take() {
            drop(sender);
            // It cannot have panicked.
            thread.join().unwrap_or_default();
        }
    }
}

/// Whether the lock that this process holds on the file `path` is more than a pretence: a second opening is refused.
pub fn is_kept(path: &Path) -> bool {
    File::open(path).and_then(|file| try_hold(&file)).is_ok_and(|hold| hold == Hold::Busy)
}

/// The note that a path's file system has no locks; `None` if it was told before in this process.
pub fn unsupported_note(path: &Path) -> Option<String> {
    static TOLD: AtomicBool = AtomicBool::new(false);
    let first = !TOLD.swap(true, Ordering::Relaxed);
    first.then(|| {
        format!(
            "{}: this file system has no file locks: going on without them; do not run two commands on the same files",
            path.display()
        )
    })
}

fn modified(file: &File) -> Option<SystemTime> {
    file.metadata().and_then(|m| m.modified()).ok()
}

/// Whether the file system lacks locks: ENOSYS and EOPNOTSUPP have a kind of their own, ENOLCK does not.
fn is_unsupported(error: &Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error()) {
        return true;
    }
    error.kind() == ErrorKind::Unsupported
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_that_the_lock_is_busy_until_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let open = || File::create(folder.path().join("x.lock")).unwrap();
        let (first, second) = (open(), open());
        assert_eq!(try_hold(&first).unwrap(), Hold::Held);
        assert_eq!(try_hold(&second).unwrap(), Hold::Busy);
        assert!(is_kept(&folder.path().join("x.lock")));
        drop(first);
        assert_eq!(try_hold(&second).unwrap(), Hold::Held);
    }

    #[test]
    fn a_holder_that_gives_no_sign_of_life_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let open = || File::create(folder.path().join("x.lock")).unwrap();
        let (first, second) = (open(), open());
        assert_eq!(try_hold(&first).unwrap(), Hold::Held);
        let mut told = false;
        assert_eq!(wait(&second, Duration::ZERO, || told = true).unwrap(), Hold::Busy);
        assert!(told);
    }

    #[test]
    fn a_holder_at_work_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let open = || File::create(folder.path().join("x.lock")).unwrap();
        let (first, second) = (open(), open());
        assert_eq!(try_hold(&first).unwrap(), Hold::Held);
        let holder = std::thread::spawn(move || {
            for _ in 0..8 {
                std::thread::sleep(PAUSE);
                show_life(&first);
            }
        });
        assert_eq!(wait(&second, 4 * PAUSE, || ()).unwrap(), Hold::Held);
        holder.join().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn what_file_systems_answer_without_locks_is_no_error() {
        use rustix::io::Errno;
        for errno in [Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOLCK] {
            assert!(is_unsupported(&Error::from_raw_os_error(errno.raw_os_error())), "{errno}");
        }
        assert!(!is_unsupported(&Error::from_raw_os_error(Errno::IO.raw_os_error())));
    }
}
