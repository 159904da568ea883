//! What is to be converted: each source, where its result goes, and what was heard of it.

use super::ConvertArgs;
use super::failures::Failures;
use crate::cli::nets;
use crate::cli::progress::Terminal;
use crate::cli::references::recordings;
use crate::cli::sound::SoundTarget;
use anyhow::{Result, ensure};
use barkclone::audio::Recording;
use barkclone::clone::{self, Listener};
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::output;
use barkclone::progress::Progress;
use barkclone::tokens::Semantic;
use barkclone::voice::provenance::sha256_of;
use candle_core::Device;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// One recording, and where its result goes.
pub struct Job {
    pub source: PathBuf,
    pub sha256: String,
    pub target: SoundTarget,
}

impl Job {
    /// A source that can be read, and a target that can be written.
    fn checked((source, target): (PathBuf, SoundTarget)) -> Result<Self> {
        target.check()?;
        Recording::open(&source)?;
        Ok(Self { sha256: sha256_of(&source)?, source, target })
    }
}

impl ConvertArgs {
    /// Every recording, with its target. What is wrong with the command as a whole is refused here.
    pub fn pairs(&self) -> Result<Vec<(PathBuf, SoundTarget)>> {
        let sources = recordings(&self.sources)?;
        let single = sources.len() == 1 && !self.sources[0].is_dir();
        ensure!(
            single || self.output.is_none(),
            Kind::Usage.error("-o names one file: of several recordings, give the folder to write to with -d DIR")
        );
        self.directory.as_deref().map_or(Ok(()), output::make_folder)?;
        let mut names = BTreeMap::new();
        let pair = |source: PathBuf| {
            let path = match (&self.output, &self.directory) {
                (Some(path), _) => path.clone(),
                (None, folder) => folder.clone().unwrap_or_default().join(named(&source)),
            };
            let twice = names.insert(path.clone(), source.clone());
            ensure!(
                twice.is_none(),
                Kind::Usage.error(format!("{}: two recordings would be written to it", path.display()))
            );
            let itself = path.canonicalize().is_ok_and(|path| source.canonicalize().is_ok_and(|source| path == source));
            ensure!(!itself, Kind::Usage.error(format!("{}: it would be replaced by its own result", path.display())));
            Ok((source, SoundTarget { path, force: self.force, float: self.float }))
        };
        sources.into_iter().map(pair).collect()
    }

    /// What goes to stdout is gone before it could be listened to.
    pub fn check_retry(&self, pairs: &[(PathBuf, SoundTarget)]) -> Result<()> {
        let heard = self.sampling.retry == 0 || pairs.iter().all(|(_, target)| !target.is_stdout());
        ensure!(heard, Kind::Usage.error("--retry: only a file is listened to; name one with -o FILE"));
        Ok(())
    }

    /// The tokens of each recording, of those that can be heard.
    pub fn hear(
        &self,
        jobs: Vec<Job>,
        (device, models): (&Device, &Models),
        failures: &mut Failures,
        terminal: &Terminal,
    ) -> Result<Vec<(Job, Semantic)>> {
        let hubert = nets::hubert(&self.nets.hubert, models, terminal)?;
        let quantizer = nets::quantizer(&self.nets.quantizer, models, terminal)?;
        let listener = Listener::new(&hubert, &quantizer, device)?;
        let mut heard = Vec::new();
        for job in jobs {
            let semantic = hear(&listener, &job.source, terminal);
            heard.extend(failures.sift(&job.source, semantic)?.map(|semantic| (job, semantic)));
        }
        Ok(heard)
    }
}

/// Those of the pairs that can be begun.
pub fn checked(pairs: Vec<(PathBuf, SoundTarget)>, failures: &mut Failures) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for pair in pairs {
        let source = pair.0.clone();
        jobs.extend(failures.sift(&source, Job::checked(pair))?);
    }
    Ok(jobs)
}

fn hear(listener: &Listener, source: &Path, terminal: &Terminal) -> Result<Semantic> {
    let (shown, recording) = (source.display(), Recording::open(source)?);
    let (rate, seconds) = (recording.rate(), recording.seconds());
    let length = seconds.map_or(String::new(), |seconds| format!("{seconds:.1} s "));
    terminal.note(&format!("{shown}: {length}at {rate} Hz"));
    if seconds.is_some_and(|seconds| seconds > clone::WINDOW) {
        terminal.note(&format!("{shown}: heard {:.0} s at a time, overlapping", clone::WINDOW));
    }
    listener.tokens(recording, terminal)
}

fn named(source: &Path) -> OsString {
    let mut name = source.file_stem().unwrap_or_default().to_os_string();
    name.push(".wav");
    name
}
