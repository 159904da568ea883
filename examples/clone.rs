//! Clones a voice through the library, and prints where its file is. Without paths it runs on the built-in demo models
//! and `examples/reference.wav`:
//!
//!     cargo run --release --example clone -- [REFERENCE.wav [HUBERT QUANTIZER CODEC]]

use anyhow::Result;
use barkclone::audio::read_wav;
use barkclone::checkpoint::{self, builtin};
use barkclone::clone::Cloner;
use barkclone::progress::Silent;
use barkclone::sound::LONGEST_REFERENCE;
use candle_core::Device;
use std::path::PathBuf;

fn main() -> Result<()> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (hubert, quantizer, codec) = match &paths[..] {
        [_, hubert, quantizer, codec] => {
            (checkpoint::hubert(hubert)?, checkpoint::quantizer(quantizer)?, checkpoint::codec(codec)?)
        }
        _ => (builtin::hubert()?, builtin::quantizer()?, builtin::codec()?),
    };
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/reference.wav").into();
    let clip = read_wav(paths.first().unwrap_or(&shipped), LONGEST_REFERENCE)?;
    let cloner = Cloner::new(&hubert, &quantizer, &codec, &Device::Cpu)?;
    let voice = cloner.voice(&clip.pcm, &Silent)?;
    let path = std::env::temp_dir().join("voice.npz");
    voice.write(&path, true)?;
    println!("{}", path.display());
    Ok(())
}
