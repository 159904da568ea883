//! The built-in models from end to end: what is cloned, spoken and converted with them is heard again, and must be the
//! words, in the voice. The demo's own HuBERT listens: it mishears about half of a synthetic sentence's phonemes, and
//! over three quarters of a sentence's that was not said.

use super::{Desk, Ran};
use barkclone::audio::{Recording, read_wav};
use barkclone::checkpoint::builtin;
use barkclone::clone::Listener;
use barkclone::progress::Silent;
use barkclone::voice::Voice;
use candle_core::Device;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/demo");

/// What a sentence sounds like, in espeak-ng's names of phonemes, without pauses.
struct Sentence<'a>(&'a str, &'a str);

const VOICE: Sentence<'static> = Sentence("A voz fala devagar.", "a v O s f a l & d e v a g a r");
const DOOR: Sentence<'static> =
    Sentence("Júlia deve guardar a porta.", "Z u j & d E v y g w a * @- d a * a p O * @- t &");
const TEN: Sentence<'static> =
    Sentence("Meu pai tem doze dias na rua.", "m eU p aI t eI N d o z y dZ i ; & z n a x u &");

/// A desk with a voice that is cloned from a recording that the built-in models never met.
struct Studio {
    desk: Desk,
    quantizer: String,
}

const SPEAK: [&str; 5] = ["--demo", "--voice", "voice.npz", "--seed", "1"];

impl Studio {
    fn new() -> Self {
        Self::with("demo")
    }

    /// With another quantizer than the built-in one.
    fn with(quantizer: &str) -> Self {
        let studio = Self { desk: Desk::new(), quantizer: quantizer.to_owned() };
        let clone = ["clone", &reference(), "-o", "voice.npz", "--quantizer", quantizer];
        studio.run(&clone, &["--demo"]).prints();
        studio
    }

    fn run(&self, arguments: &[&str], flags: &[&str]) -> Ran {
        self.desk.run(&[arguments, flags].concat())
    }

    /// The phonemes that HuBERT and the quantizer hear in a recording.
    fn heard(&self, name: &str) -> Vec<String> {
        let (hubert, quantizer) = (builtin::hubert().unwrap(), builtin::quantizer().unwrap());
        let listener = Listener::new(&hubert, &quantizer, &Device::Cpu).unwrap();
        let tokens = listener.tokens(Recording::open(&self.desk.path(name)).unwrap(), &Silent).unwrap();
        let numbers: BTreeMap<String, u32> =
            serde_json::from_str(&fs::read_to_string(format!("{FOLDER}/model/phonemes.json")).unwrap()).unwrap();
        let names: BTreeMap<u32, &String> = numbers.iter().map(|(name, &number)| (number, name)).collect();
        // A token is a phoneme and the third of it. One frame alone, 20 ms, is no phoneme.
        let frames: Vec<u32> = tokens.as_slice().iter().map(|token| token / 3).collect();
        let runs = frames.chunk_by(|a, b| a == b).filter(|run| run.len() > 1);
        let mut heard: Vec<String> = runs.map(|run| names[&run[0]].clone()).filter(|name| name != "_").collect();
        heard.dedup();
        heard
    }

    /// The part of a sentence's phonemes that a recording gets wrong.
    fn errors(&self, name: &str, sentence: &Sentence<'_>) -> f64 {
        let wanted: Vec<&str> = sentence.1.split(' ').collect();
        distance(&wanted, &self.heard(name)) as f64 / wanted.len() as f64
    }

    /// Median pitch of a recording, Hz.
    fn pitch(&self, name: &str) -> f64 {
        pitch(&self.desk.path(name))
    }
}

fn reference() -> String {
    format!("{FOLDER}/reference.wav")
}

/// Levenshtein's distance.
fn distance(wanted: &[&str], heard: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, a) in wanted.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in heard.iter().enumerate() {
            let changed = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[heard.len()]
}

/// Median pitch of the loud 50 ms of a file, Hz: the shortest lag at which the autocorrelation is nearly as high as
/// anywhere.
fn pitch(path: &Path) -> f64 {
    let clip = read_wav(path, 60.0).unwrap().pcm;
    let rate = clip.rate as usize;
    let lags = rate / 400..rate / 60;
    let energy = |frame: &[f32]| frame.iter().map(|s| s * s).sum::<f32>();
    let frames: Vec<&[f32]> = clip.samples.windows(rate / 20 + lags.end).step_by(rate / 50).collect();
    let loudest = frames.iter().map(|frame| energy(frame)).fold(0.0, f32::max);
    let mut found: Vec<f64> = frames
        .iter()
        .filter(|frame| energy(frame) > 0.1 * loudest)
        .filter_map(|frame| {
            let alike = |lag: usize| {
                let (a, b) = (&frame[..rate / 20], &frame[lag..lag + rate / 20]);
                a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>() / (energy(a) * energy(b)).sqrt()
            };
            let scores: Vec<f32> = lags.clone().map(alike).collect();
            let best = scores.iter().copied().fold(0.0, f32::max);
            let first = scores.iter().position(|&score| score > 0.9 * best)?;
            let peak = (first..scores.len() - 1).find(|&at| scores[at + 1] < scores[at])?;
            (best > 0.5).then(|| rate as f64 / (lags.start + peak) as f64)
        })
        .collect();
    assert!(found.len() > 5, "{}: nothing voiced", path.display());
    found.sort_by(f64::total_cmp);
    found[found.len() / 2]
}

#[test]
fn a_clone_says_the_words_at_the_pitch_of_its_reference() {
    clone_says_the_words(&Studio::new());
}

/// The tests of sound on another quantizer: the built-in one hears what comes out, as before.
#[test]
#[ignore = "takes QUANTIZER, what `sh examples/quantizer.sh` made: target/quantizer/mine.pth"]
fn a_quantizer_of_ones_own_clones_and_converts_as_the_built_in_one_does() {
    let quantizer = std::env::var("QUANTIZER").expect("QUANTIZER names a quantizer");
    let studio = Studio::with(fs::canonicalize(quantizer).unwrap().to_str().unwrap());
    clone_says_the_words(&studio);
    recording_keeps_its_words(&studio);
}

fn clone_says_the_words(studio: &Studio) {
    for (name, sentence, others) in [("a.wav", &VOICE, [&DOOR, &TEN]), ("b.wav", &DOOR, [&VOICE, &TEN])] {
        studio.run(&["speak", sentence.0, "-o", name], &SPEAK).prints();
        assert!(studio.errors(name, sentence) < 0.7, "{:?}", studio.heard(name));
        assert!(others.iter().all(|other| studio.errors(name, other) > 0.75), "{:?}", studio.heard(name));
        let (wanted, got) = (pitch(Path::new(&reference())), studio.pitch(name));
        assert!((got / wanted - 1.0).abs() < 0.15, "{name}: {got} Hz instead of {wanted}");
    }
}

#[test]
fn a_recording_keeps_its_words_and_takes_the_pitch_of_the_voice() {
    recording_keeps_its_words(&Studio::new());
}

fn recording_keeps_its_words(studio: &Studio) {
    let other = format!("{FOLDER}/other.wav");
    fs::copy(&other, studio.desk.path("other.wav")).unwrap();
    studio.run(&["convert", "other.wav", "-o", "mine.wav", "--quantizer", &studio.quantizer], &SPEAK).prints();
    assert!(studio.errors("mine.wav", &TEN) < 0.7, "{:?}", studio.heard("mine.wav"));
    let (source, voice, got) = (studio.pitch("other.wav"), pitch(Path::new(&reference())), studio.pitch("mine.wav"));
    assert!((got / voice - 1.0).abs() < 0.2 && (got / source - 1.0).abs() > 0.2, "{source} Hz to {got} of {voice}");
}

#[test]
fn each_of_many_lines_says_its_own_words() {
    let studio = Studio::new();
    let sentences = [&VOICE, &DOOR, &TEN];
    let lines = sentences.map(|sentence| sentence.0).join("\n");
    fs::write(studio.desk.path("lines.txt"), lines).unwrap();
    let ran = studio.run(&["speak", "--lines", "lines.txt", "-d", "out", "--batch", "3"], &SPEAK);
    let paths: Vec<&str> = ran.prints().lines().collect();
    assert_eq!(paths.len(), 3);
    for path in paths {
        let number: usize = path["out/".len()..][..5].parse().unwrap();
        let errors = sentences.map(|sentence| studio.errors(path, sentence));
        let nearest = (0..3).min_by(|&a, &b| errors[a].total_cmp(&errors[b])).unwrap();
        assert!(nearest == number - 1 && errors[nearest] < 0.7, "{path}: {errors:?}");
    }
}

#[test]
fn a_long_text_says_its_sentences_one_after_the_other() {
    let studio = Studio::new();
    let sentences = [&TEN, &VOICE, &DOOR, &TEN];
    let text = sentences.map(|sentence| sentence.0).join("\n\n");
    fs::write(studio.desk.path("text.txt"), text).unwrap();
    studio.run(&["speak", "--file", "text.txt", "-o", "book.wav"], &SPEAK).prints();
    let phonemes = sentences.map(|sentence| sentence.1).join(" ");
    let errors = studio.errors("book.wav", &Sentence("", &phonemes));
    assert!(errors < 0.65, "{errors}: {:?}", studio.heard("book.wav"));
}

#[test]
fn the_flag_and_the_names_and_the_files_are_the_same_models() {
    let studio = Studio::new();
    let speak = |name: &str, models: &[&str]| {
        let flags = ["--voice", "voice.npz", "--seed", "1", "--max-seconds", "1", "-o", name];
        studio.run(&["speak", "Olá"], &[&flags[..], models].concat()).prints();
        studio.desk.bytes(name)
    };
    let expected = speak("flag.wav", &["--demo"]);
    let names = ["--bark", "demo", "--codec", "demo", "--tokenizer", "demo"];
    assert!(speak("names.wav", &names) == expected);
    assert!(speak("files.wav", &["--bark", &format!("{FOLDER}/model/bark")]) == expected);
    let files = ["--hubert", "hubert", "--quantizer", "quantizer.pth", "--codec", "bark"];
    let files = files.map(|flag| if flag.starts_with('-') { flag.into() } else { format!("{FOLDER}/model/{flag}") });
    studio.run(&["clone", &reference(), "-o", "files.npz"], &files.each_ref().map(String::as_str)).prints();
    let (ours, theirs) = (Voice::read(&studio.desk.path("voice.npz")), Voice::read(&studio.desk.path("files.npz")));
    assert_eq!(ours.unwrap().hash(), theirs.unwrap().hash());
}

#[test]
fn the_built_in_bark_can_be_packed_and_what_is_named_beside_the_flag_is_taken() {
    let studio = Studio::new();
    let ran = studio.run(&["speak", VOICE.0, "-o", "q8.wav", "--weights", "q8_0"], &SPEAK);
    assert_eq!(ran.prints(), "q8.wav");
    assert!(studio.errors("q8.wav", &VOICE) < 0.7, "{:?}", studio.heard("q8.wav"));
    let named = studio.run(&["speak", VOICE.0, "-o", "x.wav", "--codec", "nowhere/codec.th"], &SPEAK);
    named.fails(4, &["nowhere/codec.th"]);
}

/// A packed file has the tokenizer with it, and the flag stands in for whatever a Bark lacks.
#[test]
fn a_packed_file_speaks_by_its_path_alone() {
    let studio = Studio::new();
    let speak = |name: &str, models: &[&str]| {
        let flags = ["--voice", "voice.npz", "--seed", "1", "--max-seconds", "1", "-o", name];
        studio.run(&["speak", "Olá"], &[&flags[..], models].concat()).prints();
        super::wav_samples(&studio.desk.bytes(name)).to_vec()
    };
    let packed = |bark: &str| studio.run(&["models", "pack", bark, "--weights", "q8_0"], &[]).prints().to_owned();
    let expected = speak("name.wav", &["--demo", "--weights", "q8_0"]);
    let path = packed("demo");
    assert!(speak("path.wav", &["--bark", &path]) == expected);
    assert!(speak("flag.wav", &["--bark", &path, "--demo"]) == expected);
    let folder = format!("{FOLDER}/model/bark");
    fs::create_dir(studio.desk.path("bare")).unwrap();
    for file in ["config.json", "generation_config.json", "model.safetensors"] {
        fs::copy(format!("{folder}/{file}"), studio.desk.path(&format!("bare/{file}"))).unwrap();
    }
    let of_folder = packed(&folder);
    fs::copy(&of_folder, studio.desk.path("alone.safetensors")).unwrap();
    assert!(speak("alone.wav", &["--bark", "alone.safetensors"]) == expected, "what lay beside it is in it");
    let bare = ["speak", "Olá", "--voice", "voice.npz", "-o", "x.wav", "--bark", "bare"];
    studio.run(&bare, &[]).fails(5, &["bert-multilingual-cased", "not in the cache"]);
    assert!(speak("bare.wav", &["--bark", "bare", "--demo"]) == speak("demo.wav", &["--demo"]));
    // A tokenizer beside Bark is Bark's own, and goes before the built-in one.
    fs::write(studio.desk.path("bare/tokenizer.json"), "x").unwrap();
    studio.run(&bare, &["--demo"]).fails(4, &["bare/tokenizer.json"]);
}

#[test]
fn a_voice_or_a_quantizer_of_other_models_is_told_as_such() {
    let studio = Studio::new();
    fs::copy(super::VOICE, studio.desk.path("other.npz")).unwrap();
    let speak = ["speak", "Olá", "--demo", "--voice", "other.npz", "-o", "x.wav"];
    studio.run(&speak, &[]).fails(3, &["made for other models", "Bark knows 0 to 248"]);
    let convert = ["convert", &reference(), "-o", "x.wav", "--quantizer", super::CLONE[3]];
    studio.run(&convert, &["--hubert", super::CLONE[1], "--demo", "--voice", "voice.npz"]).fails(3, &["other models"]);
    let dry = ["convert", &reference(), "-d", "out", "--dry-run", "--demo", "--voice", "other.npz"];
    studio.run(&dry, &[]).fails(3, &["--voice other.npz: the voice was made for other models", "Bark knows 0 to 248"]);
    assert_eq!(studio.desk.files(), ["other.npz", "voice.npz"]);
}
