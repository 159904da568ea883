//! The voices that a run of many utterances was given.

use crate::cli::choice::read_voice;
use crate::cli::progress::Terminal;
use anyhow::{Context, Error, Result, ensure};
use barkclone::error::{Kind, did_you_mean};
use barkclone::library::{Library, Shelf};
use barkclone::models::Models;
use barkclone::progress::Progress;
use barkclone::speak::check_voice;
use barkclone::stage::protocol::Protocol;
use std::collections::HashMap;
use std::path::Path;

/// `--voice VOICE` and `--voice NAME=VOICE`.
#[derive(Clone, Default)]
pub struct Named {
    pub default: Option<String>,
    pub names: HashMap<String, String>,
}

impl Named {
    pub fn parse(voices: &[String]) -> Result<Self> {
        let mut named = Self::default();
        for voice in voices {
            let first = match voice.split_once('=').filter(|_| !Path::new(voice).exists()) {
                Some((name, choice)) => named.names.insert(name.trim().to_owned(), choice.to_owned()).is_none(),
                None => named.default.replace(voice.clone()).is_none(),
            };
            ensure!(first, twice(voice));
        }
        Ok(named)
    }

    /// The names that a text may use: those that are given, and those that voices are kept by.
    pub fn known(&self) -> Vec<String> {
        // Without a home there are no kept ones.
        let kept = Library::of_user(Shelf::Voices).and_then(|library| library.names()).unwrap_or_default();
        let mut names: Vec<_> = self.names.keys().cloned().chain(kept).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Of a name that is no voice says which there are.
    pub fn told(&self, name: &str, error: Error) -> Error {
        let mut names: Vec<_> = self.names.keys().map(String::as_str).collect();
        names.sort_unstable();
        if names.is_empty() || self.names.contains_key(name) || name.contains(['/', '\\', '.']) {
            return error;
        }
        let (hint, names) = (did_you_mean(name, &names), names.join(", "));
        error.context(Kind::Input.error(format!("no voice is named `{name}`{hint}; --voice names {names}")))
    }

    /// Where no voice is given to all, takes that of an earlier run, if there is one.
    pub fn fall_back(&mut self, random: &Path, terminal: &Terminal) {
        if self.default.is_none() && random.is_file() {
            terminal.note(&format!("no --voice: that of an earlier run, {}", random.display()));
            self.default = Some(random.to_string_lossy().into_owned());
        }
    }

    /// Reads each once, so that a wrong one is told before anything is spoken.
    pub fn check(&self, models: &Models, terminal: &Terminal) -> Result<()> {
        self.given().try_for_each(|voice| read_voice(voice, models, terminal).map(drop))
    }

    /// Refuses one of other models, once for all that it would speak.
    pub fn check_fit(&self, protocol: &Protocol, models: &Models, terminal: &Terminal) -> Result<()> {
        self.given().try_for_each(|name| {
            let file = read_voice(name, models, terminal)?;
            check_voice(&file.voice, protocol).with_context(|| Kind::Input.error(format!("--voice {name}")))
        })
    }

    pub fn given(&self) -> impl Iterator<Item = &String> {
        self.default.iter().chain(self.names.values())
    }
}

fn twice(voice: &str) -> barkclone::error::Error {
    Kind::Usage.error(format!("--voice {voice}: there is one for that already; give others names, NAME=VOICE"))
}
