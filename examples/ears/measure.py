"""What `speak --best-of` gains: demo models, espeak-ng voices, and a judge that took no part.

    sh examples/ears/run.sh measure.py [--voices 20] [--takes 16]

The voices are variants that the demo models never met, less those that the judge does not tell apart when espeak-ng
itself speaks. Each reads a reference, from which it is cloned. The clone says sentences, with `--takes` takes each, and barkclone scores them by its ear `spectrum` against the
reference. The judge is Resemblyzer (GE2E) on the real weights that its package holds: it compares the take that would
have been kept of the first 1, 2, 4, 8, 16 with other sentences of every voice, which no ear has heard.

Told are the judge's own bar (espeak-ng's speech itself), and for each N how often what is kept is nearest to its own
voice, and its mean similarity to its own voice and to the others.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")

from resemblyzer import VoiceEncoder, preprocess_wav  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
# Variants that the demo models' training (examples/demo/training/speech.py) did not have, or held out.
VARIANTS = """f3 m7 linda miguel Alex Andy Denis Diogo Gene Hugo Jacky Lee Marco Mario Michael Nguyen Pablo Storm Henrique
antonio kaukovalta max paul quincy Mike rob grandma grandpa Tweaky Gene2""".split()
REFERENCE = ["A minha casa tem uma porta azul e uma janela grande.", "O menino fala com a mãe no jardim da escola.",
             "Hoje o dia está bonito e a cidade está cheia."]
JUDGED = ["O professor come um pão quente de manhã.", "A noite é fria e o vento é forte."]
SAID = ["O homem abre a porta da casa.", "A menina tem um gato branco."]


def espeak(voice, texts, path):
    subprocess.run(["espeak-ng", "-v", f"pt-br+{voice}", "-s", "150", "-w", path, " ".join(texts)], check=True)
    return path


def run(barkclone, *arguments):
    done = subprocess.run([barkclone, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"barkclone {arguments[0]}: {done.stderr}")


def takes(barkclone, folder, voice, count):
    """For each sentence its takes in the order of their seeds, as (score, path)."""
    reference = espeak(voice, REFERENCE, folder / f"{voice}.wav")
    run(barkclone, "clone", reference, "--demo", "-o", folder / f"{voice}.npz", "--quiet")
    (folder / "lines.txt").write_text("".join(f"{text}\n" for text in SAID))
    run(barkclone, "speak", "--lines", folder / "lines.txt", "-d", folder / voice, "--demo", "--voice", folder / f"{voice}.npz",
        "--best-of", count, "--keep-all", "--voice-of", reference, "--quiet")
    lines = [json.loads(line) for line in (folder / voice / "report.jsonl").read_text().splitlines()]
    return [[(take["total"], folder / voice / take.get("out", line["out"])) for take in line["heard"]] for line in lines]


def told_apart(real, judge):
    """The voices whose own sentences are nearest to themselves among all that are left; the worst is left out first."""
    kept = list(range(len(judge)))
    while True:
        cosines = (real[kept] @ judge[kept].T).mean(1)  # [voice, voice]
        own = np.diag(cosines).copy()
        np.fill_diagonal(cosines, -1)
        margins = own - cosines.max(1)
        if margins.min() > 0.02:
            return kept
        del kept[margins.argmin()]


def table(chosen, judge, file=sys.stdout):
    """`chosen[n][voice][sentence]`: what is kept of the first n takes; `judge`: an embedding of each voice, of which the
    first may be all that have spoken."""
    for count, voices in chosen.items():
        cosines = np.array([[e @ judge.T for e in sentences] for sentences in voices])  # [voice, sentence, voice]
        own = cosines[np.arange(len(voices)), :, np.arange(len(voices))]
        nearest = (cosines.argmax(2) == np.arange(len(voices))[:, None]).mean()
        others = (cosines.sum(2) - own).mean() / (len(judge) - 1)
        print(f"{count:>10}: nearest to its own voice {100 * nearest:3.0f} %, similarity {own.mean():.3f}, others {others:.3f}",
              flush=True, file=file)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--voices", type=int, default=20)
    parser.add_argument("--takes", type=int, default=16)
    parser.add_argument("--barkclone", type=Path, default=ROOT / "target/release/barkclone")
    args = parser.parse_args()
    folder, encoder = Path(tempfile.mkdtemp()), VoiceEncoder("cpu", verbose=False)
    embed = lambda path: encoder.embed_utterance(preprocess_wav(path))  # noqa: E731
    judge = np.array([embed(espeak(voice, JUDGED, folder / "judge.wav")) for voice in VARIANTS])
    real = np.array([[embed(espeak(voice, [text], folder / "real.wav")) for text in SAID] for voice in VARIANTS])
    kept = told_apart(real, judge)[: args.voices]
    voices, judge, real = [VARIANTS[i] for i in kept], judge[kept], real[kept]
    print(f"{len(voices)} voices, {len(SAID)} sentences each; chosen by spectrum, judged by GE2E")
    table({"espeak": real}, judge)
    counts = [n for n in (1, 2, 4, 8, 16) if n <= args.takes]
    chosen = {n: [] for n in counts}
    for number, voice in enumerate(voices):
        spoken = takes(args.barkclone.resolve(), folder, voice, args.takes)
        for n in counts:
            chosen[n].append([embed(max(sentence[:n], key=lambda take: take[0])[1]) for sentence in spoken])
        print(f"{number + 1} of {len(voices)} voices:", file=sys.stderr)
        table(chosen, judge, sys.stderr)
    table(chosen, judge)


if __name__ == "__main__":
    main()
