//! The cache as others leave it, and several processes on it.

use super::server::{COMMIT, Fault, Length, Served, Way, git_sha1, sha256};
use super::{CONFIG, REPO, World, ran, weights};
use std::fs;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn without_refs_the_only_snapshot_serves_offline_and_a_second_one_makes_it_unsure() {
    for revision in ["main", COMMIT, &"f".repeat(40)] {
        let world = World::new();
        world.models(&["fetch", "tiny"]).succeeds();
        fs::remove_dir_all(world.repo().join("refs")).unwrap();
        world.write_registry_at(revision, &sha256(&weights()));
        world.models(&["fetch", "tiny", "--offline"]).succeeds();
        fs::create_dir_all(world.repo().join("snapshots").join("e".repeat(40))).unwrap();
        let again = world.models(&["fetch", "tiny", "--offline"]);
        if revision == COMMIT { drop(again.succeeds()) } else { again.fails(5, &["models fetch tiny"]) }
    }
}

#[test]
fn a_pinned_commit_reuses_what_another_revision_brought() {
    let world = World::new();
    world.models(&["fetch", "tiny"]).succeeds();
    fs::rename(world.snapshot(), world.repo().join("snapshots").join("e".repeat(40))).unwrap();
    fs::write(world.repo().join("refs/main"), "e".repeat(40)).unwrap();
    world.write_registry_at(COMMIT, &sha256(&weights()));
    world.server.seen();
    world.models(&["fetch", "tiny"]).succeeds();
    world.assert_whole();
    assert!(!world.repo().join("refs").join(COMMIT).exists());
}

#[test]
fn the_caches_older_name_is_honoured() {
    let world = World::new();
    let older = world.folder.path().join("older");
    ran(world.command(&["fetch", "tiny"]).env("HUGGINGFACE_HUB_CACHE", &older)).succeeds();
    assert!(older.join("models--ana--tiny/snapshots").join(COMMIT).join("model.bin").exists());
}

/// Runs `body` with the world's cache of `tiny` filled and, for everybody but root, without the right to write.
#[cfg(unix)]
fn read_only(world: &World, is_writable: bool) {
    use std::os::unix::fs::PermissionsExt;
    let mode = |is_folder| {
        if is_writable {
            0o755
        } else if is_folder {
            0o555
        } else {
            0o444
        }
    };
    let mut folders = vec![world.home()];
    while let Some(folder) = folders.pop() {
        folders.extend(
            fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir() && !p.is_symlink()),
        );
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode(true))).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_cache_that_cannot_be_written_is_hashed_once_and_remembered_elsewhere() {
    let world = World::new();
    world.models(&["fetch", "tiny"]).succeeds();
    fs::remove_dir_all(world.repo().join(".barkclone")).unwrap();
    read_only(&world, false);
    // Root writes everywhere: where this runs as root, the note stays in the cache.
    let noted_there = fs::create_dir(world.repo().join("probe")).is_ok();
    world.models(&["fetch", "tiny"]).succeeds();
    let notes =
        if noted_there { world.repo().join(".barkclone") } else { world.folder.path().join("own/barkclone/checked") };
    let noted = fs::read_dir(&notes).unwrap().count();
    assert!(noted > 0);
    // A byte flipped behind the note's back is not seen: nothing is hashed again.
    read_only(&world, true);
    let blob = world.snapshot().join("model.bin").canonicalize().unwrap();
    let modified = fs::metadata(&blob).unwrap().modified().unwrap();
    let mut body = weights();
    body[7] ^= 1;
    fs::write(&blob, body).unwrap();
    fs::File::options().write(true).open(&blob).unwrap().set_modified(modified).unwrap();
    read_only(&world, false);
    world.models(&["fetch", "tiny"]).succeeds();
    read_only(&world, true);
    assert_eq!(
        world.server.requests().iter().filter(|r| r.contains("model.bin")).count(),
        2,
        "fetched once, by two requests"
    );
}

#[cfg(unix)]
#[test]
fn a_download_that_was_interrupted_or_killed_is_gone_on_with() {
    for (signal, code) in [("-INT", Some(130)), ("-TERM", Some(130)), ("-KILL", None)] {
        let world = World::new();
        world.server.serve(REPO, "model.bin", Served { faults: vec![Fault::StallAfter(120_000)], ..super::large() });
        let mut child = world.command(&["fetch", "tiny"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let arrived = || {
            let blobs = fs::read_dir(world.repo().join("blobs")).into_iter().flatten().flatten();
            blobs
                .filter(|e| e.file_name().to_string_lossy().ends_with(".part"))
                .filter_map(|e| e.metadata().ok())
                .any(|m| m.len() == 120_000)
        };
        while !arrived() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), code, "{signal}");
        world.server.seen();
        world.models(&["fetch", "tiny"]).succeeds();
        world.assert_whole();
        assert!(world.server.seen().iter().any(|s| s.range == "bytes=120000-"), "{signal}");
        let left: Vec<_> = fs::read_dir(world.repo().join("blobs")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "{signal}: {left:?}");
    }
}

/// A library that answers in `flock`'s and `symlink`'s place, or nothing where there is no C compiler.
#[cfg(target_os = "linux")]
fn preloaded(world: &World, code: &str) -> Option<std::path::PathBuf> {
    let (source, library) = (world.folder.path().join("x.c"), world.folder.path().join("x.so"));
    fs::write(&source, format!("#include <errno.h>\n{code}\n")).unwrap();
    let built = std::process::Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    built.is_ok_and(|status| status.success()).then_some(library)
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_system_without_locks_is_told_once_and_gone_on_with() {
    for errno in ["ENOSYS", "EOPNOTSUPP", "ENOLCK"] {
        let world = World::new();
        let code = format!("int flock(int fd, int how) {{ errno = {errno}; return -1; }}");
        let Some(library) = preloaded(&world, &code) else { return eprintln!("not run: no C compiler") };
        let fetched = ran(world.command(&["fetch", "tiny"]).env("LD_PRELOAD", library)).succeeds();
        world.assert_whole();
        assert_eq!(fetched.stderr.matches("no file locks").count(), 1, "{errno}: {}", fetched.stderr);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn where_locks_are_only_pretended_two_fetches_at_once_end_with_a_whole_file() {
    let world = World::new();
    let Some(library) = preloaded(&world, "int flock(int fd, int how) { return 0; }") else {
        return eprintln!("not run: no C compiler");
    };
    let faults = vec![Fault::Slow(Duration::from_millis(200)), Fault::Slow(Duration::from_millis(250))];
    world.server.serve(REPO, "model.bin", Served { faults, ..super::large() });
    let spawn = || {
        let mut command = world.command(&["fetch", "tiny"]);
        command.env("LD_PRELOAD", &library).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let ended = [spawn(), spawn(), spawn()].map(|child| child.wait_with_output().unwrap());
    assert!(ended.iter().all(|o| o.status.success()), "{ended:?}");
    world.assert_whole();
    world.models(&["verify", "tiny"]).succeeds();
    assert_eq!(fs::read_dir(world.repo().join("blobs")).unwrap().count(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn where_links_cannot_be_made_files_are_copies() {
    let world = World::new();
    let code = "int symlink(const char *a, const char *b) { errno = EPERM; return -1; }";
    let Some(library) = preloaded(&world, code) else { return eprintln!("not run: no C compiler") };
    ran(world.command(&["fetch", "tiny"]).env("LD_PRELOAD", &library)).succeeds();
    assert!(!world.snapshot().join("model.bin").is_symlink());
    world.assert_whole();
    world.models(&["verify", "tiny"]).succeeds();
    world.server.seen();
    ran(world.command(&["fetch", "tiny"]).env("LD_PRELOAD", &library)).succeeds();
    assert!(world.server.seen().is_empty());
    let freed = world.models(&["remove", "tiny"]).succeeds().stdout;
    assert!(freed.contains("300000 bytes"), "{freed}");
    // A blob that is there already, of another snapshot, is copied.
    let blob = world.repo().join("blobs").join(git_sha1(CONFIG));
    fs::create_dir_all(blob.parent().unwrap()).unwrap();
    fs::write(&blob, CONFIG).unwrap();
    ran(world.command(&["fetch", "tiny"]).env("LD_PRELOAD", &library)).succeeds();
    world.assert_whole();
    assert!(blob.exists());
}

#[test]
fn a_repository_that_is_gone_has_its_mirrors_tried_in_order() {
    let world = World::new();
    let registry = world.folder.path().join("registry.toml");
    let text = fs::read_to_string(&registry).unwrap();
    let mirrors = "mirrors = [{ repo = 'ana/gone' }, { repo = 'ana/copy', file = 'renamed.json' }]\n";
    let text = text.replace("purpose = \"shares a file with tiny\"", &format!("purpose = 'x'\n{mirrors}"));
    fs::write(&registry, text.replacen("config.json\" }]", "lost.json\" }]", 9)).unwrap();
    world.models(&["fetch", "again"]).fails(5, &["lost.json", "404", "ana/gone", "ana/copy", "--codec FILE"]);
    world.server.serve("ana/copy", "renamed.json", Served { body: CONFIG.to_vec(), ..Served::default() });
    let fetched = world.models(&["fetch", "again"]).succeeds();
    assert!(fetched.stderr.contains("trying the mirror ana/copy"), "{}", fetched.stderr);
    let path = fetched.stdout.trim_end();
    assert!(path.ends_with("renamed.json") && fs::read(path).unwrap() == CONFIG, "{path}");
    world.server.seen();
    world.models(&["fetch", "again"]).succeeds();
    assert!(world.server.seen().is_empty(), "what a mirror brought is in the cache");
    assert_eq!(world.models(&["path", "again"]).succeeds().stdout.trim_end(), path);
    let listed = world.models(&["list"]).succeeds().stdout;
    assert!(listed.lines().any(|l| l.starts_with("again") && l.contains("cached")), "{listed}");
    assert!(world.models(&["verify", "again"]).succeeds().stdout.starts_with("ok "));
    assert!(world.models(&["remove", "again"]).succeeds().stdout.contains("15 bytes"));
    world.models(&["path", "again"]).fails(4, &["models fetch again"]);
}

#[test]
fn what_the_disk_cannot_take_is_refused_before_anything_comes() {
    let world = World::new();
    let registry = world.folder.path().join("registry.toml");
    let text = fs::read_to_string(&registry).unwrap().replace("size = 300000", "size = 9000000000000000000");
    fs::write(&registry, text).unwrap();
    world.models(&["fetch", "again", "tiny"]).fails(6, &["9000000000 GB are needed", "free", "HF_HOME"]);
    assert_eq!(world.server.requests(), Vec::<String>::new());
    // The registry knows nothing, the hub tells.
    let text = fs::read_to_string(&registry).unwrap().replace("size = 9000000000000000000, ", "");
    fs::write(&registry, text).unwrap();
    let way = Some(Way { length: Length::Chunked, ..Way::LARGE });
    world.server.serve(REPO, "model.bin", Served { stated: Some(9_000_000_000_000_000_000), way, ..super::large() });
    world.models(&["fetch", "tiny"]).fails(6, &["model.bin", "are needed", "free"]);
    assert!(!world.part().exists());
}
