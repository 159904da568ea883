//! The voices that `barkclone speak` takes: files in every dialect, presets from the cache, its own speech.

use super::{Arrays, Desk, wav_samples};
use crate::npz::NpzReader;
use std::fs;

const VOICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sound/voices");

fn said_with(desk: &Desk, voice: &str) -> Vec<u8> {
    let ran = desk.speak("Bom dia", &["-o", "-", "--seed", "3", "--voice", voice]);
    assert_eq!(ran.code, 0, "{voice}: {}", ran.stderr);
    ran.stdout
}

#[test]
fn a_voice_speaks_alike_in_every_dialect() {
    let desk = Desk::new();
    let first = said_with(&desk, &format!("{VOICES}/int64.npz"));
    for dialect in ["announcer", "preset", "short_deflated"] {
        assert!(said_with(&desk, &format!("{VOICES}/{dialect}.npz")) == first, "{dialect}");
    }
    let random = desk.speak("Bom dia", &["-o", "-", "--seed", "3"]);
    assert!(wav_samples(&random.stdout)[..4_000] != wav_samples(&first)[..4_000], "the voice is heard");
}

#[test]
fn a_preset_is_taken_from_hugging_faces_cache() {
    let desk = Desk::new();
    let repo = desk.path(".home/hub/models--suno--bark");
    let commit = "0123456789012345678901234567890123456789";
    let folder = repo.join("snapshots").join(commit).join("speaker_embeddings/v2");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(repo.join("refs")).unwrap();
    fs::write(repo.join("refs/main"), commit).unwrap();
    for part in ["semantic", "coarse", "fine"] {
        let name = format!("{part}_prompt.npy");
        fs::copy(format!("{VOICES}/hf_{name}"), folder.join(format!("pt_speaker_3_{name}"))).unwrap();
    }
    assert!(said_with(&desk, "v2/pt_speaker_3") == said_with(&desk, &format!("{VOICES}/int64.npz")));
}

#[test]
fn a_voice_that_is_not_there_is_told_apart_from_a_preset_that_is_misspelt() {
    let desk = Desk::new();
    let refused = |voice: &str, code, words: &[&str]| {
        desk.run(&["speak", "oi", "--bark", "large", "--voice", voice]).fails(code, words);
    };
    refused("ana.npz", 3, &["ana.npz", "No such file"]);
    refused("v2/pt_speakr_3", 3, &["no voice is named `v2/pt_speakr_3`", "did you mean `v2/pt_speaker_3`"]);
    refused("v2/pt_speaker_10", 3, &["no voice is named", "pt"]);
    refused("v2/pt_speaker_3", 5, &["not in the cache", "models fetch v2/pt_speaker_3"]);
    refused(".", 3, &["not a voice", "*semantic_prompt.npy"]);
}

#[test]
fn a_damaged_voice_is_refused_before_any_model_is_loaded() {
    let desk = Desk::new();
    let whole = fs::read(format!("{VOICES}/int64.npz")).unwrap();
    fs::write(desk.path("cut.npz"), &whole[..whole.len() / 2]).unwrap();
    fs::write(desk.path("empty.npz"), b"").unwrap();
    let entries = fs::read_dir(VOICES).unwrap().map(|entry| entry.unwrap().path());
    let bad: Vec<_> = entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("bad_")).collect();
    assert!(bad.len() > 10);
    for voice in bad.iter().map(|path| path.to_str().unwrap()).chain(["cut.npz", "empty.npz"]) {
        let ran = desk.run(&["speak", "oi", "--bark", "large", "--voice", voice]);
        ran.fails(3, &[voice, "cannot be used as a voice"]);
    }
}

#[test]
fn speech_that_is_kept_is_a_voice_that_speaks() {
    let desk = Desk::new();
    let ran = desk.speak("Quem sou eu?", &["--save-voice", "eu.npz", "--seed", "9"]);
    assert_eq!(ran.prints(), "quem-sou-eu.wav");
    assert_eq!(desk.files(), ["eu.npz", "quem-sou-eu.wav"]);
    let voice = Arrays::read(&desk.path("eu.npz"));
    voice.satisfy_bark();
    assert_eq!((voice.semantic.len(), voice.coarse.ncols()), (15, 22));
    let again = desk.speak("Sou eu", &["--voice", "eu.npz", "--save-voice", "eu2.npz"]);
    assert_eq!(again.prints(), "sou-eu.wav");
    Arrays::read(&desk.path("eu2.npz")).satisfy_bark();
}

#[test]
fn a_cloned_voice_speaks() {
    let desk = Desk::new();
    desk.babble("ana.wav", 1.2);
    assert_eq!(desk.clone("ana.wav", &[]).prints(), "ana.npz");
    assert_eq!(desk.speak("Olá mundo", &["--voice", "ana.npz"]).prints(), "ola-mundo.wav");
}

#[test]
fn models_that_are_not_there_are_named() {
    let desk = Desk::new();
    fs::create_dir(desk.path("nothing")).unwrap();
    fs::write(desk.path("junk"), b"junk").unwrap();
    let cases: [(&[&str], i32, &[&str]); 9] = [
        (&["--bark", "lagre"], 4, &["no bark is named `lagre`", "did you mean `large`"]),
        (&["--bark", "no/such/folder"], 4, &["no/such/folder", "neither an existing file"]),
        (&["--bark", "nothing"], 4, &["nothing: no Bark model", "text_2.pt", "config.json"]),
        (&["--bark", "junk"], 4, &["junk: no Bark model"]),
        (&["--bark", "small"], 5, &["suno/bark-small", "not in the cache", "models fetch small"]),
        (&["--codec", "nothing"], 4, &["nothing: no weights in this folder"]),
        (&["--codec", "junk"], 4, &["junk"]),
        (&["--tokenizer", "junk"], 4, &["junk: not a Hugging Face tokenizer.json"]),
        (&["--tokenizer", "nothing"], 4, &["nothing/tokenizer.json"]),
    ];
    for (flags, code, words) in cases {
        desk.speak("oi", flags).fails(code, words);
    }
    assert_eq!(desk.files(), ["junk", "nothing"]);
}

#[test]
fn a_voice_remembers_its_models_and_is_warned_of_with_others() {
    let desk = Desk::new();
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/reference.wav"), desk.path("ref.wav")).unwrap();
    desk.clone("ref.wav", &["-o", "ana.npz", "--end", "3"]).prints();
    let told = desk.run(&["voice", "inspect", "ana.npz", "--json"]);
    let told: serde_json::Value = serde_json::from_str(told.prints()).unwrap();
    let (quantizer, codec) = (&told["provenance"]["quantizer"], &told["provenance"]["codec"]);
    assert_eq!((quantizer["name"].as_str(), codec["name"].as_str()), (Some("quantizer.pth"), Some("bark")));
    assert!(quantizer["sha256"].as_str().unwrap().len() == 64 && quantizer["sha256"] != codec["sha256"]);
    let warned = |ran: &super::Ran| ran.stderr.contains("it was made with other models than those that speak now");
    let own = desk.speak("Oi", &["--voice", "ana.npz", "-o", "own.wav", "--save-voice", "own.npz"]);
    assert!(own.code == 0 && !warned(&own), "{}", own.stderr);
    let own = desk.run(&["voice", "inspect", "own.npz", "--json"]);
    assert!(own.prints().contains(codec["sha256"].as_str().unwrap()), "speech that is kept remembers its codec");
    let demo = ["--demo", "--max-seconds", "0.3"];
    let ran = desk.run(&[&["speak", "Oi", "--voice", "ana.npz", "-o", "demo.wav"], &demo[..]].concat());
    assert!(warned(&ran), "{}", ran.stderr);
    ran.fails(3, &["the voice was made for other models"]);
    // Of many utterances it is said once, and before anything is written.
    fs::write(desk.path("p"), "um\ndois\n").unwrap();
    let many = ["speak", "--voice", "ana.npz", "--lines", "p", "-d", "out"];
    for dry in [&[][..], &["--dry-run"]] {
        let ran = desk.run(&[&many[..], &demo, dry].concat());
        ran.fails(3, &["--voice ana.npz: the voice was made for other models"]);
        assert_eq!(ran.stderr.matches("for other models").count(), 1, "{}", ran.stderr);
        assert!(!desk.path("out").exists());
    }
    assert!(warned(&desk.run(&["voice", "preview", "ana.npz", "-o", "heard.wav", "--demo"])));
    desk.run(&["clone", "ref.wav", "--demo", "-o", "demo.npz"]).prints();
    let many = ["speak", "--voice", "demo.npz", "--lines", "p", "-d", "many"];
    for dry in [&[][..], &["--dry-run"]] {
        let ran = desk.run(&[&many[..], &super::SPEAK, dry].concat());
        assert_eq!(ran.stderr.matches("--voice demo.npz: it was made with other models").count(), 1, "{}", ran.stderr);
    }
    desk.speak("Oi", &["--voice", "ana=ana.npz"]).fails(2, &["--voice NAME=VOICE is for --lines, --jobs and --file"]);
    // Another program's reader, ndarray's, sees Bark's arrays alone where it asks for them.
    let semantic: ndarray::Array1<i64> = NpzReader::open(desk.path("ana.npz")).array("semantic_prompt");
    assert!(!semantic.is_empty());
    let ran = desk.clone("ref.wav", &["-o", "x.npz", "--quantizer", "demo"]);
    ran.fails(4, &["this quantizer takes ", "HuBERT gives ", "--quantizer and --hubert that belong together"]);
}
