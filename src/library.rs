//! Files by name, voices and quantizers: a folder of each that every command looks into.

use crate::error::{Kind, did_you_mean};
use crate::output;
use anyhow::{Context, Result, bail, ensure};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest name, bytes.
const LONGEST: usize = 100;

/// What a library keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    Voices,
    Quantizers,
}

impl Shelf {
    /// The folder, the files' ending, what one is called, and the command that lists them.
    fn words(self) -> [&'static str; 4] {
        match self {
            Shelf::Voices => ["voices", "npz", "voice", "voice list"],
            Shelf::Quantizers => ["quantizers", "pth", "quantizer", "models list"],
        }
    }
}

/// Whether two names differ by case at most: file systems of macOS and Windows take them for one.
pub fn is_alike(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// What the user keeps by name.
#[derive(Clone, Debug)]
pub struct Library {
    shelf: Shelf,
    folder: PathBuf,
}

impl Library {
    /// `$XDG_DATA_HOME/barkclone/voices` or `quantizers`, where that is not set `~/.local/share/barkclone/...` (XDG
    /// Base Directory Specification 0.8).
    pub fn of_user(shelf: Shelf) -> Result<Self> {
        let [folder, _, one, _] = shelf.words();
        let set = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || env::home_dir().map(|home| home.join(".local/share"));
        let none = || Kind::Output.error(format!("no place for a {one} by name: set HOME or XDG_DATA_HOME"));
        Ok(Self { shelf, folder: set.or_else(home).ok_or_else(none)?.join("barkclone").join(folder) })
    }

    /// The file called `name`, if there is one.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        self.path(name).ok().filter(|path| path.is_file())
    }

    /// Where the file called `name` is to be written; the folder is made.
    ///
    /// # Errors
    /// Kind [`Kind::Usage`]: no name for a file, one that a path hides here, or one that is like another's
    /// ([`is_alike`]). Kind [`Kind::Output`]: no folder that can be written to.
    pub fn target(&self, name: &str) -> Result<PathBuf> {
        let path = self.new_path(name, None)?;
        output::make_folder(&self.folder)?;
        Ok(path)
    }

    /// All names, sorted.
    pub fn names(&self) -> Result<Vec<String>> {
        if !self.folder.exists() {
            return Ok(Vec::new());
        }
        let unreadable = || Kind::Input.error(format!("{}: cannot be read", self.folder.display()));
        let entries = fs::read_dir(&self.folder).with_context(unreadable)?.collect::<Result<Vec<_>, _>>();
        let [_, ending, ..] = self.shelf.words();
        let named = |path: PathBuf| {
            let name = path.file_stem()?.to_str()?.to_owned();
            (path.extension()? == ending && path.is_file() && !name.starts_with('.')).then_some(name)
        };
        let mut names: Vec<_> = entries.with_context(unreadable)?.into_iter().filter_map(|e| named(e.path())).collect();
        names.sort();
        Ok(names)
    }

    /// Removes the file called `name`.
    ///
    /// # Errors
    /// Kind [`Kind::Input`]: there is none.
    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.existing(name)?;
        fs::remove_file(&path).with_context(|| Kind::Output.error(format!("{}: cannot be removed", path.display())))
    }

    /// Calls the file `from` `to`; replaces another only with `force`.
    ///
    /// # Errors
    /// Kind [`Kind::Input`]: there is no `from`. Kind [`Kind::Output`]: there is a `to`.
    pub fn rename(&self, from: &str, to: &str, force: bool) -> Result<PathBuf> {
        let (old, new) = (self.existing(from)?, self.new_path(to, Some(from))?);
        let failed = || Kind::Output.error(format!("{}: cannot be written", new.display()));
        if force {
            fs::rename(&old, &new).with_context(failed)?;
            return Ok(new);
        }
        // A link is refused where there is a file, also one that was made this very moment.
        let [_, _, one, _] = self.shelf.words();
        let taken = || Kind::Output.error(format!("there is a {one} called `{to}` already; --force replaces it"));
        ensure!(!new.exists(), taken());
        fs::hard_link(&old, &new).with_context(failed)?;
        fs::remove_file(&old).with_context(|| Kind::Output.error(format!("{}: cannot be removed", old.display())))?;
        Ok(new)
    }

    fn existing(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name)?;
        let (hint, [_, _, one, list]) = (self.suggestion(name), self.shelf.words());
        ensure!(
            path.is_file(),
            Kind::Input.error(format!("there is no {one} called `{name}`{hint}; `barkclone {list}` names them"))
        );
        Ok(path)
    }

    /// ` (did you mean ...?)` with the one whose name is nearest to `name`, or nothing if none is near.
    pub fn suggestion(&self, name: &str) -> String {
        let names = self.names().unwrap_or_default();
        did_you_mean(name, &names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Where a new one is to be, whose name would not find it where there is a path of that name. `from`: its name so
    /// far.
    fn new_path(&self, name: &str, from: Option<&str>) -> Result<PathBuf> {
        let (path, [_, _, one, _]) = (self.path(name)?, self.shelf.words());
        let told =
            format!("`{name}` is a file or folder here, which goes first where a {one} is named: choose another");
        ensure!(!Path::new(name).exists(), Kind::Usage.error(told));
        let other = |other: &String| other != name && Some(other.as_str()) != from && is_alike(other, name);
        if let Some(other) = self.names()?.into_iter().find(other) {
            let told = format!("there is a {one} called `{other}`, which is one name with `{name}` on some systems");
            bail!(Kind::Usage.error(format!("{told}: choose another")));
        }
        Ok(path)
    }

    fn path(&self, name: &str) -> Result<PathBuf> {
        let plain = !name.is_empty() && name.len() <= LONGEST && !name.starts_with(['.', '-']) && name == name.trim();
        let plain = plain && !name.chars().any(|c| c.is_control() || "/\\:*?\"<>|".contains(c));
        let ([_, ending, one, _], shown) = (self.shelf.words(), name.escape_debug());
        ensure!(plain, Kind::Usage.error(format!(
            "`{shown}` is no name for a {one}: it begins with . or -, is too long, or holds one of / \\ : * ? \" < > |"
        )));
        Ok(self.folder.join(Path::new(name)).with_added_extension(ending))
    }
}
