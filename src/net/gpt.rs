//! Bark's transformers (suno-ai/bark `model.py` and `model_fine.py`): the causal one of the semantic and coarse stages,
//! and the one that fills in the fine codes looking both ways. Field names follow the Hugging Face layout's keys.

mod config;
mod step;

pub use config::GptConfig;

use super::cache::{self, Cache, CacheShape};
use super::cpu;
use super::layers::{Embedding, LayerNorm, Linear, Mask, Then, attention, attention_each, causal_mask};
use crate::error::Kind;
use crate::kernels::{self, Sums};
use crate::net::weights::Weights;
use crate::tokens::FINE_CODEBOOKS;
use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};
use std::ops::Range;
use step::Step;

const EPS: f64 = 1e-5;

/// Most tokens of [`Gpt::forward_each`]: up to as many queries have the bits in attention that each has alone.
pub const MOST_EACH: usize = kernels::FEW_QUERIES;

/// Continues the context of one slot by `tokens`.
pub struct Input<'a> {
    pub slot: usize,
    pub tokens: &'a [u32],
    /// Tokens whose embeddings are added to those of the first positions (upstream's `merge_context`).
    pub merged: &'a [u32],
}

struct Attention {
    att_proj: Linear,
    out_proj: Linear,
}

struct Mlp {
    in_proj: Linear,
    out_proj: Linear,
}

struct Block {
    layernorm_1: LayerNorm,
    attn: Attention,
    layernorm_2: LayerNorm,
    mlp: Mlp,
}

impl Block {
    fn new(config: &GptConfig, weights: &Weights, norm_bias: bool) -> Result<Self> {
        let (width, bias) = (config.width, config.bias);
        let (attn, mlp) = (weights.pp("attn"), weights.pp("mlp"));
        Ok(Self {
            layernorm_1: LayerNorm::new(&weights.pp("layernorm_1"), width, EPS, norm_bias)?,
            attn: Attention {
                att_proj: Linear::new(&attn.pp("att_proj"), width, 3 * width, bias)?,
                out_proj: Linear::new(&attn.pp("out_proj"), width, width, bias)?,
            },
            layernorm_2: LayerNorm::new(&weights.pp("layernorm_2"), width, EPS, norm_bias)?,
            mlp: Mlp {
                in_proj: Linear::new(&mlp.pp("in_proj"), width, 4 * width, bias)?,
                out_proj: Linear::new(&mlp.pp("out_proj"), 4 * width, width, bias)?,
            },
        })
    }

    fn linears(&self) -> [&Linear; 4] {
        [&self.attn.att_proj, &self.attn.out_proj, &self.mlp.in_proj, &self.mlp.out_proj]
    }

    fn quantized(&self) -> Result<Self> {
        Ok(Self {
            layernorm_1: self.layernorm_1.clone(),
            attn: Attention { att_proj: self.attn.att_proj.quantized()?, out_proj: self.attn.out_proj.quantized()? },
            layernorm_2: self.layernorm_2.clone(),
            mlp: Mlp { in_proj: self.mlp.in_proj.quantized()?, out_proj: self.mlp.out_proj.quantized()? },
        })
    }

    /// `x` `[n, width]` -> the rows that `keep` selects, `[kept, width]`. `attend` mixes the fused queries, keys and
    /// values `[n, 3 * width]` into `[kept, width]`.
    fn forward(
        &self,
        x: &Tensor,
        sums: Sums,
        keep: impl Fn(&Tensor) -> Result<Tensor>,
        attend: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let qkv = self.attn.att_proj.forward_then(&self.layernorm_1.forward(x)?, Then::Nothing, sums)?;
        let x = self.attn.out_proj.forward_then(&attend(&qkv)?, Then::Add(&keep(x)?), sums)?;
        let hidden = self.mlp.in_proj.forward_then(&self.layernorm_2.forward(&x)?, Then::Gelu, sums)?;
        self.mlp.out_proj.forward_then(&hidden, Then::Add(&x), sums)
    }
}

/// The causal GPT of the semantic and coarse stages.
pub struct Gpt {
    config: GptConfig,
    input_embeds_layer: Embedding,
    position_embeds_layer: Embedding,
    layers: Vec<Block>,
    layernorm_final: LayerNorm,
    lm_head: Linear,
    dtype: DType,
    device: Device,
}

impl Gpt {
    pub fn new(config: &GptConfig, weights: &Weights) -> Result<Self> {
        config.check()?;
        let (width, bias) = (config.width, config.bias);
        let block = |i| Block::new(config, &weights.pp("layers").pp(i), bias);
        let gpt = Self {
            config: config.clone(),
            input_embeds_layer: Embedding::new(&weights.pp("input_embeds_layer"), config.input_vocab, width)?,
            position_embeds_layer: Embedding::new(&weights.pp("position_embeds_layer"), config.block_size, width)?,
            layers: (0..config.layers).map(block).collect::<Result<_>>()?,
            layernorm_final: LayerNorm::new(&weights.pp("layernorm_final"), width, EPS, bias)?,
            lm_head: Linear::new(&weights.pp("lm_head"), width, config.output_vocab, false)?,
            dtype: weights.dtype(),
            device: weights.device().clone(),
        };
        weights.finish()?;
        Ok(gpt)
    }

    pub fn config(&self) -> &GptConfig {
        &self.config
    }

    /// Where the net computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The same net with its f32 linears quantized to `q8_0`, where their rows are whole blocks: a quarter of the
    /// bytes.
    pub fn quantized(&self) -> Result<Self> {
        Ok(Self {
            config: self.config.clone(),
            input_embeds_layer: self.input_embeds_layer.clone(),
            position_embeds_layer: self.position_embeds_layer.clone(),
            layers: self.layers.iter().map(Block::quantized).collect::<Result<_>>()?,
            layernorm_final: self.layernorm_final.clone(),
            lm_head: self.lm_head.quantized()?,
            dtype: self.dtype,
            device: self.device.clone(),
        })
    }

    /// Bytes of weights on the host that a step reads, but for what of the head is not wanted.
    pub fn host_bytes(&self) -> usize {
        let linears = self.layers.iter().flat_map(Block::linears).chain([&self.lm_head]);
        linears.map(Linear::host_bytes).sum()
    }

    /// A cache of `slots` rows, each as long as the model's context.
    pub fn cache(&self, slots: usize) -> Result<Cache> {
        let (layers, heads) = (self.config.layers, self.config.heads);
        let shape =
            CacheShape { layers, slots, heads, capacity: self.config.block_size, head: self.config.width / heads };
        let weights = self.layers.first().map_or(self.dtype.into(), |block| block.attn.att_proj.repr());
        Cache::new(shape, cache::dtype(weights, self.dtype), &self.device)
    }

    /// Appends each input to its slot; the logits of the ids `wanted` after each one's last token,
    /// `[inputs, wanted]`, row-major.
    pub fn forward(&self, inputs: &[Input], cache: &mut Cache, wanted: Range<usize>) -> Result<Vec<f32>> {
        self.run(inputs, cache, wanted, false)
    }

    /// Appends the input to its slot; the logits of the ids `wanted` after each of its tokens, at most [`MOST_EACH`],
    /// `[tokens, wanted]`. On a CPU they have the bits of as many [`Gpt::forward`] of one token each.
    pub fn forward_each(&self, input: &Input, cache: &mut Cache, wanted: Range<usize>) -> Result<Vec<f32>> {
        ensure!(input.tokens.len() <= MOST_EACH, "{} tokens at a time, at most {MOST_EACH}", input.tokens.len());
        self.run(std::slice::from_ref(input), cache, wanted, true)
    }

    /// `each`: the logits after each token, not only the last.
    fn run(&self, inputs: &[Input], cache: &mut Cache, wanted: Range<usize>, each: bool) -> Result<Vec<f32>> {
        ensure!(
            wanted.end <= self.config.output_vocab,
            Kind::Model
                .error(format!("the model's {} outputs do not cover id {}", self.config.output_vocab, wanted.end))
        );
        self.logits(inputs, cache, wanted, each)
    }

    fn logits(&self, inputs: &[Input], cache: &mut Cache, wanted: Range<usize>, each: bool) -> Result<Vec<f32>> {
        let (spans, sums) = (spans(inputs), sums(inputs));
        let mask = |i: &Input| causal_mask(i.tokens.len(), cache.len(i.slot), self.dtype, &self.device);
        let masks = inputs.iter().map(mask).collect::<Result<Vec<_>>>()?;
        let step = match cpu::runs_on(&self.device) {
            true => None,
            false => Step::new(inputs, cache, self.dtype, &self.device)?,
        };
        let mut x = self.embed(inputs, cache)?;
        for (i, block) in self.layers.iter().enumerate() {
            let only_last = i + 1 == self.layers.len() && !each;
            let keep = |x: &Tensor| if only_last { last_rows(x, &spans) } else { Ok(x.clone()) };
            let attend = |qkv: &Tensor| {
                if let Some(step) = &step {
                    return step.attend(i, qkv, cache);
                }
                let queries = qkv.narrow(1, 0, self.config.width)?;
                let append = |(input, span): (&Input, &Range<usize>)| {
                    let [k, v] = keys_and_values(&qkv.narrow(0, span.start, span.len())?, &self.config)?;
                    cache.append(i, input.slot, [&k, &v])
                };
                let held = inputs.iter().zip(&spans).map(append).collect::<Result<Vec<_>>>()?;
                if sums == Sums::RowByRow {
                    return attention_each(&queries, &held, self.config.heads);
                }
                let rows = held.iter().zip(&spans).zip(&masks).map(|(([k, v], span), mask)| {
                    let (begin, mask) = if only_last { (span.end - 1, &Mask::Causal) } else { (span.start, mask) };
                    attention([&queries.narrow(0, begin, span.end - begin)?, k, v], self.config.heads, mask)
                });
                joined(rows.collect::<Result<_>>()?)
            };
            x = block.forward(&x, sums, keep, attend)?;
        }
        for (input, span) in inputs.iter().zip(&spans) {
            cache.advance(input.slot, span.len());
        }
        let logits = self.lm_head.forward_slice(&self.layernorm_final.forward(&x)?, wanted, Sums::RowByRow)?;
        Ok(logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
    }

    /// Token and position embeddings of all inputs, `[sum of lengths, width]`.
    fn embed(&self, inputs: &[Input], cache: &Cache) -> Result<Tensor> {
        let tokens: Vec<u32> = inputs.iter().flat_map(|i| i.tokens).copied().collect();
        let positions: Vec<u32> = inputs
            .iter()
            .flat_map(|i| (cache.len(i.slot)..).take(i.tokens.len()))
            .map(|position| position as u32)
            .collect();
        let mut x = self.input_embeds_layer.forward(&tokens)?;
        if inputs.iter().any(|i| !i.merged.is_empty()) {
            x = (x + self.merged_embeddings(inputs)?)?;
        }
        Ok((x + self.position_embeds_layer.forward(&positions)?)?)
    }

    /// The embeddings of all `merged` tokens, zero where there is none: `[sum of lengths, width]`.
    fn merged_embeddings(&self, inputs: &[Input]) -> Result<Tensor> {
        let mut parts = Vec::with_capacity(2 * inputs.len());
        for input in inputs {
            let rest = input.tokens.len().saturating_sub(input.merged.len());
            parts.push(self.input_embeds_layer.forward(input.merged)?);
            parts.push(Tensor::zeros((rest, self.config.width), self.dtype, &self.device)?);
        }
        Ok(Tensor::cat(&parts, 0)?)
    }
}

/// The keys and values among the fused `qkv` `[t, 3 * width]` of one input, `[heads, t, d]` each.
fn keys_and_values(qkv: &Tensor, config: &GptConfig) -> Result<[Tensor; 2]> {
    let heads = config.heads;
    let split = qkv.reshape((qkv.dim(0)?, 3, heads, config.width / heads))?;
    let part = |i: usize| split.narrow(1, i, 1)?.squeeze(1)?.transpose(0, 1);
    Ok([part(1)?, part(2)?])
}

/// A step of many rows, a token each, must give each row what it gets alone; a prompt's tokens are one row's own, and
/// are always computed together.
fn sums(inputs: &[Input]) -> Sums {
    if inputs.iter().all(|input| input.tokens.len() == 1) { Sums::RowByRow } else { Sums::Blocked }
}

/// Where each input's tokens lie among all of them.
fn spans(inputs: &[Input]) -> Vec<Range<usize>> {
    let mut start = 0;
    let span = |input: &Input| {
        let span = start..start + input.tokens.len();
        start = span.end;
        span
    };
    inputs.iter().map(span).collect()
}

/// The last row of each span of `x`.
fn last_rows(x: &Tensor, spans: &[Range<usize>]) -> Result<Tensor> {
    if x.dim(0)? == spans.len() {
        return Ok(x.clone());
    }
    joined(spans.iter().map(|s| x.narrow(0, s.end - 1, 1)).collect::<candle_core::Result<_>>()?)
}

/// All rows below each other; one tensor alone is not copied.
fn joined(mut rows: Vec<Tensor>) -> Result<Tensor> {
    match rows.len() {
        1 => Ok(rows.remove(0)),
        _ => Ok(Tensor::cat(&rows, 0)?),
    }
}

/// A window of the fine stage.
#[derive(Clone, Copy)]
pub struct FineInput<'a> {
    /// `[8, T]`
    pub codes: [&'a [u32]; FINE_CODEBOOKS],
    /// First column whose logits are wanted.
    pub from: usize,
}

/// The GPT of the fine stage.
pub struct FineGpt {
    config: GptConfig,
    input_embeds_layers: Vec<Embedding>,
    position_embeds_layer: Embedding,
    layers: Vec<Block>,
    layernorm_final: LayerNorm,
    lm_heads: Vec<Linear>,
}

impl FineGpt {
    pub fn new(config: &GptConfig, weights: &Weights) -> Result<Self> {
        config.check()?;
        let width = config.width;
        let embedding = |i| Embedding::new(&weights.pp("input_embeds_layers").pp(i), config.input_vocab, width);
        let head = |i| Linear::new(&weights.pp("lm_heads").pp(i), width, config.output_vocab, false);
        let block = |i| Block::new(config, &weights.pp("layers").pp(i), true);
        let gpt = Self {
            config: config.clone(),
            input_embeds_layers: (0..config.codebooks_total).map(embedding).collect::<Result<_>>()?,
            position_embeds_layer: Embedding::new(&weights.pp("position_embeds_layer"), config.block_size, width)?,
            layers: (0..config.layers).map(block).collect::<Result<_>>()?,
            layernorm_final: LayerNorm::new(&weights.pp("layernorm_final"), width, EPS, true)?,
            lm_heads: (0..config.codebooks_total - config.codebooks_given).map(head).collect::<Result<_>>()?,
        };
        weights.finish()?;
        Ok(gpt)
    }

    pub fn config(&self) -> &GptConfig {
        &self.config
    }

    /// Windows of the same length `T` -> logits of codebook `book` from each one's column `from` on: `[T - from,
    /// size]` each, ids `0..size`. No window sees another.
    pub fn forward(&self, windows: &[FineInput], book: usize, size: usize) -> Result<Vec<Vec<f32>>> {
        let Some(columns) = windows.first().map(|window| window.codes[0].len()) else { return Ok(Vec::new()) };
        let seen: Vec<_> = windows.iter().enumerate().map(|(i, _)| i * columns..(i + 1) * columns).collect();
        let wanted: Vec<_> = windows.iter().zip(&seen).map(|(window, all)| all.start + window.from..all.end).collect();
        let mut x = self.embed(windows, book)?;
        for (i, block) in self.layers.iter().enumerate() {
            let kept = if i + 1 == self.layers.len() { &wanted } else { &seen };
            x = block.forward(&x, Sums::Blocked, |x| select(x, kept), |qkv| self.attend(qkv, &seen, kept))?;
        }
        let head = &self.lm_heads[book - self.config.codebooks_given];
        let logits = head.forward_slice(&self.layernorm_final.forward(&x)?, 0..size, Sums::Blocked)?;
        let logits: Vec<f32> = logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        let mut rest = logits.as_slice();
        Ok(wanted.iter().map(|columns| rest.split_off(..columns.len() * size).unwrap_or_default().to_vec()).collect())
    }

    /// The sums of the embeddings of codebooks up to `book`, and of the positions': `[windows * T, width]`.
    fn embed(&self, windows: &[FineInput], book: usize) -> Result<Tensor> {
        let columns = windows[0].codes[0].len() as u32;
        let positions: Vec<u32> = windows.iter().flat_map(|_| 0..columns).collect();
        let codes = |book: usize| windows.iter().flat_map(|window| window.codes[book]).copied().collect::<Vec<_>>();
        let mut x = self.input_embeds_layers[0].forward(&codes(0))?;
        for (i, table) in self.input_embeds_layers.iter().enumerate().take(book + 1).skip(1) {
            x = (x + table.forward(&codes(i))?)?;
        }
        Ok((x + self.position_embeds_layer.forward(&positions)?)?)
    }

    /// Within each window every column looks at every other; the ones that are not `kept` are looked at only.
    fn attend(&self, qkv: &Tensor, seen: &[Range<usize>], kept: &[Range<usize>]) -> Result<Tensor> {
        let (width, heads) = (self.config.width, self.config.heads);
        let part = |i: usize, rows: &Range<usize>| qkv.narrow(0, rows.start, rows.len())?.narrow(1, i * width, width);
        let dtype = cache::dtype(self.layers[0].attn.att_proj.repr(), qkv.dtype());
        let held = |rows: &Range<usize>| -> Result<[Tensor; 2]> {
            if dtype == qkv.dtype() {
                return Ok([part(1, rows)?, part(2, rows)?]);
            }
            let [k, v] = keys_and_values(&qkv.narrow(0, rows.start, rows.len())?, &self.config)?;
            Ok([cpu::held_as(&k, dtype)?, cpu::held_as(&v, dtype)?])
        };
        let attend = |(all, kept): (&Range<usize>, &Range<usize>)| {
            let [k, v] = held(all)?;
            attention([&part(0, kept)?, &k, &v], heads, &Mask::None)
        };
        joined(seen.iter().zip(kept).map(attend).collect::<Result<_>>()?)
    }
}

/// These rows of `x`, one range after the other.
fn select(x: &Tensor, rows: &[Range<usize>]) -> Result<Tensor> {
    if rows.iter().map(Range::len).sum::<usize>() == x.dim(0)? {
        return Ok(x.clone());
    }
    joined(rows.iter().map(|rows| Ok(x.narrow(0, rows.start, rows.len())?)).collect::<Result<_>>()?)
}

#[cfg(test)]
mod tests;
