//! How kernels share an output and reuse their buffers; the threads are [`team`](super::team)'s.

use super::team;
use half::f16;
#[cfg(all(target_os = "linux", not(miri)))]
use memmap2::Advice;
use memmap2::MmapMut;
use std::alloc::{Layout, handle_alloc_error};
use std::cell::Cell;
use std::marker::PhantomData;

/// Calls `work` for each index below `count`, on as many threads as rayon's current pool has.
pub(super) fn parallel(count: usize, work: impl Fn(usize) + Sync) {
    if count <= 1 || rayon::current_num_threads() == 1 {
        (0..count).for_each(work);
    } else {
        team::run(count, &work);
    }
}

/// An output of `len` elements by `write`, which writes each of them and reads none that it has not written.
///
/// Zeros would be written by one thread, which takes a tenth as long as the product that then replaces them.
pub fn written<T: Float>(len: usize, write: impl FnOnce(&mut [T])) -> Vec<T> {
    let mut out = Vec::with_capacity(len);
    if cfg!(test) {
        // What is not written shows.
        out.resize(len, T::NAN);
    } else {
        // SAFETY: there is room for as many; every bit pattern is a float, and `write` reads nothing that it has not
        // written: the tests' NaN hold all kernels to that.
        unsafe {
            out.set_len(len);
        }
    }
    write(&mut out);
    out
}

/// The types of outputs.
pub trait Float: Copy {
    #[doc(hidden)]
    const NAN: Self;
}

impl Float for f32 {
    const NAN: f32 = f32::NAN;
}

impl Float for f16 {
    const NAN: f16 = f16::NAN;
}

/// An output that several threads write disjoint parts of.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a, T = f32> {
    start: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: `at` and `slice` are unsafe to call, on the promise that threads touch disjoint parts.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(super) fn new(out: &'a mut [T]) -> Self {
        Shared { start: out.as_mut_ptr(), len: out.len(), borrow: PhantomData }
    }

    /// The address of element `index`, for accesses of `count` elements from there. Panics beyond the end.
    ///
    /// # Safety
    /// No other thread accesses these elements meanwhile.
    #[inline(always)]
    pub(super) unsafe fn at(self, index: usize, count: usize) -> *mut T {
        assert!(count <= self.len && index <= self.len - count, "beyond the output");
        // SAFETY: the index is within.
        unsafe { self.start.add(index) }
    }

    /// Elements `index..index + count`.
    ///
    /// # Safety
    /// As for [`Shared::at`]; and the slices that one thread holds at a time are disjoint too.
    #[inline(always)]
    pub(super) unsafe fn slice(self, index: usize, count: usize) -> &'a mut [T] {
        assert!(count <= self.len && index <= self.len - count, "beyond the output");
        // SAFETY: the range is within, and the caller vouches for its being untouched elsewhere.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(index), count) }
    }
}

/// Scratch memory comes in huge pages where the system has them: packed panels lie pages apart for a tile that walks
/// along them, and the translations of small pages do not all fit.
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
    // Taken out and put back, so that a call inside of `work` finds an empty buffer of its own and not this one
    // borrowed.
    let kept = BUFFERS.with(|buffers| buffers[level].take()).filter(|buffer| buffer.len >= len);
    let mut buffer = kept.unwrap_or_else(|| Buffer::new(len));
    let start = buffer.memory[buffer.start..].as_mut_ptr().cast::<f32>();
    // SAFETY: `len` f32 lie from `start` on, aligned and initialised, and outlive `work`.
    let result = work(unsafe { std::slice::from_raw_parts_mut(start, len) });
    BUFFERS.with(|buffers| buffers[level].set(Some(buffer)));
    result
}
