//! The codec on a thread of its own: one utterance becomes sound while the next ones are generated.

use crate::audio::Pcm;
use crate::net::codec::Codec;
use crate::tokens::{FINE_CODEBOOKS, Fine, SAMPLE_RATE};
use anyhow::{Context, Result};
use candle_core::Tensor;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, channel, sync_channel};
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
    /// The codec's kernels run on as many threads as the caller's do, but on their own: they neither wait for nor hold up a step.
    pub fn start(codec: Codec) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(rayon::current_num_threads()).build()?;
        Self::with(move |fine| pool.install(|| decode(&codec, fine)))
    }

    fn with(decode: impl Fn(&Fine) -> Result<Pcm> + Send + 'static) -> Result<Self> {
        let (codes, waiting) = sync_channel::<Fine>(WAITING);
        let (done, sounds) = channel();
        let work = move || {
            for fine in waiting {
                if done.send(decode(&fine)).is_err() {
                    break;
                }
            }
        };
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

fn decode(codec: &Codec, fine: &Fine) -> Result<Pcm> {
    let codes = Tensor::from_vec(fine.rows().concat(), (1, FINE_CODEBOOKS, fine.frames()), codec.device())?;
    let samples = codec.decode(&codes)?.flatten_all()?.to_vec1()?;
    Ok(Pcm { samples, rate: SAMPLE_RATE })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::ensure;
    use std::sync::Arc;

    fn codes(frames: usize) -> Fine {
        Fine::new(std::array::from_fn(|_| vec![0; frames]), 1024).unwrap()
    }

    /// As many samples as frames; none for a single frame.
    fn count(fine: &Fine) -> Result<Pcm> {
        ensure!(fine.frames() != 1, "too short");
        Ok(Pcm { samples: vec![0.0; fine.frames()], rate: SAMPLE_RATE })
    }

    #[test]
    fn sounds_come_in_the_order_of_their_codes_and_errors_among_them() {
        let sounder = Sounder::with(count).unwrap();
        [3, 1, 2].into_iter().for_each(|frames| sounder.push(codes(frames)).unwrap());
        let sounds = [(); 3].map(|()| sounder.wait().unwrap().map(|pcm| pcm.samples.len()));
        let [Ok(3), Err(error), Ok(2)] = sounds else { panic!("{sounds:?}") };
        assert_eq!(error.to_string(), "too short");
        assert!(sounder.poll().unwrap().is_none(), "nothing is left");
    }

    #[test]
    fn a_codec_that_is_gone_is_an_error_and_not_waited_for() {
        let sounder = Sounder::with(|_| panic!("a bug")).unwrap();
        sounder.push(codes(2)).unwrap();
        assert!(sounder.wait().unwrap_err().to_string().contains("thread has ended"));
        assert!(sounder.poll().is_err());
    }

    #[test]
    fn who_goes_leaves_no_thread_behind() {
        let held = Arc::new(());
        let shared = held.clone();
        let sounder = Sounder::with(move |fine| {
            let _held = shared.clone();
            count(fine)
        })
        .unwrap();
        sounder.push(codes(2)).unwrap();
        drop(sounder);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
