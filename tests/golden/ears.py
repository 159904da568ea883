"""What Resemblyzer's own code hears with weights made by the rule.

    python tests/golden/ears.py       (resemblyzer 0.1.4, torch 2.8.0, librosa 0.10.2.post1, scipy 1.14.1, numpy 2.0.2)

Writes ears/ge2e.json beside this script: of 2.6 s of a made-up sound, the mel power of two frames, and the embedding.
"""

import json
from pathlib import Path

import rule
from made_up import sound
from resemblyzer import VoiceEncoder
from resemblyzer.audio import wav_to_mel_spectrogram


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
