//! The CPU's hot loops, and the only unsafe code of this crate: slices and threads, nothing of Bark.
//!
//! Every kernel is written once over vectors ([`simd`]) and compiled for AVX-512, AVX2 and plain loops; products of many
//! rows, and of few by `q8_0`, also run on AMX. Which it is, is found at run time ([`Isa`]). Kernels run on the calling
//! thread and helpers of its own, as many in all as rayon's current pool has threads; results do not depend on their
//! number: each output is one fixed sequence of operations.
//!
//! All matrices are row-major; shapes that do not fit are programming errors and panic.

#[cfg_attr(not(all(target_arch = "x86_64", target_os = "linux", not(miri))), path = "no_amx.rs")]
mod amx;
mod argmax;
mod attention;
mod conv;
mod gemm;
mod int4;
mod int8;
mod isa;
mod linear;
mod lstm;
mod math;
mod pack;
mod par;
mod pointwise;
pub mod probe;
mod quant;
mod rows;
pub mod selftest;
mod simd;
mod source;
mod team;
mod tile;
mod training;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use argmax::Rounded;
pub use attention::{Attention, FEW_QUERIES, KeyValue, Rows, attention, attention_each, round};
pub use conv::{Conv, ConvTranspose, Pad, conv_transpose1d, conv1d};
pub use isa::Isa;
pub use linear::{Epilogue, Linear, MOST_STREAMED, Sums, linear, linear_rounded, linear_then};
pub use lstm::{lstm, lstm_step};
pub use par::written;
pub use pointwise::{Norm, add, channel_norm, gelu, layer_norm};
pub use quant::{BlockQ4K, BlockQ8_0, dequantize_q4k, dequantize_q8_0, quantize_q4k, quantize_q8_0};
pub use source::Matrix;
pub use training::{Adam, TOLD, adam, column_sums, cross_entropy, lstm_step_back, transpose};

#[cfg(test)]
mod tests;
