//! Text and a voice to speech: semantic -> coarse -> fine -> codec, one stage's weights in memory at a time.

use crate::audio::Pcm;
use crate::config::{CodecConfig, Protocol};
use crate::layout::{Bark, Model, Stage};
use crate::net::codec::Codec;
use crate::net::gpt::{FineGpt, Gpt};
use crate::progress::Progress;
use crate::stage::coarse::{CoarseRow, Windows};
use crate::stage::decode::{self, CachedGpt, Next, Prompt, Row};
use crate::stage::fine::{self, Context as FineContext, FineNet};
use crate::stage::sample::{Sampler, Sampling};
use crate::stage::semantic::{SemanticRow, Stop};
use crate::tokens::{Coarse, FINE_CODEBOOKS, Fine, SAMPLE_RATE, Semantic};
use crate::voice::Voice;
use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// How an utterance is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub text: Sampling,
    pub coarse: Sampling,
    pub fine: Sampling,
    pub stop: Stop,
    pub windows: Windows,
    pub fine_context: FineContext,
    pub seed: u64,
}

impl Settings {
    /// What the model's own generation settings say.
    pub fn new(protocol: &Protocol, seed: u64) -> Self {
        Self {
            text: Sampling::at(protocol.text_temperature),
            coarse: Sampling::at(protocol.coarse_temperature),
            fine: Sampling::at(protocol.fine_temperature),
            stop: Stop { min_eos_p: Some(protocol.min_eos_p), max_seconds: None },
            windows: Windows { history: protocol.coarse_history, window: protocol.coarse_window },
            fine_context: FineContext::Full,
            seed,
        }
    }

    /// Trades context for time, within upstream's own limits: fewer and longer coarse windows, and no more fine passes than the
    /// utterance needs.
    pub fn fast(self) -> Self {
        Self { windows: Windows::FAST, fine_context: FineContext::Fewest, ..self }
    }

    /// Refuses settings that cannot be met, naming the flag.
    pub fn check(&self) -> Result<()> {
        self.text.check("--text-temp")?;
        self.coarse.check("--waveform-temp")?;
        self.fine.check("--fine-temp")?;
        self.stop.check()?;
        self.windows.check()
    }

    /// Each stage draws from a stream of its own.
    fn sampler(&self, stage: Stage) -> Sampler {
        let (sampling, stream) = match stage {
            Stage::Semantic => (self.text, 0),
            Stage::Coarse => (self.coarse, 1),
            Stage::Fine => (self.fine, 2),
        };
        Sampler::new(sampling, self.seed, stream)
    }
}

/// What an utterance says.
pub enum Content {
    /// A text's ids, as [`crate::stage::text::Text`] gives them.
    Text(Vec<u32>),
    /// Semantic tokens that are there already, such as those of a recording: the semantic stage is passed over.
    Semantic(Semantic),
}

/// One utterance to speak.
pub struct Request {
    pub content: Content,
    /// Whose voice; `None`: whatever the model comes up with.
    pub voice: Option<Arc<Voice>>,
    pub settings: Settings,
}

impl Request {
    /// To say a text, given as its ids.
    pub fn text(ids: Vec<u32>, voice: Option<Voice>, settings: Settings) -> Self {
        Self { content: Content::Text(ids), voice: voice.map(Arc::new), settings }
    }
}

/// Who brings requests and takes utterances while [`Speaker::speak_all`] runs. Each request has a key to know it by: they
/// are done in any order.
pub trait Desk {
    type Key;
    /// What to speak next. An error ends the run.
    fn next(&mut self) -> Result<Ask<Self::Key>>;
    /// Takes a finished utterance, or what went wrong with this one alone. An error ends the run.
    fn done(&mut self, key: Self::Key, spoken: Result<Utterance>) -> Result<()>;
}

/// A desk's answer to a free slot.
pub enum Ask<K> {
    Speak(K, Box<Request>),
    /// Nothing before one of those under way is done, as where an utterance goes on from the one before.
    Wait,
    /// Nothing more.
    End,
}

/// What was spoken, at every stage.
pub struct Utterance {
    pub semantic: Semantic,
    pub coarse: Coarse,
    pub fine: Fine,
    pub pcm: Pcm,
}

impl Utterance {
    /// The utterance itself as a voice.
    pub fn voice(&self) -> Result<Voice> {
        Voice::from_parts(self.semantic.clone(), self.fine.clone())
    }
}

/// The models that speak. Loads each stage's weights when it is reached and drops them after it, unless told to keep them.
pub struct Speaker {
    bark: Bark,
    codec: Model<CodecConfig>,
    device: Device,
    dtype: DType,
    keep_loaded: bool,
    semantic: Option<Gpt>,
    coarse: Option<Gpt>,
    fine: Option<FineGpt>,
    decoder: Option<Codec>,
}

impl Speaker {
    /// Nothing is loaded yet. `dtype` is what the nets compute in.
    pub fn new(bark: Bark, codec: Model<CodecConfig>, dtype: DType, device: &Device, keep_loaded: bool) -> Self {
        let device = device.clone();
        Self { bark, codec, device, dtype, keep_loaded, semantic: None, coarse: None, fine: None, decoder: None }
    }

    /// Bark's protocol as the model's files state it.
    pub fn protocol(&self) -> &Protocol {
        &self.bark.protocol
    }

    /// Speaks one utterance.
    pub fn speak(&mut self, request: &Request, progress: &dyn Progress) -> Result<Utterance> {
        let semantic = self.semantic(request, progress)?;
        let coarse = self.coarse(request, &semantic, progress)?;
        let fine = self.fine(request, &coarse, progress)?;
        let pcm = self.decode(&fine, progress)?;
        Ok(Utterance { semantic, coarse, fine, pcm })
    }

    /// All that [`Speaker::speak`] does before the codec: what is said may be far longer than its sound fits memory.
    pub fn codes(&mut self, request: &Request, progress: &dyn Progress) -> Result<Fine> {
        let semantic = self.semantic(request, progress)?;
        let coarse = self.coarse(request, &semantic, progress)?;
        self.fine(request, &coarse, progress)
    }

    /// Speaks whatever `desk` brings, up to `batch` utterances at a time.
    pub fn speak_all<D: Desk>(&mut self, desk: &mut D, batch: usize, progress: &dyn Progress) -> Result<()> {
        let _ = batch;
        while let Ask::Speak(key, request) = desk.next()? {
            let spoken = self.speak(&request, progress);
            desk.done(key, spoken)?;
        }
        Ok(())
    }

    /// Text -> semantic tokens.
    pub fn semantic(&mut self, request: &Request, progress: &dyn Progress) -> Result<Semantic> {
        let ids = match &request.content {
            Content::Text(ids) => ids,
            Content::Semantic(semantic) => return Ok(semantic.clone()),
        };
        let protocol = &self.bark.protocol;
        let history = request.voice.as_ref().map_or(&[][..], |v| v.semantic().as_slice());
        let sampler = request.settings.sampler(Stage::Semantic);
        let row = SemanticRow::new(protocol, ids, history, request.settings.stop, sampler)?;
        let gpt = loaded(&mut self.semantic, progress, || gpt(&self.bark, Stage::Semantic, self.dtype, &self.device))?;
        progress.start("semantic", 0, "token");
        let row = generate(gpt, row, progress)?;
        self.unless_kept(|s| s.semantic = None);
        row.finish()
    }

    /// Semantic tokens -> the first two codebooks.
    pub fn coarse(&mut self, request: &Request, semantic: &Semantic, progress: &dyn Progress) -> Result<Coarse> {
        let voice = request.voice.as_ref().map(|v| (v.semantic(), v.coarse()));
        let sampler = request.settings.sampler(Stage::Coarse);
        let row = CoarseRow::new(&self.bark.protocol, request.settings.windows, semantic, voice, sampler)?;
        let gpt = loaded(&mut self.coarse, progress, || gpt(&self.bark, Stage::Coarse, self.dtype, &self.device))?;
        progress.start("coarse", row.steps() as u64, "token");
        let row = generate(gpt, row, progress)?;
        self.unless_kept(|s| s.coarse = None);
        row.finish()
    }

    /// The first two codebooks -> all eight.
    pub fn fine(&mut self, request: &Request, coarse: &Coarse, progress: &dyn Progress) -> Result<Fine> {
        let protocol = &self.bark.protocol;
        let gpt = loaded(&mut self.fine, progress, || fine_gpt(&self.bark, self.dtype, &self.device))?;
        let net = FineNet { gpt, codebook_size: protocol.codebook_size as usize };
        let voice = (request.voice.as_deref().map(Voice::fine), request.settings.fine_context);
        let mut sampler = request.settings.sampler(Stage::Fine);
        let fine = fine::generate(&net, protocol, coarse, voice, &mut sampler, progress)?;
        self.unless_kept(|s| s.fine = None);
        Ok(fine)
    }

    /// All eight codebooks -> audio, 24 kHz.
    pub fn decode(&mut self, fine: &Fine, progress: &dyn Progress) -> Result<Pcm> {
        let codec = loaded(&mut self.decoder, progress, || codec(&self.codec, &self.device))?;
        progress.start("audio", 1, "pass");
        let codes: Vec<u32> = fine.rows().concat();
        let codes = Tensor::from_vec(codes, (1, FINE_CODEBOOKS, fine.frames()), &self.device)?;
        let samples = codec.decode(&codes)?.flatten_all()?.to_vec1()?;
        progress.finish();
        self.unless_kept(|s| s.decoder = None);
        Ok(Pcm { samples, rate: SAMPLE_RATE })
    }

    fn unless_kept(&mut self, drop: impl FnOnce(&mut Self)) {
        if !self.keep_loaded {
            drop(self);
        }
    }
}

fn gpt(bark: &Bark, stage: Stage, dtype: DType, device: &Device) -> Result<Gpt> {
    let (config, weights) = bark.stage(stage, dtype, device)?;
    Gpt::new(&config, &weights)
}

fn fine_gpt(bark: &Bark, dtype: DType, device: &Device) -> Result<FineGpt> {
    let (config, weights) = bark.stage(Stage::Fine, dtype, device)?;
    FineGpt::new(&config, &weights)
}

/// The codec computes in f32 on every device: it is small, and what it gets wrong is heard.
fn codec(model: &Model<CodecConfig>, device: &Device) -> Result<Codec> {
    Codec::new(&model.config, &model.weights(DType::F32, device), FINE_CODEBOOKS)
}

/// The net in `place`, loaded if it is not there.
fn loaded<'a, N>(place: &'a mut Option<N>, progress: &dyn Progress, load: impl FnOnce() -> Result<N>) -> Result<&'a N> {
    if place.is_none() {
        progress.start("loading", 0, "");
        *place = Some(load()?);
        progress.finish();
    }
    place.as_ref().context("the net was just loaded")
}

/// Runs one row through the generation loop, as a batch of one.
fn generate<R: Row>(gpt: &Gpt, row: R, progress: &dyn Progress) -> Result<R> {
    let mut decoder = CachedGpt { gpt, cache: gpt.cache(1)? };
    let mut finished = None;
    let mut waiting = std::iter::once(Watched { row, progress });
    decode::run(&mut decoder, 1, &mut waiting, &mut |watched| {
        finished = Some(watched.row);
        Ok(())
    })?;
    progress.finish();
    finished.context("the generation loop returned no row")
}

/// A row whose every token is told to `progress`.
struct Watched<'a, R> {
    row: R,
    progress: &'a dyn Progress,
}

impl<R: Row> Row for Watched<'_, R> {
    fn prompt(&self) -> Prompt {
        self.row.prompt()
    }

    fn wanted(&self) -> Range<usize> {
        self.row.wanted()
    }

    fn next(&mut self, logits: &[f32]) -> Result<Next> {
        self.progress.advance(1);
        self.row.next(logits)
    }
}
