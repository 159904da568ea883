//! The key/value cache: preallocated, one slot a row, each with a length of its own.

use super::cpu;
use super::repr::Repr;
use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};
use std::ops::Range;

/// Keys and values of every layer, `[slots, heads, capacity, d]` each.
pub struct Cache {
    layers: Vec<(Tensor, Tensor)>,
    lengths: Vec<usize>,
    shape: CacheShape,
}

/// The sizes of a cache.
#[derive(Clone, Copy, Debug)]
pub struct CacheShape {
    pub layers: usize,
    pub slots: usize,
    pub heads: usize,
    /// Positions a slot.
    pub capacity: usize,
    /// Width of a head.
    pub head: usize,
}

/// What keys and values are held as beside such weights, in a net that computes in `dtype`. Blocks are rounded much
/// more coarsely than f16, which halves what each step reads and lets AMX multiply many queries.
pub fn dtype(weights: Repr, dtype: DType) -> DType {
    if weights.is_of_blocks() { DType::F16 } else { dtype }
}

impl Cache {
    pub fn new(shape: CacheShape, dtype: DType, device: &Device) -> Result<Self> {
        let zeros = || Tensor::zeros((shape.slots, shape.heads, shape.capacity, shape.head), dtype, device);
        let layers = (0..shape.layers).map(|_| Ok((zeros()?, zeros()?))).collect::<Result<_>>()?;
        Ok(Self { layers, lengths: vec![0; shape.slots], shape })
    }

    pub fn shape(&self) -> CacheShape {
        self.shape
    }

    /// Rows that it has room for.
    pub fn slots(&self) -> usize {
        self.lengths.len()
    }

    /// Positions that `slot` holds.
    pub fn len(&self, slot: usize) -> usize {
        self.lengths[slot]
    }

    /// Whether `slot` holds nothing.
    pub fn is_empty(&self, slot: usize) -> bool {
        self.lengths[slot] == 0
    }

    /// Forgets what `slot` holds beyond `len` positions.
    pub fn truncate(&mut self, slot: usize, len: usize) {
        self.lengths[slot] = self.lengths[slot].min(len);
    }

    /// Writes `k` and `v` `[heads, t, d]` behind what `slot` holds in `layer`; all of the slot's, `[heads, len + t, d]`.
    /// Later writes change them where they lie, so they are not to be kept. The length changes only with
    /// [`Cache::advance`], once every layer is written.
    pub fn append(&mut self, layer: usize, slot: usize, [k, v]: [&Tensor; 2]) -> Result<[Tensor; 2]> {
        let (start, t) = (self.lengths[slot], k.dim(1)?);
        let capacity = self.shape.capacity;
        ensure!(start + t <= capacity, "{} positions do not fit a context of {capacity}", start + t);
        let (keys, values) = &self.layers[layer];
        let put = |cache: &Tensor, new: &Tensor| -> Result<Tensor> {
            let row = cache.narrow(0, slot, 1)?;
            row.slice_set(&cpu::held_as(new, cache.dtype())?.unsqueeze(0)?, 2, start)?;
            Ok(row.squeeze(0)?.narrow(1, 0, start + t)?)
        };
        Ok([put(keys, k)?, put(values, v)?])
    }

    /// Writes one key and value each, `[slots, heads, 1, d]`, at `positions` (the same shape) of `slots` in `layer`; the
    /// first `longest` positions of these slots, `[slots, heads, longest, d]`, lent as by [`Cache::append`].
    pub fn append_each(
        &mut self,
        layer: usize,
        (slots, longest): (Range<usize>, usize),
        positions: &Tensor,
        [k, v]: [&Tensor; 2],
    ) -> Result<[Tensor; 2]> {
        let (keys, values) = &self.layers[layer];
        let put = |cache: &Tensor, new: &Tensor| -> Result<Tensor> {
            let rows = cache.narrow(0, slots.start, slots.len())?;
            rows.scatter_set(positions, new, 2)?;
            Ok(rows.narrow(2, 0, longest)?)
        };
        Ok([put(keys, k)?, put(values, v)?])
    }

    /// Counts `t` more positions of `slot` as held.
    pub fn advance(&mut self, slot: usize, t: usize) {
        self.lengths[slot] += t;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> Cache {
        let shape = CacheShape { layers: 1, slots: 2, heads: 1, capacity: 4, head: 1 };
        Cache::new(shape, DType::F32, &Device::Cpu).unwrap()
    }

    fn column(values: &[f32]) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap().reshape((1, values.len(), 1)).unwrap()
    }

    fn append(cache: &mut Cache, slot: usize, values: &[f32]) -> Vec<f32> {
        let column = column(values);
        let [held, _] = cache.append(0, slot, [&column, &column]).unwrap();
        let held = held.flatten_all().unwrap().to_vec1().unwrap();
        cache.advance(slot, values.len());
        held
    }

    #[test]
    fn slots_grow_apart_and_are_cut_apart() {
        let mut cache = cache();
        assert_eq!(append(&mut cache, 0, &[1.0, 2.0]), [1.0, 2.0]);
        assert_eq!(append(&mut cache, 1, &[9.0]), [9.0]);
        assert_eq!(append(&mut cache, 0, &[3.0]), [1.0, 2.0, 3.0]);
        cache.truncate(0, 1);
        assert_eq!((cache.len(0), cache.len(1)), (1, 1));
        assert_eq!(append(&mut cache, 0, &[4.0]), [1.0, 4.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let five = column(&[0.0; 5]);
        assert!(cache().append(0, 0, [&five, &five]).is_err());
    }
}
