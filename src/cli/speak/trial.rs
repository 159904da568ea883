//! What `clone --refine` and `voice rank` speak with: the models, opened, and the sentences.

use super::{NetArgs, warn_of_unknown};
use crate::cli::progress::Terminal;
use anyhow::{Context, Result};
use barkclone::ears::{VoiceEar, VoicePrint};
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::normalize::normalize;
use barkclone::refine::{self, Trial};
use barkclone::speak::{Decoder, Settings, Speaker};
use barkclone::stage::text::check_said;
use barkclone::voice::provenance::ModelName;

/// The models, and what is said.
pub struct Speaking {
    pub speaker: Speaker,
    pub decoder: Decoder,
    sentences: Vec<(String, Vec<u32>)>,
    settings: Settings,
}

impl Speaking {
    pub fn open(nets: &NetArgs, texts: Vec<String>, models: &Models, terminal: &Terminal) -> Result<Self> {
        let device = nets.device.open()?;
        let dtype = nets.weights.computed(&device)?;
        let (bark, codec) = nets.choice().open(device.is_cpu(), models, terminal)?;
        let tokenizer = nets.tokenizer(models, terminal)?;
        let ids = |text: String| {
            warn_of_unknown(&tokenizer, &text, terminal)?;
            let ids = tokenizer.ids(&text, bark.protocol.text_length)?;
            Ok((text, ids))
        };
        let sentences = texts.into_iter().map(ids).collect::<Result<_>>()?;
        let (settings, decoder) = (Settings::new(&bark.protocol, 0), Decoder::new(&codec, &device)?);
        Ok(Self { speaker: Speaker::new(bark, codec, dtype, &device, true), decoder, sentences, settings })
    }

    /// Has voices speak, and compares them with `references`.
    pub fn trial<'a>(
        &'a mut self,
        ear: &'a VoiceEar,
        references: Vec<VoicePrint>,
        terminal: &'a Terminal,
    ) -> Trial<'a> {
        let Self { speaker, sentences, settings, .. } = self;
        Trial { speaker, ear, references, sentences, settings: *settings, progress: terminal }
    }
}

/// The texts of `say`; without one, sentences of the language of the first of these quantizers whose language is known.
///
/// # Errors
/// Kind [`Kind::Usage`], naming the `flag` that needs them: of none it is known.
pub fn texts<'a>(
    say: &[String],
    flag: &str,
    quantizers: impl IntoIterator<Item = &'a ModelName>,
) -> Result<Vec<String>> {
    if !say.is_empty() {
        say.iter().try_for_each(|text| check_said(text))?;
        return Ok(say.iter().map(|text| normalize(text)).collect());
    }
    let unknown =
        || Kind::Usage.error(format!("{flag}: which language the voice speaks is not known: give --say TEXT"));
    let sentences = quantizers.into_iter().find_map(refine::sentences).with_context(unknown)?;
    Ok(sentences.map(str::to_owned).to_vec())
}
