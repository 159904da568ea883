//! Many utterances in one run: their source, their folder, their report.

use super::dry;
use super::watch::Board;
use super::{Made, SpeakArgs, read_voice};
use crate::cli::interrupt;
use crate::cli::progress::Terminal;
use anyhow::{Context, Result, ensure};
use barkclone::config::Protocol;
use barkclone::error::{Error, Kind};
use barkclone::jobs::{
    self, Form, Ledger, Plan, Planned, Rules, Run, Sampling, Scheme, Shard, Studio, Template, Ticket,
};
use barkclone::models::Models;
use barkclone::output::{self, Sink};
use barkclone::speak::{Settings, Speaker, Utterance};
use barkclone::stage::text::Text;
use barkclone::voice::Voice;
use clap::{ArgGroup, Args};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Utterances at a time where the user leaves it open.
const AUTO_BATCH: usize = 1;

#[derive(Args, Debug)]
#[command(next_help_heading = "Many utterances", group = ArgGroup::new("source"))]
pub struct ManyArgs {
    /// Speak every line of FILE (`-`: stdin) into a WAV of its own; blank lines and those that begin with # are not spoken
    #[arg(long, value_name = "FILE", group = "source", requires = "dir")]
    lines: Option<PathBuf>,
    /// Speak every JSON object of FILE (`-`: stdin), one a line: `text`, and perhaps `id`, `voice`, `seed`, `out`, and settings by
    /// their flags' names, such as `text_temp`
    #[arg(long, value_name = "FILE", group = "source", requires = "dir")]
    jobs: Option<PathBuf>,
    /// The folder for the WAVs; it is made if it is not there
    #[arg(long, short, value_name = "DIR", requires = "source")]
    pub dir: Option<PathBuf>,
    /// How the WAVs are named: {index}, {slug} (of the text), {id}, {seed} and {voice} are filled in
    #[arg(long, value_name = "NAME", default_value = "{index:05}-{slug}")]
    name: String,
    /// Utterances that are generated together; results do not depend on it
    #[arg(long, value_name = "auto|N", default_value = "auto", value_parser = batch)]
    batch: usize,
    /// A line for each utterance, with all that made it [default: report.jsonl in DIR, or report-K-of-N.jsonl]
    #[arg(long, value_name = "FILE", requires = "source")]
    report: Option<PathBuf>,
    /// Go on where the report says the last run came to: this is what happens anyway
    #[arg(long, requires = "source", conflicts_with = "restart")]
    resume: bool,
    /// Speak again what the report says is done
    #[arg(long, requires = "source")]
    restart: bool,
    /// Stop at the first utterance that fails
    #[arg(long, requires = "source")]
    fail_fast: bool,
    /// Speak only the K-th of N equal shares, for N machines or processes
    #[arg(long, value_name = "K/N", requires = "source")]
    shard: Option<String>,
    /// Check every line, voice and name, and print what would be spoken and about how long it would be; loads no model
    #[arg(long, requires = "source")]
    dry_run: bool,
    /// Print events as JSON lines instead of paths: started, done, skipped, moved, failed (each with the utterance's id) and summary;
    /// with --dry-run: planned
    #[arg(long, requires = "source")]
    pub json: bool,
}

/// Where the jobs come from.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    path: &'a Path,
    form: Form,
}

fn batch(text: &str) -> Result<usize, String> {
    match text.parse() {
        _ if text == "auto" => Ok(AUTO_BATCH),
        Ok(batch) if (1..=256).contains(&batch) => Ok(batch),
        _ => Err("expected `auto` or a number from 1 to 256".into()),
    }
}

impl ManyArgs {
    pub fn source(&self) -> Option<Source<'_>> {
        let lines = self.lines.as_deref().map(|path| Source { path, form: Form::Text });
        lines.or(self.jobs.as_deref().map(|path| Source { path, form: Form::Json }))
    }

    fn shard(&self) -> Result<Option<Shard>> {
        self.shard.as_deref().map(Shard::parse).transpose()
    }

    fn rules(&self, seed: u64) -> Result<Rules> {
        Ok(Rules { name: Template::parse(&self.name)?, seed, shard: self.shard()? })
    }

    fn folder(&self) -> PathBuf {
        // clap requires it.
        self.dir.clone().unwrap_or_else(|| ".".into())
    }

    pub fn report(&self) -> Result<PathBuf> {
        let own = match self.shard()? {
            None => "report.jsonl".to_owned(),
            Some(Shard { number, of }) => format!("report-{number}-of-{of}.jsonl"),
        };
        Ok(self.report.clone().unwrap_or_else(|| self.folder().join(own)))
    }
}

impl Source<'_> {
    fn is_stdin(self) -> bool {
        self.path == Path::new("-")
    }

    fn open(self) -> Result<Box<dyn BufRead>> {
        if self.is_stdin() {
            return Ok(Box::new(std::io::stdin().lock()));
        }
        let unreadable = || Kind::Input.error(format!("{}: cannot be read", self.path.display()));
        let file = File::open(self.path).with_context(unreadable)?;
        ensure!(
            !file.metadata().with_context(unreadable)?.is_dir(),
            Kind::Input.error(format!("{}: a folder", self.path.display()))
        );
        Ok(Box::new(BufReader::new(file)))
    }

    pub fn plan(self, rules: Rules) -> Result<impl Iterator<Item = Result<Planned>>> {
        let shown = self.path.display().to_string();
        let named = move |error: anyhow::Error| error.context(Kind::Input.error(shown.clone()));
        let asked = jobs::read(self.open()?, self.form).map(move |asked| asked.map_err(&named));
        Ok(Plan::new(asked, rules))
    }

    /// How many utterances there are, where the source can be read twice.
    fn count(self, rules: &Rules) -> Result<Option<u64>> {
        let twice = !self.is_stdin() && self.path.is_file();
        twice.then(|| Ok(self.plan(rules.clone())?.count() as u64)).transpose()
    }
}

/// The models' part in a run.
pub struct Bench<'a> {
    pub args: &'a SpeakArgs,
    pub models: &'a Models,
    pub terminal: &'a Terminal,
    /// `None`: none is at hand, and texts are not looked at.
    pub tokenizer: Option<Text>,
    pub protocol: Protocol,
    pub voices: Named,
}

impl Studio for Bench<'_> {
    fn ids(&self, text: &str) -> Result<Vec<u32>> {
        let ids =
            self.tokenizer.as_ref().map(|tokenizer| tokenizer.ids(text, self.protocol.text_length)).transpose()?;
        Ok(ids.unwrap_or_default())
    }

    fn voice(&self, name: &str) -> Result<Voice> {
        let choice = self.voices.names.get(name).map_or(name, String::as_str);
        read_voice(choice, self.models, self.terminal)
    }

    fn settings(&self, sampling: Sampling, seed: u64) -> Settings {
        sampling.settings(&self.protocol, seed)
    }

    fn write(&self, ticket: &Ticket, utterance: &Utterance, sink: &mut Sink) -> Result<()> {
        let made = Made { text: &ticket.task.text, voice: ticket.voice_hash.as_deref(), settings: &ticket.settings };
        self.args.sound(&made, utterance, sink)
    }
}

/// `--voice VOICE` and `--voice NAME=VOICE`.
#[derive(Clone, Default)]
pub struct Named {
    pub default: Option<String>,
    pub names: HashMap<String, String>,
}

impl Named {
    pub fn parse(voices: &[String]) -> Result<Self> {
        let mut named = Self::default();
        for voice in voices {
            let first = match voice.split_once('=').filter(|_| !Path::new(voice).exists()) {
                Some((name, choice)) => named.names.insert(name.trim().to_owned(), choice.to_owned()).is_none(),
                None => named.default.replace(voice.clone()).is_none(),
            };
            ensure!(first, twice(voice));
        }
        Ok(named)
    }

    /// Reads each once, so that a wrong one is told before anything is spoken.
    fn check(&self, models: &Models, terminal: &Terminal) -> Result<()> {
        self.default.iter().chain(self.names.values()).try_for_each(|v| read_voice(v, models, terminal).map(drop))
    }
}

fn twice(voice: &str) -> Error {
    Kind::Usage.error(format!("--voice {voice}: there is one for that already; give others names, NAME=VOICE"))
}

/// Everything that concerns all utterances is checked before a model is loaded, each utterance before it is begun.
pub fn run(args: &SpeakArgs, source: Source, models: &Models, terminal: &Terminal) -> Result<()> {
    let seed = args.sampling.seed.unwrap_or(0);
    args.sampling.settings(&Protocol::default(), seed).check()?;
    let rules = args.many.rules(seed)?;
    let voices = Named::parse(&args.voice)?;
    voices.check(models, terminal)?;
    match args.many.dry_run {
        true => dry::run(args, (source, rules), voices, models, terminal),
        false => speak(args, (source, rules), voices, models, terminal),
    }
}

fn speak(
    args: &SpeakArgs,
    (source, rules): (Source, Rules),
    voices: Named,
    models: &Models,
    terminal: &Terminal,
) -> Result<()> {
    let device = args.nets.device.open()?;
    let dtype = args.nets.weights.computed(&device)?;
    let total = source.count(&rules)?;
    let plan = source.plan(rules)?;
    let folder = args.many.folder();
    std::fs::create_dir_all(&folder)
        .with_context(|| Kind::Output.error(format!("{}: cannot be made", folder.display())))?;
    output::check_folder(&folder)?;
    let report = args.many.report()?;
    let ledger = Ledger::open(&report)?;
    output::sweep(&folder, &ledger.tag())?;

    let (bark, codec) = args.nets.choice().open(device.is_cpu(), models, terminal)?;
    let tokenizer = Some(args.nets.tokenizer(models, terminal)?);
    let scheme = scheme(args, &voices, models, terminal)?;
    let bench = Bench { args, models, terminal, tokenizer, protocol: bark.protocol.clone(), voices };
    let stop = interrupt::watch()?;
    let board = Board::new(terminal, args.many.json, &folder, total);
    let mut run = Run::new(plan, ledger, scheme, (&bench, &board), stop);
    let mut speaker = Speaker::new(bark, codec, dtype, &device, args.nets.keep_loaded);
    let ended = speaker.speak_all(&mut run, args.many.batch, &board);
    board.close(run.tally())?;
    ended?;
    conclude(run.tally(), stop.load(Ordering::Relaxed), &report)
}

/// What the run is about, in the library's terms.
pub fn scheme(args: &SpeakArgs, voices: &Named, models: &Models, terminal: &Terminal) -> Result<Scheme> {
    let model = args.nets.fingerprint(models, terminal)?;
    Ok(Scheme {
        folder: args.many.folder(),
        voice: voices.default.clone(),
        sampling: args.sampling.given(),
        model: format!("{:016x}", jobs::hash(&[&model.to_le_bytes(), &[args.float.into()]])),
        force: args.force,
        restart: args.many.restart,
        fail_fast: args.many.fail_fast,
    })
}

/// The exit code follows from what was left undone.
fn conclude(tally: jobs::Tally, stopped: bool, report: &Path) -> Result<()> {
    ensure!(!stopped, Kind::Interrupted.error("stopped; the same command goes on from here"));
    let all = tally.done + tally.skipped + tally.failed;
    let failed = || {
        let report = report.display();
        Kind::Partial.error(format!(
            "{} of {all} utterances failed: {report} says why; the same command tries again",
            tally.failed
        ))
    };
    ensure!(tally.failed == 0, failed());
    Ok(())
}
