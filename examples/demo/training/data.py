"""Makes the data: `speech` (audio and labels, for all nets) and `tokens` (labels and text alone, for the semantic GPT).

    python data.py WORK_FOLDER
"""

import json
import random
import sys
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from sentences import Maker, held_out
from speech import RATE, UNSEEN, VARIANTS, Espeak, Voice, frame_characters, frame_labels, merge

VOICES, UTTERANCES = 192, 24
HELD_VOICES, HELD_SENTENCES = 10, 40
SILENT = 36_000  # utterances of which only the labels are kept
MAX_SECONDS = 6.5


def voices():
    """(training voices, held-out voices); the latter: half of unseen variants, half new draws of known ones."""
    rng = random.Random(42)
    known = [v for v in VARIANTS if v not in UNSEEN]
    train = [Voice.draw(rng, known) for _ in range(VOICES)]
    half = HELD_VOICES // 2
    return train, [Voice.draw(rng, UNSEEN if i < half else known) for i in range(HELD_VOICES)]


def find_inventory():
    """All phonemes that occur in many sentences; the pause comes first."""
    espeak, maker, rng, found = Espeak(), Maker(5), random.Random(5), {"_"}
    for _ in range(4000):
        found |= {merge(p[1]) for p in espeak.say(maker.sentence(), Voice.draw(rng, VARIANTS))[1] if p[1]}
    return {name: i for i, name in enumerate(sorted(found, key=lambda n: (n != "_", n)))}


def speak(job):
    """One voice's utterances -> [(text, samples, [labels, characters])]"""
    voice, texts, seed, inventory, keep_audio = job
    espeak, out = Espeak(), []
    maker = Maker(seed)
    forbidden = set(held_out(HELD_SENTENCES))
    texts = texts or iter(lambda: maker.sentence(), None)
    for text in texts:
        if seed >= 0 and text in forbidden:
            continue
        wav, phones, words = espeak.say(text, voice)
        if len(wav) > MAX_SECONDS * RATE or any(merge(n) not in inventory for _, n in phones if n):
            continue
        labels = np.stack([frame_labels(phones, len(wav), inventory), frame_characters(words, len(wav))])
        out.append((text, (wav * 32767).astype(np.int16) if keep_audio else None, labels))
        if seed >= 0 and len(out) == (UTTERANCES if keep_audio else SILENT // VOICES):
            break
    return out


def save(folder, name, pool, jobs):
    rows, audio, labels, at, at_label = [], [], [], 0, 0
    for number, (job, utterances) in enumerate(zip(jobs, pool.imap(speak, jobs))):
        for text, wav, tokens in utterances:
            length = 0 if wav is None else len(wav)
            rows.append({"voice": number, "text": text, "at": at, "samples": length, "label_at": at_label,
                         "labels": tokens.shape[1]})
            if wav is not None:
                audio.append(wav)
            labels.append(tokens)
            at, at_label = at + length, at_label + tokens.shape[1]
    if audio:
        np.save(folder / f"{name}.audio.npy", np.concatenate(audio))
    np.save(folder / f"{name}.labels.npy", np.concatenate(labels, 1))
    (folder / f"{name}.json").write_text(json.dumps(rows, ensure_ascii=False))
    print(f"{name}: {len(rows)} utterances, {at_label / 50 / 3600:.2f} h", flush=True)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    train, held = voices()
    with Pool(2) as pool:
        if not (folder / "inventory.json").exists():
            (folder / "inventory.json").write_text(json.dumps(pool.apply(find_inventory), ensure_ascii=False))
        inventory = json.loads((folder / "inventory.json").read_text())
        jobs = {
            "held": [(v, held_out(HELD_SENTENCES), -1, inventory, True) for v in held],
            "speech": [(v, None, 1000 + i, inventory, True) for i, v in enumerate(train)],
            "tokens": [(v, None, 5000 + i, inventory, False) for i, v in enumerate(train)],
        }
        for name, jobs in jobs.items():
            if not (folder / f"{name}.json").exists():
                save(folder, name, pool, jobs)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
