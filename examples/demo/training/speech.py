"""Speech of espeak-ng with the times of its phonemes, through libespeak-ng.

Voices vary continuously: the recording of one of espeak's variants is played faster or slower, which moves its formants
and its pitch; pitch and tempo are asked for so that they come out as wanted.
"""

import ctypes
import ctypes.util
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.signal import resample_poly

RATE = 24_000
VARIANTS = """f1 f2 f3 f4 f5 m1 m2 m3 m4 m5 m6 m7 m8 adam anika belinda benjamin boris caleb david edward gustave iven
john linda michel miguel norbert pablo pedro robert sandro shelby steph travis zac""".split()
# Voices made from these are held out.
UNSEEN = ["f3", "m7", "linda", "miguel"]

_END, _WORD, _PHONEME = 0, 1, 7


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = [("type", ctypes.c_int), ("unique", ctypes.c_uint), ("text_position", ctypes.c_int),
                ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
                ("user", ctypes.c_void_p), ("id", _Id)]


@dataclass
class Voice:
    variant: str
    # Factor on the formants.
    shift: float
    # espeak's 0..99, before the shift.
    pitch: int
    range: int
    # Words a minute, after the shift.
    tempo: int

    @staticmethod
    def draw(rng, variants):
        return Voice(rng.choice(variants), round(rng.uniform(0.87, 1.17), 3), rng.randint(20, 75), rng.randint(4, 16),
                     rng.randint(145, 180))


class Espeak:
    def __init__(self):
        self.lib = ctypes.CDLL(ctypes.util.find_library("espeak-ng"))
        self.chunks, self.events, self.words = [], [], []
        callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
        self.callback = callback(self._take)
        # Synchronous retrieval, with phoneme events.
        self.rate = self.lib.espeak_Initialize(2, 0, None, 1)
        if self.rate <= 0:
            raise RuntimeError("libespeak-ng does not start: is espeak-ng installed?")
        self.lib.espeak_SetSynthCallback(self.callback)

    def _take(self, samples, count, events):
        if count > 0:
            self.chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events[i].type != _END:
            if events[i].type == _PHONEME:
                self.events.append((events[i].sample, bytes(events[i].id.string).decode()))
            elif events[i].type == _WORD:
                self.words.append((events[i].sample, events[i].text_position - 1, events[i].length))
            i += 1
        return 0

    def say(self, text, voice, language):
        """`language`: espeak's name -> samples at 24 kHz f32, phonemes [(seconds, name)] and words [(seconds, first
        character, characters)], each with its beginning; the last phoneme, of no name, is the end."""
        if self.lib.espeak_SetVoiceByName(f"{language}+{voice.variant}".encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice {language}+{voice.variant}")
        for parameter, value in (1, round(voice.tempo / voice.shift)), (3, voice.pitch), (4, voice.range):
            self.lib.espeak_SetParameter(parameter, value, 0)
        self.chunks.clear(), self.events.clear(), self.words.clear()
        data = text.encode()
        self.lib.espeak_Synth(data, len(data) + 1, 0, 1, 0, 1, None, None)
        self.lib.espeak_Synchronize()
        wav = np.concatenate(self.chunks).astype(np.float32) / 32768
        ratio = Fraction(RATE / (self.rate * voice.shift)).limit_denominator(160)
        wav = resample_poly(wav, ratio.numerator, ratio.denominator).astype(np.float32)
        scale = float(ratio) / RATE
        phones = [(sample * scale, name) for sample, name in self.events]
        words = [(sample * scale, first, length) for sample, first, length in self.words]
        return self._pad(wav, phones, words)

    @staticmethod
    def _pad(wav, phones, words, before=0.08, after=0.12):
        """Even loudness, a floor of noise, and silence at both ends."""
        loud = np.sqrt(np.mean(wav**2)) + 1e-6
        wav = np.concatenate([np.zeros(int(before * RATE)), wav * (0.08 / loud), np.zeros(int(after * RATE))])
        wav += np.random.default_rng(len(wav)).normal(0, 3e-4, len(wav))
        end = len(wav) / RATE
        moved = [(0.0, "_")] + [(t + before, name) for t, name in phones]
        moved += [(end - after, "_"), (end, "")]
        return np.clip(wav, -1, 1).astype(np.float32), moved, [(t + before, *word) for t, *word in words]


def merge(name):
    """Pauses of any length are one phoneme; some of espeak's differ in nothing that is heard."""
    return "_" if name.startswith("_") else name


def segments(phones):
    """[(begin, end, phoneme)] in seconds, neighbouring pauses joined."""
    joined = []
    for (begin, name), (end, _) in zip(phones, phones[1:]):
        name = merge(name)
        if end <= begin:
            continue
        if joined and name == "_" == joined[-1][2]:
            joined[-1] = (joined[-1][0], end, name)
        else:
            joined.append((begin, end, name))
    return joined


def middles(samples):
    """The middle of each HuBERT frame of a recording of `samples` at 24 kHz, seconds."""
    return (np.arange((samples * 2 // 3 - 400) // 320 + 1) * 320 + 200) / 16_000


def frame_characters(words, samples):
    """For each HuBERT frame the character of the text that is being said, in equal parts of each word's time."""
    times = middles(samples)
    begins = np.array([w[0] for w in words])
    ends = np.append(begins[1:], samples / RATE)
    which = np.clip(np.searchsorted(begins, times, side="right") - 1, 0, len(words) - 1)
    first, length = (np.array([w[i] for w in words])[which] for i in (1, 2))
    part = (times - begins[which]) / (ends - begins)[which]
    return (first + np.clip(part * (length + 1), 0, length).astype(int)).astype(np.int16)


def frame_labels(phones, samples, inventory):
    """The semantic tokens: for each HuBERT frame (50 Hz) phoneme * 3 + the third of it that the frame's middle is in."""
    times = middles(samples)
    parts = segments(phones)
    begins = np.array([p[0] for p in parts])
    which = np.clip(np.searchsorted(begins, times, side="right") - 1, 0, len(parts) - 1)
    labels = np.empty(len(times), np.int16)
    for i, (middle, k) in enumerate(zip(times, which)):
        begin, end, name = parts[k]
        if name == "_":
            third = 0
        else:
            third = min(2, int(3 * (middle - begin) / (end - begin)))
        labels[i] = inventory[name] * 3 + third
    return labels
