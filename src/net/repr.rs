//! How an array's numbers are stored.

use anyhow::{Context, Result, ensure};
use candle_core::DType;
use std::fmt;

/// Numbers one by one, or in ggml's blocks that share a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repr {
    Plain(DType),
    /// Blocks of 32 in rows: an f16 scale, then 32 8-bit integers.
    Q8_0,
    /// Blocks of 256 in rows: eight groups of 32 4-bit integers, each with a scale and minimum.
    Q4K,
}

impl Repr {
    /// The types that weights can be packed in, by the names that users give them.
    pub const PACKED: [(&'static str, Repr); 5] = [
        ("f32", Repr::Plain(DType::F32)),
        ("f16", Repr::Plain(DType::F16)),
        ("bf16", Repr::Plain(DType::BF16)),
        ("q8_0", Repr::Q8_0),
        ("q4_k", Repr::Q4K),
    ];

    /// Whether numbers share a scale with their neighbours.
    pub fn is_of_blocks(self) -> bool {
        matches!(self, Repr::Q8_0 | Repr::Q4K)
    }

    /// Numbers of one block, and the bytes that it takes.
    pub fn block(self) -> (usize, usize) {
        match self {
            Repr::Plain(dtype) => (1, dtype.size_in_bytes()),
            Repr::Q8_0 => (32, 34),
            Repr::Q4K => (256, 144),
        }
    }

    /// Bytes of a row of `count` numbers; refused where they are not whole blocks.
    pub fn row_bytes(self, count: usize) -> Result<usize> {
        let (numbers, bytes) = self.block();
        ensure!(count.is_multiple_of(numbers), "rows of {count} numbers are not whole {self} blocks of {numbers}");
        (count / numbers).checked_mul(bytes).context("a row of absurd length")
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Repr::PACKED.iter().find(|(_, repr)| repr == self).map(|(name, _)| *name);
        match (name, self) {
            (Some(name), _) => f.write_str(name),
            (None, Repr::Plain(dtype)) => write!(f, "{dtype:?}"),
            (None, other) => write!(f, "{other:?}"),
        }
    }
}

impl From<DType> for Repr {
    fn from(dtype: DType) -> Self {
        Repr::Plain(dtype)
    }
}
