//! What shells and `man` want to know of the command line.

use super::settings::kind_of;
use super::{Cli, out};
use crate::cli::Result;
use anyhow::Context;
use barkclone::device;
use barkclone::error::Kind;
use barkclone::library::{Library, Shelf};
use barkclone::models::{Entry, ModelKind, Registry};
use clap::{Arg, Args, Command, CommandFactory};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};
use std::collections::BTreeSet;
use std::ffi::OsStr;

/// Set by the script of [`completions`] where a shell asks for completions.
const ASKED: &str = "BARKCLONE_COMPLETE";

/// Print the script by which a shell completes commands, flags, and the names of models and voices
///
/// For example, in ~/.bashrc: source <(barkclone completions bash)
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    shell: Shell,
}

/// Print the manual page, of all of barkclone or of one command
///
/// For example: barkclone man speak | man -l -
#[derive(Args, Debug)]
pub struct ManArgs {
    /// clone, speak, models...
    command: Option<String>,
}

pub fn completions(args: CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let shell = shells.completer(&args.shell.to_string()).context("clap knows all of its shells")?;
    shell.write_registration(ASKED, "barkclone", "barkclone", "barkclone", &mut script)?;
    out(script)
}

/// Answers a shell that asks for completions, and ends; where none asks, nothing is done.
pub fn complete() {
    CompleteEnv::with_factory(|| named(Cli::command())).var(ASKED).complete();
}

/// The command with names for the values of its arguments.
fn named(mut command: Command) -> Command {
    // `mut_arg` puts an argument last: all of them go through it, so that positional ones stay in their order.
    let arguments: Vec<_> = command.get_arguments().map(|arg| (arg.get_id().clone(), names(arg))).collect();
    for (id, names) in arguments {
        command = command.mut_arg(id, |arg| match names {
            Some(names) => arg.add(ArgValueCompleter::new(names)),
            None => arg,
        });
    }
    let inner: Vec<_> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    inner.into_iter().fold(command, |command, name| command.mut_subcommand(name, named))
}

fn names(arg: &Arg) -> Option<Names> {
    let value = arg.get_value_names()?.first()?.as_str();
    match (arg.get_long(), value) {
        (_, "MODEL") if let Some(kind) = kind_of(arg.get_id().as_str()) => Some(Names::Of(kind)),
        (None, "MODEL") => Some(Names::All),
        (_, "QUANTIZER") => Some(Names::Of(ModelKind::Quantizer)),
        (_, "EAR") => Some(Names::Of(ModelKind::Speaker)),
        (_, "WHISPER") => Some(Names::Of(ModelKind::Recogniser)),
        (_, "DEVICE") => Some(Names::Devices),
        (_, "VOICE") => Some(Names::Voices),
        (None, "NAME") => Some(Names::Kept),
        _ => None,
    }
}

/// What a value may be, beside a path.
enum Names {
    Of(ModelKind),
    /// Models of any kind.
    All,
    Devices,
    /// Those that are kept by name, and Suno's.
    Voices,
    /// Those that are kept by name alone.
    Kept,
}

impl ValueCompleter for Names {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let begun = current.to_string_lossy();
        let names = self.names().into_iter().filter(|name| name.starts_with(&*begun)).map(CompletionCandidate::new);
        match self {
            Names::Devices | Names::Kept => names.collect(),
            _ => names.chain(PathCompleter::any().complete(current)).collect(),
        }
    }
}

impl Names {
    /// What cannot be read has no names.
    fn names(&self) -> Vec<String> {
        let registry = Registry::builtin().ok();
        let entries = registry.as_ref().map_or(&[][..], Registry::entries).iter();
        let named = |shelf| Library::of_user(shelf).and_then(|library| library.names()).unwrap_or_default();
        let kept = || named(Shelf::Voices);
        let own = |kind: Option<ModelKind>| match kind {
            None | Some(ModelKind::Quantizer) => named(Shelf::Quantizers),
            Some(_) => Vec::new(),
        };
        match self {
            Names::Of(kind) => {
                let published = entries.filter(|entry| entry.kind == *kind).map(|entry| entry.name.clone());
                published.chain(own(Some(*kind))).collect()
            }
            Names::All => {
                let names: BTreeSet<_> = entries.map(|entry| entry.name.clone()).chain(own(None)).collect();
                names.into_iter().collect()
            }
            Names::Devices => device::NAMES.map(str::to_owned).to_vec(),
            Names::Voices => kept().into_iter().chain(entries.flat_map(Entry::preset_names)).collect(),
            Names::Kept => kept(),
        }
    }
}

pub fn man(args: ManArgs) -> Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(described(args.command)?).render(&mut page)?;
    out(page)
}

/// The whole command, or one of its subcommands under its full name.
fn described(name: Option<String>) -> Result<clap::Command> {
    let mut whole = Cli::command();
    whole.build();
    let Some(name) = name else { return Ok(whole) };
    let part = whole.find_subcommand(&name);
    part.cloned().with_context(|| Kind::Usage.error(format!("there is no command `{name}`: see `barkclone --help`")))
}
