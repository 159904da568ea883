//! Compressed recordings, and other containers than WAV -> mono samples. symphonia demuxes and decodes; Opus, which it
//! does not decode, is [`super::opus`].
//!
//! Encoder delay and padding are cut off where symphonia tells them: MP3 with a LAME header, Ogg, FLAC, and Opus
//! anywhere. AAC keeps its priming (some 20 to 50 ms of silence at the start).

use super::check_rate;
use super::opus::OpusDecoder;
use super::read::sound;
use super::recording::{LONGEST, Sink, too_long};
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, well_known as codec};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{self, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;

/// What is read, and how to make it of anything else.
const ADVICE: &str = "WAV, FLAC, MP3, Ogg (Vorbis, Opus), M4A and MP4 (AAC, ALAC), AIFF, CAF and MKV or WebM can be read; \
                      `ffmpeg -i IN OUT.wav` converts any recording";
/// How far a file may fall short of the length that it promises, seconds.
const SLACK: f64 = 0.1;
/// Where protection is looked for: this many bytes at the file's start and end.
const SEARCHED: u64 = 1 << 20;

static CODECS: LazyLock<CodecRegistry> = LazyLock::new(|| {
    let mut codecs = CodecRegistry::new();
    symphonia::default::register_enabled_codecs(&mut codecs);
    codecs.register_audio_decoder::<OpusDecoder>();
    codecs
});

/// The audio track of a file, and what decodes it.
pub(super) struct Track {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    id: u32,
    rate: u32,
    channels: u16,
    /// Duration as the file tells it, seconds, and whether it can be relied upon.
    seconds: Option<f64>,
    reliable: bool,
    /// Mono samples that are decoded and not yet handed on, and frames before them.
    block: Vec<f32>,
    position: u64,
    interleaved: Vec<f32>,
    /// Why the last packet was left out.
    refused: Option<anyhow::Error>,
}

impl Track {
    /// Finds the track, and decodes the beginning: only then its rate is certain.
    pub fn open(file: File) -> Result<Self> {
        guarded(|| Self::find(file))
    }

    fn find(file: File) -> Result<Self> {
        let searched = file.try_clone()?;
        let stream = MediaSourceStream::new(Box::new(file), Default::default());
        let probe = symphonia::default::get_probe();
        let probed = probe.probe(&Hint::new(), stream, Default::default(), Default::default());
        let format = probed.map_err(|error| unreadable(error, "not a recording of a kind that is read"))?;
        let (track, decoder) = choose(&*format, searched)?;
        let seconds = duration(&track);
        let mut track = Self {
            reliable: is_reliable(&track),
            id: track.id,
            format,
            decoder,
            rate: 0,
            channels: 0,
            seconds,
            block: Vec::new(),
            position: 0,
            interleaved: Vec::new(),
            refused: None,
        };
        if !track.decode_next()? {
            bail!(track.refused.take().unwrap_or_else(|| anyhow!("it holds no samples")));
        }
        Ok(track)
    }

    pub fn rate(&self) -> u32 {
        self.rate
    }

    pub fn channels(&self) -> u16 {
        self.channels
    }

    pub fn seconds(&self) -> Option<f64> {
        self.seconds
    }

    /// Hands the mono samples between these `seconds` to `sink`, in order. What comes before is decoded too.
    pub fn play(mut self, seconds: &Range<f64>, sink: &mut Sink) -> Result<()> {
        let rate = f64::from(self.rate);
        let frame = |seconds: f64| (seconds * rate).round() as u64;
        let (start, end, longest) = (frame(seconds.start), frame(seconds.end), frame(LONGEST));
        loop {
            let before = self.position;
            self.position += self.block.len() as u64;
            ensure!(self.position.min(end) <= longest, too_long());
            let within = |at: u64| at.clamp(before, self.position) - before;
            sink(&self.block[within(start) as usize..within(end.max(start)) as usize])?;
            if self.position >= end {
                return Ok(());
            }
            if !self.step()? {
                return self.check_end();
            }
        }
    }

    /// Decodes the next packet that gives samples; false: there is none.
    fn step(&mut self) -> Result<bool> {
        guarded(|| self.decode_next())
    }

    fn decode_next(&mut self) -> Result<bool> {
        self.block.clear();
        while self.block.is_empty() {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(false),
                Err(Error::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                Err(Error::ResetRequired) => {
                    self.begin_again()?;
                    continue;
                }
                Err(error) => return Err(self.damaged(error)),
            };
            if packet.track_id != self.id {
                continue;
            }
            match self.decoder.decode(&packet) {
                Ok(buffer) => {
                    let (spec, frames) = (buffer.spec().clone(), buffer.frames());
                    buffer.copy_to_vec_interleaved(&mut self.interleaved);
                    if frames > 0 {
                        self.take(spec.rate(), spec.channels().count())?;
                    }
                }
                // A stream that was cut out of a longer one refers to what came before: of MP3, the first frames.
                Err(error @ Error::DecodeError(_)) if self.rate == 0 => self.refused = Some(self.damaged(error)),
                Err(error) => return Err(self.damaged(error)),
            }
        }
        Ok(true)
    }

    /// Averages the channels of what was decoded.
    fn take(&mut self, rate: u32, channels: usize) -> Result<()> {
        if self.rate == 0 {
            check_rate(rate)?;
            (self.rate, self.channels) = (rate, u16::try_from(channels).context("too many channels")?);
        }
        ensure!(rate == self.rate, "its sample rate changes from {} to {rate} Hz: {ADVICE}", self.rate);
        for (frame, samples) in (self.position..).zip(self.interleaved.chunks(channels)) {
            let mut sum = 0.0;
            for &sample in samples {
                sum += sound(sample, frame)?;
            }
            self.block.push(sum / channels as f32);
        }
        Ok(())
    }

    /// Where one stream follows another in the same file (chained Ogg), takes the next.
    fn begin_again(&mut self) -> Result<()> {
        let parameters = self.format.tracks().iter().find_map(|track| Some((track.id, parameters(track)?)));
        let (id, parameters) = parameters.context("its second part has no audio")?;
        self.decoder = decoder(parameters)?;
        (self.id, self.reliable) = (id, false);
        Ok(())
    }

    fn check_end(&self) -> Result<()> {
        let there = self.position as f64 / f64::from(self.rate);
        match self.seconds {
            Some(promised) if self.reliable && there + SLACK < promised => bail!(
                "truncated: {there:.2} of {promised:.2} s are there; copy it again, or keep what there is with \
                 `ffmpeg -i IN OUT.wav`"
            ),
            _ => Ok(()),
        }
    }

    fn damaged(&self, error: Error) -> anyhow::Error {
        let at = (self.position + self.block.len() as u64) as f64 / f64::from(self.rate.max(1));
        unreadable(error, &format!("damaged at {at:.1} s"))
    }
}

/// The first audio track that can be decoded, the container's favourite before others.
fn choose(format: &dyn FormatReader, file: File) -> Result<(formats::Track, Box<dyn AudioDecoder>)> {
    let favourite = format.default_track(TrackType::Audio).into_iter();
    let mut refused = None;
    for track in favourite.chain(format.tracks()) {
        let Some(parameters) = parameters(track) else { continue };
        match decoder(parameters) {
            Ok(decoder) => return Ok((track.clone(), decoder)),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    ensure!(!is_protected(file)?, "protected (DRM): nothing but its own player can read it");
    Err(refused.unwrap_or_else(|| anyhow!("it has no audio track: {ADVICE}")))
}

fn parameters(track: &formats::Track) -> Option<&AudioCodecParameters> {
    track.codec_params.as_ref().and_then(CodecParameters::audio)
}

fn decoder(parameters: &AudioCodecParameters) -> Result<Box<dyn AudioDecoder>> {
    CODECS.make_audio_decoder(parameters, &Default::default()).map_err(|error| {
        let name = name(parameters);
        unreadable(error, &format!("its audio is {name}, which is not read"))
    })
}

/// What people call a codec that is not read.
fn name(parameters: &AudioCodecParameters) -> &'static str {
    match parameters.codec {
        codec::CODEC_ID_AAC => "AAC of an unusual kind",
        codec::CODEC_ID_AC3 | codec::CODEC_ID_EAC3 | codec::CODEC_ID_AC4 => "Dolby Digital (AC-3)",
        codec::CODEC_ID_DCA => "DTS",
        codec::CODEC_ID_TRUEHD => "TrueHD",
        codec::CODEC_ID_WMA => "WMA",
        codec::CODEC_ID_SPEEX => "Speex",
        codec::CODEC_ID_OPUS => "Opus of an unusual kind",
        _ => "of a kind",
    }
}

/// Whether an MP4 has an encrypted sample entry (ISO 14496-12 8.12: `enca`; Apple's `drms`).
fn is_protected(mut file: File) -> Result<bool> {
    let size = file.metadata()?.len();
    for start in [0, size.saturating_sub(SEARCHED)] {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        (&file).take(SEARCHED).read_to_end(&mut bytes)?;
        if bytes.windows(4).any(|four| four == b"enca" || four == b"drms") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn duration(track: &formats::Track) -> Option<f64> {
    let seconds = track.time_base?.calc_duration(track.duration?)?.as_secs_f64();
    (seconds > 0.0).then_some(seconds)
}

/// Whether the duration is exact. That of Matroska is the whole file's; MP3 without a LAME header has none, and symphonia
/// guesses it from the first frame's bit rate.
fn is_reliable(track: &formats::Track) -> bool {
    let mpeg = [codec::CODEC_ID_MP1, codec::CODEC_ID_MP2, codec::CODEC_ID_MP3];
    let guessed = parameters(track).is_none_or(|p| mpeg.contains(&p.codec)) && track.delay.is_none();
    track.num_frames.is_some() && !guessed
}

/// Runs a step of symphonia's, which panics on some damaged files (arithmetic on what headers promise): an error like others.
fn guarded<T>(step: impl FnOnce() -> Result<T>) -> Result<T> {
    // After a panic the track is dropped, and nobody sees what it was left as.
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_| Err(anyhow!("damaged: {ADVICE}")))
}

/// symphonia's errors in this program's words.
fn unreadable(error: Error, what: &str) -> anyhow::Error {
    match error {
        Error::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            anyhow!("truncated, or not a recording: {ADVICE}")
        }
        Error::IoError(error) => error.into(),
        error => anyhow!("{what} ({error}): {ADVICE}"),
    }
}
