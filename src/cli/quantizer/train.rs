//! `barkclone quantizer train`: from pairs to a quantizer.

use super::data::positive;
use super::{AugmentBy, DataArgs, augment, percent};
use crate::cli::nets::{self, number};
use crate::cli::progress::Terminal;
use crate::cli::settings::TRAINING;
use crate::cli::{check_page_target, clock, out, refuse_same_file};
use anyhow::{Context, Result, ensure};
use barkclone::checkpoint::{TrainingRecord, write_quantizer};
use barkclone::error::Kind;
use barkclone::models::{ModelKind, Models};
use barkclone::net::quantizer::{Engine, Parameters, QuantizerConfig};
use barkclone::output;
use barkclone::progress::Progress;
use barkclone::train::{Augment, Clip, Clips, Epoch, Settings, forget, hold, page, pairs, random, train};
use barkclone::voice::Provenance;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use serde_json::json;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Train a quantizer on pairs of speech and the semantic tokens that it was made from
///
/// HuBERT hears each sound once, and keeps what it heard in a folder beside the pairs. After each epoch the state is
/// kept beside the result (mine.pth.training): the same command goes on where it was stopped, to the same weights. The
/// best epoch is taken, by the tokens of clips that are held out. On a CPU our own kernels train, on a GPU candle's
/// autograd does; that was tried out on a CPU, and not on a GPU yet.
///
/// Prints the path of the quantizer it wrote, which `clone --quantizer` takes, and gitmylo's tools.
#[derive(Args, Debug)]
#[command(args = nets::all())]
pub struct TrainArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Where to write the quantizer
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
    /// Forget a training that was stopped, and begin anew
    #[arg(long)]
    restart: bool,
    /// How often each clip is learned from
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = at_least_one(100_000), help_heading = TRAINING)]
    epochs: usize,
    /// Adam's learning rate
    #[arg(long, value_name = "RATE", default_value = "0.001", value_parser = positive, help_heading = TRAINING)]
    #[arg(allow_negative_numbers = true)]
    lr: f64,
    /// Clips that are learned from together
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = at_least_one(1024), help_heading = TRAINING)]
    batch: usize,
    /// The share of clips that is held out, by which the best epoch is chosen
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = share, help_heading = TRAINING)]
    #[arg(allow_negative_numbers = true)]
    valid: f64,
    /// The longest that the gradient of a step may be
    #[arg(long, value_name = "LENGTH", default_value = "1", value_parser = positive, help_heading = TRAINING)]
    #[arg(allow_negative_numbers = true)]
    clip: f64,
    /// Begin with this quantizer instead of with random weights: a file, or a name from `models list`
    #[arg(long, value_name = "QUANTIZER", conflicts_with_all = ["version", "hidden", "vocab"])]
    #[arg(help_heading = TRAINING)]
    init: Option<String>,
    /// 0: an LSTM and a linear; 1: a linear of 4096 between them
    #[arg(long, value_name = "VERSION", allow_negative_numbers = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=1))]
    #[arg(help_heading = TRAINING)]
    version: u32,
    /// Width of the LSTM
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = at_least_one(1 << 16))]
    #[arg(help_heading = TRAINING)]
    hidden: usize,
    /// How many tokens there are
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least_one(1 << 16))]
    #[arg(help_heading = TRAINING)]
    vocab: usize,
    /// Learn from a changed copy of each clip too, with one or more of these changes by chance; what is held out stays
    /// as it is. Alone: all of them
    #[arg(long, value_name = "CHANGE", value_enum, value_delimiter = ',', num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "noise,level,band,room", help_heading = TRAINING)]
    augment: Vec<AugmentBy>,
    /// Of the first weights, of what is held out, of the order and of --augment; the same seed, the same weights
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = TRAINING)]
    seed: u64,
    /// Language of the speakers, two letters: kept in the file
    #[arg(long, value_name = "CODE", help_heading = "Record", value_parser = language)]
    language: Option<String>,
    /// Licence of the quantizer: kept in the file
    #[arg(long, value_name = "TEXT", help_heading = "Record")]
    licence: Option<String>,
    /// Who agreed to what, in your words: kept in the file
    #[arg(long, value_name = "TEXT", help_heading = "Record")]
    consent: Option<String>,
    /// Write a page with the curves, anew after each epoch
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print a line of JSON for each epoch, and one for the result
    #[arg(long)]
    json: bool,
}

pub fn at_least_one(most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=most)
}

/// A code of ISO 639-1.
pub fn language(text: &str) -> Result<String, String> {
    let is_code = text.len() == 2 && text.bytes().all(|b| b.is_ascii_lowercase());
    is_code.then(|| text.to_owned()).ok_or_else(|| "expected two letters of ISO 639-1, such as pt or gl".into())
}

/// A number from 0 to below 1.
fn share(text: &str) -> Result<f64, String> {
    let good = |x: f64| if (0.0..1.0).contains(&x) { Ok(x) } else { Err("expected a share from 0 to below 1".into()) };
    number(text).and_then(good)
}

/// Everything that can be wrong without hearing a sound is found before one is heard.
pub fn run(args: &TrainArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    let origin = Provenance::new().consented(args.consent.as_deref())?;
    let local = |init: &String| models.local(ModelKind::Quantizer, init);
    args.init.iter().filter_map(local).for_each(|init| output::keep_input(&init));
    args.check_outputs()?;
    let engine = Engine::of(&args.data.device.open()?);
    let init = args.init.as_ref().map(|name| nets::quantizer(name, models, terminal)).transpose()?;
    // Once more: what it begins with is known by now, and is no place for a result.
    args.check_outputs()?;
    let clips = args.data.open((None, args.augment().as_ref()), models, terminal)?;
    let first = match &init {
        Some(quantizer) => quantizer.parameters()?,
        None => random(args.config(clips.width), args.seed)?,
    };
    let (taken, given) = (first.config.input_size, clips.width);
    let misfit = format!("--init takes {taken} features a frame, HuBERT gives {given}: they do not belong together");
    ensure!(taken == given, Kind::Model.error(misfit));
    let kept = args.kept();
    let _held = hold(&kept, &args.data.cache())?;
    if args.restart {
        forget(&kept)?;
    }
    let (best, history) = args.train(first, &clips, &engine, terminal)?;
    let record = args.record(origin, &clips, &history)?;
    let before = args.init.as_ref().map(|init| nets::training_sounds(init, models, terminal)).transpose()?;
    let sounds = clips.clips.iter().map(Clip::mark).chain(before.into_iter().flatten()).collect();
    let name = args.output.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let written = (&record, &sounds);
    output::write_atomically(&args.output, args.force, |sink| write_quantizer(&best, written, &name, sink))?;
    forget(&kept)?;
    let path = args.output.display().to_string();
    if args.json {
        return out(format!("{}\n", json!({"event": "done", "out": path, "training": record})));
    }
    out(format!("{path}\n"))
}

impl TrainArgs {
    fn check_outputs(&self) -> Result<()> {
        let shown = self.output.display();
        let named = self.output.extension().is_some_and(|ending| ending == "pth");
        ensure!(
            named,
            Kind::Usage.error(format!("--output {shown}: name it .pth, as every reader of quantizers expects"))
        );
        let kept = self.kept();
        let written = [("--output", self.output.as_path()), ("its state", &kept)];
        refuse_same_file(written.into_iter().chain(self.report.iter().map(|path| ("--report", path.as_path()))))?;
        output::check(&self.output, self.force)?;
        pairs::keep_inputs(&self.data.data)?;
        // The page of a training that was stopped is gone on with.
        let goes_on = |path: &Path| kept.exists() && page::is_page(path, &self.name());
        self.report.as_ref().map_or(Ok(()), |path| check_page_target(path, self.force || goes_on(path)))
    }

    /// What the page calls the training.
    fn name(&self) -> Cow<'_, str> {
        self.output.file_name().unwrap_or_default().to_string_lossy()
    }

    fn augment(&self) -> Option<Augment> {
        augment(&self.augment, self.seed)
    }

    /// Where the state is kept until all is done.
    fn kept(&self) -> PathBuf {
        let mut name = self.output.clone().into_os_string();
        name.push(".training");
        name.into()
    }

    fn config(&self, width: usize) -> QuantizerConfig {
        let (hidden_size, output_size, version) = (self.hidden, self.vocab, self.version);
        QuantizerConfig { input_size: width, hidden_size, output_size, version }
    }

    fn settings(&self) -> Settings {
        let (rate, longest) = (self.lr as f32, self.clip as f32);
        Settings { epochs: self.epochs, rate, batch: self.batch, valid: self.valid, longest, seed: self.seed }
    }

    fn train(
        &self,
        first: Parameters,
        clips: &Clips,
        engine: &Engine,
        terminal: &Terminal,
    ) -> Result<(Parameters, Vec<Epoch>)> {
        let (began, mut done) = (Instant::now(), 0);
        let mut watch = |history: &[Epoch]| {
            done += 1;
            let left = began.elapsed().as_secs_f64() / f64::from(done) * (self.epochs - history.len()) as f64;
            if let Some(path) = &self.report {
                write_page(path, &self.name(), history)?;
            }
            let Some(epoch) = history.last() else { return Ok(()) };
            terminal.note(&told(epoch, self.epochs, left));
            if self.json { out(format!("{}\n", line(epoch)?)) } else { Ok(()) }
        };
        train(first, clips, (&self.settings(), engine), &self.kept(), (&mut watch, terminal))
    }

    fn record(&self, origin: Provenance, clips: &Clips, history: &[Epoch]) -> Result<TrainingRecord> {
        // The first of the best, as training takes it.
        let best = history.iter().reduce(
            |best, epoch| {
                if epoch.judged().accuracy > best.judged().accuracy { epoch } else { best }
            },
        );
        let best = best.context("no epoch")?;
        Ok(TrainingRecord {
            tool: origin.tool,
            date: origin.date,
            language: self.language.clone(),
            data: name_of(&self.data.data),
            clips: clips.clips.len(),
            seconds: clips.seconds,
            augment: self.augment().map(|augment| augment.to_string()),
            epoch: best.epoch,
            epochs: history.len(),
            accuracy: best.valid.as_ref().map(|score| score.accuracy),
            loss: best.valid.as_ref().map(|score| score.loss),
            init: self.init.clone(),
            hubert: self.data.hubert.clone(),
            licence: self.licence.clone(),
            consent: origin.consent,
        })
    }
}

/// A folder's own name: where it lies on this machine is nobody's business.
fn name_of(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    whole.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn write_page(path: &Path, name: &str, history: &[Epoch]) -> Result<()> {
    let html = page::page(name, history)?;
    output::write_atomically(path, true, |sink| Ok(std::io::Write::write_all(sink, html.as_bytes())?))
}

fn line(epoch: &Epoch) -> Result<String> {
    let mut line = serde_json::to_value(epoch)?;
    line["event"] = "epoch".into();
    Ok(line.to_string())
}

/// What came of an epoch, in a line.
fn told(epoch: &Epoch, of: usize, left: f64) -> String {
    let held = match &epoch.valid {
        Some(score) => format!("; held out {} right, {} in first five", percent(score.accuracy), percent(score.top5)),
        None => String::new(),
    };
    let train = &epoch.train;
    format!(
        "epoch {} of {of}: loss {:.3}, {} right, {} in first five, {} of the wrong ones are neighbours{held}; {} left",
        epoch.epoch,
        train.loss,
        percent(train.accuracy),
        percent(train.top5),
        percent(train.neighbours),
        clock(left)
    )
}
