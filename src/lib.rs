//! audio -> hubert -> quantizer -> voice file -> (text ->) semantic -> coarse -> fine -> codec -> audio
//!
//! Which module imports which. A row lists all that its module imports; each of those stands above it, so that data
//! flows one way. A long row goes on in a second one. `tests/imports.rs` holds the code to this table (tests apart).
//!
//! | module | imports |
//! |---|---|
//! | `error` | |
//! | `kernels` | |
//! | `lock` | |
//! | `normalize` | |
//! | `progress` | |
//! | `device` | `error` |
//! | `output` | `error` |
//! | `audio` | `error`, `output` |
//! | `library` | `error`, `output` |
//! | `models` | `error`, `library`, `lock`, `output`, `progress` |
//! | `tokens` | `error` |
//! | `book` | `audio`, `error`, `normalize` |
//! | `net` | `error`, `kernels`, `tokens` |
//! | `stage` | `error`, `net`, `normalize`, `progress`, `tokens` |
//! | `checkpoint` | `error`, `net`, `output`, `progress`, `stage`, `tokens` |
//! | `voice` | `checkpoint`, `error`, `net`, `normalize`, `output`, `tokens` |
//! | `sound` | `audio`, `error`, `progress`, `tokens`, `voice` |
//! | `clone` | `audio`, `checkpoint`, `error`, `net`, `progress`, `tokens`, `voice` |
//! | `ears` | `audio`, `checkpoint`, `clone`, `error`, `net`, `normalize`, `sound`, `tokens` |
//! | `train` | `audio`, `checkpoint`, `clone`, `error`, `lock`, `net`, `output` |
//! | `train` | `progress`, `sound`, `tokens`, `voice` |
//! | `speak` | `audio`, `checkpoint`, `device`, `error`, `net`, `progress`, `stage`, `tokens`, `voice` |
//! | `batch` | `audio`, `ears`, `error`, `lock`, `normalize`, `output`, `progress`, `sound`, `speak`, `stage`, `tokens`, `voice` |
//! | `refine` | `audio`, `batch`, `ears`, `progress`, `sound`, `speak`, `stage`, `voice` |
//! | `cli` | `audio`, `batch`, `book`, `checkpoint`, `clone`, `device`, `ears`, `error`, `kernels`, `library`, `models` |
//! | `cli` | `net`, `normalize`, `output`, `progress`, `refine`, `sound`, `speak`, `stage`, `tokens`, `train`, `voice` |
//!
//! Units: `T` frames are 75 Hz EnCodec columns (320 samples at 24 kHz), `S` semantic tokens run at 49.9 Hz,
//! `N` HuBERT frames at 50 Hz (320 samples at 16 kHz), `B` is a batch, `H` a hidden width.

#[cfg(test)]
extern crate self as barkclone;

/// Keeps the memory of a net's large outputs for the next ones, which the system's allocators give back and have zeroed
/// again, page by page: a quarter of a prefill's time in q8_0.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod audio;
pub mod batch;
pub mod book;
pub mod checkpoint;
pub mod clone;
pub mod device;
pub mod ears;
pub mod error;
pub mod kernels;
pub mod library;
pub mod lock;
pub mod models;
pub mod net;
pub mod normalize;
pub mod output;
pub mod progress;
pub mod refine;
pub mod sound;
pub mod speak;
pub mod stage;
pub mod tokens;
pub mod train;
pub mod voice;

#[cfg(test)]
#[path = "../tests/byte_tokenizer.rs"]
mod byte_tokenizer;
#[cfg(test)]
#[path = "../tests/info.rs"]
mod info;
#[cfg(test)]
#[path = "../tests/noise/mod.rs"]
pub mod noise;
#[cfg(test)]
#[path = "../tests/npz.rs"]
mod npz;
