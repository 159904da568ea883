//! Files as memory: what is never touched is never read, and what is touched can be dropped by the system again.

use crate::error::Kind;
use crate::net::weights::Bytes;
use anyhow::{Context, Result, ensure};
use memmap2::Mmap;
use std::fs::File;
use std::path::Path;

/// Maps a model file; refuses folders, devices and empty files.
pub fn map(path: &Path) -> Result<Bytes> {
    let unreadable = || Kind::Model.error(format!("{}: cannot be read", path.display()));
    let file = File::open(path).with_context(unreadable)?;
    let metadata = file.metadata().with_context(unreadable)?;
    ensure!(metadata.is_file(), Kind::Model.error(format!("{}: a file was expected", path.display())));
    ensure!(
        metadata.len() > 0,
        Kind::Model.error(format!("{}: the file is empty: delete it and fetch it again", path.display()))
    );
    // SAFETY: the map is read-only and handed out as plain bytes. Model files are not rewritten in place while in
    // use; should another program cut one short meanwhile, the system ends this process.
    let map = unsafe { Mmap::map(&file) }.with_context(unreadable)?;
    Ok(Bytes::new(map))
}
