//! Speech that is kept beside the semantic tokens that it was made from, for `quantizer train`.

use super::source::Tasks;
use super::{SpeakArgs, many};
use crate::cli::choice::read_voice;
use crate::cli::progress::Terminal;
use anyhow::{Result, ensure};
use barkclone::audio::Pcm;
use barkclone::batch::{self, Planned};
use barkclone::error::Kind;
use barkclone::models::{ModelKind, Models};
use barkclone::output;
use barkclone::sound::is_silent;
use barkclone::speak::{Settings, Utterance};
use barkclone::stage::protocol::Protocol;
use barkclone::train::Augment;
use barkclone::voice::write_semantic_tokens;
use sha2::{Digest, Sha256};
use std::path::Path;

/// How pairs are named: by the content of a line, so that other lines do not rename them.
pub const NAMES: &str = "{id}.wav";

/// How speech becomes pairs.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    /// Who speaks: one of them each line; none: each line has a random voice of its own.
    pub voices: Vec<String>,
    /// About how much is spoken, at most.
    pub hours: Option<f64>,
    /// How the sounds are changed.
    pub augment: Option<Augment>,
}

/// Speaks lines into pairs.
pub fn run(args: SpeakArgs, pairs: Pairs, models: &Models, terminal: &Terminal) -> Result<()> {
    args.check_for_pairs()?;
    let voices: Vec<_> = pairs.voices.iter().flat_map(|pattern| matching(pattern, models)).collect();
    voices.iter().try_for_each(|voice| read_voice(voice, models, terminal).map(drop))?;
    let args = SpeakArgs { pairs: Some(Pairs { voices, ..pairs }), ..args };
    many::run(&args, models, terminal)
}

/// The registry's voices that a pattern with one `*` stands for; without one it is a voice.
fn matching(pattern: &str, models: &Models) -> Vec<String> {
    let Some((before, after)) = pattern.split_once('*').filter(|_| !Path::new(pattern).exists()) else {
        return vec![pattern.to_owned()];
    };
    let voices = models.registry.entries().iter().filter(|entry| entry.kind == ModelKind::Voices);
    let is = |name: &String| name.strip_prefix(before).is_some_and(|rest| rest.ends_with(after));
    let found: Vec<_> = voices.flat_map(|entry| entry.preset_names()).filter(is).collect();
    // What stands for nothing is told as a voice that is not there.
    if found.is_empty() { vec![pattern.to_owned()] } else { found }
}

impl SpeakArgs {
    /// That of a run over many, of which the seeds of all are made.
    pub fn seed(&self) -> u64 {
        self.sampling.seed.unwrap_or(0)
    }

    /// How the sounds of pairs are changed.
    pub fn augment(&self) -> Option<&Augment> {
        self.pairs.as_ref()?.augment.as_ref()
    }

    /// Refuses what would not become pairs.
    fn check_for_pairs(&self) -> Result<()> {
        let lines = self.many.has_lines() && self.many.dir.is_some();
        let told = "quantizer data: give the sentences with --lines or --jobs, and a folder with -d";
        ensure!(lines, Kind::Usage.error(told));
        // What is kept for `speak` is not meant here.
        ensure!(!self.retry.policy().trim_tail, Kind::Usage.error("--trim-tail: a pair has all of its sound"));
        Ok(())
    }
}

impl Pairs {
    /// `tasks` with their voices, up to about as much speech as is asked for; `of` shares share it.
    pub fn assigned<'a>(&'a self, tasks: Tasks<'a>, settings: Settings, of: u64) -> Tasks<'a> {
        let most = self.hours.map_or(f64::INFINITY, |hours| hours * 3600.0 / of as f64);
        let mut seconds = 0.0;
        let within = move |planned: &Result<Planned>| {
            let goes_on = seconds < most;
            if let Ok(Planned::Task(task)) = planned {
                seconds += batch::estimate(task.item.text(), &settings);
            }
            goes_on
        };
        Box::new(tasks.take_while(within).map(|planned| planned.map(|planned| self.spoken(planned))))
    }

    /// With the voice that its id decides.
    fn spoken(&self, planned: Planned) -> Planned {
        match planned {
            Planned::Task(mut task) if task.voice.is_none() && !self.voices.is_empty() => {
                let place = batch::hash(&[b"voice", task.id.as_bytes()]) % self.voices.len() as u64;
                task.voice = Some(self.voices[place as usize].clone());
                Planned::Task(task)
            }
            planned => planned,
        }
    }
}

/// Settings that lengths are estimated with.
pub fn settings(args: &SpeakArgs) -> Settings {
    args.sampling.settings(&Protocol::default(), 0)
}

/// Writes the tokens of an utterance beside its sound, which has that path: first, so that a sound never lacks them.
pub fn keep(sound: &Path, utterance: &Utterance) -> Result<()> {
    output::replace(&sound.with_extension("npy"), |sink| write_semantic_tokens(&utterance.semantic, sink))
}

/// Changes the sound of the line `id` that was drawn with `seed`; what was done, in words.
pub fn change(augment: &Augment, (id, seed): (&str, u64), pcm: &mut Pcm) -> Result<Option<String>> {
    let key = Sha256::digest(format!("{augment}\0{seed}\0{id}")).into();
    let (changed, done) = augment.changed(pcm, key)?;
    // Who trains leaves silence out, and hears no other sound than this one.
    if is_silent(&changed)? != is_silent(pcm)? {
        return Ok(None);
    }
    *pcm = changed;
    Ok(Some(done))
}
