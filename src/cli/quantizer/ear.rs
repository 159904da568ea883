//! By ear: clips are cloned and converted with the quantizer, and what comes out is compared with what went in.

use crate::cli::ears::EarArgs;
use crate::cli::nets::{BarkChoice, WeightType};
use crate::cli::progress::Terminal;
use anyhow::{Context, Result, ensure};
use barkclone::checkpoint::Checkpoint;
use barkclone::clone::Cloner;
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::net::hubert::HubertConfig;
use barkclone::net::quantizer::QuantizerConfig;
use barkclone::progress::Progress;
use barkclone::speak::{Content, Request, Settings, Sound, Speaker, check_voice};
use barkclone::train::{Clip, Spread};
use barkclone::voice::Voice;
use candle_core::Device;
use clap::Args;
use serde::Serialize;
use std::sync::Arc;

/// What is shorter makes no voice, seconds.
const SHORTEST: f64 = 1.0;

#[derive(Args, Debug)]
pub struct ByEarArgs {
    /// Judge by ear as well: clone N of the clips, convert another clip into each voice, and compare the voice and the
    /// words that come out with those that went in. Takes as long as `convert` does for N clips
    #[arg(long, value_name = "N", value_parser = super::train::at_least_one(10_000), help_heading = "Ears")]
    by_ear: Option<usize>,
    #[command(flatten)]
    ears: EarArgs,
    /// Bark, which speaks what --by-ear hears: a name from `models list`, or a file or folder [default: large]
    #[arg(long, value_name = "MODEL", default_value_if("demo", "true", "demo"), help_heading = "Models")]
    bark: Option<String>,
    /// EnCodec, the codec of --by-ear: a name or a path [default: the one in Bark's own file, else encodec]
    #[arg(long, value_name = "MODEL", default_value_if("demo", "true", "demo"), help_heading = "Models")]
    codec: Option<String>,
    /// How Bark's weights are kept for --by-ear
    #[arg(long, value_name = "TYPE", value_enum, default_value = "f32", help_heading = "Models")]
    weights: WeightType,
}

/// What was heard of one conversion.
#[derive(Clone, Debug, Serialize)]
pub struct Heard {
    /// The clip whose voice was to be taken, and the one that was converted.
    voice_of: String,
    words_of: String,
    /// How alike the voice is to the one that was to be taken, and how alike the converted clip's own was.
    similarity: f64,
    similarity_before: f64,
}

/// What was heard of all.
#[derive(Clone, Debug, Serialize)]
pub struct ByEar {
    pub conversions: usize,
    pub similarity: Spread,
    pub similarity_before: Spread,
}

impl ByEar {
    pub fn of(heard: &[Heard]) -> Self {
        let spread = |value: fn(&Heard) -> f64| Spread::of(heard.iter().map(value));
        let (similarity, similarity_before) = (spread(|one| one.similarity), spread(|one| one.similarity_before));
        Self { conversions: heard.len(), similarity, similarity_before }
    }

    pub fn told(&self) -> String {
        let Self { conversions, similarity, similarity_before } = self;
        format!(
            "by ear         {conversions} clips in the voice of another one\n\
             voice          {:.2} to {:.2} like that voice, {:.2} in the middle; {:.2} before\n\
             words          not heard: there is no recogniser\n",
            similarity.least, similarity.most, similarity.median, similarity_before.median
        )
    }
}

impl ByEarArgs {
    /// Converts clips into the voices of other ones, and hears what comes out; `None`: not asked for.
    pub fn run(
        &self,
        clips: &[&Clip],
        (hubert, quantizer, device): (&Checkpoint<HubertConfig>, &Checkpoint<QuantizerConfig>, &Device),
        models: &Models,
        terminal: &Terminal,
    ) -> Result<Option<Vec<Heard>>> {
        let Some(count) = self.by_ear else { return Ok(None) };
        let clips = spread_out(clips, count);
        ensure!(!clips.is_empty(), Kind::Input.error("--by-ear: no clip is as long as a second"));
        let ear = self.ears.voice(models, terminal)?;
        let bark = self.bark.as_deref().unwrap_or("large");
        let choice = BarkChoice { bark, codec: self.codec.as_deref(), weights: self.weights, loras: &[] };
        let (bark, codec) = choice.open(device.is_cpu(), models, terminal)?;
        let cloner = Cloner::new(hubert, quantizer, &codec, device)?;
        let mut heard = Vec::new();
        for clip in &clips {
            let (pcm, named) = (clip.pcm()?, || Kind::Input.error(clip.pair.name.clone()));
            let voice = cloner.voice(&pcm, terminal).with_context(named)?;
            check_voice(&voice, &bark.protocol)?;
            heard.push((clip.pair.name.clone(), Arc::new(voice), ear.hear(&pcm)?));
        }
        drop(cloner);
        let settings = Settings::new(&bark.protocol, 0);
        let mut speaker = Speaker::new(bark, codec, self.weights.computed(device)?, device, clips.len() > 1);
        let others = heard.iter().cycle().skip(1);
        let mut results = Vec::new();
        for ((name, voice, print), (source, words, before)) in heard.iter().zip(others) {
            let (Some(print), Some(before)) = (print, before) else {
                terminal.note(&format!("warning: {name}, {source}: no speech is heard in one of them: left out"));
                continue;
            };
            let content = Content::Semantic(Voice::semantic(words).clone());
            let request = Request { content, voice: Some(voice.clone()), settings, sound: Sound::Whole };
            let spoken = ear.hear(&speaker.speak(&request, terminal)?.pcm)?;
            results.push(Heard {
                voice_of: name.clone(),
                words_of: source.clone(),
                similarity: spoken.map_or(0.0, |spoken| ear.similarity(&spoken, print)),
                similarity_before: ear.similarity(before, print),
            });
        }
        ensure!(!results.is_empty(), Kind::Input.error("--by-ear: no speech is heard in the clips"));
        Ok(Some(results))
    }
}

/// `count` of the clips that are long enough, from all over them.
fn spread_out<'a>(clips: &[&'a Clip], count: usize) -> Vec<&'a Clip> {
    let long: Vec<_> = clips.iter().filter(|clip| clip.seconds() >= SHORTEST).copied().collect();
    let count = count.min(long.len());
    (0..count).map(|i| long[i * long.len() / count]).collect()
}
