//! What the LIST/INFO chunks of a WAV file say.

use super::chunks::Chunks;
use crate::error::Kind;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// The remarks in the WAV file `path`: (tag such as `ISFT`, text), in their order.
pub fn read_info(path: &Path) -> Result<Vec<(String, String)>> {
    info(path).with_context(|| Kind::Input.error(format!("{}: cannot be read as WAV", path.display())))
}

fn info(path: &Path) -> Result<Vec<(String, String)>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let Some(mut chunks) = Chunks::new(BufReader::new(file), 0, size)? else { bail!("not a WAV file") };
    let mut entries = Vec::new();
    while let Some(chunk) = chunks.step()? {
        if &chunk.id == b"LIST" {
            let list = chunks.bytes(&chunk)?;
            entries.extend(list.strip_prefix(b"INFO").map(info_entries).unwrap_or_default());
        }
    }
    Ok(entries)
}

/// `tag size text`, zero-terminated and padded to even length, one after another.
fn info_entries(mut list: &[u8]) -> Vec<(String, String)> {
    let mut entries = Vec::new();
    while let Some(([a, b, c, d, size @ ..], rest)) = list.split_first_chunk::<8>() {
        let len = (u32::from_le_bytes(*size) as usize).min(rest.len());
        let (text, padded) = rest.split_at(len);
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        entries.push((
            String::from_utf8_lossy(&[*a, *b, *c, *d]).into_owned(),
            String::from_utf8_lossy(text).into_owned(),
        ));
        list = padded.get(len % 2..).unwrap_or_default();
    }
    entries
}
