//! `barkclone voice list`, `remove` and `rename`: the voices that are kept by name.

use crate::cli::{one_line, out};
use anyhow::Result;
use barkclone::library::{Library, Shelf};
use barkclone::models::Models;
use barkclone::voice::{Place, VoiceFile};
use clap::Args;

/// List the voices that are kept by name
///
/// Prints a line for each: its name, its length, the day it was made, and its file, parted by tabs. `clone --name NAME` keeps one, in
/// $XDG_DATA_HOME/barkclone/voices (~/.local/share/barkclone/voices).
#[derive(Args, Debug)]
pub struct ListArgs {}

/// Remove voices that are kept by name
#[derive(Args, Debug)]
pub struct RemoveArgs {
    /// Their names
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

/// Give a voice that is kept by name another name
///
/// Prints the path of its file.
#[derive(Args, Debug)]
pub struct RenameArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    from: String,
    /// Its new name
    #[arg(value_name = "NEW")]
    to: String,
    /// Replace a voice of that name
    #[arg(long)]
    force: bool,
}

pub fn list(_: &ListArgs) -> Result<()> {
    let library = Library::of_user(Shelf::Voices)?;
    for name in library.names()? {
        let Some(place) = library.find(&name).map(Place::Npz) else { continue };
        out(format!("{}\n", line(&name, &place)))?;
    }
    Ok(())
}

fn line(name: &str, place: &Place) -> String {
    let (seconds, date) = match place.voice() {
        Ok(VoiceFile { voice, provenance }) => {
            (format!("{:.2} s", voice.seconds()), provenance.and_then(|p| p.date).unwrap_or_default())
        }
        Err(_) => ("damaged".to_owned(), String::new()),
    };
    one_line(name) + "\t" + &seconds + "\t" + &one_line(&date) + "\t" + &place.to_string()
}

pub fn remove(args: &RemoveArgs) -> Result<()> {
    let library = Library::of_user(Shelf::Voices)?;
    args.names.iter().try_for_each(|name| library.remove(name))
}

pub fn rename(args: &RenameArgs, models: &Models) -> Result<()> {
    models.registry.check_free(Shelf::Voices, &args.to)?;
    let path = Library::of_user(Shelf::Voices)?.rename(&args.from, &args.to, args.force)?;
    out(format!("{}\n", path.display()))
}
