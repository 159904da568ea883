//! The codec on a thread of its own: one utterance becomes sound while the next ones are generated.

use crate::audio::Pcm;
use crate::net::codec::Codec;
use crate::tokens::{FINE_CODEBOOKS, Fine, SAMPLE_RATE};
use anyhow::{Context, Result};
use candle_core::Tensor;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Utterances that may wait for the codec; who brings one more waits.
const WAITING: usize = 2;

/// All eight codebooks in, audio at 24 kHz out, in the same order.
pub struct Sounder {
    /// Gone once no more are to come, which ends the thread.
    codes: Option<SyncSender<Fine>>,
    sounds: Receiver<Result<Pcm>>,
    thread: Option<JoinHandle<()>>,
}

const GONE: &str = "the codec's thread has ended";

impl Sounder {
    /// Its kernels run on as many threads as the caller's do, but on their own: they neither wait for nor hold up a step.
    pub fn start(codec: Codec) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(rayon::current_num_threads()).build()?;
        let (codes, waiting) = sync_channel(WAITING);
        let (done, sounds) = channel();
        let work = move || run(|fine| pool.install(|| decode(&codec, fine)), &waiting, &done);
        let thread = Builder::new().name("codec".into()).spawn(work).context("no thread for the codec")?;
        Ok(Self { codes: Some(codes), sounds, thread: Some(thread) })
    }

    /// Hands an utterance over.
    pub fn push(&self, fine: Fine) -> Result<()> {
        self.codes.as_ref().and_then(|codes| codes.send(fine).ok()).context(GONE)
    }

    /// The next sound, if it is there.
    pub fn poll(&self) -> Result<Option<Result<Pcm>>> {
        match self.sounds.try_recv() {
            Ok(sound) => Ok(Some(sound)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(anyhow::anyhow!(GONE)),
        }
    }

    /// The next sound, waited for.
    pub fn wait(&self) -> Result<Result<Pcm>> {
        self.sounds.recv().context(GONE)
    }
}

impl Drop for Sounder {
    fn drop(&mut self) {
        self.codes = None;
        if let Some(thread) = self.thread.take() {
            // A panic has told of itself, and whoever waited for its sound got an error.
            let _ = thread.join();
        }
    }
}

fn run(decode: impl Fn(&Fine) -> Result<Pcm>, codes: &Receiver<Fine>, sounds: &Sender<Result<Pcm>>) {
    while let Ok(fine) = codes.recv() {
        if sounds.send(decode(&fine)).is_err() {
            return;
        }
    }
}

fn decode(codec: &Codec, fine: &Fine) -> Result<Pcm> {
    let codes = Tensor::from_vec(fine.rows().concat(), (1, FINE_CODEBOOKS, fine.frames()), codec.device())?;
    let samples = codec.decode(&codes)?.flatten_all()?.to_vec1()?;
    Ok(Pcm { samples, rate: SAMPLE_RATE })
}
