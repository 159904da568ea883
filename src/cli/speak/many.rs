//! Many utterances in one run: their source, their folder, their report.

mod backend;
mod preview;
mod utterances;
mod voices;

use super::book::{self, Book, BookArgs, Measure, Slot, beside};
use super::outlet::Wanted;
use super::source::{List, Source, Tasks, is_stdin};
use super::text::TextArgs;
use super::{SpeakArgs, pairs};
use crate::cli::batch::Batch;
use crate::cli::many::{RunArgs, Session};
use crate::cli::progress::Terminal;
use crate::cli::reporter::Words;
use crate::cli::sound::sounds_named;
use crate::cli::{out, report};
use anyhow::{Context, Error, Result, ensure};
pub use backend::ModelBackend;
use barkclone::audio::Format;
use barkclone::batch::{Form, Rules, Seeds, Template};
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::output;
use barkclone::progress::Progress;
use barkclone::stage::protocol::Protocol;
use barkclone::voice::Place;
use clap::{ArgGroup, Args};
use preview::preview;
use serde_json::json;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use utterances::speak;
pub use voices::Named;

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
    /// Whether there are many.
    pub fn is_asked(&self) -> bool {
        self.lines.is_some() || self.jobs.is_some() || self.file.is_some() || self.is_compared()
    }

    /// Whether voices are heard side by side.
    fn is_compared(&self) -> bool {
        !self.ab.is_empty()
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
        let usual = if self.is_compared() { "{slug}-{index}-{voice}" } else { "{index:05}-{slug}" };
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
                let unnamed = || if self.is_compared() { "ab".into() } else { beside(sound, ".parts") };
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
            false if !self.is_compared() && self.dir.is_none() && !wanted.any() => {
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

/// Everything that concerns all utterances is checked before a model is loaded, each utterance before it is begun.
pub fn run(args: &SpeakArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    args.sampling.settings(&Protocol::default(), args.seed()).check()?;
    args.many.run.redo()?;
    let mut voices = Named::parse(&args.voice)?;
    let rules = args.many_rules()?;
    args.check_places()?;
    // The folder goes once all is over.
    let (sound, _folder) = args.joined_sound()?;
    let mut source = args.source(&sound, &voices, (models, terminal))?;
    source.check(terminal)?;
    let (folder, report) = args.many.places(&source, &sound)?;
    let random = source.book().map_or_else(|| folder.join("voice.npz"), Book::voice);
    if !args.many.is_compared() && args.pairs.is_none() {
        voices.fall_back(&random, terminal);
    }
    voices.check(models, terminal)?;
    let voice = voices.default.clone().or_else(|| Some(random.to_string_lossy().into_owned()));
    let rules = Rules { voice, ..rules };
    args.tell_seed(terminal);
    let words = Words { verb: "speak", done: "spoken", many: "utterances", warns: true };
    let page = args.many.is_compared().then(|| folder.join("ab.html"));
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
    fn many_rules(&self) -> Result<Rules> {
        let mut rules = self.many.rules(self.seed(), self.float)?;
        if self.pairs.is_some() {
            rules.name = sounds_named(pairs::NAMES, self.float)?;
        }
        Ok(rules)
    }

    /// Refuses places that do not go together.
    fn check_places(&self) -> Result<()> {
        let (wanted, output) = (self.wanted(), self.output.as_deref());
        self.many.check_places(output, wanted)?;
        wanted.check()?;
        output.map_or(Ok(()), |output| Format::checked(output, wanted.encoding).map(drop))
    }

    /// The sound that all become together; where it has no name, also a folder that goes.
    fn joined_sound(&self) -> Result<(PathBuf, Option<TempDir>)> {
        match self.output.as_deref().filter(|_| self.wanted().file) {
            Some(output) => Ok((output.to_owned(), None)),
            None => self.many.unnamed(),
        }
    }

    fn source<'a>(
        &'a self,
        sound: &Path,
        voices: &Named,
        (models, terminal): (&Models, &Terminal),
    ) -> Result<Source<'a>> {
        if self.many.is_compared() {
            return Ok(Source::Compared(self.compared(self.seed(), models, terminal)?));
        }
        let chapters = self.many.chapters(self.float)?;
        let within = |(folder, _): &(PathBuf, Template)| folder.join(sound.file_name().unwrap_or_default());
        let output = chapters.as_ref().map_or(sound.to_owned(), within);
        let target = book::Target { output, is_joined: self.wanted().file || chapters.is_some(), chapters };
        self.many.source(target, voices, &self.reading)
    }

    fn tell_seed(&self, terminal: &Terminal) {
        let follows = match self.many.is_compared() {
            false => "each line's own seed is made of it and of its text or id",
            true => "each take's own seed is made of it, the same in all voices",
        };
        terminal.note(&format!("seed {}: {follows}", self.seed()));
    }

    /// Refuses a report in the place of another result or of an input; `page`: that of --ab.
    fn check_report(&self, page: Option<&Path>, voices: &Named) -> Result<()> {
        let ManyArgs { lines, jobs, file, book, .. } = &self.many;
        let results = [("--output", self.output.as_deref()), ("--subtitles", book.subtitles()), ("--ab", page)];
        let results = results.into_iter().filter_map(|(flag, path)| Some((flag, path?)));
        let inputs = [lines, jobs, file].into_iter().flatten().map(PathBuf::as_path);
        self.many.run.check_report(results, inputs.chain(voices.given().map(Path::new)))
    }

    /// The tasks of `source`, in the voices of pairs if they become some; `lay` is told what stands where in the sound.
    fn plan<'a>(
        &'a self,
        source: &'a Source,
        rules: &Rules,
        measure: Measure<'a>,
        lay: impl Fn(Slot) + 'a,
    ) -> Result<Tasks<'a>> {
        let tasks = source.plan(rules.clone(), measure, lay)?;
        let shares = rules.shard.map_or(1, |shard| shard.of);
        Ok(match &self.pairs {
            Some(pairs) => pairs.assigned(tasks, pairs::settings(self), shares),
            None => tasks,
        })
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
