//! audio -> hubert -> quantizer -> voice file -> (text ->) semantic -> coarse -> fine -> codec -> audio
//!
//! Which module may import which (rows import columns):
//!
//! | | tokens, error, progress, output | audio, prepare | weights, device | net | stage | voice | layout | clone, speak, book | batch, convert | models | cli |
//! |---|---|---|---|---|---|---|---|---|---|---|---|
//! | audio, weights, device, models | yes | | | | | | | | | | |
//! | prepare | yes | yes | | | | | | | | | |
//! | net | yes | | yes | within | | | | | | | |
//! | stage | yes | | | yes | within | | | | | | |
//! | voice | yes | | | | | | | | | | |
//! | layout | yes | | yes | yes | | | | | | | |
//! | clone, speak | yes | yes | yes | yes | yes | yes | yes | | | | |
//! | book | yes | yes | | | | | | | | | |
//! | check | yes | yes | | | | yes | | yes | | | |
//! | listen | yes | yes | | | yes | | | | | | |
//! | convert | yes | yes | yes | yes | | yes | yes | yes | | | |
//! | batch | yes | yes | | | yes | yes | | yes | within | | |
//! | cli | yes | yes | yes | | yes | yes | yes | yes | yes | yes | within |
//!
//! `cli` also imports `check` and `listen`, `batch` imports `listen`; `listen` measures with `check` and hears what `speak` made; of
//! `clone`, `check` takes no more than how much of a recording is used.
//! `config` holds plain numbers: anything may import it. `kernels` imports nothing of ours; only `net` imports it.
//!
//! Units: `T` frames are 75 Hz EnCodec columns (320 samples at 24 kHz), `S` semantic tokens run at 49.9 Hz,
//! `N` HuBERT frames at 50 Hz (320 samples at 16 kHz), `B` is a batch, `H` a hidden width.

pub mod audio;
pub mod batch;
pub mod book;
pub mod check;
pub mod clone;
pub mod config;
pub mod convert;
pub mod device;
pub mod error;

pub mod kernels;
pub mod layout;
pub mod listen;
pub mod models;
pub mod net;
pub mod output;
pub mod prepare;
pub mod progress;
pub mod speak;
pub mod stage;
pub mod tokens;
pub mod voice;
pub mod weights;
