//! The voice that a command is given.

use anyhow::Result;
use barkclone::models::Models;
use barkclone::progress::Progress;
use barkclone::voice::{Place, VoiceFile};
use std::path::Path;

/// What lies at the path `choice`, as one file or three, where there is something of that name; else one of Suno's voices.
pub fn read_voice(choice: &str, models: &Models, progress: &dyn Progress) -> Result<VoiceFile> {
    let path = Path::new(choice);
    let npz = path.extension().is_some_and(|e| e == "npz");
    if npz || path.exists() || Place::separate(path).exists() {
        return VoiceFile::open(path);
    }
    Place::Npy(models.voice_preset(choice, progress)?).voice()
}
