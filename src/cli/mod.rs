//! The command line: the only place that knows clap, the terminal and exit codes.

mod models;

use anyhow::Result;
use barkclone::models::Models;
use barkclone::progress::Progress;
use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;

#[derive(Parser, Debug)]
#[command(version, about)]
pub struct Cli {
    /// Read the known models from this file instead of the built-in models.toml
    #[arg(long, global = true, value_name = "FILE")]
    registry: Option<PathBuf>,
    /// Make no network request: use what is in the cache
    #[arg(long, global = true)]
    offline: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Models(models::ModelsArgs),
}

pub fn run(cli: Cli) -> Result<()> {
    let known = Models::open(cli.registry.as_deref(), cli.offline)?;
    match cli.command {
        Command::Models(args) => models::run(args, &known, &Lines),
    }
}

/// Writes a result to stdout.
fn out(text: &str) -> Result<()> {
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

/// Says notes on stderr and draws nothing.
struct Lines;

impl Progress for Lines {
    fn start(&self, _: &str, _: u64, _: &str) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
    fn note(&self, message: &str) {
        eprintln!("{message}");
    }
}
