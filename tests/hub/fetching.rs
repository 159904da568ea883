//! Getting files: whole, resumed, checked, or refused with a clear word.

use super::server::{COMMIT, Fault, Served, git_sha1, sha256};
use super::{CONFIG, REPO, World, large, ran, weights};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn a_model_is_announced_fetched_and_then_needs_no_network() {
    let world = World::new();
    let first = world.models(&["fetch", "tiny"]).succeeds();
    world.assert_whole();
    assert_eq!(first.stdout.trim_end(), world.snapshot().to_str().unwrap());
    for word in ["fetching tiny", "model.bin", "300 kB", REPO, &world.server.address, "licence: MIT"] {
        assert!(first.stderr.contains(word), "`{word}` is not in: {}", first.stderr);
    }
    assert!(!world.server.requests().is_empty());
    let second = world.models(&["fetch", "tiny"]).succeeds();
    assert_eq!((second.stdout, second.stderr), (first.stdout, String::new()));
    assert_eq!(world.server.requests(), Vec::<String>::new());
}

#[test]
fn the_cache_is_laid_out_as_hugging_faces_own_tools_expect() {
    let world = World::new();
    world.models(&["fetch", "tiny"]).succeeds();
    assert_eq!(fs::read_to_string(world.repo().join("refs/main")).unwrap(), COMMIT);
    let target = |file: &str| fs::read_link(world.snapshot().join(file)).unwrap();
    assert_eq!(target("model.bin"), Path::new("../../blobs").join(sha256(&weights())));
    assert_eq!(target("config.json"), Path::new("../../blobs").join(git_sha1(CONFIG)));
}

#[cfg(unix)]
#[test]
fn files_that_other_tools_cached_are_checked_once_and_used() {
    let world = World::new();
    for (name, hash, body) in
        [("config.json", git_sha1(CONFIG), CONFIG.to_vec()), ("model.bin", sha256(&weights()), weights())]
    {
        let blob = world.repo().join("blobs").join(&hash);
        fs::create_dir_all(blob.parent().unwrap()).unwrap();
        fs::create_dir_all(world.snapshot()).unwrap();
        fs::write(&blob, body).unwrap();
        std::os::unix::fs::symlink(format!("../../blobs/{hash}"), world.snapshot().join(name)).unwrap();
    }
    fs::create_dir_all(world.repo().join("refs")).unwrap();
    fs::write(world.repo().join("refs/main"), COMMIT).unwrap();
    world.models(&["fetch", "tiny"]).succeeds();
    assert_eq!(fs::read_dir(world.repo().join(".barkclone")).unwrap().count(), 2, "a note for each file");
    assert_eq!(world.server.requests(), Vec::<String>::new());
}

#[test]
fn a_branch_that_moved_is_followed_until_one_snapshot_holds_every_file() {
    let world = World::new();
    let older = world.repo().join("snapshots").join("f".repeat(40));
    fs::create_dir_all(&older).unwrap();
    fs::write(older.join("config.json"), CONFIG).unwrap();
    fs::create_dir_all(world.repo().join("refs")).unwrap();
    fs::write(world.repo().join("refs/main"), "f".repeat(40)).unwrap();
    let result = world.models(&["fetch", "tiny"]).succeeds();
    assert_eq!(result.stdout.trim_end(), world.snapshot().to_str().unwrap());
    world.assert_whole();
}

#[test]
fn a_cut_connection_is_resumed_where_it_broke() {
    let world = World::new();
    let faults = vec![Fault::CutAfter(100_000), Fault::CutAfter(50_000)];
    world.server.serve(REPO, "model.bin", Served { faults, ..large() });
    let result = world.models(&["fetch", "tiny"]).succeeds();
    world.assert_whole();
    assert!(result.stderr.contains("trying again"), "{}", result.stderr);
    let requests = world.server.requests().join("\n");
    assert!(requests.contains("bytes=100000-") && requests.contains("bytes=150000-"), "{requests}");
}

#[test]
fn a_silent_server_is_asked_once_more_then_given_up_and_the_next_run_resumes() {
    let world = World::new();
    let faults = vec![Fault::StallAfter(120_000), Fault::StallAfter(0)];
    world.server.serve(REPO, "model.bin", Served { faults, ..large() });
    ran(world.command(&["fetch", "tiny"]).env("HF_HUB_DOWNLOAD_TIMEOUT", "1")).fails(5, &["no byte for 1 s", "again"]);
    assert_eq!(fs::metadata(world.part()).unwrap().len(), 120_000);
    let list = world.models(&["list"]).succeeds().stdout;
    assert!(list.lines().any(|l| l.starts_with("tiny") && l.contains("partial")), "{list}");
    world.server.requests();
    world.models(&["fetch", "tiny"]).succeeds();
    world.assert_whole();
    assert!(world.server.requests().iter().any(|r| r.contains("bytes=120000-")));
}

#[test]
fn a_busy_hub_is_asked_again() {
    let world = World::new();
    world.server.serve(REPO, "model.bin", Served { faults: vec![Fault::Status(503)], ..large() });
    world.models(&["fetch", "tiny"]).succeeds();
    world.assert_whole();
}

#[test]
fn garbage_left_by_an_earlier_download_is_noticed_and_replaced() {
    // Shorter than the file, as long as it, longer than it.
    for length in [1_000, 300_000, 400_000] {
        let world = World::new();
        fs::create_dir_all(world.part().parent().unwrap()).unwrap();
        fs::write(world.part(), vec![7; length]).unwrap();
        world.models(&["fetch", "tiny"]).succeeds();
        world.assert_whole();
    }
}

#[test]
fn a_complete_part_costs_no_byte_and_a_server_without_ranges_costs_no_truth() {
    let world = World::new();
    fs::create_dir_all(world.part().parent().unwrap()).unwrap();
    fs::write(world.part(), weights()).unwrap();
    world.server.serve(REPO, "model.bin", Served { faults: vec![Fault::CutAfter(0)], ..large() });
    world.models(&["fetch", "tiny"]).succeeds();
    world.assert_whole();

    let world = World::new();
    fs::create_dir_all(world.part().parent().unwrap()).unwrap();
    fs::write(world.part(), &weights()[..1_000]).unwrap();
    world.server.serve(REPO, "model.bin", Served { faults: vec![Fault::IgnoreRange, Fault::IgnoreRange], ..large() });
    world.models(&["fetch", "tiny"]).succeeds();
    world.assert_whole();
}

#[test]
fn a_missing_file_is_named_with_its_repository() {
    let world = World::new();
    let registry = world.folder.path().join("registry.toml");
    let text = fs::read_to_string(&registry).unwrap().replace("\"model.bin\"", "\"weights.bin\"");
    fs::write(&registry, text).unwrap();
    world.models(&["fetch", "tiny"]).fails(5, &["weights.bin", REPO, "404", "registry"]);
}

#[test]
fn a_token_is_asked_for_sent_and_its_refusal_told() {
    let world = World::new();
    let token = Some("hf_secret".to_string());
    world.server.serve(REPO, "model.bin", Served { token, ..large() });
    world.models(&["fetch", "tiny"]).fails(5, &["model.bin", REPO, "401", "set HF_TOKEN"]);
    ran(world.command(&["fetch", "tiny"]).env("HF_TOKEN", "wrong")).fails(5, &["401", "HF_TOKEN) is refused"]);
    world.server.requests();
    let result = ran(world.command(&["fetch", "tiny"]).env("HF_TOKEN", "hf_secret")).succeeds();
    world.assert_whole();
    assert!(world.server.requests().iter().any(|r| r.ends_with("Bearer hf_secret")));
    assert!(!result.stderr.contains("hf_secret"));
}

#[test]
fn a_file_other_than_announced_is_not_kept() {
    let world = World::new();
    let mut body = weights();
    body[299_999] ^= 1;
    world.server.serve(REPO, "model.bin", Served { body, etag: sha256(&weights()), ..large() });
    world.models(&["fetch", "tiny"]).fails(5, &["model.bin", "Nothing was kept", &sha256(&weights())]);
    assert!(!world.snapshot().join("model.bin").exists() && !world.part().exists());
    assert!(!world.part().with_extension("").exists());
}

#[test]
fn a_hub_that_announces_another_file_than_a_pinned_one_is_refused_before_the_download() {
    let world = World::new();
    world.write_registry_at(COMMIT, &"ab".repeat(32));
    world.models(&["fetch", "tiny"]).fails(5, &["model.bin", "expected"]);
    assert!(world.server.seen().iter().all(|seen| seen.host == "hub" || !seen.path.contains("model.bin?")));
    let world = World::new();
    world.write_registry_at(COMMIT, &sha256(&weights()));
    world.server.serve(REPO, "model.bin", Served { body: weights()[..5].to_vec(), ..large() });
    world.models(&["fetch", "tiny"]).fails(5, &["5 bytes", "300000 are expected"]);
    assert!(!world.snapshot().join("model.bin").exists());
}

#[test]
fn a_quoted_hash_warns_and_gives_way_to_the_hubs_own() {
    let world = World::new();
    world.write_registry(&"ab".repeat(32));
    let fetched = world.models(&["fetch", "tiny"]).succeeds();
    assert!(
        fetched.stderr.contains("registry quotes") && fetched.stderr.contains(&"ab".repeat(32)),
        "{}",
        fetched.stderr
    );
    world.assert_whole();
    assert_eq!(world.models(&["fetch", "tiny"]).succeeds().stderr, "");
    assert!(world.models(&["verify", "tiny"]).succeeds().stdout.contains("quotes"));
}

#[test]
fn hostile_tags_cannot_leave_the_cache_folder() {
    let world = World::new();
    world.server.serve(REPO, "model.bin", Served { etag: "../../../../escaped".into(), ..large() });
    world.models(&["fetch", "tiny"]).succeeds();
    world.assert_whole();
    assert!(!world.folder.path().join("escaped").exists());
}

#[test]
fn without_a_server_the_error_is_quick_and_says_what_still_works() {
    let world = World::new();
    let start = Instant::now();
    for nowhere in ["http://127.0.0.1:9", "http://no-such-host.invalid"] {
        let mut command = world.command(&["fetch", "tiny"]);
        command.env("HF_ENDPOINT", nowhere);
        ran(&mut command).fails(5, &["config.json", REPO, nowhere, "HF_ENDPOINT", "demo"]);
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn offline_no_request_is_made_and_the_error_says_how_to_fetch() {
    let world = World::new();
    let advice = "barkclone models fetch tiny";
    ran(world.command(&["fetch", "tiny"]).env("HF_HUB_OFFLINE", "1")).fails(5, &[advice, "config.json"]);
    world.models(&["fetch", "tiny", "--offline"]).fails(5, &[advice, "config.json"]);
    assert_eq!(world.server.requests(), Vec::<String>::new());
    world.models(&["fetch", "tiny"]).succeeds();
    world.server.requests();
    world.models(&["fetch", "tiny", "--offline"]).succeeds();
    assert_eq!(world.server.requests(), Vec::<String>::new());
}

#[test]
fn two_processes_at_once_download_once() {
    let world = World::new();
    let faults = vec![Fault::Slow(Duration::from_millis(300)), Fault::Slow(Duration::from_millis(300))];
    world.server.serve(REPO, "model.bin", Served { faults, ..large() });
    let spawn = || world.command(&["fetch", "tiny"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let running = [spawn(), spawn()];
    let ended: Vec<_> = running.map(|child| child.wait_with_output().unwrap()).into_iter().collect();
    assert!(ended.iter().all(|o| o.status.success()), "{ended:?}");
    world.assert_whole();
    let downloads = world.server.seen().into_iter().filter(|s| s.host == "storage");
    assert_eq!(downloads.count(), 1);
    let said = |o: &std::process::Output| String::from_utf8_lossy(&o.stderr).contains("another process is busy");
    assert!(ended.iter().any(said), "{ended:?}");
}
