//! Opus packets -> samples, as a decoder for symphonia, which demuxes Opus and does not decode it; and samples -> an Ogg
//! Opus file.
//!
//! The header is that of RFC 7845 5.1 (in MP4 it has version 0 and is big-endian). Its pre-skip is cut off here, in every
//! container, and its gain applied.

use super::resample::{Recipe, Stream};
use ruopus::ogg::{OpusHead, OpusTags, PageWriter};
use ruopus::{Bandwidth, MultistreamDecoder, OpusEncoder};
use std::io::Write;
use symphonia::core::audio::{
    AsGenericAudioBufferRef, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult};
use symphonia::core::codecs::registry::{RegisterableAudioDecoder, SupportedAudioCodec};
use symphonia::core::errors::{Error, Result};
use symphonia::core::packet::PacketRef;

/// Rate that Opus is decoded at, Hz, whatever was encoded.
pub(super) const RATE: u32 = 48_000;
/// Frames of the longest packet: 120 ms.
const LONGEST: usize = 5_760;

const CODEC: SupportedAudioCodec =
    SupportedAudioCodec { id: CODEC_ID_OPUS, info: CodecInfo { short_name: "opus", long_name: "Opus", profiles: &[] } };

/// ruopus behind symphonia's interface.
pub(super) struct OpusDecoder {
    parameters: AudioCodecParameters,
    header: Header,
    decoder: MultistreamDecoder,
    /// Frames of the pre-skip that are still to be dropped.
    skip: usize,
    buffer: AudioBuffer<f32>,
}

impl OpusDecoder {
    /// Of one stream of one or two channels, of which nothing is skipped.
    pub(super) fn plain(channels: u16) -> Result<Self> {
        let coupled = u8::from(channels == 2);
        let header = Header { pre_skip: 0, gain: 1.0, streams: 1, coupled, mapping: (0..=coupled).collect() };
        Ok(Self::new(AudioCodecParameters::new(), header))
    }

    fn new(parameters: AudioCodecParameters, header: Header) -> Self {
        let spec = AudioSpec::new(RATE, Channels::Discrete(header.mapping.len() as u16));
        let decoder = header.decoder();
        Self { parameters, decoder, skip: header.pre_skip, buffer: AudioBuffer::new(spec, LONGEST), header }
    }
}

/// Frames that are dropped at the start of a track of these `parameters`.
pub(super) fn pre_skip(parameters: &AudioCodecParameters) -> usize {
    parameters.extra_data.as_deref().and_then(Header::parse).map_or(0, |header| header.pre_skip)
}

impl AudioDecoder for OpusDecoder {
    fn reset(&mut self) {
        self.decoder = self.header.decoder();
    }

    fn codec_info(&self) -> &CodecInfo {
        &CODEC.info
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.parameters
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.buffer.clear();
        let decoded = self.decoder.decode_packet(packet.data);
        let interleaved = decoded.map_err(|_| Error::DecodeError("opus: invalid packet"))?;
        let (channels, gain) = (self.header.mapping.len(), self.header.gain);
        let frames = (interleaved.len() / channels).min(LONGEST);
        self.buffer.render_uninit(Some(frames));
        for channel in 0..channels {
            let Some(plane) = self.buffer.plane_mut(channel) else { continue };
            let samples = interleaved.iter().skip(channel).step_by(channels);
            plane.iter_mut().zip(samples).for_each(|(to, &sample)| *to = gain * sample);
        }
        let skipped = self.skip.min(frames);
        self.skip -= skipped;
        self.buffer.trim(skipped, usize::try_from(packet.trim_end.get()).unwrap_or(usize::MAX));
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}

impl RegisterableAudioDecoder for OpusDecoder {
    fn try_registry_new(parameters: &AudioCodecParameters, _: &AudioDecoderOptions) -> Result<Box<dyn AudioDecoder>> {
        let bytes = parameters.extra_data.as_deref().unwrap_or_default();
        let header = Header::parse(bytes).ok_or(Error::DecodeError("opus: invalid header"))?;
        Ok(Box::new(Self::new(parameters.clone(), header)))
    }

    fn supported_codecs() -> &'static [SupportedAudioCodec] {
        &[CODEC]
    }
}

/// The identification header.
#[derive(Debug, PartialEq)]
struct Header {
    /// Frames to drop at the start.
    pre_skip: usize,
    /// Factor on the samples.
    gain: f32,
    /// Streams in a packet; the first `coupled` of them are stereo.
    streams: u8,
    coupled: u8,
    /// Of each channel, the decoded one that it is (255: silence).
    mapping: Vec<u8>,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let head = bytes.strip_prefix(b"OpusHead")?;
        let (&[version, channels, a, b, _, _, _, _, c, d, family], rest) = head.split_first_chunk()?;
        let u16_of = if version == 0 { u16::from_be_bytes } else { u16::from_le_bytes };
        let (streams, coupled, mapping) = match (family, rest) {
            (0, _) if channels <= 2 => (1, channels.checked_sub(1)?, vec![0, 1]),
            (0, _) => return None,
            (_, &[streams, coupled, ref mapping @ ..]) => (streams, coupled, mapping.to_vec()),
            _ => return None,
        };
        let mapping = mapping.get(..usize::from(channels))?.to_vec();
        let decoded = u16::from(streams) + u16::from(coupled);
        let possible = |&channel: &u8| channel == 255 || u16::from(channel) < decoded;
        let sane = streams > 0 && coupled <= streams && !mapping.is_empty() && mapping.iter().all(possible);
        // In 1/256 dB.
        let gain = 10f32.powf(f32::from(u16_of([c, d]) as i16) / (20.0 * 256.0));
        sane.then(|| Self { pre_skip: u16_of([a, b]).into(), gain, streams, coupled, mapping })
    }

    fn decoder(&self) -> MultistreamDecoder {
        MultistreamDecoder::with_rate(RATE, self.streams.into(), self.coupled.into(), &self.mapping)
    }
}

/// Bits a second that a voice is encoded in: nothing is heard to be missing of it.
const BITRATE: u32 = 64_000;
/// Frames of one packet: 20 ms.
const FRAME: usize = 960;
/// Frames by which the decoder lags behind, as the encoder states for this bitrate.
const PRE_SKIP: u16 = 120;
/// Longest packet of one frame, bytes (RFC 6716 3.2.1).
const LONGEST_PACKET: usize = 1275;
/// Any number does for the only stream of a file.
const SERIAL: u32 = 1;

/// An Ogg Opus file (RFC 7845) of one channel that is written as its samples come.
pub struct OpusFile<W> {
    out: W,
    to_48k: Stream,
    encoder: OpusEncoder,
    pages: PageWriter,
    /// Frames that no packet has taken yet.
    pending: Vec<f32>,
    /// Frames that came, and those in packets.
    given: usize,
    encoded: usize,
}

impl<W: Write> OpusFile<W> {
    /// Begins a file of samples at `rate` Hz with these comments.
    pub(super) fn new(mut out: W, rate: u32, comments: &[(&str, String)]) -> anyhow::Result<Self> {
        let mut tags = OpusTags { vendor: b"ruopus".to_vec(), comments: Vec::new() };
        comments.iter().for_each(|(name, text)| tags.push(name, text));
        let (mut pages, mut head) = (PageWriter::new(SERIAL), Vec::new());
        // Each header ends its page.
        for header in [OpusHead::family0(1, PRE_SKIP, rate).to_bytes(), tags.to_bytes()] {
            pages.push(&mut head, &header, 0, false);
            pages.flush(&mut head);
        }
        out.write_all(&head)?;
        let mut encoder = OpusEncoder::new(1);
        encoder.set_bandwidth(Bandwidth::FullBand);
        encoder.set_bitrate(Some(BITRATE));
        let to_48k = Stream::new(rate, RATE, Recipe::Functional)?;
        Ok(Self { out, to_48k, encoder, pages, pending: Vec::new(), given: 0, encoded: 0 })
    }

    pub(super) fn push(&mut self, samples: &[f32]) -> anyhow::Result<()> {
        super::write::check(samples, self.given)?;
        let frames = self.to_48k.push(samples)?;
        self.take(frames)?;
        // The last packet ends the file: it is kept back.
        while self.pending.len() > FRAME {
            self.packet(false)?;
        }
        Ok(())
    }

    /// The last page's position tells where the sound ends, whatever the last packet holds beyond.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        let frames = self.to_48k.finish()?;
        self.take(frames)?;
        self.pending.resize(self.pending.len() + usize::from(PRE_SKIP), 0.0);
        while self.pending.len() > FRAME {
            self.packet(false)?;
        }
        self.pending.resize(FRAME, 0.0);
        self.packet(true)?;
        Ok(self.out.flush()?)
    }

    fn take(&mut self, frames: Vec<f32>) -> anyhow::Result<()> {
        self.given += frames.len();
        self.pending.extend(frames.into_iter().map(|frame| frame.clamp(-1.0, 1.0)));
        Ok(())
    }

    fn packet(&mut self, last: bool) -> anyhow::Result<()> {
        let frame: Vec<f32> = self.pending.drain(..FRAME).collect();
        let packet = self.encoder.encode_auto(&frame, LONGEST_PACKET);
        let packet = packet.map_err(|error| anyhow::anyhow!("Opus cannot encode it: {error:?}"))?;
        self.encoded += FRAME;
        let position = if last { self.given + usize::from(PRE_SKIP) } else { self.encoded };
        let mut page = Vec::new();
        self.pages.push(&mut page, &packet, position as u64, last);
        Ok(self.out.write_all(&page)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `OpusHead`, version, channels, pre-skip, rate, gain, family, and the mapping's table.
    fn head(version: u8, channels: u8, fields: [u8; 8], family: u8, table: &[u8]) -> Vec<u8> {
        [b"OpusHead", &[version, channels][..], &fields, &[family], table].concat()
    }

    #[test]
    fn headers_of_ogg_are_little_endian_and_those_of_mp4_big_endian() {
        let expected = Header { pre_skip: 312, gain: 10.0, streams: 1, coupled: 1, mapping: vec![0, 1] };
        let ogg = head(1, 2, [0x38, 0x01, 0x80, 0xBB, 0, 0, 0x00, 0x14], 0, &[]);
        assert_eq!(Header::parse(&ogg).unwrap(), expected);
        let mp4 = head(0, 2, [0x01, 0x38, 0, 0, 0xBB, 0x80, 0x14, 0x00], 0, &[]);
        assert_eq!(Header::parse(&mp4).unwrap(), expected);
    }

    #[test]
    fn surround_headers_name_their_streams() {
        let header = Header::parse(&head(1, 3, [0; 8], 1, &[2, 1, 0, 2, 1])).unwrap();
        assert_eq!((header.streams, header.coupled, header.mapping), (2, 1, vec![0, 2, 1]));
    }

    #[test]
    fn headers_that_are_cut_or_impossible_are_refused() {
        let whole = head(1, 3, [0; 8], 1, &[2, 1, 0, 2, 1]);
        for len in 0..whole.len() {
            assert_eq!(Header::parse(&whole[..len]), None, "{len} bytes");
        }
        assert_eq!(Header::parse(&head(1, 0, [0; 8], 0, &[])), None);
        assert_eq!(Header::parse(&head(1, 3, [0; 8], 0, &[])), None);
        // More stereo streams than streams, no stream, a channel that no stream has.
        for table in [[1, 2, 0, 1, 2], [0, 0, 255, 255, 255], [2, 1, 0, 1, 3]] {
            assert_eq!(Header::parse(&head(1, 3, [0; 8], 1, &table)), None, "{table:?}");
        }
    }
}
