//! Recordings from anywhere, of every kind that is read: read or refused, never a crash, and never more memory than the limit
//! asks for.
#![no_main]

use barkclone::audio::{Input, read};
use libfuzzer_sys::fuzz_target;
use std::io::Write;
use std::panic::set_hook;
use std::process::abort;

const SECONDS: f64 = 2.0;

// What symphonia and the decoders panic on is caught and becomes an error; any other panic ends the run, caught or not.
fuzz_target!(init: set_hook(Box::new(|panic| {
    let contained = |file: &str| ["symphonia", "ruopus", "syom"].iter().any(|crate_name| file.contains(crate_name));
    if !panic.location().is_some_and(|place| contained(place.file())) {
        eprintln!("{panic}");
        abort();
    }
})), |data: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(data).unwrap();
    if let Ok(clip) = read(Input::from(file.path()).with_ffmpeg(false), SECONDS) {
        assert!(clip.pcm.seconds() <= SECONDS + 1.0 && clip.pcm.samples.iter().all(|x| x.is_finite()));
    }
});
