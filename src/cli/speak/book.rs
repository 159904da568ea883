//! `--file`: a long text, spoken piece by piece and joined into one sound.

use super::source::{Jobs, is_stdin, nothing_to_say, open};
use super::text::TextArgs;
use crate::cli::progress::Terminal;
use crate::cli::refuse_own_input;
use crate::cli::sound::{LoudnessArgs, Sink as Heard};
use anyhow::{Context, Result, bail, ensure};
use barkclone::audio::{self, Format, Info, Recording};
use barkclone::batch::{
    self, Job, Ledger, Named, Plan, Planned, Record, Rules, SourceJob, State, Task, Template, WrittenFile, now,
};
use barkclone::book::{
    self, Budget, Chapter, Cue, Ends, Markdown, Part, Passage, Piece, Pieces, Remarks, Silence, Span, Subtitles,
};
use barkclone::error::{Kind, kind};
use barkclone::output::{self, Pending, Scratch, Sink};
use barkclone::progress::Progress;
use barkclone::stage::protocol::Protocol;
use barkclone::stage::text::Text;
use clap::Args;
use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, Cursor, Read};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
#[command(next_help_heading = "A long text (--file)")]
pub struct BookArgs {
    /// Silence after a sentence, seconds; with -o - and --play also after a line of --lines
    #[arg(long, value_name = "SECONDS", default_value_t = 0.25, value_parser = silence, allow_negative_numbers = true)]
    sentence_silence: f64,
    /// Silence after a paragraph, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5, value_parser = silence, allow_negative_numbers = true)]
    paragraph_silence: f64,
    /// Whose voice each piece goes on from: `base`, the given one; `chain`, the piece before; N, as chain, but anew
    /// from the given one every N pieces
    #[arg(long, value_name = "base|chain|N", default_value = "base", value_parser = history, allow_negative_numbers = true)]
    history: u64,
    /// Speak only these chapters of an EPUB, such as 2-5 or 1,3
    #[arg(long, value_name = "NUMBERS", value_parser = chapters)]
    chapters: Option<Chapters>,
    /// Write subtitles too, as .srt or .vtt; with -d `srt` or `vtt`, beside each chapter
    #[arg(long, value_name = "FILE|srt|vtt")]
    subtitles: Option<PathBuf>,
}

fn silence(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|s| (0.0..=60.0).contains(s));
    seconds.ok_or_else(|| "expected 0 to 60 seconds".into())
}

#[derive(Clone, Debug)]
struct Chapters(Vec<RangeInclusive<u64>>);

fn chapters(text: &str) -> Result<Chapters, String> {
    batch::ranges(text).map(Chapters).ok_or_else(|| "expected numbers of chapters, such as 2-5 or 1,3".into())
}

/// The pieces of a chain.
fn history(text: &str) -> Result<u64, String> {
    match text {
        "base" => Ok(1),
        "chain" => Ok(u64::MAX),
        n => n.parse().ok().filter(|n| *n > 0).ok_or_else(|| "expected `base`, `chain` or a number of pieces".into()),
    }
}

impl BookArgs {
    pub fn subtitles(&self) -> Option<&Path> {
        self.subtitles.as_deref()
    }

    pub fn silence(&self) -> Silence {
        let (sentence, paragraph) = (self.sentence_silence, self.paragraph_silence);
        Silence { clause: Silence::default().clause.min(sentence), sentence, paragraph }
    }
}

/// How a text is cut into what fits an utterance.
#[derive(Clone, Copy)]
pub struct Measure<'a> {
    /// `None`: there is none at hand, and tokens are counted roughly.
    pub tokenizer: Option<&'a Text>,
    pub budget: Budget,
}

impl<'a> Measure<'a> {
    pub fn new(tokenizer: Option<&'a Text>, protocol: &Protocol) -> Self {
        let longest = protocol.max_semantic_steps as f64 / protocol.semantic_hz;
        Self { tokenizer, budget: Budget::of(protocol.text_length, longest) }
    }

    fn tokens(&self, text: &str) -> usize {
        match self.tokenizer {
            Some(tokenizer) => tokenizer.count(text).unwrap_or(usize::MAX),
            None => text.chars().count() / 3,
        }
    }
}

/// Most Markdown that is read, bytes: it is read whole.
const MOST_MARKDOWN: u64 = 64 << 20;
/// Most tags or chapters that are told one by one.
const MOST_TOLD: usize = 10;
/// Silence before each chapter but the first, seconds.
pub const BEFORE_CHAPTER: f64 = 2.0;

/// How a text is written.
enum Form {
    Plain,
    Markdown,
    Chapters(Vec<Chapter>),
}

/// Where the sound of a text goes.
pub struct Target {
    /// The sound; the pieces lie beside it.
    pub output: PathBuf,
    /// Whether it is written.
    pub is_joined: bool,
    /// A folder for a sound of each chapter, in its place, and how they are named.
    pub chapters: Option<(PathBuf, Template)>,
}

impl Target {
    fn sounds(&self, form: &Form) -> Result<Vec<PathBuf>> {
        let (Some((folder, names)), Form::Chapters(chapters)) = (&self.chapters, form) else {
            return Ok(vec![self.output.clone()]);
        };
        let mut sounds: Vec<PathBuf> = Vec::new();
        for chapter in chapters {
            let (index, title) = (chapter.number as u64, chapter.title.as_str());
            let named = Named { index, id: title, title, seed: 0, voice: None };
            for number in 1.. {
                let path = folder.join(names.path(&named, number)?);
                if !sounds.contains(&path) {
                    sounds.push(path);
                    break;
                }
            }
        }
        Ok(sounds)
    }

    /// The subtitles of `sound`, as `asked`: a file, or beside each chapter the kind alone; `None`: not such a kind.
    fn subtitles(&self, sound: &Path, asked: &Path) -> Option<PathBuf> {
        match (&self.chapters, asked.to_str()) {
            (None, _) => Some(asked.to_owned()),
            (Some(_), Some(kind)) if matches!(kind, "srt" | "vtt" | ".srt" | ".vtt") => {
                Some(sound.with_extension(kind.trim_start_matches('.')))
            }
            _ => None,
        }
    }
}

/// The chapter, where there are some, and its text.
type ChapterText<'a> = (Option<&'a Chapter>, Box<dyn BufRead + 'a>);

/// A text that becomes one sound.
pub struct Book<'a> {
    args: &'a BookArgs,
    path: PathBuf,
    /// How messages call it.
    pub name: String,
    /// Holds a text that came by stdin: it is read more than once.
    _spooled: Option<Scratch>,
    target: Target,
    /// The sounds that are joined: of all, or of each chapter.
    sounds: Vec<PathBuf>,
    /// Names that `[voice: NAME]` may say.
    voices: Vec<String>,
    reading: &'a TextArgs,
    form: Form,
    /// Chapters in which there is nothing to say.
    silent: Vec<Chapter>,
}

impl<'a> Book<'a> {
    pub fn open(
        args: &'a BookArgs,
        text: &Path,
        target: Target,
        (voices, reading): (Vec<String>, &'a TextArgs),
    ) -> Result<Self> {
        if let Some(subtitles) = &args.subtitles {
            let told = "--subtitles: their times are those of a file; name one with -o FILE";
            ensure!(target.is_joined, Kind::Usage.error(told));
            let each =
                format!("--subtitles {}: with -d each chapter has its own; give srt or vtt", subtitles.display());
            let kind = target.subtitles(Path::new("NAME"), subtitles).with_context(|| Kind::Usage.error(each))?;
            Subtitles::of(&kind)?;
        }
        let spooled = is_stdin(text).then(|| Scratch::of(std::io::stdin().lock())).transpose()?;
        let path = spooled.as_ref().map_or(text, |file| file.path()).to_owned();
        let mut form = form(&path, reading.is_markdown(text), args)?;
        let silent = match &mut form {
            Form::Chapters(chapters) => {
                chapters.extract_if(.., |chapter| !says(chapter.text.as_bytes(), reading, &voices)).collect()
            }
            Form::Plain | Form::Markdown => Vec::new(),
        };
        let has_chapters = matches!(form, Form::Chapters(_));
        let told = || Kind::Usage.error(format!("{}: it has no chapters: -d with --file is for EPUB", text.display()));
        ensure!(has_chapters || target.chapters.is_none(), told());
        let sounds = target.sounds(&form)?;
        let name = if is_stdin(text) { "stdin".to_owned() } else { text.display().to_string() };
        let book = Self { args, path, name, _spooled: spooled, target, sounds, voices, reading, form, silent };
        book.written().iter().try_for_each(|target| refuse_own_input(target, [book.path.as_path()]))?;
        Ok(book)
    }

    /// The chapters and their texts, or all of it.
    fn texts(&self) -> Result<Vec<ChapterText<'_>>> {
        Ok(match &self.form {
            Form::Plain => vec![(None, open(&self.path)?)],
            Form::Markdown => vec![(None, Box::new(Cursor::new(self.markdown()?.text)))],
            Form::Chapters(chapters) => {
                let mut texts: Vec<ChapterText> = Vec::new();
                chapters.iter().for_each(|chapter| texts.push((Some(chapter), Box::new(chapter.text.as_bytes()))));
                texts
            }
        })
    }

    /// The text without marks of Markdown.
    fn markdown(&self) -> Result<Markdown> {
        let mut text = open(&self.path)?;
        let (shown, mut source) = (&self.name, String::new());
        let read = text.by_ref().take(MOST_MARKDOWN).read_to_string(&mut source);
        read.with_context(|| Kind::Input.error(format!("{shown}: not UTF-8; save the text as UTF-8")))?;
        ensure!(
            (source.len() as u64) < MOST_MARKDOWN,
            Kind::Input.error(format!("{shown}: more than 64 MiB of Markdown"))
        );
        Ok(book::markdown(&source))
    }

    /// Refuses a text whose directives are wrong, with all that is wrong, and tells what is passed over.
    pub fn check_text(&self, terminal: &Terminal) -> Result<()> {
        let shown = &self.name;
        let mut remarks = Remarks::default();
        for (chapter, text) in self.texts()? {
            let more = book::check(text, &self.voices).with_context(|| Kind::Input.error(shown.to_string()))?;
            let place = chapter.map_or(String::new(), |chapter| format!("chapter {}, ", chapter.number));
            remarks.errors.extend(more.errors.into_iter().map(|error| format!("{place}{error}")));
            remarks.unknown.extend(more.unknown.into_iter().map(|tag| format!("{place}{tag}")));
        }
        ensure!(remarks.errors.is_empty(), Kind::Input.error(format!("{shown}: {}", remarks.errors.join("\n  "))));
        for tag in remarks.unknown.iter().take(MOST_TOLD) {
            terminal.note(&format!("warning: {shown}: {tag} means nothing here, and is spoken as text"));
        }
        if let Some(more) = remarks.unknown.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
            terminal.note(&format!("warning: {shown}: {more} more such tags"));
        }
        self.tell_form(terminal)?;
        let some = self.texts()?.into_iter().any(|(_, text)| says(text, self.reading, &self.voices));
        ensure!(some, nothing_to_say(shown));
        Ok(())
    }

    /// Says what the form of the text leaves out, or has.
    fn tell_form(&self, terminal: &Terminal) -> Result<()> {
        let shown = &self.name;
        match &self.form {
            Form::Plain => (),
            Form::Markdown => {
                let blocks = self.markdown()?.code_blocks;
                if blocks > 0 {
                    terminal.note(&format!("{shown}: blocks of code that are not spoken: {blocks}"));
                }
            }
            Form::Chapters(chapters) => {
                let named =
                    chapters.iter().take(MOST_TOLD).map(|chapter| format!("{} {}", chapter.number, chapter.title));
                let named = named.collect::<Vec<_>>().join("; ");
                let more = if chapters.len() > MOST_TOLD { "; ..." } else { "" };
                terminal.note(&format!("{shown}: chapters: {}: {named}{more}", chapters.len()));
                for Chapter { number, title, .. } in &self.silent {
                    terminal.note(&format!("{shown}: chapter {number} {title}: passed over: there is nothing to say"));
                }
            }
        }
        Ok(())
    }

    /// All that is written: the sounds, and the subtitles.
    fn written(&self) -> Vec<PathBuf> {
        self.sounds.iter().cloned().chain(self.sounds.iter().filter_map(|sound| self.subtitles_of(sound))).collect()
    }

    fn subtitles_of(&self, sound: &Path) -> Option<PathBuf> {
        self.target.subtitles(sound, self.args.subtitles.as_deref()?)
    }

    /// Where the pieces go: `book.wav.parts`.
    pub fn folder(&self) -> PathBuf {
        beside(&self.target.output, ".parts")
    }

    /// Where a voice is kept that was not given.
    pub fn voice(&self) -> PathBuf {
        beside(&self.target.output, ".npz")
    }

    pub fn report(&self, shard: &str) -> PathBuf {
        beside(&self.target.output, &format!("{shard}.jsonl"))
    }

    pub fn is_joined(&self) -> bool {
        self.target.is_joined
    }

    /// Whether it becomes more than one sound.
    pub fn is_apart(&self) -> bool {
        self.target.chapters.is_some()
    }

    pub fn is_chained(&self) -> bool {
        self.args.history > 1
    }

    /// The number of the chapter at this place among them, where there are some.
    fn chapter_at(&self, place: usize) -> Option<u64> {
        let Form::Chapters(chapters) = &self.form else { return None };
        chapters.get(place).map(|chapter| chapter.number as u64)
    }

    /// The pieces of each chapter, or of all.
    fn pieces<'t>(&'t self, measure: Measure<'t>) -> Result<impl Iterator<Item = (usize, Result<Piece>)> + 't> {
        let tokens = move |text: &str| measure.tokens(text);
        Ok((0..).zip(self.texts()?).flat_map(move |(number, (_, text))| {
            let pieces = Pieces::new(text, measure.budget, tokens, self.voices.clone());
            let pieces = pieces.reading(self.reading.wording(), self.reading.line_breaks());
            let shown = self.name.clone();
            pieces.map(move |piece| (number, piece.with_context(|| Kind::Input.error(shown.clone()))))
        }))
    }

    pub fn asked<'t>(&'t self, measure: Measure<'t>) -> Result<Jobs<'t>> {
        Ok(Box::new(self.asked_at(measure, |_| ())?))
    }

    /// The jobs; `lay` is told what stands where in the sound.
    pub fn asked_at<'t>(
        &'t self,
        measure: Measure<'t>,
        lay: impl Fn(Slot) + 't,
    ) -> Result<impl Iterator<Item = Result<SourceJob>> + 't> {
        let mut chain = Chain { length: self.args.history, number: 0, used: 0, voice: None };
        let (mut chapter, mut count) = (0, 0);
        Ok(self.pieces(measure)?.filter_map(move |(number, piece)| {
            if chapter != number {
                chapter = number;
                lay(Slot::Chapter);
            }
            match piece {
                Ok(Piece::Pause(seconds)) => {
                    lay(Slot::Pause(seconds));
                    None
                }
                Ok(Piece::Speak(passage)) => {
                    lay(Slot::Sound(passage.ends));
                    count += 1;
                    // The lines of chapters are of no file that anybody could look into.
                    let within = self.chapter_at(number);
                    let line = if within.is_some() { count } else { passage.line };
                    Some(Ok(chain.asked(Passage { line, ..passage }, within)))
                }
                Err(error) => Some(Err(error)),
            }
        }))
    }

    /// Makes the chapters' folders. Removes what killed runs left beside the sound and among its pieces, where a chain has
    /// no other run at work.
    pub fn prepare(&self, ledger: &Ledger) -> Result<()> {
        let written = self.written();
        if self.target.chapters.is_some() {
            written.iter().try_for_each(|path| output::make_folder(folder_of(path)))?;
        }
        written.iter().try_for_each(|path| output::sweep(folder_of(path), &ledger.tag()))?;
        if self.is_chained() { output::sweep(&self.folder(), "") } else { Ok(()) }
    }

    /// Those of the sounds and the subtitles that were changed since runs of this report wrote them: they are kept.
    ///
    /// # Errors
    /// A place for the others that could not be written.
    pub fn kept(&self, ledger: &Ledger, force: bool) -> Result<Vec<PathBuf>> {
        let mut kept = Vec::new();
        if !self.target.is_joined {
            return Ok(kept);
        }
        for path in self.written() {
            match ledger.joined(&path) {
                Some(State::Changed) if !force => kept.push(path),
                // It will be made.
                _ if self.target.chapters.is_some() && !folder_of(&path).exists() => {
                    output::check_new_folder(folder_of(&path))?;
                }
                known => output::check(&path, force || known.is_some())?,
            }
        }
        Ok(kept)
    }

    /// What earlier runs joined pieces into and is asked for no more, where it is as far as that is known, and how it is.
    pub fn left_over(&self, ledger: &Ledger) -> Vec<(PathBuf, State)> {
        let written = self.written();
        let base = folder_of(&self.target.output);
        let folders = written.iter().map(|path| folder_of(path)).chain([base]).collect();
        if self.target.is_joined { ledger.joined_but(&written, folders, base) } else { Vec::new() }
    }

    /// Joins the pieces; tells `joined` where, and how long each sound is; `None`: it is kept as it was changed. A chapter
    /// of which a piece failed in this run is left out, and said.
    pub fn join(
        &self,
        (rules, measure): (Rules, Measure),
        ledger: &mut Ledger,
        force: bool,
        (loud, progress): (&LoudnessArgs, &dyn Progress),
        joined: impl Fn(&Path, Option<f64>) -> Result<()>,
    ) -> Result<()> {
        let kept = self.kept(ledger, force)?;
        let (slots, tasks) = self.laid_out(rules, measure)?;
        let is_apart = |slot: &Slot| self.is_apart() && matches!(slot, Slot::Chapter);
        let mut tasks = &tasks[..];
        for (output, slots) in self.sounds.iter().zip(slots.split(is_apart)) {
            let count = slots.iter().filter(|slot| matches!(slot, Slot::Sound(_))).count();
            let (own, rest) = tasks.split_at(count.min(tasks.len()));
            tasks = rest;
            let failed = own.iter().filter(|task| ledger.is_lost(&task.id)).count();
            if failed > 0 {
                progress.note(&format!("warning: {}: not joined: pieces that failed: {failed}", output.display()));
                continue;
            }
            let mut join = || self.join_one(output, (slots, own), (ledger, &kept, force), (loud, progress));
            joined(output, if kept.contains(output) { None } else { Some(join()?) })?;
        }
        Ok(())
    }

    /// One of the sounds. As with every piece, the report's lines come before the file's name.
    fn join_one(
        &self,
        output: &Path,
        (slots, tasks): (&[Slot], &[Task]),
        (ledger, kept, force): (&mut Ledger, &[PathBuf], bool),
        (loud, progress): (&LoudnessArgs, &dyn Progress),
    ) -> Result<f64> {
        let title = output.file_stem().unwrap_or_default().to_string_lossy();
        let made = format!("synthetic speech; joined from {} utterances", tasks.len());
        let info = [(b"ISFT", concat!("barkclone ", env!("CARGO_PKG_VERSION"))), (b"INAM", &*title), (b"ICMT", &made)];
        let mut spans = Vec::new();
        let tag = ledger.tag();
        let mut joined = |gain| {
            Pending::write(folder_of(output), &tag, output.to_owned(), |sink| {
                spans = book::join(sink, self.parts(slots, tasks), &self.args.silence(), (gain, &info))?;
                Ok(())
            })
            .map_err(|error| self.still_there(output, error))
        };
        let mut sound = joined(1.0)?;
        let play = |heard: Heard| Recording::open(sound.path())?.play(0.0..f64::INFINITY, heard);
        let gain = loud.gain(&output.display(), play, progress)?;
        if gain != 1.0 {
            sound = joined(gain)?;
        }
        sound = self.encoded(output, sound, (&tag, &info))?;
        let subtitles = self.subtitles_of(output).filter(|path| !kept.contains(path));
        let subtitles = subtitles.map(|path| self.subtitles(&path, &tag, (tasks, &spans))).transpose()?;
        let lines = tasks.iter().zip(&spans).map(|(task, span)| placed(ledger, task, span));
        let mut lines = lines.collect::<Result<Vec<_>>>()?;
        let files = || std::iter::once(&sound).chain(&subtitles);
        let base = folder_of(&self.target.output);
        let joined = files().map(|file| WrittenFile::below(file, base)).collect::<Result<Vec<_>>>()?;
        // Where the report's runs wrote nothing, a file may have come meanwhile.
        let replace: Vec<_> = files().map(|file| force || ledger.joined(file.target()).is_some()).collect();
        lines.last_mut().into_iter().for_each(|line| line.joined.clone_from(&joined));
        ledger.append(&lines)?;
        std::iter::once(sound).chain(subtitles).zip(replace).try_for_each(|(file, replace)| file.settle(replace))?;
        Ok(spans.last().map_or(0.0, |span| span.end))
    }

    /// The joined sound in the format that its name says.
    fn encoded(&self, output: &Path, wav: Pending, (tag, info): (&str, &[Info])) -> Result<Pending> {
        let format = Format::of(output)?;
        if format == Format::Wav {
            return Ok(wav);
        }
        let encode = |sink: &mut Sink| audio::encode(wav.path(), sink, format, info);
        let encoded = Pending::write(folder_of(output), tag, output.to_owned(), encode);
        encoded.map_err(|error| self.still_there(output, error))
    }

    /// Says of a sound that could not be written that its pieces wait for it.
    fn still_there(&self, output: &Path, error: anyhow::Error) -> anyhow::Error {
        let (output, folder) = (output.display(), self.folder());
        let told = format!(
            "{output}: all pieces are spoken, and stay in {}; once there is room, the same command joins them",
            folder.display()
        );
        if kind(&error) == Some(Kind::Output) { error.context(Kind::Output.error(told)) } else { error }
    }

    /// What the text is made of, in order, and the tasks that its passages became.
    fn laid_out(&self, rules: Rules, measure: Measure) -> Result<(Vec<Slot>, Vec<Task>)> {
        let slots = RefCell::new(Vec::new());
        let asked = self.asked_at(measure, |slot| slots.borrow_mut().push(slot))?;
        let tasks = Plan::new(asked, rules).map(|planned| match planned? {
            Planned::Task(task) => Ok(*task),
            Planned::Bad(bad) => Err(bad.error),
        });
        let tasks = tasks.collect::<Result<Vec<_>>>()?;
        Ok((slots.take(), tasks))
    }

    fn parts<'t>(&self, slots: &'t [Slot], tasks: &'t [Task]) -> impl Iterator<Item = Result<Part>> + 't {
        let (folder, mut tasks) = (self.folder(), tasks.iter());
        slots.iter().map(move |slot| match slot {
            Slot::Pause(seconds) => Ok(Part::Pause(*seconds)),
            Slot::Chapter => Ok(Part::Pause(BEFORE_CHAPTER)),
            Slot::Sound(ends) => {
                let task = tasks.next().context("a passage without its task")?;
                Ok(Part::Sound { wav: folder.join(&task.out), ends: *ends })
            }
        })
    }

    fn subtitles(&self, path: &Path, tag: &str, (tasks, spans): (&[Task], &[Span])) -> Result<Pending> {
        let format = Subtitles::of(path)?;
        let cue =
            |(task, span): (&Task, &Span)| Cue { start: span.start, end: span.end, text: task.item.text().to_owned() };
        let write = |sink: &mut Sink| format.write(sink, tasks.iter().zip(spans).map(cue));
        Pending::write(folder_of(path), tag, path.to_owned(), write)
    }
}

/// What stands at one place of the sound.
pub enum Slot {
    /// A new chapter begins.
    Chapter,
    Pause(f64),
    Sound(Ends),
}

/// Counts the pieces of chains.
struct Chain {
    length: u64,
    number: u64,
    used: u64,
    voice: Option<Option<String>>,
}

impl Chain {
    fn asked(&mut self, passage: Passage, chapter: Option<u64>) -> SourceJob {
        let Passage { text, voice, line, replaced, .. } = passage;
        if self.used == self.length || self.voice.as_ref() != Some(&voice) {
            (self.number, self.used, self.voice) = (self.number + 1, 0, Some(voice.clone()));
        }
        self.used += 1;
        let chain = (self.length > 1).then_some(self.number);
        SourceJob { line, source: None, job: Ok(Job { voice, chain, chapter, replaced, ..Job::text(&text) }) }
    }
}

/// The line of a finished piece, with where it came to lie.
fn placed(ledger: &Ledger, task: &Task, span: &Span) -> Result<Record> {
    let Some(entry) = ledger.finished(&task.id) else { bail!("{}: not in the report", task.out.display()) };
    let millis = |seconds: f64| Some((1e3 * seconds).round() / 1e3);
    Ok(Record {
        start: millis(span.start),
        end: millis(span.end),
        joined: Vec::new(),
        at: now(),
        ..ledger.line(entry)?
    })
}

pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Whether anything of a text is spoken; what is wrong with it is told elsewhere.
fn says(text: impl BufRead, reading: &TextArgs, voices: &[String]) -> bool {
    let pieces = Pieces::new(text, Budget::default(), |text| text.len() / 3, voices.to_vec());
    let mut pieces = pieces.reading(reading.wording(), reading.line_breaks());
    pieces.any(|piece| !matches!(piece, Ok(Piece::Pause(_))))
}

/// How the text at `path` is written: what is a ZIP archive can only be an EPUB.
fn form(path: &Path, markdown: bool, args: &BookArgs) -> Result<Form> {
    let mut magic = [0; 4];
    let archive = path.is_file() && File::open(path)?.read_exact(&mut magic).is_ok() && magic == *b"PK\x03\x04";
    if !archive {
        open(path)?;
        let named = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("epub"));
        let told = || Kind::Input.error(format!("{}: no EPUB, and no other ZIP archive", path.display()));
        ensure!(!named, told());
        let told = || Kind::Usage.error(format!("--chapters: {} is no EPUB", path.display()));
        ensure!(args.chapters.is_none(), told());
        return Ok(if markdown { Form::Markdown } else { Form::Plain });
    }
    let mut chapters = book::epub(path)?;
    let Some(Chapters(wanted)) = &args.chapters else { return Ok(Form::Chapters(chapters)) };
    let (all, last) = (chapters.len() as u64, wanted.iter().map(|range| *range.end()).max());
    let told = || Kind::Usage.error(format!("--chapters: {} has {all} chapters", path.display()));
    ensure!(last.is_none_or(|last| last <= all), told());
    chapters.retain(|chapter| wanted.iter().any(|range| range.contains(&(chapter.number as u64))));
    Ok(Form::Chapters(chapters))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
