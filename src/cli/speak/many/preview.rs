//! `--dry-run` of many utterances.

use super::backend::ModelBackend;
use super::utterances::{kept, options};
use super::voices::Named;
use crate::cli::dry;
use crate::cli::many::Session;
use crate::cli::speak::SpeakArgs;
use crate::cli::speak::source::Source;
use anyhow::Result;
use barkclone::batch::{Rules, Run, RunOptions, Silent, Stop};
use barkclone::models::Models;
use barkclone::progress::Progress;
use barkclone::stage::protocol::Protocol;

/// What would be spoken, as far as that can be said without the network and without loading a model; says what cannot.
pub fn preview(
    args: &SpeakArgs,
    (source, rules): (&Source, Rules),
    (voices, session): (Named, &Session),
    models: &Models,
) -> Result<()> {
    let terminal = session.terminal;
    let ledger = session.peek()?;
    kept(source, &ledger, args.force, session)?;
    let offline = models.offline();
    let tokenizer = args.nets.tokenizer(&offline, terminal).ok();
    if tokenizer.is_none() {
        terminal.note("the tokenizer is not at hand: whether each text fits one utterance is not checked");
    }
    let protocol = args.nets.choice().protocol(&offline, terminal);
    let (protocol, options) = match (protocol, options(args, (&session.folder, &voices), &offline, terminal)) {
        (Ok(protocol), Ok(options)) => {
            voices.check_fit(&protocol, models, terminal)?;
            (protocol, options)
        }
        _ => {
            terminal.note("the models are not at hand: what was spoken before counts as to be spoken");
            let (folder, voice, sampling) = (session.folder.clone(), voices.default.clone(), args.sampling.given());
            let (force, restart) = (args.force, true);
            (Protocol::default(), RunOptions { folder, voice, sampling, force, restart, ..RunOptions::default() })
        }
    };
    let backend = ModelBackend::new((args, models, terminal), tokenizer, (protocol, voices));
    source.check_voices(backend.measure(), &backend.voices)?;
    if let Ok(codec) = args.nets.choice().codec(&offline, terminal) {
        // Nobody else sets it.
        let _ = backend.codec.set(codec.identity()?);
    }
    session.left_over(source.book().map_or(Vec::new(), |book| book.left_over(&ledger)))?;
    let (plan, stop) = (args.plan(source, &rules, backend.measure(), |_| ())?, Stop::new());
    let run = Run::new(plan, ledger, options, (&backend, &Silent), &stop);
    dry::preview(session, run, dry::usual_speed(&args.nets.bark, args.nets.weights))
}
