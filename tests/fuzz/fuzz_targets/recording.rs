//! Recordings from anywhere, of every kind that is read: read or refused, never a crash, and never more memory than the limit
//! asks for.
#![no_main]

use barkclone::audio::{read, read_info};
use libfuzzer_sys::fuzz_target;
use std::io::Write;
use std::panic::set_hook;
use std::process::abort;

const SECONDS: f64 = 2.0;

// What symphonia and its decoders panic on is caught and becomes an error; any other panic ends the run, caught or not.
fuzz_target!(init: set_hook(Box::new(|panic| {
    let contained = |file: &str| file.contains("symphonia") || file.contains("ruopus");
    if !panic.location().is_some_and(|place| contained(place.file())) {
        eprintln!("{panic}");
        abort();
    }
})), |data: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(data).unwrap();
    if let Ok(clip) = read(file.path(), SECONDS) {
        assert!(clip.pcm.seconds() <= SECONDS + 1.0 && clip.pcm.samples.iter().all(|x| x.is_finite()));
    }
    let _ = read_info(file.path());
});
