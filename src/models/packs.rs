//! Packed models: files made here from fetched or local ones, beside the hub's cache, or, where that cannot be written,
//! in the user's own. Beside each lies a note (`.json`) of what it was made from and of its hash.

use super::check::sha256;
use super::hub::Hub;
use crate::error::Kind;
use crate::lock::{self, Hold};
use crate::output;
use crate::progress::Progress;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// How packed files are laid out; another number makes another name. 2: no codec but Bark's own.
const LAYOUT: u32 = 2;
const ENDING: &str = ".safetensors";
/// Where earlier versions packed: a folder that a kill left.
const EARLIER: &str = ".packing-";

/// What a packed file is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// As it was chosen: a name or a path.
    pub choice: String,
    /// The files; `None`: built in.
    pub path: Option<PathBuf>,
    /// The weight type.
    pub weights: String,
    /// Adapters that are merged into it: files or folders, and how.
    pub added: Vec<(PathBuf, String)>,
}

/// What is noted beside a packed file.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    name: String,
    weights: String,
    source: Option<PathBuf>,
    #[serde(default)]
    added: Vec<(PathBuf, String)>,
    print: String,
    sha256: String,
}

/// A packed file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// Of the model that it was made from.
    pub name: String,
    pub weights: String,
    pub path: PathBuf,
    pub bytes: u64,
    /// Its source has changed or gone: it is used no more.
    pub is_stale: bool,
    sha256: Option<String>,
}

/// The packed files of this cache.
pub struct Packs {
    /// In the order of preference.
    folders: Vec<PathBuf>,
    patience: Duration,
}

impl Packs {
    pub fn of(hub: &Hub) -> Self {
        let beside = hub.cache.parent().unwrap_or(&hub.cache).join("barkclone");
        let own = hub.own.as_ref().map(|own| own.join("packed"));
        Self { folders: std::iter::once(beside).chain(own).collect(), patience: hub.patience }
    }

    /// The packed file of that origin, if there is one.
    pub fn find(&self, origin: &Origin) -> Result<Option<PathBuf>> {
        let name = origin.file_name()?;
        Ok(self.folders.iter().map(|folder| folder.join(&name)).find(|path| path.is_file()))
    }

    /// Makes the packed file of that origin with `make`, which writes it to the path that it is given, whole or not at
    /// all. One process makes it while others wait and then use it; `anew`: though it is there.
    pub fn make(
        &self,
        origin: &Origin,
        anew: bool,
        progress: &dyn Progress,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let path = self.place(progress)?.join(origin.file_name()?);
        let unwritable = || Kind::Output.error(format!("{}: cannot be written", path.display()));
        let lock_path = path.with_extension("lock");
        let lock = File::options().create(true).append(true).open(&lock_path).with_context(unwritable)?;
        let waiting = || progress.note(&format!("another process packs `{}`: waiting", origin.choice));
        let hold = lock::wait(&lock, self.patience.saturating_mul(2), waiting).with_context(unwritable)?;
        if hold == Hold::Unsupported {
            lock::unsupported_note(&path).iter().for_each(|note| progress.note(note));
        }
        if !anew && let Some(path) = self.find(origin)? {
            return Ok(path);
        }
        if hold == Hold::Held && lock::is_kept(&lock_path) {
            output::sweep(path.parent().unwrap_or(&path), &output::tag_of(&path))?;
        }
        let _alive = lock::keep_alive(&lock).with_context(unwritable)?;
        progress.note(&format!("packing `{}` as {} into {}, once", origin.choice, origin.weights, path.display()));
        make(&path)?;
        self.note(origin, &path, progress).with_context(unwritable)?;
        self.remove_stale(origin)?;
        Ok(path)
    }

    /// The first folder that files can be made in.
    fn place(&self, progress: &dyn Progress) -> Result<&Path> {
        let writable = |folder: &&PathBuf| fs::create_dir_all(folder).is_ok() && tempfile::tempfile_in(folder).is_ok();
        let found = self.folders.iter().position(|folder| writable(&folder));
        let first = self.folders.first().map(|folder| folder.display().to_string()).unwrap_or_default();
        let place =
            found.with_context(|| Kind::Output.error(format!("{first}: packed weights cannot be kept there")))?;
        let folder = &self.folders[place];
        if place > 0 {
            progress.note(&format!("{first} cannot be written: packed weights go to {}", folder.display()));
        }
        Ok(folder)
    }

    fn note(&self, origin: &Origin, path: &Path, progress: &dyn Progress) -> Result<()> {
        let note = Note {
            name: origin.choice.clone(),
            weights: origin.weights.clone(),
            source: origin.path.as_ref().map(|path| path.canonicalize()).transpose()?,
            added: origin.added.clone(),
            print: origin.print()?,
            sha256: sha256(path, "packed", progress)?,
        };
        output::replace(&note_path(path), |sink| Ok(sink.write_all(&serde_json::to_vec_pretty(&note)?)?))
    }

    /// Every packed file, by name.
    pub fn all(&self) -> Vec<Pack> {
        let entries = self.folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let is_pack = |path: &PathBuf| path.to_string_lossy().ends_with(ENDING);
        let mut packs: Vec<Pack> = entries.map(|entry| entry.path()).filter(is_pack).filter_map(|p| pack(&p)).collect();
        packs.sort_by(|a, b| (&a.name, &a.weights, &a.path).cmp(&(&b.name, &b.weights, &b.path)));
        packs
    }

    /// Those that were made from the model `name`.
    pub fn of_model(&self, name: &str) -> Vec<Pack> {
        self.all().into_iter().filter(|pack| pack.name == name).collect()
    }

    /// Deletes a packed file. Returns the bytes freed.
    pub fn remove(&self, pack: &Pack) -> Result<u64> {
        let unwritable = || Kind::Output.error(format!("{}: cannot be removed", pack.path.display()));
        fs::remove_file(&pack.path).with_context(unwritable)?;
        for beside in [note_path(&pack.path), pack.path.with_extension("lock")] {
            // Neither is worth a failure: without the file they mean nothing.
            fs::remove_file(beside).unwrap_or_default();
        }
        Ok(pack.bytes)
    }

    /// Deletes what was made from an earlier state of the same origin, and what killed runs of earlier versions left.
    fn remove_stale(&self, origin: &Origin) -> Result<()> {
        let old = |pack: &Pack| pack.is_stale && pack.name == origin.choice && pack.weights == origin.weights;
        for pack in self.all().iter().filter(|pack| old(pack)) {
            self.remove(pack)?;
        }
        let entries = self.folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        for left in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(EARLIER)) {
            // Only a courtesy.
            fs::remove_dir_all(left.path()).unwrap_or_default();
        }
        Ok(())
    }
}

impl Pack {
    /// Reads the whole file and compares it with what was noted when it was made: what is wrong with it, if anything.
    pub fn verify(&self, progress: &dyn Progress) -> Result<Option<String>> {
        let unreadable = || Kind::Model.error(format!("{}: cannot be read", self.path.display()));
        let Some(noted) = &self.sha256 else { return Ok(Some("an earlier version made it".to_string())) };
        let found = sha256(&self.path, "packed", progress).with_context(unreadable)?;
        Ok((found != *noted).then(|| format!("its sha256 is {found}, {noted} was noted when it was made")))
    }
}

impl Origin {
    fn file_name(&self) -> Result<String> {
        let stem = Path::new(&self.choice).file_stem().and_then(|s| s.to_str()).unwrap_or("bark");
        let digest = Sha256::digest(format!("{LAYOUT}\n{}", self.print()?));
        Ok(format!("{stem}-{}-{}{ENDING}", output::hex(&digest[..4]), self.weights))
    }

    fn print(&self) -> Result<String> {
        let base = match &self.path {
            Some(path) => print(path)?,
            None => format!("builtin {}", env!("CARGO_PKG_VERSION")),
        };
        let added = |(path, how): &(PathBuf, String)| Ok(format!("{how}\n{}", print(path)?));
        Ok(base + &self.added.iter().map(added).collect::<Result<String>>()?)
    }
}

/// What changes when the files at `path` do: their paths, lengths and times, or, in a hub's cache, the hashes that
/// their contents go by, so that a copied cache keeps its packed files.
fn print(path: &Path) -> Result<String> {
    let unreadable = || Kind::Model.error(format!("{}: cannot be read", path.display()));
    let mut files = match path.is_dir() {
        true => fs::read_dir(path).with_context(unreadable)?.map(|e| Ok(e?.path())).collect::<Result<_>>()?,
        false => vec![path.to_path_buf()],
    };
    files.sort();
    let mut print = String::new();
    for file in files.iter().filter(|f| f.is_file()) {
        let real = file.canonicalize().with_context(unreadable)?;
        let metadata = real.metadata().with_context(unreadable)?;
        let modified = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let in_blobs = real.parent().and_then(Path::file_name).is_some_and(|name| name == "blobs");
        print += &match real.file_name().filter(|_| in_blobs) {
            Some(hash) => format!("{}\n{}\n", hash.to_string_lossy(), metadata.len()),
            None => format!("{}\n{}\n{}\n", real.display(), metadata.len(), modified.as_nanos()),
        };
    }
    Ok(print)
}

fn note_path(pack: &Path) -> PathBuf {
    pack.with_extension("json")
}

/// What is known of the packed file `path`.
fn pack(path: &Path) -> Option<Pack> {
    let bytes = fs::metadata(path).ok()?.len();
    let note = fs::read(note_path(path)).ok().and_then(|json| serde_json::from_slice::<Note>(&json).ok());
    let path = path.to_path_buf();
    let Some(note) = note else {
        // `STEM-DIGEST-WEIGHTS`: what earlier versions made.
        let stem = path.file_stem()?.to_str()?.to_string();
        let mut fields = stem.rsplitn(3, '-');
        let (weights, _, name) = (fields.next()?.to_string(), fields.next()?, fields.next()?.to_string());
        return Some(Pack { name, weights, path, bytes, is_stale: true, sha256: None });
    };
    let origin =
        Origin { choice: note.name.clone(), path: note.source, weights: note.weights.clone(), added: note.added };
    let is_stale =
        origin.print().ok() != Some(note.print) || origin.file_name().ok().as_deref() != path.file_name()?.to_str();
    Some(Pack { name: note.name, weights: note.weights, path, bytes, is_stale, sha256: Some(note.sha256) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use std::cell::Cell;

    struct World {
        folder: tempfile::TempDir,
        packs: Packs,
        origin: Origin,
    }

    fn world() -> World {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("bark.pt");
        fs::write(&source, "weights").unwrap();
        let packs = Packs { folders: vec![folder.path().join("packs")], patience: Duration::from_secs(5) };
        let origin = Origin { choice: "large".into(), path: Some(source), weights: "q8_0".into(), added: vec![] };
        World { folder, packs, origin }
    }

    fn make(world: &World, anew: bool, made: &Cell<u32>) -> PathBuf {
        let write = |path: &Path| {
            made.set(made.get() + 1);
            Ok(fs::write(path, "packed")?)
        };
        world.packs.make(&world.origin, anew, &Silent, write).unwrap()
    }

    #[test]
    fn a_packed_file_is_made_once_found_and_verified() {
        let (world, made) = (world(), Cell::new(0));
        assert_eq!(world.packs.find(&world.origin).unwrap(), None);
        let path = make(&world, false, &made);
        assert_eq!(make(&world, false, &made), path);
        assert_eq!((made.get(), world.packs.find(&world.origin).unwrap()), (1, Some(path.clone())));
        make(&world, true, &made);
        assert_eq!(made.get(), 2);
        let [pack] = world.packs.of_model("large").try_into().unwrap();
        assert!(!pack.is_stale && pack.bytes == 6 && pack.weights == "q8_0");
        assert_eq!(pack.verify(&Silent).unwrap(), None);
        fs::write(&path, "Packed").unwrap();
        assert!(pack.verify(&Silent).unwrap().is_some_and(|why| why.contains("sha256")));
        assert_eq!(world.packs.remove(&pack).unwrap(), 6);
        assert_eq!(fs::read_dir(world.folder.path().join("packs")).unwrap().count(), 0);
    }

    #[test]
    fn a_changed_source_makes_its_packed_file_stale_and_the_next_one_replaces_it() {
        let (world, made) = (world(), Cell::new(0));
        let old = make(&world, false, &made);
        fs::write(world.folder.path().join("bark.pt"), "other weights").unwrap();
        assert!(world.packs.all()[0].is_stale && world.packs.find(&world.origin).unwrap().is_none());
        let new = make(&world, false, &made);
        assert!(new != old && !old.exists() && world.packs.all().len() == 1);
    }

    #[test]
    fn what_earlier_versions_made_is_listed_as_stale() {
        let world = world();
        let folder = world.folder.path().join("packs");
        fs::create_dir_all(folder.join(".packing-abc")).unwrap();
        fs::write(folder.join("suno-small-0123abcd-q4_k.safetensors"), "x").unwrap();
        let [pack] = world.packs.all().try_into().unwrap();
        assert_eq!((pack.name.as_str(), pack.weights.as_str(), pack.is_stale), ("suno-small", "q4_k", true));
        make(&world, false, &Cell::new(0));
        assert!(!folder.join(".packing-abc").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_written_gives_way_to_the_users_own() {
        let mut world = world();
        let own = world.folder.path().join("own");
        world.packs.folders = vec![world.folder.path().join("bark.pt/not a folder"), own.clone()];
        assert!(make(&world, false, &Cell::new(0)).starts_with(own));
    }
}
