"""Three training steps of a quantizer in PyTorch: golden numbers for the program's own way back and its Adam.

The net is gitmylo's `customtokenizer.py` (an LSTM of two layers, for version 1 a linear of 4096, and a linear), over
weights and clips by rule; the loss is the mean cross-entropy of all frames of a batch of three clips, slopes are
clipped to a length of 0.5, and Adam steps at a rate of 0.01. Writes `training.json`: the losses, and about twenty
numbers of each tensor after the last step.

    pip install torch==2.8.0 numpy==2.0.2
    python training.py
"""

import json
import pathlib

import numpy as np
import torch
from torch import nn

import rule

WIDTH, HIDDEN, TOKENS, LENGTHS = 6, 5, 11, [4, 9, 1]


class Net(nn.Module):
    def __init__(self, version):
        super().__init__()
        self.lstm = nn.LSTM(WIDTH, HIDDEN, 2, batch_first=True)
        if version == 1:
            self.intermediate = nn.Linear(HIDDEN, 4096)
        self.fc = nn.Linear(4096 if version == 1 else HIDDEN, TOKENS)

    def forward(self, x):
        x, _ = self.lstm(x)
        return self.fc(self.intermediate(x) if hasattr(self, "intermediate") else x)


def clip(index, frames):
    features = rule.uniform(f"clip.{index}", frames * WIDTH, 1).reshape(frames, WIDTH)
    tokens = (rule.uniform(f"tokens.{index}", frames, 1) + np.float32(1)) / np.float32(2) * np.float32(TOKENS)
    return torch.from_numpy(features), torch.from_numpy(np.minimum(tokens.astype(np.int64), TOKENS - 1))


def steps(version):
    torch.manual_seed(0)
    net = Net(version)
    with torch.no_grad():
        for name, tensor in net.named_parameters():
            values = rule.uniform(f"quantizer.{name}", tensor.numel(), 1) * np.float32(0.5)
            tensor.copy_(torch.from_numpy(values).view(tensor.shape))
    adam = torch.optim.Adam(net.parameters(), 0.01)
    clips = [clip(index, frames) for index, frames in enumerate(LENGTHS)]
    losses = []
    for _ in range(3):
        adam.zero_grad()
        logits = torch.cat([net(x[None])[0] for x, _ in clips])
        loss = nn.functional.cross_entropy(logits, torch.cat([y for _, y in clips]))
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        adam.step()
        losses.append(loss.item())
    thinned = {n: t.detach().flatten()[:: max(1, t.numel() // 20)].tolist() for n, t in net.named_parameters()}
    return {"losses": losses, "tensors": thinned}


if __name__ == "__main__":
    golden = {version: steps(version) for version in (0, 1)}
    path = pathlib.Path(__file__).with_name("training.json")
    path.write_text(json.dumps(golden, indent=1) + "\n")
