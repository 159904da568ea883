//! `barkclone models`: what there is, what is in the cache, fetching, checking, removing. Results go to stdout.

use super::nets::{BarkChoice, WeightType};
use super::out;
use anyhow::{Result, bail, ensure};
use barkclone::error::Kind;
use barkclone::models::{Entry, Models, State, Verdict, byte_text};
use barkclone::progress::Progress;
use clap::{Args, Subcommand};

/// List, fetch, check and remove models
///
/// Models are named in the registry (see `models list`) and kept in Hugging Face's cache, shared with its other tools:
/// HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and HF_HUB_DOWNLOAD_TIMEOUT are honoured.
#[derive(Args, Debug)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Every known model: name, kind, size, state, licence, purpose
    List {
        /// Everything the registry knows, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Download models or voice presets, or go on where a download stopped; prints where each lies
    Fetch {
        /// Such as `large`, `pt` or `v2/pt_speaker_3`
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Pack a Bark model into a smaller, faster file for the CPU; `speak --weights` does so at the first use. Prints where it lies
    Pack {
        /// A name, or a file or folder
        #[arg(value_name = "NAME")]
        bark: String,
        /// The type that matrices are stored in
        #[arg(long, value_name = "TYPE", value_enum)]
        weights: WeightType,
        /// EnCodec to pack along [default: the one in Bark's own file, else encodec]
        #[arg(long, value_name = "MODEL")]
        codec: Option<String>,
    },
    /// Where a fetched model lies: its file, or the folder of its files
    Path {
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Hash fetched files again and compare them with what was published
    Verify {
        /// All fetched models if none is named
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Delete fetched models from the cache, but for files that other models share; prints the bytes freed
    Remove {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

pub fn run(args: ModelsArgs, models: &Models, progress: &dyn Progress) -> Result<()> {
    match args.command {
        Command::List { json: false } => out(table(models)),
        Command::List { json: true } => out(json(models)?),
        Command::Fetch { names } => fetch(&named(models, &names)?, models, progress),
        Command::Pack { bark, weights, codec } => {
            let choice = BarkChoice { bark: &bark, codec: codec.as_deref(), weights };
            out(format!("{}\n", choice.repack(models, progress)?.display()))
        }
        Command::Path { name } => path(&name, models),
        Command::Verify { names } if names.is_empty() => verify(&cached(models), false, models, progress),
        Command::Verify { names } => verify(&named(models, &names)?, true, models, progress),
        Command::Remove { names } => remove(&named(models, &names)?, models, progress),
    }
}

/// The models of those names; all names are checked before anything is done.
fn named(models: &Models, names: &[String]) -> Result<Vec<Entry>> {
    let found: Vec<Vec<Entry>> = names.iter().map(|name| models.registry.named(name)).collect::<Result<_>>()?;
    Ok(found.into_iter().flatten().collect())
}

fn cached(models: &Models) -> Vec<Entry> {
    let held = |e: &&Entry| matches!(models.state(e).0, State::Cached | State::Partial);
    models.registry.entries().iter().filter(held).cloned().collect()
}

fn fetch(entries: &[Entry], models: &Models, progress: &dyn Progress) -> Result<()> {
    models.check_room(entries)?;
    for entry in entries {
        match entry.builtin {
            true => progress.note(&format!("{} ({}) is built in: nothing to fetch", entry.name, entry.kind)),
            false => out(format!("{}\n", models.fetch(entry, progress)?.display()))?,
        }
    }
    Ok(())
}

fn path(name: &str, models: &Models) -> Result<()> {
    let entries = models.registry.named(name)?;
    let Some(entry) = entries.iter().find(|e| !e.builtin) else {
        bail!(Kind::Usage.error(format!("`{name}` is built in: it has no path")));
    };
    out(format!("{}\n", models.path(entry)?.display()))
}

fn verify(entries: &[Entry], wanted: bool, models: &Models, progress: &dyn Progress) -> Result<()> {
    let mut wrong = Vec::new();
    for entry in entries {
        if entry.builtin {
            out(format!("{:<10}  {}  {}\n", "built in", entry.name, entry.kind))?;
            continue;
        }
        let found = models.verify(entry, progress)?;
        ensure!(!wanted || !found.is_empty(), Kind::Model.error(format!("{} is not in the cache", entry.name)));
        for (file, verdict) in found {
            let (word, why) = match verdict {
                Verdict::Sound(why) => ("ok", why),
                Verdict::Unquoted(why) => ("ok", format!("as the hub has it; the registry quotes another one: {why}")),
                Verdict::Damaged(why) => ("damaged", why),
                Verdict::Other(why) => ("unexpected", why),
            };
            out(format!("{word:<10}  {}  {file}  {why}\n", entry.name))?;
            if word != "ok" && !wrong.contains(&entry.name) {
                wrong.push(entry.name.clone());
            }
        }
    }
    let names = wrong.join(" ");
    let repair = format!("`barkclone models remove {names}`, then `barkclone models fetch {names}`");
    ensure!(wrong.is_empty(), Kind::Model.error(format!("not as published: {names}. To replace: {repair}")));
    Ok(())
}

fn remove(entries: &[Entry], models: &Models, progress: &dyn Progress) -> Result<()> {
    for entry in entries {
        let freed = models.remove(entry, progress)?;
        out(format!("{}: {} freed ({freed} bytes)\n", entry.name, byte_text(freed)))?;
    }
    Ok(())
}

fn state_text(state: State) -> &'static str {
    match state {
        State::Builtin => "built in",
        State::Cached => "cached",
        State::Partial => "partial",
        State::Absent => "absent",
    }
}

fn row(entry: &Entry, models: &Models) -> [String; 6] {
    let (state, bytes) = models.state(entry);
    let size = match state {
        State::Builtin => "-".to_string(),
        State::Cached => byte_text(bytes),
        State::Partial | State::Absent => entry.size_text(),
    };
    let text = |t: &str| t.to_string();
    [
        text(&entry.name),
        entry.kind.to_string(),
        size,
        text(state_text(state)),
        text(&entry.licence),
        text(&entry.purpose),
    ]
}

fn table(models: &Models) -> String {
    let mut rows = vec![["NAME", "KIND", "SIZE", "STATE", "LICENCE", "PURPOSE"].map(str::to_string)];
    rows.extend(models.registry.entries().iter().map(|e| row(e, models)));
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn json(models: &Models) -> Result<String> {
    let one = |entry: &Entry| -> Result<serde_json::Value> {
        let mut value = serde_json::to_value(entry)?;
        let (state, bytes) = models.state(entry);
        value["state"] = state_text(state).into();
        value["cached_bytes"] = bytes.into();
        Ok(value)
    };
    let all: Vec<serde_json::Value> = models.registry.entries().iter().map(one).collect::<Result<_>>()?;
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}
