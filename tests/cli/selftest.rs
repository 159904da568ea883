//! Which kernels run, and whether they compute what they should.

use super::{Desk, Ran};
use serde_json::Value;

fn with_kernels(desk: &Desk, name: &str, arguments: &[&str]) -> Ran {
    Ran::of(desk.command(arguments).env("BARKCLONE_KERNELS", name).output().unwrap())
}

#[test]
fn this_machine_passes_its_selftest() {
    let desk = Desk::new();
    let told = desk.run(&["models", "selftest"]);
    assert!(told.prints().lines().all(|line| line.contains(" right")), "{}", told.prints());
    let json = desk.run(&["models", "selftest", "--json"]);
    let json: Value = serde_json::from_str(json.prints()).unwrap();
    let all = |part: &str| json[part].as_array().unwrap().iter().all(|one| one["right"] == true);
    assert!(all("kernels") && all("utterance") && !json["utterance"].as_array().unwrap().is_empty());
}

#[test]
fn the_environment_chooses_the_kernels_and_the_version_shows_them() {
    let desk = Desk::new();
    let scalar = with_kernels(&desk, "scalar", &["--version", "-v"]);
    assert!(scalar.prints().contains("kernels  scalar (this machine has scalar"), "{}", scalar.prints());
    assert_eq!(with_kernels(&desk, "", &["--version"]).prints().lines().count(), 1);
    with_kernels(&desk, "neon", &["--version"]).fails(2, &["BARKCLONE_KERNELS=neon: this machine has scalar"]);
}
