//! What a file is that was taken for another one, and the flag or command that takes it.

use super::{bark, codec, file, folder, hubert, quantizer, speaker, whisper};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Whether a file or folder is a model of one kind.
type Is = fn(&Path) -> bool;

/// Models, each with what tells whether a file or folder is one. Bark's own file may hold a codec, and comes before it.
const MODELS: [(Is, &str); 6] = [
    (|path| quantizer(path).is_ok(), "a semantic quantizer: it is given with --quantizer"),
    (|path| hubert(path).is_ok(), "HuBERT: it is given with --hubert"),
    (|path| speaker(path).is_ok(), "a speaker encoder: it is given with --voice-ear"),
    (|path| whisper(path).is_ok(), "Whisper: it is given with --word-ear"),
    (|path| bark(path).is_ok(), "a Bark model: it is given with --bark"),
    (is_codec, "an EnCodec model: it is given with --codec"),
];

/// What lies at `path`, a recording or one of the models; `None`: neither.
pub fn identify(path: &Path) -> Option<&'static str> {
    if is_recording(&head(path)) {
        return Some("a recording: `barkclone clone` makes a voice of it");
    }
    MODELS.iter().find(|(is, _)| is(path)).map(|(_, what)| *what)
}

/// Whether a file begins as recordings do: WAV, MP3 with a title, FLAC, Ogg, CAF, AIFF, MP4.
fn is_recording(bytes: &[u8]) -> bool {
    let begins = [&b"RIFF"[..], b"RF64", b"ID3", b"fLaC", b"OggS", b"caff", b"FORM"];
    begins.iter().any(|magic| bytes.starts_with(magic)) || bytes.get(4..8) == Some(b"ftyp")
}

/// What a file begins with; nothing, where it cannot be read.
fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(16).read_to_end(&mut head)).map_or(Vec::new(), |_| head)
}

/// A Bark model that cannot be opened is no codec, though it holds one.
fn is_codec(path: &Path) -> bool {
    let names = folder::weights(path).and_then(|file| Ok(file::open(&file)?.tensors()?.names()));
    codec(path).is_ok() && names.is_ok_and(|names| !names.iter().any(|name| name.starts_with("semantic.")))
}
