//! All measures of one recording.

use super::analysis::{Analysis, mean};
use super::reference::stages;
use super::spectra::{decibels, percentile, power};
use super::{Clipping, Edges, Hum, Registers, band, edges, hum, level, music, pitch, reverb, speakers};
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
    /// Seconds for a decay by 60 dB.
    pub decay: Option<f64>,
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
        let hum = hum::hum(sound)?;
        let track = pitch::track(sound)?;
        let heard = stages::stages(sound.seconds())?.map_or(0.0..sound.seconds(), |stages| stages.any());
        let mut activations = music::activations(sound, hum.as_ref())?;
        Ok(Self {
            length: sound.seconds(),
            speech_seconds: sound.speech_seconds(),
            heard_speech_seconds: sound.speech_within(&heard),
            heard_seconds: heard.end - heard.start,
            peak: level::peak(raw),
            loudness: level::loudness(raw)?,
            speech_level: sound.speech_level(),
            floor: sound.floor(),
            snr: snr(sound, hum.as_ref()),
            clipping: level::clipping(raw),
            offset: mean(&raw.samples),
            cutoff: band::cutoff(sound)?,
            decay: reverb::decay(sound)?,
            music: percentile(&mut activations, 0.5),
            pitch: percentile(&mut track.iter().map(|(_, hz)| *hz).collect::<Vec<_>>(), 0.5),
            registers: speakers::registers(&track),
            edges: edges::edges(sound),
            hum,
        })
    }
}

/// dB; what is measured as speech is speech and noise, and the noise is what the hum leaves of the floor.
fn snr(sound: &Analysis, hum: Option<&Hum>) -> Option<f64> {
    let (speech, floor) = (power(sound.speech_level()?), power(sound.floor()?));
    let noise = floor - hum.map_or(0.0, |hum| power(hum.level)).min(HUM_SHARE * floor);
    Some(decibels((speech - floor).max(0.0)) - decibels(noise))
}
