//! Recordings from anywhere: read or refused, never a crash, and never more memory than the limit asks for.
#![no_main]

use barkclone::audio::{read_info, read_wav};
use libfuzzer_sys::fuzz_target;
use std::io::Write;

const SECONDS: f64 = 2.0;

fuzz_target!(|data: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(data).unwrap();
    if let Ok(clip) = read_wav(file.path(), SECONDS) {
        assert!(clip.pcm.seconds() <= SECONDS + 1.0 && clip.pcm.samples.iter().all(|x| x.is_finite()));
    }
    let _ = read_info(file.path());
});
