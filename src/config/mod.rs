//! What the checkpoints' own files say about them: architecture sizes and the constants of Bark's protocol. Published values
//! are the defaults; `config.json`, `generation_config.json` and `model_args` override them.

mod gpt;
mod nets;
mod protocol;

pub use gpt::GptConfig;
pub use nets::{CodecConfig, HubertConfig, QuantizerConfig};
pub use protocol::Protocol;
