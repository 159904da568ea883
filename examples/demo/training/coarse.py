"""The coarse GPT: semantic tokens and a voice's codes to the first two codebooks, in the windows of Bark's protocol.

    python coarse.py WORK_FOLDER
"""

import random

import numpy as np
import torch
import torch.nn.functional as F

import loop
from codec import Codec
from gpt import Causal
from hubert import tokens
from protocol import CODES, COARSE_HISTORY, COARSE_SEMANTIC, COARSE_WINDOW, TEMPERATURES, Protocol

WIDTH, HEADS, LAYERS, GUIDED, BATCH = 128, 4, 6, 0, 6
GUIDED_STEPS = 1500
GUESSED = 12  # one in so many utterances is guessed for the decoder
RATIO = 3
BACK = COARSE_HISTORY // RATIO


def model(protocol):
    return Causal(protocol.coarse_inputs, protocol.coarse_pad, protocol.coarse_block, WIDTH, HEADS, LAYERS, GUIDED)


class Codes:
    """What encode.py made of a corpus."""

    def __init__(self, work, corpus, name):
        self.said, self.heard = (loop.here(np.load(work / f"{name}.{kind}.npy").astype(np.int64))
                                 for kind in ("codes", "heard.codes"))
        self.tokens = loop.here(np.load(work / f"{name}.heard.npy").astype(np.int64))
        frames = [-(-row["samples"] // 320) for row in corpus.rows]
        self.ends, self.rows = np.cumsum(frames), corpus.rows

    def part(self, i):
        return slice(self.ends[i - 1] if i else 0, self.ends[i])

    def __getitem__(self, i):
        """What is to be said, `[8, frames]`"""
        return self.said[:, self.part(i)]

    def voice(self, i):
        """What is known of a cloned voice: semantic tokens as HuBERT hears them, and codes `[8, frames]` as the encoder does."""
        at = self.rows[i]["label_at"]
        return self.tokens[at : at + self.rows[i]["labels"]], self.heard[:, self.part(i)]


def flat(protocol, codes):
    """Column by column, each codebook in its own range of ids."""
    return (codes[:2] + protocol.semantic + torch.tensor([[0], [CODES]])).T.flatten()


def stream(protocol, voice, utterance):
    """`(semantic, codes)` of a voice's recording and of an utterance -> semantic tokens, coarse tokens, the semantic
    position of each coarse token, and how many of both are the voice's: `CoarseRow::new` of barkclone."""
    semantic, coarse, where, base, history = [], [], [], 0, 0
    if voice is not None:
        tokens, codes = voice[0], flat(protocol, voice[1])
        base = min(BACK, len(tokens) - len(tokens) % 2, len(codes) // RATIO)
        semantic.append(tokens[-base:])
        coarse.append(codes[-base * RATIO :][:-2])
        where.append(torch.arange(base * RATIO - 2) // RATIO)
        history = base * RATIO - 2
    tokens, codes = utterance[0], flat(protocol, utterance[1])
    steps = min(len(tokens) * RATIO // 2 * 2, len(codes))
    semantic.append(tokens)
    coarse.append(codes[:steps])
    where.append(torch.arange(steps) // RATIO + base)
    return torch.cat(semantic), torch.cat(coarse), torch.cat(where), base, history


def window(protocol, stream, number):
    """What the model is given and what it should say in window `number`: prompt, coarse tokens, positions in the prompt."""
    semantic, coarse, where, base, history = stream
    done = number * COARSE_WINDOW
    start = max(0, base + round(done / RATIO) - BACK)
    prompt = torch.full((COARSE_SEMANTIC + 1,), protocol.coarse_pad)
    part = semantic[start:][:COARSE_SEMANTIC]
    prompt[: len(part)] = part
    prompt[-1] = protocol.coarse_infer
    first = max(0, history + done - COARSE_HISTORY)
    shown = slice(first, history + done + COARSE_WINDOW)
    return prompt, coarse[shown], where[shown] - start


@torch.no_grad()
def guess(gpt, protocol, corpus, codes):
    """`[2, frames]`: of every GUESSED-th utterance the codes that the GPT draws, each after what truly came before it; of the others
    the true ones."""
    rng, out = random.Random(2), codes.said[:2].clone()
    for i in range(0, len(corpus.rows), GUESSED):
        voice = codes.voice(rng.choice(corpus.by_voice[corpus.rows[i]["voice"]]))
        whole, drawn = stream(protocol, voice, (corpus.labels(i), codes[i])), []
        history, steps = whole[4], len(whole[1]) - whole[4]
        for number in range(-(-steps // COARSE_WINDOW)):
            prompt, coarse, _ = window(protocol, whole, number)
            fresh = min(COARSE_WINDOW, steps - number * COARSE_WINDOW)
            x = torch.cat([prompt, coarse[:-1]])[None]
            with loop.autocast():
                hidden = gpt(gpt.input_embeds_layer(x), len(x[0]) - fresh)[0][0]
            for book in range(2):
                begin = protocol.semantic + book * CODES
                logits = hidden[book::2].float() @ gpt.lm_head.weight[begin : begin + CODES].T
                drawn.append(torch.multinomial((logits / TEMPERATURES[1]).softmax(-1), 1)[:, 0])
        part = codes.part(i)
        for book in range(2):
            column = torch.cat(drawn[book::2])
            out[book, part.start : part.start + len(column)] = column
    return out.cpu().numpy().astype(np.uint16)


def main():
    args = loop.arguments(32000)
    protocol = Protocol(tokens(args.work))
    corpus = loop.Corpus(args.work, "speech")
    codes, gpt = Codes(args.work, corpus, "speech"), model(protocol)
    length = COARSE_HISTORY + COARSE_WINDOW
    alike = [Codec.trained(args.work).quantizer.alike(book, 0.25) for book in range(2)]

    def example(rng):
        i = corpus.draw(rng)
        other = rng.choice(corpus.by_voice[corpus.rows[i]["voice"]])
        # With no voice, with what the encoder heard of one, or with what it should have heard, which alone is worth saying.
        kind = rng.random()
        voice = None if kind < 0.08 else codes.voice(other) if kind < 0.54 else (codes.voice(other)[0], codes[other])
        whole = stream(protocol, voice, (corpus.labels(i), codes[i]))
        number = rng.randrange(-(-(len(whole[1]) - whole[4]) // COARSE_WINDOW))
        strange = min(whole[4], COARSE_HISTORY - number * COARSE_WINDOW) if 0.08 <= kind < 0.54 else 0
        return *window(protocol, whole, number), max(0, strange)

    def step(number):
        rng = random.Random(number)
        x = torch.full((BATCH, COARSE_SEMANTIC + 1 + length), protocol.coarse_pad)
        target, look = torch.full((BATCH, length), -1), torch.full((BATCH, length, 3), -1)
        for row in range(BATCH):
            prompt, coarse, where, strange = example(rng)
            x[row, : len(prompt)] = prompt
            x[row, len(prompt) : len(prompt) + len(coarse)] = coarse
            target[row, strange : len(coarse)] = coarse[strange:]
            look[row, : len(coarse)] = (where[:, None] + torch.tensor([0, 1, 3])).clamp_max(COARSE_SEMANTIC - 1)
        x = x[:, :-1]
        strength = max(0.0, 1 - number / GUIDED_STEPS)
        with loop.autocast():
            hidden, guide = gpt(gpt.input_embeds_layer(x), COARSE_SEMANTIC, look if strength else None)
            # Even positions say the first codebook, odd ones the second, whatever the window: only that half is computed.
            loss, figures = 0.0, {}
            for book in range(2):
                begin = protocol.semantic + book * CODES
                logits = hidden[:, book::2] @ gpt.lm_head.weight[begin : begin + CODES].T
                asked = target[:, book::2] >= 0
                wanted = target[:, book::2][asked] - begin
                part = F.cross_entropy(logits[asked].float(), alike[book][wanted])
                loss, figures[f"book{book}"] = loss + part / 2, part
        return loss + 0.3 * strength * guide, {**figures, "guide": guide}

    loop.train("coarse", args, gpt, 1.5e-3, step)
    np.save(args.work / "speech.coarse.npy", guess(gpt.eval(), protocol, corpus, codes))


if __name__ == "__main__":
    main()
