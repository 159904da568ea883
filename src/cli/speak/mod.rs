//! `barkclone speak`: text and a voice to a WAV file.

mod book;
mod flags;
mod many;
mod source;
mod text;

use super::choice::read_voice;
use super::progress::Terminal;
use super::provenance::{self, new_seed};
use super::{check_voice_target, out, refuse_own_input};
use anyhow::{Context, Result, ensure};
use barkclone::audio::{Encoding, write_wav};
use barkclone::batch::{Attempt, Attempts, RetryPolicy};
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::normalize::{normalize, utf8};
use barkclone::output;
use barkclone::progress::Progress;
use barkclone::speak::{Request, Settings, Speaker, Utterance};
use barkclone::stage::protocol::Protocol;
use barkclone::voice::language_warning;
use clap::Args;
use flags::{NetArgs, RetryArgs, SamplingArgs};
use many::ManyArgs;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf, absolute};
use std::time::Instant;
use text::{HINT, TextArgs, warn_of_unknown};

/// Most text that is read from standard input, bytes: far more than one utterance can hold.
const TEXT_LIMIT: u64 = 1 << 20;

/// Say a text with a voice, or many texts in one run
///
/// Prints the path of each WAV file it wrote: 24 kHz mono. The files say in their LIST/INFO chunk how they were made,
/// and that they are synthetic speech.
///
/// With --lines, --jobs or --file a report keeps account of what is done: the same command goes on where it was
/// stopped, and speaks anew what changed since. A line that cannot be spoken does not stop the others (exit code 7).
/// Ctrl-C finishes what is under way, a second one stops at once.
#[derive(Args, Debug)]
pub struct SpeakArgs {
    /// What to say; `-` reads standard input, and so does a pipe where TEXT is left out
    #[arg(conflicts_with = "source")]
    text: Option<String>,
    /// A voice file (.npz), or one of Suno's voices such as v2/pt_speaker_3 [default: a random voice]. With --jobs and
    /// --file also NAME=VOICE, any number of times: a name that they may use
    #[arg(long, value_name = "VOICE")]
    voice: Vec<String>,
    /// Where to write; `-` is stdout [default: named after the text, such as ola-mundo.wav]
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["lines", "jobs"])]
    output: Option<PathBuf>,
    /// Keep the generated speech itself as a voice
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    save_voice: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
    /// Write 32-bit float samples instead of 16-bit integers
    #[arg(long)]
    float: bool,
    #[command(flatten)]
    reading: TextArgs,
    #[command(flatten)]
    many: ManyArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
    #[command(flatten)]
    retry: RetryArgs,
    #[command(flatten)]
    nets: NetArgs,
}

pub fn run(args: SpeakArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    match args.many.is_asked() {
        true => many::run(&args, models, terminal),
        false => {
            args.many.run.refuse_for_one("--lines, --jobs or --file")?;
            one(args, models, terminal)
        }
    }
}

/// Speaks one utterance. Everything that can be wrong without a model is found before one is loaded.
fn one(args: SpeakArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    ensure!(args.voice.len() <= 1, Kind::Usage.error("--voice: one utterance has one voice"));
    let seed = args.sampling.seed.unwrap_or_else(new_seed);
    args.sampling.settings(&Protocol::default(), seed).check()?;
    let device = args.nets.device.open()?;
    let dtype = args.nets.weights.computed(&device)?;
    args.check_outputs()?;
    let text = args.text()?;
    let voice = args.voice.first().map(|v| read_voice(v, models, terminal)).transpose()?;
    let origin = voice.as_ref().and_then(|file| file.provenance.as_ref());
    if let Some(warning) = origin.and_then(|origin| language_warning(origin, &text)) {
        terminal.note(&format!("warning: {warning}"));
    }
    let (bark, codec) = args.nets.choice().open(device.is_cpu(), models, terminal)?;
    let tokenizer = args.nets.tokenizer(models, terminal)?;
    let ids = tokenizer.ids(&text, bark.protocol.text_length)?;
    warn_of_unknown(&tokenizer, &text, terminal)?;
    if args.reading.is_missed(&text) {
        terminal.note(HINT);
    }
    let settings = args.sampling.settings(&bark.protocol, seed);
    settings.check()?;
    terminal.note(&format!("seed {seed}"));

    let begin = Instant::now();
    let policy = args.retry.policy();
    let mut speaker = Speaker::new(bark, codec, dtype, &device, args.nets.keep_loaded || policy.retries > 0);
    let mut request = Request::text(ids, voice.map(|file| file.voice), settings);
    let take = best_take(&mut speaker, &mut request, (&text, policy), terminal)?;
    let utterance = take.utterance;
    // The sound first: it is there even where the speech turns out too short for a voice.
    args.deliver(&text, &request, &utterance)?;
    args.keep_voice(&utterance)?;
    let (spoken, took) = (utterance.pcm.seconds(), begin.elapsed().as_secs_f64());
    terminal.note(&format!("{spoken:.1} s of speech in {took:.1} s: {}", super::pace(took / spoken)));
    Ok(())
}

/// Speaks until it sounds right or no more takes are wanted, and says what does not; the request keeps the seed of the
/// one that is kept.
fn best_take(
    speaker: &mut Speaker,
    request: &mut Request,
    (text, policy): (&str, RetryPolicy),
    terminal: &Terminal,
) -> Result<Attempt> {
    let protocol = speaker.protocol().clone();
    let mut takes = Attempts::new(policy, request.settings.seed);
    loop {
        request.settings.seed = takes.seed();
        let utterance = speaker.speak(request, terminal)?;
        let Some(take) = takes.hear(utterance, text, (&protocol, &request.settings.stop))? else { continue };
        if takes.made() > 1 {
            terminal.note(&format!("{} takes, the best one has seed {}", takes.made(), take.seed));
        }
        for finding in &take.findings {
            terminal.note(&format!("warning: it may not sound right: {}", finding.message));
        }
        request.settings.seed = take.seed;
        return Ok(take);
    }
}

impl SpeakArgs {
    fn text(&self) -> Result<String> {
        let text = match self.text.as_deref() {
            None | Some("-") => read_text(self.text.is_some())?,
            Some(text) => text.to_string(),
        };
        let text = normalize(&text);
        ensure!(!text.is_empty(), Kind::Input.error("the text is empty: there is nothing to say"));
        Ok(self.reading.wording().said(&text).text)
    }

    fn to_stdout(&self) -> bool {
        self.output.as_deref() == Some(Path::new("-"))
    }

    fn check_outputs(&self) -> Result<()> {
        let written = self.output.iter().chain(&self.save_voice);
        let voices = || self.voice.iter().map(Path::new);
        written.into_iter().try_for_each(|path| refuse_own_input(path, voices()))?;
        match &self.output {
            Some(_) if self.to_stdout() => (),
            Some(path) => output::check(path, self.force)?,
            None => output::check_folder(Path::new("."))?,
        }
        let Some(voice) = &self.save_voice else { return Ok(()) };
        check_voice_target("--save-voice", voice)?;
        let same = self.output.as_ref().is_some_and(|path| absolute(path).ok() == absolute(voice).ok());
        ensure!(!same, Kind::Usage.error("--output and --save-voice name the same file"));
        output::check(voice, self.force)
    }

    /// Keeps the speech as a voice, if asked to.
    fn keep_voice(&self, utterance: &Utterance) -> Result<()> {
        let Some(path) = &self.save_voice else { return Ok(()) };
        let unfit = || Kind::Input.error(format!("--save-voice {}: this speech cannot be a voice", path.display()));
        utterance.voice().with_context(unfit)?.write(path, self.force)
    }

    /// Writes the WAV and prints its path.
    fn deliver(&self, text: &str, request: &Request, utterance: &Utterance) -> Result<()> {
        let voice = request.voice.as_ref().map(|voice| voice.hash());
        let made = Made { text, voice: voice.as_deref(), settings: &request.settings };
        let wav = |mut sink: &mut dyn Write| self.sound(&made, utterance, &mut sink);
        let path = match &self.output {
            Some(_) if self.to_stdout() => {
                let mut bytes = Vec::new();
                wav(&mut bytes)?;
                return out(bytes);
            }
            Some(path) => {
                output::write_atomically(path, self.force, |sink| wav(sink))?;
                path.clone()
            }
            None => output::write_named_after(text, Path::new("."), "wav", |sink| wav(sink))?,
        };
        let shown = path.strip_prefix(".").unwrap_or(&path).display();
        out(format!("{shown}\n"))
    }

    /// The WAV, with what it says of itself.
    fn sound(&self, made: &Made, utterance: &Utterance, sink: &mut impl Write) -> Result<()> {
        let encoding = if self.float { Encoding::Float32 } else { Encoding::Pcm16 };
        let how = provenance::made(made.voice.unwrap_or("random"), made.settings, self.nets.weights);
        write_wav(sink, &utterance.pcm, encoding, &provenance::remarks(made.text, &how))
    }
}

/// What a sound was made of.
struct Made<'a> {
    text: &'a str,
    /// The voice's hash.
    voice: Option<&'a str>,
    settings: &'a Settings,
}

fn read_text(asked: bool) -> Result<String> {
    let stdin = std::io::stdin();
    ensure!(
        asked || !stdin.is_terminal(),
        Kind::Usage.error("what shall be said? Give TEXT, pipe it in, or use `-` to type it")
    );
    let mut bytes = Vec::new();
    stdin.lock().take(TEXT_LIMIT + 1).read_to_end(&mut bytes).context("cannot read the text from stdin")?;
    ensure!(bytes.len() as u64 <= TEXT_LIMIT, Kind::Input.error("the text on stdin is longer than 1 MiB"));
    let mut text = Vec::new();
    utf8(&bytes[..])?.read_to_end(&mut text)?;
    String::from_utf8(text).with_context(|| Kind::Input.error("the text on stdin is not UTF-8"))
}
