//! Progress and notes on stderr: a bar where it is a terminal, notes alone where it is not, warnings alone or nothing
//! if asked to be quiet.

use super::tell;
use barkclone::progress::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The terminal's view of the work.
pub struct Terminal {
    /// How often it was asked to be quiet.
    quiet: u8,
    bar: Mutex<Option<ProgressBar>>,
}

impl Terminal {
    pub fn new(quiet: u8) -> Self {
        Self { quiet, bar: Mutex::new(None) }
    }

    fn with_bar(&self, work: impl FnOnce(&mut Option<ProgressBar>)) {
        work(&mut self.bar.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A bar for a run of many parts, which is drawn beside all else by whoever holds it; `None` where there is none to
    /// be seen.
    pub fn overall(&self, total: Option<u64>) -> Option<ProgressBar> {
        if self.quiet > 0 || !std::io::stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        let template = match total {
            Some(_) => "{bar:20} {pos}/{len}  {msg}",
            None => "{spinner} {pos}  {msg}",
        };
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Some(bar)
    }

    /// Says what went wrong while the work goes on, beside `bar` or else its own; quiet or not.
    pub fn error(&self, message: &str, bar: Option<&ProgressBar>) {
        let say = || tell(format_args!("error: {message}"));
        match bar {
            Some(bar) => bar.suspend(say),
            None => self.with_bar(|own| own.as_ref().map_or_else(say, |bar| bar.suspend(say))),
        }
    }

    fn draw(&self, task: &str, total: u64, unit: &str) -> Option<ProgressBar> {
        if self.quiet > 0 || !std::io::stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::with_draw_target((total > 0).then_some(total), ProgressDrawTarget::stderr());
        bar.set_style(style(total > 0, unit));
        bar.set_message(task.to_string());
        bar.enable_steady_tick(Duration::from_millis(100));
        Some(bar)
    }
}

/// Bytes are counted in their own units; other work in its steps.
fn style(bounded: bool, unit: &str) -> ProgressStyle {
    let template = match (bounded, unit) {
        // In the decimal units that the hub and the notes count in.
        (true, "B") => {
            "{msg:>9} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta} left".to_string()
        }
        (false, "B") => "{msg:>9} {spinner} {decimal_bytes} {decimal_bytes_per_sec}".to_string(),
        (true, _) => format!("{{msg:>9}} {{wide_bar}} {{pos}}/{{len}} {unit}s {{per_sec}} {{eta}}"),
        (false, "") => "{msg:>9} {spinner} {elapsed}".to_string(),
        (false, _) => format!("{{msg:>9}} {{spinner}} {{pos}} {unit}s {{per_sec}}"),
    };
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Progress for Terminal {
    fn start(&self, task: &str, total: u64, unit: &str) {
        let new = self.draw(task, total, unit);
        self.with_bar(|bar| {
            if let Some(old) = std::mem::replace(bar, new) {
                old.finish_and_clear();
            }
        });
    }

    fn already(&self, steps: u64) {
        self.with_bar(|bar| {
            if let Some(bar) = bar {
                bar.set_position(steps);
                bar.reset_eta();
            }
        });
    }

    fn advance(&self, steps: u64) {
        self.with_bar(|bar| {
            if let Some(bar) = bar {
                bar.inc(steps);
            }
        });
    }

    fn finish(&self) {
        self.with_bar(|bar| {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
        });
    }

    fn note(&self, message: &str) {
        let kept = match self.quiet {
            0 => true,
            1 => message.starts_with("warning: "),
            _ => false,
        };
        if !kept {
            return;
        }
        self.with_bar(|bar| match bar {
            Some(bar) => bar.suspend(|| tell(message)),
            None => tell(message),
        });
    }
}
