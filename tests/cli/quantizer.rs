//! `barkclone quantizer`: from pairs to a quantizer that clones.

use super::Desk;
use crate::quantizer::write_pairs;
use serde_json::Value;
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

    let ran = desk.run(&["quantizer", "info", "mine.pth"]);
    let info = ran.prints();
    for word in ["version 0: 96 features -> 16 -> 249 tokens", "language: gl", "licence: CC0", "data: data (6 clips"] {
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
