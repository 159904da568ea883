//! `barkclone speak`: text and a voice to a WAV file.

mod book;
mod flags;
mod live;
mod many;
mod outlet;
mod pairs;
mod random;
mod source;
mod text;
mod trial;

use super::choice::{is_voice, read_voice, warn_of_codec};
use super::ears::VoiceJudge;
use super::nets::WeightType;
use super::progress::Terminal;
use super::provenance::{self, new_seed};
use super::sound::LoudnessArgs;
use super::{check_voice_target, out, refuse_own_input, refuse_same_file};
use anyhow::{Context, Result, ensure};
use barkclone::audio::{Encoding, Format, write_sound};
use barkclone::batch::{Attempt, Heard, Kept, RetryPolicy, Takes, heard, mixed, ranked};
use barkclone::book::inline;
use barkclone::ears::{Asked, Parts, Score};
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::normalize::{normalize, utf8};
use barkclone::output;
use barkclone::progress::Progress;
use barkclone::sound::RecordedFinding;
use barkclone::speak::{Request, Settings, Sound, Speaker, Utterance};
use barkclone::stage::protocol::Protocol;
use barkclone::stage::text::check_said;
use barkclone::voice::{Provenance, language_warning};
use clap::Args;
pub use flags::NetArgs;
use flags::{RetryArgs, SamplingArgs};
use many::ManyArgs;
use outlet::{Outlets, Wanted};
pub use pairs::{Pairs, run as run_pairs};
use serde_json::{Value, json};
use source::Compared;
use std::io::{IsTerminal, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;
use text::{HINT, TextArgs, warn_of_tags, warn_of_unknown};
pub use trial::{Speaking, texts};

/// Most text that is read from standard input, bytes: far more than one utterance can hold.
const TEXT_LIMIT: u64 = 1 << 20;

/// Say a text with a voice, or many texts in one run
///
/// Prints the path of each sound file it wrote: 24 kHz mono. The files say in their tags how they were made, and that
/// they are synthetic speech.
///
/// With --lines, --jobs or --file a report keeps account of what is done: the same command goes on where it was
/// stopped, and speaks anew what changed since. A line that cannot be spoken does not stop the others (exit code 7).
/// Ctrl-C finishes what is under way, a second one stops at once.
#[derive(Args, Debug)]
pub struct SpeakArgs {
    /// What to say; `-` reads standard input, and so does a pipe where TEXT is left out
    #[arg(conflicts_with = "source")]
    text: Option<String>,
    /// A voice file (.npz), or one of Suno's voices such as v2/pt_speaker_3 [default: a random voice]. With --lines,
    /// --jobs and --file also NAME=VOICE, any number of times: a name that they may use
    #[arg(long, value_name = "VOICE")]
    voice: Vec<String>,
    /// Where to write: .wav, .flac, .opus, and by an installed ffmpeg .mp3 and .m4a; `-` is stdout, where the sound goes
    /// as it is made [default: named after the text, such as ola-mundo.wav]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Play the sound as it is made, with aplay, paplay, ffplay or afplay; writes no file unless asked to
    #[arg(long)]
    play: bool,
    /// With -o -: bare samples without a WAV header, 24 kHz mono, 16-bit or with --float 32-bit, little-endian
    #[arg(long)]
    raw_pcm: bool,
    /// Keep the generated speech itself as a voice
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    save_voice: Option<PathBuf>,
    /// Replace files that exist; of many also those that were changed since they were made
    #[arg(long)]
    force: bool,
    /// Write 32-bit float samples instead of 16-bit integers
    #[arg(long)]
    float: bool,
    #[command(flatten)]
    loud: LoudnessArgs,
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
    /// Set by `quantizer data`.
    #[arg(skip)]
    pairs: Option<Pairs>,
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
    let identity = codec.identity()?;
    if let (Some(choice), Some(voice)) = (args.voice.first(), &voice) {
        warn_of_codec(format_args!("--voice {choice}"), voice, &identity, terminal);
    }
    let tokenizer = args.nets.tokenizer(models, terminal)?;
    let ids = tokenizer.ids(&text, bark.protocol.text_length)?;
    warn_of_unknown(&tokenizer, &text, terminal)?;
    warn_of_tags(&text, terminal);
    if args.reading.is_missed(&text) {
        terminal.note(HINT);
    }
    let settings = args.sampling.settings(&bark.protocol, seed);
    settings.check()?;
    terminal.note(&format!("seed {seed}"));

    let begin = Instant::now();
    let policy = args.retry.policy();
    let others = || args.retry.ears((models, &device), terminal);
    let judge = args.retry.best.judge((policy, others), (&codec, &device), models, terminal)?;
    let mut speaker = Speaker::new(bark, codec, dtype, &device, args.nets.keep_loaded || policy.chooses());
    let mut request = Request::text(ids, voice.map(|file| file.voice), settings);
    let mut live = Live { args: &args, text: &text, begin, outlets: None, terminal };
    // What may be spoken once more, or cut, is not heard before that is known.
    if args.wanted().any() && !policy.chooses() && !policy.trim_tail && args.loud.loudness.is_none() {
        request.sound = Sound::Early;
    }
    let mut kept = match policy.chooses() {
        true => args.best_take(&mut speaker, &request, &text, (&judge, terminal))?,
        false => only_take(&mut speaker, &request, (&text, policy), &mut live)?,
    };
    tell_of(&kept, terminal);
    request.settings.seed = kept.best.seed;
    let mut takes = std::iter::once(&mut kept.best).chain(&mut kept.others);
    takes.try_for_each(|take| args.loud.level(&"the result", &mut take.utterance.pcm, terminal))?;
    let take = &kept.best;
    live.rest(&request, &take.utterance)?;
    let first = live.outlets.as_ref().and_then(Outlets::first);
    // The sound first: it is there even where the speech turns out too short for a voice.
    let paths = args.deliver(&text, &request, &kept)?;
    let (spoken, took) = (take.utterance.pcm.seconds(), begin.elapsed().as_secs_f64());
    args.tell(&text, &kept, (paths, first.unwrap_or(took), took))?;
    args.keep_voice(&take.utterance, &random::origin(&args, Some(&identity), take.seed))?;
    terminal.note(&format!("{spoken:.1} s of speech in {took:.1} s: {}", super::pace(took / spoken)));
    args.many.run.judge(&kept.best.findings)?;
    live.outlets.map_or(Ok(()), |outlets| outlets.close(terminal))
}

/// One utterance that is heard while it is made.
struct Live<'a> {
    args: &'a SpeakArgs,
    text: &'a str,
    begin: Instant,
    /// Open from the first sound on.
    outlets: Option<Outlets>,
    terminal: &'a Terminal,
}

impl Live<'_> {
    /// The next samples of the `total`.
    fn hear(&mut self, request: &Request, total: usize, samples: &[f32]) -> Result<()> {
        let wanted = self.args.wanted();
        if !wanted.any() {
            return Ok(());
        }
        if self.outlets.is_none() {
            let voice = request.voice.as_ref().map(|voice| voice.hash());
            let made = Made { text: self.text, voice: voice.as_deref(), settings: &request.settings };
            let how = made.told(self.args.nets.weights);
            let remarks = provenance::remarks(self.text, &how).map(|(tag, text)| (*tag, text.to_owned()));
            self.outlets = Some(Outlets::open(wanted, Some((total, remarks.into())), self.begin)?);
        }
        self.outlets.as_mut().map_or(Ok(()), |outlets| outlets.samples(samples, self.terminal))
    }

    /// All of a sound that was not heard while it was made.
    fn rest(&mut self, request: &Request, utterance: &Utterance) -> Result<()> {
        let samples = &utterance.pcm.samples;
        if self.outlets.is_some() { Ok(()) } else { self.hear(request, samples.len(), samples) }
    }
}

/// Speaks once.
fn only_take(
    speaker: &mut Speaker,
    request: &Request,
    (text, policy): (&str, RetryPolicy),
    live: &mut Live,
) -> Result<Kept> {
    let (protocol, terminal, seed) = (speaker.protocol().clone(), live.terminal, request.settings.seed);
    let mut hear = |total: usize, samples: &[f32]| match request.sound {
        Sound::Early => live.hear(request, total, samples),
        _ => Ok(()),
    };
    let utterance = speaker.speak_to(request, &mut hear, terminal)?;
    let (utterance, findings) = heard(utterance, text, policy, (&protocol, &request.settings.stop))?;
    let best = Attempt { utterance, seed, score: Score::new(Parts::default(), &findings), findings };
    Ok(Kept { best, others: Vec::new(), scores: Vec::new() })
}

/// Says which of several takes is kept, and what does not sound right in it.
fn tell_of(kept: &Kept, terminal: &Terminal) {
    kept.told().into_iter().for_each(|takes| terminal.note(&takes));
    for finding in &kept.best.findings {
        terminal.note(&format!("warning: it may not sound right: {}", finding.message));
    }
}

impl SpeakArgs {
    /// Speaks until it sounds right or no more takes are wanted.
    fn best_take(
        &self,
        speaker: &mut Speaker,
        request: &Request,
        text: &str,
        (judge, terminal): (&VoiceJudge, &Terminal),
    ) -> Result<Kept> {
        let (policy, protocol) = (self.retry.policy(), speaker.protocol().clone());
        let voice = request.voice.as_deref();
        let reference = voice.map_or(Ok(None), |voice| judge.reference("", || Ok(voice.clone())))?;
        let batch = if policy.best_of > 1 { speaker.automatic_batch()? } else { 1 };
        let hear = |utterance, settings: &Settings| {
            let (utterance, findings) = heard(utterance, text, policy, (&protocol, &settings.stop))?;
            let asked = Asked { voice: reference.as_ref(), text: Some(text), semantic: Some(&utterance.semantic) };
            let score = judge.judge.score(&utterance.pcm, asked, &findings)?;
            Ok(Heard { utterance, findings, score })
        };
        let batch = batch.min(policy.least() as usize);
        Takes::new(request.clone(), policy, hear).speak(speaker, batch, terminal)
    }

    fn text(&self) -> Result<String> {
        match self.text.as_deref() {
            None | Some("-") => self.said(&read_text(self.text.is_some())?),
            Some(text) => {
                refuse_file(text)?;
                self.said(text)
            }
        }
    }

    /// The text as it is said.
    fn said(&self, text: &str) -> Result<String> {
        let text = normalize(text);
        check_said(&text)?;
        let text = inline(&text, &[])?.text;
        ensure!(!text.is_empty(), Kind::Input.error("the text holds directives alone: there is nothing to say"));
        check_said(&text)?;
        Ok(self.reading.wording().said(&text).text)
    }

    /// What --ab compares: where no text is given apart, the last of its values is one.
    fn compared(&self, seed: u64, models: &Models, terminal: &Terminal) -> Result<Compared> {
        let (voices, last) = match self.many.ab.split_last() {
            Some((last, voices)) if self.text.is_none() && !is_voice(last) => (voices, Some(last)),
            _ => (&self.many.ab[..], None),
        };
        ensure!(voices.len() > 1, Kind::Usage.error("--ab: give at least two voices, and a text"));
        voices.iter().try_for_each(|voice| read_voice(voice, models, terminal).map(drop))?;
        let text = last.map_or_else(|| self.text(), |text| self.said(text))?;
        let seeds = (1..=self.many.takes).map(|take| mixed(seed, &take.to_string())).collect();
        Ok(Compared { text, voices: voices.to_vec(), seeds })
    }

    fn to_stdout(&self) -> bool {
        self.output.as_deref() == Some(Path::new("-"))
    }

    /// Whether the sound goes out while it is made.
    fn wanted(&self) -> Wanted {
        let (stdout, encoding) = (self.to_stdout(), if self.float { Encoding::Float32 } else { Encoding::Pcm16 });
        let file = self.output.is_some() && !stdout;
        Wanted { stdout, play: self.play, raw: self.raw_pcm, file, encoding }
    }

    fn check_outputs(&self) -> Result<()> {
        self.wanted().check()?;
        self.retry.best.keep_inputs();
        let written = self.output.iter().chain(&self.save_voice);
        let voices = || self.voice.iter().map(Path::new);
        written.into_iter().try_for_each(|path| refuse_own_input(path, voices()))?;
        match &self.output {
            Some(_) if self.to_stdout() => {
                let told = "--keep-all: takes go to files; name one with -o FILE";
                ensure!(!self.retry.best.keep_all, Kind::Usage.error(told));
            }
            Some(path) => {
                Format::checked(path, self.wanted().encoding)?;
                output::check(path, self.force)?;
                let mut takes = self.retry.policy().ranks_kept().map(|rank| ranked(path, rank));
                takes.try_for_each(|take| output::check(&take, self.force))?;
            }
            None if self.play => (),
            None => output::check_folder(Path::new("."))?,
        }
        let Some(voice) = &self.save_voice else { return Ok(()) };
        check_voice_target("--save-voice", voice)?;
        let output = self.output.iter().map(|path| ("--output", path.as_path()));
        refuse_same_file(output.chain([("--save-voice", voice.as_path())]))?;
        output::check(voice, self.force)
    }

    /// Keeps the speech as a voice, if asked to.
    fn keep_voice(&self, utterance: &Utterance, origin: &Provenance) -> Result<()> {
        let Some(path) = &self.save_voice else { return Ok(()) };
        let unfit = || Kind::Input.error(format!("--save-voice {}: this speech cannot be a voice", path.display()));
        utterance.voice().with_context(unfit)?.write_with(Some(origin), path, self.force)
    }

    /// Writes the WAVs, where the speech does not only go out; their paths, the best take's first.
    fn deliver(&self, text: &str, request: &Request, kept: &Kept) -> Result<Vec<PathBuf>> {
        let voice = request.voice.as_ref().map(|voice| voice.hash());
        let write = |take: &Attempt, format, sink: &mut output::Sink| {
            let settings = Settings { seed: take.seed, ..request.settings };
            let made = Made { text, voice: voice.as_deref(), settings: &settings };
            self.sound(&made, &take.utterance, format, sink)
        };
        let path = match &self.output {
            Some(_) if self.to_stdout() => return Ok(Vec::new()),
            None if self.play => return Ok(Vec::new()),
            Some(path) => {
                let format = Format::of(path)?;
                output::write_atomically(path, self.force, |sink| write(&kept.best, format, sink))?;
                path.clone()
            }
            None => {
                output::write_named_after(text, Path::new("."), "wav", |sink| write(&kept.best, Format::Wav, sink))?
            }
        };
        let mut paths = vec![path.strip_prefix(".").unwrap_or(&path).to_owned()];
        for (rank, take) in (2..).zip(&kept.others) {
            let path = ranked(&paths[0], rank);
            let format = Format::of(&path)?;
            output::write_atomically(&path, self.force, |sink| write(take, format, sink))?;
            paths.push(path);
        }
        Ok(paths)
    }

    /// Prints the sounds' paths, or all about them.
    fn tell(&self, text: &str, kept: &Kept, (paths, first_sound, took): (Vec<PathBuf>, f64, f64)) -> Result<()> {
        let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        if !self.many.run.json {
            return out(paths.iter().map(|path| format!("{path}\n")).collect::<String>());
        }
        let take = &kept.best;
        let findings: Vec<_> = take.findings.iter().map(RecordedFinding::from).collect();
        let mut told = json!({"event": "done", "out": paths.first(), "text": text, "seed": take.seed,
            "findings": findings, "seconds": take.utterance.pcm.seconds(), "took": took, "first_sound": first_sound});
        if !kept.scores.is_empty() {
            told["score"] = json!(take.score);
            told["heard"] = kept.scores.iter().map(|take| json!({"seed": take.seed, "score": take.score})).collect();
        }
        self.event(&told)
    }

    /// A JSON line on stdout; on stderr where stdout has the sound.
    fn event(&self, told: &Value) -> Result<()> {
        match self.to_stdout() {
            true => super::tell(told),
            false => out(format!("{told}\n"))?,
        }
        Ok(())
    }

    /// The sound, with what it says of itself.
    fn sound(&self, made: &Made, utterance: &Utterance, format: Format, sink: &mut (impl Write + Seek)) -> Result<()> {
        let how = made.told(self.nets.weights);
        write_sound(sink, &utterance.pcm, (format, self.wanted().encoding), &provenance::remarks(made.text, &how))
    }
}

/// What a sound was made of.
struct Made<'a> {
    text: &'a str,
    /// The voice's hash.
    voice: Option<&'a str>,
    settings: &'a Settings,
}

impl Made<'_> {
    fn told(&self, weights: WeightType) -> String {
        provenance::made(self.voice.unwrap_or("random"), self.settings, weights)
    }
}

/// Refuses the name of a file in the place of a text: hardly anybody wants to hear that.
fn refuse_file(text: &str) -> Result<()> {
    let path = Path::new(text);
    let named = path.extension().is_some() && !text.contains(char::is_whitespace);
    let told = format!(
        "`{text}` is a file: to speak what is in it, give --file {text} and -o FILE; to say its name, \
         `echo {text} | barkclone speak -`"
    );
    ensure!(!(named && path.is_file()), Kind::Usage.error(told));
    Ok(())
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
