"""A small recogniser of characters (CTC) that judges the others: trained on speech of the same kind that no other net meets.

    python recogniser.py WORK_FOLDER
"""

import math
import random
from collections import Counter

import torch
import torch.nn.functional as F
import torchaudio
from torch import nn

import loop
from grammar import normalize
from sentences import MAKERS

LETTERS = sorted({c for kind in MAKERS.values() for w in kind.WORDS for c in w} | set("abcdefghijklmnopqrstuvwxyz"))
BLANK, SPACE = 0, 1
INDEX = {c: i + 2 for i, c in enumerate(LETTERS)} | {" ": SPACE}
BATCH, SIZE = 12, 112


def letters(text):
    return [INDEX[c] for c in " ".join(normalize(text)) if c in INDEX]


def spoiled(mel, most):
    """What other synthesisers than espeak do to speech, so that the judge minds words alone: harmonics blurred, a floor of
    noise, fluctuation, envelopes that are a little off in each frame, a tilt, a band that is missing.
    `mel` [bands, frames], logarithmic; `most`: how much of it, 0 to 1."""
    bands = len(mel)
    spread = random.uniform(0.01, 0.01 + 2.5 * most)
    kernel = torch.exp(-0.5 * (torch.arange(-6, 7) / spread) ** 2)
    mel = F.conv1d(F.pad(mel.T[:, None], (6, 6), "replicate"), (kernel / kernel.sum())[None, None])[:, 0].T
    mel = torch.logaddexp(mel, mel.max() + torch.tensor(random.uniform(-9, -9 + 5 * most)) + 0.3 * torch.randn_like(mel))
    mel = mel + random.uniform(0, 0.5 * most) * torch.randn_like(mel)
    off = F.interpolate(torch.randn(1, len(mel[0]), 12), size=bands, mode="linear")[0].T
    mel = mel + random.uniform(0, 0.7 * most) * off
    mel = mel + random.uniform(-most, most) * torch.linspace(-1, 1, bands)[:, None]
    at, width = random.randrange(bands - 8), random.randrange(9)
    return mel.index_fill(0, torch.arange(at, at + width), 0.0)


class Recogniser(nn.Module):
    """`wav` [B, samples] at 24 kHz -> log probabilities [B, frames (40 Hz), letters]"""

    def __init__(self):
        super().__init__()
        self.most = 0.0
        self.mel = torchaudio.transforms.MelSpectrogram(24_000, 1024, hop_length=300, n_mels=64, f_max=8000)
        self.convs = nn.Sequential(nn.Conv1d(64, SIZE, 5, padding=2), nn.GELU(),
                                   nn.Conv1d(SIZE, SIZE, 4, stride=2, padding=1), nn.GELU())
        self.gru = nn.GRU(SIZE, SIZE, 2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * SIZE, len(INDEX) + 1)

    def forward(self, wav):
        mel = (self.mel(wav) + 1e-4).log()
        mel = mel - mel.mean((1, 2), keepdim=True)
        if self.training:
            mel = torch.stack([spoiled(row, self.most) for row in mel])
        return self.out(self.gru(self.convs(mel).transpose(1, 2))[0]).log_softmax(-1)


class Bigrams:
    """How likely a word follows another in a language's sentences as training draws them, none of the held-out ones among them."""

    WEIGHT = 0.6  # against the sound

    def __init__(self, language, forbidden, sentences=60_000):
        maker, self.pairs, self.words, forbidden = MAKERS[language](31), Counter(), Counter(), set(forbidden)
        for text in (maker.sentence(grammar_only=True) for _ in range(sentences)):
            if text not in forbidden:
                words = normalize(text)
                self.words.update(words)
                self.pairs.update(zip(["", *words], words))
        self.before = Counter()
        for (first, _), count in self.pairs.items():
            self.before[first] += count
        self.total, self.vocabulary = self.words.total(), len(maker.WORDS)

    def __call__(self, first, second):
        """Weighted logarithm of P(second | first)."""
        alone = (self.words[second] + 1) / (self.total + self.vocabulary)
        return self.WEIGHT * math.log((self.pairs[first, second] + 5 * alone) / (self.before[first] + 5))


class Lexicon:
    """Words as a tree of letters, and the search for the likeliest string of words, by sound alone or with `follows`."""

    def __init__(self, words, follows=lambda first, second: 0.0):
        self.root, self.follows = {}, follows
        for word in words:
            node = self.root
            for c in word:
                node = node.setdefault(INDEX[c], {})
            node["word"] = word

    def likely(self, words, node):
        return self.follows(words[-1] if words else "", node["word"])

    def decode(self, scores, beam=80):
        """`scores` [frames, letters], log probabilities of CTC -> words"""
        # (words, node, last letter): its best score; the node is named by its id.
        hypotheses = {((), id(self.root), BLANK): (0.0, self.root)}
        for frame in scores.tolist():
            fresh = {}

            def offer(key, score, node):
                if key not in fresh or fresh[key][0] < score:
                    fresh[key] = (score, node)

            for (words, name, last), (score, node) in hypotheses.items():
                offer((words, name, BLANK), score + frame[BLANK], node)
                if last != BLANK:
                    offer((words, name, last), score + frame[last], node)
                for letter, child in node.items():
                    if letter != "word" and letter != last:
                        offer((words, id(child), letter), score + frame[letter], child)
                if "word" in node and last != SPACE:
                    offer((words + (node["word"],), id(self.root), SPACE),
                          score + frame[SPACE] + self.likely(words, node), self.root)
            best = sorted(fresh.items(), key=lambda item: -item[1][0])[:beam]
            hypotheses = dict(best)
        finals = [(score + self.likely(words, node), words + (node["word"],)) if "word" in node else (score, words)
                  for (words, _, _), (score, node) in hypotheses.items() if "word" in node or node is self.root]
        return list(max(finals)[1]) if finals else []


def word_errors(said, heard):
    """Levenshtein's distance in words."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(heard, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1]


def main():
    args = loop.arguments(19000)
    corpus, net, rng = loop.Corpus(args.work, "judge"), Recogniser(), random.Random()
    pools = []

    def step(number):
        if not pools:
            rng.seed(number)
            pool = sorted(rng.sample(range(len(corpus.rows)), 16 * BATCH), key=lambda i: corpus.rows[i]["samples"])
            pools.extend(pool[at : at + BATCH] for at in range(0, len(pool), BATCH))
            rng.shuffle(pools)
        chosen = pools.pop()
        wavs, texts = [corpus.wav(i) for i in chosen], [letters(corpus.rows[i]["text"]) for i in chosen]
        longest = max(map(len, wavs))
        wav = torch.stack([F.pad(w, (0, longest - len(w))) for w in wavs])
        wav = wav + torch.randn_like(wav) * 10 ** rng.uniform(-4, -2)
        net.most = min(1.0, max(0.0, (number - 1500) / 1500))
        scores = net(wav).transpose(0, 1)
        lengths = torch.tensor([min(len(scores), len(w) // 600 + 1) for w in wavs])
        loss = F.ctc_loss(scores, torch.tensor(sum(texts, [])), lengths, torch.tensor([len(t) for t in texts]),
                          zero_infinity=True)
        return loss, {"ctc": loss}

    loop.train("recogniser", args, net, 2e-3, step)


if __name__ == "__main__":
    main()
