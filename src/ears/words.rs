//! What a sound says, as Whisper writes it down, how many letters of a text that gets wrong, and how likely Whisper finds
//! the text itself.
//!
//! The features are transformers' `WhisperFeatureExtractor`'s, and the tokens its greedy `generate`'s, to rounding: the
//! language and the task are told, times are not written. What is longer than Whisper's window of 30 s is heard 30 s at a
//! time, each for itself.

use super::mel::Mel;
use crate::audio::{Pcm, Recipe, resample};
use crate::checkpoint::{Generation, Recogniser};
use crate::error::Kind;
use crate::net::whisper::Whisper;
use crate::normalize::{Variety, Wording, likely_language, normalize};
use anyhow::{Context, Result, anyhow};
use candle_core::{DType, Device, Tensor};
use tokenizers::Tokenizer;

/// What is heard, Hz; a frame's length and distance, samples: 25 and 10 ms.
const RATE: u32 = 16_000;
const FRAME: usize = 400;
const HOP: usize = 160;
/// Least mel power, and how far under the loudest the logarithms go, decades; then (x + 4) / 4.
const LEAST: f32 = 1e-10;
const DEEP: f32 = 8.0;
/// Vocabularies of models that know English alone are smaller than this (openai/whisper, `is_multilingual`).
const MULTILINGUAL: usize = 51_865;

/// Hears words.
pub struct WordEar {
    net: Whisper,
    mel: Mel,
    tokenizer: Tokenizer,
    generation: Generation,
    special: Special,
}

/// Ids that say what is to be done, beside the language's.
#[derive(Clone, Copy, Debug)]
struct Special {
    start: u32,
    transcribe: u32,
    no_times: u32,
    end: u32,
}

impl WordEar {
    /// Whisper on `device`.
    ///
    /// # Errors
    /// Another kind of model, or a tokenizer of another one.
    pub fn new(recogniser: Recogniser, device: &Device) -> Result<Self> {
        let Recogniser { net, tokenizer, generation } = recogniser;
        let id = |name: &str| {
            let known = tokenizer.token_to_id(name).filter(|id| (*id as usize) < net.config.vocab_size);
            known.with_context(|| Kind::Model.error(format!("{}: its tokenizer lacks {name}", net.origin())))
        };
        let special = Special {
            start: id("<|startoftranscript|>")?,
            transcribe: id("<|transcribe|>")?,
            no_times: id("<|notimestamps|>")?,
            end: id("<|endoftext|>")?,
        };
        let net = Whisper::new(&net.config, &net.weights(DType::F32, device))?;
        let mel = Mel::librosa(f64::from(RATE), FRAME, HOP, net.config().num_mel_bins);
        Ok(Self { net, mel, tokenizer, generation, special })
    }

    /// What `pcm` says, at any rate, in a language of two letters: at most `most` tokens of each 30 s.
    pub fn hear(&self, pcm: &Pcm, language: &str, most: usize) -> Result<String> {
        let samples = resample(pcm, RATE, Recipe::Functional)?.samples;
        let texts = samples.chunks(self.window()).map(|samples| self.write(&self.encode(samples)?, language, most));
        Ok(normalize(&texts.collect::<Result<Vec<_>>>()?.join(" ")))
    }

    /// What is written of a window of sound: at most `most` tokens.
    fn write(&self, encoded: &Tensor, language: &str, most: usize) -> Result<String> {
        let ids = self.tokens(encoded, &self.prompt(language), most)?;
        self.tokenizer.decode(&ids, true).map_err(|e| anyhow!("what was heard is no text: {e}"))
    }

    /// No more than a window -> what the decoder looks at.
    fn encode(&self, samples: &[f32]) -> Result<Tensor> {
        self.net.encode(&self.features(samples)?)
    }

    /// Samples that are heard at once.
    fn window(&self) -> usize {
        2 * self.net.config().max_source_positions * HOP
    }

    /// Whether this Whisper can be told that it hears `language`.
    pub fn knows(&self, language: &str) -> bool {
        self.language(language).is_some()
    }

    fn language(&self, language: &str) -> Option<u32> {
        let told = self.generation.is_multilingual.unwrap_or(self.net.config().vocab_size >= MULTILINGUAL);
        self.tokenizer.token_to_id(&format!("<|{language}|>")).filter(|_| told)
    }

    fn prompt(&self, language: &str) -> Vec<u32> {
        let Special { start, transcribe, no_times, .. } = self.special;
        self.language(language).map_or(vec![start, no_times], |language| vec![start, language, transcribe, no_times])
    }

    /// The likeliest id each time, without the prompt and the end.
    fn tokens(&self, encoded: &Tensor, prompt: &[u32], most: usize) -> Result<Vec<u32>> {
        let mut transcript = self.net.start(encoded)?;
        let room = self.net.config().max_target_positions.saturating_sub(prompt.len()).min(most);
        let (mut ids, mut logits) = (Vec::new(), self.net.append(&mut transcript, prompt)?);
        while ids.len() < room {
            let id = self.likeliest(logits, ids.is_empty()).context("Whisper writes no token")?;
            if id == self.special.end {
                break;
            }
            ids.push(id);
            logits = self.net.append(&mut transcript, &[id])?;
        }
        Ok(ids)
    }

    /// The mean logarithm of the probabilities of these ids and the end, if they were all that is written: what
    /// openai/whisper calls `avg_logprob` of its own text. `None`: there is no room for them.
    fn likelihood(&self, encoded: &Tensor, prompt: &[u32], ids: &[u32]) -> Result<Option<f64>> {
        if prompt.len() + ids.len() > self.net.config().max_target_positions {
            return Ok(None);
        }
        let tokens = [ids, &[self.special.end]].concat();
        let logs = self.net.log_probabilities(encoded, prompt, &tokens)?;
        Ok(Some(logs.iter().map(|&log| f64::from(log)).sum::<f64>() / tokens.len() as f64))
    }

    /// Of several the first one; `None`: none may be written, or nothing is a number.
    fn likeliest(&self, mut logits: Vec<f32>, begins: bool) -> Option<u32> {
        let Generation { suppress_tokens, begin_suppress_tokens, .. } = &self.generation;
        let begin = begin_suppress_tokens.iter().filter(|_| begins);
        for &id in suppress_tokens.iter().chain(begin) {
            logits.get_mut(id as usize).into_iter().for_each(|logit| *logit = f32::NEG_INFINITY);
        }
        let finite = (0..).zip(logits).filter(|(_, logit)| *logit > f32::NEG_INFINITY);
        finite.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(id, _)| id)
    }

    /// `samples`, no more than a window, and silence behind them -> `[1, bands, frames]`.
    fn features(&self, samples: &[f32]) -> Result<Tensor> {
        let mut padded = samples.to_vec();
        padded.resize(self.window(), 0.0);
        let mut frames = self.mel.frames_mirrored(&padded)?;
        frames.pop(); // as transformers does
        frames.iter_mut().flatten().for_each(|power| *power = power.max(LEAST).log10());
        let floor = frames.iter().flatten().fold(f32::NEG_INFINITY, |most, &x| most.max(x)) - DEEP;
        let (count, bands) = (frames.len(), self.net.config().num_mel_bins);
        let scaled = |band: usize| frames.iter().map(move |frame: &Vec<f32>| (frame[band].max(floor) + 4.0) / 4.0);
        let values: Vec<f32> = (0..bands).flat_map(scaled).collect();
        Ok(Tensor::from_vec(values, (1, bands, count), self.net.device())?)
    }
}

/// What is heard of the words of a take.
#[derive(Clone, Debug)]
pub struct Words {
    /// As they were heard.
    pub said: String,
    /// The edits that make the text of it, over the text's letters; more than 1 is possible.
    pub wrong: f64,
    /// The mean logarithm of the probabilities of the text's own tokens, nats; `None`: they or the sound are longer than
    /// Whisper's window.
    pub likelihood: Option<f64>,
}

impl WordEar {
    /// What `pcm` says in the language of `text`, and how far that is from it; `None`: there are no letters in it.
    ///
    /// Compared are letters and digits in small letters, with single spaces between words. Of Portuguese, numbers and
    /// the like are in words, as --normalize has them; what stands in brackets is no speech.
    pub fn compare(&self, pcm: &Pcm, text: &str) -> Result<Option<Words>> {
        let language = likely_language(text);
        let wanted = plain(text, language);
        let letters = wanted.chars().count();
        if letters == 0 {
            return Ok(None);
        }
        // What is longer has more wrong letters than the text has, however it goes on.
        let (said, likelihood) = self.hear_text(pcm, text, language, 2 * letters + SPARE)?;
        let wrong = strsim::levenshtein(&wanted, &plain(&said, language)) as f64 / letters as f64;
        Ok(Some(Words { said, wrong, likelihood }))
    }

    /// What `pcm` says, in at most `most` tokens a window, and how likely `text` is, where the sound is a single window.
    fn hear_text(&self, pcm: &Pcm, text: &str, language: &str, most: usize) -> Result<(String, Option<f64>)> {
        let samples = resample(pcm, RATE, Recipe::Functional)?.samples;
        if samples.is_empty() || samples.len() > self.window() {
            return Ok((self.hear(pcm, language, most)?, None));
        }
        let encoded = self.encode(&samples)?;
        let said = normalize(&self.write(&encoded, language, most)?);
        Ok((said, self.likelihood(&encoded, &self.prompt(language), &self.ids(text)?)?))
    }

    /// The tokens of a text as Whisper writes it: behind a space, without what is in brackets.
    fn ids(&self, text: &str) -> Result<Vec<u32>> {
        let text = format!(" {}", normalize(&outside_brackets(text).collect::<String>()));
        let encoding = self.tokenizer.encode(text, false).map_err(|e| anyhow!("the text has no tokens: {e}"))?;
        Ok(encoding.get_ids().to_vec())
    }
}

/// Tokens beyond the letters that are waited for.
const SPARE: usize = 16;

/// The letters and digits of a text.
fn plain(text: &str, language: &str) -> String {
    let wording = if language == "pt" { Wording::Portuguese(Variety::Brazil) } else { Wording::Written };
    let mut spoken = String::new();
    for c in outside_brackets(&wording.said(&normalize(text)).text) {
        match c {
            '\'' | '\u{2019}' => (),
            c if c.is_alphanumeric() => spoken.extend(c.to_lowercase()),
            _ => spoken.push(' '),
        }
    }
    normalize(&spoken)
}

/// A text without what is in brackets, which is no speech.
fn outside_brackets(text: &str) -> impl Iterator<Item = char> {
    let mut depth = 0usize;
    text.chars().filter(move |c| {
        let inside = depth > 0;
        match c {
            '[' | '(' => depth += 1,
            ']' | ')' => depth = depth.saturating_sub(1),
            _ => (),
        }
        !inside && depth == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::byte_tokenizer::whisper_tokenizer;
    use crate::ears::tests::sound;
    use crate::net::whisper::WhisperConfig;
    use crate::noise::{ByRule, rule};
    use candle_nn::VarBuilder;
    use candle_transformers::models::whisper::model;
    use serde_json::Value;
    use std::collections::HashMap;

    /// What `tests/golden/whisper.py` wrote.
    const GOLDEN: &str = include_str!("../../tests/golden/ears/whisper.json");
    /// `START, PT, TRANSCRIBE, NO_TIMES` there.
    const PROMPT: [u32; 4] = [81, 83, 85, 86];

    /// Whisper with weights by the rule, its ids as `tests/golden/whisper.py` has them.
    fn by_rule(golden: &Value) -> WordEar {
        let config: WhisperConfig = serde_json::from_value(golden["sizes"].clone()).unwrap();
        let tokenizer = Tokenizer::from_bytes(whisper_tokenizer().to_string()).unwrap();
        let mut generation: Generation = serde_json::from_value(golden.clone()).unwrap();
        generation.is_multilingual = Some(true);
        WordEar::new(Recogniser { net: config.by_rule(5), tokenizer, generation }, &Device::Cpu).unwrap()
    }

    fn furthest(got: &[f32], expected: &Value) -> f32 {
        let expected: Vec<f32> = serde_json::from_value(expected.clone()).unwrap();
        assert_eq!(got.len(), expected.len());
        got.iter().zip(expected).map(|(got, expected)| (got - expected).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn whisper_writes_what_transformers_writes() -> Result<()> {
        let golden: Value = serde_json::from_str(GOLDEN)?;
        let ear = by_rule(&golden);
        assert_eq!((ear.prompt("pt"), ear.prompt("xx").len()), (PROMPT.to_vec(), 2));
        for (name, heard) in golden["heard"].as_object().unwrap() {
            let samples = &sound()[..heard["samples"].as_u64().unwrap() as usize];
            let features = ear.features(samples)?;
            for (at, expected) in heard["features"].as_object().unwrap() {
                let frame = features.narrow(2, at.parse()?, 1)?.flatten_all()?.to_vec1()?;
                let worst = furthest(&frame, expected);
                assert!(worst < 2e-5, "{name}, frame {at}: {worst}");
            }
            let encoded = ear.net.encode(&features)?;
            for (at, expected) in heard["encoded"].as_object().unwrap() {
                let worst = furthest(&encoded.get(at.parse()?)?.to_vec1()?, expected);
                assert!(worst < 1e-4, "{name}, row {at}: {worst}");
            }
            let logits = ear.net.append(&mut ear.net.start(&encoded)?, &PROMPT)?;
            let worst = furthest(&logits, &heard["logits"]);
            assert!(worst < 1e-4, "{name}: {worst}");
            assert_eq!(serde_json::json!(ear.tokens(&encoded, &PROMPT, usize::MAX)?), heard["ids"], "{name}");
            let text: Vec<u32> = serde_json::from_value(golden["text"].clone())?;
            let apart = ear.likelihood(&encoded, &PROMPT, &text)?.unwrap() - heard["likelihood"].as_f64().unwrap();
            assert!(apart.abs() < 1e-5, "{name}: {apart}");
            assert_eq!(ear.likelihood(&encoded, &PROMPT, &[25; 21])?, None, "more than there is room for");
        }
        Ok(())
    }

    /// candle's own net on the same weights, but that it makes the encoder's positions itself.
    #[test]
    fn candles_whisper_is_apart_by_its_gelu() -> Result<()> {
        let golden: Value = serde_json::from_str(GOLDEN)?;
        let ear = by_rule(&golden);
        let config = ear.net.config().clone();
        let tensor = |(name, shape): (String, Vec<usize>)| {
            let values = rule::values(&format!("whisper.{name}"), &shape, 5);
            (name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap())
        };
        let tensors: HashMap<_, _> = config.shapes().into_iter().map(tensor).collect();
        let mut candle = model::Whisper::load(&VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu), config)?;
        let encoded = ear.net.encode(&ear.features(&sound()[..16_000])?)?;
        let ours = ear.net.append(&mut ear.net.start(&encoded)?, &PROMPT)?;
        let prompt = Tensor::new(&PROMPT[..], &Device::Cpu)?.unsqueeze(0)?;
        let hidden = candle.decoder.forward(&prompt, &encoded.unsqueeze(0)?, true)?;
        let theirs: Vec<f32> = candle.decoder.final_linear(&hidden.narrow(1, 3, 1)?)?.flatten_all()?.to_vec1()?;
        let apart = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!((2e-4..0.05).contains(&apart), "{apart}");
        Ok(())
    }

    #[test]
    fn no_more_is_written_than_is_asked_for_and_a_longer_sound_is_heard_in_parts() -> Result<()> {
        let ear = by_rule(&serde_json::from_str(GOLDEN)?);
        let once = Pcm { samples: sound()[..16_000].to_vec(), rate: RATE };
        let twice = Pcm { samples: once.samples.repeat(2), rate: RATE };
        let heard = ear.hear(&once, "pt", 5)?;
        assert_eq!(heard, "w25 w25 w25 w25 w45");
        assert_eq!(ear.hear(&twice, "pt", 5)?, format!("{heard} {heard}"));
        assert_eq!(ear.hear(&Pcm { samples: Vec::new(), rate: RATE }, "pt", 5)?, "");
        let words = ear.compare(&once, "w25 w25 w25 w25")?.unwrap();
        assert!(words.said.starts_with("w25 w25") && words.wrong > 0.0, "{words:?}");
        assert!(words.likelihood.is_some_and(|likelihood| likelihood < 0.0), "{words:?}");
        assert_eq!(ear.compare(&twice, "w25 w25 w25 w25")?.unwrap().likelihood, None, "the sound has two windows");
        assert!(ear.compare(&once, "[laughs]")?.is_none());
        Ok(())
    }

    #[test]
    fn letters_are_compared_as_they_are_spoken() {
        assert_eq!(plain("  Olá, MUNDO!  É  o [laughs] 'fim'... ♪", "pt"), "olá mundo é o fim");
        assert_eq!(plain("São 15 reais", "pt"), plain("São quinze reais.", "pt"));
        assert_eq!(plain("It\u{2019}s 5 (five)", "en"), "its 5");
        assert_eq!(plain("[laughs] ♪", "en"), "");
    }
}
