#!/usr/bin/env python3
"""Makes a labelled set of recordings for `barkclone check`: each with what is wrong with it, known because it was done to it.

    python examples/check/make.py FOLDER        needs espeak-ng, sox and ffmpeg

Writes FOLDER/*.wav and FOLDER/labels.json: for each file its half (`tune` or `report`), the findings that must be told, and those
that may be. The halves have other voices, other texts and other amounts of everything.
"""

import json
import math
import random
import struct
import subprocess
import sys
import wave
from pathlib import Path

# Voices and texts of the two halves. Speeds and pitches are espeak-ng's.
VOICES = {
    "tune": [("pt-br", 50, 150), ("en-us+f2", 55, 165), ("de+m3", 40, 155), ("es+f4", 60, 160), ("fr+m7", 45, 150), ("pl+f3", 50, 155)],
    "report": [("pt+f1", 50, 155), ("en-gb", 45, 150), ("it+m1", 50, 160), ("nl+f5", 55, 150), ("en-us+m5", 40, 150), ("sv+f2", 60, 160)],
}
TEXTS = {
    "pt": ["O sol nasceu devagar sobre a serra. As crianças ainda dormiam, e a cozinha já cheirava a café.",
           "Hoje choveu muito na cidade. O ônibus atrasou, mas chegamos a tempo de ver o filme."],
    "en": ["The harbour was quiet when we arrived. A single boat moved slowly across the water, and nobody spoke.",
           "She opened the letter with care. It said that the train would leave at nine, not at ten."],
    "de": ["Der Zug fuhr langsam durch das Tal. Auf den Feldern lag noch Schnee, und die Sonne stand tief.",
           "Wir haben gestern lange gesprochen. Am Ende waren wir uns einig, und alle gingen nach Hause."],
    "es": ["La plaza estaba llena de gente. Los niños corrían entre las mesas, y alguien tocaba la puerta.",
           "Mañana saldremos temprano. Hay que llevar agua, pan y un mapa, porque el camino es largo."],
    "fr": ["Le marché ouvre à sept heures. On y trouve des fruits, du pain frais et parfois des fleurs.",
           "Il faisait froid ce matin. Nous avons marché jusqu'au pont, puis nous sommes rentrés."],
    "pl": ["Wczoraj padał deszcz przez cały dzień. Dzieci siedziały w domu i czytały stare książki.",
           "Pociąg odjeżdża o ósmej rano. Mamy jeszcze trochę czasu, więc napijemy się herbaty."],
    "it": ["La strada saliva tra gli ulivi. In cima c'era una casa bianca, con le finestre chiuse.",
           "Domani arriva mia sorella. Andremo insieme al mare, se il tempo sarà buono."],
    "nl": ["De winkel op de hoek is vandaag gesloten. We lopen naar de markt en kopen daar brood en kaas.",
           "Het regende de hele middag. Daarna werd het droog, en we gingen naar buiten."],
    "sv": ["Vi åkte till stugan i går kväll. Det var mörkt och tyst, och snön låg djup på taket.",
           "I morgon ska vi bada i sjön. Ta med handduk och något att äta, för dagen blir lång."],
}
RATE = 44_100
OK = []


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def read(path):
    with wave.open(str(path)) as wav:
        frames = wav.readframes(wav.getnframes())
        return [s / 32768 for (s,) in struct.iter_unpack("<h", frames)], wav.getframerate()


def write(path, samples, rate=RATE):
    clipped = (max(-32768, min(32767, round(32768 * s))) for s in samples)
    with wave.open(str(path), "wb") as wav:
        wav.setparams((1, 2, rate, 0, "NONE", ""))
        wav.writeframes(b"".join(struct.pack("<h", s) for s in clipped))


def rms(samples):
    return math.sqrt(sum(s * s for s in samples) / max(1, len(samples)))


def loud_rms(samples, rate):
    """RMS of the tenths of a second within 30 dB of the loudest: of the speech, without its pauses."""
    size = rate // 10
    levels = [rms(samples[i:i + size]) for i in range(0, len(samples) - size, size)]
    loud = [l for l in levels if l > max(levels) / 31.6]
    return math.sqrt(sum(l * l for l in loud) / len(loud))


def db(value):
    return 10 ** (value / 20)


class Set:
    def __init__(self, folder, half):
        self.folder, self.half, self.labels = folder, half, {}
        self.random = random.Random(half)
        self.tune = half == "tune"
        self.voices = [self.speak(self.made("clean", i), voice) for i, voice in enumerate(VOICES[half])]

    def speak(self, path, voice, monotonous=False):
        """A clean recording: the voice at -23 dB RMS over air at -72 dB, silence of a quarter of a second around it."""
        name, pitch, speed = voice
        raw = self.folder / "raw.wav"
        texts = TEXTS[name[:2]]
        text = texts[0] if self.tune else texts[1]
        if monotonous:
            text = f'<speak><prosody range="0">{text}</prosody></speak>'
        run("espeak-ng", *["-m"] * monotonous, "-v", name, "-p", pitch, "-s", speed, "-w", raw, text)
        run("sox", "-D", raw, "-r", RATE, "-c", 1, "-b", 16, path, "gain", "-6", "silence", 1, 0.01, "0.1%", "reverse", "silence", 1, 0.01, "0.1%", "reverse", "pad", 0.25, 0.25)
        samples, rate = read(path)
        gain = db(-23) / loud_rms(samples, rate)
        air = db(-72)
        write(path, [s * gain + self.random.gauss(0, air) for s in samples])
        self.label(path)
        return path

    def label(self, path, *must, may=()):
        self.labels[path.name] = {"half": self.half, "must": list(must), "may": list(may)}

    def made(self, kind, index):
        return self.folder / f"{self.half}-{kind}-{index}.wav"

    def sox(self, source, kind, index, *effects, must=(), may=(), output=()):
        path = self.made(kind, index)
        run("sox", "-D", source, "-b", 16, *output, path, *effects)
        self.label(path, *must, may=may)
        return path

    def mix(self, source, other, level, kind, index, must=(), may=(), judged=None):
        """Adds `other` (a list) at `level` dB under the speech; what is `judged` of it (all) has that level."""
        samples, rate = read(source)
        gain = loud_rms(samples, rate) * db(-level) / rms(judged or other)
        path = self.made(kind, index)
        write(path, [s + gain * other[i % len(other)] for i, s in enumerate(samples)])
        self.label(path, *must, may=may)

    def synth(self, seconds, *effects):
        path = self.folder / "synth.wav"
        run("sox", "-D", "-R", "-n", "-r", RATE, "-c", 1, "-b", 16, path, "synth", seconds, *effects)
        return read(path)[0]

    def cycle(self, index):
        return self.voices[index % len(self.voices)]

    def noises(self):
        levels = [0, 4, 8, 12, 16, 24, 28, 34, 40] if self.tune else [2, 6, 10, 14, 17, 23, 26, 32, 38]
        for colour in ("white", "pink", "brown"):
            noise = self.synth(12, colour + "noise")
            # The noise that lies where speech does.
            judged = self.synth(12, colour + "noise", "sinc", "-8000")
            for i, snr in enumerate(levels):
                must = ["noise"] if snr < 20 else []
                self.mix(self.cycle(i), noise, snr, f"{colour}-{snr}dB", i, must, judged=judged)

    def clips(self):
        """Gain into the ceiling, by how much of the peak is cut off; half of them quieter afterwards."""
        for i, cut in enumerate([2, 4, 8, 14, 20] if self.tune else [3, 5, 7, 11, 17]):
            samples, _ = read(self.cycle(i))
            ceiling = max(map(abs, samples)) / db(cut)
            for name, gain in (("full", 1 / ceiling), ("quieter", 0.3 / ceiling)):
                path = self.made(f"clipped-{cut}dB-{name}", i)
                write(path, [gain * max(-ceiling, min(ceiling, s)) for s in samples])
                self.label(path, "clipping", may=["loud", "offset"])
        for i in range(2):
            # Loud, and not clipped: it peaks just under the ceiling.
            samples, _ = read(self.cycle(i))
            gain = 0.98 / max(map(abs, samples))
            path = self.made("full-scale", i)
            write(path, [gain * s for s in samples])
            self.label(path)

    def hums(self):
        shapes = [(50, [1, .6, .5, .3, .2]), (60, [1, .3, .6, .2, .3]), (50, [.2, 1, .1, .6]), (60, [.1, 1, .1, .5])]
        for i, (hz, multiples) in enumerate(shapes):
            off = 1 + self.random.uniform(-.002, .002)
            tone = [sum(a * math.sin(2 * math.pi * hz * off * (k + 1) * n / RATE) for k, a in enumerate(multiples)) for n in range(RATE * 5)]
            for level in ([10, 25, 40] if self.tune else [15, 30, 38]):
                self.mix(self.cycle(i + level), tone, level, f"hum{hz}-{level}dB", i, ["hum"], ["noise"] if level < 22 else [])

    def music(self):
        chords = {
            "tune": [["E3", "B3", "G#4"], ["A3", "C#4", "E4"], ["D3", "A3", "F4"], ["G3", "B3", "D4"]],
            "report": [["C4", "E4", "G4"], ["F3", "A3", "C4"], ["G3", "D4", "B4"], ["A2", "E3", "C4"]],
        }[self.half]
        for i, shape in enumerate(["triangle", "pluck", "sine", "sawtooth"]):
            tune = []
            for chord in chords * 2:
                notes = [self.synth(1.4, shape, note, "fade", "q", .02, 1.4, .3) for note in chord]
                tune += [sum(parts) for parts in zip(*notes)]
            for level in ([3, 10, 18] if self.tune else [5, 12, 16]):
                self.mix(self.cycle(i + level), tune, level, f"music-{shape}-{level}dB", i, ["music"], ["noise", "second-speaker"])

    def speakers(self):
        pairs = [(0, 1), (2, 3), (4, 5), (1, 2)] if self.tune else [(0, 1), (2, 3), (4, 5), (3, 1)]
        for i, (a, b) in enumerate(pairs):
            turns = self.made("turns", i)
            run("sox", "-D", self.voices[a], self.voices[b], turns)
            self.label(turns, "second-speaker")
            shorter = self.made("interjection", i)
            run("sox", "-D", self.voices[b], self.folder / "part.wav", "trim", 0, 2.2)
            run("sox", "-D", self.voices[a], self.folder / "part.wav", shorter)
            self.label(shorter, "second-speaker", may=["cut-end"])
            other, _ = read(self.voices[b])
            self.mix(self.voices[a], other, 3, "both", i, ["second-speaker"], ["noise", "music", "cut-end"])

    def bands(self):
        for i in range(3):
            self.sox(self.cycle(i), "telephone", i, "sinc", "300-3400", "rate", 8000, must=["bandwidth"], output=["-r", 8000])
            self.sox(self.cycle(i + 1), "telephone44", i, "sinc", "300-3400", must=["bandwidth"])
            gsm = self.folder / "call.gsm"
            run("sox", "-D", self.cycle(i + 2), "-r", 8000, gsm)
            self.sox(gsm, "gsm", i, "rate", RATE, must=["bandwidth"], may=["noise"])
            self.sox(self.cycle(i + 3), "11khz", i, "rate", 11025, "rate", RATE, must=["bandwidth"])
            mp3 = self.folder / "small.mp3"
            run("ffmpeg", "-y", "-v", "error", "-i", self.cycle(i + 4), "-ar", 16000 if i else 11025, "-b:a", "16k", mp3)
            path = self.made("mp3", i)
            run("ffmpeg", "-y", "-v", "error", "-i", mp3, "-ar", RATE, path)
            self.label(path, *([] if i else ["bandwidth"]), may=["bandwidth"])
            self.sox(self.cycle(i + 5), "rate24", i, output=["-r", 24000])

    def cuts(self):
        """Cut where the tenth of a second before (after) is loud."""
        for i in range(6):
            samples, rate = read(self.cycle(i))
            loud, step = loud_rms(samples, rate), rate // 20
            inside = [k for k in range(0, len(samples) - step, step) if rms(samples[k:k + step]) > .7 * loud]
            end = self.made("cut-end", i)
            last = inside[-1 - i] + step
            write(end, samples[:last])
            self.label(end, "cut-end")
            start = self.made("cut-start", i)
            write(start, samples[inside[i + 1]:])
            self.label(start, "cut-start")

    def levels(self):
        for i, down in enumerate([-16, -24, -30] if self.tune else [-18, -22, -34]):
            self.sox(self.cycle(i), f"quiet{down}", i, "gain", down, must=["quiet"], may=["noise"])
        for i, shift in enumerate([.01, -.05, .2] if self.tune else [.006, .03, -.15]):
            self.sox(self.cycle(i + 1), f"offset{shift}", i, "dcshift", shift, must=["offset"])

    def silences(self):
        for i, seconds in enumerate([1.5, 2.5, 4] if self.tune else [1.3, 2, 3]):
            samples, rate = read(self.cycle(i))
            air = [self.random.gauss(0, db(-72)) for _ in range(int(seconds * rate))]
            quiet = rate // 5
            middle = min(range(quiet, len(samples) - quiet, quiet // 4), key=lambda k: rms(samples[k:k + quiet]) if .3 < k / len(samples) < .7 else 9)
            for kind, parts in (("silence-inside", [samples[:middle + quiet // 2], air, samples[middle + quiet // 2:]]), ("silence-end", [samples, air]), ("silence-start", [air, samples])):
                path = self.made(kind, i)
                write(path, [s for part in parts for s in part])
                self.label(path, kind, may=["little-speech"])

    def empties(self):
        for i, noise in enumerate(["whitenoise", "pinknoise"]):
            path = self.made(f"only-{noise}", i)
            write(path, [s * .1 for s in self.synth(6, noise)])
            self.label(path, "no-speech", may=["noise", "quiet"])
        path = self.made("silence", 0)
        write(path, [0.0] * RATE * 3)
        self.label(path, "no-speech", "short")
        self.sox(self.cycle(0), "short", 0, "trim", .2, 1.6, "pad", 0, .2, must=["short"], may=["cut-end", "cut-start"])

    def plain(self):
        """Clean ones: other gains, joined sentences, a pause as between sentences."""
        for i, voice in enumerate(self.voices):
            self.sox(voice, "gain", i, "gain", [-6, 3, -3, 6, -8, 0][i])
            self.sox(voice, "long", i, "repeat", 1)

    def monotones(self):
        """Clean voices without intonation: their overtones stand still, as those of music do."""
        for i, voice in enumerate(VOICES[self.half]):
            self.speak(self.made("monotone", i), voice, monotonous=True)

    def all(self):
        for part in (self.plain, self.noises, self.clips, self.hums, self.music, self.speakers, self.bands, self.cuts, self.levels, self.silences, self.empties, self.monotones):
            part()
        for scratch in ("raw.wav", "synth.wav", "part.wav", "call.gsm", "small.mp3"):
            (self.folder / scratch).unlink(missing_ok=True)
        for name, label in self.labels.items():
            samples, rate = read(self.folder / name)
            if len(samples) / rate < 5 and "short" not in label["must"]:
                label["may"].append("short")
        return self.labels


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    labels = {}
    for half in ("tune", "report"):
        labels |= Set(folder, half).all()
    (folder / "labels.json").write_text(json.dumps(labels, indent=1, ensure_ascii=False))
    print(f"{len(labels)} recordings in {folder}")


if __name__ == "__main__":
    main()
