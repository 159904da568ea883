//! The voice that a command is given.

use anyhow::Result;
use barkclone::models::Models;
use barkclone::progress::Progress;
use barkclone::voice::{Library, Place, VoiceFile};
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

/// The voice file that is meant by `path`, or by a name.
pub fn find_voice(path: &Path) -> Result<Place> {
    let place = Place::find(path)?;
    let named = path.to_str().filter(|_| !place.exists()).and_then(kept);
    Ok(named.unwrap_or(place))
}

/// The voice that is kept by this name.
fn kept(name: &str) -> Option<Place> {
    Library::of_user().ok()?.find(name)
}
