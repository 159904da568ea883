//! The zip container: `<any>/data.pkl` describes, `<any>/data/<key>` are the storages, stored uncompressed.

use crate::net::weights::Bytes;
use ::zip::{CompressionMethod, ZipArchive};
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::ops::Range;

/// The longest end of a zip file: its fixed part and a comment of 64 KiB.
const LONGEST_END: usize = 22 + 0xffff;
const END_MAGIC: &[u8] = b"PK\x05\x06";
/// A note is a line of JSON.
const LONGEST_NOTE: u64 = 1 << 24;

/// An archive's entries by name; only those asked for are looked at.
pub(super) struct Archive {
    zip: ZipArchive<Cursor<Bytes>>,
    map: Bytes,
    entries: HashMap<String, usize>,
    /// `<any>/`
    folder: String,
}

impl Archive {
    pub fn open(map: Bytes) -> Result<Self> {
        let end = &map[map.len().saturating_sub(LONGEST_END)..];
        ensure!(
            end.windows(END_MAGIC.len()).any(|window| window == END_MAGIC),
            "the archive's end is missing: the file is cut short, fetch it again"
        );
        let zip = ZipArchive::new(Cursor::new(map.clone())).context("the zip archive is damaged: fetch it again")?;
        let name = |i| zip.name_for_index(i).and_then(Result::ok).map(|name| (name.into_owned(), i));
        let entries: HashMap<_, _> = (0..zip.len()).filter_map(name).collect();
        let described = entries.keys().filter_map(|name| name.strip_suffix("data.pkl"));
        let mut folders: Vec<_> = described.filter(|f| f.is_empty() || f.ends_with('/')).map(str::to_owned).collect();
        folders.sort();
        let folder = match folders.as_slice() {
            [] => bail!("a zip archive without `data.pkl`: not a file that torch.save wrote"),
            [folder] => folder.clone(),
            _ => bail!("a zip archive with several `data.pkl`: not a file that torch.save wrote"),
        };
        ensure!(
            !entries.contains_key(&format!("{folder}constants.pkl")),
            "a TorchScript program: the model's state dict was expected"
        );
        let archive = Self { zip, map, entries, folder };
        archive.check_byte_order()?;
        Ok(archive)
    }

    fn check_byte_order(&self) -> Result<()> {
        let Some(range) = self.range(&format!("{}byteorder", self.folder)).transpose()? else { return Ok(()) };
        ensure!(&self.map[range] == b"little", "its numbers are big-endian: save it again on a little-endian machine");
        Ok(())
    }

    /// Where the pickle lies in the file.
    pub fn description(&self) -> Result<Range<usize>> {
        self.range(&format!("{}data.pkl", self.folder)).context("`data.pkl` is missing")?
    }

    /// Where the storage `key` lies in the file.
    pub fn storage(&self, key: &str) -> Result<Range<usize>> {
        self.range(&format!("{}data/{key}", self.folder)).with_context(|| format!("storage {key} is missing"))?
    }

    /// The text of `<any folder>/<note>`; that folder may differ from the tensors'.
    pub fn note(&self, note: &str) -> Result<Option<String>> {
        let named = |name: &&String| name.strip_suffix(note).is_some_and(|at| at.is_empty() || at.ends_with('/'));
        let Some(index) = self.entries.keys().filter(named).min().map(|name| self.entries[name]) else {
            return Ok(None);
        };
        let mut zip = self.zip.clone();
        let mut text = String::new();
        zip.by_index(index)?
            .take(LONGEST_NOTE)
            .read_to_string(&mut text)
            .with_context(|| format!("`{note}` is damaged"))?;
        Ok(Some(text))
    }

    fn range(&self, name: &str) -> Option<Result<Range<usize>>> {
        self.entries.get(name).map(|&index| self.stored_range(index).with_context(|| format!("archive entry `{name}`")))
    }

    fn stored_range(&self, index: usize) -> Result<Range<usize>> {
        let mut zip = self.zip.clone();
        let entry = zip.by_index_raw(index)?;
        let stored = entry.compression() == CompressionMethod::Stored && !entry.encrypted();
        ensure!(stored && entry.size() == entry.compressed_size(), "it is compressed: torch.save stores entries as is");
        let start = entry.data_start().context("its place is unknown")?;
        let end = start.checked_add(entry.size()).context("its size is absurd")?;
        let range = usize::try_from(start)?..usize::try_from(end)?;
        let len = self.map.len();
        ensure!(range.end <= len, "it reaches to byte {end} of a file of {len}: the file is cut short");
        Ok(range)
    }
}
