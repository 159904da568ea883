//! WAV files whose samples are packed into blocks: ADPCM (Microsoft's and IMA's, which symphonia decodes) and GSM 6.10.

use super::container::{decoder, guarded};
use super::gsm::{self, Gsm};
use super::source::Source;
use super::wav::{Coding, Format};
use anyhow::{Result, anyhow, bail, ensure};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ADPCM_MS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder};
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};

/// Blocks, and what unpacks them.
pub(super) struct Packed {
    reader: BufReader<File>,
    unpacker: Unpacker,
    channels: u16,
    rate: u32,
    /// Bytes of a block; bytes and frames that are left.
    block: usize,
    rest: u64,
    frames: u64,
    total: u64,
    notes: Vec<String>,
}

enum Unpacker {
    Adpcm { decoder: Box<dyn AudioDecoder>, head: usize, channels: usize },
    Gsm(Box<Gsm>),
}

impl Packed {
    pub fn new(
        coding: Coding,
        format: &Format,
        data: Range<u64>,
        mut reader: BufReader<File>,
        notes: Vec<String>,
    ) -> Result<Self> {
        let Format { channels, rate, block, .. } = *format;
        let len = data.end - data.start;
        let (unpacker, block, frames) = match coding {
            Coding::Gsm => {
                ensure!(channels == 1, "GSM 6.10 in {channels} channels");
                let blocks = len / gsm::BLOCK as u64;
                (Unpacker::Gsm(Box::default()), gsm::BLOCK, blocks * gsm::FRAMES as u64)
            }
            Coding::AdpcmMs => adpcm(format, CODEC_ID_ADPCM_MS, 7, len)?,
            Coding::AdpcmIma => adpcm(format, CODEC_ID_ADPCM_IMA_WAV, 4, len)?,
            _ => bail!("its blocks of {block} bytes are of a kind that is not read"),
        };
        ensure!(frames > 0, "it holds no samples");
        reader.seek(SeekFrom::Start(data.start))?;
        Ok(Self { reader, unpacker, channels, rate, block, rest: len, frames, total: frames, notes })
    }
}

/// Frames in an ADPCM block of so many bytes: the first ones are in its head, all others take four bits.
fn adpcm_frames(bytes: usize, head: usize, channels: usize) -> usize {
    let first = if head == 7 { 2 } else { 1 };
    bytes.checked_sub(head * channels).map_or(0, |rest| rest * 2 / channels + first)
}

fn adpcm(
    format: &Format,
    codec: symphonia::core::codecs::audio::AudioCodecId,
    head: usize,
    len: u64,
) -> Result<(Unpacker, usize, u64)> {
    let (channels, block) = (usize::from(format.channels), usize::from(format.block));
    let frames = adpcm_frames(block, head, channels);
    ensure!((1..=2).contains(&channels) && frames > 0, "damaged: {channels} channels in blocks of {block} bytes");
    let mut parameters = AudioCodecParameters::new();
    parameters.for_codec(codec).with_sample_rate(format.rate).with_channels(Channels::Discrete(format.channels));
    parameters.with_max_frames_per_packet(frames as u64).with_frames_per_block(frames as u64);
    let decoder = decoder(&parameters)?;
    let last = adpcm_frames((len % block as u64) as usize, head, channels);
    let whole = len / block as u64 * frames as u64 + last as u64;
    Ok((Unpacker::Adpcm { decoder, head, channels }, block, whole))
}

impl Source for Packed {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn channels(&self) -> u16 {
        self.channels
    }

    fn seconds(&self) -> Option<f64> {
        Some(self.total as f64 / f64::from(self.rate))
    }

    fn block(&mut self, interleaved: &mut Vec<f32>) -> Result<usize> {
        interleaved.clear();
        let len = self.rest.min(self.block as u64) as usize;
        if self.frames == 0 || len == 0 {
            return Ok(0);
        }
        // What a short block lacks is filled up, decoded, and cut off again.
        let mut bytes = vec![0; self.block];
        self.reader.read_exact(&mut bytes[..len])?;
        self.rest -= len as u64;
        let channels = usize::from(self.channels);
        let there = match &mut self.unpacker {
            Unpacker::Adpcm { decoder, head, channels } => {
                let packet = PacketRef::new(
                    0,
                    Timestamp::ZERO,
                    Duration::new(adpcm_frames(bytes.len(), *head, *channels) as u64),
                    &bytes,
                );
                guarded(|| {
                    let decoded = decoder.decode_ref(&packet).map_err(|error| anyhow!("damaged: {error}"))?;
                    decoded.copy_to_vec_interleaved(interleaved);
                    Ok(())
                })?;
                adpcm_frames(len, *head, *channels)
            }
            Unpacker::Gsm(gsm) if len == self.block => {
                interleaved.extend(gsm.decode(&bytes).map(|sample| f32::from(sample) / 32_768.0));
                gsm::FRAMES
            }
            Unpacker::Gsm(_) => 0,
        };
        let frames = (there as u64).min(self.frames);
        self.frames -= frames;
        interleaved.truncate(frames as usize * channels);
        Ok(if frames == 0 { 0 } else { channels })
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}
