//! The thresholds of the findings, each with where it comes from. "Tuned": set on the tuning half of the labelled set of
//! `examples/check`, whose other half measures it.

/// Shortest clip that becomes a voice, seconds: Bark's own loader refuses the ratio of shorter ones.
pub const SHORTEST: f64 = 1.0;
/// Where a voice is short of material, seconds: the text stage hears 5.1 s, so shorter clips leave it padded.
pub const SHORT: f64 = 5.0;
/// Least speech, seconds, that a voice can be told from. Under a second of it is bad.
pub const LEAST_SPEECH: f64 = 1.0;
/// Speech, as a share of the seconds that are heard, under which most of what the models hear is not the voice.
pub const LITTLE_SPEECH: f64 = 0.5;

/// Flat tops a second of speech: warned of, and bad. Tuned: a clean voice at 16 bits touches its own ceiling less than once
/// a second.
pub const CLIPPED: f64 = 1.5;
pub const CLIPPED_BADLY: f64 = 15.0;

/// Signal-to-noise ratio, dB: under the first it is warned of, under the second bad. 20 dB is what LibriTTS asks of its
/// "clean" subsets (Zen et al. 2019); at 10 dB noise is at home in the pauses of whatever is generated.
pub const SNR: f64 = 20.0;
pub const SNR_BAD: f64 = 10.0;
/// Where RNNoise takes more noise out than voice, dB: nearer than this it makes every recording of the set better by all three
/// measures of `examples/check/denoise.py`, from 20 dB on it makes them worse by two.
pub const DENOISE: f64 = 17.0;
/// A tone of the mains stands out by this much of its neighbours, dB; three of them make a hum. Tuned.
pub const HUM_PROMINENCE: f64 = 12.0;
/// One of the first two multiples alone makes a hum if it stands out by this much, dB. Tuned.
pub const HUM_SOLO_PROMINENCE: f64 = 20.0;
/// Hum under the speech by more than this is not heard, dB; by less than the second it is bad.
pub const HUM_UNDER_SPEECH: f64 = 50.0;
pub const HUM_BAD: f64 = 20.0;

/// Continuous frequency activation from which there may be music (the paper's is 1.24, on another scale), how much more it
/// takes beside a mains hum, which is held as well, and what is sure. Tuned.
pub const MUSIC: f64 = 1.75;
pub const MUSIC_BESIDE_HUM: f64 = 0.5;
pub const MUSIC_SURE: f64 = 3.5;

/// A second speaker: the registers' separation, share, distance in semitones, and most changes a second. Tuned.
pub const SPEAKERS_SEPARATION: f64 = 4.5;
pub const SPEAKERS_SEPARATION_SURE: f64 = 8.0;
pub const SPEAKERS_SHARE: f64 = 0.08;
pub const SPEAKERS_SEMITONES: f64 = 5.0;
pub const SPEAKERS_CHANGES: f64 = 0.8;

/// Decay by 60 dB, seconds, from which a room may be heard, and from which it surely is. Dry rooms for speech are at 0.3 s and
/// under, living rooms at 0.5. Tuned.
pub const REVERB: f64 = 0.35;
pub const REVERB_SURE: f64 = 0.9;
/// Where the noise is nearer to the speech than this, dB, it hides how a room decays. Tuned.
pub const REVERB_SNR: f64 = 22.0;

/// Loudness, LUFS: EBU R 128 aims at -23; a recording far below is near its noise and makes a voice that is as quiet. Bark
/// normalises nothing.
pub const QUIET: f64 = -33.0;
pub const QUIET_BAD: f64 = -45.0;
/// Louder than any delivery standard asks for (podcasts: -16, streaming: -14 LUFS): limited or clipped.
pub const LOUD: f64 = -10.0;

/// Offset, as a share of full scale: rounding leaves 1e-5, a faulty converter 1e-2 and more.
pub const OFFSET: f64 = 0.005;
pub const OFFSET_BAD: f64 = 0.1;

/// A spectrum's edge, dB: a voice falls by a few dB from a fifth of an octave to the next, a filter by 20 and more. Tuned.
pub const EDGE_DROP: f64 = 14.0;
/// Lowest edge that is looked for, Hz: under it lie the formants.
pub const EDGE_LOWEST: f64 = 2500.0;
/// A telephone ends at 3.4 kHz, 8 kHz of sampling at 4 (ITU-T G.712).
pub const BAND_TELEPHONE: f64 = 4100.0;
/// Wideband telephony ends at 7 kHz (ITU-T G.722), and so do the stronger lossy codecs: EnCodec hears up to 12.
pub const BAND_NARROW: f64 = 7600.0;

/// An edge is cut where its level is within this of the speech's, dB. Tuned.
pub const CUT_UNDER_SPEECH: f64 = 12.0;
/// Where the floor is nearer than this to the speech, dB, no cut can be told.
pub const CUT_NOISE_MARGIN: f64 = 14.0;

/// Silence, seconds: sentences are under a second apart.
pub const SILENCE_INSIDE: f64 = 1.0;
pub const SILENCE_END: f64 = 1.0;
pub const SILENCE_START: f64 = 1.5;
