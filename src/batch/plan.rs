//! Jobs to tasks: each gets its number, id, seed and file name, all of which are the same on every run and in every
//! shard.
//!
//! What is kept of a job is a few hashes (about a hundred bytes): enough to refuse an id that is given twice and to
//! number contents and names that come again.

use super::hash::{hash, mixed};
use super::job::{Form, Item, Job, Sampling};
use super::lines::Lines;
use super::name::{Named, Template};
use super::record::place;
use crate::error::Kind;
use crate::normalize::Replacement;
use anyhow::{Error, Result, bail, ensure};
use std::collections::HashMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// A job as its source has it: the line where it stands, the recording that it is about, and what is wrong with it if
/// it is none.
pub struct SourceJob {
    pub line: u64,
    pub source: Option<String>,
    pub job: Result<Job>,
}

/// A result to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub line: u64,
    /// Its number among all jobs of the source, from 1.
    pub index: u64,
    /// As given, else of its content: editing other lines does not change it.
    pub id: String,
    pub item: Item,
    /// As the job names it; `None`: that of the run.
    pub voice: Option<String>,
    pub seed: u64,
    pub sampling: Sampling,
    /// Below the output folder.
    pub out: PathBuf,
    pub chain: Option<u64>,
    pub chapter: Option<u64>,
    /// What of the text was written otherwise.
    pub replaced: Vec<Replacement>,
}

impl Task {
    /// Where it comes from, for messages: the recording, the line of the list, or the piece of a chapter.
    pub fn place(&self) -> String {
        match &self.item {
            Item::Text(_) => place(self.line, self.chapter),
            Item::Recording(source) => source.shown().into_owned(),
        }
    }
}

/// A job that cannot become a task.
#[derive(Debug)]
pub struct Bad {
    pub line: u64,
    pub index: u64,
    pub id: String,
    /// The recording, if it is about one.
    pub source: Option<String>,
    pub error: Error,
}

/// What a job becomes.
#[derive(Debug)]
pub enum Planned {
    Task(Box<Task>),
    Bad(Bad),
}

/// One of `of` shares of the work, by the hash of the id: a share stays the same where others are added. Of many, shares
/// are about equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub number: u64,
    pub of: u64,
}

impl Shard {
    /// `K/N`, K from 1 to N.
    pub fn parse(text: &str) -> Result<Self> {
        let parsed = text.split_once('/').and_then(|(k, n)| Some((k.trim().parse().ok()?, n.trim().parse().ok()?)));
        match parsed {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => bail!(Kind::Usage.error(format!("--shard {text}: expected K/N with K from 1 to N, such as 2/8"))),
        }
    }

    fn holds(self, id: &str) -> bool {
        hash(&[b"shard", id.as_bytes()]) % self.of == self.number - 1
    }
}

/// Where the seeds of tasks come from that have none of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeds {
    /// Each follows from this number and the task's id.
    Mixed(u64),
    /// All have this one.
    Same(u64),
}

impl Seeds {
    fn of(self, id: &str) -> u64 {
        match self {
            Seeds::Mixed(base) => mixed(base, id),
            Seeds::Same(seed) => seed,
        }
    }
}

/// What all tasks have in common.
#[derive(Clone, Debug)]
pub struct Rules {
    pub name: Template,
    pub seed: Seeds,
    pub shard: Option<Shard>,
    /// The voice where a job names none, as names of files have it.
    pub voice: Option<String>,
}

/// The jobs of a source, one at a time; `pass` is told lines that hold none.
pub fn read<R: BufRead>(reader: R, form: Form, mut pass: impl FnMut(&str)) -> impl Iterator<Item = Result<SourceJob>> {
    let mut holds = move |line: &Result<String>| {
        let Ok(line) = line else { return true };
        let holds = form.is_job(line);
        if !holds {
            pass(line);
        }
        holds
    };
    let asked = move |(line, text): (u64, Result<String>)| SourceJob {
        line,
        source: None,
        job: text.and_then(|text| form.parse(&text)),
    };
    Lines::new(reader).filter(move |l| l.as_ref().map_or(true, |(_, text)| holds(text))).map(move |l| l.map(asked))
}

/// Tasks, in their source's order.
pub struct Plan<I> {
    jobs: I,
    rules: Rules,
    index: u64,
    /// id -> its line
    ids: HashMap<u64, u64>,
    /// text or recording -> how often it came
    contents: HashMap<u64, u64>,
    /// name -> how often it came
    names: HashMap<u64, u64>,
}

impl<I: Iterator<Item = Result<SourceJob>>> Plan<I> {
    pub fn new(jobs: I, rules: Rules) -> Self {
        Self { jobs, rules, index: 0, ids: HashMap::new(), contents: HashMap::new(), names: HashMap::new() }
    }

    fn planned(&mut self, asked: SourceJob) -> Planned {
        self.index += 1;
        let SourceJob { line, source, job } = asked;
        let mut id = None;
        let task = job.and_then(|job| {
            id = Some(self.id(&job));
            self.task(line, id.clone().unwrap_or_default(), job)
        });
        match task {
            Ok(task) => Planned::Task(Box::new(task)),
            // A second bearer of an id must not stand in the report for the first.
            Err(error) => {
                let id = id.filter(|id| self.ids.get(&hash(&[id.as_bytes()])) == Some(&line));
                let id = id.or_else(|| source.clone()).unwrap_or_else(|| format!("line {line}"));
                Planned::Bad(Bad { line, index: self.index, id, source, error })
            }
        }
    }

    /// The given id, else the content's hash, numbered where the content comes again.
    fn id(&mut self, job: &Job) -> String {
        if let Some(id) = &job.id {
            return id.clone();
        }
        let content = hash(&[job.item.identity()]);
        let count = self.contents.entry(content).or_default();
        *count += 1;
        if *count == 1 { format!("{content:016x}") } else { format!("{content:016x}-{count}") }
    }

    fn task(&mut self, line: u64, id: String, job: Job) -> Result<Task> {
        let first = *self.ids.entry(hash(&[id.as_bytes()])).or_insert(line);
        ensure!(first == line, Kind::Input.error(format!("the id `{id}` is that of line {first} already")));
        let seed = job.seed.unwrap_or_else(|| self.rules.seed.of(&id));
        let title = job.item.title();
        let voice = job.voice.clone().or_else(|| self.rules.voice.clone());
        let named = Named { index: self.index, id: &id, title: &title, seed, voice: voice.as_deref() };
        let out = match &job.out {
            Some(out) => self.given(self.rules.name.inside(out)?)?,
            None => self.free(&named)?,
        };
        let Job { item, voice, sampling, chain, chapter, replaced, .. } = job;
        Ok(Task { line, index: self.index, id, item, voice, seed, sampling, out, chain, chapter, replaced })
    }

    fn given(&mut self, out: PathBuf) -> Result<PathBuf> {
        let count = self.names.entry(name(&out)).or_default();
        *count += 1;
        ensure!(*count == 1, Kind::Input.error(format!("`{}` is the output of another line already", out.display())));
        Ok(out)
    }

    /// The name from the template; the first number that makes it a new one is added if it was there.
    fn free(&mut self, named: &Named) -> Result<PathBuf> {
        let base = self.rules.name.path(named, 1)?;
        loop {
            let count = self.names.entry(name(&base)).or_default();
            *count += 1;
            let number = *count;
            if number == 1 {
                return Ok(base);
            }
            let numbered = self.rules.name.path(named, number)?;
            let taken = self.names.entry(name(&numbered)).or_default();
            if *taken == 0 {
                *taken = 1;
                return Ok(numbered);
            }
        }
    }
}

/// Some file systems do not tell cases apart.
fn name(path: &Path) -> u64 {
    hash(&[path.to_string_lossy().to_lowercase().as_bytes()])
}

impl<I: Iterator<Item = Result<SourceJob>>> Iterator for Plan<I> {
    type Item = Result<Planned>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let asked = match self.jobs.next()? {
                Ok(asked) => asked,
                Err(error) => return Some(Err(error)),
            };
            let planned = self.planned(asked);
            let id = match &planned {
                Planned::Task(task) => &task.id,
                Planned::Bad(bad) => &bad.id,
            };
            if self.rules.shard.is_none_or(|shard| shard.holds(id)) {
                return Some(Ok(planned));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(source: &str, form: Form, name: &str, shard: Option<Shard>) -> Vec<Result<Task, (u64, String)>> {
        let rules = Rules { name: Template::parse(name, &["wav"]).unwrap(), seed: Seeds::Mixed(0), shard, voice: None };
        let planned = Plan::new(read(source.as_bytes(), form, |_| ()), rules).map(Result::unwrap);
        let told = planned.map(|planned| match planned {
            Planned::Task(task) => Ok(*task),
            Planned::Bad(bad) => Err((bad.line, bad.error.to_string())),
        });
        told.collect()
    }

    fn texts(source: &str) -> Vec<Task> {
        plan(source, Form::Text, "{index:05}-{slug}", None).into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn a_line_is_a_task_and_keeps_its_line_number() {
        let tasks = texts("# titles\n\nOlá\n  # no\nBom dia\n");
        let told: Vec<_> = tasks.iter().map(|t| (t.line, t.index, t.item.text(), t.out.to_str().unwrap())).collect();
        assert_eq!(told, [(3, 1, "Olá", "00001-ola.wav"), (5, 2, "Bom dia", "00002-bom-dia.wav")]);
    }

    #[test]
    fn a_new_line_changes_no_other_lines_id_and_seed() {
        let (before, after) = (texts("um\ndois\num\n"), texts("zero\num\ndois\num\n"));
        for (old, new) in before.iter().zip(&after[1..]) {
            assert_eq!((&old.id, old.seed), (&new.id, new.seed));
        }
        assert_ne!((&before[0].id, before[0].seed), (&before[2].id, before[2].seed), "the second of a text is another");
    }

    #[test]
    fn shards_share_all_tasks_and_name_them_alike() {
        let source: String = (0..200).map(|n| format!("frase {}\n", n % 150)).collect();
        let whole = texts(&source);
        let share = |number| plan(&source, Form::Text, "{index:05}-{slug}", Some(Shard { number, of: 3 }));
        let mut shared: Vec<Task> = (1..=3).flat_map(share).map(Result::unwrap).collect();
        assert!((1..=3).all(|number| share(number).len() > 40));
        shared.sort_by_key(|task| task.index);
        assert_eq!(shared, whole);
    }

    #[test]
    fn an_id_or_output_given_twice_is_refused_by_line() {
        let source = r#"{"text": "a", "id": "x", "out": "one"}
            {"text": "b", "id": "x"}
            {"text": "c", "out": "ONE.wav"}
            {"text": "d", "out": "../d"}
            {"text": "e", "seed": 5}"#;
        let tasks = plan(source, Form::Json, "{slug}", None);
        let wrong = |at: usize| tasks[at].as_ref().unwrap_err();
        assert_eq!((tasks[0].as_ref().unwrap().out.to_str(), wrong(1).0), (Some("one.wav"), 2));
        assert!(wrong(1).1.contains("`x` is that of line 1"));
        assert!(wrong(2).1.contains("another line"), "{}", wrong(2).1);
        assert!(wrong(3).1.contains("../d"));
        let last = tasks[4].as_ref().unwrap();
        assert_eq!((last.seed, last.index, last.line), (5, 5, 5), "its own seed is taken as it is");
    }

    #[test]
    fn names_that_come_again_are_numbered() {
        let source = "{\"text\":\"x\",\"out\":\"ola-2\"}\n{\"text\":\"olá\"}\n{\"text\":\"OLÁ\"}\n{\"text\":\"olá!\"}";
        let outs = plan(source, Form::Json, "{slug}", None).into_iter().map(|t| t.unwrap().out);
        assert_eq!(outs.collect::<Vec<_>>(), ["ola-2.wav", "ola.wav", "ola-3.wav", "ola-4.wav"].map(PathBuf::from));
    }

    #[test]
    fn shards_are_parsed() {
        assert_eq!(Shard::parse("2/8").unwrap(), Shard { number: 2, of: 8 });
        for text in ["0/8", "9/8", "1", "1/0", "a/b", "-1/2", ""] {
            assert!(Shard::parse(text).is_err(), "{text}");
        }
    }
}
