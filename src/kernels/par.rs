//! Threads and scratch memory: how kernels share one output and reuse their buffers.

#[cfg(all(target_os = "linux", not(miri)))]
use memmap2::Advice;
use memmap2::MmapMut;
use rayon::prelude::*;
use std::alloc::{Layout, handle_alloc_error};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Runs `work` with the pool's other threads awake. A kernel of tens of microseconds is over before a sleeping thread has
/// woken, so a chain of such kernels is worth having them look for work all the while.
///
/// A thread that took up its watch while it waits inside of a kernel's task would never get back to that task, and the caller
/// would wait for it for ever: only who begins before the first kernel does keeps watch.
pub fn awake<T>(work: impl FnOnce() -> T) -> T {
    let others = rayon::current_num_threads() - 1;
    let Some(caller) = rayon::current_thread_index().filter(|_| others > 0) else {
        return work();
    };
    let watch = Watch::default();
    // A broadcast stays on its thread: a task that the caller could steal would never let it get back to its work.
    rayon::in_place_scope(|scope| {
        scope.spawn_broadcast(|_, context| {
            if context.index() != caller && watch.begin() {
                watch.keep();
            }
        });
        let finish = EndOnDrop(&watch);
        watch.close(others);
        let result = work();
        drop(finish);
        result
    })
}

/// How long the others are waited for, before the work begins without those that are busy.
const MUSTER: Duration = Duration::from_micros(200);
/// Rounds without work after which a waiting thread lets others run: the machine may be shared.
const PATIENCE: u32 = 2000;
/// Set once no thread begins any more; the lower bits count those that did.
const CLOSED: usize = 1 << 31;

/// Which threads keep watch, and until when.
#[derive(Default)]
struct Watch {
    begun: AtomicUsize,
    over: AtomicBool,
}

impl Watch {
    /// Whether this thread is in time.
    fn begin(&self) -> bool {
        let one_more = |begun| (begun & CLOSED == 0).then_some(begun + 1);
        self.begun.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).is_ok()
    }

    /// Waits a little for `others`; lets nobody begin from then on.
    fn close(&self, others: usize) {
        let start = Instant::now();
        while self.begun.load(Ordering::Acquire) < others && start.elapsed() < MUSTER {
            std::hint::spin_loop();
        }
        self.begun.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// Takes up work as it comes.
    fn keep(&self) {
        let mut idle = 0;
        while !self.over.load(Ordering::Acquire) {
            match rayon::yield_now() {
                Some(rayon::Yield::Executed) => idle = 0,
                _ if idle < PATIENCE => idle += 1,
                _ => std::thread::yield_now(),
            }
            std::hint::spin_loop();
        }
    }
}

/// Ends the watch even if the work panics, or its threads would wait for ever.
struct EndOnDrop<'a>(&'a Watch);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Release);
    }
}

/// Calls `work` for each index below `count`, on rayon's current pool.
pub(super) fn parallel(count: usize, work: impl Fn(usize) + Send + Sync) {
    if count <= 1 || rayon::current_num_threads() == 1 {
        (0..count).for_each(work);
    } else {
        (0..count).into_par_iter().for_each(work);
    }
}

/// An output that several threads write disjoint parts of.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a> {
    start: *mut f32,
    len: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: `at` and `slice` are unsafe to call, on the promise that threads touch disjoint parts.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(super) fn new(out: &'a mut [f32]) -> Self {
        Shared { start: out.as_mut_ptr(), len: out.len(), borrow: PhantomData }
    }

    /// The address of element `index`, for accesses of `count` elements from there.
    ///
    /// # Safety
    /// `index + count` does not pass the end, and no other thread accesses these elements meanwhile.
    #[inline(always)]
    pub(super) unsafe fn at(self, index: usize, count: usize) -> *mut f32 {
        debug_assert!(index + count <= self.len);
        // SAFETY: the caller vouches for the index.
        unsafe { self.start.add(index) }
    }

    /// Elements `index..index + count`.
    ///
    /// # Safety
    /// As for [`Shared::at`]; and the slices that one thread holds at a time are disjoint too.
    #[inline(always)]
    pub(super) unsafe fn slice(self, index: usize, count: usize) -> &'a mut [f32] {
        debug_assert!(index + count <= self.len);
        // SAFETY: the caller vouches for the range and for its being untouched elsewhere.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(index), count) }
    }
}

/// Scratch memory comes in huge pages where the system has them: packed panels lie pages apart for a tile that walks along them,
/// and the translations of small pages do not all fit.
const HUGE: usize = 2 << 20;

/// Zeros to begin with; starts on a huge page, so on a cache line too.
struct Buffer {
    memory: MmapMut,
    start: usize,
    len: usize,
}

impl Buffer {
    /// At least `len` f32.
    fn new(len: usize) -> Self {
        let bytes = (len * size_of::<f32>()).next_multiple_of(HUGE);
        // As where a vector finds no memory.
        let refused = |_| handle_alloc_error(Layout::from_size_align(bytes, HUGE).unwrap_or(Layout::new::<f32>()));
        let memory = MmapMut::map_anon(bytes + HUGE).unwrap_or_else(refused);
        let start = memory.as_ptr().align_offset(HUGE);
        #[cfg(all(target_os = "linux", not(miri)))]
        // A hint, which Miri does not know: without huge pages it is as right.
        memory.advise_range(Advice::HugePage, start, bytes).ok();
        Self { memory, start, len: bytes / size_of::<f32>() }
    }
}

thread_local! {
    // Two levels, since a kernel that shares one packed operand also needs a buffer of each thread's own.
    static BUFFERS: [Cell<Option<Buffer>>; 2] = const { [Cell::new(None), Cell::new(None)] };
}

/// Runs `work` with `len` f32 of this thread's scratch memory `level` (0: shared with the pool, 1: this thread's own),
/// which is kept for the next call. Its contents are whatever the last call left.
pub(super) fn scratch<T>(level: usize, len: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    // Taken out and put back, so that a task that rayon runs inside `work` on this thread finds an empty buffer of
    // its own and not this one borrowed.
    let kept = BUFFERS.with(|buffers| buffers[level].take()).filter(|buffer| buffer.len >= len);
    let mut buffer = kept.unwrap_or_else(|| Buffer::new(len));
    let start = buffer.memory[buffer.start..].as_mut_ptr().cast::<f32>();
    // SAFETY: `len` f32 lie from `start` on, aligned and initialised, and outlive `work`.
    let result = work(unsafe { std::slice::from_raw_parts_mut(start, len) });
    BUFFERS.with(|buffers| buffers[level].set(Some(buffer)));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tasks that are long enough to be shared out, so that threads wait for each other's while the next watch begins.
    fn chain(links: usize) -> usize {
        let done = AtomicUsize::new(0);
        for _ in 0..links {
            awake(|| {
                for _ in 0..3 {
                    parallel(16, |i| {
                        std::hint::black_box((0..500 * (i % 3)).sum::<usize>());
                        done.fetch_add(1, Ordering::Relaxed);
                    });
                }
            });
        }
        done.into_inner()
    }

    #[test]
    fn a_chain_of_kernels_comes_to_its_end_on_any_number_of_threads() {
        for threads in [1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| chain(4000)), 4000 * 3 * 16, "{threads} threads");
        }
    }

    #[test]
    fn two_chains_in_one_pool_come_to_their_ends() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        std::thread::scope(|scope| {
            let chains = [0; 2].map(|_| scope.spawn(|| pool.install(|| chain(2000))));
            assert_eq!(chains.map(|chain| chain.join().unwrap()), [2000 * 3 * 16; 2]);
        });
    }
}
