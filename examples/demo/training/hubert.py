"""HuBERT and its quantizer as one classifier of frames: the phoneme that is said, and the third of it. Labels are espeak's
own timing, over many voices, so that the tokens carry the words and not the voice.

    python hubert.py WORK_FOLDER
"""

import json
import random

import torch
import torch.nn.functional as F
import torchaudio
from torch import nn
from transformers import HubertConfig, HubertModel

import loop

LAYERS, BATCH, CROP_FRAMES = 9, 12, 110  # 2.2 s
CONFIG = HubertConfig(
    hidden_size=96, num_hidden_layers=LAYERS, num_attention_heads=3, intermediate_size=192, conv_dim=[48] * 7,
    num_conv_pos_embeddings=32, num_conv_pos_embedding_groups=16, hidden_dropout=0.0, attention_dropout=0.0,
    activation_dropout=0.0, feat_proj_dropout=0.0, final_dropout=0.0, layerdrop=0.0, apply_spec_augment=False)


class Listener(nn.Module):
    """`wav` [B, samples] at 16 kHz -> logits [B, frames, tokens]; `lstm` and `fc` are the quantizer (version 0)."""

    def __init__(self, tokens):
        super().__init__()
        self.hubert = HubertModel(CONFIG)
        self.lstm = nn.LSTM(CONFIG.hidden_size, 96, 2, batch_first=True)
        self.fc = nn.Linear(96, tokens)
        with torch.no_grad():
            for layer in self.hubert.encoder.layers:
                # Nearly the identity: nine layers learn as fast as few.
                layer.attention.out_proj.weight.mul_(0.2)
                layer.feed_forward.output_dense.weight.mul_(0.2)

    def forward(self, wav):
        hidden = self.hubert(wav).last_hidden_state
        return self.fc(self.lstm(hidden.float())[0])


def tokens(work):
    """How many semantic tokens there are."""
    return 3 * len(json.loads((work / "inventory.json").read_text()))


def main():
    args = loop.arguments(6000)
    corpus = loop.Corpus(args.work, "speech")
    listener = Listener(tokens(args.work))
    resample = torchaudio.transforms.Resample(24_000, 16_000).to(args.device)

    def batch(rng):
        wavs, labels = [], []
        while len(wavs) < BATCH:
            i = rng.randrange(len(corpus.rows))
            label = corpus.labels(i)
            if len(label) < CROP_FRAMES:
                continue
            at = rng.randrange(len(label) - CROP_FRAMES + 1)
            wav = corpus.wav(i)[at * 480 : (at + CROP_FRAMES) * 480 + 120]
            wavs.append(F.pad(wav, (0, (CROP_FRAMES * 480 + 120) - len(wav))) * 10 ** rng.uniform(-0.4, 0.4))
            labels.append(label[at : at + CROP_FRAMES])
        wav = resample(torch.stack(wavs))
        return wav + torch.randn_like(wav) * 10 ** rng.uniform(-4.5, -2.3), torch.stack(labels)

    def step(number):
        wav, labels = batch(random.Random(number))
        with loop.autocast():
            logits = listener(wav)
        logits = logits.float()
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=0.05)
        best = logits.argmax(-1)
        return loss, {"token": (best == labels).float().mean(), "phoneme": (best // 3 == labels // 3).float().mean()}

    loop.train("hubert", args, listener, 2e-3, step)


if __name__ == "__main__":
    main()
