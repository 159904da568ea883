//! Work on a thread of its own, in the order that it was handed over: what is spoken becomes files while more is
//! spoken.

use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{Builder, JoinHandle};

/// Something to be done.
pub type Work<T> = Box<dyn FnOnce() -> Result<T> + Send>;

/// The thread, and whom each piece of work is for.
pub struct Worker<K, T> {
    /// Gone once no more is to come, which ends the thread.
    work: Option<Sender<Work<T>>>,
    done: Receiver<Result<T>>,
    keys: VecDeque<K>,
    thread: Option<JoinHandle<()>>,
}

const GONE: &str = "the thread that writes sounds has ended";

impl<K, T: Send + 'static> Worker<K, T> {
    /// Kernels run there on as many threads as the caller's do, but on their own: they neither wait for nor hold up a
    /// step.
    pub fn start() -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(rayon::current_num_threads()).build()?;
        let (sender, waiting) = channel::<Work<T>>();
        let (results, done) = channel();
        let run = move || {
            for work in waiting {
                if results.send(pool.install(work)).is_err() {
                    break;
                }
            }
        };
        let thread = Builder::new().name("sounds".into()).spawn(run).context("no thread to write sounds")?;
        Ok(Self { work: Some(sender), done, keys: VecDeque::new(), thread: Some(thread) })
    }

    pub fn push(&mut self, key: K, work: Work<T>) -> Result<()> {
        self.work.as_ref().and_then(|sender| sender.send(work).ok()).context(GONE)?;
        self.keys.push_back(key);
        Ok(())
    }

    /// How many pieces of work are not taken back.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// What was handed over first, if it is done; `wait`: once it is.
    pub fn take(&mut self, wait: bool) -> Result<Option<(K, Result<T>)>> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let result = match wait {
            true => self.done.recv().context(GONE)?,
            false => match self.done.try_recv() {
                Ok(result) => result,
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => return Err(anyhow::anyhow!(GONE)),
            },
        };
        Ok(self.keys.pop_front().map(|key| (key, result)))
    }
}

impl<K, T> Drop for Worker<K, T> {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            // A panic has told of itself, and whoever waited for its result got an error.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_errors_among_them() {
        let mut worker = Worker::start().unwrap();
        for n in [3, 1, 2] {
            worker.push(n, Box::new(move || if n == 1 { anyhow::bail!("no") } else { Ok(10 * n) })).unwrap();
        }
        let taken = [(); 3].map(|()| worker.take(true).unwrap().unwrap());
        let told = taken.map(|(key, result)| (key, result.map_err(|error| error.to_string())));
        assert_eq!(told, [(3, Ok(30)), (1, Err("no".to_owned())), (2, Ok(20))]);
        assert!(worker.len() == 0 && worker.take(true).unwrap().is_none());
    }

    #[test]
    fn a_thread_that_is_gone_is_an_error_and_not_waited_for() {
        let mut worker = Worker::<_, ()>::start().unwrap();
        worker.push((), Box::new(|| panic!("a bug"))).unwrap();
        assert!(worker.take(true).unwrap_err().to_string().contains("has ended"));
    }
}
