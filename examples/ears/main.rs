//! Voices in numbers, for `ge2e.py`: `ears ge2e.pt A.wav ...` prints a line of JSON for each sound: `samples` is the
//! embedding of the samples as they are (16 kHz), `speech` that of what the product hears of them.

use anyhow::{Context, Error, Result, ensure};
use barkclone::audio::read;
use barkclone::checkpoint;
use barkclone::ears::{VoiceEar, VoicePrint};
use barkclone::sound::LONGEST_CHECKED;
use std::path::Path;

fn main() -> Result<()> {
    let mut paths = std::env::args().skip(1);
    let weights = paths.next().context("usage: ears ge2e.pt A.wav ...")?;
    let ear = VoiceEar::new(&checkpoint::speaker(Path::new(&weights))?)?;
    for path in paths {
        let pcm = read(Path::new(&path), LONGEST_CHECKED)?.pcm;
        ensure!(pcm.rate == 16_000, "{path}: 16 kHz was expected");
        let values = |print: Option<VoicePrint>| Ok::<_, Error>(print.context("silence")?.values().to_vec());
        let both: [Vec<f32>; 2] = [values(ear.print(&pcm.samples)?)?, values(ear.hear(&pcm)?)?];
        println!("{}", serde_json::json!({ "samples": both[0], "speech": both[1] }));
    }
    Ok(())
}
