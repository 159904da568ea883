//! The codec on a thread of its own: one utterance becomes sound while the next ones are generated.

use super::Decoder;
use crate::audio::Pcm;
use crate::tokens::Fine;
use anyhow::{Context, Result};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Parts that may wait for the codec; submitting one more waits for the first.
const WAITING: usize = 2;

/// Frames of an utterance for the codec.
pub struct Part {
    pub fine: Fine,
    /// Whether they are its first ones; the others follow the part before them.
    pub first: bool,
}

/// All eight codebooks in, audio at 24 kHz out, in the same order.
pub struct CodecThread {
    /// Gone once no more are to come, which ends the thread.
    codes: Option<SyncSender<Part>>,
    sounds: Receiver<Result<Pcm>>,
    thread: Option<JoinHandle<()>>,
}

const GONE: &str = "the codec's thread has ended";

impl CodecThread {
    /// The codec's kernels run on as many threads as the caller's do, but on their own: they neither wait for nor hold
    /// up a step.
    pub fn start(decoder: Decoder) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(rayon::current_num_threads()).build()?;
        let mut sounding = decoder.sounding()?;
        Self::with(move |part| {
            if part.first {
                sounding = decoder.sounding()?;
            }
            pool.install(|| decoder.pcm_on(&mut sounding, &part.fine))
        })
    }

    fn with(mut decode: impl FnMut(&Part) -> Result<Pcm> + Send + 'static) -> Result<Self> {
        let (codes, waiting) = sync_channel::<Part>(WAITING);
        let (done, sounds) = channel();
        let work = move || {
            for part in waiting {
                if done.send(decode(&part)).is_err() {
                    break;
                }
            }
        };
        let thread = Builder::new().name("codec".into()).spawn(work).context("no thread for the codec")?;
        Ok(Self { codes: Some(codes), sounds, thread: Some(thread) })
    }

    /// Hands frames over.
    pub fn submit(&self, part: Part) -> Result<()> {
        self.codes.as_ref().and_then(|codes| codes.send(part).ok()).context(GONE)
    }

    /// The next sound, if it is there.
    pub fn try_next(&self) -> Result<Option<Result<Pcm>>> {
        match self.sounds.try_recv() {
            Ok(sound) => Ok(Some(sound)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(anyhow::anyhow!(GONE)),
        }
    }

    /// The next sound, waited for.
    pub fn next(&self) -> Result<Result<Pcm>> {
        self.sounds.recv().context(GONE)
    }
}

impl Drop for CodecThread {
    fn drop(&mut self) {
        self.codes = None;
        if let Some(thread) = self.thread.take() {
            // A panic has printed its message, and whoever waited for a sound got an error.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::SAMPLE_RATE;
    use anyhow::ensure;
    use std::sync::Arc;

    fn codes(frames: usize) -> Part {
        Part { fine: Fine::new(std::array::from_fn(|_| vec![0; frames]), 1024).unwrap(), first: true }
    }

    /// As many samples as frames; none for a single frame.
    fn count(part: &Part) -> Result<Pcm> {
        ensure!(part.fine.frames() != 1, "too short");
        Ok(Pcm { samples: vec![0.0; part.fine.frames()], rate: SAMPLE_RATE })
    }

    #[test]
    fn sounds_come_in_the_order_of_their_codes_and_errors_among_them() {
        let codec = CodecThread::with(count).unwrap();
        [3, 1, 2].into_iter().for_each(|frames| codec.submit(codes(frames)).unwrap());
        let sounds = [(); 3].map(|()| codec.next().unwrap().map(|pcm| pcm.samples.len()));
        let [Ok(3), Err(error), Ok(2)] = sounds else { panic!("{sounds:?}") };
        assert_eq!(error.to_string(), "too short");
        assert!(codec.try_next().unwrap().is_none(), "nothing is left");
    }

    #[test]
    fn a_codec_that_is_gone_is_an_error_and_not_waited_for() {
        let codec = CodecThread::with(|_| panic!("a bug")).unwrap();
        codec.submit(codes(2)).unwrap();
        assert!(codec.next().unwrap_err().to_string().contains("thread has ended"));
        assert!(codec.try_next().is_err());
    }

    #[test]
    fn who_goes_leaves_no_thread_behind() {
        let held = Arc::new(());
        let shared = held.clone();
        let codec = CodecThread::with(move |part| {
            let _held = shared.clone();
            count(part)
        })
        .unwrap();
        codec.submit(codes(2)).unwrap();
        drop(codec);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
