//! Many results in one run, whether texts that are said or recordings that are converted or cloned: a source of jobs ->
//! tasks with ids, seeds and names -> files and a report, which the next run goes on from.
//!
//! A file gets its name only after its line is in the report and both are on the disk, so that a killed run leaves
//! nothing that looks finished and is not: a result is finished where its line says what is wanted now and its file is
//! as the line says it was written.

mod attempts;
mod events;
mod files;
mod found;
mod hash;
mod in_flight;
mod job;
mod ledger;
mod lines;
mod merge;
mod name;
mod page;
mod plan;
mod record;
mod recordings;
mod redo;
mod run;
mod speech;
mod stop;
mod survey;
mod voices;
mod worker;

pub use attempts::{Attempt, Heard, Kept, RetryPolicy, Takes, heard};
pub use events::{Event, Observer, Silent, Tally};
pub use files::{State, WrittenFile};
pub use hash::{fingerprint, hash, mixed};
pub use in_flight::{Choice, InFlight, Made, NextJob, Target, estimate};
pub use job::{Form, Item, Job, Sampling, Source};
pub use ledger::Ledger;
pub use lines::Lines;
pub use merge::{Summary, merge, summary};
pub use name::{Named, Template, ranked};
pub use page::{Sounds, page};
pub use plan::{Bad, Plan, Planned, Rules, Seeds, Shard, SourceJob, Task, read};
pub use record::{Record, RecordedTake, now};
pub use recordings::Recordings;
pub use redo::{Redo, ranges};
pub use run::{Backend, Run, RunOptions};
pub use speech::{Decoded, Speech, SpeechBackend, Take};
pub use stop::Stop;
pub use survey::{Action, Survey};
pub use voices::LoadedVoice;
pub use worker::Work;
