"""A quantizer's training step beside PyTorch's: the same weights, clips and settings, on two threads, at published sizes.

    cargo build --release --example training
    pip install torch==2.8.0 numpy==2.0.2
    python step.py target/release/examples/training [STEPS] [CLIPS]      # 200 steps of 2 clips

One runs after the other. Prints each side's median seconds a step, first steps apart, its most memory, its first and
last loss, the largest difference of the losses, and how many times as fast the program is.
"""

import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/golden"))

import numpy as np
import torch
from torch import nn

import rule

WIDTH, HIDDEN, TOKENS, FRAMES = 768, 1024, 10_000, 499


class Net(nn.Module):
    """Version 1 of gitmylo's `customtokenizer.py`."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(WIDTH, HIDDEN, 2, batch_first=True)
        self.intermediate = nn.Linear(HIDDEN, 4096)
        self.fc = nn.Linear(4096, TOKENS)

    def forward(self, x):
        x, _ = self.lstm(x)
        return self.fc(self.intermediate(x))


@torch.no_grad()
def fill(net):
    for name, tensor in net.named_parameters():
        width = HIDDEN if name.startswith("lstm") else tensor.shape[-1]
        values = rule.uniform(name, tensor.numel(), 1) * (np.float32(1) / np.sqrt(np.float32(width)))
        tensor.copy_(torch.from_numpy(values).view(tensor.shape))


def pairs(clips):
    x = [rule.uniform(f"clip.{clip}", FRAMES * WIDTH, 1).reshape(FRAMES, WIDTH) for clip in range(clips)]
    y = [(rule.uniform(f"tokens.{clip}", FRAMES, 1) + np.float32(1)) / np.float32(2) * np.float32(TOKENS) for clip in range(clips)]
    return torch.from_numpy(np.stack(x)), torch.from_numpy(np.minimum(np.stack(y).astype(np.int64), TOKENS - 1))


def main():
    program, *counts = sys.argv[1:]
    steps, clips = map(int, counts + ["200", "2"][len(counts) :])
    ours = subprocess.run([program, str(steps), str(clips)], check=True, stdout=subprocess.PIPE, text=True)
    ours = json.loads(ours.stdout)
    torch.set_num_threads(2)
    net = Net()
    fill(net)
    adam = torch.optim.Adam(net.parameters(), 0.001)
    x, y = pairs(clips)
    losses, seconds = [], []
    for step in range(steps):
        began = time.perf_counter()
        adam.zero_grad()
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()
        seconds.append(time.perf_counter() - began)
        losses.append(loss.item())
        print(f"PyTorch: step {step + 1} of {steps}, loss {losses[-1]:.4f}", file=sys.stderr, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    apart = max(abs(a - b) for a, b in zip(losses, ours["losses"]))
    mine, theirs = (statistics.median(times[1:] or times) for times in (ours["seconds"], seconds))
    print(f"barkclone {mine:.2f} s a step, {ours['peak_mib']} MiB; loss {ours['losses'][0]:.4f} to {ours['losses'][-1]:.4f}")
    print(f"PyTorch {torch.__version__} {theirs:.2f} s a step, {peak} MiB; loss {losses[0]:.4f} to {losses[-1]:.4f}")
    print(f"losses {apart:.1e} apart at most; {theirs / mine:.2f} times as fast")


if __name__ == "__main__":
    main()
