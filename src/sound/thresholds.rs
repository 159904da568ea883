//! Every threshold that a recording or an utterance is judged by, each with where it comes from.
//!
//! "Tuned": set on the half `tune` of the labelled set of `examples/check`; the other half measures it. What belongs to
//! a published method (the speech detector's scores, YIN's dip, the frames of a transform) stands with the method.

use std::ops::Range;

// Length, seconds.

/// Shortest clip that becomes a voice: Bark's own loader refuses the ratio of shorter ones.
pub const SHORTEST: f64 = 1.0;
/// Where a voice is short of material: the text stage hears 5.1 s, so shorter clips leave it padded.
pub const SHORT: f64 = 5.0;
/// What a good reference lasts: upstream's advice is 5 to 12 s.
pub const LENGTHS: Range<f64> = SHORT..12.0;
/// Longest reference that is taken. The models hear the last 7 s of a voice, and HuBERT's attention grows with the
/// square of the length.
pub const LONGEST_REFERENCE: f64 = 60.0;
/// Longest end of a recording that is checked: it bounds memory and time.
pub const LONGEST_CHECKED: f64 = 300.0;
/// Least speech that a voice can be told from.
pub const LEAST_SPEECH: f64 = 1.0;
/// Speech, as a share of the seconds that are heard, under which most of what the models hear is not the voice.
pub const LITTLE_SPEECH: f64 = 0.5;

// Level.

/// Loudness, LUFS: EBU R 128 aims at -23; a recording far below is near its noise and makes a voice that is as quiet.
/// Bark normalises nothing.
pub const QUIET: f64 = -33.0;
pub const QUIET_BAD: f64 = -45.0;
/// Louder than any delivery standard asks for (podcasts: -16, streaming: -14 LUFS): limited or clipped.
pub const LOUD: f64 = -10.0;
/// Loudness of an utterance under which nothing was said, LUFS: Bark speaks at -30 to -15.
pub const SILENT: f64 = -50.0;
/// Loudness that references are brought to, LUFS: between broadcast's -23 (EBU R 128) and streamed speech's -16 (AES
/// TD1008). Bark's own sample recordings lie there.
pub const LOUDNESS_TARGET: f64 = -20.0;
/// What is this near to the target is left as it is, LU.
pub const LOUDNESS_TOLERANCE: f64 = 3.0;
/// Highest sample that a gain may lead to, dB re full scale (EBU R 128's highest permitted level).
pub const PEAK: f64 = -1.0;
/// Flat tops a second of speech: warned of, and bad. Tuned: a clean voice at 16 bits touches its own ceiling less than
/// once a second.
pub const CLIPPED: f64 = 1.5;
pub const CLIPPED_BADLY: f64 = 15.0;
/// Offset, as a share of full scale: rounding leaves 1e-5, a faulty converter 1e-2 and more.
pub const OFFSET: f64 = 0.005;
pub const OFFSET_BAD: f64 = 0.1;

// Noise.

/// Signal-to-noise ratio, dB: under the first it is warned of, under the second bad. 20 dB is what LibriTTS asks of its
/// "clean" subsets (Zen et al. 2019); at 10 dB noise is at home in the pauses of whatever is generated.
pub const SNR: f64 = 20.0;
pub const SNR_BAD: f64 = 10.0;
/// Under this ratio, dB, RNNoise takes more noise out than voice: it makes every recording of the set better by all
/// three measures of `examples/check/denoise.py`; from 20 dB on it makes them worse by two.
pub const DENOISE: f64 = 17.0;
/// A tone of the mains stands out by this much of its neighbours, dB; three of them make a hum. Tuned.
pub const HUM_PROMINENCE: f64 = 12.0;
/// One of the first two multiples alone makes a hum if it stands out by this much, dB. Tuned.
pub const HUM_SOLO_PROMINENCE: f64 = 20.0;
/// Hum under the speech by more than this is not heard, dB; by less than the second it is bad.
pub const HUM_UNDER_SPEECH: f64 = 50.0;
pub const HUM_BAD: f64 = 20.0;

// Music, which is a hint.

/// Continuous frequency activation from which there may be music (the paper's is 1.24, on another scale), how much more
/// it takes beside a mains hum, which is held as well, and what is sure. Tuned.
pub const MUSIC: f64 = 1.75;
pub const MUSIC_BESIDE_HUM: f64 = 0.5;
pub const MUSIC_SURE: f64 = 3.5;
/// A voice is monotonous, and its overtones are held as music's are, where this share of its frames have the same pitch
/// to this share. In two seconds, the set's voices keep it for 10 to 35 % of the time with intonation, and mostly for
/// over 90 % without; those of `examples/demo` for over 70 %. Tuned.
pub const MONOTONOUS: f64 = 0.5;
pub const SAME_PITCH: f64 = 0.02;

// A second speaker, which is a hint.

/// The registers' separation, share, distance in semitones, and most changes a second. Tuned.
pub const SPEAKERS_SEPARATION: f64 = 4.5;
pub const SPEAKERS_SEPARATION_SURE: f64 = 8.0;
pub const SPEAKERS_SHARE: f64 = 0.08;
pub const SPEAKERS_SEMITONES: f64 = 5.0;
pub const SPEAKERS_CHANGES: f64 = 0.8;

// Bandwidth.

/// A spectrum's edge, dB: a voice falls by a few dB from a fifth of an octave to the next, a filter by 20 and more.
/// Tuned.
pub const EDGE_DROP: f64 = 14.0;
/// Lowest edge that is looked for, Hz: under it lie the formants.
pub const EDGE_LOWEST: f64 = 2500.0;
/// A telephone ends at 3.4 kHz, 8 kHz of sampling at 4 (ITU-T G.712).
pub const BAND_TELEPHONE: f64 = 4100.0;
/// Wideband telephony ends at 7 kHz (ITU-T G.722), and so do the stronger lossy codecs: EnCodec hears up to 12.
pub const BAND_NARROW: f64 = 7600.0;

// Cuts and silences.

/// An edge is cut where its level is within this of the speech's, dB. Tuned.
pub const CUT_UNDER_SPEECH: f64 = 12.0;
/// Where the floor is nearer than this to the speech, dB, no cut can be told.
pub const CUT_NOISE_MARGIN: f64 = 14.0;
/// Silence, seconds: sentences are under a second apart.
pub const SILENCE_INSIDE: f64 = 1.0;
pub const SILENCE_END: f64 = 1.0;
pub const SILENCE_START: f64 = 1.5;

// The stretch that makes the best voice: between the two values of each range a score rises from 0 to 1. Upstream's
// advice gives the lengths. Pauses between sentences mostly last longer than 0.6 s, those within sentences less
// (Campione and Veronis, "A large-scale multilingual study of silent pause duration", 2002). The other limits are this
// project's choice.

/// Level of the speech over the noise, dB.
pub const SCORED_SNR: Range<f64> = 10.0..40.0;
/// Share of speech in what the models hear.
pub const SCORED_SPEECH: Range<f64> = 0.3..0.85;
/// The pause that it ends with, so that no sentence is cut in two, seconds.
pub const SCORED_PAUSE: Range<f64> = 0.1..0.6;
/// Length, until every stage has all that it can hear, seconds.
pub const SCORED_LENGTH: Range<f64> = 2.0..7.0;
/// Frames of speech that are not clipped, as a share.
pub const SCORED_UNCLIPPED: Range<f64> = 0.95..1.0;
/// Deviation of its phrases' levels, dB: the lower the better.
pub const SCORED_UNEVENNESS: Range<f64> = 1.0..6.0;
/// A recording of a good length is taken whole if it has no more silence than this before and after its speech, and at
/// least that little at its end, so that no word is cut off; seconds.
pub const LEAD_OF_WHOLE: f64 = 0.5;
pub const TAIL_OF_WHOLE: Range<f64> = 0.05..0.7;

// Utterances.

/// Letters a second of speech. Languages are spoken at 5 to 8 syllables a second (Pellegrino, Coupé and Marsico, "A
/// cross-language perspective on speech information rate", 2011), which is 10 to 20 letters; these are half and nearly
/// twice of it.
pub const SLOWEST: f64 = 5.0;
pub const FASTEST: f64 = 35.0;
/// Seconds that any text may take on top, for a sigh or a laugh.
pub const GRACE: f64 = 2.0;
/// Texts of fewer letters are not too fast: `Oi.` takes no time.
pub const FEW_LETTERS: f64 = 20.0;
/// Seconds of sound after the speech, or of noise at its end, that make a tail. Longer than any sound of speech.
pub const TAIL: f64 = 0.5;
/// What is no further under the speech than this is heard, dB: the range of speech's levels (ANSI S3.5, "Speech
/// Intelligibility Index").
pub const AUDIBLE: f64 = 30.0;
/// Spectral flatness of noise, 0 to 1: a vowel has under 0.1, white noise 0.56 in one frame.
pub const NOISE_LIKE: f64 = 0.35;
/// The last second is a burst if it is louder than the speech before it by this, dB: more than a shout is over speech.
pub const BURST: f64 = 9.0;
pub const BURST_SECONDS: f64 = 1.0;
