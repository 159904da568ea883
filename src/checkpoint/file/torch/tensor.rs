//! A tensor's description in the pickle, checked against its storage, and the array that it stands for.

use super::Storages;
use crate::checkpoint::file::pickle::Value;
use crate::net::weights::{Array, Bytes};
use anyhow::{Context, Result, bail, ensure};
use candle_core::DType;
use std::ops::Range;

/// A storage as the pickle names it: `('storage', torch.FloatStorage, key, location, element count)`.
pub(super) struct StorageRef<'a> {
    pub key: &'a str,
    kind: &'a str,
    pub len: usize,
}

impl<'a> StorageRef<'a> {
    /// Of the tuple that a persistent reference holds; the legacy stream's sixth part must be `None`.
    pub fn new(id: Value<'a>) -> Result<Self> {
        let parts: Vec<_> = id.items().take(7).collect();
        let storage = match parts.as_slice() {
            [tag, kind, key, _, len] if tag.str() == Some("storage") => Some((kind, key, len)),
            [tag, kind, key, _, len, view] if tag.str() == Some("storage") && view.is_none() => Some((kind, key, len)),
            _ => None,
        };
        let (kind, key, len) = storage.context("a reference that is no storage of torch")?;
        let kind = kind.global().context("a storage without a type")?;
        let len = len.int().and_then(|n| usize::try_from(n).ok()).context("a storage without a size")?;
        Ok(Self { key: key.str().context("a storage without a key")?, kind, len })
    }

    /// Bytes of one element; also of types that no net reads.
    fn element(&self) -> Result<usize> {
        Ok(match self.kind.strip_prefix("torch.").and_then(|kind| kind.strip_suffix("Storage")) {
            Some("Bool" | "Byte" | "Char" | "QInt8" | "QUInt8") => 1,
            Some("Half" | "BFloat16" | "Short") => 2,
            Some("Float" | "Int" | "QInt32") => 4,
            Some("Double" | "Long" | "ComplexFloat") => 8,
            Some("ComplexDouble") => 16,
            _ => bail!("storages of type `{}` are not known", self.kind),
        })
    }

    fn dtype(&self) -> Result<DType> {
        Ok(match self.kind {
            "torch.FloatStorage" => DType::F32,
            "torch.HalfStorage" => DType::F16,
            "torch.BFloat16Storage" => DType::BF16,
            "torch.DoubleStorage" => DType::F64,
            "torch.LongStorage" => DType::I64,
            "torch.IntStorage" => DType::I32,
            "torch.ShortStorage" => DType::I16,
            "torch.ByteStorage" | "torch.BoolStorage" => DType::U8,
            kind => bail!("tensors of type `{kind}` are not read"),
        })
    }

    pub fn byte_len(&self) -> Result<usize> {
        self.len.checked_mul(self.element()?).context("a storage of absurd size")
    }
}

/// A view into a storage: element `i, j, ...` lies at `offset + i * strides[0] + j * strides[1] + ...`.
pub(super) struct TensorRef {
    dtype: DType,
    shape: Vec<usize>,
    strides: Vec<usize>,
    offset: usize,
    /// The storage's bytes within the file.
    storage: Range<usize>,
}

impl TensorRef {
    /// The tensor that `value` describes; `None` if it is something else.
    pub fn new(value: Value, storages: &Storages, map: &Bytes) -> Result<Option<Self>> {
        let Some(args) = tensor_args(value) else { return Ok(None) };
        let args: Vec<_> = args.items().take(4).collect();
        let [storage, offset, shape, strides] = args.as_slice() else { bail!("its description is incomplete") };
        let storage = StorageRef::new(storage.reference().context("it has no storage")?)?;
        let range = storages.find(storage.key)?;
        ensure!(range.end <= map.len() && range.len() >= storage.byte_len()?, "storage {} is too short", storage.key);
        let (shape, strides) = (sizes(*shape)?, sizes(*strides)?);
        let offset = size(*offset)?;
        check_view(&shape, &strides, offset, storage.len)?;
        Ok(Some(Self { dtype: storage.dtype()?, shape, strides, offset, storage: range }))
    }

    /// The array: the file's own bytes if they lie row-major, else a copy of them in that order.
    pub fn array(&self, map: &Bytes) -> Result<Array> {
        let size = self.dtype.size_in_bytes();
        let count: usize = self.shape.iter().product();
        let bytes = if self.is_contiguous() {
            let start = self.storage.start + self.offset * size;
            map.part(start..start + count * size)?
        } else {
            Bytes::new(self.row_major(&map[self.storage.clone()], size, count))
        };
        Ok(Array { repr: self.dtype.into(), shape: self.shape.clone(), bytes })
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&len, &stride)| {
            let fits = len <= 1 || stride == expected;
            expected *= len;
            fits
        }) || self.shape.contains(&0)
    }

    fn row_major(&self, storage: &[u8], size: usize, count: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(count * size);
        let mut index = vec![0; self.shape.len()];
        let mut at = self.offset;
        for _ in 0..count {
            out.extend_from_slice(&storage[at * size..(at + 1) * size]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                at += self.strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= index[axis] * self.strides[axis];
                index[axis] = 0;
            }
        }
        out
    }
}

/// `(storage, offset, shape, strides, ...)` of a tensor, also of one within a `Parameter`.
fn tensor_args(value: Value) -> Option<Value> {
    let (callable, args) = value.call()?;
    match callable.global()? {
        "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" => Some(args),
        "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" => {
            let (inner, args) = args.items().next()?.call()?;
            inner.global()?.starts_with("torch._utils._rebuild_tensor").then_some(args)
        }
        _ => None,
    }
}

fn size(value: Value) -> Result<usize> {
    value.int().and_then(|n| usize::try_from(n).ok()).context("its description holds no valid size")
}

fn sizes(value: Value) -> Result<Vec<usize>> {
    value.items().map(size).collect()
}

/// Refuses views that reach past the storage's `len` elements, or that repeat them into more than there are.
fn check_view(shape: &[usize], strides: &[usize], offset: usize, len: usize) -> Result<()> {
    ensure!(shape.len() == strides.len(), "its shape and strides differ in length");
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).context("its shape is absurd")?;
    ensure!(count <= len && offset <= len, "its shape {shape:?} asks for more than its storage's {len} elements");
    if count == 0 {
        return Ok(());
    }
    let reach = |n: usize, (&d, &stride): (&usize, &usize)| n.checked_add((d - 1).checked_mul(stride)?);
    let last = shape.iter().zip(strides).try_fold(offset, reach);
    ensure!(last.is_some_and(|last| last < len), "it reaches outside of its storage's {len} elements");
    Ok(())
}
