//! Short hashes: of ids, texts, names and model files. The same on every machine.

use crate::error::Kind;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Blocks of a file that are read for its fingerprint, evenly spread, and their size.
const BLOCKS: u64 = 64;
const BLOCK: u64 = 4096;

/// 64 bits of the parts; how they are cut matters.
pub fn hash(parts: &[&[u8]]) -> u64 {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_le_bytes());
        sha.update(part);
    }
    first(sha)
}

fn first(sha: Sha256) -> u64 {
    let digest = sha.finalize();
    digest.iter().take(8).fold(0, |hash, &byte| hash << 8 | u64::from(byte))
}

/// The seed of the utterance `id` in a run of seed `base`: wherever it runs, it sounds the same. Short enough to be
/// typed.
pub fn mixed(base: u64, id: &str) -> u64 {
    hash(&[b"seed", &base.to_le_bytes(), id.as_bytes()]) >> 32
}

/// A fingerprint of files by their lengths and samples of their content: other weights give another one, another place,
/// time or machine does not. Of a folder, all files directly in it.
pub fn fingerprint(paths: &[PathBuf]) -> Result<u64> {
    let mut sha = Sha256::new();
    for path in paths {
        let unreadable = || Kind::Model.error(format!("{}: cannot be read", path.display()));
        for file in files(path).with_context(unreadable)? {
            sample(&file, &mut sha).with_context(unreadable)?;
        }
    }
    Ok(first(sha))
}

fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(path)?.map(|e| Ok(e?.path())).collect::<Result<_>>()?;
    let hidden = |f: &Path| f.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
    files.retain(|f| f.is_file() && !hidden(f));
    files.sort();
    Ok(files)
}

fn sample(path: &Path, sha: &mut Sha256) -> Result<()> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    sha.update(len.to_le_bytes());
    let step = (len / BLOCKS).max(BLOCK);
    for start in (0..len).step_by(usize::try_from(step)?) {
        let mut block = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.by_ref().take(BLOCK).read_to_end(&mut block)?;
        sha.update(block);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_ne!(mixed(0, "a"), mixed(1, "a"));
        assert_ne!(mixed(0, "a"), mixed(0, "b"));
        assert!(mixed(0, "a") <= u64::from(u32::MAX));
    }

    #[test]
    fn a_fingerprint_follows_the_content_and_not_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let mut weights: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
        let one = fingerprint(&[put("a/one", &weights)]).unwrap();
        assert_eq!(fingerprint(&[put("b/two", &weights)]).unwrap(), one);
        assert_eq!(fingerprint(&[folder.path().join("a")]).unwrap(), one);
        weights[0] ^= 1;
        assert_ne!(fingerprint(&[put("one", &weights)]).unwrap(), one);
        assert!(fingerprint(&[folder.path().join("none")]).is_err());
    }
}
