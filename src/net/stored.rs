//! Weights on the host, in whatever type they are stored: matrices for the kernels, rows for embeddings, and packing.

use crate::kernels::{self, BlockQ8_0, Matrix};
use crate::net::repr::Repr;
use crate::net::weights::{Array, Bytes};
use anyhow::{Result, bail, ensure};
use bytemuck::{AnyBitPattern, NoUninit};
use candle_core::DType;
use half::{bf16, f16};
use rayon::prelude::*;
use std::ops::Range;

/// Rows that one thread packs, or unpacks, at a time.
const PACKED_ROWS: usize = 64;

/// A weight `[rows, inner]` in the type and place it is stored in, mostly a memory map.
pub struct StoredMatrix {
    array: Array,
}

impl StoredMatrix {
    /// Keeps `array` as it lies there where kernels read its type; copies what they do not, or what is misaligned.
    pub fn new(array: Array) -> Result<Self> {
        ensure!(array.shape.len() == 2, "a matrix has two dimensions, not {:?}", array.shape);
        let alignment = match array.repr {
            Repr::Plain(DType::F32) => 4,
            Repr::Plain(DType::F16 | DType::BF16) | Repr::Q8_0 | Repr::Q4K => 2,
            Repr::Plain(_) => usize::MAX,
        };
        let fits = alignment != usize::MAX && (array.bytes.as_ptr() as usize).is_multiple_of(alignment);
        Ok(Self { array: if fits { array } else { array.to_f32()? } })
    }

    pub fn rows(&self) -> usize {
        self.array.shape[0]
    }

    pub fn inner(&self) -> usize {
        self.array.shape[1]
    }

    /// How its numbers are stored.
    pub fn repr(&self) -> Repr {
        self.array.repr
    }

    /// What a product reads.
    pub fn bytes(&self) -> usize {
        self.array.bytes.len()
    }

    /// Of an f32 matrix the nearest one in `q8_0`; this one where its numbers take less room already, or its rows are
    /// not whole blocks.
    pub fn quantized(&self) -> Result<Self> {
        let Array { repr, shape, bytes } = &self.array;
        if *repr != Repr::Plain(DType::F32) || Repr::Q8_0.row_bytes(self.inner()).is_err() {
            return Ok(Self { array: self.array.clone() });
        }
        let quantized = |part: &[u8]| {
            let mut values = Vec::new();
            decode(*repr, part, &mut values)?;
            Ok(kernels::quantize_q8_0(&values))
        };
        let parts = bytes.par_chunks(PACKED_ROWS * repr.row_bytes(self.inner())?).map(quantized);
        let bytes = Bytes::new(Blocks(parts.collect::<Result<Vec<_>>>()?.concat()));
        Ok(Self { array: Array { repr: Repr::Q8_0, shape: shape.clone(), bytes } })
    }

    /// The rows `range`.
    pub fn matrix(&self, range: Range<usize>) -> Result<Matrix<'_>> {
        let row = self.array.repr.row_bytes(self.inner())?;
        let bytes = &self.array.bytes[range.start * row..range.end * row];
        Ok(match self.array.repr {
            Repr::Plain(DType::F32) => Matrix::F32(cast(bytes)?),
            Repr::Plain(DType::F16) => Matrix::F16(cast(bytes)?),
            Repr::Plain(DType::BF16) => Matrix::Bf16(cast(bytes)?),
            Repr::Q8_0 => Matrix::Q8_0(cast(bytes)?),
            Repr::Q4K => Matrix::Q4K(cast(bytes)?),
            other => bail!("a weight of type {other}"),
        })
    }
}

/// Owned blocks as bytes.
struct Blocks(Vec<BlockQ8_0>);

impl AsRef<[u8]> for Blocks {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

/// The rows `ids` of the table `array` `[count, width]` as f32, one after another.
pub fn rows(array: &Array, ids: &[u32]) -> Result<Vec<f32>> {
    let (count, width) = (array.shape[0], array.shape[1]);
    let row = array.repr.row_bytes(width)?;
    check_ids(ids, count)?;
    let some = |ids: &[u32]| -> Result<Vec<f32>> {
        let mut values = Vec::with_capacity(ids.len() * width);
        for &id in ids {
            decode(array.repr, &array.bytes[id as usize * row..][..row], &mut values)?;
        }
        Ok(values)
    };
    match ids.len() {
        ..=PACKED_ROWS => some(ids),
        _ => Ok(ids.par_chunks(PACKED_ROWS).map(some).collect::<Result<Vec<_>>>()?.concat()),
    }
}

/// Refuses ids that a table of `count` rows does not have.
pub fn check_ids(ids: &[u32], count: usize) -> Result<()> {
    if let Some(id) = ids.iter().find(|&&id| id as usize >= count) {
        bail!("id {id} is out of range: 0 to {}; does the tokenizer fit the model?", count.saturating_sub(1));
    }
    Ok(())
}

/// Appends what `bytes` stand for; they need not be aligned.
fn decode(repr: Repr, bytes: &[u8], out: &mut Vec<f32>) -> Result<()> {
    match repr {
        Repr::Plain(DType::F32) => out.extend(copied::<f32>(bytes)),
        Repr::Plain(DType::F16) => out.extend(copied::<f16>(bytes).iter().map(|x| x.to_f32())),
        Repr::Plain(DType::BF16) => out.extend(copied::<bf16>(bytes).iter().map(|x| x.to_f32())),
        Repr::Q8_0 => out.extend(kernels::dequantize_q8_0(&copied(bytes))),
        Repr::Q4K => out.extend(kernels::dequantize_q4k(&copied(bytes))),
        other => bail!("an embedding of type {other}"),
    }
    Ok(())
}

/// The numbers of `array` `[.., inner]` stored as `repr`.
///
/// # Errors
/// Rows that are not whole blocks of `repr`, and types that weights are not packed as.
pub fn packed(array: &Array, repr: Repr) -> Result<Vec<u8>> {
    if array.repr == repr {
        return Ok(array.bytes.to_vec());
    }
    let source = array.to_f32()?;
    let values: &[f32] = cast(&source.bytes)?;
    let width = array.shape.last().copied().unwrap_or(1).max(1);
    repr.row_bytes(width)?;
    let parts = values.par_chunks(PACKED_ROWS * width).map(|part| encode(part, repr));
    Ok(parts.collect::<Result<Vec<_>>>()?.concat())
}

fn encode(values: &[f32], repr: Repr) -> Result<Vec<u8>> {
    Ok(match repr {
        Repr::Plain(DType::F32) => bytes_of(values),
        Repr::Plain(DType::F16) => bytes_of(&values.iter().map(|&x| f16::from_f32(x)).collect::<Vec<_>>()),
        Repr::Plain(DType::BF16) => bytes_of(&values.iter().map(|&x| bf16::from_f32(x)).collect::<Vec<_>>()),
        Repr::Q8_0 => bytes_of(&kernels::quantize_q8_0(values)),
        Repr::Q4K => bytes_of(&kernels::quantize_q4k(values)),
        other => bail!("weights are not packed as {other}"),
    })
}

fn bytes_of<T: NoUninit>(values: &[T]) -> Vec<u8> {
    bytemuck::cast_slice(values).to_vec()
}

fn cast<T: AnyBitPattern>(bytes: &[u8]) -> Result<&[T]> {
    bytemuck::try_cast_slice(bytes).map_err(|e| anyhow::anyhow!("a weight's bytes do not fit its type: {e}"))
}

fn copied<T: AnyBitPattern>(bytes: &[u8]) -> Vec<T> {
    bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::rule;

    const SHAPE: [usize; 2] = [70, 256];

    fn original() -> (Vec<f32>, Array) {
        let values = rule::uniform("host", SHAPE[0] * SHAPE[1], 1);
        (values.clone(), Array::from_f32(values, SHAPE.to_vec()))
    }

    fn repacked(array: &Array, repr: Repr) -> Array {
        let bytes = Bytes::new(packed(array, repr).unwrap());
        Array { repr, shape: array.shape.clone(), bytes }
    }

    #[test]
    fn packed_rows_are_what_they_were_within_the_types_precision() {
        let (values, array) = original();
        for ((name, repr), most) in Repr::PACKED.into_iter().zip([0.0, 2.5e-4, 2e-3, 4.1e-3, 0.13]) {
            let got = rows(&repacked(&array, repr), &[0, 69, 3]).unwrap();
            let expected = [&values[..256], &values[69 * 256..], &values[3 * 256..4 * 256]].concat();
            let worst = got.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= most, "{name}: {worst}");
        }
    }

    #[test]
    fn a_matrix_of_every_type_gives_the_kernels_the_rows_asked_for() {
        let (_, array) = original();
        for (name, repr) in Repr::PACKED {
            let host = StoredMatrix::new(repacked(&array, repr)).unwrap();
            let (mut part, mut all) = (vec![0.0; 2], vec![0.0; 70]);
            let x = rule::uniform("x", 256, 2);
            kernels::linear(&x, 1, host.matrix(5..7).unwrap(), 2, 256, None, &mut part);
            kernels::linear(&x, 1, host.matrix(0..70).unwrap(), 70, 256, None, &mut all);
            assert!((part[0] - all[5]).abs() < 1e-5 && (part[1] - all[6]).abs() < 1e-5, "{name}");
        }
    }

    #[test]
    fn a_rounded_matrix_is_the_packed_one_and_stays_when_rounded_again() {
        let (_, array) = original();
        let quantized = StoredMatrix::new(array.clone()).unwrap().quantized().unwrap();
        assert_eq!(quantized.array.repr, Repr::Q8_0);
        assert_eq!(quantized.array.bytes[..], packed(&array, Repr::Q8_0).unwrap());
        assert_eq!(quantized.quantized().unwrap().array.bytes.as_ptr(), quantized.array.bytes.as_ptr());
        let odd = Array::from_f32(vec![0.5; 96], vec![2, 48]);
        assert_eq!(StoredMatrix::new(odd).unwrap().quantized().unwrap().bytes(), 4 * 96);
        let half = StoredMatrix::new(repacked(&array, Repr::Plain(DType::F16))).unwrap();
        assert_eq!(half.quantized().unwrap().bytes(), 2 * 70 * 256);
    }

    #[test]
    fn rows_that_are_not_whole_blocks_and_ids_out_of_range_are_refused() {
        let array = Array::from_f32(vec![0.0; 96], vec![2, 48]);
        assert!(packed(&array, Repr::Q8_0).unwrap_err().to_string().contains("blocks of 32"));
        assert!(rows(&array, &[2]).unwrap_err().to_string().contains("out of range: 0 to 1"));
    }
}
