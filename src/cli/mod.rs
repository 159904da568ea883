//! The command line: the only place that knows clap, the terminal and exit codes.

mod batch;
mod check;
mod choice;
mod clone;
mod convert;
mod dry;
mod ears;
mod interrupt;
mod many;
mod models;
mod models_folder;
mod nets;
mod progress;
mod provenance;
mod quantizer;
mod references;
mod report;
mod reporter;
mod score;
mod selftest;
mod settings;
mod shell;
mod sound;
mod speak;
mod together;
mod voice;

use anyhow::{Context, Result, bail, ensure};
use barkclone::audio::Format;
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::output;
use clap::{Args, Parser, Subcommand};
use progress::Terminal;
use settings::Parsed;
pub use shell::complete;
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  barkclone clone ref.wav -o voz.npz                        # or an MP3, M4A, Ogg, a video, a folder of them
  barkclone speak --voice voz.npz \"Olá mundo\" -o ola.wav
  barkclone speak --voice v2/pt_speaker_3 \"Bom dia\"       # Suno's voice; bom-dia.wav
  barkclone speak \"Quem sou eu?\" --save-voice nova.npz    # a random voice, kept
  barkclone speak --voice voz.npz --lines prompts.txt -d out   # a WAV a line; again: goes on where it stopped
  barkclone speak --voice voz.npz --file book.txt -o book.wav  # a long text
  echo \"Até logo\" | barkclone speak --voice voz.npz -o - | aplay
  barkclone convert talk.wav --voice voz.npz -o mine.wav    # its words and pace in the voice
  barkclone voice inspect voz.npz
  barkclone quantizer train data/ -o mine.pth               # for a language of your own
  barkclone models list

A good recording is of one person speaking whole sentences, without noise, music or echo; `clone` takes the best 5 to 12 \
seconds of it. Make \
several clones and keep the best. Models are downloaded on first use (Bark: 4.5 GB, or 1.7 GB with --bark small).

Words:
  token      a number that stands for a short stretch of speech or text; the nets read and write tokens
  stage      one of Bark's three nets: semantic (text to meaning), coarse (to rough sound), fine (to full sound)
  codec      EnCodec: sound to tokens, and tokens back to sound
  quantizer  the net that makes tokens of what HuBERT hears; there is one for each language
  seed       the number that the random draws begin with: the same seed, the same result
  batch      lines that are spoken at the same time
  exact      the same tokens as the Python originals give
  q8_0       weights of 8 bits instead of 32: smaller and faster, and not exact

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 other failure, 2 wrong usage, \
3 unusable audio, text or voice, 4 missing or damaged model, 5 failed download, 6 output that cannot be written or exists already, \
7 some of many utterances or recordings failed, or with --strict may not sound right, 130 interrupted.";

/// Clone a voice from a few seconds of speech, and speak with it
///
/// `clone` makes a voice file of a recording: HuBERT and a quantizer hear its words, EnCodec its sound. `speak` says a
/// text with that voice, by Bark and EnCodec, on a CPU or a GPU. The voice files are Bark's own: `speak` takes Suno's,
/// and Bark takes those of `clone`.
#[derive(Parser, Debug)]
#[command(version, about, long_about, after_help = EXAMPLES, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "General")]
struct Global {
    /// Read the known models from this file instead of the built-in models.toml
    #[arg(long, global = true, value_name = "FILE")]
    registry: Option<PathBuf>,
    /// Make no network request: use what is in the cache
    #[arg(long, global = true)]
    offline: bool,
    /// CPU threads; results do not depend on their number [default: as many as this process may use]
    #[arg(long, global = true, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Only results, warnings and errors, no progress or notes; twice: no warnings either
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    quiet: u8,
}

#[derive(Subcommand, Debug)]
enum Command {
    Check(check::CheckArgs),
    Clone(Box<clone::CloneArgs>),
    Speak(Box<speak::SpeakArgs>),
    Report(report::ReportArgs),
    Convert(Box<convert::ConvertArgs>),
    Score(score::ScoreArgs),
    Voice(voice::VoiceArgs),
    Quantizer(quantizer::QuantizerArgs),
    Models(models::ModelsArgs),
    Config(settings::ConfigArgs),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
}

/// Does what the command line asks for, on a pool of threads: inside it, handing work to the kernels costs least.
pub fn run() -> Result<()> {
    selftest::choose_kernels()?;
    if selftest::asks_for_version() {
        return out(selftest::version());
    }
    let parsed = settings::parse()?;
    interrupt::install()?;
    let threads = parsed.cli.global.threads.map_or_else(available_threads, usize::from);
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().context("cannot start the worker threads")?;
    pool.install(|| dispatch(parsed))
}

/// As many as this process may run at a time, by its affinity and its group's share.
fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

fn dispatch(Parsed { cli, models: chosen }: Parsed) -> Result<()> {
    let terminal = Terminal::new(cli.global.quiet);
    let models = || {
        let models = Models::open(cli.global.registry.as_deref(), cli.global.offline)?;
        // A wrong name is told before another model is fetched.
        chosen.iter().try_for_each(|(kind, choice)| models.check(*kind, choice))?;
        Ok(models)
    };
    match cli.command {
        Command::Check(args) => check::run(args, &terminal),
        Command::Clone(args) => clone::run(*args, &models()?, &terminal),
        Command::Speak(args) => speak::run(*args, &models()?, &terminal),
        Command::Report(args) => report::run(args, &terminal),
        Command::Convert(args) => convert::run(*args, &models()?, &terminal),
        Command::Score(args) => score::run(&args, &models()?, &terminal),
        Command::Voice(args) => voice::run(args, models, &terminal),
        Command::Quantizer(args) => quantizer::run(args, models, &terminal),
        Command::Models(args) => models::run(args, &models()?, &terminal),
        Command::Config(args) => settings::show(&args, &models()?),
        Command::Completions(args) => shell::completions(args),
        Command::Man(args) => shell::man(args),
    }
}

/// Writes a result to stdout.
fn out(bytes: impl AsRef<[u8]>) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    written(stdout.write_all(bytes.as_ref()).and_then(|()| stdout.flush()))
}

/// What came of writing to stdout. A reader that has gone away is no error.
fn written(result: std::io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.with_context(unwritable),
    }
}

fn unwritable() -> barkclone::error::Error {
    Kind::Output.error("cannot write to stdout")
}

/// Writes a line to stderr, for as long as somebody reads it.
pub fn tell(message: impl Display) {
    // There is nobody left to tell of a failure.
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// What is wrong at `place`, which is named once: what concerns a recording itself names it.
fn placed(place: &str, error: &str) -> String {
    if error.starts_with(place) { error.to_owned() } else { format!("{place}: {error}") }
}

/// How long something took beside the speech that came of it, in words.
pub fn pace(seconds_a_second: f64) -> String {
    match seconds_a_second >= 1.0 {
        true => format!("{seconds_a_second:.1} times slower than speech"),
        false => format!("{:.1} times faster than speech", 1.0 / seconds_a_second),
    }
}

/// `0:42`, `12:05`, `3:00:00`.
pub fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// A text from anywhere as one line that no terminal takes for more than text.
fn one_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(plain).collect()
}

/// Refuses an output that is one of the command's own inputs: not even --force is meant to destroy what a result is
/// made of.
fn refuse_own_input<'a>(output: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    inputs.into_iter().for_each(output::keep_input);
    output::refuse_input(output)
}

/// Refuses two flags that name the same file: the one result would replace the other.
fn refuse_same_file<'a>(places: impl IntoIterator<Item = (&'a str, &'a Path)>) -> Result<()> {
    let mut before: Vec<(&str, &Path)> = Vec::new();
    for (flag, path) in places {
        if let Some((other, _)) = before.iter().find(|(_, known)| output::is_same_file(known, path)) {
            let shown = path.display();
            bail!(Kind::Usage.error(format!("{other} and {flag} name the same file, {shown}")));
        }
        before.push((flag, path));
    }
    Ok(())
}

/// Refuses what is no place for a report: stdout, and the name of what reports are about.
fn check_report_target(path: &Path) -> Result<()> {
    let shown = path.display();
    ensure!(path != Path::new("-"), Kind::Usage.error("--report -: a report goes to a file, not to stdout"));
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_lowercase();
    let other =
        ["npz", "npy", "pth", "srt", "vtt"].contains(&&*ending) || !ending.is_empty() && Format::of(path).is_ok();
    let told = || format!("--report {shown}: a report is no .{ending} file: name it otherwise");
    ensure!(!other, Kind::Usage.error(told()));
    Ok(())
}

/// Refuses what is no place for a page, before there is anything to write.
fn check_page_target(path: &Path, force: bool) -> Result<()> {
    if path != Path::new("-") {
        output::check(path, force)?;
    }
    check_report_target(path)
}

/// Refuses what is no place for a voice: stdout, to which only sound goes, and the name of a sound.
fn check_voice_target(flag: &str, path: &Path) -> Result<()> {
    let shown = path.display();
    ensure!(path != Path::new("-"), Kind::Usage.error(format!("{flag} -: a voice goes to a file, not to stdout")));
    let sound = path.extension().is_some() && Format::of(path).is_ok();
    ensure!(!sound, Kind::Usage.error(format!("{flag} {shown}: a voice is no sound: name it .npz")));
    Ok(())
}
