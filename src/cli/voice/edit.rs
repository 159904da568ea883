//! `barkclone voice fix`, `convert`, `trim` and `merge`: voices out of voices.

use crate::cli::choice::find_voice;
use crate::cli::progress::Terminal;
use crate::cli::{check_voice_target, out};
use anyhow::{Context, Result, ensure};
use barkclone::error::Kind;
use barkclone::progress::Progress;
use barkclone::voice::{Form, Place, Provenance, Voice, VoiceFile, repair};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// Mend what Bark would refuse in a voice, and say what was changed
///
/// It mends names, types and orders of the arrays, arrays on their side, tokens out of range and missing coarse codes.
/// Where lengths do not go together, the longer ones lose their beginning. Prints the path of the voice it wrote.
#[derive(Args, Debug)]
pub struct FixArgs {
    /// A voice file
    #[arg(value_name = "VOICE")]
    voice: PathBuf,
    /// Where to write [default: in place, with --force]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
}

/// Write a voice as other programs have it
///
/// Prints the path of what it wrote.
#[derive(Args, Debug)]
pub struct ConvertArgs {
    /// A voice file
    #[arg(value_name = "VOICE")]
    voice: PathBuf,
    /// Where to write, as -o
    #[arg(value_name = "FILE", conflicts_with = "output")]
    target: Option<PathBuf>,
    /// What to write [default: what the ending of FILE says]
    #[arg(long, value_enum, value_name = "FORM", required_unless_present_any = ["target", "output"])]
    to: Option<Target>,
    /// Where to write; for npy, without the ending `_semantic_prompt.npy` [default: the voice's name, in this folder]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// One file that every program reads (int64, not compressed)
    Npz,
    /// One file of a tenth of the size, which Bark and numpy read too (uint16, compressed)
    Compact,
    /// Hugging Face's three files; they do not say where the voice comes from
    Npy,
    /// One file as coqui-tts keeps it (torch.save)
    Pth,
}

/// Keep a stretch of a voice
///
/// Without --start and --end the end is kept, which is what the models hear. Prints the path of the voice it wrote.
#[derive(Args, Debug)]
pub struct TrimArgs {
    /// A voice file
    #[arg(value_name = "VOICE")]
    voice: PathBuf,
    /// How many seconds to keep: the last ones, or those from --start or up to --end
    #[arg(long, value_name = "SECONDS", required_unless_present_any = ["start", "end"])]
    seconds: Option<f64>,
    /// Where to begin, seconds from the voice's start
    #[arg(long, value_name = "SECONDS")]
    start: Option<f64>,
    /// Where to end, seconds from the voice's start
    #[arg(long, value_name = "SECONDS")]
    end: Option<f64>,
    /// Where to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
}

/// Put voices one after another
///
/// The models hear the end of a voice, about 7 seconds: of several, mostly the last one. Prints the path of the voice it wrote.
#[derive(Args, Debug)]
pub struct MergeArgs {
    /// Voice files, in order of time
    #[arg(required = true, num_args = 2.., value_name = "VOICE")]
    voices: Vec<PathBuf>,
    /// Where to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
}

pub fn fix(args: &FixArgs, terminal: &Terminal) -> Result<()> {
    let source = find_voice(&args.voice)?;
    let target = match &args.output {
        Some(path) => file(path)?,
        None => source.clone(),
    };
    ensure!(
        args.output.is_some() || args.force,
        Kind::Usage.error("where to? Give -o FILE, or --force to mend the voice in place")
    );
    let raw = source.read()?;
    let provenance = raw.provenance.clone();
    let mended = repair(raw).with_context(|| Kind::Input.error(format!("{source}: cannot be mended")))?;
    mended.changes.iter().for_each(|change| terminal.note(&format!("{source}: {change}")));
    if mended.changes.is_empty() {
        terminal.note(&format!("{source}: nothing to mend"));
    }
    if !mended.changes.is_empty() || args.output.is_some() {
        let provenance = match mended.changes.is_empty() {
            true => provenance,
            false => Some(provenance.unwrap_or_else(Provenance::new).edited(mended.changes.join("; "))),
        };
        target.write(&mended.voice, provenance.as_ref(), Form::Bark, args.force)?;
    }
    out(format!("{target}\n"))
}

pub fn convert(args: &ConvertArgs, terminal: &Terminal) -> Result<()> {
    let source = find_voice(&args.voice)?;
    let VoiceFile { voice, provenance } = source.voice()?;
    let output = args.output.as_ref().or(args.target.as_ref());
    let pth = output.is_some_and(|path| path.extension().is_some_and(|extension| extension == "pth"));
    let to = args.to.unwrap_or(if pth { Target::Pth } else { Target::Npz });
    ensure!(output.is_none() || pth == (to == Target::Pth), Kind::Usage.error("--to pth is written to a FILE.pth"));
    let target = match (to, output) {
        (Target::Npy, output) => Place::separate(output.map_or(Path::new(&source.name()), PathBuf::as_path)),
        (_, Some(path)) => file(path)?,
        (Target::Pth, None) => Place::Npz(PathBuf::from(source.name()).with_added_extension("pth")),
        (_, None) => Place::Npz(PathBuf::from(source.name()).with_added_extension("npz")),
    };
    if to == Target::Npy && provenance.is_some() {
        terminal.note("three .npy files hold no provenance: where the voice comes from is not written");
    }
    let form = if to == Target::Compact { Form::Compact } else { Form::Bark };
    target.write(&voice, provenance.as_ref(), form, args.force)?;
    out(format!("{target}\n"))
}

pub fn trim(args: &TrimArgs, terminal: &Terminal) -> Result<()> {
    let target = file(&args.output)?;
    let VoiceFile { voice, provenance } = find_voice(&args.voice)?.voice()?;
    let whole = voice.seconds();
    let (start, end) = match (args.start, args.end, args.seconds) {
        (Some(start), Some(end), None) => (start, end),
        (Some(_), Some(_), Some(_)) => {
            return Err(Kind::Usage.error("--start, --end and --seconds: two of them are enough").into());
        }
        (Some(start), None, seconds) => (start, seconds.map_or(whole, |seconds| start + seconds)),
        (None, Some(end), seconds) => (seconds.map_or(0.0, |seconds| end - seconds), end),
        (None, None, seconds) => ((whole - seconds.unwrap_or(whole)).max(0.0), whole),
    };
    let kept = voice.cut(start..end).with_context(|| args.voice.display().to_string())?;
    terminal.note(&format!("{:.2} of {whole:.2} s are kept", kept.seconds()));
    let provenance = provenance.map(|p| p.edited(format!("trimmed to {start:.2} to {end:.2} s of {whole:.2} s")));
    target.write(&kept, provenance.as_ref(), Form::Bark, args.force)?;
    out(format!("{target}\n"))
}

pub fn merge(args: &MergeArgs, terminal: &Terminal) -> Result<()> {
    let target = file(&args.output)?;
    let files = args.voices.iter().map(|path| find_voice(path)?.voice()).collect::<Result<Vec<_>>>()?;
    let (voices, origins): (Vec<_>, Vec<_>) = files.into_iter().map(|file| (file.voice, file.provenance)).unzip();
    let merged = Voice::join(&voices)?;
    let heard = merged.heard().fine;
    terminal.note(&format!(
        "{:.2} s; the models hear no more than its last {:.1}",
        merged.seconds(),
        heard.end - heard.start
    ));
    let parts = origins.into_iter().map(Option::unwrap_or_default).collect();
    let lengths: Vec<_> = voices.iter().map(|voice| format!("{:.2} s", voice.seconds())).collect();
    let provenance = Provenance { parts, ..Provenance::new() }.edited(format!("merged of {}", lengths.join(" and ")));
    target.write(&merged, Some(&provenance), Form::Bark, args.force)?;
    out(format!("{target}\n"))
}

/// An `.npz` to write.
fn file(path: &Path) -> Result<Place> {
    check_voice_target("--output", path)?;
    Ok(Place::Npz(path.to_owned()))
}
