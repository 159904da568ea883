//! One window of a convolution: its copy of the input, and the tiles over it.

use super::super::isa::Task;
use super::super::pack::{Rows, STEPS};
use super::super::par::Shared;
use super::super::simd::Simd;
use super::super::source::Full;
use super::super::tile::{Operands, Tile, accumulate, store_pair, tile_rows, with_tile_rows};
use super::Job;

/// Rows of the weight that one task packs: a multiple of every tile height.
pub(super) const PACKED_ROWS: usize = 48;
/// Two vectors of the widest set: windows are multiples of it.
const MOST_WIDTH: usize = 32;
/// Elements of the input that one window is to hold, about: a quarter of a second cache.
const WINDOW: usize = 1 << 16;

/// How many positions make one task: a cache's worth of input, and enough tasks for all threads.
pub(super) fn positions_of_a_task(job: &Job) -> usize {
    let fitting = WINDOW / (job.channels * job.stride).max(1);
    let even = (job.positions * job.groups).div_ceil(4 * rayon::current_num_threads());
    fitting.min(even).clamp(MOST_WIDTH, 2048).next_multiple_of(MOST_WIDTH)
}

/// Where each step of the sum (channel by channel, tap by tap) starts in the window, and the length of the window's
/// rows: one row for each channel and phase of the stride.
pub(super) fn layout(job: &Job, block: usize) -> (Vec<usize>, usize) {
    let span = block + (job.taps - 1) * job.dilation / job.stride;
    let offset = |step: usize| {
        let (channel, reach) = (step / job.taps, step % job.taps * job.dilation);
        (channel * job.stride + reach % job.stride) * span + reach / job.stride
    };
    ((0..job.steps()).map(offset).collect(), span)
}

/// Packs [`PACKED_ROWS`] rows of a group's weight into panels `[steps][height]`.
pub(super) struct Pack<'a> {
    pub job: &'a Job<'a>,
    pub group: usize,
    pub block: usize,
    pub panels: Shared<'a>,
}

impl Task for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (job, k) = (self.job, self.job.steps());
        let mut row = self.block * PACKED_ROWS;
        let last = job.rows.min(row + PACKED_ROWS);
        while row < last {
            let height = tile_rows::<S>(last - row);
            let first = self.group * job.rows + row;
            // SAFETY: panels are disjoint parts of memory as long as the weight.
            let panel = unsafe { self.panels.slice(first * k, height * k) };
            for from in (0..k).step_by(STEPS) {
                let rows = Rows::<Full> { w: job.w, k, from, steps: STEPS.min(k - from) };
                rows.pack(s, first, height, height, &mut panel[from * height..]);
            }
            row += height;
        }
    }
}

/// Positions `first..first + count` of all rows of one group.
pub(super) struct Window<'a> {
    pub job: &'a Job<'a>,
    pub packed: &'a [f32],
    pub offsets: &'a [usize],
    pub span: usize,
    pub group: usize,
    pub first: usize,
    pub count: usize,
    pub window: &'a mut [f32],
    pub out: Shared<'a>,
}

impl Task for Window<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        self.fill();
        let mut row = 0;
        while row < self.job.rows {
            let block_end = ((row / PACKED_ROWS + 1) * PACKED_ROWS).min(self.job.rows);
            let height = tile_rows::<S>(block_end - row);
            for at in (0..self.count).step_by(2 * S::LANES) {
                with_tile_rows!(S, height, MR => self.tile::<S, MR>(s, row, at));
            }
            row += height;
        }
    }
}

impl Window<'_> {
    /// Copies the input: `window[channel][phase][i]` is `x[channel][(first + i) * stride + phase - left]`, or 0 outside.
    #[inline(always)]
    fn fill(&mut self) {
        let Job { x, t, stride, left, channels, .. } = *self.job;
        for (i, row) in self.window.chunks_exact_mut(self.span).enumerate().take(channels * stride) {
            let (channel, phase) = (self.group * channels + i / stride, i % stride);
            let x = &x[channel * t..][..t];
            let start = self.first * stride + phase;
            let before = left.saturating_sub(start).div_ceil(stride).min(row.len());
            let (zeros, rest) = row.split_at_mut(before);
            zeros.fill(0.0);
            let x = x.get((start + before * stride).saturating_sub(left)..).unwrap_or_default();
            let inside = x.len().div_ceil(stride).min(rest.len());
            if stride == 1 {
                rest[..inside].copy_from_slice(&x[..inside]);
            } else {
                rest[..inside].iter_mut().zip(x.iter().step_by(stride)).for_each(|(o, x)| *o = *x);
            }
            rest[inside..].fill(0.0);
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const MR: usize>(&self, s: S, row: usize, at: usize) {
        let steps = self.offsets.len();
        let row = self.group * self.job.rows + row;
        let weights = &self.packed[row * steps..][..MR * steps];
        let window = self.window[at..].as_ptr();
        let mut total = [[s.splat(0.0); 2]; MR];
        // Sums of sums: thousands of terms in a row would lose digits.
        for (weights, offsets) in weights.chunks(STEPS * MR).zip(self.offsets.chunks(STEPS)) {
            let (a, o) = (weights.as_ptr(), offsets.as_ptr());
            // SAFETY: a window's rows are `span` long, which is the taps' reach more than `at` and a tile's width.
            let sums = unsafe {
                let (a, b) = (|step, row| a.add(step * MR + row), |step| window.add(*o.add(step)));
                accumulate(s, &Operands { steps: offsets.len(), a, b }, [[s.splat(0.0); 2]; MR])
            };
            for (total, sums) in total.iter_mut().zip(sums) {
                *total = [s.add(total[0], sums[0]), s.add(total[1], sums[1])];
            }
        }
        self.write(s, row, at, total);
    }

    /// Adds the bias and writes a tile: one row after the other, or rows interleaved.
    #[inline(always)]
    fn write<S: Simd, const MR: usize>(&self, s: S, row: usize, at: usize, acc: Tile<S::V, MR>) {
        let Job { interleaved, out_len, .. } = *self.job;
        let count = (2 * S::LANES).min(self.count - at);
        for (r, [low, high]) in acc.into_iter().enumerate() {
            let (channel, phase) = ((row + r) / interleaved, (row + r) % interleaved);
            let bias = s.splat(self.job.bias.map_or(0.0, |bias| bias[channel]));
            let sums = [s.add(low, bias), s.add(high, bias)];
            let first = (self.first + at) * interleaved + phase;
            // SAFETY: this task alone writes these positions of its rows; all of them are below `out_len`.
            unsafe {
                if interleaved == 1 {
                    store_pair(s, self.out.at(channel * out_len + first, count), sums, count);
                } else {
                    let mut row = [0f32; MOST_WIDTH];
                    store_pair(s, row.as_mut_ptr(), sums, 2 * S::LANES);
                    for (i, x) in row.iter().enumerate().take(count) {
                        if first + i * interleaved < out_len {
                            *self.out.at(channel * out_len + first + i * interleaved, 1) = *x;
                        }
                    }
                }
            }
        }
    }
}
