//! What to say, in whose voice and how; and how each stage begins on it.

use crate::error::Kind;
use crate::stage::Stage;
use crate::stage::coarse::{CoarseRow, Windows};
use crate::stage::fine::{Context, FineRow};
use crate::stage::protocol::Protocol;
use crate::stage::sample::{Sampler, Sampling};
use crate::stage::semantic::{SemanticRow, Stop};
use crate::tokens::Semantic;
use crate::voice::Voice;
use anyhow::{Result, ensure};
use std::sync::Arc;

/// How an utterance is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub text: Sampling,
    pub coarse: Sampling,
    pub fine: Sampling,
    pub stop: Stop,
    pub windows: Windows,
    pub fine_context: Context,
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
            fine_context: Context::Full,
            seed,
        }
    }

    /// Trades context for time, within upstream's own limits: fewer and longer coarse windows, and no more fine passes
    /// than the utterance needs. A model that states windows of its own keeps them: longer ones may not fit its
    /// context.
    pub fn fast(self) -> Self {
        let upstream = Protocol::default();
        let own = Windows { history: upstream.coarse_history, window: upstream.coarse_window } != self.windows;
        Self { windows: if own { self.windows } else { Windows::FAST }, fine_context: Context::Fewest, ..self }
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
#[derive(Clone, Debug)]
pub enum Content {
    /// A text's ids, as [`crate::stage::text::Text`] gives them.
    Text(Vec<u32>),
    /// Semantic tokens that are there already, such as those of a recording: the semantic stage is passed over.
    Semantic(Semantic),
}

/// What becomes of an utterance's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// The codec does not decode them: the utterance has an empty sound.
    None,
    /// They are decoded once all are there.
    Whole,
    /// They are decoded as they become final, and [`super::RequestQueue::sounded`] is told: the same sound, with the
    /// nets of the coarse and the fine stage in memory together. Only where one utterance is spoken at a time.
    Early,
}

/// One utterance to speak.
#[derive(Clone)]
pub struct Request {
    pub content: Content,
    /// Whose voice; `None`: whatever the model comes up with.
    pub voice: Option<Arc<Voice>>,
    pub settings: Settings,
    pub sound: Sound,
}

/// Refuses a voice of other models than those of `protocol`, which a large token gives away.
pub fn check_voice(voice: &Voice, protocol: &Protocol) -> Result<()> {
    let unfit = "the voice was made for other models (clone it again for these): it has";
    check_known(protocol, voice.semantic(), unfit)
}

impl Request {
    /// To say a text, given as its ids.
    pub fn text(ids: Vec<u32>, voice: Option<Voice>, settings: Settings) -> Self {
        Self { content: Content::Text(ids), voice: voice.map(Arc::new), settings, sound: Sound::Whole }
    }

    fn check_voice(&self, protocol: &Protocol) -> Result<()> {
        self.voice.as_ref().map_or(Ok(()), |voice| check_voice(voice, protocol))
    }

    /// The semantic stage's part, to say `ids`.
    pub(super) fn semantic_row(&self, protocol: &Protocol, ids: &[u32]) -> Result<SemanticRow> {
        self.check_voice(protocol)?;
        let history = self.voice.as_ref().map_or(&[][..], |v| v.semantic().as_slice());
        SemanticRow::new(protocol, ids, history, self.settings.stop, self.settings.sampler(Stage::Semantic))
    }

    /// The coarse stage's part, once the semantic tokens are there.
    pub(super) fn coarse_row(&self, protocol: &Protocol, semantic: &Semantic) -> Result<CoarseRow> {
        self.check_voice(protocol)?;
        check_known(protocol, semantic, "the quantizer was trained for other models: the recording has")?;
        let voice = self.voice.as_ref().map(|v| (v.semantic(), v.coarse()));
        CoarseRow::new(protocol, self.settings.windows, semantic, voice, self.settings.sampler(Stage::Coarse))
    }

    /// The fine stage's part, for `frames` whose coarse codes are to come.
    pub(super) fn fine_row(&self, protocol: &Protocol, frames: usize) -> FineRow {
        let voice = (self.voice.as_deref().map(Voice::fine), self.settings.fine_context);
        FineRow::new(protocol, frames, voice, self.settings.sampler(Stage::Fine))
    }
}

fn check_known(protocol: &Protocol, tokens: &Semantic, what: &str) -> Result<()> {
    let (largest, known) = (tokens.as_slice().iter().max().copied().unwrap_or(0), protocol.semantic_vocab);
    ensure!(
        largest < known,
        Kind::Input.error(format!("{what} the semantic token {largest}, Bark knows 0 to {}", known - 1))
    );
    Ok(())
}
