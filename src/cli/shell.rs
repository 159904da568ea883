//! What shells and `man` want to know of the command line.

use super::{Cli, out};
use crate::cli::Result;
use anyhow::Context;
use barkclone::error::Kind;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print the completion script of a shell
///
/// For example: barkclone completions bash > /etc/bash_completion.d/barkclone
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
    clap_complete::generate(args.shell, &mut Cli::command(), "barkclone", &mut script);
    out(script)
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
