#!/usr/bin/env python3
"""What `--denoise` makes better or worse: the set's noisy recordings against the clean ones that they were made of.

    python examples/check/denoise.py FOLDER [--half tune|report|both] [--denoise PROGRAM]      needs numpy and scipy

PROGRAM is the example `denoise`: `cargo build --release --example denoise`. All is judged at 24 kHz, which is what the models hear
at most, before and after denoising:

- SI-SDR (Le Roux et al. 2019), dB, over the whole recording, 100 at most: higher is better;
- segmental SNR (Hansen and Pellom 1998), dB, over the frames of speech, each within -10 and 35: higher is better;
- log-spectral distance, dB, over the frames of speech, where the clean spectrum is within 60 dB of its peak: lower is better.

Rows are by what `barkclone check` measures of the noisy recording's signal-to-noise ratio. In brackets: of how many it is better.
"""

import argparse
import json
import re
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly, stft

RATE = 24_000
FRAME = 768  # 32 ms
NOISY = re.compile(r"(tune|report)-(white|pink|brown)-\d+dB-(\d+)")
CLEAN = re.compile(r"(tune|report)-clean-(\d+)")
VOICES = 6
# dB, of the rows.
EDGES = [0, 5, 9, 13, 17, 21, 25, 30, 35, 45]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", choices=["tune", "report", "both"], default="both")
    parser.add_argument("--denoise", default="target/release/examples/denoise")
    parser.add_argument("--barkclone", default="target/release/barkclone")
    return parser.parse_args()


def sound(path):
    rate, samples = wavfile.read(path)
    samples = samples / 32768 if samples.dtype == np.int16 else samples.astype(float)
    return resample_poly(samples, RATE, rate)


def frames(x):
    return x[: len(x) // FRAME * FRAME].reshape(-1, FRAME)


def si_sdr(clean, heard):
    clean, heard = clean - clean.mean(), heard - heard.mean()
    target = clean * (heard @ clean) / (clean @ clean)
    error = heard - target
    return 10 * np.log10((target @ target) / max(error @ error, 1e-10 * (target @ target)))


def speech(clean):
    """The frames within 30 dB of the loudest."""
    power = (frames(clean) ** 2).mean(1)
    return power > power.max() / 1000


def segmental_snr(clean, heard):
    signal, error = (frames(clean) ** 2).sum(1), (frames(heard - clean) ** 2).sum(1)
    snr = 10 * np.log10(signal / (error + 1e-12) + 1e-12)
    return np.clip(snr, -10, 35)[speech(clean)].mean()


def log_spectral_distance(clean, heard):
    spectra = [20 * np.log10(np.abs(stft(x, RATE, nperseg=FRAME, noverlap=0, padded=False, boundary=None)[2]) + 1e-9) for x in (clean, heard)]
    least = spectra[0].max() - 60
    apart = (np.maximum(spectra[0], least) - np.maximum(spectra[1], least))[:, speech(clean)[: spectra[0].shape[1]]]
    return np.sqrt((apart**2).mean(0)).mean()


MEASURES = [si_sdr, segmental_snr, log_spectral_distance]


def measured(clean, heard):
    length = min(len(clean), len(heard))
    return [measure(clean[:length], heard[:length]) for measure in MEASURES]


def pairs(folder, half):
    """Each recording with its noise (None: clean), and its clean original."""
    for path in sorted(folder.glob("*.wav")):
        noisy, clean = NOISY.fullmatch(path.stem), CLEAN.fullmatch(path.stem)
        if not (noisy or clean) or half not in ("both", (noisy or clean)[1]):
            continue
        original = folder / f"{noisy[1]}-clean-{int(noisy[3]) % VOICES}.wav" if noisy else path
        yield path, noisy and noisy[2], original


def ratios(barkclone, paths):
    lines = subprocess.run([barkclone, "check", "--json", *paths], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line)["measures"]["snr"] for line in lines.splitlines()]


def row(name, rows):
    before, after = (np.array([r[key] for r in rows]) for key in ("before", "after"))
    better = [int(((after - before)[:, k] * sign > 0).sum()) for k, sign in enumerate((1, 1, -1))]
    cells = [f"{b:.1f} → {a:.1f} ({n}/{len(rows)})" for b, a, n in zip(before.mean(0), after.mean(0), better)]
    print(f"| {name} | {' | '.join(cells)} |")


def main():
    args = arguments()
    todo = list(pairs(args.folder, args.half))
    paths = [path for path, _, _ in todo]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([args.denoise, folder, *paths], check=True)
        for (path, colour, original), snr in zip(todo, ratios(args.barkclone, paths)):
            clean = sound(original)
            after = measured(clean, sound(Path(folder) / path.name))
            rows.append({"colour": colour, "snr": snr, "before": measured(clean, sound(path)), "after": after})
    noisy = [r for r in rows if r["colour"] and r["snr"] is not None]
    print("| noise | SI-SDR, dB | segmental SNR, dB | log-spectral distance, dB |\n|---|---|---|---|")
    for low, high in pairwise(EDGES):
        some = [r for r in noisy if low <= r["snr"] < high]
        row(f"{low} to {high} dB", some) if some else None
    row("none", [r for r in rows if not r["colour"]])
    for colour in ("white", "pink", "brown"):
        row(f"{colour}, to {EDGES[4]} dB", [r for r in noisy if r["colour"] == colour and r["snr"] < EDGES[4]])


if __name__ == "__main__":
    main()
