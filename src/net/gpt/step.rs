//! One token for each of many slots, by candle's operations: a device takes so long to be told what to do that all slots
//! are attended to at once, each as far as it goes.

use super::{Cache, Input};
use crate::net::layers::{Mask, mixed_values};
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use std::ops::Range;

/// Where the slots between the first and the last one of a step are, the same for every layer.
pub struct Step {
    slots: Range<usize>,
    /// The input of each slot, and the slot of each input, counted from the first; `None` where these are all in order.
    order: Option<[Tensor; 2]>,
    /// Where each slot's keys and values go, `[slots, heads, 1, d]`.
    positions: Tensor,
    /// `[slots, 1, 1, longest]`
    mask: Mask,
    longest: usize,
}

impl Step {
    /// The step of `inputs`, a token each; `None` where it is not worth it, or a slot between them is full. Slots
    /// between them that are not of the step are computed along, and nothing is kept of it.
    pub fn new(inputs: &[Input], cache: &Cache, dtype: DType, device: &Device) -> Result<Option<Self>> {
        let held: Vec<_> = inputs.iter().map(|input| input.slot).collect();
        let (Some(&first), Some(&last)) = (held.iter().min(), held.iter().max()) else { return Ok(None) };
        let slots = first..last + 1;
        let lengths: Vec<_> = slots.clone().map(|slot| cache.len(slot)).collect();
        let longest = 1 + lengths.iter().max().copied().unwrap_or_default();
        if inputs.len() < 2 || inputs.iter().any(|input| input.tokens.len() != 1) || longest > cache.shape().capacity {
            return Ok(None);
        }
        let (heads, head) = (cache.shape().heads, cache.shape().head);
        let positions: Vec<_> = lengths.iter().map(|&length| length as u32).collect();
        let positions = Tensor::from_vec(positions, (slots.len(), 1, 1, 1), device)?;
        let positions = positions.broadcast_as((slots.len(), heads, 1, head))?.contiguous()?;
        let seen = |&length: &usize| (0..longest).map(move |i| if i > length { f32::NEG_INFINITY } else { 0.0 });
        let mask: Vec<_> = lengths.iter().flat_map(seen).collect();
        let mask = Tensor::from_vec(mask, (slots.len(), 1, 1, longest), device)?.to_dtype(dtype)?;
        let order = order(&held, &slots, device)?;
        Ok(Some(Self { slots, order, positions, mask: Mask::Scores(mask), longest }))
    }

    /// The fused queries, keys and values `[inputs, 3 * width]` of layer `layer` -> what attention makes of them and of
    /// what the slots hold, `[inputs, width]`. The keys and values are left in `cache`.
    pub fn attend(&self, layer: usize, qkv: &Tensor, cache: &mut Cache) -> Result<Tensor> {
        let (_, heads, _, head) = self.positions.dims4()?;
        let width = heads * head;
        let qkv = match &self.order {
            Some([inputs, _]) => qkv.index_select(inputs, 0)?,
            None => qkv.clone(),
        };
        let part = |i: usize| qkv.narrow(1, i * width, width)?.reshape((self.slots.len(), heads, 1, head));
        let (q, new, held) = (part(0)?, [&part(1)?, &part(2)?], (self.slots.clone(), self.longest));
        let [k, v] = cache.append_each(layer, held, &self.positions, new)?;
        let mixed = mixed_values([&q, &k, &v], &self.mask)?.reshape((self.slots.len(), width))?;
        match &self.order {
            Some([_, slots]) => Ok(mixed.index_select(slots, 0)?),
            None => Ok(mixed),
        }
    }
}

/// See [`Step::order`]. A slot without an input takes the first one's.
fn order(held: &[usize], slots: &Range<usize>, device: &Device) -> Result<Option<[Tensor; 2]>> {
    if held.iter().copied().eq(slots.clone()) {
        return Ok(None);
    }
    let input = |slot| held.iter().position(|&other| other == slot).unwrap_or_default() as u32;
    let inputs: Vec<_> = slots.clone().map(input).collect();
    let places: Vec<_> = held.iter().map(|slot| (slot - slots.start) as u32).collect();
    Ok(Some([Tensor::new(inputs, device)?, Tensor::new(places, device)?]))
}
