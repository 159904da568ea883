//! What hearing a take for its score costs: by its voice, by its own tokens and by its words.

use crate::nets::TOKENS;
use crate::noise::rule::{RuleTensors, uniform};
use crate::noise::{ByRule, Size};
use crate::{Args, SEED, cpu_seconds};
use anyhow::Result;
use barkclone::audio::{Pcm, Recipe, resample};
use barkclone::checkpoint::{Checkpoint, SpeakerConfig, names};
use barkclone::clone::Listener;
use barkclone::ears::VoiceEar;
use barkclone::net::ge2e::{BANDS, EMBEDDING};
use barkclone::net::hubert::HubertConfig;
use barkclone::net::quantizer::QuantizerConfig;
use barkclone::net::whisper::{Whisper, WhisperConfig};
use barkclone::tokens::{HUBERT_RATE, SAMPLE_RATE};
use candle_core::{DType, Device, Tensor};
use std::sync::Arc;

/// Each ear's seconds of all threads together, and their share of `made`, what making the take took.
pub fn score(args: &Args, made: Option<f64>) -> Result<()> {
    let samples = uniform("clip", (args.seconds * f64::from(SAMPLE_RATE)) as usize, SEED);
    let pcm = Pcm { samples: samples.iter().map(|sample| 0.1 * sample).collect(), rate: SAMPLE_RATE };
    let tell = |what: &str, hear: &mut dyn FnMut() -> Result<()>| -> Result<()> {
        let begun = cpu_seconds()?;
        (0..args.repeat).try_for_each(|_| hear())?;
        let seconds = (cpu_seconds()? - begun) / args.repeat as f64;
        let share = made.map_or(String::new(), |made| format!(", {:.1} % of making the take", 100.0 * seconds / made));
        println!("{:<44} {seconds:>9.2} s of all threads{share}", format!("score: {what}"));
        Ok(())
    };
    let (voice, listener, whisper) = (ge2e()?, listener()?, whisper()?);
    // In noise no speech is found, so that the net hears it apart.
    let heard = resample(&pcm, HUBERT_RATE, Recipe::Functional)?.samples;
    tell("voice, GE2E", &mut || voice.hear(&pcm).and_then(|_| voice.print(&heard)).map(drop))?;
    tell("tokens, HuBERT and quantizer", &mut || listener.clip(&pcm).map(drop))?;
    tell("words, Whisper base", &mut || words(&whisper))
}

fn ge2e() -> Result<VoiceEar> {
    let layer = |n: usize| {
        let width = if n == 0 { BANDS } else { EMBEDDING };
        let shapes = [("weight_ih", vec![4 * EMBEDDING, width]), ("weight_hh", vec![4 * EMBEDDING, EMBEDDING])];
        let biases = ["bias_ih", "bias_hh"].map(|name| (name, vec![4 * EMBEDDING]));
        shapes.into_iter().chain(biases).map(move |(name, shape)| (format!("lstm.{name}_l{n}"), shape))
    };
    let linear = [("linear.weight".to_owned(), vec![EMBEDDING; 2]), ("linear.bias".to_owned(), vec![EMBEDDING])];
    let tensors = RuleTensors::new("ge2e", (0..3).flat_map(layer).chain(linear), SEED);
    VoiceEar::new(&Checkpoint::new(SpeakerConfig::Ge2e, Arc::new(tensors), names::speaker)?)
}

fn listener() -> Result<Listener> {
    let hubert: Checkpoint<HubertConfig> = HubertConfig::of(Size::Small).by_rule(SEED);
    let quantizer: Checkpoint<QuantizerConfig> = QuantizerConfig::of(Size::Small).by_rule(SEED);
    Listener::new(&hubert, &quantizer, &Device::Cpu)
}

fn whisper() -> Result<Whisper> {
    let whisper: Checkpoint<WhisperConfig> = WhisperConfig::of(Size::Small).by_rule(SEED);
    Whisper::new(&whisper.config, &whisper.weights(DType::F32, &Device::Cpu))
}

/// 30 s, as Whisper always hears them, and what it writes.
fn words(whisper: &Whisper) -> Result<()> {
    let (bands, frames) = (whisper.config().num_mel_bins, 2 * whisper.config().max_source_positions);
    let mel = Tensor::from_vec(uniform("mel", bands * frames, SEED), (1, bands, frames), &Device::Cpu)?;
    let mut transcript = whisper.start(&whisper.encode(&mel)?)?;
    (0..TOKENS).try_for_each(|token| whisper.append(&mut transcript, &[token]).map(drop))
}
