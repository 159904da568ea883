"""What Resemblyzer's own code hears with weights made by the rule.

    python tests/golden/ears.py       (resemblyzer 0.1.4, torch 2.8.0, librosa 0.10.2.post1, scipy 1.14.1, numpy 2.0.2)

Writes ears/ge2e.json beside this script: of 2.6 s of a made-up sound, the mel power of two frames, and the embedding.
"""

import json
from pathlib import Path

import numpy as np
import rule
from resemblyzer import VoiceEncoder
from resemblyzer.audio import wav_to_mel_spectrogram

SAMPLES = 41_600


def sound():
    """Two gliding tones in noise, as tests/ears.rs makes it."""
    seconds = np.arange(SAMPLES) / 16_000
    tones = 0.2 * np.sin(2 * np.pi * (150 + 40 * seconds) * seconds) + 0.1 * np.sin(2 * np.pi * (900 + 300 * seconds) * seconds)
    return tones.astype(np.float32) + np.float32(0.02) * rule.uniform("sound", SAMPLES, 1)


def main():
    encoder = VoiceEncoder("cpu", verbose=False)
    rule.fill(encoder, "ge2e", 1)
    wav = sound()
    mels = wav_to_mel_spectrogram(wav)
    rounded = lambda values: [float(f"{value:.8g}") for value in values]  # noqa: E731
    golden = {"mels": {str(at): rounded(mels[at]) for at in (0, 100)}, "embedding": rounded(encoder.embed_utterance(wav))}
    path = Path(__file__).parent / "ears/ge2e.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
