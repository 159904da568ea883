"""Makes the data: `speech` (audio and labels, for all nets but one), `tokens` (labels and text alone, for the semantic GPT) and `judge` (for the
recogniser alone, which judges the others).

    python data.py WORK_FOLDER
"""

import json
import random
import sys
from itertools import islice
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from sentences import MAKERS, held_out
from speech import RATE, UNSEEN, VARIANTS, Espeak, Voice, frame_characters, frame_labels, merge

VOICES, UTTERANCES = 512, 24
JUDGE_VOICES, JUDGE_UTTERANCES = 192, 64
ENGLISH = 0.25  # so much of what each voice says; the rest is Portuguese, of every third voice European
HELD_VOICES, HELD_SENTENCES = 10, 40
SILENT = 48_000  # utterances of which only the labels are kept
MAX_SECONDS = 6.5


KNOWN = [v for v in VARIANTS if v not in UNSEEN]


def voices():
    """(training voices, held-out voices); the latter: half of unseen variants, half new draws of known ones."""
    rng = random.Random(42)
    train = [Voice.draw(rng, KNOWN) for _ in range(VOICES)]
    half = HELD_VOICES // 2
    return train, [Voice.draw(rng, UNSEEN if i < half else KNOWN) for i in range(HELD_VOICES)]


def shares(number):
    """How often voice number `number` speaks which language."""
    return {"en-us": ENGLISH, "pt" if number % 3 == 2 else "pt-br": 1 - ENGLISH}


def find_inventory():
    """All phonemes that occur in many sentences; the pause comes first."""
    espeak, rng, found = Espeak(), random.Random(5), {"_"}
    for language, kind in MAKERS.items():
        maker = kind(5)
        for _ in range(4000):
            phones = espeak.say(maker.sentence(), Voice.draw(rng, VARIANTS), language)[1]
            found |= {merge(name) for _, name in phones if name}
    return {name: i for i, name in enumerate(sorted(found, key=lambda n: (n != "_", n)))}


def say(voice, texts, inventory):
    """(language, text) -> (language, text, samples, [labels, characters]), of those that are short and have no rare phoneme"""
    espeak = Espeak()
    for language, text in texts:
        wav, phones, words = espeak.say(text, voice, language)
        if len(wav) <= MAX_SECONDS * RATE and all(merge(name) in inventory for _, name in phones if name):
            labels = np.stack([frame_labels(phones, len(wav), inventory), frame_characters(words, len(wav))])
            yield language, text, (wav * 32767).astype(np.int16), labels


def draw(shares, seed):
    """Endless (language, sentence), none of them held out."""
    rng, makers = random.Random(seed), {language: kind(seed) for language, kind in MAKERS.items()}
    forbidden = {text for language in MAKERS for text in held_out(language, HELD_SENTENCES)}
    while True:
        language = rng.choices(list(shares), shares.values())[0]
        text = makers[language].sentence()
        if text not in forbidden:
            yield language, text


def train_utterances(job):
    """What one voice says; with no samples unless they are kept"""
    voice, shares, seed, count, inventory, keep_audio = job
    said = islice(say(voice, draw(shares, seed), inventory), count)
    return [(language, text, wav if keep_audio else wav[:0], labels) for language, text, wav, labels in said]


def held_utterances(job):
    """The held-out sentences of a language as a voice says them"""
    voice, language, inventory = job
    return list(say(voice, [(language, text) for text in held_out(language, HELD_SENTENCES)], inventory))


def save(folder, name, voices):
    """`voices`: each one's utterances"""
    rows, audio, labels, at, at_label = [], [], [], 0, 0
    for number, utterances in enumerate(voices):
        for language, text, wav, tokens in utterances:
            rows.append({"voice": number, "language": language, "text": text, "at": at, "samples": len(wav),
                         "label_at": at_label, "labels": tokens.shape[1]})
            audio.append(wav)
            labels.append(tokens)
            at, at_label = at + len(wav), at_label + tokens.shape[1]
    if at:
        np.save(folder / f"{name}.audio.npy", np.concatenate(audio))
    np.save(folder / f"{name}.labels.npy", np.concatenate(labels, 1))
    (folder / f"{name}.json").write_text(json.dumps(rows, ensure_ascii=False))
    print(f"{name}: {len(rows)} utterances, {at_label / 50 / 3600:.2f} h", flush=True)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    train, held = voices()
    with Pool() as pool:
        if not (folder / "inventory.json").exists():
            (folder / "inventory.json").write_text(json.dumps(pool.apply(find_inventory), ensure_ascii=False))
        inventory = json.loads((folder / "inventory.json").read_text())

        def drawn(seed, count, keep_audio):
            jobs = [(v, shares(i), seed + i, count, inventory, keep_audio) for i, v in enumerate(train)]
            return pool.imap(train_utterances, jobs)

        def judged():
            rng, alike = random.Random(43), dict.fromkeys(MAKERS, 1)
            jobs = [(Voice.draw(rng, KNOWN), alike, 9000 + i, JUDGE_UTTERANCES, inventory, True) for i in range(JUDGE_VOICES)]
            return pool.imap(train_utterances, jobs)

        if not (folder / "held.json").exists():
            save(folder, "held", pool.imap(held_utterances, [(v, "pt-br", inventory) for v in held]))
        if not (folder / "speech.json").exists():
            save(folder, "speech", drawn(1000, UTTERANCES, True))
        if not (folder / "tokens.json").exists():
            save(folder, "tokens", drawn(5000, SILENT // VOICES, False))
        if not (folder / "judge.json").exists():
            save(folder, "judge", judged())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
