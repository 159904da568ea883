//! Named arrays, whatever file they come from, and the view of them that nets are built from.
//!
//! [`Tensors`] yields arrays by their stored names; [`Weights`] looks them up by canonical name (the Hugging Face
//! layout's), checks their shapes, and remembers what was used, so that missing and unused tensors are refused by name.

use super::repr::Repr;
use crate::error::Kind;
use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Shape, Tensor};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// Bytes that something keeps alive: a memory map, a vector, the program itself.
#[derive(Clone)]
pub struct Bytes {
    owner: Arc<dyn AsRef<[u8]> + Send + Sync>,
    range: Range<usize>,
}

impl Bytes {
    /// All of `owner`'s bytes.
    pub fn new(owner: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        let range = 0..owner.as_ref().len();
        Self { owner: Arc::new(owner), range }
    }

    /// The bytes `range` of these; refused where they are not all there.
    pub fn part(&self, range: Range<usize>) -> Result<Self> {
        let len = self.len();
        if range.start > range.end || range.end > len {
            bail!("bytes {}..{} lie outside the file's {len}", range.start, range.end);
        }
        let start = self.range.start;
        Ok(Self { owner: self.owner.clone(), range: start + range.start..start + range.end })
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &(*self.owner).as_ref()[self.range.clone()]
    }
}

/// One array: row-major, little-endian, contiguous.
#[derive(Clone)]
pub struct Array {
    pub repr: Repr,
    pub shape: Vec<usize>,
    pub bytes: Bytes,
}

impl Array {
    /// Copies the array into a tensor of `dtype` on `device`.
    pub fn tensor(&self, dtype: DType, device: &Device) -> Result<Tensor> {
        let Repr::Plain(stored) = self.repr else {
            bail!("{} weights are for the CPU: take f16 or bf16 here", self.repr);
        };
        let stored = Tensor::from_raw_buffer(&self.bytes, stored, &self.shape, &Device::Cpu)?;
        Ok(stored.to_dtype(dtype)?.to_device(device)?)
    }

    /// A copy as f32, aligned as f32 is.
    pub fn to_f32(&self) -> Result<Array> {
        Ok(Array::from_f32(self.values()?, self.shape.clone()))
    }

    /// The numbers, row-major.
    pub fn values(&self) -> Result<Vec<f32>> {
        match self.repr {
            Repr::Plain(DType::F32) => Ok(self.bytes.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect()),
            _ => Ok(self.tensor(DType::F32, &Device::Cpu)?.flatten_all()?.to_vec1()?),
        }
    }

    /// `values`, row-major, of `shape`.
    pub fn from_f32(values: Vec<f32>, shape: Vec<usize>) -> Array {
        Array { repr: DType::F32.into(), shape, bytes: Bytes::new(Floats(values)) }
    }
}

/// Owned f32 values as bytes.
struct Floats(Vec<f32>);

impl AsRef<[u8]> for Floats {
    fn as_ref(&self) -> &[u8] {
        // Arrays are little-endian, as every platform that candle runs on.
        bytemuck::cast_slice(&self.0)
    }
}

/// A source of arrays by their stored names.
pub trait Tensors: Send + Sync {
    /// Where the arrays come from, for messages: a path, mostly.
    fn origin(&self) -> String;
    /// Every stored name, in any order.
    fn names(&self) -> Vec<String>;
    /// The array of that stored name; `None` if there is none.
    fn array(&self, name: &str) -> Result<Option<Array>>;
}

struct Shared {
    tensors: Arc<dyn Tensors>,
    /// canonical name -> stored name
    names: BTreeMap<String, String>,
    used: Mutex<BTreeSet<String>>,
}

/// The tensors of one net by canonical name, under a prefix; cheap to clone.
#[derive(Clone)]
pub struct Weights {
    shared: Arc<Shared>,
    prefix: String,
    dtype: DType,
    device: Device,
}

impl Weights {
    /// A view of `checkpoint` in which the canonical names of `names` stand for stored ones.
    /// Tensors are handed out as `dtype` on `device`.
    pub fn new(tensors: Arc<dyn Tensors>, names: BTreeMap<String, String>, dtype: DType, device: &Device) -> Self {
        let shared = Shared { tensors, names, used: Mutex::default() };
        Self { shared: Arc::new(shared), prefix: String::new(), dtype, device: device.clone() }
    }

    /// The view below `prefix.part`.
    pub fn pp(&self, part: impl std::fmt::Display) -> Self {
        Self { prefix: format!("{}{part}.", self.prefix), ..self.clone() }
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Whether the tensor `name` exists.
    pub fn has(&self, name: &str) -> bool {
        self.shared.names.contains_key(&format!("{}{name}", self.prefix))
    }

    /// The stored array `name`, as it lies in the file; refused if missing or of another shape.
    pub fn array(&self, shape: impl Into<Shape>, name: &str) -> Result<Array> {
        let full = format!("{}{name}", self.prefix);
        let origin = self.shared.tensors.origin();
        let missing = || Kind::Model.error(format!("{origin}: tensor `{full}` is missing: another kind of model?"));
        let stored = self.shared.names.get(&full).ok_or_else(missing)?;
        let array = self
            .shared
            .tensors
            .array(stored)
            .with_context(|| Kind::Model.error(format!("{origin}: tensor `{stored}` cannot be read")))?
            .ok_or_else(missing)?;
        let shape: Shape = shape.into();
        if array.shape != shape.dims() {
            bail!(Kind::Model.error(format!(
                "{origin}: tensor `{stored}` has shape {:?}, {:?} was expected",
                array.shape,
                shape.dims()
            )));
        }
        self.lock_used().insert(full);
        Ok(array)
    }

    /// The tensor `name` in this view's dtype, on its device.
    pub fn get(&self, shape: impl Into<Shape>, name: &str) -> Result<Tensor> {
        self.array(shape, name)?.tensor(self.dtype, &self.device)
    }

    /// Marks every tensor whose name begins with `prefix` as deliberately unused: layers past the last one heard, for
    /// instance. A prefix that no tensor has is no error.
    pub fn ignore(&self, prefix: &str) {
        let full = format!("{}{prefix}", self.prefix);
        let names = self.shared.names.keys().filter(|name| name.starts_with(&full)).cloned();
        self.lock_used().extend(names);
    }

    /// Refuses tensors that nothing asked for: call once the net is built.
    pub fn finish(&self) -> Result<()> {
        let used = self.lock_used();
        let unused: Vec<_> = self.shared.names.keys().filter(|n| !used.contains(*n)).cloned().collect();
        if unused.is_empty() {
            return Ok(());
        }
        let shown = unused.iter().take(5).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
        bail!(Kind::Model.error(format!(
            "{}: {} unexpected tensor(s): {shown}: another kind of model?",
            self.shared.tensors.origin(),
            unused.len()
        )))
    }

    fn lock_used(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.shared.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
