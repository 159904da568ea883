//! The flags of `convert` that choose how is drawn and from which models.

use crate::cli::ears::BestArgs;
use crate::cli::nets::{self, BarkChoice, DeviceArgs, LoraArgs, WeightType};
use barkclone::batch::{RetryPolicy, Sampling};
use barkclone::speak::Settings;
use barkclone::stage::protocol::Protocol;
use clap::Args;

/// Where a flag is not given, the model's own generation settings hold; the defaults named here are the published ones.
#[derive(Args, Debug)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingArgs {
    /// How freely the voice sounds: higher varies more, 0 always takes the likeliest token (coarse stage)
    /// [default: 0.7]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = nets::number)]
    pub waveform_temp: Option<f64>,
    /// The same for the details of the sound (fine stage) [default: 0.5]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = nets::number)]
    pub fine_temp: Option<f64>,
    /// Draw only from the K likeliest tokens (coarse stage)
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    pub top_k: Option<usize>,
    /// Draw only from the likeliest tokens that together have this probability, 0 to 1 (coarse stage)
    #[arg(long, value_name = "P", allow_negative_numbers = true, value_parser = nets::number)]
    pub top_p: Option<f64>,
    /// How many tokens the coarse stage looks back, 60 (faster) to 630 [default: 630]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub coarse_history: Option<usize>,
    /// How many tokens the coarse stage makes before it looks back anew [default: 60]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub coarse_window: Option<usize>,
    /// Be faster and look back less: --coarse-history 312 and --coarse-window 456. Not exact
    #[arg(long)]
    pub fast: bool,
    /// The same seed gives the same speech [default: a new one, printed; with -d 0, so that a later run goes on]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = nets::seed)]
    pub seed: Option<u64>,
    /// Convert a recording whose result does not sound right (silent, clipped, or with a garbled end) again with up to
    /// N more seeds, and keep the best
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    retry: u32,
    #[command(flatten)]
    pub best: BestArgs,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Models", args = nets::all())]
pub struct NetArgs {
    /// The quantizer, which turns what HuBERT hears to tokens: choose the recording's language, pt, en, en-large, de,
    /// pl, es, ja or tr, or give a .pth file
    #[arg(long, value_name = "MODEL", default_value = "pt", default_value_if("demo", "true", "demo"))]
    pub quantizer: String,
    /// HuBERT, the net that hears the recording: a name from `models list`, or a file or folder
    #[arg(long, value_name = "MODEL", default_value = "hubert-base", default_value_if("demo", "true", "demo"))]
    pub hubert: String,
    /// Bark, which speaks: a name from `models list`, or a file or folder
    #[arg(long, value_name = "MODEL", default_value = "large", default_value_if("demo", "true", "demo"))]
    pub bark: String,
    /// EnCodec, the codec that turns tokens to sound: a name or a path [default: the one in Bark's own file, else
    /// encodec]
    #[arg(long, value_name = "MODEL", default_value_if("demo", "true", "demo"))]
    pub codec: Option<String>,
    /// How Bark's weights are kept: smaller types are faster and not exact
    #[arg(long, value_name = "TYPE", value_enum, default_value = "f32")]
    pub weights: WeightType,
    #[command(flatten)]
    pub lora: LoraArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
}

impl SamplingArgs {
    pub fn policy(&self) -> RetryPolicy {
        self.best.policy(self.retry, false)
    }

    /// What is given.
    pub fn given(&self) -> Sampling {
        Sampling {
            waveform_temp: self.waveform_temp,
            fine_temp: self.fine_temp,
            top_k: self.top_k,
            top_p: self.top_p,
            coarse_history: self.coarse_history,
            coarse_window: self.coarse_window,
            fast: self.fast.then_some(true),
            ..Sampling::default()
        }
    }

    /// The flags over the model's own settings.
    pub fn settings(&self, protocol: &Protocol, seed: u64) -> Settings {
        self.given().settings(protocol, seed)
    }
}

impl NetArgs {
    pub fn bark(&self) -> BarkChoice<'_> {
        BarkChoice { bark: &self.bark, codec: self.codec.as_deref(), weights: self.weights, loras: &self.lora.loras }
    }
}
