//! Many utterances from their texts to their sounds: opened, looked through, spoken, concluded.

use super::backend::ModelBackend;
use super::voices::Named;
use crate::cli::dry;
use crate::cli::interrupt::Running;
use crate::cli::many::{Session, command};
use crate::cli::progress::Terminal;
use crate::cli::reporter::{Reporter, changed};
use crate::cli::speak::book::Book;
use crate::cli::speak::live::Live;
use crate::cli::speak::source::{Source, Tasks, nothing_to_say};
use crate::cli::speak::{SpeakArgs, random};
use anyhow::{Result, bail};
use barkclone::batch::{self, Ledger, Planned, Rules, Run, RunOptions, Speech, Stop, Survey, Tally};
use barkclone::models::Models;
use barkclone::progress::Progress;
use barkclone::speak::Speaker;
use candle_core::{DType, Device};
use std::iter::Peekable;
use std::path::Path;

pub fn speak(
    args: &SpeakArgs,
    (source, rules): (&mut Source, Rules),
    (voices, random, session): (Named, &Path, &Session),
    models: &Models,
) -> Result<()> {
    let (utterances, ledger) = Utterances::open(args, (source, rules), (voices, random, session), models)?;
    let running = Running::begin();
    let looked = utterances.look_through(ledger, &running)?;
    let mut speaker = utterances.speaker()?;
    let reporter = session.reporter(utterances.source.book().is_none(), looked.survey.as_ref());
    let reporter = reporter.beside_sound(args.to_stdout());
    let live = Live::new(&reporter, args, &session.folder)?;
    let run = utterances.planned(looked, &mut speaker, (&live, running.stop()))?;
    let run = utterances.spoken(run, &mut speaker, (&reporter, &live))?;
    utterances.conclude(run, running, &reporter)
}

type ManyRun<'a> = Run<'a, Peekable<Tasks<'a>>>;

/// What is to be spoken, by what, and how.
struct Utterances<'a> {
    args: &'a SpeakArgs,
    source: &'a Source<'a>,
    rules: Rules,
    session: &'a Session<'a>,
    /// Where a voice is kept that was not given.
    random: &'a Path,
    options: RunOptions,
    backend: ModelBackend<'a>,
    device: Device,
    dtype: DType,
    /// Files that utterances are joined into and that stay as they were changed.
    kept: u64,
}

/// What was seen of the texts before a model was loaded.
struct LookedThrough {
    /// `None`: they come by a pipe.
    survey: Option<Survey>,
    ledger: Ledger,
    /// Of which one becomes the voice, where none is given.
    for_voice: Vec<Planned>,
}

impl<'a> Utterances<'a> {
    /// Opens the report and all else but the models.
    fn open(
        args: &'a SpeakArgs,
        (source, rules): (&'a mut Source, Rules),
        (voices, random, session): (Named, &'a Path, &'a Session),
        models: &'a Models,
    ) -> Result<(Self, Ledger)> {
        let terminal = session.terminal;
        let device = args.nets.device.open()?;
        let dtype = args.nets.weights.computed(&device)?;
        let protocol = args.nets.choice().protocol(models, terminal)?;
        voices.check_fit(&protocol, models, terminal)?;
        let ledger = session.open()?;
        source.book().map_or(Ok(()), |book| book.prepare(&ledger))?;
        // What is heard at once, of a voice that is given or made of the first text, does not wait for the last one.
        if args.force || !ledger.is_empty() || voices.default.is_none() && !args.wanted().any() {
            source.spool()?;
        }
        let kept = kept(source, &ledger, args.force, session)?;
        let tokenizer = args.nets.tokenizer(models, terminal)?;
        let options = options(args, (&session.folder, &voices), models, terminal)?;
        let backend = ModelBackend::new((args, models, terminal), Some(tokenizer), (protocol, voices));
        source.check_voices(backend.measure(), &backend.voices)?;
        Ok((Self { args, source, rules, session, random, options, backend, device, dtype, kept }, ledger))
    }

    fn plan(&self) -> Result<Tasks<'_>> {
        self.args.plan(self.source, &self.rules, self.backend.measure(), |_| ())
    }

    /// Looks through the texts, unless they come by a pipe.
    fn look_through(&self, ledger: Ledger, running: &Running) -> Result<LookedThrough> {
        if !self.source.is_readable_twice() {
            return Ok(LookedThrough { survey: None, ledger, for_voice: Vec::new() });
        }
        let (survey, ledger) = self.session.survey((self.plan()?, ledger), &self.options, &self.backend, running)?;
        let looked_at = if self.needs_voice() { random::LOOKED_AT } else { 0 };
        let for_voice = self.plan()?.take(looked_at).collect::<Result<_>>()?;
        Ok(LookedThrough { survey: Some(survey), ledger, for_voice })
    }

    fn needs_voice(&self) -> bool {
        self.options.voice.is_none() && self.args.pairs.is_none()
    }

    /// Opens the models, and the ears that judge them.
    fn speaker(&self) -> Result<Speaker> {
        let ModelBackend { args, models, terminal, .. } = self.backend;
        let (bark, codec) = args.nets.choice().open(self.device.is_cpu(), models, terminal)?;
        let others = || args.retry.ears((models, &self.device), terminal);
        let judge = args.retry.best.judge((args.retry.policy(), others), (&codec, &self.device), models, terminal)?;
        // Nobody else sets them.
        let _ = self.backend.judge.set(judge);
        let _ = self.backend.codec.set(codec.identity()?);
        Ok(Speaker::new(bark, codec, self.dtype, &self.device, args.nets.keep_loaded))
    }

    /// The run over all of them, in the voice that is given, or in a random one that is made now.
    fn planned<'u>(
        &'u self,
        looked: LookedThrough,
        speaker: &mut Speaker,
        (live, stop): (&'u Live, &'u Stop),
    ) -> Result<ManyRun<'u>> {
        let LookedThrough { survey, ledger, for_voice } = looked;
        let lay = move |slot| live.lay(slot);
        let mut tasks = self.args.plan(self.source, &self.rules, self.backend.measure(), lay)?.peekable();
        let mut options = self.options.clone();
        if self.needs_voice() {
            let first = if survey.is_some() { None } else { tasks.peek().and_then(|first| first.as_ref().ok()) };
            let (place, texts) = ((self.random, &*ledger.tag()), for_voice.iter().chain(first));
            let is_made = random::make(self.args, place, texts, (speaker, &self.backend))?;
            options.voice = is_made.then(|| self.random.to_string_lossy().into_owned());
        }
        Ok(Run::new(tasks, ledger, options, (&self.backend, live), stop))
    }

    /// Speaks all that is planned, and tells how it went.
    fn spoken<'u>(
        &'u self,
        run: ManyRun<'u>,
        speaker: &mut Speaker,
        (reporter, live): (&Reporter, &Live),
    ) -> Result<ManyRun<'u>> {
        let mut speech = Speech::new(run, &self.backend)?;
        let batch = self.args.many.batch.rows(speaker)?;
        let ended = speech.speak(speaker, batch, reporter);
        let heard = if ended.is_ok() { live.close() } else { Ok(()) };
        let tally = speech.tally();
        self.backend.unknown.borrow().tell(reporter);
        reporter.close(Tally { kept: tally.kept + self.kept, ..tally }, live.first())?;
        ended.and(heard)?;
        Ok(speech.into_run())
    }

    /// Sums up, and joins what becomes one sound.
    fn conclude(&self, run: ManyRun, running: Running, reporter: &Reporter) -> Result<()> {
        let (session, tally, stopped) = (self.session, run.tally(), running.stop().is_requested());
        if tally.all() == 0 && self.rules.shard.is_none() && !stopped {
            session.discard(run.into_ledger());
            bail!(nothing_to_say(self.source.name()));
        }
        let concluded = session.conclude(tally, &running);
        // What follows is not waited for.
        drop(running);
        let book = self.source.book().filter(|book| book.is_joined());
        // A piece that failed holds the sound that it belongs to up, and no other.
        let apart = tally.failed > 0 && !stopped && self.rules.shard.is_none() && book.is_some();
        let failed = if apart { concluded.err() } else { concluded.map(|()| None)? };
        if failed.is_none() {
            session.left_over(run.left_over()?)?;
        }
        book.map_or(Ok(()), |book| self.join(book, run.into_ledger(), reporter))?;
        failed.map_or(Ok(()), Err)
    }

    /// Joins what was spoken of a document; of a share, says how that is done.
    fn join(&self, book: &Book, mut ledger: Ledger, reporter: &Reporter) -> Result<()> {
        let (args, session) = (self.args, self.session);
        if let Some(shard) = self.rules.shard {
            session.tell_share(shard);
            return Ok(());
        }
        let loud = (&args.loud, session.terminal as &dyn Progress);
        let tell = |path: &Path, seconds| reporter.joined(path, seconds);
        book.join((self.rules.clone(), self.backend.measure()), &mut ledger, args.force, loud, tell)?;
        session.left_over(book.left_over(&ledger))
    }
}

/// Says which of the files that utterances are joined into are kept, because they were changed; how many.
pub fn kept(source: &Source, ledger: &Ledger, force: bool, session: &Session) -> Result<u64> {
    let kept = source.book().map_or(Ok(Vec::new()), |book| book.kept(ledger, force))?;
    kept.iter().for_each(|path| session.terminal.note(&changed(path)));
    Ok(kept.len() as u64)
}

/// What the run is about, in the library's terms.
pub fn options(
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
