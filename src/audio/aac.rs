//! AAC that symphonia does not decode, behind symphonia's interface: HE-AAC, whose upper half of the band is a side stream, and
//! more than two channels. syom decodes it.

use super::container::decoder;
use symphonia::core::audio::{
    AsGenericAudioBufferRef, Audio, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, FinalizeResult};
use symphonia::core::errors::{Error, Result};
use symphonia::core::packet::PacketRef;
use syom::{DecodeOptions, Decoder};

/// Packets after which it is certain whether there is a side stream: it may begin late.
pub(super) const TELLING: usize = 16;

const INFO: CodecInfo = CodecInfo { short_name: "aac", long_name: "HE-AAC", profiles: &[] };

/// Sample rates by their index (ISO/IEC 14496-3, table 1.18).
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// What decodes AAC of these `parameters`, of which these are the first packets. Where the core is all there is, symphonia does.
pub(super) fn aac(parameters: &AudioCodecParameters, first: &[Box<[u8]>]) -> anyhow::Result<Box<dyn AudioDecoder>> {
    let plain = decoder(parameters);
    let Some(mut whole) = Aac::new(parameters) else { return plain };
    let frames: Vec<_> = first.iter().filter_map(|packet| whole.frame(packet).ok()).collect();
    let best = frames.iter().map(|frame| (frame.rate, frame.planes.len())).max();
    let core = plain.as_ref().ok().and_then(|plain| {
        let parameters = plain.codec_params();
        Some((parameters.sample_rate?, parameters.channels.as_ref()?.count()))
    });
    match best {
        Some((rate, channels)) if core.is_none_or(|core| rate > core.0 || channels > core.1) => {
            whole.open().map_err(|error| anyhow::anyhow!("damaged ({error})"))?;
            whole.rate = rate;
            Ok(Box::new(whole))
        }
        _ => plain,
    }
}

struct Aac {
    parameters: AudioCodecParameters,
    config: Vec<u8>,
    decoder: Decoder,
    /// Rate of the output; twice that of the frames before the side stream begins.
    rate: u32,
    buffer: AudioBuffer<f32>,
}

/// What one packet holds.
struct Frame {
    rate: u32,
    planes: Vec<Vec<f32>>,
}

impl Aac {
    /// `None`: no AAC, or of a kind that syom does not know.
    fn new(parameters: &AudioCodecParameters) -> Option<Self> {
        let config = match parameters.extra_data.as_deref() {
            Some(config) if config.len() >= 2 => config.to_vec(),
            _ => config(parameters.sample_rate?, parameters.channels.as_ref()?.count())?,
        };
        let decoder = Decoder::from_asc(&config, DecodeOptions::unbounded()).ok()?;
        let buffer = AudioBuffer::default();
        Some(Self { parameters: parameters.clone(), config, decoder, rate: 0, buffer })
    }

    /// Begins anew: after an error, syom takes nothing more.
    fn open(&mut self) -> Result<()> {
        let decoder = Decoder::from_asc(&self.config, DecodeOptions::unbounded());
        self.decoder = decoder.map_err(|_| Error::DecodeError("aac: invalid configuration"))?;
        Ok(())
    }

    fn frame(&mut self, packet: &[u8]) -> Result<Frame> {
        let mut frame = Frame { rate: 0, planes: Vec::new() };
        let decoded = self.decoder.decode_au(packet, |decoded| {
            frame.rate = decoded.sample_rate;
            frame.planes = decoded.planar.iter().map(|plane| plane.to_vec()).collect();
            Ok(())
        });
        if decoded.is_err() {
            self.open()?;
            return Err(Error::DecodeError("aac: invalid packet"));
        }
        Ok(frame)
    }
}

/// The configuration (ISO/IEC 14496-3, 1.6.2.1) of AAC-LC, as ADTS leaves it out.
fn config(rate: u32, channels: usize) -> Option<Vec<u8>> {
    let rate = RATES.iter().position(|&known| known == rate)? as u16;
    let channels = match channels {
        1..=6 => channels as u16,
        8 => 7,
        _ => return None,
    };
    Some((2 << 11 | rate << 7 | channels << 3).to_be_bytes().to_vec())
}

impl AudioDecoder for Aac {
    fn reset(&mut self) {
        self.decoder.reset();
        // It was opened with the same configuration before.
        let _ = self.open();
    }

    fn codec_info(&self) -> &CodecInfo {
        &INFO
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.parameters
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.buffer.clear();
        let Frame { rate, planes } = self.frame(packet.data)?;
        let repeat = if 2 * rate == self.rate { 2 } else { 1 };
        let frames = planes.first().map_or(0, Vec::len) * repeat;
        let spec = AudioSpec::new(rate * repeat as u32, Channels::Discrete(planes.len() as u16));
        if self.buffer.is_unused() || Audio::spec(&self.buffer) != &spec || self.buffer.capacity() < frames {
            self.buffer = AudioBuffer::new(spec, frames);
        }
        self.buffer.render_uninit(Some(frames));
        for (channel, samples) in planes.iter().enumerate() {
            let Some(plane) = self.buffer.plane_mut(channel) else { continue };
            let samples = samples.iter().flat_map(|&sample| std::iter::repeat_n(sample, repeat));
            plane.iter_mut().zip(samples).for_each(|(to, sample)| *to = sample);
        }
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}
