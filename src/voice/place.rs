//! Where a voice lies: one `.npz`, or Hugging Face's three `.npy` beside each other.

use super::arrays::{self, KEYS, SUFFIX};
use super::raw::RawVoice;
use super::torch;
use super::{Form, Voice, provenance::Provenance};
use crate::checkpoint;
use crate::error::Kind;
use crate::output;
use anyhow::{Context, Error, Result, anyhow, bail};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

/// The file or files of one voice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Npz(PathBuf),
    /// Semantic, coarse, fine.
    Npy([PathBuf; 3]),
}

impl Place {
    /// What `path` names: an `.npz`; one of three `NAME_semantic_prompt.npy`, `NAME_coarse_prompt.npy`,
    /// `NAME_fine_prompt.npy`, or their common `NAME`; or a folder that holds one such three and no other.
    ///
    /// # Errors
    /// A folder without a voice, or with more than one.
    pub fn find(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Self::in_folder(path);
        }
        if path.is_file() {
            let part = prefix_of(path).map(|(prefix, suffix)| Self::npy(path, &prefix, suffix));
            return Ok(part.unwrap_or_else(|| Self::Npz(path.to_owned())));
        }
        let name = path.file_name().unwrap_or_default();
        let sets = [SUFFIX, ""].map(|suffix| {
            let mut prefix = name.to_os_string();
            prefix.push("_");
            Self::npy(path, &prefix, suffix)
        });
        let found = sets.into_iter().find(|set| set.first().is_file());
        Ok(found.unwrap_or_else(|| Self::Npz(path.to_owned())))
    }

    /// Where a voice called `name` lies as three files, `name` being a path without their endings.
    pub fn separate(name: &Path) -> Self {
        let mut prefix = name.file_name().unwrap_or_default().to_os_string();
        prefix.push("_");
        Self::npy(name, &prefix, SUFFIX)
    }

    fn in_folder(folder: &Path) -> Result<Self> {
        let unreadable = || Kind::Input.error(format!("{}: cannot be read", folder.display()));
        let entries = std::fs::read_dir(folder).with_context(unreadable)?.take(10_000);
        let semantic = |path: &PathBuf| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            path.extension() == Some(OsStr::new("npy")) && (name.ends_with(KEYS[0]) || name.ends_with("semantic"))
        };
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(semantic).collect();
        paths.sort();
        match &paths[..] {
            [path] => Self::find(path),
            [] => bail!(
                Kind::Input
                    .error(format!("{}: not a voice: a folder without any `*semantic_prompt.npy`", folder.display()))
            ),
            [first, ..] => bail!(Kind::Input.error(format!(
                "{}: it holds {} voices: name one of them, such as {}",
                folder.display(),
                paths.len(),
                first.display()
            ))),
        }
    }

    /// The three files beside `path` whose names begin with `prefix`.
    fn npy(path: &Path, prefix: &OsStr, suffix: &str) -> Self {
        Self::Npy(KEYS.map(|key| {
            let mut name: OsString = prefix.to_owned();
            name.push(format!("{}{suffix}.npy", key.strip_suffix(SUFFIX).unwrap_or(key)));
            path.with_file_name(name)
        }))
    }

    /// Whether there is anything.
    pub fn exists(&self) -> bool {
        self.first().exists()
    }

    fn first(&self) -> &Path {
        match self {
            Place::Npz(path) | Place::Npy([path, ..]) => path,
        }
    }

    /// The voice's name: its file's, without folder and endings.
    pub fn name(&self) -> OsString {
        match self {
            Place::Npz(path) => path.file_stem().unwrap_or_default().to_owned(),
            Place::Npy([path, ..]) => {
                let prefix = prefix_of(path).map(|(prefix, _)| prefix.to_string_lossy().into_owned());
                let prefix = prefix.unwrap_or_default();
                let name = prefix.strip_suffix('_').unwrap_or(&prefix);
                if name.is_empty() { "voice".into() } else { name.into() }
            }
        }
    }

    /// What lies there, unjudged.
    ///
    /// # Errors
    /// Kind [`Kind::Input`]: no file, or no arrays of numbers.
    pub fn read(&self) -> Result<RawVoice> {
        let raw = match self {
            Place::Npz(path) if torch::is_torch(path) => torch::read(path),
            Place::Npz(path) => arrays::file(path).and_then(|bytes| arrays::from_npz(&bytes)),
            Place::Npy(paths) => arrays::from_npy(paths.each_ref().map(PathBuf::as_path)),
        };
        raw.map_err(|error| self.named(error)).with_context(|| self.unusable())
    }

    /// An error of a file that is no voice says what it is.
    fn named(&self, error: Error) -> Error {
        match self {
            Place::Npz(path) => checkpoint::identify(path).map_or(error, |what| anyhow!("{what}")),
            Place::Npy(_) => error,
        }
    }

    /// The voice that lies there, if it is one as it stands.
    pub fn voice(&self) -> Result<super::VoiceFile> {
        let raw = self.read()?;
        let voice = raw.voice().with_context(|| self.unusable())?;
        Ok(super::VoiceFile { voice, provenance: raw.provenance })
    }

    /// Refuses a place that could not be written, as [`output::check`] does.
    pub fn check(&self, force: bool) -> Result<()> {
        match self {
            Place::Npz(path) => output::check(path, force),
            Place::Npy(paths) => paths.iter().try_for_each(|path| output::check(path, force)),
        }
    }

    /// Writes the voice there; three files hold no provenance. Replaces files only with `force`.
    pub fn write(&self, voice: &Voice, provenance: Option<&Provenance>, form: Form, force: bool) -> Result<()> {
        self.check(force)?;
        match self {
            Place::Npz(path) if torch::is_asked_for(path, form) => {
                let name = self.name().to_string_lossy().into_owned();
                output::write_atomically(path, force, |sink| torch::write(voice, &name, provenance, sink))
            }
            Place::Npz(path) => {
                output::write_atomically(path, force, |sink| arrays::to_npz(voice, provenance, form, sink))
            }
            Place::Npy(paths) => paths.iter().enumerate().try_for_each(|(index, path)| {
                output::write_atomically(path, force, |sink| arrays::to_npy(voice, index, sink))
            }),
        }
    }

    fn unusable(&self) -> crate::error::Error {
        Kind::Input.error(format!("{self}: cannot be used as a voice"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Npz(path) => path.display().fmt(f),
            Place::Npy([path, ..]) => path.with_file_name(self.name()).display().fmt(f),
        }
    }
}

/// What comes before `semantic_prompt.npy` and the like, and whether `_prompt` is in it.
fn prefix_of(path: &Path) -> Option<(OsString, &'static str)> {
    let name = path.file_name()?.to_str()?;
    let endings = KEYS.iter().flat_map(|key| {
        let short = key.strip_suffix(SUFFIX).unwrap_or(key);
        [(format!("{key}.npy"), SUFFIX), (format!("{short}.npy"), "")]
    });
    endings.into_iter().find_map(|(ending, suffix)| Some((name.strip_suffix(&ending)?.into(), suffix)))
}
