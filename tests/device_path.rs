//! What a GPU would run, on the CPU: the same comparisons and batches, by candle's operations in a process of their own.

use std::env;
use std::process::Command;

#[test]
fn without_the_kernels_upstream_is_equalled_and_batches_change_nothing() {
    let names = ["parity_speak", "parity_clone", "an_utterance_has_the_tokens"];
    let child =
        Command::new(env::current_exe().unwrap()).args(names).env("BARKCLONE_DEVICE", "candle").output().unwrap();
    let told = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{told}");
    for name in names {
        assert!(told.lines().any(|line| line.contains(name) && line.ends_with("... ok")), "no {name} in {told}");
    }
}
