//! `barkclone`: parse, run, print what went wrong on stderr, exit with its code.

mod cli;

use barkclone::error::exit_code;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::complete();
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough, as in `barkclone models list | head -1`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            cli::tell(format_args!("error: {error:#}"));
            ExitCode::from(exit_code(&error))
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}
