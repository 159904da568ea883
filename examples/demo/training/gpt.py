"""Bark's GPTs, with Hugging Face's names for their weights, and attention that can be told where to look.

Small nets find alignments late. Here they are known (espeak says when it says what), so that some heads are shown, at
first, which position of the prompt is being said: `guided` holds (layer, heads), and `forward` takes `hints`.
"""

import torch
import torch.nn.functional as F
from torch import nn


BLOCKS = 4


def attention(q, k, v, causal):
    """Of `[B, heads, T, size]`. On a CPU in blocks of queries, which see nothing of what comes after them: PyTorch's own takes twice
    as long there."""
    if q.device.type != "cpu" or not causal:
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    length, out, q = q.shape[2], [], q * q.shape[3] ** -0.5
    for i in range(BLOCKS):
        begin, end = length * i // BLOCKS, length * (i + 1) // BLOCKS
        future = torch.full((end - begin, end), -torch.inf, dtype=q.dtype).triu(begin + 1)
        out.append(torch.softmax(q[:, :, begin:end] @ k[:, :, :end].transpose(2, 3) + future, -1) @ v[:, :, :end])
    return torch.cat(out, 2)


class Attention(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.att_proj = nn.Linear(width, 3 * width, bias=False)
        self.out_proj = nn.Linear(width, width, bias=False)

    def forward(self, x):
        """-> output, queries and keys `[B, heads, T, width / heads]`"""
        batch, length, width = x.shape
        q, k, v = self.att_proj(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = attention(q, k, v, self.causal)
        return self.out_proj(y.transpose(1, 2).reshape(batch, length, width)), q, k


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.in_proj = nn.Linear(width, 4 * width, bias=False)
        self.out_proj = nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        return self.out_proj(F.gelu(self.in_proj(x)))


class Block(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        # The fine stage's layer norms have biases, the causal stages' none.
        self.layernorm_1 = nn.LayerNorm(width, bias=not causal)
        self.layernorm_2 = nn.LayerNorm(width, bias=not causal)
        self.attn, self.mlp = Attention(width, heads, causal), Mlp(width)

    def forward(self, x):
        y, q, k = self.attn(self.layernorm_1(x))
        x = x + y
        return x + self.mlp(self.layernorm_2(x)), q, k


def scale_weights(module, layers):
    """GPT-2's initial weights."""
    for name, weight in module.named_parameters():
        if weight.dim() == 2:
            std = 0.02 / (2 * layers) ** 0.5 if "out_proj" in name else 0.03
            nn.init.normal_(weight, std=std)


class Causal(nn.Module):
    """The semantic and the coarse stage."""

    def __init__(self, input_vocab, output_vocab, block, width, heads, layers, guided):
        super().__init__()
        self.input_embeds_layer = nn.Embedding(input_vocab, width)
        self.position_embeds_layer = nn.Embedding(block, width)
        self.layers = nn.ModuleList(Block(width, heads, True) for _ in range(layers))
        self.layernorm_final = nn.LayerNorm(width, bias=False)
        self.lm_head = nn.Linear(width, output_vocab, bias=False)
        self.guided = guided
        scale_weights(self, layers)

    def forward(self, x, begin, hints=None):
        """`x` `[B, T, width]`, embedded tokens -> what the head reads of positions from `begin` on, the guides' loss

        `hints` `[B, T - begin, heads]`: the position that each guided head should look at, or -1.
        """
        x = x + self.position_embeds_layer.weight[: x.shape[1]]
        guide = torch.zeros(())
        for number, layer in enumerate(self.layers):
            x, q, k = layer(x)
            if hints is not None and number == self.guided:
                guide = self.guide(q, k, begin, hints)
        return self.layernorm_final(x[:, begin:]), guide

    @staticmethod
    def guide(q, k, begin, hints):
        heads = hints.shape[-1]
        scores = q[:, :heads, begin:].float() @ k[:, :heads].float().transpose(2, 3) / q.shape[-1] ** 0.5
        future = torch.ones(scores.shape[2:], dtype=torch.bool).triu(begin + 1)
        scores = scores.masked_fill(future, -1e9).permute(0, 2, 1, 3)
        return F.cross_entropy(scores.flatten(0, 2), hints.flatten(), ignore_index=-1)


class Fine(nn.Module):
    """The fine stage: codebook `k` of all columns from codebooks 0..k."""

    def __init__(self, vocab, block, width, heads, layers, books=8):
        super().__init__()
        self.input_embeds_layers = nn.ModuleList(nn.Embedding(vocab, width) for _ in range(books))
        self.position_embeds_layer = nn.Embedding(block, width)
        self.layers = nn.ModuleList(Block(width, heads, False) for _ in range(layers))
        self.layernorm_final = nn.LayerNorm(width)
        scale_weights(self, layers)

    def forward(self, codes, book):
        """`codes` `[B, books, T]` -> logits of codebook `book`, `[B, T, vocab]`"""
        x = sum(self.input_embeds_layers[b](codes[:, b]) for b in range(book + 1))
        x = x + self.position_embeds_layer.weight[: codes.shape[2]]
        for layer in self.layers:
            x = layer(x)[0]
        # Head i and the embedding of codebook i + 1 are one tensor; head i is read for codebook i + 1.
        return self.layernorm_final(x) @ self.input_embeds_layers[book].weight.T
