"""The training loop that all nets share: warm-up and decay, checkpoints to go on from, a line of figures now and then."""

import argparse
import time
from pathlib import Path

import torch


# How often each language is drawn.
SHARES = {"pt-br": 0.5, "pt": 0.25, "en-us": 0.25}


def arguments(steps):
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path, help="folder of the data and checkpoints")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--minutes", type=float, help="end after this long, however few steps were done")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_default_device(arguments.device)
    torch.manual_seed(1)
    return arguments


def here(array):
    """A numpy array as a tensor on the device of the training."""
    return torch.from_numpy(array).to(torch.get_default_device())


def autocast():
    """bf16 where it is safe"""
    return torch.autocast(torch.get_default_device().type, torch.bfloat16)


def load(path):
    return torch.load(path, map_location=torch.get_default_device(), weights_only=True)


def train(name, args, module, rate, step, report=50, save=120, warmup=100, decay_from=0.55, slower=lambda number: 1.0,
          second=0.97):
    """Runs `step(number) -> (loss, {figure: value})` until the end, going on from the last checkpoint.

    The rate rises over `warmup` steps, stays, and falls to 2 % over the last part; `slower(number)` is a factor on it. `second`: decay of
    Adam's second moment.
    """
    path = args.work / f"{name}.pt"
    optimizer = torch.optim.AdamW(module.parameters(), lr=rate, betas=(0.9, second), weight_decay=0.01)
    number = 0
    if path.exists():
        state = load(path)
        module.load_state_dict(state["module"])
        optimizer.load_state_dict(state["optimizer"])
        number = state["step"]
        print(f"{name}: going on from step {number}", flush=True)
    began, first, saved, figures, module = time.time(), number, time.time(), {}, module.train()

    def keep():
        state = {"module": module.state_dict(), "optimizer": optimizer.state_dict(), "step": number}
        torch.save(state, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    while True:
        done = number / args.steps
        if args.minutes:
            done = max(done, (time.time() - began) / 60 / args.minutes)
        if done >= 1:
            break
        factor = min(1.0, (number - first + 1) / warmup, max(0.02, (1 - done) / (1 - decay_from))) * slower(number)
        for group in optimizer.param_groups:
            group["lr"] = rate * factor
        loss, values = step(number)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        number += 1
        for key, value in {"loss": loss, **values}.items():
            value = value.detach() if isinstance(value, torch.Tensor) else value
            figures[key] = 0.96 * figures.get(key, float(value)) + 0.04 * float(value)
        if number % report == 0:
            line = " ".join(f"{key} {value:.3f}" for key, value in figures.items())
            rate_s = (number - first) / (time.time() - began)
            print(f"{name} {number}: {line}, {rate_s:.2f} steps/s, cpu {time.process_time():.0f} s", flush=True)
        if time.time() - saved > save:
            keep()
            saved = time.time()
    keep()
    print(f"{name}: {number} steps done", flush=True)


class Corpus:
    """A set that data.py made: `rows`, and each row's audio and labels."""

    def __init__(self, work, name):
        import json

        import numpy as np

        self.rows = json.loads((work / f"{name}.json").read_text())
        self.labels_ = np.load(work / f"{name}.labels.npy")
        audio = work / f"{name}.audio.npy"
        self.audio_ = np.load(audio, mmap_mode="r") if audio.exists() else None
        self.by_voice, self.by_language = {}, {}
        for i, row in enumerate(self.rows):
            self.by_voice.setdefault(row["voice"], []).append(i)
            self.by_language.setdefault(row["language"], []).append(i)

    def draw(self, rng, usable=lambda row: True):
        """The number of an utterance, of each language as often as SHARES says."""
        while True:
            i = rng.choice(self.by_language[rng.choices(list(SHARES), SHARES.values())[0]])
            if usable(self.rows[i]):
                return i

    def wav(self, i):
        """f32, 24 kHz"""
        row = self.rows[i]
        return here(self.audio_[row["at"] : row["at"] + row["samples"]].copy()).float() / 32767

    def labels(self, i, which=0):
        """Semantic tokens (`which` 0), or the characters that they say (1)."""
        row = self.rows[i]
        return here(self.labels_[which, row["label_at"] : row["label_at"] + row["labels"]].astype("int64"))
