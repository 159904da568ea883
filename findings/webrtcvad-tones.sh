#!/bin/sh
# webrtcvad-wheels 2.0.14.post1: what WebRTC's voice detector takes for speech in its strictest mode, 3.
# Expected: a whistle and steady white noise are no speech; a tone as low as a voice may be.
# Seen: a 1 kHz sine and white noise at -24 dB are speech in all 33 frames of a second; a sine of 200 Hz, right where
# voices are, is speech in its first 3 frames alone, and so is a constant.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check webrtcvad-wheels==2.0.14.post1 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import numpy as np
import webrtcvad

rate, frame = 16000, 480
t = np.arange(rate) / rate
noise = np.random.default_rng(0).standard_normal(rate)
sounds = (("1 kHz sine", 8000 * np.sin(2 * np.pi * 1000 * t), 33), ("white noise", 2000 * noise, 33),
          ("200 Hz sine", 8000 * np.sin(2 * np.pi * 200 * t), 3), ("constant", np.full(rate, 5000.0), 3),
          ("zeros", np.zeros(rate), 0))
for name, x, speech in sounds:
    detector = webrtcvad.Vad(3)
    x = x.astype(np.int16)
    heard = [detector.is_speech(x[i : i + frame].tobytes(), rate) for i in range(0, rate - frame, frame)]
    print(f"{name}: speech in {sum(heard)} of {len(heard)} frames")
    assert sum(heard) == speech and heard[:speech] == [True] * speech, "the detector hears in another way now"
EOF
