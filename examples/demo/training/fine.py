"""The fine GPT: the first codebooks of all columns, and a voice's whole codes in front, to one codebook more.

    python fine.py WORK_FOLDER
"""

import random

import numpy as np
import torch
import torch.nn.functional as F

import loop
from analysis import USED
from codec import Codec
from coarse import GUESSED, Codes
from gpt import Fine
from protocol import BOOKS, CODES, FINE_HISTORY, FINE_WINDOW, TEMPERATURES

WIDTH, HEADS, LAYERS, BATCH = 96, 3, 3, 4
ALIKE_STEPS = 8000  # it learns what is likely before it learns what is least wrong


def model():
    return Fine(CODES + 8, FINE_WINDOW, WIDTH, HEADS, LAYERS)


@torch.no_grad()
def guess(gpt, corpus, codes, coarse, quantizer):
    """What the decoder will be given: latents [frames, USED] of which the first codebooks are what the coarse GPT said (`coarse`) and the
    rest is drawn, of every GUESSED-th utterance; nothing of the others."""
    rng, out = random.Random(2), np.full((codes.said.shape[1], USED), np.nan, np.float16)
    for i in range(0, len(corpus.rows), GUESSED):
        voice = codes.voice(rng.choice(corpus.by_voice[corpus.rows[i]["voice"]]))[1][:, -FINE_HISTORY:]
        begin, said = voice.shape[1], coarse[:, codes.part(i)][:, : FINE_WINDOW - voice.shape[1]]
        whole = torch.full((BOOKS, FINE_WINDOW), CODES)
        whole[:, :begin], whole[:2, begin : begin + said.shape[1]] = voice, said
        for book in range(2, BOOKS):
            logits = gpt(whole[None], book)[0, begin:, :CODES]
            whole[book, begin:] = torch.multinomial((logits / TEMPERATURES[2]).softmax(-1), 1)[:, 0]
        # What did not fit the window stays true.
        spoken = torch.cat([whole[:, begin : begin + said.shape[1]], codes[i][:, said.shape[1] :]], 1)
        out[codes.part(i)] = quantizer.decode(spoken)[:, :USED].cpu().numpy()
    return out


def main():
    args = loop.arguments(17000)
    corpus = loop.Corpus(args.work, "speech")
    codes, gpt = Codes(args.work, corpus, "speech"), model()
    quantizer = Codec.trained(args.work).quantizer
    alike = [quantizer.alike(book, 0.2) for book in range(BOOKS)]
    apart = [quantizer.apart(book) for book in range(BOOKS)]

    def example(rng, book):
        """-> codes `[8, FINE_WINDOW]` with the book's own hidden where it is asked for, and what is asked for"""
        i = corpus.draw(rng)
        voice = codes.voice(rng.choice(corpus.by_voice[corpus.rows[i]["voice"]]))[1][:, -FINE_HISTORY:]
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
        with loop.autocast():
            logits = gpt(shown, book)[..., :CODES]
        asked = target >= 0
        logits, target = logits[asked].float(), target[asked]
        # How far off what it says will be. Most of what these books say cannot be foretold: then it is best to say what is in
        # the middle.
        risk = (logits.softmax(-1) * apart[book][target]).sum(-1).mean()
        likely = max(0.05, 1 - number / ALIKE_STEPS)
        return risk + likely * F.cross_entropy(logits, alike[book][target]), {f"book{book}": risk}

    loop.train("fine", args, gpt, 2e-3, step)
    coarse = loop.here(np.load(args.work / "speech.coarse.npy").astype(np.int64))
    np.save(args.work / "speech.guessed.npy", guess(gpt.eval(), corpus, codes, coarse, quantizer))


if __name__ == "__main__":
    main()
