//! Bytes -> samples in [-1, 1]: integers of any width are scaled by 2^(1 - bits), as torchaudio and soundfile do (8 bits are
//! unsigned), A-law and mu-law are expanded to 16 bits (ITU-T G.711).

use super::format::{Coding, Format};
use anyhow::Result;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

/// Bytes that are looked at in one go.
const BLOCK: usize = 1 << 16;
/// Samples by which floats are told from integers.
const TELLING: u64 = 1 << 14;

/// How one sample is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub bytes: usize,
    kind: Kind,
    big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Signed, but for one byte; `spare` bits at the top do not count.
    Integer {
        spare: u32,
    },
    Float,
    ALaw,
    MuLaw,
}

impl Sample {
    /// What lies in the bytes `data` of `reader`; `None`: nothing that is a sample by itself.
    pub fn of<R: Read + Seek>(
        format: &Format,
        data: Range<u64>,
        big_endian: bool,
        reader: &mut R,
    ) -> Result<Option<Self>> {
        let is = |bytes, kind| Ok(Some(Self { bytes, kind, big_endian }));
        match format.coding {
            Coding::Floats => is(format.bytes, Kind::Float),
            Coding::ALaw => is(1, Kind::ALaw),
            Coding::MuLaw => is(1, Kind::MuLaw),
            Coding::Integers { bits } => integers(format, bits, data, big_endian, reader).map(Some),
            Coding::Unnamed if format.bytes == 4 && are_floats(data.clone(), big_endian, reader)? => is(4, Kind::Float),
            Coding::Unnamed => integers(format, 8 * format.bytes as u16, data, big_endian, reader).map(Some),
            _ => Ok(None),
        }
    }

    /// What its place in its bytes follows from, where that is not the header.
    pub fn assumed(&self) -> Option<String> {
        let Kind::Integer { spare: spare @ 1.. } = self.kind else { return None };
        let bits = 8 * self.bytes as u32 - spare;
        Some(format!("its samples of {bits} bits lie at the bottom of {} bytes each, as their values show", self.bytes))
    }

    /// The sample in these bytes.
    pub fn value(&self, bytes: &[u8]) -> f32 {
        let word = word(bytes, self.big_endian);
        match self.kind {
            Kind::Integer { spare } => {
                // 8 bits are unsigned, around 128.
                let signed = if self.bytes == 1 { word ^ (1 << 63) } else { word << spare } as i64;
                if self.bytes > 4 {
                    (signed as f64 * 2f64.powi(-63)) as f32
                } else {
                    (signed >> 32) as f32 * 2f32.powi(-31)
                }
            }
            Kind::Float if self.bytes == 4 => f32::from_bits((word >> 32) as u32),
            Kind::Float => f64::from_bits(word) as f32,
            Kind::ALaw => f32::from(alaw(bytes[0])) / 32_768.0,
            Kind::MuLaw => f32::from(mulaw(bytes[0])) / 32_768.0,
        }
    }
}

/// Up to eight bytes as the upper ones of a number.
fn word(bytes: &[u8], big_endian: bool) -> u64 {
    let mut word = [0; 8];
    if big_endian {
        word[..bytes.len()].copy_from_slice(bytes);
        return u64::from_be_bytes(word);
    }
    word[8 - bytes.len()..].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

/// Where integers of `bits` lie in their bytes. At the top, says Microsoft; `arecord` and others put them at the bottom, and
/// where the frame's length is wrong there are no more bytes than the bits need. The samples tell: all unused bits are clear, or
/// they repeat the sign.
fn integers<R: Read + Seek>(
    format: &Format,
    bits: u16,
    data: Range<u64>,
    big_endian: bool,
    reader: &mut R,
) -> Result<Sample> {
    let (tight, wide) = (format.bytes, format.wide);
    let bytes = if wide > tight && wide <= 8 { wide } else { tight };
    let integer = |bytes, spare| Sample { bytes, kind: Kind::Integer { spare }, big_endian };
    let spare = (8 * bytes as u32).saturating_sub(bits.into());
    if spare == 0 || bytes == 1 {
        return Ok(integer(bytes, 0));
    }
    let (clear, signs) = unused(bytes, spare, data, big_endian, reader)?;
    Ok(match (clear, signs) {
        (false, true) => integer(bytes, spare),
        (true, true) if !format.extensible => integer(bytes, spare),
        (true, _) => integer(bytes, 0),
        // All bits are used. Three bytes in frames of four are four; else the frame's length is what is wrong.
        (false, false) if bytes == tight || (tight, wide) == (3, 4) => integer(bytes, 0),
        (false, false) => integer(tight, 0),
    })
}

/// Whether the lowest `spare` bits of all samples are clear, and whether their highest are all the same.
fn unused<R: Read + Seek>(
    bytes: usize,
    spare: u32,
    data: Range<u64>,
    big_endian: bool,
    reader: &mut R,
) -> Result<(bool, bool)> {
    let (mut clear, mut signs) = (true, true);
    let (empty, top) = (64 - 8 * bytes as u32, u64::MAX << (64 - spare));
    let low = ((1u64 << spare) - 1) << empty;
    scan(data, bytes, reader, |sample| {
        let word = word(sample, big_endian);
        clear &= word & low == 0;
        signs &= word & top == 0 || word & top == top;
        clear || signs
    })?;
    Ok((clear, signs))
}

/// Whether four bytes at a time make floats that are sound: integers would be not-a-numbers, or next to nothing.
fn are_floats<R: Read + Seek>(data: Range<u64>, big_endian: bool, reader: &mut R) -> Result<bool> {
    let (mut floats, mut sound) = (true, false);
    let end = data.end.min(data.start + 4 * TELLING);
    scan(data.start..end, 4, reader, |sample| {
        let value = f32::from_bits((word(sample, big_endian) >> 32) as u32);
        floats &= value == 0.0 || (1e-12..=8.0).contains(&value.abs());
        sound |= value != 0.0;
        floats
    })?;
    Ok(floats && sound)
}

/// Shows `look` one sample after another, until it has seen enough.
fn scan<R: Read + Seek>(
    data: Range<u64>,
    bytes: usize,
    reader: &mut R,
    mut look: impl FnMut(&[u8]) -> bool,
) -> Result<()> {
    reader.seek(SeekFrom::Start(data.start))?;
    let mut rest = (data.end - data.start) / bytes as u64 * bytes as u64;
    let mut block = vec![0; BLOCK / bytes * bytes];
    while rest > 0 {
        let part = rest.min(block.len() as u64) as usize;
        reader.read_exact(&mut block[..part])?;
        if !block[..part].chunks_exact(bytes).all(&mut look) {
            return Ok(());
        }
        rest -= part as u64;
    }
    Ok(())
}

fn mulaw(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = (((i16::from(byte & 15) << 3) + 132) << ((byte >> 4) & 7)) - 132;
    if byte & 0x80 == 0 { magnitude } else { -magnitude }
}

fn alaw(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (exponent, mantissa) = ((byte >> 4) & 7, i16::from(byte & 15) << 4);
    let magnitude = if exponent == 0 { mantissa + 8 } else { (mantissa + 264) << (exponent - 1) };
    if byte & 0x80 == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_laws_give_g711s_extremes() {
        let values = [0x00, 0x7F, 0x80, 0xFF, 0xD5, 0x55].map(|byte| (mulaw(byte), alaw(byte)));
        assert_eq!(values[0], (-32_124, -5_504));
        assert_eq!((values[1].0, values[2].0, values[3].0), (0, 32_124, 0));
        assert_eq!((values[4].1, values[5].1), (8, -8));
        assert_eq!((alaw(0xAA), alaw(0x2A)), (32_256, -32_256));
    }

    #[test]
    fn bytes_fill_a_number_from_its_top() {
        assert_eq!(word(&[1, 2, 3], false), 0x0302_0100_0000_0000);
        assert_eq!(word(&[1, 2, 3], true), 0x0102_0300_0000_0000);
    }
}
