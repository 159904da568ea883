//! The flags that choose models and the device, and the models that they stand for.

use anyhow::{Error, Result, bail};
use barkclone::checkpoint::{self, Bark, Checkpoint, Lora, TrainingRecord, builtin};
use barkclone::clone::Listener;
use barkclone::device;
use barkclone::error::Kind;
use barkclone::models::{ModelKind, Models, Origin, Packs, Source};
use barkclone::net::codec::CodecConfig;
use barkclone::net::hubert::HubertConfig;
use barkclone::net::quantizer::QuantizerConfig;
use barkclone::net::repr::Repr;
use barkclone::output;
use barkclone::progress::Progress;
use barkclone::stage::Stage;
use barkclone::stage::protocol::Protocol;
use barkclone::stage::text::Text;
use barkclone::train::MARK;
use candle_core::{DType, Device};
use clap::{Arg, ArgAction, Args, ValueEnum};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// `--demo`: the built-in models wherever no other is named. A flag that chooses a model says so by `default_value_if`.
pub fn demo() -> Arg {
    let help =
        "The small built-in models wherever no other is named: they work offline and at once; their voices are robotic";
    Arg::new("demo").long("demo").action(ArgAction::SetTrue).help(help)
}

/// Flags that choose all models at once: `--demo`, and `--models`, of which [`super::settings`] makes what the flag of
/// each model would say.
pub fn all() -> [Arg; 2] {
    let models = Arg::new("models").long("models").value_name("DIR").conflicts_with("demo").help(
        "The models in this folder wherever no other is named, found by what its files hold [env: BARKCLONE_MODELS]",
    );
    [demo(), models].map(|arg| arg.help_heading("Models"))
}

/// The value of a flag that is a number.
pub fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "expected a number with a point, such as 0.7".to_owned())
}

/// The value of `--seed`.
pub fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

/// Where the nets run.
#[derive(Args, Clone, Debug)]
pub struct DeviceArgs {
    /// Where to compute: auto, cpu, cuda, cuda:N (the N-th GPU) or metal
    #[arg(long, value_name = "DEVICE", default_value = "auto", help_heading = "Models")]
    device: String,
}

impl DeviceArgs {
    pub fn open(&self) -> Result<Device> {
        device::open(&self.device)
    }
}

/// The type that Bark's weights are held in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WeightType {
    /// As published: exact
    F32,
    /// Half the memory
    F16,
    /// Half the memory, rounded otherwise
    Bf16,
    /// 8 bits a weight: a quarter of the memory, and faster (CPU)
    #[value(name = "q8_0")]
    Q8_0,
    /// 4 bits a weight: the smallest, and the least exact (CPU)
    #[value(name = "q4_k")]
    Q4K,
}

impl WeightType {
    /// As it is called in the library, and in messages.
    pub fn repr(self) -> Repr {
        match self {
            WeightType::F32 => DType::F32.into(),
            WeightType::F16 => DType::F16.into(),
            WeightType::Bf16 => DType::BF16.into(),
            WeightType::Q8_0 => Repr::Q8_0,
            WeightType::Q4K => Repr::Q4K,
        }
    }

    /// The type that the nets compute in on `device`; refused where it cannot hold these weights.
    pub fn computed(self, device: &Device) -> Result<DType> {
        match self.repr() {
            _ if device.is_cpu() => Ok(DType::F32),
            Repr::Plain(dtype) => Ok(dtype),
            repr => bail!(Kind::Usage.error(format!("--weights {repr} is for the CPU: take f16 or bf16 on a GPU"))),
        }
    }
}

/// `--lora [STAGE=]FILE[:SCALE]`.
#[derive(Clone, Debug)]
pub struct LoraChoice {
    stage: Option<Stage>,
    path: PathBuf,
    scale: f64,
}

/// What a stage is called on the command line.
const STAGES: [(&str, Stage); 3] = [("semantic=", Stage::Semantic), ("coarse=", Stage::Coarse), ("fine=", Stage::Fine)];

impl FromStr for LoraChoice {
    type Err = String;

    /// A file whose name looks like more is that file.
    fn from_str(text: &str) -> Result<Self, String> {
        let whole = Path::new(text).exists();
        let named = STAGES.iter().find_map(|(name, stage)| Some((*stage, text.strip_prefix(name)?)));
        let (stage, rest) = named.filter(|_| !whole).map_or((None, text), |(stage, rest)| (Some(stage), rest));
        let scaled = rest.rsplit_once(':').filter(|_| !Path::new(rest).exists());
        let scaled = scaled.and_then(|(path, scale)| Some((path, scale.parse::<f64>().ok()?)));
        let (path, scale) = scaled.unwrap_or((rest, 1.0));
        match !path.is_empty() && scale.is_finite() {
            true => Ok(Self { stage, path: path.into(), scale }),
            false => Err("expected FILE, FILE:SCALE or STAGE=FILE:SCALE, such as mine/:0.8".to_owned()),
        }
    }
}

impl LoraChoice {
    fn open(&self) -> Result<Lora> {
        checkpoint::lora(&self.path, self.stage, self.scale)
    }

    /// What it does besides what its file says.
    fn how(&self) -> String {
        format!("{:?} {}", self.stage, self.scale)
    }
}

/// Adapters of Bark.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Models")]
pub struct LoraArgs {
    /// Merge a LoRA adapter into Bark, with this strength [default: 1]; several times for several. peft's folders and
    /// files are read, and serp-ai's. STAGE is semantic, coarse or fine, where the adapter's names do not say it
    /// [default: semantic]
    #[arg(long = "lora", value_name = "[STAGE=]FILE[:SCALE]")]
    pub loras: Vec<LoraChoice>,
}

impl LoraArgs {
    /// Adds what is chosen here to what a fingerprint is taken of.
    pub fn fingerprint(&self, words: &mut String, paths: &mut Vec<PathBuf>) {
        for lora in &self.loras {
            *words += &format!(" lora {}", lora.how());
            paths.push(lora.path.clone());
        }
    }
}

/// Which Bark, which codec, and in which type.
pub struct BarkChoice<'a> {
    pub bark: &'a str,
    /// `None`: the one that comes with Bark, else `encodec`.
    pub codec: Option<&'a str>,
    pub weights: WeightType,
    pub loras: &'a [LoraChoice],
}

impl BarkChoice<'_> {
    /// Opens both; on the CPU, weights of another type than published come from a packed file, made at the first use.
    pub fn open(&self, cpu: bool, models: &Models, progress: &dyn Progress) -> Result<(Bark, Checkpoint<CodecConfig>)> {
        let source = models.resolve(ModelKind::Bark, self.bark, progress)?;
        let packed = if cpu { self.packed(&source, models, progress)? } else { None };
        let bark = match packed {
            Some(path) => published(&Source::Path(path))?,
            None => self.merged(&source)?,
        };
        self.with_codec(bark, models, progress)
    }

    /// The packed file to take: one that is there, or, where the weights are not as published, a new one.
    fn packed(&self, source: &Source, models: &Models, progress: &dyn Progress) -> Result<Option<PathBuf>> {
        let found = Packs::of(&models.hub).find(&self.origin(source))?;
        match found {
            None if self.weights != WeightType::F32 => self.pack(source, false, models, progress).map(Some),
            found => Ok(found),
        }
    }

    /// Bark's protocol as its files state it; reads no weights.
    pub fn protocol(&self, models: &Models, progress: &dyn Progress) -> Result<Protocol> {
        Ok(published(&models.resolve(ModelKind::Bark, self.bark, progress)?)?.protocol)
    }

    /// The codec that speaks with Bark as published; reads no weights.
    pub fn codec(&self, models: &Models, progress: &dyn Progress) -> Result<Checkpoint<CodecConfig>> {
        let bark = published(&models.resolve(ModelKind::Bark, self.bark, progress)?)?;
        Ok(self.with_codec(bark, models, progress)?.1)
    }

    /// Packs anew, and returns where the packed file lies.
    pub fn repack(&self, models: &Models, progress: &dyn Progress) -> Result<PathBuf> {
        let source = models.resolve(ModelKind::Bark, self.bark, progress)?;
        self.pack(&source, true, models, progress)
    }

    /// Packs Bark, and its own codec and tokenizer with it if it has them: those of choice are other files.
    fn pack(&self, source: &Source, anew: bool, models: &Models, progress: &dyn Progress) -> Result<PathBuf> {
        Packs::of(&models.hub).make(&self.origin(source), anew, progress, |path| {
            let bark = self.merged(source)?;
            let tokenizer = match source {
                Source::Builtin => Some(builtin::tokenizer()?),
                Source::Path(_) => tokenizer_of(self.bark)?.map(|path| text(&path)).transpose()?,
            };
            let codec = bark.codec()?;
            checkpoint::pack(&bark, (codec.as_ref(), tokenizer.as_ref()), self.weights.repr(), path, progress)
        })
    }

    /// Bark as its files have it, with the adapters.
    fn merged(&self, source: &Source) -> Result<Bark> {
        published(source)?.with_loras(self.loras.iter().map(LoraChoice::open).collect::<Result<_>>()?)
    }

    fn origin(&self, source: &Source) -> Origin {
        let path = match source {
            Source::Builtin => None,
            Source::Path(path) => Some(path.clone()),
        };
        let added = self.loras.iter().map(|lora| (lora.path.clone(), lora.how())).collect();
        Origin { choice: self.bark.to_string(), path, weights: self.weights.repr().to_string(), added }
    }

    fn with_codec(
        &self,
        bark: Bark,
        models: &Models,
        progress: &dyn Progress,
    ) -> Result<(Bark, Checkpoint<CodecConfig>)> {
        let codec = match (self.codec, bark.codec()?) {
            (None, Some(own)) => own,
            (choice, _) => codec(choice.unwrap_or("encodec"), models, progress)?,
        };
        Ok((bark, codec))
    }
}

/// Bark as its files have it.
fn published(source: &Source) -> Result<Bark> {
    match source {
        Source::Builtin => builtin::bark(),
        Source::Path(path) => checkpoint::bark(path).map_err(|error| named(error, path)),
    }
}

/// Where the tokenizer is that comes with the Bark that `bark` is a path of: in its packed file, or beside its files.
pub fn tokenizer_of(bark: &str) -> Result<Option<PathBuf>> {
    let bark = Path::new(bark);
    if checkpoint::packed_tokenizer(bark)?.is_some() {
        return Ok(Some(bark.to_owned()));
    }
    Ok(tokenizer_in(if bark.is_file() { bark.parent().unwrap_or(bark) } else { bark }))
}

/// The tokenizer in a file, or in a folder.
pub fn text(path: &Path) -> Result<Text> {
    if let Some(packed) = checkpoint::packed_tokenizer(path)? {
        return Ok(packed);
    }
    match path.is_dir() {
        true => Text::open(&tokenizer_in(path).unwrap_or(path.join("tokenizer.json"))),
        false => Text::open(path),
    }
}

/// The tokenizer's file in a folder; Suno's cache has the vocabulary alone.
fn tokenizer_in(folder: &Path) -> Option<PathBuf> {
    ["tokenizer.json", "vocab.txt"].map(|name| folder.join(name)).into_iter().find(|path| path.is_file())
}

/// An error of a file that is of another kind than was asked for says what it is.
fn named(error: Error, path: &Path) -> Error {
    match checkpoint::identify(path) {
        Some(what) => Kind::Model.error(format!("{}: {what}", path.display())).into(),
        None => error,
    }
}

/// EnCodec's files, by name or path.
pub fn codec(choice: &str, models: &Models, progress: &dyn Progress) -> Result<Checkpoint<CodecConfig>> {
    match models.resolve(ModelKind::Codec, choice, progress)? {
        Source::Builtin => builtin::codec(),
        Source::Path(path) => checkpoint::codec(&path).map_err(|error| named(error, &path)),
    }
}

/// HuBERT's files, by name or path.
pub fn hubert(choice: &str, models: &Models, progress: &dyn Progress) -> Result<Checkpoint<HubertConfig>> {
    match models.resolve(ModelKind::Hubert, choice, progress)? {
        Source::Builtin => builtin::hubert(),
        Source::Path(path) => checkpoint::hubert(&path).map_err(|error| named(error, &path)),
    }
}

/// The quantizer's file, by name or path. No result may replace it.
pub fn quantizer(choice: &str, models: &Models, progress: &dyn Progress) -> Result<Checkpoint<QuantizerConfig>> {
    match models.resolve(ModelKind::Quantizer, choice, progress)? {
        Source::Builtin => builtin::quantizer(),
        Source::Path(path) => {
            if models.is_hidden(ModelKind::Quantizer, choice) {
                let told = "what is here by that name is taken, not the quantizer that is kept by it (models path)";
                progress.note(&format!("warning: {choice}: {told}"));
            }
            output::keep_input(&path);
            quantizer_file(&path)
        }
    }
}

/// The quantizer in a file.
pub fn quantizer_file(path: &Path) -> Result<Checkpoint<QuantizerConfig>> {
    checkpoint::quantizer(path).map_err(|error| named(error, path))
}

/// What the quantizer says of its training, by name or path.
pub fn training_record(choice: &str, models: &Models, progress: &dyn Progress) -> Result<Option<TrainingRecord>> {
    match models.resolve(ModelKind::Quantizer, choice, progress)? {
        Source::Builtin => Ok(None),
        Source::Path(path) => checkpoint::training_record(&path),
    }
}

/// The marks of the sounds that the quantizer learned from, as far as it says, by name or path.
pub fn training_sounds(choice: &str, models: &Models, progress: &dyn Progress) -> Result<BTreeSet<String>> {
    match models.resolve(ModelKind::Quantizer, choice, progress)? {
        Source::Builtin => Ok(BTreeSet::new()),
        Source::Path(path) => checkpoint::training_sounds(&path, MARK),
    }
}

/// What hears a recording's semantic tokens, by names or paths.
pub fn listener(
    hubert_choice: &str,
    quantizer_choice: &str,
    models: &Models,
    (device, progress): (&Device, &dyn Progress),
) -> Result<Listener> {
    let (hubert, quantizer) =
        (hubert(hubert_choice, models, progress)?, quantizer(quantizer_choice, models, progress)?);
    Listener::new(&hubert, &quantizer, device)
}
