//! Ctrl-C and SIGTERM: the first asks to stop after what is under way, the second stops at once.

use super::tell;
use anyhow::{Context, Result};
use barkclone::error::Kind;
use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);

/// From now on, interrupts set what is returned instead of ending the process.
pub fn watch() -> Result<&'static AtomicBool> {
    let interrupted = || {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(Kind::Interrupted.exit_code().into());
        }
        tell("\nstopping after what is under way; once more stops at once");
    };
    ctrlc::set_handler(interrupted).context("cannot watch for Ctrl-C")?;
    Ok(&STOP)
}
