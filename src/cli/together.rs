//! Flags that would do nothing without another one. clap's `requires` lets them pass where a third flag is in conflict
//! with that one.

use super::settings::{find_own, is_given};
use anyhow::{Result, bail};
use barkclone::error::Kind;
use clap::{Arg, ArgMatches, Command};

/// Flags that do nothing unless one of `with` is given or kept.
struct Rule {
    flags: &'static [&'static str],
    with: &'static [&'static str],
    /// What the flags are for.
    told: &'static str,
}

const RULES: [Rule; 5] = [
    Rule {
        flags: &["chapters", "subtitles", "history", "paragraph-silence", "line-breaks", "markdown"],
        with: &["file"],
        told: "a long text",
    },
    Rule { flags: &["takes"], with: &["ab"], told: "voices side by side" },
    Rule { flags: &["sentence-silence"], with: &["lines", "jobs", "file"], told: "many in one run" },
    Rule { flags: &["dir", "names", "batch"], with: &["lines", "jobs", "file", "ab"], told: "many in one run" },
    Rule {
        flags: &["keep-all", "voice-of", "voice-ear", "word-ear", "hubert", "quantizer"],
        with: &["best-of", "retry"],
        told: "choosing among takes",
    },
];
/// The flags of the last rule have another use in commands that have them under another heading.
const EARS: &str = "Ears";

/// Refuses flags of `command` that would do nothing in `call`, and those that its help does not name.
pub fn check(command: &Command, call: &ArgMatches) -> Result<()> {
    let given = |flag: &str| find_own(command, flag).filter(|arg| is_given(call, arg.get_id().as_str()));
    let hidden = |arg: &&Arg| arg.is_hide_set() && is_given(call, arg.get_id().as_str());
    if let Some(arg) = command.get_arguments().find(hidden) {
        let flag = arg.get_long().map_or("TEXT".to_owned(), |long| format!("--{long}"));
        bail!(Kind::Usage.error(format!("{flag}: `{}` does not take it", command.get_name())));
    }
    for Rule { flags, with, told } in &RULES {
        let others = with.iter().filter_map(|flag| find_own(command, flag)).filter(|arg| !arg.is_hide_set());
        let others: Vec<_> = others.collect();
        if others.is_empty() || others.iter().any(|arg| is_on(arg, call)) {
            continue;
        }
        let names: Vec<_> = others.iter().filter_map(|arg| arg.get_long()).map(|long| format!("--{long}")).collect();
        let meant = |arg: &&Arg| !with.contains(&"best-of") || arg.get_help_heading() == Some(EARS);
        let idle = flags.iter().filter_map(|flag| given(flag)).find(meant).and_then(Arg::get_long);
        let told = |flag| format!("--{flag} is for {told}: give it with {}", names.join(" or "));
        if let Some(flag) = idle {
            bail!(Kind::Usage.error(told(flag)));
        }
    }
    Ok(())
}

/// Whether a flag has another value than where nobody asks for it.
fn is_on(arg: &Arg, call: &ArgMatches) -> bool {
    let value = call.get_raw(arg.get_id().as_str()).and_then(|mut values| values.next());
    value != arg.get_default_values().first().map(|value| value.as_os_str())
}
