"""Pairs of espeak-ng's speech and its semantic tokens, for `barkclone quantizer eval`: the held-out voices and sentences
(numpy, scipy and espeak-ng are needed).

    python pairs.py FOLDER [VOICES] [SENTENCES]
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from data import say, voices
from sentences import held_out
from speech import RATE

INVENTORY = Path(__file__).resolve().parents[1] / "model" / "phonemes.json"


def main(folder, most_voices=10, sentences=12):
    folder.mkdir(parents=True, exist_ok=True)
    inventory = json.loads(INVENTORY.read_text())
    texts = [("pt-br", text) for text in held_out("pt-br", sentences)]
    for v, voice in enumerate(voices()[1][:most_voices]):
        for i, (_, _, wav, labels) in enumerate(say(voice, texts, inventory)):
            wavfile.write(folder / f"{v}-{i}.wav", RATE, wav)
            np.save(folder / f"{v}-{i}.npy", labels[0].astype(np.int64))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
