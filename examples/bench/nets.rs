//! Each net by itself: loading, prefill, steps at several lengths of the cache, fine passes, the codec, and what clones a voice.

use crate::noise::rule;
use crate::noise::{ByRule, Size};
use crate::{Args, Machine, SEED, median, timed};
use anyhow::{Context, Result};
use barkclone::checkpoint::{Bark, Checkpoint};
use barkclone::net::cache::{self, Cache};
use barkclone::net::codec::{Codec, CodecConfig};
use barkclone::net::gpt::{FineGpt, FineInput, Gpt, GptConfig, Input};
use barkclone::net::hubert::{Hubert, HubertConfig};
use barkclone::net::quantizer::{Quantizer, QuantizerConfig};
use barkclone::net::repr::Repr;
use barkclone::net::weights::Weights;
use barkclone::net::whisper::{Whisper, WhisperConfig};
use barkclone::stage::Stage;
use barkclone::tokens::{HUBERT_RATE, SAMPLE_RATE};
use candle_core::{DType, Tensor};

fn load<T>(bark: &Bark, stage: Stage, args: &Args, new: fn(&GptConfig, &Weights) -> Result<T>) -> Result<T> {
    let (seconds, gpt) = timed(|| {
        let (config, weights) = bark.stage(stage, args.dtype(), &args.device)?;
        let gpt = new(&config, &weights)?;
        args.device.synchronize()?;
        Ok(gpt)
    })?;
    println!("{:<44} {:>9.1} ms", format!("{stage:?}: load"), seconds * 1e3);
    Ok(gpt)
}

/// How weights are stored.
fn repr(args: &Args) -> Repr {
    let packed = Repr::PACKED.iter().find(|(name, _)| args.weights.as_deref() == Some(name));
    packed.map_or(Repr::Plain(DType::F32), |(_, repr)| *repr)
}

pub fn semantic(bark: &Bark, machine: &Machine, args: &Args) -> Result<()> {
    let gpt = load(bark, Stage::Semantic, args, Gpt::new)?;
    passes(&gpt, "semantic", 0..10_001, 257, &[257, 740], machine, args)
}

pub fn coarse(bark: &Bark, machine: &Machine, args: &Args) -> Result<()> {
    let gpt = load(bark, Stage::Coarse, args, Gpt::new)?;
    passes(&gpt, "coarse", 10_000..11_024, 887, &[317, 887], machine, args)
}

/// Prefill of `prompt` positions, and steps at several lengths of the cache.
fn passes(
    gpt: &Gpt,
    name: &str,
    wanted: std::ops::Range<usize>,
    prompt: usize,
    lengths: &[usize],
    machine: &Machine,
    args: &Args,
) -> Result<()> {
    let mut cache = gpt.cache(args.batch)?;
    let tokens: Vec<u32> = (0..1000).collect();
    let feed = |cache: &mut Cache, rows: usize, count: usize| -> Result<()> {
        let inputs: Vec<_> = (0..rows).map(|slot| Input { slot, tokens: &tokens[..count], merged: &[] }).collect();
        gpt.forward(&inputs, cache, wanted.clone()).map(drop)
    };
    let seconds = median(args.repeat, || {
        cache.truncate(0, 0);
        feed(&mut cache, 1, prompt)
    })?;
    let config = gpt.config();
    machine.print_flops(&format!("{name}: prefill of {prompt}"), seconds, prefill_flops(config, prompt));
    for &length in lengths {
        (0..args.batch).for_each(|slot| cache.truncate(slot, 0));
        for slot in 0..args.batch {
            let input = Input { slot, tokens: &tokens[..length], merged: &[] };
            gpt.forward(&[input], &mut cache, wanted.clone())?;
        }
        let seconds = median(4 * args.repeat, || {
            (0..args.batch).for_each(|slot| cache.truncate(slot, length));
            feed(&mut cache, args.batch, 1)
        })?;
        let what = format!("{name}: step of {} row(s) at {length} cached", args.batch);
        machine.print_step(&what, seconds, step_bytes(config, wanted.len(), length, args), args.batch);
    }
    Ok(())
}

/// What a step reads: every block's weights and the wanted part of the head once, each row's keys and values once.
fn step_bytes(config: &GptConfig, wanted: usize, cached: usize, args: &Args) -> f64 {
    let weights = 12 * config.layers * config.width * config.width + wanted * config.width;
    let held = 2 * config.layers * config.width * cached * args.batch;
    let ((numbers, bytes), dtype) = (repr(args).block(), cache::dtype(repr(args), args.dtype()));
    (bytes * weights) as f64 / numbers as f64 + (dtype.size_in_bytes() * held) as f64
}

/// Multiply-adds, counted twice, of a causal pass; the last block goes on with one position after its keys and values.
fn prefill_flops(config: &GptConfig, t: usize) -> f64 {
    let (width, layers) = (config.width as f64, config.layers as f64);
    let linears = 2.0 * t as f64 * width * width * (12.0 * (layers - 1.0) + 3.0);
    let attention = 2.0 * (t * t) as f64 * width * (layers - 1.0);
    linears + attention
}

pub fn fine(bark: &Bark, machine: &Machine, args: &Args) -> Result<()> {
    let gpt = load(bark, Stage::Fine, args, FineGpt::new)?;
    let row: Vec<u32> = (0..1024).collect();
    let windows = vec![FineInput { codes: [&row[..]; 8], from: 512 }; args.batch];
    let seconds = median(args.repeat, || gpt.forward(&windows, 4, 1024).map(drop))?;
    let (t, width, layers) = (1024.0, gpt.config().width as f64, gpt.config().layers as f64);
    let linears = 2.0 * t * width * width * (12.0 * (layers - 1.0) + 3.0 + 9.0 / 2.0);
    let attention = 4.0 * t * t * width * (layers - 0.5);
    let what = format!("fine: pass of {} window(s) of 1024, from 512", args.batch);
    machine.print_flops(&what, seconds, (linears + attention) * args.batch as f64);
    Ok(())
}

pub fn codec(model: &Checkpoint<CodecConfig>, args: &Args) -> Result<()> {
    let codec = Codec::new(&model.config, &model.weights(DType::F32, &args.device), 8)?;
    let frames = (75.0 * args.seconds) as usize;
    let codes: Vec<u32> = (0..8 * frames as u32).map(|i| i * 7 % 1024).collect();
    let codes = Tensor::from_vec(codes, (1, 8, frames), &args.device)?;
    let seconds = median(args.repeat, || done(codec.decode(&codes)?))?;
    println!("{:<44} {:>9.1} ms", format!("codec: decode of {} s", args.seconds), seconds * 1e3);
    let wav = clip(args, SAMPLE_RATE)?.reshape((1, 1, ()))?;
    let seconds = median(args.repeat, || done(codec.encode(&wav)?))?;
    println!("{:<44} {:>9.1} ms", format!("codec: encode of {} s", args.seconds), seconds * 1e3);
    Ok(())
}

fn clip(args: &Args, rate: u32) -> Result<Tensor> {
    let samples = rule::uniform("clip", (args.seconds * f64::from(rate)) as usize, SEED);
    Ok((Tensor::new(samples, &args.device)? * 0.1)?.unsqueeze(0)?)
}

/// Waits for what a device still computes.
fn done(made: Tensor) -> Result<()> {
    Ok(made.device().synchronize()?)
}

pub fn clone(args: &Args) -> Result<()> {
    let hubert: Checkpoint<HubertConfig> = HubertConfig::of(Size::Small).by_rule(SEED);
    let hubert = Hubert::new(&hubert.config, &hubert.weights(DType::F32, &args.device), 9)?;
    let wav = clip(args, HUBERT_RATE)?;
    let mut features = None;
    let seconds = median(args.repeat, || {
        let made = features.insert(hubert.features(&wav)?);
        done(made.clone())
    })?;
    println!("{:<44} {:>9.1} ms", format!("HuBERT to layer 9, {} s", args.seconds), seconds * 1e3);
    let quantizer: Checkpoint<QuantizerConfig> = QuantizerConfig::of(Size::Small).by_rule(SEED);
    let quantizer = Quantizer::new(&quantizer.config, &quantizer.weights(DType::F32, &args.device))?;
    let features = features.context("HuBERT ran")?;
    let seconds = median(args.repeat, || quantizer.tokens(&features).map(drop))?;
    println!("{:<44} {:>9.1} ms", format!("quantizer v1, {} s", args.seconds), seconds * 1e3);
    Ok(())
}

/// Tokens of some 10 s of speech.
pub const TOKENS: u32 = 40;

pub fn words(args: &Args) -> Result<()> {
    let whisper: Checkpoint<WhisperConfig> = WhisperConfig::of(Size::Small).by_rule(SEED);
    let whisper = Whisper::new(&whisper.config, &whisper.weights(DType::F32, &args.device))?;
    let config = whisper.config();
    let frames = 2 * config.max_source_positions;
    let mel = Tensor::from_vec(
        rule::uniform("mel", config.num_mel_bins * frames, SEED),
        (1, config.num_mel_bins, frames),
        &args.device,
    )?;
    let mut encoded = None;
    let seconds = median(args.repeat, || {
        let made = encoded.insert(whisper.encode(&mel)?);
        done(made.clone())
    })?;
    println!("{:<44} {:>9.1} ms", "Whisper base: hear 30 s, as it always does", seconds * 1e3);
    let encoded = encoded.context("Whisper ran")?;
    let seconds = median(args.repeat, || {
        let mut transcript = whisper.start(&encoded)?;
        (0..TOKENS).try_for_each(|token| whisper.append(&mut transcript, &[token]).map(drop))
    })?;
    println!("{:<44} {:>9.1} ms", format!("Whisper base: write {TOKENS} tokens"), seconds * 1e3);
    Ok(())
}
