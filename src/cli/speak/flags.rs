//! The flags of `speak` that choose how is drawn and from which models.

use crate::cli::ears::{BestArgs, WordArgs, is_absent};
use crate::cli::nets::{self, BarkChoice, DeviceArgs, LoraArgs, WeightType};
use crate::cli::progress::Terminal;
use anyhow::Result;
use barkclone::batch::RetryPolicy;
use barkclone::batch::{self, Sampling};
use barkclone::checkpoint::builtin;
use barkclone::clone::Listener;
use barkclone::ears::Judge;
use barkclone::models::{ModelKind, Models, Source};
use barkclone::progress::Progress;
use barkclone::speak::Settings;
use barkclone::stage::protocol::Protocol;
use barkclone::stage::text::Text;
use candle_core::Device;
use clap::Args;
use std::sync::Arc;

/// What hears tokens, where none is named.
const HUBERT: &str = "hubert-base";
const QUANTIZER: &str = "pt";

/// Where a flag is not given, the model's own generation settings hold; the defaults named here are the published ones.
#[derive(Args, Debug)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingArgs {
    /// How freely the text is spoken: higher is livelier, 0 always takes the likeliest token (semantic stage)
    /// [default: 0.7]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = nets::number)]
    pub text_temp: Option<f64>,
    /// How freely the voice sounds: higher varies more, 0 always takes the likeliest token (coarse stage)
    /// [default: 0.7]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = nets::number)]
    pub waveform_temp: Option<f64>,
    /// The same for the details of the sound (fine stage) [default: 0.5]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = nets::number)]
    pub fine_temp: Option<f64>,
    /// Draw only from the K likeliest tokens (semantic and coarse stages)
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    pub top_k: Option<usize>,
    /// Draw only from the likeliest tokens that together have this probability, 0 to 1 (semantic and coarse stages)
    #[arg(long, value_name = "P", allow_negative_numbers = true, value_parser = nets::number)]
    pub top_p: Option<f64>,
    /// Stop once the end of the speech has this probability, 0 to 1: lower stops earlier [default: 0.2]
    #[arg(long, value_name = "P", allow_negative_numbers = true, value_parser = nets::number)]
    pub min_eos_p: Option<f64>,
    /// Stop speaking after this many seconds; Bark itself stops at about 15
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = nets::number)]
    pub max_seconds: Option<f64>,
    /// How many tokens the coarse stage looks back, 60 (faster) to 630 [default: 630]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub coarse_history: Option<usize>,
    /// How many tokens the coarse stage makes before it looks back anew [default: 60]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub coarse_window: Option<usize>,
    /// Be faster and look back less: --coarse-history 312, --coarse-window 456, and as few passes of the fine stage as
    /// will do. Not exact
    #[arg(long)]
    pub fast: bool,
    /// The same seed gives the same speech [default: a new one, printed]. With --lines, --jobs and --file each
    /// utterance's seed follows from this one and its text or id [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = nets::seed)]
    pub seed: Option<u64>,
}

/// What is done about an utterance that does not sound right: silence, a pace that does not go with the text, no end, a
/// garbled end, clipping.
#[derive(Args, Debug)]
#[command(next_help_heading = "Sampling")]
pub struct RetryArgs {
    /// Speak an utterance that does not sound right (silent, too fast or slow for its text, without an end, clipped, or
    /// with a garbled end) again with up to N more seeds, and keep the best. Takes are judged as for --best-of, by ears that are at hand
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    retry: u32,
    /// Cut off what follows the end of the speech
    #[arg(long)]
    trim_tail: bool,
    /// With --best-of and --retry: the quantizer that hears, with HuBERT, whether a take says its own tokens; take the
    /// text's language. It is left out where it is not at hand, or, unless it is named, where words are heard [default:
    /// pt]
    #[arg(long, help_heading = "Ears", value_name = "MODEL", default_value_if("demo", "true", "demo"))]
    quantizer: Option<String>,
    /// HuBERT for that [default: hubert-base]
    #[arg(long, help_heading = "Ears", value_name = "MODEL", default_value_if("demo", "true", "demo"))]
    hubert: Option<String>,
    #[command(flatten)]
    words: WordArgs,
    #[command(flatten)]
    pub best: BestArgs,
}

impl RetryArgs {
    pub fn policy(&self) -> RetryPolicy {
        self.best.policy(self.retry, self.trim_tail)
    }

    /// The ears beside the voice's: those that are named or at hand. Who hears words need not hear tokens, which would
    /// cost as much again and tells less.
    pub fn ears(&self, at: (&Models, &Device), terminal: &Terminal) -> Result<Judge> {
        let words = self.words.ear(at, terminal)?;
        let tokens = if words.is_none() || self.names_tokens() { self.listener(at, terminal)? } else { None };
        Ok(Judge { words, tokens, ..Judge::default() })
    }

    fn names_tokens(&self) -> bool {
        self.hubert.is_some() || self.quantizer.is_some()
    }

    /// What hears semantic tokens: fetched only where it is named; `None`: it is not at hand, which is said.
    fn listener(&self, (models, device): (&Models, &Device), terminal: &Terminal) -> Result<Option<Arc<Listener>>> {
        let offline = models.offline();
        let named = self.names_tokens();
        let (hubert, quantizer) =
            (self.hubert.as_deref().unwrap_or(HUBERT), self.quantizer.as_deref().unwrap_or(QUANTIZER));
        match nets::listener(hubert, quantizer, if named { models } else { &offline }, (device, terminal)) {
            Err(error) if !named && is_absent(&error) => {
                terminal.note(&format!(
                    "whether takes say their own tokens is not heard: {HUBERT} and {QUANTIZER} are not at hand; \
                     `barkclone models fetch {HUBERT} {QUANTIZER}` brings them"
                ));
                Ok(None)
            }
            listener => listener.map(|listener| Some(Arc::new(listener))),
        }
    }

    /// Tells runs that change the sound apart; empty where nothing is changed. How many seeds are tried changes no
    /// sound that is good.
    pub fn mark(&self) -> Vec<u8> {
        mark(0, self.trim_tail)
    }

    /// The mark of earlier versions.
    pub fn former_mark(&self) -> Vec<u8> {
        mark(self.retry, self.trim_tail)
    }
}

fn mark(retries: u32, trim_tail: bool) -> Vec<u8> {
    match retries > 0 || trim_tail {
        false => Vec::new(),
        true => [&retries.to_le_bytes()[..], &[trim_tail.into()]].concat(),
    }
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Models", args = nets::all())]
pub struct NetArgs {
    /// Bark: a name from `models list`, or a file or folder
    #[arg(long, value_name = "MODEL", default_value = "large", default_value_if("demo", "true", "demo"))]
    pub bark: String,
    /// EnCodec, the codec that turns tokens to sound: a name or a path [default: the one in Bark's own file, else
    /// encodec]
    #[arg(long, value_name = "MODEL", default_value_if("demo", "true", "demo"))]
    pub codec: Option<String>,
    /// What cuts a text into tokens: a name or a tokenizer.json [default: the one in or beside Bark's file, else
    /// bert-multilingual-cased]
    #[arg(long, value_name = "MODEL")]
    pub tokenizer: Option<String>,
    /// How Bark's weights are kept: smaller types are faster and not exact. On a CPU they are packed into a file at the
    /// first use. On a GPU take f16 or bf16
    #[arg(long, value_name = "TYPE", value_enum, default_value = "f32")]
    pub weights: WeightType,
    #[command(flatten)]
    pub lora: LoraArgs,
    /// Keep all models in memory instead of one at a time: faster for many short texts, and needs more memory
    #[arg(long)]
    pub keep_loaded: bool,
    #[command(flatten)]
    pub device: DeviceArgs,
}

impl SamplingArgs {
    /// What is given.
    pub fn given(&self) -> Sampling {
        Sampling {
            text_temp: self.text_temp,
            waveform_temp: self.waveform_temp,
            fine_temp: self.fine_temp,
            top_k: self.top_k,
            top_p: self.top_p,
            min_eos_p: self.min_eos_p,
            max_seconds: self.max_seconds,
            coarse_history: self.coarse_history,
            coarse_window: self.coarse_window,
            fast: self.fast.then_some(true),
        }
    }

    /// The flags over the model's own settings.
    pub fn settings(&self, protocol: &Protocol, seed: u64) -> Settings {
        self.given().settings(protocol, seed)
    }
}

impl NetArgs {
    pub fn choice(&self) -> BarkChoice<'_> {
        BarkChoice { bark: &self.bark, codec: self.codec.as_deref(), weights: self.weights, loras: &self.lora.loras }
    }

    pub fn tokenizer(&self, models: &Models, progress: &dyn Progress) -> Result<Text> {
        match self.tokenizer_source(models, progress)? {
            Source::Builtin => builtin::tokenizer(),
            Source::Path(path) => nets::text(&path),
        }
    }

    /// The one that is asked for, else the one that comes with Bark, else the published one.
    fn tokenizer_source(&self, models: &Models, progress: &dyn Progress) -> Result<Source> {
        match &self.tokenizer {
            Some(choice) => models.resolve(ModelKind::Tokenizer, choice, progress),
            None if models.is_builtin(ModelKind::Bark, &self.bark) => Ok(Source::Builtin),
            None if let Some(own) = nets::tokenizer_of(&self.bark)? => Ok(Source::Path(own)),
            None => models.resolve(ModelKind::Tokenizer, "bert-multilingual-cased", progress),
        }
    }

    /// A fingerprint of all that is chosen here, but for where it runs.
    pub fn fingerprint(&self, models: &Models, progress: &dyn Progress) -> Result<u64> {
        let mut sources = vec![models.resolve(ModelKind::Bark, &self.bark, progress)?];
        sources.push(self.tokenizer_source(models, progress)?);
        if let Some(codec) = &self.codec {
            sources.push(models.resolve(ModelKind::Codec, codec, progress)?);
        }
        let mut paths = Vec::new();
        let mut words = format!("{} {:?}", self.weights.repr(), self.codec.is_some());
        for source in sources {
            match source {
                Source::Builtin => words += concat!(" builtin ", env!("CARGO_PKG_VERSION")),
                Source::Path(path) => paths.push(path),
            }
        }
        self.lora.fingerprint(&mut words, &mut paths);
        let files = batch::fingerprint(&paths)?;
        Ok(batch::hash(&[words.as_bytes(), &files.to_le_bytes()]))
    }
}
