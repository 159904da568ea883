//! Opus in Core Audio Format, as messengers on Apple's systems send it and symphonia does not read (Apple, "Core Audio Format
//! Specification 1.0"): `desc` tells the kind, `pakt` the packets' lengths and the frames to be left out, `data` holds the packets.

use super::container::guarded;
use super::opus::{self, OpusDecoder};
use super::source::Source;
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use symphonia::core::codecs::audio::AudioDecoder;
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};

/// Longest packet table that is read: days of sound.
const MAX_TABLE: u64 = 64 << 20;
/// Longest Opus packet (RFC 6716 3.2.5: 120 ms of 1275 bytes each 20 ms, and their lengths), of several streams.
const MAX_PACKET: u64 = 1 << 16;
/// Most chunks that are looked at.
const MAX_CHUNKS: usize = 1_000;
/// Bytes of a `desc` chunk; where in it the format is named.
const DESC: usize = 32;
/// Bytes of a packet table before the packets' lengths.
const TABLE_HEAD: u64 = 24;

/// A file of Opus packets.
pub(super) struct CafOpus {
    reader: BufReader<File>,
    decoder: OpusDecoder,
    channels: u16,
    table: Vec<u8>,
    at: usize,
    fixed: u64,
    counts_frames: bool,
    /// Frames at 48 kHz: all of the file, those to leave out next, and those that are left.
    total: u64,
    skip: u64,
    left: u64,
    notes: Vec<String>,
}

impl CafOpus {
    /// `None`: another kind of file, or of CAF.
    pub fn open(file: File) -> Result<Option<Self>> {
        let size = file.metadata()?.len();
        let mut reader = BufReader::new(file);
        let mut magic = [0; 8];
        if size < 8 || reader.read_exact(&mut magic).is_err() || &magic[..4] != b"caff" {
            return Ok(None);
        }
        let (mut desc, mut table, mut data) = (None, None, None);
        let mut at = 8;
        for _ in 0..MAX_CHUNKS {
            let mut header = [0; 12];
            reader.seek(SeekFrom::Start(at))?;
            if at + 12 > size || reader.read_exact(&mut header).is_err() {
                break;
            }
            let [a, b, c, d, len @ ..] = header;
            at += 12;
            // -1: up to the end of the file.
            let len = u64::try_from(i64::from_be_bytes(len)).unwrap_or(size - at);
            match &[a, b, c, d] {
                b"desc" if len >= DESC as u64 => {
                    let mut bytes = [0; DESC];
                    reader.read_exact(&mut bytes)?;
                    if &bytes[8..12] != b"opus" {
                        return Ok(None);
                    }
                    desc = Some(bytes);
                }
                b"pakt" => {
                    let mut bytes = Vec::new();
                    reader.by_ref().take(len.min(MAX_TABLE)).read_to_end(&mut bytes)?;
                    table = Some(bytes);
                }
                // The first four bytes count edits.
                b"data" if data.is_none() => data = Some(at + 4),
                _ => {}
            }
            at = at.saturating_add(len);
        }
        let (Some(desc), Some(data)) = (desc, data) else { bail!("damaged: CAF without samples") };
        let table = table.context("damaged: Opus in CAF without its table of packets")?;
        Self::new(reader, &desc, table, data).map(Some)
    }

    fn new(mut reader: BufReader<File>, desc: &[u8; DESC], table: Vec<u8>, data: u64) -> Result<Self> {
        let long = |at: usize| u32::from_be_bytes([desc[at], desc[at + 1], desc[at + 2], desc[at + 3]]);
        let (bytes, frames, channels) = (long(16), long(20), long(24));
        let wide =
            |at: usize| table.get(at..at + 8).map_or(0, |b| i64::from_be_bytes(b.try_into().unwrap_or_default()));
        let half = |at: usize| (wide(at) >> 32) as i32;
        let rate = f64::from_bits(u64::from(long(0)) << 32 | u64::from(long(4)));
        ensure!(rate.is_finite() && rate > 0.0, "damaged: a sample rate of {rate} Hz");
        let channels = u16::try_from(channels).ok().filter(|n| (1..=2).contains(n));
        let channels = channels.context("Opus of more than two channels in CAF is not read")?;
        // Frames are counted at the file's rate, Opus is decoded at its own.
        let decoded = |frames: i64| (frames.max(0) as f64 * f64::from(opus::RATE) / rate).round() as u64;
        let valid = decoded(wide(8));
        reader.seek(SeekFrom::Start(data))?;
        let decoder = OpusDecoder::plain(channels).map_err(|error| anyhow!("damaged ({error})"))?;
        Ok(Self {
            reader,
            decoder,
            channels,
            at: TABLE_HEAD as usize,
            fixed: bytes.into(),
            counts_frames: frames == 0,
            total: valid,
            skip: decoded(half(16).into()),
            left: if valid > 0 { valid } else { u64::MAX },
            table,
            notes: Vec::new(),
        })
    }

    /// The length of the next packet; `None`: there is none.
    fn packet_len(&mut self) -> Option<u64> {
        let len = if self.fixed > 0 { self.fixed } else { self.variable()? };
        if self.counts_frames {
            self.variable()?;
        }
        Some(len)
    }

    /// A number of seven bits a byte, the highest first.
    fn variable(&mut self) -> Option<u64> {
        let mut value = 0u64;
        loop {
            let byte = *self.table.get(self.at)?;
            self.at += 1;
            value = value.checked_mul(128)? | u64::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
    }
}

impl Source for CafOpus {
    fn rate(&self) -> u32 {
        opus::RATE
    }

    fn channels(&self) -> u16 {
        self.channels
    }

    fn seconds(&self) -> Option<f64> {
        (self.total > 0).then_some(self.total as f64 / f64::from(opus::RATE))
    }

    fn block(&mut self, interleaved: &mut Vec<f32>) -> Result<usize> {
        let channels = usize::from(self.channels);
        interleaved.clear();
        while interleaved.is_empty() && self.left > 0 {
            let Some(len) = self.packet_len() else { return Ok(0) };
            ensure!(len <= MAX_PACKET, "damaged: an Opus packet of {len} bytes");
            let mut packet = vec![0; len as usize];
            if self.reader.read_exact(&mut packet).is_err() {
                self.notes.push("truncated: not all that it promises is there; what is there is read".to_owned());
                self.left = 0;
                return Ok(0);
            }
            let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, &packet);
            guarded(|| {
                let decoded = self.decoder.decode_ref(&packet).map_err(|error| anyhow!("damaged ({error})"))?;
                decoded.copy_to_vec_interleaved(interleaved);
                Ok(())
            })?;
            let skipped = self.skip.min((interleaved.len() / channels) as u64);
            self.skip -= skipped;
            interleaved.drain(..skipped as usize * channels);
            let kept = self.left.min((interleaved.len() / channels) as u64);
            interleaved.truncate(kept as usize * channels);
            self.left -= kept;
        }
        Ok(if interleaved.is_empty() { 0 } else { channels })
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}
