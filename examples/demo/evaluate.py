"""Measures the demo models on voices and sentences that training never saw, through the barkclone program.

    python examples/demo/evaluate.py [--sentences 40] [--languages pt-br pt en-us]

For each language and sentence one of the held-out voices is cloned from some of its other sentences, and speaks. Told are

- the word error rate of a recogniser that took no part in training (training/recogniser.py: CTC on characters, then the
  likeliest string of the language's words, by sound alone and with how words follow each other in the training's sentences),
  of espeak's own speech, of the codec's reconstruction of it, and of the clones;
- how often a clone is nearer to other sentences of its own voice than to those of every other held-out voice, by the
  mean logarithmic mel spectrum of loud frames (level removed) and the median pitch;
- the clones' median pitch against the voice's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import wave
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
import torchaudio

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "training"))

import data  # noqa: E402
from codec import Codec  # noqa: E402
from grammar import normalize  # noqa: E402
from recogniser import Bigrams, Lexicon, Recogniser, word_errors  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from sentences import MAKERS, held_out  # noqa: E402
from speech import RATE  # noqa: E402

BARKCLONE = HERE.parents[1] / "target" / "release" / "barkclone"
# Seconds of a reference.
REFERENCE = 7


def write(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(np.asarray(samples, np.int16).tobytes())


def read(path):
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def run(*arguments):
    done = subprocess.run([BARKCLONE, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"barkclone {arguments[0]}: {done.stderr}")


def floats(samples):
    return torch.from_numpy(np.asarray(samples, np.float32) / 32768)


def codec(model):
    """The codec of the model's folder, in torch."""
    net, stored = Codec(), load_file(model / "bark" / "model.safetensors")
    weights = {n.removeprefix("codec_model."): w.float() for n, w in stored.items() if n.startswith("codec_model.")}
    books = [weights.pop(f"quantizer.layers.{b}.codebook.embed") for b in range(8)]
    new = {n.replace("weight_g", "parametrizations.weight.original0").replace(
        "weight_v", "parametrizations.weight.original1"): w for n, w in weights.items()}
    net.load_state_dict({**net.state_dict(), **new, "quantizer.embed": torch.stack(books)})
    return net.eval()


MEL = torchaudio.transforms.MelSpectrogram(RATE, 1024, hop_length=240, n_mels=60, f_max=8000)


def pitches(wav):
    """Of the voiced 10 ms frames, Hz, by normalised autocorrelation."""
    frames = wav.unfold(0, 1200, 240)
    frames = frames - frames.mean(1, keepdim=True)
    loud = frames.pow(2).mean(1) > 0.1 * frames.pow(2).mean(1).max()
    spectrum = torch.fft.rfft(frames[loud], 4096).abs().pow(2)
    auto = torch.fft.irfft(spectrum)[:, :600]
    taper = torch.arange(1200, 600, -1) / 1200
    auto = auto / auto[:, :1] / taper
    low, high = RATE // 450, RATE // 55
    best, at = auto[:, low:high].max(1)
    # The shortest period that is nearly as good: no octave too low.
    near = auto[:, low:high] > 0.93 * best[:, None]
    lag = near.float().argmax(1)
    for i in range(len(lag)):  # climb to its peak
        while lag[i] + 1 < high - low and auto[i, low + lag[i] + 1] > auto[i, low + lag[i]]:
            lag[i] += 1
    return RATE / (low + lag[best > 0.6]).float()


class Timbre:
    """What a voice sounds like: mean logarithmic mel spectrum of loud frames, and the median pitch."""

    def __init__(self, samples):
        wav = floats(samples)
        mel = (MEL(wav) + 1e-4).log()
        loud = mel.mean(0) > mel.mean(0).max() - 3.0
        mean = mel[:, loud].mean(1)
        self.spectrum = mean - mean.mean()
        found = pitches(wav)
        self.pitch = float(found.median()) if len(found) else float("nan")

    def distance(self, other):
        """Root mean square of the spectra's difference in nepers, and an octave counts as two."""
        if not (self.pitch > 0 and other.pitch > 0):
            return float("inf")  # nothing voiced is no voice
        spectra = float((self.spectrum - other.spectrum).pow(2).mean().sqrt())
        return spectra + 2 * abs(np.log2(self.pitch / other.pitch))


class Judge:
    """The recogniser with a language's words: how many of a sentence are read wrongly, by sound alone and with its grammar."""

    def __init__(self, path, language, forbidden):
        stored = load_file(path)
        self.net = Recogniser()
        self.net.load_state_dict({**self.net.state_dict(), **stored})
        self.net.eval()
        words = MAKERS[language].WORDS
        self.lexicons = [Lexicon(words), Lexicon(words, Bigrams(language, forbidden))]

    @torch.no_grad()
    def errors(self, text, samples):
        scores = self.net(floats(samples)[None])[0]
        return [word_errors(normalize(text), lexicon.decode(scores)) for lexicon in self.lexicons]


def clone(model, spoken, path):
    """A voice file of the last of `spoken`, REFERENCE seconds of it."""
    heard, wavs = [], spoken[::-1]
    while sum(map(len, heard)) < REFERENCE * RATE:
        heard.append(wavs[len(heard)])
    write(path.with_suffix(".wav"), np.concatenate(heard))
    run("clone", path.with_suffix(".wav"), "-o", path, "--hubert", model / "hubert", "--quantizer", model / "quantizer.pth",
        "--codec", model / "bark", "--quiet", "--force")


def measure(language, count, model, folder, voices):
    """`voices`: of each what it says of the held-out sentences, {text: samples}. The first `count` of them are said by clones."""
    texts = held_out(language, data.HELD_SENTENCES)
    judge, net = Judge(model.parent / "recogniser.safetensors", language, texts), codec(model)
    for number, spoken in enumerate(voices):
        clone(model, list(spoken.values()), folder / f"{language}-voice{number}.npz")
    # How each voice really sounds: in the middle sentences, which are neither said nor heard.
    middle = data.HELD_SENTENCES // 2
    real = [Timbre(np.concatenate([w for t, w in v.items() if t in texts[middle : middle + 6]])) for v in voices]
    words, wrong, nearest, deviations = 0, np.zeros((3, 2)), [], []
    for number, text in enumerate(texts[:count]):
        voice = number % len(voices)
        out = folder / f"{language}-said{number}.wav"
        run("speak", text, "--bark", model / "bark", "--voice", folder / f"{language}-voice{voice}.npz", "--codec",
            model / "bark", "--seed", number, "-o", out, "--quiet", "--force")
        original = voices[voice][text]
        with torch.no_grad():
            again = net.decode(net.encode(floats(original))) * 32768
        words += len(normalize(text))
        wrong += [judge.errors(text, w) for w in (original, again.clamp(-32768, 32767), read(out))]
        said = Timbre(read(out))
        distances = [said.distance(r) for r in real]
        nearest.append(min(distances) < np.inf and int(np.argmin(distances)) == voice)
        deviations.append(abs(said.pitch / real[voice].pitch - 1) if said.pitch > 0 else np.inf)
    print(f"{language}: {len(nearest)} sentences, {words} words, {len(voices)} voices, none of them heard in training")
    kinds = ["espeak's own speech", "the codec's reconstruction", "text to speech, cloned"]
    for name, (alone, grammar) in zip(kinds, 100 * wrong / words):
        print(f"word error rate, {name}: {grammar:.1f} % (by sound alone {alone:.1f} %)")
    print(f"nearest to its own voice: {100 * np.mean(nearest):.0f} %")
    print(f"median pitch: off by {100 * np.median(deviations):.1f} % (median), within 10 %: "
          f"{100 * np.mean(np.array(deviations) < 0.1):.0f} % of the clones", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sentences", type=int, default=40, help="of each language, at most 40")
    parser.add_argument("--languages", nargs="+", default=["pt-br"], choices=list(MAKERS))
    parser.add_argument("--model", type=Path, default=HERE / "model")
    parser.add_argument("--keep", type=Path, help="keep the recordings in this folder")
    args = parser.parse_args()
    folder = args.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    inventory = json.loads((args.model / "phonemes.json").read_text())
    for language in args.languages:
        with Pool() as pool:
            spoken = pool.map(data.held_utterances, [(v, language, inventory) for v in data.voices()[1]])
        voices = [{text: wav for _, text, wav, _ in utterances} for utterances in spoken]
        measure(language, args.sentences, args.model, folder, voices)


if __name__ == "__main__":
    main()
