//! Speeds of kernels beside what the machine does at that very moment: each run is timed between two short probes of the
//! limit, and the medians are taken, so that a machine whose speed moves gives the same shares.

use barkclone::kernels::probe;
use std::cell::Cell;
use std::hint::black_box;
use std::sync::LazyLock;
use std::time::Instant;

/// f32 that are read in one probe: 16 MiB.
const READ: usize = 1 << 22;
/// Vector multiply-adds of one probe, in tens.
const ROUNDS: usize = 1 << 15;
/// Seconds that each kernel is measured for, about, and the fewest and most runs in them.
const SECONDS: f64 = 0.3;
const RUNS: (f64, f64) = (7.0, 300.0);

/// What a kernel is compared with.
#[derive(Clone, Copy)]
pub enum Limit {
    /// Bytes a second that all threads read of memory.
    Bandwidth,
    /// f32 operations a second of multiply-adds in registers on all threads.
    MultiplyAdd,
}

pub struct Machine {
    /// Far more than the caches hold.
    memory: Vec<f32>,
    next: Cell<usize>,
}

/// What was measured: the medians.
pub struct Speed {
    pub seconds: f64,
    /// Of the limit, as it was meanwhile.
    pub share: f64,
}

impl Machine {
    pub fn new() -> Self {
        Self { memory: vec![1.0; 32 * READ], next: Cell::new(0) }
    }

    /// Bytes or operations a second, now.
    pub fn limit(&self, limit: Limit) -> f64 {
        let threads = rayon::current_num_threads();
        match limit {
            Limit::Bandwidth => {
                let block = &self.memory[self.next.get() * READ..][..READ];
                self.next.set((self.next.get() + 1) % 32);
                let part = READ / threads;
                (4 * READ) as f64 / seconds(&mut || on_each(|thread| _ = probe::read(&block[thread * part..][..part])))
            }
            Limit::MultiplyAdd => {
                let operations = threads * probe::multiply_add(1) * ROUNDS;
                operations as f64 / seconds(&mut || on_each(|_| _ = black_box(probe::multiply_add(ROUNDS))))
            }
        }
    }

    /// `work`, of `amount` bytes or operations, beside its limit.
    pub fn compare(&self, amount: f64, limit: Limit, work: &mut dyn FnMut()) -> Speed {
        let runs = (SECONDS / seconds(work)).clamp(RUNS.0, RUNS.1) as usize;
        let run = |_| {
            let before = self.limit(limit);
            let seconds = seconds(work);
            (seconds, amount / seconds / (0.5 * (before + self.limit(limit))))
        };
        let (seconds, shares): (Vec<f64>, Vec<f64>) = (0..runs).map(run).unzip();
        Speed { seconds: median(seconds), share: median(shares) }
    }
}

fn on_each(work: impl Fn(usize) + Sync) {
    match rayon::current_num_threads() {
        1 => work(0),
        _ => _ = rayon::broadcast(|thread| work(thread.index())),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn seconds(work: &mut dyn FnMut()) -> f64 {
    let start = clock();
    work();
    clock() - start
}

/// Of this thread's computing alone where it is the only one, so that a busy machine does not count; else of the wall.
fn clock() -> f64 {
    #[cfg(unix)]
    if rayon::current_num_threads() == 1 {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        return time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9;
    }
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64()
}
