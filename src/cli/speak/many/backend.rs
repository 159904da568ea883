//! The models' part in a run of many utterances.

use super::voices::Named;
use crate::cli::choice::{read_voice, warn_of_codec};
use crate::cli::ears::VoiceJudge;
use crate::cli::progress::Terminal;
use crate::cli::speak::book::Measure;
use crate::cli::speak::text::{HINT, Unknown, warn_of_tags};
use crate::cli::speak::{Made, SpeakArgs, pairs};
use anyhow::{Context, Result, bail};
use barkclone::audio::{Format, Pcm};
use barkclone::batch::{Backend, Decoded, InFlight, Item, Sampling, SpeechBackend, Target, Task, Work};
use barkclone::ears::{Asked, Parts, Score};
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::output::Sink;
use barkclone::progress::Progress;
use barkclone::sound::Finding;
use barkclone::speak::{Content, Settings, Utterance, check_voice};
use barkclone::stage::protocol::Protocol;
use barkclone::stage::text::Text;
use barkclone::voice::Voice;
use std::cell::{OnceCell, RefCell};
use std::collections::HashSet;
use std::sync::Once;

/// The models' part in a run.
pub struct ModelBackend<'a> {
    pub args: &'a SpeakArgs,
    pub models: &'a Models,
    pub terminal: &'a Terminal,
    /// `None`: none is at hand, and texts are not looked at.
    tokenizer: Option<Text>,
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
    pub fn new(
        (args, models, terminal): (&'a SpeakArgs, &'a Models, &'a Terminal),
        tokenizer: Option<Text>,
        (protocol, voices): (Protocol, Named),
    ) -> Self {
        let (judge, hinted, codec, compared) = (OnceCell::new(), Once::new(), OnceCell::new(), RefCell::default());
        let unknown = RefCell::default();
        Self { args, models, terminal, tokenizer, protocol, voices, judge, unknown, hinted, codec, compared }
    }

    /// What fits one utterance.
    pub fn measure(&self) -> Measure<'_> {
        Measure::new(self.tokenizer.as_ref(), &self.protocol)
    }

    /// A text's ids, refused where they do not fit one utterance.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>> {
        let Some(tokenizer) = &self.tokenizer else { return Ok(Vec::new()) };
        tokenizer.ids(text, self.protocol.text_length)
    }
}

impl SpeechBackend for ModelBackend<'_> {
    fn content(&self, task: &Task) -> Result<Content> {
        let text = task.item.text();
        if let Some(tokenizer) = &self.tokenizer {
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
