//! What a quantizer learns from: for each pair, what HuBERT hears of the sound, and the token of each frame.
//!
//! HuBERT hears each sound once. Its features are kept as f16 in a file of their own, under the hash of the sound and of
//! HuBERT, and are read from there when a batch asks for them: memory does not grow with the data. A changed copy of a
//! sound is heard as well where [`Augment`] asks for it.

use super::augment::Augment;
use super::pairs::{self, Pair};
use crate::audio::{Pcm, Recipe, read, resample};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::file::{self, safetensors_metadata, write_safetensors_header};
use crate::clone::{HUBERT_LAYERS, WINDOW};
use crate::error::{Kind, kind};
use crate::net::hubert::{Hubert, HubertConfig};
use crate::output;
use crate::progress::Progress;
use crate::sound::is_silent;
use crate::tokens::{HUBERT_RATE, SEMANTIC_HZ};
use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, Tensor};
use half::f16;
use safetensors::Dtype;
use sha2::{Digest, Sha256};
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Frames of HuBERT a second.
const HZ: f64 = 50.0;
/// How far the lengths of a sound and of its tokens may be apart.
const MOST_APART: f64 = 0.1;
/// What is shorter holds no word: Bark ended as soon as it began.
const SHORTEST: f64 = 0.5;
/// Digits of a sound's mark.
pub const MARK: usize = 12;
/// The array in a file of features, and what was wrong with a sound.
const FEATURES: &str = "features";
const FAULT: &str = "fault";

/// Which token belongs to which frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Upstream's rule: too many tokens lose their front, too many frames their end.
    Cut,
    /// The token that is as far into the tokens as the middle of the frame is into the sound.
    Ratio,
}

impl Align {
    /// One token for each of the first frames, of which there are `frames`.
    pub fn tokens(self, frames: usize, tokens: &[u32]) -> Vec<u32> {
        match self {
            Align::Cut => tokens[tokens.len().saturating_sub(frames)..].to_vec(),
            // HuBERT hears 400 samples each 320: the middle of frame f is at 320 f + 200. The sound is taken to end in the
            // middle of the frame that would come next, so that a token a frame stays one a frame, also where Bark's
            // sound lacks the last frame.
            Align::Ratio => (0..frames).map(|f| tokens[(8 * f + 5) * tokens.len() / (8 * frames + 5)]).collect(),
        }
    }
}

/// One clip.
#[derive(Clone, Debug)]
pub struct Clip {
    pub pair: Pair,
    /// The token of each frame that is learned from.
    pub tokens: Vec<u32>,
    features: PathBuf,
}

impl Clip {
    /// Its length.
    pub fn seconds(&self) -> f64 {
        self.tokens.len() as f64 / HZ
    }

    /// Tells its sound from others, as HuBERT hears it: [`MARK`] digits, whatever the file is called.
    pub fn mark(&self) -> String {
        let hash = self.features.file_stem().unwrap_or_default().to_string_lossy();
        hash.chars().take(MARK).collect()
    }

    /// Its sound.
    pub fn pcm(&self) -> Result<Pcm> {
        let (input, _kept) = self.pair.recording(&self.pair.sound()?)?;
        Ok(read(input, WINDOW)?.pcm)
    }
}

/// All clips of a folder.
pub struct Clips {
    pub clips: Vec<Clip>,
    /// Of each clip a changed copy, or none.
    pub copies: Vec<Clip>,
    /// Features of a frame.
    pub width: usize,
    /// Of all clips together.
    pub seconds: f64,
    /// Pairs that do not fit, by reason.
    pub left_out: BTreeMap<&'static str, usize>,
}

/// Where it is kept what HuBERT hears: what is in one of the folders already is taken from there.
#[derive(Clone, Copy, Debug)]
pub struct Cache<'a> {
    pub folder: &'a Path,
    /// Takes what is new, where the folder itself cannot be written.
    pub spare: Option<&'a Path>,
}

impl Cache<'_> {
    fn place(&self, name: &str) -> PathBuf {
        let first = self.folder.join(name);
        match self.spare {
            Some(spare) if !first.is_file() => spare.join(name),
            _ => first,
        }
    }
}

/// What hears the sounds, and where what it hears is kept.
struct Ear<'a> {
    config: &'a Checkpoint<HubertConfig>,
    identity: String,
    net: OnceCell<Hubert>,
    device: &'a Device,
    cache: Cache<'a>,
    align: Align,
}

impl Clips {
    /// The pairs in `folder`, heard by `hubert` on `device`; what it hears is kept in the `cache`. With `augment` a
    /// changed copy of each is heard too.
    ///
    /// # Errors
    /// Kind [`Kind::Input`]: no pair, or none that fits; [`Kind::Output`]: features that cannot be kept.
    pub fn open(
        folder: &Path,
        (hubert, device): (&Checkpoint<HubertConfig>, &Device),
        (cache, align): (Cache, Align),
        augment: Option<&Augment>,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let found = pairs::find(folder)?;
        let elsewhere =
            || format!("{}: cannot keep what HuBERT hears; name another folder by --cache", cache.folder.display());
        output::make_folder(cache.spare.unwrap_or(cache.folder)).with_context(|| Kind::Output.error(elsewhere()))?;
        let ear = Ear { config: hubert, identity: hubert.identity()?, net: OnceCell::new(), device, cache, align };
        let width = hubert.config.hidden_size;
        let mut clips = Self { clips: vec![], copies: vec![], width, seconds: 0.0, left_out: BTreeMap::new() };
        clips.leave_out("without a partner", found.alone);
        progress.start("hearing", found.pairs.len() as u64, "clip");
        for pair in &found.pairs {
            match ear.clip(pair, None)? {
                Ok(clip) => {
                    let copy = augment.map(|augment| ear.clip(pair, Some(augment))).transpose()?;
                    clips.copies.extend(copy.into_iter().flatten());
                    clips.clips.push(clip);
                }
                Err(fault) => clips.leave_out(fault, 1),
            }
            progress.advance(1);
        }
        progress.finish();
        clips.seconds = clips.clips.iter().map(Clip::seconds).sum();
        let shown = folder.display();
        ensure!(
            !clips.clips.is_empty(),
            Kind::Input.error(format!("{shown}: none of its pairs can be used: {}", clips.faults()))
        );
        Ok(clips)
    }

    fn leave_out(&mut self, fault: &'static str, count: usize) {
        if count > 0 {
            *self.left_out.entry(fault).or_default() += count;
        }
    }

    /// What was left out, in words; nothing: empty.
    pub fn faults(&self) -> String {
        let fault = |(fault, count): (&&str, &usize)| format!("{count} {fault}");
        self.left_out.iter().map(fault).collect::<Vec<_>>().join(", ")
    }

    /// The features of the frames of `clip` that are learned from, `[N, width]`.
    pub fn features(&self, clip: &Clip) -> Result<Vec<f32>> {
        let lost = || Kind::Input.error(format!("{}: cannot be read: run again", clip.features.display()));
        let array = file::open(&clip.features)?.tensors()?.array(FEATURES)?.with_context(lost)?;
        let values = array.tensor(DType::F32, &Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
        let used = clip.tokens.len() * self.width;
        ensure!(values.len() >= used, lost());
        Ok(values[..used].to_vec())
    }

    /// Tells data apart: names, tokens and features.
    pub fn identity(&self) -> String {
        let mut sha = Sha256::new();
        for clip in self.clips.iter().chain(&self.copies) {
            sha.update(format!("{}\0{}\0", clip.pair.name, clip.features.file_name().unwrap_or_default().display()));
            sha.update(bytemuck::cast_slice::<u32, u8>(&clip.tokens));
        }
        hex(sha)
    }
}

/// The first half of a hash.
pub(super) fn hex(sha: Sha256) -> String {
    output::hex(&sha.finalize()[..16])
}

impl Ear<'_> {
    /// A pair as a clip; or why it does not fit.
    fn clip(&self, pair: &Pair, augment: Option<&Augment>) -> Result<Result<Clip, &'static str>> {
        let Ok(tokens) = pair.tokens() else { return Ok(Err("with tokens that cannot be read")) };
        let Ok(sound) = pair.sound() else { return Ok(Err("with a sound that cannot be read")) };
        let features = self.features(pair, &sound, augment)?;
        let said = safetensors_metadata(&features)?.unwrap_or_default();
        if let Some(fault) = said.get(FAULT).and_then(|fault| FAULTS.iter().find(|known| *known == fault)) {
            return Ok(Err(*fault));
        }
        let frames = file::open(&features)?.tensors()?.array(FEATURES)?.map_or(0, |array| array.shape[0]);
        if let Some(fault) = misfit(frames, tokens.len()) {
            return Ok(Err(fault));
        }
        let tokens = self.align.tokens(frames, tokens.as_slice());
        Ok(Ok(Clip { pair: pair.clone(), tokens, features }))
    }

    /// Where the features of a sound, or of its changed copy, are; it is heard if it was not before.
    fn features(&self, pair: &Pair, sound: &[u8], augment: Option<&Augment>) -> Result<PathBuf> {
        let mut sha = Sha256::new();
        sha.update(&self.identity);
        sha.update(sound);
        augment.iter().for_each(|augment| sha.update(augment.to_string()));
        let path = self.cache.place(&format!("{}.safetensors", hex(sha.clone())));
        if !path.is_file() {
            let change = |clip: Pcm| match augment {
                Some(augment) => Ok(augment.changed(&clip, sha.finalize().into())?.0),
                None => Ok(clip),
            };
            let (features, shape, fault) = match self.hear(pair, sound, change)? {
                Ok((features, frames)) => (features, vec![frames, self.config.config.hidden_size], ""),
                Err(fault) => (vec![], vec![0, 0], fault),
            };
            let said = HashMap::from([(FAULT.to_owned(), fault.to_owned())]);
            let bytes = bytemuck::cast_slice::<u16, u8>(&features);
            output::replace(&path, |sink| {
                write_safetensors_header(said, [(FEATURES.into(), Dtype::F16, shape, bytes.len())], sink)?;
                Ok(std::io::Write::write_all(sink, bytes)?)
            })?;
        }
        Ok(path)
    }

    /// The features of a sound after a `change` as bits of f16, and how many frames they are of; or what is wrong with
    /// the sound.
    fn hear(
        &self,
        pair: &Pair,
        sound: &[u8],
        change: impl FnOnce(Pcm) -> Result<Pcm>,
    ) -> Result<Result<(Vec<u16>, usize), &'static str>> {
        let (input, _kept) = pair.recording(sound)?;
        let clip = match read(input, WINDOW) {
            Err(error) if kind(&error) == Some(Kind::Output) => return Err(error),
            Err(_) => return Ok(Err(UNREADABLE)),
            Ok(clip) if clip.was_cut() => return Ok(Err(LONG)),
            Ok(clip) => clip.pcm,
        };
        match clip.seconds() {
            seconds if seconds < SHORTEST => return Ok(Err(SHORT)),
            _ if is_silent(&clip)? => return Ok(Err(SILENT)),
            _ => (),
        }
        let features = self.net()?.features(&self.wav(&change(clip)?)?)?.squeeze(0)?;
        let bits: Vec<f16> = features.to_dtype(DType::F16)?.flatten_all()?.to_vec1()?;
        Ok(Ok((bits.into_iter().map(f16::to_bits).collect(), features.dim(0)?)))
    }

    fn wav(&self, clip: &Pcm) -> Result<Tensor> {
        let clip = resample(clip, HUBERT_RATE, Recipe::Functional)?;
        Ok(Tensor::from_slice(&clip.samples, (1, clip.samples.len()), self.device)?)
    }

    fn net(&self) -> Result<&Hubert> {
        if let Some(net) = self.net.get() {
            return Ok(net);
        }
        let weights = self.config.weights(DType::F32, self.device);
        let net = Hubert::new(&self.config.config, &weights, HUBERT_LAYERS)?;
        Ok(self.net.get_or_init(|| net))
    }
}

const UNREADABLE: &str = "with a sound that cannot be read";
const LONG: &str = "longer than 30 s";
const SHORT: &str = "that ended early";
const SILENT: &str = "silent";
const FAULTS: [&str; 4] = [UNREADABLE, LONG, SHORT, SILENT];

/// Why so many frames are not of so many tokens.
fn misfit(frames: usize, tokens: usize) -> Option<&'static str> {
    let (sound, said) = (frames as f64 / HZ, tokens as f64 / SEMANTIC_HZ);
    match () {
        _ if said < SHORTEST => Some(SHORT),
        _ if (sound - said).abs() > MOST_APART * sound.max(said) => Some("with tokens of another length"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_tokens_lose_their_front_and_too_many_frames_their_end() {
        let tokens = [1, 2, 3, 4];
        assert_eq!(Align::Cut.tokens(3, &tokens), [2, 3, 4]);
        assert_eq!(Align::Cut.tokens(4, &tokens), tokens);
        assert_eq!(Align::Cut.tokens(6, &tokens), tokens, "the first four frames");
        assert_eq!(Align::Ratio.tokens(3, &tokens), [1, 2, 3], "the last frame would not be whole");
        assert_eq!(Align::Ratio.tokens(4, &tokens), tokens);
        assert_eq!(Align::Ratio.tokens(8, &tokens), [1, 1, 2, 2, 3, 3, 4, 4]);
    }

    /// Bark's tokens have 49.9 Hz: ten seconds have 499 tokens and 499 frames, and six 300 tokens and 299 frames.
    #[test]
    fn by_ratio_a_token_is_where_it_sounds() {
        for (frames, count) in [(499, 499), (299, 300), (99, 100)] {
            let tokens: Vec<u32> = (0..count).collect();
            for (frame, &token) in Align::Ratio.tokens(frames, &tokens).iter().enumerate() {
                let middle = (320.0 * frame as f64 + 200.0) / 16_000.0;
                assert!((middle * SEMANTIC_HZ - f64::from(token) - 0.5).abs() < 1.0, "{frame}: {token}");
            }
        }
    }

    #[test]
    fn tokens_of_another_sound_do_not_fit() {
        assert_eq!(misfit(500, 499), None);
        assert_eq!(misfit(500, 451), None);
        assert_eq!(misfit(500, 440), Some("with tokens of another length"));
        assert_eq!(misfit(440, 500), Some("with tokens of another length"));
        assert_eq!(misfit(20, 20), Some(SHORT));
    }
}
