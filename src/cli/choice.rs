//! The voice that a command is given.

use anyhow::Result;
use barkclone::models::Models;
use barkclone::progress::Progress;
use barkclone::voice::{Library, Place, Provenance, VoiceFile};
use std::path::Path;

/// What lies at the path `choice`, as one file or three, where there is something of that name; else the voice that is kept by that
/// name, else one of Suno's.
pub fn read_voice(choice: &str, models: &Models, progress: &dyn Progress) -> Result<VoiceFile> {
    let path = Path::new(choice);
    let npz = path.extension().is_some_and(|e| e == "npz");
    if npz || path.exists() || Place::separate(path).exists() {
        return VoiceFile::open(path);
    }
    if let Some(place) = kept(choice) {
        return place.voice();
    }
    Place::Npy(models.voice_preset(choice, progress)?).voice()
}

/// Warns of a voice whose codes are of another codec than the one that speaks, which has the hash `codec`.
pub fn warn_of_codec(choice: &str, voice: &VoiceFile, codec: &str, progress: &dyn Progress) {
    let made = voice.provenance.iter().flat_map(Provenance::codecs);
    for other in made.filter(|made| made.sha256.as_deref().is_some_and(|sha256| sha256 != codec)) {
        progress.note(&format!(
            "warning: --voice {choice}: it was made with other models than those that speak now (codec `{}`): it will \
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
    Library::of_user().ok()?.find(name)
}
