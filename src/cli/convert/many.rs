//! Many recordings to a folder.

use super::{ConvertArgs, NetArgs, hear};
use crate::cli::choice::{read_voice, warn_of_codec};
use crate::cli::dry;
use crate::cli::ears::VoiceJudge;
use crate::cli::interrupt::Running;
use crate::cli::many::{Session, command};
use crate::cli::progress::Terminal;
use crate::cli::refuse_own_input;
use crate::cli::reporter::Words;
use crate::cli::sound::{Sink as Heard, amplified, sounds_named};
use crate::cli::{nets, provenance};
use anyhow::{Context, Result, bail};
use barkclone::audio::{Encoding, Format, Pcm, SoundWriter};
use barkclone::batch::{
    self, Backend, Decoded, InFlight, Item, Plan, Planned, Recordings, Rules, Run, RunOptions, Sampling, Seeds, Silent,
    Speech, SpeechBackend, Stop, Target, Task, Work,
};
use barkclone::checkpoint::Checkpoint;
use barkclone::clone::Listener;
use barkclone::ears::{Asked, Judge};
use barkclone::error::Kind;
use barkclone::models::{ModelKind, Models, Source};
use barkclone::net::codec::CodecConfig;
use barkclone::output::Sink;
use barkclone::progress::{self, Progress};
use barkclone::sound::Finding;
use barkclone::speak::{Content, Decoder, Settings, Speaker, Utterance, check_voice};
use barkclone::stage::protocol::Protocol;
use barkclone::tokens::{FRAME_SAMPLES, SAMPLE_RATE};
use barkclone::voice::Voice;
use candle_core::Device;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The models' part in a run.
struct ConvertBackend<'a> {
    args: &'a ConvertArgs,
    models: &'a Models,
    terminal: &'a Terminal,
    protocol: Protocol,
    codec: &'a Checkpoint<CodecConfig>,
    device: &'a Device,
    /// Set before anything is spoken.
    judge: OnceCell<VoiceJudge>,
    /// Loaded when the first recording is heard.
    nets: OnceCell<Nets>,
}

struct Nets {
    listener: Arc<Listener>,
    decoder: Arc<Decoder>,
}

impl Backend for ConvertBackend<'_> {
    fn voice(&self, name: &str) -> Result<Voice> {
        Ok(read_voice(name, self.models, self.terminal)?.voice)
    }

    fn settings(&self, sampling: Sampling, seed: u64) -> Option<Settings> {
        Some(sampling.settings(&self.protocol, seed))
    }

    fn check(&self, _: &Item) -> Result<()> {
        Ok(())
    }
}

impl ConvertBackend<'_> {
    fn nets(&self) -> Result<&Nets> {
        if self.nets.get().is_none() {
            let NetArgs { hubert, quantizer, .. } = &self.args.nets;
            let listener = Arc::new(nets::listener(hubert, quantizer, self.models, (self.device, self.terminal))?);
            let decoder = Arc::new(Decoder::new(self.codec, self.device)?);
            // Nobody else sets it: all of this is on one thread.
            let _ = self.nets.set(Nets { listener, decoder });
        }
        self.nets.get().context("the models were just loaded")
    }
}

impl SpeechBackend for ConvertBackend<'_> {
    fn content(&self, task: &Task) -> Result<Content> {
        match &task.item {
            Item::Recording(source) => {
                hear(&self.nets()?.listener, &source.input, self.terminal).map(Content::Semantic)
            }
            Item::Text(_) => bail!("a text is not converted"),
        }
    }

    fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    fn write(&self, _: &InFlight, _: &Settings, _: &Utterance, _: &mut Sink) -> Result<()> {
        bail!("a recording's sound is made of its codes")
    }

    fn decode(&self, job: &InFlight, settings: &Settings, utterance: &Utterance, target: Target) -> Work<Decoded> {
        let sha256 = match &job.task.item {
            Item::Recording(source) => source.sha256.clone(),
            Item::Text(_) => String::new(),
        };
        let voice = job.voice_hash.as_deref().unwrap_or("random");
        let made = provenance::converted(voice, settings, self.args.nets.weights, &sha256);
        let (title, float, out) = (job.task.item.title().into_owned(), self.args.float, job.task.out.clone());
        let loud = self.args.loud.clone();
        let (fine, semantic) = (utterance.fine.clone(), utterance.semantic.clone());
        let decoder = self.nets().map(|nets| nets.decoder.clone());
        let judge = self.judge.get().context("takes are judged");
        let judge = judge.and_then(|judge| {
            let reference = judge.reference(&self.args.voice, || self.voice(&self.args.voice))?;
            Ok((judge.judge.clone(), reference))
        });
        Box::new(move || {
            let (decoder, (judge, reference), seconds) = (decoder?, judge?, fine.seconds());
            let (format, encoding) = (Format::of(&out)?, Encoding::of(float));
            let (samples, remarks) = (fine.frames() * FRAME_SAMPLES, provenance::remarks(&title, &made));
            let play = |heard: Heard| decoder.decode(&fine, heard, &progress::Silent);
            let gain = loud.gain(&target.path.display(), play, &progress::Silent)?;
            let file = target.write(|sink| {
                let mut sound = SoundWriter::new(sink, format, (SAMPLE_RATE, samples), encoding, &remarks)?;
                decoder.decode(&fine, &mut |part| sound.push(&amplified(part, gain)), &progress::Silent)?;
                sound.finish()
            })?;
            let asked = Asked { voice: reference.as_ref(), text: None, semantic: Some(&semantic) };
            let score = |pcm: &Pcm, findings: &[Finding]| judge.score(pcm, asked, findings);
            let (findings, score) = super::one::heard(file.path(), score)?;
            Ok(Decoded { file, seconds, findings, score })
        })
    }
}

/// Everything that can be wrong without a model is found before one is loaded.
pub fn run(args: &ConvertArgs, folder: &Path, models: &Models, terminal: &Terminal) -> Result<()> {
    let seed = args.sampling.seed.unwrap_or(0);
    args.sampling.settings(&Protocol::default(), seed).check()?;
    let device = args.nets.device.open()?;
    let dtype = args.nets.weights.computed(&device)?;
    let (name, shard) = (sounds_named(&args.names, args.float)?, args.run.shard()?);
    let rules = Rules { name, seed: Seeds::Same(seed), shard, voice: Some(args.voice.clone()) };
    let sources = args.recordings()?;
    args.run.check_report([], sources.iter().map(PathBuf::as_path).chain([Path::new(&args.voice)]))?;
    let recordings = Recordings::new(args.reading.inputs(&sources)?);
    refuse_themselves(plan(&recordings, &rules), folder)?;
    let words = Words { verb: "convert", done: "converted", many: "recordings", warns: true };
    let (report, folder) = (args.run.report_in(folder)?, folder.to_owned());
    let session = Session { args: &args.run, folder, report, words, terminal };
    let voice = read_voice(&args.voice, models, terminal)?;
    let options = args.options(&session, models)?;
    // Opened, not loaded.
    let (bark, codec) = args.nets.bark().open(device.is_cpu(), models, terminal)?;
    warn_of_codec(format_args!("--voice {}", args.voice), &voice, &codec.identity()?, terminal);
    check_voice(&voice.voice, &bark.protocol).with_context(|| Kind::Input.error(format!("--voice {}", args.voice)))?;
    let protocol = bark.protocol.clone();
    let (judge, nets, device, codec) = (OnceCell::new(), OnceCell::new(), &device, &codec);
    let backend = ConvertBackend { args, models, terminal, protocol, codec, device, judge, nets };
    if args.run.dry_run {
        let stop = Stop::new();
        let run = Run::new(plan(&recordings, &rules), session.peek()?, options, (&backend, &Silent), &stop);
        return dry::preview(&session, run, None);
    }
    let running = Running::begin();
    let (survey, ledger) =
        session.survey((plan(&recordings, &rules), session.open()?), &options, &backend, &running)?;
    let others = || Ok(Judge { tokens: Some(backend.nets()?.listener.clone()), ..Judge::default() });
    let judge = args.sampling.best.judge((args.sampling.policy(), others), (codec, device), models, terminal)?;
    // Nobody else sets it.
    let _ = backend.judge.set(judge);
    terminal.note(&format!("seed {seed}"));
    let reporter = session.reporter(true, Some(&survey));
    let run = Run::new(plan(&recordings, &rules), ledger, options, (&backend, &reporter), running.stop());
    let mut speech = Speech::new(run, &backend)?;
    let mut speaker = Speaker::new(bark, codec.clone(), dtype, device, false);
    let batch = args.batch.rows(&speaker)?;
    let ended = speech.speak(&mut speaker, batch, &reporter);
    reporter.close(speech.tally(), None)?;
    ended?;
    session.conclude(speech.tally(), &running)?;
    session.left_over(speech.into_run().left_over()?)
}

fn plan<'a>(recordings: &'a Recordings, rules: &Rules) -> impl Iterator<Item = Result<Planned>> + 'a {
    Plan::new(recordings.jobs(), rules.clone())
}

/// Refuses a folder in which a result would replace its own recording.
fn refuse_themselves(plan: impl Iterator<Item = Result<Planned>>, folder: &Path) -> Result<()> {
    for planned in plan {
        let Planned::Task(task) = planned? else { continue };
        let Item::Recording(source) = &task.item else { continue };
        refuse_own_input(&folder.join(&task.out), [source.input.path()])?;
    }
    Ok(())
}

impl ConvertArgs {
    fn options(&self, session: &Session, models: &Models) -> Result<RunOptions> {
        Ok(RunOptions {
            folder: session.folder.clone(),
            voice: Some(self.voice.clone()),
            sampling: self.sampling.given(),
            model: format!("{:016x}", self.fingerprint(models, session.terminal)?),
            command: Some(command()),
            redo: self.run.redo()?,
            force: self.force,
            restart: self.run.restart,
            speed: dry::usual_speed(&self.nets.bark, self.nets.weights).map(|(speed, _)| speed),
            fail_fast: self.run.fail_fast,
            retry: self.sampling.policy(),
            ..RunOptions::default()
        })
    }

    /// Of all that decides a result beside its recording, voice and settings.
    fn fingerprint(&self, models: &Models, terminal: &Terminal) -> Result<u64> {
        let nets = &self.nets;
        let mut chosen = vec![
            (ModelKind::Bark, nets.bark.as_str()),
            (ModelKind::Hubert, nets.hubert.as_str()),
            (ModelKind::Quantizer, nets.quantizer.as_str()),
        ];
        chosen.extend(nets.codec.as_deref().map(|codec| (ModelKind::Codec, codec)));
        let mut words = format!("{} {} {}", nets.weights.repr(), nets.codec.is_some(), self.float);
        words += &self.loud.loudness.map_or(String::new(), |lufs| format!(" {lufs} LUFS"));
        words += &self.reading.choices();
        let mut paths = Vec::new();
        for (kind, choice) in chosen {
            match models.resolve(kind, choice, terminal)? {
                Source::Builtin => words += concat!(" builtin ", env!("CARGO_PKG_VERSION")),
                Source::Path(path) => paths.push(path),
            }
        }
        nets.lora.fingerprint(&mut words, &mut paths);
        let files = batch::fingerprint(&paths)?;
        Ok(batch::hash(&[words.as_bytes(), &files.to_le_bytes()]))
    }
}
