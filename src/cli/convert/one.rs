//! One recording to a file or to stdout.

use super::{ConvertArgs, hear};
use crate::cli::choice::{read_voice, warn_of_codec};
use crate::cli::ears::VoiceJudge;
use crate::cli::nets;
use crate::cli::progress::Terminal;
use crate::cli::provenance::{self, new_seed};
use crate::cli::refuse_own_input;
use crate::cli::sound::{Sink, SoundTarget, amplified};
use anyhow::{Context, Result, ensure};
use barkclone::audio::{self, Input, Pcm, Recording};
use barkclone::batch::{Attempt, Heard, Kept, Takes, ranked};
use barkclone::ears::{Asked, Judge, Score};
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::output::{self, Pending};
use barkclone::progress::Progress;
use barkclone::sound::{Finding, LONGEST_CHECKED, RecordedFinding, listen};
use barkclone::speak::{Content, Decoder, Request, Settings, Sound, Speaker, Utterance, check_voice};
use barkclone::stage::protocol::Protocol;
use barkclone::tokens::{FRAME_SAMPLES, Fine};
use barkclone::voice::Voice;
use barkclone::voice::provenance::sha256;
use serde_json::json;
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
    let file = read_voice(&args.voice, models, terminal)?;
    let (bark, codec) = args.nets.bark().open(device.is_cpu(), models, terminal)?;
    warn_of_codec(format_args!("--voice {}", args.voice), &file, &codec.identity()?, terminal);
    check_voice(&file.voice, &bark.protocol).with_context(|| Kind::Input.error(format!("--voice {}", args.voice)))?;
    let voice = Arc::new(file.voice);
    let settings = args.sampling.settings(&bark.protocol, seed);
    settings.check()?;
    let listener = Arc::new(nets::listener(&args.nets.hubert, &args.nets.quantizer, models, (&device, terminal))?);
    let semantic = hear(&listener, &source, terminal)?;
    terminal.note(&format!("seed {seed}"));

    let begun = Instant::now();
    let policy = args.sampling.policy();
    let others = || Ok(Judge { tokens: Some(listener), ..Judge::default() });
    let judge = args.sampling.best.judge((policy, others), (&codec, &device), models, terminal)?;
    let decoder = Decoder::new(&codec, &device)?;
    let conversion = Conversion { args, source, sha256, voice_hash: voice.hash(), target, decoder, terminal };
    let mut speaker = Speaker::new(bark, codec, dtype, &device, policy.chooses());
    let request = Request { content: Content::Semantic(semantic), voice: Some(voice), settings, sound: Sound::None };
    let kept = conversion.best(&mut speaker, request, &judge)?;
    let (seconds, took) = (kept.utterance, begun.elapsed().as_secs_f64());
    terminal.note(&format!("{seconds:.1} s of speech in {took:.1} s: {}", crate::cli::pace(took / seconds)));
    conversion.tell(&kept, took)?;
    args.run.judge(&kept.findings)
}

impl ConvertArgs {
    fn target(&self, path: &Path) -> Result<SoundTarget> {
        let target = SoundTarget { path: path.to_owned(), force: self.force, float: self.float };
        self.sampling.best.keep_inputs();
        let policy = self.sampling.policy();
        let heard = !policy.chooses() || !target.is_stdout();
        ensure!(heard, Kind::Usage.error("--retry and --best-of: only a file is listened to; name one with -o FILE"));
        let mut takes = policy.ranks_kept().map(|rank| ranked(path, rank));
        takes.try_for_each(|take| output::check(&take, self.force))?;
        let source = self.single()?;
        refuse_own_input(path, [source.as_path(), Path::new(&self.voice)])?;
        target.check().map(|()| target)
    }
}

impl Conversion<'_> {
    /// Speaks until it sounds right or no more takes are wanted; keeps the best and says what does not sound right; of
    /// the sound, its length is left.
    fn best(&self, speaker: &mut Speaker, request: Request, judge: &VoiceJudge) -> Result<Attempt<f64>> {
        let policy = self.args.sampling.policy();
        let voice = request.voice.clone();
        let reference = voice.map_or(Ok(None), |voice| judge.reference("", || Ok(Voice::clone(&voice))))?;
        let hear = |utterance: Utterance, settings: &Settings| {
            let draft = self.draft(&utterance.fine, settings)?;
            let asked = Asked { voice: reference.as_ref(), text: None, semantic: Some(&utterance.semantic) };
            let score = |pcm: &Pcm, findings: &[Finding]| judge.judge.score(pcm, asked, findings);
            let unheard = || Ok((Vec::new(), Score::default()));
            let (findings, score) = draft.file.as_ref().map_or_else(unheard, |file| heard(file.path(), score))?;
            Ok(Heard { utterance: draft, findings, score })
        };
        let batch = if policy.best_of > 1 { speaker.automatic_batch()? } else { 1 };
        let batch = batch.min(policy.least() as usize);
        self.keep(Takes::new(request, policy, hear).speak(speaker, batch, self.terminal)?)
    }

    fn draft(&self, fine: &Fine, settings: &Settings) -> Result<Draft> {
        let made = provenance::converted(&self.voice_hash, settings, self.args.nets.weights, &self.sha256);
        let title = self.source.title();
        let remarks = provenance::remarks(&title, &made);
        let play = |sink: Sink| self.decoder.decode(fine, sink, self.terminal);
        let gain = self.args.loud.gain(&self.target.path.display(), play, self.terminal)?;
        let file = self.target.draft(fine.frames() * FRAME_SAMPLES, &remarks, |sink| {
            self.decoder.decode(fine, &mut |samples| sink(&amplified(samples, gain)), self.terminal)
        })?;
        Ok(Draft { file, seconds: fine.seconds() })
    }

    fn keep(&self, kept: Kept<Draft>) -> Result<Attempt<f64>> {
        let (shown, terminal) = (self.target.path.display(), self.terminal);
        kept.told().into_iter().for_each(|takes| terminal.note(&format!("{shown}: {takes}")));
        let Kept { best, others, .. } = kept;
        let settle = |attempt: Attempt<Draft>, rank: usize| {
            let path = ranked(&self.target.path, rank);
            let own = |file: Pending| if rank == 1 { file } else { file.renamed(path) };
            let draft = attempt.utterance;
            draft.file.map_or(Ok(()), |file| own(file).settle(self.args.force)).map(|()| draft.seconds)
        };
        for finding in &best.findings {
            terminal.note(&format!("warning: {shown}: it may not sound right: {}", finding.message));
        }
        let (seed, findings, score) = (best.seed, best.findings.clone(), best.score.clone());
        let seconds = settle(best, 1)?;
        (2..).zip(others).try_for_each(|(rank, other)| settle(other, rank).map(drop))?;
        Ok(Attempt { utterance: seconds, seed, findings, score })
    }

    /// Prints the file's path, or all about it; that goes to stderr where stdout has the sound.
    fn tell(&self, kept: &Attempt<f64>, took: f64) -> Result<()> {
        if !self.args.run.json {
            return self.target.print();
        }
        let findings: Vec<_> = kept.findings.iter().map(RecordedFinding::from).collect();
        let out = (!self.target.is_stdout()).then(|| self.target.path.display().to_string());
        let told = json!({"event": "done", "source": self.source.path().to_string_lossy(), "seed": kept.seed,
            "seconds": kept.utterance, "took": took, "findings": findings, "out": out});
        match out {
            Some(_) => crate::cli::out(format!("{told}\n"))?,
            None => crate::cli::tell(told),
        }
        Ok(())
    }
}

/// What does not sound right in a converted sound, and what else is heard of it.
pub fn heard(path: &Path, score: impl Fn(&Pcm, &[Finding]) -> Result<Score>) -> Result<(Vec<Finding>, Score)> {
    let pcm = audio::read(path, LONGEST_CHECKED)?.pcm;
    let findings = listen(&pcm, None, true)?;
    let score = score(&pcm, &findings)?;
    Ok((findings, score))
}
