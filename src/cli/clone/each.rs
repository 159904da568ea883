//! `clone --each`: a voice of each recording.

use super::{CloneArgs, describe};
use crate::cli::dry;
use crate::cli::interrupt::Running;
use crate::cli::many::Session;
use crate::cli::progress::Terminal;
use crate::cli::reporter::Words;
use anyhow::{Result, bail};
use barkclone::batch::{
    self, Backend, InFlight, Item, Made, Plan, Recordings, Rules, Run, RunOptions, Sampling, Seeds, Silent, Source,
    Stop, Target, Template,
};
use barkclone::clone::Cloner;
use barkclone::models::{self, ModelKind, Models};
use barkclone::speak::Settings;
use barkclone::voice::{Provenance, Voice};
use std::path::PathBuf;
use std::slice::from_ref;

/// Voices are made of nothing but their recordings.
struct CloneBackend;

impl Backend for CloneBackend {
    fn voice(&self, name: &str) -> Result<Voice> {
        bail!("{name}: a voice is not cloned in another one")
    }

    fn settings(&self, _: Sampling, _: u64) -> Option<Settings> {
        None
    }

    fn check(&self, _: &Item) -> Result<()> {
        Ok(())
    }
}

/// A voice of each recording, as far as they can be used.
pub fn run(args: &CloneArgs, recordings: Vec<PathBuf>, models: &Models, terminal: &Terminal) -> Result<()> {
    let rules = Rules {
        name: Template::parse("{stem}", &["npz"])?,
        seed: Seeds::Same(0),
        shard: args.run.shard()?,
        voice: None,
    };
    args.run.check_report([], recordings.iter().map(PathBuf::as_path))?;
    let recordings = Recordings::new(args.references.inputs(&recordings)?);
    let plan = || Plan::new(recordings.jobs(), rules.clone());
    // Each recording's faults are told where they are found.
    let words = Words { verb: "clone", done: "cloned", many: "recordings", warns: false };
    let (folder, report) = (args.dir.clone(), args.run.report_in(&args.dir)?);
    let session = Session { args: &args.run, folder, report, words, terminal };
    let options = options(args, &session, models)?;
    if args.run.dry_run {
        let stop = Stop::new();
        let run = Run::new(plan(), session.peek()?, options, (&CloneBackend, &Silent), &stop);
        return dry::preview(&session, run, None);
    }
    let running = Running::begin();
    let (survey, ledger) = session.survey((plan(), session.open()?), &options, &CloneBackend, &running)?;
    let nets = args.nets.open(models, terminal)?;
    let (cloner, origin) = (nets.cloner()?, args.signed(&nets)?);
    let reporter = session.reporter(true, Some(&survey));
    let mut run = Run::new(plan(), ledger, options, (&CloneBackend, &reporter), running.stop());
    let ended = run.each(|job, target| make(job, &target, (args, &cloner, &origin), terminal));
    reporter.close(run.tally(), None)?;
    ended?;
    session.conclude(run.tally(), &running)?;
    session.left_over(run.left_over()?)
}

/// The voice of one recording.
fn make(
    job: &InFlight,
    target: &Target,
    (args, cloner, origin): (&CloneArgs, &Cloner, &Provenance),
    terminal: &Terminal,
) -> Result<Made> {
    let Item::Recording(Source { input, sha256, .. }) = &job.task.item else { bail!("a text is not cloned") };
    let reference = args.references.prepare(from_ref(input), terminal)?;
    let voice = cloner.voice(&reference.pcm, terminal)?;
    let source_seconds = Some([reference.seconds.start, reference.seconds.end]);
    let origin = Provenance { source_sha256: Some(sha256.clone()), source_seconds, ..origin.clone() };
    let file = target.write(|sink| voice.write_to(Some(&origin), sink))?;
    describe(&voice, &reference.seconds, terminal);
    let seconds = reference.seconds.end - reference.seconds.start;
    let tokens = voice.semantic().len();
    let findings = reference.findings;
    Ok(Made { file, seconds, tokens, seed: None, attempts: 1, findings, augment: None, next: None, choice: None })
}

fn options(args: &CloneArgs, session: &Session, models: &Models) -> Result<RunOptions> {
    Ok(RunOptions {
        folder: session.folder.clone(),
        model: format!("{:016x}", fingerprint(args, models, session.terminal)?),
        force: args.force,
        restart: args.run.restart,
        fail_fast: args.run.fail_fast,
        ..RunOptions::default()
    })
}

/// Of all that decides a voice beside its recording.
fn fingerprint(args: &CloneArgs, models: &Models, terminal: &Terminal) -> Result<u64> {
    let nets = &args.nets;
    let chosen =
        [(ModelKind::Hubert, &nets.hubert), (ModelKind::Quantizer, &nets.quantizer), (ModelKind::Codec, &nets.codec)];
    let mut words = format!("{} {:?}", args.references.choices(), args.consent);
    let mut paths = Vec::new();
    for (kind, choice) in chosen {
        match models.resolve(kind, choice, terminal)? {
            models::Source::Builtin => words += concat!(" builtin ", env!("CARGO_PKG_VERSION")),
            models::Source::Path(path) => paths.push(path),
        }
    }
    let files = batch::fingerprint(&paths)?;
    Ok(batch::hash(&[words.as_bytes(), &files.to_le_bytes()]))
}
