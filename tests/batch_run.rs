//! A run over many tasks without models: what is asked of the speaker, in which order, and what is kept of its answers.

use anyhow::{Result, bail, ensure};
use barkclone::audio::{Encoding, Pcm, write_wav};
use barkclone::batch::{
    Backend, Decoded, InFlight, Item, Job, Ledger, Plan, Record, Redo, RetryPolicy, Rules, Run, RunOptions, Sampling,
    Seeds, Silent, Source, SourceJob, Speech, SpeechBackend, State, Stop, Take, Tally, Target, Task, Template, Work,
};
use barkclone::ears::{Parts, Score};
use barkclone::error::{Kind, exit_code};
use barkclone::output::Sink;
use barkclone::sound::{Finding, Level, What};
use barkclone::speak::{Content, NextRequest, Request, RequestQueue, Settings, Utterance};
use barkclone::stage::protocol::Protocol;
use barkclone::tokens::{Coarse, Fine, Semantic};
use barkclone::voice::Voice;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What a job says.
fn text(job: &Take) -> String {
    job.job().task.item.title().into_owned()
}

/// Takes a text's bytes for its ids; knows one voice.
struct ModelBackend(Protocol);

impl Backend for ModelBackend {
    fn voice(&self, name: &str) -> Result<Voice> {
        match name {
            "ana" => utterance(1).voice(),
            _ => bail!(Kind::Input.error(format!("{name}: there is no such voice"))),
        }
    }

    fn settings(&self, sampling: Sampling, seed: u64) -> Option<Settings> {
        Some(sampling.settings(&self.0, seed))
    }

    fn check(&self, _: &Item) -> Result<()> {
        Ok(())
    }
}

impl SpeechBackend for ModelBackend {
    fn content(&self, task: &Task) -> Result<Content> {
        match &task.item {
            Item::Text(text) => Ok(Content::Text(text.bytes().map(u32::from).collect())),
            Item::Recording(source) => {
                Ok(Content::Semantic(Semantic::new(vec![source.sha256.len() as u32; 50], 10_000)?))
            }
        }
    }

    fn protocol(&self) -> &Protocol {
        &self.0
    }

    fn write(&self, _: &InFlight, _: &Settings, utterance: &Utterance, mut sink: &mut Sink) -> Result<()> {
        write_wav(&mut sink, &utterance.pcm, Encoding::Pcm16, &[])
    }

    /// A codec that breaks on the recording `broken`, and hears silence in the first take of `silent`.
    fn decode(&self, job: &InFlight, settings: &Settings, utterance: &Utterance, target: Target) -> Work<Decoded> {
        let (title, first) = (job.task.item.title().into_owned(), settings.seed == 0);
        let pcm = Pcm { samples: vec![0.0; 100 + utterance.fine.rows()[0][0] as usize], rate: 24_000 };
        Box::new(move || {
            let broken = title == "broken";
            let file = target.write(|mut sink| {
                write_wav(&mut sink, &pcm, Encoding::Pcm16, &[])?;
                ensure!(!broken, Kind::Model.error("the codec is broken"));
                Ok(())
            })?;
            let findings = if title == "silent" && first { vec![silence()] } else { Vec::new() };
            let score = Score::new(Parts::default(), &findings);
            Ok(Decoded { file, seconds: 1.0, findings, score })
        })
    }
}

fn silence() -> Finding {
    Finding::new(What::Silent, Level::Bad, "nothing is heard", "")
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
    let ids = match &request.content {
        Content::Text(ids) => ids.clone(),
        Content::Semantic(semantic) => semantic.as_slice().to_vec(),
    };
    let voice = request.voice.as_ref().map_or(0, |voice| voice.semantic().as_slice()[0]);
    (ids.iter().sum::<u32>() * 31 + voice * 7) % 9_000
}

/// Jobs of these texts and chains.
fn asked(texts: &[(&str, Option<u64>)]) -> Vec<Result<SourceJob>> {
    let job = |text: &str, chain| Job { voice: Some("ana".into()), chain, ..Job::text(text) };
    let jobs =
        (1..).zip(texts).map(|(line, &(text, chain))| SourceJob { line, source: None, job: Ok(job(text, chain)) });
    jobs.map(Ok).collect()
}

/// What was asked for in a run, as text and voice, in order; and what came of it.
struct Course {
    asked: Vec<(String, u32)>,
    tally: Tally,
    waited: usize,
    ended: Result<()>,
}

/// Speaks as the real speaker does, `batch` at a time; the last one that was begun is done first. `fail` names texts
/// that cannot be spoken.
fn speak(folder: &Path, jobs: Vec<Result<SourceJob>>, batch: usize, fail: impl Fn(&str) -> Option<Kind>) -> Course {
    let rules =
        Rules { name: Template::parse("{index}", &["wav"]).unwrap(), seed: Seeds::Mixed(0), shard: None, voice: None };
    let plan = Plan::new(jobs.into_iter(), rules);
    let ledger = Ledger::open(&folder.join("report.jsonl")).unwrap();
    let options = RunOptions { folder: folder.to_owned(), ..RunOptions::default() };
    let stop = Stop::new();
    let backend = ModelBackend(Protocol::default());
    let run = Run::new(plan, ledger, options, (&backend, &Silent), &stop);
    let mut run = Speech::new(run, &backend).unwrap();
    let (mut under_way, mut asked, mut waited) = (Vec::new(), Vec::new(), 0);
    let mut work = || -> Result<()> {
        loop {
            while under_way.len() < batch {
                match run.next()? {
                    NextRequest::Ready(job, request) => {
                        let voice = request.voice.as_ref().unwrap().semantic().as_slice()[0];
                        asked.push((text(&job), voice));
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
            let spoken = match fail(&text(&job)) {
                Some(kind) => Err(kind.error("cannot").into()),
                None if text(&job) == "broken" => Ok(broken(utterance(mark))),
                None => Ok(utterance(mark)),
            };
            if text(&job) == "stop" {
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
    let rules =
        Rules { name: Template::parse("{index}", &["wav"]).unwrap(), seed: Seeds::Mixed(0), shard: None, voice: None };
    let ledger = Ledger::open(&folder.path().join("report.jsonl")).unwrap();
    let retry = RetryPolicy { retries: 1, ..RetryPolicy::default() };
    let options = RunOptions { folder: folder.path().to_owned(), retry, ..RunOptions::default() };
    let (stop, backend) = (Stop::new(), ModelBackend(Protocol::default()));
    let jobs = asked(&[("a", Some(1)), ("b", Some(1)), ("c", Some(2))]);
    let run = Run::new(Plan::new(jobs.into_iter(), rules), ledger, options, (&backend, &Silent), &stop);
    let mut run = Speech::new(run, &backend).unwrap();
    let next = |run: &mut Speech<_>| match run.next().unwrap() {
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
    assert_eq!((text(&again).as_str(), text(&b).as_str()), ("c", "b"));
    assert_eq!(request.voice.unwrap().semantic().as_slice()[0], voice, "b goes on from a");
}

#[test]
fn a_failure_of_a_later_run_takes_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let texts = [("a", None), ("b", None)];
    speak(folder.path(), asked(&texts), 1, never).ended.unwrap();
    let elsewhere = |line: usize| Job { voice: Some("none".into()), ..Job::text(["a", "b"][line]) };
    let jobs =
        (0..2).map(|line| Ok(SourceJob { line: line as u64 + 1, source: None, job: Ok(elsewhere(line)) })).collect();
    assert_eq!(speak(folder.path(), jobs, 1, never).tally.failed, 2);
    let again = speak(folder.path(), asked(&texts), 1, never);
    assert_eq!((again.tally.skipped, again.asked.len()), (2, 0));
}

#[test]
fn a_long_source_is_never_held_whole() {
    let folder = tempfile::tempdir().unwrap();
    let endless = (1..).map(|line| {
        let text = if line == 50 { "stop".to_owned() } else { format!("text {line}") };
        Ok(SourceJob { line, source: None, job: Ok(Job { voice: Some("ana".into()), ..Job::text(&text) }) })
    });
    // Were the source read ahead, this would not end.
    let rules =
        Rules { name: Template::parse("{index}", &["wav"]).unwrap(), seed: Seeds::Mixed(0), shard: None, voice: None };
    let ledger = Ledger::open(&folder.path().join("report.jsonl")).unwrap();
    let options = RunOptions { folder: folder.path().to_owned(), ..RunOptions::default() };
    let stop = Stop::new();
    let backend = ModelBackend(Protocol::default());
    let run = Run::new(Plan::new(endless, rules), ledger, options, (&backend, &Silent), &stop);
    let mut run = Speech::new(run, &backend).unwrap();
    while let NextRequest::Ready(job, request) = run.next().unwrap() {
        if text(&job) == "stop" {
            stop.request();
        }
        let spoken = utterance(mark(&request));
        run.finished(job, Ok(spoken)).unwrap();
    }
    assert_eq!(run.tally().done, 50);
}

/// Everything that a run is made of, to be run with other options.
struct Bench {
    folder: Rc<tempfile::TempDir>,
    options: RunOptions,
    /// How files are named.
    name: &'static str,
}

impl Bench {
    fn new(name: &'static str) -> Self {
        let folder = Rc::new(tempfile::tempdir().unwrap());
        let options = RunOptions { folder: folder.path().to_owned(), ..RunOptions::default() };
        Self { folder, options, name }
    }

    fn with(&self, change: impl FnOnce(&mut RunOptions)) -> Self {
        let mut options = self.options.clone();
        change(&mut options);
        Self { folder: self.folder.clone(), options, name: self.name }
    }

    fn report(&self) -> PathBuf {
        self.folder.path().join("report.jsonl")
    }

    fn run<T>(
        &self,
        jobs: Vec<Result<SourceJob>>,
        what: impl FnOnce(Run<'_, Plan<std::vec::IntoIter<Result<SourceJob>>>>) -> T,
    ) -> T {
        let name = Template::parse(self.name, &["wav"]).unwrap();
        let rules = Rules { name, seed: Seeds::Same(0), shard: None, voice: None };
        let (stop, backend) = (Stop::new(), ModelBackend(Protocol::default()));
        let plan = Plan::new(jobs.into_iter(), rules);
        let ledger = Ledger::open(&self.report()).unwrap();
        what(Run::new(plan, ledger, self.options.clone(), (&backend, &Silent), &stop))
    }

    /// What would be replaced, and what is left over; after that, names are as they are wanted.
    fn survey(&self, jobs: Vec<Result<SourceJob>>) -> (BTreeMap<&'static str, u64>, Vec<String>) {
        let (survey, left) = self.run(jobs, |mut run| (run.survey().unwrap(), run.left_over().unwrap()));
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let ours = left.into_iter().filter(|(_, state)| *state == State::AsWritten);
        (survey.replaced.clone(), ours.map(|(path, _)| name(path)).collect())
    }

    /// Does all that is to be done, one at a time.
    fn go(&self, jobs: Vec<Result<SourceJob>>) -> Result<Tally> {
        let backend = ModelBackend(Protocol::default());
        self.run(jobs, |run| {
            let mut speech = Speech::new(run, &backend)?;
            let mut pending = None;
            loop {
                match speech.next()? {
                    NextRequest::Ready(job, request) => {
                        let spoken = utterance(mark(&request));
                        if let Some((job, spoken)) = pending.replace((job, spoken)) {
                            speech.finished(job, Ok(spoken))?;
                        }
                    }
                    NextRequest::Wait | NextRequest::End if pending.is_some() => {
                        let (job, spoken) = pending.take().unwrap();
                        speech.finished(job, Ok(spoken))?;
                    }
                    _ => break,
                }
            }
            speech.settle()?;
            Ok(speech.tally())
        })
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.options.folder.join(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries =
            fs::read_dir(&self.options.folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = entries.filter(|name| name != "report.jsonl").collect();
        names.sort();
        names
    }
}

fn texts(texts: &[&str]) -> Vec<Result<SourceJob>> {
    asked(&texts.iter().map(|&text| (text, None)).collect::<Vec<_>>())
}

/// Recordings of these names; their content is their name.
fn recordings(names: &[&str]) -> Vec<Result<SourceJob>> {
    let item =
        |name: &str| Item::Recording(Source { input: Path::new(name).into(), sha256: name.repeat(3), seconds: None });
    let job = |name: &str| Job { item: item(name), voice: Some("ana".into()), ..Job::default() };
    let jobs =
        (1..).zip(names).map(|(line, name)| SourceJob { line, source: Some((*name).into()), job: Ok(job(name)) });
    jobs.map(Ok).collect()
}

fn tally(done: u64, skipped: u64, kept: u64, failed: u64) -> impl Fn(Tally) -> bool {
    move |t| (t.done, t.skipped, t.kept, t.failed) == (done, skipped, kept, failed)
}

#[test]
fn a_file_that_somebody_changed_is_kept_until_it_is_forced() {
    let bench = Bench::new("{index}");
    let jobs = || texts(&["a", "b", "c"]);
    assert!(tally(3, 0, 0, 0)(bench.go(jobs()).unwrap()));
    fs::write(bench.options.folder.join("2.wav"), "mastered").unwrap();
    assert!(tally(0, 2, 1, 0)(bench.go(jobs()).unwrap()));
    assert!(tally(2, 0, 1, 0)(bench.with(|o| o.restart = true).go(jobs()).unwrap()), "not even --restart replaces it");
    let colder = |o: &mut RunOptions| o.sampling.text_temp = Some(0.1);
    let forced = |o: &mut RunOptions| o.force = true;
    assert!(tally(0, 0, 1, 2)(bench.with(colder).go(jobs()).unwrap()), "nor other settings");
    assert_eq!(bench.bytes("2.wav"), b"mastered");
    assert!(tally(1, 2, 0, 0)(bench.with(forced).go(jobs()).unwrap()));
    assert!(bench.bytes("2.wav") != b"mastered");
}

#[test]
fn finished_work_of_other_settings_is_not_replaced_unasked() {
    let bench = Bench::new("{index}");
    bench.go(texts(&["a", "b"])).unwrap();
    let before = bench.bytes("1.wav");
    let other = bench.with(|o| o.model = "another".into());
    assert_eq!(other.survey(texts(&["a", "b", "new"])).0, [("the models or flags are other ones now", 2)].into());
    assert!(tally(1, 0, 0, 2)(other.go(texts(&["a", "b", "new"])).unwrap()));
    assert!(bench.bytes("1.wav") == before);
    let asked = other.with(|o| o.restart = true);
    assert_eq!(asked.survey(texts(&["a", "b"])).0, [("the models or flags are other ones now", 2)].into());
    assert!(tally(2, 0, 0, 0)(asked.go(texts(&["a", "b"])).unwrap()));
    assert_eq!(bench.survey(texts(&["a edited", "b"])).0, [("the models or flags are other ones now", 1)].into());
    assert!(tally(1, 1, 0, 0)(other.go(texts(&["a edited", "b"])).unwrap()), "an edited line is spoken without asking");
}

#[test]
fn lines_that_change_places_change_their_names_and_nothing_is_spoken() {
    let bench = Bench::new("{index}");
    bench.go(texts(&["a", "b", "c", "d"])).unwrap();
    let [a, b, c] = ["1.wav", "2.wav", "3.wav"].map(|name| bench.bytes(name));
    assert_eq!(bench.survey(texts(&["b", "c", "a", "d"])).1, Vec::<String>::new());
    assert!([bench.bytes("1.wav"), bench.bytes("2.wav"), bench.bytes("3.wav")] == [b, c, a]);
    assert!(tally(0, 4, 0, 0)(bench.go(texts(&["b", "c", "a", "d"])).unwrap()));
    assert_eq!(bench.names(), ["1.wav", "2.wav", "3.wav", "4.wav"]);
}

#[test]
fn a_line_put_before_its_equals_is_the_only_one_that_is_spoken() {
    let bench = Bench::new("{index}-{slug}");
    bench.go(texts(&["um", "um", "dois"])).unwrap();
    bench.survey(texts(&["zero", "um", "um", "dois"]));
    assert!(tally(1, 3, 0, 0)(bench.go(texts(&["zero", "um", "um", "dois"])).unwrap()));
    assert_eq!(bench.names(), ["1-zero.wav", "2-um.wav", "3-um.wav", "4-dois.wav"]);
}

#[test]
fn what_no_line_asks_for_any_more_is_left_over_unless_it_was_changed() {
    let bench = Bench::new("{slug}");
    bench.go(texts(&["a", "b", "c", "d"])).unwrap();
    fs::write(bench.options.folder.join("c.wav"), "mastered").unwrap();
    assert_eq!(bench.survey(texts(&["a"])).1, ["b.wav", "d.wav"]);
}

#[test]
fn a_file_that_a_killed_run_did_not_rename_is_found_where_it_was() {
    let bench = Bench::new("{index}");
    bench.go(texts(&["a", "b"])).unwrap();
    bench.survey(texts(&["b"]));
    assert_eq!(bench.names(), ["1.wav"], "that of the line that is gone is in nobody's way");
    // As after a kill between the line and the renaming.
    fs::rename(bench.options.folder.join("1.wav"), bench.options.folder.join("2.wav")).unwrap();
    assert!(tally(0, 1, 0, 0)(bench.go(texts(&["b"])).unwrap()));
    assert_eq!(bench.names(), ["1.wav"]);
}

#[test]
fn recordings_are_gone_on_with_as_texts_are() {
    let bench = Bench::new("{stem}");
    assert!(tally(3, 0, 0, 0)(bench.go(recordings(&["x/ana.wav", "eva.wav", "y/ana.mp3"])).unwrap()));
    assert_eq!(bench.names(), ["ana-2.wav", "ana.wav", "eva.wav"]);
    let told = records(&bench.options.folder);
    assert_eq!(
        (told[0].source.as_deref(), told[0].source_sha256.as_deref()),
        (Some("x/ana.wav"), Some("x/ana.wavx/ana.wavx/ana.wav"))
    );
    assert!(told[0].text.is_empty() && told[0].seed == Some(0) && told[0].sha256.is_some());
    assert!(tally(1, 3, 0, 0)(bench.go(recordings(&["x/ana.wav", "eva.wav", "y/ana.mp3", "ida.wav"])).unwrap()));
}

#[test]
fn a_codec_that_breaks_ends_the_run_and_a_take_that_is_silent_is_made_again() {
    let bench = Bench::new("{stem}").with(|o| o.retry.retries = 2);
    assert!(tally(2, 0, 0, 0)(bench.go(recordings(&["silent", "ana"])).unwrap()));
    let told = records(&bench.options.folder);
    let silent = told.iter().find(|record| record.source.as_deref() == Some("silent")).unwrap();
    assert_eq!((silent.takes, silent.seed, silent.findings.len()), (Some(2), Some(1), 0));
    let error = bench.go(recordings(&["broken", "eva"])).unwrap_err();
    assert_eq!((exit_code(&error), error.to_string().as_str()), (4, "the codec is broken"));
    assert_eq!(bench.names(), ["ana.wav", "silent.wav"], "and nothing is half there");
}

#[test]
fn reports_of_earlier_versions_are_gone_on_with() {
    // Written by version 0.1.0 at commit b8cb605.
    let line = r#"{"id":"4e05ddc82d344884","index":2,"line":2,"text":"Bom dia","out":"00002-bom-dia.wav","bytes":14364,"seed":1375731860,"settings":{"text_temp":0.7,"waveform_temp":0.7,"fine_temp":0.5,"top_k":50,"min_eos_p":0.2,"max_seconds":0.3,"coarse_history":630,"coarse_window":60,"fewest_fine":false},"model":"36135face087d0bc","key":"54255938948824df","tokens":15,"seconds":0.293,"took":1.871,"share":0.177,"real_time_factor":6.377,"at":1795813775741}"#;
    let bench = Bench::new("{index:05}-{slug}").with(|o| {
        o.model = "36135face087d0bc".into();
        (o.sampling.top_k, o.sampling.max_seconds) = (Some(50), Some(0.3));
    });
    fs::write(bench.report(), format!("{line}\n")).unwrap();
    fs::write(bench.options.folder.join("00002-bom-dia.wav"), vec![0; 14_364]).unwrap();
    let job = Job { seed: Some(1_375_731_860), ..Job::text("Bom dia") };
    let jobs = || vec![Ok(SourceJob { line: 1, source: None, job: Ok(job.clone()) })];
    assert!(tally(0, 1, 0, 0)(bench.go(jobs()).unwrap()), "{:?}", records(&bench.options.folder));
    assert_eq!(bench.names(), ["00001-bom-dia.wav"]);
}

#[test]
fn a_line_is_made_once_more_with_another_seed_and_later_runs_keep_it() {
    let bench = Bench::new("{index}");
    let jobs = || texts(&["a", "b", "c"]);
    bench.go(jobs()).unwrap();
    let again = |redo: &str| bench.with(|o| o.redo = Some(Redo::parse(redo).unwrap()));
    assert!(tally(1, 2, 0, 0)(again("2").go(jobs()).unwrap()));
    let seeds =
        || records(&bench.options.folder).iter().filter(|r| r.text == "b").map(|r| r.seed.unwrap()).collect::<Vec<_>>();
    assert_eq!((seeds().len(), seeds()[0] == seeds()[1]), (2, false));
    assert!(tally(0, 3, 0, 0)(bench.go(jobs()).unwrap()), "the same command keeps it");
    assert!(tally(1, 2, 0, 0)(again("2").go(jobs()).unwrap()));
    assert!(seeds().len() == 3 && seeds()[2] != seeds()[1], "each time another one");
    // All of them are silence.
    assert!(tally(3, 0, 0, 0)(again("bad").go(jobs()).unwrap()));
    assert!(tally(0, 3, 0, 0)(again("failed").go(jobs()).unwrap()));
    assert_eq!(again("2").survey(jobs()).0, BTreeMap::new(), "what is asked for once more may be replaced");
}

#[test]
fn more_takes_are_made_of_what_does_not_sound_right_and_of_nothing_else() {
    let bench = Bench::new("{stem}");
    let jobs = || recordings(&["silent", "ana"]);
    bench.go(jobs()).unwrap();
    let careful = bench.with(|o| o.retry.retries = 3);
    assert!(tally(1, 1, 0, 0)(careful.go(jobs()).unwrap()), "the one whose first take is silent");
    assert!(tally(0, 2, 0, 0)(careful.go(jobs()).unwrap()));
    assert!(tally(0, 2, 0, 0)(bench.go(jobs()).unwrap()), "and the better take is kept without --retry");
}
