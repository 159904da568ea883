//! One recording to a file or to stdout.

use super::{ConvertArgs, hear};
use crate::cli::choice::read_voice;
use crate::cli::nets;
use crate::cli::progress::Terminal;
use crate::cli::provenance::{self, new_seed};
use crate::cli::refuse_own_input;
use crate::cli::sound::SoundTarget;
use anyhow::{Result, ensure};
use barkclone::audio::{self, Input, Recording};
use barkclone::batch::{Attempt, Attempts, RetryPolicy};
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::output::Pending;
use barkclone::progress::Progress;
use barkclone::sound::{Finding, LONGEST_CHECKED, listen};
use barkclone::speak::{Content, Decoder, Request, Settings, Sound, Speaker};
use barkclone::stage::protocol::Protocol;
use barkclone::tokens::{FRAME_SAMPLES, Fine};
use barkclone::voice::provenance::sha256;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// What is converted, and where its sound goes.
struct Conversion<'a> {
    args: &'a ConvertArgs,
    source: Input,
    sha256: String,
    voice_hash: String,
    target: SoundTarget,
    decoder: Decoder,
    terminal: &'a Terminal,
}

/// A sound that may be kept.
struct Draft {
    /// None where it went to stdout.
    file: Option<Pending>,
    seconds: f64,
}

/// Everything that can be wrong without a model is found before one is loaded.
pub fn run(args: &ConvertArgs, output: &Path, models: &Models, terminal: &Terminal) -> Result<()> {
    let seed = args.sampling.seed.unwrap_or_else(new_seed);
    args.sampling.settings(&Protocol::default(), seed).check()?;
    let device = args.nets.device.open()?;
    let dtype = args.nets.weights.computed(&device)?;
    let target = args.target(output)?;
    let source = args.reading.input(&args.single()?)?;
    Recording::open(source.clone())?;
    let sha256 = sha256(source.file()?)?;
    let voice = Arc::new(read_voice(&args.voice, models, terminal)?.voice);
    let (bark, codec) = args.nets.bark().open(device.is_cpu(), models, terminal)?;
    let settings = args.sampling.settings(&bark.protocol, seed);
    settings.check()?;
    let semantic = hear(
        &nets::listener(&args.nets.hubert, &args.nets.quantizer, models, (&device, terminal))?,
        &source,
        terminal,
    )?;
    terminal.note(&format!("seed {seed}"));

    let begun = Instant::now();
    let decoder = Decoder::new(&codec, &device)?;
    let conversion = Conversion { args, source, sha256, voice_hash: voice.hash(), target, decoder, terminal };
    let keep_loaded = args.sampling.retry > 0;
    let mut speaker = Speaker::new(bark, codec, dtype, &device, keep_loaded);
    let request = Request { content: Content::Semantic(semantic), voice: Some(voice), settings, sound: Sound::None };
    let seconds = conversion.best(&mut speaker, request)?;
    let took = begun.elapsed().as_secs_f64();
    terminal.note(&format!("{seconds:.1} s of speech in {took:.1} s: {}", crate::cli::pace(took / seconds)));
    conversion.target.print()
}

impl ConvertArgs {
    fn target(&self, output: &Path) -> Result<SoundTarget> {
        let target = SoundTarget { path: output.to_owned(), force: self.force, float: self.float };
        let heard = self.sampling.retry == 0 || !target.is_stdout();
        ensure!(heard, Kind::Usage.error("--retry: only a file is listened to; name one with -o FILE"));
        let source = self.single()?;
        refuse_own_input(output, [source.as_path(), Path::new(&self.voice)])?;
        target.check().map(|()| target)
    }
}

impl Conversion<'_> {
    /// Speaks until it sounds right or no more takes are wanted; keeps the best and says what does not sound right. Its
    /// length.
    fn best(&self, speaker: &mut Speaker, mut request: Request) -> Result<f64> {
        let policy = RetryPolicy { retries: self.args.sampling.retry, trim_tail: false };
        let mut attempts = Attempts::new(policy, request.settings.seed);
        loop {
            request.settings.seed = attempts.seed();
            let fine = speaker.speak(&request, self.terminal)?.fine;
            let draft = self.draft(&fine, &request.settings)?;
            let findings = findings(&draft)?;
            if let Some(attempt) = attempts.judge(draft, findings) {
                return self.keep(attempt, attempts.made());
            }
        }
    }

    fn draft(&self, fine: &Fine, settings: &Settings) -> Result<Draft> {
        let made = provenance::converted(&self.voice_hash, settings, self.args.nets.weights, &self.sha256);
        let title = self.source.title();
        let remarks = provenance::remarks(&title, &made);
        let file = self
            .target
            .draft(fine.frames() * FRAME_SAMPLES, &remarks, |sink| self.decoder.decode(fine, sink, self.terminal))?;
        Ok(Draft { file, seconds: fine.seconds() })
    }

    fn keep(&self, attempt: Attempt<Draft>, made: u32) -> Result<f64> {
        let (shown, terminal) = (self.target.path.display(), self.terminal);
        if made > 1 {
            terminal.note(&format!("{shown}: {made} takes, the best one has seed {}", attempt.seed));
        }
        attempt.utterance.file.map_or(Ok(()), |file| file.settle(self.args.force))?;
        for finding in attempt.findings {
            terminal.note(&format!("warning: {shown}: it may not sound right: {}", finding.message));
        }
        Ok(attempt.utterance.seconds)
    }
}

/// What does not sound right in the file.
fn findings(draft: &Draft) -> Result<Vec<Finding>> {
    draft.file.as_ref().map_or(Ok(Vec::new()), |file| heard(file.path()))
}

/// What does not sound right in a converted sound.
pub fn heard(path: &Path) -> Result<Vec<Finding>> {
    listen(&audio::read(path, LONGEST_CHECKED)?.pcm, None, true)
}
