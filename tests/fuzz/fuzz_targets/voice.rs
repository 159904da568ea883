//! Voice files from anywhere: read or refused, checked, and mended if there is anything to mend; what is mended is a voice.
//!
//! An archive's checksums would turn nearly every mutation away at the door, so most inputs are the entries, and the archive is
//! made around them.
#![no_main]

use barkclone::voice::{Place, differences, problems, repair};
use libfuzzer_sys::fuzz_target;
use std::io::{Cursor, Write};
use zip::CompressionMethod::Stored;
use zip::write::SimpleFileOptions;

const KEYS: [&str; 4] = ["semantic_prompt", "coarse_prompt", "fine_prompt", "barkclone_provenance"];
/// What parts the entries in an input.
const FENCE: &[u8] = b"====";

fuzz_target!(|data: &[u8]| {
    let bytes = if data.starts_with(b"PK") { data.to_vec() } else { archive(data) };
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let Ok(raw) = Place::Npz(file.path().to_owned()).read() else { return };
    let (found, as_it_is) = (problems(&raw), raw.voice());
    assert!(as_it_is.is_err() || found.iter().all(|p| p.contains("looks for") || p.contains("8 bits") || p.contains("has the shape")), "{found:?}");
    if let Ok(mended) = repair(raw) {
        let stretch = mended.voice.cut(0.0..mended.voice.seconds());
        assert!(stretch.is_ok_and(|voice| differences(&voice, &mended.voice)[2].lengths[0] > 0));
    }
});

fn archive(data: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut rest = data;
    for key in KEYS {
        let end = rest.windows(FENCE.len()).position(|bytes| bytes == FENCE).unwrap_or(rest.len());
        archive.start_file(format!("{key}.npy"), SimpleFileOptions::default().compression_method(Stored)).unwrap();
        archive.write_all(&rest[..end]).unwrap();
        rest = rest.get(end + FENCE.len()..).unwrap_or_default();
    }
    archive.finish().unwrap().into_inner()
}
