//! Pcm -> Voice: what a reference clip is to Bark, in tokens.
//!
//! The semantic tokens come of the 16 kHz clip by HuBERT and the quantizer, the codes of the 24 kHz clip by EnCodec.

use crate::error::Kind;
use crate::net::codec::Codec;
use crate::net::hubert::Hubert;
use crate::net::quantizer::Quantizer;
use crate::progress::Progress;
use crate::tokens::{FINE_CODEBOOKS, Fine, Semantic};
use anyhow::Result;
use candle_core::Tensor;

/// HuBERT's layer whose output the published quantizers were trained on.
pub const HUBERT_LAYERS: usize = 9;

/// The nets that turn audio into a voice.
pub struct Cloner {
    pub hubert: Hubert,
    pub quantizer: Quantizer,
    pub codec: Codec,
}

impl Cloner {
    /// `wav16k` and `wav24k`: the same clip in [-1, 1] at 16 and 24 kHz -> its semantic tokens, 50 Hz, and codes, 75 Hz.
    /// Too short a clip for one HuBERT frame (25 ms) is an error.
    pub fn tokens(&self, wav16k: &[f32], wav24k: &[f32], progress: &dyn Progress) -> Result<(Semantic, Fine)> {
        progress.start("Listening", 3, "");
        let wav = Tensor::from_slice(wav16k, (1, wav16k.len()), self.hubert.device())?;
        let features = self.hubert.features(&wav)?; // [1, N, H]
        progress.advance(1);
        let semantic = Semantic::new(self.quantizer.tokens(&features)?, self.quantizer.vocab() as u32)?;
        progress.advance(1);
        let codes = self.codes(wav24k)?;
        progress.advance(1);
        progress.finish();
        Ok((semantic, codes))
    }

    fn codes(&self, wav24k: &[f32]) -> Result<Fine> {
        let wav = Tensor::from_slice(wav24k, (1, 1, wav24k.len()), self.codec.device())?;
        let rows = self.codec.encode(&wav)?.squeeze(0)?.to_vec2::<u32>()?; // [K, T]
        let rows: [Vec<u32>; FINE_CODEBOOKS] = rows.try_into().map_err(|rows: Vec<_>| {
            Kind::Model.error(format!("the codec has {} codebooks, {FINE_CODEBOOKS} are needed", rows.len()))
        })?;
        Fine::new(rows, self.codec.config().codebook_size as u32)
    }
}
