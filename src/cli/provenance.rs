//! What every sound that this program writes says of itself in its tags.

use super::nets::WeightType;
use barkclone::audio::Info;
use barkclone::speak::Settings;
use barkclone::stage::fine::Context as FineContext;
use std::hash::{BuildHasher, Hasher};

const SOFTWARE: &str = concat!("barkclone ", env!("CARGO_PKG_VERSION"));

/// The program, the sound's title, and how it was made.
pub fn remarks<'a>(title: &'a str, made: &'a str) -> [Info<'a>; 3] {
    [(b"ISFT", SOFTWARE), (b"INAM", title), (b"ICMT", made)]
}

/// What a listener should know of a sound, and what makes it again; `voice` is the voice's hash.
pub fn made(voice: &str, s: &Settings, weights: WeightType) -> String {
    let optional = |name: &str, value: Option<String>| value.map_or(String::new(), |v| format!(" {name}={v}"));
    format!(
        "synthetic speech; voice={voice} seed={} text_temp={} waveform_temp={} fine_temp={} coarse_history={} \
         coarse_window={} weights={}{}{}{}{}{}",
        s.seed,
        s.text.temperature,
        s.coarse.temperature,
        s.fine.temperature,
        s.windows.history,
        s.windows.window,
        weights.repr(),
        optional("fine_context", (s.fine_context == FineContext::Fewest).then(|| "fewest".to_string())),
        optional("min_eos_p", s.stop.min_eos_p.map(|p| p.to_string())),
        optional("max_seconds", s.stop.max_seconds.map(|p| p.to_string())),
        optional("top_k", s.text.top_k.map(|k| k.to_string())),
        optional("top_p", s.text.top_p.map(|p| p.to_string())),
    )
}

/// As of [`made`], of a sound whose words were heard in a recording.
pub fn converted(voice: &str, settings: &Settings, weights: WeightType, sha256: &str) -> String {
    let how = made(voice, settings, weights);
    format!("{how}; converted from another recording, sha256={sha256}")
}

/// A seed of the system's randomness, short enough to be typed again.
pub fn new_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() >> 32
}
