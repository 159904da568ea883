//! The sounds, and the subtitles, that the pieces of a text are joined into.

use super::{BEFORE_CHAPTER, Book, Form, Measure, Slot};
use crate::cli::sound::{LoudnessArgs, Sink as Heard};
use anyhow::{Context, Result, bail};
use barkclone::audio::{self, Format, Info, Recording};
use barkclone::batch::{Ledger, Named, Plan, Planned, Record, Rules, State, Task, Template, WrittenFile, now};
use barkclone::book::{self, Cue, Part, Span, Subtitles};
use barkclone::error::{Kind, kind};
use barkclone::output::{self, Pending, Sink, folder_of};
use barkclone::progress::Progress;
use std::cell::RefCell;
use std::path::{Path, PathBuf};

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
    pub(super) fn sounds(&self, form: &Form) -> Result<Vec<PathBuf>> {
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
    pub fn subtitles(&self, sound: &Path, asked: &Path) -> Option<PathBuf> {
        match (&self.chapters, asked.to_str()) {
            (None, _) => Some(asked.to_owned()),
            (Some(_), Some(kind)) if matches!(kind, "srt" | "vtt" | ".srt" | ".vtt") => {
                Some(sound.with_extension(kind.trim_start_matches('.')))
            }
            _ => None,
        }
    }
}

impl Book<'_> {
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
                let again = "the same command speaks them, and joins it";
                let told = format!("warning: {}: not joined: pieces that failed: {failed}; {again}", output.display());
                progress.note(&told);
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
