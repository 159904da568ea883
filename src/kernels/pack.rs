//! Packing for the register tile: rows of a matrix become panels in which each step's elements lie side by side.

use super::simd::Simd;
use super::source::Source;

/// Steps of the sum that are packed, and summed in registers, at a time. Part of the results' definition: each output
/// is the sum over blocks of this many products. A multiple of every weight type's block.
pub(super) const STEPS: usize = 256;

/// Rows of a weight `[n, k]`, seen from one block of steps.
pub(super) struct Rows<'a, W: Source> {
    pub w: &'a [W::Stored],
    pub k: usize,
    /// First step of the block.
    pub from: usize,
    /// Steps in the block.
    pub steps: usize,
}

impl<W: Source> Rows<'_, W> {
    /// Packs rows `first..first + count` side by side: `panel[step * width + row]`, zeros from `count` to `width`.
    #[inline(always)]
    pub(super) fn pack<S: Simd>(&self, s: S, first: usize, count: usize, width: usize, panel: &mut [f32]) {
        assert!(count <= width && panel.len() >= self.steps * width);
        let mut four = [[0f32; STEPS]; 4];
        for row in (0..width).step_by(4) {
            let rows = 4.min(width - row);
            for (r, decoded) in four.iter_mut().enumerate().take(rows) {
                if row + r < count {
                    // SAFETY: the row is below `first + count`, which the caller's matrix holds; `decoded` holds STEPS.
                    unsafe { self.decode(s, first + row + r, decoded) }
                } else {
                    decoded.fill(0.0);
                }
            }
            if rows == 4 {
                transpose4(four.each_ref().map(|row| &row[..self.steps]), width, &mut panel[row..]);
            } else {
                for (r, decoded) in four.iter().enumerate().take(rows) {
                    for step in 0..self.steps {
                        panel[step * width + row + r] = decoded[step];
                    }
                }
            }
        }
    }

    /// This block's part of one row as f32.
    ///
    /// # Safety
    /// `w` holds row `row`, and `out` `steps` elements.
    #[inline(always)]
    pub(super) unsafe fn decode<S: Simd>(&self, s: S, row: usize, out: &mut [f32]) {
        let row_items = if self.k.is_multiple_of(W::BLOCK) { self.k / W::BLOCK * W::STORED } else { self.k };
        let whole = self.steps / W::BLOCK;
        // SAFETY: the row exists; blocks begin and end within it; what is written ends with `steps`.
        unsafe {
            let p = self.w.as_ptr().add(row * row_items + self.from / W::BLOCK * W::STORED);
            // The rows after the next three: mostly pages apart, which the hardware does not follow.
            let ahead = p.wrapping_add(4 * row_items);
            for block in 0..whole {
                s.prefetch(ahead.wrapping_add(block * W::STORED).cast());
                let open = W::open(s, p.add(block * W::STORED));
                for group in 0..W::BLOCK / W::GROUP {
                    for at in (0..W::GROUP).step_by(S::LANES) {
                        let out = out.as_mut_ptr().add(block * W::BLOCK + group * W::GROUP + at);
                        s.store(out, W::vector(s, &open, group, at));
                    }
                }
            }
            let mut at = whole * W::BLOCK;
            while at < self.steps {
                let count = (self.steps - at).min(S::LANES - 1);
                s.store_first(out.as_mut_ptr().add(at), W::first(s, p.add(at), count), count);
                at += count;
            }
        }
    }
}

/// Writes four rows of equal length as columns, `width` apart.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn transpose4(rows: [&[f32]; 4], width: usize, out: &mut [f32]) {
    use std::arch::x86_64::*;
    let steps = rows[0].len();
    let whole = steps / 4 * 4;
    assert!(rows.iter().all(|row| row.len() == steps) && (steps == 0 || out.len() >= (steps - 1) * width + 4));
    for step in (0..whole).step_by(4) {
        // SAFETY: SSE is part of x86-64; each row has four more; the last column written ends within `out`, as
        // asserted.
        unsafe {
            let [mut a, mut b, mut c, mut d] = rows.map(|row| _mm_loadu_ps(row.as_ptr().add(step)));
            _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
            for (i, column) in [a, b, c, d].into_iter().enumerate() {
                _mm_storeu_ps(out.as_mut_ptr().add((step + i) * width), column);
            }
        }
    }
    transpose4_plainly(rows, whole..steps, width, out);
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn transpose4(rows: [&[f32]; 4], width: usize, out: &mut [f32]) {
    transpose4_plainly(rows, 0..rows[0].len(), width, out);
}

#[inline(always)]
fn transpose4_plainly(rows: [&[f32]; 4], steps: std::ops::Range<usize>, width: usize, out: &mut [f32]) {
    for step in steps {
        for (o, row) in out[step * width..][..4].iter_mut().zip(rows) {
            *o = row[step];
        }
    }
}
