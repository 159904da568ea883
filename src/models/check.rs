//! Whether a file is the one that was published, judged by size and hash.
//!
//! Two sources say what to expect: the registry, and the hub itself, whose cache names each file by its hash: the
//! SHA-256 of large files, git's SHA-1 of small ones.

use super::registry::ModelFile;
use crate::progress::Progress;
use anyhow::Result;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The outcome of checking one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All that is known of it holds: the line says what that was.
    Sound(String),
    /// Not what the hub sent, or sent damaged: the line says how.
    Damaged(String),
    /// What the hub sent, yet not what the registry describes: the line says how.
    Other(String),
}

/// The hash that a cache file's name states.
enum Named {
    Sha256,
    GitSha1,
    Nothing,
}

impl Named {
    fn of(blob_name: &str) -> Self {
        match (blob_name.len(), blob_name.bytes().all(|b| b.is_ascii_hexdigit())) {
            (64, true) => Named::Sha256,
            (40, true) => Named::GitSha1,
            _ => Named::Nothing,
        }
    }
}

/// Reads the whole file `path` and compares it with what its name in the cache and the registry's `file` say.
pub fn check(path: &Path, blob_name: &str, file: &ModelFile, progress: &dyn Progress) -> Result<Verdict> {
    let named = Named::of(blob_name);
    let (size, sha256, git_sha1) = hashes(path, &file.file, matches!(named, Named::GitSha1), progress)?;
    let found = match named {
        Named::Sha256 => Some(&sha256),
        Named::GitSha1 => Some(&git_sha1),
        Named::Nothing => None,
    };
    if let Some(found) = found.filter(|&hash| hash != blob_name) {
        return Ok(Verdict::Damaged(format!("its hash is {found}, the hub states {blob_name}")));
    }
    let wrong = match file.size {
        Some(expected) if expected != size => Some(format!("it has {size} bytes, {expected} are expected")),
        _ if !sha256.starts_with(file.sha256_start()) => {
            Some(format!("its sha256 is {sha256}, {} is expected", file.sha256_start()))
        }
        _ => None,
    };
    Ok(match (wrong, found) {
        (None, None) if file.sha256_start().is_empty() => Verdict::Sound("size only: no hash is known".to_string()),
        (None, _) => Verdict::Sound(format!("sha256 {sha256}")),
        (Some(how), Some(_)) => Verdict::Other(how),
        (Some(how), None) => Verdict::Damaged(how),
    })
}

/// Size in bytes, SHA-256, and, if `git` asks for it, SHA-1 as git computes it (over `blob SIZE\0` and the content).
fn hashes(path: &Path, shown: &str, git: bool, progress: &dyn Progress) -> Result<(u64, String, String)> {
    let mut source = File::open(path)?;
    let stated = source.metadata()?.len();
    let (mut sha256, mut sha1) = (Sha256::new(), Sha1::new());
    sha1.update(format!("blob {stated}\0"));
    progress.start(&format!("checking {shown}"), stated, "B");
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        let n = source.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        sha256.update(&buffer[..n]);
        if git {
            sha1.update(&buffer[..n]);
        }
        size += n as u64;
        progress.advance(n as u64);
    }
    progress.finish();
    Ok((size, hex(&sha256.finalize()), hex(&sha1.finalize())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    // `printf 'hello\n' | sha256sum` and `printf 'hello\n' | git hash-object --stdin`
    const SHA256: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    const GIT: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

    fn verdict(blob_name: &str, size: Option<u64>, sha256: Option<&str>) -> Verdict {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "hello\n").unwrap();
        let sha256 = sha256.map(str::to_string);
        let file = ModelFile { file: "x".into(), size, about_bytes: None, sha256, sha256_prefix: None };
        check(&path, blob_name, &file, &Silent).unwrap()
    }

    #[test]
    fn both_kinds_of_names_and_the_registry_are_believed_together() {
        assert!(matches!(verdict(SHA256, Some(6), Some(SHA256)), Verdict::Sound(_)));
        assert!(matches!(verdict(GIT, Some(6), None), Verdict::Sound(_)));
        assert!(matches!(verdict("v1", None, Some(SHA256)), Verdict::Sound(_)));
        assert_eq!(verdict("v1", None, None), Verdict::Sound("size only: no hash is known".into()));
    }

    #[test]
    fn a_file_that_contradicts_its_own_name_is_damaged() {
        assert!(matches!(verdict(&SHA256.replace('5', "6"), None, None), Verdict::Damaged(_)));
        assert!(matches!(verdict(&GIT.replace('c', "d"), None, None), Verdict::Damaged(_)));
        assert!(matches!(verdict("v1", Some(7), None), Verdict::Damaged(_)));
    }

    #[test]
    fn a_sound_file_that_the_registry_does_not_describe_is_another_file() {
        assert!(matches!(verdict(SHA256, Some(7), None), Verdict::Other(_)));
        assert!(matches!(verdict(GIT, None, Some(&SHA256.replace('5', "6"))), Verdict::Other(_)));
    }
}
