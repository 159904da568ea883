//! By ear: clips are cloned and converted with the quantizer, and what comes out is compared with what went in.

use crate::cli::ears::{EarArgs, WordArgs};
use crate::cli::nets::{BarkChoice, WeightType};
use crate::cli::progress::Terminal;
use anyhow::{Context, Result, ensure};
use barkclone::audio::Pcm;
use barkclone::checkpoint::Checkpoint;
use barkclone::clone::Cloner;
use barkclone::ears::{VoiceEar, VoicePrint, WordEar};
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
/// Most tokens that Whisper writes of a clip: half of its window.
const MOST_TOKENS: usize = 224;

#[derive(Args, Debug)]
pub struct ByEarArgs {
    /// Judge by ear as well: clone N of the clips, convert another clip into each voice, and compare the voice and the
    /// words that come out with those that went in. Takes as long as `convert` does for N clips
    #[arg(long, value_name = "N", value_parser = super::train::at_least_one(10_000), help_heading = "Ears")]
    by_ear: Option<usize>,
    #[command(flatten)]
    ears: EarArgs,
    #[command(flatten)]
    words: WordArgs,
    /// The language of the clips, two letters, in which Whisper hears their words [default: what the quantizer's name or
    /// file says; where neither does, words are not heard]
    #[arg(long, value_name = "CODE", help_heading = "Ears", value_parser = super::train::language)]
    language: Option<String>,
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
    /// The share of letters that are heard otherwise than in the clip that was converted, where words are heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    letters_wrong: Option<f64>,
}

/// A clip as a voice, and what is heard of it.
struct Cloned {
    name: String,
    voice: Arc<Voice>,
    print: Option<VoicePrint>,
    said: Option<String>,
}

/// What was heard of all.
#[derive(Clone, Debug, Serialize)]
pub struct ByEar {
    pub conversions: usize,
    pub similarity: Spread,
    pub similarity_before: Spread,
    /// `None`: words were not heard.
    pub letters_wrong: Option<Spread>,
}

impl ByEar {
    pub fn of(heard: &[Heard]) -> Self {
        let spread = |value: fn(&Heard) -> f64| Spread::of(heard.iter().map(value));
        let (similarity, similarity_before) = (spread(|one| one.similarity), spread(|one| one.similarity_before));
        let letters: Vec<_> = heard.iter().filter_map(|one| one.letters_wrong).collect();
        let letters_wrong = (!letters.is_empty()).then(|| Spread::of(letters.into_iter()));
        Self { conversions: heard.len(), similarity, similarity_before, letters_wrong }
    }

    pub fn told(&self) -> String {
        let Self { conversions, similarity, similarity_before, letters_wrong } = self;
        let words = letters_wrong.as_ref().map_or("not heard".to_owned(), |wrong| {
            let [least, most, median] = [wrong.least, wrong.most, wrong.median].map(super::percent);
            format!("{least} to {most} of letters wrong, {median} in the middle")
        });
        format!(
            "by ear         {conversions} clips in the voice of another one\n\
             voice          {:.2} to {:.2} like that voice, {:.2} in the middle; {:.2} before\n\
             words          {words}\n",
            similarity.least, similarity.most, similarity.median, similarity_before.median
        )
    }
}

impl ByEarArgs {
    /// Converts clips into the voices of other ones, and hears what comes out; `None`: not asked for. `language` is what
    /// the quantizer's clips speak, as far as it says so.
    pub fn run(
        &self,
        (clips, language): (&[&Clip], Option<String>),
        (hubert, quantizer, device): (&Checkpoint<HubertConfig>, &Checkpoint<QuantizerConfig>, &Device),
        models: &Models,
        terminal: &Terminal,
    ) -> Result<Option<Vec<Heard>>> {
        let Some(count) = self.by_ear else { return Ok(None) };
        let clips = spread_out(clips, count.max(2));
        ensure!(clips.len() > 1, Kind::Input.error("--by-ear: there are no two clips of a second or more"));
        if clips.len() < count {
            terminal.note(&format!("--by-ear {count}: {} clips are a second long or longer", clips.len()));
        }
        let ears = Ears {
            voice: self.ears.voice(models, terminal)?,
            words: self.word_ear(language, (models, device), terminal)?,
        };
        let bark = self.bark.as_deref().unwrap_or("large");
        let choice = BarkChoice { bark, codec: self.codec.as_deref(), weights: self.weights, loras: &[] };
        let (bark, codec) = choice.open(device.is_cpu(), models, terminal)?;
        let cloner = Cloner::new(hubert, quantizer, &codec, device)?;
        let cloned = clips.iter().map(|clip| ears.cloned(clip, &cloner, terminal)).collect::<Result<Vec<_>>>()?;
        cloned.iter().try_for_each(|one| check_voice(&one.voice, &bark.protocol))?;
        drop(cloner);
        let settings = Settings::new(&bark.protocol, 0);
        let mut speaker = Speaker::new(bark, codec, self.weights.computed(device)?, device, clips.len() > 1);
        let mut results = Vec::new();
        for (of, words) in cloned.iter().zip(cloned.iter().cycle().skip(1)).take(count) {
            let (Some(print), Some(before)) = (&of.print, &words.print) else {
                let pair = format!("{} and {}", of.name, words.name);
                terminal.note(&format!("warning: {pair}: left out: no speech is heard in one of them"));
                continue;
            };
            let content = Content::Semantic(words.voice.semantic().clone());
            let request = Request { content, voice: Some(of.voice.clone()), settings, sound: Sound::Whole };
            let pcm = speaker.speak(&request, terminal)?.pcm;
            results.push(Heard {
                voice_of: of.name.clone(),
                words_of: words.name.clone(),
                similarity: ears.voice.hear(&pcm)?.map_or(0.0, |spoken| ears.voice.similarity(&spoken, print)),
                similarity_before: ears.voice.similarity(before, print),
                letters_wrong: ears.letters_wrong(&pcm, words.said.as_deref())?,
            });
        }
        ensure!(!results.is_empty(), Kind::Input.error("--by-ear: no speech is heard in the clips"));
        Ok(Some(results))
    }

    /// What hears words, and in which language.
    fn word_ear(
        &self,
        language: Option<String>,
        (models, device): (&Models, &Device),
        terminal: &Terminal,
    ) -> Result<Option<(WordEar, String)>> {
        let Some(language) = self.language.clone().or(language) else {
            terminal.note("words are not heard: which language the clips speak is not known; say it with --language");
            return Ok(None);
        };
        let ear = self.words.ear((models, device), terminal)?;
        if ear.as_ref().is_some_and(|ear| language != "en" && !ear.knows(&language)) {
            terminal.note(&format!("words are not heard: this Whisper does not know the language `{language}`"));
            return Ok(None);
        }
        Ok(ear.map(|ear| (ear, language)))
    }
}

/// What hears.
struct Ears {
    voice: VoiceEar,
    /// And in which language.
    words: Option<(WordEar, String)>,
}

impl Ears {
    fn cloned(&self, clip: &Clip, cloner: &Cloner, terminal: &Terminal) -> Result<Cloned> {
        let (pcm, name) = (clip.pcm()?, clip.pair.name.clone());
        let voice = cloner.voice(&pcm, terminal).with_context(|| Kind::Input.error(name.clone()))?;
        let said = self.words.as_ref().map(|(ear, language)| ear.hear(&pcm, language, MOST_TOKENS)).transpose()?;
        Ok(Cloned { name, voice: Arc::new(voice), print: self.voice.hear(&pcm)?, said })
    }

    /// The share of letters of what was `said` that are not heard in `pcm`.
    fn letters_wrong(&self, pcm: &Pcm, said: Option<&str>) -> Result<Option<f64>> {
        let Some(((ear, _), said)) = self.words.as_ref().zip(said) else { return Ok(None) };
        Ok(ear.compare(pcm, said)?.map(|words| words.wrong))
    }
}

/// `count` of the clips that are long enough, from all over them.
fn spread_out<'a>(clips: &[&'a Clip], count: usize) -> Vec<&'a Clip> {
    let long: Vec<_> = clips.iter().filter(|clip| clip.seconds() >= SHORTEST).copied().collect();
    let count = count.min(long.len());
    (0..count).map(|i| long[i * long.len() / count]).collect()
}
