"""The fine GPT: the first codebooks of all columns, and a voice's whole codes in front, to one codebook more.

    python fine.py WORK_FOLDER
"""

import random

import torch
import torch.nn.functional as F

import loop
from coarse import Codes
from gpt import Fine
from protocol import BOOKS, CODES, FINE_HISTORY, FINE_WINDOW

WIDTH, HEADS, LAYERS, BATCH = 96, 3, 3, 4


def model():
    return Fine(CODES + 8, FINE_WINDOW, WIDTH, HEADS, LAYERS)


def main():
    args = loop.arguments(6000)
    corpus = loop.Corpus(args.work, "speech")
    codes, gpt = Codes(args.work, corpus, "speech"), model()

    def example(rng, book):
        """-> codes `[8, FINE_WINDOW]` with the book's own hidden where it is asked for, and what is asked for"""
        i = rng.randrange(len(corpus.rows))
        voice = codes[rng.choice(corpus.by_voice[corpus.rows[i]["voice"]])][:, -FINE_HISTORY:]
        if rng.random() < 0.1:
            voice = voice[:, :0]
        whole = torch.cat([voice, codes[i]], 1)[:, :FINE_WINDOW]
        shown = torch.full((BOOKS, FINE_WINDOW), CODES)
        shown[:, : whole.shape[1]] = whole
        target = torch.full((FINE_WINDOW,), -1)
        target[voice.shape[1] : whole.shape[1]] = whole[book, voice.shape[1] :]
        shown[book, voice.shape[1] :] = CODES
        return shown, target

    def step(number):
        rng = random.Random(number)
        # The first of these books matter most.
        book = rng.choices(range(2, BOOKS), [4, 3, 2, 1, 1, 1])[0]
        shown, target = map(torch.stack, zip(*(example(rng, book) for _ in range(BATCH))))
        with torch.autocast("cpu", torch.bfloat16):
            logits = gpt(shown, book)[..., :CODES]
        loss = F.cross_entropy(logits.float().flatten(0, 1), target.flatten(), ignore_index=-1)
        return loss, {f"book{book}": loss}

    loop.train("fine", args, gpt, 2e-3, step)


if __name__ == "__main__":
    main()
