//! What is not read or written here, through the `ffmpeg` that is installed. It decodes to an AU stream of floats, which
//! tells its rate and channels at its head, and encodes what it is sent as WAV.

use super::check_rate;
use super::helper::Helper;
use super::input::Input;
use super::source::Source;
use super::write::{self, Info, WavStream};
use crate::error::Kind;
use crate::output::Scratch;
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

/// The program.
const PROGRAM: &str = "ffmpeg";
/// Bytes that are handed on at once.
const BLOCK: usize = 1 << 16;
/// Audio tracks that are looked for, at most.
const MOST_TRACKS: usize = 32;
/// AU's number for 32-bit floats, and its shortest and longest sane header.
const FLOATS: u32 = 6;
const HEADER: usize = 24;
const LONGEST_HEADER: u32 = 1 << 16;

/// A running `ffmpeg`.
pub(super) struct Ffmpeg {
    helper: Helper,
    out: BufReader<ChildStdout>,
    /// What it says: in a file, for nobody reads along, and a full pipe would stop it.
    said: File,
    rate: u32,
    channels: u16,
    tracks: usize,
    notes: Vec<String>,
}

/// A command that reads one audio track of `input`, counted from 0, and no other file.
fn reading(input: &Input, track: usize) -> Result<Command> {
    let mut command = Command::new(PROGRAM);
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error"]);
    // The protocol before it keeps a name from being taken for an option or for another protocol; nothing else may be opened.
    command.args(["-protocol_whitelist", "file", "-i"]).arg(input.ffmpeg_name());
    command.args(["-map", &format!("0:a:{track}")]).stdin(input.ffmpeg_stdin()?);
    Ok(command)
}

/// How many audio tracks there are: one that is not there cannot be asked for.
fn tracks(input: &Input) -> Result<usize> {
    let mut found = 1;
    while found < MOST_TRACKS {
        let mut command = reading(input, found)?;
        command.args(["-t", "0", "-c", "copy", "-f", "null", "-"]).stdout(Stdio::null()).stderr(Stdio::null());
        if !Helper::start(&mut command)
            .and_then(|mut helper| helper.wait())
            .context("ffmpeg cannot be started")?
            .success()
        {
            break;
        }
        found += 1;
    }
    Ok(found)
}

impl Ffmpeg {
    /// Begins to decode; `None`: it is not installed.
    ///
    /// # Errors
    /// What it says of a file that it cannot decode.
    pub fn open(input: &Input, track: usize) -> Result<Option<Self>> {
        let mut command = reading(input, track)?;
        command.args(["-vn", "-sn", "-dn", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]);
        let said = tempfile::tempfile()?;
        command.stdout(Stdio::piped()).stderr(said.try_clone()?);
        let mut helper = match Helper::start(&mut command) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            started => started.context("ffmpeg cannot be started")?,
        };
        let out = helper.stdout.take().context("ffmpeg has no output")?;
        let out = BufReader::with_capacity(BLOCK, out);
        let mut running = Self { helper, out, said, rate: 0, channels: 0, tracks: 1, notes: Vec::new() };
        running.begin()?;
        // Whoever asks for a track knows that it is there.
        running.tracks = if input.track().is_some() { track + 1 } else { tracks(input)? };
        running
            .notes
            .push("read through ffmpeg, for it is of no kind that is read here; --no-ffmpeg forbids that".to_owned());
        Ok(Some(running))
    }

    /// Reads AU's header: magic, its length, the samples' length, their kind, rate and channels.
    fn begin(&mut self) -> Result<()> {
        let mut header = [0; HEADER];
        if self.out.read_exact(&mut header).is_err() {
            self.helper.wait()?;
            bail!("ffmpeg cannot read it either: {}", last_words(&mut self.said));
        }
        let long = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let expected =
            &header[..4] == b".snd" && long(12) == FLOATS && (HEADER as u32..LONGEST_HEADER).contains(&long(4));
        ensure!(expected, "ffmpeg gives something other than was asked of it");
        let more = u64::from(long(4)) - HEADER as u64;
        std::io::copy(&mut self.out.by_ref().take(more), &mut std::io::sink())?;
        (self.rate, self.channels) = (long(16), u16::try_from(long(20))?);
        ensure!(self.channels > 0, "it has no channels");
        ensure!(!self.out.fill_buf()?.is_empty(), "ffmpeg finds no samples in it either");
        check_rate(self.rate)
    }
}

/// The last line that it wrote to stderr, which went to the file `said`.
fn last_words(said: &mut File) -> String {
    let mut words = Vec::new();
    // Without a reason it stays without one.
    let _ = said.rewind().and_then(|()| said.take(1 << 16).read_to_end(&mut words));
    let words = String::from_utf8_lossy(&words);
    let telling = |line: &&str| !line.trim().is_empty() && !line.starts_with("To ignore this");
    let line = words.lines().rev().find(telling).unwrap_or("it does not say why");
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

impl Source for Ffmpeg {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn channels(&self) -> u16 {
        self.channels
    }

    fn tracks(&self) -> usize {
        self.tracks
    }

    fn seconds(&self) -> Option<f64> {
        None
    }

    fn block(&mut self, interleaved: &mut Vec<f32>) -> Result<usize> {
        let frame = 4 * usize::from(self.channels);
        let mut bytes = Vec::new();
        self.out.by_ref().take((BLOCK / frame).max(1) as u64 * frame as u64).read_to_end(&mut bytes)?;
        interleaved.clear();
        interleaved.extend(bytes.chunks_exact(4).map(|b| f32::from_be_bytes([b[0], b[1], b[2], b[3]])));
        interleaved.truncate(interleaved.len() / usize::from(self.channels) * usize::from(self.channels));
        if !interleaved.is_empty() {
            return Ok(self.channels.into());
        }
        let done = self.helper.wait().map_err(|error| anyhow!("ffmpeg: {error}"))?;
        let words = last_words(&mut self.said);
        if !done.success() {
            self.notes.push(format!("ffmpeg stopped early ({words}); what it gave is read"));
        }
        Ok(0)
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Whether it is installed and has that encoder.
pub(super) fn encodes(codec: &str) -> Result<bool> {
    let mut command = Command::new(PROGRAM);
    command.args(["-hide_banner", "-loglevel", "error", "-encoders"]).stdin(Stdio::null());
    match Helper::start(command.stdout(Stdio::piped()).stderr(Stdio::null())) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        started => {
            let (mut helper, mut listed) = (started.context("ffmpeg cannot be started")?, Vec::new());
            helper.stdout.take().context("ffmpeg has no output")?.read_to_end(&mut listed)?;
            Ok(String::from_utf8_lossy(&listed).lines().any(|line| line.split_whitespace().nth(1) == Some(codec)))
        }
    }
}

/// What it is asked for.
pub(super) struct Encoder {
    pub codec: &'static str,
    pub quality: [&'static str; 2],
    pub muxer: &'static str,
}

impl Encoder {
    /// Begins a file of `total` samples at `rate` Hz. It comes to lie in a file of its own first: formats have their
    /// tables at the head, which cannot be filled in behind a pipe, and no name of the user's is ever shown to ffmpeg.
    pub fn start<W: Write>(&self, out: W, (rate, total): (u32, usize), info: &[Info]) -> Result<Encoding<W>> {
        let made = Scratch::of(std::io::empty())?;
        let mut file = std::ffi::OsString::from("file:");
        file.push(made.path());
        let mut command = Command::new(PROGRAM);
        command.args(["-hide_banner", "-loglevel", "error", "-y", "-f", "wav", "-i", "pipe:0"]);
        command.args(["-c:a", self.codec]).args(self.quality);
        for (tag, text) in info {
            let name = match *tag {
                b"ISFT" => "encoded_by",
                b"INAM" => "title",
                _ => "comment",
            };
            command.arg("-metadata").arg(format!("{name}={}", text.replace('\0', "")));
        }
        command.args(["-f", self.muxer]).arg(file);
        let said = tempfile::tempfile()?;
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(said.try_clone()?);
        let mut helper = Helper::start(&mut command).context("ffmpeg cannot be started")?;
        let stdin = helper.stdin.take().context("ffmpeg has no input");
        let mut encoding = Encoding { helper, wav: None, made, said, out };
        let wav = WavStream::new(BufWriter::new(stdin?), rate, total, write::Encoding::Pcm16, &[]);
        encoding.wav = Some(encoding.told(wav)?);
        Ok(encoding)
    }
}

/// A running `ffmpeg` that encodes.
pub struct Encoding<W> {
    /// Ends before its file goes.
    helper: Helper,
    /// Gone once all samples are sent.
    wav: Option<WavStream<BufWriter<ChildStdin>>>,
    made: Scratch,
    said: File,
    out: W,
}

impl<W: Write> Encoding<W> {
    pub(super) fn push(&mut self, samples: &[f32]) -> Result<()> {
        let sent = self.wav.as_mut().map_or(Ok(()), |wav| wav.push(samples));
        self.told(sent)
    }

    pub(super) fn finish(mut self) -> Result<()> {
        let sent = self.wav.take().map_or(Ok(()), WavStream::finish);
        self.told(sent)?;
        let done = self.helper.wait().context("ffmpeg cannot be waited for")?;
        ensure!(done.success(), Kind::Output.error(format!("ffmpeg cannot encode it: {}", last_words(&mut self.said))));
        std::io::copy(&mut File::open(self.made.path())?, &mut self.out)?;
        Ok(self.out.flush()?)
    }

    /// Where it has gone away, what it said is why.
    fn told<T>(&mut self, sent: Result<T>) -> Result<T> {
        let gone = |error: &std::io::Error| error.kind() == ErrorKind::BrokenPipe;
        sent.map_err(|error| match error.downcast_ref().is_some_and(gone) {
            true => Kind::Output.error(format!("ffmpeg cannot encode it: {}", self.why())).into(),
            false => error,
        })
    }

    fn why(&mut self) -> String {
        self.helper.end();
        last_words(&mut self.said)
    }
}
