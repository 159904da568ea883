//! Voices by name, each read once: the last few are kept.

use crate::voice::Voice;
use anyhow::Result;
use std::sync::Arc;

/// Voices that are kept.
const KEPT: usize = 32;

/// A voice and its hash.
#[derive(Clone, Debug)]
pub struct LoadedVoice {
    pub voice: Arc<Voice>,
    pub hash: String,
}

impl LoadedVoice {
    pub fn new(voice: Voice) -> Self {
        Self { hash: voice.hash(), voice: Arc::new(voice) }
    }
}

/// The last few voices that were asked for; the last one at the end.
#[derive(Default)]
pub struct VoiceCache {
    kept: Vec<(String, LoadedVoice)>,
}

impl VoiceCache {
    /// The voice `name`, by `read` if it is not kept.
    pub fn get(&mut self, name: &str, read: impl FnOnce(&str) -> Result<Voice>) -> Result<LoadedVoice> {
        let place = self.kept.iter().position(|(kept, _)| kept == name);
        let kept = match place {
            Some(place) => self.kept.remove(place),
            None => (name.to_owned(), LoadedVoice::new(read(name)?)),
        };
        if self.kept.len() == KEPT {
            self.kept.remove(0);
        }
        let known = kept.1.clone();
        self.kept.push(kept);
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::{Fine, Semantic};

    #[test]
    fn a_voice_is_read_once_while_it_is_in_use() {
        let voice = |name: &str| {
            let semantic = Semantic::new(vec![name.len() as u32; 50], 10_000)?;
            Voice::from_parts(semantic, Fine::new(std::array::from_fn(|_| vec![1; 75]), 1024)?)
        };
        let mut voices = VoiceCache::default();
        let mut read = 0;
        let mut ask = |name: &str| {
            let known = voices.get(name, |name| {
                read += 1;
                voice(name)
            });
            assert_eq!(known.unwrap().hash, voice(name).unwrap().hash());
            read
        };
        assert_eq!((ask("a"), ask("a"), ask("ab"), ask("a")), (1, 1, 2, 2));
        for n in 0..KEPT {
            ask(&"x".repeat(3 + n));
            ask("a");
        }
        assert_eq!(ask("a"), 2 + KEPT, "what is used stays");
        assert_eq!(ask("ab"), 3 + KEPT, "what is not goes");
        assert!(voices.get("none", |_| anyhow::bail!("no such voice")).is_err());
    }
}
