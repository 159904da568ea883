//! The voice of a run that is given none: one random voice, which is kept beside the results for later runs.

use super::SpeakArgs;
use super::many::ModelBackend;
use crate::cli::provenance::new_seed;
use anyhow::{Context, Result, ensure};
use barkclone::batch::{self, Attempt, Heard, Planned, RetryPolicy, Takes, heard};
use barkclone::ears::{Parts, Score};
use barkclone::error::Kind;
use barkclone::output::{Pending, folder_of};
use barkclone::progress::Progress;
use barkclone::speak::{Request, Settings, Speaker};
use barkclone::voice::Provenance;
use barkclone::voice::provenance::ModelName;
use std::path::Path;

/// Tasks among which one is chosen whose text the voice is made with.
pub const LOOKED_AT: usize = 100;
/// About as much speech makes a good voice, seconds.
const GOOD: f64 = 8.0;
/// Takes beyond the first, at least: a voice that does not sound right spoils all that is said with it.
const RETRIES: u32 = 2;

/// Makes the voice if one of `tasks` needs it, and keeps it at `path`; whether there is one. `tag` marks whose the
/// temporary file is.
///
/// # Errors
/// Kind [`Kind::Usage`]: each share would have a voice of its own.
pub fn make<'a>(
    args: &SpeakArgs,
    (path, tag): (&Path, &str),
    tasks: impl Iterator<Item = &'a Planned>,
    (speaker, backend): (&mut Speaker, &ModelBackend),
) -> Result<bool> {
    let seed = args.sampling.seed.unwrap_or_else(new_seed);
    let settings = args.sampling.settings(&backend.protocol, seed);
    let Some(text) = text(tasks, &settings, backend) else { return Ok(false) };
    ensure!(
        args.many.run.shard()?.is_none(),
        Kind::Usage.error("--shard: without --voice each share would have another one; give all of them one")
    );
    let given = args.retry.policy();
    let policy = RetryPolicy { retries: given.retries.max(RETRIES), best_of: 0, keep_all: false, ..given };
    let request = Request::text(backend.ids(text)?, None, settings);
    let take = take(speaker, request, (text, policy), backend)?;
    let unfit = || Kind::Input.error(format!("no voice came of the text `{text}`: give one with --voice"));
    let origin = origin(args, backend.codec.get(), take.seed);
    let voice = take.utterance.voice().with_context(unfit)?;
    Pending::write(folder_of(path), tag, path.to_owned(), |sink| voice.write_to(Some(&origin), sink))?.settle(false)?;
    // What comes by a pipe and is heard at once has a folder that goes.
    let kept = !path.starts_with(std::env::temp_dir());
    let kept = if kept { format!(", kept in {} for later runs", path.display()) } else { String::new() };
    backend.terminal.note(&format!("no --voice: a random one, seed {}{kept}", take.seed));
    Ok(true)
}

/// Where a voice comes from that is speech of the models', spoken by the codec with this hash.
pub fn origin(args: &SpeakArgs, codec: Option<&String>, seed: u64) -> Provenance {
    let name = ModelName::of(args.nets.codec.as_deref().unwrap_or(&args.nets.bark));
    let codec = codec.map(|sha256| name.with_hash(sha256.clone()));
    Provenance { codec, ..Provenance::new() }.edited(format!("speech of seed {seed}"))
}

/// Speaks until it sounds right or no more takes are wanted.
fn take(
    speaker: &mut Speaker,
    request: Request,
    (text, policy): (&str, RetryPolicy),
    backend: &ModelBackend,
) -> Result<Attempt> {
    let hear = |utterance, settings: &Settings| {
        let (utterance, findings) = heard(utterance, text, policy, (&backend.protocol, &settings.stop))?;
        let score = Score::new(Parts::default(), &findings);
        Ok(Heard { utterance, findings, score })
    };
    Ok(Takes::new(request, policy, hear).speak(speaker, 1, backend.terminal)?.best)
}

/// The text, among those without a voice, that lasts about as long as a good voice; `None`: all have a voice.
fn text<'a>(tasks: impl Iterator<Item = &'a Planned>, settings: &Settings, backend: &ModelBackend) -> Option<&'a str> {
    let texts = tasks.filter_map(|planned| match planned {
        Planned::Task(task) if task.voice.is_none() => Some(task.item.text()),
        _ => None,
    });
    let far = |text: &str| (batch::estimate(text, settings) - GOOD).abs();
    texts.filter(|text| backend.ids(text).is_ok()).min_by(|a, b| far(a).total_cmp(&far(b)))
}
