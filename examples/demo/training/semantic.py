"""The semantic GPT: characters and a voice's last tokens to semantic tokens.

    python semantic.py WORK_FOLDER
"""

import random

import torch
import torch.nn.functional as F

import loop
from gpt import Causal
from hubert import tokens
from protocol import TEXT_LENGTH, MAX_STEPS, Protocol, text_ids

WIDTH, HEADS, LAYERS, GUIDED, BATCH = 128, 4, 5, 2, 10
GUIDED_STEPS = 4000


def model(protocol):
    return Causal(protocol.semantic_inputs, protocol.semantic_outputs, protocol.semantic_block, WIDTH, HEADS, LAYERS, GUIDED)


def prompt(gpt, protocol, texts, histories):
    """Embedded text, with that of the history added, and the infer token: `[B, TEXT_LENGTH + 1, width]`"""
    text = torch.full((len(texts), TEXT_LENGTH), protocol.text_pad)
    past = torch.full((len(texts), TEXT_LENGTH), protocol.end)
    for i, (ids, history) in enumerate(zip(texts, histories)):
        text[i, : len(ids)] = torch.tensor(ids) + protocol.text_offset
        past[i, : len(history)] = history
    table = gpt.input_embeds_layer
    infer = table(torch.full((len(texts), 1), protocol.semantic_infer))
    return torch.cat([table(text) + table(past), infer], 1)


def usable(row):
    return len(row["text"]) <= TEXT_LENGTH and row["labels"] < MAX_STEPS


class Draw:
    """Batches of utterances of about the same length."""

    def __init__(self, corpus):
        self.corpus, self.rng, self.batches = corpus, random.Random(), []

    def batch(self, number):
        if not self.batches:
            self.rng.seed(number)
            pool = [self.corpus.draw(self.rng, usable) for _ in range(12 * BATCH)]
            pool.sort(key=lambda i: self.corpus.rows[i]["labels"])
            self.batches = [pool[at : at + BATCH] for at in range(0, len(pool), BATCH)]
            self.rng.shuffle(self.batches)
        return self.batches.pop()

    def history(self, i):
        """The tail of another utterance of the same voice; now and then none, or one that was heard wrongly. European Portuguese is
        always told by it: without a voice, Brazilian is spoken."""
        if self.corpus.rows[i]["language"] != "pt" and self.rng.random() < 0.12:
            return torch.empty(0, dtype=torch.long)
        labels = self.corpus.labels(self.rng.choice(self.corpus.by_voice[self.corpus.rows[i]["voice"]]))
        labels = labels[-TEXT_LENGTH:].clone()
        wrong = torch.rand(len(labels)) < self.rng.choice([0, 0, 0.1])
        labels[wrong] = torch.randint(int(labels.max()) + 1, (int(wrong.sum()),))
        return labels


def main():
    args = loop.arguments(16000)
    protocol = Protocol(tokens(args.work))
    corpus, gpt = loop.Corpus(args.work, "tokens"), model(protocol)
    draw = Draw(corpus)

    def step(number):
        chosen = draw.batch(number)
        texts = [text_ids(corpus.rows[i]["text"]) for i in chosen]
        labels = [corpus.labels(i) for i in chosen]
        longest = max(map(len, labels))
        target = torch.full((len(chosen), longest + 1), -1)
        said = torch.full((len(chosen), longest + 1, 3), -1)
        for i, row in enumerate(labels):
            target[i, : len(row)], target[i, len(row)] = row, protocol.end
            at = corpus.labels(chosen[i], 1)
            said[i, : len(row)] = (at[:, None] + torch.arange(3)).clamp_max(len(texts[i]) - 1)
        x = prompt(gpt, protocol, texts, [draw.history(i) for i in chosen])
        x = torch.cat([x, gpt.input_embeds_layer(target[:, :-1].clamp_min(0))], 1)
        strength = max(0.0, 1 - number / GUIDED_STEPS)
        with loop.autocast():
            hidden, guide = gpt(x, TEXT_LENGTH, said if strength else None)
            logits = gpt.lm_head(hidden)
        loss = F.cross_entropy(logits.float().flatten(0, 1), target.flatten(), ignore_index=-1)
        right = (logits.argmax(-1) == target)[target >= 0].float().mean()
        return loss + 0.3 * strength * guide, {"ce": loss, "guide": guide, "right": right}

    loop.train("semantic", args, gpt, 1.5e-3, step)


if __name__ == "__main__":
    main()
