//! How much a disk still takes.

use std::path::Path;

/// Bytes that may still be written below `folder`, which need not exist yet; `None` where the system does not say.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let existing = folder.ancestors().find(|path| path.is_dir())?;
    of_existing(existing)
}

#[cfg(unix)]
fn of_existing(folder: &Path) -> Option<u64> {
    let told = rustix::fs::statvfs(folder).ok()?;
    // Some network file systems do not know: they say nothing of their size.
    (told.f_blocks > 0).then(|| told.f_bavail.saturating_mul(told.f_frsize))
}

#[cfg(not(unix))]
fn of_existing(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_yet_to_be_made_has_the_room_of_its_parent() {
        let folder = tempfile::tempdir().unwrap();
        let deep = free_bytes(&folder.path().join("a/b/c"));
        assert!(deep.is_some_and(|bytes| bytes > 0));
    }
}
