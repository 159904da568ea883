//! Many utterances in one run: a source of jobs -> tasks with ids, seeds and names -> WAV files and a report, which the next run goes
//! on from.
//!
//! A file gets its name only after its line is in the report and both are on the disk, so that a killed run leaves nothing that looks
//! finished and is not: an utterance is finished where its line says what is wanted now and its file is there.

mod attempts;
mod hash;
mod job;
mod ledger;
mod lines;
mod merge;
mod name;
mod plan;
mod record;
mod run;
mod stop;
mod voices;

pub use attempts::{Attempt, Attempts, RetryPolicy};
pub use hash::{fingerprint, hash, mixed};
pub use job::{Form, Job, Sampling};
pub use ledger::Ledger;
pub use merge::{Summary, merge, summary};
pub use name::Template;
pub use plan::{Bad, Plan, Planned, Rules, Shard, SourceJob, Task, read};
pub use record::{Record, now};
pub use run::{Action, Backend, Event, InFlight, Observer, Run, RunOptions, Silent, Tally, estimate};
pub use stop::Stop;
