//! Weights in, tensors through: configurations, `Net::new(&config, &weights)`, `&self` forward passes; no files, clocks,
//! random numbers or printing.

pub mod cache;
pub mod gpt;
pub mod layers;
