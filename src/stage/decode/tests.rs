use super::*;
use crate::noise::{self, Size};
use crate::stage::Stage;
use crate::stage::sample::{Sampler, Sampling};
use anyhow::ensure;
use candle_core::{DType, Device};

/// Logit of id `n` is 1 where `n` is the sum of the slot's context modulo 10.
struct Adder {
    contexts: Vec<Vec<u32>>,
    /// Tokens of each input, and inputs of each pass.
    fed: Vec<usize>,
    rows: Vec<usize>,
    /// A token that is an error.
    refused: Option<u32>,
    /// The draft is wrong after contexts whose length is a multiple of this.
    wrong: Option<usize>,
}

impl Adder {
    fn new(slots: usize) -> Self {
        Self { contexts: vec![Vec::new(); slots], fed: Vec::new(), rows: Vec::new(), refused: None, wrong: None }
    }
}

impl Decoder for Adder {
    fn truncate(&mut self, slot: usize, len: usize) {
        self.contexts[slot].truncate(len);
    }

    fn forward(&mut self, inputs: &[Input], wanted: Range<usize>) -> Result<Vec<f32>> {
        let refused = |input: &Input| input.tokens.iter().any(|&t| Some(t) == self.refused);
        ensure!(!inputs.iter().any(refused), "a refused token");
        self.rows.push(inputs.len());
        let mut logits = Vec::new();
        for input in inputs {
            self.fed.push(input.tokens.len());
            self.contexts[input.slot].extend(input.tokens);
            let sum = self.contexts[input.slot].iter().sum::<u32>() % 10;
            logits.extend(wanted.clone().map(|n| if n as u32 == sum { 1.0 } else { 0.0 }));
        }
        Ok(logits)
    }

    fn draft(&mut self, input: &Input, wanted: Range<usize>) -> Result<Option<Vec<f32>>> {
        let Some(wrong) = self.wrong else { return Ok(None) };
        let context = &mut self.contexts[input.slot];
        context.extend(input.tokens);
        let sum = context.iter().sum::<u32>() + u32::from(context.len().is_multiple_of(wrong));
        Ok(Some(wanted.map(|n| if n as u32 == sum % 10 { 1.0 } else { 0.0 }).collect()))
    }

    fn verify(&mut self, input: &Input, wanted: Range<usize>) -> Result<Vec<f32>> {
        let before = self.fed.len();
        let one = |token| Input { tokens: std::slice::from_ref(token), ..*input };
        let logits: Result<Vec<_>> =
            input.tokens.iter().map(|token| self.forward(&[one(token)], wanted.clone())).collect();
        self.fed.truncate(before);
        self.fed.push(input.tokens.len());
        Ok(logits?.concat())
    }
}

/// Follows the largest logit for `len` tokens, restarting from its last tokens every `window`.
#[derive(Clone)]
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
        Prompt { tokens: [&self.prompt, recent].concat(), merged: Vec::new() }
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

/// The rows' jobs are the tokens that they start from.
fn slots_of(slots: usize, rows: Vec<Follower>) -> Slots<u32, Follower> {
    let mut slots = Slots::new(slots);
    rows.into_iter().for_each(|row| slots.push(row.prompt[0], row));
    slots
}

fn outputs(decoder: &mut Adder, slots: usize, rows: Vec<Follower>) -> Vec<(u32, Vec<u32>)> {
    let mut slots = slots_of(slots, rows);
    let mut done = Vec::new();
    while !slots.is_empty() {
        done.extend(slots.step(decoder).ended.into_iter().map(|(start, row)| (start, row.unwrap().out)));
    }
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
fn drafted_tokens_are_the_tokens_one_by_one_right_or_wrong() {
    let rows = || {
        let restarting = Follower { window: 7, history: 3, ..Follower::new(4, 40) };
        vec![Follower::new(3, 50), restarting, Follower { window: 7, history: 100, ..Follower::new(7, 40) }]
    };
    let mut alone = Adder::new(1);
    let expected = outputs(&mut alone, 1, rows());
    for wrong in [1, 2, 3, 5, 1000] {
        let mut decoder = Adder { wrong: Some(wrong), ..Adder::new(1) };
        assert_eq!(outputs(&mut decoder, 1, rows()), expected, "every {wrong}th draft wrong");
        let (passes, least) = (decoder.fed.len(), alone.fed.len() / if wrong == 1000 { 3 } else { 1 });
        assert!(passes <= least && decoder.fed.iter().all(|&fed| fed <= MOST_EACH), "{passes} passes, {least} at most");
    }
}

#[test]
fn drafted_steps_count_every_token() {
    let mut decoder = Adder { wrong: Some(1000), ..Adder::new(1) };
    let mut slots = slots_of(1, vec![Follower::new(3, 50)]);
    let mut tokens = Vec::new();
    while !slots.is_empty() {
        tokens.push(slots.step(&mut decoder).tokens);
    }
    assert_eq!(tokens.iter().sum::<usize>(), 50);
    assert_eq!(tokens[2..7], [4, 5, 6, 7, 8]);
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn a_quantized_net_drafts_and_the_tokens_stay() {
    let bark = noise::bark(Size::Tiny, 1);
    let load = || {
        let (config, weights) = bark.stage(Stage::Coarse, DType::F32, &Device::Cpu).unwrap();
        Gpt::new(&config, &weights).unwrap()
    };
    let tokens = |drafts: fn(&Gpt) -> bool| {
        let mut decoder = CachedGpt::new(load(), 1, drafts).unwrap();
        let mut slots = Slots::new(1);
        slots.push((), Drawn { sampler: Sampler::new(Sampling::at(0.7), 3, 1), out: Vec::new() });
        let mut steps = 0;
        loop {
            steps += 1;
            if let Some((_, row)) = slots.step(&mut decoder).ended.pop() {
                return (row.unwrap().out, steps);
            }
        }
    };
    let (one_by_one, steps) = tokens(|_| false);
    let (drafted, fewer) = tokens(|_| true);
    assert_eq!(drafted, one_by_one);
    assert!(fewer * 2 < steps, "{fewer} of {steps} steps");
}

/// Draws 150 tokens, beginning anew every 60.
#[derive(Clone)]
struct Drawn {
    sampler: Sampler,
    out: Vec<u32>,
}

impl Row for Drawn {
    fn prompt(&self) -> Prompt {
        let recent = &self.out[self.out.len().saturating_sub(20)..];
        Prompt { tokens: [&[5, 6, 7], recent].concat(), merged: Vec::new() }
    }

    fn wanted(&self) -> Range<usize> {
        let start = 10 * (self.out.len() % 2);
        start..start + 300
    }

    fn next(&mut self, logits: &[f32]) -> Result<Next> {
        let token = (self.wanted().start + self.sampler.draw(logits)?) as u32;
        self.out.push(token);
        Ok(match self.out.len() {
            150 => Next::Done,
            n if n.is_multiple_of(60) => Next::Restart(self.prompt()),
            _ => Next::Token(token),
        })
    }
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
fn a_slot_that_a_row_leaves_is_filled_before_the_next_step() {
    let mut decoder = Adder::new(2);
    let mut slots = slots_of(2, vec![Follower::new(1, 3), Follower::new(2, 2), Follower::new(3, 2)]);
    let steps: Vec<Vec<u32>> =
        (0..3).map(|_| slots.step(&mut decoder).ended.into_iter().map(|e| e.0).collect()).collect();
    assert_eq!(steps, [vec![2], vec![1, 3], vec![]]);
    // The first two prompts and a step of two; the third prompt, and a step of two again.
    assert_eq!(decoder.rows, [1, 1, 2, 1, 2]);
}

#[test]
fn a_stage_that_is_left_goes_on_where_it_was() {
    let mut decoder = Adder::new(2);
    let rows = || vec![Follower::new(4, 5), Follower::new(7, 6)];
    let mut left = slots_of(2, rows());
    left.step(&mut decoder);
    // Another stage, with a decoder of its own, runs meanwhile.
    outputs(&mut Adder::new(1), 1, vec![Follower::new(9, 9)]);
    let mut done = Vec::new();
    while !left.is_empty() {
        done.extend(left.step(&mut decoder).ended.into_iter().map(|(start, row)| (start, row.unwrap().out)));
    }
    assert_eq!(done, outputs(&mut Adder::new(2), 2, rows()));
}

#[test]
fn a_row_that_fails_alone_leaves_the_others_as_they_were() {
    let rows = || vec![Follower::new(1, 4), Follower::new(2, 6), Follower::new(5, 6)];
    let alone = outputs(&mut Adder::new(3), 3, rows());
    // The second row's tokens are 2, 4, 8, ..: the decoder refuses the 8 in a pass of two rows, and then of that one.
    let mut decoder = Adder { refused: Some(8), ..Adder::new(3) };
    let mut slots = slots_of(3, rows());
    let mut ended = Vec::new();
    while !slots.is_empty() {
        ended.extend(slots.step(&mut decoder).ended);
    }
    let (failed, complete): (Vec<_>, Vec<_>) = ended.into_iter().partition(|(_, row)| row.is_err());
    let complete: Vec<_> = complete.into_iter().map(|(start, row)| (start, row.unwrap().out)).collect();
    assert_eq!(failed.iter().map(|(start, _)| *start).collect::<Vec<_>>(), [2]);
    assert_eq!(complete, [alone[0].clone(), alone[2].clone()]);
}

#[test]
fn a_merged_prompt_is_kept_only_beyond_its_merged_positions() {
    let prompt = |tokens: &[u32]| Prompt { tokens: tokens.to_vec(), merged: vec![9, 9] };
    assert_eq!(shared_prefix(&prompt(&[1, 2, 3, 4]), &prompt(&[1, 2, 3])), 3);
    assert_eq!(shared_prefix(&prompt(&[1, 2, 3, 4]), &prompt(&[1, 7, 3])), 0);
    assert_eq!(shared_prefix(&prompt(&[1, 2, 3]), &prompt(&[1, 2, 3])), 2);
}
