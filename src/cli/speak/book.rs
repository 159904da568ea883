//! `--file`: a long text, spoken piece by piece and joined into one sound.

mod joined;

use super::source::{Jobs, is_stdin, nothing_to_say, open};
use super::text::TextArgs;
use crate::cli::progress::Terminal;
use crate::cli::refuse_own_input;
use anyhow::{Context, Result, ensure};
use barkclone::batch::{self, Job, SourceJob};
use barkclone::book::{self, Budget, Chapter, Ends, Markdown, Passage, Piece, Pieces, Remarks, Silence, Subtitles};
use barkclone::error::Kind;
use barkclone::output::Scratch;
use barkclone::progress::Progress;
use barkclone::stage::protocol::Protocol;
use barkclone::stage::text::Text;
use clap::Args;
pub use joined::Target;
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
    fn is_apart(&self) -> bool {
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
