//! In place of [`amx`](super) where there cannot be such a unit.

use super::attention::Attention;
use super::linear::Product;
use super::par::Shared;
use super::quant::BlockQ8_0;

/// The columns of a tile.
pub(super) const SIDE: usize = 16;

pub(super) fn is_available() -> bool {
    false
}

pub(super) fn product(_: &Product, _: Shared) {
    unreachable!("there is no AMX");
}

pub(super) fn rounded_product(_: &Product, _: Shared) {
    unreachable!("there is no AMX");
}

pub(super) fn few_rows(_: &Product, _: &[BlockQ8_0], _: Shared) {
    unreachable!("there is no AMX");
}

pub(super) struct Exact;
pub(super) struct Rounded;

pub(super) fn attention<A, T>(_: &Attention<T>, _: Shared) {
    unreachable!("there is no AMX");
}
