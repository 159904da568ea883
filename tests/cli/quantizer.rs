//! `barkclone quantizer`: from pairs to a quantizer that clones.

use super::Desk;
use crate::noise::Size;
use crate::quantizer::write_pairs;
use crate::standins::{Spec, shared};
use barkclone::audio::Pcm;
use barkclone::sound::is_silent;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A small quantizer, fast to train.
const SMALL: [&str; 11] =
    ["--demo", "--hidden", "16", "--vocab", "249", "--lr", "0.01", "--valid", "0.2", "--epochs", "3"];

fn desk() -> Desk {
    let desk = Desk::new();
    fs::create_dir(desk.path("data")).unwrap();
    write_pairs(&desk.path("data"), 6);
    desk
}

fn train(desk: &Desk, flags: &[&str]) -> super::Ran {
    desk.run(&[&["quantizer", "train", "data", "-o", "mine.pth"], &SMALL[..], flags].concat())
}

#[test]
fn a_trained_quantizer_tells_of_itself_is_judged_and_clones() {
    let desk = desk();
    let flags = ["--version", "0", "--language", "gl", "--licence", "CC0", "--report", "train.html", "--json"];
    let ran = train(&desk, &flags);
    let lines: Vec<Value> = ran.prints().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines.iter().map(|line| line["event"].as_str().unwrap()).collect::<Vec<_>>(),
        ["epoch", "epoch", "epoch", "done"]
    );
    ran.says(&["6 clips", "epoch 3 of 3: loss", "in first five", "held out", "left"]);
    assert_eq!(desk.files(), ["data", "mine.pth", "train.html"]);
    assert!(fs::read_to_string(desk.path("train.html")).unwrap().contains("<polyline"));
    let kept = fs::read_dir(desk.path("data/.features")).unwrap().map(|file| file.unwrap().path());
    assert_eq!(kept.filter(|path| path.extension().is_none_or(|ending| ending != "safetensors")).count(), 0);

    let ran = desk.run(&["quantizer", "info", "mine.pth"]);
    let info = ran.prints();
    let words = ["version 0: 96 features -> 16 -> 249 tokens", "language: gl", "licence: CC0", "data: data (6 clips"];
    for word in words.into_iter().chain(["epoch: ", " of 3\n"]) {
        assert!(info.contains(word), "{word}: {info}");
    }
    let ran = desk.run(&["quantizer", "eval", "mine.pth", "data", "--demo", "--json"]);
    let all: Value = serde_json::from_str(ran.prints().lines().last().unwrap()).unwrap();
    assert!(all["clips"] == 6 && all["score"]["loss"].as_f64().unwrap() < 5.5, "{all}");
    let built_in = desk.run(&["quantizer", "eval", "demo", "data", "--demo"]);
    assert!(built_in.prints().starts_with("right          "), "{}", built_in.prints());

    desk.babble("ref.wav", 2.0);
    let ran = desk.run(&["clone", "ref.wav", "--raw", "--demo", "--quantizer", "mine.pth", "-o", "voz.npz"]);
    assert_eq!(ran.prints(), "voz.npz");
    ran.says(&["the quantizer was trained on data (6 clips, 0:08), language gl, licence CC0"]);
    assert!(desk.run(&["voice", "inspect", "voz.npz"]).prints().contains("gl"));
}

/// A few clips are cloned and converted; the spectrum hears them.
#[test]
fn a_quantizer_is_judged_by_ear() {
    let desk = desk();
    let eval = |flags: &[&str]| desk.run(&[&["quantizer", "eval", "demo", "data", "--demo"], flags].concat());
    let ran = eval(&["--by-ear", "2", "--json"]);
    let lines: Vec<Value> = ran.prints().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 6 + 2 + 1);
    let names = |line: &Value| ["voice_of", "words_of"].map(|key| line[key].as_str().unwrap().to_owned());
    let (first, second) = (names(&lines[6]), names(&lines[7]));
    assert!(first[0] != first[1] && first[0] == second[1] && first[1] == second[0], "{first:?} {second:?}");
    let similarity = |line: &Value, key: &str| line[key].as_f64().unwrap();
    for line in &lines[6..8] {
        assert!((0.0..=1.0).contains(&similarity(line, "similarity")), "{line}");
        let apart = similarity(line, "similarity_before") - similarity(&lines[6], "similarity_before");
        assert!(apart.abs() < 1e-9, "the same two clips: {apart}");
    }
    let all = &lines[8]["by_ear"];
    let most = lines[6..8].iter().map(|line| similarity(line, "similarity")).fold(0.0, f64::max);
    assert!(all["conversions"] == 2 && all["similarity"]["most"].as_f64() == Some(most), "{all}");
    let told = eval(&["--by-ear", "1"]);
    assert!(told.prints().contains("by ear         1 clips"), "{}", told.prints());
    let one = eval(&["--by-ear", "1", "--json"]);
    let one: Value = serde_json::from_str(one.prints().lines().nth(6).unwrap()).unwrap();
    assert_ne!(one["voice_of"], one["words_of"], "a clip says what another one says");
    eval(&["--by-ear", "99"]).says(&["--by-ear 99: 4 clips are a second long or longer"]);
    assert!(told.prints().ends_with("words          not heard"), "{}", told.prints());
    told.says(&["which language the clips speak is not known; say it with --language"]);
    eval(&["--by-ear", "1", "--language", "pt"]).says(&["words are not heard: whisper-base is not at hand"]);
    eval(&["--by-ear", "1", "--language", "pt", "--word-ear", "nothing/here"]).fails(4, &["nothing/here"]);
    let whisper = shared("cli-whisper", |dir| Spec::new(Size::Tiny, 5).write_whisper(dir));
    let heard = eval(&["--by-ear", "2", "--language", "pt", "--json", "--word-ear", whisper.to_str().unwrap()]);
    let all: Value = serde_json::from_str(heard.prints().lines().last().unwrap()).unwrap();
    let letters = &all["by_ear"]["letters_wrong"];
    assert!(letters["most"].as_f64().unwrap() >= letters["least"].as_f64().unwrap(), "{all}");
    eval(&["--by-ear", "1", "--language", "xx", "--word-ear", whisper.to_str().unwrap()])
        .says(&["this Whisper does not know the language `xx`"]);
    eval(&["--by-ear", "1", "--language", "galego"]).fails(2, &["two letters"]);
    eval(&["--by-ear", "0"]).fails(2, &["--by-ear"]);
    eval(&["--by-ear", "1", "--bark", "nothing/here"]).fails(4, &["nothing/here"]);
}

#[test]
fn a_quantizer_is_kept_by_a_name_that_every_command_takes() {
    let desk = desk();
    train(&desk, &["--version", "0", "--language", "gl", "--licence", "CC0"]).prints();
    let models = |arguments: &[&str]| desk.run(&[&["models"], arguments].concat());
    let kept = desk.path(".home/data/barkclone/quantizers/galego.pth");
    assert_eq!(models(&["add", "mine.pth", "galego"]).prints(), kept.to_str().unwrap());
    assert_eq!(fs::read(&kept).unwrap(), desk.bytes("mine.pth"));
    fs::remove_file(desk.path("mine.pth")).unwrap();
    let listed = models(&["list"]);
    let line = listed.prints().lines().find(|line| line.starts_with("galego ")).unwrap().to_owned();
    let columns: Vec<_> = line.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
    assert_eq!((columns[1], &columns[3..]), ("quantizer", &["own", "CC0", "gl, trained on data, epoch 3"][..]));
    let json: Vec<Value> = serde_json::from_str(models(&["list", "--json"]).prints()).unwrap();
    let entry = json.iter().find(|entry| entry["name"] == "galego").unwrap();
    assert!(entry["state"] == "own" && entry["training"]["licence"] == "CC0" && entry["kind"] == "quantizer");
    assert_eq!(models(&["path", "galego"]).prints(), kept.to_str().unwrap());
    assert!(models(&["verify", "galego"]).prints().starts_with("ok"));

    desk.babble("ref.wav", 2.0);
    let clone = |quantizer: &str| {
        desk.run(&["clone", "ref.wav", "--raw", "--demo", "--quantizer", quantizer, "-o", "v.npz", "--force"])
    };
    clone("galego").says(&["the quantizer was trained on data", "language gl"]);
    let judged = desk.run(&["quantizer", "eval", "galego", "data", "--demo"]);
    assert!(judged.prints().starts_with("right"), "{}", judged.stderr);
    clone("galgo").fails(4, &["did you mean `galego`?"]);
    clone("basque").fails(4, &["no quantizer is named `basque`", "pt, en,", ", galego"]);
    models(&["path", "basque"]).fails(2, &["no model is named `basque`", "galego"]);
    assert!(models(&["fetch", "galego"]).prints().is_empty());
    models(&["fetch", "galego"]).says(&["galego is a quantizer of your own: nothing to fetch"]);
    assert!(desk.run(&["quantizer", "info", "galego"]).prints().contains("language: gl"));

    // A path goes first.
    fs::create_dir(desk.path("galego")).unwrap();
    clone("galego").fails(4, &["warning: galego: what is here by that name is taken"]);
    models(&["add", kept.to_str().unwrap(), "galego"])
        .fails(2, &["`galego` is a file or folder here, which goes first"]);
    let told = models(&["path", "galego"]);
    assert_eq!(told.prints(), kept.to_str().unwrap());
    told.says(&["warning: galego: a file or folder here has that name, and goes first"]);
    desk.run(&["clone", "ref.wav", "--raw", "--demo", "--name", "galego"])
        .fails(2, &["`galego` is a file or folder here"]);
    fs::remove_dir(desk.path("galego")).unwrap();

    fs::copy(&kept, desk.path("mine.pth")).unwrap();
    models(&["add", "mine.pth", "galego"]).fails(6, &["galego.pth: exists already", "--force"]);
    models(&["add", "mine.pth", "galego", "--force"]).prints();
    models(&["add", "mine.pth", "pt"]).fails(2, &["`pt` is a published model's name"]);
    models(&["add", "mine.pth", "large"]).fails(2, &["`large` is a published model's name"]);
    models(&["add", "mine.pth", "PT"]).fails(2, &["`pt` is a published model's name"]);
    models(&["add", "mine.pth", "Announcer"]).fails(2, &["`announcer` is a published voice's name"]);
    models(&["add", "mine.pth", "GALEGO"]).fails(2, &["there is a quantizer called `galego`"]);
    assert!(models(&["path", "galego"]).stderr.is_empty());
    models(&["add", "mine.pth", "--", "-x"]).fails(2, &["is no name for a quantizer"]);
    models(&["add", "mine.pth", "../galego"]).fails(2, &["is no name for a quantizer"]);
    models(&["add", "ref.wav", "other"]).fails(4, &["ref.wav: a recording"]);
    models(&["add", "data", "other"]).fails(4, &["data"]);
    models(&["add", "none.pth", "other"]).fails(4, &["none.pth: there is no such file"]);
    assert!(models(&["remove", "galego"]).prints().starts_with("galego: "));
    assert!(!kept.exists());
    models(&["remove", "galego"]).fails(2, &["no model is named `galego`"]);
}

#[test]
fn what_is_learned_from_is_changed_as_asked_and_the_record_says_so() {
    let desk = desk();
    let weights = |flags: &[&str]| {
        train(&desk, &[&["--version", "0", "--force"], flags].concat()).prints();
        let info = desk.run(&["quantizer", "info", "mine.pth", "--json"]);
        serde_json::from_str::<Value>(info.prints()).unwrap()
    };
    let plain = weights(&[]);
    assert!(plain["training"]["augment"].is_null());
    let all = weights(&["--augment"]);
    assert_eq!(all["training"]["augment"], "room, band, noise, level (seed 0)");
    assert_eq!(all["training"]["clips"], 6);
    assert_eq!(all["sha256"], weights(&["--augment"])["sha256"], "the same again");
    let noise = weights(&["--augment=noise"]);
    assert_eq!(noise["training"]["augment"], "noise (seed 0)");
    let hashes = [&plain, &all, &noise].map(|info| info["sha256"].as_str().unwrap().to_owned());
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2]);
    train(&desk, &["--augment=echo"]).fails(2, &["echo", "room"]);
}

/// A process that is killed in the middle of an epoch, by a signal that it cannot see.
#[test]
#[cfg(unix)]
fn a_training_that_was_killed_ends_at_the_weights_of_one_that_was_not() {
    use std::os::unix::process::ExitStatusExt;
    let desk = desk();
    ["a", "b"].iter().for_each(|folder| fs::create_dir(desk.path(folder)).unwrap());
    let arguments = |out: &'static str| {
        let long = ["--hidden", "64", "--vocab", "249", "--version", "1", "--epochs", "12", "--batch", "2"];
        [&["quantizer", "train", "data", "--demo", "--valid", "0.2", "-o", out], &long[..]].concat()
    };
    assert_eq!(desk.run(&arguments("a/mine.pth")).prints(), "a/mine.pth");
    let command = || desk.command(&arguments("b/mine.pth"));
    let kept = desk.path("b/mine.pth.training");
    let written = || fs::metadata(&kept).and_then(|file| file.modified()).ok();
    let mut child = command().stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    while written().is_none() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before its first epoch did");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert!(!desk.path("b/mine.pth").exists());
    // What it was about to write when it was killed goes as well.
    fs::write(desk.path("b/.barkclone-mine.pth-x.part"), "half").unwrap();
    let ran = super::Ran::of(command().output().unwrap());
    assert_eq!(ran.prints(), "b/mine.pth");
    ran.says(&["going on after epoch ", " of 12"]);
    assert_eq!(desk.bytes("b/mine.pth"), desk.bytes("a/mine.pth"));
    let left: Vec<_> = fs::read_dir(desk.path("b")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["mine.pth"]);
}

#[test]
fn bark_speaks_pairs_that_can_be_learned_from() {
    let desk = Desk::new();
    fs::write(desk.path("s.txt"), "Bom dia a todos.\nA casa tem uma porta azul.\n# no\nHoje chove.\n").unwrap();
    let data = |flags: &[&str]| {
        desk.run(&[&["quantizer", "data", "--demo", "--lines", "s.txt", "-d", "data", "--seed", "3"], flags].concat())
    };
    let names = |ending: &str| {
        let files = fs::read_dir(desk.path("data")).unwrap().map(|file| file.unwrap().path());
        let mut names: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == ending)).collect();
        names.sort();
        names
    };
    let tokens = |path: &Path| ndarray_npy::read_npy::<_, ndarray::Array1<i64>>(path).unwrap();
    assert_eq!(data(&["--shard", "1/2"]).code, 0);
    assert_eq!(data(&["--shard", "2/2"]).code, 0);
    let (sounds, numbers) = (names("wav"), names("npy"));
    assert_eq!((sounds.len(), numbers.len()), (3, 3), "each share speaks its lines, in random voices");
    for (sound, npy) in sounds.iter().zip(&numbers) {
        assert_eq!(sound.with_extension("npy"), *npy);
        let seconds = f64::from(hound::WavReader::open(sound).unwrap().duration()) / 24_000.0;
        assert!((tokens(npy).len() as f64 / 49.9 - seconds).abs() < 0.1, "{seconds}");
    }
    assert!(tokens(&numbers[0]) != tokens(&numbers[1]) && tokens(&numbers[1]) != tokens(&numbers[2]));
    let kept = tokens(&numbers[0]);
    fs::remove_file(&sounds[0]).unwrap();
    fs::remove_file(&numbers[0]).unwrap();
    data(&["--shard", "1/2"]);
    data(&["--shard", "2/2"]);
    assert_eq!(tokens(&numbers[0]), kept, "the same again");

    let train = ["quantizer", "train", "data", "-o", "mine.pth", "--vocab", "249", "--valid", "0", "--epochs", "1"];
    let ran = desk.run(&[&train[..], &["--hidden", "8", "--demo"]].concat());
    ran.prints();
    ran.says(&["3 clips"]);
}

/// Every file of pairs in `folder` with its bytes, by name.
pub fn pairs(desk: &Desk, folder: &str) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(desk.path(folder))
        .into_iter()
        .flatten()
        .map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = files.filter(|name| name.ends_with(".wav") || name.ends_with(".npy")).collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), desk.bytes(&format!("{folder}/{name}")))).collect()
}

/// What the report says was changed in each sound, by the sound's name.
fn told(desk: &Desk, folder: &str) -> BTreeMap<String, Option<String>> {
    let report = fs::read_to_string(desk.path(&format!("{folder}/report.jsonl"))).unwrap();
    let lines = report.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["out"].as_str().unwrap().into(), line["augment"].as_str().map(str::to_owned))).collect()
}

#[test]
fn sounds_of_pairs_are_changed_as_asked_and_their_tokens_stay() {
    let desk = Desk::new();
    fs::write(desk.path("s.txt"), "Bom dia.\nHoje chove.\n").unwrap();
    desk.babble("ref.wav", 2.0);
    desk.run(&["clone", "ref.wav", "--raw", "--demo", "-o", "voz.npz"]).prints();
    let lines = ["--demo", "--lines", "s.txt", "--seed", "3", "--float", "-q"];
    let data = |folder: &'static str, flags: &[&str]| {
        let own = ["quantizer", "data", "-d", folder, "--voices", "voz.npz"];
        desk.run(&[&own[..], &lines, flags].concat()).prints();
        pairs(&desk, folder)
    };
    let plain = data("plain", &[]);
    assert_eq!(plain.len(), 4);
    assert!(told(&desk, "plain").values().all(Option::is_none));
    let speak = ["speak", "-d", "spoken", "--names", "{id}.wav", "--voice", "voz.npz"];
    desk.run(&[&speak[..], &lines].concat()).prints();
    let sounds: Vec<_> = plain.iter().filter(|(name, _)| name.ends_with(".wav")).cloned().collect();
    assert!(pairs(&desk, "spoken") == sounds, "as they are spoken, to the byte");

    let samples = |bytes: &[u8]| {
        hound::WavReader::new(bytes).unwrap().into_samples::<f32>().map(Result::unwrap).collect::<Vec<_>>()
    };
    for (folder, kind) in [("a", "noise"), ("b", "level"), ("c", "band"), ("d", "room")] {
        let changed = data(folder, &[&format!("--augment={kind}")]);
        for ((name, before), (other, after)) in plain.iter().zip(&changed) {
            assert_eq!(name, other);
            if name.ends_with(".npy") {
                assert!(before == after, "{kind}: {name}");
                continue;
            }
            let (before, after) = (samples(before), samples(after));
            assert!(before.len() == after.len() && before != after, "{kind}: {name}");
            assert!(after.iter().all(|x| x.abs() <= 1.0), "{kind}: {name} is clipped");
        }
        let told = told(&desk, folder);
        let is_kind = |how: &Option<String>| how.as_ref().is_some_and(|how| how.starts_with(kind));
        assert!(told.len() == 2 && told.values().all(is_kind), "{told:?}");
    }

    let all = data("all", &["--augment"]);
    assert!(data("again", &["--augment", "--batch", "1"]) == all && told(&desk, "again") == told(&desk, "all"));
    fs::remove_file(desk.path(&format!("all/{}", all[1].0))).unwrap();
    assert!(data("all", &["--augment"]) == all, "the same again");
    let without = [&["quantizer", "data", "-d", "all", "--voices", "voz.npz"], &lines[..]].concat();
    desk.run(&without).fails(6, &["finished results would be replaced", "--force"]);
    assert!(data("all", &["--force"]) == plain, "spoken anew as they are");
    assert!(told(&desk, "all").values().all(Option::is_none), "the last line of each holds");

    // Just above what counts as silence, most levels that are drawn would make a sound silent: it is left as it is.
    fs::write(desk.path("s.txt"), "Um.\nBom dia.\nHoje chove.\nE agora?\nBoa noite.\nAté logo.\n").unwrap();
    let soft = data("soft", &["--loudness", "-49"]);
    let levels = data("levels", &["--loudness", "-49", "--augment=level"]);
    let how = told(&desk, "levels");
    assert!(how.values().any(Option::is_none), "{how:?}");
    for ((name, before), (_, after)) in soft.iter().zip(&levels).filter(|((name, _), _)| name.ends_with(".wav")) {
        let silent = |bytes| is_silent(&Pcm { samples: samples(bytes), rate: 24_000 }).unwrap();
        assert_eq!(silent(before), silent(after), "{name}");
        assert_eq!(before == after, how[name].is_none(), "{name}");
    }
    let refused = ["quantizer", "data", "-d", "x", "--augment=echo"];
    desk.run(&[&refused[..], &lines].concat()).fails(2, &["echo", "room"]);
}

#[test]
fn pairs_are_spoken_by_the_voices_and_for_as_long_as_is_asked_for() {
    let desk = Desk::new();
    desk.babble("ref.wav", 2.0);
    desk.run(&["clone", "ref.wav", "--raw", "--demo", "-o", "voz.npz"]).prints();
    let text: String = (0..40).map(|i| format!("Bom dia a todos, número {i}.\n")).collect();
    fs::write(desk.path("s.txt"), text).unwrap();
    let data = |flags: &[&str]| {
        desk.run(&[&["quantizer", "data", "--demo", "--lines", "s.txt", "-d", "data"], flags].concat())
    };
    let few = ["--voices", "voz.npz", "--hours", "0.001", "--json"];
    let ran = data(&few);
    let lines: Vec<Value> = ran.prints().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let done: Vec<_> = lines.iter().filter(|line| line["event"] == "done").collect();
    assert_eq!(done.len(), 2, "3.6 seconds at 15 letters a second");
    assert!(done.iter().all(|line| line.to_string().contains("voz.npz")), "{done:?}");
    let refused: [(&[&str], &str); 6] = [
        (&["--hours", "0"], "--hours"),
        (&["--trim-tail"], "--trim-tail"),
        (&["--names", "{index}.wav"], "--names"),
        (&["-o", "a.wav"], "--output"),
        (&["--voices", "voz.npz", "--voice", "voz.npz"], "--voice"),
        (&["--keep-all"], "--keep-all"),
    ];
    refused.iter().for_each(|(flags, word)| data(flags).fails(2, &[word]));
    data(&["--voices", "v2/xx_*"]).fails(3, &["no voice is named `v2/xx_*`"]);
    desk.run(&["quantizer", "data", "--demo", "-d", "data"]).fails(2, &["--dir"]);
}

#[test]
fn a_quantizer_goes_on_from_another_one() {
    let desk = desk();
    assert_eq!(train(&desk, &[]).prints(), "mine.pth");
    let again = ["quantizer", "train", "data", "--demo", "-o", "more.pth", "--init", "mine.pth", "--epochs", "1"];
    assert_eq!(desk.run(&again).prints(), "more.pth");
    let ran = desk.run(&["quantizer", "info", "more.pth"]);
    assert!(ran.prints().contains("version 1: 96 features -> 16 -> 249 tokens\n") && ran.prints().contains("mine.pth"));
    desk.run(&[&again[..], &["--version", "0"]].concat()).fails(2, &["--init", "--version"]);
    // What it begins with is no place for what comes of it, however it is called.
    let own = |init: &str, out: &str| {
        let flags = ["quantizer", "train", "data", "--demo", "--force", "--epochs", "1", "-o", out, "--init", init];
        desk.run(&flags).fails(2, &[out, "it would be replaced by its own result"]);
    };
    let mine = desk.bytes("mine.pth");
    own("mine.pth", "./mine.pth");
    let first = ["quantizer", "train", "data", "--demo", "--init", "mine.pth", "-o", "mine.pth"];
    desk.run(&first).fails(2, &["mine.pth: it would be replaced by its own result; name another output"]);
    let kept = desk.run(&["models", "add", "mine.pth", "galego"]).prints().to_owned();
    own("galego", &kept);
    assert!(desk.bytes("mine.pth") == mine && fs::read(&kept).unwrap() == mine);
}

#[test]
fn a_quantizer_is_not_judged_in_silence_on_what_it_was_trained_on() {
    let desk = desk();
    fs::create_dir(desk.path("other")).unwrap();
    write_pairs(&desk.path("other"), 9);
    // Of nine clips six are those of `data`, under other names.
    for number in 0..9 {
        for ending in ["wav.wav", "semantic.npy"] {
            let name = |prefix: &str| desk.path(&format!("other/{prefix}{number}_{ending}"));
            fs::rename(name(""), name("x")).unwrap();
        }
    }
    train(&desk, &[]).prints();
    let more = ["quantizer", "train", "other", "--demo", "-o", "more.pth", "--init", "mine.pth", "--epochs", "1"];
    desk.run(&more).prints();
    let judged = |quantizer: &str, data: &str| {
        let ran = desk.run(&["quantizer", "eval", quantizer, data, "--demo", "--json"]);
        let all: Value = serde_json::from_str(ran.prints().lines().last().unwrap()).unwrap();
        (all["trained_on"].as_u64().unwrap(), ran.stderr)
    };
    let told = "6 of 6 clips are among those that it was trained on";
    assert!(matches!(judged("mine.pth", "data"), (6, said) if said.contains(told)));
    assert!(matches!(judged("mine.pth", "other"), (6, said) if said.contains("6 of 9 clips")));
    assert!(matches!(judged("more.pth", "data"), (6, said) if said.contains(told)));
    assert!(matches!(judged("demo", "data"), (0, said) if !said.contains("trained on")));
    fs::create_dir(desk.path("new")).unwrap();
    for number in 6..9 {
        for ending in ["wav.wav", "semantic.npy"] {
            let name = |folder: &str| desk.path(&format!("{folder}/x{number}_{ending}"));
            fs::rename(name("other"), name("new")).unwrap();
        }
    }
    assert_eq!(judged("mine.pth", "new").0, 0);
    assert_eq!(judged("more.pth", "new").0, 3, "what it began with, and what it learned then");
}

#[test]
fn what_is_kept_for_speaking_shapes_no_training() {
    let desk = desk();
    fs::create_dir_all(desk.path(".home/config/barkclone")).unwrap();
    fs::write(desk.path(".home/config/barkclone/config.toml"), "batch = 1\ndemo = true\n").unwrap();
    assert_eq!(train(&desk, &["--version", "0"]).prints(), "mine.pth");
    fs::write(desk.path(".home/config/barkclone/config.toml"), "batch = 4\ndemo = true\n").unwrap();
    let info = |desk: &Desk| desk.run(&["quantizer", "info", "mine.pth"]).prints().to_owned();
    let first = info(&desk);
    train(&desk, &["--version", "0", "--force"]).prints();
    assert_eq!(first, info(&desk), "the same weights");
    train(&desk, &["--version", "0", "--force", "--batch", "2"]).prints();
    assert_ne!(first, info(&desk));
}

#[test]
fn a_report_replaces_nothing_that_it_must_not_before_a_sound_is_heard() {
    let desk = desk();
    fs::write(desk.path("mine.html"), "mine").unwrap();
    let refused = |flags: &[&str], code, words: &[&str]| {
        train(&desk, flags).fails(code, words);
        assert!(!desk.path("data/.features").exists(), "{flags:?}");
    };
    refused(&["--report", "mine.html"], 6, &["mine.html: exists already", "--force"]);
    refused(&["--report", "./mine.pth"], 2, &["--output and --report name the same file"]);
    refused(&["--report", "-"], 2, &["--report -: a report goes to a file, not to stdout"]);
    let clip = fs::read_dir(desk.path("data")).unwrap().map(|file| file.unwrap().path());
    let clip = clip.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "wav")).unwrap();
    let (name, sound) = (clip.to_str().unwrap(), fs::read(&clip).unwrap());
    refused(&["--report", name], 2, &[name, "it would be replaced by its own result"]);
    refused(&["--report", name, "--force"], 2, &[name, "it would be replaced by its own result"]);
    assert!(fs::read(&clip).unwrap() == sound && desk.bytes("mine.html") == b"mine");
    // The page of a training that was stopped is gone on with, and no other one.
    train(&desk, &["--report", "train.html"]).prints();
    fs::remove_file(desk.path("mine.pth")).unwrap();
    train(&desk, &["--report", "train.html"]).fails(6, &["train.html: exists already"]);
    fs::write(desk.path("mine.pth.training"), "x").unwrap();
    train(&desk, &["--report", "mine.html"]).fails(6, &["mine.html: exists already"]);
    train(&desk, &["--report", "train.html"]).fails(3, &["mine.pth.training: damaged"]);
}

#[test]
fn pairs_beside_which_nothing_can_be_kept_are_judged_and_learned_from_with_another_folder() {
    let desk = desk();
    // As good as a folder that cannot be written, for whoever may write everywhere.
    fs::write(desk.path("data/.features"), "in the way").unwrap();
    let eval = |flags: &[&str]| desk.run(&[&["quantizer", "eval", "demo", "data", "--demo"], flags].concat());
    let ran = eval(&[]);
    assert_eq!(ran.prints(), eval(&["--cache", "features"]).prints());
    ran.says(&["data/.features", "what HuBERT hears is not kept"]);
    train(&desk, &[]).fails(6, &["data/.features: cannot keep what HuBERT hears", "--cache"]);
    assert_eq!(train(&desk, &["--cache", "features"]).prints(), "mine.pth");
}

#[test]
fn what_cannot_be_trained_is_told_before_a_sound_is_heard() {
    let desk = desk();
    fs::write(desk.path("is.pth"), "x").unwrap();
    fs::create_dir(desk.path("empty")).unwrap();
    let run = |data: &str, out: &str, flags: &[&str]| {
        desk.run(&[&["quantizer", "train", data, "-o", out], flags, &["--demo"]].concat())
    };
    run("data", "is.pth", &[]).fails(6, &["is.pth: exists already", "--force"]);
    run("data", "mine.npz", &[]).fails(2, &["--output mine.npz: name it .pth"]);
    run("empty", "a.pth", &[]).fails(3, &["empty: no pairs of a sound and its semantic tokens", "NAME.npy"]);
    run("none", "a.pth", &[]).fails(3, &["none: cannot be read as a folder"]);
    run("data", "a.pth", &["--valid", "1"]).fails(2, &["expected a share from 0 to below 1"]);
    run("data", "a.pth", &["--lr", "-1"]).fails(2, &["--lr", "expected a number above 0"]);
    run("data", "a.pth", &["--language", "galego"]).fails(2, &["--language", "two letters"]);
    run("data", "far.pth", &["--vocab", "512", "--hidden", "8", "--epochs", "9", "--lr", "1e9"])
        .fails(3, &["guessing has 6.2", "smaller --lr"]);
    run("data", "a.pth", &["--valid", "0.95"]).fails(3, &["6 clips are too few to hold 6 out"]);
    run("data", "a.pth", &["--vocab", "9", "--hidden", "8"]).fails(3, &["is beyond the quantizer's 9 (--vocab)"]);
    fs::write(desk.path("a.pth.training"), "x").unwrap();
    run("data", "a.pth", &["--vocab", "249", "--hidden", "8"]).fails(3, &["a.pth.training: damaged", "--restart"]);
    desk.run(&["quantizer", "info", "is.pth"]).fails(4, &["is.pth"]);
    desk.run(&["quantizer", "eval", "demo", "none", "--demo"]).fails(3, &["none"]);
}

/// gitmylo's loader, in torch: `tests/quantizer.py`.
#[test]
#[ignore = "installs torch, or takes the READERS_PYTHON that has it"]
fn gitmylos_loader_takes_it() {
    let desk = desk();
    assert_eq!(train(&desk, &["--version", "1"]).prints(), "mine.pth");
    let done = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(desk.path("")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let python = std::env::var("READERS_PYTHON").unwrap_or_else(|_| {
        done("python3", &["-m", "venv", "venv"]);
        done("venv/bin/pip", &["install", "-q", "torch==2.8.0", "numpy==2.0.2"]);
        "venv/bin/python".to_owned()
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/quantizer.py");
    let said = done(&python, &[script, "mine.pth"]);
    assert!(said.contains("gitmylo's loader takes it: version 1, 96 -> 16 -> 249"), "{said}");
}
