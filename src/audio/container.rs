//! Compressed recordings, and other containers than WAV -> mono samples. symphonia demuxes and decodes; Opus, which it
//! does not decode, is [`super::opus`].
//!
//! Encoder delay and padding are cut off where the file tells them: MP3 with a LAME header, Ogg, FLAC, and Opus anywhere by
//! symphonia and its decoders, MP4's edit lists and Matroska's padding by [`super::timeline`].

use super::aac::{self, aac};
use super::check_rate;
use super::kind::{self, SEARCHED};
use super::opus::{self, OpusDecoder};
use super::quiet::quietly;
use super::source::Source;
use super::timeline::Timeline;
use super::window::Window;
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::fs::File;
use std::io;
use std::mem;
use std::ops::Range;
use std::sync::LazyLock;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, well_known as codec};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{self, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::packet::Packet;
use symphonia::core::units::Duration;

/// What is read, and how to make it of anything else.
pub(super) const ADVICE: &str = "WAV, FLAC, MP3, Ogg (Vorbis, Opus), M4A and MP4 (AAC, ALAC), AIFF, CAF and MKV or WebM can be read; \
                      `ffmpeg -i IN OUT.wav` converts any recording";
/// How far a file may fall short of the length that it promises, seconds.
const SLACK: f64 = 0.1;
/// Longest duration that is taken at its word, seconds: damaged time stamps promise thousands of years.
const LONGEST_PROMISED: f64 = 1e7;
/// Packets of other tracks between two of this one, at most, where the first ones are sought.
const MOST_OTHERS: usize = 10_000;

/// What no other reader would read either.
#[derive(Debug)]
pub(super) struct Final(String);

impl Final {
    pub fn no_track(number: usize, tracks: usize) -> Self {
        Self(format!("it has no audio track {number}: it has {tracks}"))
    }
}

impl std::fmt::Display for Final {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Final {}

/// The layers of MPEG audio.
const MPEG: [AudioCodecId; 3] = [codec::CODEC_ID_MP1, codec::CODEC_ID_MP2, codec::CODEC_ID_MP3];

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
    /// How many audio tracks there are.
    tracks: usize,
    /// What was decoded last, its channels, and frames up to its end.
    decoded: Vec<f32>,
    width: usize,
    position: u64,
    /// Frames that are still to be cut off at the start.
    skip: u64,
    /// The packet's time from which on none is taken, in the track's ticks.
    end: Option<i64>,
    /// Frames that are cut off at the end, and those held back for it.
    padding: usize,
    held: Vec<f32>,
    held_width: usize,
    /// Frames after which the padding is one, if that is known: where more or fewer come, the file was joined or cut.
    padded_end: Option<u64>,
    ended: bool,
    /// Packets that could not be decoded, and the second of the first of them.
    damaged: usize,
    damage: f64,
    notes: Vec<String>,
}

impl Track {
    /// Finds the track in these `bytes`, and decodes the beginning: only then its rate is certain. `track` counts from 1.
    pub fn open(file: File, bytes: Range<u64>, track: Option<usize>) -> Result<Self> {
        guarded(|| Self::find(file, bytes, track))
    }

    /// The stream in the samples of a WAV file, which calls it by this `tag`.
    pub fn in_wav(file: File, bytes: Range<u64>, tag: u16) -> Result<Self> {
        let why = |error| anyhow!("WAV of {}, which is not read ({error:#})", tagged(tag));
        Self::open(file, bytes, None).map_err(why)
    }

    fn find(file: File, bytes: Range<u64>, number: Option<usize>) -> Result<Self> {
        let (searched, again) = (file.try_clone()?, file.try_clone()?);
        let (track, mut decoder) = choose(&*probed(file, bytes.clone())?.0, &searched, number)?;
        if let Some(parameters) = parameters(&track).filter(|p| p.codec == codec::CODEC_ID_AAC) {
            let (mut format, _) = probed(again.try_clone()?, bytes.clone())?;
            decoder = Some(aac(parameters, &first_packets(&mut *format, track.id, aac::TELLING))?);
        }
        let timeline = Timeline::of(&searched, track.id)?;
        if let Some(parameters) = parameters(&track).filter(|_| timeline.is_big_endian) {
            decoder = Some(self::decoder(&big_endian(parameters))?);
        }
        let decoder = decoder.with_context(|| format!("its audio cannot be decoded: {ADVICE}"))?;
        // What was read meanwhile has moved the file's only position.
        let (format, is_cut) = probed(again, bytes)?;
        let cut = "truncated: its header promises more than there is; what is there is read";
        let tick = track.time_base.map(|base| f64::from(base.numer.get()) / f64::from(base.denom.get()));
        let mut found = Self {
            reliable: is_reliable(&track),
            id: track.id,
            tracks: format.tracks().iter().filter(|track| parameters(track).is_some()).count(),
            format,
            decoder,
            rate: 0,
            channels: 0,
            seconds: duration(&track),
            decoded: Vec::new(),
            width: 0,
            position: 0,
            skip: 0,
            end: timeline.end.and_then(|end| Some((end / tick?).round() as i64)),
            padding: 0,
            held: Vec::new(),
            held_width: 0,
            padded_end: None,
            ended: false,
            damaged: 0,
            damage: 0.0,
            notes: is_cut.then(|| cut.to_owned()).into_iter().collect(),
        };
        if !found.decode_next()? {
            bail!("it holds no samples that can be decoded: {ADVICE}");
        }
        found.begin(&track, timeline, number.is_none())
    }

    /// Turns the timeline's seconds into frames, now that the rate is known, and cuts the first of them.
    fn begin(mut self, track: &formats::Track, timeline: Timeline, is_chosen_here: bool) -> Result<Self> {
        self.channels = u16::try_from(self.width).context("too many channels")?;
        let frames = |seconds: f64| (seconds * f64::from(self.rate)).round() as u64;
        // Opus is skipped by its own header, which says the same.
        let own = parameters(track).filter(|p| p.codec == codec::CODEC_ID_OPUS).map_or(0, opus::pre_skip);
        self.skip = frames(timeline.skip).saturating_sub(own as u64);
        // More than a packet's worth is no padding.
        self.padding = (frames(timeline.padding) as usize).min(self.rate as usize);
        if let (true, Some(delay)) = (self.is_mpeg(), track.delay) {
            // A LAME header tells how much of the first and the last frames was never in the recording.
            let padding = track.padding.unwrap_or(0);
            self.skip = delay.into();
            self.padding = padding as usize;
            self.padded_end = track.num_frames.map(|frames| frames + u64::from(delay) + u64::from(padding));
        }
        if self.tracks > 1 && is_chosen_here {
            let others = "the one that its player takes is read; --track N takes another";
            self.notes.push(format!("it has {} audio tracks: {others}", self.tracks));
        }
        Ok(self)
    }

    /// Decodes the next packet that gives samples; false: there is none.
    fn decode_next(&mut self) -> Result<bool> {
        self.decoded.clear();
        while self.decoded.is_empty() {
            let mut packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(false),
                Err(Error::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                Err(Error::ResetRequired) => {
                    self.begin_again()?;
                    continue;
                }
                Err(error) if self.rate == 0 => return Err(unreadable(error, "damaged at its start")),
                Err(error) => {
                    let at = self.seconds_so_far();
                    self.notes.push(format!("damaged at {at:.1} s ({error}): what comes after is not read"));
                    return Ok(false);
                }
            };
            if packet.track_id != self.id {
                continue;
            }
            if self.end.is_some_and(|end| packet.pts.get() >= end) {
                return Ok(false);
            }
            if self.is_mpeg() {
                // symphonia cuts where its guess of the length ends, or the first of several files that were joined.
                (packet.trim_start, packet.trim_end) = (Duration::ZERO, Duration::ZERO);
            }
            self.decode(&packet)?;
        }
        Ok(true)
    }

    /// Decodes a packet. What cannot be decoded is left out, as players do; a stream that was cut out of a longer one, or joined to
    /// one, refers to what is not there.
    fn decode(&mut self, packet: &Packet) -> Result<()> {
        let error = match self.decoder.decode(packet) {
            Ok(buffer) => {
                let (rate, channels) = (buffer.spec().rate(), buffer.spec().channels().count());
                buffer.copy_to_vec_interleaved(&mut self.decoded);
                return self.took(rate, channels);
            }
            Err(error) => error,
        };
        self.decoded.clear();
        // symphonia's MPEG decoder takes one number of channels; files joined together have several.
        if self.is_mpeg() {
            let mut fresh = decoder(&self.decoder.codec_params().clone())?;
            if let Ok(buffer) = fresh.decode(packet) {
                let (rate, channels) = (buffer.spec().rate(), buffer.spec().channels().count());
                buffer.copy_to_vec_interleaved(&mut self.decoded);
                self.decoder = fresh;
                return self.took(rate, channels);
            }
        }
        match error {
            Error::IoError(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error.into()),
            _ => {
                if self.damaged == 0 {
                    self.damage = self.seconds_so_far();
                }
                // Of a cut stream the first packets are expected to fail.
                self.damaged += usize::from(self.rate > 0);
                Ok(())
            }
        }
    }

    fn took(&mut self, rate: u32, channels: usize) -> Result<()> {
        if self.decoded.is_empty() {
            return Ok(());
        }
        self.check(rate)?;
        self.width = channels;
        self.position += (self.decoded.len() / channels) as u64;
        Ok(())
    }

    fn is_mpeg(&self) -> bool {
        MPEG.contains(&self.decoder.codec_params().codec)
    }

    fn seconds_so_far(&self) -> f64 {
        self.position as f64 / f64::from(self.rate.max(1))
    }

    /// Takes the rate of the first packet, and holds the others to it.
    fn check(&mut self, rate: u32) -> Result<()> {
        if self.rate == 0 {
            check_rate(rate)?;
            self.rate = rate;
        }
        ensure!(rate == self.rate, "its sample rate changes from {} to {rate} Hz: {ADVICE}", self.rate);
        Ok(())
    }

    /// Says so where there is less than the file promises, and what was left out; once.
    fn check_end(&mut self) {
        if mem::replace(&mut self.ended, true) {
            return;
        }
        let there = self.seconds_so_far();
        if let Some(promised) = self.seconds.filter(|promised| self.reliable && there + SLACK < *promised) {
            self.notes.push(format!("truncated: {there:.2} of {promised:.2} s are there, and read"));
        }
        let (damaged, at) = (mem::take(&mut self.damaged), self.damage);
        if damaged > 0 {
            self.notes.push(format!("damaged: {damaged} packets are left out, the first at {at:.1} s"));
        }
    }

    /// What is to be heard of the samples that were decoded last: without the start, and with the end held back.
    fn trim(&mut self) {
        let skipped = self.skip.min((self.decoded.len() / self.width) as u64);
        self.skip -= skipped;
        self.decoded.drain(..skipped as usize * self.width);
        if self.padding > 0 {
            self.held_width = self.width;
            self.held.append(&mut self.decoded);
            let ready = self.held.len().saturating_sub(self.padding * self.width);
            self.decoded.extend(self.held.drain(..ready));
        }
    }

    /// Where one stream follows another in the same file (chained Ogg), takes the next.
    fn begin_again(&mut self) -> Result<()> {
        let parameters = self.format.tracks().iter().find_map(|track| Some((track.id, parameters(track)?)));
        let (id, parameters) = parameters.context("its second part has no audio")?;
        self.decoder = decoder(parameters)?;
        (self.id, self.reliable) = (id, false);
        Ok(())
    }
}

impl Source for Track {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn channels(&self) -> u16 {
        self.channels
    }

    fn seconds(&self) -> Option<f64> {
        self.seconds
    }

    fn block(&mut self, interleaved: &mut Vec<f32>) -> Result<usize> {
        interleaved.clear();
        while interleaved.is_empty() {
            // The first block is there already.
            if self.decoded.is_empty() && !guarded(|| self.decode_next())? {
                self.check_end();
                let is_padding = self.padded_end.is_none_or(|end| self.position == end);
                *interleaved = mem::take(&mut self.held);
                return Ok(if is_padding || interleaved.is_empty() { 0 } else { self.held_width });
            }
            if !self.held.is_empty() && self.held_width != self.width {
                // Another file follows: what was held back is no padding.
                self.padding = 0;
                *interleaved = mem::take(&mut self.held);
                return Ok(self.held_width);
            }
            self.trim();
            mem::swap(interleaved, &mut self.decoded);
            self.decoded.clear();
        }
        Ok(self.width)
    }

    fn tracks(&self) -> usize {
        self.tracks
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// What a WAV file's tag stands for (Microsoft's mmreg.h), where it is well known.
fn tagged(tag: u16) -> String {
    let name = match tag {
        0x0040 | 0x0045 | 0x0064 | 0x0065 => "G.72x",
        0x0050 => "MPEG audio",
        0x0055 => "MP3",
        0x0022 => "TrueSpeech",
        0x00FF | 0x1600..=0x1602 | 0x1610 => "AAC",
        0x0160..=0x0163 => "WMA",
        0x2000 => "AC-3",
        0x2001 => "DTS",
        0xA109 => "Speex",
        _ => return format!("the kind {tag:#06x}"),
    };
    name.to_owned()
}

/// What symphonia takes these bytes for, and whether they were cut short: such a Matroska file it takes only as a stream.
fn probed(file: File, bytes: Range<u64>) -> Result<(Box<dyn FormatReader>, bool)> {
    match probed_in(Window::new(file.try_clone()?, bytes.clone())?) {
        Ok(whole) => Ok((whole, false)),
        Err(_) => Ok((probed_in(Window::new(file, bytes)?.unbounded())?, true)),
    }
}

fn probed_in(window: Window) -> Result<Box<dyn FormatReader>> {
    let stream = MediaSourceStream::new(Box::new(window), Default::default());
    let probed = symphonia::default::get_probe().probe(&Hint::new(), stream, Default::default(), Default::default());
    probed.map_err(|error| unreadable(error, "not a recording of a kind that is read"))
}

/// The first packets of the track `id`.
fn first_packets(format: &mut dyn FormatReader, id: u32, count: usize) -> Vec<Box<[u8]>> {
    let packets = std::iter::from_fn(|| format.next_packet().ok().flatten()).take(MOST_OTHERS);
    packets.filter(|packet| packet.track_id == id).take(count).map(|packet| packet.data).collect()
}

/// A track, and what decodes it. AAC may lack its decoder still.
type Chosen = (formats::Track, Option<Box<dyn AudioDecoder>>);

/// The audio track that was asked for, or else the first that can be decoded, the container's favourite before others.
fn choose(format: &dyn FormatReader, file: &File, number: Option<usize>) -> Result<Chosen> {
    let audio = || format.tracks().iter().filter(|track| parameters(track).is_some());
    let favourite = format.default_track(TrackType::Audio).into_iter().chain(audio());
    let tracks: Vec<_> = match number {
        None => favourite.collect(),
        Some(number) => audio().skip(number.saturating_sub(1)).take(1).collect(),
    };
    let protected = is_protected(file)?;
    let mut refused = None;
    for track in tracks {
        let Some(parameters) = parameters(track) else { continue };
        match decoder(parameters) {
            Ok(decoder) => return Ok((track.clone(), Some(decoder))),
            Err(_) if parameters.codec == codec::CODEC_ID_AAC && !protected => return Ok((track.clone(), None)),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    ensure!(!protected, Final("protected (DRM): nothing but its own player can read it".into()));
    Err(refused.unwrap_or_else(|| match number {
        Some(number) => Final::no_track(number, audio().count()).into(),
        None => anyhow!("it has no audio track: {ADVICE}"),
    }))
}

fn parameters(track: &formats::Track) -> Option<&AudioCodecParameters> {
    track.codec_params.as_ref().and_then(CodecParameters::audio)
}

pub(super) fn decoder(parameters: &AudioCodecParameters) -> Result<Box<dyn AudioDecoder>> {
    let mut parameters = parameters.clone();
    if matches!(parameters.codec, codec::CODEC_ID_PCM_ALAW | codec::CODEC_ID_PCM_MULAW) {
        // symphonia's own reader of CAF tells eight bits, which its own decoder refuses.
        (parameters.bits_per_sample, parameters.bits_per_coded_sample) = (None, None);
    }
    let parameters = &parameters;
    CODECS.make_audio_decoder(parameters, &Default::default()).map_err(|error| {
        let name = name(parameters);
        unreadable(error, &format!("its audio is {name}, which is not read"))
    })
}

/// As `parameters`, with the highest byte of each sample first: symphonia takes QuickTime's wide samples for little-endian.
fn big_endian(parameters: &AudioCodecParameters) -> AudioCodecParameters {
    let codec = match parameters.codec {
        codec::CODEC_ID_PCM_S24LE => codec::CODEC_ID_PCM_S24BE,
        codec::CODEC_ID_PCM_S32LE => codec::CODEC_ID_PCM_S32BE,
        codec::CODEC_ID_PCM_F32LE => codec::CODEC_ID_PCM_F32BE,
        codec::CODEC_ID_PCM_F64LE => codec::CODEC_ID_PCM_F64BE,
        other => other,
    };
    AudioCodecParameters { codec, ..parameters.clone() }
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
        _ => "of another kind",
    }
}

/// Whether an MP4 has an encrypted sample entry (ISO 14496-12 8.12: `enca`; Apple's `drms`).
fn is_protected(file: &File) -> Result<bool> {
    let size = file.metadata()?.len();
    for start in [0, size.saturating_sub(SEARCHED)] {
        if kind::bytes(file, start, SEARCHED)?.windows(4).any(|four| four == b"enca" || four == b"drms") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn duration(track: &formats::Track) -> Option<f64> {
    let seconds = track.time_base?.calc_duration(track.duration?)?.as_secs_f64();
    (seconds > 0.0 && seconds < LONGEST_PROMISED).then_some(seconds)
}

/// Whether the duration is exact. That of Matroska is the whole file's; MP3 without a LAME header has none, and symphonia
/// guesses it from the first frame's bit rate.
fn is_reliable(track: &formats::Track) -> bool {
    let guessed = parameters(track).is_none_or(|p| MPEG.contains(&p.codec)) && track.delay.is_none();
    track.num_frames.is_some() && !guessed
}

/// Runs a step of symphonia's, which panics on some damaged files (arithmetic on what headers promise): an error like others.
pub(super) fn guarded<T>(step: impl FnOnce() -> Result<T>) -> Result<T> {
    // After a panic the track is dropped, and nobody sees what it was left as.
    quietly(step).unwrap_or_else(|| Err(anyhow!("damaged: {ADVICE}")))
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
