//! A linear layer of which mostly the largest output alone is asked for.

use super::{Linear, Weight};
use crate::kernels::{Matrix, Rounded};
use anyhow::Result;
use candle_core::{D, DType, Tensor};
use std::sync::OnceLock;

/// A [`Linear`] and, once it is asked for the largest output, what finds it sooner.
pub struct Argmax {
    linear: Linear,
    rounded: OnceLock<Option<Rounded>>,
}

impl Argmax {
    pub fn new(linear: Linear) -> Self {
        Self { linear, rounded: OnceLock::new() }
    }

    /// `x` `[.., inner]` -> `[.., out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.linear.forward(x)
    }

    /// `x` `[N, inner]` -> the index of each row's largest output, the first one of equals, `[N]`: that of [`Argmax::forward`].
    pub fn largest(&self, x: &Tensor) -> Result<Vec<u32>> {
        match self.soon(x)? {
            Some(largest) => Ok(largest),
            None => Ok(self.forward(x)?.argmax(D::Minus1)?.to_dtype(DType::U32)?.to_vec1()?),
        }
    }

    /// By [`Rounded::argmax`], where it can tell.
    fn soon(&self, x: &Tensor) -> Result<Option<Vec<u32>>> {
        let Weight::Host(matrix) = &self.linear.weight else { return Ok(None) };
        let Matrix::F32(w) = matrix.matrix(0..matrix.rows())? else { return Ok(None) };
        if self.rounded.get().is_none() && x.dim(0)? < Rounded::PAYING_ROWS {
            return Ok(None);
        }
        let Some(rounded) = self.rounded.get_or_init(|| Rounded::new(w, matrix.inner())) else { return Ok(None) };
        let bias = self.linear.bias.as_ref().map(|bias| bias.to_vec1::<f32>()).transpose()?;
        Ok(rounded.argmax(&x.flatten_all()?.to_vec1::<f32>()?, w, bias.as_deref()))
    }
}
