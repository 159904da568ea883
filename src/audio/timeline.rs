//! What the container says of a track and symphonia passes over: the edit lists of MP4 (ISO/IEC 14496-12 8.6.6), the byte order
//! of QuickTime's samples, and Matroska's DiscardPadding (RFC 9559 5.1.3.5.7). Only headers are read; nothing is allocated by
//! what they say.

use anyhow::Result;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// Boxes and elements that are looked at: an hour of WebM has 200,000.
const MOST: usize = 5_000_000;
/// Deepest nesting of boxes that matter.
const DEEPEST: usize = 8;

/// What a container says of one track: what of it is to be heard, and how its samples are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Timeline {
    /// Seconds that are cut off at the start.
    pub skip: f64,
    /// Second of the track, as it is stored, from which on no packet is taken any more.
    pub end: Option<f64>,
    /// Seconds that are cut off at the end.
    pub padding: f64,
    /// Whether QuickTime's samples of 24 bits or more are stored with the highest byte first.
    pub is_big_endian: bool,
}

impl Timeline {
    /// Of the track `id` of the file; all of it, where nothing is said.
    pub fn of(file: &File, id: u32) -> Result<Self> {
        let mut reader = BufReader::new(file.try_clone()?);
        reader.seek(SeekFrom::Start(0))?;
        let mut magic = [0; 12];
        let read = read_up_to(&mut reader, &mut magic)?;
        let size = file.metadata()?.len();
        Ok(match &magic {
            [_, _, _, _, b'f', b't', b'y', b'p', ..] | [_, _, _, _, b'm', b'o', b'o', b'v', ..] if read == 12 => {
                let mut movie = Movie { id, ..Movie::default() };
                // A table that is cut short says nothing.
                let _ = boxes(&mut reader, 0, size, 0, &mut movie);
                movie.timeline()
            }
            [0x1A, 0x45, 0xDF, 0xA3, ..] => {
                let discarded = discarded(&mut reader, id.into(), size).unwrap_or(0);
                Self { padding: discarded as f64 * 1e-9, ..Self::default() }
            }
            _ => Self::default(),
        })
    }
}

fn read_up_to(reader: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match reader.read(&mut bytes[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

/// What the boxes say of the track `id`.
#[derive(Default)]
struct Movie {
    id: u32,
    /// Ticks a second.
    scale: u32,
    /// Whether the boxes that come belong to the track.
    ours: bool,
    edits: Vec<Edit>,
    ours_scale: u32,
    is_big_endian: bool,
}

/// Ticks of the movie, and the tick of the media where they begin (-1: nothing is heard).
#[derive(Clone, Copy)]
struct Edit {
    duration: u64,
    start: i64,
}

impl Movie {
    fn timeline(&self) -> Timeline {
        let all = Timeline { is_big_endian: self.is_big_endian, ..Timeline::default() };
        let media: Vec<_> = self.edits.iter().filter(|edit| edit.start >= 0).collect();
        // Several stretches of the media after one another are what no recorder writes: all of it is heard.
        let ([edit], true) = (&media[..], self.ours_scale > 0) else { return all };
        let skip = edit.start as f64 / f64::from(self.ours_scale);
        let lasts = edit.duration as f64 / f64::from(self.scale.max(1));
        Timeline { skip, end: (edit.duration > 0).then_some(skip + lasts), ..all }
    }

    /// Takes what one box says.
    fn take(&mut self, kind: &[u8; 4], body: &[u8]) {
        let long = |at: usize| body.get(at..at + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        let wide = |at: usize| u64::from(long(at)) << 32 | u64::from(long(at + 4));
        let version = body.first().copied().unwrap_or(0);
        match kind {
            b"mvhd" => self.scale = long(if version == 0 { 12 } else { 20 }),
            b"tkhd" => self.ours = long(if version == 0 { 12 } else { 20 }) == self.id,
            b"mdhd" if self.ours => self.ours_scale = long(if version == 0 { 12 } else { 20 }),
            b"elst" if self.ours => {
                let (width, count) = (if version == 0 { 12 } else { 20 }, long(4) as usize);
                let entries = body.get(8..).unwrap_or_default().chunks_exact(width).take(count);
                self.edits = (0..entries.len())
                    .map(|entry| 8 + entry * width)
                    .map(|at| match version {
                        0 => Edit { duration: long(at).into(), start: (long(at + 4) as i32).into() },
                        _ => Edit { duration: wide(at), start: wide(at + 8) as i64 },
                    })
                    .collect();
            }
            b"stsd" if self.ours => self.is_big_endian = is_big_endian(body),
            _ => {}
        }
    }
}

/// Whether the first of these sample entries is of QuickTime's wide samples, which have the highest byte first unless an
/// `enda` of 1 says otherwise (QuickTime File Format, Sound Sample Description Extensions).
fn is_big_endian(entries: &[u8]) -> bool {
    let is_wide =
        entries.get(12..16).is_some_and(|kind| [b"in24", b"in32", b"fl32", b"fl64"].iter().any(|k| *k == kind));
    is_wide && !entries.windows(6).any(|six| six == b"enda\0\x01")
}

/// Walks over the boxes between these bytes, into those that hold others.
fn boxes(reader: &mut BufReader<File>, mut at: u64, end: u64, depth: usize, movie: &mut Movie) -> Result<()> {
    for _ in 0..MOST {
        let mut header = [0; 16];
        reader.seek(SeekFrom::Start(at))?;
        if at >= end || read_up_to(reader, &mut header)? < 8 {
            break;
        }
        let [a, b, c, d, k, i, n, e, wide @ ..] = header;
        let kind = [k, i, n, e];
        let (head, size) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (8, end - at),
            1 => (16, u64::from_be_bytes(wide)),
            size => (8, size.into()),
        };
        let Some(next) = at.checked_add(size).filter(|_| size >= head) else { break };
        match &kind {
            b"moov" | b"trak" | b"edts" | b"mdia" | b"minf" | b"stbl" if depth < DEEPEST => {
                if &kind == b"trak" {
                    movie.ours = false;
                }
                boxes(reader, at + head, next.min(end), depth + 1, movie)?;
            }
            b"mvhd" | b"tkhd" | b"mdhd" | b"elst" | b"stsd" => {
                let mut body = [0; 512];
                reader.seek(SeekFrom::Start(at + head))?;
                let len = (size - head).min(body.len() as u64) as usize;
                let read = read_up_to(reader, &mut body[..len])?;
                movie.take(&kind, &body[..read]);
            }
            _ => {}
        }
        at = next;
    }
    Ok(())
}

/// Elements of Matroska that matter.
const SEGMENT: u64 = 0x1853_8067;
const CLUSTER: u64 = 0x1F43_B675;
const BLOCK_GROUP: u64 = 0xA0;
const BLOCK: u64 = 0xA1;
const SIMPLE_BLOCK: u64 = 0xA3;
const DISCARD_PADDING: u64 = 0x75A2;

/// Nanoseconds at the end of the track `id` that are not to be heard: what its last blocks say, one after the other.
fn discarded(reader: &mut BufReader<File>, id: u64, size: u64) -> Result<u64> {
    let (mut at, mut track, mut padding) = (0, 0, None);
    // Of the blocks before the last one, as far as each of them is cut, and of the last one.
    let (mut before, mut last): (u64, u64) = (0, 0);
    let both = |before: u64, last: u64| if last == 0 { 0 } else { before.saturating_add(last) };
    for _ in 0..MOST {
        if at >= size {
            break;
        }
        let here = reader.stream_position()?;
        reader.seek_relative(at as i64 - here as i64)?;
        let Some((kind, kind_len)) = number(reader, true)? else { break };
        let Some((len, len_len)) = number(reader, false)? else { break };
        at += kind_len + len_len;
        match kind {
            SEGMENT | CLUSTER => continue,
            BLOCK_GROUP => {
                padding = None;
                track = 0;
                continue;
            }
            BLOCK | SIMPLE_BLOCK => {
                track = number(reader, false)?.map_or(0, |(track, _)| track);
                if track == id {
                    before = both(before, last);
                    last = padding.filter(|_| kind == BLOCK).unwrap_or(0);
                }
            }
            DISCARD_PADDING if (1..=8).contains(&len) => {
                let mut bytes = [0; 8];
                reader.read_exact(&mut bytes[8 - len as usize..])?;
                // Negative ones are at the start, and no writer is known to use them.
                let value = if bytes[8 - len as usize] & 0x80 == 0 { u64::from_be_bytes(bytes) } else { 0 };
                padding = Some(value);
                if track == id {
                    last = value;
                }
            }
            _ => {}
        }
        at = at.saturating_add(len);
    }
    Ok(both(before, last))
}

/// An EBML number (RFC 8794 4.4) and its length; of an element's id the marker is part of it. `None`: none.
fn number(reader: &mut impl Read, is_id: bool) -> Result<Option<(u64, u64)>> {
    let mut first = [0];
    if read_up_to(reader, &mut first)? == 0 || first[0] == 0 {
        return Ok(None);
    }
    let more = first[0].leading_zeros() as usize;
    let mut rest = [0; 7];
    if read_up_to(reader, &mut rest[..more])? < more {
        return Ok(None);
    }
    let first = u64::from(first[0]);
    let head = if is_id { first } else { first & (0x7F >> more) };
    Ok(Some((rest[..more].iter().fold(head, |value, &byte| value << 8 | u64::from(byte)), 1 + more as u64)))
}
