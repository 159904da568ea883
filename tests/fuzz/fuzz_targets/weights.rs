//! Files of weights from anywhere, pickles first of all: read or refused, every tensor within its file.
#![no_main]

use barkclone::checkpoint::file::{Opened, open};
use libfuzzer_sys::fuzz_target;
use std::io::Write;

fuzz_target!(|data: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(data).unwrap();
    let Ok(opened) = open(file.path()) else { return };
    if let Opened::Torch(torch) = &opened {
        let _ = torch.note(".info");
        for (_, value) in torch.root().pairs() {
            let _ = torch.tensors(value);
        }
    }
    let Ok(tensors) = opened.tensors() else { return };
    for name in tensors.names() {
        let _ = tensors.array(&name);
    }
});
