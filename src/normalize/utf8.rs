//! The bytes of a text file -> UTF-8, whichever of Unicode's encodings it was saved in.

use std::io::{BufRead, BufReader, Cursor, Error, ErrorKind, Read, Result};

/// Two bytes in one of their two orders.
type Unit = fn([u8; 2]) -> u16;

/// Bytes that tell UTF-16 without a mark.
const LOOKED_AT: usize = 64;
/// Bytes of UTF-16 that are read: unlike UTF-8, it is held in memory.
const MOST_UTF16: u64 = 256 << 20;

/// Line ends become `\n`. UTF-16 becomes UTF-8, by its mark or because it begins as such a text does (PowerShell's `>`, Notepad's "Unicode"); a
/// mark of UTF-8 goes. All else stays as it is: whether it is UTF-8 is for who reads lines to tell.
pub fn utf8<R: BufRead>(mut reader: R) -> Result<impl BufRead + use<R>> {
    let (unit, mark): (Option<Unit>, usize) = match reader.fill_buf()? {
        [0xef, 0xbb, 0xbf, ..] => (None, 3),
        [0xff, 0xfe, ..] => (Some(u16::from_le_bytes), 2),
        [0xfe, 0xff, ..] => (Some(u16::from_be_bytes), 2),
        begin if is_utf16(begin, u16::from_le_bytes) => (Some(u16::from_le_bytes), 0),
        begin if is_utf16(begin, u16::from_be_bytes) => (Some(u16::from_be_bytes), 0),
        _ => (None, 0),
    };
    reader.consume(mark);
    let decoded = unit.map(|unit| utf16(&mut reader, unit)).transpose()?.unwrap_or_default();
    // Of UTF-16 nothing is left to read.
    Ok(BufReader::new(LineEnds { reader: Cursor::new(decoded).chain(reader), returns: 0 }))
}

/// `\r\n`, and the `\r` alone of old Macs, as `\n`.
struct LineEnds<R> {
    reader: R,
    /// Carriage returns that are read, and not yet known to end a line each.
    returns: usize,
}

impl<R: BufRead> Read for LineEnds<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let (mut made, mut room) = (0, out.iter_mut());
        while made == 0 && room.len() > 0 {
            let read = self.reader.fill_buf()?;
            if read.is_empty() {
                return Ok(put(&mut self.returns, &mut room));
            }
            let mut used = 0;
            for &byte in read {
                match byte {
                    b'\r' => self.returns += 1,
                    b'\n' => self.returns = 0,
                    _ => made += put(&mut self.returns, &mut room),
                }
                if byte != b'\r' {
                    let Some(place) = room.next() else { break };
                    (*place, made) = (byte, made + 1);
                }
                used += 1;
            }
            self.reader.consume(used);
        }
        Ok(made)
    }
}

/// A line's end for each of `returns`, as far as there is room; how many.
fn put<'a>(returns: &mut usize, room: &mut impl Iterator<Item = &'a mut u8>) -> usize {
    let ends = room.take(*returns).map(|place| *place = b'\n').count();
    *returns -= ends;
    ends
}

/// Whether bytes without a mark begin as UTF-16 of this order: with ASCII, a zero byte of which is no letter of UTF-8,
/// and then with units of Latin, Greek or Cyrillic letters, punctuation, or halves of what is beyond 16 bits.
fn is_utf16(begin: &[u8], unit: Unit) -> bool {
    let (pairs, _) = begin[..begin.len().min(LOOKED_AT)].as_chunks();
    let text = |unit: u16| matches!(unit, 0x0009..=0x052f | 0x1e00..=0x20ff | 0xd800..=0xdfff);
    let mut units = pairs.iter().copied().map(unit);
    units.next().is_some_and(|first| (1..128).contains(&first)) && units.all(text)
}

/// All of `reader`, of units of two bytes.
fn utf16(reader: &mut impl Read, unit: Unit) -> Result<String> {
    let mut bytes = Vec::new();
    if reader.take(MOST_UTF16).read_to_end(&mut bytes)? as u64 == MOST_UTF16 {
        let why = format!("it is UTF-16 of {} MiB or more: save it as UTF-8", MOST_UTF16 >> 20);
        return Err(Error::new(ErrorKind::FileTooLarge, why));
    }
    let (pairs, odd) = bytes.as_chunks();
    let units = pairs.iter().copied().map(unit);
    let text = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    Ok(text.chain(odd.iter().map(|_| char::REPLACEMENT_CHARACTER)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn read(bytes: &[u8]) -> Vec<u8> {
        let mut read = Vec::new();
        utf8(bytes).unwrap().read_to_end(&mut read).unwrap();
        read
    }

    #[test]
    fn utf16_of_either_order_with_and_without_a_mark_is_read() {
        let text = "Olá, ação 🎉\r\nfim";
        let bytes = |mark: bool, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let mark = if mark { "\u{feff}" } else { "" };
            mark.encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
        };
        for mark in [true, false] {
            assert_eq!(read(&bytes(mark, u16::to_le_bytes)), text.replace('\r', "").as_bytes());
            assert_eq!(read(&bytes(mark, u16::to_be_bytes)), text.replace('\r', "").as_bytes());
        }
    }

    #[test]
    fn broken_utf16_shows_where() {
        assert_eq!(read(b"\xff\xfea\0\x3d\xd8b\0\x01"), "a\u{fffd}b\u{fffd}".as_bytes());
    }

    #[test]
    fn line_ends_of_all_systems_become_one_however_little_is_read_at_a_time() {
        let text = b"a\rb\r\nc\nd\r\re\r\r\nf\r";
        assert_eq!(read(text), b"a\nb\nc\nd\n\ne\nf\n");
        for (size, room) in [(1, 1), (2, 1), (1, 3), (3, 2)] {
            let reader = BufReader::with_capacity(size, &text[..]);
            let (mut ends, mut all, mut part) = (LineEnds { reader, returns: 0 }, Vec::new(), vec![0; room]);
            while let count @ 1.. = ends.read(&mut part).unwrap() {
                all.extend_from_slice(&part[..count]);
            }
            assert_eq!(all, b"a\nb\nc\nd\n\ne\nf\n", "{size} {room}");
        }
    }

    #[test]
    fn utf8_loses_its_mark_and_what_is_neither_stays() {
        assert_eq!(read("\u{feff}Olá".as_bytes()), "Olá".as_bytes());
        for bytes in [&b""[..], b"a", b"caf\xe9", b"\xff", "Olá".as_bytes(), b"\0\0", b"a\0b\nc\0\n", b"\0a\nb\0c"] {
            assert_eq!(read(bytes), bytes);
        }
    }
}
