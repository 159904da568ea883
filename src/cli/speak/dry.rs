//! `--dry-run`: what would be spoken, about how long it would be and about how long that would take.

use super::SpeakArgs;
use super::book::Measure;
use super::many::{ModelBackend, Named, options};
use super::source::Source;
use crate::cli::progress::Terminal;
use crate::cli::{clock, out};
use anyhow::{Result, ensure};
use barkclone::batch::{self, Action, Ledger, Rules, Run, RunOptions, Silent, Stop};
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::output;
use barkclone::progress::Progress;
use barkclone::stage::protocol::Protocol;
use serde_json::json;
use std::path::Path;
use std::sync::Once;

/// Seconds of speech in a second, on two threads of a server's processor (the README's figures): to say roughly what to expect before
/// anything was spoken here.
const SPEEDS: [(&str, &str, f64); 4] =
    [("large", "f32", 0.04), ("large", "q8_0", 0.08), ("small", "f32", 0.15), ("small", "q8_0", 0.3)];

/// The sum of a plan.
#[derive(Default)]
struct Outline {
    speak: u64,
    there: u64,
    bad: u64,
    seconds: f64,
}

pub fn run(
    args: &SpeakArgs,
    (source, rules): (&Source, Rules),
    voices: Named,
    models: &Models,
    terminal: &Terminal,
) -> Result<()> {
    let (folder, report) = args.many.places(source)?;
    let ledger = Ledger::peek(&report)?;
    check_folder(&folder)?;
    source.book().map_or(Ok(()), |book| book.check(&ledger, args.force))?;
    let mut offline = models.clone();
    offline.hub.offline = true;
    let tokenizer = args.nets.tokenizer(&offline, terminal).ok();
    if tokenizer.is_none() {
        terminal.note("the tokenizer is not at hand: whether each text fits one utterance is not checked");
    }
    let (protocol, options) = known(args, (&folder, &voices), &offline, terminal);
    let measure = Measure::new(tokenizer.as_ref(), &protocol);
    let backend =
        ModelBackend { args, models, terminal, tokenizer: tokenizer.as_ref(), protocol, voices, hinted: Once::new() };
    let (plan, stop) = (source.plan(rules, measure)?, Stop::new());
    let mut run = Run::new(plan, ledger, options, (&backend, &Silent), &stop);
    let mut outline = Outline::default();
    run.preview(|action| outline.add(&action, (args, &folder), terminal))?;
    outline.tell(args, &report, terminal)
}

/// What can be had without the network and without loading a model; says what cannot.
fn known(
    args: &SpeakArgs,
    (folder, voices): (&Path, &Named),
    offline: &Models,
    terminal: &Terminal,
) -> (Protocol, RunOptions) {
    let protocol = args.nets.choice().protocol(offline, terminal);
    match (protocol, options(args, (folder, voices), offline, terminal)) {
        (Ok(protocol), Ok(options)) => (protocol, options),
        _ => {
            terminal.note("the models are not at hand: what was spoken before counts as to be spoken");
            let (folder, voice, sampling) = (folder.to_owned(), voices.default.clone(), args.sampling.given());
            let force = args.force;
            (Protocol::default(), RunOptions { folder, voice, sampling, force, restart: true, ..RunOptions::default() })
        }
    }
}

/// A folder that is not there will be made.
fn check_folder(folder: &Path) -> Result<()> {
    match folder.exists() {
        true => output::check_folder(folder),
        false => Ok(()),
    }
}

impl Outline {
    fn add(&mut self, action: &Action, (args, folder): (&SpeakArgs, &Path), terminal: &Terminal) -> Result<()> {
        match action {
            Action::Bad(line, error) => {
                self.bad += 1;
                terminal.error(&format!("line {line}: {error:#}"), None);
                Ok(())
            }
            Action::There(_) => {
                self.there += 1;
                Ok(())
            }
            Action::Speak(job) => {
                let task = &job.task;
                let seconds = batch::estimate(&task.text, &job.settings);
                (self.speak, self.seconds) = (self.speak + 1, self.seconds + seconds);
                let path = folder.join(&task.out).display().to_string();
                let line = match args.many.json {
                    true => json!({"event": "planned", "id": task.id, "index": task.index, "line": task.line,
                        "text": task.text, "voice": job.voice, "seed": task.seed, "out": path, "seconds": seconds,
                        "replaced": task.replaced})
                    .to_string(),
                    false => format!("{path}\t{seconds:.1} s\t{}", task.text),
                };
                out(format!("{line}\n"))
            }
        }
    }

    fn tell(&self, args: &SpeakArgs, report: &Path, terminal: &Terminal) -> Result<()> {
        let Outline { speak, there, bad, seconds } = self;
        let time = match speed(args, report)? {
            Some((speed, whence)) => format!("; about {} {whence}", clock(seconds / speed)),
            None => String::new(),
        };
        terminal.note(&format!(
            "{speak} to speak, {there} there already, {bad} that cannot be; about {} of speech{time}",
            clock(*seconds)
        ));
        ensure!(
            *bad == 0,
            Kind::Partial.error(format!("{bad} of {} utterances cannot be spoken", speak + there + bad))
        );
        Ok(())
    }
}

/// Seconds of speech in a second, and how that is known.
fn speed(args: &SpeakArgs, report: &Path) -> Result<Option<(f64, &'static str)>> {
    if report.exists()
        && let Some(speed) = batch::summary(&[report.to_owned()], |_| Ok(()))?.speed()
    {
        return Ok(Some((speed, "at the report's speed")));
    }
    let weights = args.nets.weights.repr().to_string();
    let known = SPEEDS.iter().find(|(bark, repr, _)| (*bark, *repr) == (args.nets.bark.as_str(), weights.as_str()));
    Ok(known.map(|(_, _, speed)| (*speed, "on two threads of a server's processor")))
}
