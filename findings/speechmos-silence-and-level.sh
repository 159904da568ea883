#!/bin/sh
# speechmos 0.0.1.1 (DNSMOS): the score of digital silence, and of one sound at several levels.
# Expected: silence is refused or has the worst score; a louder copy of the same sound has the same one.
# Seen: silence scores overall 1.84, signal 2.51, background 3.47, above white noise (1.1, 1.1, 1.1); a buzz scores
# 2.60, 20 dB quieter 2.80, 40 dB quieter 2.26. So compare DNSMOS only at one level. P.808 is the same for the first
# two.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check \
    speechmos==0.0.1.1 onnxruntime==1.32.0 librosa==0.11.0 numba==0.68.1 numpy==2.4.6 pandas==2.3.3 tqdm==4.70.1
"$dir/venv/bin/python" - "$dir" <<'EOF'
import numpy as np
from speechmos import dnsmos

t = np.arange(16000 * 4) / 16000
buzz = sum(np.sin(2 * np.pi * 150 * k * t) / k for k in range(1, 20)) * 0.1 * (0.5 + 0.5 * np.sin(2 * np.pi * 3 * t))
noise = 0.1 * np.random.default_rng(0).standard_normal(len(t))
sounds = {"buzz": buzz, "buzz -20 dB": buzz * 0.1, "buzz -40 dB": buzz * 0.01, "silence": buzz * 0, "noise": noise}
expected = {"buzz": 2.605, "buzz -20 dB": 2.804, "buzz -40 dB": 2.258, "silence": 1.840, "noise": 1.105}
for name, x in sounds.items():
    scores = dnsmos.run(x.astype(np.float32), 16000)
    print(name, {k: round(float(v), 3) for k, v in scores.items() if "mos" in k})
    assert abs(float(scores["ovrl_mos"]) - expected[name]) < 0.03, "the scores changed"
EOF
