//! Candle tensors in and out of the CPU kernels.

use crate::kernels::{self, Rows};
use anyhow::Result;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Device, Layout, Shape, Storage, Tensor, WithDType,
};
use half::f16;
use std::sync::atomic::{AtomicBool, Ordering};

/// A tensor as a kernel sees it: its elements from the first on, and how to step through them.
pub struct View<'a, T = f32> {
    data: &'a [T],
    layout: &'a Layout,
}

impl<'a, T: WithDType> View<'a, T> {
    fn new(storage: &'a CpuStorage, layout: &'a Layout) -> candle_core::Result<Self> {
        Ok(Self { data: &storage.as_slice::<T>()?[layout.start_offset()..], layout })
    }

    /// All elements, of a tensor that is contiguous.
    pub fn flat(&self) -> &'a [T] {
        debug_assert!(self.layout.is_contiguous());
        &self.data[..self.layout.shape().elem_count()]
    }

    /// `[n, heads * d]` or `[heads, n, d]`, whatever the strides, as rows of heads.
    pub fn rows(&self, heads: usize) -> Rows<'a, T> {
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
        let out = kernels::written(self.0.elem_count(), |out| (self.1)(inputs, out));
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

/// Attention of `q` `[t, heads * d]` over keys and values in f32 or f16, see [`super::layers::attention`].
struct Attention {
    heads: usize,
    causal: bool,
}

impl Attention {
    fn run<T: WithDType + kernels::KeyValue>(
        &self,
        q: View,
        [k, v]: [(&CpuStorage, &Layout); 2],
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (heads, (t, width)) = (self.heads, q.layout.shape().dims2()?);
        let [k, v] = [View::<T>::new(k.0, k.1)?, View::new(v.0, v.1)?];
        let dims = k.layout.dims();
        let (dim, len) = (width / heads, dims[dims.len() - 2]);
        let (q, k, v) = (q.rows(heads), k.rows(heads), v.rows(heads));
        let attention = kernels::Attention { q, k, v, heads, dim, t, len, causal: self.causal };
        let out = kernels::written(t * width, |out| kernels::attention(attention, out));
        Ok((CpuStorage::F32(out), (t, width).into()))
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        lq: &Layout,
        k: &CpuStorage,
        lk: &Layout,
        v: &CpuStorage,
        lv: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (q, held) = (View::new(q, lq)?, [(k, lk), (v, lv)]);
        match k {
            CpuStorage::F16(_) => self.run::<f16>(q, held),
            _ => self.run::<f32>(q, held),
        }
    }
}

/// Attention by the kernel, see [`super::layers::attention`].
pub fn attention([q, k, v]: [&Tensor; 3], heads: usize, causal: bool) -> Result<Tensor> {
    Ok(q.apply_op3_no_bwd(k, v, &Attention { heads, causal })?)
}

/// Attention of each row of `q` `[rows, heads * d]` over its own keys and values, see [`super::layers::attention_each`].
pub fn attention_each(q: &Tensor, held: &[[Tensor; 2]], heads: usize) -> Result<Tensor> {
    match held.first().map(|[k, _]| k.dtype()) {
        Some(DType::F16) => each::<f16>(q, held, heads),
        _ => each::<f32>(q, held, heads),
    }
}

fn each<T: WithDType + kernels::KeyValue>(q: &Tensor, held: &[[Tensor; 2]], heads: usize) -> Result<Tensor> {
    let (rows, width) = q.dims2()?;
    let stored: Vec<_> = held.iter().flatten().map(Tensor::storage_and_layout).collect();
    let held = stored.iter().map(|(storage, layout)| View::<T>::new(on_cpu(storage)?, layout));
    let held = held.collect::<candle_core::Result<Vec<_>>>()?;
    let (storage, layout) = q.storage_and_layout();
    let q = View::<f32>::new(on_cpu(&storage)?, layout)?.rows(heads);
    let (dim, t, causal) = (width / heads, 1, true);
    let mut attended = Vec::with_capacity(rows);
    for (i, held) in held.chunks_exact(2).enumerate() {
        let (len, q) = (held[0].layout.dims()[1], Rows { data: &q.data[i * q.row_stride..], ..q });
        let [k, v] = [held[0].rows(heads), held[1].rows(heads)];
        attended.push(kernels::Attention { q, k, v, heads, dim, t, len, causal });
    }
    let out = kernels::written(rows * width, |out| kernels::attention_each(&attended, out));
    Ok(Tensor::from_vec(out, (rows, width), &Device::Cpu)?)
}

fn on_cpu(storage: &Storage) -> candle_core::Result<&CpuStorage> {
    match storage {
        Storage::Cpu(storage) => Ok(storage),
        _ => candle_core::bail!("kernels compute on the CPU"),
    }
}

/// `[heads, t, d]`, an element's neighbours in `d` beside it, rounded to f16 and contiguous.
struct Round;

impl CustomOp1 for Round {
    fn name(&self) -> &'static str {
        "round to f16"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (heads, t, d) = layout.shape().dims3()?;
        let x = View::new(x, layout)?.rows(heads);
        let out = kernels::written(heads * t * d, |out| kernels::round(x, [t, d], out));
        Ok((CpuStorage::F16(out), layout.shape().clone()))
    }
}

/// Keys or values `[heads, t, d]` of one dtype as a cache of another holds them, contiguous.
pub fn held_as(x: &Tensor, dtype: DType) -> Result<Tensor> {
    match (x.dtype(), dtype) {
        (DType::F32, DType::F16) if runs_on(x.device()) => Ok(x.apply_op1_no_bwd(&Round)?),
        _ => Ok(x.to_dtype(dtype)?.contiguous()?),
    }
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
