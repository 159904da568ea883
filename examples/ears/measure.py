"""What `speak --best-of` and `clone --refine` gain: demo models, espeak-ng voices, and a judge that took no part.

    sh examples/ears/run.sh measure.py [--voices 20] [--takes 16] [--refine 8] [--keep DIR]

The voices are variants that the demo models never met, less those that GE2E does not tell apart when espeak-ng itself
speaks. Each reads a reference, from which it is cloned, plainly and with `--refine`. The clones say sentences, the plain
one with `--takes` takes each. Each ear chooses among the first 1, 2, 4, 8, 16 takes, by the score, in which it compares
with the reference. The ears that took no part judge what would have been kept, against other sentences of every voice,
which the choosing ear has not heard. Refined clones are chosen by GE2E, and judged by what they say at first.

The ears: `spectrum`, barkclone's, which only chooses; GE2E, Resemblyzer's, on the real weights that its package
holds, which barkclone's equals (ge2e.py); and WeSpeaker's ResNet34, trained on VoxCeleb, which the library of
moonshine-voice holds to tell speakers apart. Flags that this script does not know are given to `speak`, such as
--waveform-temp 0.8.

Told are each judge's own bar (espeak-ng's speech itself), what the codec leaves of the reference (no take can be
nearer), what choosing by the judge itself would give (no ear can choose better), and for each way to choose how often
what is kept is nearest to its own voice, and its mean similarity to its own voice and to the others. Beside that, how
far the takes of a sentence lie apart by the judge, and how each ear's similarities go with its own (correlation
within each sentence's takes, the mean of all): of N takes, an ear gains about the product of both and of what the
best of N draws has more than the mean (1.42 deviations of 8, 1.77 of 16).
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")

import librosa  # noqa: E402
import moonshine_voice  # noqa: E402
import onnxruntime  # noqa: E402
import resemblyzer  # noqa: E402
import torch  # noqa: E402
from resemblyzer import VoiceEncoder, preprocess_wav  # noqa: E402
from torchaudio.compliance.kaldi import fbank  # noqa: E402

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
    return done.stdout


class Ge2e:
    def __init__(self):
        self.encoder, self.known = VoiceEncoder("cpu", verbose=False), {}

    def __call__(self, references, sounds):
        return self.embed(sounds) @ self.embed(references).T

    def embed(self, paths):
        for path in paths:
            if path not in self.known:
                self.known[path] = self.hear(path)
        return np.array([self.known[path] for path in paths])

    def hear(self, path):
        return self.encoder.embed_utterance(preprocess_wav(path))


class WeSpeaker(Ge2e):
    """Its features are as pyannote's `BaseWeSpeakerResNet.compute_fbank` makes them."""

    def __init__(self):
        library = (Path(moonshine_voice.__file__).parent / "libmoonshine.so").read_bytes()
        starts = [at.start() - 4 for at in re.finditer(b"ORTM", library)]
        nets = [library[start:end] for start, end in zip(starts, [*starts[1:], len(library)])]
        [net] = [net for net in nets if b'"model_type": "embedding"' in net]
        self.net, self.known = onnxruntime.InferenceSession(net, providers=["CPUExecutionProvider"]), {}

    def hear(self, path):
        wav = torch.from_numpy(librosa.load(path, sr=16000)[0])[None] * 2**15
        frames = fbank(wav, num_mel_bins=80, dither=0.0, sample_frequency=16000, window_type="hamming")
        frames = (frames - frames.mean(0))[None].numpy()
        heard = self.net.run(None, {"fbank": frames, "weights": np.ones(frames.shape[:2], np.float32)})[0][0]
        return heard / np.linalg.norm(heard)


class Voice:
    """All that is made of one voice, in files."""

    def __init__(self, args, folder, name):
        self.args, self.folder, self.name = args, folder / name, name
        self.folder.mkdir(exist_ok=True)
        self.reference = espeak(name, REFERENCE, self.folder / "reference.wav")
        self.judged = espeak(name, JUDGED, self.folder / "judged.wav")
        self.real = [espeak(name, [text], self.folder / f"real{i}.wav") for i, text in enumerate(SAID)]
        self.lines = self.folder / "lines.txt"
        self.lines.write_text("".join(f"{text}\n" for text in SAID))

    def clone(self, name, *flags):
        voice = self.folder / f"{name}.npz"
        if not voice.exists():
            run(self.args.barkclone, "clone", self.reference, "--demo", "-o", voice, "--quiet", *flags)

    def speak(self, name, *flags):
        """For each sentence its report's line."""
        out = self.folder / name
        run(self.args.barkclone, "speak", "--lines", self.lines, "-d", out, "--demo", "--voice",
            self.folder / f"{name}.npz", "--seed", "1", "--quiet", *flags)
        lines = map(json.loads, (out / "report.jsonl").read_text().splitlines())
        lines = {line["text"]: line for line in lines}
        return [lines[text] for text in SAID]

    def make(self):
        """Speaks all of it."""
        self.coded = self.folder / "coded.wav"
        self.clone("plain", "--preview", self.coded)
        takes = ["--best-of", self.args.takes, "--keep-all", "--voice-of", self.reference]
        lines = self.speak("plain", *takes, *self.args.flags)
        path = lambda line, take: self.folder / "plain" / take.get("out", line["out"])  # noqa: E731
        self.takes = [[(take, path(line, take)) for take in line["heard"][: self.args.takes]] for line in lines]
        if self.args.refine:
            weights = Path(resemblyzer.__file__).parent / "pretrained.pt"
            self.clone("refined", "--refine", self.args.refine, "--voice-ear", weights)
            self.refined = [self.folder / "refined" / line["out"] for line in self.speak("refined")]

    def similarities(self, takes, ear):
        """To the reference, as `ear` hears them; None: the ear that the score has, spectrum."""
        if not ear:
            return np.array([take["similarity"] for take, _ in takes])
        return ear([self.reference], [sound for _, sound in takes])[:, 0]

    def kept(self, count, ear):
        """Of the first `count` takes of each sentence the one with the best score, where `ear` hears the voice."""
        def best(takes):
            others = np.array([take["total"] for take, _ in takes]) - self.similarities(takes, None)
            return takes[int(np.argmax(others + self.similarities(takes, ear)))][1]

        return [best(takes[:count]) for takes in self.takes]


def told_apart(voices, judge):
    """The voices whose own sentences are nearest to themselves among all that are left; the worst is left out first."""
    sounds = [sound for voice in voices for sound in voice.real]
    all_of_them = judge([voice.judged for voice in voices], sounds).reshape(len(voices), len(SAID), -1).mean(1)
    kept = list(range(len(voices)))
    while True:
        alike = all_of_them[np.ix_(kept, kept)]
        own = np.diag(alike).copy()
        np.fill_diagonal(alike, -1)
        margins = own - alike.max(1)
        if margins.min() > 0.02:
            return [voices[i] for i in kept]
        del kept[margins.argmin()]


def row(name, made, judge, voices):
    """`made(voice)`: what is kept of its sentences; judged against all `voices`."""
    sounds = [sound for voice in voices for sound in made(voice)]
    alike = judge([voice.judged for voice in voices], sounds)
    own_voice = np.repeat(np.arange(len(voices)), len(sounds) // len(voices))
    own = alike[np.arange(len(sounds)), own_voice]
    others = (alike.sum(1) - own).mean() / (len(voices) - 1)
    nearest = (alike.argmax(1) == own_voice).mean()
    print(f"{name:>22}: nearest to its own voice {100 * nearest:3.0f} %, "
          f"similarity {own.mean():.3f}, others {others:.3f}", flush=True)


def tables(voices, ears, args):
    for name in filter(ears.get, ears):
        print(f"judged by {name}:")
        table(voices, name, ears, args)


def table(voices, name, ears, args):
    judge = ears[name]
    row("espeak-ng itself", lambda voice: voice.real, judge, voices)
    row("through the codec", lambda voice: [voice.coded], judge, voices)
    row("all takes", lambda voice: [sound for takes in voice.takes for _, sound in takes], judge, voices)
    for other, ear in ears.items():
        for count in (n for n in (1, 2, 4, 8, 16) if n <= args.takes and other != name):
            row(f"{other}'s best of {count}", lambda voice: voice.kept(count, ear), judge, voices)
    own = [[judge([voice.judged], [sound for _, sound in takes])[:, 0] for takes in voice.takes] for voice in voices]
    of_voice = dict(zip(voices, own))
    for count in (n for n in (8, 16) if n <= args.takes):
        by_judge = lambda voice: [takes[int(similar[:count].argmax())][1]  # noqa: E731
                                  for takes, similar in zip(voice.takes, of_voice[voice])]
        row(f"of {count} by the judge", by_judge, judge, voices)
    apart = np.mean([similar.std() for mine in own for similar in mine])
    together = ", ".join(f"{other} {correlation(voices, own, ear):+.2f}" for other, ear in ears.items())
    print(f"takes of a sentence lie apart by {apart:.4f}; with the judge go {together}")
    if args.refine and name != "GE2E":
        row(f"refined, {args.refine} a round", lambda voice: voice.refined, judge, voices)


def correlation(voices, own, ear):
    """How similarities to the reference by `ear` go with the judge's `own` within each sentence's takes: the mean."""
    pairs = [(voice.similarities(takes, ear), similar) for voice, mine in zip(voices, own)
             for takes, similar in zip(voice.takes, mine)]
    return np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--voices", type=int, default=20)
    parser.add_argument("--takes", type=int, default=16)
    parser.add_argument("--refine", type=int, default=8, help="candidates of a round; 0: none")
    parser.add_argument("--keep", type=Path, help="keep the takes in this folder, and go on with those that are there")
    parser.add_argument("--barkclone", type=Path, default=ROOT / "target/release/barkclone")
    args, args.flags = parser.parse_known_args()
    args.barkclone = args.barkclone.resolve()
    folder = args.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    ears = {"GE2E": Ge2e(), "WeSpeaker": WeSpeaker(), "spectrum": None}
    voices = told_apart([Voice(args, folder, name) for name in VARIANTS], ears["GE2E"])[: args.voices]
    print(f"{len(voices)} voices, {len(SAID)} sentences each")
    for number, voice in enumerate(voices):
        voice.make()
        print(f"{number + 1} of {len(voices)} voices", file=sys.stderr)
    tables(voices, ears, args)


if __name__ == "__main__":
    main()
