//! All measures of one recording.

use super::analysis::Analysis;
use super::level::{self, decibels, power};
use super::reference::stages;
use super::spectra::percentile;
use super::{Clipping, Edges, Hum, Registers, band, clipping, edges, hum, music, pitch, speakers};
use crate::audio::Pcm;
use anyhow::Result;
use serde::Serialize;

/// Hum takes no more than this share of the floor's power away from the noise: the rest is their estimates' error.
const HUM_SHARE: f64 = 0.97;

/// What was measured. `None`: there was too little of it to measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measures {
    /// Seconds of speech in all, and in what the models will hear.
    #[serde(skip)]
    pub(super) length: f64,
    pub speech_seconds: f64,
    pub heard_speech_seconds: f64,
    /// Seconds of what the models will hear.
    pub heard_seconds: f64,
    /// The highest sample, dB re full scale.
    pub peak: f64,
    /// Integrated loudness, LUFS.
    pub loudness: Option<f64>,
    /// Level of the speech, and of what lies under it, dB re full scale RMS.
    pub speech_level: Option<f64>,
    pub floor: Option<f64>,
    /// Speech over noise, dB; without the mains' hum, which is told apart.
    pub snr: Option<f64>,
    pub hum: Option<Hum>,
    pub clipping: Clipping,
    /// The mean of all samples, as a share of full scale.
    pub offset: f64,
    /// Where the spectrum ends, Hz.
    pub cutoff: f64,
    /// The median of the blocks' continuous frequency activations, 0 to 5.
    pub music: Option<f64>,
    /// The middle pitch of the voice, Hz.
    pub pitch: Option<f64>,
    pub registers: Option<Registers>,
    pub edges: Edges,
}

impl Measures {
    /// Of `raw` as it was read, and of what was made of it to be looked at.
    pub(super) fn of(raw: &Pcm, sound: &Analysis) -> Result<Self> {
        let track = pitch::track(sound)?;
        let hum = hum::hum(sound, pitch::held(&track, 0.0..f64::INFINITY))?;
        let heard = stages::stages(sound.seconds())?.map_or(0.0..sound.seconds(), |stages| stages.any());
        let (speech_level, floor) = (sound.speech_level(), sound.floor());
        let mut activations = music::activations(sound, hum.as_ref(), &track)?;
        Ok(Self {
            length: sound.seconds(),
            speech_seconds: sound.speech_seconds(),
            heard_speech_seconds: sound.speech_within(&heard),
            heard_seconds: heard.end - heard.start,
            peak: level::peak(raw),
            loudness: level::loudness(raw)?,
            speech_level,
            floor,
            snr: speech_level.zip(floor).map(|(speech, floor)| snr(speech, floor, hum.as_ref())),
            clipping: clipping::clipping(raw),
            offset: level::mean(&raw.samples),
            cutoff: band::cutoff(sound)?,
            music: percentile(&mut activations, 0.5),
            pitch: pitch::median(&track),
            registers: speakers::registers(&track),
            edges: edges::edges(sound),
            hum,
        })
    }
}

/// How far speech is over the noise, dB, of the levels `speech` and `floor`, dB. What is measured as speech is speech
/// and noise, and the noise is what the hum leaves of the floor.
pub(super) fn snr(speech: f64, floor: f64, hum: Option<&Hum>) -> f64 {
    let (speech, floor) = (power(speech), power(floor));
    let noise = floor - hum.map_or(0.0, |hum| power(hum.level)).min(HUM_SHARE * floor);
    decibels((speech - floor).max(0.0)) - decibels(noise)
}
