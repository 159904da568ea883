//! Candle tensors in and out of the CPU kernels.

use crate::kernels::Rows;
use anyhow::Result;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Layout, Shape, Tensor};
use std::sync::atomic::{AtomicBool, Ordering};

/// An f32 tensor as a kernel sees it: its elements from the first on, and how to step through them.
pub struct View<'a> {
    data: &'a [f32],
    layout: &'a Layout,
}

impl<'a> View<'a> {
    fn new(storage: &'a CpuStorage, layout: &'a Layout) -> candle_core::Result<Self> {
        Ok(Self { data: &storage.as_slice::<f32>()?[layout.start_offset()..], layout })
    }

    /// All elements, of a tensor that is contiguous.
    pub fn flat(&self) -> &'a [f32] {
        debug_assert!(self.layout.is_contiguous());
        &self.data[..self.layout.shape().elem_count()]
    }

    /// `[n, heads * d]` or `[heads, n, d]`, whatever the strides, as rows of heads.
    pub fn rows(&self, heads: usize) -> Rows<'a> {
        let (dims, stride) = (self.layout.dims(), self.layout.stride());
        let (row_stride, head_stride) = match dims {
            [_, width] => (stride[0], width / heads),
            _ => (stride[1], stride[0]),
        };
        Rows { data: self.data, row_stride, head_stride }
    }
}

/// A kernel as a candle operation: fills the output, of the given shape, from its inputs.
struct Kernel<F>(Shape, F);

impl<F: Fn(&[View], &mut [f32])> Kernel<F> {
    fn run(&self, inputs: &[View]) -> candle_core::Result<(CpuStorage, Shape)> {
        let mut out = vec![0.0; self.0.elem_count()];
        (self.1)(inputs, &mut out);
        Ok((CpuStorage::F32(out), self.0.clone()))
    }
}

impl<F: Fn(&[View], &mut [f32])> CustomOp1 for Kernel<F> {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        self.run(&[View::new(a, la)?])
    }
}

impl<F: Fn(&[View], &mut [f32])> CustomOp2 for Kernel<F> {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        self.run(&[View::new(a, la)?, View::new(b, lb)?])
    }
}

impl<F: Fn(&[View], &mut [f32])> CustomOp3 for Kernel<F> {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
        c: &CpuStorage,
        lc: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        self.run(&[View::new(a, la)?, View::new(b, lb)?, View::new(c, lc)?])
    }
}

/// `kernel` over one tensor: an f32 output of `shape`.
pub fn map1(a: &Tensor, shape: impl Into<Shape>, kernel: impl Fn(&[View], &mut [f32])) -> Result<Tensor> {
    Ok(a.apply_op1_no_bwd(&Kernel(shape.into(), kernel))?)
}

/// `kernel` over two tensors.
pub fn map2(a: &Tensor, b: &Tensor, shape: impl Into<Shape>, kernel: impl Fn(&[View], &mut [f32])) -> Result<Tensor> {
    Ok(a.apply_op2_no_bwd(b, &Kernel(shape.into(), kernel))?)
}

/// `kernel` over three tensors.
pub fn map3([a, b, c]: [&Tensor; 3], shape: impl Into<Shape>, kernel: impl Fn(&[View], &mut [f32])) -> Result<Tensor> {
    Ok(a.apply_op3_no_bwd(b, c, &Kernel(shape.into(), kernel))?)
}

/// `kernel`, which works in place, over a copy of a tensor: an f32 output of the same shape. A tensor's own memory may be
/// another one's too.
pub fn map_copy(x: &Tensor, kernel: impl Fn(&mut [f32])) -> Result<Tensor> {
    map1(&x.contiguous()?, x.shape(), |views, out| {
        out.copy_from_slice(views[0].flat());
        kernel(out);
    })
}

static LEFT_TO_CANDLE: AtomicBool = AtomicBool::new(false);

/// Leaves every device to candle's own operations from now on, the CPU too: this is how what runs on a GPU is tried where
/// there is none. Nets that were built before must not be used any more.
pub fn leave_to_candle() {
    LEFT_TO_CANDLE.store(true, Ordering::Relaxed);
}

/// Whether kernels, rather than candle's own operations, compute on `device`.
pub fn runs_on(device: &Device) -> bool {
    device.is_cpu() && !LEFT_TO_CANDLE.load(Ordering::Relaxed)
}
