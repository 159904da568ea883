//! Many utterances in one run: their source, their folder, their report.

use super::book::{Book, BookArgs, Measure};
use super::dry;
use super::reporter::Reporter;
use super::source::{Source, is_stdin};
use super::text::{HINT, TextArgs, warn_of_unknown};
use super::{Made, SpeakArgs};
use crate::cli::batch::Batch;
use crate::cli::choice::read_voice;
use crate::cli::interrupt::Running;
use crate::cli::progress::Terminal;
use anyhow::{Context, Error, Result, ensure};
use barkclone::batch::{self, Backend, Form, InFlight, Ledger, Rules, Run, RunOptions, Sampling, Shard, Template};
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::output::{self, Sink};
use barkclone::progress::Progress;
use barkclone::speak::{Settings, Speaker, Utterance};
use barkclone::stage::protocol::Protocol;
use barkclone::stage::text::Text;
use barkclone::voice::{Place, Voice};
use clap::{ArgGroup, Args};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Once;

#[derive(Args, Debug)]
#[command(next_help_heading = "Many utterances", group = ArgGroup::new("source"))]
pub struct ManyArgs {
    /// Speak every line of FILE (`-`: stdin) into a WAV of its own; blank lines and those that begin with # are not spoken
    #[arg(long, value_name = "FILE", group = "source", requires = "dir")]
    lines: Option<PathBuf>,
    /// Speak every JSON object of FILE (`-`: stdin), one a line: `text`, and perhaps `id`, `voice`, `seed`, `out`, and settings by
    /// their flags' names, such as `text_temp`. A voice's path is looked for beside FILE first, then in the working folder
    #[arg(long, value_name = "FILE", group = "source", requires = "dir")]
    jobs: Option<PathBuf>,
    /// Speak a long text (`-`: stdin) as one sound, into --output: cut into sentences, spoken piece by piece in OUTPUT.parts, and joined.
    /// A line `[voice: NAME]` changes to that voice, a line `[pause SECONDS]` waits
    #[arg(long, value_name = "FILE", group = "source", requires = "output")]
    file: Option<PathBuf>,
    /// The folder for the WAVs; it is made if it is not there
    #[arg(long, short, value_name = "DIR", requires = "source", conflicts_with = "file")]
    pub dir: Option<PathBuf>,
    /// How the WAVs are named: {index}, {slug} (of the text), {id}, {seed} and {voice} are filled in
    #[arg(long, value_name = "NAME", default_value = "{index:05}-{slug}")]
    name: String,
    /// Utterances that are spoken at a time; on the CPU their sound does not depend on it
    #[arg(long, value_name = "auto|N", default_value = "auto")]
    batch: Batch,
    /// A line for each utterance, with all that made it [default: report.jsonl or report-K-of-N.jsonl in DIR; OUTPUT.jsonl]
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
    #[command(flatten)]
    book: BookArgs,
}

impl ManyArgs {
    /// Whether there is one.
    pub fn is_asked(&self) -> bool {
        self.lines.is_some() || self.jobs.is_some() || self.file.is_some()
    }

    /// Where the texts come from.
    fn source<'a>(&'a self, output: Option<&'a Path>, voices: &Named, reading: &'a TextArgs) -> Result<Source<'a>> {
        if let (Some(file), Some(output)) = (&self.file, output) {
            let names = voices.names.keys().cloned().collect();
            let book = Book::open(&self.book, file, output, (names, reading))?;
            let apart = self.shard.is_none() || !book.is_chained();
            ensure!(
                apart,
                Kind::Usage
                    .error("--shard: pieces that go on from one another are not shared out; leave out --history")
            );
            return Ok(Source::Book(Box::new(book)));
        }
        let lines =
            self.lines.as_deref().map(|path| Source::Lines { path, form: Form::Text, wording: reading.wording() });
        let jobs =
            || self.jobs.as_deref().map(|path| Source::Lines { path, form: Form::Json, wording: reading.wording() });
        lines.or_else(jobs).context("clap asks for a source")
    }

    /// The voice that a line of --jobs names, if it lies beside that file.
    fn beside_jobs(&self, name: &str) -> Option<String> {
        let beside = self.jobs.as_deref().filter(|jobs| !is_stdin(jobs))?.parent()?.join(name);
        let there = beside.exists() || Place::separate(&beside).exists();
        there.then(|| beside.to_string_lossy().into_owned())
    }

    /// Says where a voice that is not there was looked for.
    fn sought(&self, name: &str, error: Error) -> Error {
        match &self.jobs {
            Some(jobs) if Path::new(name).is_relative() && name.ends_with(".npz") && !Path::new(name).exists() => {
                let (name, jobs) = (name.to_owned(), jobs.display());
                error.context(Kind::Input.error(format!("{name}: neither beside {jobs} nor in the working folder")))
            }
            _ => error,
        }
    }

    fn shard(&self) -> Result<Option<Shard>> {
        self.shard.as_deref().map(Shard::parse).transpose()
    }

    fn rules(&self, seed: u64) -> Result<Rules> {
        Ok(Rules { name: Template::parse(&self.name)?, seed, shard: self.shard()? })
    }

    /// The folder of the sounds, and the report.
    pub fn places(&self, source: &Source) -> Result<(PathBuf, PathBuf)> {
        let shard = self.shard()?.map(|Shard { number, of }| format!("{number}-of-{of}"));
        let (folder, report) = match source.book() {
            Some(book) => (book.folder(), book.report(&shard.map_or(String::new(), |shard| format!(".{shard}")))),
            None => {
                let folder = self.dir.clone().context("clap asks for --dir")?;
                let report = folder.join(format!("report{}.jsonl", shard.map_or(String::new(), |s| format!("-{s}"))));
                (folder, report)
            }
        };
        Ok((folder, self.report.clone().unwrap_or(report)))
    }
}

/// The models' part in a run.
pub struct ModelBackend<'a> {
    pub args: &'a SpeakArgs,
    pub models: &'a Models,
    pub terminal: &'a Terminal,
    /// `None`: none is at hand, and texts are not looked at.
    pub tokenizer: Option<&'a Text>,
    pub protocol: Protocol,
    pub voices: Named,
    /// A hint is given once.
    pub hinted: Once,
}

impl Backend for ModelBackend<'_> {
    fn ids(&self, text: &str) -> Result<Vec<u32>> {
        let Some(tokenizer) = self.tokenizer else { return Ok(Vec::new()) };
        let ids = tokenizer.ids(text, self.protocol.text_length)?;
        warn_of_unknown(tokenizer, text, self.terminal)?;
        if self.args.reading.is_missed(text) {
            self.hinted.call_once(|| self.terminal.note(HINT));
        }
        Ok(ids)
    }

    fn voice(&self, name: &str) -> Result<Voice> {
        let beside = self.args.many.beside_jobs(name);
        let choice = self.voices.names.get(name).or(beside.as_ref()).map_or(name, String::as_str);
        let read = read_voice(choice, self.models, self.terminal);
        Ok(read.map_err(|error| self.args.many.sought(name, error))?.voice)
    }

    fn settings(&self, sampling: Sampling, seed: u64) -> Settings {
        sampling.settings(&self.protocol, seed)
    }

    fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    fn write(&self, job: &InFlight, utterance: &Utterance, sink: &mut Sink) -> Result<()> {
        let made = Made { text: &job.task.text, voice: job.voice_hash.as_deref(), settings: &job.settings };
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

fn twice(voice: &str) -> barkclone::error::Error {
    Kind::Usage.error(format!("--voice {voice}: there is one for that already; give others names, NAME=VOICE"))
}

/// Everything that concerns all utterances is checked before a model is loaded, each utterance before it is begun.
pub fn run(args: &SpeakArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    let seed = args.sampling.seed.unwrap_or(0);
    args.sampling.settings(&Protocol::default(), seed).check()?;
    let rules = args.many.rules(seed)?;
    let voices = Named::parse(&args.voice)?;
    let source = args.many.source(args.output.as_deref(), &voices, &args.reading)?;
    source.check(terminal)?;
    voices.check(models, terminal)?;
    match args.many.dry_run {
        true => dry::run(args, (&source, rules), voices, models, terminal),
        false => speak(args, (&source, rules), voices, models, terminal),
    }
}

fn speak(
    args: &SpeakArgs,
    (source, rules): (&Source, Rules),
    voices: Named,
    models: &Models,
    terminal: &Terminal,
) -> Result<()> {
    let device = args.nets.device.open()?;
    let dtype = args.nets.weights.computed(&device)?;
    let (folder, report) = args.many.places(source)?;
    let ledger = opened(&folder, &report)?;
    if let Some(note) = ledger.note() {
        terminal.note(&note);
    }
    if let Some(book) = source.book() {
        book.sweep(&ledger)?;
        book.check(&ledger, args.force)?;
    }
    let tokenizer = args.nets.tokenizer(models, terminal)?;
    let measure = Measure::new(Some(&tokenizer), &args.nets.choice().protocol(models, terminal)?);
    let total = source.count(&rules, measure)?;
    let plan = source.plan(rules.clone(), measure)?;

    let (bark, codec) = args.nets.choice().open(device.is_cpu(), models, terminal)?;
    let options = options(args, (&folder, &voices), models, terminal)?;
    let protocol = bark.protocol.clone();
    let backend =
        ModelBackend { args, models, terminal, tokenizer: Some(&tokenizer), protocol, voices, hinted: Once::new() };
    let running = Running::begin();
    let reporter = Reporter::new(terminal, (args.many.json, source.book().is_none()), &folder, total);
    let mut run = Run::new(plan, ledger, options, (&backend, &reporter), running.stop());
    let mut speaker = Speaker::new(bark, codec, dtype, &device, args.nets.keep_loaded);
    let batch = args.many.batch.rows(&speaker)?;
    let ended = speaker.speak_all(&mut run, batch, &reporter);
    reporter.close(run.tally())?;
    ended?;
    conclude(run.tally(), running.stop().is_requested(), &report)?;
    drop(running);
    match (source.book(), rules.shard) {
        (Some(book), None) => reporter.joined(book.output, book.join(rules, measure, run.into_ledger(), args.force)?),
        _ => Ok(()),
    }
}

/// Makes the folder and opens the report; removes what killed runs left.
fn opened(folder: &Path, report: &Path) -> Result<Ledger> {
    std::fs::create_dir_all(folder)
        .with_context(|| Kind::Output.error(format!("{}: cannot be made", folder.display())))?;
    output::check_folder(folder)?;
    let ledger = Ledger::open(report)?;
    output::sweep(folder, &ledger.tag())?;
    Ok(ledger)
}

/// What the run is about, in the library's terms.
pub fn options(
    args: &SpeakArgs,
    (folder, voices): (&Path, &Named),
    models: &Models,
    terminal: &Terminal,
) -> Result<RunOptions> {
    let model = args.nets.fingerprint(models, terminal)?;
    Ok(RunOptions {
        folder: folder.to_owned(),
        voice: voices.default.clone(),
        sampling: args.sampling.given(),
        model: format!("{:016x}", batch::hash(&[&model.to_le_bytes(), &[args.float.into()], &args.retry.mark()])),
        force: args.force,
        restart: args.many.restart,
        fail_fast: args.many.fail_fast,
        retry: args.retry.policy(),
    })
}

/// The exit code follows from what was left undone.
fn conclude(tally: batch::Tally, stopped: bool, report: &Path) -> Result<()> {
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
