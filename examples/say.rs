//! Says a text through the library, and prints where the sound is. Without paths it runs on the built-in demo
//! models:
//!
//!     cargo run --release --example say -- [TEXT [VOICE.npz [BARK_FOLDER TOKENIZER.json]]]

use anyhow::{Context, Result};
use barkclone::audio::{Encoding, write_wav};
use barkclone::checkpoint::{bark, builtin};
use barkclone::progress::Silent;
use barkclone::speak::{Request, Settings, Speaker};
use barkclone::stage::text::Text;
use barkclone::voice::Voice;
use candle_core::{DType, Device};
use std::path::Path;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let text = arguments.next().unwrap_or("Olá mundo!".into());
    let voice = arguments.next().map(|path| Voice::read(Path::new(&path))).transpose()?;
    let (bark, tokenizer) = match (arguments.next(), arguments.next()) {
        (Some(folder), Some(tokenizer)) => (bark(Path::new(&folder))?, Text::open(Path::new(&tokenizer))?),
        _ => (builtin::bark()?, builtin::tokenizer()?),
    };
    let codec = bark.codec()?.context("a folder in Hugging Face's layout is needed: it holds the codec too")?;
    let mut settings = Settings::new(&bark.protocol, 42);
    settings.stop.max_seconds = Some(5.0);
    let request = Request::text(tokenizer.ids(&text, bark.protocol.text_length)?, voice, settings);
    let spoken = Speaker::new(bark, codec, DType::F32, &Device::Cpu, false).speak(&request, &Silent)?;
    let path = std::env::temp_dir().join("say.wav");
    let mut file = std::fs::File::create(&path)?;
    write_wav(&mut file, &spoken.pcm, Encoding::Pcm16, &[(b"ICMT", "synthetic speech")])?;
    println!("{}", path.display());
    Ok(())
}
