//! Ctrl-C and SIGTERM: programs at work for this one end, what is half written goes, and the process ends with exit code 130. While a run over many is
//! under way, the first one asks it to finish what it began, and the second one ends the process.

use super::tell;
use anyhow::{Context, Result};
use barkclone::audio;
use barkclone::batch::Stop;
use barkclone::error::Kind;
use barkclone::output;
use std::sync::atomic::{AtomicBool, Ordering};

static STOP: Stop = Stop::new();
/// Whether a run is under way that can be asked to end.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// From now on, an interrupt leaves nothing half written.
pub fn install() -> Result<()> {
    ctrlc::set_handler(interrupted).context("cannot watch for Ctrl-C")
}

fn interrupted() {
    if RUNNING.load(Ordering::Relaxed) && !STOP.request() {
        return tell(waiting(&STOP));
    }
    // They would write their files anew.
    audio::end_helpers();
    output::remove_temporaries();
    tell("\ninterrupted");
    std::process::exit(Kind::Interrupted.exit_code().into());
}

/// What the first interrupt of a run says.
fn waiting(stop: &Stop) -> String {
    let (count, most) = stop.under_way();
    let time = match most {
        Some(most) => format!("about {}", super::clock(most.as_secs_f64())),
        None => "how long that takes is not known yet".to_owned(),
    };
    format!("\nstopping after what is under way ({count}; {time}); once more stops at once")
}

/// A run that can be asked to end, for as long as this is held.
pub struct Running;

impl Running {
    pub fn begin() -> Self {
        RUNNING.store(true, Ordering::Relaxed);
        Self
    }

    pub fn stop(&self) -> &'static Stop {
        &STOP
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.store(false, Ordering::Relaxed);
    }
}
