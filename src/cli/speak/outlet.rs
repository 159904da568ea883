//! Sound that goes out while it is made: to stdout, to a player, or to both, each on a thread of its own, so that who
//! plays it holds nobody up.

use crate::cli::{provenance, unwritable};
use anyhow::{Context, Error, Result, bail, ensure};
use barkclone::audio::{Encoding, Info, WavStream, stored_samples};
use barkclone::error::Kind;
use barkclone::progress::Progress;
use barkclone::tokens::SAMPLE_RATE;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Seek, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

/// Programs that play a sound, the first that is there is taken.
const PLAYERS: [Player; 4] = [
    Player { name: "aplay", flags: &["-q", "-"], takes: Takes::Wav },
    Player { name: "paplay", flags: &["--raw", "--rate=24000", "--channels=1"], takes: Takes::Raw },
    Player { name: "ffplay", flags: &["-nodisp", "-autoexit", "-loglevel", "error", "-i", "-"], takes: Takes::Wav },
    Player { name: "afplay", flags: &[], takes: Takes::File },
];

struct Player {
    name: &'static str,
    flags: &'static [&'static str],
    takes: Takes,
}

/// What a player reads.
#[derive(PartialEq)]
enum Takes {
    /// WAV on its stdin.
    Wav,
    /// Bare samples on its stdin.
    Raw,
    /// A file that is whole: it plays once all of the sound is there.
    File,
}

impl Player {
    fn find() -> Result<&'static Player> {
        let folders: Vec<_> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
        let names = PLAYERS.map(|player| player.name).join(", ");
        let there = |player: &&Player| folders.iter().any(|folder| folder.join(player.name).is_file());
        let none = || Kind::Usage.error(format!("--play: no player is there: install one of {names}"));
        PLAYERS.iter().find(there).with_context(none)
    }

    fn start(&self, encoding: Encoding, file: Option<PathBuf>) -> Result<Child> {
        let sample = match (&self.takes, encoding) {
            (Takes::Raw, Encoding::Pcm16) => Some("--format=s16le"),
            (Takes::Raw, Encoding::Float32) => Some("--format=float32le"),
            _ => None,
        };
        let stdin = if file.is_some() { Stdio::null() } else { Stdio::piped() };
        let mut command = Command::new(self.name);
        command.args(self.flags).args(sample).args(file).stdin(stdin).stdout(Stdio::null());
        command.spawn().with_context(|| Kind::Output.error(format!("--play: {} cannot be started", self.name)))
    }

    fn wait(&self, mut child: Child) -> Result<()> {
        let ended = child.wait().with_context(|| format!("--play: {} was lost", self.name))?;
        // Who closes a player or stops it has heard enough.
        let failed = ended.code().is_some_and(|code| code != 0);
        ensure!(!failed, Kind::Output.error(format!("--play: {} failed ({ended})", self.name)));
        Ok(())
    }
}

/// What is asked for.
#[derive(Clone, Copy)]
pub struct Wanted {
    pub stdout: bool,
    pub play: bool,
    /// Bare samples on stdout.
    pub raw: bool,
    /// Whether a file is written too: the run goes on where nobody listens any more.
    pub file: bool,
    pub encoding: Encoding,
}

impl Wanted {
    /// Whether sound goes out while it is made.
    pub fn any(self) -> bool {
        self.stdout || self.play
    }

    /// Refuses what cannot be done, before any work.
    pub fn check(self) -> Result<()> {
        ensure!(self.stdout || !self.raw, Kind::Usage.error("--raw-pcm is for stdout: give it with -o -"));
        if self.play { Player::find().map(drop) } else { Ok(()) }
    }
}

/// What goes out.
#[derive(Clone)]
enum Piece {
    Samples(Vec<f32>),
    /// The samples of a WAV file.
    File(PathBuf),
}

/// How many samples a sound has, and its remarks, where that is known.
pub type Known = (usize, Vec<([u8; 4], String)>);

/// Where a sound goes.
pub struct Outlets {
    outlets: Vec<Outlet>,
    /// Whether there is another result.
    file: bool,
    begun: Instant,
    first: Arc<OnceLock<Instant>>,
}

struct Outlet {
    pieces: Sender<Piece>,
    thread: JoinHandle<Result<()>>,
}

type Stream = WavStream<Box<dyn Write + Send>>;

impl Outlets {
    /// Opens all that is wanted, for one sound of which the length is known, or one that goes on.
    pub fn open(wanted: Wanted, known: Option<Known>, begun: Instant) -> Result<Self> {
        let first = Arc::new(OnceLock::new());
        let mut outlets = Vec::new();
        if wanted.stdout {
            let (out, known) = (Box::new(BufWriter::new(io::stdout())), known.clone());
            let stream = move || stream(out, wanted.raw, wanted.encoding, known);
            outlets.push(Outlet::start(first.clone(), move |pieces, heard| {
                stream().and_then(|stream| drain(stream, pieces, heard)).context(unwritable())
            })?);
        }
        if wanted.play {
            outlets.push(played(Player::find()?, wanted, known, first.clone())?);
        }
        Ok(Self { outlets, file: wanted.file, begun, first })
    }

    pub fn samples(&mut self, samples: &[f32], progress: &dyn Progress) -> Result<()> {
        self.send(&Piece::Samples(samples.to_vec()), progress)
    }

    pub fn silence(&mut self, seconds: f64, progress: &dyn Progress) -> Result<()> {
        let samples = (seconds * f64::from(SAMPLE_RATE)).round() as usize;
        if samples == 0 { Ok(()) } else { self.send(&Piece::Samples(vec![0.0; samples]), progress) }
    }

    /// The samples of a WAV file that stays where it is.
    pub fn file(&mut self, path: PathBuf, progress: &dyn Progress) -> Result<()> {
        self.send(&Piece::File(path), progress)
    }

    /// Seconds from the beginning to the first sound that went out.
    pub fn first(&self) -> Option<f64> {
        self.first.get().map(|first| first.duration_since(self.begun).as_secs_f64())
    }

    /// The run ends where the last outlet is closed from outside and there is no other result.
    fn send(&mut self, piece: &Piece, progress: &dyn Progress) -> Result<()> {
        if self.outlets.is_empty() {
            return Ok(());
        }
        for outlet in std::mem::take(&mut self.outlets) {
            match outlet.pieces.send(piece.clone()) {
                Ok(()) => self.outlets.push(outlet),
                Err(_) => self.end(outlet, progress)?,
            }
        }
        if self.outlets.is_empty() && !self.file {
            progress.note("nobody listens any more: stopped");
            bail!(io::Error::from(ErrorKind::BrokenPipe));
        }
        Ok(())
    }

    /// Waits until all is written and played.
    pub fn close(mut self, progress: &dyn Progress) -> Result<()> {
        std::mem::take(&mut self.outlets).into_iter().try_for_each(|outlet| self.end(outlet, progress))
    }

    /// Waits for an outlet. What it failed with is only told where there is another result.
    fn end(&self, outlet: Outlet, progress: &dyn Progress) -> Result<()> {
        drop(outlet.pieces);
        match joined(outlet.thread) {
            Err(error) if self.file => progress.note(&format!("warning: {error:#}")),
            ended => ended?,
        }
        Ok(())
    }
}

impl Outlet {
    fn start(
        first: Arc<OnceLock<Instant>>,
        work: impl FnOnce(Receiver<Piece>, &OnceLock<Instant>) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let (pieces, waiting) = channel();
        let thread = Builder::new().name("outlet".into()).spawn(move || work(waiting, &first))?;
        Ok(Self { pieces, thread })
    }
}

/// What a thread ended with; a reader that has gone is no failure.
fn joined(thread: JoinHandle<Result<()>>) -> Result<()> {
    match thread.join() {
        Ok(Err(error)) if is_gone(&error) => Ok(()),
        Ok(ended) => ended,
        Err(_) => bail!("the thread that writes sound has ended"),
    }
}

fn is_gone(error: &Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

fn stream(out: Box<dyn Write + Send>, raw: bool, encoding: Encoding, known: Option<Known>) -> Result<Stream> {
    match known {
        _ if raw => Ok(WavStream::raw(out, encoding)),
        Some((total, remarks)) => {
            let info: Vec<Info> = remarks.iter().map(|(tag, text)| (tag, text.as_str())).collect();
            WavStream::new(out, SAMPLE_RATE, total, encoding, &info)
        }
        None => WavStream::endless(out, SAMPLE_RATE, encoding, &provenance::remarks("speech", "synthetic speech")),
    }
}

fn drain(mut stream: Stream, pieces: Receiver<Piece>, heard: &OnceLock<Instant>) -> Result<()> {
    for piece in pieces {
        match piece {
            Piece::Samples(samples) => stream.push(&samples)?,
            Piece::File(path) => stream.copy(&mut stored_samples(&path)?)?,
        }
        stream.flush()?;
        heard.get_or_init(Instant::now);
    }
    stream.finish()
}

/// An outlet into a player.
fn played(
    player: &'static Player,
    wanted: Wanted,
    known: Option<Known>,
    first: Arc<OnceLock<Instant>>,
) -> Result<Outlet> {
    if player.takes == Takes::File {
        return Outlet::start(first, move |pieces, heard| play_file(player, wanted.encoding, pieces, heard));
    }
    let mut child = player.start(wanted.encoding, None)?;
    let stdin = Box::new(child.stdin.take().context("the player has a stdin")?);
    let stream = move || stream(stdin, player.takes == Takes::Raw, wanted.encoding, known);
    Outlet::start(first, move |pieces, heard| {
        let drained = stream().and_then(|stream| drain(stream, pieces, heard));
        // A player that failed says why.
        player.wait(child).and(drained)
    })
}

fn play_file(player: &Player, encoding: Encoding, pieces: Receiver<Piece>, heard: &OnceLock<Instant>) -> Result<()> {
    let mut kept = tempfile::tempfile()?;
    let out: Box<dyn Write + Send> = Box::new(kept.try_clone()?);
    drain(WavStream::raw(out, encoding), pieces, &OnceLock::new())?;
    let bytes = kept.stream_position()? as usize;
    kept.rewind()?;
    let mut wav = tempfile::Builder::new().suffix(".wav").tempfile()?;
    let total = bytes / if encoding == Encoding::Pcm16 { 2 } else { 4 };
    let mut stream = WavStream::new(wav.as_file_mut(), SAMPLE_RATE, total, encoding, &[])?;
    stream.copy(&mut kept as &mut File)?;
    stream.finish()?;
    heard.get_or_init(Instant::now);
    player.wait(player.start(encoding, Some(wav.path().to_owned()))?)
}
