//! The generation loop. Rows decide (a token, a new prompt, the end), a decoder computes; slots are filled from the
//! waiting rows as soon as one is free, so a single request is a batch of one.
//!
//! A row's tokens do not depend on its neighbours: it owns its random numbers, and the decoder keeps its slots apart.

use crate::net::cache::Cache;
use crate::net::gpt::{Gpt, Input};
use anyhow::Result;
use std::ops::Range;

/// What a row is continued from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    pub tokens: Vec<u32>,
    /// Tokens whose embeddings are added to those of the first positions (Bark's `merge_context`).
    pub overlay: Vec<u32>,
}

/// A row's answer to its logits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Go on with this token.
    Token(u32),
    /// Forget the context and go on from this prompt.
    Restart(Prompt),
    /// The row is complete.
    Done,
}

/// One request within a stage.
pub trait Row {
    /// The prompt to begin with.
    fn prompt(&self) -> Prompt;
    /// The output ids whose logits the row wants next.
    fn wanted(&self) -> Range<usize>;
    /// Decides on the logits of [`Row::wanted`].
    fn next(&mut self, logits: &[f32]) -> Result<Next>;
}

/// What computes logits, with a context (KV cache) for each slot.
pub trait Decoder {
    /// Cuts the context of `slot` to its first `len` tokens.
    fn truncate(&mut self, slot: usize, len: usize);
    /// Appends each input to its slot's context; the logits of `wanted` after each one's last token, `[inputs, wanted]`.
    fn forward(&mut self, inputs: &[Input], wanted: Range<usize>) -> Result<Vec<f32>>;
}

/// A GPT with its cache.
pub struct CachedGpt<'a> {
    pub gpt: &'a Gpt,
    pub cache: Cache,
}

impl Decoder for CachedGpt<'_> {
    fn truncate(&mut self, slot: usize, len: usize) {
        self.cache.truncate(slot, len);
    }

    fn forward(&mut self, inputs: &[Input], wanted: Range<usize>) -> Result<Vec<f32>> {
        self.gpt.forward(inputs, &mut self.cache, wanted)
    }
}

/// A row in its slot.
struct Active<R> {
    row: R,
    slot: usize,
    /// The context as computed so far.
    context: Prompt,
    /// Chosen, but not yet part of the context.
    token: u32,
}

/// Runs the rows of `waiting` through `slots` slots; hands each to `finished` when it is done.
pub fn run<R: Row>(
    decoder: &mut impl Decoder,
    slots: usize,
    waiting: &mut dyn Iterator<Item = R>,
    finished: &mut dyn FnMut(R) -> Result<()>,
) -> Result<()> {
    let mut free: Vec<usize> = (0..slots).rev().collect();
    let mut active: Vec<Active<R>> = Vec::with_capacity(slots);
    loop {
        while let Some(slot) = free.pop() {
            let Some(row) = waiting.next() else {
                free.push(slot);
                break;
            };
            match Active::begin(row, slot, decoder)? {
                Ok(begun) => active.push(begun),
                Err(row) => {
                    free.push(slot);
                    finished(row)?;
                }
            }
        }
        if active.is_empty() {
            return Ok(());
        }
        let logits = step(decoder, &active)?;
        for (row, logits) in std::mem::take(&mut active).into_iter().zip(logits) {
            let slot = row.slot;
            match row.answer(logits, decoder)? {
                Ok(going) => active.push(going),
                Err(row) => {
                    free.push(slot);
                    finished(row)?;
                }
            }
        }
    }
}

/// One token for every active row; each one's wanted logits.
fn step<R: Row>(decoder: &mut impl Decoder, active: &[Active<R>]) -> Result<Vec<Vec<f32>>> {
    let wanted: Vec<Range<usize>> = active.iter().map(|a| a.row.wanted()).collect();
    let union = wanted.iter().map(|w| w.start).min().unwrap_or(0)..wanted.iter().map(|w| w.end).max().unwrap_or(0);
    let inputs: Vec<Input> =
        active.iter().map(|a| Input { slot: a.slot, tokens: std::slice::from_ref(&a.token), overlay: &[] }).collect();
    let logits = decoder.forward(&inputs, union.clone())?;
    let rows = logits.chunks(union.len()).zip(&wanted);
    Ok(rows.map(|(row, w)| row[w.start - union.start..w.end - union.start].to_vec()).collect())
}

impl<R: Row> Active<R> {
    /// Computes the row's prompt and its first answer; `Err(row)` if that was its last.
    fn begin(row: R, slot: usize, decoder: &mut impl Decoder) -> Result<Result<Self, R>> {
        decoder.truncate(slot, 0);
        let prompt = row.prompt();
        let mut active = Self { row, slot, context: Prompt::default(), token: 0 };
        let logits = active.restart(prompt, decoder)?;
        active.decide(logits, decoder)
    }

    /// Takes the logits that follow the pending token.
    fn answer(mut self, logits: Vec<f32>, decoder: &mut impl Decoder) -> Result<Result<Self, R>> {
        self.context.tokens.push(self.token);
        self.decide(logits, decoder)
    }

    fn decide(mut self, mut logits: Vec<f32>, decoder: &mut impl Decoder) -> Result<Result<Self, R>> {
        loop {
            match self.row.next(&logits)? {
                Next::Token(token) => {
                    self.token = token;
                    return Ok(Ok(self));
                }
                Next::Done => return Ok(Err(self.row)),
                Next::Restart(prompt) => logits = self.restart(prompt, decoder)?,
            }
        }
    }

    /// Makes `prompt` the context. What it shares with the present one stays: the same tokens at the same positions
    /// have the same keys and values.
    fn restart(&mut self, prompt: Prompt, decoder: &mut impl Decoder) -> Result<Vec<f32>> {
        let keep = if prompt.overlay == self.context.overlay { shared_prefix(&prompt, &self.context) } else { 0 };
        decoder.truncate(self.slot, keep);
        let overlay = if keep == 0 { &prompt.overlay[..] } else { &[] };
        let input = Input { slot: self.slot, tokens: &prompt.tokens[keep..], overlay };
        let logits = decoder.forward(&[input], self.row.wanted())?;
        self.context = prompt;
        Ok(logits)
    }
}

/// How many tokens of `context` can stay for `prompt`: at least the last one of the prompt is computed anew, for its
/// logits, and a merged context is kept beyond its overlay or not at all.
fn shared_prefix(prompt: &Prompt, context: &Prompt) -> usize {
    let same = prompt.tokens.iter().zip(&context.tokens).take_while(|(a, b)| a == b).count();
    let keep = same.min(prompt.tokens.len().saturating_sub(1));
    if keep < prompt.overlay.len() { 0 } else { keep }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logit of id `n` is 1 where `n` is the sum of the slot's context modulo 10.
    struct Adder {
        contexts: Vec<Vec<u32>>,
        fed: Vec<usize>,
    }

    impl Adder {
        fn new(slots: usize) -> Self {
            Self { contexts: vec![Vec::new(); slots], fed: Vec::new() }
        }
    }

    impl Decoder for Adder {
        fn truncate(&mut self, slot: usize, len: usize) {
            self.contexts[slot].truncate(len);
        }

        fn forward(&mut self, inputs: &[Input], wanted: Range<usize>) -> Result<Vec<f32>> {
            let mut logits = Vec::new();
            for input in inputs {
                self.fed.push(input.tokens.len());
                self.contexts[input.slot].extend(input.tokens);
                let sum = self.contexts[input.slot].iter().sum::<u32>() % 10;
                logits.extend(wanted.clone().map(|n| if n as u32 == sum { 1.0 } else { 0.0 }));
            }
            Ok(logits)
        }
    }

    /// Follows the largest logit for `len` tokens, restarting from its last tokens every `window`.
    struct Follower {
        prompt: Vec<u32>,
        out: Vec<u32>,
        len: usize,
        window: usize,
        history: usize,
    }

    impl Follower {
        fn new(start: u32, len: usize) -> Self {
            Self { prompt: vec![start], out: Vec::new(), len, window: usize::MAX, history: 0 }
        }
    }

    impl Row for Follower {
        fn prompt(&self) -> Prompt {
            let recent = &self.out[self.out.len().saturating_sub(self.history)..];
            Prompt { tokens: [&self.prompt, recent].concat(), overlay: Vec::new() }
        }

        fn wanted(&self) -> Range<usize> {
            0..10
        }

        fn next(&mut self, logits: &[f32]) -> Result<Next> {
            let token = logits.iter().position(|&l| l == 1.0).unwrap() as u32;
            self.out.push(token);
            Ok(match self.out.len() {
                n if n == self.len => Next::Done,
                n if n % self.window == 0 => Next::Restart(self.prompt()),
                _ => Next::Token(token),
            })
        }
    }

    fn outputs(decoder: &mut Adder, slots: usize, rows: Vec<Follower>) -> Vec<(u32, Vec<u32>)> {
        let mut done = Vec::new();
        let mut collect = |row: Follower| {
            done.push((row.prompt[0], row.out));
            Ok(())
        };
        run(decoder, slots, &mut rows.into_iter(), &mut collect).unwrap();
        done.sort();
        done
    }

    #[test]
    fn a_row_alone_gets_its_tokens() {
        let got = outputs(&mut Adder::new(1), 1, vec![Follower::new(3, 4)]);
        assert_eq!(got, [(3, vec![3, 6, 2, 4])]);
    }

    #[test]
    fn rows_do_not_depend_on_their_neighbours_or_the_number_of_slots() {
        let rows = || (1..6).map(|n| Follower::new(n, n as usize * 3)).collect::<Vec<_>>();
        let alone = outputs(&mut Adder::new(1), 1, rows());
        assert_eq!(outputs(&mut Adder::new(3), 3, rows()), alone);
        assert_eq!(outputs(&mut Adder::new(8), 8, rows()), alone);
    }

    #[test]
    fn a_row_of_one_token_frees_its_slot_at_once() {
        let rows = vec![Follower::new(1, 1), Follower::new(2, 1), Follower::new(3, 2)];
        let got = outputs(&mut Adder::new(1), 1, rows);
        assert_eq!(got, [(1, vec![1]), (2, vec![2]), (3, vec![3, 6])]);
    }

    #[test]
    fn a_restart_that_extends_the_context_computes_only_what_is_new() {
        let mut decoder = Adder::new(1);
        let row = Follower { window: 3, history: 100, ..Follower::new(1, 6) };
        let extended = outputs(&mut decoder, 1, vec![row]);
        assert_eq!(decoder.fed, [1; 6], "prompt, two steps, one token after the restart, two steps");
        assert_eq!(extended, outputs(&mut Adder::new(1), 1, vec![Follower::new(1, 6)]));
    }

    #[test]
    fn a_restart_that_shifts_the_context_computes_it_anew() {
        let mut decoder = Adder::new(1);
        let row = Follower { window: 3, history: 2, prompt: vec![5], out: vec![], len: 4 };
        let got = outputs(&mut decoder, 1, vec![row]);
        // 5; 5+5; 5+5+0; then from [5, 0, 0]: 5.
        assert_eq!(got, [(5, vec![5, 0, 0, 5])]);
        assert_eq!(decoder.fed, [1, 1, 1, 2]);
    }

    #[test]
    fn a_merged_prompt_is_kept_only_beyond_its_overlay() {
        let prompt = |tokens: &[u32]| Prompt { tokens: tokens.to_vec(), overlay: vec![9, 9] };
        assert_eq!(shared_prefix(&prompt(&[1, 2, 3, 4]), &prompt(&[1, 2, 3])), 3);
        assert_eq!(shared_prefix(&prompt(&[1, 2, 3, 4]), &prompt(&[1, 7, 3])), 0);
        assert_eq!(shared_prefix(&prompt(&[1, 2, 3]), &prompt(&[1, 2, 3])), 2);
    }
}
