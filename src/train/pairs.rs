//! Finding pairs of a sound and its semantic tokens, in the layouts that trainers keep them in:
//!
//! - `NAME.wav` and `NAME.npy` (or a voice's `NAME.npz`) beside each other, as this program keeps them;
//! - `3_wav.wav` and `3_semantic.npy`, in the folder or in `prepared` in it, as gitmylo's `prepare.py` leaves them;
//! - `semantic/PART.zip` and `wav/PART.zip`, whose entries of one stem are a pair, as `prepare.py` takes them.

use crate::audio::Input;
use crate::error::Kind;
use crate::output::{self, Scratch};
use crate::tokens::Semantic;
use crate::voice::semantic_tokens;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// Endings of sounds' and of tokens' names.
const SOUNDS: [&str; 1] = ["wav"];
const TOKENS: [&str; 2] = ["npy", "npz"];
/// Most bytes that a sound and its tokens may have.
const LONGEST_SOUND: u64 = 64 << 20;
const LONGEST_TOKENS: u64 = 4 << 20;
/// Most entries of an archive.
const MOST_ENTRIES: usize = 1_000_000;

/// A sound and the tokens that it was made from.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The name that both share.
    pub name: String,
    sound: Place,
    tokens: Place,
}

/// Where a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    /// An entry of an archive.
    Entry(PathBuf, String),
}

/// The pairs in a folder.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// By name.
    pub pairs: Vec<Pair>,
    /// Sounds without tokens, and tokens without a sound.
    pub alone: usize,
}

/// The pairs in `folder`.
///
/// # Errors
/// Kind [`Kind::Input`], naming the folder: not there, or without a pair.
pub fn find(folder: &Path) -> Result<Found> {
    let mut found = Found::default();
    for part in [folder.to_owned(), folder.join("prepared")] {
        if part == folder || part.is_dir() {
            found.add(&folder_of_files(&part)?);
        }
    }
    for archive in archives(&folder.join("semantic"))? {
        let sounds = folder.join("wav").join(archive.file_name().unwrap_or_default());
        match sounds.is_file() {
            true => found.add(&[entries(&sounds)?, entries(&archive)?].concat()),
            false => found.alone += 1,
        }
    }
    let shown = folder.display();
    let expected = "NAME.wav and NAME.npy, N_wav.wav and N_semantic.npy, or wav/PART.zip and semantic/PART.zip";
    ensure!(
        !found.pairs.is_empty(),
        Kind::Input.error(format!("{shown}: no pairs of a sound and its semantic tokens ({expected} were expected)"))
    );
    Ok(found)
}

/// Marks the pairs in `folder` as what results are made of.
pub fn keep_inputs(folder: &Path) -> Result<()> {
    let pairs = find(folder)?.pairs;
    pairs.iter().flat_map(|pair| [&pair.sound, &pair.tokens]).for_each(|place| output::keep_input(place.path()));
    Ok(())
}

impl Found {
    /// Pairs up `files` by their stems.
    fn add(&mut self, files: &[(String, Place)]) {
        let (mut sounds, mut tokens) = (BTreeMap::new(), BTreeMap::new());
        for (name, place) in files {
            match stem(name) {
                Some((stem, true)) => sounds.insert(stem, place),
                // `.npy` comes before `.npz`, and stays.
                Some((stem, false)) => Some(*tokens.entry(stem).or_insert(place)),
                None => continue,
            };
        }
        let unpaired = sounds.keys().filter(|stem| !tokens.contains_key(*stem)).count();
        let both = sounds.iter().filter_map(|(stem, &sound)| Some((stem, sound, *tokens.get(stem)?)));
        let pair = |(stem, sound, tokens): (&String, &Place, &Place)| Pair {
            name: stem.clone(),
            sound: sound.clone(),
            tokens: tokens.clone(),
        };
        let pairs: Vec<_> = both.map(pair).collect();
        self.alone += unpaired + tokens.len() - pairs.len();
        self.pairs.extend(pairs);
    }
}

/// What a pair's files share of their names, and whether this one is the sound.
fn stem(name: &str) -> Option<(String, bool)> {
    let (stem, ending) = name.rsplit_once('.')?;
    let (stem, ending) = (stem.to_lowercase(), ending.to_lowercase());
    let without = |end: &str| stem.strip_suffix(end).unwrap_or(&stem).to_owned();
    match ending.as_str() {
        sound if SOUNDS.contains(&sound) => Some((without("_wav"), true)),
        tokens if TOKENS.contains(&tokens) => Some((without("_semantic"), false)),
        _ => None,
    }
}

fn folder_of_files(folder: &Path) -> Result<Vec<(String, Place)>> {
    let unreadable = || Kind::Input.error(format!("{}: cannot be read as a folder", folder.display()));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_file() && !name.starts_with('.') {
            files.push((name, Place::File(path)));
        }
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(files)
}

/// The archives in `folder`, if there is one.
fn archives(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(vec![]);
    }
    let zips = folder_of_files(folder)?.into_iter().filter(|(name, _)| name.to_lowercase().ends_with(".zip"));
    Ok(zips.filter_map(|(_, place)| if let Place::File(path) = place { Some(path) } else { None }).collect())
}

fn open(archive: &Path) -> Result<ZipArchive<File>> {
    let opened = File::open(archive).map_err(anyhow::Error::from).and_then(|file| Ok(ZipArchive::new(file)?));
    opened.with_context(|| Kind::Input.error(format!("{}: cannot be read as a zip archive", archive.display())))
}

fn entries(archive: &Path) -> Result<Vec<(String, Place)>> {
    let zip = open(archive)?;
    let shown = archive.display();
    ensure!(zip.len() <= MOST_ENTRIES, Kind::Input.error(format!("{shown}: more than {MOST_ENTRIES} entries")));
    let mut names: Vec<_> = (0..zip.len()).filter_map(|i| Some(zip.name_for_index(i)?.ok()?.into_owned())).collect();
    names.sort();
    Ok(names.into_iter().map(|name| (name.clone(), Place::Entry(archive.to_owned(), name))).collect())
}

impl Place {
    fn path(&self) -> &Path {
        match self {
            Place::File(path) | Place::Entry(path, _) => path,
        }
    }

    fn shown(&self) -> String {
        match self {
            Place::File(path) => path.display().to_string(),
            Place::Entry(archive, name) => format!("{}: {name}", archive.display()),
        }
    }

    /// What it holds, up to `most` bytes.
    fn bytes(&self, most: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut take = |from: &mut dyn Read| from.take(most + 1).read_to_end(&mut bytes).map_err(anyhow::Error::from);
        let taken = match self {
            Place::File(path) => File::open(path).map_err(Into::into).and_then(|mut file| take(&mut file)),
            Place::Entry(archive, name) => take(&mut open(archive)?.by_name(name)?),
        };
        taken.with_context(|| Kind::Input.error(format!("{}: cannot be read", self.shown())))?;
        ensure!(bytes.len() as u64 <= most, "{}: larger than {} MiB", self.shown(), most >> 20);
        Ok(bytes)
    }
}

impl Pair {
    /// The bytes of its sound.
    pub fn sound(&self) -> Result<Vec<u8>> {
        self.sound.bytes(LONGEST_SOUND)
    }

    /// Its sound as a recording; what is in an archive is kept in a temporary file for as long as the second part is.
    pub fn recording(&self, bytes: &[u8]) -> Result<(Input, Option<Scratch>)> {
        match &self.sound {
            Place::File(path) => Ok((Input::from(path.as_path()), None)),
            Place::Entry(..) => {
                let kept = Scratch::of(bytes)?;
                Ok((Input::from(kept.path()), Some(kept)))
            }
        }
    }

    /// Its tokens.
    ///
    /// # Errors
    /// Damage, or tokens that Bark does not have.
    pub fn tokens(&self) -> Result<Semantic> {
        semantic_tokens(&self.tokens.bytes(LONGEST_TOKENS)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(found: &Found) -> Vec<&str> {
        found.pairs.iter().map(|pair| pair.name.as_str()).collect()
    }

    #[test]
    fn pairs_are_found_in_every_layout_and_what_is_alone_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        };
        let files =
            ["a.wav", "a.npy", "a.npz", "B.WAV", "b.npz", "alone.wav", "3_wav.wav", "3_semantic.npy", "notes.txt"];
        files.iter().for_each(|name| write(name));
        ["prepared/0_wav.wav", "prepared/0_semantic.npy", "prepared/1_semantic.npy"]
            .iter()
            .for_each(|name| write(name));
        let zip = |name: &str, entries: &[&str]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
            for entry in entries {
                zip.start_file(*entry, zip::write::SimpleFileOptions::default()).unwrap();
                zip.write_all(entry.as_bytes()).unwrap();
            }
            zip.finish().unwrap();
        };
        zip("semantic/part.zip", &["X.npy", "y.npy", "z.npy"]);
        zip("wav/part.zip", &["x.wav", "y.wav"]);
        zip("semantic/other.zip", &["q.npy"]);
        let found = find(folder.path()).unwrap();
        assert_eq!(names(&found), ["3", "a", "b", "0", "x", "y"]);
        assert_eq!(found.alone, 4, "a sound, tokens in `prepared`, an entry, an archive");
        assert_eq!(found.pairs[1].sound().unwrap(), b"a.wav");
        assert_eq!(found.pairs[4].sound().unwrap(), b"x.wav");
        let (input, kept) = found.pairs[4].recording(b"x.wav").unwrap();
        assert_eq!(fs::read(input.path()).unwrap(), b"x.wav");
        assert!(kept.is_some());
        assert!(found.pairs[1].tokens().unwrap_err().to_string().contains("not an .npz file"));
    }

    #[test]
    fn a_folder_without_pairs_is_refused_with_what_was_expected() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(folder.path()).unwrap_err().to_string();
        assert!(error.contains("no pairs of a sound") && error.contains("N_semantic.npy"), "{error}");
        assert!(find(&folder.path().join("none")).unwrap_err().to_string().contains("cannot be read as a folder"));
    }
}
