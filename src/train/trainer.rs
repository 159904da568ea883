//! The training: epoch after epoch over the clips, and the best weights by what was held out.

use super::clips::{Clip, Clips, hex};
use super::score::{Score, Tally, batch, evaluate};
use super::state::State;
use crate::error::Kind;
use crate::lock::{self, Hold};
use crate::net::quantizer::{Engine, Learner, Optimizer, Parameters, QuantizerConfig};
use crate::output::{self, Passing};
use crate::progress::Progress;
use anyhow::{Context, Result, bail, ensure};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

/// Batches whose clips are sorted by length among each other, so that those of one batch are of about one length.
const SORTED: usize = 8;

/// A loss so many times that of guessing is of weights that have been thrown far off.
const LOST: f64 = 10.0;

/// How to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub epochs: usize,
    /// Adam's rate.
    pub rate: f32,
    /// Clips that are learned from together.
    pub batch: usize,
    /// The share of clips that is held out.
    pub valid: f64,
    /// The longest that a step's slopes may be.
    pub longest: f32,
    pub seed: u64,
}

/// What came of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Of the clips that were learned from, while they were.
    pub train: Score,
    /// Of those that were held out.
    pub valid: Option<Score>,
}

impl Epoch {
    /// What the best epoch is chosen by: the held-out clips if there are any.
    pub fn judged(&self) -> &Score {
        self.valid.as_ref().unwrap_or(&self.train)
    }
}

/// Is told of each epoch, with all those before it.
pub type Watch<'a> = dyn FnMut(&[Epoch]) -> Result<()> + 'a;

/// A quantizer that has learned nothing: values within the bounds that torch draws them from (`torch.nn.LSTM`,
/// `torch.nn.Linear`), by `seed`.
pub fn random(config: QuantizerConfig, seed: u64) -> Result<Parameters> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut width = config.hidden_size;
    Parameters::new(config.clone(), |name, shape| {
        // A bias follows its weight, and is drawn by that one's width.
        width = match shape {
            _ if name.starts_with("lstm.") => config.hidden_size,
            [_, width] => *width,
            _ => width,
        };
        let bound = 1.0 / (width as f32).sqrt();
        let mut unit = || (random.next_u32() >> 8) as f32 / (1u32 << 23) as f32 - 1.0;
        Ok((0..shape.iter().product()).map(|_| bound * unit()).collect())
    })
}

/// Trains `parameters` on `clips`, and answers the best ones and what came of each epoch. After each, where it stands is
/// kept in the file `kept`, from which the same training goes on, by whichever engine; [`forget`] it once the result is
/// safe.
///
/// # Errors
/// Kind [`Kind::Usage`]: `kept` holds another training; [`Kind::Input`]: too few clips, tokens that the quantizer does
/// not have, or a loss far above that of guessing.
pub fn train(
    parameters: Parameters,
    clips: &Clips,
    (settings, engine): (&Settings, &Engine),
    kept: &Path,
    (watch, progress): (&mut Watch, &dyn Progress),
) -> Result<(Parameters, Vec<Epoch>)> {
    let (learned, held) = split(clips, settings)?;
    check_tokens(&parameters.config, clips)?;
    let key = key(&parameters, clips, settings);
    let optimizer = Optimizer::new(&parameters, settings.rate, settings.longest);
    let mut state = State { best: parameters.clone(), parameters, optimizer, history: vec![] };
    if kept.is_file() {
        state.read(&key, kept)?;
        progress.note(&format!("going on after epoch {} of {}", state.history.len(), settings.epochs));
    }
    while state.history.len() < settings.epochs {
        let epoch = state.epoch(clips, (&learned, &held), (settings, engine), progress)?;
        let better = state.history.iter().all(|earlier| earlier.judged().accuracy < epoch.judged().accuracy);
        if better {
            state.best.clone_from(&state.parameters);
        }
        state.history.push(epoch);
        state.write(&key, kept)?;
        watch(&state.history)?;
    }
    Ok((state.best, state.history))
}

impl State {
    /// Learns from each clip once.
    fn epoch(
        &mut self,
        clips: &Clips,
        (learned, held): (&[&Clip], &[&Clip]),
        (settings, engine): (&Settings, &Engine),
        progress: &dyn Progress,
    ) -> Result<Epoch> {
        let epoch = self.history.len() + 1;
        let guessing = (self.parameters.config.output_size as f64).ln();
        let mut learner = Learner::new(&mut self.parameters, &mut self.optimizer, engine)?;
        let batches = order(learned, settings, epoch);
        progress.start(&format!("epoch {epoch}"), batches.len() as u64, "batch");
        let mut tally = Tally::default();
        for some in batches {
            let batch = batch(clips, &some)?;
            let told = learner.learn(&batch)?;
            (0..some.len()).for_each(|clip| tally.add(&batch.of_clip(clip, &told).collect::<Vec<_>>()));
            let loss = tally.score().loss;
            let lost = format!("the loss is {loss:.1}, guessing has {guessing:.1}: begin anew with a smaller --lr");
            ensure!(loss < LOST * guessing.max(1.0), Kind::Input.error(lost));
            progress.advance(1);
        }
        progress.finish();
        let valid = match held {
            [] => None,
            held => Some(evaluate(|batch| learner.told(batch), clips, held, progress)?.0),
        };
        learner.finish()?;
        Ok(Epoch { epoch, train: tally.score(), valid })
    }
}

/// The clips that are learned from, with their copies, and those that are held out, without.
fn split<'a>(clips: &'a Clips, settings: &Settings) -> Result<(Vec<&'a Clip>, Vec<&'a Clip>)> {
    let count = clips.clips.len();
    let mut learned: Vec<usize> = (0..count).collect();
    shuffle(&mut learned, settings.seed);
    let asked = (settings.valid * count as f64).round() as usize;
    let held = if settings.valid > 0.0 { asked.max(1) } else { 0 };
    let few = format!("{count} clips are too few to hold {held} out and learn from the others");
    ensure!(held < count, Kind::Input.error(few));
    let held = learned.split_off(count - held).into_iter().map(|at| &clips.clips[at]).collect();
    let copies = learned.iter().filter_map(|&at| clips.copies.get(at));
    Ok((learned.iter().map(|&at| &clips.clips[at]).chain(copies).collect(), held))
}

fn check_tokens(config: &QuantizerConfig, clips: &Clips) -> Result<()> {
    let beyond = |token: &&u32| **token as usize >= config.output_size;
    for clip in &clips.clips {
        let wrong = clip.tokens.iter().find(beyond);
        let (name, size) = (&clip.pair.name, config.output_size);
        let message = wrong.map(|token| format!("{name}: token {token} is beyond the quantizer's {size} (--vocab)"));
        ensure!(wrong.is_none(), Kind::Input.error(message.unwrap_or_default()));
    }
    Ok(())
}

/// Tells trainings apart that cannot go on from each other: what they begin with, learn from, and how.
fn key(parameters: &Parameters, clips: &Clips, settings: &Settings) -> String {
    let mut sha = Sha256::new();
    sha.update(clips.identity());
    sha.update(format!("{:?} {:?}", parameters.config, Settings { epochs: 0, ..settings.clone() }));
    parameters.tensors.iter().for_each(|tensor| sha.update(bytemuck::cast_slice::<f32, u8>(&tensor.values)));
    hex(sha)
}

/// The batches of an epoch, in an order of its own.
fn order<'a>(clips: &[&'a Clip], settings: &Settings, epoch: usize) -> Vec<Vec<&'a Clip>> {
    let mut clips = clips.to_vec();
    let seed = settings.seed ^ ((epoch as u64) << 32);
    shuffle(&mut clips, seed);
    for some in clips.chunks_mut(SORTED * settings.batch) {
        some.sort_by_key(|clip| Reverse(clip.tokens.len()));
    }
    let mut batches: Vec<_> = clips.chunks(settings.batch).map(<[_]>::to_vec).collect();
    shuffle(&mut batches, seed);
    batches
}

/// Any order is as likely as any other (Fisher and Yates).
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for last in (1..items.len()).rev() {
        let other = ((u128::from(random.next_u64()) * (last as u128 + 1)) >> 64) as usize;
        items.swap(last, other);
    }
}

/// Keeps other trainings from a state; its file goes before it is closed.
pub struct Held {
    _file: Passing,
    _lock: File,
}

/// How often a lock is taken whose file is found gone: its holder may just have ended.
const ATTEMPTS: usize = 3;

/// Keeps other trainings from the state `kept` for as long as the answer is held, by a file in the folder `cache`, and
/// removes what one that was killed left half written.
///
/// # Errors
/// Kind [`Kind::Output`]: another training holds it.
pub fn hold(kept: &Path, cache: &Path) -> Result<Held> {
    let whole = std::path::absolute(kept)?;
    let path = cache.join(format!("{}.lock", hex(Sha256::new().chain_update(whole.as_os_str().as_encoded_bytes()))));
    let unwritable = || Kind::Output.error(format!("{}: cannot be written", path.display()));
    for attempt in 1.. {
        let file = File::create(&path).with_context(unwritable)?;
        let hold = lock::try_hold(&file).with_context(unwritable)?;
        let busy = || Kind::Output.error(format!("{}: another training is under way on it", kept.display()));
        ensure!(hold != Hold::Busy, busy());
        if hold == Hold::Unsupported || attempt == ATTEMPTS || lock::is_kept(&path) {
            if hold == Hold::Held {
                output::sweep(whole.parent().unwrap_or(&whole), &output::tag_of(kept))?;
            }
            return Ok(Held { _file: Passing::of(path), _lock: file });
        }
    }
    bail!("no attempt was made")
}

/// Removes what a training that is done kept, if anything.
pub fn forget(kept: &Path) -> Result<()> {
    match fs::remove_file(kept) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.with_context(|| Kind::Output.error(format!("{}: cannot be removed", kept.display()))),
    }
}
