//! Sizes read off the tensors, where no configuration states them.

use super::names::{Name, canonical};
use crate::error::Kind;
use crate::net::weights::Tensors;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;

/// The shapes of a checkpoint's tensors by canonical name.
pub struct Shapes<'a> {
    tensors: &'a dyn Tensors,
    names: BTreeMap<String, String>,
}

impl<'a> Shapes<'a> {
    pub fn new(tensors: &'a dyn Tensors, rule: fn(&str) -> Name) -> Result<Self> {
        Ok(Self { tensors, names: canonical(tensors.names(), rule)? })
    }

    pub fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The shape of `name`, which must have `N` axes.
    pub fn get<const N: usize>(&self, name: &str) -> Result<[usize; N]> {
        let origin = self.tensors.origin();
        let missing = || Kind::Model.error(format!("{origin}: tensor `{name}` is missing: another kind of model?"));
        let stored = self.names.get(name).ok_or_else(missing)?;
        let shape = self.tensors.array(stored)?.ok_or_else(missing)?.shape;
        match shape.as_slice().try_into() {
            Ok(shape) => Ok(shape),
            Err(_) => bail!(Kind::Model.error(format!(
                "{origin}: tensor `{stored}` has shape {shape:?}, {N} axes were expected: another kind of model?"
            ))),
        }
    }

    /// How many of `name(0)`, `name(1)`, ... there are.
    pub fn count(&self, name: impl Fn(usize) -> String) -> usize {
        (0..self.names.len()).take_while(|&i| self.has(&name(i))).count()
    }

    /// The numbers `n` for which `before{n}after` exists, rising.
    pub fn indices(&self, before: &str, after: &str) -> Vec<usize> {
        let number = |name: &String| name.strip_prefix(before)?.strip_suffix(after)?.parse().ok();
        let mut indices: Vec<usize> = self.names.keys().filter_map(number).collect();
        indices.sort_unstable();
        indices
    }

    /// An error about the checkpoint as a whole.
    pub fn unfit(&self, message: &str) -> crate::error::Error {
        Kind::Model.error(format!("{}: {message}", self.tensors.origin()))
    }

    /// Adds the checkpoint's name to an error of `result`.
    pub fn explain<T>(&self, result: Result<T>) -> Result<T> {
        result.with_context(|| self.unfit("its sizes fit no supported model"))
    }
}
