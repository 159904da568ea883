//! Many utterances in one run: their source, their folder, their report.

use super::book::{Book, BookArgs, Measure, beside};
use super::live::Live;
use super::outlet::Wanted;
use super::source::{Source, is_stdin};
use super::text::{HINT, TextArgs, warn_of_unknown};
use super::{Made, SpeakArgs};
use crate::cli::batch::Batch;
use crate::cli::choice::read_voice;
use crate::cli::dry::{self, Speed};
use crate::cli::ears::VoiceJudge;
use crate::cli::interrupt::Running;
use crate::cli::many::{RunArgs, Session};
use crate::cli::progress::Terminal;
use crate::cli::reporter::Words;
use anyhow::{Context, Error, Result, bail, ensure};
use barkclone::audio::Pcm;
use barkclone::batch::{
    self, Backend, Decoded, Form, InFlight, Item, Rules, Run, RunOptions, Sampling, Seeds, Silent, Speech,
    SpeechBackend, Stop, Target, Template, Work,
};
use barkclone::ears::Score;
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::output::Sink;
use barkclone::progress::Progress;
use barkclone::sound::Finding;
use barkclone::speak::{Content, Settings, Speaker, Utterance};
use barkclone::stage::protocol::Protocol;
use barkclone::stage::text::Text;
use barkclone::voice::{Library, Place, Voice};
use clap::{ArgGroup, Args};
use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Once;
use tempfile::TempDir;

#[derive(Args, Debug)]
#[command(next_help_heading = "Many utterances", group = ArgGroup::new("source"))]
pub struct ManyArgs {
    /// Speak every line of FILE (`-`: stdin) into a WAV of its own, or with -o - one after another; blank lines and
    /// those that begin with # are not spoken
    #[arg(long, value_name = "FILE", group = "source")]
    lines: Option<PathBuf>,
    /// Speak every JSON object of FILE (`-`: stdin), one a line: `text`, and perhaps `id`, `voice`, `seed`, `out`, and
    /// settings by their flags' names, such as `text_temp`. A voice's path is looked for beside FILE first, then in the
    /// working folder
    #[arg(long, value_name = "FILE", group = "source")]
    jobs: Option<PathBuf>,
    /// Speak a long text (`-`: stdin) as one sound, into --output: cut into sentences, spoken piece by piece in
    /// OUTPUT.parts, and joined. A line `[voice: NAME]` changes to that voice, a line `[pause SECONDS]` waits
    #[arg(long, value_name = "FILE", group = "source")]
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
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub book: BookArgs,
}

impl ManyArgs {
    /// Whether there is one.
    pub fn is_asked(&self) -> bool {
        self.lines.is_some() || self.jobs.is_some() || self.file.is_some()
    }

    /// Where the texts come from; the sound of a book, with whether it is written.
    fn source<'a>(&'a self, sound: (PathBuf, bool), voices: &Named, reading: &'a TextArgs) -> Result<Source<'a>> {
        if let Some(file) = &self.file {
            let book = Book::open(&self.book, file, sound, (voices.known(), reading))?;
            let apart = self.run.shard()?.is_none() || !book.is_chained();
            ensure!(
                apart,
                Kind::Usage
                    .error("--shard: pieces that go on from one another are not shared out; leave out --history")
            );
            return Ok(Source::Book(Box::new(book)));
        }
        let useless = self.lines.is_some() && !voices.names.is_empty();
        ensure!(
            !useless,
            Kind::Usage.error("--voice NAME=VOICE: the lines of --lines name no voices; give --voice VOICE")
        );
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

    fn rules(&self, seed: u64, voices: &Named) -> Result<Rules> {
        let (name, shard) = (Template::parse(&self.name, "wav")?, self.run.shard()?);
        Ok(Rules { name, seed: Seeds::Mixed(seed), shard, voice: voices.default.clone() })
    }

    /// The folder of the sounds, and the report; `sound` is where the sound of all would be.
    fn places(&self, source: &Source, sound: &Path) -> Result<(PathBuf, PathBuf)> {
        match source.book() {
            Some(book) => Ok((book.folder(), self.run.report_beside(|shard| book.report(shard))?)),
            None => {
                let folder = self.dir.clone().unwrap_or_else(|| beside(sound, ".parts"));
                let report = self.run.report_in(&folder)?;
                Ok((folder, report))
            }
        }
    }

    /// Refuses places that do not go together.
    fn check_places(&self, output: Option<&Path>, wanted: Wanted) -> Result<()> {
        let usage = |message: &str| Err(Kind::Usage.error(message).into());
        match self.file.is_some() {
            true if output.is_none() && !wanted.play => {
                usage("--file: where shall the sound go? Give -o FILE, -o - or --play")
            }
            false if output.is_some_and(|output| !is_stdin(output)) => {
                usage("--output FILE is for one sound: with --lines and --jobs give -d DIR, -o - or --play")
            }
            false if self.dir.is_none() && !wanted.any() => {
                usage("--lines and --jobs: where shall the sounds go? Give -d DIR, -o - or --play")
            }
            _ if wanted.any() && self.run.shard()?.is_some() => {
                usage("--shard: a share has gaps, and is not to be heard; leave out -o - and --play")
            }
            _ => Ok(()),
        }
    }

    /// The sound that all become together, where it has no name: named after the text, or in a folder that goes.
    fn unnamed(&self) -> Result<(PathBuf, Option<TempDir>)> {
        let text = self.lines.as_ref().or(self.jobs.as_ref()).or(self.file.as_ref()).filter(|text| !is_stdin(text));
        match text.and_then(|text| text.file_stem()) {
            Some(stem) => Ok((PathBuf::from(stem).with_extension("wav"), None)),
            None => {
                let folder = tempfile::tempdir().context("no folder for temporary files")?;
                Ok((folder.path().join("speech.wav"), Some(folder)))
            }
        }
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
    /// Set once the models are open, before anything is spoken.
    pub judge: OnceCell<VoiceJudge>,
    /// A hint is given once.
    pub hinted: Once,
}

impl Backend for ModelBackend<'_> {
    fn voice(&self, name: &str) -> Result<Voice> {
        let beside = self.args.many.beside_jobs(name);
        let choice = self.voices.names.get(name).or(beside.as_ref()).map_or(name, String::as_str);
        let read = read_voice(choice, self.models, self.terminal);
        Ok(read.map_err(|error| self.args.many.sought(name, error))?.voice)
    }

    fn settings(&self, sampling: Sampling, seed: u64) -> Option<Settings> {
        Some(sampling.settings(&self.protocol, seed))
    }

    fn check(&self, item: &Item) -> Result<()> {
        self.ids(item.text()).map(drop)
    }
}

impl ModelBackend<'_> {
    /// A text's ids, refused where they do not fit one utterance.
    fn ids(&self, text: &str) -> Result<Vec<u32>> {
        let Some(tokenizer) = self.tokenizer else { return Ok(Vec::new()) };
        tokenizer.ids(text, self.protocol.text_length)
    }
}

impl SpeechBackend for ModelBackend<'_> {
    fn content(&self, item: &Item) -> Result<Content> {
        let text = item.text();
        if let Some(tokenizer) = self.tokenizer {
            warn_of_unknown(tokenizer, text, self.terminal)?;
        }
        if self.args.reading.is_missed(text) {
            self.hinted.call_once(|| self.terminal.note(HINT));
        }
        self.ids(text).map(Content::Text)
    }

    fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    fn write(&self, job: &InFlight, settings: &Settings, utterance: &Utterance, sink: &mut Sink) -> Result<()> {
        let made = Made { text: job.task.item.text(), voice: job.voice_hash.as_deref(), settings };
        self.args.sound(&made, utterance, sink)
    }

    fn score(&self, job: &InFlight, pcm: &Pcm, findings: &[Finding]) -> Result<Score> {
        let Some(judge) = self.judge.get() else { return Ok(Score::new(None, None, findings)) };
        let of = |name: &String| judge.reference(name, || self.voice(name));
        let reference = job.voice.as_ref().map_or(Ok(None), of)?;
        judge.judge.score(pcm, reference.as_ref(), findings)
    }

    fn decode(&self, _: &InFlight, _: &Settings, _: &Utterance, _: Target) -> Work<Decoded> {
        Box::new(|| bail!("a text has its sound"))
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

    /// The names that a text may use: those that are given, and those that voices are kept by.
    fn known(&self) -> Vec<String> {
        // Without a home there are no kept ones.
        let kept = Library::of_user().and_then(|library| library.names()).unwrap_or_default();
        let mut names: Vec<_> = self.names.keys().cloned().chain(kept).collect();
        names.sort();
        names.dedup();
        names
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
    args.many.run.redo()?;
    let voices = Named::parse(&args.voice)?;
    let rules = args.many.rules(seed, &voices)?;
    let wanted = args.wanted();
    args.many.check_places(args.output.as_deref(), wanted)?;
    wanted.check()?;
    // The folder goes once all is over.
    let (sound, _folder) = match args.output.as_deref().filter(|_| wanted.file) {
        Some(output) => (output.to_owned(), None),
        None => args.many.unnamed()?,
    };
    let source = args.many.source((sound.clone(), wanted.file), &voices, &args.reading)?;
    source.check(terminal)?;
    voices.check(models, terminal)?;
    source.tell_remarks(terminal)?;
    if voices.default.is_none() && !source.has_voices() {
        terminal.note("warning: no --voice: each utterance gets a random voice of its own; with --voice all have one");
    }
    let (folder, report) = args.many.places(&source, &sound)?;
    let words = Words { verb: "speak", done: "spoken", many: "utterances" };
    let session = Session { args: &args.many.run, folder, report, words, terminal };
    match args.many.run.dry_run {
        true => preview(args, (&source, rules), (voices, &session), models),
        false => speak(args, (&source, rules), (voices, &session), models),
    }
}

fn speak(
    args: &SpeakArgs,
    (source, rules): (&Source, Rules),
    (voices, session): (Named, &Session),
    models: &Models,
) -> Result<()> {
    let terminal = session.terminal;
    let device = args.nets.device.open()?;
    let dtype = args.nets.weights.computed(&device)?;
    let ledger = session.open()?;
    if let Some(book) = source.book() {
        book.sweep(&ledger)?;
        book.check(&ledger, args.force)?;
    }
    let tokenizer = args.nets.tokenizer(models, terminal)?;
    let protocol = args.nets.choice().protocol(models, terminal)?;
    let measure = Measure::new(Some(&tokenizer), &protocol);
    source.check_voices(measure, &voices)?;
    let options = options(args, (&session.folder, &voices), models, terminal)?;
    let (tokenizer, judge, hinted) = (Some(&tokenizer), OnceCell::new(), Once::new());
    let backend = ModelBackend { args, models, terminal, tokenizer, protocol, voices, judge, hinted };
    let plan = || source.plan(rules.clone(), measure);
    let running = Running::begin();
    let (survey, ledger) = match source.is_readable_twice() {
        true => {
            let (survey, ledger) = session.survey((plan()?, ledger), &options, &backend, &running)?;
            (Some(survey), ledger)
        }
        false => (None, ledger),
    };
    let (bark, codec) = args.nets.choice().open(device.is_cpu(), models, terminal)?;
    let judge = args.retry.best.judge(args.retry.policy(), (&codec, &device), models, terminal)?;
    // Nobody else sets it.
    let _ = backend.judge.set(judge);
    let reporter = session.reporter(source.book().is_none(), survey.as_ref()).beside_sound(args.to_stdout());
    let live = Live::new(&reporter, args, &session.folder)?;
    let plan = source.plan_at(rules.clone(), measure, |slot| live.lay(slot))?;
    let run = Run::new(plan, ledger, options, (&backend, &live), running.stop());
    let mut speech = Speech::new(run, &backend)?;
    let mut speaker = Speaker::new(bark, codec, dtype, &device, args.nets.keep_loaded);
    let batch = args.many.batch.rows(&speaker)?;
    let ended = speech.speak(&mut speaker, batch, &reporter);
    let heard = if ended.is_ok() { live.close() } else { Ok(()) };
    reporter.close(speech.tally(), live.first())?;
    ended.and(heard)?;
    session.conclude(speech.tally(), &running)?;
    drop(running);
    survey.map_or(Ok(()), |survey| session.left_over(&survey))?;
    match (source.book(), rules.shard) {
        (Some(book), None) if book.is_joined() => {
            let ledger = speech.into_run().into_ledger();
            reporter.joined(&book.output, book.join(rules, measure, ledger, args.force)?)
        }
        _ => Ok(()),
    }
}

/// What would be spoken, as far as that can be said without the network and without loading a model; says what cannot.
fn preview(
    args: &SpeakArgs,
    (source, rules): (&Source, Rules),
    (voices, session): (Named, &Session),
    models: &Models,
) -> Result<()> {
    let terminal = session.terminal;
    let ledger = session.peek()?;
    source.book().map_or(Ok(()), |book| book.check(&ledger, args.force))?;
    let mut offline = models.clone();
    offline.hub.offline = true;
    let tokenizer = args.nets.tokenizer(&offline, terminal).ok();
    if tokenizer.is_none() {
        terminal.note("the tokenizer is not at hand: whether each text fits one utterance is not checked");
    }
    let protocol = args.nets.choice().protocol(&offline, terminal);
    let (protocol, options) = match (protocol, options(args, (&session.folder, &voices), &offline, terminal)) {
        (Ok(protocol), Ok(options)) => (protocol, options),
        _ => {
            terminal.note("the models are not at hand: what was spoken before counts as to be spoken");
            let (folder, voice, sampling) = (session.folder.clone(), voices.default.clone(), args.sampling.given());
            let (force, restart) = (args.force, true);
            (Protocol::default(), RunOptions { folder, voice, sampling, force, restart, ..RunOptions::default() })
        }
    };
    let measure = Measure::new(tokenizer.as_ref(), &protocol);
    source.check_voices(measure, &voices)?;
    let (tokenizer, judge, hinted) = (tokenizer.as_ref(), OnceCell::new(), Once::new());
    let backend = ModelBackend { args, models, terminal, tokenizer, protocol, voices, judge, hinted };
    let (plan, stop) = (source.plan(rules, measure)?, Stop::new());
    let run = Run::new(plan, ledger, options, (&backend, &Silent), &stop);
    dry::preview(session, run, speed(args))
}

/// Seconds of speech in a second, on two threads of a server's processor (the README's figures): to say roughly what to
/// expect before anything was spoken here.
const SPEEDS: [(&str, &str, f64); 4] =
    [("large", "f32", 0.04), ("large", "q8_0", 0.08), ("small", "f32", 0.15), ("small", "q8_0", 0.3)];

fn speed(args: &SpeakArgs) -> Option<Speed> {
    let weights = args.nets.weights.repr().to_string();
    let known = SPEEDS.iter().find(|(bark, repr, _)| (*bark, *repr) == (args.nets.bark.as_str(), weights.as_str()));
    known.map(|(_, _, speed)| (*speed, "on two threads of a server's processor"))
}

/// What the run is about, in the library's terms.
fn options(
    args: &SpeakArgs,
    (folder, voices): (&Path, &Named),
    models: &Models,
    terminal: &Terminal,
) -> Result<RunOptions> {
    let model = args.nets.fingerprint(models, terminal)?;
    let marked = |mark: Vec<u8>| format!("{:016x}", batch::hash(&[&model.to_le_bytes(), &[args.float.into()], &mark]));
    Ok(RunOptions {
        folder: folder.to_owned(),
        voice: voices.default.clone(),
        sampling: args.sampling.given(),
        model: marked(args.retry.mark()),
        former_model: Some(marked(args.retry.former_mark())),
        redo: args.many.run.redo()?,
        force: args.force,
        restart: args.many.run.restart,
        fail_fast: args.many.run.fail_fast,
        retry: args.retry.policy(),
        heard: args.wanted().any(),
    })
}
