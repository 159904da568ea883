//! What the machine can do, for benchmarks to compare with: loops that only read, and that only multiply and add.

use super::isa::{Isa, Task};
use super::simd::Simd;

/// Reads all of `data` on this thread, as fast as vectors go; answers the sum.
pub fn read(data: &[f32]) -> f32 {
    Isa::current().run(Read(data))
}

/// Does `rounds` times ten vector multiply-adds on this thread; answers how many floating-point operations that was.
pub fn multiply_add(rounds: usize) -> usize {
    Isa::current().run(MultiplyAdd(rounds))
}

struct Read<'a>(&'a [f32]);

impl Task for Read<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        let mut acc = [s.splat(0.0); 8];
        for chunk in self.0.chunks_exact(8 * S::LANES) {
            for (i, acc) in acc.iter_mut().enumerate() {
                // SAFETY: the chunk holds eight vectors.
                *acc = s.add(*acc, unsafe { s.load(chunk.as_ptr().add(i * S::LANES)) });
            }
        }
        acc.into_iter().map(|acc| s.sum(acc)).sum()
    }
}

struct MultiplyAdd(usize);

impl Task for MultiplyAdd {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> usize {
        let mut acc = [s.splat(1.0); 10];
        let (a, b) = (s.splat(std::hint::black_box(0.999)), s.splat(std::hint::black_box(0.001)));
        for _ in 0..self.0 {
            for acc in &mut acc {
                *acc = s.fma(*acc, a, b);
            }
        }
        std::hint::black_box(acc.into_iter().map(|acc| s.sum(acc)).sum::<f32>());
        self.0 * 10 * 2 * S::LANES
    }
}
