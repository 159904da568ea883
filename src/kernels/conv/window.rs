//! One window of a convolution: its copy of the input, and the tiles over it.

use super::super::isa::Task;
use super::super::math;
use super::super::pack::{Rows, STEPS};
use super::super::par::Shared;
use super::super::simd::Simd;
use super::super::source::Full;
use super::super::tile::{Operands, Tile, accumulate, load_pair, store_pair, tile_rows, with_tile_rows};
use super::{Job, Pad};
use std::ops::Range;

/// Rows of the weight that one task packs: a multiple of every tile height.
pub(super) const PACKED_ROWS: usize = 48;
/// Two vectors of the widest set: windows are multiples of it.
const MOST_WIDTH: usize = 32;
/// Elements of the input that one window is to hold, about, and of its sums: a quarter of a second cache each.
const ROOM: usize = 1 << 16;

/// How a job is cut: tasks of some positions, whose window holds the channels of one block of [`STEPS`] at a time.
pub(super) struct Cut {
    /// Positions of a task, a multiple of any tile's width.
    pub block: usize,
    /// Length of the window's rows: one row for each channel and phase of the stride.
    span: usize,
    /// Elements of the window.
    window: usize,
    /// Elements of the sums of the blocks so far, where there is more than one block.
    totals: usize,
    /// Where each step of the sum (channel by channel, tap by tap) starts in its block's window.
    offsets: Vec<usize>,
}

impl Cut {
    pub fn of(job: &Job) -> Self {
        let Job { taps, stride, dilation, rows, .. } = *job;
        // Of a block that begins with a channel's last tap.
        let channels = ((STEPS + taps - 2) / taps + 1).min(job.channels);
        let blocks = job.steps().div_ceil(STEPS);
        let summed = if blocks > 1 { rows } else { 0 };
        // A cache's worth of input and of sums, and enough tasks for all threads.
        let fitting = ROOM / (channels * stride).max(summed).max(1);
        let even = (job.positions * job.groups).div_ceil(4 * rayon::current_num_threads());
        let block = fitting.min(even).clamp(MOST_WIDTH, 2048).next_multiple_of(MOST_WIDTH);
        let span = block + (taps - 1) * dilation / stride;
        let offset = |step: usize| {
            let first = step / STEPS * STEPS / taps;
            let (channel, reach) = (step / taps - first, step % taps * dilation);
            (channel * stride + reach % stride) * span + reach / stride
        };
        let offsets = (0..job.steps()).map(offset).collect();
        Self { block, span, window: channels * stride * span, totals: summed * block, offsets }
    }

    /// Elements of memory that a task needs.
    pub fn room(&self) -> usize {
        self.window + self.totals
    }
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
    pub cut: &'a Cut,
    pub packed: &'a [f32],
    pub group: usize,
    pub first: usize,
    pub count: usize,
    /// [`Cut::room`]
    pub room: &'a mut [f32],
    pub out: Shared<'a>,
}

impl Task for Window<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let steps = self.job.steps();
        let (window, totals) = std::mem::take(&mut self.room).split_at_mut(self.cut.window);
        for from in (0..steps).step_by(STEPS) {
            let block = from..steps.min(from + STEPS);
            self.fill(s, &block, window);
            let mut row = 0;
            while row < self.job.rows {
                let block_end = ((row / PACKED_ROWS + 1) * PACKED_ROWS).min(self.job.rows);
                let height = tile_rows::<S>(block_end - row);
                for at in (0..self.count).step_by(2 * S::LANES) {
                    with_tile_rows!(S, height, MR => self.tile::<S, MR>(s, &block, [row, at], window, totals));
                }
                row += height;
            }
        }
    }
}

impl Window<'_> {
    /// Copies the input of a block of steps, from the block's first channel on: `window[channel][phase][i]` is the
    /// padded `x[channel][(first + i) * stride + phase]`, or 0 beyond its end; through ELU, if the job says so.
    #[inline(always)]
    fn fill<S: Simd>(&self, s: S, block: &Range<usize>, window: &mut [f32]) {
        let Job { x, t, stride, channels, taps, .. } = *self.job;
        let Pad { left, right, mirrored } = self.job.pad;
        let (begin, end) = (block.start / taps, block.end.div_ceil(taps));
        for (i, row) in window.chunks_exact_mut(self.cut.span).enumerate().take((end - begin) * stride) {
            let (channel, phase) = (self.group * channels + begin + i / stride, i % stride);
            let x = &x[channel * t..][..t];
            let start = self.first * stride + phase;
            let before = left.saturating_sub(start).div_ceil(stride).min(row.len());
            let (head, rest) = row.split_at_mut(before);
            let inner = x.get((start + before * stride).saturating_sub(left)..).unwrap_or_default();
            let (body, tail) = rest.split_at_mut(inner.len().div_ceil(stride).min(rest.len()));
            match stride {
                1 => body.copy_from_slice(&inner[..body.len()]),
                2 => every::<2>(inner, body),
                4 => every::<4>(inner, body),
                _ => body.iter_mut().zip(inner.iter().step_by(stride)).for_each(|(o, x)| *o = *x),
            }
            if mirrored {
                let after = before + body.len();
                for (i, o) in head.iter_mut().enumerate() {
                    *o = x[left - (start + i * stride)];
                }
                for (i, o) in tail.iter_mut().enumerate() {
                    let beyond = start + (after + i) * stride - left - t;
                    *o = if beyond < right { x[t - 2 - beyond] } else { 0.0 };
                }
            } else {
                head.fill(0.0);
                tail.fill(0.0);
            }
            if self.job.elu {
                math::map(s, row, math::Elu());
            }
        }
    }

    /// Tile `[row, at]`: a block's sum on top of those before it. Sums of sums: thousands of terms in a row would lose
    /// digits.
    #[inline(always)]
    fn tile<S: Simd, const MR: usize>(
        &self,
        s: S,
        block: &Range<usize>,
        [row, at]: [usize; 2],
        window: &[f32],
        totals: &mut [f32],
    ) {
        let (steps, row_of_all) = (self.job.steps(), self.group * self.job.rows + row);
        let weights = &self.packed[row_of_all * steps + block.start * MR..][..block.len() * MR];
        let offsets = &self.cut.offsets[block.clone()];
        let (a, b, o) = (weights.as_ptr(), window[at..].as_ptr(), offsets.as_ptr());
        // SAFETY: a window's rows are `span` long, which is the taps' reach more than `at` and a tile's width.
        let mut sums = unsafe {
            let (a, b) = (|step, row| a.add(step * MR + row), |step| b.add(*o.add(step)));
            accumulate(s, &Operands { steps: block.len(), a, b }, [[s.splat(0.0); 2]; MR])
        };
        let (first, last) = (block.start == 0, block.end == steps);
        if first && last {
            return self.write(s, row_of_all, at, sums);
        }
        for (r, sums) in sums.iter_mut().enumerate() {
            let total = &mut totals[(row + r) * self.cut.block + at..][..2 * S::LANES];
            // SAFETY: two vectors of the totals.
            unsafe {
                if !first {
                    let before = load_pair(s, total.as_ptr(), 2 * S::LANES);
                    *sums = [s.add(before[0], sums[0]), s.add(before[1], sums[1])];
                }
                if !last {
                    store_pair(s, total.as_mut_ptr(), *sums, 2 * S::LANES);
                }
            }
        }
        if last {
            self.write(s, row_of_all, at, sums);
        }
    }

    /// Adds the bias, writes a tile and does what follows: one row after the other, or rows interleaved.
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
                    let at = channel * out_len + first;
                    store_pair(s, self.out.at(at, count), sums, count);
                    self.job.then.apply(s, self.out.slice(at, count), at);
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

/// Every `N`th element, which the compiler turns into shuffles.
#[inline(always)]
fn every<const N: usize>(x: &[f32], out: &mut [f32]) {
    let (groups, rest) = x.as_chunks::<N>();
    out.iter_mut().zip(groups).for_each(|(o, group)| *o = group[0]);
    if let (Some(o), Some(x)) = (out.get_mut(groups.len()), rest.first()) {
        *o = *x;
    }
}
