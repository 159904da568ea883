//! audio -> hubert -> quantizer -> voice file -> (text ->) semantic -> coarse -> fine -> codec -> audio
//!
//! Which module imports which. A row lists all that its module imports; each of those stands above it, so that data
//! flows one way. A long row goes on in a second one. `tests/imports.rs` holds the code to this table (tests apart).
//!
//! | module | imports |
//! |---|---|
//! | `error` | |
//! | `kernels` | |
//! | `progress` | |
//! | `audio` | `error` |
//! | `device` | `error` |
//! | `models` | `error`, `progress` |
//! | `output` | `error` |
//! | `tokens` | `error` |
//! | `weights` | `error` |
//! | `book` | `audio`, `error` |
//! | `config` | `error`, `tokens` |
//! | `voice` | `error`, `output`, `tokens` |
//! | `net` | `config`, `device`, `error`, `kernels`, `tokens`, `weights` |
//! | `layout` | `config`, `error`, `net`, `progress`, `weights` |
//! | `stage` | `config`, `error`, `net`, `progress`, `tokens` |
//! | `clone` | `audio`, `config`, `error`, `layout`, `net`, `progress`, `tokens`, `voice` |
//! | `speak` | `audio`, `config`, `device`, `layout`, `net`, `progress`, `stage`, `tokens`, `voice`, `weights` |
//! | `convert` | `audio`, `clone`, `config`, `error`, `layout`, `net`, `progress`, `speak`, `tokens`, `voice` |
//! | `sound` | `audio`, `clone`, `config`, `error`, `progress`, `stage`, `tokens`, `voice` |
//! | `batch` | `config`, `error`, `output`, `sound`, `speak`, `stage`, `voice` |
//! | `cli` | `audio`, `batch`, `book`, `clone`, `config`, `convert`, `device`, `error`, `layout` |
//! | `cli` | `models`, `output`, `progress`, `sound`, `speak`, `stage`, `tokens`, `voice`, `weights` |
//!
//! Units: `T` frames are 75 Hz EnCodec columns (320 samples at 24 kHz), `S` semantic tokens run at 49.9 Hz,
//! `N` HuBERT frames at 50 Hz (320 samples at 16 kHz), `B` is a batch, `H` a hidden width.

pub mod audio;
pub mod batch;
pub mod book;
pub mod clone;
pub mod config;
pub mod convert;
pub mod device;
pub mod error;

pub mod kernels;
pub mod layout;
pub mod models;
pub mod net;
pub mod output;
pub mod progress;
pub mod sound;
pub mod speak;
pub mod stage;
pub mod tokens;
pub mod voice;
pub mod weights;
