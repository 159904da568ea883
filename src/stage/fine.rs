//! Coarse to fine codes, a codebook at a time over sliding windows (suno-ai/bark `generation.py`: `generate_fine`).

use super::sample::Sampler;
use crate::config::Protocol;
use crate::net::gpt::FineGpt;
use crate::progress::Progress;
use crate::tokens::{COARSE_CODEBOOKS, Coarse, FINE_CODEBOOKS, Fine};
use anyhow::Result;
use std::ops::Range;

/// The codes of one window, `[8, columns]`.
pub type Window<'a> = [&'a [u32]; FINE_CODEBOOKS];

/// What computes the logits of one codebook over a window.
pub trait FineModel {
    /// Logits of codebook `book` for the window's columns from `from` on: `[columns - from, codebook_size]`.
    fn logits(&self, window: &Window, book: usize, from: usize) -> Result<Vec<f32>>;
}

/// A fine GPT whose codes are `0..codebook_size`.
pub struct FineNet {
    pub gpt: FineGpt,
    pub codebook_size: usize,
}

impl FineModel for FineNet {
    fn logits(&self, window: &Window, book: usize, from: usize) -> Result<Vec<f32>> {
        self.gpt.forward(window, book, from, self.codebook_size)
    }
}

/// One pass over the columns: what the model sees, and which columns it fills.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pass {
    columns: Range<usize>,
    /// First column to fill, counted from the start of `columns`.
    from: usize,
}

/// How much of a voice the passes see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// As much as upstream: 512 frames.
    Full,
    /// Less where that saves a pass, but never under [`LEAST_HISTORY`].
    Fewest,
}

/// Frames of a voice that [`Context::Fewest`] keeps at least, 2.6 s: what one voice differs from another by is heard by then.
pub const LEAST_HISTORY: usize = 192;

impl Context {
    /// Frames of history for an utterance of `frames` and a voice of `voice` frames.
    fn history(self, protocol: &Protocol, frames: usize, voice: usize) -> usize {
        let full = voice.min(protocol.fine_history);
        let one_pass = protocol.fine_window.saturating_sub(frames);
        match self {
            Context::Fewest if one_pass >= LEAST_HISTORY => full.min(one_pass),
            _ => full,
        }
    }
}

/// One request in the fine stage.
pub struct FineRow {
    codebook_size: u32,
    sampler: Sampler,
    /// `[8, history + T, padded to a window]`
    rows: [Vec<u32>; FINE_CODEBOOKS],
    passes: Vec<Pass>,
    /// The frames of `rows` that are the utterance's.
    own: Range<usize>,
}

impl FineRow {
    /// `coarse`, with the tail of a voice's codes in front as context.
    pub fn new(
        protocol: &Protocol,
        coarse: &Coarse,
        (voice, context): (Option<&Fine>, Context),
        sampler: Sampler,
    ) -> Self {
        let history = voice.map_or(0, |v| context.history(protocol, coarse.frames(), v.frames()));
        Self {
            codebook_size: protocol.codebook_size,
            sampler,
            rows: layout(protocol, coarse, voice, history),
            passes: passes(protocol, coarse.frames(), history),
            own: history..history + coarse.frames(),
        }
    }

    /// Passes of the model in all.
    pub fn steps(&self) -> usize {
        self.passes.len() * (FINE_CODEBOOKS - COARSE_CODEBOOKS)
    }

    /// Fills in codebooks 2..8.
    pub fn generate(mut self, model: &impl FineModel, progress: &dyn Progress) -> Result<Fine> {
        for pass in std::mem::take(&mut self.passes) {
            for book in COARSE_CODEBOOKS..FINE_CODEBOOKS {
                let window = std::array::from_fn(|b| &self.rows[b][pass.columns.clone()]);
                let logits = model.logits(&window, book, pass.from)?;
                let filled = &mut self.rows[book][pass.columns.start + pass.from..pass.columns.end];
                for (code, logits) in filled.iter_mut().zip(logits.chunks_exact(self.codebook_size as usize)) {
                    *code = self.sampler.draw(logits)? as u32;
                }
                progress.advance(1);
            }
        }
        Fine::new(self.rows.map(|row| row[self.own.clone()].to_vec()), self.codebook_size)
    }
}

/// `[8, history + T, padded to a window]`: the voice's codes, then the coarse codes over empty rows.
fn layout(protocol: &Protocol, coarse: &Coarse, voice: Option<&Fine>, history: usize) -> [Vec<u32>; FINE_CODEBOOKS] {
    let empty = protocol.codebook_size;
    std::array::from_fn(|book| {
        let mut row: Vec<u32> = voice.map_or(Vec::new(), |v| v.rows()[book][v.frames() - history..].to_vec());
        match coarse.rows().get(book) {
            Some(codes) => row.extend_from_slice(codes),
            None => row.resize(history + coarse.frames(), empty),
        }
        row.resize(row.len().max(protocol.fine_window), empty);
        row
    })
}

/// The passes over `history + frames` columns, padded to a window.
fn passes(protocol: &Protocol, frames: usize, history: usize) -> Vec<Pass> {
    let (window, stride) = (protocol.fine_window, protocol.fine_history);
    let columns = (history + frames).max(window);
    let more = (history + frames).saturating_sub(window).div_ceil(stride);
    let pass = |n: usize| {
        let start = (n * stride).min(columns - window);
        let fill = (history + n * stride).min(columns - stride);
        Pass { columns: start..start + window, from: fill - start }
    };
    (0..=more).map(pass).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use crate::stage::sample::Sampling;
    use std::cell::RefCell;

    /// Says `book + the column's first code`, and remembers how it was asked.
    #[derive(Default)]
    struct Echo(RefCell<Vec<(u32, usize, usize)>>);

    impl FineModel for Echo {
        fn logits(&self, window: &Window, book: usize, from: usize) -> Result<Vec<f32>> {
            self.0.borrow_mut().push((window[0][0], book, from));
            let code = |column: usize| (window[0][column] as usize + book) % 1024;
            Ok((from..window[0].len()).flat_map(|c| (0..1024).map(move |i| f32::from(i == code(c)))).collect())
        }
    }

    fn fill(frames: usize, history: usize) -> (Fine, Vec<(u32, usize, usize)>) {
        let numbers = |n: usize| (0..n as u32).map(|i| i % 1000).collect::<Vec<_>>();
        let coarse = Coarse::new([numbers(frames), numbers(frames)], 1024).unwrap();
        let voice = Fine::new(std::array::from_fn(|_| vec![7; history]), 1024).unwrap();
        let voice = (history > 0).then_some(&voice);
        let (echo, sampler) = (Echo::default(), Sampler::new(Sampling::GREEDY, 1, 2));
        let row = FineRow::new(&Protocol::default(), &coarse, (voice, Context::Full), sampler);
        let fine = row.generate(&echo, &Silent).unwrap();
        (fine, echo.0.into_inner())
    }

    #[test]
    fn every_frame_of_every_codebook_is_filled() {
        for (frames, history) in [(1, 0), (600, 0), (1024, 0), (1600, 0), (30, 20), (900, 600), (1500, 512)] {
            let (fine, _) = fill(frames, history);
            assert_eq!(fine.frames(), frames);
            for (book, row) in fine.rows().iter().enumerate().skip(2) {
                let expected: Vec<u32> = (0..frames).map(|i| (i % 1000 + book) as u32 % 1024).collect();
                assert_eq!(row, &expected, "codebook {book} of {frames} frames after {history}");
            }
        }
    }

    #[test]
    fn passes_are_upstreams() {
        let passes = |frames, history| {
            let passes = passes(&Protocol::default(), frames, history);
            passes.into_iter().map(|p| (p.columns.start, p.from)).collect::<Vec<_>>()
        };
        assert_eq!(passes(300, 0), [(0, 0)]);
        assert_eq!(passes(1024, 0), [(0, 0)]);
        assert_eq!(passes(1025, 0), [(0, 0), (1, 511)]);
        assert_eq!(passes(450, 512), [(0, 512)]);
        assert_eq!(passes(750, 512), [(0, 512), (238, 512)]);
        assert_eq!(passes(750, 100), [(0, 100)]);
        assert_eq!(passes(1750, 512), [(0, 512), (512, 512), (1024, 512), (1238, 512)]);
    }

    #[test]
    fn the_fewest_passes_give_up_some_of_the_voice_and_only_where_that_saves_one() {
        let history = |frames, voice| Context::Fewest.history(&Protocol::default(), frames, voice);
        assert_eq!(history(450, 600), 512, "one pass as it is");
        assert_eq!(history(750, 600), 274, "one pass instead of two");
        assert_eq!(history(832, 600), 192);
        assert_eq!(history(833, 600), 512, "too little would be left");
        assert_eq!(history(750, 100), 100);
        assert_eq!(passes(&Protocol::default(), 750, history(750, 600)).len(), 1);
    }

    #[test]
    fn a_window_sees_the_voice_in_front() {
        let (_, asked) = fill(450, 600);
        assert_eq!(asked, (2..8).map(|book| (7, book, 512)).collect::<Vec<_>>());
    }
}
