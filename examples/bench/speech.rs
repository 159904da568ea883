//! Whole utterances: where the time and the memory of one go, and how much speech a batch of them makes.

use crate::{Args, SEED, open_codec};
use anyhow::{Context, Result};
use barkclone::checkpoint::Bark;
use barkclone::progress::{Progress, Silent};
use barkclone::speak::{NextRequest, Request, RequestQueue, Settings, Sound, Speaker, Utterance};
use barkclone::stage::protocol::Protocol;
use barkclone::tokens::{Fine, Semantic};
use barkclone::voice::Voice;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Frames of the made-up voice: 7 s, longer than every window.
const VOICE: usize = 525;

/// All of it, with a voice, at upstream's temperatures; the length is fixed so that every run does the same work.
pub fn utterance(bark: impl FnOnce() -> Result<Bark>, args: &Args, process: Instant) -> Result<()> {
    let (request, opened) = (request(args, SEED, args.seconds)?, Instant::now());
    let mut speaker = Speaker::new(bark()?, open_codec(args)?, args.dtype(), &args.device, false);
    let watch = Watch::default();
    let spoken = speaker.speak(&request, &watch)?;
    let all = opened.elapsed().as_secs_f64();
    let state = watch.state();
    for stage in &state.stages {
        stage.print();
    }
    let first = state.first.context("no token was made")?;
    let since = |start: Instant| (first - start).as_secs_f64() * 1e3;
    println!("{:<44} {:>9.1} ms", "utterance: first tokens, since the process began", since(process));
    println!("{:<44} {:>9.1} ms", "utterance: first tokens, since Bark was opened", since(opened));
    let rate = all / spoken.pcm.seconds();
    println!("{:<44} {all:>9.2} s  {rate:.2} times real time", "utterance: all, loading included");
    Ok(())
}

/// When the first sound is there: of the whole, and where it goes out as soon as it is final.
pub fn first(bark: impl Fn() -> Result<Bark>, args: &Args) -> Result<()> {
    for sound in [Sound::Whole, Sound::Early] {
        let request = Request { sound, ..request(args, SEED, args.seconds)? };
        let mut speaker = Speaker::new(bark()?, open_codec(args)?, args.dtype(), &args.device, false);
        let (begin, mut first) = (Instant::now(), None);
        let mut heard = |_: usize, _: &[f32]| {
            first.get_or_insert(begin.elapsed().as_secs_f64());
            Ok(())
        };
        let spoken = speaker.speak_to(&request, &mut heard, &Silent)?;
        let (all, length) = (begin.elapsed().as_secs_f64(), spoken.pcm.seconds());
        let first = first.context("nothing was heard")?;
        println!(
            "first sound, {sound:?}: {length:.1} s of speech, heard after {first:.2} s, all there after {all:.2} s"
        );
    }
    Ok(())
}

/// Utterances of three lengths, `--seconds` on average, through as many slots as the batch.
pub fn batch(bark: Bark, args: &Args) -> Result<()> {
    let count = args.utterances.unwrap_or(3 * args.batch);
    let length = |i: usize| args.seconds * [1.0, 0.75, 1.25][i % 3];
    let requests = (0..count).map(|i| request(args, SEED + i as u64, length(i))).collect::<Result<Vec<_>>>()?;
    let mut speaker = Speaker::new(bark, open_codec(args)?, args.dtype(), &args.device, false);
    reset_peak();
    let begin = Instant::now();
    let mut queue = Crowd { requests: requests.into_iter(), begin, first: None, speech: 0.0 };
    speaker.speak_all(&mut queue, args.batch, &Silent)?;
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "batch of {}: {count} utterances, {:.1} s of speech in {seconds:.1} s: {:.4} s/s; the first after {:.1} s{}",
        args.batch,
        queue.speech,
        queue.speech / seconds,
        queue.first.unwrap_or_default(),
        peak(),
    );
    Ok(())
}

fn request(args: &Args, seed: u64, seconds: f64) -> Result<Request> {
    let mut settings = Settings::new(&Protocol::default(), seed);
    settings.stop.min_eos_p = None;
    settings.stop.max_seconds = Some(seconds);
    let settings = if args.fast { settings.fast() } else { settings };
    Ok(Request::text((100..140).collect(), Some(voice()?), settings))
}

fn voice() -> Result<Voice> {
    let semantic = Semantic::new((0..VOICE as u32 * 2 / 3).map(|i| i * 37 % 10_000).collect(), 10_000)?;
    let row = |book: u32| (0..VOICE as u32).map(|i| (i * 13 + book * 101) % 1024).collect();
    Voice::from_parts(semantic, Fine::new(std::array::from_fn(|book| row(book as u32)), 1024)?)
}

/// Brings all requests at once.
struct Crowd {
    requests: std::vec::IntoIter<Request>,
    begin: Instant,
    first: Option<f64>,
    speech: f64,
}

impl RequestQueue for Crowd {
    type Key = ();

    fn next(&mut self) -> Result<NextRequest<()>> {
        Ok(self.requests.next().map_or(NextRequest::End, |request| NextRequest::Ready((), Box::new(request))))
    }

    fn finished(&mut self, (): (), spoken: Result<Utterance>) -> Result<()> {
        self.speech += spoken?.pcm.seconds();
        self.first.get_or_insert(self.begin.elapsed().as_secs_f64());
        Ok(())
    }
}

/// Times the stages that it is told of, and the memory that each takes at most.
#[derive(Default)]
struct Watch(Mutex<State>);

#[derive(Default)]
struct State {
    stages: Vec<Stage>,
    /// When the first tokens were there: the prompt's and one more.
    first: Option<Instant>,
}

struct Stage {
    task: String,
    unit: String,
    begin: Instant,
    seconds: f64,
    steps: u64,
    peak: String,
}

impl Stage {
    fn print(&self) {
        let steps = if self.steps > 0 { format!(", {} {} steps", self.steps, self.unit) } else { String::new() };
        println!("{:<44} {:>9.2} s{}", format!("utterance: {}{steps}", self.task), self.seconds, self.peak);
    }
}

impl Watch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Watch {
    fn start(&self, task: &str, _: u64, unit: &str) {
        reset_peak();
        let (task, unit) = (task.to_string(), unit.to_string());
        self.state().stages.push(Stage {
            task,
            unit,
            begin: Instant::now(),
            seconds: 0.0,
            steps: 0,
            peak: String::new(),
        });
    }

    fn advance(&self, steps: u64) {
        let mut state = self.state();
        state.first.get_or_insert_with(Instant::now);
        if let Some(stage) = state.stages.last_mut() {
            stage.steps += steps;
        }
    }

    fn finish(&self) {
        if let Some(stage) = self.state().stages.last_mut() {
            stage.seconds = stage.begin.elapsed().as_secs_f64();
            stage.peak = peak();
        }
    }
}

/// Counts the peak of memory anew; only Linux does.
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that this process has held since [`reset_peak`], mapped weights included; nothing where it is not told.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.map_or(String::new(), |k| format!(", peak memory {:.2} GB", k * 1024.0 / 1e9))
}
