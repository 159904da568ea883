//! The program as its user meets it: command lines, files, pipes, messages and exit codes, with the built-in models and
//! offline.

mod check;
mod clone;
mod clone_prepared;
mod clone_refusals;
mod convert;
mod demo;
mod epub;
mod formats;
#[cfg(unix)]
mod heard;
#[cfg(unix)]
mod interrupted;
mod layouts;
mod library;
mod many;
mod many_file;
mod many_kept;
mod many_page;
mod many_stopped;
mod messages;
mod pages;
mod quantizer;
mod recordings;
mod sampling;
mod score;
mod selftest;
mod settings;
mod speak;
mod text;
mod texts;
mod voice;
mod voices;

use crate::byte_tokenizer::byte_tokenizer;
use crate::noise::Size;
use crate::npz::NpzReader;
use crate::standins::{Format, Spec, shared};
use barkclone::net::codec::CodecConfig;
use barkclone::tokens::FINE_CODEBOOKS;
use hound::{SampleFormat, WavSpec, WavWriter};
use ndarray::{Array1, Array2};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

/// Tiny models of noise in files, which take any voice and any text.
fn noise() -> PathBuf {
    shared("cli-noise", |dir| {
        let codec = CodecConfig { num_filters: 4, hidden_size: 16, ..CodecConfig::default() };
        let spec = Spec { codec, codebooks: FINE_CODEBOOKS, ..Spec::new(Size::Tiny, 1) };
        spec.write_hf_bark(&dir.join("bark"), Format::Safetensors, true);
        std::fs::write(dir.join("bark/tokenizer.json"), byte_tokenizer()).unwrap();
        spec.write_hf_hubert(&dir.join("hubert"), Format::Safetensors);
        spec.write_quantizer(&dir.join("quantizer.pth"), 0, None);
    })
}

/// `flags`, with the files of [`noise`] in the place of names that begin with `/`.
fn on_noise(flags: &[&'static str]) -> Vec<&'static str> {
    let place = |flag: &&'static str| match flag.strip_prefix('/') {
        Some(name) => noise().join(name).into_os_string().into_string().unwrap().leak(),
        None => *flag,
    };
    flags.iter().map(place).collect()
}

/// What `clone` and `speak` run on here.
static CLONE: LazyLock<Vec<&str>> =
    LazyLock::new(|| on_noise(&["--hubert", "/hubert", "--quantizer", "/quantizer.pth", "--codec", "/bark"]));
static SPEAK: LazyLock<Vec<&str>> = LazyLock::new(|| {
    on_noise(&["--bark", "/bark", "--codec", "/bark", "--tokenizer", "/bark/tokenizer.json", "--max-seconds", "0.3"])
});

/// A file that is there and no model.
const NO_MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

/// A made-up voice.
const VOICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sound/voices/int64.npz");

/// A folder of its own for each test: the program runs in it, and its model cache is there and empty.
struct Desk {
    folder: tempfile::TempDir,
}

/// What a run left behind.
struct Ran {
    code: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_barkclone"));
        for variable in ["HF_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "HF_TOKEN_PATH"] {
            command.env_remove(variable);
        }
        for variable in ["BARKCLONE_MODELS", "BARKCLONE_VOICE", "BARKCLONE_KERNELS"] {
            command.env_remove(variable);
        }
        command.env("HF_HOME", self.folder.path().join(".home")).env("HF_HUB_OFFLINE", "1");
        command.env("XDG_DATA_HOME", self.folder.path().join(".home/data"));
        command.env("XDG_CONFIG_HOME", self.folder.path().join(".home/config"));
        command.env("SOURCE_DATE_EPOCH", "1795305600");
        command.current_dir(self.folder.path()).stdin(Stdio::null()).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Runs where no file may be longer than `blocks` KiB, which fails a write as a full disk does, at any byte, and
    /// needs no rights.
    #[cfg(target_os = "linux")]
    fn limited(&self, blocks: usize, arguments: &[&str]) -> Ran {
        let command = self.command(arguments);
        let line = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(line).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(key, value),
                None => shell.env_remove(key),
            };
        }
        Ran::of(shell.current_dir(self.folder.path()).output().unwrap())
    }

    /// Runs with `input` piped in.
    fn run_with(&self, input: &[u8], arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        // A program that refuses its flags does not read the text.
        let _ = child.stdin.take().unwrap().write_all(input);
        Ran::of(child.wait_with_output().unwrap())
    }

    /// `clone --raw` on models of noise, unless `flags` name others.
    fn clone(&self, reference: &str, flags: &[&str]) -> Ran {
        self.prepare(&[&[reference, "--raw"], flags].concat())
    }

    /// `clone`, which prepares what it is given, on models of noise.
    fn prepare(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["clone"], arguments, &without(&CLONE, arguments)].concat())
    }

    /// `convert` on models of noise, with one of the made-up voices.
    fn convert(&self, sources: &[&str], flags: &[&str]) -> Ran {
        let defaults = [&CLONE[..], &SPEAK[..2], &["--voice", "voice.npz"]].concat();
        std::fs::copy(VOICE, self.path("voice.npz")).unwrap();
        self.run(&[&["convert"], sources, &without(&defaults, flags)[..], flags].concat())
    }

    /// `speak` on models of noise, and not for long, unless `flags` say otherwise.
    fn speak(&self, text: &str, flags: &[&str]) -> Ran {
        self.run(&[&["speak", text], &without(&SPEAK, flags)[..], flags].concat())
    }

    /// The names of all files here, hidden ones too, but for the model cache.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != ".home");
        names.sort();
        names
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// A mono recording of made-up babble, 16 bits at 16 kHz.
    fn babble(&self, name: &str, seconds: f64) {
        write_wav(&self.path(name), spec(1, 16_000, 16, SampleFormat::Int), seconds, 1);
    }
}

/// The pairs of flag and value in `defaults` whose flag is not in `flags`.
fn without<'a>(defaults: &[&'a str], flags: &[&str]) -> Vec<&'a str> {
    defaults.chunks(2).filter(|pair| !flags.contains(&pair[0])).flatten().copied().collect()
}

impl Ran {
    fn of(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains("panicked"), "{stderr}");
        Self { code: output.status.code().unwrap(), stdout: output.stdout, stderr }
    }

    /// It succeeds; what it printed, without the line's end.
    #[track_caller]
    fn prints(&self) -> &str {
        assert_eq!(self.code, 0, "{}", self.stderr);
        std::str::from_utf8(&self.stdout).unwrap().trim_end_matches('\n')
    }

    /// It fails with this exit code, prints nothing, and says all of `words`.
    #[track_caller]
    fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.stdout.as_slice()), (code, &b""[..]), "{}", self.stderr);
        self.says(words);
    }

    /// All of `words` are on stderr.
    #[track_caller]
    fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is not in: {}", self.stderr);
        }
    }
}

/// The samples of a WAV file.
fn wav_samples(wav: &[u8]) -> &[u8] {
    let data = wav.windows(4).position(|bytes| bytes == b"data").unwrap();
    &wav[data + 8..]
}

fn spec(channels: u16, rate: u32, bits: u16, sample_format: SampleFormat) -> WavSpec {
    WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format }
}

/// Babble that every format holds exactly: multiples of 1/128, a buzz of changing pitch under hiss; another for each
/// `seed`.
fn babble(frames: usize, rate: u32, seed: u32) -> impl Iterator<Item = i32> {
    let mut noise = seed.wrapping_mul(2_654_435_761);
    let mut phase = 0.0;
    (0..frames).map(move |frame| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let time = frame as f64 / f64::from(rate);
        phase += (140.0 + 60.0 * (7.0 * time).sin()) / f64::from(rate);
        let hiss = f64::from(noise >> 16) / 65_536.0 - 0.5;
        (80.0 * (phase.fract() - 0.5) * (1.0 + (11.0 * time).sin()) + 30.0 * hiss) as i32
    })
}

/// Writes babble in any format, the same on every channel.
fn write_wav(path: &Path, spec: WavSpec, seconds: f64, seed: u32) {
    let mut writer = WavWriter::create(path, spec).unwrap();
    let frames = (seconds * f64::from(spec.sample_rate)).round() as usize;
    for level in babble(frames, spec.sample_rate, seed) {
        for _ in 0..spec.channels {
            match spec.sample_format {
                SampleFormat::Int => writer.write_sample(level << (spec.bits_per_sample - 8)).unwrap(),
                SampleFormat::Float => writer.write_sample(level as f32 / 128.0).unwrap(),
            }
        }
    }
    writer.finalize().unwrap();
}

/// A voice file's arrays as numpy would show them.
#[derive(Debug, PartialEq)]
struct Arrays {
    semantic: Array1<i64>,
    coarse: Array2<i64>,
    fine: Array2<i64>,
}

impl Arrays {
    /// Of a file that holds nothing else, but where it comes from.
    fn read(path: &Path) -> Self {
        let mut npz = NpzReader::open(path);
        let mut names = npz.names();
        names.retain(|name| name != "barkclone_provenance");
        assert_eq!(names, ["semantic_prompt", "coarse_prompt", "fine_prompt"]);
        Self {
            semantic: npz.array("semantic_prompt"),
            coarse: npz.array("coarse_prompt"),
            fine: npz.array("fine_prompt"),
        }
    }

    /// The assertions of suno-ai/bark's `_load_history_prompt`, `generate_text_semantic`, `generate_coarse` and
    /// `generate_fine`.
    #[track_caller]
    fn satisfy_bark(&self) {
        let (s, t) = (self.semantic.len(), self.coarse.ncols());
        assert!(s > 0 && self.semantic.iter().all(|token| (0..10_000).contains(token)));
        assert!(self.coarse.nrows() == 2);
        assert!(self.fine.dim() == (8, t) && self.fine.iter().all(|code| (0..1024).contains(code)));
        // Both round as Python's `round(x, 1)` does.
        assert_eq!(format!("{:.1}", t as f64 / s as f64), format!("{:.1}", 75.0 / 49.9), "{t} frames, {s} tokens");
        assert_eq!(self.coarse, self.fine.slice(ndarray::s![..2, ..]));
    }
}
