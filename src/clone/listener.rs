//! Sound to semantic tokens, by HuBERT and the quantizer: a clip at once, a recording of any length in memory that does
//! not grow with it.
//!
//! The quantizer's LSTM goes on from its state: its tokens are those of the whole. HuBERT's attention, and its first
//! norm, are over all that it is given; of more than [`WINDOW`] seconds it is given that much at a time, overlapping,
//! and of each stretch the middle is kept, so that every frame was seen with [`MARGIN`] seconds on both sides. Up to
//! [`WINDOW`] seconds, and clips of any length, are heard at once: exact.

use crate::audio::{Pcm, Recipe, Recording, Stream};
use crate::checkpoint::Checkpoint;
use crate::error::Kind;
use crate::net::hubert::{Hubert, HubertConfig};
use crate::net::lstm::State;
use crate::net::quantizer::{Quantizer, QuantizerConfig};
use crate::progress::Progress;
use crate::tokens::{HUBERT_RATE, Semantic};
use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};

/// HuBERT's layer whose output the published quantizers were trained on.
pub const HUBERT_LAYERS: usize = 9;
/// What HuBERT hears of a recording at once, seconds.
pub const WINDOW: f64 = 30.0;
/// What each frame is heard with on both sides at least, seconds.
pub const MARGIN: f64 = 5.0;

/// HuBERT and the quantizer.
pub struct Listener {
    hubert: Hubert,
    quantizer: Quantizer,
    frames: Frames,
    device: Device,
}

impl Listener {
    /// Loads both nets.
    ///
    /// # Errors
    /// Kind [`Kind::Model`], before anything is loaded: they do not belong together.
    pub fn new(
        hubert: &Checkpoint<HubertConfig>,
        quantizer: &Checkpoint<QuantizerConfig>,
        device: &Device,
    ) -> Result<Self> {
        let config = &hubert.config;
        let (taken, given, file) = (quantizer.config.input_size, config.hidden_size, quantizer.origin());
        let unfit = "it was trained on another HuBERT; choose --quantizer and --hubert that belong together";
        let misfit = format!("{file}: this quantizer takes {taken} features a frame, HuBERT gives {given}: {unfit}");
        ensure!(taken == given, Kind::Model.error(misfit));
        let frames = Frames::new(config.conv_stride.iter().product(), config.min_samples());
        let weights = |model: &Checkpoint<QuantizerConfig>| model.weights(DType::F32, device);
        Ok(Self {
            hubert: Hubert::new(config, &hubert.weights(DType::F32, device), HUBERT_LAYERS)?,
            quantizer: Quantizer::new(&quantizer.config, &weights(quantizer))?,
            frames,
            device: device.clone(),
        })
    }

    /// The tokens of a clip at any rate, heard at once however long it is: one for each of HuBERT's frames, 50 a
    /// second.
    ///
    /// # Errors
    /// Too little for a single frame.
    pub fn clip(&self, clip: &Pcm) -> Result<Semantic> {
        // More frames than there are samples there cannot be.
        let frames = Frames { window: clip.samples.len(), ..self.frames };
        let mut hearing = Hearing { frames, ..self.listen(clip.rate)? };
        hearing.push(&clip.samples)?;
        hearing.finish()
    }

    /// The tokens of a recording; `progress` counts its seconds.
    ///
    /// # Errors
    /// Of the file; a recording that is too short for a single frame.
    pub fn tokens(&self, mut recording: Recording, progress: &dyn Progress) -> Result<Semantic> {
        let rate = recording.rate();
        progress.start("listening", recording.seconds().map_or(0, |seconds| seconds as u64), "second");
        let mut hearing = self.listen(rate)?;
        let (mut heard, mut told) = (0, 0);
        recording.play(0.0..f64::INFINITY, &mut |block| {
            heard += block.len() as u64;
            let seconds = heard / u64::from(rate);
            progress.advance(seconds - told);
            told = seconds;
            hearing.push(block)
        })?;
        let semantic = hearing.finish()?;
        progress.finish();
        recording.notes().iter().for_each(|note| progress.note(&format!("warning: {note}")));
        Ok(semantic)
    }

    /// Begins to listen to sound at `rate` Hz.
    pub fn listen(&self, rate: u32) -> Result<Hearing<'_>> {
        Ok(Hearing {
            listener: self,
            frames: self.frames,
            resampler: Stream::new(rate, HUBERT_RATE, Recipe::Functional)?,
            state: self.quantizer.start()?,
            line: Line::default(),
            tokens: Vec::new(),
        })
    }
}

/// One recording on its way through the nets.
pub struct Hearing<'a> {
    listener: &'a Listener,
    frames: Frames,
    resampler: Stream,
    state: State,
    line: Line,
    tokens: Vec<u32>,
}

impl Hearing<'_> {
    /// Takes the next samples.
    pub fn push(&mut self, samples: &[f32]) -> Result<()> {
        let resampled = self.resampler.push(samples)?;
        self.hear_all(&resampled)
    }

    /// The tokens of all that was heard.
    ///
    /// # Errors
    /// Too little for a single frame.
    pub fn finish(mut self) -> Result<Semantic> {
        let resampled = self.resampler.finish()?;
        self.hear_all(&resampled)?;
        let turn = self.frames.last(&self.line)?;
        self.hear(&turn)?;
        Semantic::new(self.tokens, self.listener.quantizer.vocab() as u32)
    }

    fn hear_all(&mut self, samples: &[f32]) -> Result<()> {
        self.line.samples.extend_from_slice(samples);
        while let Some(turn) = self.frames.next(&self.line) {
            self.hear(&turn)?;
        }
        Ok(())
    }

    fn hear(&mut self, turn: &Turn) -> Result<()> {
        let listener = self.listener;
        let wav = Tensor::from_slice(&self.line.samples[..turn.samples], (1, turn.samples), &listener.device)?;
        let features = listener.hubert.features(&wav)?; // [1, N, H]
        let kept = features.narrow(1, turn.skip, turn.keep)?.contiguous()?;
        self.tokens.extend(listener.quantizer.tokens_from(&kept, &mut self.state)?);
        self.line.samples.drain(..turn.drop);
        self.line.heard = turn.skip + turn.keep - turn.drop / self.frames.hop;
        Ok(())
    }
}

/// Samples at 16 kHz that are still needed.
#[derive(Default)]
struct Line {
    samples: Vec<f32>,
    /// How many of the frames in it have been kept before.
    heard: usize,
}

/// What to hear next.
#[derive(Debug, PartialEq, Eq)]
struct Turn {
    /// From the line's beginning.
    samples: usize,
    /// Frames of the result that are not kept at its beginning, and that are kept after them.
    skip: usize,
    keep: usize,
    /// Samples that are not needed any more.
    drop: usize,
}

/// How frames lie over samples, and how many are heard at once.
#[derive(Clone, Copy)]
struct Frames {
    /// Samples from one frame to the next, and of a single one.
    hop: usize,
    least: usize,
    window: usize,
    margin: usize,
}

impl Frames {
    fn new(hop: usize, least: usize) -> Self {
        let frames = |seconds: f64| (seconds * f64::from(HUBERT_RATE) / hop as f64) as usize;
        Self { hop, least, window: frames(WINDOW), margin: frames(MARGIN) }
    }

    fn samples(&self, frames: usize) -> usize {
        (frames - 1) * self.hop + self.least
    }

    /// A whole window, once there is more than that.
    fn next(&self, line: &Line) -> Option<Turn> {
        let more = line.samples.len() >= self.samples(self.window + 1);
        let end = self.window - self.margin;
        more.then(|| Turn {
            samples: self.samples(self.window),
            skip: line.heard,
            keep: end - line.heard,
            drop: (end - self.margin) * self.hop,
        })
    }

    /// Whatever is left.
    fn last(&self, line: &Line) -> Result<Turn> {
        let samples = line.samples.len();
        ensure!(
            samples >= self.least,
            Kind::Input.error(format!("{samples} samples at 16 kHz are too few: HuBERT needs {}", self.least))
        );
        let frames = (samples - self.least) / self.hop + 1;
        Ok(Turn { samples, skip: line.heard, keep: frames - line.heard, drop: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames that are kept of a recording of so many, as first and last, and what each was heard with.
    fn kept(total: usize) -> Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> {
        let frames = Frames::new(320, 400);
        let (mut line, mut first, mut kept) = (Line::default(), 0, Vec::new());
        let mut turn = |turn: Turn, line: &mut Line| {
            let heard = first..first + (turn.samples - 400) / 320 + 1;
            kept.push((first + turn.skip..first + turn.skip + turn.keep, heard));
            first += turn.drop / 320;
            line.samples.drain(..turn.drop);
            line.heard = turn.skip + turn.keep - turn.drop / 320;
        };
        for part in vec![0.0; frames.samples(total)].chunks(9999) {
            line.samples.extend_from_slice(part);
            while let Some(next) = frames.next(&line) {
                turn(next, &mut line);
            }
        }
        turn(frames.last(&line).unwrap(), &mut line);
        kept
    }

    #[test]
    fn every_frame_is_kept_once_and_heard_with_its_margins() {
        for total in [1, 249, 1500, 1501, 1750, 2500, 2501, 9_999] {
            let kept = kept(total);
            let mut next = 0;
            for (frames, heard) in &kept {
                assert_eq!(frames.start, next, "of {total}");
                next = frames.end;
                assert!(frames.start >= heard.start + 250 || heard.start == 0, "{frames:?} in {heard:?} of {total}");
                assert!(frames.end + 250 <= heard.end || heard.end == total, "{frames:?} in {heard:?} of {total}");
                assert!(heard.len() <= 1500, "{heard:?}");
            }
            assert_eq!(next, total);
        }
        assert_eq!(kept(1500).len(), 1, "as much as is heard at once is exact");
    }
}
