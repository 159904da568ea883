//! `barkclone convert`: a recording to the same words in another voice.

use super::choice::read_voice;
use super::nets::{self, BarkChoice, DeviceArgs, WeightType};
use super::progress::Terminal;
use super::provenance::{self, new_seed};
use super::references::recordings;
use super::sound::SoundTarget;
use anyhow::{Context, Result, ensure};
use barkclone::audio::{self, Recording};
use barkclone::check;
use barkclone::config::Protocol;
use barkclone::convert::{self, Decoder, Listener};
use barkclone::error::Kind;
use barkclone::jobs::Sampling;
use barkclone::listen::{Facts, listen};
use barkclone::models::Models;
use barkclone::output;
use barkclone::progress::Progress;
use barkclone::speak::{Settings, Speaker};
use barkclone::tokens::{FRAME_SAMPLES, Fine, Semantic};
use barkclone::voice::provenance::sha256_of;
use candle_core::Device;
use clap::Args;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Say a recording's words, at its pace, in another voice
///
/// HuBERT and a quantizer hear the recording as semantic tokens, and Bark speaks them as the voice: no text is needed. The
/// quantizer is that of the recording's language. A recording may be hours long (four at most): memory does not grow with it.
/// Tokens run at 49.9 a second and HuBERT at 50, so the result is 0.2 % longer.
///
/// Prints the path of each WAV file it wrote: 24 kHz mono. The file says in its LIST/INFO chunk how it was made, and that it is
/// synthetic speech.
#[derive(Args, Debug)]
pub struct ConvertArgs {
    /// Recordings, or folders of them: WAV, FLAC, MP3, Ogg, Opus, M4A, AIFF, CAF, or a video's sound
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// A voice file, or one of Suno's voices such as v2/pt_speaker_3
    #[arg(long, value_name = "VOICE")]
    voice: String,
    /// Where to write, of a single source; `-` is stdout
    #[arg(long, short, value_name = "FILE", required_unless_present = "directory", conflicts_with = "directory")]
    output: Option<PathBuf>,
    /// The folder to write to, under the sources' own names
    #[arg(long, short, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
    /// Write 32-bit float samples instead of 16-bit integers
    #[arg(long)]
    float: bool,
    #[command(flatten)]
    sampling: SamplingArgs,
    #[command(flatten)]
    nets: NetArgs,
}

/// Where a flag is not given, the model's own generation settings hold; the defaults named here are the published ones.
#[derive(Args, Debug)]
#[command(next_help_heading = "Sampling")]
struct SamplingArgs {
    /// Temperature of the coarse stage: higher is livelier, 0 always takes the likeliest [default: 0.7]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    waveform_temp: Option<f64>,
    /// Temperature of the fine stage [default: 0.5]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    fine_temp: Option<f64>,
    /// Draw from the K likeliest tokens only, in the coarse stage
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    top_k: Option<usize>,
    /// Draw from the likeliest tokens that make up this probability only, in the coarse stage
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    top_p: Option<f64>,
    /// Coarse tokens of context, 60 (faster) to 630 [default: 630]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    coarse_history: Option<usize>,
    /// Coarse tokens generated before the context moves on [default: 60]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    coarse_window: Option<usize>,
    /// Trade context for time: fewer and longer coarse windows (history 312, window 456). Not exact
    #[arg(long)]
    fast: bool,
    /// The same seed gives the same speech [default: a new one, printed]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Models")]
struct NetArgs {
    /// The semantic quantizer of the recording's language: pt, en, en-large, de, pl, es, ja, tr, or a .pth file
    #[arg(long, value_name = "MODEL", default_value = "pt")]
    quantizer: String,
    /// HuBERT: a name from `models list`, or a file or folder
    #[arg(long, value_name = "MODEL", default_value = "hubert-base")]
    hubert: String,
    /// Bark, likewise
    #[arg(long, value_name = "MODEL", default_value = "large")]
    bark: String,
    /// EnCodec, likewise [default: the one in Bark's own file, else encodec]
    #[arg(long, value_name = "MODEL")]
    codec: Option<String>,
    /// The type that Bark's weights are held in: smaller ones are faster but not exact
    #[arg(long, value_name = "TYPE", value_enum, default_value = "f32")]
    weights: WeightType,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Everything that can be wrong without a model is found before one is loaded.
pub fn run(args: ConvertArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    let seed = args.sampling.seed.unwrap_or_else(new_seed);
    args.sampling.settings(&Protocol::default(), seed).check()?;
    let device = args.nets.device.open()?;
    let dtype = args.nets.weights.computed(&device)?;
    let jobs = args.jobs()?;
    let voice = Arc::new(read_voice(&args.voice, models, terminal)?.voice);
    let choice = BarkChoice { bark: &args.nets.bark, codec: args.nets.codec.as_deref(), weights: args.nets.weights };
    let (bark, codec) = choice.open(device.is_cpu(), models, terminal)?;
    let settings = args.sampling.settings(&bark.protocol, seed);
    settings.check()?;
    let heard = args.hear(&jobs, &device, models, terminal)?;
    terminal.note(&format!("seed {seed}"));

    let decoder = Decoder::new(&codec, &device)?;
    let mut speaker = Speaker::new(bark, codec, dtype, &device, jobs.len() > 1);
    for (job, semantic) in jobs.iter().zip(heard) {
        let begin = Instant::now();
        let fine = convert::codes(&mut speaker, semantic, &voice, settings, terminal)
            .with_context(|| job.source.display().to_string())?;
        let made = format!(
            "{}; converted from another recording, sha256={}",
            provenance::made(&voice.hash(), &settings, args.nets.weights),
            job.sha256
        );
        job.write(&decoder, &fine, &made, terminal)?;
        job.judge(terminal)?;
        let (spoken, took) = (fine.seconds(), begin.elapsed().as_secs_f64());
        terminal.note(&format!("{spoken:.1} s of speech in {took:.1} s: {:.2} times real time", took / spoken));
    }
    Ok(())
}

/// One recording, and where its result goes.
struct Job {
    source: PathBuf,
    sha256: String,
    target: SoundTarget,
}

impl Job {
    fn write(&self, decoder: &Decoder, fine: &Fine, made: &str, terminal: &Terminal) -> Result<()> {
        let title = self.source.file_stem().unwrap_or_default().to_string_lossy();
        let remarks = provenance::remarks(&title, made);
        self.target.write(fine.frames() * FRAME_SAMPLES, &remarks, |sink| decoder.decode(fine, sink, terminal))
    }

    /// Says what does not sound right in the file.
    fn judge(&self, terminal: &Terminal) -> Result<()> {
        if self.target.is_stdout() {
            return Ok(());
        }
        let path = &self.target.path;
        for finding in listen(&audio::read(path, check::LONGEST)?.pcm, None, Facts { ended: true })? {
            terminal.note(&format!("warning: {}: it may not sound right: {}", path.display(), finding.message));
        }
        Ok(())
    }
}

impl ConvertArgs {
    /// Every recording there is, each of which can be read, with a target that can be written.
    fn jobs(&self) -> Result<Vec<Job>> {
        let sources = recordings(&self.sources)?;
        let single = sources.len() == 1 && !self.sources[0].is_dir();
        ensure!(
            single || self.output.is_none(),
            Kind::Usage.error("-o names one file: of several recordings, give the folder to write to with -d DIR")
        );
        if let Some(folder) = &self.directory {
            std::fs::create_dir_all(folder)
                .with_context(|| Kind::Output.error(format!("{}: cannot be made", folder.display())))?;
            output::check_folder(folder)?;
        }
        let mut names = BTreeMap::new();
        let job = |source: PathBuf| {
            let path = match (&self.output, &self.directory) {
                (Some(path), _) => path.clone(),
                (None, folder) => folder.clone().unwrap_or_default().join(named(&source)),
            };
            let twice = names.insert(path.clone(), source.clone());
            ensure!(
                twice.is_none(),
                Kind::Usage.error(format!("{}: two recordings would be written to it", path.display()))
            );
            let itself = path.canonicalize().is_ok_and(|path| source.canonicalize().is_ok_and(|source| path == source));
            ensure!(!itself, Kind::Usage.error(format!("{}: it would be replaced by its own result", path.display())));
            let target = SoundTarget { path, force: self.force, float: self.float };
            target.check()?;
            Recording::open(&source)?;
            Ok(Job { sha256: sha256_of(&source)?, source, target })
        };
        sources.into_iter().map(job).collect()
    }

    /// The tokens of each recording.
    fn hear(&self, jobs: &[Job], device: &Device, models: &Models, terminal: &Terminal) -> Result<Vec<Semantic>> {
        let hubert = nets::hubert(&self.nets.hubert, models, terminal)?;
        let quantizer = nets::quantizer(&self.nets.quantizer, models, terminal)?;
        let listener = Listener::new(&hubert, &quantizer, device)?;
        let hear = |job: &Job| {
            let (source, recording) = (job.source.display(), Recording::open(&job.source)?);
            let (rate, seconds) = (recording.rate(), recording.seconds());
            let length = seconds.map_or(String::new(), |seconds| format!("{seconds:.1} s "));
            terminal.note(&format!("{source}: {length}at {rate} Hz"));
            if seconds.is_some_and(|seconds| seconds > convert::WINDOW) {
                terminal.note(&format!("{source}: heard {:.0} s at a time, overlapping", convert::WINDOW));
            }
            listener.tokens(recording, terminal).with_context(|| source.to_string())
        };
        jobs.iter().map(hear).collect()
    }
}

impl SamplingArgs {
    /// The flags over the model's own settings.
    fn settings(&self, protocol: &Protocol, seed: u64) -> Settings {
        let given = Sampling {
            waveform_temp: self.waveform_temp,
            fine_temp: self.fine_temp,
            top_k: self.top_k,
            top_p: self.top_p,
            coarse_history: self.coarse_history,
            coarse_window: self.coarse_window,
            fast: self.fast.then_some(true),
            ..Sampling::default()
        };
        given.settings(protocol, seed)
    }
}

fn named(source: &Path) -> OsString {
    let mut name = source.file_stem().unwrap_or_default().to_os_string();
    name.push(".wav");
    name
}
