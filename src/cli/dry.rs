//! `--dry-run`: what would be made, about how long it would be and about how long that would take.

use super::many::Session;
use super::nets::WeightType;
use super::reporter::changed;
use super::{clock, out, placed};
use anyhow::{Result, ensure};
use barkclone::batch::{self, Action, InFlight, Item, Planned, Run};
use barkclone::error::Kind;
use barkclone::progress::Progress;
use serde_json::json;
use std::path::Path;

/// Seconds of speech in a second, and how that is known.
pub type Speed = (f64, &'static str);

/// Seconds of speech in a second, on two threads of a server's processor (the README's figures): to say roughly what to
/// expect before anything was spoken here.
const SPEEDS: [(&str, &str, f64); 5] = [
    ("large", "f32", 0.04),
    ("large", "q8_0", 0.08),
    ("small", "f32", 0.15),
    ("small", "q8_0", 0.3),
    ("demo", "f32", 3.0),
];

/// The speed of a published Bark.
pub fn usual_speed(bark: &str, weights: WeightType) -> Option<Speed> {
    let weights = weights.repr().to_string();
    let known = SPEEDS.iter().find(|(name, repr, _)| (*name, *repr) == (bark, weights.as_str()));
    known.map(|(_, _, speed)| (*speed, "on two threads of a server's processor"))
}

/// The sum of a plan.
#[derive(Default)]
struct Outline {
    make: u64,
    there: u64,
    /// Of those there, what has another name now.
    moved: u64,
    kept: u64,
    bad: u64,
    seconds: f64,
}

/// Goes through all tasks of the run and tells what would become of them.
pub fn preview<P>(session: &Session, mut run: Run<'_, P>, speed: Option<Speed>) -> Result<()>
where
    P: Iterator<Item = Result<Planned>>,
{
    let mut outline = Outline::default();
    run.preview(|action| outline.add(&action, session))?;
    let at_hand = speed_of(&session.report)?;
    session.left_over(run.left_over()?)?;
    outline.tell(session, at_hand.or(speed))
}

/// The speed of the runs so far.
fn speed_of(report: &Path) -> Result<Option<Speed>> {
    if !report.exists() {
        return Ok(None);
    }
    let speed = batch::summary(&[report.to_owned()], |_| Ok(()))?.speed();
    Ok(speed.map(|speed| (speed, "at the report's speed")))
}

impl Outline {
    fn add(&mut self, action: &Action, session: &Session) -> Result<()> {
        match action {
            Action::Bad(place, error) => {
                self.bad += 1;
                session.terminal.error(&placed(place, &format!("{error:#}")), None);
                Ok(())
            }
            Action::There(job, there) => {
                self.there += 1;
                self.moved += u64::from(*there != session.folder.join(&job.task.out));
                Ok(())
            }
            Action::Kept(_, path) => {
                self.kept += 1;
                session.terminal.note(&format!("warning: {}", changed(path)));
                Ok(())
            }
            Action::Make(job) => self.make(job, session),
        }
    }

    fn make(&mut self, job: &InFlight, session: &Session) -> Result<()> {
        let task = &job.task;
        self.make += 1;
        let path = session.folder.join(&task.out).display().to_string();
        let mut planned = json!({"event": "planned", "id": task.id, "index": task.index, "line": task.line,
            "voice": job.voice, "out": path});
        let line = match (&task.item, &job.settings) {
            (Item::Text(text), Some(settings)) => {
                let seconds = batch::estimate(text, settings);
                self.seconds += seconds;
                planned["text"] = text.as_str().into();
                planned["seconds"] = seconds.into();
                planned["replaced"] = json!(task.replaced);
                format!("{path}\t{seconds:.1} s\t{text}")
            }
            (item, _) => {
                let source = match item {
                    Item::Recording(source) => source.shown(),
                    Item::Text(text) => text.as_str().into(),
                };
                planned["source"] = source.as_ref().into();
                format!("{path}\t{source}")
            }
        };
        if job.settings.is_some() {
            planned["seed"] = task.seed.into();
        }
        out(if session.args.json { format!("{planned}\n") } else { format!("{line}\n") })
    }

    fn tell(&self, session: &Session, speed: Option<Speed>) -> Result<()> {
        let Outline { make, there, moved, kept, bad, seconds } = self;
        let length = match *seconds > 0.0 {
            true => format!("; about {} of speech", clock(*seconds)),
            false => String::new(),
        };
        let time = match speed.filter(|_| *seconds > 0.0) {
            Some((speed, whence)) => format!("; about {} {whence}", clock(seconds / speed)),
            None => String::new(),
        };
        let moved = if *moved > 0 { format!(", {moved} to be renamed") } else { String::new() };
        let kept = if *kept > 0 { format!(", {kept} changed by you and kept") } else { String::new() };
        let (verb, many) = (session.words.verb, session.words.many);
        let told = format!("{make} to {verb}, {there} there already{moved}{kept}, {bad} that cannot be{length}{time}");
        session.terminal.note(&told);
        let all = make + there + self.kept + bad;
        ensure!(*bad == 0, Kind::Partial.error(format!("{bad} of {all} {many} cannot be done")));
        Ok(())
    }
}
