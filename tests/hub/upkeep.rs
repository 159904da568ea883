//! What is done with cached files: verifying, removing, finding, listing.

use super::server::{COMMIT, Served, sha256};
use super::{CONFIG, REPO, World, library, weights};
use barkclone::models::{ModelKind, Source};
use barkclone::progress::Silent;
use std::fs;

const PRESETS: [&str; 3] = ["semantic", "coarse", "fine"];

#[test]
fn verify_finds_a_flipped_byte_and_fetch_repairs_it() {
    let world = World::new();
    world.models(&["verify", "tiny"]).fails(4, &["tiny is not in the cache"]);
    world.models(&["fetch", "tiny"]).succeeds();
    let sound = world.models(&["verify"]).succeeds().stdout;
    assert!(sound.lines().all(|l| l.starts_with("ok ")) && sound.contains(&sha256(&weights())), "{sound}");
    let blob = world.snapshot().join("model.bin").canonicalize().unwrap();
    let modified = fs::metadata(&blob).unwrap().modified().unwrap();
    let mut body = weights();
    body[1] ^= 0x40;
    fs::write(&blob, body).unwrap();
    // Even the time of change does not give it away.
    fs::File::options().write(true).open(&blob).unwrap().set_modified(modified).unwrap();
    // What was checked once is not read again on every start: only `verify` does that.
    world.models(&["fetch", "tiny", "--offline"]).succeeds();
    world.models(&["verify", "tiny"]).fails(4, &["tiny", "barkclone models fetch tiny"]);
    world.models(&["fetch", "tiny", "--offline"]).fails(4, &["damaged", "model.bin"]);
    let repaired = world.models(&["fetch", "tiny"]).succeeds();
    assert!(repaired.stderr.contains("damaged"), "{}", repaired.stderr);
    world.assert_whole();
}

#[test]
fn a_sound_file_that_a_pinned_registry_does_not_describe_is_left_in_place_and_refused() {
    let world = World::new();
    world.models(&["fetch", "tiny"]).succeeds();
    world.write_registry_at(COMMIT, &"cd".repeat(32));
    world.models(&["fetch", "tiny"]).fails(4, &["model.bin", "not the file that the registry describes", "remove"]);
    world.assert_whole();
}

#[test]
fn remove_frees_what_is_the_models_own_and_keeps_what_is_shared() {
    let world = World::new();
    world.models(&["fetch", "tiny"]).succeeds();
    let freed = world.models(&["remove", "tiny"]).succeeds().stdout;
    assert!(freed.contains("300000 bytes"), "{freed}");
    assert!(!world.snapshot().join("model.bin").exists() && !world.part().with_extension("").exists());
    assert_eq!(fs::read(world.snapshot().join("config.json")).unwrap(), CONFIG);
    world.models(&["path", "again"]).succeeds();
    world.models(&["path", "tiny"]).fails(4, &["model.bin", "barkclone models fetch tiny"]);
}

#[test]
fn removing_the_last_model_of_a_repository_leaves_nothing_behind() {
    let world = World::new();
    let registry = world.folder.path().join("registry.toml");
    let text = fs::read_to_string(&registry).unwrap().replace("[{ file = \"config.json\" }]", "[{ file = \"x\" }]");
    fs::write(&registry, text).unwrap();
    world.models(&["fetch", "tiny"]).succeeds();
    fs::write(world.repo().join("blobs").join("ab.part"), b"12345").unwrap();
    let freed = world.models(&["remove", "tiny"]).succeeds().stdout;
    assert!(freed.contains(&format!("{} bytes", 300_000 + CONFIG.len() + 5)), "{freed}");
    assert!(!world.repo().exists() && world.home().join("hub").exists());
}

#[cfg(unix)]
#[test]
fn files_of_other_tools_survive_a_removal() {
    let world = World::new();
    world.models(&["fetch", "tiny"]).succeeds();
    let other = world.repo().join("snapshots").join("f".repeat(40));
    fs::create_dir_all(&other).unwrap();
    let blob = format!("../../blobs/{}", sha256(&weights()));
    std::os::unix::fs::symlink(blob, other.join("model.bin")).unwrap();
    fs::write(world.snapshot().join("README.md"), "theirs").unwrap();
    let freed = world.models(&["remove", "tiny"]).succeeds().stdout;
    assert!(freed.contains("(0 bytes)"), "{freed}");
    assert_eq!(fs::read(other.join("model.bin")).unwrap(), weights());
    assert!(world.snapshot().join("README.md").exists());
}

fn serve_preset(world: &World, name: &str) {
    for array in PRESETS {
        let body = format!("{name} {array}").into_bytes();
        let file = format!("speaker_embeddings/{name}_{array}_prompt.npy");
        world.server.serve(REPO, &file, Served { body, large: true, ..Served::default() });
    }
}

#[test]
fn presets_are_fetched_by_their_names() {
    let world = World::new();
    serve_preset(&world, "v2/pt_speaker_3");
    serve_preset(&world, "announcer");
    world.models(&["fetch", "v2/pt_speaker_3", "announcer"]).succeeds();
    let listed = world.models(&["list"]).succeeds().stdout;
    assert!(listed.lines().any(|l| l.starts_with("voices") && l.contains("partial")), "{listed}");
    let models = library(&world);
    world.server.requests();
    for name in ["v2/pt_speaker_3", "announcer"] {
        let paths = models.voice_preset(name, &Silent).unwrap();
        for (path, array) in paths.iter().zip(PRESETS) {
            assert_eq!(fs::read_to_string(path).unwrap(), format!("{name} {array}"));
        }
    }
    assert_eq!(world.server.requests(), Vec::<String>::new());
    world.models(&["fetch", "v2/pt_speaker_33"]).fails(2, &["did you mean `v2/pt_speaker_3`"]);
    let error = models.voice_preset("v2/xx_speaker_1", &Silent).unwrap_err().to_string();
    assert!(error.contains("v2/xx_speaker_1") && error.contains("announcer"), "{error}");
    world.models(&["remove", "v2/pt_speaker_3"]).succeeds();
    assert!(world.models(&["path", "announcer"]).succeeds().stdout.contains(COMMIT));
    world.models(&["path", "v2/pt_speaker_3"]).fails(4, &["models fetch v2/pt_speaker_3"]);
}

#[test]
fn a_choice_is_a_path_if_it_exists_and_a_name_otherwise() {
    let world = World::new();
    let models = library(&world);
    let resolve = |choice: &str| models.resolve(ModelKind::Bark, choice, &Silent);
    let folder = world.folder.path().to_str().unwrap();
    assert_eq!(resolve(folder).unwrap(), Source::Path(folder.into()));
    assert_eq!(resolve("demo").unwrap(), Source::Builtin);
    assert_eq!(resolve("tiny").unwrap(), Source::Path(world.snapshot()));
    let error = format!("{:#}", resolve("tinny").unwrap_err());
    assert!(error.contains("no file or folder") && error.contains("did you mean `tiny`"), "{error}");
    let error = format!("{:#}", resolve("./nowhere/model.bin").unwrap_err());
    assert!(error.contains("./nowhere/model.bin") && error.contains("existing file"), "{error}");
    let error = format!("{:#}", models.resolve(ModelKind::Codec, "tiny", &Silent).unwrap_err());
    assert!(error.contains("codec") && error.contains("again"), "{error}");
}

#[test]
fn the_list_is_an_aligned_table_and_plain_json() {
    let world = World::new();
    world.models(&["fetch", "again"]).succeeds();
    let table = world.models(&["list"]).succeeds().stdout;
    let state_column = table.find("STATE").unwrap();
    for (name, state) in [("tiny", "partial"), ("again", "cached"), ("demo", "built in"), ("voices", "absent")] {
        let line = table.lines().find(|l| l.starts_with(name)).unwrap();
        assert!(line[state_column..].starts_with(state), "{table}");
    }
    let json = world.models(&["list", "--json"]).succeeds().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[1]["name"], "again");
    assert_eq!((json[1]["state"].as_str(), json[1]["cached_bytes"].as_u64()), (Some("cached"), Some(15)));
}

#[test]
fn wrong_names_and_registries_are_refused_before_anything_happens() {
    let world = World::new();
    world.models(&["fetch", "tiny", "tinny"]).fails(2, &["did you mean `tiny`?", "again, demo, tiny, voices"]);
    world.models(&["path", "demo"]).fails(2, &["built in"]);
    world.models(&["remove", "demo"]).fails(2, &["built in"]);
    assert_eq!(world.models(&["verify", "demo"]).succeeds().stdout, "built in    demo  bark\n");
    assert_eq!(world.server.requests(), Vec::<String>::new());
    fs::write(world.folder.path().join("registry.toml"), "[[model]]\nname = 3").unwrap();
    world.models(&["list"]).fails(2, &["--registry", "registry.toml"]);
}

#[test]
fn a_cache_that_cannot_be_written_is_told_as_such() {
    let world = World::new();
    fs::write(world.home(), "a file where a folder should be").unwrap();
    world.models(&["fetch", "tiny"]).fails(6, &["cache", "cannot be written"]);
}
