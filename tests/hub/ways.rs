//! Every way in which hubs, mirrors and proxies are known to answer, in all combinations.

use super::server::{COMMIT, Fault, Length, Packed, Ranges, Road, Served, Told, Way, git_sha1, sha256};
use super::{REPO, World, library, ran, weights};
use barkclone::models::{Entry, ModelKind};
use barkclone::progress::Silent;
use std::fs;
use std::path::Path;

const ROADS: [Road; 6] =
    [Road::Direct, Road::Here(307), Road::There(302), Road::There(307), Road::There(308), Road::Long];
const TOLD: [Told; 3] = [Told::First, Told::Last, Told::Nowhere];
const RANGES: [Ranges; 7] = [
    Ranges::Honoured,
    Ranges::Ignored,
    Ranges::Unlabelled,
    Ranges::OpenEnded,
    Ranges::Short,
    Ranges::FromStart,
    Ranges::Refused,
];
const LENGTHS: [Length; 3] = [Length::Told, Length::Chunked, Length::Untold];

/// All combinations of the switches; the weakness of a tag alternates.
fn all_ways() -> Vec<Way> {
    let mut ways = Vec::new();
    for (road, tag) in ROADS.into_iter().flat_map(|road| TOLD.map(|tag| (road, tag))) {
        for (commit, size) in TOLD.into_iter().flat_map(|commit| TOLD.map(|size| (commit, size))) {
            for (ranges, length) in RANGES.into_iter().flat_map(|ranges| LENGTHS.map(|length| (ranges, length))) {
                for packed in [Packed::Never, Packed::IfAccepted, Packed::Always] {
                    let weak = ways.len() % 2 == 1;
                    ways.push(Way { road, tag, weak, commit, size, ranges, packed, length });
                }
            }
        }
    }
    ways
}

/// A codec of one file, which may be large.
fn entry(world: &World) -> Entry {
    let models = library(world);
    let entry = models.registry.find(ModelKind::Codec, "again", &[]).unwrap();
    let mut entry = entry.clone();
    entry.files[0].file = "model.bin".into();
    entry
}

/// Fetches `body` served in that way into an empty cache, and holds what is there then to it.
#[track_caller]
fn fetches(world: &World, body: &[u8], served: Served) {
    let way = served.way;
    let faults = served.faults.clone();
    let large = served.large;
    world.server.serve(REPO, "model.bin", served);
    let path = library(world).fetch(&entry(world), &Silent);
    let path = path.unwrap_or_else(|e| panic!("{way:?} {faults:?} {large}: {e:#}"));
    assert!(fs::read(&path).unwrap() == body, "{way:?} {faults:?}");
    let blobs = names(&world.repo().join("blobs"));
    assert_eq!(blobs.len(), 1, "nothing but the file is kept: {blobs:?} {way:?} {faults:?}");
    fs::remove_dir_all(world.home()).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

/// Runs `one` for each of the ways, on several threads, each with a hub of its own.
fn for_each(ways: Vec<Way>, one: impl Fn(&World, Way) + Sync) {
    let share = ways.len().div_ceil(8);
    std::thread::scope(|scope| {
        for ways in ways.chunks(share) {
            scope.spawn(|| {
                let world = World::new();
                ways.iter().for_each(|way| one(&world, *way));
            });
        }
    });
}

#[test]
fn a_file_arrives_whole_by_every_combination_of_redirect_range_encoding_tag_and_length() {
    let body = &weights()[..3_000];
    let ways: Vec<Way> = all_ways().into_iter().step_by(3).collect();
    assert_eq!(ways.len(), 3402 / 3 * 3);
    for_each(ways, |world, way| {
        let large = way.size == Told::First;
        fetches(world, body, Served { body: body.to_vec(), large, way: Some(way), ..Served::default() });
    });
}

#[test]
fn a_file_arrives_whole_by_every_combination_though_the_connection_is_cut_twice() {
    let body = &weights()[..30_000];
    // Where nothing tells the size, the end of a connection is the end of the file for everybody.
    let tells = |way: &Way| way.length != Length::Untold || way.size != Told::Nowhere || way.tag != Told::Nowhere;
    let ways: Vec<Way> = all_ways().into_iter().filter(tells).step_by(23).collect();
    for_each(ways, |world, way| {
        let faults = vec![Fault::CutAfter(9_000), Fault::CutAfter(9_000)];
        let large = way.size == Told::First;
        fetches(world, body, Served { body: body.to_vec(), large, way: Some(way), faults, ..Served::default() });
    });
}

#[test]
fn bodies_are_asked_for_as_they_are() {
    let world = World::new();
    world.models(&["fetch", "tiny"]).succeeds();
    let seen = world.server.seen();
    assert!(seen.len() >= 4 && seen.iter().all(|s| s.accept_encoding == "identity"), "{seen:?}");
}

#[test]
fn a_file_is_named_by_what_was_learnt_of_it() {
    let body = weights();
    let named = |way: Way, large: bool| {
        let world = World::new();
        world.server.serve(
            REPO,
            "model.bin",
            Served { body: body.clone(), large, way: Some(way), ..Served::default() },
        );
        library(&world).fetch(&entry(&world), &Silent).unwrap();
        let snapshots = names(&world.repo().join("snapshots"));
        (names(&world.repo().join("blobs")), snapshots, fs::read_to_string(world.repo().join("refs/main")).unwrap())
    };
    let commit = || (vec![COMMIT.to_string()], COMMIT.to_string());
    let (blobs, snapshots, refs) = named(Way::LARGE, true);
    assert_eq!((blobs, (snapshots, refs)), (vec![sha256(&body)], commit()));
    let (blobs, snapshots, refs) = named(Way::SMALL, false);
    assert_eq!((blobs, (snapshots, refs)), (vec![git_sha1(&body)], commit()));
    // No tag: the content's own hash. No commit: the branch's name.
    let bare = Way { tag: Told::Nowhere, commit: Told::Nowhere, size: Told::Nowhere, ..Way::SMALL };
    let (blobs, snapshots, refs) = named(bare, false);
    assert_eq!((blobs, snapshots, refs), (vec![sha256(&body)], vec!["main".to_string()], "main".to_string()));
}

#[test]
fn files_of_one_model_come_together_though_servers_tell_the_commit_of_some_alone() {
    for told in [[Told::Nowhere, Told::First], [Told::First, Told::Nowhere], [Told::Nowhere, Told::Nowhere]] {
        for size in [Told::First, Told::Nowhere] {
            let world = World::new();
            let way = |commit| Some(Way { commit, size, tag: size, ..Way::SMALL });
            let config = Served { body: super::CONFIG.to_vec(), way: way(told[0]), ..Served::default() };
            world.server.serve(REPO, "config.json", config);
            world.server.serve(REPO, "model.bin", Served { way: way(told[1]), ..super::large() });
            let fetched = world.models(&["fetch", "tiny"]).succeeds();
            let folder = Path::new(fetched.stdout.trim_end());
            assert_eq!(fs::read(folder.join("model.bin")).unwrap(), weights(), "{told:?}");
            assert_eq!(fs::read(folder.join("config.json")).unwrap(), super::CONFIG, "{told:?}");
            world.server.seen();
            world.models(&["fetch", "tiny"]).succeeds();
            assert!(world.server.seen().is_empty());
        }
    }
}

#[test]
fn a_damaged_body_is_noticed_wherever_its_hash_was_told() {
    for tag in [Told::First, Told::Last] {
        for large in [true, false] {
            let world = World::new();
            let mut body = weights();
            let etag = if large { sha256(&body) } else { git_sha1(&body) };
            body[150_000] ^= 1;
            let way = Some(Way { tag, ..if large { Way::LARGE } else { Way::SMALL } });
            world.server.serve(REPO, "model.bin", Served { body, etag, large, way, ..Served::default() });
            let error = format!("{:#}", library(&world).fetch(&entry(&world), &Silent).unwrap_err());
            assert!(error.contains("Nothing was kept"), "{error}");
            assert_eq!(names(&world.repo().join("blobs")), Vec::<String>::new());
        }
    }
}

#[test]
fn a_signed_address_that_ran_out_is_asked_for_again_and_the_download_goes_on_there() {
    let world = World::new();
    let faults = vec![Fault::CutAfter(100_000), Fault::Status(403), Fault::CutAfter(50_000), Fault::Status(403)];
    world.server.serve(REPO, "model.bin", Served { faults, ..super::large() });
    world.models(&["fetch", "tiny"]).succeeds();
    world.assert_whole();
    let seen = world.server.seen();
    let storage: Vec<_> = seen.iter().filter(|s| s.host == "storage").collect();
    let ranges: Vec<&str> = storage.iter().map(|s| s.range.as_str()).collect();
    assert_eq!(ranges, ["", "bytes=100000-", "bytes=100000-", "bytes=150000-", "bytes=150000-"]);
    let mut addresses: Vec<&str> = storage.iter().map(|s| s.path.as_str()).collect();
    addresses.dedup();
    assert_eq!(addresses.len(), 5, "another signature each time");
}

#[test]
fn a_signed_address_never_granted_is_told_without_its_signature() {
    let world = World::new();
    world.server.serve(REPO, "model.bin", Served { faults: vec![Fault::Status(403); 9], ..super::large() });
    let ended = world.models(&["fetch", "tiny"]);
    assert!(!ended.stderr.contains("Signature") && !ended.stderr.contains("secret"), "{}", ended.stderr);
    ended.fails(5, &["status 403", &world.server.storage]);
}

#[test]
fn a_rate_limit_is_waited_for_and_a_long_one_is_told() {
    let world = World::new();
    world.server.serve(REPO, "model.bin", Served { faults: vec![Fault::Limited(1)], ..super::large() });
    world.models(&["fetch", "tiny"]).succeeds();
    world.assert_whole();
    let world = World::new();
    world.server.serve(REPO, "model.bin", Served { faults: vec![Fault::Limited(3600)], ..super::large() });
    world.models(&["fetch", "tiny"]).fails(5, &["429", "HF_TOKEN", "3600 s"]);
}

#[test]
fn what_the_hub_says_of_a_refusal_is_passed_on() {
    let world = World::new();
    let refusal = Some((403, "GatedRepo", "Access to model ana/tiny is restricted"));
    world.server.serve(REPO, "model.bin", Served { refusal, ..super::large() });
    world
        .models(&["fetch", "tiny"])
        .fails(5, &["403", "GatedRepo", "Access to model ana/tiny is restricted", "HF_TOKEN"]);
}

#[test]
fn a_body_that_never_ends_or_an_error_page_in_its_place_is_not_kept() {
    let world = World::new();
    let way = Some(Way { road: Road::Direct, tag: Told::First, size: Told::Nowhere, ..Way::LARGE });
    let page = Served { body: b"<html>log in</html>".to_vec(), etag: sha256(&weights()), way, ..super::large() };
    world.server.serve(REPO, "model.bin", page);
    world.models(&["fetch", "tiny"]).fails(5, &["model.bin"]);
    assert!(!world.snapshot().join("model.bin").exists() && !world.part().exists());
    let world = World::new();
    world.server.serve(REPO, "model.bin", Served { stated: Some(300_001), ..super::large() });
    world.models(&["fetch", "tiny"]).fails(5, &["300000 bytes came", "300001 were announced (x-linked-size)"]);
    assert!(!world.snapshot().join("model.bin").exists() && !world.part().exists());
}

#[test]
fn redirects_in_a_circle_and_to_files_are_refused_with_the_address() {
    let world = World::new();
    for (location, word) in [("/ana/tiny/resolve/main/config.json", "redirects"), ("file:///etc/passwd", "file://")] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                use std::io::{Read, Write};
                let _ = stream.read(&mut [0; 4096]);
                let answer =
                    format!("HTTP/1.1 302 x\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).unwrap_or_default();
            }
        });
        ran(world.command(&["fetch", "tiny"]).env("HF_ENDPOINT", &address)).fails(5, &[word, &address]);
    }
}

#[test]
fn a_file_in_a_compression_that_was_not_asked_for_is_refused_by_its_name() {
    let world = World::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            use std::io::{Read, Write};
            let _ = stream.read(&mut [0; 4096]);
            let answer = "HTTP/1.1 200 x\r\ncontent-encoding: br\r\ncontent-length: 2\r\nconnection: close\r\n\r\nxx";
            stream.write_all(answer.as_bytes()).unwrap_or_default();
        }
    });
    ran(world.command(&["fetch", "tiny"]).env("HF_ENDPOINT", &address)).fails(5, &["content-encoding: br", &address]);
}
