//! Whether a file is the one that was published, judged by size and hash.
//!
//! Two sources say what to expect: the registry, and the hub itself, whose cache names each file by its hash: the
//! SHA-256 of large files, git's SHA-1 of small ones (package proxies tag a file with its plain SHA-1). What the
//! registry says of a file is enforced where the registry pins a commit; of a branch it is a quote, which gives way to
//! the hub's hash.

use super::registry::{Entry, ModelFile};
use crate::output::hex;
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
    /// What the hub sent, yet not what the registry quotes of a branch: the line says how. It is used.
    Unquoted(String),
    /// Not what the hub sent, or sent damaged: the line says how.
    Damaged(String),
    /// What the hub sent, yet not what the registry describes: the line says how.
    Other(String),
}

/// The hash that a cache file's name states.
#[derive(Clone, Copy, PartialEq)]
enum Named {
    Sha256,
    Sha1,
    Nothing,
}

impl Named {
    fn of(blob_name: &str) -> Self {
        match (blob_name.len(), blob_name.bytes().all(|b| b.is_ascii_hexdigit())) {
            (64, true) => Named::Sha256,
            (40, true) => Named::Sha1,
            _ => Named::Nothing,
        }
    }
}

/// What the registry says of a file.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    pub file: &'a ModelFile,
    /// Of one commit, and so for good.
    pub pinned: bool,
}

impl<'a> Expected<'a> {
    pub fn of(entry: &Entry, file: &'a ModelFile) -> Self {
        Self { file, pinned: is_commit(&entry.revision) }
    }
}

/// Whether a revision is a commit's full hash.
pub fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Size in bytes and hashes of a file as it is.
struct Found {
    size: u64,
    sha256: String,
    /// As git hashes it (over `blob SIZE\0` and the content), and plainly.
    sha1: [String; 2],
}

/// Reads the whole file `path` and compares it with what its name in the cache and the registry say.
pub fn check(path: &Path, blob_name: &str, expected: Expected, progress: &dyn Progress) -> Result<Verdict> {
    let (file, named) = (expected.file, Named::of(blob_name));
    let found = hashes(path, &file.file, named == Named::Sha1, progress)?;
    let wrong = against_registry(&found, file);
    let (stated, holds) = match named {
        Named::Sha256 => (Some(&found.sha256), found.sha256 == blob_name),
        Named::Sha1 => (Some(&found.sha1[0]), found.sha1.iter().any(|hash| hash == blob_name)),
        Named::Nothing => (None, true),
    };
    // A whole hash in the registry that fits is proof enough, whatever a server took its tag from.
    let proven = file.sha256.is_some() && wrong.is_none();
    if let Some(hash) = stated.filter(|_| !holds && !proven) {
        return Ok(Verdict::Damaged(format!("its hash is {hash}, the hub states {blob_name}")));
    }
    Ok(match (wrong, stated) {
        (None, None) if file.sha256_start().is_empty() => Verdict::Sound("size only: no hash is known".to_string()),
        (None, _) => Verdict::Sound(format!("sha256 {}", found.sha256)),
        (Some(how), Some(_)) if expected.pinned => Verdict::Other(how),
        (Some(how), Some(_)) => Verdict::Unquoted(how),
        (Some(how), None) => Verdict::Damaged(how),
    })
}

/// The SHA-256 of the file `path`.
pub fn sha256(path: &Path, shown: &str, progress: &dyn Progress) -> Result<String> {
    Ok(hashes(path, shown, false, progress)?.sha256)
}

/// How the file differs from what the registry says.
fn against_registry(found: &Found, file: &ModelFile) -> Option<String> {
    let Found { size, sha256, .. } = found;
    match file.size {
        Some(expected) if expected != *size => Some(format!("it has {size} bytes, {expected} are expected")),
        _ if !sha256.starts_with(file.sha256_start()) => {
            Some(format!("its sha256 is {sha256}, {} is expected", file.sha256_start()))
        }
        _ => None,
    }
}

fn hashes(path: &Path, shown: &str, with_sha1: bool, progress: &dyn Progress) -> Result<Found> {
    let mut source = File::open(path)?;
    let stated = source.metadata()?.len();
    let (mut sha256, mut git, mut plain) = (Sha256::new(), Sha1::new(), Sha1::new());
    git.update(format!("blob {stated}\0"));
    progress.start(&format!("checking {shown}"), stated, "B");
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        let n = source.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        sha256.update(&buffer[..n]);
        if with_sha1 {
            git.update(&buffer[..n]);
            plain.update(&buffer[..n]);
        }
        size += n as u64;
        progress.advance(n as u64);
    }
    progress.finish();
    Ok(Found { size, sha256: hex(&sha256.finalize()), sha1: [hex(&git.finalize()), hex(&plain.finalize())] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    // `printf 'hello\n' | sha256sum`, `| git hash-object --stdin`, `| sha1sum`
    const SHA256: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    const GIT: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
    const SHA1: &str = "f572d396fae9206628714fb2ce00f72e94f2258f";

    fn verdict(blob_name: &str, size: Option<u64>, sha256: Option<&str>, pinned: bool) -> Verdict {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "hello\n").unwrap();
        let sha256 = sha256.map(str::to_string);
        let file = ModelFile { file: "x".into(), size, about_bytes: None, sha256, sha256_prefix: None };
        check(&path, blob_name, Expected { file: &file, pinned }, &Silent).unwrap()
    }

    #[test]
    fn all_kinds_of_names_and_the_registry_are_believed_together() {
        for pinned in [true, false] {
            assert!(matches!(verdict(SHA256, Some(6), Some(SHA256), pinned), Verdict::Sound(_)));
            assert!(matches!(verdict(GIT, Some(6), None, pinned), Verdict::Sound(_)));
            assert!(matches!(verdict(SHA1, None, None, pinned), Verdict::Sound(_)));
            assert!(matches!(verdict("v1", None, Some(SHA256), pinned), Verdict::Sound(_)));
            assert_eq!(verdict("v1", None, None, pinned), Verdict::Sound("size only: no hash is known".into()));
        }
    }

    #[test]
    fn a_file_that_contradicts_its_own_name_is_damaged_unless_the_registry_knows_it_whole() {
        for pinned in [true, false] {
            assert!(matches!(verdict(&SHA256.replace('5', "6"), None, None, pinned), Verdict::Damaged(_)));
            assert!(matches!(verdict(&GIT.replace('c', "d"), None, None, pinned), Verdict::Damaged(_)));
            assert!(matches!(verdict("v1", Some(7), None, pinned), Verdict::Damaged(_)));
            assert!(matches!(verdict(&GIT.replace('c', "d"), None, Some(SHA256), pinned), Verdict::Sound(_)));
        }
    }

    #[test]
    fn a_quote_gives_way_to_the_hubs_own_hash_and_a_pin_does_not() {
        let other = SHA256.replace('5', "6");
        for (name, size, sha256) in [(SHA256, Some(7), None), (GIT, None, Some(other.as_str()))] {
            assert!(matches!(verdict(name, size, sha256, false), Verdict::Unquoted(_)));
            assert!(matches!(verdict(name, size, sha256, true), Verdict::Other(_)));
        }
    }
}
