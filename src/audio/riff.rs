//! The chunks of a RIFF/WAVE file: `RIFF size WAVE`, then `id size bytes` each, padded to even length.
//! (Microsoft, "Multimedia Programming Interface and Data Specifications 1.0", 1991.)

use crate::error::Kind;
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// No sane file has more chunks; bounds the walk over a hostile one.
const MAX_CHUNKS: usize = 1_000;
/// Longest chunk that is read into memory (`fmt `, `LIST`).
const MAX_BYTES: u64 = 1 << 20;

/// One chunk: its id, where its bytes start, and how many the header promises.
pub(super) struct Chunk {
    pub id: [u8; 4],
    pub start: u64,
    pub len: u64,
}

/// A walk over the chunks of a file that is `size` bytes long.
pub(super) struct Chunks<R> {
    reader: R,
    size: u64,
    next: u64,
    count: usize,
}

impl<R: Read + Seek> Chunks<R> {
    /// Checks the RIFF/WAVE header; `None` if this is another kind of file.
    pub fn new(mut reader: R, size: u64) -> Result<Option<Self>> {
        let mut header = [0; 12];
        if size < 12 {
            return Ok(None);
        }
        reader.read_exact(&mut header)?;
        let is_wave = &header[..4] == b"RIFF" && &header[8..] == b"WAVE";
        Ok(is_wave.then_some(Self { reader, size, next: 12, count: 0 }))
    }

    /// The next chunk, or `None` at the end of the file.
    pub fn step(&mut self) -> Result<Option<Chunk>> {
        if self.next + 8 > self.size {
            return Ok(None);
        }
        self.count += 1;
        ensure!(self.count <= MAX_CHUNKS, "more than {MAX_CHUNKS} chunks: damaged");
        let mut header = [0; 8];
        self.reader.seek(SeekFrom::Start(self.next))?;
        self.reader.read_exact(&mut header)?;
        let [a, b, c, d, size @ ..] = header;
        let len = u64::from(u32::from_le_bytes(size));
        let start = self.next + 8;
        self.next = start + len + len % 2;
        Ok(Some(Chunk { id: [a, b, c, d], start, len }))
    }

    /// The bytes of a short chunk.
    pub fn bytes(&mut self, chunk: &Chunk) -> Result<Vec<u8>> {
        let name = chunk.id.escape_ascii();
        ensure!(chunk.start + chunk.len <= self.size, "the file ends within its `{name}` chunk");
        ensure!(chunk.len <= MAX_BYTES, "its `{name}` chunk is absurdly long ({} bytes)", chunk.len);
        let mut bytes = vec![0; chunk.len as usize];
        self.reader.seek(SeekFrom::Start(chunk.start))?;
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The reader, wherever the walk has left it.
    pub fn into_reader(self) -> R {
        self.reader
    }
}

/// What the LIST/INFO chunks of the WAV file `path` say: (tag such as `ISFT`, text), in their order.
pub fn read_info(path: &Path) -> Result<Vec<(String, String)>> {
    info(path).with_context(|| Kind::Input.error(format!("{}: cannot be read as WAV", path.display())))
}

fn info(path: &Path) -> Result<Vec<(String, String)>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let Some(mut chunks) = Chunks::new(BufReader::new(file), size)? else { bail!("not a WAV file") };
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn walk(bytes: &[u8]) -> Result<Vec<(String, u64)>> {
        let mut chunks = Chunks::new(Cursor::new(bytes), bytes.len() as u64)?.context("not RIFF/WAVE")?;
        let mut seen = Vec::new();
        while let Some(chunk) = chunks.step()? {
            seen.push((chunk.id.escape_ascii().to_string(), chunk.len));
        }
        Ok(seen)
    }

    #[test]
    fn odd_chunks_are_padded() {
        let file = b"RIFF\0\0\0\0WAVEodd \x03\0\0\0abc\0next\x02\0\0\0de";
        assert_eq!(walk(file).unwrap(), [("odd ".to_owned(), 3), ("next".to_owned(), 2)]);
    }

    #[test]
    fn endless_chunks_and_other_files_are_refused() {
        let mut file = b"RIFF\0\0\0\0WAVE".to_vec();
        file.extend(b"junk\0\0\0\0".repeat(MAX_CHUNKS + 1));
        assert!(walk(&file).unwrap_err().to_string().contains("1000 chunks"));
        assert!(walk(b"RIFF").is_err());
        assert!(walk(b"RIFF\0\0\0\0AVI LIST").is_err());
    }

    #[test]
    fn a_chunk_longer_than_the_file_is_not_read() {
        let file = b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\xff";
        let mut chunks = Chunks::new(Cursor::new(&file[..]), file.len() as u64).unwrap().unwrap();
        let chunk = chunks.step().unwrap().unwrap();
        assert!(chunks.bytes(&chunk).unwrap_err().to_string().contains("ends within"));
        assert!(chunks.step().unwrap().is_none());
    }
}
