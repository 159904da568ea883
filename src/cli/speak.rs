//! `barkclone speak`: text and a voice to a WAV file.

use super::choice::read_voice;
use super::nets::{BarkChoice, DeviceArgs, WeightType};
use super::progress::Terminal;
use super::provenance::{self, new_seed};
use super::{check_voice_target, out};
use anyhow::{Context, Result, ensure};
use barkclone::audio::{Encoding, write_wav};
use barkclone::config::Protocol;
use barkclone::error::Kind;
use barkclone::models::{ModelKind, Models, Source};
use barkclone::output;
use barkclone::progress::Progress;
use barkclone::speak::{Request, Settings, Speaker, Utterance};
use barkclone::stage::text::{Text, normalize};
use barkclone::voice::language_warning;
use clap::Args;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf, absolute};
use std::time::Instant;

/// Most text that is read from standard input, bytes: far more than one utterance can hold.
const TEXT_LIMIT: u64 = 1 << 20;

/// Say a text with a voice
///
/// Prints the path of the WAV file it wrote: 24 kHz mono. The file says in its LIST/INFO chunk how it was made, and that it is
/// synthetic speech.
#[derive(Args, Debug)]
pub struct SpeakArgs {
    /// What to say; `-` reads standard input, and so does a pipe where TEXT is left out
    text: Option<String>,
    /// A voice file (.npz), or one of Suno's voices such as v2/pt_speaker_3 [default: a random voice]
    #[arg(long, value_name = "VOICE")]
    voice: Option<String>,
    /// Where to write; `-` is stdout [default: named after the text, such as ola-mundo.wav]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Keep the generated speech itself as a voice
    #[arg(long, value_name = "FILE")]
    save_voice: Option<PathBuf>,
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
    /// Temperature of the semantic stage: higher is livelier, 0 always takes the likeliest [default: 0.7]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    text_temp: Option<f64>,
    /// Temperature of the coarse stage [default: 0.7]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    waveform_temp: Option<f64>,
    /// Temperature of the fine stage [default: 0.5]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    fine_temp: Option<f64>,
    /// Draw from the K likeliest tokens only, in the semantic and coarse stages
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    top_k: Option<usize>,
    /// Draw from the likeliest tokens that make up this probability only, in the semantic and coarse stages
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    top_p: Option<f64>,
    /// Stop speaking once the end is this probable [default: 0.2]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    min_eos_p: Option<f64>,
    /// Stop speaking after this many seconds; Bark itself stops at about 15
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    max_seconds: Option<f64>,
    /// Coarse tokens of context, 60 (faster) to 630 [default: 630]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    coarse_history: Option<usize>,
    /// Coarse tokens generated before the context moves on [default: 60]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    coarse_window: Option<usize>,
    /// Trade context for time: fewer and longer coarse windows (history 312, window 456), and no more fine passes than needed.
    /// Not exact
    #[arg(long)]
    fast: bool,
    /// The same seed gives the same speech [default: a new one, printed]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Models")]
struct NetArgs {
    /// Bark: a name from `models list`, or a file or folder
    #[arg(long, value_name = "MODEL", default_value = "large")]
    bark: String,
    /// EnCodec, likewise [default: the one in Bark's own file, else encodec]
    #[arg(long, value_name = "MODEL")]
    codec: Option<String>,
    /// The text tokenizer: a name or a tokenizer.json [default: the one beside Bark's file, else bert-multilingual-cased]
    #[arg(long, value_name = "MODEL")]
    tokenizer: Option<String>,
    /// The type that Bark's weights are held in: smaller ones are faster but not exact. On the CPU they are packed into a file
    /// at the first use; on a GPU f16 and bf16 are computed in
    #[arg(long, value_name = "TYPE", value_enum, default_value = "f32")]
    weights: WeightType,
    /// Keep all models in memory instead of one at a time
    #[arg(long)]
    keep_loaded: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Everything that can be wrong without a model is found before one is loaded.
pub fn run(args: SpeakArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    let seed = args.sampling.seed.unwrap_or_else(new_seed);
    args.sampling.settings(&Protocol::default(), seed).check()?;
    let device = args.nets.device.open()?;
    let dtype = args.nets.weights.computed(&device)?;
    args.check_outputs()?;
    let text = args.text()?;
    let voice = args.voice.as_deref().map(|v| read_voice(v, models, terminal)).transpose()?;
    let origin = voice.as_ref().and_then(|file| file.provenance.as_ref());
    if let Some(warning) = origin.and_then(|origin| language_warning(origin, &text)) {
        terminal.note(&format!("warning: {warning}"));
    }
    let (bark, codec) = args.nets.choice().open(device.is_cpu(), models, terminal)?;
    let ids = args.nets.tokenizer(models, terminal)?.ids(&text, bark.protocol.text_length)?;
    let settings = args.sampling.settings(&bark.protocol, seed);
    settings.check()?;
    terminal.note(&format!("seed {seed}"));

    let begin = Instant::now();
    let mut speaker = Speaker::new(bark, codec, dtype, &device, args.nets.keep_loaded);
    let request = Request::text(ids, voice.map(|file| file.voice), settings);
    let utterance = speaker.speak(&request, terminal)?;
    // The sound first: it is there even where the speech turns out too short for a voice.
    args.deliver(&text, &request, &utterance)?;
    args.keep_voice(&utterance)?;
    let (spoken, took) = (utterance.pcm.seconds(), begin.elapsed().as_secs_f64());
    terminal.note(&format!("{spoken:.1} s of speech in {took:.1} s: {:.2} times real time", took / spoken));
    Ok(())
}

impl SpeakArgs {
    fn text(&self) -> Result<String> {
        let text = match self.text.as_deref() {
            None | Some("-") => read_text(self.text.is_some())?,
            Some(text) => text.to_string(),
        };
        let text = normalize(&text);
        ensure!(!text.is_empty(), Kind::Input.error("the text is empty: there is nothing to say"));
        Ok(text)
    }

    fn to_stdout(&self) -> bool {
        self.output.as_deref() == Some(Path::new("-"))
    }

    fn check_outputs(&self) -> Result<()> {
        match &self.output {
            Some(_) if self.to_stdout() => (),
            Some(path) => output::check(path, self.force)?,
            None => output::check_folder(Path::new("."))?,
        }
        let Some(voice) = &self.save_voice else { return Ok(()) };
        check_voice_target("--save-voice", voice)?;
        let same = self.output.as_ref().is_some_and(|path| absolute(path).ok() == absolute(voice).ok());
        ensure!(!same, Kind::Usage.error("--output and --save-voice name the same file"));
        output::check(voice, self.force)
    }

    /// Keeps the speech as a voice, if asked to.
    fn keep_voice(&self, utterance: &Utterance) -> Result<()> {
        let Some(path) = &self.save_voice else { return Ok(()) };
        let unfit = || Kind::Input.error(format!("--save-voice {}: this speech cannot be a voice", path.display()));
        utterance.voice().with_context(unfit)?.write(path, self.force)
    }

    /// Writes the WAV and prints its path.
    fn deliver(&self, text: &str, request: &Request, utterance: &Utterance) -> Result<()> {
        let encoding = if self.float { Encoding::Float32 } else { Encoding::Pcm16 };
        let voice = request.voice.as_ref().map_or("random".to_string(), |voice| voice.hash());
        let made = provenance::made(&voice, &request.settings, self.nets.weights);
        let info = provenance::remarks(text, &made);
        let wav = |mut sink: &mut dyn std::io::Write| write_wav(&mut sink, &utterance.pcm, encoding, &info);
        let path = match &self.output {
            Some(_) if self.to_stdout() => {
                let mut bytes = Vec::new();
                wav(&mut bytes)?;
                return out(bytes);
            }
            Some(path) => {
                output::write_atomically(path, self.force, |sink| wav(sink))?;
                path.clone()
            }
            None => output::write_named_after(text, Path::new("."), "wav", |sink| wav(sink))?,
        };
        let shown = path.strip_prefix(".").unwrap_or(&path).display();
        out(format!("{shown}\n"))
    }
}

impl SamplingArgs {
    /// The flags over the model's own settings.
    fn settings(&self, protocol: &Protocol, seed: u64) -> Settings {
        let mut settings = Settings::new(protocol, seed);
        let set = |value: &mut f64, flag: Option<f64>| *value = flag.unwrap_or(*value);
        set(&mut settings.text.temperature, self.text_temp);
        set(&mut settings.coarse.temperature, self.waveform_temp);
        set(&mut settings.fine.temperature, self.fine_temp);
        for stage in [&mut settings.text, &mut settings.coarse] {
            (stage.top_k, stage.top_p) = (self.top_k, self.top_p);
        }
        settings.stop.min_eos_p = self.min_eos_p.or(settings.stop.min_eos_p);
        settings.stop.max_seconds = self.max_seconds;
        if self.fast {
            settings = settings.fast();
        }
        settings.windows.history = self.coarse_history.unwrap_or(settings.windows.history);
        settings.windows.window = self.coarse_window.unwrap_or(settings.windows.window);
        settings
    }
}

impl NetArgs {
    fn choice(&self) -> BarkChoice<'_> {
        BarkChoice { bark: &self.bark, codec: self.codec.as_deref(), weights: self.weights }
    }

    fn tokenizer(&self, models: &Models, progress: &dyn Progress) -> Result<Text> {
        let bark = Path::new(&self.bark);
        let folder = if bark.is_file() { bark.parent().unwrap_or(bark) } else { bark };
        let beside = folder.join("tokenizer.json");
        let choice = match &self.tokenizer {
            Some(choice) => choice.clone(),
            None if beside.is_file() => return Text::open(&beside),
            None => "bert-multilingual-cased".to_string(),
        };
        match models.resolve(ModelKind::Tokenizer, &choice, progress)? {
            Source::Builtin => Text::bytes(),
            Source::Path(path) if path.is_dir() => Text::open(&path.join("tokenizer.json")),
            Source::Path(path) => Text::open(&path),
        }
    }
}

fn read_text(asked: bool) -> Result<String> {
    let stdin = std::io::stdin();
    ensure!(
        asked || !stdin.is_terminal(),
        Kind::Usage.error("what shall be said? Give TEXT, pipe it in, or use `-` to type it")
    );
    let mut bytes = Vec::new();
    stdin.lock().take(TEXT_LIMIT + 1).read_to_end(&mut bytes).context("cannot read the text from stdin")?;
    ensure!(bytes.len() as u64 <= TEXT_LIMIT, Kind::Input.error("the text on stdin is longer than 1 MiB"));
    String::from_utf8(bytes).with_context(|| Kind::Input.error("the text on stdin is not UTF-8"))
}
