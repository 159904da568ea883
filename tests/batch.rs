//! Many utterances at a time: each has the tokens that it has alone, whatever is spoken beside it.

use crate::noise::{self, Size};
use crate::parity_speak::device;
use anyhow::Result;
use barkclone::checkpoint::{self, Bark};
use barkclone::net::repr::Repr;
use barkclone::progress::Silent;
use barkclone::speak::{Content, NextRequest, Request, RequestQueue, Settings, Sound, Speaker, Utterance};
use barkclone::stage::Stage;
use barkclone::stage::sample::Sampling;
use barkclone::tokens::{Fine, Semantic};
use barkclone::voice::Voice;
use candle_core::DType;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

const SEED: u64 = 5;

/// Hands out requests in the order given, with their places in it.
struct List<'a> {
    order: VecDeque<usize>,
    requests: &'a [Request],
    /// Whether to wait for each utterance before the next request.
    one_by_one: bool,
    spoken: Vec<Option<Utterance>>,
}

impl RequestQueue for List<'_> {
    type Key = usize;

    fn next(&mut self) -> Result<NextRequest<usize>> {
        let handed_out = self.requests.len() - self.order.len();
        if self.one_by_one && !self.order.is_empty() && handed_out > self.spoken.iter().flatten().count() {
            return Ok(NextRequest::Wait);
        }
        Ok(self
            .order
            .pop_front()
            .map_or(NextRequest::End, |key| NextRequest::Ready(key, Box::new(self.requests[key].clone()))))
    }

    fn finished(&mut self, key: usize, spoken: Result<Utterance>) -> Result<()> {
        assert!(self.spoken[key].is_none(), "{key} is done twice");
        self.spoken[key] = Some(spoken?);
        Ok(())
    }
}

fn speaker(bark: Bark, keep_loaded: bool) -> Speaker {
    Speaker::new(bark, noise::codec(SEED), DType::F32, &device(), keep_loaded)
}

fn together(speaker: &mut Speaker, requests: &[Request], order: &[usize], batch: usize) -> Vec<Utterance> {
    let spoken = requests.iter().map(|_| None).collect();
    let mut list = List { order: order.iter().copied().collect(), requests, one_by_one: false, spoken };
    speaker.speak_all(&mut list, batch, &Silent).unwrap();
    list.spoken.into_iter().map(Option::unwrap).collect()
}

fn alone(bark: Bark, requests: &[Request]) -> Vec<Utterance> {
    let mut speaker = speaker(bark, true);
    requests.iter().map(|request| speaker.speak(request, &Silent).unwrap()).collect()
}

/// Made up, of `frames` frames.
fn voice(frames: u32, which: u32) -> Voice {
    let semantic = Semantic::new((0..frames * 2 / 3).map(|i| (i * 37 + which) % 10_000).collect(), 10_000).unwrap();
    let row = |book: usize| (0..frames).map(|i| (i * 13 + book as u32 * 101 + which) % 1024).collect();
    Voice::from_parts(semantic, Fine::new(std::array::from_fn(row), 1024).unwrap()).unwrap()
}

fn settings(seed: u64, seconds: f64) -> Settings {
    let mut settings = Settings::new(&Default::default(), seed);
    settings.stop.min_eos_p = None;
    settings.stop.max_seconds = Some(seconds);
    settings
}

/// Other texts, voices, lengths, seeds and settings, and semantic tokens among them.
fn requests() -> Vec<Request> {
    let text = |n: u32| (100..100 + n).collect::<Vec<u32>>();
    let mut greedy = settings(3, 1.1);
    (greedy.text, greedy.coarse, greedy.fine) = (Sampling::GREEDY, Sampling::GREEDY, Sampling::GREEDY);
    let mut picky = settings(4, 0.7);
    picky.text = Sampling { top_k: Some(50), top_p: Some(0.9), ..Sampling::at(0.9) };
    let tokens = Semantic::new((0..40).map(|i| i * 211 % 10_000).collect(), 10_000).unwrap();
    let voiced = Request::text(text(12), Some(voice(525, 0)), settings(6, 0.9));
    vec![
        Request::text(text(3), None, settings(1, 0.5)),
        Request::text(text(30), Some(voice(150, 1)), settings(2, 1.6)),
        Request::text(text(200), Some(voice(900, 2)), greedy),
        Request {
            content: Content::Semantic(tokens.clone()),
            voice: None,
            settings: settings(5, 1.0),
            sound: Sound::Whole,
        },
        voiced.clone(),
        Request { settings: settings(7, 0.9), ..voiced.clone() },
        Request { settings: settings(8, 0.8).fast(), ..voiced.clone() },
        Request {
            content: Content::Semantic(tokens),
            voice: voiced.voice.clone(),
            settings: settings(9, 1.0),
            sound: Sound::Whole,
        },
        Request::text(text(8), None, picky),
    ]
}

fn assert_same(batch: &str, got: &[Utterance], alone: &[Utterance]) {
    for (key, (got, alone)) in got.iter().zip(alone).enumerate() {
        assert_eq!(got.semantic, alone.semantic, "{batch}: semantic tokens of {key}");
        assert_eq!(got.coarse, alone.coarse, "{batch}: coarse codes of {key}");
        assert_eq!(got.fine, alone.fine, "{batch}: fine codes of {key}");
        assert_eq!(got.pcm.samples, alone.pcm.samples, "{batch}: sound of {key}");
    }
}

fn tiny() -> Bark {
    noise::bark(Size::Tiny, SEED)
}

#[test]
fn an_utterance_has_the_tokens_that_it_has_alone_in_any_batch_and_order() {
    let requests = requests();
    let alone = alone(tiny(), &requests);
    let mut speaker = speaker(tiny(), true);
    for (batch, order) in [
        (1, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (3, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (3, [8, 3, 7, 6, 1, 0, 5, 2, 4]),
        (8, [2, 4, 6, 8, 1, 3, 5, 7, 0]),
        (9, [5, 0, 8, 7, 4, 3, 2, 1, 6]),
    ] {
        assert_same(&format!("{batch} of {order:?}"), &together(&mut speaker, &requests, &order, batch), &alone);
    }
}

/// More short ones than there are rows that the kernels stream at a time.
fn many() -> Vec<Request> {
    let one = |n: u32| Request::text((100..103 + n % 9).collect(), None, settings(u64::from(n), 0.1));
    (0..40).map(one).collect()
}

#[test]
fn a_batch_of_more_rows_than_a_pass_streams_changes_no_token_either() {
    let requests = many();
    let order: Vec<_> = (0..requests.len()).collect();
    let together = together(&mut speaker(tiny(), false), &requests, &order, 32);
    assert_same("32", &together, &alone(tiny(), &requests));
}

#[test]
fn a_queue_that_waits_for_each_utterance_gets_the_same_ones() {
    let requests = &requests()[..4];
    let spoken = requests.iter().map(|_| None).collect();
    let mut list = List { order: (0..4).collect(), requests, one_by_one: true, spoken };
    speaker(tiny(), false).speak_all(&mut list, 3, &Silent).unwrap();
    let got: Vec<_> = list.spoken.into_iter().map(Option::unwrap).collect();
    assert_same("one by one", &got, &alone(tiny(), requests));
}

/// A packed model, wide enough for the blocks of every type.
fn pack(repr: Repr) -> PathBuf {
    let configs = Stage::ALL.map(|stage| barkclone::net::gpt::GptConfig {
        heads: 4,
        width: 256,
        ..noise::gpt_config(stage, Size::Tiny)
    });
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("batch-{repr}.safetensors"));
    if path.exists() {
        std::fs::remove_file(&path).unwrap();
    }
    checkpoint::pack(&noise::bark_of(configs, SEED), (Some(&noise::codec(SEED)), None), repr, &path, &Silent).unwrap();
    path
}

#[test]
fn packed_weights_hold_to_it_too() {
    let requests = &requests()[..5];
    for (name, repr) in &Repr::PACKED[1..] {
        let path = pack(*repr);
        let bark = || checkpoint::bark(&path).unwrap();
        let alone = alone(bark(), requests);
        let got = together(&mut speaker(bark(), false), requests, &[4, 1, 2, 0, 3], 4);
        assert_same(name, &got, &alone);
        let many = &many()[..20];
        let order: Vec<_> = (0..many.len()).collect();
        assert_same(name, &together(&mut speaker(bark(), false), many, &order, 20), &self::alone(bark(), many));
    }
}

#[test]
fn sound_that_goes_out_early_is_bit_by_bit_that_of_the_whole() {
    let mut speaker = speaker(noise::bark(Size::Tiny, SEED), true);
    let ids: Vec<u32> = (100..130).collect();
    // Less than goes to the codec at first; one fine pass; two, of which the first settles 388 frames; a last pass that
    // begins before the one before it ends; two without a voice, and few frames settled that wait for the others.
    for (seconds, voiced, first_parts) in
        [(0.3, true, 1), (4.0, true, 2), (12.0, true, 3), (13.9, true, 4), (14.2, false, 3), (7.0, true, 2)]
    {
        let voice = voiced.then(|| voice(900, 2));
        let whole = Request::text(ids.clone(), voice, settings(3, seconds));
        let early = Request { sound: Sound::Early, ..whole.clone() };
        let (mut heard, mut totals) = (Vec::new(), Vec::new());
        let mut sink = |total: usize, samples: &[f32]| {
            heard.push(samples.to_vec());
            totals.push(total);
            Ok(())
        };
        let early = speaker.speak_to(&early, &mut sink, &Silent).unwrap();
        let whole = speaker.speak(&whole, &Silent).unwrap();
        let bits = |samples: &[f32]| samples.iter().map(|sample| sample.to_bits()).collect::<Vec<_>>();
        assert!(bits(&heard.concat()) == bits(&whole.pcm.samples), "{seconds} s");
        assert!(early.pcm == whole.pcm && early.fine == whole.fine, "{seconds} s");
        assert!(totals.iter().all(|&total| total == whole.pcm.samples.len()));
        assert_eq!(heard.len(), first_parts, "{seconds} s: {:?}", heard.iter().map(Vec::len).collect::<Vec<_>>());
        assert!(heard[0].len() <= 75 * 320, "{seconds} s");
    }
}
