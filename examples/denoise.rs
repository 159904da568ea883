//! Writes recordings with their steady noise taken out, as `--denoise` does before the models hear them: 48 kHz, 32-bit floats.
//!
//!     cargo run --release --example denoise -- FOLDER RECORDING...

use anyhow::{Context, Result};
use barkclone::audio::{Encoding, LONGEST, read, write_wav};
use barkclone::output::{make_folder, write_atomically};
use barkclone::sound::denoise;
use std::path::PathBuf;

fn main() -> Result<()> {
    let mut paths = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = paths.next().context("expected: FOLDER RECORDING...")?;
    make_folder(&folder)?;
    for path in paths {
        let denoised = denoise(&read(&path, LONGEST)?.pcm)?;
        let target = folder.join(path.file_stem().context("not a file name")?).with_added_extension("wav");
        write_atomically(&target, true, |sink| write_wav(sink, &denoised, Encoding::Float32, &[]))?;
    }
    Ok(())
}
