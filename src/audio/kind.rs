//! What a file is that is not read here, by its first bytes, and which codecs a container says it holds: an error names them.

use anyhow::Result;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// Where codecs and protection are looked for: this many bytes at the file's start and end.
pub(super) const SEARCHED: u64 = 1 << 20;

/// Where which bytes are, and in what.
const KINDS: [(usize, &[u8], &str); 18] = [
    (0, b".snd", "AU"),
    (0, b"Creative Voice File", "VOC"),
    (8, b"AVI ", "AVI"),
    (0, b"FLV\x01", "FLV"),
    (0, b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "WMA or WMV"),
    (0, b"\x0B\x77", "Dolby Digital (AC-3)"),
    (0, b"\x7F\xFE\x80\x01", "DTS"),
    (0, b"wvpk", "WavPack"),
    (0, b"TTA", "TTA"),
    (28, b"Speex   ", "Speex"),
    (0, b"#!AMR", "AMR"),
    (0, b".RMF", "RealMedia"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b"DSD ", "DSD"),
    (0, b"FRM8", "DSD"),
    (0, b"MThd", "MIDI, which is notes and no sound"),
];
/// Length of a packet of MPEG-TS, and its first byte.
const TS: (usize, u8) = (188, 0x47);

/// What the file is, if it is of a kind that is known and not read.
pub(super) fn named(file: &File) -> Result<Option<&'static str>> {
    let start = bytes(file, 0, 1 << 10)?;
    let is = |at: usize, magic: &[u8]| start.get(at..).is_some_and(|rest| rest.starts_with(magic));
    let known = KINDS.iter().find(|(at, magic, _)| is(*at, magic)).map(|(.., name)| *name);
    let ts = (0..4).all(|packet| start.get(packet * TS.0) == Some(&TS.1));
    Ok(known.or(ts.then_some("MPEG-TS")))
}

/// The codecs that an MP4, a Matroska file, a CAF or an AIFF-C says it holds, parted by commas.
pub(super) fn codecs(file: &File) -> Result<String> {
    let start = bytes(file, 0, SEARCHED)?;
    let end = bytes(file, file.metadata()?.len().saturating_sub(SEARCHED), SEARCHED)?;
    let mut found = Vec::new();
    match &start[..] {
        [0x1A, 0x45, 0xDF, 0xA3, ..] => found.extend(after(&start, b"A_", 0).map(|id| "A_".to_owned() + &id)),
        [b'c', b'a', b'f', b'f', ..] => found.extend(after(&start, b"desc", 16)),
        [b'F', b'O', b'R', b'M', _, _, _, _, b'A', b'I', b'F', b'C', ..] => found.extend(after(&start, b"COMM", 22)),
        // The start and the end of a small file are the same.
        _ => [start, end].iter().for_each(|part| found.extend(after(part, b"stsd", 12))),
    }
    found.sort();
    found.dedup();
    Ok(found.join(", "))
}

/// The codes that lie `distance` bytes after each `mark`: four characters, of Matroska as many as there are.
fn after<'a>(bytes: &'a [u8], mark: &'static [u8], distance: usize) -> impl Iterator<Item = String> + 'a {
    let longest = if distance == 0 { 24 } else { 4 };
    let marks = bytes.windows(mark.len()).enumerate().filter(move |(_, four)| *four == mark);
    marks.take(8).filter_map(move |(at, _)| {
        let code = bytes.get(at + mark.len() + distance..)?.iter().take(longest);
        let code: String =
            code.take_while(|b| b.is_ascii_alphanumeric() || b"_/.".contains(b)).map(|&b| b as char).collect();
        (code.len() > 2).then_some(code)
    })
}

/// As many of the `len` bytes from `at` on as there are.
pub(super) fn bytes(mut file: &File, at: u64, len: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}
