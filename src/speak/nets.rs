//! The nets of all stages, each loaded when it is first asked for.

use super::codec_thread::{CodecThread, Part};
use super::memory;
use crate::audio::Pcm;
use crate::checkpoint::{Bark, Checkpoint};
use crate::net::codec::CodecConfig;
use crate::net::gpt::{FineGpt, Gpt};
use crate::stage::Stage;
use crate::stage::decode::{CachedGpt, Decoder};
use crate::stage::fine::{FineModel, FineNet};
use crate::stage::protocol::Protocol;
use anyhow::{Context, Result};
use candle_core::{DType, Device};

/// A window of 1024 columns fills a CPU by itself (`examples/bench --only fine --batch`); on a GPU a pass of one is
/// over before the next operation has come.
const FINE_ON_GPU: usize = 8;

/// What the pipeline computes with.
pub trait Nets {
    type Gpt: Decoder;
    type Fine: FineModel;
    /// Whether the net of `stage` is there, so that asking for it takes no time.
    fn holds(&self, stage: Stage) -> bool;
    fn holds_codec(&self) -> bool;
    /// The semantic stage's net, with room for `slots` rows.
    fn semantic(&mut self, slots: usize) -> Result<&mut Self::Gpt>;
    /// The coarse stage's net, with room for `slots` rows.
    fn coarse(&mut self, slots: usize) -> Result<&mut Self::Gpt>;
    fn fine(&mut self) -> Result<&Self::Fine>;
    /// How many windows the fine stage best takes together.
    fn fine_windows(&self) -> usize;
    /// Hands codes to the codec.
    fn decode(&mut self, part: Part) -> Result<()>;
    /// The sound of the codes that the codec was handed first. `None` if it is not ready and `wait` is false.
    fn decoded(&mut self, wait: bool) -> Result<Option<Result<Pcm>>>;
    /// Drops the net of `stage`, if it is there.
    fn drop(&mut self, stage: Stage);
    fn drop_codec(&mut self);
}

/// The nets of a model's files.
pub struct Loaded {
    bark: Bark,
    model: Checkpoint<CodecConfig>,
    device: Device,
    dtype: DType,
    semantic: Option<CachedGpt>,
    coarse: Option<CachedGpt>,
    fine: Option<FineNet>,
    codec: Option<CodecThread>,
}

impl Loaded {
    /// Nothing is loaded yet.
    pub fn new(bark: Bark, model: Checkpoint<CodecConfig>, dtype: DType, device: &Device) -> Self {
        let device = device.clone();
        Self { bark, model, device, dtype, semantic: None, coarse: None, fine: None, codec: None }
    }

    pub fn protocol(&self) -> &Protocol {
        &self.bark.protocol
    }

    /// See [`memory::automatic_batch`].
    pub fn automatic_batch(&self) -> Result<usize> {
        memory::automatic_batch(&self.bark, self.dtype, &self.device)
    }

    fn load_gpt(&self, stage: Stage) -> Result<Gpt> {
        let (config, weights) = self.bark.stage(stage, self.dtype, &self.device)?;
        Gpt::new(&config, &weights)
    }

    fn load_fine(&self) -> Result<FineNet> {
        let (config, weights) = self.bark.stage(Stage::Fine, self.dtype, &self.device)?;
        let codebook_size = self.bark.protocol.codebook_size as usize;
        Ok(FineNet { gpt: FineGpt::new(&config, &weights)?, codebook_size })
    }

    fn load_codec(&self) -> Result<CodecThread> {
        let decoder = super::Decoder::new(&self.model, &self.device)?;
        // The thread has a queue of its own on a GPU, which must not run ahead of the weights' copies.
        self.device.synchronize()?;
        CodecThread::start(decoder)
    }
}

impl Nets for Loaded {
    type Gpt = CachedGpt;
    type Fine = FineNet;

    fn holds(&self, stage: Stage) -> bool {
        match stage {
            Stage::Semantic => self.semantic.is_some(),
            Stage::Coarse => self.coarse.is_some(),
            Stage::Fine => self.fine.is_some(),
        }
    }

    fn holds_codec(&self) -> bool {
        self.codec.is_some()
    }

    fn semantic(&mut self, slots: usize) -> Result<&mut CachedGpt> {
        if self.semantic.is_none() {
            self.semantic = Some(CachedGpt::new(self.load_gpt(Stage::Semantic)?, slots, memory::is_draft_worthwhile)?);
        }
        with_room(&mut self.semantic, slots)
    }

    fn coarse(&mut self, slots: usize) -> Result<&mut CachedGpt> {
        if self.coarse.is_none() {
            self.coarse = Some(CachedGpt::new(self.load_gpt(Stage::Coarse)?, slots, memory::is_draft_worthwhile)?);
        }
        with_room(&mut self.coarse, slots)
    }

    fn fine(&mut self) -> Result<&FineNet> {
        if self.fine.is_none() {
            self.fine = Some(self.load_fine()?);
        }
        self.fine.as_ref().context(LOADED)
    }

    fn fine_windows(&self) -> usize {
        if self.device.is_cpu() { 1 } else { FINE_ON_GPU }
    }

    fn decode(&mut self, part: Part) -> Result<()> {
        if self.codec.is_none() {
            self.codec = Some(self.load_codec()?);
        }
        self.codec.as_ref().context(LOADED)?.submit(part)
    }

    fn decoded(&mut self, wait: bool) -> Result<Option<Result<Pcm>>> {
        let codec = self.codec.as_ref().context(LOADED)?;
        if wait { codec.next().map(Some) } else { codec.try_next() }
    }

    fn drop(&mut self, stage: Stage) {
        match stage {
            Stage::Semantic => self.semantic = None,
            Stage::Coarse => self.coarse = None,
            Stage::Fine => self.fine = None,
        }
    }

    fn drop_codec(&mut self) {
        self.codec = None;
    }
}

const LOADED: &str = "the net was just loaded";

/// A net that a run before this one may have left with fewer slots.
fn with_room(held: &mut Option<CachedGpt>, slots: usize) -> Result<&mut CachedGpt> {
    let gpt = held.as_mut().context(LOADED)?;
    gpt.make_room(slots)?;
    Ok(gpt)
}
