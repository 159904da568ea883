//! The flags that choose models and the device, shared by the commands that run nets.

use anyhow::{Result, bail};
use barkclone::config::CodecConfig;
use barkclone::device;
use barkclone::error::Kind;
use barkclone::layout::{self, Model, demo};
use barkclone::models::{ModelKind, Models, Source};
use barkclone::progress::Progress;
use candle_core::{DType, Device};
use clap::{Args, ValueEnum};

/// Where the nets run.
#[derive(Args, Debug)]
pub struct DeviceArgs {
    /// auto, cpu, cuda[:N] or metal
    #[arg(long, value_name = "DEVICE", default_value = "auto", help_heading = "Models")]
    device: String,
}

impl DeviceArgs {
    pub fn open(&self) -> Result<Device> {
        device::open(&self.device)
    }
}

/// The type that weights are held in, and GPUs compute in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WeightType {
    F32,
    F16,
    Bf16,
}

impl WeightType {
    /// The type of the nets on `device`; refused where it is not computed in.
    pub fn on(self, device: &Device) -> Result<DType> {
        match self {
            WeightType::F32 => Ok(DType::F32),
            _ if device.is_cpu() => bail!(Kind::Usage.error("--weights: the CPU computes in f32 only")),
            WeightType::F16 => Ok(DType::F16),
            WeightType::Bf16 => Ok(DType::BF16),
        }
    }
}

/// The seed of the built-in models' weights.
pub const SEED: u64 = 1;

/// EnCodec's files, by name or path.
pub fn codec(choice: &str, models: &Models, progress: &dyn Progress) -> Result<Model<CodecConfig>> {
    match models.resolve(ModelKind::Codec, choice, progress)? {
        Source::Builtin => demo::demo_codec(SEED),
        Source::Path(path) => layout::codec(&path),
    }
}
