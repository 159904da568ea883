//! Text and a voice to speech: semantic -> coarse -> fine -> codec, one utterance or many at a time.
//!
//! Many are spoken by continuous batching: each of the two causal stages has as many slots as the batch, a row that
//! ends gives its slot to the next one, and the stages take turns so that their slots are full.

mod codec_thread;
mod decoder;
mod memory;
mod nets;
mod pipeline;
mod request;
mod schedule;
mod stage_progress;
#[cfg(test)]
mod tests;

pub use decoder::Decoder;
pub use request::{Content, Request, Settings, Sound, check_voice};

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
use nets::{Loaded, Nets};
use pipeline::Pipeline;

/// Where [`Speaker::speak_all`] takes requests from and hands finished utterances to. Utterances are finished in any
/// order; each is handed over with its request's key.
pub trait RequestQueue {
    type Key;
    /// What to speak next. Nothing is computed until it answers. If there is nothing yet, but may be once an utterance
    /// that is under way is finished, it answers [`NextRequest::Wait`]. An error ends the run.
    fn next(&mut self) -> Result<NextRequest<Self::Key>>;
    /// Takes a finished utterance, as soon as it is there, or what went wrong with this one alone. Called on the
    /// thread of [`Speaker::speak_all`]. An error ends the run.
    fn finished(&mut self, key: Self::Key, spoken: Result<Utterance>) -> Result<()>;
    /// Is told of the next samples of an utterance of `total` samples, as soon as they are final. An error ends the
    /// run.
    fn sounded(&mut self, _total: usize, _samples: &[f32]) -> Result<()> {
        Ok(())
    }
}

/// What a queue answers when a slot is free.
pub enum NextRequest<K> {
    Ready(K, Box<Request>),
    /// There is no request until an utterance that is under way is finished, for instance if one goes on from another.
    /// It is an error to answer this while none is under way.
    Wait,
    /// There are no more requests.
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

/// The models that speak. A stage's weights are loaded when the first request reaches it. Unless they are to be kept,
/// they are dropped when no request can reach the stage any more. So a single utterance has one stage in memory at a
/// time, and a run of more utterances than its batch has all of them.
///
/// A speaker computes on the thread that calls it and on helper threads of its own, as many in all as rayon's current
/// pool has threads. Speakers on several threads do not wait for each other, but they share the processors.
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

    /// How many utterances are best spoken at a time: as many as the device gains from, and as the memory holds that
    /// is free now.
    pub fn automatic_batch(&self) -> Result<usize> {
        self.nets.automatic_batch()
    }

    /// Speaks one utterance, and reports each stage to `progress`.
    pub fn speak(&mut self, request: &Request, progress: &dyn Progress) -> Result<Utterance> {
        self.speak_to(request, &mut |_, _| Ok(()), progress)
    }

    /// [`Speaker::speak`], that hands the sound to `sink` as it is made: how many samples there will be, and the next
    /// ones. With [`Sound::Early`] they come as soon as they are final; bit by bit they are those of the whole.
    ///
    /// What is final when: a fine pass sees 1024 frames, of which up to 512 are the voice's, and the coarse codes of all
    /// of them. The next pass fills anew the frames from its own beginning on, so that those before it are final, of an
    /// utterance of `T` frames after a voice of 512 at least the first `min(512, T - 512)`; of the last pass all are.
    /// EnCodec's decoder is causal: 320 samples are final with each frame. So an utterance of up to 6.8 s (13.6 s
    /// without a voice) has its first sound after its one fine pass, and a longer one while its coarse codes go on.
    pub fn speak_to(
        &mut self,
        request: &Request,
        sink: &mut dyn FnMut(usize, &[f32]) -> Result<()>,
        progress: &dyn Progress,
    ) -> Result<Utterance> {
        let mut queue = Single { request: Some(Box::new(request.clone())), spoken: None, sink };
        self.speak_all(&mut queue, 1, progress)?;
        queue.spoken.context("the run ended before its utterance")?
    }

    /// Speaks all requests of `queue`, up to `batch` at a time. Reports each stage to `progress` if `batch` is 1, and
    /// else the tokens of all.
    ///
    /// On the CPU an utterance's tokens depend neither on `batch` nor on what is spoken beside it, whatever type the
    /// weights are stored in. On a GPU, whose sums are taken in an order that depends on the number of rows, a token
    /// can differ where two logits are nearly equal.
    ///
    /// # Errors
    /// Of the queue, or if weights cannot be loaded. What is wrong with one request alone goes to
    /// [`RequestQueue::finished`].
    pub fn speak_all<Q: RequestQueue>(&mut self, queue: &mut Q, batch: usize, progress: &dyn Progress) -> Result<()> {
        let protocol = self.nets.protocol().clone();
        let run = Pipeline::new(queue, &mut self.nets, protocol, batch.max(1), self.keep_loaded, progress).run();
        if run.is_err() || !self.keep_loaded {
            Stage::ALL.into_iter().for_each(|stage| self.nets.drop(stage));
            self.nets.drop_codec();
        }
        run
    }
}

/// The queue of a single request.
struct Single<'a> {
    request: Option<Box<Request>>,
    spoken: Option<Result<Utterance>>,
    sink: &'a mut dyn FnMut(usize, &[f32]) -> Result<()>,
}

impl RequestQueue for Single<'_> {
    type Key = ();

    fn next(&mut self) -> Result<NextRequest<()>> {
        Ok(self.request.take().map_or(NextRequest::End, |request| NextRequest::Ready((), request)))
    }

    fn finished(&mut self, (): (), spoken: Result<Utterance>) -> Result<()> {
        self.spoken = Some(spoken);
        Ok(())
    }

    fn sounded(&mut self, total: usize, samples: &[f32]) -> Result<()> {
        (self.sink)(total, samples)
    }
}
