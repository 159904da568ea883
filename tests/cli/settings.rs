//! What holds where a flag is not given: the environment, config.toml, a folder of models; and the names that shells
//! complete.

use super::{Desk, Ran, VOICE, noise};
use std::fs;
use std::path::Path;

const CONFIG: &str = ".home/config/barkclone";

fn desk(config: &str) -> Desk {
    let desk = Desk::new();
    fs::create_dir_all(desk.path(CONFIG)).unwrap();
    fs::write(desk.path(CONFIG).join("config.toml"), config).unwrap();
    desk
}

fn run_in(desk: &Desk, environment: &[(&str, &Path)], arguments: &[&str]) -> Ran {
    let mut command = desk.command(arguments);
    Ran::of(command.envs(environment.iter().copied()).output().unwrap())
}

/// The value and origin of `key`, as `config` shows them.
fn shown(ran: &Ran, key: &str) -> (String, String) {
    let line = ran.prints().lines().find(|line| line.split_whitespace().next() == Some(key)).unwrap();
    let words: Vec<_> = line.split_whitespace().collect();
    (words[1].to_owned(), words[2].to_owned())
}

fn speak(voice: &[&'static str]) -> Vec<&'static str> {
    [&["speak", "oi", "-o", "a.wav", "--seed", "1", "--max-seconds", "0.3"], voice].concat()
}

#[test]
fn a_folder_of_models_is_enough_to_clone_and_to_speak() {
    let desk = desk("");
    desk.babble("ref.wav", 2.0);
    let models = noise();
    let models = models.to_str().unwrap();
    assert_eq!(desk.run(&["clone", "ref.wav", "--raw", "--models", models, "-o", "a.npz"]).prints(), "a.npz");
    assert_eq!(desk.clone("ref.wav", &["-o", "b.npz"]).prints(), "b.npz");
    assert_eq!(desk.run(&["voice", "diff", "a.npz", "b.npz"]).prints(), "the same tokens");
    desk.run(&[&speak(&["--voice", "a.npz"])[..], &["--models", models]].concat()).prints();
    desk.speak("oi", &["--voice", "a.npz", "-o", "b.wav", "--seed", "1"]).prints();
    assert_eq!(desk.bytes("a.wav"), desk.bytes("b.wav"));
    let other = desk.run(&["clone", "ref.wav", "--models", models, "--hubert", "none", "-o", "c.npz"]);
    other.fails(4, &["no such model", "`none`"]);
    desk.run(&["clone", "ref.wav", "--models", models, "--demo"]).fails(2, &["--models", "--demo"]);
    desk.run(&["clone", "ref.wav", "--models", "none"]).fails(2, &["--models none", "no such folder"]);
}

#[test]
fn models_are_found_by_what_their_files_hold_whatever_they_are_called() {
    let desk = desk("");
    desk.babble("ref.wav", 2.0);
    let copy = |from: &str, to: &str| {
        let to = desk.path(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(noise().join(from), to).unwrap();
    };
    copy("quantizer.pth", "m/a/first.pth");
    copy("hubert/model.safetensors", "m/deep/down/x/model.safetensors");
    copy("hubert/config.json", "m/deep/down/x/config.json");
    let clone = |output: &str| desk.run(&["clone", "ref.wav", "--raw", "--models", "m", "-o", output]);
    clone("a.npz").fails(4, &["--models m", "no codec", "--codec"]);
    for file in ["model.safetensors", "config.json", "generation_config.json"] {
        if noise().join("bark").join(file).exists() {
            copy(&format!("bark/{file}"), &format!("m/b/{file}"));
        }
    }
    assert_eq!(clone("a.npz").prints(), "a.npz");
    copy("quantizer.pth", "m/second.pth");
    clone("b.npz").fails(4, &["which quantizer is meant", "first.pth", "second.pth", "--quantizer"]);
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_configuration() {
    let desk = desk("models = \"none\"\nvoice = \"none.npz\"\nweights = \"q8_0\"\nfast = true\nretry = 2\n");
    fs::copy(VOICE, desk.path("v.npz")).unwrap();
    let (models, voice) = (noise(), desk.path("v.npz"));
    let environment = [("BARKCLONE_MODELS", models.as_path()), ("BARKCLONE_VOICE", voice.as_path())];
    let config = run_in(&desk, &environment, &["config"]);
    assert_eq!(shown(&config, "models").1, "BARKCLONE_MODELS");
    assert_eq!(shown(&config, "voice"), (voice.to_str().unwrap().to_owned(), "BARKCLONE_VOICE".to_owned()));
    assert_eq!(shown(&config, "weights").0, "q8_0");
    assert!(shown(&config, "weights").1.ends_with("config/barkclone/config.toml"));
    assert_eq!(shown(&config, "retry").0, "2");
    assert_eq!(shown(&config, "batch"), ("auto".to_owned(), "default".to_owned()));
    // The configuration's folder of models is not there.
    desk.run(&speak(&[])).fails(2, &["--models none", "no such folder"]);
    let spoken = run_in(&desk, &environment, &speak(&["--weights", "f32", "--fast=false", "--retry", "0"]));
    assert_eq!(spoken.prints(), "a.wav");
    desk.speak("oi", &["--voice", "v.npz", "-o", "b.wav", "--seed", "1", "--weights", "f32", "--fast=false"]).prints();
    assert_eq!(desk.bytes("a.wav"), desk.bytes("b.wav"));
    let other = run_in(&desk, &environment, &[&speak(&["--voice", "w.npz"])[..], &["--force"]].concat());
    other.fails(3, &["w.npz"]);
}

#[test]
fn a_path_in_the_configuration_may_lie_beside_it_and_a_named_model_goes_before_its_folder() {
    let desk = desk("models = \"none\"\nquantizer = \"q.pth\"\nhubert = \"none.pt\"\nvoice = \"v.npz\"\n");
    fs::copy(noise().join("quantizer.pth"), desk.path(CONFIG).join("q.pth")).unwrap();
    let config = desk.run(&["config"]);
    assert!(shown(&config, "quantizer").0.ends_with("config/barkclone/q.pth"));
    assert_eq!(shown(&config, "voice").0, "v.npz");
    desk.babble("ref.wav", 2.0);
    let bark = noise().join("bark");
    let flags = ["clone", "ref.wav", "--raw", "-o", "a.npz", "--codec", bark.to_str().unwrap()];
    desk.run(&flags).fails(4, &["none.pt"]);
}

#[test]
fn the_configurations_demo_models_are_those_of_the_flag() {
    let desk = desk("demo = true\n");
    desk.run(&speak(&[])).prints();
    assert_eq!(desk.run(&["speak", "oi", "-o", "b.wav", "--seed", "1", "--max-seconds", "0.3", "--demo"]).code, 0);
    assert_eq!(desk.bytes("a.wav"), desk.bytes("b.wav"));
    desk.run(&["speak", "oi", "-o", "c.wav", "--demo=false"]).fails(5, &["suno"]);
}

#[test]
fn a_configuration_that_is_wrong_is_told_with_its_path_key_and_a_suggestion() {
    for (config, words) in [
        (
            "quantiser = \"pt\"",
            &["config.toml: quantiser: no such key (did you mean `quantizer`?)", "the keys are"][..],
        ),
        ("output = \"a.wav\"", &["config.toml: output:", "give it as --output"]),
        ("weights = \"q9\"", &["config.toml: weights: invalid value 'q9'"]),
        ("retry = 200", &["config.toml: retry:", "200"]),
        ("fast = 1", &["config.toml: fast: expected true or false"]),
        ("threads = [1]", &["config.toml: threads: expected a text in quotes or a number"]),
        ("voice = ana", &["config.toml: not a TOML file", "line 1"]),
        ("demo = true\nmodels = \"m\"", &["config.toml", "`models` and `demo`"]),
    ] {
        desk(config).run(&["speak", "oi"]).fails(2, words);
    }
    // Help is there all the same, and underscores will do.
    assert!(desk("x = 1").run(&["--help"]).prints().contains("Usage"));
    assert_eq!(shown(&desk("text_temp = 0.6").run(&["config"]), "text-temp").0, "0.6");
}

#[test]
fn a_configuration_may_lie_where_the_platform_has_it() {
    let desk = desk("");
    let usual = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".config" };
    fs::create_dir_all(desk.path(usual).join("barkclone")).unwrap();
    fs::write(desk.path(usual).join("barkclone/config.toml"), "retry = 7\n").unwrap();
    let ran =
        Ran::of(desk.command(&["config"]).env_remove("XDG_CONFIG_HOME").env("HOME", desk.path("")).output().unwrap());
    assert_eq!(shown(&ran, "retry").0, "7");
}

#[test]
fn a_wrong_model_name_is_told_before_anything_is_fetched() {
    let desk = desk("");
    desk.babble("ref.wav", 2.0);
    // Offline, the first model that is fetched would be missed first.
    let wrong = |flag: &str, name: &str, words: &[&str]| desk.run(&["clone", "ref.wav", flag, name]).fails(4, words);
    wrong("--quantizer", "br", &["no quantizer is named `br` (did you mean `pt`?)"]);
    for command in ["fetch", "path"] {
        desk.run(&["models", command, "br"]).fails(2, &["no model is named `br` (did you mean `pt`?)"]);
    }
    wrong("--quantizer", "english", &["(did you mean `en`?)"]);
    wrong("--quantizer", "pl_PL", &["(did you mean `pl`?)"]);
    wrong("--quantizer", "large", &["`large`, which is a bark"]);
    wrong("--hubert", "hubert-bas", &["(did you mean `hubert-base`?)"]);
    desk.run(&["speak", "oi", "--tokenizer", "none"]).fails(4, &["no tokenizer is named `none`"]);
    desk.run(&["convert", "ref.wav", "--voice", VOICE, "-o", "a.wav", "--codec", "encoder"]).fails(4, &["`encodec`"]);
}

#[test]
fn shells_complete_the_names_of_models_and_voices() {
    let desk = desk("");
    desk.babble("ref.wav", 2.0);
    desk.clone("ref.wav", &["--name", "minha-ana"]).prints();
    let completed = |words: &[&str]| {
        let mut command = desk.command(&[&["--"], words].concat());
        command.env("BARKCLONE_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string());
        String::from_utf8(command.env("_CLAP_IFS", "\n").output().unwrap().stdout).unwrap()
    };
    let has = |words: &[&str], expected: &[&str]| {
        let found = completed(words);
        expected.iter().for_each(|name| assert!(found.lines().any(|line| line == *name), "{name}: {found}"));
    };
    has(&["barkclone", "clone", "--quantizer", "e"], &["en", "en-large", "es"]);
    has(&["barkclone", "speak", "--bark", ""], &["large", "small", "demo"]);
    has(&["barkclone", "speak", "--voice", "m"], &["minha-ana"]);
    has(&["barkclone", "speak", "--voice", "v2/pt_speaker_"], &["v2/pt_speaker_3"]);
    has(&["barkclone", "voice", "inspect", "minha"], &["minha-ana"]);
    has(&["barkclone", "models", "fetch", "hub"], &["hubert-base"]);
    has(&["barkclone", "voice", "rename", "m"], &["minha-ana"]);
    has(&["barkclone", "speak", "--device", "c"], &["cpu", "cuda"]);
    has(&["barkclone", "speak", "--voice-ear", ""], &["ge2e", "spectrum"]);
    has(&["barkclone", "voice", "remove", ""], &["minha-ana"]);
    assert!(!completed(&["barkclone", "voice", "remove", ""]).contains("v2/"), "only what is kept is removed");
    assert_eq!(completed(&["barkclone", "models", "fetch", "de"]).lines().collect::<Vec<_>>(), ["de", "demo"]);
    has(&["barkclone", "check", "re"], &["ref.wav"]);
    has(&["barkclone", "speak", "--save"], &["--save-voice"]);
}

#[test]
fn the_script_of_bash_asks_the_program_itself() {
    let desk = desk("");
    fs::write(desk.path("complete.sh"), desk.run(&["completions", "bash"]).prints()).unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_barkclone")).parent().unwrap();
    let script = "source complete.sh\n\
                  words=(barkclone clone --quantizer p) COMP_WORDS=(\"${words[@]}\") COMP_CWORD=3 COMP_TYPE=9\n\
                  $(complete -p barkclone | sed 's/.*-F \\([^ ]*\\).*/\\1/') barkclone p --quantizer\n\
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut shell = std::process::Command::new("bash");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let ran = shell.args(["-c", script]).env("PATH", path).current_dir(desk.path("")).output().unwrap();
    let told = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(
        told.lines().map(str::trim_end).collect::<Vec<_>>(),
        ["pt", "pl"],
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

#[test]
fn the_configuration_shows_what_holds_and_marks_what_stands_for_nothing() {
    let desk_of = |config: &str| desk(config).run(&["config"]);
    let demo = desk_of("demo = true\n");
    for key in ["bark", "codec", "hubert", "quantizer"] {
        let (value, origin) = shown(&demo, key);
        assert!(value == "demo" && origin.ends_with("config.toml"), "{key}: {value} {origin}");
    }
    assert!(!demo.prints().contains("wrong"), "{}", demo.prints());
    let wrong = desk_of("quantizer = \"br\"\nvoice = \"nobody\"\ndevice = \"gpu\"\nmodels = \"nowhere\"\nretry = 2\n");
    for (key, told) in [
        ("quantizer", "no quantizer is named `br` (did you mean `pt`?)"),
        ("voice", "no voice is named `nobody`"),
        ("device", "expected auto, cpu"),
        ("models", "no such folder"),
    ] {
        let line = wrong.prints().lines().find(|line| line.starts_with(&format!("{key} "))).unwrap();
        assert!(line.contains("  wrong: ") && line.contains(told), "{line}");
    }
    assert_eq!(wrong.prints().matches("wrong: ").count(), 4, "{}", wrong.prints());
    let models = noise();
    let folder = desk_of(&format!("models = '{}'\nquantizer = \"en\"\n", models.display()));
    assert!(shown(&folder, "hubert").0.ends_with("hubert"), "{}", folder.prints());
    assert_eq!(shown(&folder, "quantizer").0, "en");
}
