//! The `fmt ` chunk, as the standard has it and as the field writes it (Microsoft, "Multiple Channel Audio Data and WAVE Files").

use anyhow::{Result, bail, ensure};

/// `wFormatTag`s (Microsoft's mmreg.h).
const PCM: u16 = 0x0001;
const ADPCM_MS: u16 = 0x0002;
const FLOAT: u16 = 0x0003;
const ALAW: u16 = 0x0006;
const MULAW: u16 = 0x0007;
const ADPCM_IMA: u16 = 0x0011;
const GSM610: u16 = 0x0031;
const EXTENSIBLE: u16 = 0xFFFE;
/// Where the sub-format's tag lies in an extensible format, and how long one is.
const SUBFORMAT: usize = 24;
const EXTENSIBLE_LEN: usize = 40;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audio) enum Coding {
    /// Integers that fill `bits` of their bytes.
    Integers {
        bits: u16,
    },
    Floats,
    /// Integers or floats: the file does not say.
    Unnamed,
    ALaw,
    MuLaw,
    AdpcmMs,
    AdpcmIma,
    Gsm,
    /// A stream of another format, or something unknown: its tag.
    Other(u16),
}

/// What the chunk says, mended where it contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::audio) struct Format {
    pub coding: Coding,
    pub channels: u16,
    pub rate: u32,
    /// Bytes of a sample by its bits, and by the frame's length where that is another.
    pub bytes: usize,
    pub wide: usize,
    /// Bytes of a frame or, of compressed sound, of a block, as the chunk says it.
    pub block: u16,
    /// Whether the place of fewer bits than their bytes hold is defined: at the top.
    pub extensible: bool,
    pub notes: Vec<String>,
}

impl Format {
    pub fn parse(bytes: &[u8], big_endian: bool) -> Result<Self> {
        ensure!(bytes.len() >= 14, "damaged: a format chunk of {} bytes", bytes.len());
        let u16_of = if big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
        let u32_of = if big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        let short = |at: usize| bytes.get(at..at + 2).map_or(0, |b| u16_of([b[0], b[1]]));
        let long = |at: usize| u32_of([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (tag, bits, block) = (short(0), short(14), short(12));
        let extensible = tag == EXTENSIBLE;
        let (kind, valid) = match extensible {
            true if bytes.len() >= EXTENSIBLE_LEN => (short(SUBFORMAT), short(18)),
            true => (0, 0),
            // Pro Tools writes the tag of floats and the length of an extensible format: what is behind it does not count.
            false => (tag, 0),
        };
        let mut format = Self {
            coding: coding(kind, bits, valid),
            channels: short(2),
            rate: long(4),
            bytes: usize::from(bits.div_ceil(8)),
            wide: 0,
            block,
            extensible,
            notes: Vec::new(),
        };
        format.mend(long(8))?;
        Ok(format)
    }

    /// Puts right what the other fields tell better; `byte_rate` is needed for nothing else.
    fn mend(&mut self, byte_rate: u32) -> Result<()> {
        let block = usize::from(self.block);
        if self.channels == 0 && self.bytes > 0 && block % self.bytes == 0 && (1..=8).contains(&(block / self.bytes)) {
            self.channels = (block / self.bytes) as u16;
            self.notes.push(format!("its header says 0 channels; {} is assumed", self.channels));
        }
        ensure!(self.channels > 0, "damaged: 0 channels in frames of {block} bytes");
        if self.rate == 0 && block > 0 && byte_rate > 0 {
            self.rate = byte_rate / u32::from(self.block);
            self.notes.push(format!("its header says 0 Hz; {} Hz are assumed", self.rate));
        }
        let even = block % usize::from(self.channels) == 0;
        self.wide = if even { block / usize::from(self.channels) } else { 0 };
        match self.coding {
            Coding::ALaw | Coding::MuLaw => (self.bytes, self.wide) = (1, 1),
            Coding::Floats if !matches!(self.bytes, 4 | 8) => self.bytes = self.wide,
            Coding::Integers { .. } | Coding::Unnamed if self.bytes == 0 => {
                self.bytes = self.wide;
                self.coding = match self.coding {
                    Coding::Integers { .. } => Coding::Integers { bits: 8 * self.wide as u16 },
                    other => other,
                };
            }
            _ => {}
        }
        match self.coding {
            Coding::Floats => ensure!(matches!(self.bytes, 4 | 8), "floats of {} bits are not read", 8 * self.bytes),
            Coding::Integers { .. } | Coding::Unnamed if !(1..=8).contains(&self.bytes) => {
                bail!("damaged: samples of {} bits in frames of {block} bytes", 8 * self.bytes)
            }
            _ => {}
        }
        Ok(())
    }
}

fn coding(kind: u16, bits: u16, valid: u16) -> Coding {
    match kind {
        PCM => Coding::Integers { bits: if (1..bits).contains(&valid) { valid } else { bits } },
        FLOAT => Coding::Floats,
        0 => Coding::Unnamed,
        ALAW => Coding::ALaw,
        MULAW => Coding::MuLaw,
        ADPCM_MS => Coding::AdpcmMs,
        ADPCM_IMA => Coding::AdpcmIma,
        GSM610 => Coding::Gsm,
        tag => Coding::Other(tag),
    }
}
