"""Compares the voice ear with Resemblyzer on its own weights; run it by run.sh.

- On the same samples (Resemblyzer's own, after its preprocessing) each of the 256 numbers is within 1e-4 of its own.
- Each with its whole way, resampling and trimming of pauses included, every sound has the same nearest neighbour, and
  the cosines of all pairs are told side by side.

The sounds: the recordings in the repository, and two sentences of each of twelve espeak-ng voices.
"""

import json
import subprocess
import sys
import tempfile
import warnings
import wave
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")

import librosa  # noqa: E402
import resemblyzer  # noqa: E402
from resemblyzer import VoiceEncoder, preprocess_wav  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
EARS = ROOT / "target/release/examples/ears"
WEIGHTS = Path(resemblyzer.__file__).parent / "pretrained.pt"
RECORDINGS = ["examples/reference.wav", "examples/demo/reference.wav", "examples/demo/other.wav"]
VOICES = ["f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m7", "croak", "klatt2"]
SENTENCES = ["O menino encontrou uma concha branca perto do mar.", "Hoje falamos de casas antigas e de jardins."]


def write(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())


def ours(folder, sounds):
    paths = [folder / f"{i}.wav" for i in range(len(sounds))]
    for path, samples in zip(paths, sounds):
        write(path, samples)
    told = subprocess.run([EARS, WEIGHTS, *paths], capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in told.splitlines()]


def theirs(encoder, samples):
    """Of the samples as a file of 16 bits holds them."""
    return encoder.embed_utterance((np.clip(samples, -1, 1) * 32767).round().astype(np.float32) / 32768)


def main():
    folder = Path(tempfile.mkdtemp())
    paths = [ROOT / recording for recording in RECORDINGS]
    for voice in VOICES:
        for number, sentence in enumerate(SENTENCES):
            paths.append(folder / f"{voice}-{number}.wav")
            subprocess.run(["espeak-ng", "-v", f"pt-br+{voice}", "-w", paths[-1], sentence], check=True)
    encoder = VoiceEncoder("cpu", verbose=False)
    prepared = [preprocess_wav(path) for path in paths]
    expected = [theirs(encoder, samples) for samples in prepared]
    got = [np.array(line["samples"]) for line in ours(folder, prepared)]
    worst = max(np.abs(a - b).max() for a, b in zip(expected, got))
    print(f"{len(paths)} sounds, the same samples: numbers differ by {worst:.1e} at most, the bar is 1e-4")

    whole = [librosa.resample(librosa.load(path, sr=None)[0], orig_sr=librosa.get_samplerate(path), target_sr=16000)
             for path in paths]
    heard = np.array([line["speech"] for line in ours(folder, whole)])
    a, b = np.array(expected) @ np.array(expected).T, heard @ heard.T
    pairs = ~np.eye(len(paths), dtype=bool)
    near = [np.where(pairs, cosines, -1).argmax(1) for cosines in (a, b)]
    same = int((near[0] == near[1]).sum())
    print(f"each its whole way: the same nearest neighbour for {same} of {len(paths)}; cosines differ by "
          f"{np.abs(a - b)[pairs].mean():.3f} (mean), {np.abs(a - b)[pairs].max():.3f} (most); "
          f"rank correlation {rank_correlation(a[pairs], b[pairs]):.3f}")
    own = [near[1][i] == (i + 1 if (i - len(RECORDINGS)) % 2 == 0 else i - 1) for i in range(len(RECORDINGS), len(paths))]
    print(f"espeak-ng voices whose nearest is their own other sentence: {sum(own)} of {len(own)}")
    return worst < 1e-4 and same >= len(paths) - 1


def rank_correlation(a, b):
    ranks = [np.argsort(np.argsort(x)) for x in (a, b)]
    return np.corrcoef(*ranks)[0, 1]


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
