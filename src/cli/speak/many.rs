//! Many utterances in one run: their source, their folder, their report.

use super::book::{self, Book, BookArgs, Measure, beside};
use super::live::Live;
use super::outlet::Wanted;
use super::source::{List, Source, Tasks, is_stdin, nothing_to_say};
use super::text::{HINT, TextArgs, Unknown, warn_of_tags};
use super::{Made, SpeakArgs};
use super::{pairs, random};
use crate::cli::batch::Batch;
use crate::cli::choice::{read_voice, warn_of_codec};
use crate::cli::dry;
use crate::cli::ears::VoiceJudge;
use crate::cli::interrupt::Running;
use crate::cli::many::{RunArgs, Session, command};
use crate::cli::progress::Terminal;
use crate::cli::reporter::{Reporter, Words, changed};
use crate::cli::sound::sounds_named;
use crate::cli::{out, report};
use anyhow::{Context, Error, Result, bail, ensure};
use barkclone::audio::{Format, Pcm};
use barkclone::batch::{
    self, Backend, Decoded, Form, InFlight, Item, Ledger, Rules, Run, RunOptions, Sampling, Seeds, Shard, Silent,
    Speech, SpeechBackend, Stop, Tally, Target, Task, Template, Work,
};
use barkclone::ears::{Asked, Parts, Score};
use barkclone::error::{Kind, did_you_mean};
use barkclone::library::{Library, Shelf};
use barkclone::models::Models;
use barkclone::output::{self, Sink};
use barkclone::progress::Progress;
use barkclone::sound::Finding;
use barkclone::speak::{Content, Settings, Speaker, Utterance, check_voice};
use barkclone::stage::protocol::Protocol;
use barkclone::stage::text::Text;
use barkclone::voice::{Place, Voice};
use clap::{ArgGroup, Args};
use serde_json::json;
use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
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
    /// Speak a long text, Markdown or EPUB (`-`: stdin) as one sound, into --output: cut into sentences, spoken piece by
    /// piece in OUTPUT.parts, and joined. `[voice: NAME]` changes to that voice, `[pause SECONDS]` waits
    #[arg(long, value_name = "FILE", group = "source")]
    file: Option<PathBuf>,
    /// Speak TEXT in each of these voices, each time with the same seeds, and write a page, ab.html, on which they are heard
    /// side by side. Without another TEXT the last one of them is the text: --ab ana.npz eva.npz "Bom dia"
    #[arg(long, value_name = "VOICE", num_args = 2..)]
    #[arg(conflicts_with_all = ["source", "voice", "output", "play", "save_voice"])]
    pub ab: Vec<String>,
    /// Seeds that --ab tries in each voice
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub takes: u64,
    /// The folder for the sounds; it is made if it is not there [default with --ab: ab]. With --file, an EPUB's chapters
    /// go there, a sound each
    #[arg(long, short, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// How the sounds are named: {index}, {slug} (of the text), {stem} (the text itself), {id}, {seed} and {voice} are filled in. The ending says
    /// the format, as with --output [default: {index:05}-{slug}.wav; of chapters {index:02}-{slug}.wav; with --ab
    /// {slug}-{index}-{voice}.wav]
    #[arg(long, alias = "name", value_name = "PATTERN")]
    names: Option<String>,
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
        self.lines.is_some() || self.jobs.is_some() || self.file.is_some() || !self.ab.is_empty()
    }

    /// Whether texts come a line each.
    pub fn has_lines(&self) -> bool {
        self.lines.is_some() || self.jobs.is_some()
    }

    /// Where the texts come from.
    fn source<'a>(&'a self, target: book::Target, voices: &Named, reading: &'a TextArgs) -> Result<Source<'a>> {
        if let Some(file) = &self.file {
            let book = Book::open(&self.book, file, target, (voices.known(), reading))?;
            let apart = self.run.shard()?.is_none() || !book.is_chained();
            ensure!(
                apart,
                Kind::Usage
                    .error("--shard: pieces that go on from one another are not shared out; leave out --history")
            );
            return Ok(Source::Book(Box::new(book)));
        }
        let lines = self.lines.as_deref().map(|path| (path, Form::Text));
        let list = lines.or_else(|| self.jobs.as_deref().map(|path| (path, Form::Json)));
        let (path, form) = list.context("clap asks for a source")?;
        Ok(Source::Lines(Box::new(List::new((path, form), reading.wording(), voices.known()))))
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

    fn rules(&self, seed: u64, float: bool) -> Result<Rules> {
        let usual = if self.ab.is_empty() { "{index:05}-{slug}" } else { "{slug}-{index}-{voice}" };
        let name = self.names.as_deref().filter(|_| self.file.is_none()).unwrap_or(usual);
        let (name, shard) = (sounds_named(name, float)?, self.run.shard()?);
        Ok(Rules { name, seed: Seeds::Mixed(seed), shard, voice: None })
    }

    /// Where chapters go, a sound each, and how they are named.
    fn chapters(&self, float: bool) -> Result<Option<(PathBuf, Template)>> {
        let (Some(folder), Some(_)) = (&self.dir, &self.file) else { return Ok(None) };
        let names = self.names.as_deref().unwrap_or("{index:02}-{slug}");
        let unknown = ["{id}", "{seed}", "{voice}"].into_iter().find(|place| names.contains(place));
        let told = |place| {
            Kind::Usage.error(format!("--names {names}: a chapter has no {place}; take {{index}} and {{slug}}"))
        };
        unknown.map_or(Ok(()), |place| Err(told(place)))?;
        Ok(Some((folder.clone(), sounds_named(names, float)?)))
    }

    /// The folder of the sounds, and the report; `sound` is where the sound of all would be.
    fn places(&self, source: &Source, sound: &Path) -> Result<(PathBuf, PathBuf)> {
        match source.book() {
            Some(book) => Ok((book.folder(), self.run.report_beside(|shard| book.report(shard))?)),
            None => {
                let unnamed = || if self.ab.is_empty() { beside(sound, ".parts") } else { "ab".into() };
                let folder = self.dir.clone().unwrap_or_else(unnamed);
                let report = self.run.report_in(&folder)?;
                Ok((folder, report))
            }
        }
    }

    /// Refuses places that do not go together.
    fn check_places(&self, output: Option<&Path>, wanted: Wanted) -> Result<()> {
        let usage = |message: &str| Err(Kind::Usage.error(message).into());
        match self.file.is_some() {
            true if output.is_none() && !wanted.play && self.dir.is_none() => {
                usage("--file: where shall the sound go? Give -o FILE, -o -, --play or, for an EPUB's chapters, -d DIR")
            }
            true if wanted.file && self.dir.is_some() => {
                usage("--output FILE and -d DIR: one sound of all, or one of each chapter; give one of them")
            }
            true if self.names.is_some() && self.dir.is_none() => {
                usage("--names: one sound has the name that -o gives it; with -d DIR chapters are named so")
            }
            false if output.is_some_and(|output| !is_stdin(output)) => {
                usage("--output FILE is for one sound: with --lines and --jobs give -d DIR, -o - or --play")
            }
            false if self.ab.is_empty() && self.dir.is_none() && !wanted.any() => {
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
            Some(stem) => Ok((beside(Path::new(stem), ".wav"), None)),
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
    /// What is not spoken, which is told once all are over.
    pub unknown: RefCell<Unknown>,
    /// A hint is given once.
    pub hinted: Once,
    /// The hash of the codec that speaks, once it is open.
    pub codec: OnceCell<String>,
    /// Voices whose models were compared with those that speak.
    pub compared: RefCell<HashSet<String>>,
}

impl Backend for ModelBackend<'_> {
    fn voice(&self, name: &str) -> Result<Voice> {
        let beside = self.args.many.beside_jobs(name);
        let choice = self.voices.names.get(name).or(beside.as_ref()).map_or(name, String::as_str);
        let read = read_voice(choice, self.models, self.terminal);
        let file =
            read.map_err(|error| self.args.many.sought(name, error)).map_err(|error| self.voices.told(name, error))?;
        if let Some(codec) = self.codec.get()
            && self.compared.borrow_mut().insert(name.to_owned())
        {
            warn_of_codec(format_args!("--voice {name}"), &file, codec, self.terminal);
        }
        check_voice(&file.voice, &self.protocol).with_context(|| Kind::Input.error(format!("--voice {name}")))?;
        Ok(file.voice)
    }

    fn settings(&self, sampling: Sampling, seed: u64) -> Option<Settings> {
        Some(sampling.settings(&self.protocol, seed))
    }

    fn check(&self, item: &Item) -> Result<()> {
        self.ids(item.text()).map(drop)
    }
}

impl<'a> ModelBackend<'a> {
    fn new(
        (args, models, terminal): (&'a SpeakArgs, &'a Models, &'a Terminal),
        tokenizer: Option<&'a Text>,
        (protocol, voices): (Protocol, Named),
    ) -> Self {
        let (judge, hinted, codec, compared) = (OnceCell::new(), Once::new(), OnceCell::new(), RefCell::default());
        let unknown = RefCell::default();
        Self { args, models, terminal, tokenizer, protocol, voices, judge, unknown, hinted, codec, compared }
    }

    /// A text's ids, refused where they do not fit one utterance.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>> {
        let Some(tokenizer) = self.tokenizer else { return Ok(Vec::new()) };
        tokenizer.ids(text, self.protocol.text_length)
    }
}

impl SpeechBackend for ModelBackend<'_> {
    fn content(&self, task: &Task) -> Result<Content> {
        let text = task.item.text();
        if let Some(tokenizer) = self.tokenizer {
            self.unknown.borrow_mut().add(task, tokenizer.unknown(text)?);
        }
        // A long text was looked through before.
        if self.args.many.file.is_none() {
            warn_of_tags(text, self.terminal);
        }
        if self.args.reading.is_missed(text) {
            self.hinted.call_once(|| self.terminal.note(HINT));
        }
        self.ids(text).map(Content::Text)
    }

    fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    fn finish(&self, job: &InFlight, seed: u64, pcm: &mut Pcm) -> Result<Option<String>> {
        // A long text is as loud as a whole.
        if self.args.many.file.is_none() {
            self.args.loud.level(&job.task.out.display(), pcm, self.terminal)?;
        }
        self.args.augment().map_or(Ok(None), |augment| pairs::change(augment, (&job.task.id, seed), pcm))
    }

    fn write(&self, job: &InFlight, settings: &Settings, utterance: &Utterance, sink: &mut Sink) -> Result<()> {
        if let (Some(_), Some(folder)) = (&self.args.pairs, &self.args.many.dir) {
            pairs::keep(&folder.join(&job.task.out), utterance)?;
        }
        let made = Made { text: job.task.item.text(), voice: job.voice_hash.as_deref(), settings };
        self.args.sound(&made, utterance, Format::of(&job.task.out)?, sink)
    }

    fn score(&self, job: &InFlight, utterance: &Utterance, findings: &[Finding]) -> Result<Score> {
        let Some(judge) = self.judge.get() else { return Ok(Score::new(Parts::default(), findings)) };
        let of = |name: &String| judge.reference(name, || self.voice(name));
        let reference = job.voice.as_ref().map_or(Ok(None), of)?;
        let text = Some(job.task.item.text());
        let asked = Asked { voice: reference.as_ref(), text, semantic: Some(&utterance.semantic) };
        judge.judge.score(&utterance.pcm, asked, findings)
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
        let kept = Library::of_user(Shelf::Voices).and_then(|library| library.names()).unwrap_or_default();
        let mut names: Vec<_> = self.names.keys().cloned().chain(kept).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Of a name that is no voice says which there are.
    fn told(&self, name: &str, error: Error) -> Error {
        let mut names: Vec<_> = self.names.keys().map(String::as_str).collect();
        names.sort_unstable();
        if names.is_empty() || self.names.contains_key(name) || name.contains(['/', '\\', '.']) {
            return error;
        }
        let (hint, names) = (did_you_mean(name, &names), names.join(", "));
        error.context(Kind::Input.error(format!("no voice is named `{name}`{hint}; --voice names {names}")))
    }

    /// Where no voice is given to all, takes that of an earlier run, if there is one.
    fn fall_back(&mut self, random: &Path, terminal: &Terminal) {
        if self.default.is_none() && random.is_file() {
            terminal.note(&format!("no --voice: that of an earlier run, {}", random.display()));
            self.default = Some(random.to_string_lossy().into_owned());
        }
    }

    /// Reads each once, so that a wrong one is told before anything is spoken.
    fn check(&self, models: &Models, terminal: &Terminal) -> Result<()> {
        self.given().try_for_each(|voice| read_voice(voice, models, terminal).map(drop))
    }

    /// Refuses one of other models, once for all that it would speak.
    fn check_fit(&self, protocol: &Protocol, models: &Models, terminal: &Terminal) -> Result<()> {
        self.given().try_for_each(|name| {
            let file = read_voice(name, models, terminal)?;
            check_voice(&file.voice, protocol).with_context(|| Kind::Input.error(format!("--voice {name}")))
        })
    }

    fn given(&self) -> impl Iterator<Item = &String> {
        self.default.iter().chain(self.names.values())
    }
}

fn twice(voice: &str) -> barkclone::error::Error {
    Kind::Usage.error(format!("--voice {voice}: there is one for that already; give others names, NAME=VOICE"))
}

/// Everything that concerns all utterances is checked before a model is loaded, each utterance before it is begun.
pub fn run(args: &SpeakArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    let seed = args.seed();
    args.sampling.settings(&Protocol::default(), seed).check()?;
    args.many.run.redo()?;
    let mut voices = Named::parse(&args.voice)?;
    let mut rules = args.many.rules(seed, args.float)?;
    if args.pairs.is_some() {
        rules.name = sounds_named(pairs::NAMES, args.float)?;
    }
    let wanted = args.wanted();
    args.many.check_places(args.output.as_deref(), wanted)?;
    wanted.check()?;
    args.output.as_deref().map_or(Ok(Format::Wav), |output| Format::checked(output, wanted.encoding))?;
    // The folder goes once all is over.
    let (sound, _folder) = match args.output.as_deref().filter(|_| wanted.file) {
        Some(output) => (output.to_owned(), None),
        None => args.many.unnamed()?,
    };
    let chapters = args.many.chapters(args.float)?;
    let beside = |(folder, _): &(PathBuf, Template)| folder.join(sound.file_name().unwrap_or_default());
    let output = chapters.as_ref().map_or(sound.clone(), beside);
    let target = book::Target { output, is_joined: wanted.file || chapters.is_some(), chapters };
    let mut source = match args.many.ab.is_empty() {
        true => args.many.source(target, &voices, &args.reading)?,
        false => Source::Compared(args.compared(seed, models, terminal)?),
    };
    source.check(terminal)?;
    let (folder, report) = args.many.places(&source, &sound)?;
    let random = source.book().map_or_else(|| folder.join("voice.npz"), Book::voice);
    if args.many.ab.is_empty() && args.pairs.is_none() {
        voices.fall_back(&random, terminal);
    }
    voices.check(models, terminal)?;
    rules.voice = voices.default.clone().or_else(|| Some(random.to_string_lossy().into_owned()));
    let follows = match args.many.ab.is_empty() {
        true => "each line's own seed is made of it and of its text or id",
        false => "each take's own seed is made of it, the same in all voices",
    };
    terminal.note(&format!("seed {seed}: {follows}"));
    let words = Words { verb: "speak", done: "spoken", many: "utterances", warns: true };
    let page = (!args.many.ab.is_empty()).then(|| folder.join("ab.html"));
    args.check_report(page.as_deref(), &voices)?;
    let session = Session { args: &args.many.run, folder, report, words, terminal };
    if let (Some(page), false) = (&page, session.report.exists()) {
        page.exists().then(|| output::check(page, args.force)).transpose()?;
    }
    let ended = match args.many.run.dry_run {
        true => preview(args, (&source, rules), (voices, &session), models),
        false => speak(args, (&mut source, rules), (voices, &random, &session), models),
    };
    source.tell_remarks(terminal);
    match page.filter(|_| ended.is_ok() && !args.many.run.dry_run) {
        Some(page) => compared(args, &session, &page),
        None => ended,
    }
}

impl SpeakArgs {
    /// Refuses a report in the place of another result or of an input; `page`: that of --ab.
    fn check_report(&self, page: Option<&Path>, voices: &Named) -> Result<()> {
        let ManyArgs { lines, jobs, file, book, .. } = &self.many;
        let results = [("--output", self.output.as_deref()), ("--subtitles", book.subtitles()), ("--ab", page)];
        let results = results.into_iter().filter_map(|(flag, path)| Some((flag, path?)));
        let inputs = [lines, jobs, file].into_iter().flatten().map(PathBuf::as_path);
        self.many.run.check_report(results, inputs.chain(voices.given().map(Path::new)))
    }

    /// `tasks` as pairs are made of them, if they are.
    fn assigned<'a>(&'a self, tasks: Tasks<'a>, shard: Option<Shard>) -> Tasks<'a> {
        match &self.pairs {
            Some(pairs) => pairs.assigned(tasks, pairs::settings(self), shard.map_or(1, |shard| shard.of)),
            None => tasks,
        }
    }
}

/// Writes the page of --ab, and says where.
fn compared(args: &SpeakArgs, session: &Session, page: &Path) -> Result<()> {
    // One that is there was written for the same report.
    report::page(&session.report, &session.folder, page, (report::Sounds::Auto, true), session.terminal)?;
    let shown = page.display().to_string();
    let event = || json!({"event": "page", "out": shown}).to_string();
    out(format!("{}\n", if args.many.run.json { event() } else { shown.clone() }))
}

fn speak(
    args: &SpeakArgs,
    (source, rules): (&mut Source, Rules),
    (voices, random, session): (Named, &Path, &Session),
    models: &Models,
) -> Result<()> {
    let terminal = session.terminal;
    let device = args.nets.device.open()?;
    let dtype = args.nets.weights.computed(&device)?;
    let protocol = args.nets.choice().protocol(models, terminal)?;
    voices.check_fit(&protocol, models, terminal)?;
    let ledger = session.open()?;
    source.book().map_or(Ok(()), |book| book.prepare(&ledger))?;
    // What is heard at once, of a voice that is given or made of the first text, does not wait for the last one.
    let wanted = args.wanted();
    if args.force || !ledger.is_empty() || voices.default.is_none() && !wanted.any() {
        source.spool()?;
    }
    let kept = kept(source, &ledger, args.force, session)?;
    let tokenizer = args.nets.tokenizer(models, terminal)?;
    let measure = Measure::new(Some(&tokenizer), &protocol);
    source.check_voices(measure, &voices)?;
    let mut options = options(args, (&session.folder, &voices), models, terminal)?;
    let backend = ModelBackend::new((args, models, terminal), Some(&tokenizer), (protocol, voices));
    let plan = || source.plan(rules.clone(), measure).map(|tasks| args.assigned(tasks, rules.shard));
    let running = Running::begin();
    let (survey, ledger) = match source.is_readable_twice() {
        true => {
            let (survey, ledger) = session.survey((plan()?, ledger), &options, &backend, &running)?;
            (Some(survey), ledger)
        }
        false => (None, ledger),
    };
    let (bark, codec) = args.nets.choice().open(device.is_cpu(), models, terminal)?;
    let others = || args.retry.ears((models, &device), terminal);
    let judge = args.retry.best.judge((args.retry.policy(), others), (&codec, &device), models, terminal)?;
    // Nobody else sets them.
    let _ = backend.judge.set(judge);
    let _ = backend.codec.set(codec.identity()?);
    let mut speaker = Speaker::new(bark, codec, dtype, &device, args.nets.keep_loaded);
    let twice = source.is_readable_twice();
    let needs_voice = options.voice.is_none() && args.pairs.is_none();
    let looked_at = match twice && needs_voice {
        true => plan()?.take(random::LOOKED_AT).collect::<Result<Vec<_>>>()?,
        false => Vec::new(),
    };
    let reporter = session.reporter(source.book().is_none(), survey.as_ref()).beside_sound(args.to_stdout());
    let live = Live::new(&reporter, args, &session.folder)?;
    let tasks = source.plan_at(rules.clone(), measure, |slot| live.lay(slot))?;
    let mut tasks = args.assigned(tasks, rules.shard).peekable();
    if needs_voice {
        let first = if twice { None } else { tasks.peek().and_then(|first| first.as_ref().ok()) };
        let place = (random, &*ledger.tag());
        if random::make(args, place, looked_at.iter().chain(first), (&mut speaker, &backend))? {
            options.voice = Some(random.to_string_lossy().into_owned());
        }
    }
    let run = Run::new(tasks, ledger, options, (&backend, &live), running.stop());
    let mut speech = Speech::new(run, &backend)?;
    let batch = args.many.batch.rows(&speaker)?;
    let ended = speech.speak(&mut speaker, batch, &reporter);
    let heard = if ended.is_ok() { live.close() } else { Ok(()) };
    let tally = speech.tally();
    backend.unknown.borrow().tell(&reporter);
    reporter.close(Tally { kept: tally.kept + kept, ..tally }, live.first())?;
    ended.and(heard)?;
    let all = tally.done + tally.skipped + tally.kept + tally.failed;
    if all == 0 && rules.shard.is_none() && !running.stop().is_requested() {
        session.discard(speech.into_run().into_ledger());
        bail!(nothing_to_say(source.name()));
    }
    let (concluded, stopped) = (session.conclude(tally, &running), running.stop().is_requested());
    drop(running);
    let (run, book) = (speech.into_run(), source.book().filter(|book| book.is_joined()));
    // A piece that failed holds its own chapter up, and no other.
    let apart = tally.failed > 0 && !stopped && rules.shard.is_none() && book.is_some_and(Book::is_apart);
    let failed = if apart { concluded.err() } else { concluded.map(|()| None)? };
    if failed.is_none() {
        session.left_over(run.left_over()?)?;
    }
    if let Some(book) = book {
        join(book, (rules, measure), run.into_ledger(), (args, &reporter, session))?;
    }
    failed.map_or(Ok(()), Err)
}

/// Joins what was spoken of a document; of a share, says how that is done.
fn join(
    book: &Book,
    (rules, measure): (Rules, Measure),
    mut ledger: Ledger,
    (args, reporter, session): (&SpeakArgs, &Reporter, &Session),
) -> Result<()> {
    if let Some(shard) = rules.shard {
        session.tell_share(shard);
        return Ok(());
    }
    let (loud, tell) = ((&args.loud, session.terminal as &dyn Progress), |path: &Path, s| reporter.joined(path, s));
    book.join((rules, measure), &mut ledger, args.force, loud, tell)?;
    session.left_over(book.left_over(&ledger))
}

/// Says which of the files that utterances are joined into are kept, because they were changed; how many.
fn kept(source: &Source, ledger: &Ledger, force: bool, session: &Session) -> Result<u64> {
    let kept = source.book().map_or(Ok(Vec::new()), |book| book.kept(ledger, force))?;
    kept.iter().for_each(|path| session.terminal.note(&changed(path)));
    Ok(kept.len() as u64)
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
    kept(source, &ledger, args.force, session)?;
    let offline = models.offline();
    let tokenizer = args.nets.tokenizer(&offline, terminal).ok();
    if tokenizer.is_none() {
        terminal.note("the tokenizer is not at hand: whether each text fits one utterance is not checked");
    }
    let protocol = args.nets.choice().protocol(&offline, terminal);
    let (protocol, options) = match (protocol, options(args, (&session.folder, &voices), &offline, terminal)) {
        (Ok(protocol), Ok(options)) => {
            voices.check_fit(&protocol, models, terminal)?;
            (protocol, options)
        }
        _ => {
            terminal.note("the models are not at hand: what was spoken before counts as to be spoken");
            let (folder, voice, sampling) = (session.folder.clone(), voices.default.clone(), args.sampling.given());
            let (force, restart) = (args.force, true);
            (Protocol::default(), RunOptions { folder, voice, sampling, force, restart, ..RunOptions::default() })
        }
    };
    let measure = Measure::new(tokenizer.as_ref(), &protocol);
    source.check_voices(measure, &voices)?;
    let backend = ModelBackend::new((args, models, terminal), tokenizer.as_ref(), (protocol, voices));
    let shard = rules.shard;
    if let Ok(codec) = args.nets.choice().codec(&offline, terminal) {
        // Nobody else sets it.
        let _ = backend.codec.set(codec.identity()?);
    }
    session.left_over(source.book().map_or(Vec::new(), |book| book.left_over(&ledger)))?;
    let (plan, stop) = (args.assigned(source.plan(rules, measure)?, shard), Stop::new());
    let run = Run::new(plan, ledger, options, (&backend, &Silent), &stop);
    dry::preview(session, run, dry::usual_speed(&args.nets.bark, args.nets.weights))
}

/// What the run is about, in the library's terms.
fn options(
    args: &SpeakArgs,
    (folder, voices): (&Path, &Named),
    models: &Models,
    terminal: &Terminal,
) -> Result<RunOptions> {
    let loudness = args.loud.loudness.filter(|_| args.many.file.is_none());
    let mut model = args.nets.fingerprint(models, terminal)?;
    if let Some(lufs) = loudness {
        model = batch::hash(&[&model.to_le_bytes(), &lufs.to_le_bytes()]);
    }
    if let Some(augment) = args.augment() {
        model = batch::hash(&[&model.to_le_bytes(), augment.to_string().as_bytes()]);
    }
    let marked = |mark: Vec<u8>| format!("{:016x}", batch::hash(&[&model.to_le_bytes(), &[args.float.into()], &mark]));
    Ok(RunOptions {
        folder: folder.to_owned(),
        voice: voices.default.clone(),
        sampling: args.sampling.given(),
        model: marked(args.retry.mark()),
        former_model: Some(marked(args.retry.former_mark())),
        command: Some(command()),
        redo: args.many.run.redo()?,
        force: args.force,
        restart: args.many.run.restart,
        speed: dry::usual_speed(&args.nets.bark, args.nets.weights).map(|(speed, _)| speed),
        fail_fast: args.many.run.fail_fast,
        retry: args.retry.policy(),
        heard: args.wanted().any(),
    })
}
