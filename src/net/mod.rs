//! Weights in, tensors through: configurations, `Net::new(&config, &weights)`, `&self` forward passes; no files,
//! clocks, random numbers or printing.

mod attention;
pub mod cache;
pub mod codec;
pub mod conv;
pub mod cpu;
pub mod ecapa;
pub mod ge2e;
pub mod gpt;
pub mod hubert;
pub mod layers;
pub mod lstm;
pub mod quantizer;
pub mod repr;
mod sizes;
pub mod stored;
pub mod weights;
pub mod whisper;
