//! `barkclone clone`: a recording to a voice file.

use super::nets::{self, DeviceArgs};
use super::progress::Terminal;
use super::{check_voice_target, out};
use anyhow::{Result, ensure};
use barkclone::audio::{Clip, read_wav};
use barkclone::clone::{self, Cloner};
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::output;
use barkclone::progress::Progress;
use barkclone::voice::provenance::{QuantizerName, sha256_of};
use barkclone::voice::{Provenance, Voice};
use clap::Args;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Shortest reference, seconds: under it, Bark's own loader refuses the voice's ratio of codes to tokens.
const SHORTEST: f64 = 1.0;
/// References that work best, seconds.
const BEST: Range<f64> = 5.0..12.0;

/// Turn a recording into a voice file
///
/// Prints the path of the voice it wrote. The models hear the end of a voice: its last 5 to 7 seconds. Of a recording longer
/// than 60 seconds only the last 60 are used.
#[derive(Args, Debug)]
pub struct CloneArgs {
    /// A WAV file: 5 to 12 seconds of one person speaking, clean
    reference: PathBuf,
    /// Where to write the voice [default: the reference's name with .npz, in this folder]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
    /// Who agreed to this voice being cloned, in your words: kept in the voice file
    #[arg(long, value_name = "TEXT")]
    consent: Option<String>,
    /// The semantic quantizer of the speaker's language: pt, en, en-large, de, pl, es, ja, tr, or a .pth file
    #[arg(long, value_name = "MODEL", default_value = "pt", help_heading = "Models")]
    quantizer: String,
    /// HuBERT: a name from `models list`, or a file or folder
    #[arg(long, value_name = "MODEL", default_value = "hubert-base", help_heading = "Models")]
    hubert: String,
    /// EnCodec, likewise
    #[arg(long, value_name = "MODEL", default_value = "encodec", help_heading = "Models")]
    codec: String,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Everything that can be wrong without a model is found before one is loaded.
pub fn run(args: CloneArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    let target = args.target()?;
    output::check(&target, args.force)?;
    let clip = read_wav(&args.reference, clone::LONGEST)?;
    judge(&args.reference, &clip, terminal)?;
    let origin = args.origin()?;
    let device = args.device.open()?;
    let codec = nets::codec(&args.codec, models, terminal)?;
    let hubert = nets::hubert(&args.hubert, models, terminal)?;
    let quantizer = nets::quantizer(&args.quantizer, models, terminal)?;
    let voice =
        Cloner { hubert: &hubert, quantizer: &quantizer, codec: &codec, device: &device }.voice(&clip.pcm, terminal)?;
    voice.write_with(Some(&origin), &target, args.force)?;
    describe(&voice, clip.total_seconds, terminal);
    out(format!("{}\n", target.display()))
}

impl CloneArgs {
    fn target(&self) -> Result<PathBuf> {
        if let Some(path) = &self.output {
            check_voice_target("--output", path)?;
            return Ok(path.clone());
        }
        let stem = self.reference.file_stem();
        let stem = stem.ok_or_else(|| Kind::Input.error(format!("{}: not a file", self.reference.display())))?;
        let mut name = stem.to_os_string();
        name.push(".npz");
        Ok(name.into())
    }

    /// What the voice file says of where it comes from.
    fn origin(&self) -> Result<Provenance> {
        let origin = Provenance::new().consented(self.consent.as_deref())?;
        let quantizer = Some(QuantizerName::of(&self.quantizer));
        Ok(Provenance { quantizer, source_sha256: Some(sha256_of(&self.reference)?), ..origin })
    }
}

/// Refuses what is too short, and says what is unusual.
fn judge(path: &Path, clip: &Clip, terminal: &Terminal) -> Result<()> {
    let (path, total, kept) = (path.display(), clip.total_seconds, clip.pcm.seconds());
    ensure!(
        kept >= SHORTEST,
        Kind::Input.error(format!("{path}: {kept:.2} s is too short: at least 1 s is needed, 5 to 12 s work best"))
    );
    terminal.note(&format!("{path}: {total:.1} s at {} Hz, {} channel(s)", clip.pcm.rate, clip.channels));
    if clip.was_cut() {
        terminal.note(&format!("only the last {kept:.0} s of {total:.0} s are used"));
    }
    Ok(())
}

/// Says which seconds of the recording each stage will hear, as a warning where its length is unusual. A voice ends where
/// its recording ends.
fn describe(voice: &Voice, seconds: f64, terminal: &Terminal) {
    let heard = voice.heard();
    let span = |r: &Range<f64>| format!("{:.1} to {seconds:.1} s", (seconds - (r.end - r.start)).max(0.0));
    let stages =
        format!("text stage {}, coarse {}, fine {}", span(&heard.text), span(&heard.coarse), span(&heard.fine));
    match BEST.contains(&seconds) || seconds == BEST.end {
        true => terminal.note(&format!("the models hear: {stages}")),
        false => terminal.note(&format!(
            "warning: {seconds:.1} s of reference, where 5 to 12 s work best; the models hear: {stages}"
        )),
    }
}
