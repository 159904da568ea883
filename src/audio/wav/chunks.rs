//! The chunks of a WAV file: `RIFF size WAVE`, then `id size bytes` each, padded to even length (Microsoft, "Multimedia
//! Programming Interface and Data Specifications 1.0", 1991); RIFX, which is the same in big-endian; RF64 and BW64, whose sizes are
//! in a `ds64` chunk (EBU Tech 3306, ITU-R BS.2088); and Sony's W64, whose ids are GUIDs and sizes 64 bits, header counted in.

use anyhow::{Result, ensure};
use std::io::{Read, Seek, SeekFrom};

/// No sane file has more chunks; bounds the walk over a hostile one.
const MAX_CHUNKS: usize = 1_000;
/// Longest chunk that is read into memory (`fmt `, `LIST`).
const MAX_BYTES: u64 = 1 << 20;
/// A 32-bit size that says that the true one is elsewhere, or unknown.
const UNKNOWN: u64 = u32::MAX as u64;

/// GUIDs of Sony's W64: the file's, and what follows the four letters of `wave` and of the chunks that matter here.
const W64_RIFF: &[u8; 16] = b"riff\x2E\x91\xCF\x11\xA5\xD6\x28\xDB\x04\xC1\0\0";
const W64_TAIL: &[u8; 12] = b"\xF3\xAC\xD3\x11\x8C\xD1\0\xC0\x4F\x8E\xDB\x8A";

/// How chunks are told apart and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Riff,
    /// Big-endian.
    Rifx,
    W64,
}

/// One chunk: its id, where its bytes start, and how many the header promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::audio) struct Chunk {
    pub id: [u8; 4],
    pub start: u64,
    pub len: u64,
}

/// A walk over the chunks of a file that is `size` bytes long.
pub(in crate::audio) struct Chunks<R> {
    reader: R,
    layout: Layout,
    size: u64,
    next: u64,
    count: usize,
    /// Size of `data` as a `ds64` chunk tells it.
    data: Option<u64>,
}

impl<R: Read + Seek> Chunks<R> {
    /// Checks the header that begins at byte `start`; `None` if this is another kind of file.
    pub fn new(mut reader: R, start: u64, size: u64) -> Result<Option<Self>> {
        let mut header = [0; 40];
        reader.seek(SeekFrom::Start(start))?;
        let read = size.saturating_sub(start).min(40) as usize;
        reader.read_exact(&mut header[..read])?;
        let layout = match (&header[..4], &header[8..12]) {
            (b"RIFF" | b"RF64" | b"BW64", b"WAVE") => Layout::Riff,
            (b"RIFX", b"WAVE") => Layout::Rifx,
            _ if header.starts_with(W64_RIFF) && &header[24..28] == b"wave" => Layout::W64,
            _ => return Ok(None),
        };
        let next = start + if layout == Layout::W64 { 40 } else { 12 };
        Ok(Some(Self { reader, layout, size, next, count: 0, data: None }))
    }

    /// Whether numbers, samples among them, begin with their highest byte.
    pub fn is_big_endian(&self) -> bool {
        self.layout == Layout::Rifx
    }

    /// The next chunk, or `None` at the end of the file.
    pub fn step(&mut self) -> Result<Option<Chunk>> {
        let Some(chunk) = self.chunk_at(self.next)? else { return Ok(None) };
        self.count += 1;
        ensure!(self.count <= MAX_CHUNKS, "more than {MAX_CHUNKS} chunks: damaged");
        self.next = self.after(&chunk)?;
        if &chunk.id == b"ds64" && self.layout == Layout::Riff {
            self.data = self.bytes(&chunk)?.get(8..16).map(|b| u64::from_le_bytes(b.try_into().unwrap_or_default()));
        }
        Ok(Some(match self.data {
            Some(len) if &chunk.id == b"data" && chunk.len == UNKNOWN => Chunk { len, ..chunk },
            _ => chunk,
        }))
    }

    /// Where the chunk after this one begins. Some writers leave out the pad byte after an odd length.
    fn after(&mut self, chunk: &Chunk) -> Result<u64> {
        let end = chunk.start.saturating_add(chunk.len);
        if self.layout == Layout::W64 {
            return Ok(end.checked_next_multiple_of(8).unwrap_or(u64::MAX));
        }
        let padded = end.saturating_add(chunk.len % 2);
        let known = |chunk: Option<Chunk>| chunk.is_some_and(|c| [b"fmt ", b"data", b"LIST", b"fact"].contains(&&c.id));
        Ok(if end != padded && known(self.chunk_at(end)?) && !known(self.chunk_at(padded)?) { end } else { padded })
    }

    /// What a chunk's header at byte `at` says, if there is room for one.
    fn chunk_at(&mut self, at: u64) -> Result<Option<Chunk>> {
        let header_len = if self.layout == Layout::W64 { 24 } else { 8 };
        let start = at.saturating_add(header_len);
        if start > self.size {
            return Ok(None);
        }
        let mut header = [0; 24];
        self.reader.seek(SeekFrom::Start(at))?;
        self.reader.read_exact(&mut header[..header_len as usize])?;
        let [a, b, c, d, e, f, g, h, tail @ ..] = header;
        let (id, size) = ([a, b, c, d], [e, f, g, h]);
        let len = match self.layout {
            Layout::Riff => u32::from_le_bytes(size).into(),
            Layout::Rifx => u32::from_be_bytes(size).into(),
            Layout::W64 => {
                let whole = u64::from_le_bytes(tail[8..].try_into().unwrap_or_default());
                // Ids with another tail are none of those that are looked for.
                let ours = size == W64_TAIL[..4] && tail[..8] == W64_TAIL[4..];
                let id = if ours { id } else { *b"    " };
                return Ok(Some(Chunk { id, start, len: whole.saturating_sub(header_len) }));
            }
        };
        Ok(Some(Chunk { id, start, len }))
    }

    /// Whether what begins at byte `at` looks like chunks up to the end of the file.
    pub fn are_chunks(&mut self, mut at: u64) -> Result<bool> {
        for _ in 0..MAX_CHUNKS {
            let Some(chunk) = self.chunk_at(at)? else { return Ok(at == self.size) };
            if !chunk.id.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
                return Ok(false);
            }
            at = self.after(&chunk)?;
        }
        Ok(false)
    }

    /// The bytes of a short chunk.
    pub fn bytes(&mut self, chunk: &Chunk) -> Result<Vec<u8>> {
        let name = chunk.id.escape_ascii();
        let end = chunk.start.saturating_add(chunk.len);
        ensure!(end <= self.size, "the file ends within its `{name}` chunk");
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn walk(bytes: &[u8]) -> Result<Vec<(String, u64)>> {
        let mut chunks =
            Chunks::new(Cursor::new(bytes), 0, bytes.len() as u64)?.ok_or_else(|| anyhow::anyhow!("not RIFF/WAVE"))?;
        let mut seen = Vec::new();
        while let Some(chunk) = chunks.step()? {
            seen.push((chunk.id.escape_ascii().to_string(), chunk.len));
        }
        Ok(seen)
    }

    #[test]
    fn odd_chunks_are_padded_or_not() {
        let expected = [("odd ".to_owned(), 3), ("data".to_owned(), 2)];
        assert_eq!(walk(b"RIFF\0\0\0\0WAVEodd \x03\0\0\0abc\0data\x02\0\0\0de").unwrap(), expected);
        assert_eq!(walk(b"RIFF\0\0\0\0WAVEodd \x03\0\0\0abcdata\x02\0\0\0de").unwrap(), expected);
    }

    #[test]
    fn big_endian_and_64_bit_headers_are_walked() {
        let rifx = b"RIFX\0\0\0\0WAVEodd \0\0\0\x03abc\0data\0\0\0\x02de";
        assert_eq!(walk(rifx).unwrap(), [("odd ".to_owned(), 3), ("data".to_owned(), 2)]);
        let ds64 = [&[0; 8][..], &2u64.to_le_bytes(), &[0; 12]].concat();
        let rf64 = [b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0", &ds64[..], b"data\xff\xff\xff\xffde"].concat();
        assert_eq!(walk(&rf64).unwrap(), [("ds64".to_owned(), 28), ("data".to_owned(), 2)]);
        let chunk = |id: &[u8], len: u64, bytes: &[u8]| [id, W64_TAIL, &(len + 24).to_le_bytes(), bytes].concat();
        let head = [&W64_RIFF[..], &[0; 8], b"wave", W64_TAIL].concat();
        let w64 = [head, chunk(b"odd ", 3, b"abc\0\0\0\0\0"), chunk(b"data", 2, b"de")].concat();
        assert_eq!(walk(&w64).unwrap(), [("odd ".to_owned(), 3), ("data".to_owned(), 2)]);
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
        let mut chunks = Chunks::new(Cursor::new(&file[..]), 0, file.len() as u64).unwrap().unwrap();
        let chunk = chunks.step().unwrap().unwrap();
        assert!(chunks.bytes(&chunk).unwrap_err().to_string().contains("ends within"));
        assert!(chunks.step().unwrap().is_none());
    }
}
