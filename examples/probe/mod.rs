//! This machine's read bandwidth and multiply-add peak, on the threads of rayon's current pool or a device: what
//! benchmarks divide by.

use anyhow::Result;
use barkclone::kernels::probe;
use candle_core::{DType, Device, Tensor};
use std::hint::black_box;
use std::time::Instant;

/// Seconds of the fastest of `runs` calls.
pub fn fastest(runs: usize, mut work: impl FnMut()) -> f64 {
    let mut seconds = f64::INFINITY;
    for _ in 0..runs {
        let start = Instant::now();
        work();
        seconds = seconds.min(start.elapsed().as_secs_f64());
    }
    seconds
}

/// Bytes a second that all threads together read, 16 MiB at a time, of memory far larger than the caches.
pub fn bandwidth() -> f64 {
    let data = vec![1f32; 1 << 27];
    let mut blocks = data.chunks_exact(1 << 22).cycle();
    let read = || {
        let block = blocks.next().expect("the cycle never ends");
        let part = block.len() / rayon::current_num_threads();
        rayon::broadcast(|thread| black_box(probe::read(&block[thread.index() * part..][..part])));
    };
    (4 << 22) as f64 / fastest(400, read)
}

/// f32 operations a second of multiply-adds in registers on all threads.
pub fn fma_peak() -> f64 {
    let rounds = 1 << 16;
    let operations = rayon::current_num_threads() * probe::multiply_add(1) * rounds;
    let work = || {
        rayon::broadcast(|_| black_box(probe::multiply_add(rounds)));
    };
    operations as f64 / fastest(400, work)
}

/// Bytes a second that `device` reads and writes, and operations a second of its products of large matrices in `dtype`,
/// by candle.
pub fn device(device: &Device, dtype: DType) -> Result<(f64, f64)> {
    // A CPU in the place of a GPU has seconds for it, not hours.
    let n = if device.is_cpu() { 1024 } else { 8192 };
    let x = Tensor::ones((n, n), dtype, device)?;
    let (copied, product) = (timed(device, || x.affine(2.0, 1.0))?, timed(device, || x.matmul(&x))?);
    let numbers = (n * n) as f64;
    Ok((2.0 * numbers * dtype.size_in_bytes() as f64 / copied, 2.0 * numbers * n as f64 / product))
}

/// Seconds of the fastest of some calls, each with what the device then still has to do.
fn timed(device: &Device, work: impl Fn() -> candle_core::Result<Tensor>) -> Result<f64> {
    let run = || work().and_then(|_| device.synchronize());
    run()?;
    Ok(fastest(10, || run().expect("it has just run")))
}
