//! Convolutions over time, direct: no unrolled input. Each task copies a window of the input, phase by phase of the
//! stride, so that every tap reads consecutive elements, and passes packed weights over it on the register tile.

mod window;

use super::isa::Isa;
use super::linear::Epilogue;
use super::par::{Shared, parallel, scratch};
use window::{Cut, Pack, Window};

/// What lies beyond the ends of an input: zeros, or the input mirrored about its first and last element.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pad {
    pub left: usize,
    pub right: usize,
    pub mirrored: bool,
}

/// A convolution: `w` `[c_out, c_in / groups, kernel]`, `bias` `[c_out]`.
#[derive(Clone, Copy, Debug)]
pub struct Conv<'a> {
    pub w: &'a [f32],
    pub bias: Option<&'a [f32]>,
    pub c_in: usize,
    pub c_out: usize,
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
    pub groups: usize,
    pub pad: Pad,
    /// Whether the input goes through ELU first.
    pub elu: bool,
    /// What follows, over `[c_out, out_len]`.
    pub then: Epilogue<'a>,
}

/// A transposed convolution: `w` `[c_in, c_out, kernel]`, `bias` `[c_out]`.
#[derive(Clone, Copy, Debug)]
pub struct ConvTranspose<'a> {
    pub w: &'a [f32],
    pub bias: Option<&'a [f32]>,
    pub c_in: usize,
    pub c_out: usize,
    pub kernel: usize,
    pub stride: usize,
    /// Outputs that are left out at the end.
    pub trim: usize,
    /// Whether the input goes through ELU first.
    pub elu: bool,
}

impl Conv<'_> {
    /// Outputs of an input of `t`; 0 where it is shorter than the kernel's reach.
    pub fn out_len(&self, t: usize) -> usize {
        let t = self.pad.left + t + self.pad.right;
        let reach = (self.kernel - 1) * self.dilation + 1;
        if t < reach { 0 } else { (t - reach) / self.stride + 1 }
    }

    fn check(&self) {
        let Conv { c_in, c_out, kernel, stride, dilation, groups, .. } = *self;
        assert!(kernel > 0 && stride > 0 && dilation > 0 && groups > 0, "a convolution of nothing");
        assert!(
            c_in.is_multiple_of(groups) && c_out.is_multiple_of(groups),
            "{groups} groups of {c_in} and {c_out} channels"
        );
        assert_eq!(
            self.w.len(),
            c_out * (c_in / groups) * kernel,
            "the weight is not [{c_out}, {c_in} / {groups}, {kernel}]"
        );
        assert!(self.bias.is_none_or(|bias| bias.len() == c_out), "the bias is not [{c_out}]");
    }
}

impl ConvTranspose<'_> {
    /// Outputs of an input of `t`.
    pub fn out_len(&self, t: usize) -> usize {
        if t == 0 { 0 } else { ((t - 1) * self.stride + self.kernel).saturating_sub(self.trim) }
    }

    /// The weight of the convolution whose outputs, `stride` for each channel, are this one's phases.
    fn phases(&self, taps: usize) -> Vec<f32> {
        let ConvTranspose { c_in, c_out, kernel, stride, .. } = *self;
        let mut phases = vec![0.0; c_out * stride * c_in * taps];
        for (row, weights) in phases.chunks_exact_mut((c_in * taps).max(1)).enumerate() {
            let (channel, phase) = (row / stride, row % stride);
            for (c, weights) in weights.chunks_exact_mut(taps).enumerate() {
                for (tap, weight) in weights.iter_mut().rev().enumerate() {
                    if phase + tap * stride < kernel {
                        *weight = self.w[(c * c_out + channel) * kernel + phase + tap * stride];
                    }
                }
            }
        }
        phases
    }
}

/// What either convolution comes to: rows of outputs, each the sum over a group's channels and taps.
struct Job<'a> {
    x: &'a [f32],
    t: usize,
    w: &'a [f32],
    bias: Option<&'a [f32]>,
    pad: Pad,
    groups: usize,
    /// Input channels and rows of outputs of a group.
    channels: usize,
    rows: usize,
    taps: usize,
    stride: usize,
    dilation: usize,
    /// Positions of each row.
    positions: usize,
    /// Rows that are interleaved into one output channel of `out_len`.
    interleaved: usize,
    out_len: usize,
    elu: bool,
    then: Epilogue<'a>,
}

impl Job<'_> {
    /// Terms of each output's sum.
    fn steps(&self) -> usize {
        self.channels * self.taps
    }
}

/// Convolves `x` `[c_in, t]` into `out` `[c_out, conv.out_len(t)]`.
pub fn conv1d(x: &[f32], conv: Conv, out: &mut [f32]) {
    conv.check();
    let Conv { w, bias, c_in, c_out, kernel, stride, dilation, groups, pad, elu, then } = conv;
    let t = x.len().checked_div(c_in).unwrap_or(0);
    assert_eq!(x.len(), t * c_in, "x is not rows of {c_in} channels");
    assert!(!pad.mirrored || pad.left.max(pad.right) < t, "{t} elements are too few to be mirrored");
    let positions = conv.out_len(t);
    assert_eq!(out.len(), c_out * positions, "out is not [{c_out}, {positions}]");
    then.check(out.len());
    let (channels, rows) = (c_in / groups, c_out / groups);
    let shape = Job {
        x,
        t,
        w,
        bias,
        pad,
        groups,
        channels,
        rows,
        taps: kernel,
        stride,
        dilation,
        positions,
        interleaved: 1,
        out_len: positions,
        elu,
        then,
    };
    run(&shape, out);
}

/// Convolves `x` `[c_in, t]`, transposed, into `out` `[c_out, conv.out_len(t)]`.
pub fn conv_transpose1d(x: &[f32], conv: ConvTranspose, out: &mut [f32]) {
    let ConvTranspose { w, bias, c_in, c_out, kernel, stride, elu, .. } = conv;
    assert!(kernel > 0 && stride > 0, "a convolution of nothing");
    assert_eq!(w.len(), c_in * c_out * kernel, "the weight is not [{c_in}, {c_out}, {kernel}]");
    assert!(bias.is_none_or(|bias| bias.len() == c_out), "the bias is not [{c_out}]");
    let t = x.len().checked_div(c_in).unwrap_or(0);
    assert_eq!(x.len(), t * c_in, "x is not rows of {c_in} channels");
    let out_len = conv.out_len(t);
    assert_eq!(out.len(), c_out * out_len, "out is not [{c_out}, {out_len}]");
    let taps = kernel.div_ceil(stride);
    let w = &conv.phases(taps)[..];
    // What is trimmed off is not computed: a row of outputs would run into the next one.
    let (channels, rows, positions) = (c_in, c_out * stride, out_len.div_ceil(stride));
    let shape = Job {
        x,
        t,
        w,
        bias,
        pad: Pad { left: taps - 1, ..Pad::default() },
        groups: 1,
        channels,
        rows,
        taps,
        stride: 1,
        dilation: 1,
        positions,
        interleaved: stride,
        out_len,
        elu,
        then: Epilogue::None,
    };
    run(&shape, out);
}

fn run(job: &Job, out: &mut [f32]) {
    let (isa, out) = (Isa::current(), Shared::new(out));
    scratch(0, job.w.len(), |packed| {
        let panels = Shared::new(packed);
        let packs = job.rows.div_ceil(window::PACKED_ROWS);
        parallel(job.groups * packs, |i| isa.run(Pack { job, group: i / packs, block: i % packs, panels }));
        let cut = Cut::of(job);
        let blocks = job.positions.div_ceil(cut.block);
        parallel(job.groups * blocks, |i| {
            let (group, first) = (i / blocks, i % blocks * cut.block);
            let count = cut.block.min(job.positions - first);
            scratch(1, cut.room(), |room| isa.run(Window { job, cut: &cut, packed, group, first, count, room, out }));
        });
    });
}
