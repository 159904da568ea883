//! What all commands that make many results in one run have in common: their flags, their report, what they say.

use super::interrupt::Running;
use super::progress::Terminal;
use super::reporter::{Reporter, Words};
use super::{check_report_target, refuse_own_input, refuse_same_file};
use anyhow::{Context, Result, bail, ensure};
use barkclone::batch::{Backend, Ledger, Planned, Redo, Run, RunOptions, Shard, State, Survey, Tally};
use barkclone::error::Kind;
use barkclone::output;
use barkclone::progress::Progress;
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

/// Files that are named before the rest is only counted.
const NAMED: usize = 10;

#[derive(Args, Debug)]
#[command(next_help_heading = "Many in one run")]
pub struct RunArgs {
    /// A line for each result, with all that made it [default: report.jsonl or report-K-of-N.jsonl in DIR; OUTPUT.jsonl
    /// with --file]
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Go on where the report says the last run came to: this is what happens anyway
    #[arg(long, conflicts_with = "restart")]
    resume: bool,
    /// Make again what the report says is done; files that were changed since are kept, unless with --force
    #[arg(long)]
    pub restart: bool,
    /// Make these once more with another seed, which later runs keep: `bad` (may not sound right), `failed`, or lines,
    /// such as 10,12-14: the list's or the file's own lines, not the numbers in names; of an EPUB the numbers that
    /// its pieces' names begin with
    #[arg(long, value_name = "LINES|bad|failed", conflicts_with = "restart")]
    redo: Option<String>,
    /// Stop at the first that fails
    #[arg(long)]
    pub fail_fast: bool,
    /// Make only the K-th of N shares, for N machines or processes. What is in which follows from its content alone, so
    /// that shares of many are about equal, and of a few not; `report merge` joins their reports
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,
    /// Check everything that can be checked, and print what would be made; loads no model
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON objects, one a line, instead of paths. `done` has `source` or `text`, `out`, `seed`, `seconds`, `took`
    /// and `findings` (each with `fault`, `message` and `at`, seconds); of many results there are also started, skipped,
    /// moved, kept, failed (each with its id) and summary, with --dry-run planned. On stderr where stdout has the sound
    #[arg(long)]
    pub json: bool,
    /// Remove files that earlier runs made of what is asked for no more
    #[arg(long)]
    prune: bool,
    /// Exit with code 7 if a result may not sound right
    #[arg(long)]
    strict: bool,
    /// Print paths as results are finished, not in the order of what was asked for
    #[arg(long)]
    pub unordered: bool,
}

impl RunArgs {
    /// Refuses these flags where there is one result, but for `--json` and `--strict`; `many` says what asks for more.
    pub fn refuse_for_one(&self, many: &str) -> Result<()> {
        let given = [
            ("--report", self.report.is_some()),
            ("--resume", self.resume),
            ("--restart", self.restart),
            ("--redo", self.redo.is_some()),
            ("--fail-fast", self.fail_fast),
            ("--shard", self.shard.is_some()),
            ("--dry-run", self.dry_run),
            ("--prune", self.prune),
            ("--unordered", self.unordered),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((flag, _)) => bail!(Kind::Usage.error(format!("{flag} is for many in one run: give it with {many}"))),
            None => Ok(()),
        }
    }

    /// Of one result: `--strict` makes what was found of it a failure.
    pub fn judge<F>(&self, findings: &[F]) -> Result<()> {
        let told =
            format!("--strict: {} not right with it", if findings.len() == 1 { "something is" } else { "things are" });
        ensure!(!self.strict || findings.is_empty(), Kind::Partial.error(told));
        Ok(())
    }

    pub fn shard(&self) -> Result<Option<Shard>> {
        self.shard.as_deref().map(Shard::parse).transpose()
    }

    pub fn redo(&self) -> Result<Option<Redo>> {
        self.redo.as_deref().map(Redo::parse).transpose()
    }

    /// Refuses a report in the place of another result, which a flag names, or of an input.
    pub fn check_report<'a>(
        &'a self,
        results: impl IntoIterator<Item = (&'a str, &'a Path)>,
        inputs: impl IntoIterator<Item = &'a Path>,
    ) -> Result<()> {
        let Some(report) = &self.report else { return Ok(()) };
        refuse_same_file(results.into_iter().chain([("--report", report.as_path())]))?;
        check_report_target(report)?;
        refuse_own_input(report, inputs)
    }

    /// The report of results in `folder`.
    pub fn report_in(&self, folder: &Path) -> Result<PathBuf> {
        let shard = self.shard()?.map_or(String::new(), |Shard { number, of }| format!("-{number}-of-{of}"));
        Ok(self.report.clone().unwrap_or_else(|| folder.join(format!("report{shard}.jsonl"))))
    }

    /// The report beside a sound that is joined of the results; `beside` makes its path of the shard.
    pub fn report_beside(&self, beside: impl Fn(&str) -> PathBuf) -> Result<PathBuf> {
        let shard = self.shard()?.map_or(String::new(), |Shard { number, of }| format!(".{number}-of-{of}"));
        Ok(self.report.clone().unwrap_or_else(|| beside(&shard)))
    }
}

/// A run of one command: where its results go, and how it is spoken of.
pub struct Session<'a> {
    pub args: &'a RunArgs,
    pub folder: PathBuf,
    pub report: PathBuf,
    pub words: Words,
    pub terminal: &'a Terminal,
}

impl Session<'_> {
    /// Makes the folder and opens the report; removes what killed runs left.
    pub fn open(&self) -> Result<Ledger> {
        fs::create_dir_all(&self.folder)
            .with_context(|| Kind::Output.error(format!("{}: cannot be made", self.folder.display())))?;
        output::check_folder(&self.folder)?;
        let ledger = Ledger::open(&self.report)?;
        ledger.note().into_iter().for_each(|note| self.terminal.note(&note));
        output::sweep(&self.folder, &ledger.tag())?;
        Ok(ledger)
    }

    /// Takes back what [`Session::open`] made, of a run that had nothing to do.
    pub fn discard(&self, ledger: Ledger) {
        let path = ledger.path().to_owned();
        let empty = fs::metadata(&path).is_ok_and(|metadata| metadata.len() == 0);
        drop(ledger);
        // Neither holds anything; who is not let remove them may keep them.
        let _ = if empty { fs::remove_file(path) } else { Ok(()) };
        let _ = fs::remove_dir(&self.folder);
    }

    /// Reads the report, if there is one, and changes nothing.
    pub fn peek(&self) -> Result<Ledger> {
        output::check_new_folder(&self.folder)?;
        Ledger::peek(&self.report)
    }

    /// Goes through all tasks before any model is loaded; files that only have another name now are renamed.
    ///
    /// # Errors
    /// What is finished would be replaced.
    pub fn survey<P: Iterator<Item = Result<Planned>>>(
        &self,
        (plan, ledger): (P, Ledger),
        options: &RunOptions,
        backend: &dyn Backend,
        running: &Running,
    ) -> Result<(Survey, Ledger)> {
        let reporter = self.reporter(false, None);
        let mut run = Run::new(plan, ledger, options.clone(), (backend, &reporter), running.stop());
        let survey = run.survey()?;
        self.check(&survey, options.force || options.restart)?;
        Ok((survey, run.into_ledger()))
    }

    /// Refuses a run that would replace what is finished; where that is asked for, says how much, and why.
    fn check(&self, survey: &Survey, replace: bool) -> Result<()> {
        let why: Vec<_> = survey.replaced.iter().map(|(why, count)| format!("{count}: {why}")).collect();
        let (folder, verb) = (self.folder.display(), self.words.verb);
        let told = |(why, count)| self.terminal.note(&format!("{count} to {verb} anew: {why}"));
        survey.replaced.iter().filter(|_| replace).for_each(told);
        ensure!(
            why.is_empty() || replace,
            Kind::Output.error(format!(
                "{folder}: finished results would be replaced ({}); --force or --restart replaces them, another \
                 folder keeps both",
                why.join("; ")
            ))
        );
        let redo = self.args.redo.as_deref().unwrap_or_default();
        let known = survey.again > 0 || !matches!(self.args.redo()?, Some(Redo::Lines(_)));
        ensure!(known, Kind::Usage.error(format!("--redo {redo}: there is no such line")));
        Ok(())
    }

    /// Names what is left over of earlier runs, or removes it, but for what was changed since.
    pub fn left_over(&self, left: Vec<(PathBuf, State)>) -> Result<()> {
        let (ours, changed): (Vec<_>, Vec<_>) = left.into_iter().partition(|(_, state)| *state == State::AsWritten);
        let prune = self.args.prune && !self.args.dry_run;
        if prune {
            ours.iter().try_for_each(|(path, _)| {
                fs::remove_file(path)
                    .with_context(|| Kind::Output.error(format!("{}: cannot be removed", path.display())))
            })?;
        }
        self.name(&ours, if prune { "removed" } else { "asked for no more; --prune removes" });
        self.name(&changed, "asked for no more, but changed by you and kept");
        Ok(())
    }

    fn name(&self, left: &[(PathBuf, State)], what: &str) {
        let mut named: Vec<_> = left.iter().take(NAMED).map(|(path, _)| path.display().to_string()).collect();
        if left.len() > NAMED {
            named.push(format!("and {} more", left.len() - NAMED));
        }
        if !left.is_empty() {
            self.terminal.note(&format!("{} of earlier runs, {what}: {}", files(left.len()), named.join(", ")));
        }
    }

    /// Tells of the run; of what was seen before it, if it was looked at.
    pub fn reporter(&self, paths: bool, survey: Option<&Survey>) -> Reporter<'_> {
        Reporter::new(self.terminal, self.words, (self.args.json, self.args.unordered), paths, &self.folder, survey)
    }

    /// Sums up; the exit code follows from what was left undone.
    pub fn conclude(&self, tally: Tally, running: &Running) -> Result<()> {
        ensure!(!running.stop().is_requested(), Kind::Interrupted.error("stopped; the same command goes on from here"));
        let all = tally.all();
        let (failed, report, many) = (tally.failed, self.report.display(), self.words.many);
        let told = || {
            let told = format!("{failed} of {all} {many} failed: {report} says why; the same command tries again");
            Kind::Partial.error(told + &self.shares().map_or(String::new(), |merge| format!("; {merge}")))
        };
        ensure!(failed == 0, told());
        let doubtful = if self.args.strict { tally.doubtful } else { 0 };
        let told = format!("--strict: {doubtful} of {all} {many} may not sound right: {report} says why");
        ensure!(doubtful == 0, Kind::Partial.error(told));
        Ok(())
    }
}

impl Session<'_> {
    /// After a share of a text that becomes one sound: what is left to do once all shares are there.
    pub fn tell_share(&self, Shard { number, of }: Shard) {
        let report = self.report.to_string_lossy();
        let merge = match report.strip_suffix(&format!(".{number}-of-{of}.jsonl")) {
            Some(name) => merged(&format!("{name}."), of, Path::new(&format!("{name}.jsonl"))),
            None => "`barkclone report merge`".to_owned(),
        };
        self.terminal.note(&format!(
            "share {number} of {of}: the sound is not joined yet. Once all shares are spoken, join their reports with \
             {merge}; the same command without --shard then joins the sound"
        ));
    }

    /// Where reports of shares lie beside that of a run without --shard: how it comes to know what they made.
    fn shares(&self) -> Option<String> {
        let (name, none) = (self.report.file_stem()?.to_str()?, self.args.shard.is_none());
        let mut names = fs::read_dir(output::folder_of(&self.report))
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let (mark, of) = names.find_map(|other| share_of(other.strip_prefix(name)?))?;
        let merge = merged(&format!("{}{mark}", self.report.with_extension("").display()), of, &self.report);
        none.then(|| format!("what shares made it knows once their reports are joined, with {merge}"))
    }
}

/// The mark before a share's number, and how many shares there are, of the end of its report's name.
fn share_of(end: &str) -> Option<(char, u64)> {
    let mark = end.chars().next().filter(|mark| matches!(mark, '.' | '-'))?;
    let (number, of) = end.strip_prefix(mark)?.strip_suffix(".jsonl")?.split_once("-of-")?;
    number.parse::<u64>().ok()?;
    Some((mark, of.parse().ok()?))
}

/// The command that joins the reports of `of` shares into `report`, whether or not that is there.
fn merged(name: &str, of: u64, report: &Path) -> String {
    let (shares, shown) = (format!("{}*-of-{of}.jsonl", quoted(name)), quoted(&report.to_string_lossy()));
    let known = if report.exists() { (format!("{shown} "), " --force") } else { (String::new(), "") };
    format!("`barkclone report merge {}{shares} -o {shown}{}`", known.0, known.1)
}

/// The command line, as a shell reads it, but for what does not make the same results again.
pub fn command() -> String {
    let mut words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let mut kept = vec!["barkclone".to_owned()];
    while let Some(word) = words.next() {
        match word.as_str() {
            "--redo" => drop(words.next()),
            "--resume" | "--restart" | "--force" | "--json" | "--prune" | "--unordered" | "--quiet" | "-q" | "-qq" => {}
            redo if redo.starts_with("--redo=") => (),
            word => kept.push(quoted(word)),
        }
    }
    kept.join(" ")
}

/// As a POSIX shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}
