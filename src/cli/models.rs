//! `barkclone models`: what there is, what is in the cache, fetching, checking, removing. Results go to stdout.

use super::nets::{self, BarkChoice, LoraArgs, WeightType};
use super::{one_line, out, selftest};
use anyhow::{Context, Result, bail, ensure};
use barkclone::checkpoint::{self, TrainingRecord};
use barkclone::error::Kind;
use barkclone::library::{Library, Shelf};
use barkclone::models::{Entry, Models, Pack, Packs, State, Verdict, byte_text};
use barkclone::output;
use barkclone::progress::Progress;
use clap::{Args, Subcommand};
use std::fs::File;
use std::path::{Path, PathBuf};

/// List, fetch, check and remove models
///
/// Models are named in the registry (see `models list`) and kept in Hugging Face's cache, shared with its other tools:
/// HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and HF_HUB_DOWNLOAD_TIMEOUT are honoured, and so are
/// HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR. Packed files lie beside the cache, or
/// below XDG_CACHE_HOME where that cannot be written.
#[derive(Args, Debug)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Every known model, and what was packed of them: name, kind, size, state, licence, purpose
    List {
        /// Everything the registry knows, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Download models or voice presets, or go on where a download stopped; prints where each lies
    Fetch {
        /// Such as `large`, `pt` or `v2/pt_speaker_3`
        #[arg(required = true, value_name = "MODEL")]
        names: Vec<String>,
    },
    /// Pack a Bark model into a smaller and faster file for the CPU, as `speak --weights` does at its first use. Prints
    /// where it lies
    Pack {
        /// A name, or a file or folder
        #[arg(value_name = "MODEL")]
        bark: String,
        /// How its weights are kept
        #[arg(long, value_name = "TYPE", value_enum)]
        weights: WeightType,
        #[command(flatten)]
        lora: LoraArgs,
    },
    /// Keep a quantizer of your own by a name, which every --quantizer then takes; prints where it lies
    ///
    /// The file is copied to $XDG_DATA_HOME/barkclone/quantizers (~/.local/share/barkclone/quantizers).
    Add {
        /// Such as mine.pth, as `quantizer train` writes it
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Its name
        #[arg(value_name = "NEW")]
        name: String,
        /// Replace one of that name
        #[arg(long)]
        force: bool,
    },
    /// Where a fetched model lies: its file, or the folder of its files
    Path {
        #[arg(value_name = "MODEL")]
        name: String,
    },
    /// Hash fetched and packed files again and compare them with what was published and made
    Verify {
        /// All fetched models if none is named
        #[arg(value_name = "MODEL")]
        names: Vec<String>,
    },
    /// Try out every kernel of this machine and the built-in models: what to run where sound is wrong. Takes seconds
    Selftest {
        /// Every kernel, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete fetched models and what was packed of them, but for files that other models share; prints the bytes freed
    Remove {
        #[arg(required = true, value_name = "MODEL")]
        names: Vec<String>,
    },
}

pub fn run(args: ModelsArgs, models: &Models, progress: &dyn Progress) -> Result<()> {
    match args.command {
        Command::List { json: false } => out(table(models)),
        Command::List { json: true } => out(json(models)?),
        Command::Fetch { names } => {
            let (own, names) = own_and_others(names);
            let entries = named(models, &names)?;
            own.iter().for_each(|name| progress.note(&format!("{name} is a quantizer of your own: nothing to fetch")));
            fetch(&entries, models, progress)
        }
        Command::Pack { bark, weights, lora } => {
            let choice = BarkChoice { bark: &bark, codec: None, weights, loras: &lora.loras };
            out(format!("{}\n", choice.repack(models, progress)?.display()))
        }
        Command::Add { file, name, force } => add(&file, &name, force, models),
        Command::Path { name } => path(&name, models, progress),
        Command::Verify { names } if names.is_empty() => {
            verify((&cached(models), &Packs::of(&models.hub).all()), false, models, progress)
        }
        Command::Verify { names } => {
            let (own, names) = own_and_others(names);
            own.iter().try_for_each(|name| verify_own(name))?;
            let (entries, packs) = named_or_packed(models, &names)?;
            verify((&entries, &packs), true, models, progress)
        }
        Command::Selftest { json } => selftest::run(json, progress),
        Command::Remove { names } => {
            let (own, names) = own_and_others(names);
            let (entries, packs) = named_or_packed(models, &names)?;
            own.iter().try_for_each(|name| remove_own(name))?;
            remove(&entries, &packs, models, progress)
        }
    }
}

/// The models of those names; all names are checked before anything is done.
fn named(models: &Models, names: &[String]) -> Result<Vec<Entry>> {
    let own = own_names();
    let found: Vec<Vec<Entry>> = names.iter().map(|name| models.registry.named(name, &own)).collect::<Result<_>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// The models of those names and what was packed of them; of what is no model's name, such as a path, what was packed.
fn named_or_packed(models: &Models, names: &[String]) -> Result<(Vec<Entry>, Vec<Pack>)> {
    let packs = Packs::of(&models.hub);
    let (mut entries, mut packed) = (Vec::new(), Vec::new());
    for name in names {
        let made = packs.of_model(name);
        match models.registry.named(name, &own_names()) {
            // What is built in has no files but packed ones.
            Ok(found) => entries.extend(found.into_iter().filter(|e| !e.builtin || made.is_empty())),
            Err(error) if made.is_empty() => return Err(error),
            Err(_) => (),
        }
        packed.extend(made);
    }
    Ok((entries, packed))
}

/// The quantizers of the user's own.
fn library() -> Result<Library> {
    Library::of_user(Shelf::Quantizers)
}

/// Their names; without a home there are none.
fn own_names() -> Vec<String> {
    library().and_then(|library| library.names()).unwrap_or_default()
}

/// The user's own names, and those that are left.
fn own_and_others(names: Vec<String>) -> (Vec<String>, Vec<String>) {
    names.into_iter().partition(|name| library().is_ok_and(|library| library.find(name).is_some()))
}

fn add(file: &Path, name: &str, force: bool, models: &Models) -> Result<()> {
    models.registry.check_free(Shelf::Quantizers, name)?;
    nets::quantizer_file(file)?;
    let target = library()?.target(name)?;
    let unreadable = || Kind::Model.error(format!("{}: cannot be read", file.display()));
    output::write_atomically(&target, force, |sink| {
        std::io::copy(&mut File::open(file).with_context(unreadable)?, sink)?;
        Ok(())
    })?;
    out(format!("{}\n", target.display()))
}

/// Reads all of it.
fn verify_own(name: &str) -> Result<()> {
    let Some(path) = library()?.find(name) else { return Ok(()) };
    checkpoint::quantizer(&path)?.identity()?;
    out(format!("{:<10}  {name}  quantizer  of your own: whole, nothing is published to compare it with\n", "ok"))
}

fn remove_own(name: &str) -> Result<()> {
    let library = library()?;
    let freed = library.find(name).map_or(0, |path| bytes_of(&path));
    library.remove(name)?;
    out(format!("{name}: {}\n", told(freed)))
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

fn path(name: &str, models: &Models, progress: &dyn Progress) -> Result<()> {
    if Path::new(name).exists() {
        let told = "a file or folder here has that name, and goes first where a model is named";
        progress.note(&format!("warning: {name}: {told}"));
    }
    if let Some(path) = library().ok().and_then(|library| library.find(name)) {
        return out(format!("{}\n", path.display()));
    }
    let entries = models.registry.named(name, &own_names())?;
    let Some(entry) = entries.iter().find(|e| !e.builtin) else {
        bail!(Kind::Usage.error(format!("`{name}` is built in: it has no path")));
    };
    out(format!("{}\n", models.path(entry)?.display()))
}

fn verify((entries, packs): (&[Entry], &[Pack]), wanted: bool, models: &Models, progress: &dyn Progress) -> Result<()> {
    let mut wrong = Vec::new();
    for entry in entries {
        if entry.builtin {
            out(format!("{:<10}  {}  {}\n", "built in", entry.name, entry.kind))?;
            continue;
        }
        let found = models.verify(entry, progress)?;
        let packed = packs.iter().any(|pack| pack.name == entry.name);
        let missing = wanted && found.is_empty() && !packed;
        ensure!(!missing, Kind::Model.error(format!("{} is not in the cache", entry.name)));
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
    let broken = verify_packs(packs, progress)?;
    let names = wrong.join(" ");
    let repair = format!("`barkclone models remove {names}`, then `barkclone models fetch {names}`");
    ensure!(wrong.is_empty(), Kind::Model.error(format!("not as published: {names}. To replace: {repair}")));
    ensure!(broken.is_empty(), Kind::Model.error(format!("damaged; to make anew: {}", broken.join("; "))));
    Ok(())
}

/// Returns the commands that make the damaged ones anew.
fn verify_packs(packs: &[Pack], progress: &dyn Progress) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for pack in packs {
        let damage = if pack.is_stale { None } else { pack.verify(progress)? };
        let (word, why) = match &damage {
            _ if pack.is_stale => ("stale", "its model has changed or gone: `models remove` deletes it"),
            Some(why) => ("damaged", why.as_str()),
            None => ("ok", "as it was packed"),
        };
        out(format!("{word:<10}  {} {}  {}  {why}\n", pack.name, pack.weights, pack.path.display()))?;
        if damage.is_some() {
            broken.push(format!("`barkclone models pack {} --weights {}`", pack.name, pack.weights));
        }
    }
    Ok(broken)
}

fn remove(entries: &[Entry], packs: &[Pack], models: &Models, progress: &dyn Progress) -> Result<()> {
    for entry in entries {
        let absent = models.state(entry).0 == State::Absent;
        let freed = models.remove(entry, progress)?;
        let packed = packs.iter().any(|pack| pack.name == entry.name);
        match freed {
            0 if packed => (),
            0 if absent => out(format!("{}: nothing to remove: it is not in the cache\n", entry.name))?,
            0 => out(format!("{}: removed; its files stay, for others share them (0 bytes)\n", entry.name))?,
            _ => out(format!("{}: {}\n", entry.name, told(freed)))?,
        }
    }
    for pack in packs {
        let freed = Packs::of(&models.hub).remove(pack)?;
        out(format!("{} {}: {}\n", pack.name, pack.weights, told(freed)))?;
    }
    Ok(())
}

fn told(freed: u64) -> String {
    format!("{} freed ({freed} bytes)", byte_text(freed))
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

/// What the user keeps by name: the name, the file, and what that says of its training.
fn kept() -> Vec<(String, PathBuf, Option<TrainingRecord>)> {
    let Ok(library) = library() else { return Vec::new() };
    let one = |name: String| {
        let path = library.find(&name)?;
        let record = checkpoint::training_record(&path).ok().flatten();
        Some((name, path, record))
    };
    library.names().unwrap_or_default().into_iter().filter_map(one).collect()
}

fn bytes_of(path: &Path) -> u64 {
    path.metadata().map_or(0, |file| file.len())
}

fn kept_row((name, path, record): &(String, PathBuf, Option<TrainingRecord>)) -> [String; 6] {
    let licence = record.as_ref().and_then(|record| record.licence.clone()).unwrap_or_else(|| "-".into());
    let purpose = match record {
        Some(record) => {
            let language = record.language.as_ref().map_or(String::new(), |language| format!("{language}, "));
            format!("{language}trained on {}, epoch {}", record.data, record.epoch)
        }
        None => "its training is not known".into(),
    };
    let size = byte_text(bytes_of(path));
    [one_line(name), "quantizer".into(), size, "own".into(), one_line(&licence), one_line(&purpose)]
}

fn packed_row(pack: &Pack) -> [String; 6] {
    let state = if pack.is_stale { "stale" } else { "packed" };
    let purpose = match pack.is_stale {
        true => "its model has changed or gone: `models remove` deletes it".to_string(),
        false => format!("{} as {}, for `--weights {1}`", pack.name, pack.weights),
    };
    let text = |t: &str| t.to_string();
    [pack.name.clone(), text("packed"), byte_text(pack.bytes), text(state), text("-"), purpose]
}

fn table(models: &Models) -> String {
    let mut rows = vec![["NAME", "KIND", "SIZE", "STATE", "LICENCE", "PURPOSE"].map(str::to_string)];
    rows.extend(models.registry.entries().iter().map(|e| row(e, models)));
    rows.extend(kept().iter().map(kept_row));
    rows.extend(Packs::of(&models.hub).all().iter().map(packed_row));
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
    let mut all: Vec<serde_json::Value> = models.registry.entries().iter().map(one).collect::<Result<_>>()?;
    all.extend(kept().into_iter().map(|(name, path, training)| {
        let bytes = bytes_of(&path);
        serde_json::json!({"name": name, "kind": "quantizer", "state": "own", "path": path, "cached_bytes": bytes,
            "training": training})
    }));
    let packs = Packs::of(&models.hub).all();
    all.extend(packs.iter().map(|pack| {
        let state = if pack.is_stale { "stale" } else { "packed" };
        serde_json::json!({"name": pack.name, "kind": "packed", "weights": pack.weights, "state": state,
            "path": pack.path, "cached_bytes": pack.bytes})
    }));
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}
