//! The voice that a command is given.

use anyhow::{Result, bail, ensure};
use barkclone::error::Kind;
use barkclone::library::{Library, Shelf};
use barkclone::models::Models;
use barkclone::progress::Progress;
use barkclone::voice::{Place, Provenance, VoiceFile};
use std::fmt::Display;
use std::path::Path;

/// What lies at the path `choice`, as one file or three, where there is something of that name; else the voice that is kept by that
/// name, else one of Suno's.
pub fn read_voice(choice: &str, models: &Models, progress: &dyn Progress) -> Result<VoiceFile> {
    let path = Path::new(choice);
    let npz = path.extension().is_some_and(|e| e == "npz");
    ensure!(
        path.exists() || !choice.contains('='),
        Kind::Usage.error(format!(
            "--voice NAME=VOICE is for --lines, --jobs and --file of speak; here give the voice alone, not `{choice}`"
        ))
    );
    if npz || path.exists() || Place::separate(path).exists() {
        return VoiceFile::open(path);
    }
    if let Some(place) = kept(choice) {
        return place.voice();
    }
    named_preset(choice, models)?;
    Place::Npy(models.voice_preset(choice, progress)?).voice()
}

/// Refuses what is no voice; nothing is fetched to tell.
pub fn check_named(choice: &str, models: &Models) -> Result<()> {
    let path = Path::new(choice);
    let there = path.exists() || Place::separate(path).exists() || kept(choice).is_some();
    if there { Ok(()) } else { named_preset(choice, models) }
}

/// Refuses what is none of Suno's voices.
fn named_preset(choice: &str, models: &Models) -> Result<()> {
    // Without a home there are no kept ones.
    let kept = Library::of_user(Shelf::Voices).and_then(|library| library.names()).unwrap_or_default();
    let Err(error) = models.registry.preset(choice, &kept) else { return Ok(()) };
    let file = Path::new(choice).with_added_extension("npz");
    let told = format!("no voice is named `{choice}` (did you mean `{}`?)", file.display());
    if file.is_file() { bail!(Kind::Input.error(told)) } else { Err(error) }
}

/// Warns of a voice, called `name`, whose codes are of another codec than the one that speaks, which has the hash
/// `codec`.
pub fn warn_of_codec(name: impl Display, voice: &VoiceFile, codec: &str, progress: &dyn Progress) {
    let made = voice.provenance.iter().flat_map(Provenance::codecs);
    for other in made.filter(|made| made.sha256.as_deref().is_some_and(|sha256| sha256 != codec)) {
        progress.note(&format!(
            "warning: {name}: it was made with other models than those that speak now (codec `{}`): it will \
             not sound like itself; choose the models that made it, or clone it again with these",
            other.name
        ));
    }
}

/// The voice file that is meant by `path`, or by a name.
pub fn find_voice(path: &Path) -> Result<Place> {
    let place = Place::find(path)?;
    let named = path.to_str().filter(|_| !place.exists()).and_then(kept);
    Ok(named.unwrap_or(place))
}

/// Whether this names a voice rather than says something.
pub fn is_voice(choice: &str) -> bool {
    let named = choice.ends_with(".npz") || choice.starts_with("v2/");
    named || Path::new(choice).exists() || Place::separate(Path::new(choice)).exists() || kept(choice).is_some()
}

/// The voice that is kept by this name.
fn kept(name: &str) -> Option<Place> {
    Library::of_user(Shelf::Voices).ok()?.find(name).map(Place::Npz)
}
