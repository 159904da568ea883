//! `barkclone clone`: recordings to voice files.

mod each;
mod refine;

use super::many::RunArgs;
use super::nets::{self, DeviceArgs};
use super::progress::Terminal;
use super::provenance;
use super::references::ReferenceArgs;
use super::{check_page_target, check_voice_target, out, refuse_own_input, refuse_same_file};
use anyhow::Result;
use barkclone::audio::{Encoding, Format, write_sound};
use barkclone::checkpoint::{Checkpoint, TrainingRecord};
use barkclone::clone::{Cloner, heard_codes};
use barkclone::error::Kind;
use barkclone::library::{Library, Shelf};
use barkclone::models::Models;
use barkclone::net::codec::CodecConfig;
use barkclone::net::hubert::HubertConfig;
use barkclone::net::quantizer::QuantizerConfig;
use barkclone::output;
use barkclone::progress::Progress;
use barkclone::refine::Refined;
use barkclone::sound::thresholds::LENGTHS;
use barkclone::sound::{RecordedFinding, Reference};
use barkclone::speak::Decoder;
use barkclone::voice::provenance::{ModelName, sha256};
use barkclone::voice::{Provenance, Voice};
use candle_core::Device;
use clap::Args;
use refine::RefineArgs;
use serde_json::json;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Turn recordings into a voice file
///
/// Takes the best 5 to 12 seconds of all the recordings: clear speech that ends at a pause. The models hear the end of
/// a voice, its last 5 to 7 seconds. Silence around the speech is cut off, and its loudness brought near -20 LUFS. A
/// clip that is good stays as it is; --raw leaves any clip as it is.
///
/// Prints the path of the voice it wrote.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
// A voice follows from its recording alone.
#[command(mut_arg("redo", |arg| arg.hide(true)), mut_arg("report", |arg| arg.help(REPORT)))]
// It speaks only to refine.
#[command(mut_arg("loras", |arg| arg.requires("refine")))]
pub struct CloneArgs {
    #[command(flatten)]
    references: ReferenceArgs,
    /// Where to write the voice [default: the recording's name with .npz, in this folder]
    #[arg(long, short, value_name = "FILE", conflicts_with = "each")]
    output: Option<PathBuf>,
    /// Keep the voice by this name, in $XDG_DATA_HOME/barkclone/voices: `--voice NAME` finds it anywhere
    #[arg(long, value_name = "NAME", conflicts_with_all = ["each", "output"])]
    name: Option<String>,
    /// Make a voice of each recording, instead of one of the best of them; one that fails does not stop the others
    /// (exit code 7). A report beside the voices keeps account of what is done: the same command goes on where it was
    /// stopped
    #[arg(long, conflicts_with_all = ["start", "end", "preview"])]
    each: bool,
    /// Where to write the voices of --each; made if it is not there
    #[arg(long, short = 'd', value_name = "DIR", default_value = ".", requires = "each", conflicts_with = "refine")]
    dir: PathBuf,
    #[command(flatten)]
    refine: RefineArgs,
    #[command(flatten)]
    run: RunArgs,
    /// Write what the models will hear of the voice as a sound, too: the best that the voice can become
    #[arg(long, value_name = "FILE")]
    preview: Option<PathBuf>,
    /// Who agreed to this voice being cloned, in your words: kept in the voice file
    #[arg(long, value_name = "TEXT")]
    consent: Option<String>,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    nets: NetArgs,
}

const REPORT: &str = "With --each, a line for each voice, with all that made it [default: report.jsonl or \
    report-K-of-N.jsonl in DIR]. With --refine, a page of HTML of all candidates with their numbers";

const EXAMPLES: &str = "\
Examples:
  barkclone clone talk.mp3 -o voz.npz --preview heard.wav
  barkclone clone interview.m4a --start 1:05 --end 1:40 -o voz.npz
  barkclone clone takes/ -o voz.npz              # the best stretch of all the recordings in a folder
  barkclone clone takes/ --each -d voices/       # a voice of each
  barkclone clone ref.wav --name ana             # kept by name: speak --voice ana
  arecord -d 10 -f cd | barkclone clone - --name eu
  barkclone clone ref.wav --refine 8 -o voz.npz  # of several clones the one that speaks most like ref.wav
  barkclone clone ref.wav --raw -o voz.npz       # exactly this clip, as upstream would";

#[derive(Args, Debug)]
#[command(next_help_heading = "Models", args = nets::all())]
struct NetArgs {
    /// The quantizer, which turns what HuBERT hears to tokens: choose the speaker's language, pt, en, en-large, de, pl,
    /// es, ja or tr, or give a .pth file
    #[arg(long, value_name = "MODEL", default_value = "pt", default_value_if("demo", "true", "demo"))]
    quantizer: String,
    /// HuBERT, the net that hears the recording: a name from `models list`, or a file or folder
    #[arg(long, value_name = "MODEL", default_value = "hubert-base", default_value_if("demo", "true", "demo"))]
    hubert: String,
    /// EnCodec, the codec that turns sound to tokens: a name or a path
    #[arg(long, value_name = "MODEL", default_value = "encodec", default_value_if("demo", "true", "demo"))]
    codec: String,
    #[command(flatten)]
    device: DeviceArgs,
}

/// The models, opened.
struct Nets {
    hubert: Checkpoint<HubertConfig>,
    quantizer: Checkpoint<QuantizerConfig>,
    /// What the quantizer says of its training.
    record: Option<TrainingRecord>,
    codec: Checkpoint<CodecConfig>,
    device: Device,
}

/// Everything that can be wrong without a model is found before one is loaded.
pub fn run(mut args: CloneArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    let begun = Instant::now();
    args.origin()?;
    let recordings = args.references.recordings()?;
    if args.each {
        return each::run(&args, recordings, models, terminal);
    }
    let page = args.refine.page(&mut args.run.report);
    if args.refine.count().is_some() {
        args.refine.texts(&args.nets.quantizer)?;
    }
    args.run.refuse_for_one("--each (--report with --refine, too)")?;
    let target = args.target(&recordings, models)?;
    args.check_outputs(&target, page.as_deref(), &recordings)?;
    let inputs = args.references.inputs(&recordings)?;
    let reference = args.references.prepare(&inputs, terminal)?;
    let nets = args.nets.open(models, terminal)?;
    let (cloner, origin) = (nets.cloner()?, args.signed(&nets)?);
    let plain = cloner.voice(&reference.pcm, terminal)?;
    let refined = match args.refine.count() {
        Some(count) => Some(args.refined(&plain, (&inputs, &reference), (&cloner, count), (models, terminal))?),
        None => None,
    };
    let kept = refined.as_ref().map(|refined| &refined.kept().candidate).filter(|kept| *kept.voice != plain);
    let (voice, origin) = match kept {
        Some(kept) => (&*kept.voice, origin.edited(format!("refined: {}", kept.way))),
        None => (&plain, origin),
    };
    args.write_voice(voice, &reference, &target, origin)?;
    if kept.is_none() {
        describe(voice, &reference.seconds, terminal);
    }
    if let (Some(page), Some(refined)) = (&page, &refined) {
        args.write_page(page, refined, &reference)?;
    }
    args.write_preview(voice, &nets)?;
    args.tell(voice, (&reference, refined.as_ref()), &target, begun.elapsed().as_secs_f64())?;
    args.run.judge(&reference.findings)
}

impl CloneArgs {
    fn target(&self, recordings: &[PathBuf], models: &Models) -> Result<PathBuf> {
        match (&self.output, recordings) {
            (Some(path), _) => {
                check_voice_target("--output", path)?;
                Ok(path.clone())
            }
            (None, _) if let Some(name) = &self.name => {
                models.registry.check_free(Shelf::Voices, name)?;
                Library::of_user(Shelf::Voices)?.target(name)
            }
            (None, [recording]) if recording.exists() && !recording.is_file() || recording == Path::new("-") => {
                Err(Kind::Usage.error("a recording from a pipe: name the voice with -o or --name").into())
            }
            (None, [recording]) => Ok(named_after(recording)?.into()),
            _ => Err(Kind::Usage.error("several recordings: name the voice with -o, or make one of --each").into()),
        }
    }

    fn check_outputs(&self, target: &Path, page: Option<&Path>, recordings: &[PathBuf]) -> Result<()> {
        let preview = self.preview.as_deref();
        let flags = [("--output", Some(target)), ("--preview", preview), ("--report", page)];
        let named = flags.into_iter().filter_map(|(flag, path)| Some((flag, path?)));
        refuse_same_file(named.clone())?;
        let recordings = || recordings.iter().map(PathBuf::as_path);
        named.into_iter().try_for_each(|(_, path)| refuse_own_input(path, recordings()))?;
        output::check(target, self.force)?;
        if let Some(preview) = preview {
            Format::checked(preview, Encoding::Pcm16)?;
            output::check(preview, self.force)?;
        }
        page.map_or(Ok(()), |page| check_page_target(page, self.force))
    }

    fn write_preview(&self, voice: &Voice, nets: &Nets) -> Result<()> {
        let Some(path) = &self.preview else { return Ok(()) };
        let pcm = Decoder::new(&nets.codec, &nets.device)?.pcm(&heard_codes(voice)?)?;
        let info = provenance::remarks("preview", "what Bark hears of a voice");
        let form = (Format::of(path)?, Encoding::Pcm16);
        output::write_atomically(path, self.force, |sink| write_sound(sink, &pcm, form, &info))
    }

    fn write_voice(&self, voice: &Voice, reference: &Reference, target: &Path, origin: Provenance) -> Result<()> {
        let source_sha256 = Some(sha256(reference.input.file()?)?);
        let source_seconds = Some([reference.seconds.start, reference.seconds.end]);
        let origin = Provenance { source_sha256, source_seconds, ..origin };
        voice.write_with(Some(&origin), target, self.force)
    }

    /// Prints the voice's path, or all about it.
    fn tell(
        &self,
        voice: &Voice,
        (reference, refined): (&Reference, Option<&Refined>),
        target: &Path,
        took: f64,
    ) -> Result<()> {
        let path = target.display().to_string();
        if !self.run.json {
            return out(format!("{path}\n"));
        }
        let findings: Vec<_> = reference.findings.iter().map(RecordedFinding::from).collect();
        let mut told = json!({"event": "done", "source": reference.input.path().to_string_lossy(),
            "taken": reference.seconds, "seconds": voice.seconds(), "took": took, "tokens": voice.semantic().len(),
            "voice_hash": voice.hash(), "findings": findings, "out": path});
        refined.into_iter().for_each(|refined| told["refined"] = refine::told(refined));
        out(format!("{told}\n"))
    }

    /// What a voice file says of where it comes from, but for its recording and the models.
    fn origin(&self) -> Result<Provenance> {
        Provenance::new().consented(self.consent.as_deref())
    }

    /// With the models.
    fn signed(&self, nets: &Nets) -> Result<Provenance> {
        let mut quantizer = ModelName::of(&self.nets.quantizer).with_hash(nets.quantizer.identity()?);
        let said = nets.record.as_ref().and_then(|record| record.language.clone());
        quantizer.language = quantizer.language.or(said);
        let codec = ModelName::of(&self.nets.codec).with_hash(nets.codec.identity()?);
        Ok(Provenance { quantizer: Some(quantizer), codec: Some(codec), ..self.origin()? })
    }
}

impl NetArgs {
    fn open(&self, models: &Models, progress: &dyn Progress) -> Result<Nets> {
        let device = self.device.open()?;
        let codec = nets::codec(&self.codec, models, progress)?;
        let hubert = nets::hubert(&self.hubert, models, progress)?;
        let quantizer = nets::quantizer(&self.quantizer, models, progress)?;
        let record = nets::training_record(&self.quantizer, models, progress)?;
        if let Some(record) = &record {
            progress.note(&trained(record));
        }
        Ok(Nets { hubert, quantizer, record, codec, device })
    }
}

impl Nets {
    fn cloner(&self) -> Result<Cloner> {
        Cloner::new(&self.hubert, &self.quantizer, &self.codec, &self.device)
    }
}

/// What a quantizer says of its training, in a line.
fn trained(record: &TrainingRecord) -> String {
    let optional =
        |name: &str, value: &Option<String>| value.as_ref().map_or(String::new(), |v| format!(", {name} {v}"));
    let known = [("language", &record.language), ("licence", &record.licence), ("consent", &record.consent)];
    let known: String = known.into_iter().map(|(name, value)| optional(name, value)).collect();
    let (data, clips, length) = (&record.data, record.clips, super::clock(record.seconds));
    super::one_line(&format!("the quantizer was trained on {data} ({clips} clips, {length}){known}"))
}

/// The recording's name with `.npz`.
fn named_after(recording: &Path) -> Result<std::ffi::OsString> {
    let stem = recording.file_stem();
    let stem = stem.ok_or_else(|| Kind::Input.error(format!("{}: not a file", recording.display())))?;
    let mut name = stem.to_os_string();
    name.push(".npz");
    Ok(name)
}

/// Says which seconds of the recording each stage will hear, as a warning where their length is unusual. A voice ends
/// where its reference ends.
fn describe(voice: &Voice, reference: &Range<f64>, terminal: &Terminal) {
    let heard = voice.heard();
    let (end, seconds) = (reference.end, reference.end - reference.start);
    let span = |r: &Range<f64>| format!("{:.1} to {end:.1} s", (end - (r.end - r.start)).max(reference.start));
    let stages =
        format!("text stage {}, coarse {}, fine {}", span(&heard.text), span(&heard.coarse), span(&heard.fine));
    match LENGTHS.contains(&seconds) || seconds == LENGTHS.end {
        true => terminal.note(&format!("the models hear: {stages}")),
        false => terminal.note(&format!(
            "warning: {seconds:.1} s of reference, where 5 to 12 s work best; the models hear: {stages}"
        )),
    }
}
