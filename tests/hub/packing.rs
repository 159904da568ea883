//! Packed weights: made once by whoever comes first, never with another codec in them, and kept in order by `models`.

use super::{Ran, World, ran};
use crate::noise::Size;
use crate::standins::{Format, Spec, shared};
use barkclone::net::codec::CodecConfig;
use barkclone::tokens::FINE_CODEBOOKS;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

/// Bark with a codec of its own, and another codec: `bark/`, `codec.th`, `tokenizer.json` in `bark/`.
fn models() -> PathBuf {
    shared("packing", |dir| {
        let codec = CodecConfig { num_filters: 4, hidden_size: 16, ..CodecConfig::default() };
        let spec = |seed| Spec { codec: codec.clone(), codebooks: FINE_CODEBOOKS, ..Spec::new(Size::Tiny, seed) };
        fs::create_dir(dir.join("bark")).unwrap();
        spec(1).write_hf_bark(&dir.join("bark"), Format::Safetensors, true);
        spec(2).write_codec_th(&dir.join("codec.th"));
        let words = r#"{"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}"#;
        let tokenizer = format!(
            r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {{"type": "Whitespace"}}, "post_processor": null, "decoder": null, "model": {words}}}"#
        );
        fs::write(dir.join("bark/tokenizer.json"), tokenizer).unwrap();
    })
}

fn speak(world: &World, name: &str, flags: &[&str]) -> std::process::Command {
    let mut command = world.program();
    command.args(["speak", "Bom dia", "--seed", "6", "--max-seconds", "0.3", "--weights", "q8_0", "--bark"]);
    command.arg(models().join("bark")).args(flags).arg("-o").arg(world.folder.path().join(name));
    command
}

fn sound(world: &World, name: &str, flags: &[&str]) -> Vec<u8> {
    ran(&mut speak(world, name, flags)).succeeds();
    fs::read(world.folder.path().join(name)).unwrap()
}

fn packs(world: &World) -> Vec<PathBuf> {
    let files = fs::read_dir(world.home().join("barkclone")).into_iter().flatten().map(|e| e.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).collect()
}

#[test]
fn another_codec_never_enters_the_packed_bark() {
    let codec = models().join("codec.th").into_os_string().into_string().unwrap();
    let plain = sound(&World::new(), "plain.wav", &[]);
    let world = World::new();
    let other = sound(&world, "other.wav", &["--codec", &codec]);
    assert!(other != plain);
    assert!(sound(&world, "again.wav", &[]) == plain, "the pack that was made with --codec speaks with Bark's own");
    assert_eq!(packs(&world).len(), 1);
}

#[test]
fn of_many_processes_with_an_empty_cache_one_packs() {
    let world = World::new();
    let spawn = |i: usize| {
        let mut command = speak(&world, &format!("{i}.wav"), &[]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = (0..6).map(spawn).collect();
    let ended: Vec<_> = running.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(ended.iter().all(|o| o.status.success()), "{ended:?}");
    let packed = ended.iter().filter(|o| String::from_utf8_lossy(&o.stderr).contains("packing `")).count();
    assert_eq!((packed, packs(&world).len()), (1, 1));
}

#[test]
fn packed_files_are_listed_verified_and_removed() {
    let world = World::new();
    let bark = models().join("bark").into_os_string().into_string().unwrap();
    let pack = |weights: &str| -> Ran { world.models(&["pack", &bark, "--weights", weights]).succeeds() };
    let path = PathBuf::from(pack("q8_0").stdout.trim_end());
    // What a killed run leaves goes with the next one.
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let left = path.with_file_name(format!(".barkclone-{stem}-abc.part"));
    fs::write(&left, "half").unwrap();
    assert_eq!(PathBuf::from(pack("q8_0").stdout.trim_end()), path);
    assert!(!left.exists());
    let listed = world.models(&["list"]).succeeds().stdout;
    assert!(listed.lines().any(|l| l.starts_with(&bark) && l.contains("packed") && l.contains("q8_0")), "{listed}");
    assert!(world.models(&["list", "--json"]).succeeds().stdout.contains("\"weights\": \"q8_0\""));
    assert!(world.models(&["verify"]).succeeds().stdout.contains("as it was packed"));
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    world.models(&["verify", &bark]).fails(4, &["models pack", "--weights q8_0"]);
    let freed = world.models(&["remove", &bark]).succeeds().stdout;
    assert!(freed.contains("bytes)") && packs(&world).is_empty(), "{freed}");
    world.models(&["remove", &bark]).fails(2, &["no model is named"]);
}

#[test]
fn a_packed_file_whose_source_changed_is_stale_and_replaced() {
    let world = World::new();
    let copy = world.folder.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for file in fs::read_dir(models().join("bark")).unwrap().map(|e| e.unwrap().path()) {
        fs::copy(&file, copy.join(file.file_name().unwrap())).unwrap();
    }
    let bark = copy.to_str().unwrap();
    world.models(&["pack", bark, "--weights", "q8_0"]).succeeds();
    let config = fs::read(copy.join("config.json")).unwrap();
    fs::write(copy.join("config.json"), [&config[..], b"\n"].concat()).unwrap();
    let listed = world.models(&["list"]).succeeds().stdout;
    assert!(listed.lines().any(|l| l.contains("packed") && l.contains("stale")), "{listed}");
    assert!(world.models(&["verify"]).succeeds().stdout.contains("stale"));
    world.models(&["pack", bark, "--weights", "q8_0"]).succeeds();
    assert_eq!(packs(&world).len(), 1);
}
