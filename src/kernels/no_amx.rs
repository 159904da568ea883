//! In place of [`amx`](super) where there cannot be such a unit.

use super::linear::Product;
use super::par::Shared;

pub(super) fn is_available() -> bool {
    false
}

pub(super) fn product(_: &Product, _: Shared) {
    unreachable!("there is no AMX");
}

pub(super) fn rounded_product(_: &Product, _: Shared) {
    unreachable!("there is no AMX");
}
