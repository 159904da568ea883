//! The generation loop. Rows decide (a token, a new prompt, the end), a decoder computes; a slot that a row leaves is
//! filled with the next waiting row at once (continuous batching), and a single request is a batch of one.
//!
//! A row's tokens do not depend on its neighbours: it owns its random numbers, and the decoder keeps its slots apart.
//!
//! A row alone may go several tokens a step (speculative decoding, Leviathan et al. 2023): a quicker draft model
//! continues it, with the row's own random numbers, and one pass of the model itself over these tokens verifies how
//! many the row draws. Those are kept, so that the tokens are the same as one by one.

use crate::net::cache::Cache;
use crate::net::gpt::{Gpt, Input, MOST_EACH};
use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::ops::Range;

/// What a row is continued from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    pub tokens: Vec<u32>,
    /// Tokens whose embeddings are added to those of the first positions (upstream's `merge_context`).
    pub merged: Vec<u32>,
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

/// One request within a stage. A clone goes on as the row itself would: it draws the same random numbers.
pub trait Row: Clone {
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
    /// Appends each input to its slot's context; the logits of `wanted` after each one's last token, `[inputs,
    /// wanted]`.
    fn forward(&mut self, inputs: &[Input], wanted: Range<usize>) -> Result<Vec<f32>>;
    /// [`Decoder::forward`] of one input by the draft model; `None` where there is none.
    fn draft(&mut self, input: &Input, wanted: Range<usize>) -> Result<Option<Vec<f32>>>;
    /// Appends the input to its slot's context; the logits of `wanted` after each of its tokens, at most [`MOST_EACH`],
    /// `[tokens, wanted]`: those of as many [`Decoder::forward`] of one token each.
    fn verify(&mut self, input: &Input, wanted: Range<usize>) -> Result<Vec<f32>>;
}

/// A GPT with its cache.
pub struct CachedGpt {
    gpt: Gpt,
    cache: Cache,
    draft: Draft,
}

/// The draft model, which shares the model's cache: what it appends there is cut off again.
enum Draft {
    /// Not asked for yet; whether one is to be made then.
    Unmade(fn(&Gpt) -> bool),
    Made(Box<Gpt>),
    None,
}

impl CachedGpt {
    /// With room for `slots` rows. A row alone drafts with the quantized model where `drafts` says so when it is first
    /// needed.
    pub fn new(gpt: Gpt, slots: usize, drafts: fn(&Gpt) -> bool) -> Result<Self> {
        let cache = gpt.cache(slots)?;
        Ok(Self { gpt, cache, draft: Draft::Unmade(drafts) })
    }

    /// Makes room for `slots` rows, if there is none. What the cache held is lost then.
    pub fn make_room(&mut self, slots: usize) -> Result<()> {
        if self.cache.slots() < slots {
            self.cache = self.gpt.cache(slots)?;
        }
        Ok(())
    }
}

impl Decoder for CachedGpt {
    fn truncate(&mut self, slot: usize, len: usize) {
        self.cache.truncate(slot, len);
    }

    fn forward(&mut self, inputs: &[Input], wanted: Range<usize>) -> Result<Vec<f32>> {
        self.gpt.forward(inputs, &mut self.cache, wanted)
    }

    fn draft(&mut self, input: &Input, wanted: Range<usize>) -> Result<Option<Vec<f32>>> {
        if let Draft::Unmade(drafts) = self.draft {
            self.draft = if drafts(&self.gpt) { quantized(&self.gpt)? } else { Draft::None };
        }
        let Draft::Made(draft) = &self.draft else { return Ok(None) };
        draft.forward(std::slice::from_ref(input), &mut self.cache, wanted).map(Some)
    }

    fn verify(&mut self, input: &Input, wanted: Range<usize>) -> Result<Vec<f32>> {
        self.gpt.forward_each(input, &mut self.cache, wanted)
    }
}

/// The draft model of `gpt`; none where it would read more than half as much.
fn quantized(gpt: &Gpt) -> Result<Draft> {
    let draft = gpt.quantized()?;
    let is_smaller = 2 * draft.host_bytes() <= gpt.host_bytes();
    Ok(if is_smaller { Draft::Made(Box::new(draft)) } else { Draft::None })
}

/// The rows of one stage, each for a job `J`: those that wait, and those in the decoder's slots. All of its state is
/// here and in the decoder, so it may be left for another stage after any step, and gone on with later.
pub struct Slots<J, R> {
    waiting: VecDeque<(J, R)>,
    free: Vec<usize>,
    active: Vec<Active<J, R>>,
}

/// What came of a step.
pub struct Stepped<J, R> {
    /// The jobs whose rows ended: complete, or with what went wrong.
    pub ended: Vec<(J, Result<R>)>,
    /// Tokens that were made.
    pub tokens: usize,
}

/// A row in its slot.
struct Active<J, R> {
    job: J,
    row: R,
    slot: usize,
    /// The context as computed so far.
    context: Prompt,
    /// Chosen, but not yet part of the context.
    token: u32,
    /// How many tokens are worth drafting.
    draft_len: usize,
}

/// A row's token and those drafted after it, and the outputs wanted after each.
struct Drafted {
    tokens: Vec<u32>,
    wanted: Vec<Range<usize>>,
}

/// Whether a row goes on.
enum RowState {
    Active,
    Complete,
}

impl<J, R: Row> Slots<J, R> {
    pub fn new(slots: usize) -> Self {
        Self { waiting: VecDeque::new(), free: (0..slots).rev().collect(), active: Vec::new() }
    }

    /// Lets a row wait for a slot.
    pub fn push(&mut self, job: J, row: R) {
        self.waiting.push_back((job, row));
    }

    /// Rows that wait or are under way.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.active.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows that wait or are under way.
    pub fn rows(&self) -> impl Iterator<Item = &R> {
        self.waiting.iter().map(|(_, row)| row).chain(self.active.iter().map(|active| &active.row))
    }

    /// Fills free slots with waiting rows, then makes a token for every row under way, or several for one that is
    /// alone.
    pub fn step(&mut self, decoder: &mut impl Decoder) -> Stepped<J, R> {
        let mut stepped = Stepped { ended: Vec::new(), tokens: 0 };
        self.fill(decoder, &mut stepped);
        let mut rows = std::mem::take(&mut self.active);
        if rows.len() == 1
            && let Some(mut active) = rows.pop()
        {
            let state = active.step_alone(decoder, &mut stepped.tokens);
            self.keep(active, state, &mut stepped);
            return stepped;
        }
        let logits = logits(decoder, &rows);
        for (mut active, logits) in rows.into_iter().zip(logits) {
            let state = logits.and_then(|logits| active.answer(logits, decoder));
            self.keep(active, state, &mut stepped);
        }
        stepped
    }

    /// Computes the prompts of as many waiting rows as there are free slots.
    fn fill(&mut self, decoder: &mut impl Decoder, stepped: &mut Stepped<J, R>) {
        while !self.waiting.is_empty()
            && let Some(slot) = self.free.pop()
            && let Some((job, row)) = self.waiting.pop_front()
        {
            let mut active = Active { job, row, slot, context: Prompt::default(), token: 0, draft_len: 1 };
            let state = active.begin(decoder);
            self.keep(active, state, stepped);
        }
    }

    /// Keeps a row that goes on; frees the slot of one that does not.
    fn keep(&mut self, active: Active<J, R>, state: Result<RowState>, stepped: &mut Stepped<J, R>) {
        stepped.tokens += 1;
        let row = match state {
            Ok(RowState::Active) => return self.active.push(active),
            Ok(RowState::Complete) => Ok(active.row),
            Err(error) => Err(error),
        };
        self.free.push(active.slot);
        stepped.ended.push((active.job, row));
    }
}

/// Each row's wanted logits after its token. A pass that fails is made again row by row, so that only the rows at
/// fault end: the lengths of a cache change only where a pass succeeds.
fn logits<J, R: Row>(decoder: &mut impl Decoder, active: &[Active<J, R>]) -> Vec<Result<Vec<f32>>> {
    match pass(decoder, active) {
        Ok(logits) => logits.into_iter().map(Ok).collect(),
        Err(error) if active.len() == 1 => vec![Err(error)],
        Err(_) => active.chunks(1).map(|one| pass(decoder, one)?.pop().context("no logits")).collect(),
    }
}

/// One token for each of `active`; each one's wanted logits.
fn pass<J, R: Row>(decoder: &mut impl Decoder, active: &[Active<J, R>]) -> Result<Vec<Vec<f32>>> {
    if active.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<Range<usize>> = active.iter().map(|a| a.row.wanted()).collect();
    let union = union(&wanted);
    let inputs: Vec<Input> =
        active.iter().map(|a| Input { slot: a.slot, tokens: std::slice::from_ref(&a.token), merged: &[] }).collect();
    let logits = decoder.forward(&inputs, union.clone())?;
    Ok(apart(&logits, &wanted).map(<[f32]>::to_vec).collect())
}

/// The outputs that cover all of `wanted`.
fn union(wanted: &[Range<usize>]) -> Range<usize> {
    wanted.iter().map(|w| w.start).min().unwrap_or(0)..wanted.iter().map(|w| w.end).max().unwrap_or(0)
}

/// Of rows of the [`union`]'s logits the ones that each row wanted.
fn apart<'a>(logits: &'a [f32], wanted: &'a [Range<usize>]) -> impl Iterator<Item = &'a [f32]> {
    let all = union(wanted);
    logits.chunks(all.len()).zip(wanted).map(move |(row, w)| &row[w.start - all.start..w.end - all.start])
}

impl<J, R: Row> Active<J, R> {
    /// Computes the row's prompt and its first answer.
    fn begin(&mut self, decoder: &mut impl Decoder) -> Result<RowState> {
        decoder.truncate(self.slot, 0);
        let logits = self.restart(self.row.prompt(), decoder)?;
        self.decide(logits, decoder)
    }

    /// Takes a step alone, of several tokens if there is a draft model; adds those beyond the first to `more`.
    fn step_alone(&mut self, decoder: &mut impl Decoder, more: &mut usize) -> Result<RowState> {
        let start = self.context.tokens.len();
        let Drafted { tokens, wanted } = self.draft(decoder)?;
        decoder.truncate(self.slot, start);
        let input = Input { slot: self.slot, tokens: &tokens, merged: &[] };
        let logits = decoder.verify(&input, union(&wanted))?;
        for (i, logits) in apart(&logits, &wanted).enumerate() {
            *more += usize::from(i > 0);
            self.context.tokens.push(tokens[i]);
            match self.row.next(logits)? {
                Next::Token(token) => self.token = token,
                Next::Restart(prompt) => {
                    let logits = self.restart(prompt, decoder)?;
                    return self.decide(logits, decoder);
                }
                Next::Done => return Ok(RowState::Complete),
            }
            if tokens.get(i + 1).is_some_and(|&drafted| drafted != self.token) {
                self.draft_len = i.max(1);
                decoder.truncate(self.slot, self.context.tokens.len());
                return Ok(RowState::Active);
            }
        }
        // All of them were right: draft one more, if this was as many as are drafted.
        self.draft_len = self.draft_len.max(tokens.len()).min(MOST_EACH - 1);
        Ok(RowState::Active)
    }

    /// The pending token, and what a clone of the row draws after it on the draft model's logits. Leaves the context
    /// with them.
    fn draft(&self, decoder: &mut impl Decoder) -> Result<Drafted> {
        let (mut tokens, mut wanted, mut clone) = (vec![self.token], vec![self.row.wanted()], None);
        while tokens.len() <= self.draft_len {
            let last = tokens.len() - 1;
            let input = Input { slot: self.slot, tokens: &tokens[last..], merged: &[] };
            let Some(logits) = decoder.draft(&input, wanted[last].clone())? else { break };
            let row = clone.get_or_insert_with(|| self.row.clone());
            let Ok(Next::Token(token)) = row.next(&logits) else { break };
            tokens.push(token);
            wanted.push(row.wanted());
        }
        Ok(Drafted { tokens, wanted })
    }

    /// Takes the logits that follow the pending token.
    fn answer(&mut self, logits: Vec<f32>, decoder: &mut impl Decoder) -> Result<RowState> {
        self.context.tokens.push(self.token);
        self.decide(Some(logits), decoder)
    }

    /// Has the row decide, until it has a token for the next step.
    fn decide(&mut self, mut logits: Option<Vec<f32>>, decoder: &mut impl Decoder) -> Result<RowState> {
        while let Some(given) = logits {
            logits = match self.row.next(&given)? {
                Next::Token(token) => {
                    self.token = token;
                    None
                }
                Next::Restart(prompt) => self.restart(prompt, decoder)?,
                Next::Done => return Ok(RowState::Complete),
            }
        }
        Ok(RowState::Active)
    }

    /// Makes `prompt` the context; its logits. What it shares with the present context stays: the same tokens at the
    /// same positions have the same keys and values. Where only its last token is new, that is left to the next step,
    /// which the other rows share: `None`.
    fn restart(&mut self, mut prompt: Prompt, decoder: &mut impl Decoder) -> Result<Option<Vec<f32>>> {
        let keep = if prompt.merged == self.context.merged { shared_prefix(&prompt, &self.context) } else { 0 };
        decoder.truncate(self.slot, keep);
        if keep > 0 && keep + 1 == prompt.tokens.len() {
            self.token = prompt.tokens.remove(keep);
            self.context = prompt;
            return Ok(None);
        }
        let merged = if keep == 0 { &prompt.merged[..] } else { &[] };
        let input = Input { slot: self.slot, tokens: &prompt.tokens[keep..], merged };
        let logits = decoder.forward(&[input], self.row.wanted())?;
        self.context = prompt;
        Ok(Some(logits))
    }
}

/// How many tokens of `context` can stay for `prompt`: at least the last one of the prompt is computed anew, for its
/// logits, and a merged context is kept beyond its merged positions or not at all.
fn shared_prefix(prompt: &Prompt, context: &Prompt) -> usize {
    let same = prompt.tokens.iter().zip(&context.tokens).take_while(|(a, b)| a == b).count();
    let keep = same.min(prompt.tokens.len().saturating_sub(1));
    if keep < prompt.merged.len() { 0 } else { keep }
}

#[cfg(test)]
mod tests;
