//! The threads that kernels run on: each thread that calls kernels has helpers of its own, who claim the tasks of one
//! call after another beside it. Each has a share of the indices, the same from call to call, whose data its cache may
//! still hold, and helps with the others' when it is through.
//!
//! A kernel of tens of microseconds is over before a sleeping thread has woken, so helpers look out for the next
//! kernel for a short while before they sleep. They never do so for long, nor where the machine turns out to be
//! shared: a thread that spins takes the processor from whoever has work, which may be the very thread that it waits
//! for. None of them yields its turn: the scheduler gives a thread that wakes precedence over a busy one of lower
//! priority, and to one that has yielded it does not.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

/// How long a thread looks out for what it waits for before it sleeps: longer than what lies between two kernels of a
/// pass, and not much longer than it takes to wake up.
const LOOKOUT: Duration = Duration::from_micros(100);
/// A round of looking out takes well below a microsecond. One that takes this long was interrupted by another thread's
/// turn.
const INTERRUPTED: Duration = Duration::from_micros(50);
/// For how long nobody looks out after such an interruption.
const CONTENDED: Duration = Duration::from_millis(20);
/// Looks at what is waited for between two looks at the clock.
const LOOKS: usize = 16;

type Work<'a> = dyn Fn(usize) + Sync + 'a;
type Panic = Box<dyn std::any::Any + Send>;

thread_local! {
    static TEAM: RefCell<Option<Team>> = const { RefCell::new(None) };
    /// Whether this thread is at a task: kernels that a task calls run on its thread alone.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// Calls `work` for each index below `count`, on this thread and its helpers: one fewer than rayon's current pool has
/// threads. The order is arbitrary. A panic of `work` goes on in the caller, once no task runs any more.
pub(super) fn run(count: usize, work: &Work) {
    if BUSY.get() {
        return (0..count).for_each(work);
    }
    let start = || Team::start(rayon::current_num_threads() - 1);
    TEAM.with_borrow_mut(|team| team.get_or_insert_with(start).run(count, work));
}

/// The helpers of one thread.
struct Team {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
}

/// What a caller and its helpers share.
#[derive(Default)]
struct Shared {
    /// Odd while a call is open: one more with each opening and each closing. An opened call is never the same as a
    /// later one.
    generation: Alone<AtomicUsize>,
    /// The next index to claim of each thread's share, the caller's first.
    next: Vec<Alone<AtomicUsize>>,
    /// Helpers that may be at the open call, or are about to see that it is closed.
    inside: Alone<AtomicUsize>,
    call: CallCell,
    /// The helpers that sleep.
    asleep: Vec<AtomicBool>,
    /// Who waits, asleep, for the last helper to come out.
    caller: Mutex<Option<Thread>>,
    panic: Mutex<Option<Panic>>,
    over: AtomicBool,
}

/// On cache lines of its own, so that threads that look at one value are not held up by writes to another.
#[derive(Default)]
#[repr(align(128))]
struct Alone<T>(T);

/// The open call: its task, whose lifetime [`Team::run`] vouches for, and the number of indices.
#[derive(Clone, Copy)]
struct Call {
    work: *const Work<'static>,
    count: usize,
}

/// Written by the caller while no call is open and no helper inside, and read by helpers inside of an open call.
#[derive(Default)]
struct CallCell(std::cell::UnsafeCell<Option<Call>>);

// SAFETY: see above for who reads and writes when; the task itself is `Sync`.
unsafe impl Sync for CallCell {}
// SAFETY: as above.
unsafe impl Send for CallCell {}

impl Team {
    /// As many helpers, or as many as the system lets start.
    fn start(helpers: usize) -> Self {
        let asleep = (0..helpers).map(|_| AtomicBool::new(false)).collect();
        let next = (0..=helpers).map(|_| Alone::default()).collect();
        let shared = Arc::new(Shared { asleep, next, ..Shared::default() });
        let start = |index| {
            let shared = shared.clone();
            thread::Builder::new().name(format!("kernels {index}")).spawn(move || shared.help(index)).ok()
        };
        Team { helpers: (0..helpers).map_while(start).collect(), shared }
    }

    fn run(&self, count: usize, work: &Work) {
        let shared = &self.shared;
        // SAFETY: only the lifetime changes; after `close`, before `work` goes, no helper uses it any more.
        let work = unsafe { std::mem::transmute::<&Work, &Work<'static>>(work) };
        // SAFETY: no call is open and no helper inside, since the last call ended with `close`.
        unsafe { *shared.call.0.get() = Some(Call { work, count }) };
        for (thread, next) in shared.next.iter().enumerate() {
            next.0.store(shared.share(thread, count).start, SeqCst);
        }
        shared.generation.0.fetch_add(1, SeqCst);
        for (asleep, helper) in shared.asleep.iter().zip(&self.helpers).take(count - 1) {
            if asleep.load(SeqCst) {
                helper.thread().unpark();
            }
        }
        shared.claim(0, Call { work, count });
        shared.close();
        if let Some(panic) = lock(&shared.panic).take() {
            resume_unwind(panic);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.over.store(true, SeqCst);
        for helper in self.helpers.drain(..) {
            helper.thread().unpark();
            // A helper's panics are its caller's.
            let _ = helper.join();
        }
    }
}

impl Shared {
    /// A helper's life.
    fn help(&self, index: usize) {
        let mut seen = 0;
        while !self.over.load(SeqCst) {
            let generation = self.await_change(seen, &self.asleep[index]);
            if generation % 2 == 1 {
                self.join_in(generation, index + 1);
            }
            seen = generation;
        }
    }

    /// Takes part in the call that opened with `generation`, if it is still open.
    fn join_in(&self, generation: usize, thread: usize) {
        // Either this thread sees here that the call is closed, or the caller sees after closing it that this thread
        // is inside: both write before they read, in one order for all threads.
        self.inside.0.fetch_add(1, SeqCst);
        if self.generation.0.load(SeqCst) == generation {
            // SAFETY: the call is open, and whoever closes it waits for this thread.
            if let Some(call) = unsafe { *self.call.0.get() } {
                self.claim(thread, call);
            }
        }
        if self.inside.0.fetch_sub(1, SeqCst) == 1
            && let Some(caller) = lock(&self.caller).take()
        {
            caller.unpark();
        }
    }

    /// The indices below `count` that are `thread`'s.
    fn share(&self, thread: usize, count: usize) -> Range<usize> {
        let threads = self.next.len();
        thread * count / threads..(thread + 1) * count / threads
    }

    /// Does tasks of `call` until none is left: those of `thread`'s own share, then of the others'.
    fn claim(&self, thread: usize, call: Call) {
        BUSY.set(true);
        let shares = (thread..self.next.len()).chain(0..thread);
        let tasks = AssertUnwindSafe(|| shares.for_each(|thread| self.claim_share(thread, call)));
        if let Err(panic) = catch_unwind(tasks) {
            self.next.iter().for_each(|next| next.0.store(call.count, SeqCst));
            *lock(&self.panic) = Some(panic);
        }
        BUSY.set(false);
    }

    /// Does tasks of `thread`'s share until none is left.
    fn claim_share(&self, thread: usize, call: Call) {
        // SAFETY: the call is open, so its task is there.
        let work = unsafe { &*call.work };
        let end = self.share(thread, call.count).end;
        let claim = || Some(self.next[thread].0.fetch_add(1, SeqCst)).filter(|&index| index < end);
        std::iter::from_fn(claim).for_each(work);
    }

    /// Closes the call, and waits until no helper is at it.
    fn close(&self) {
        self.generation.0.fetch_add(1, SeqCst);
        let is_empty = || self.inside.0.load(SeqCst) == 0;
        if look_out(is_empty) {
            return;
        }
        loop {
            *lock(&self.caller) = Some(thread::current());
            if is_empty() {
                break;
            }
            thread::park();
        }
        *lock(&self.caller) = None;
    }

    /// Waits until the generation is another one than `seen`, or the team's time is over.
    fn await_change(&self, seen: usize, asleep: &AtomicBool) -> usize {
        let generation = || self.generation.0.load(SeqCst);
        let is_due = || generation() != seen || self.over.load(SeqCst);
        if !look_out(is_due) {
            asleep.store(true, SeqCst);
            while !is_due() {
                thread::park();
            }
            asleep.store(false, SeqCst);
        }
        generation()
    }
}

/// A panic leaves nothing half-done behind any of these locks.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks out for `is_due` for a short while, or not at all where the machine is shared; whether it came.
fn look_out(is_due: impl Fn() -> bool) -> bool {
    thread_local! {
        static CONTENDED_UNTIL: Cell<Option<Instant>> = const { Cell::new(None) };
    }
    let start = Instant::now();
    if CONTENDED_UNTIL.get().is_some_and(|until| start < until) {
        return is_due();
    }
    let mut last = start;
    loop {
        for _ in 0..LOOKS {
            if is_due() {
                return true;
            }
            std::hint::spin_loop();
        }
        let now = Instant::now();
        if now - last > INTERRUPTED {
            CONTENDED_UNTIL.set(Some(now + CONTENDED));
            return is_due();
        }
        if now - start > LOOKOUT {
            return false;
        }
        last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum over the indices of kernels of some length, one after another.
    fn chain(links: usize) -> usize {
        let done = AtomicUsize::new(0);
        for link in 0..links {
            run(16, &|i| {
                std::hint::black_box((0..100 * (i % 3)).sum::<usize>());
                done.fetch_add(i + link, SeqCst);
            });
        }
        done.into_inner()
    }

    fn expected(links: usize) -> usize {
        (0..links).map(|link| 120 + 16 * link).sum()
    }

    fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
    }

    const LINKS: usize = if cfg!(miri) { 20 } else { 4000 };

    #[test]
    fn every_index_of_a_chain_of_kernels_is_done_once_on_any_number_of_threads() {
        for threads in [1, 2, 3, 8] {
            assert_eq!(with_threads(threads, || chain(LINKS)), expected(LINKS), "{threads} threads");
        }
    }

    #[test]
    fn threads_that_share_a_pool_have_helpers_of_their_own() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        thread::scope(|scope| {
            let chains = [0; 3].map(|_| scope.spawn(|| pool.install(|| chain(LINKS))));
            assert_eq!(chains.map(|chain| chain.join().unwrap()), [expected(LINKS); 3]);
        });
    }

    #[test]
    fn a_kernel_inside_of_a_task_runs_on_its_thread_alone() {
        let done = AtomicUsize::new(0);
        with_threads(2, || {
            run(8, &|_| {
                let thread = thread::current().id();
                run(5, &|_| {
                    assert_eq!(thread::current().id(), thread);
                    done.fetch_add(1, SeqCst);
                });
            });
        });
        assert_eq!(done.into_inner(), 40);
    }

    #[test]
    fn a_panic_reaches_the_caller_whichever_thread_it_was_on_and_the_team_goes_on() {
        with_threads(3, || {
            for bad in [0, 7, 15] {
                let work = AssertUnwindSafe(|| run(16, &|i| assert_ne!(i, bad, "task {bad}")));
                let panic = catch_unwind(work).unwrap_err();
                assert!(panic.downcast_ref::<String>().unwrap().contains(&format!("task {bad}")));
                assert_eq!(chain(5), expected(5));
            }
        });
    }

    #[test]
    fn helpers_without_work_fall_asleep_and_wake_up_again() {
        with_threads(3, || {
            for _ in 0..3 {
                assert_eq!(chain(3), expected(3));
                let all_asleep = |team: &Team| team.shared.asleep.iter().all(|asleep| asleep.load(SeqCst));
                // However long it takes on a busy machine: a helper that never sleeps hangs this test.
                while !TEAM.with_borrow(|team| all_asleep(team.as_ref().unwrap())) {
                    thread::yield_now();
                }
            }
        });
    }
}
