//! Coarse to fine codes, a codebook at a time over sliding windows (suno-ai/bark `generation.py`: `generate_fine`).

use super::sample::Sampler;
use crate::net::gpt::{FineGpt, FineInput};
use crate::progress::Progress;
use crate::stage::protocol::Protocol;
use crate::tokens::{COARSE_CODEBOOKS, Coarse, FINE_CODEBOOKS, Fine};
use anyhow::{Context as _, Result};
use std::ops::Range;

/// What computes the logits of one codebook over windows.
pub trait FineModel {
    /// Logits of codebook `book` for each window's columns from its `from` on: `[columns - from, codebook_size]` each.
    fn logits(&self, windows: &[FineInput], book: usize) -> Result<Vec<Vec<f32>>>;
}

/// A fine GPT whose codes are `0..codebook_size`.
pub struct FineNet {
    pub gpt: FineGpt,
    pub codebook_size: usize,
}

impl FineModel for FineNet {
    fn logits(&self, windows: &[FineInput], book: usize) -> Result<Vec<Vec<f32>>> {
        self.gpt.forward(windows, book, self.codebook_size)
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

/// Frames of a voice that [`Context::Fewest`] keeps at least, 2.6 s: enough to tell one voice from another.
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
    /// How many passes are over.
    made: usize,
    /// The frames of `rows` that are the utterance's.
    own: Range<usize>,
    /// How many of those have their coarse codes.
    known: usize,
}

impl FineRow {
    /// For an utterance of `frames`, whose coarse codes are to come, with the tail of a voice's codes in front as
    /// context.
    pub fn new(
        protocol: &Protocol,
        frames: usize,
        (voice, context): (Option<&Fine>, Context),
        sampler: Sampler,
    ) -> Self {
        let history = voice.map_or(0, |v| context.history(protocol, frames, v.frames()));
        Self {
            codebook_size: protocol.codebook_size,
            sampler,
            rows: layout(protocol, frames, voice, history),
            passes: passes(protocol, frames, history),
            made: 0,
            own: history..history + frames,
            known: 0,
        }
    }

    /// Frames of the utterance.
    pub fn frames(&self) -> usize {
        self.own.len()
    }

    /// Takes the coarse codes of the first frames.
    pub fn take(&mut self, coarse: &Coarse) {
        self.known = coarse.frames();
        let known = self.own.start..self.own.start + self.known;
        self.rows.iter_mut().zip(coarse.rows()).for_each(|(row, codes)| row[known.clone()].copy_from_slice(codes));
    }

    /// Passes of the model that are left.
    pub fn steps(&self) -> usize {
        (self.passes.len() - self.made) * (FINE_CODEBOOKS - COARSE_CODEBOOKS)
    }

    /// Frames that the next pass sees, counted from the utterance's first: their coarse codes must be there, since the
    /// model looks ahead as far as its window reaches. `None`: all passes are over.
    pub fn wants(&self) -> Option<usize> {
        let pass = self.passes.get(self.made)?;
        Some(pass.columns.end.min(self.own.end) - self.own.start)
    }

    /// Frames from the utterance's first on that no later pass changes: a pass fills its columns anew from its `from`
    /// on, and each begins no earlier than the one before it.
    pub fn settled(&self) -> usize {
        let next = self.passes.get(self.made).map(|pass| pass.columns.start + pass.from);
        next.map_or(self.own.len(), |column| column.min(self.own.end) - self.own.start)
    }

    fn is_ready(&self) -> bool {
        self.wants().is_some_and(|frames| frames <= self.known)
    }

    /// What the model sees in the next pass.
    fn window(&self) -> FineInput<'_> {
        let Pass { columns, from } = &self.passes[self.made];
        FineInput { codes: std::array::from_fn(|book| &self.rows[book][columns.clone()]), from: *from }
    }

    /// Draws the codes of the next pass in codebook `book`.
    fn fill(&mut self, book: usize, logits: &[f32]) -> Result<()> {
        let Pass { columns, from } = &self.passes[self.made];
        let filled = &mut self.rows[book][columns.start + from..columns.end];
        for (code, logits) in filled.iter_mut().zip(logits.chunks_exact(self.codebook_size as usize)) {
            *code = self.sampler.draw(logits)? as u32;
        }
        Ok(())
    }

    /// The codes of the frames that are settled, in the end all of them.
    pub fn codes(&self) -> Result<Fine> {
        let settled = self.own.start..self.own.start + self.settled();
        Fine::new(self.rows.each_ref().map(|row| row[settled.clone()].to_vec()), self.codebook_size)
    }
}

/// Fills in codebooks 2..8 of all `rows`, whose windows go through the model together. What one row becomes does not
/// depend on the others, nor does it end them where it fails.
pub fn generate(mut rows: Vec<Result<FineRow>>, model: &impl FineModel, progress: &dyn Progress) -> Vec<Result<Fine>> {
    while advance(&mut rows, model, progress) {}
    rows.into_iter().map(|row| row?.codes()).collect()
}

/// The next pass of every row that has the coarse codes for it; whether there was one.
pub fn advance(rows: &mut [Result<FineRow>], model: &impl FineModel, progress: &dyn Progress) -> bool {
    let mut ready: Vec<_> = rows.iter_mut().filter(|row| row.as_ref().is_ok_and(FineRow::is_ready)).collect();
    if ready.is_empty() {
        return false;
    }
    for book in COARSE_CODEBOOKS..FINE_CODEBOOKS {
        progress.advance(fill_in(&mut ready, book, model));
    }
    ready.iter_mut().for_each(|row| row.iter_mut().for_each(|row| row.made += 1));
    true
}

/// One codebook of the next pass of all rows that did not fail in it; how many there are.
fn fill_in(rows: &mut [&mut Result<FineRow>], book: usize, model: &impl FineModel) -> u64 {
    let mut going: Vec<_> = rows.iter_mut().filter(|row| row.is_ok()).collect();
    let windows: Vec<_> = going.iter().flat_map(|row| row.as_ref().map(FineRow::window)).collect();
    let made = logits(model, &windows, book);
    let count = made.len() as u64;
    for (row, logits) in going.iter_mut().zip(made) {
        let filled = logits.and_then(|logits| row.as_mut().map_or(Ok(()), |row| row.fill(book, &logits)));
        if let Err(error) = filled {
            ***row = Err(error);
        }
    }
    count
}

/// Each window's logits. A pass that fails is made again window by window, so that only the rows at fault end.
fn logits(model: &impl FineModel, windows: &[FineInput], book: usize) -> Vec<Result<Vec<f32>>> {
    match model.logits(windows, book) {
        Ok(logits) => logits.into_iter().map(Ok).collect(),
        Err(error) if windows.len() == 1 => vec![Err(error)],
        Err(_) => windows.chunks(1).map(|one| model.logits(one, book)?.pop().context("no logits")).collect(),
    }
}

/// `[8, history + T, padded to a window]`: the voice's codes, then nothing yet.
fn layout(protocol: &Protocol, frames: usize, voice: Option<&Fine>, history: usize) -> [Vec<u32>; FINE_CODEBOOKS] {
    std::array::from_fn(|book| {
        let mut row: Vec<u32> = voice.map_or(Vec::new(), |v| v.rows()[book][v.frames() - history..].to_vec());
        row.resize((history + frames).max(protocol.fine_window), protocol.codebook_size);
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
        fn logits(&self, windows: &[FineInput], book: usize) -> Result<Vec<Vec<f32>>> {
            let say = |window: &FineInput| {
                let (first, from) = (window.codes[0], window.from);
                self.0.borrow_mut().push((first[0], book, from));
                let code = |column: usize| (first[column] as usize + book) % 1024;
                (from..first.len()).flat_map(|c| (0..1024).map(move |i| f32::from(i == code(c)))).collect()
            };
            Ok(windows.iter().map(say).collect())
        }
    }

    fn fill(frames: usize, history: usize) -> (Fine, Vec<(u32, usize, usize)>) {
        let numbers = |n: usize| (0..n as u32).map(|i| i % 1000).collect::<Vec<_>>();
        let coarse = Coarse::new([numbers(frames), numbers(frames)], 1024).unwrap();
        let voice = Fine::new(std::array::from_fn(|_| vec![7; history]), 1024).unwrap();
        let voice = (history > 0).then_some(&voice);
        let (echo, sampler) = (Echo::default(), Sampler::new(Sampling::GREEDY, 1, 2));
        let mut row = FineRow::new(&Protocol::default(), frames, (voice, Context::Full), sampler);
        row.take(&coarse);
        let fine = generate(vec![Ok(row)], &echo, &Silent).pop().unwrap().unwrap();
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
    fn what_is_settled_early_is_what_it_is_in_the_end() {
        let coarse = |frames: usize| {
            let codes: Vec<u32> = (0..frames as u32).map(|i| i * 7 % 1024).collect();
            Coarse::new([codes.clone(), codes], 1024).unwrap()
        };
        let voice = Fine::new(std::array::from_fn(|_| vec![7; 600]), 1024).unwrap();
        for (frames, history, first) in
            [(300, 512, 300), (900, 512, 388), (1024, 0, 1024), (1100, 0, 512), (1500, 512, 512)]
        {
            let voice = (history > 0).then_some(&voice);
            let sampler = || Sampler::new(Sampling::at(1.0), 1, 2);
            let row = || FineRow::new(&Protocol::default(), frames, (voice, Context::Full), sampler());
            let mut whole = row();
            whole.take(&coarse(frames));
            let whole = generate(vec![Ok(whole)], &Echo::default(), &Silent).remove(0).unwrap();
            let mut early = [Ok(row())];
            let wanted = early[0].as_ref().unwrap().wants().unwrap();
            early[0].as_mut().unwrap().take(&coarse(wanted));
            assert!(advance(&mut early, &Echo::default(), &Silent));
            let codes = early[0].as_ref().unwrap().codes().unwrap();
            assert_eq!((codes.frames(), &codes), (first, &whole.part(0..first)), "of {frames} after {history}");
            early[0].as_mut().unwrap().take(&coarse(frames));
            assert_eq!(generate(early.into(), &Echo::default(), &Silent).remove(0).unwrap(), whole);
        }
    }

    #[test]
    fn a_window_sees_the_voice_in_front() {
        let (_, asked) = fill(450, 600);
        assert_eq!(asked, (2..8).map(|book| (7, book, 512)).collect::<Vec<_>>());
    }

    #[test]
    fn rows_that_go_together_become_what_they_become_alone_and_one_that_fails_ends_by_itself() {
        /// Fails on any window that begins with code 666.
        struct Picky(Echo);

        impl FineModel for Picky {
            fn logits(&self, windows: &[FineInput], book: usize) -> Result<Vec<Vec<f32>>> {
                anyhow::ensure!(windows.iter().all(|window| window.codes[0][0] != 666), "not this one");
                self.0.logits(windows, book)
            }
        }

        let row = |frames: usize, first: u32| {
            let codes: Vec<u32> = (first..).take(frames).collect();
            let coarse = Coarse::new([codes.clone(), codes].map(|row| row.iter().map(|c| c % 1024).collect()), 1024);
            let sampler = Sampler::new(Sampling::GREEDY, 1, 2);
            let mut row = FineRow::new(&Protocol::default(), frames, (None, Context::Full), sampler);
            row.take(&coarse.unwrap());
            Ok(row)
        };
        let rows = || vec![row(30, 1), row(1500, 2), row(200, 666), row(1100, 3)];
        let together = generate(rows(), &Picky(Echo::default()), &Silent);
        let alone = rows().into_iter().map(|row| generate(vec![row], &Picky(Echo::default()), &Silent).remove(0));
        for (number, (together, alone)) in together.into_iter().zip(alone).enumerate() {
            match number {
                2 => assert!(together.unwrap_err().to_string().contains("not this one")),
                _ => assert_eq!(together.unwrap(), alone.unwrap(), "row {number}"),
            }
        }
    }
}
