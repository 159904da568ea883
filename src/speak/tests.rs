//! The pipeline with made-up nets: a text of the single id `n` is said in `n` semantic tokens, and every code is 0.

use super::codec_thread::Part;
use super::nets::Nets;
use super::pipeline::Pipeline;
use super::*;
use crate::net::gpt::{FineInput, Input};
use crate::progress::Silent;
use crate::stage::Stage;
use crate::stage::decode::Decoder;
use crate::stage::fine::FineModel;
use crate::stage::sample::Sampling;
use anyhow::{anyhow, ensure};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Mutex;

const TEXT_OFFSET: u32 = 10_048;
const EOS: u32 = 10_000;
/// A text that the model computes NaN for.
const NAN: u32 = 99;

/// What happened, in order.
type Log = Rc<RefCell<Vec<String>>>;

/// A causal stage: logs `S` or `C` for a prompt, `s2` or `c2` for a step of two rows.
struct FakeGpt {
    name: char,
    contexts: Vec<Vec<u32>>,
    log: Log,
}

impl FakeGpt {
    fn new(name: char, slots: usize, log: &Log) -> Self {
        Self { name, contexts: vec![Vec::new(); slots], log: log.clone() }
    }

    /// The only likely id after what `slot` holds: token 7 until the text's number of them is said.
    fn likely(&self, slot: usize) -> u32 {
        let context = &self.contexts[slot];
        let said = context.len().saturating_sub(257) as u32;
        if context[0].saturating_sub(TEXT_OFFSET) > said { 7 } else { EOS }
    }
}

impl Decoder for FakeGpt {
    fn draft(&mut self, _: &Input, _: Range<usize>) -> Result<Option<Vec<f32>>> {
        Ok(None)
    }

    fn verify(&mut self, input: &Input, wanted: Range<usize>) -> Result<Vec<f32>> {
        let one = |token| Input { tokens: std::slice::from_ref(token), ..*input };
        let logits: Result<Vec<_>> =
            input.tokens.iter().map(|token| self.forward(&[one(token)], wanted.clone())).collect();
        Ok(logits?.concat())
    }

    fn truncate(&mut self, slot: usize, len: usize) {
        self.contexts[slot].truncate(len);
    }

    fn forward(&mut self, inputs: &[Input], wanted: Range<usize>) -> Result<Vec<f32>> {
        self.log.borrow_mut().push(match inputs {
            [input] if input.tokens.len() > 1 => self.name.to_ascii_uppercase().to_string(),
            inputs => format!("{}{}", self.name, inputs.len()),
        });
        let mut logits = Vec::new();
        for input in inputs {
            self.contexts[input.slot].extend(input.tokens);
            let nan = self.contexts[input.slot][0] == NAN + TEXT_OFFSET;
            let likely = self.likely(input.slot);
            logits.extend(wanted.clone().map(|id| match nan {
                true => f32::NAN,
                false => f32::from(id as u32 == likely),
            }));
        }
        Ok(logits)
    }
}

struct FakeFine;

impl FineModel for FakeFine {
    fn logits(&self, windows: &[FineInput], _: usize) -> Result<Vec<Vec<f32>>> {
        Ok(windows.iter().map(|window| vec![0.0; (window.codes[0].len() - window.from) * 1024]).collect())
    }
}

/// Logs what is loaded (`+Fine`) and dropped (`-Fine`), each utterance in the fine stage (`f`) and in the codec (`a`).
struct Fakes {
    semantic: Option<FakeGpt>,
    coarse: Option<FakeGpt>,
    fine: Option<FakeFine>,
    codec: Option<VecDeque<Fine>>,
    log: Log,
}

impl Fakes {
    fn log(&self, what: impl Into<String>) {
        self.log.borrow_mut().push(what.into());
    }
}

impl Nets for Fakes {
    type Gpt = FakeGpt;
    type Fine = FakeFine;

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

    fn semantic(&mut self, slots: usize) -> Result<&mut FakeGpt> {
        if !self.holds(Stage::Semantic) {
            self.log("+Semantic");
        }
        Ok(self.semantic.get_or_insert_with(|| FakeGpt::new('s', slots, &self.log)))
    }

    fn coarse(&mut self, slots: usize) -> Result<&mut FakeGpt> {
        if !self.holds(Stage::Coarse) {
            self.log("+Coarse");
        }
        Ok(self.coarse.get_or_insert_with(|| FakeGpt::new('c', slots, &self.log)))
    }

    fn fine(&mut self) -> Result<&FakeFine> {
        if !self.holds(Stage::Fine) {
            self.log("+Fine");
        }
        self.log("f");
        Ok(self.fine.get_or_insert(FakeFine))
    }

    fn fine_windows(&self) -> usize {
        1
    }

    fn decode(&mut self, part: Part) -> Result<()> {
        if !self.holds_codec() {
            self.log("+Codec");
        }
        self.codec.get_or_insert_default().push_back(part.fine);
        Ok(())
    }

    fn decoded(&mut self, wait: bool) -> Result<Option<Result<Pcm>>> {
        // Never done before it is waited for.
        let next = self.codec.as_mut().filter(|_| wait).and_then(VecDeque::pop_front);
        if next.is_some() {
            self.log("a");
        }
        Ok(next.map(|fine| Ok(Pcm { samples: vec![0.0; 320 * fine.frames()], rate: 24_000 })))
    }

    fn drop(&mut self, stage: Stage) {
        if self.holds(stage) {
            self.log(format!("-{stage:?}"));
        }
        match stage {
            Stage::Semantic => self.semantic = None,
            Stage::Coarse => self.coarse = None,
            Stage::Fine => self.fine = None,
        }
    }

    fn drop_codec(&mut self) {
        if self.codec.take().is_some() {
            self.log("-Codec");
        }
    }
}

/// Gives the answers that it was given. Logs `?` when it is asked, and what is done as `0=3`: the first, in 3 frames.
struct Script {
    answers: VecDeque<Result<NextRequest<usize>>>,
    log: Log,
    errors: Vec<(usize, String)>,
    /// A key whose utterance it fails to take.
    refuses: Option<usize>,
}

impl RequestQueue for Script {
    type Key = usize;

    fn next(&mut self) -> Result<NextRequest<usize>> {
        self.log.borrow_mut().push("?".into());
        self.answers.pop_front().unwrap_or(Ok(NextRequest::End))
    }

    fn finished(&mut self, key: usize, spoken: Result<Utterance>) -> Result<()> {
        ensure!(self.refuses != Some(key), "the disk is full");
        match spoken {
            Ok(utterance) => self.log.borrow_mut().push(format!("{key}={}", utterance.fine.frames())),
            Err(error) => self.errors.push((key, error.to_string())),
        }
        Ok(())
    }
}

fn greedy() -> Settings {
    let mut settings = Settings::new(&Protocol::default(), 1);
    (settings.text, settings.coarse, settings.fine) = (Sampling::GREEDY, Sampling::GREEDY, Sampling::GREEDY);
    settings
}

fn say(key: usize, text: u32) -> Result<NextRequest<usize>> {
    Ok(NextRequest::Ready(key, Box::new(Request::text(vec![text], None, greedy()))))
}

fn voice_tokens(key: usize, tokens: usize) -> Result<NextRequest<usize>> {
    let content = Content::Semantic(Semantic::new(vec![5; tokens], 10_000)?);
    Ok(NextRequest::Ready(key, Box::new(Request { content, voice: None, settings: greedy(), sound: Sound::Whole })))
}

fn script(answers: Vec<Result<NextRequest<usize>>>) -> Script {
    Script { answers: answers.into(), log: Log::default(), errors: Vec::new(), refuses: None }
}

fn run(queue: &mut Script, batch: usize) -> Result<()> {
    run_with(queue, batch, &Silent)
}

fn run_with(queue: &mut Script, batch: usize, progress: &dyn Progress) -> Result<()> {
    let log = queue.log.clone();
    let mut nets = Fakes { semantic: None, coarse: None, fine: None, codec: None, log };
    Pipeline::new(queue, &mut nets, Protocol::default(), batch, false, progress).run()
}

/// What happened, without loading and dropping.
fn happened(queue: &Script) -> String {
    let log = queue.log.borrow();
    log.iter().filter(|entry| !entry.starts_with(['+', '-'])).cloned().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_single_utterance_has_one_stage_in_memory_at_a_time() {
    let mut queue = script(vec![say(0, 1)]);
    run(&mut queue, 1).unwrap();
    let log = queue.log.borrow().join(" ");
    // One semantic token, then the end of speech; one frame of two coarse tokens.
    assert_eq!(log, "? +Semantic S s1 ? -Semantic +Coarse C c1 -Coarse +Fine f +Codec -Fine a 0=1 -Codec");
}

#[test]
fn slots_are_refilled_at_once_and_stages_take_turns_with_full_batches() {
    let mut queue = script(vec![say(0, 2), say(1, 4), say(2, 2)]);
    run(&mut queue, 2).unwrap();
    // 0 ends after two steps and 2 takes its slot; both of the others end with the second step of 2. The coarse stage
    // makes the 6 tokens of 0 and 12 of 1, and 2 takes the slot of 0.
    let expected = "? ? S S s2 s2 ? S s2 s2 ? C C c2 c2 c2 c2 c2 f C c2 c2 c2 c2 c2 f c1 f a 0=3 a 2=3 a 1=6";
    assert_eq!(happened(&queue), expected);
}

#[test]
fn a_paused_stage_goes_on_where_it_was() {
    let mut queue = script(vec![say(0, 1), say(1, 1), say(2, 4), say(3, 4)]);
    run(&mut queue, 2).unwrap();
    let log = happened(&queue);
    // 2 and 3 enter the semantic stage before or while the coarse stage is full, and are said in 4 tokens all the same.
    assert!(log.contains("0=1") && log.contains("1=1") && log.contains("2=6") && log.contains("3=6"), "{log}");
    assert_eq!(log.matches('S').count(), 4, "{log}");
}

#[test]
fn a_queue_that_waits_is_asked_again_only_when_something_is_done() {
    let mut queue =
        script(vec![say(0, 1), Ok(NextRequest::Wait), say(1, 1), Ok(NextRequest::Wait), Ok(NextRequest::End)]);
    run(&mut queue, 4).unwrap();
    assert_eq!(happened(&queue), "? ? S s1 C c1 f a 0=1 ? ? S s1 C c1 f a 1=1 ?");
}

#[test]
fn a_queue_that_waits_for_nothing_is_an_error() {
    let error = run(&mut script(vec![Ok(NextRequest::Wait)]), 2).unwrap_err();
    assert!(error.to_string().contains("none is under way"), "{error}");
}

#[test]
fn requests_of_semantic_tokens_pass_over_the_semantic_stage() {
    let mut queue = script((0..5).map(|key| voice_tokens(key, 1)).collect());
    run(&mut queue, 2).unwrap();
    assert!(!happened(&queue).contains(['S', 's']));
    assert_eq!(happened(&queue).matches("=1").count(), 5);
}

#[test]
fn what_is_wrong_with_one_request_fails_it_alone() {
    let mut wild = Request::text(vec![3], None, greedy());
    wild.settings.windows.history = 1;
    let requests = vec![
        say(0, 2),
        say(1, NAN),
        Ok(NextRequest::Ready(2, Box::new(wild))),
        say(3, 0),
        voice_tokens(4, 0),
        say(5, 3),
        Ok(NextRequest::Ready(6, Box::new(Request::text(vec![1; 257], None, greedy())))),
    ];
    let mut queue = script(requests);
    run(&mut queue, 3).unwrap();
    let log = happened(&queue);
    assert!(log.contains("0=3") && log.contains("5=4"), "{log}");
    let mut errors = std::mem::take(&mut queue.errors);
    errors.sort();
    let expected =
        [(1, "NaN"), (2, "--coarse-history"), (3, "ended before"), (4, "no semantic"), (6, "257 text tokens")];
    for ((key, error), (expected, words)) in errors.iter().zip(expected) {
        assert!(*key == expected && error.contains(words), "{key}: {error}");
    }
    assert_eq!(errors.len(), 5);
}

#[test]
fn an_error_of_the_queue_ends_the_run() {
    let error = run(&mut script(vec![say(0, 1), Err(anyhow!("no such file"))]), 4).unwrap_err();
    assert_eq!(error.to_string(), "no such file");
    let mut queue = script(vec![say(0, 1), say(1, 1), say(2, 1)]);
    queue.refuses = Some(0);
    let error = run(&mut queue, 1).unwrap_err();
    assert_eq!(error.to_string(), "the disk is full");
    assert!(!happened(&queue).contains('='), "nothing is handed over after that");
}

/// Writes down each task with its total, the steps that it took, and `.` where it is over.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn note(&self, note: String) {
        self.0.lock().unwrap().push(note);
    }
}

impl Progress for Notes {
    fn start(&self, task: &str, total: u64, unit: &str) {
        self.note(format!("{task} {total} {unit}"));
    }

    fn advance(&self, steps: u64) {
        self.note(steps.to_string());
    }

    fn finish(&self) {
        self.note(".".into());
    }
}

fn reported(batch: usize, answers: Vec<Result<NextRequest<usize>>>) -> Vec<String> {
    let notes = Notes::default();
    run_with(&mut script(answers), batch, &notes).unwrap();
    notes.0.into_inner().unwrap()
}

#[test]
fn every_stage_of_a_single_utterance_is_reported() {
    let notes = reported(1, vec![say(0, 1)]).join(" ");
    let fine = "fine 6 pass 1 1 1 1 1 1";
    let expected = format!(
        "loading 0  . semantic 0 token 2 . loading 0  . coarse 2 token 2 . loading 0  . {fine} . loading 0  . audio 1 pass ."
    );
    assert_eq!(notes, expected);
}

#[test]
fn the_tokens_of_many_utterances_are_reported() {
    let notes = reported(2, vec![say(0, 1), say(1, 1)]);
    let tasks: Vec<_> = notes.iter().filter(|note| note.contains(' ')).cloned().collect();
    assert_eq!(tasks, ["loading 0 ", "speaking 0 token"].repeat(4));
    // Two rows: a prompt and a step each in either stage.
    assert_eq!(notes.iter().filter_map(|note| note.parse::<u64>().ok()).sum::<u64>(), 8);
}
