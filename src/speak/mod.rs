//! Text and a voice to speech: semantic -> coarse -> fine -> codec, one utterance or many at a time.
//!
//! Many are spoken by continuous batching: each of the two causal stages has as many slots as the batch, a row that ends gives
//! its slot to the next one, and the stages take turns so that their slots are full.

mod batch;
mod decoder;
mod engine;
mod nets;
mod request;
mod sound;
#[cfg(test)]
mod tests;
mod told;
mod turn;

pub use decoder::Decoder;
pub use request::{Content, Request, Settings};

use crate::audio::Pcm;
use crate::checkpoint::{Bark, Checkpoint};
use crate::net::codec::CodecConfig;
use crate::progress::Progress;
use crate::stage::Stage;
use crate::stage::protocol::Protocol;
use crate::tokens::{Coarse, Fine, Semantic};
use crate::voice::Voice;
use anyhow::{Context, Result};
use candle_core::{DType, Device};
use engine::Engine;
use nets::{Loaded, Nets};

/// Who brings requests and takes utterances while [`Speaker::speak_all`] runs. Each request has a key to know it by: they
/// are done in any order.
pub trait RequestQueue {
    type Key;
    /// What to speak next. Nothing is computed until it answers: where there is nothing yet and something is under way,
    /// better [`NextRequest::Wait`]. An error ends the run.
    fn next(&mut self) -> Result<NextRequest<Self::Key>>;
    /// Takes a finished utterance, as soon as it is there, or what went wrong with this one alone. Called on the thread of
    /// [`Speaker::speak_all`]. An error ends the run.
    fn finished(&mut self, key: Self::Key, spoken: Result<Utterance>) -> Result<()>;
}

/// A queue's answer to a free slot.
pub enum NextRequest<K> {
    Ready(K, Box<Request>),
    /// Nothing before one of those under way is done, as where an utterance goes on from the one before. An error if none is.
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

/// The models that speak. A stage's weights are loaded when it is first reached, and dropped once nothing more can reach it,
/// unless told to keep them: of a single utterance one stage is in memory at a time, of more utterances than fit the batch all
/// of them are.
pub struct Speaker {
    nets: Loaded,
    keep_loaded: bool,
}

impl Speaker {
    /// Nothing is loaded yet. `dtype` is what the nets compute in.
    pub fn new(bark: Bark, codec: Checkpoint<CodecConfig>, dtype: DType, device: &Device, keep_loaded: bool) -> Self {
        Self { nets: Loaded::new(bark, codec, dtype, device), keep_loaded }
    }

    /// Bark's protocol as the model's files state it.
    pub fn protocol(&self) -> &Protocol {
        self.nets.protocol()
    }

    /// How many utterances are best spoken at a time: as many as the device gains from, and as the memory holds that is free
    /// now.
    pub fn automatic_batch(&self) -> Result<usize> {
        self.nets.automatic_batch()
    }

    /// Speaks one utterance. `progress` is told of each stage.
    pub fn speak(&mut self, request: &Request, progress: &dyn Progress) -> Result<Utterance> {
        let mut queue = Single { request: Some(Box::new(request.clone())), spoken: None };
        self.speak_all(&mut queue, 1, progress)?;
        queue.spoken.context("the run ended before its utterance")?
    }

    /// Speaks whatever `queue` brings, up to `batch` utterances at a time; `progress` is told of each stage if that is 1, else
    /// of tokens in all.
    ///
    /// On the CPU an utterance's tokens do not depend on `batch` nor on what is spoken beside it (with 8-bit weights, in batches of
    /// up to 16: steps of more rows compute in integers). On a GPU, whose sums are taken
    /// in an order that depends on the number of rows, a token can differ where two logits are nearly equal.
    ///
    /// # Errors
    /// Of the queue, or if weights cannot be loaded. What is wrong with one request alone goes to [`RequestQueue::finished`].
    pub fn speak_all<Q: RequestQueue>(&mut self, queue: &mut Q, batch: usize, progress: &dyn Progress) -> Result<()> {
        let protocol = self.nets.protocol().clone();
        let run = Engine::new(queue, &mut self.nets, protocol, batch.max(1), self.keep_loaded, progress).run();
        if run.is_err() || !self.keep_loaded {
            Stage::ALL.into_iter().for_each(|stage| self.nets.drop(stage));
            self.nets.drop_codec();
        }
        run
    }
}

/// The queue of a single request.
struct Single {
    request: Option<Box<Request>>,
    spoken: Option<Result<Utterance>>,
}

impl RequestQueue for Single {
    type Key = ();

    fn next(&mut self) -> Result<NextRequest<()>> {
        Ok(self.request.take().map_or(NextRequest::End, |request| NextRequest::Ready((), request)))
    }

    fn finished(&mut self, (): (), spoken: Result<Utterance>) -> Result<()> {
        self.spoken = Some(spoken);
        Ok(())
    }
}
