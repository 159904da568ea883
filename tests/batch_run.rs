//! A run over many tasks without models: what is asked of the speaker, in which order, and what is kept of its answers.

use anyhow::{Result, bail};
use barkclone::audio::{Encoding, Pcm, write_wav};
use barkclone::batch::{
    Backend, InFlight, Job, Ledger, Plan, Record, RetryPolicy, Rules, Run, RunOptions, Sampling, Silent, SourceJob,
    Stop, Tally, Template,
};
use barkclone::error::{Kind, exit_code};
use barkclone::output::Sink;
use barkclone::speak::{Content, NextRequest, Request, RequestQueue, Settings, Utterance};
use barkclone::stage::protocol::Protocol;
use barkclone::tokens::{Coarse, Fine, Semantic};
use barkclone::voice::Voice;
use std::path::Path;

/// Takes a text's bytes for its ids; knows one voice.
struct ModelBackend(Protocol);

impl Backend for ModelBackend {
    fn ids(&self, text: &str) -> Result<Vec<u32>> {
        Ok(text.bytes().map(u32::from).collect())
    }

    fn voice(&self, name: &str) -> Result<Voice> {
        match name {
            "ana" => utterance(1).voice(),
            _ => bail!(Kind::Input.error(format!("{name}: there is no such voice"))),
        }
    }

    fn settings(&self, sampling: Sampling, seed: u64) -> Settings {
        sampling.settings(&self.0, seed)
    }

    fn protocol(&self) -> &Protocol {
        &self.0
    }

    fn write(&self, _: &InFlight, utterance: &Utterance, mut sink: &mut Sink) -> Result<()> {
        write_wav(&mut sink, &utterance.pcm, Encoding::Pcm16, &[])
    }
}

/// What the speaker says of a request: other tokens for each `mark`.
fn utterance(mark: u32) -> Utterance {
    let row = vec![mark % 1024; 75];
    Utterance {
        semantic: Semantic::new(vec![mark; 50], 10_000).unwrap(),
        coarse: Coarse::new([row.clone(), row.clone()], 1024).unwrap(),
        fine: Fine::new(std::array::from_fn(|_| row.clone()), 1024).unwrap(),
        pcm: Pcm { samples: vec![0.0; 100 + mark as usize], rate: 24_000 },
    }
}

fn broken(utterance: Utterance) -> Utterance {
    Utterance { pcm: Pcm { samples: vec![0.0, f32::NAN], rate: 24_000 }, ..utterance }
}

/// The mark of a request: follows from its text and its voice.
fn mark(request: &Request) -> u32 {
    let Content::Text(ids) = &request.content else { panic!("a text") };
    let voice = request.voice.as_ref().map_or(0, |voice| voice.semantic().as_slice()[0]);
    (ids.iter().sum::<u32>() * 31 + voice * 7) % 9_000
}

/// Jobs of these texts and chains.
fn asked(texts: &[(&str, Option<u64>)]) -> Vec<Result<SourceJob>> {
    let job = |text: &str, chain| Job { text: text.into(), voice: Some("ana".into()), chain, ..Job::default() };
    (1..).zip(texts).map(|(line, &(text, chain))| Ok(SourceJob { line, job: Ok(job(text, chain)) })).collect()
}

/// What was asked for in a run, as text and voice, in order; and what came of it.
struct Course {
    asked: Vec<(String, u32)>,
    tally: Tally,
    waited: usize,
    ended: Result<()>,
}

/// Speaks as the real speaker does, `batch` at a time; the last one that was begun is done first. `fail` names texts that cannot be
/// spoken.
fn speak(folder: &Path, jobs: Vec<Result<SourceJob>>, batch: usize, fail: impl Fn(&str) -> Option<Kind>) -> Course {
    let rules = Rules { name: Template::parse("{index}").unwrap(), seed: 0, shard: None };
    let plan = Plan::new(jobs.into_iter(), rules);
    let ledger = Ledger::open(&folder.join("report.jsonl")).unwrap();
    let options = RunOptions { folder: folder.to_owned(), ..RunOptions::default() };
    let stop = Stop::new();
    let backend = ModelBackend(Protocol::default());
    let mut run = Run::new(plan, ledger, options, (&backend, &Silent), &stop);
    let (mut under_way, mut asked, mut waited) = (Vec::new(), Vec::new(), 0);
    let mut work = || -> Result<()> {
        loop {
            while under_way.len() < batch {
                match run.next()? {
                    NextRequest::Ready(job, request) => {
                        let voice = request.voice.as_ref().unwrap().semantic().as_slice()[0];
                        asked.push((job.task.text.clone(), voice));
                        under_way.push((job, mark(&request)));
                    }
                    NextRequest::Wait => {
                        assert!(!under_way.is_empty(), "waits for nothing");
                        waited += 1;
                        break;
                    }
                    NextRequest::End => break,
                }
            }
            let Some((job, mark)) = under_way.pop() else { return Ok(()) };
            let spoken = match fail(&job.task.text) {
                Some(kind) => Err(kind.error("cannot").into()),
                None if job.task.text == "broken" => Ok(broken(utterance(mark))),
                None => Ok(utterance(mark)),
            };
            if job.task.text == "stop" {
                stop.request();
            }
            run.finished(job, spoken)?;
        }
    };
    let ended = work();
    Course { asked, tally: run.tally(), waited, ended }
}

fn records(folder: &Path) -> Vec<Record> {
    let text = std::fs::read_to_string(folder.join("report.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn never(_: &str) -> Option<Kind> {
    None
}

const CHAINS: [(&str, Option<u64>); 6] =
    [("a", Some(1)), ("b", Some(1)), ("c", Some(1)), ("d", Some(2)), ("e", Some(2)), ("f", None)];

#[test]
fn each_utterance_of_a_chain_has_the_one_before_as_its_voice() {
    let folder = tempfile::tempdir().unwrap();
    let course = speak(folder.path(), asked(&CHAINS), 4, never);
    course.ended.unwrap();
    let mut voices = course.asked.clone();
    voices.sort();
    let next = |text: &str, voice: u32| (u32::from(text.as_bytes()[0]) * 31 + voice * 7) % 9_000;
    let b = next("a", 1);
    let expected = [("a", 1), ("b", b), ("c", next("b", b)), ("d", 1), ("e", next("d", 1)), ("f", 1)];
    assert_eq!(voices, expected.map(|(text, voice)| (text.to_owned(), voice)));
    let begun: Vec<_> = course.asked.iter().take(3).map(|(text, _)| text.as_str()).collect();
    assert_eq!(begun, ["a", "d", "f"], "the chains run side by side");
    assert!(course.waited > 0);
}

#[test]
fn the_size_of_a_batch_and_a_break_change_no_chain() {
    let whole = tempfile::tempdir().unwrap();
    speak(whole.path(), asked(&CHAINS), 1, never).ended.unwrap();
    let bytes = |folder: &Path, n: usize| std::fs::read(folder.join(format!("{n}.wav"))).unwrap();
    for batch in 1..5 {
        let broken = tempfile::tempdir().unwrap();
        let first = CHAINS.map(|(text, chain)| (if text == "b" { "stop" } else { text }, chain));
        speak(broken.path(), asked(&first), batch, never).ended.unwrap();
        let again = speak(broken.path(), asked(&CHAINS), batch, never);
        again.ended.unwrap();
        assert!(again.tally.skipped >= 1 && again.tally.done >= 2, "{:?}", again.tally);
        for n in 1..=6 {
            assert!(bytes(broken.path(), n) == bytes(whole.path(), n), "batch {batch}, {n}");
        }
        let third = speak(broken.path(), asked(&CHAINS), batch, never);
        assert_eq!((third.tally.skipped, third.asked.len()), (6, 0));
    }
}

#[test]
fn a_chain_goes_on_from_the_last_one_that_could_be_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = || asked(&CHAINS[..3]);
    let course = speak(folder.path(), jobs(), 2, |text| (text == "b").then_some(Kind::Input));
    course.ended.unwrap();
    assert_eq!((course.tally.done, course.tally.failed), (2, 1));
    let a = mark_of("a", 1);
    assert_eq!(course.asked[2], ("c".to_owned(), a));
    let again = speak(folder.path(), jobs(), 2, never);
    assert_eq!(again.asked, [("b".to_owned(), a), ("c".to_owned(), mark_of("b", a))], "what follows it is done anew");
}

fn mark_of(text: &str, voice: u32) -> u32 {
    (text.bytes().map(u32::from).sum::<u32>() * 31 + voice * 7) % 9_000
}

#[test]
fn a_voice_that_is_lost_ends_no_chain() {
    let folder = tempfile::tempdir().unwrap();
    speak(folder.path(), asked(&CHAINS[..3]), 1, never).ended.unwrap();
    std::fs::remove_file(folder.path().join("1.npz")).unwrap();
    let again = speak(folder.path(), asked(&CHAINS[..3]), 1, never);
    assert_eq!((again.tally.done, again.tally.skipped), (1, 2), "the first is spoken again, and the others fit it");
}

#[test]
fn what_ails_one_is_reported_and_what_ails_the_model_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let texts = [("a", None), ("b", None), ("c", None)];
    let course = speak(folder.path(), asked(&texts), 1, |text| (text == "a").then_some(Kind::Input));
    course.ended.unwrap();
    assert_eq!((course.tally.done, course.tally.failed), (2, 1));
    let told = records(folder.path());
    assert_eq!((told[0].error.as_deref(), told[0].out.as_deref(), told.len()), (Some("cannot"), Some("1.wav"), 3));
    assert!(!folder.path().join("1.wav").exists());
    let course = speak(folder.path(), asked(&texts), 1, |_| Some(Kind::Model));
    assert_eq!((exit_code(&course.ended.unwrap_err()), course.asked.len()), (4, 1));
}

#[test]
fn what_is_no_sound_is_refused_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let course = speak(folder.path(), asked(&[("broken", None), ("a", None)]), 1, never);
    course.ended.unwrap();
    assert_eq!((course.tally.done, course.tally.failed), (1, 1));
    assert!(records(folder.path())[0].error.as_ref().unwrap().contains("sample 1"));
    assert!(!folder.path().join("1.wav").exists());
}

#[test]
fn a_chain_waits_with_its_voice_while_one_of_another_chain_is_spoken_again() {
    let folder = tempfile::tempdir().unwrap();
    let rules = Rules { name: Template::parse("{index}").unwrap(), seed: 0, shard: None };
    let ledger = Ledger::open(&folder.path().join("report.jsonl")).unwrap();
    let retry = RetryPolicy { retries: 1, trim_tail: false };
    let options = RunOptions { folder: folder.path().to_owned(), retry, ..RunOptions::default() };
    let (stop, backend) = (Stop::new(), ModelBackend(Protocol::default()));
    let jobs = asked(&[("a", Some(1)), ("b", Some(1)), ("c", Some(2))]);
    let mut run = Run::new(Plan::new(jobs.into_iter(), rules), ledger, options, (&backend, &Silent), &stop);
    let next = |run: &mut Run<_>| match run.next().unwrap() {
        NextRequest::Ready(job, request) => (job, request),
        _ => panic!("there is more to speak"),
    };
    let ((a, request), (c, _)) = (next(&mut run), next(&mut run));
    let sine = (0..24_000).map(|i| 0.1 * (i as f32 * 0.05).sin()).collect();
    let spoken = utterance(mark(&request));
    let voice = spoken.voice().unwrap().semantic().as_slice()[0];
    run.finished(c, Ok(utterance(1))).unwrap(); // silent
    run.finished(a, Ok(Utterance { pcm: Pcm { samples: sine, rate: 24_000 }, ..spoken })).unwrap();
    let ((again, _), (b, request)) = (next(&mut run), next(&mut run));
    assert_eq!((again.task.text.as_str(), b.task.text.as_str()), ("c", "b"));
    assert_eq!(request.voice.unwrap().semantic().as_slice()[0], voice, "b goes on from a");
}

#[test]
fn a_failure_of_a_later_run_takes_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let texts = [("a", None), ("b", None)];
    speak(folder.path(), asked(&texts), 1, never).ended.unwrap();
    let elsewhere = |line: usize| Job { text: ["a", "b"][line].into(), voice: Some("none".into()), ..Job::default() };
    let jobs = (0..2).map(|line| Ok(SourceJob { line: line as u64 + 1, job: Ok(elsewhere(line)) })).collect();
    assert_eq!(speak(folder.path(), jobs, 1, never).tally.failed, 2);
    let again = speak(folder.path(), asked(&texts), 1, never);
    assert_eq!((again.tally.skipped, again.asked.len()), (2, 0));
}

#[test]
fn a_long_source_is_never_held_whole() {
    let folder = tempfile::tempdir().unwrap();
    let endless = (1..).map(|line| {
        let text = if line == 50 { "stop".to_owned() } else { format!("text {line}") };
        Ok(SourceJob { line, job: Ok(Job { text, voice: Some("ana".into()), ..Job::default() }) })
    });
    // Were the source read ahead, this would not end.
    let rules = Rules { name: Template::parse("{index}").unwrap(), seed: 0, shard: None };
    let ledger = Ledger::open(&folder.path().join("report.jsonl")).unwrap();
    let options = RunOptions { folder: folder.path().to_owned(), ..RunOptions::default() };
    let stop = Stop::new();
    let backend = ModelBackend(Protocol::default());
    let mut run = Run::new(Plan::new(endless, rules), ledger, options, (&backend, &Silent), &stop);
    while let NextRequest::Ready(job, request) = run.next().unwrap() {
        if job.task.text == "stop" {
            stop.request();
        }
        let spoken = utterance(mark(&request));
        run.finished(job, Ok(spoken)).unwrap();
    }
    assert_eq!(run.tally().done, 50);
}
